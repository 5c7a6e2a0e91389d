"""What the site file says of lamps: their circuits, what sees and feeds them, and when they should burn."""

from __future__ import annotations

from gateway.site import schema
from gateway.site.assembly import device_kind, feed
from gateway.site.checks import Checks
from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.positions import Path
from gateway.site.sections import Draft

NEVER_LIGHT = frozenset({"camera", "nvr", "reader", "wand", "phone", "bridge", "network_switch"})
"""Kinds that cannot prove anything about a lamp."""

MODE_KEYS = {
    "dusk_to_dawn": ({"offset"}, set[str]()),
    "times": ({"on", "off"}, {"on", "off"}),
    "always": (set(), set()),
    "motion": ({"hold"}, set()),
    "commanded": (set(), set()),
}
"""Of each mode of `expected`: the keys it takes, and those it needs."""


def check_lamps(draft: Draft, mentions: Mentions, mistakes: Mistakes) -> None:
    """Check the circuits and lamps of a draft; every mistake goes to `mistakes`."""
    checks = _Lamps(draft, mentions, mistakes)
    checks.lamps()


class _Lamps(Checks):
    def lamps(self) -> None:
        for circuit, path, _ in self._draft.circuits:
            self._mentions.refer((*path, "panel"), circuit.panel, "feeders", "a device or of an entry of `parents`")
        for entry, path, damaged in self._draft.lamps:
            self._mentions.refer((*path, "place"), entry.place, "places", "a place")
            self._mentions.refer((*path, "circuit"), entry.circuit, "circuits", "a circuit")
            for index, sensor in enumerate(entry.seen_by):
                self._prover((*path, "seen_by", index), sensor, "a light sensor")
            self._mentions.each_once((*path, "seen_by"), entry.seen_by, "sensor")
            if entry.fed_by is not None:
                self._feed(entry.fed_by, (*path, "fed_by"))
            if "expected" not in damaged:
                self._expected(entry.expected, (*path, "expected"))
        site = self._draft.site
        if self._draft.lamps and site is not None:
            for key in ("latitude", "longitude"):
                if getattr(site.entry, key) is None and key not in site.damaged:
                    self._mistakes.error(
                        site.path, f"`{key}` is missing; expected it in degrees, lamps are judged by the sun"
                    )

    def _prover(self, path: Path, device: str, what: str) -> None:
        if self._mentions.refer(path, device, "devices", what) and device in self._mentions.devices:
            kind = device_kind(self._mentions.devices[device].entry)
            if kind in NEVER_LIGHT:
                self._mistakes.error(path, f"found {device!r}, a {kind}; expected {what}")

    def _feed(self, text: str, path: Path) -> None:
        device, _ = named = feed(text)
        self._prover(path, device, "a power-measuring device, with its channel as in `meter-1/2`")
        self._mentions.once(
            path, "power that feeds one lamp", "/".join(str(part) for part in named if part is not None)
        )

    def _expected(self, entry: schema.ExpectedEntry, path: Path) -> None:
        takes, needs = MODE_KEYS[entry.mode]
        given = entry.model_fields_set - {"mode"}
        for key in sorted(needs - given):
            self._mistakes.error(path, f"`{key}` is missing; expected a clock time, since `mode` is {entry.mode}")
        for key in sorted(given - takes):
            self._mistakes.error((*path, key), f"found with `mode: {entry.mode}`, which does not take it")
