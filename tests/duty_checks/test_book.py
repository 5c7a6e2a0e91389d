"""Duty checks with rules, alerts and time: what is told, to whom, when, and what late evidence makes of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from device_drivers import observations as seen
from gateway.alerts.lifecycle import Refused
from gateway.books import BookOperation, Entry
from gateway.duty_checks.check import DutyCheckItem, WeekPlan
from gateway.duty_checks.plan import commitment, plan_week
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, instant, moment
from gateway.judgement import Judgement
from gateway.site.model import Alerting, Checkpoint, Contact, Device, DutyCheck, Person, Place, Shift, Site

MONDAY = date(2026, 11, 23)
START = instant(datetime(2026, 11, 22, 23, tzinfo=UTC))
"""Sunday night, when last week's last check is over."""

CHECK = DutyCheck(id="captain", checkers=("c-li",), posts=("cp",), per_week=3)
SITE = Site(
    id="s",
    name="Site",
    timezone="UTC",
    language="en",
    latitude=0,
    longitude=0,
    places={"gate": Place(id="gate", name="Gate")},
    people={
        "c-li": Person(id="c-li", name="Li", roles=("captain",), tags=("00000001",), contact="li"),
        "g-he": Person(id="g-he", name="He", roles=("guard",), tags=("00000002",)),
    },
    devices={"rdr": Device(id="rdr", driver="native", kind="reader", place="gate", expect_every=MINUTE)},
    checkpoints={"cp": Checkpoint(id="cp", place="gate", reader="rdr")},
    duty_checks={"captain": CHECK},
    jitter_seed="a seed of some length",
    alerting=Alerting(
        contacts={"li": Contact(id="li", url="json://localhost"), "room": Contact(id="room", console=True)}
    ),
)
PLANNED = plan_week(SITE, CHECK, MONDAY, SITE.jitter_seed or "")
FIRST = PLANNED[0].at


class Week:
    """A site's judge; `hear` and `go` in order of time, with a reader that lives."""

    def __init__(self, site: Site = SITE, start: Instant = START, *, restart_always: bool = False) -> None:
        self.site, self.start = site, start
        self.judgement = Judgement(site, start)
        self.entries: list[Entry] = []
        self.notices = []
        self.restart_always = restart_always
        self.collect()

    def collect(self) -> None:
        outcome = self.judgement.drain()
        self.entries += outcome.entries
        self.notices += [each for each in outcome.notices if each.alert.startswith("duty_check/")]
        if self.restart_always:
            state = self.judgement.snapshot()
            self.judgement = Judgement(self.site, self.start)
            self.judgement.drain()
            self.judgement.restore(state)
            again = self.judgement.drain()
            assert not again.entries
            assert not again.notices

    def go(self, at: Instant, *, beats: bool = True) -> Week:
        """Time passes; the reader says each minute that it lives."""
        if beats:
            at_now = max(self.judgement.now, at - 5 * HOUR)
            for beat in range(at_now - at_now % MINUTE + MINUTE, at + 1, MINUTE):
                self.hear(seen.ReaderHeartbeat(device="rdr", at=moment(beat, UTC)), beat)
        self.judgement.advance(at)
        self.collect()
        return self

    def hear(self, observation: seen.Observation, received: Instant) -> None:
        self.judgement.apply(observation, received)
        self.collect()

    def tap(self, at: Instant, tag: str, received: Instant | None = None) -> Week:
        self.hear(seen.TagRead(device="rdr", at=moment(at, UTC), tag=tag), at if received is None else received)
        return self

    def restart(self, since: Instant, now: Instant) -> Week:
        self.judgement.restarted(since, now)
        self.collect()
        return self

    def operate(self, action: str, at: Instant, subject: str | None = None, why: str = "", by: str = "li", **details):
        item = self.judgement.operate(
            BookOperation(at=at, by=by, book="duty_check", action=action, subject=subject, details=details, why=why)
        )
        self.collect()
        return item

    @property
    def items(self) -> list[DutyCheckItem]:
        found = {entry.id: entry.item for entry in self.entries if isinstance(entry.item, DutyCheckItem)}
        return list(found.values())

    @property
    def plans(self) -> list[WeekPlan]:
        return [entry.item for entry in self.entries if isinstance(entry.item, WeekPlan)]

    def alerts(self) -> dict[str, str]:
        return {each.subject: each.state for each in self.judgement.alerts.alerts() if each.rule == "duty_check_missed"}


def test_a_week_is_committed_to_before_it_begins_and_opened_when_it_is_over():
    week = Week().go(START, beats=False)
    assert [(plan.week, plan.state, plan.owed) for plan in week.plans if plan.week == "2026-W48"] == [
        ("2026-W48", "committed", 3)
    ]
    [committed] = [plan for plan in week.plans if plan.week == "2026-W48"]
    assert committed.published < moment(FIRST, UTC)
    week.go(instant(datetime(2026, 11, 30, 7, tzinfo=UTC)), beats=False)
    [revealed] = [plan for plan in week.plans if plan.week == "2026-W48" and plan.state == "revealed"]
    assert revealed.opened is not None
    assert commitment(revealed.opened) == committed.commitment
    assert [at for at, _ in revealed.opened.moments] == [moment(each.at, UTC).isoformat() for each in PLANNED]


def test_nothing_but_the_hash_leaves_before_the_moment_and_only_the_checker_is_told_shortly_before():
    week = Week().go(FIRST - 10 * MINUTE - 1)
    assert week.items == []
    assert week.notices == []
    assert b'opened":null' in msgspec.json.encode(week.plans[-1])
    week.go(FIRST - 1)
    assert week.items == []
    [notice] = week.notices
    assert (notice.contact, notice.due) == ("li", FIRST - 10 * MINUTE)
    assert "Gate" in notice.body
    week.go(FIRST)
    assert [(item.state, instant(item.at), item.told) for item in week.items] == [("due", FIRST, True)]


def test_checker_and_guard_tap_and_the_check_is_passed():
    week = Week().go(FIRST + MINUTE)
    week.tap(FIRST + 2 * MINUTE, "00000001").tap(FIRST + 4 * MINUTE, "00000002").go(FIRST + 6 * MINUTE)
    [item] = week.items
    assert (item.state, item.checker, item.guard, item.revision) == ("passed", "c-li", "g-he", 1)
    assert week.alerts() == {}


def test_a_guard_on_his_round_is_shown_so_also_by_a_tap_that_comes_late():
    other = Device(id="rdr-2", driver="native", kind="reader", place="gate", expect_every=MINUTE)
    checkpoints = SITE.checkpoints | {"cp-2": Checkpoint(id="cp-2", place="gate", reader="rdr-2")}
    devices = SITE.devices | {other.id: other}
    week = Week(msgspec.structs.replace(SITE, devices=devices, checkpoints=checkpoints)).go(FIRST)
    week.tap(FIRST, "00000001").go(FIRST + HOUR)
    assert week.items[0].state == "guard_absent"
    tapped = moment(FIRST + 2 * MINUTE, UTC)
    week.hear(seen.TagRead(device="rdr-2", at=tapped, tag="00000002"), week.judgement.now)
    week.go(FIRST + HOUR + MINUTE)
    [item] = week.items
    assert (item.state, item.cause, item.elsewhere, item.revision) == ("unverifiable", "on_round", ("g-he",), 2)


def test_whoever_stands_in_is_on_duty_and_not_whom_he_stands_in_for():
    zhou = Person(id="m-zhou", name="Zhou", roles=("operator",), tags=("00000004",))
    shift = Shift(id="n", since=time(20), until=time(8), rotation=(("g-he",),), first=date(2026, 1, 1))
    week = Week(msgspec.structs.replace(SITE, people=SITE.people | {zhou.id: zhou}, shifts={"n": shift}))
    week.go(FIRST - 2 * HOUR)
    day = (moment(FIRST, UTC) - timedelta(hours=12)).date()
    details = {"shift": "n", "date": day.isoformat(), "away": "g-he", "instead": zhou.id}
    week.judgement.operate(
        BookOperation(at=week.judgement.now, by="op", book="duty", action="create", details=details, why="ill")
    )
    week.collect()
    week.go(FIRST + MINUTE)
    week.tap(FIRST + MINUTE, "00000001")
    week.go(FIRST + 2 * MINUTE)
    week.tap(FIRST + 2 * MINUTE, "00000004")
    week.go(FIRST + HOUR)
    assert (week.items[0].state, week.items[0].guard, week.items[0].on_duty) == ("passed", "m-zhou", ("m-zhou",))


def test_a_stand_in_who_is_named_only_after_the_check_was_on_duty_and_whom_he_stood_in_for_was_not():
    zhou = Person(id="m-zhou", name="Zhou", roles=("operator",), tags=("00000004",))
    shift = Shift(id="n", since=time(20), until=time(8), rotation=(("g-he",),), first=date(2026, 1, 1))
    site = msgspec.structs.replace(SITE, people=SITE.people | {zhou.id: zhou}, shifts={"n": shift})
    week = Week(site, restart_always=True).go(FIRST)
    week.tap(FIRST + MINUTE, "00000001").tap(FIRST + 2 * MINUTE, "00000004").go(FIRST + 40 * MINUTE)
    assert (week.items[0].state, week.items[0].on_duty) == ("guard_absent", ("g-he",))
    day = (moment(FIRST, UTC) - timedelta(hours=12)).date()
    swap = {"shift": "n", "date": day.isoformat(), "away": "g-he", "instead": zhou.id}

    def agree(action: str, subject: str | None = None, **details: str) -> str:
        at = week.judgement.now
        said = BookOperation(at=at, by="op", book="duty", action=action, subject=subject, details=details, why="ill")
        return week.judgement.operate(said).id

    agreed = agree("create", **swap)
    week.go(FIRST + 2 * HOUR)
    assert (week.items[0].state, week.items[0].guard, week.items[0].on_duty) == ("passed", "m-zhou", ("m-zhou",))
    agree("cancel", agreed)
    week.go(FIRST + 4 * HOUR)
    assert (week.items[0].state, week.items[0].on_duty) == ("guard_absent", ("g-he",))
    agree("create", **swap)
    week.go(FIRST + 40 * HOUR)
    assert (week.items[0].state, week.items[0].on_duty) == ("passed", ("m-zhou",)), (
        "the shift is over, the swap was true"
    )


def test_a_check_that_was_not_made_is_an_alert_to_the_manager():
    week = Week().go(FIRST + 3 * HOUR)
    [item] = week.items
    assert item.state == "checker_missed"
    assert week.alerts() == {item.id: "open"}
    [alert] = [each for each in week.judgement.alerts.alerts() if each.rule == "duty_check_missed"]
    assert alert.raised == item.closes
    assert alert.place == "gate"


def test_a_silent_reader_makes_it_unverifiable_and_no_alert():
    week = Week().go(FIRST + 5 * MINUTE).go(FIRST + 3 * HOUR, beats=False)
    [item] = week.items
    assert (item.state, item.cause) == ("unverifiable", "reader_gap")
    assert week.alerts() == {}


def test_a_guards_tap_handed_over_late_withdraws_his_absence():
    site = msgspec.structs.replace(
        SITE,
        devices={
            **SITE.devices,
            "wand": Device(id="wand", driver="native", kind="wand", portable=True),
        },
        checkpoints={"cp": Checkpoint(id="cp", place="gate", reader="rdr", tags=("0000000A",))},
    )
    week = Week(site).go(FIRST + MINUTE).tap(FIRST + 2 * MINUTE, "00000001").go(FIRST + 2 * HOUR)
    assert week.items[0].state == "guard_absent", "no wand was ever heard, so none is a witness"
    log_in = seen.TagRead(device="wand", at=moment(FIRST - HOUR, UTC), tag="00000002")
    read = seen.TagRead(device="wand", at=moment(FIRST + 3 * MINUTE, UTC), tag="0000000A")
    week.hear(log_in, FIRST + 2 * HOUR)
    week.hear(read, FIRST + 2 * HOUR)
    end = seen.SyncEnd(device="wand", at=moment(FIRST + 2 * HOUR, UTC), complete_to=moment(FIRST + 2 * HOUR, UTC))
    week.hear(end, FIRST + 2 * HOUR)
    week.go(FIRST + 2 * HOUR + MINUTE)
    assert (week.items[0].state, week.items[0].guard, week.items[0].revision) == ("passed", "g-he", 2)


def test_a_missed_check_that_late_evidence_disproves_is_retracted():
    week = Week().go(FIRST + 2 * HOUR)
    assert list(week.alerts().values()) == ["open"]
    week.tap(FIRST + 2 * MINUTE, "00000001", received=FIRST + 2 * HOUR)
    week.tap(FIRST + 3 * MINUTE, "00000002", received=FIRST + 2 * HOUR)
    week.go(FIRST + 2 * HOUR + MINUTE)
    assert week.items[0].state == "passed"
    assert list(week.alerts().values()) == ["retracted"]


def test_while_the_gateway_was_down_nobody_could_be_told_and_nobody_is_accused():
    week = Week().go(FIRST - HOUR)
    week.restart(FIRST - HOUR, FIRST + 4 * HOUR).go(FIRST + 6 * HOUR)
    [item] = week.items
    assert (item.state, item.told) == ("unverifiable", False)
    assert week.notices == []
    assert week.alerts() == {}


def test_back_before_the_moment_the_checker_is_still_told():
    week = Week().go(FIRST - HOUR)
    week.restart(FIRST - HOUR, FIRST - 2 * MINUTE)
    assert [notice.due for notice in week.notices] == [FIRST - 2 * MINUTE]
    week.go(FIRST)
    assert week.items[0].told


def test_an_extra_check_begun_by_hand_takes_taps_from_just_before():
    at = START + HOUR
    week = Week(start=START).go(at - 5 * MINUTE)
    week.tap(at - 4 * MINUTE, "00000001").tap(at - 3 * MINUTE, "00000002").go(at)
    item = week.operate("extra", at, check="captain", post="cp")
    assert (item.kind, item.state) == ("extra", "due")
    week.go(at + 10 * MINUTE)
    assert week.items[0].state == "passed"


def test_findings_are_kept_with_words_and_withdrawn_with_a_reason():
    week = Week().go(FIRST + MINUTE)
    name = week.items[0].id
    item = week.operate("finding", FIRST + MINUTE, name, code="asleep", person="g-he", words="at the desk")
    assert [(each.number, each.code, each.person, each.withdrawn) for each in item.findings] == [
        (1, "asleep", "g-he", None)
    ]
    for wrong in ({"code": "flying"}, {"code": "asleep", "person": "g-who"}, {"code": "other"}, {"code": 3}):
        with pytest.raises(Refused):
            week.operate("finding", FIRST + MINUTE, name, **wrong)
    with pytest.raises(Refused):
        week.operate("withdraw", FIRST + MINUTE, name, number=1)
    item = week.operate("withdraw", FIRST + MINUTE, name, "it was his break", number=1)
    assert item.findings[0].withdrawn == "it was his break"
    with pytest.raises(Refused):
        week.operate("withdraw", FIRST + MINUTE, name, "again", number=1)
    assert week.entries[-1].why == "it was his break"


def test_a_check_takes_findings_for_eight_days():
    week = Week().go(FIRST)
    name = week.items[0].id
    week.go(instant(week.items[0].closes) + 8 * DAY, beats=False)
    with pytest.raises(Refused):
        week.operate("finding", week.judgement.now, name, code="asleep")


def test_a_first_start_in_the_middle_of_a_week_owes_only_what_is_to_come():
    week = Week(start=PLANNED[1].at).go(PLANNED[1].at, beats=False)
    plan = week.plans[0]
    assert (plan.week, plan.owed) == ("2026-W48", 1)


def test_a_check_after_midnight_counts_for_the_week_in_which_its_night_began():
    def plan(number: int):
        return plan_week(every_night, every_night.duty_checks["captain"], MONDAY, f"seed {number} of some length")

    every_night = replace(SITE, duty_checks={"captain": replace(CHECK, per_week=7)})
    number = next(each for each in range(100) if moment(plan(each)[-1].at, UTC).date() == MONDAY + timedelta(days=7))
    last = plan(number)[-1].at
    week = Week(replace(every_night, jitter_seed=f"seed {number} of some length")).go(last)
    assert week.items[-1].at == moment(last, UTC)
    assert week.items[-1].week == "2026-W48"
    extra = week.operate("extra", last + MINUTE, check="captain", post="cp")
    assert extra.week == "2026-W48"
    by_day = week.go(last + 12 * HOUR).operate("extra", last + 12 * HOUR, check="captain", post="cp")
    assert by_day.week == "2026-W49"


def test_a_check_at_a_post_that_the_site_has_no_more_is_not_owed():
    two = replace(
        SITE,
        checkpoints={
            name: Checkpoint(
                id=name, place="gate", reader="rdr" if name == "cp" else None, tags=("04A1",) if name != "cp" else ()
            )
            for name in ("cp", "cp-2")
        },
        duty_checks={"captain": replace(CHECK, posts=("cp", "cp-2"))},
    )
    planned = plan_week(two, two.duty_checks["captain"], MONDAY, two.jitter_seed or "")
    gone = sum(each.post == "cp-2" for each in planned)
    assert 0 < gone < 3
    week = Week(two).go(START, beats=False)
    state = week.judgement.snapshot()
    week.site = SITE
    week.judgement = Judgement(SITE, START)
    week.judgement.drain()
    week.judgement.restore(state)
    week.go(instant(datetime(2026, 11, 30, 7, tzinfo=UTC)), beats=False)
    [revealed] = [plan for plan in week.plans if plan.week == "2026-W48" and plan.state == "revealed"]
    assert revealed.owed == 3 - gone


def test_without_the_seed_nothing_is_planned_and_extra_checks_still_work():
    week = Week(msgspec.structs.replace(SITE, jitter_seed=None)).go(FIRST + HOUR)
    assert week.entries == []
    assert week.operate("extra", FIRST + HOUR, check="captain", post="cp").state == "due"


def test_a_check_that_the_site_no_longer_has_is_dropped_and_its_alert_ends():
    week = Week().go(FIRST + 3 * HOUR)
    state = week.judgement.snapshot()
    other = msgspec.structs.replace(SITE, duty_checks={"manager": msgspec.structs.replace(CHECK, id="manager")})
    judgement = Judgement(other, START)
    judgement.drain()
    judgement.restore(state)
    judgement.advance(judgement.now + SECOND)
    assert {each.state for each in judgement.alerts.alerts() if each.rule == "duty_check_missed"} == {"resolved"}
    plans = [entry.item.check for entry in judgement.drain().entries if isinstance(entry.item, WeekPlan)]
    assert plans == ["manager"]


def test_where_the_site_has_no_checks_any_more_the_alert_of_the_last_one_ends_too():
    week = Week().go(FIRST + 3 * HOUR)
    assert set(week.alerts().values()) == {"open"}
    week.site = msgspec.structs.replace(SITE, duty_checks={})
    state = week.judgement.snapshot()
    week.judgement = Judgement(week.site, START)
    week.judgement.restore(state)
    week.collect()
    assert set(week.alerts().values()) == {"resolved"}
    assert [each.history[-1].why for each in week.judgement.alerts.alerts()] == ["removed"]
    checks = (week.items, week.plans)
    week.go(FIRST + 30 * HOUR)
    assert (week.items, week.plans) == checks
    with pytest.raises(Refused, match="no duty check"):
        week.operate("extra", week.judgement.now, check="captain", post="cp")


def test_checks_that_the_site_has_only_after_weeks_without_any_are_planned_from_then_on():
    week = Week(msgspec.structs.replace(SITE, duty_checks={}))
    week.go(FIRST + 21 * DAY)
    state = week.judgement.snapshot()
    week.site, before = SITE, week.judgement.now
    week.judgement = Judgement(SITE, START)
    week.judgement.restore(state)
    week.go(before + 8 * DAY)
    assert week.plans
    assert all(instant(plan.published) >= before for plan in week.plans)
    assert all(instant(item.at) >= before for item in week.items)


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("go"), st.integers(1, 40), st.none()),
        st.tuples(st.just("tap"), st.integers(1, 10), st.sampled_from(["00000001", "00000002", "00000009"])),
        st.tuples(st.just("extra"), st.integers(1, 10), st.none()),
        st.tuples(st.just("restart"), st.integers(1, 90), st.none()),
    ),
    max_size=12,
)


def _run(steps, *, restart_always: bool, beats: bool = True) -> Week:
    week = Week(restart_always=restart_always)
    week.go(FIRST - 20 * MINUTE)
    at = week.judgement.now
    for what, minutes, tag in steps:
        at += minutes * MINUTE
        match what:
            case "go":
                week.go(at, beats=beats)
            case "tap":
                week.go(at, beats=beats)
                week.tap(at, tag)
            case "extra":
                week.go(at, beats=beats)
                week.operate("extra", at, check="captain", post="cp")
            case "restart":
                week.restart(week.judgement.now, at)
    return week.go(max(at, FIRST) + 4 * HOUR, beats=beats)


@settings(max_examples=25, deadline=None)
@given(_steps)
def test_a_snapshot_taken_anywhere_changes_nothing(steps):
    whole, broken = _run(steps, restart_always=False), _run(steps, restart_always=True)
    assert whole.entries == broken.entries
    assert whole.notices == broken.notices
    assert whole.alerts() == broken.alerts()


@settings(max_examples=25, deadline=None)
@given(_steps)
def test_without_a_living_reader_nobody_is_accused(steps):
    week = _run(steps, restart_always=False, beats=False)
    # A tap is a sign of life too: only where two lie within 3 min is anything known.
    assert all(item.state != "checker_missed" for item in week.items)


def test_one_late_call_gives_the_same_as_many_punctual_ones():
    late, punctual = Week(), Week()
    end = FIRST + 2 * DAY
    late.go(end, beats=False)
    for at in range(START, end, 37 * MINUTE):
        punctual.go(at, beats=False)
    punctual.go(end, beats=False)
    assert late.entries == punctual.entries
    assert timedelta(0) <= moment(end, UTC) - late.items[0].at


_evidence = st.lists(st.tuples(st.integers(-15, 45), st.sampled_from(["00000001", "00000002", "00000009"])), max_size=5)


@settings(max_examples=40, deadline=None)
@given(_evidence, st.integers(0, 50), st.randoms())
def test_the_order_in_which_evidence_comes_does_not_matter(taps, known_to, random):
    """Numbered records of a reader, handed over late in any order, repeated: the same outcome as told in time."""
    numbered = [
        seen.TagRead(device="rdr", at=moment(FIRST + at * MINUTE, UTC), tag=tag, boot="b", seq=number)
        for number, (at, tag) in enumerate(sorted(taps), 1)
    ]
    end = seen.ReaderHeartbeat(
        device="rdr",
        at=moment(FIRST + known_to * MINUTE, UTC),
        boot="b",
        seq=len(numbered) + 1,
        last_seq=len(numbered) + 1,
    )
    first = seen.ReaderHeartbeat(device="rdr", at=moment(FIRST - HOUR, UTC), boot="b", seq=0, last_seq=0)
    states = []
    for shuffled in (False, True):
        week = Week().go(FIRST + 2 * HOUR, beats=False)
        records = [first, *numbered, end]
        if shuffled:
            records += records[1:3]
            random.shuffle(records)
        for number, record in enumerate(records):
            week.hear(record, FIRST + 2 * HOUR + number * SECOND)
        week.go(FIRST + 5 * HOUR, beats=False)
        [item] = [each for each in week.items if instant(each.at) == FIRST]
        states.append(msgspec.structs.replace(item, revision=0, evidence=()))
    assert states[0] == states[1]
