"""The way from the devices to the gateway: what arrives when, what is late, doubled, out of order or lost."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from device_drivers.simulation.estate import Estate
from device_drivers.simulation.truth import Mishap
from device_drivers.simulation.world import Said

Event = Literal["said", "stopped", "started", "link_up", "link_down"]

_ORDER: dict[Event, int] = {"stopped": 0, "started": 1, "link_up": 2, "link_down": 2, "said": 3}

BROKER = "mqtt"
"""The subject of the gateway's own connection to its broker."""


class Arrival(NamedTuple):
    """Something happens at the gateway: bytes arrive, it stops or has started, a link or port is found open or shut."""

    at: float
    event: Event
    device: str = ""
    said: Said | None = None


class Way:
    """How messages travel on one night.

    Args:
        estate: what stands there.
        mishaps: what goes wrong; only what concerns the way is looked at.
        chance: of delays.
        external: the broker is a machine of its own, which keeps what is sent while the gateway is away; else it falls with
            the gateway, and fixed readers without a memory do not send again.
    """

    def __init__(self, estate: Estate, mishaps: Sequence[Mishap], chance: random.Random, *, external: bool) -> None:
        self._chance = chance
        self._external = external
        self._forgetful = {each.id for each in estate.readers if not each.numbered}
        self._lines = {reader.id: reader.every_s for reader in estate.readers if reader.serial}
        numbered = [each.id for each in estate.readers if each.numbered]
        self._numbered = {*numbered, *(each.id for each in estate.wands if each.numbered)}
        self._downs = joined(mishap for mishap in mishaps if mishap.kind == "gateway_down")
        self._cuts = joined(mishap for mishap in mishaps if mishap.kind == "link_down") if external else []
        self._unplugged = [mishap for mishap in mishaps if mishap.kind == "unplugged"]
        self._delays = [mishap for mishap in mishaps if mishap.kind == "delayed"]
        self._doubles = [mishap for mishap in mishaps if mishap.kind == "doubled"]
        self._last: dict[str, float] = {}

    def arrivals(self, sayings: Iterable[Said], first: float, last: float) -> list[Arrival]:
        """What happens at the gateway between two moments, in order."""
        found: list[Arrival] = []
        for begin, end in self._downs:
            found += [Arrival(begin, "stopped"), Arrival(end, "started")]
        for cut, back in self._cuts:
            begin, end = self._noticed(cut), self._noticed(back)
            if begin < end:
                found += [Arrival(begin, "link_down", BROKER), Arrival(end, "link_up", BROKER)]
        found += self._ports(first, last)
        for said in sayings:
            found += self._way(said)
        return sorted((each for each in found if each.at <= last), key=lambda each: (each.at, _ORDER[each.event]))

    def _ports(self, first: float, last: float) -> list[Arrival]:
        found = []
        for line, every_s in self._lines.items():
            out = [mishap for mishap in self._unplugged if mishap.subject == line]
            at = first
            while at <= last:
                if not any(mishap.covers(at) for mishap in out) and self._back(at, self._downs) is None:
                    found.append(Arrival(at, "link_up", line))
                at += every_s
            for mishap in out:
                if self._back(mishap.since, self._downs) is None:
                    found.append(Arrival(mishap.since + 1, "link_down", line))
                if mishap.until is not None and self._back(mishap.until, self._downs) is None:
                    found.append(Arrival(mishap.until + 1, "link_up", line))
            for _, end in self._downs:  # a gateway that starts finds the port as it is
                shut = any(mishap.covers(end) for mishap in out)
                found.append(Arrival(end, "link_down" if shut else "link_up", line))
        return found

    def _way(self, said: Said) -> list[Arrival]:
        sent = said.at.timestamp()
        at = sent + self._chance.uniform(0.02, 0.6)
        if said.topic is None:
            if self._back(sent, self._downs) is not None:
                return []
            return [Arrival(self._in_order(said.device, sent + 0.01), "said", said.device, said)]
        for mishap in self._delays:
            if mishap.subject in (said.device, "*") and mishap.covers(sent):
                at += self._chance.uniform(0, mishap.value)
        for spans, kept in (
            (self._downs, said.qos > 0 and (self._external or said.device not in self._forgetful)),
            (self._cuts, said.qos > 0),
        ):
            back = self._back(at, spans)
            if back is not None and not kept:
                return []
            if back is not None:
                at = back + self._chance.uniform(0.05, 1.5)
        if (back := self._back(at, self._downs)) is not None:
            at = back + self._chance.uniform(0.05, 1.5)
        if said.device not in self._numbered:
            at = self._in_order(said.device, at)
        found = [Arrival(at, "said", said.device, said)]
        for mishap in self._doubles:
            if mishap.subject in (said.device, "*") and mishap.covers(sent) and self._chance.random() < mishap.value:
                again = at + self._chance.uniform(0.5, 3000) if said.device in self._numbered else at + 0.0
                if self._back(again, self._downs) is None and self._back(again, self._cuts) is None:
                    found.append(Arrival(again, "said", said.device, said))
        return found

    def _in_order(self, device: str, at: float) -> float:
        """One connection keeps its order."""
        at = max(at, self._last.get(device, at))
        self._last[device] = at
        return at

    def _noticed(self, at: float) -> float:
        """When the gateway notices something of its own connection: not before it runs."""
        back = self._back(at, self._downs)
        return at if back is None else back + 0.01

    def _back(self, at: float, spans: Sequence[tuple[float, float]]) -> float | None:
        return next((end for begin, end in spans if begin <= at < end), None)


def joined(mishaps: Iterable[Mishap]) -> list[tuple[float, float]]:
    """The spans of mishaps, those that touch made one; those that never end are left out."""
    found: list[tuple[float, float]] = []
    for mishap in sorted(mishaps, key=lambda each: each.since):
        if mishap.until is None:
            continue
        if found and mishap.since <= found[-1][1] + 30:
            found[-1] = (found[-1][0], max(found[-1][1], mishap.until))
        else:
            found.append((mishap.since, mishap.until))
    return found


def when(at: float) -> datetime:
    """A moment as an aware datetime in UTC."""
    return datetime.fromtimestamp(at, UTC)
