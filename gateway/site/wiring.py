"""What the site file says of devices: their drivers and settings, the serial lines they share, and what feeds what."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any, get_args

from device_drivers.announced import ANNOUNCED
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceKind, DeviceSettings, Driver
from device_drivers.errors import SettingsError
from gateway.site import schema
from gateway.site.assembly import device_kind, facts
from gateway.site.checks import Checks
from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.positions import Path
from gateway.site.sections import Draft, Placed

KINDS: tuple[str, ...] = get_args(DeviceKind)

PORT = {"baud": "9600", "bits": "8", "parity": "N", "stop": "1"}
"""The settings of a serial port, and what they are if an entry names none (gateway/links/serial_port.py)."""

_MAX_CIRCLES = 20


def check_wiring(draft: Draft, mentions: Mentions, mistakes: Mistakes) -> None:
    """Check the devices of a draft and what feeds them; every mistake goes to `mistakes`."""
    checks = _Wiring(draft, mentions, mistakes)
    checks.devices()
    checks.families()
    checks.parents()


class _Wiring(Checks):
    def devices(self) -> None:
        lines: dict[str, tuple[schema.DeviceEntry, Path]] = {}
        for entry, path, damaged in self._draft.devices:
            if entry.kind is not None and entry.kind not in KINDS:
                self._mistakes.warning(
                    (*path, "kind"),
                    f"found {entry.kind!r}, a kind that nothing knows{self._mistakes.nearest(entry.kind, KINDS)}; the known "
                    f"ones are {', '.join(KINDS)}",
                )
            self._mentions.refer((*path, "place"), entry.place, "places", "a place")
            self._feeds(entry, path)
            if entry.portable and device_kind(entry) not in {"reader", "wand", "phone"}:
                self._mistakes.error(
                    (*path, "portable"), f"found true for a {device_kind(entry)}; expected only readers to be portable"
                )
            if entry.behind is not None and entry.channel is not None:
                self._mentions.once((*path, "channel"), f"a channel of {entry.behind}", entry.channel)
            if entry.device_id is not None:
                self._mentions.once((*path, "device_id"), f"a `device_id` of {entry.driver}", entry.device_id)
            self._driver(entry, path, damaged)
            for key, value in (("channel", entry.channel), ("device_id", entry.device_id)):
                self._mistakes.doubtful((*path, key), value)
            for key, value in entry.link.items():
                if key in schema.DeviceEntry.model_fields:
                    self._mistakes.error(
                        (*path, "link", key),
                        f"stands inside of `link`; expected `{key}` beside `link`, in the same column or brackets",
                    )
                self._mistakes.doubtful((*path, "link", key), value)
            line = entry.link.get("serial")
            if line is not None and not line.startswith("/") and "://" not in line:
                self._mistakes.warning(
                    (*path, "link", "serial"),
                    f"found {line!r}; expected the whole path of a port, such as `/dev/ttyUSB0` (`ls /dev/serial/by-id` lists them), or a "
                    "converter, such as `socket://10.0.0.5:4001`",
                )
            if line is not None and "link" not in damaged and entry.enabled:
                self._line((*path, "link", "serial"), entry, *lines.setdefault(line, (entry, path)))

    def _line(self, at: Path, entry: schema.DeviceEntry, first: schema.DeviceEntry, path: Path) -> None:
        """A serial line is opened once: only devices that are asked there share it, at one speed."""
        if entry is first or entry.driver not in DRIVERS or first.driver not in DRIVERS:
            return
        place = self._mistakes.place(path)
        if _way(DRIVERS[entry.driver]) != _way(DRIVERS[first.driver]) or not _way(DRIVERS[entry.driver]):
            self._mistakes.error(
                at,
                f"found the line of {first.id} ({place}) a second time; only devices that are asked can share a line",
            )
            return
        for key, usual in PORT.items():
            wanted, found = (str(each.link.get(key, usual)).upper() for each in (first, entry))
            if wanted != found:
                self._mistakes.error(
                    at,
                    f"found {key} {found} on the line of {first.id} ({place}), which has {wanted}; expected the same",
                )

    def _feeds(self, entry: schema.DeviceEntry | schema.ParentEntry, path: Path) -> None:
        for key in ("behind", "network", "power"):
            self._mentions.refer((*path, key), getattr(entry, key), "feeders", "a device or of an entry of `parents`")

    def _driver(self, entry: schema.DeviceEntry, path: Path, damaged: frozenset[str]) -> None:
        if facts(entry.driver) is None:
            known = sorted({*DRIVERS, *ANNOUNCED})
            self._mistakes.error(
                (*path, "driver"),
                f"found {entry.driver!r}{self._mistakes.nearest(entry.driver, known)}; expected one of {', '.join(known)}",
            )
            return
        if entry.driver not in DRIVERS or damaged & {"link", "settings", "channel", "kind", "device_id", "behind"}:
            return
        settings = DeviceSettings(
            id=entry.id,
            kind=device_kind(entry),
            channel=entry.channel,
            device_id=entry.device_id,
            behind=entry.behind,
            link=entry.link,
            settings=entry.settings,
        )
        try:
            DRIVERS[entry.driver].check(settings)
        except SettingsError as error:
            at = (*path, *(int(part) if part.isdecimal() else part for part in error.key.split(".")))
            message = f"`{error.key}`: expected {error.expected}"
            if getattr(entry, error.key.partition(".")[0], None):
                self._mistakes.error(at, message)
            else:
                self._mistakes.warning(at, f"{message}; without it nothing is heard from the device itself")
            return
        self._topics(DRIVERS[entry.driver], settings, path)

    def _topics(self, driver: Driver, settings: DeviceSettings, path: Path) -> None:
        """A topic with an empty level, or a blank at the edge of one, is another one to MQTT; hardly a device publishes there."""
        written = settings.link.get("mqtt")
        if driver.topics is None or written is None:
            return
        for topic in driver.topics("", settings):
            levels = topic.split("/")[int(driver.own_topics and topic.startswith("/")) :]
            if any(not level or level != level.strip() for level in levels):
                right = "/".join(level.strip() for level in written.split("/") if level.strip())
                self._mistakes.warning(
                    (*path, "link", "mqtt"),
                    f"found {written!r}, by which it is heard on {topic!r}: a slash at the beginning, two slashes and blanks make another "
                    f"topic, on which hardly a device publishes; write {right!r}",
                )
                return

    def families(self) -> None:
        """One warning for each family whose driver is not built yet."""
        first: dict[str, Path] = {}
        for entry, path, _ in self._draft.devices:
            if entry.driver in ANNOUNCED and entry.driver not in DRIVERS:
                first.setdefault(entry.driver, path)
        for driver, path in first.items():
            self._mistakes.warning(
                (*path, "driver"),
                f"the driver {driver!r} is not built into this version: its devices are heard only through `native` "
                "messages and evidence files",
            )

    def parents(self) -> None:
        """What feeds what has no circle."""
        edges: dict[str, list[str]] = {}
        paths: dict[str, Path] = {}
        for parent in self._draft.parents.values():
            self._feeds(parent.entry, parent.path)
        fed: list[tuple[str, Placed[Any]]] = [*self._draft.parents.items()]
        fed += ((device.entry.id, device) for device in self._draft.devices)
        for name, (entry, path, _) in fed:
            edges[name] = [above for above in (entry.behind, entry.network, entry.power) if above]
            paths[name] = path
        for circle in _circles(edges):
            self._mistakes.error(
                paths[circle[0]], f"feeds itself: {' → '.join([*circle, circle[0]])}; expected no circle"
            )


def _way(driver: Driver) -> str:
    """How devices of a driver share a line; "": they cannot."""
    if driver.line_poller is not None:
        return "asked"
    return "panel" if driver.panel_reader is not None else ""


def _circles(edges: dict[str, list[str]]) -> list[list[str]]:
    """Circles among `edges`, each told once, at most twenty."""
    rest = {name: [above for above in aboves if above in edges] for name, aboves in edges.items()}
    circles: list[list[str]] = []
    while len(circles) < _MAX_CIRCLES:
        try:
            TopologicalSorter(rest).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][:-1][::-1]
            first = min(range(len(circle)), key=lambda index: list(edges).index(circle[index]))
            circles.append(circle[first:] + circle[:first])
            for name in circle:
                rest[name] = []
        else:
            break
    return circles
