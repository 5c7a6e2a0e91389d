"""Quiet hours, limits, and what is not told at all (gateway/outbox/README.md, Notices)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.instants import HOUR, MINUTE, SECOND, Instant, instant
from gateway.outbox.about import About
from gateway.outbox.limits import plan, quiet_until
from gateway.outbox.source import DueNotice
from gateway.site.model import Contact, Severity

ZONE = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
QUIET = Contact(id="captain", quiet=(time(22), time(7)))
LIMITED = Contact(id="captain", at_most=2)


def local(day: int, hour: int, minute: int = 0) -> Instant:
    return instant(datetime(2026, 11, day, hour, minute, tzinfo=ZONE))


def notice(severity: Severity | None, number: int = 1, kind: str = "raised", **more: object) -> DueNotice:
    at = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    then = None
    if severity is not None:
        then = About(
            id=f"r/s/{number}",
            rule="r",
            subject="s",
            severity=severity,
            state="open",
            raised=at,
            detected=at,
            updated=at,
            message="m",
        )
    return DueNotice(number, f"k{number}", "captain", f"r/s/{number}", kind, "t", "b", instant(at), about=then, **more)


@pytest.mark.parametrize("severity", ["minor", "warning"])
def test_at_night_minor_alerts_wait_until_the_morning(severity):
    made = plan([notice(severity)], QUIET, ZONE, local(22, 23))
    assert made.send == []
    assert [(until, why) for _, until, why in made.hold] == [(local(23, 7), "quiet")]
    assert plan([notice(severity)], QUIET, ZONE, local(23, 7)).send == [notice(severity)]


@pytest.mark.parametrize("severity", ["critical", "major", None])
def test_at_night_major_alerts_and_reports_do_not_wait(severity):
    assert plan([notice(severity)], QUIET, ZONE, local(22, 23)).send == [notice(severity)]


def test_a_minor_alert_of_the_night_is_not_told_in_the_morning_if_it_is_over():
    raised = notice("minor", 1, held="quiet", ended=True)
    ended = notice("minor", 2, "resolved", held="quiet")
    assert [(each.id, why) for each, why in plan([raised, ended], QUIET, ZONE, local(23, 7)).drop] == [
        (1, "over"),
        (2, "never_told"),
    ]


def test_the_end_of_what_was_told_before_the_night_is_told_in_the_morning():
    ended = notice("minor", 2, "resolved", held="quiet", told=True)
    assert plan([ended], QUIET, ZONE, local(23, 7)).send == [ended]


@pytest.mark.parametrize("severity", ["minor", "major", "critical"])
def test_what_was_withdrawn_before_anybody_was_told_is_told_to_nobody(severity):
    raised = notice(severity, 1, ended=True, withdrawn=True)
    withdrawn = notice(severity, 2, "retracted", coming=True)
    made = plan([raised, withdrawn], Contact(id="captain"), ZONE, local(22, 23))
    assert [(each.id, why) for each, why in made.drop] == [(1, "withdrawn"), (2, "never_told")]
    assert made.send == []


def test_what_was_tried_and_then_withdrawn_is_withdrawn_to_whoever_may_have_read_it():
    raised = notice("major", 1, attempts=1, ended=True, withdrawn=True)
    withdrawn = notice("major", 2, "retracted", told=True)
    assert plan([raised, withdrawn], Contact(id="captain"), ZONE, local(22, 23)).send == [raised, withdrawn]


def test_a_beginning_and_its_end_that_fall_due_together_are_both_told():
    both = [notice("major", 1, ended=True), notice("major", 2, "resolved", coming=True)]
    assert plan(both, Contact(id="captain"), ZONE, local(22, 23)).send == both


def test_beyond_the_limit_all_wait_until_the_oldest_message_is_an_hour_old():
    now = local(22, 12)
    sent = (now - 50 * MINUTE, now - 20 * MINUTE)
    due = [notice("major", 1), notice("minor", 2, ended=True), notice("minor", 3, "resolved", coming=True)]
    made = plan(due, LIMITED, ZONE, now, sent=sent)
    assert made.send == made.drop == []
    assert {(until, why) for _, until, why in made.hold} == {(now + 10 * MINUTE, "limit")}
    held = [each._replace(held="limit") for each in due]
    later = plan(held, LIMITED, ZONE, now + 10 * MINUTE, sent=sent[1:])
    assert later.send == held


def test_critical_alerts_and_reports_pass_the_limit():
    now = local(22, 12)
    due = [notice("critical", 1), notice(None, 2, "report"), notice("major", 3)]
    made = plan(due, LIMITED, ZONE, now, sent=(now - SECOND, now - SECOND))
    assert made.send == due[:2]
    assert [each.id for each, *_ in made.hold] == [3]


def test_until_the_time_a_receiver_asked_for_only_a_new_critical_notice_is_tried():
    now = local(22, 12)
    due = [notice("critical", 1), notice("critical", 2, attempts=1), notice("major", 3), notice(None, 4, "report")]
    made = plan(due, Contact(id="captain"), ZONE, now, not_before=now + HOUR)
    assert made.send == due[:1]
    assert {(until, why) for _, until, why in made.hold} == {(now + HOUR, "asked")}


def test_quiet_hours_are_the_sites_over_clock_changes():
    quiet = (time(22), time(7))
    for night in (datetime(2026, 3, 28, 23, tzinfo=BERLIN), datetime(2026, 10, 24, 23, tzinfo=BERLIN)):
        ends = quiet_until(quiet, BERLIN, instant(night))
        assert ends == instant(datetime.combine(night.date() + timedelta(days=1), time(7), tzinfo=BERLIN))


def test_quiet_hours_within_one_day():
    noon = (time(12), time(14))
    assert quiet_until(noon, ZONE, local(22, 13)) == local(22, 14)
    assert quiet_until(noon, ZONE, local(22, 14)) is None
    assert quiet_until(noon, ZONE, local(22, 11, 59)) is None


@given(
    begins=st.times(), ends=st.times(), now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), zone=st.sampled_from([ZONE, BERLIN])
)  # fmt: skip
def test_what_waits_for_quiet_hours_waits_less_than_a_day_and_then_goes(begins, ends, now, zone):
    at = instant(now.replace(tzinfo=UTC))
    quiet = (begins.replace(second=0, microsecond=0, fold=0), ends.replace(second=0, microsecond=0, fold=0))
    if quiet[0] == quiet[1]:
        return
    until = quiet_until(quiet, zone, at)
    if until is not None:
        assert at < until <= at + 25 * HOUR
        assert quiet_until(quiet, zone, until) is None


@given(
    st.lists(
        st.builds(
            notice,
            st.sampled_from(["critical", "major", "minor", "warning", None]),
            st.integers(1, 99),
            st.sampled_from(["raised", "escalated", "resolved", "retracted", "merged", "report"]),
            told=st.booleans(),
            coming=st.booleans(),
            ended=st.booleans(),
            withdrawn=st.booleans(),
            attempts=st.integers(0, 2),
            held=st.sampled_from([None, "quiet", "limit", "asked"]),
        ),
        unique_by=lambda each: each.id,
        max_size=8,
    ),
    st.integers(0, 23),
    st.integers(0, 3),
)
def test_every_notice_goes_waits_or_is_dropped_with_a_reason_and_what_was_tried_is_never_dropped(due, hour, count):
    now = local(22, hour)
    contact = Contact(id="captain", quiet=(time(22), time(7)), at_most=2)
    made = plan(due, contact, ZONE, now, sent=[now - MINUTE] * count)
    held, dropped = [each for each, *_ in made.hold], [each for each, _ in made.drop]
    assert sorted(each.id for each in [*made.send, *held, *dropped]) == sorted(each.id for each in due)
    assert all(until > now for _, until, _ in made.hold)
    assert not [each for each in dropped if each.attempts or each.about is None]
    assert not [each for each in held if each.severity == "critical" or each.about is None]
    assert made.send == [each for each in due if each in made.send]
