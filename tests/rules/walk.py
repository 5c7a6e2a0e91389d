"""A patrol night on a small estate, told in clock times: what the rules of rounds make of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, time
from typing import Any

import msgspec

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, instant, moment, parse_instant
from gateway.rules.findings import Found, Gap, Round, Signal, Unmatched, Visit, VisitRevision
from gateway.rules.rounds import Rounds
from gateway.site.model import Checkpoint, Device, MaxGap, Person, Place, RoundRule, Route, Site
from gateway.site.model import Visit as Stop

MIDNIGHT = parse_instant("2026-11-23T00:00:00+08:00")
ALWAYS = frozenset(range(7))
CARDS = {"wang": "007B3972", "li": "0006547886", "chen": "00112233AA", "liu": "00AABBCC"}
GATE, GARAGE, ROOF, YARD = "gate", "garage", "roof", "yard"
WALL = {ROOF: "04A1B2C3D4E5F6", YARD: "04A1B2C3D4E5F7"}


def clock(text: str) -> Instant:
    """ "22:10" or "22:10:05": from noon on the evening before midnight, else after it; "+1 02:00" a day later."""
    days, _, rest = text.rpartition(" ")
    hour, minute, second = (float(part) for part in f"{rest}:00".split(":")[:3])
    day = int(days or 0) - (1 if hour >= 12 else 0)
    return MIDNIGHT + day * DAY + int(hour * HOUR + minute * MINUTE + second * SECOND)


def estate(
    *,
    route: dict[str, Any] | None = None,
    routes: Iterable[Route] = (),
    rounds: Iterable[RoundRule] | None = None,
    devices: dict[str, dict[str, Any]] | None = None,
    checkpoints: dict[str, dict[str, Any]] | None = None,
    people: dict[str, dict[str, Any]] | None = None,
) -> Site:
    """Gate and garage with fixed readers (`rdr-gate`, `rdr-garage`), roof and yard with wall tags, one wand, one phone.

    The route `night` visits the gate any time between 22:00 and 22:40 unless told otherwise.
    """
    known = {
        "rdr-gate": {"kind": "reader", "place": GATE, "expect_every": MINUTE},
        "rdr-garage": {"kind": "reader", "place": GARAGE, "expect_every": MINUTE},
        "wand-1": {"driver": "patrol_export", "kind": "wand", "portable": True},
        "wand-2": {"driver": "patrol_export", "kind": "wand", "portable": True},
        "phone-1": {"driver": "phone", "kind": "phone", "portable": True},
    }
    for name, said in (devices or {}).items():
        known.setdefault(name, {}).update(said)
    places: dict[str, dict[str, Any]] = {
        GATE: {"reader": "rdr-gate"},
        GARAGE: {"reader": "rdr-garage"},
        ROOF: {"tags": (WALL[ROOF],)},
        YARD: {"tags": (WALL[YARD],)},
    }
    for name, said in (checkpoints or {}).items():
        places.setdefault(name, {}).update(said)
    staff: dict[str, dict[str, Any]] = {name: {"roles": ("guard",)} for name in ("wang", "li", "chen")}
    staff["liu"] = {"roles": ("maintenance",)}
    for name, said in (people or {}).items():
        staff.setdefault(name, {}).update(said)
    night = Route(**{"id": "night", "visits": (Stop(checkpoint=GATE),), "readers": ("wand-1",)} | (route or {}))
    return Site(
        id="river",
        name="River",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={name: Place(id=name, name=name) for name in (*places, "hut")},
        people={name: Person(id=name, name=name, tags=(CARDS[name],), **said) for name, said in staff.items()},
        devices={
            name: Device(**{"id": name, "driver": "native", "kind": "reader"} | said) for name, said in known.items()
        },
        checkpoints={name: Checkpoint(id=name, place=name, **said) for name, said in places.items()},
        routes={each.id: each for each in (night, *routes)},
        rounds=tuple(rounds) if rounds is not None else (daily("night", "22:00"),),
        digest="of river",
    )


def daily(route: str, *starts: str, lasts: int = 40 * MINUTE) -> RoundRule:
    """A round each day at clock times."""
    return RoundRule(route=route, days=ALWAYS, lasts=lasts, starts=tuple(time.fromisoformat(start) for start in starts))


def hourly(route: str, since: str, until: str, lasts: int = 40 * MINUTE) -> RoundRule:
    return RoundRule(
        route=route,
        days=ALWAYS,
        lasts=lasts,
        since=time.fromisoformat(since),
        until=time.fromisoformat(until),
        every=HOUR,
    )


def window(since: str, until: str, at_most: int) -> MaxGap:
    return MaxGap(since=time.fromisoformat(since), until=time.fromisoformat(until), at_most=at_most)


Fed = tuple[Observation, Instant, Instant]


class Walk:
    """Tells a night to the rules, in the order in which the gateway receives it."""

    def __init__(self, site: Site | None = None, started: str = "21:00", **said: Any) -> None:
        self.site = site or estate(**said)
        self.found = Found()
        self.started = clock(started)
        self.rules = Rounds(self.site, self.found, self.started)
        self.fed: list[Fed] = []

    # -- what happens ------------------------------------------------------------------------------------------------

    def feed(self, observation: Observation, at: Instant, received: Instant) -> None:
        self.advance(received)
        self.fed.append((observation, at, received))
        self.rules.apply(observation, at, received)

    def say(self, kind: type, device: str, at: str, received: str | None = None, **said: Any) -> None:
        """Any observation; times by name of the clock."""
        values = {
            key: moment(clock(value), UTC) if key in {"device_now", "complete_to"} else value
            for key, value in said.items()
        }
        stamp = clock(at)
        observation = kind(device=device, at=moment(stamp, UTC), **values)
        self.feed(observation, stamp, clock(received or at))

    def tap(self, who: str, at: str, received: str | None = None, device: str = "rdr-gate", **said: Any) -> None:
        """A person's card at a fixed reader, or (device: a wand) logged in."""
        self.say(seen.TagRead, device, at, received, tag=CARDS.get(who, who), **said)

    def read(self, tag: str, at: str, received: str | None = None, device: str = "wand-1", **said: Any) -> None:
        """A wall tag, by checkpoint or number, read by a portable reader."""
        self.say(seen.TagRead, device, at, received, tag=WALL.get(tag, tag), **said)

    def beat(self, at: str, received: str | None = None, device: str = "rdr-gate", **said: Any) -> None:
        self.say(seen.ReaderHeartbeat, device, at, received, **said)

    def alive(self, since: str, until: str, device: str = "rdr-gate", every: int = MINUTE, **said: Any) -> None:
        """Heartbeats from `since` to `until`, both included."""
        stamp = clock(since)
        while stamp <= clock(until):
            observation = seen.ReaderHeartbeat(device=device, at=moment(stamp, UTC), **said)
            self.feed(observation, stamp, stamp)
            stamp += every

    def sync(self, to: str, received: str | None = None, device: str = "wand-1", **said: Any) -> None:
        self.say(seen.SyncEnd, device, said.pop("at", to), received, complete_to=to, **said)

    def advance(self, now: str | Instant) -> None:
        """Let time pass as the engine does."""
        until = clock(now) if isinstance(now, str) else now
        while (due := self.rules.deadline()) is not None and due <= until:
            self.rules.advance(due)
        self.rules.now = max(self.rules.now, until)

    def until(self, now: str) -> None:
        """Let time pass and judge all that was heard."""
        self.advance(now)
        self.rules.flush(clock(now))

    def down(self, since: str, until: str) -> None:
        self.advance(since)
        self.rules.restarted(clock(since), clock(until))

    def reborn(self, site: Site | None = None) -> None:
        """A restart of the process: everything goes through a snapshot as bytes."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.rules.snapshot()))
        self.rules = Rounds(site or self.site, self.found, self.started)
        self.rules.restore(state)

    # -- what is made of it ------------------------------------------------------------------------------------------

    def round(self, start: str = "22:00", route: str = "night") -> Round:
        self.rules.flush(self.rules.now)
        text = moment(clock(start), self.site.zone_info).isoformat(timespec="minutes")
        found = self.rules.round(f"{route}@{text}")
        assert found is not None, text
        return found

    def visit(self, position: int = 1, start: str = "22:00", route: str = "night") -> Visit:
        return self.round(start, route).visits[position - 1]

    def verdict(self, position: int = 1, start: str = "22:00", route: str = "night") -> str:
        return self.visit(position, start, route).verdict

    def unmatched(self) -> list[Unmatched]:
        return self.rules.unmatched()

    def reasons(self) -> list[str]:
        return [each.reason for each in self.unmatched()]

    def gap(self) -> Gap:
        return self.rules.gaps()[-1]

    def revisions(self) -> list[VisitRevision]:
        self.rules.flush(self.rules.now)
        return self.found.revisions

    def signals(self, rule: str | None = None) -> list[tuple[str, str]]:
        """(rule, action) of all signals so far, or the actions of one rule."""
        self.rules.flush(self.rules.now)
        return [(each.rule, each.action) for each in self.found.signals if rule in {None, each.rule}]

    def last(self, rule: str) -> Signal:
        return [each for each in self.found.signals if each.rule == rule][-1]


def hhmm(value: Any) -> str:
    """Local clock time of a shown moment."""
    return value.strftime("%H:%M:%S") if value is not None else "-"


def at(value: Any) -> Instant:
    return instant(value)
