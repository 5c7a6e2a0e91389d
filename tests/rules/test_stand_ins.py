"""Who stands in for whom: on which shifts, for whom, and for how long it is known."""

from __future__ import annotations

from datetime import date, time

import msgspec

from gateway.books import BookOperation
from gateway.instants import MINUTE
from gateway.judgement import Judgement
from gateway.rules.stand_ins import StandIn, StandIns
from gateway.site.model import Shift
from gateway.site.shifts import DatedShift, on_shift
from tests.rules.walk import GATE, Walk, clock, estate, window

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


def test_a_tap_that_serves_the_last_round_of_his_shift_ends_a_gap_too_though_the_shift_is_over() -> None:
    walk = Walk(
        route={"guards": ("wang",), "accept_others": False},
        checkpoints={GATE: {"max_gap": window("22:00", "23:00", 40 * MINUTE)}},
    )
    walk.rules.stands_in(StandIn("n", date(2026, 11, 22), "wang", "li", clock("20:00"), clock("22:30")))
    walk.alive("21:50", "22:34")
    walk.tap("li", "22:35")
    walk.alive("22:36", "23:10")
    walk.until("23:10")
    assert walk.verdict() == "on_time"
    assert walk.gap().exceedances == ()


def swap(action: str, *, subject: str | None = None, **said: str | None) -> BookOperation:
    details = {"shift": "n", "date": "2026-11-22"} | said
    return BookOperation(
        at=clock("21:30"), by="boss", book="duty", action=action, subject=subject, details=details, why="ill"
    )


def test_the_rules_have_the_same_people_on_a_shift_as_the_duty_calendar_however_often_two_change_places() -> None:
    shift = Shift(id="n", since=time(20), until=time(8), rotation=(("wang",),), first=date(2026, 11, 22))
    site = msgspec.structs.replace(estate(), shifts={"n": shift})
    judgement = Judgement(site, clock("21:00"))
    rules, duty = judgement.engine.rounds.stand_ins, judgement.alerts.duty
    (calendar,) = on_shift(site, clock("22:00"))
    for away, instead, there in (("wang", "li", "li"), ("li", "wang", "wang"), ("wang", "li", "li")):
        judgement.operate(swap("create", away=away, instead=instead))
        assert rules.people(calendar) == duty.on(clock("22:00"))[0].people == (there,)
    judgement.operate(swap("cancel", subject="duty/3", away="wang", instead="li"))
    assert rules.people(calendar) == duty.on(clock("22:00"))[0].people == ("wang",)
