"""Conditions as a test writes them down, and random ones."""

from __future__ import annotations

from datetime import time

from hypothesis import strategies as st

from gateway.figures.history import seat_of
from gateway.figures.timeline import Timeline
from gateway.instants import HOUR, MINUTE
from gateway.journal.rows import Condition
from gateway.site.model import Checkpoint, Device, Expected, Lamp, MaxGap, Place, RoundRule, Route, Site, Visit, Zone
from tests.rules.lit_night import clock

NOON = clock("12:00")


def row(kind: str, name: str, state: str, at: str | int, detail: str = "") -> Condition:
    """A row found when it began."""
    when = clock(at) if isinstance(at, str) else at
    return Condition(when, when, kind, name, state, detail)


def up(at: str | int = "12:00") -> Condition:
    return row("gateway", "", "up", at)


def down(since: str, until: str) -> list[Condition]:
    return [Condition(clock(until), clock(since), "gateway", "", "down", ""), up(until)]


def lamp(name: str, place: str = "a", circuit: str | None = None, **expected) -> Lamp:
    """On from 18:00 to 06:00 unless told otherwise."""
    spec = Expected(**(expected or {"mode": "times", "on": time(18), "off": time(6)}))
    return Lamp(id=name, place=place, circuit=circuit, expected=spec)


def seat(spec: Lamp, at: str | int = "12:00") -> Condition:
    return row("seat", spec.id, spec.expected.mode, at, seat_of(spec))


def site(*lamps: Lamp, max_gap: MaxGap | None = None, zones: tuple[Zone, ...] = (), **more) -> Site:
    """Places a, b (a key place) and c; a checkpoint at a, walked each hour of the night; two cameras at b."""
    return Site(
        **(
            {
                "id": "s",
                "name": "s",
                "timezone": "Asia/Shanghai",
                "latitude": 31.2,
                "longitude": 121.5,
                "places": {
                    "a": Place(id="a", name="a"),
                    "b": Place(id="b", name="b", key=True),
                    "c": Place(id="c", name="c"),
                },
                "devices": {
                    name: Device(id=name, driver="native", kind="camera", place="b", expect_every=MINUTE)
                    for name in ("cam-1", "cam-2")
                },
                "checkpoints": {"cp": Checkpoint(id="cp", place="a", reader="rdr", max_gap=max_gap)},
                "routes": {"night": Route(id="night", visits=(Visit(checkpoint="cp"),))},
                "rounds": (
                    RoundRule(
                        route="night",
                        days=frozenset(range(7)),
                        since=time(22),
                        until=time(6),
                        every=HOUR,
                        lasts=40 * MINUTE,
                    ),
                ),
                "lamps": {each.id: each for each in lamps},
                "zones": {each.id: each for each in zones},
            }
            | more
        )
    )


def over(rows: list[Condition], since: str | int, until: str | int) -> Timeline:
    begin, end = (clock(at) if isinstance(at, str) else at for at in (since, until))
    return Timeline(sorted(rows, key=lambda each: each.found), begin, end)


def some(kind: str, names: list[str], states: list[str]) -> st.SearchStrategy[list[Condition]]:
    """Rows of some subjects, in minutes from noon, some of them reaching back; and times the gateway was down."""

    def told(facts) -> list[Condition]:
        at, rows = NOON, [up(NOON)]
        for later, back, name, state in facts:
            at += later * MINUTE
            if name == "":
                rows += [Condition(at, max(NOON, at - back * MINUTE), "gateway", "", "down", ""), up(at)]
            else:
                rows.append(Condition(at, max(NOON, at - back * MINUTE), kind, name, state, ""))
        return rows

    fact = st.tuples(st.integers(0, 200), st.integers(0, 120), st.sampled_from([*names, ""]), st.sampled_from(states))
    return st.lists(fact, max_size=25).map(told)
