"""Where a technician's tag proves that he came, and who read it.

A tap counts at the order's own place, else at the points nearest to it in the place tree (never in another building): the readers
and wall tags of checkpoints, and fixed readers that belong to none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from device_drivers.observations import TagRead
from gateway.instants import Duration, Instant
from gateway.rules.clocks import LOST
from gateway.rules.taps import LOGIN_HOLDS, enrolled
from gateway.site.model import Site

LOG_INS = 200
"""Of each wand so many of the last log-ins are known."""
TAPS = 200
TAPS_OF_ONE = 16
"""Taps kept of a point near an order, and of one person at one reader there: the last ones."""


RECENT = 2000
"""Taps of technicians kept where no order is near: the last ones. A report may be written down after somebody came."""


class Seen(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A tag read at a point. `person` empty: by a wand that said nobody; who carried it tells its last log-in."""

    at: Instant
    device: str
    point: str
    person: str
    received: Instant


class Proof(NamedTuple):
    """A tap, and whose it was."""

    tap: Seen
    person: str


class Points:
    """The points of a site at which taps prove a presence, and who carries its wands."""

    def __init__(self, site: Site) -> None:
        self._tags = enrolled(site)
        self._people = frozenset(site.people)
        self._technicians = frozenset(person.id for person in site.people.values() if "maintenance" in person.roles)
        self._places: dict[str, str] = {}
        self._fixed: dict[str, str] = {}
        self._wands: set[str] = set()
        for checkpoint in site.checkpoints.values():
            self._places[checkpoint.id] = checkpoint.place
            if checkpoint.reader is not None:
                self._fixed[checkpoint.reader] = checkpoint.id
        for device in site.devices.values():
            if device.portable:
                if device.kind != "phone":
                    self._wands.add(device.id)
            elif device.kind == "reader" and device.place is not None and device.id not in self._fixed:
                self._fixed[device.id] = device.id
                self._places[device.id] = device.place
        self._portable = frozenset(device.id for device in site.devices.values() if device.portable)
        self._log_ins: dict[str, list[tuple[Instant, str]]] = {}
        self._near: dict[str, tuple[str, ...]] = {}
        """Of each place that was asked for."""

    def near(self, place: str | None) -> tuple[str, ...]:
        """The points at `place`, else those fewest steps away in the tree of its building; none: nothing can prove it."""
        if place is None:
            return ()
        if place not in self._near:
            self._near[place] = self._nearest(place)
        return self._near[place]

    def _nearest(self, place: str) -> tuple[str, ...]:
        steps = {point: _steps(place, there) for point, there in self._places.items()}
        least = min((count for count in steps.values() if count is not None), default=None)
        return () if least is None else tuple(sorted(point for point, count in steps.items() if count == least))

    def take(self, tap: TagRead, at: Instant, received: Instant) -> Seen | str | None:
        """What a read was: seen at a point; a log-in of a wand (its id); or nothing to us.

        A read cannot have happened after it was received; one that is dated a week before has lost its clock.
        """
        if at < received - LOST:
            return None
        return self._take(tap.device, tap.tag, tap.person, min(at, received), received)

    def _take(self, device: str, tag: str, said: str | None, at: Instant, received: Instant) -> Seen | str | None:
        owner = self._tags.find(tag)
        if owner is None:
            return None
        if device in self._portable:
            if owner.checkpoint is not None:
                person = said if said in self._people else ""
                return Seen(at, device, owner.checkpoint, person or "", received)
            if device in self._wands and owner.person is not None:
                self._log_in(device, at, owner.person)
                return device
            return None
        point = self._fixed.get(device)
        if point is None or owner.person is None:
            return None
        return Seen(at, device, point, owner.person, received)

    def stranger(self, tap: TagRead, at: Instant, received: Instant, wanted: Callable[[str], bool]) -> Seen | None:
        """A read of a tag that nobody has enrolled, at a wanted point: `person` is the tag, and the point of a wand the wand."""
        point = tap.device if tap.device in self._wands else self._fixed.get(tap.device)
        if point is None or not wanted(point) or at < received - LOST or self._tags.find(tap.tag) is not None:
            return None
        return Seen(min(at, received), tap.device, point, tap.tag, received)

    def known(self, stranger: Seen) -> bool:
        """Whether its tag is enrolled by now."""
        return self._tags.find(stranger.person) is not None

    def recognise(self, stranger: Seen) -> Seen | str | None:
        """What a read was whose tag is enrolled by now, as `take`."""
        return self._take(stranger.device, stranger.person, None, stranger.at, stranger.received)

    def carried(self, point: str) -> bool:
        """Whether it is a wand, which has no place."""
        return point in self._wands

    def person(self, seen: Seen) -> str | None:
        """Whose tap it was: said by the reader, or whose tag the wand last read within 12 h before."""
        if seen.person:
            return seen.person
        log_ins = self._log_ins.get(seen.device, [])
        last = bool(log_ins) and log_ins[-1][0] <= seen.at
        index = len(log_ins) if last else bisect_right(log_ins, seen.at, key=lambda each: each[0])
        if index == 0 or seen.at - log_ins[index - 1][0] > LOGIN_HOLDS:
            return None
        return log_ins[index - 1][1]

    def by_technician(self, seen: Seen) -> bool:
        """Whether it is the tap of somebody who mends things, as far as is known."""
        return (seen.person or self.person(seen)) in self._technicians

    def _log_in(self, device: str, at: Instant, person: str) -> None:
        log_ins = self._log_ins.setdefault(device, [])
        if (at, person) not in log_ins:
            insort(log_ins, (at, person))
            del log_ins[:-LOG_INS]

    def snapshot(self) -> Any:
        return {device: [list(each) for each in found] for device, found in sorted(self._log_ins.items())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot; wands that the site no longer has are forgotten."""
        self._log_ins = {
            device: [(at, person) for at, person in found] for device, found in state.items() if device in self._wands
        }


class Taps:
    """Taps at points near an order: of each point the last ones, and of a person (or an unnamed wand) there the last ones."""

    def __init__(self) -> None:
        self._at: dict[str, list[Seen]] = {}
        self._alike: dict[tuple[str, str, str], list[Seen]] = {}
        """The same by point, device and person."""

    def add(self, seen: Seen) -> bool:
        """Keep a tap; False if it is here already, or older than enough others."""
        taps, alike = self._at.setdefault(seen.point, []), self._alike.setdefault(_kind(seen), [])
        if alike and seen.at <= alike[-1].at and any(each.at == seen.at for each in alike):
            return False
        if len(alike) >= TAPS_OF_ONE:
            if seen < alike[0]:
                return False
            self._drop(taps, alike[0])
        insort(taps, seen)
        insort(alike, seen)
        if len(taps) > TAPS:
            oldest = taps[0]
            self._drop(taps, oldest)
            return oldest != seen
        return True

    def _drop(self, taps: list[Seen], seen: Seen) -> None:
        del taps[bisect_left(taps, seen)]
        alike = self._alike[kind := _kind(seen)]
        del alike[bisect_left(alike, seen)]
        if not alike:
            del self._alike[kind]

    def at(self, points: Iterable[str]) -> Iterator[Seen]:
        """Those at these points."""
        for point in points:
            yield from self._at.get(point, ())

    def unnamed(self, device: str) -> list[str]:
        """Points at which a wand read something while nobody was known to carry it."""
        return [
            point
            for point in sorted(self._at)
            if any(each.device == device and not each.person for each in self._at[point])
        ]

    def forget(self, wanted: Callable[[str], bool]) -> None:
        """Drop the taps of points that are not wanted any more."""
        for point in [point for point in self._at if not wanted(point)]:
            for seen in self._at.pop(point):
                self._alike.pop(_kind(seen), None)

    def pick(self, wanted: Callable[[Seen], bool]) -> list[Seen]:
        """Take out those that are wanted, in order."""
        found = sorted(seen for taps in self._at.values() for seen in taps if wanted(seen))
        for seen in found:
            self._drop(self._at[seen.point], seen)
        return found

    def snapshot(self) -> Any:
        return {point: _encode(taps) for point, taps in sorted(self._at.items())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        self._at = {point: _decode(taps) for point, taps in state.items()}
        self._alike = {}
        for taps in self._at.values():
            for seen in taps:
                self._alike.setdefault(_kind(seen), []).append(seen)


class Recent:
    """The last taps of technicians at points without an order."""

    def __init__(self) -> None:
        self._taps: deque[Seen] = deque(maxlen=RECENT)

    def add(self, seen: Seen) -> None:
        """Keep a tap; of many the first is forgotten."""
        self._taps.append(seen)

    def at(self, points: Iterable[str], since: Instant) -> Iterator[Seen]:
        """Those at these points, from `since` on."""
        wanted = frozenset(points)
        return (seen for seen in self._taps if seen.at >= since and seen.point in wanted)

    def snapshot(self) -> bytes:
        return _encode(list(self._taps))

    def restore(self, state: bytes) -> None:
        """Take up a snapshot."""
        self._taps = deque(_decode(state), maxlen=RECENT)


def _kind(seen: Seen) -> tuple[str, str, str]:
    return seen.point, seen.device, seen.person


def best(
    named: Iterable[Proof], technicians: frozenset[str], since: Instant, stated: Instant | None, tolerance: Duration
) -> Proof | None:
    """The tap that proves an arrival.

    Args:
        named: taps at points near the order, with who made them.
        technicians: whose tags count.
        since: earlier taps prove nothing: the report, or without a statement the assignment.
        stated: when he is said to have come; the tap nearest to it counts, up to `tolerance` after it. None: the first.
    """
    found = [each for each in named if each.person in technicians and each.tap.at >= since]
    if stated is None:
        return min(found, key=lambda each: each.tap, default=None)
    fitting = [each for each in found if each.tap.at <= stated + tolerance]
    return min(fitting, key=lambda each: (abs(each.tap.at - stated), each.tap), default=None)


def place_of(site: Site, subject: str) -> str | None:
    """Where the subject of an alert is: its place; of a circuit the place that holds all its lamps."""
    if subject in site.places:
        return subject
    for section in (site.lamps, site.zones, site.devices, site.checkpoints):
        found = section.get(subject)
        if found is not None:
            return found.place
    return _common([lamp.place for lamp in site.lamps.values() if lamp.circuit == subject])


def _common(places: list[str]) -> str | None:
    if not places:
        return None
    parts = [place.split("/") for place in places]
    shared: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "/".join(shared) or None


def _steps(one: str, other: str) -> int | None:
    """Steps between two places in the tree; None: in different buildings."""
    left, right = one.split("/"), other.split("/")
    if left[0] != right[0]:
        return None
    shared = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        shared += 1
    return len(left) + len(right) - 2 * shared


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Seen]).decode
