"""What became of a duty check: spec alerts.md, Duty checks, and that silence is not guilt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.duty_checks.outcome import Asked, PostTap, Seen, judge
from gateway.instants import HOUR, MINUTE, SECOND

OPENS, CLOSES = 10 * HOUR, 10 * HOUR + 40 * MINUTE
ASKED = Asked(
    opens=OPENS,
    closes=CLOSES,
    guard_within=5 * MINUTE,
    deadline=CLOSES + 35 * MINUTE,
    checkers=frozenset({"c-li"}),
    guards=frozenset({"g-he", "c-li", "g-wu"}),
    told=True,
    extra=False,
)
LATER = CLOSES + 2 * HOUR
WHOLE = [(OPENS - HOUR, CLOSES + HOUR)]


def tap(at: int, person: str | None, *others: int) -> PostTap:
    return PostTap(times=(at, *others), person=person, key=f"rdr/{person}/{at}")


def outcome(*taps: PostTap, now: int = LATER, complete=WHOLE, asked: Asked = ASKED, doubts=(), elsewhere=()):
    seen = Seen(taps=taps, complete=complete, cause="reader_gap", doubts=doubts, elsewhere=elsewhere)
    return judge(asked, seen, now)


C = OPENS + 12 * MINUTE


def test_checker_then_guard_within_five_minutes_is_passed():
    found = outcome(tap(C, "c-li"), tap(C + 5 * MINUTE, "g-he"))
    assert (found.state, found.checker, found.guard, found.guard_at) == ("passed", "c-li", "g-he", C + 5 * MINUTE)
    assert len(found.evidence) == 2


def test_a_guard_a_microsecond_too_late_is_absent():
    found = outcome(tap(C, "c-li"), tap(C + 5 * MINUTE + 1, "g-he"))
    assert (found.state, found.complete) == ("guard_absent", (C - MINUTE, C + 5 * MINUTE))


def test_a_guard_who_taps_just_before_the_checker_stands_there():
    assert outcome(tap(C - MINUTE, "g-he"), tap(C, "c-li")).state == "passed"
    assert outcome(tap(C - MINUTE - 1, "g-he"), tap(C, "c-li")).state == "guard_absent"


def test_the_checker_is_not_his_own_guard():
    assert outcome(tap(C, "c-li"), tap(C + MINUTE, "c-li")).state == "guard_absent"


def test_a_checker_who_passes_by_and_comes_again_is_answered_once():
    answered = outcome(tap(C, "c-li"), tap(C + 8 * MINUTE, "c-li"), tap(C + 9 * MINUTE, "g-he"))
    assert (answered.state, answered.checker_at, answered.guard_at) == ("passed", C + 8 * MINUTE, C + 9 * MINUTE)
    assert answered.evidence == (f"rdr/c-li/{C + 8 * MINUTE}", f"rdr/g-he/{C + 9 * MINUTE}")


def test_nobody_is_absent_while_the_checker_may_still_come_again():
    assert outcome(tap(C, "c-li"), now=C + 6 * MINUTE).state == "tapped"
    assert outcome(tap(C, "c-li"), now=CLOSES + 5 * MINUTE).state == "tapped"
    assert outcome(tap(C, "c-li"), now=CLOSES + 5 * MINUTE + 1).state == "guard_absent"


def test_whoever_is_absent_answered_none_of_the_checkers_taps_over_a_complete_record():
    both = (tap(C, "c-li"), tap(C + 8 * MINUTE, "c-li"))
    assert outcome(*both).complete == (C - MINUTE, C + 13 * MINUTE)
    assert outcome(*both, complete=[(OPENS, C + 10 * MINUTE)])[:2] == ("unverifiable", "reader_gap")
    assert outcome(*both, tap(C + 9 * MINUTE, None))[:2] == ("unverifiable", "unknown_tap")


def test_a_guard_who_taps_another_checkpoint_meanwhile_is_on_his_round_and_not_absent():
    found = outcome(tap(C, "c-li"), elsewhere=(tap(C + 2 * MINUTE, "g-he"),))
    assert (found.state, found.cause, found.elsewhere) == ("unverifiable", "on_round", ("g-he",))
    assert f"rdr/g-he/{C + 2 * MINUTE}" in found.evidence
    for other in (tap(C + 5 * MINUTE + 1, "g-he"), tap(C + MINUTE, "c-li"), tap(C + MINUTE, "m-liu")):
        assert outcome(tap(C, "c-li"), elsewhere=(other,)).state == "guard_absent"
    walker = (tap(C + 2 * MINUTE, "g-he"),)
    assert outcome(tap(C, "c-li"), tap(C + MINUTE, "g-wu"), elsewhere=walker).state == "passed"


def test_a_round_that_somebody_not_known_walks_meanwhile_may_be_the_guards():
    assert outcome(tap(C, "c-li"), elsewhere=(tap(C, None),))[:2] == ("unverifiable", "on_round")


def test_the_round_of_one_guard_does_not_excuse_another_who_is_on_shift():
    two = ASKED._replace(on_shift=frozenset({"g-he", "g-wu"}))
    walker = (tap(C + 2 * MINUTE, "g-he"),)
    found = outcome(tap(C, "c-li"), asked=two, elsewhere=walker)
    assert (found.state, found.elsewhere) == ("guard_absent", ("g-he",))
    both = (*walker, tap(C + 3 * MINUTE, "g-wu"))
    assert outcome(tap(C, "c-li"), asked=two, elsewhere=both)[:2] == ("unverifiable", "on_round")


def test_the_checkers_tap_counts_on_both_ends_and_not_beyond():
    assert outcome(tap(OPENS, "c-li")).state == "guard_absent"
    assert outcome(tap(CLOSES, "c-li")).state == "guard_absent"
    assert outcome(tap(OPENS - 1, "c-li")).state == "checker_missed"
    assert outcome(tap(CLOSES + 1, "c-li")).state == "checker_missed"


def test_an_incomplete_record_accuses_nobody():
    hole = [(OPENS - HOUR, C + MINUTE), (C + 2 * MINUTE, CLOSES + HOUR)]
    assert outcome(tap(C, "c-li"), complete=hole)[:2] == ("unverifiable", "reader_gap")
    assert outcome(complete=hole)[:2] == ("unverifiable", "reader_gap")
    assert outcome(complete=[])[:2] == ("unverifiable", "reader_gap")


def test_an_unknown_card_may_have_been_his():
    assert outcome(tap(C, "c-li"), tap(C + MINUTE, None))[:2] == ("unverifiable", "unknown_tap")
    assert outcome(tap(C, None))[:2] == ("unverifiable", "unknown_tap")
    assert outcome(tap(C, "c-li"), doubts=(C + MINUTE,))[:2] == ("unverifiable", "unknown_tap")


def test_a_checker_who_was_not_told_missed_nothing():
    untold = ASKED._replace(told=False)
    assert outcome(asked=untold)[:2] == ("unverifiable", "not_told")
    assert outcome(tap(C, "c-li"), tap(C, "g-he"), asked=untold).state == "passed"


def test_an_extra_check_that_was_not_made_accuses_nobody():
    assert outcome(asked=ASKED._replace(extra=True)).state == "not_done"


def test_nothing_is_said_before_its_time():
    assert outcome(now=CLOSES).state == "due"
    assert outcome(now=CLOSES + SECOND, complete=[]).state == "due", "the record may still come"
    assert outcome(tap(C, "c-li"), now=C + 5 * MINUTE).state == "tapped"
    assert outcome(tap(C, "c-li"), now=C + 5 * MINUTE, complete=[]).state == "tapped"


_times = st.integers(OPENS // SECOND - 600, CLOSES // SECOND + 600).map(lambda second: second * SECOND)
_taps = st.lists(st.builds(tap, _times, st.sampled_from(["c-li", "g-he", "g-wu", "m-liu", None])), max_size=6)
_complete = st.sampled_from([WHOLE, [], [(OPENS - HOUR, C)], [(C, CLOSES + HOUR)]])
_now = st.integers(OPENS // SECOND, LATER // SECOND).map(lambda second: second * SECOND)
ACCUSES = {"guard_absent", "checker_missed"}


@given(st.permutations(range(6)), _taps, _complete, _now)
def test_the_order_of_taps_does_not_matter(order, taps, complete, now):
    shuffled = [taps[index] for index in order if index < len(taps)]
    found = outcome(*taps, complete=complete, now=now)
    assert outcome(*shuffled, complete=complete, now=now)._replace(evidence=()) == found._replace(evidence=())


@given(_taps, _complete, _now)
def test_who_is_accused_was_heard_by_nobody_over_a_complete_record(taps, complete, now):
    found = outcome(*taps, complete=complete, now=now)
    if found.state in ACCUSES:
        assert found.complete is not None
        first, last = found.complete
        assert any(low <= first and last <= high for low, high in complete)
        assert now > last
        assert not any(first <= each.times[0] <= last for each in taps if each.person is None)


@given(_taps, _now)
def test_less_known_never_accuses_more(taps, now):
    if outcome(*taps, complete=[], now=now).state in ACCUSES:
        raise AssertionError("nothing is known, and yet somebody is accused")


@given(_taps, _complete)
def test_a_guards_answer_that_comes_late_withdraws_his_absence(taps, complete):
    before = outcome(*taps, complete=complete)
    if before.state == "guard_absent" and before.checker_at is not None:
        assert (
            outcome(
                *taps,
                tap(before.checker_at + MINUTE, "g-zz"),
                complete=complete,
                asked=ASKED._replace(guards=ASKED.guards | {"g-zz"}),
            ).state
            == "passed"
        )
