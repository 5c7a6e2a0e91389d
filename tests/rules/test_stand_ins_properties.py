"""Random nights on which people stand in for each other: however the judge came to know of it, the verdicts are the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, time
from random import Random
from typing import Any

import msgspec
import pytest

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.alerts.lifecycle import Refused
from gateway.alerts.succession import Told
from gateway.books import BookOperation
from gateway.instants import HOUR, MINUTE, SECOND, Instant, moment
from gateway.judgement import Judgement
from gateway.rules.rounds_held import taps_used
from gateway.site.model import Shift, Site
from gateway.site.model import Visit as Stop
from tests.rules.walk import CARDS, GARAGE, GATE, ROOF, WALL, clock, daily, estate, window

PEOPLE = ("wang", "li", "chen", "liu")
FIRST = date(2026, 11, 22)
Log = list[tuple[Instant, Observation | BookOperation]]


def a_site(random: Random) -> Site:
    """Wang's night, on some nights nobody else's; a shift may begin or end within a round."""
    strict = random.random() < 0.6
    night = Shift(
        id="n",
        since=random.choice((time(12), time(20), time(22), time(22, 30))),
        until=random.choice((time(22, 40), time(23), time(8))),
        rotation=random.choice(((("wang",),), (("wang",), ("li",)))),
        first=FIRST,
    )
    day = Shift(id="d", since=time(8), until=time(22, 15), rotation=(("chen", "liu"),), first=FIRST)
    site = estate(
        route={
            "visits": (Stop(checkpoint=GATE, after=10 * MINUTE), Stop(checkpoint=GARAGE), Stop(checkpoint=ROOF)),
            "guards": ("wang",) if strict or random.random() < 0.5 else (),
            "accept_others": not strict,
        },
        checkpoints={
            GARAGE: {"two_person": random.random() < 0.3},
            GATE: {"max_gap": window("21:45", "23:30", 30 * MINUTE)},
        },
        rounds=(daily("night", "22:00", "22:30"),),
    )
    return msgspec.structs.replace(site, shifts={"n": night, "d": day} if random.random() < 0.6 else {"n": night})


def happens(random: Random) -> list[tuple[Instant, Observation | None]]:
    """What is heard, by time; None: people agree on something."""

    def read(device: str, at: Instant, tag: str, person: str | None = None) -> seen.TagRead:
        return seen.TagRead(device=device, at=moment(at, UTC), tag=tag, person=person)

    found: list[tuple[Instant, Observation | None]] = []
    for at in range(clock("21:40"), clock("23:20"), MINUTE):
        found += [(at, seen.ReaderHeartbeat(device=each, at=moment(at, UTC))) for each in ("rdr-gate", "rdr-garage")]

    def some(most: int) -> list[tuple[Instant, str]]:
        taps = range(random.randint(0, most))
        return [(clock("21:45") + random.randrange(5400) * SECOND, random.choice(PEOPLE)) for _ in taps]

    found += [(at, read(random.choice(("rdr-gate", "rdr-garage")), at, CARDS[who])) for at, who in some(10)]
    for at, who in some(4):
        found += [(at, read("wand-1", at, CARDS[who])), (at + 20 * SECOND, read("wand-1", at, WALL[ROOF]))]
    found += [(at + random.choice((0, HOUR)), read("phone-1", at, WALL[ROOF], who)) for at, who in some(6)]
    to = moment(clock("23:25"), UTC)
    found.append((clock("23:25"), seen.SyncEnd(device="wand-1", at=to, complete_to=to)))
    found += [(clock("21:05") + random.randrange(9000) * SECOND, None) for _ in range(7)]
    return sorted(found, key=lambda each: each[0])


def a_swap(random: Random, judgement: Judgement, at: Instant) -> BookOperation:
    standing = judgement.alerts.duty.swaps()
    if standing and random.random() < 0.35:
        off = random.choice(standing)
        value = {"shift": off.shift, "date": off.date.isoformat(), "away": off.away, "instead": off.instead}
        return BookOperation(at=at, by="b", book="duty", action="cancel", subject=off.id, details=value, why="x")
    value = {
        "shift": random.choice(list(judgement.site.shifts)),
        "date": "2026-11-22",
        "away": random.choice(("wang", "wang", None, *PEOPLE)),
        "instead": random.choice(("li", "li", None, *PEOPLE)),
    }
    return BookOperation(at=at, by="b", book="duty", action="create", details=value, why="x")


def lived(random: Random, site: Site) -> tuple[Judgement, Log]:
    judgement = begun(site)
    log: Log = []
    for at, heard in happens(random):
        what = a_swap(random, judgement, at) if heard is None else heard
        try:
            feed(judgement, at, what)
        except Refused:
            continue
        log.append((at, what))
    return ended(judgement), log


def begun(site: Site) -> Judgement:
    return Judgement(site, clock("21:00"))


def feed(judgement: Judgement, at: Instant, what: Observation | BookOperation) -> None:
    if isinstance(what, BookOperation):
        judgement.operate(what)
    else:
        judgement.apply(what, at)


def ended(judgement: Judgement) -> Judgement:
    judgement.advance(clock("+2 02:00"))
    judgement.conclude()
    return judgement


def restarted(site: Site, log: Log, random: Random) -> Judgement:
    judgement, stops = begun(site), {random.randrange(len(log)) for _ in range(4)}
    for index, (at, what) in enumerate(log):
        if index in stops:
            judgement.conclude()
            state = judgement.snapshot()
            judgement = begun(site)
            judgement.restore(state)
        feed(judgement, at, what)
    return ended(judgement)


def made_anew(site: Site, log: Log, random: Random) -> Judgement:
    """An upgrade: the rules hear all of the log again, the books are taken from what was stored."""
    place = random.randrange(len(log) + 1)
    old, judgement = begun(site), begun(site)
    for at, what in log[:place]:
        feed(old, at, what)
    old.conclude()
    judgement.set_books_aside()
    for at, what in log[:place]:
        try:
            feed(judgement, at, what)
        except Refused:
            assert isinstance(what, BookOperation)
    judgement.advance(old.now)
    assert judgement.take_books(old.snapshot(), Told({}, []))
    for at, what in log[place:]:
        feed(judgement, at, what)
    return ended(judgement)


def enrolled_meanwhile(site: Site, log: Log, random: Random) -> Judgement:
    judgement, place = begun(site), random.randrange(len(log))
    for index, (at, what) in enumerate(log):
        if index == place:
            judgement.resite(msgspec.structs.replace(site, digest="enrolled"))
        feed(judgement, at, what)
    return ended(judgement)


def rejudged(site: Site, log: Log, random: Random) -> Judgement:
    judgement = restarted(site, log, random)
    judgement.rejudge([each.id for each in judgement.engine.rounds.rounds()], judgement.now)
    judgement.conclude()
    return judgement


def shown(judgement: Judgement) -> Any:
    rounds = judgement.engine.rounds
    views = [
        (each.id, each.verdict, each.marks, [(v.verdict, v.at, v.person, v.marks, v.cause) for v in each.visits])
        for each in rounds.rounds(clock("21:00"), clock("23:59"))
    ]
    return views, rounds.gaps()[0], rounds.unmatched()


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("way", [restarted, made_anew, enrolled_meanwhile, rejudged])
def test_who_stood_in_is_judged_alike_however_it_became_known(
    way: Callable[[Site, Log, Random], Judgement], seed: int
) -> None:
    random = Random(seed)
    site = a_site(random)
    straight, log = lived(random, site)
    assert shown(way(site, log, random)) == shown(straight)


@pytest.mark.parametrize("seed", range(16, 48))
def test_nobody_misses_a_visit_for_which_his_stand_in_tapped(seed: int) -> None:
    random = Random(seed)
    site = a_site(random)
    judgement, _ = lived(random, site)
    rounds = judgement.engine.rounds
    standing = [each for each in rounds.stand_ins.snapshot() if each[2] == "wang"]
    for view in rounds.rounds(clock("21:00"), clock("23:59")):
        state = rounds.state(view.id)
        assert state is not None
        stand_ins = {each[3] for each in standing if each[4] <= state.closes and state.opens < each[5]}
        for visit in state.visits:
            if visit.two_person or visit.verdict != "missed":
                continue
            point = rounds.point(visit.checkpoint)
            used = taps_used(point)
            his = [tap for tap in point.taps_between(visit.opens, visit.closes) if tap.person in stand_ins]
            assert used.issuperset(his), "each of them serves another visit"
