"""Parent faults and what they suppress (spec: cameras.md, Parent fault; how: cameras.md here).

A panel or a switch cannot speak. When most of what hangs below it falls silent within one window, it is named instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, Protocol

import msgspec

from gateway.instants import MINUTE, SECOND, Instant
from gateway.rules.devices import Devices
from gateway.rules.falls import Fall
from gateway.rules.findings import Found
from gateway.rules.life import Side
from gateway.rules.standing import Details, Standing, key_of, listed
from gateway.rules.timers import Timers
from gateway.site.model import Site

LEAST = 3
"""So many things must fall together; of circuits alone `LEAST_CIRCUITS`."""
LEAST_CIRCUITS = 2
SHARE = 60
"""Per cent of those that fell and those still alive."""
WINDOW = 90 * SECOND
CIRCUIT_WINDOW = 15 * MINUTE

_CIRCUIT = "circuit:"
"""Circuits and devices may share an id; circuits stand in the books under this prefix."""


class Circuits(Protocol):
    """What causes ask of the lighting."""

    def circuit_dark_since(self, circuit_id: str) -> Instant | None:
        """Since when a circuit is dark by a `circuit_fault`, or None."""

    def circuit_last_sign(self, circuit_id: str) -> Instant | None:
        """When a lamp of a dark circuit was last seen lit, or None."""

    def circuit_known(self, circuit_id: str) -> bool:
        """Whether anything is known of it."""

    def suppress(self, circuit_ids: Iterable[str], caused_by: str, now: Instant) -> None:
        """An alert (`rule:subject`) tells of these circuits."""

    def unsuppress(self, circuit_ids: Iterable[str], now: Instant) -> None:
        """It does no longer."""


class Suspect(NamedTuple):
    """A parent below which enough fell together: those that did, with their last signs, and their share."""

    parent: str
    fallen: dict[str, Instant]
    alive: int
    height: int

    @property
    def share(self) -> float:
        return len(self.fallen) / (len(self.fallen) + self.alive)


class ParentFault(msgspec.Struct, kw_only=True):
    """A parent fault that stands.

    Attributes:
        since, rests: the first and the last of the signs it rests on.
        found: when it was found; it is told `hold` later.
        members: those it rests on and took in, each with its last sign then.
        before: those of them that were down before the first of those signs: they are told of in it, and count on neither side.
        up, out: those of the others that were heard again, and those taken out of service.
    """

    since: Instant
    rests: Instant
    found: Instant
    members: dict[str, Instant]
    before: set[str] = set()
    up: set[str] = set()
    out: set[str] = set()

    @property
    def fall(self) -> Fall:
        """As the devices see it; who is taken in later is seen there at once."""
        return Fall(self.rests, self.members)

    @property
    def fallen(self) -> set[str]:
        """Members in service that fell with it and were not heard since."""
        return self.members.keys() - self.before - self.up - self.out

    @property
    def enabled(self) -> int:
        return len(self.members) - len(self.before) - len(self.out)

    @property
    def down(self) -> int:
        """Members in service that were not heard since they fell."""
        return self.enabled - len(self.up)

    def over(self) -> bool:
        """At least one is heard again and under 60 % are down, or too few are left in service."""
        circuits = all(item.startswith(_CIRCUIT) for item in self.members.keys() - self.before)
        if self.enabled < (LEAST_CIRCUITS if circuits else LEAST):
            return True
        return bool(self.up) and self.down * 100 < SHARE * self.enabled


class Causes:
    """All parents of a site, and the faults found on them."""

    def __init__(self, site: Site, found: Found, devices: Devices, lighting: Circuits, started: Instant) -> None:
        self.site = site
        self._devices = devices
        self._lighting = lighting
        self._lineage = devices.lineage
        self._standing = Standing(site, found)
        self._faults: dict[str, ParentFault] = {}
        self._sides: dict[str, Side] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._spoken_for: dict[str, str] = {}
        self._grown: set[str] = set()
        self._now = started
        self._told: Timers[str] = Timers()
        self._above: dict[str, tuple[str, ...]] = {
            device.id: self._lineage.above(device.parents) for device in site.devices.values()
        }
        for circuit in site.circuits.values():
            if circuit.panel is not None:
                self._above[_CIRCUIT + circuit.id] = self._lineage.above((circuit.panel,))

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`: a fault is told `hold` after it was found."""
        for parent in sorted(key for _, key in self._told.due(now)):
            self._tell(parent, now)
            self._speak_for_circuits(frozenset((parent, *self._lineage.below(parent))), now)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return self._told.next()

    def restarted(self, down_from: Instant, now: Instant) -> None:  # noqa: ARG002
        """A start proves nothing of a parent: what is not told yet is held anew; by a new site file it may be over."""
        self._devices.changed.update(self._faults)
        for parent in self._faults:
            if self._told.get(parent) is not None:
                self._told.set(parent, now + self.site.hold)

    def look(self, devices: frozenset[str], circuits: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) and circuits changed: find parent faults, and end those that are over."""
        if not devices and not circuits:
            return
        self._now = now
        suspected: set[str] = set()
        fell: list[str] = []
        for item in sorted([*devices, *(_CIRCUIT + name for name in circuits)]):
            above = self._above.get(item)
            if not above:
                continue
            before, after = self._sides.get(item, "neither"), self._side(item)
            if self._faults:
                self._mark(item, after)
            if before == after:
                continue
            self._sides[item] = after
            for parent in above:
                counts = self._counts.setdefault(parent, {"alive": 0, "down": 0, "neither": 0})
                counts[before] -= 1
                counts[after] += 1
                suspected.add(parent)
            if after == "down":
                fell.append(item)
        self._take_in(fell, now)
        for parent in sorted(self._faults.keys() & (suspected | devices)):
            if self._faults[parent].over():
                self._end(parent, now, "heard")
        for parent in sorted(self._faults.keys() & devices):
            if self._fell_itself(parent):
                self._end(parent, now, "merged", key_of("device_offline", parent))
        returned = self._counts.keys() & devices
        self._find(suspected | returned, now)
        for parent in sorted(self._faults.keys() & (self._grown | devices)):
            self._tell(parent, now)
        self._grown.clear()
        self._speak_for_circuits(devices | suspected, now)

    # Evidence

    def _side(self, item: str) -> Side:
        """On which side of a share a device or circuit counts."""
        if not item.startswith(_CIRCUIT):
            return self._devices.side(item)
        name = item.removeprefix(_CIRCUIT)
        if self._lighting.circuit_dark_since(name) is not None:
            return "down"
        return "alive" if self._lighting.circuit_known(name) else "neither"

    def _sign(self, item: str) -> Instant | None:
        """Its last sign of life."""
        if not item.startswith(_CIRCUIT):
            life = self._devices.life(item)
            return None if life is None else life.last
        name = item.removeprefix(_CIRCUIT)
        return self._lighting.circuit_last_sign(name) or self._lighting.circuit_dark_since(name)

    def _window(self, item: str) -> Instant:
        """How far apart the last signs of things may lie, if this is one of them."""
        if item.startswith(_CIRCUIT):
            return CIRCUIT_WINDOW
        return max(WINDOW, self.site.devices[item].expect_every or 0)

    def _down_before(self, item: str, sign: Instant, since: Instant) -> bool:
        """Whether a device's silence was too long before `since` already."""
        life = None if item.startswith(_CIRCUIT) else self._devices.life(item)
        return life is not None and sign + (life.timeout or 0) < since

    def _fell_itself(self, parent: str) -> bool:
        life = self._devices.life(parent)
        return life is not None and life.fall is not None

    # Finding

    def _find(self, suspected: set[str], now: Instant) -> None:
        """Of the parents that fit, the one with the greatest share; of equals the highest (ids last)."""
        fitting = [found for parent in suspected if (found := self._suspect(parent)) is not None]
        fitting.sort(key=lambda each: (-each.share, each.height, each.parent))
        taken: set[str] = set()
        for each in fitting:
            if taken & each.fallen.keys() or self._explained_beside(each):
                continue
            lower = [parent for parent in self._faults if each.parent in self._lineage.above((parent,))]
            if any(self._share(parent) > each.share for parent in lower):
                continue
            taken |= each.fallen.keys()
            members = dict(each.fallen)
            since, rests = min(members.values()), max(members.values())
            noticed = self._ended(members, now)
            self._faults[each.parent] = ParentFault(since=since, rests=rests, found=noticed, members=members)
            self._grown.add(each.parent)
            self._take_in([item for item, side in self._sides.items() if side == "down"], now, only=each.parent)
            self._devices.fault(each.parent, self._faults[each.parent].fall, now)

    def _explained_beside(self, suspect: Suspect) -> bool:
        """All that fell below it rests in one fault that stands, on something that does not hang below it."""
        return any(
            suspect.fallen.keys() <= fault.fallen
            for parent, fault in self._faults.items()
            if suspect.parent not in self._lineage.above((parent,))
        )

    def _ended(self, fallen: Iterable[str], now: Instant) -> Instant:
        """When the last of those that fell was found so: a timeout is over at its end, noticed 1 µs later."""
        lives = [life for item in fallen if (life := self._devices.life(item)) is not None]
        return now - 1 if any(life.own_since == now - 1 for life in lives) else now

    def _suspect(self, parent: str) -> Suspect | None:
        counts = self._counts[parent]
        if parent in self._faults or self._fell_itself(parent) or self._explained(parent):
            return None
        if counts["down"] < LEAST_CIRCUITS or counts["down"] * 100 < SHARE * (counts["down"] + counts["alive"]):
            return self._panel(parent)
        down = self._down(self._below(parent))
        fallen = together({item: (sign, self._window(item)) for item, sign in down.items()})
        if len(fallen) < LEAST:
            return self._panel(parent)
        alive = counts["alive"] + self._outlived(
            parent, [down[item] for item in fallen], max(map(self._window, fallen))
        )
        signs = {item: down[item] for item in fallen}
        if len(fallen) * 100 < SHARE * (len(fallen) + alive) or self._of_one(signs):
            return self._panel(parent)
        return Suspect(parent, signs, alive, self._lineage.height(parent))

    def _outlived(self, parent: str, signs: list[Instant], window: Instant) -> int:
        """How many below it gave a sign of life too late to have fallen with the others, though nothing is known of them now (a grace)."""
        together_until = min(signs) + window
        lives = (life for item in self._lineage.below(parent) if (life := self._devices.life(item)) is not None)
        return sum(life.in_doubt and life.last is not None and life.last > together_until for life in lives)

    def _panel(self, parent: str) -> Suspect | None:
        """A panel of circuits: two of them dark are enough, if they are most of those of which anything is known."""
        circuits = [_CIRCUIT + name for name in self._lineage.circuits.get(parent, ())]
        dark = self._down(circuits)
        alive = sum(self._sides.get(item) == "alive" for item in circuits)
        if len(dark) < LEAST_CIRCUITS or len(dark) * 100 < SHARE * (len(dark) + alive):
            return None
        return Suspect(parent, dark, alive, self._lineage.height(parent))

    def _down(self, items: Iterable[str]) -> dict[str, Instant]:
        """Those of them that are down or dark, with their last signs."""
        down = (item for item in items if self._sides.get(item) == "down")
        return {item: sign for item in down if (sign := self._sign(item)) is not None}

    def _below(self, parent: str) -> list[str]:
        circuits = [_CIRCUIT + name for name in self._lineage.circuits_below(parent)]
        return [*(item for item in self._lineage.below(parent) if item in self._above), *circuits]

    def _explained(self, parent: str) -> bool:
        """Something above it is known to be down."""
        root = self._devices.root(parent)
        return root is not None and root != parent

    def _of_one(self, fallen: Mapping[str, Instant]) -> bool:
        """One device fell itself, together with them, and they are it or hang below it: that one is named (DESIGN.md, one cause)."""
        shared = set[str].intersection(*({item, *self._above[item]} for item in fallen))
        return any(self._fell_itself(item) and self._fell_with(item, fallen) for item in shared)

    def _fell_with(self, item: str, fallen: Mapping[str, Instant]) -> bool:
        sign = self._sign(item)
        if sign is None:
            return False
        first, last = min(*fallen.values(), sign), max(*fallen.values(), sign)
        return last - first <= max(self._window(each) for each in (*fallen, item))

    def _share(self, parent: str) -> float:
        """The share of a fault that stands, now."""
        down = self._faults[parent].down
        alive = self._counts[parent]["alive"]
        return down / (down + alive) if down + alive else 0.0

    def _take_in(self, fell: Iterable[str], now: Instant, only: str | None = None) -> None:
        """A fault takes in whoever falls later below it."""
        for item in fell:
            for parent in self._above[item]:
                fault = self._faults.get(parent)
                if fault is None or (only is not None and parent != only):
                    continue
                sign = self._sign(item)
                if sign is not None and fault.members.get(item) != sign:
                    fault.members[item] = sign
                    (fault.before.add if self._down_before(item, sign, fault.since) else fault.before.discard)(item)
                    fault.up.discard(item)
                    self._grown.add(parent)
                    if only is None:
                        self._devices.taken_in(item, now)

    # Ending and telling

    def _mark(self, item: str, side: Side) -> None:
        """Note in the faults above it how a member is now. Not known (a grace) changes nothing."""
        for parent in self._above[item]:
            fault = self._faults.get(parent)
            if fault is None or item not in fault.members or item in fault.before:
                continue
            life = self._devices.life(item)
            if not item.startswith(_CIRCUIT) and (life is None or not life.enabled):
                fault.out.add(item)
                fault.up.discard(item)
                continue
            fault.out.discard(item)
            if side == "alive":
                fault.up.add(item)
            elif side == "down":
                fault.up.discard(item)

    def _end(self, parent: str, now: Instant, why: str, into: str | None = None) -> None:
        del self._faults[parent]
        self._told.set(parent, None)
        told = ("parent_fault", parent) in self._standing
        if into is not None:
            self._standing.merge("parent_fault", parent, now, into)
        else:
            self._standing.end("parent_fault", parent, now, why)
        self._devices.fault(parent, None, now)
        if told:
            self._devices.announce(parent, None, now)

    def _tell(self, parent: str, now: Instant) -> None:
        """Raise it when it has stood for `hold`; the alert of something above it tells of it instead."""
        fault = self._faults[parent]
        told = ("parent_fault", parent) in self._standing
        if self._explained(parent):
            into = self._devices.told(self._devices.root(parent))
            if told and into is not None:
                self._standing.merge("parent_fault", parent, now, into)
                self._devices.announce(parent, None, now)
            return
        due = self._devices.held_since(fault.found) + self.site.hold
        if not told and due > now:
            self._told.set(parent, due)
            return
        names = [item.removeprefix(_CIRCUIT) for item in fault.members]
        details: Details = {"children": listed(names), "count": len(names)}
        self._standing.start("parent_fault", parent, at=now, raised=fault.since, details=details)
        if not told:
            self._devices.announce(parent, key_of("parent_fault", parent), now)

    def _speak_for_circuits(self, changed: AbstractSet[str], now: Instant) -> None:
        """Circuits below something that is down and told are told of in its alert."""
        if self._lineage.circuits.keys().isdisjoint(changed):
            return
        wanted: dict[str, str] = {}
        for panel, circuits in self._lineage.circuits.items():
            if (root := self._devices.root(panel)) is not None and (into := self._devices.told(root)) is not None:
                wanted |= dict.fromkeys(circuits, into)
        over = [name for name in self._spoken_for if name not in wanted]
        fresh: dict[str, list[str]] = {}
        for name, into in wanted.items():
            if self._spoken_for.get(name) != into:
                fresh.setdefault(into, []).append(name)
        self._spoken_for = wanted
        if over:
            self._lighting.unsuppress(over, now)
        for into, names in fresh.items():
            self._lighting.suppress(names, into, now)

    def fault(self, parent: str) -> ParentFault | None:
        """The fault that stands on a parent; to be read only."""
        return self._faults.get(parent)

    def snapshot(self) -> Any:
        return {
            "at": self._now,
            "faults": {
                parent: [fault.since, fault.rests, fault.found, fault.members, sorted(fault.up), sorted(fault.out)]
                for parent, fault in self._faults.items()
            },
            "sides": self._sides,
            "spoken_for": self._spoken_for,
            "standing": self._standing.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot; devices and lighting have taken up theirs already."""
        at: Instant = state["at"]
        self._now = at
        self._told = Timers()
        self._standing.restore(state["standing"], at, self._lineage.parents.__contains__)
        self._spoken_for = {name: into for name, into in state["spoken_for"].items() if name in self.site.circuits}
        self._sides = {item: side for item, side in state["sides"].items() if item in self._above}
        self._counts = {}
        for item, above in self._above.items():
            for parent in above:
                counts = self._counts.setdefault(parent, {"alive": 0, "down": 0, "neither": 0})
                if item in self._sides:
                    counts[self._sides[item]] += 1
        for parent, (since, rests, found, members, up, out) in state["faults"].items():
            if parent not in self._lineage.parents:
                continue
            known = {item: sign for item, sign in members.items() if parent in self._above.get(item, ())}
            fault = ParentFault(since=since, rests=rests, found=found, members=known)
            fault.before = {item for item, sign in known.items() if self._down_before(item, sign, since)}
            fault.up, fault.out = {*up} & known.keys() - fault.before, {*out} & known.keys() - fault.before
            self._faults[parent] = fault
            if ("parent_fault", parent) not in self._standing:
                self._told.set(parent, self._devices.held_since(found) + self.site.hold)
        self._devices.faults({parent: fault.fall for parent, fault in self._faults.items()}, at)


def together(signs: Mapping[str, tuple[Instant, Instant]]) -> list[str]:
    """The most things whose last signs lie within one window (of equals the latest).

    The window is as long as the longest that one of them allows, so each length is tried with those that allow no more.

    Args:
        signs: of each thing its last sign, and the window that it allows.
    """
    best: tuple[int, Instant, list[tuple[Instant, str]]] = (0, 0, [])
    for window in sorted({allowed for _, allowed in signs.values()}):
        ordered = sorted((sign, item) for item, (sign, allowed) in signs.items() if allowed <= window)
        first = exact = 0
        span = (best[0], best[1], 0, 0)
        for last, (sign, item) in enumerate(ordered):
            exact += signs[item][1] == window
            while sign - ordered[first][0] > window:
                exact -= signs[ordered[first][1]][1] == window
                first += 1
            if exact and (last + 1 - first, sign) > span[:2]:
                span = (last + 1 - first, sign, first, last + 1)
        if span[3]:
            best = (span[0], span[1], ordered[span[2] : span[3]])
    return [item for _, item in best[2]]
