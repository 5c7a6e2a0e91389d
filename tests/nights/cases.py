"""One night as a case: the site that is judged, the estate that lives, what happened, and the log that the gateway made of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from api.simulated import estate_of, walks_of
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import Reading
from device_drivers.observations import LinkStatus, Observation
from device_drivers.simulation.delivery import Arrival, when
from device_drivers.simulation.estate import Estate, Walk
from device_drivers.simulation.nights import Lived, Night, draw, live
from gateway.instants import HOUR, Instant, instant
from gateway.routing import Router
from gateway.rules.engine import Engine
from gateway.rules.findings import Found
from gateway.site.load import load_site
from gateway.site.model import DatedRound, Site
from gateway.site.plans import plan_rounds

SITES = Path(__file__).parent / "sites"


class Sort(NamedTuple):
    """A sort of nights.

    Args:
        site: which of `sites/`.
        plain: readers and wands that number nothing.
        evenings: (time zone, first evening, number of evenings) to choose from.
        from_hour: local hour at which a night begins.
        hours: its length.
        after_hours: how much longer it is judged, in silence.
    """

    site: str
    plain: tuple[str, ...] = ()
    evenings: tuple[tuple[str, str, int], ...] = (("Asia/Shanghai", "2026-11-02", 20),)
    from_hour: int = 20
    hours: float = 13
    after_hours: float = 0


SORTS = {
    "rounds": Sort(
        "rounds.yaml",
        plain=("r-lobby", "wand-2"),
        evenings=(
            ("Asia/Shanghai", "2026-11-02", 20),
            ("Asia/Shanghai", "2026-11-02", 20),
            ("Europe/Berlin", "2026-03-28", 1),
            ("Europe/Berlin", "2026-10-24", 1),
            ("America/New_York", "2026-03-07", 1),
            ("America/New_York", "2026-10-31", 1),
        ),
        after_hours=5,
    ),
    "lights": Sort("lights.yaml", from_hour=12, hours=30),
    "cameras": Sort("cameras.yaml", hours=10),
}


class Line(NamedTuple):
    """One line of the gateway's log: an observation received, or (None) that it was down from `down_from` until `at`."""

    at: Instant
    heard: Observation | None
    down_from: Instant = 0


class Case(NamedTuple):
    sort: str
    site: Site
    estate: Estate
    rounds: list[DatedRound]
    walks: list[Walk]
    night: Night

    @property
    def start(self) -> Instant:
        return round(self.night.start * 1_000_000)

    @property
    def judged_to(self) -> Instant:
        return round((self.night.end + SORTS[self.sort].after_hours * 3600) * 1_000_000)


@cache
def site_text(sort: str, zone: str, external: bool) -> str:
    text = (SITES / SORTS[sort].site).read_text(encoding="utf-8").replace("Asia/Shanghai", zone)
    return text + ("mqtt: {host: 127.0.0.1, port: 1883}\n" if external else "mqtt: {broker: embedded}\n")


@cache
def site_of(sort: str, zone: str, external: bool, folder: Path) -> Site:
    path = folder / f"{sort}-{zone.replace('/', '-')}-{external}.yaml"
    path.write_text(site_text(sort, zone, external), encoding="utf-8")
    return load_site(path, secrets=False)[0]


def case_of(sort: str, seed: int, folder: Path) -> Case:
    """The night of a seed."""
    kind = SORTS[sort]
    chance = random.Random(f"{sort} {seed}")
    zone, first, days = chance.choice(kind.evenings)
    evening = datetime.fromisoformat(first) + timedelta(days=chance.randrange(days))
    begin = datetime.combine(evening, time(kind.from_hour), ZoneInfo(zone)).astimezone(UTC)
    start, end = begin.timestamp(), begin.timestamp() + kind.hours * 3600
    site = site_of(sort, zone, False, folder)
    estate = estate_of(site, plain=kind.plain, near=begin)
    rounds = plan_rounds(site, instant(begin), instant(begin) + round((kind.hours - 1) * HOUR))
    walks = walks_of(site, rounds)
    night = draw(estate, walks, start, end, chance.randrange(1 << 30))
    return Case(sort, site_of(sort, zone, night.external, folder), estate, rounds, walks, night)


def lived(case: Case) -> Lived:
    return live(case.estate, case.walks, case.night)


def log_of(case: Case, arrivals: Sequence[Arrival]) -> list[Line]:
    """What the gateway would write down: decoded by the real drivers, repeats left out."""
    router = Router(case.site, DRIVERS)
    heard: set[Any] = set()
    lines: list[Line] = []
    last = case.start
    for arrival in arrivals:
        at = round(arrival.at * 1_000_000)
        if arrival.event == "stopped":
            continue
        if arrival.event == "started":
            lines.append(Line(at, None, last))
            continue
        moment = when(arrival.at)
        if arrival.event != "said":
            readings = [Reading(LinkStatus(device=arrival.device, at=moment, up=arrival.event == "link_up"))]
        elif arrival.said is None or arrival.said.topic is None:
            assert arrival.said is not None
            stream = router.streams[arrival.device][1]
            readings = [each for each in stream.feed(arrival.said.payload, moment) if isinstance(each, Reading)]
        else:
            read = router.reader(arrival.said.topic)
            assert read is not None, arrival.said.topic
            readings = read(arrival.said.payload, moment)
        for observation, body in readings:
            key = (
                (observation.device, observation.boot, observation.seq)
                if observation.seq is not None
                else (observation.device, body or observation, observation.at)
            )
            if key not in heard:
                heard.add(key)
                lines.append(Line(at, observation))
                last = at
    return lines


Watch = Callable[[Instant, Found, Engine], None]
"""Looks at what was found up to an instant."""

_LOOK_EVERY = 120_000_000


def judged(
    case: Case, lines: Sequence[Line], watch: Watch | None = None, *, again: frozenset[int] = frozenset()
) -> Engine:
    """Judge a log.

    Args:
        watch: is shown what was found, every other minute of the night and at the end.
        again: before these lines the judge is stopped and goes on from its snapshot.
    """
    engine = Engine(case.site, case.start)
    looked = case.start
    for number, line in enumerate(lines):
        if number in again and line.at > engine.now:
            engine.flush()
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(engine.snapshot()))
            if watch is not None:
                watch(engine.now, engine.drain(), engine)
            engine = Engine(case.site, case.start)
            engine.drain()
            engine.restore(state)
        if line.heard is not None and line.at >= looked + _LOOK_EVERY and watch is not None:
            engine.advance(line.at - 1)
            engine.flush()
            watch(engine.now, engine.drain(), engine)
            looked = line.at
        if line.heard is None:
            engine.advance(line.down_from)
            engine.flush()
            if watch is not None:
                watch(engine.now, engine.drain(), engine)
            engine.restarted(line.down_from, line.at)
        else:
            engine.apply(line.heard, line.at)
    engine.advance(case.judged_to)
    engine.conclude()
    if watch is not None:
        watch(engine.now, engine.drain(), engine)
    return engine
