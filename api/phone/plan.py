"""What a guard's phone shows of his night: his rounds, what of them the gateway has, and which taps served nothing and why.

Pure: made of what the judge holds in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from api.console.names import checkpoint_name
from api.ports import GatewayPort
from gateway.instants import HOUR, MINUTE, Duration, Instant, instant
from gateway.rules.findings import Round, Unmatched, Visit
from gateway.rules.taps import Owner, enrolled
from gateway.site.model import Site
from gateway.site.shifts import on_shift
from gateway.site.tags import TagIndex

_STEPS = (HOUR, 3 * HOUR, 12 * HOUR)
"""Rounds that begin within the last of these are shown, though not more than `MOST_ROUNDS`."""
AFTERWARDS = 45 * MINUTE
"""A round is shown so long after the last of its points can count."""
MOST_ROUNDS = 6
UNSERVED_SINCE = 12 * HOUR
MOST_UNSERVED = 20


class PlanVisit(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a round. Times in ms since 1970 UTC, as browsers count.

    Args:
        at: when a tap served it.
        mine: it was his own tap.
        tagged: there is a tag on the wall for a phone; without one he shows his card to the reader.
    """

    checkpoint: str
    name: str
    position: int
    due: int | None
    opens: int
    closes: int
    verdict: str
    cause: str | None
    at: int | None
    mine: bool
    marks: Sequence[str]
    optional: bool
    tagged: bool


class PlanRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round that he is expected on, or walks."""

    id: str
    route: str
    start: int
    end: int
    verdict: str
    listed: bool
    """The points are walked in their order."""
    visits: Sequence[PlanVisit]


class Unserved(msgspec.Struct, frozen=True, kw_only=True):
    """A tap of his phones that served nothing. `tag`: the end of its number, where it belongs to no checkpoint."""

    at: int
    reason: str
    name: str | None
    tag: str


class PhonePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone keeps, to show it without a network too."""

    person: str
    rounds: Sequence[PlanRound]
    unserved: Sequence[Unserved]
    checkpoints: Mapping[str, str]
    """Names of all checkpoints, by id."""
    codes: Mapping[str, str]
    """Checkpoints by the `code` of their tags, so that the phone knows without a network where it was tapped."""


class Plans:
    """Makes the plans of one site's guards."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway
        self._tags: tuple[str, TagIndex[Owner]] | None = None

    def of(self, person: str, devices: Collection[str]) -> PhonePlan:
        """The plan of a person whose phones are `devices`."""
        site, now = self._gateway.site, self._gateway.now()
        rounds = self._gateway.judgement.engine.rounds
        shown: list[PlanRound] = []
        for item in self._around(now):
            last = max((instant(visit.closes) for visit in item.visits), default=instant(item.end))
            walks = any(visit.person == person for visit in item.visits)
            if last + AFTERWARDS < now or not (walks or self.expected(person, item)):
                continue
            shown.append(_round(site, item, person))
            if len(shown) == MOST_ROUNDS:
                break
        unserved = [
            self._unserved(each)
            for each in rounds.unmatched()
            if each.device in devices and instant(each.at) >= now - UNSERVED_SINCE
        ]
        return PhonePlan(
            person=person,
            rounds=shown,
            unserved=unserved[-MOST_UNSERVED:][::-1],
            checkpoints={name: checkpoint_name(site, name) for name in site.checkpoints},
            codes=self._codes(),
        )

    def _around(self, now: Instant) -> Iterator[Round]:
        """Rounds that may concern anybody now, by start; those far ahead are looked at only if they are asked for."""
        rounds = self._gateway.judgement.engine.rounds
        begin = now - AFTERWARDS - longest(self._gateway.site)
        for ahead in _STEPS:
            yield from rounds.rounds(begin, now + ahead)
            begin = now + ahead

    def expected(self, person: str, item: Round) -> bool:
        """Whether a person is to walk a round: of the route's guards (none named: all guards), or in place of one, who is on duty when it begins.

        Where the calendar has none of them on duty, or there is none, all of them are.
        """
        site = self._gateway.site
        route = site.routes.get(item.route)
        named = route.guards if route is not None else ()
        guards = frozenset(named or (each.id for each in site.people.values() if "guard" in each.roles))
        stand_ins = self._gateway.judgement.engine.rounds.stand_ins
        guards |= stand_ins.of(guards, instant(item.start), instant(item.end))
        on_duty = {each for shift in on_shift(site, instant(item.start)) for each in stand_ins.people(shift)}
        return person in ((guards & on_duty) or guards)

    def owner(self, tag: str) -> Owner | None:
        """What a tag belongs to."""
        site = self._gateway.site
        if self._tags is None or self._tags[0] != site.digest:
            self._tags = (site.digest, enrolled(site))
        return self._tags[1].find(tag)

    def _codes(self) -> Mapping[str, str]:
        found: dict[str, str | None] = {}
        for point in self._gateway.site.checkpoints.values():
            for tag in point.tags:
                found[code(tag)] = point.id if found.get(code(tag), point.id) == point.id else None
        return {key: point for key, point in found.items() if point is not None}

    def _unserved(self, tap: Unmatched) -> Unserved:
        owner = self.owner(tap.tag)
        point = owner.checkpoint if owner is not None else None
        name = checkpoint_name(self._gateway.site, point) if point is not None else None
        return Unserved(at=_ms(instant(tap.at)), reason=tap.reason, name=name, tag=tap.tag[-4:])


def longest(site: Site) -> Duration:
    """How long after its start a point of a round may count at the latest."""
    spans = [rule.lasts + site.routes[rule.route].band for rule in site.rounds if rule.route in site.routes]
    for route in site.routes.values():
        spans += [(visit.after or 0) + route.tolerance + route.band for visit in route.visits]
    return max(spans, default=0)


def code(tag: str) -> str:
    """20 bits of a tag's number (FNV-1a, folded): enough to tell a site's tags apart, far too little to make a copy of one."""
    mixed = 0x811C9DC5
    for octet in tag.encode():
        mixed = (mixed ^ octet) * 0x01000193 & 0xFFFFFFFF
    return f"{(mixed >> 20) ^ (mixed & 0xFFFFF):05x}"


def _round(site: Site, item: Round, person: str) -> PlanRound:
    route = site.routes.get(item.route)
    optional = [visit.optional for visit in route.visits] if route is not None else []
    visits = tuple(_visit(site, visit, person, optional) for visit in item.visits)
    return PlanRound(
        id=item.id,
        route=item.route,
        start=_ms(instant(item.start)),
        end=_ms(instant(item.end)),
        verdict=item.verdict,
        listed=route is not None and route.order == "listed",
        visits=visits,
    )


def _visit(site: Site, visit: Visit, person: str, optional: Sequence[bool]) -> PlanVisit:
    place = visit.position - 1
    point = site.checkpoints.get(visit.checkpoint)
    return PlanVisit(
        checkpoint=visit.checkpoint,
        name=checkpoint_name(site, visit.checkpoint),
        position=visit.position,
        due=None if visit.due is None else _ms(instant(visit.due)),
        opens=_ms(instant(visit.opens)),
        closes=_ms(instant(visit.closes)),
        verdict=visit.verdict,
        cause=visit.cause,
        at=None if visit.at is None else _ms(instant(visit.at)),
        mine=visit.person == person,
        marks=visit.marks,
        optional=place < len(optional) and optional[place],
        tagged=point is not None and bool(point.tags),
    )


def _ms(at: Instant) -> int:
    return at // 1000
