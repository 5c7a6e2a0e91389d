"""What costs points and what does not (spec: alerts.md, Scores)."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.figures.timeline import Timeline
from gateway.instants import DAY, HOUR, instant
from gateway.journal.rows import Condition
from gateway.scores.book import Appeal, Mark
from gateway.scores.document import ScoreDocument, digest_of
from gateway.scores.period import period_of
from gateway.scores.sheet import Basis, daily, year
from gateway.site.model import Expected, Lamp, Place, Route, ScoreItem, Scores, Site
from gateway.site.model import Visit as Planned

SITE = Site(
    id="s", name="S", timezone="Asia/Shanghai", latitude=31, longitude=121,
    places={"hall": Place(id="hall", name="Hall")},
    lamps={"lamp-1": Lamp(id="lamp-1", place="hall", expected=Expected(mode="always"))},
)  # fmt: skip
PERIOD = period_of(SITE, "2026-Q4")
AFTER = PERIOD.until + 9 * DAY
SHIFT = datetime(2026, 10, 5, 22, tzinfo=UTC)


def visit(verdict: str, position: int = 1, **more: Any) -> dict[str, Any]:
    due = (SHIFT + timedelta(minutes=10 * position)).isoformat()
    return {"checkpoint": f"cp-{position}", "position": position, "due": due, "opens": due, "closes": due,
            "verdict": verdict, "revision": 1, "marks": [], "watermark": due, "person": None, **more}  # fmt: skip


def walk(*visits: dict[str, Any], name: str = "night@2026-10-05T22:00+00:00") -> dict[str, Any]:
    return {"id": name, "route": "night", "start": SHIFT.isoformat(), "visits": list(visits)}


def check(state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "captain@1",
        "kind": "planned",
        "state": state,
        "revision": 1,
        "at": SHIFT.isoformat(),
        "post": "cp",
        "checker_at": SHIFT.isoformat() if state in ("passed", "guard_absent") else None,
        **more,
    }


def order(**more: Any) -> dict[str, Any]:
    return {"id": "20261005-001", "state": "closed", "source": "rule", "reported": SHIFT.isoformat(), "urgency": "ordinary",
            "clock": "repair", "punctual": "in_time", **more}  # fmt: skip


def score(site: Site = SITE, now: int = AFTER, **basis: Any) -> ScoreDocument:
    return daily(site, PERIOD, Basis(**basis), now)


def some(**basis: Any) -> ScoreDocument:
    """Of a period of which something is known: one visit on time."""
    return score(**basis | {"rounds": [walk(visit("on_time"), name="night@0"), *basis.get("rounds", ())]})


def lost(document: ScoreDocument) -> dict[str, float]:
    return {item.id: item.lost for item in document.items if item.lost}


def keys(document: ScoreDocument) -> list[str]:
    return [deduction.key for item in document.items for deduction in item.deductions]


def rows(*states: tuple[int, str, str]) -> list[Condition]:
    """A lamp always due, and one camera: (hours since the period began, kind, state)."""
    begin = PERIOD.since
    seat = '{"place":"hall","circuit":null,"expected":{"mode":"always"}}'
    found = [
        Condition(begin - HOUR, begin - HOUR, "gateway", "", "up", ""),
        Condition(begin - HOUR, begin - HOUR, "seat", "lamp-1", "always", seat),
        Condition(begin - HOUR, begin - HOUR, "lamp", "lamp-1", "ok", ""),
        Condition(begin - HOUR, begin - HOUR, "camera", "cam-1", "seeing", ""),
    ]
    for hours, kind, state in states:
        at = begin + hours * HOUR
        found.append(Condition(at, at, kind, "lamp-1" if kind == "lamp" else "cam-1", state, ""))
    return found


def timeline(*states: tuple[int, str, str]) -> Timeline:
    return Timeline(rows(*states), PERIOD.since, PERIOD.until)


WHOLE = (PERIOD.until - PERIOD.since) // HOUR


def test_a_quarter_of_which_nothing_is_known_has_no_score_and_has_lost_nothing():
    document = score()
    assert (document.score, lost(document), document.settled) == (None, {}, True)
    assert document.rests_on.unavailable == ("conditions",)
    assert score(timeline=timeline()).score == 100.0
    assert score(timeline=timeline(), now=PERIOD.since).score is None, "it has not begun"


def test_a_missed_point_names_its_visit_and_revision_and_who_walked():
    document = score(rounds=[walk(visit("on_time", person="g-he"), visit("missed", 2, revision=3))])
    assert lost(document) == {"patrol": 0.5}
    [deduction] = document.items[0].deductions
    assert deduction.key == "visit_missed/night@2026-10-05T22:00+00:00/2"
    assert (deduction.evidence.id, deduction.evidence.revision) == ("night@2026-10-05T22:00+00:00", 3)
    assert deduction.evidence.facts["watermark"] is not None
    assert deduction.persons == ("g-he",)
    assert (document.rests_on.visits, document.rests_on.rounds) == (2, 1)


@pytest.mark.parametrize("verdict", ["on_time", "unverifiable", "pending", "skipped"])
def test_what_is_not_known_to_be_bad_costs_nothing(verdict):
    document = score(rounds=[walk(visit(verdict), visit("on_time", 2))])
    assert document.score == 100.0
    assert document.rests_on.visits_unverifiable == (verdict == "unverifiable")


@pytest.mark.parametrize("verdict", ["late", "early", "skipped"])
def test_who_walks_what_nobody_has_to_walk_does_not_fare_worse_than_who_leaves_it_out(verdict):
    night = Route(id="night", visits=(Planned(checkpoint="cp-1", optional=True), Planned(checkpoint="cp-2")))
    site = msgspec.structs.replace(SITE, routes={"night": night})
    assert score(site, rounds=[walk(visit(verdict, person="g-he"), visit("on_time", 2))]).score == 100.0
    assert score(site, rounds=[walk(visit("on_time"), visit("late", 2))]).score < 100.0, "this one has to be walked"


def test_late_evidence_that_withdraws_a_missed_point_withdraws_its_deduction():
    before = score(rounds=[walk(visit("missed"))])
    after = score(rounds=[walk(visit("on_time", revision=2, person="g-he"))])
    assert (before.score, after.score) == (99.5, 100.0)
    assert before.digest != after.digest


def test_an_item_loses_its_weight_at_most():
    document = score(rounds=[walk(*(visit("missed", position) for position in range(1, 200)))])
    assert lost(document) == {"patrol": 25.0}
    assert len(document.items[0].deductions) == 199


def test_duty_checks_and_findings():
    finding = {
        "number": 1,
        "code": "asleep",
        "at": SHIFT.isoformat(),
        "by": "li",
        "person": "g-he",
        "words": "at the desk",
    }
    uniform = finding | {"number": 2, "code": "incomplete_uniform"}
    gone = finding | {"number": 3, "withdrawn": "his break"}
    document = score(checks=[
        check("guard_absent", on_duty=["g-he"]), check("checker_missed", id="captain@2"), check("unverifiable", id="captain@3"),
        check("passed", id="captain@4", findings=[finding, uniform, gone]), {"kind": "plan", "id": "plan"},
    ])  # fmt: skip
    assert lost(document) == {"duty": 6.0}
    assert keys(document) == [
        "checker_missed/captain@2", "duty_finding/captain@4/1", "duty_finding/captain@4/2", "guard_absent/captain@1",
    ]  # fmt: skip
    assert (document.rests_on.duty_checks, document.rests_on.duty_checks_unverifiable) == (4, 1)


def test_the_absence_of_a_guard_is_not_charged_to_another_who_was_on_his_round():
    absent = check("guard_absent", on_duty=["g-he", "g-wu"], elsewhere=["g-wu"])
    [deduction] = [each for item in score(checks=[absent]).items for each in item.deductions]
    assert deduction.persons == ("g-he",)


def test_work_orders():
    reported = SHIFT.isoformat()
    late = {
        "punctual": "late",
        "clock": "arrival",
        "urgency": "emergency",
        "due": (SHIFT + timedelta(minutes=30)).isoformat(),
    }
    document = score(orders=[
        order(id="1", **late, arrival={"at": (SHIFT + timedelta(minutes=60)).isoformat()}, assignee="m-liu"),
        order(id="2", **late, arrival={"at": (SHIFT + timedelta(minutes=60, seconds=1)).isoformat()}),
        order(id="3", punctual="late"), order(id="4", reworked=True),
        order(id="5", source="report", follow_ups=[]),
        order(id="6", source="report", follow_ups=[{"content": None, "at": reported}]),
        order(id="7", **late, excused=True), order(id="8", **late, state="cancelled"), order(id="9", **late, fault="disproved"),
        order(id="10", punctual="unknown", clock="arrival"), order(id="11", punctual="running", state="assigned"),
    ])  # fmt: skip
    assert keys(document) == ["arrival_late/1", "arrival_very_late/2", "no_follow_up/5", "repair_late/3", "rework/4"]
    assert lost(document) == {"repairs": pytest.approx(0.3 + 0.5 + 0.3 + 0.3 + 0.5)}
    assert document.rests_on.work_orders == 10


def asked_for(**more: Any) -> dict[str, Any]:
    return (
        order(state="repaired", source="report", assignee="m-liu", follow_up_due=SHIFT.isoformat(), follow_ups=[])
        | more
    )


@pytest.mark.parametrize(("hours", "lost"), [(24, []), (25, ["no_follow_up/20261005-001"])])
def test_a_report_that_nobody_asked_about_a_day_after_it_was_due_costs_points(hours, lost):
    assert keys(score(orders=[asked_for()], now=instant(SHIFT) + hours * HOUR)) == lost


def test_what_nobody_asked_about_concerns_the_desk_and_not_who_mended_it():
    (found,) = [each for item in score(orders=[asked_for()]).items for each in item.deductions]
    assert (found.kind, found.persons) == ("no_follow_up", ())


def test_a_follow_up_though_late_or_in_vain_costs_nothing():
    asked = {"at": (SHIFT + timedelta(days=9)).isoformat(), "by": "u-1", "content": None}
    assert keys(score(orders=[asked_for(follow_ups=[asked])])) == []


@pytest.mark.parametrize(("person", "concerned"), [("m-liu", ("m-liu",)), (None, ())])
def test_a_lateness_concerns_whoever_was_sent_when_it_fell_due(person, concerned):
    due = SHIFT + timedelta(minutes=30)
    late = order(
        punctual="late", clock="repair", urgency="ordinary", assignee="g-wang", due=(SHIFT + timedelta(days=1)).isoformat(),
        lateness={"step": "arrival", "due": due.isoformat(), "done": (due + timedelta(minutes=31)).isoformat(), "person": person},
    )  # fmt: skip
    (lost,) = [each for item in score(orders=[late]).items for each in item.deductions]
    assert (lost.kind, lost.persons) == ("arrival_very_late", concerned)
    assert (lost.evidence.facts["clock"], lost.evidence.facts["due"]) == ("arrival", due.isoformat())


@pytest.mark.parametrize(("minutes", "kind"), [(35, "arrival_late"), (60, "arrival_late"), (61, "arrival_very_late")])
def test_how_late_somebody_came_is_counted_from_when_the_clock_began(minutes, kind):
    raised = SHIFT + timedelta(hours=8)
    late = order(
        punctual="late", clock="arrival", urgency="emergency", source="rule",
        due=(raised + timedelta(minutes=30)).isoformat(), arrival={"at": (raised + timedelta(minutes=minutes)).isoformat()},
    )  # fmt: skip
    assert keys(score(orders=[late])) == [f"{kind}/20261005-001"]


def test_lights_cost_by_percent_below_the_target_and_name_lamp_and_stretch():
    document = score(timeline=timeline((0, "lamp", "faulty"), (WHOLE // 10, "lamp", "ok")))
    [deduction] = next(item for item in document.items if item.id == "lighting").deductions
    assert 4.9 < deduction.points <= 5.0, "10 % of the hours are faulty, 5 % below the target"
    assert deduction.evidence.id == "lamp-1"
    [(first, last)] = deduction.evidence.stretches
    assert (instant(first), instant(last)) == (PERIOD.since, PERIOD.since + WHOLE // 10 * HOUR)


def test_at_the_target_nothing_is_lost():
    assert score(timeline=timeline((0, "lamp", "faulty"), (WHOLE // 20, "lamp", "ok"))).score == 100.0


def test_what_is_unknown_of_lamps_and_cameras_counts_as_good():
    known = score(timeline=timeline((0, "lamp", "faulty"), (WHOLE // 25, "lamp", "ok")))
    unknown = score(timeline=timeline((0, "lamp", "faulty"), (WHOLE // 25, "lamp", "unknown")))
    assert known.score == unknown.score == 100.0, (
        "of the hours that are known all are faulty, and yet 4 % of the hours due"
    )
    assert unknown.rests_on.lamp_hours_unknown > 0
    assert score(timeline=timeline((0, "camera", "unknown"))).score == 100.0
    assert score(timeline=timeline((0, "camera", "lost"))).score == 85.0


def mark(**more: Any) -> Mark:
    said = {
        "id": "mark-1",
        "part": "daily",
        "item": "inspection",
        "points": 2.5,
        "at": SHIFT,
        "words": "no log",
        "by": "chen",
    }
    return Mark(**(said | more))


def test_an_inspection_by_a_person_costs_what_he_said_unless_withdrawn():
    assert lost(score(marks=[mark()])) == {"inspection": 2.5}
    assert some(marks=[mark(withdrawn="mistaken")]).score == 100.0
    assert some(marks=[mark(item="gone")]).score == 100.0
    assert some(marks=[mark(part="year_end", item="records")]).score == 100.0


def appeal(state: str, key: str = "visit_missed/night@2026-10-05T22:00+00:00/1", **more: Any) -> Appeal:
    said = {
        "id": "appeal-1",
        "key": key,
        "period": "2026-Q4",
        "points": 0.5,
        "by": "he",
        "at": SHIFT,
        "why": "was there",
        "state": state,
    }
    return Appeal(**(said | more))


def test_an_accepted_appeal_cancels_the_deduction_and_both_stay():
    rounds = [walk(visit("missed"))]
    for state, points in (("open", 99.5), ("rejected", 99.5), ("withdrawn", 99.5), ("accepted", 100.0)):
        document = score(rounds=rounds, appeals=[appeal(state)])
        [deduction] = document.items[0].deductions
        assert (document.score, deduction.appeal, deduction.points) == (points, "appeal-1", 0.5)
        assert deduction.state == ("cancelled" if state == "accepted" else "counted")


def test_the_sites_own_table_decides():
    site = msgspec.structs.replace(
        SITE,
        scores=Scores(
            items=(
                ScoreItem(id="all", name="All", weight=100_000, points={"visit_missed": 40_000, "finding_smoking": 7}),
            )
        ),
    )
    smoking = {"number": 1, "code": "smoking", "at": SHIFT.isoformat(), "by": "li"}
    document = score(
        site, rounds=[walk(visit("missed"), visit("late", 2))], checks=[check("passed", findings=[smoking])]
    )
    assert (document.score, len(keys(document))) == (59.993, 2)


# -- years -------------------------------------------------------------------------------------------------------------

YEAR = period_of(SITE, "2026")


def quarter(number: int, rounds: list[Any], now: int = AFTER) -> ScoreDocument:
    return daily(SITE, period_of(SITE, f"2026-Q{number}"), Basis(rounds=rounds, timeline=None), now)


def test_a_year_is_60_of_the_quarters_mean_and_40_of_the_year_end():
    bad = [walk(*(visit("missed", position) for position in range(1, 200)))]
    good = [walk(visit("on_time"))]
    quarters = [quarter(1, good), quarter(2, bad), quarter(3, []), quarter(4, good)]
    marks = [mark(part="year_end", item="records", points=10.0)]
    document = year(SITE, YEAR, quarters, marks, (), AFTER, closed=True)
    assert [each.period for each in document.quarters] == ["2026-Q1", "2026-Q2", "2026-Q4"], (
        "nothing is known of the third"
    )
    assert document.daily == pytest.approx((100 + 75 + 100) / 3, abs=0.001)
    assert document.year_end == 90.0
    assert document.score == 91.0


def test_a_year_has_no_score_before_its_year_end_is_closed():
    document = year(SITE, YEAR, [quarter(1, [walk(visit("on_time"))])], (), (), AFTER, closed=False)
    assert (document.score, document.year_end, document.daily) == (None, None, 100.0)


# -- what must always hold ---------------------------------------------------------------------------------------------

_verdicts = st.sampled_from(["on_time", "late", "early", "missed", "unverifiable", "pending"])
_rounds = st.lists(st.lists(st.tuples(_verdicts, st.sampled_from([None, "g-he", "g-wu"])), max_size=4), max_size=5).map(
    lambda walks: [
        walk(
            *(visit(verdict, n, person=person) for n, (verdict, person) in enumerate(visits, 1)), name=f"night@{index}"
        )
        for index, visits in enumerate(walks)
    ]
)
_checks = st.lists(
    st.sampled_from(["passed", "guard_absent", "checker_missed", "unverifiable", "due"]), max_size=5
).map(lambda states: [check(state, id=f"captain@{index}") for index, state in enumerate(states)])
_orders = st.lists(
    st.tuples(
        st.sampled_from(["late", "in_time", "unknown", "running"]),
        st.sampled_from(["arrival", "repair"]),
        st.booleans(),
    ),
    max_size=4,
).map(
    lambda kinds: [
        order(id=str(index), punctual=punctual, clock=clock, reworked=rework)
        for index, (punctual, clock, rework) in enumerate(kinds)
    ]
)
_states = st.lists(
    st.tuples(st.integers(0, WHOLE), st.sampled_from(["lamp", "camera"]), st.sampled_from(["good", "bad", "unknown"])),
    max_size=8,
).map(
    lambda states: [
        (
            hours,
            kind,
            {"good": {"lamp": "ok", "camera": "seeing"}, "bad": {"lamp": "faulty", "camera": "lost"}}.get(
                state, {}
            ).get(kind, "unknown"),
        )
        for hours, kind, state in sorted(states)
    ]
)


@given(_rounds, _checks, _orders, st.randoms())
def test_the_order_of_evidence_does_not_matter(rounds, checks, orders, random):
    before = some(rounds=rounds, checks=checks, orders=orders)
    for each in (rounds, checks, orders):
        random.shuffle(each)
    for each in rounds:
        random.shuffle(each["visits"])
    assert some(rounds=rounds, checks=checks, orders=orders) == before


@given(_rounds, _checks, _orders, st.data())
def test_making_anything_unverifiable_never_lowers_the_score(rounds, checks, orders, data):
    before = some(rounds=rounds, checks=checks, orders=orders)
    rounds, checks, orders = copy.deepcopy((rounds, checks, orders))
    things = [*(each for dated in rounds for each in dated["visits"]), *checks, *orders]
    for each in things:
        if data.draw(st.booleans()):
            if "verdict" in each:
                each["verdict"] = "unverifiable"
            elif "punctual" in each:
                each["punctual"] = "unknown"
            else:
                each["state"] = "unverifiable"
    assert some(rounds=rounds, checks=checks, orders=orders).score >= before.score


@settings(deadline=None)
@given(_states, st.data())
def test_making_any_stretch_unknown_never_lowers_the_score(states, data):
    """Also a good one: of the hours that are left more would be faulty."""
    before = score(timeline=timeline(*states))
    doubted = [(hours, kind, "unknown" if data.draw(st.booleans()) else state) for hours, kind, state in states]
    after = score(timeline=timeline(*doubted))
    assert after.score >= before.score
    first, last = sorted(data.draw(st.tuples(st.integers(0, WHOLE), st.integers(0, WHOLE))))
    down = [
        Condition(PERIOD.since + first * HOUR, PERIOD.since + first * HOUR, "gateway", "", "down", ""),
        Condition(PERIOD.since + last * HOUR, PERIOD.since + last * HOUR, "gateway", "", "up", ""),
    ]
    outage = Timeline([*rows(*states), *down], PERIOD.since, PERIOD.until)
    assert score(timeline=outage).score >= before.score


@given(_rounds, _checks, _orders)
def test_points_add_up_and_the_digest_is_of_what_stands_there(rounds, checks, orders):
    document = some(rounds=rounds, checks=checks, orders=orders)
    assert document.score == pytest.approx(100 - sum(item.lost for item in document.items))
    for item in document.items:
        assert item.lost == pytest.approx(min(item.weight, sum(each.points for each in item.deductions)))
    again = msgspec.json.decode(msgspec.json.encode(document), type=ScoreDocument)
    assert digest_of(again) == document.digest
    assert digest_of(msgspec.structs.replace(document, score=100.5)) != document.digest


@pytest.mark.parametrize("state", ["due", "unverifiable", "checker_missed"])
def test_what_is_said_to_have_been_seen_where_nothing_proves_that_anybody_was_there_costs_nothing(state: str) -> None:
    asleep = {"number": 1, "code": "asleep", "at": SHIFT.isoformat(), "by": "c-li", "person": None, "words": ""}
    found = some(checks=[check(state, findings=[asleep])])
    assert found.score == some(checks=[check(state)]).score
    there = some(checks=[check("passed", findings=[asleep])])
    assert there.score is not None
    assert there.score < 100
