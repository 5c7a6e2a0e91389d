"""Who stands in for whom: on which shifts, for whom, and for how long it is known."""

from __future__ import annotations

from datetime import date

from gateway.rules.stand_ins import StandIn, StandIns
from gateway.site.shifts import DatedShift

DAY = date(2026, 11, 25)


def agreed(away: str | None, instead: str | None, since: int = 0, day: date = DAY) -> StandIn:
    return StandIn("n", day, away, instead, since, since + 100)


def made(*all_: StandIn) -> StandIns:
    stand_ins = StandIns()
    for each in all_:
        assert stand_ins.add(each)
    return stand_ins


def test_he_stands_in_on_that_shift_only_and_for_that_guard_only() -> None:
    stand_ins = made(agreed("wang", "li"))
    assert stand_ins.of({"wang"}, 50, 60) == {"li"}
    assert stand_ins.of({"wang"}, 100, 120) == frozenset(), "the shift is over at its end"
    assert stand_ins.of({"wang"}, -20, -1) == frozenset()
    assert stand_ins.of({"zhao"}, 50, 60) == frozenset()


def test_who_stands_in_for_a_stand_in_does_so_for_the_guard() -> None:
    stand_ins = made(agreed("wang", "li"), agreed("li", "zhao"))
    assert stand_ins.of({"wang"}, 50, 60) == {"li", "zhao"}
    shift = DatedShift(shift="n", date=DAY, start=0, end=100, people=("wang",))
    assert stand_ins.people(shift) == ("zhao",)
    stand_ins.remove(agreed("wang", "li"))
    assert stand_ins.people(shift) == ("wang",), "li is not on that shift, so nobody is there instead of li"


def test_who_comes_beside_all_stands_in_for_nobody() -> None:
    stand_ins = made(agreed(None, "li"))
    assert stand_ins.of({"wang"}, 50, 60) == frozenset()
    assert stand_ins.people(DatedShift(shift="n", date=DAY, start=0, end=100, people=("wang",))) == ("wang", "li")


def test_twice_the_same_is_once_and_what_is_too_old_is_forgotten() -> None:
    stand_ins = made(agreed("wang", "li"), agreed("wang", "zhao", since=500))
    assert not stand_ins.add(agreed("wang", "li"))
    stand_ins.forget(200)
    again = StandIns()
    again.restore(stand_ins.snapshot())
    assert again.of({"wang"}, 0, 1000) == stand_ins.of({"wang"}, 0, 1000) == {"zhao"}
    assert not stand_ins.remove(agreed("wang", "li"))
