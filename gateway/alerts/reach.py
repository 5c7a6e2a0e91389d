"""What an alert is about, as addresses: its subject, the places it lies in, what feeds it. A silence matches one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gateway.site.assembly import ancestors
from gateway.site.model import Site

Target = Literal["device", "lamp", "circuit", "zone", "checkpoint", "route", "parent", "place", "site"]
"""What a silence or a maintenance window may be about. `device`: also a camera or a reader; `parent`: an entry of `parents`."""

FED = "fed:"
"""Before the name of what feeds an alert's subject: planned work on it disturbs the subject too."""


class Reach:
    """Answers for one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._sections: dict[Target, frozenset[str]] = {
            "device": frozenset(site.devices),
            "lamp": frozenset(site.lamps),
            "circuit": frozenset(site.circuits),
            "zone": frozenset(site.zones),
            "checkpoint": frozenset(site.checkpoints),
            "route": frozenset(site.routes),
            "parent": frozenset(site.parents),
            "place": frozenset(part for place in site.places for part in ancestors(place)),
            "site": frozenset({site.id}),
        }
        self._checkpoint_of = {one.reader: one.id for one in site.checkpoints.values() if one.reader is not None}

    def knows(self, on: Target, subject: str) -> bool:
        """Whether the site has such a thing."""
        return subject in self._sections[on]

    def addresses(self, rule: str, subject: str, place: str | None, *, fed: bool = True) -> Iterator[str]:
        """Everything a silence could name to mean this alert, as `on:id`; last (if `fed`) what feeds it, as `fed:id`.

        Subjects of rounds, gaps and reports are `ID@TIME` (`ID@TIME~NUMBER`). A zone may be called as a camera is: then the rule tells which.
        """
        name = subject.partition("@")[0]
        kinds: tuple[Target, ...] = (
            ("zone",) if rule.startswith("zone_") else ("device", "lamp", "circuit", "checkpoint", "route", "parent")
        )
        for on in kinds:
            if name in self._sections[on]:
                yield f"{on}:{name}"
        if name in self._checkpoint_of and "device" in kinds:
            yield f"checkpoint:{self._checkpoint_of[name]}"
        for above in ancestors(place or self._place(name, kinds) or ""):
            yield f"place:{above}"
        yield f"site:{self._site.id}"
        if fed and kinds != ("zone",):
            for feeder in self._fed_by(name):
                yield f"{FED}{feeder}"

    def _place(self, name: str, kinds: tuple[Target, ...]) -> str | None:
        site = self._site
        found = (
            site.zones.get(name)
            if kinds == ("zone",)
            else site.lamps.get(name) or site.devices.get(name) or site.checkpoints.get(name)
        )
        return None if found is None else found.place

    def _fed_by(self, name: str) -> list[str]:
        """What is above a thing: of a lamp its circuit and panel, of a device what it is behind of, and so on up."""
        site = self._site
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop()
            above: list[str | None] = []
            if one in site.lamps:
                above.append(site.lamps[one].circuit)
            if one in site.circuits:
                above.append(site.circuits[one].panel)
            known = site.devices.get(one) or site.parents.get(one)
            if known is not None:
                above += known.parents
            for each in above:
                if each is not None and each not in found:
                    found[each] = None
                    waiting.append(each)
        return list(found)
