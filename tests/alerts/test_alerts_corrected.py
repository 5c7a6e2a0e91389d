"""One of several visits told as missed was walked after all: the alert stands for the others, and whoever was told hears of this one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gateway.alerts.alert import Notice, Operation
from gateway.site.model import Alerting, Contact, Step
from tests.alerts.watch import SITE, Watch
from tests.phone.night import GATE, ROUND, TEN, Clock, night, signed, site

SUBJECT = "night@2026-11-22T23:00+08:00"
ID = f"round_incomplete/{SUBJECT}/1"


def missed(watch: Watch, *names: str, action: str = "update", rule: str = "round_incomplete") -> Watch:
    return watch.signal(action, rule, SUBJECT, details={"route": "night", "missed": list(names)})


def told() -> Watch:
    return missed(Watch(), "gate", "roof", "hall", action="raise")


def corrections(watch: Watch) -> list[Notice]:
    return [notice for notice in watch.notices if notice.kind == "corrected"]


def test_who_was_told_is_told_that_a_visit_is_withdrawn_and_what_stands() -> None:
    watch = missed(told().at(11), "roof", "hall")
    assert [(notice.contact, notice.due >= watch.now) for notice in corrections(watch)] == [
        ("control-room", True),
        ("captain", True),
    ]
    body = corrections(watch)[0].body
    assert "gate" in body.splitlines()[-1]
    assert "roof、hall" in body.splitlines()[0]
    assert (watch.alert(ID).state, watch.alert(ID).details["missed"]) == ("open", ["roof", "hall"])
    assert watch.alert(ID).history[-1].why == "corrected"


def test_it_is_told_once() -> None:
    watch = missed(missed(told(), "roof", "hall"), "roof", "hall").at(200)
    assert len(corrections(watch)) == 1
    missed(watch, "hall")
    assert ["roof" in each.body.splitlines()[-1] for each in corrections(watch)[1:]] == [True] * 3


def test_of_an_acknowledged_one_too() -> None:
    watch = told()
    watch.act("ack", ID)
    missed(watch, "roof", "hall")
    assert (watch.alert(ID).state, len(corrections(watch))) == ("acknowledged", 1)


def test_of_one_resolved_or_closed_by_hand_too_and_its_state_stays() -> None:
    watch = told()
    watch.act("resolve", ID, why="spoken to him")
    missed(watch, "roof", "hall")
    assert (watch.alert(ID).state, len(corrections(watch))) == ("resolved", 1)
    watch.act("close", ID)
    missed(watch, "hall")
    assert (watch.alert(ID).state, len(corrections(watch))) == ("closed", 2)
    assert watch.alert(ID).details["missed"] == ["hall"]


def test_nobody_hears_of_what_nobody_was_told() -> None:
    silent = missed(missed(Watch(SITE_WITHOUT_POLICY), "gate", "roof", action="raise"), "roof")
    assert silent.notices == []
    added = missed(missed(told(), "gate", "roof", "hall", "lift"), "gate", "roof", "hall")
    assert corrections(added) == []


def test_a_point_walked_twice_and_missed_once_is_withdrawn_once() -> None:
    watch = missed(missed(Watch(), "gate", "gate", "roof", action="raise"), "gate", "roof")
    assert len(corrections(watch)) == 1


def test_after_a_restart_it_is_the_same() -> None:
    one, other = told().at(11), told().at(11).reborn()
    for watch in (one, other):
        missed(watch, "roof", "hall")
    assert one.notices == other.notices
    assert missed(other.reborn(), "roof", "hall").notices == one.notices


def test_of_a_snapshot_that_does_not_say_of_what_people_were_told_it_is_what_the_alert_names() -> None:
    watch = told()
    state = watch.book.snapshot()
    (case,) = msgspec.json.decode(state["cases"]["live"])
    assert case.pop("told_of") == {"control-room": ["gate", "roof", "hall"]}
    state["cases"]["live"] = msgspec.json.encode([case])
    watch.book.restore(state)
    assert len(corrections(missed(watch, "roof", "hall"))) == 1


def test_a_later_step_tells_of_what_stands_alone() -> None:
    watch = missed(told(), "roof", "hall").at(31)
    assert [each.kind for each in watch.notices if each.contact == "manager"] == ["escalated"]
    missed(watch, "gate", "roof", "hall")
    missed(watch, "roof", "hall")
    assert len(corrections(watch)) == 1, "that gate was missed after all had been told to nobody yet"


def test_who_heard_that_a_visit_is_withdrawn_and_not_that_it_was_missed_after_all_hears_it_no_second_time() -> None:
    watch = missed(missed(told(), "roof", "hall"), "gate", "roof", "hall").at(11)
    missed(watch.reborn(), "roof", "hall")
    assert [each.contact for each in corrections(watch)] == ["control-room", "captain"]
    missed(watch, "hall")
    assert [each.contact for each in corrections(watch)[2:]] == ["control-room", "captain"]


def test_a_snapshot_that_says_for_all_alike_of_what_people_were_told_is_taken_up() -> None:
    watch = told()
    state = watch.book.snapshot()
    (case,) = msgspec.json.decode(state["cases"]["live"])
    state["cases"]["live"] = msgspec.json.encode([case | {"told_of": ["gate", "roof"]}])
    watch.book.restore(state)
    assert corrections(missed(watch, "gate", "roof")) == []
    assert len(corrections(missed(watch, "roof").at(11))) == 1
    assert [each.contact for each in corrections(missed(watch, "hall"))[1:]] == ["control-room", "captain"]


def test_an_alert_that_ended_says_what_is_known_of_it_since_and_nobody_is_told_of_it_anew() -> None:
    watch = gap(Watch(), 5400, "raise").signal("resolve", "gap_exceeded", PIECE)
    told = list(watch.notices)
    gap(watch.at(5), 3700, "update")
    assert "1小时1分40秒" in watch.alert(GAP).message
    assert (watch.alert(GAP).state, watch.alert(GAP).history[-1].why) == ("resolved", "changed")
    gap(watch.at(60), 3660, "update")
    rows = len(watch.rows)
    gap(watch, 3660, "update")
    assert ("1小时1分（" in watch.alert(GAP).message, watch.alert(GAP).state) == (True, "closed")
    assert (len(watch.rows), watch.notices) == (rows, told)


def gap(watch: Watch, length: int, action: str) -> Watch:
    details = {"checkpoint": "gate", "from": "2026-11-22T21:00:00+08:00", "length": length, "at_most": 3600}
    return watch.signal(action, "gap_exceeded", PIECE, details=details)


PIECE = "gate@2026-11-22T21:00:00+08:00"
GAP = f"gap_exceeded/{PIECE}/1"

SITE_WITHOUT_POLICY = replace(SITE, alerting=Alerting())

BOSS = site(
    alerting=Alerting(
        policies={"default": (Step(after=0, notify=("boss",)),)}, contacts={"boss": Contact(id="boss", console=True)}
    )
)


async def test_a_phone_that_comes_late_withdraws_its_visit_from_an_acknowledged_alert_over_a_restart(
    tmp_path: Path,
) -> None:
    clock, alert = Clock(), f"round_incomplete/{ROUND}/1"
    async with night(tmp_path, BOSS, clock) as on, on.phone("g-wang") as wang:
        on.at("21:40")
        await wang.begin()
        await wang.send()
        on.at("22:40")
        wang.open(signed(5))
        await wang.send()
        on.at("22:59")
        await wang.send()
        on.at("23:06")
        assert on.verdicts() == {"gate": "missed", "roof": "missed", "pump": "on_time"}
        now = on.gateway.now()
        await on.gateway.operate(Operation(at=now, by="boss", action="ack", alert=alert))
    async with night(tmp_path, BOSS, clock) as on, on.phone("g-li") as li:
        on.at("23:10")
        await li.begin()
        await li.send()
        li.queue.tap(TEN + timedelta(minutes=5), GATE)
        on.at("23:30")
        await li.send()
        on.at("23:32")
        assert on.verdicts() == {"gate": "on_time", "roof": "missed", "pump": "on_time"}
        await on.gateway.intake.drained()
        kinds = await on.gateway.query("SELECT kind FROM notice WHERE alert = ? ORDER BY seq", (alert,))
        assert [kind for (kind,) in kinds] == ["raised", "corrected"]
