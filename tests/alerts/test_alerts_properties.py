"""Whatever happens, in any order: an open alert is never silent, history runs forward, a restart changes nothing."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.lifecycle import TABLE, Refused
from tests.alerts.watch import T0, Watch

SUBJECTS = st.sampled_from(
    [
        ("lamp_failure", "lamp-1"),
        ("camera_offline", "cam-1"),
        ("device_offline", "nvr-1"),
        ("day_burner", "lamp-1"),
        ("gateway_restarting", "riverside"),
        ("panic", "wand-1"),
    ]
)
CAUSES = st.sampled_from([None, None, "device_offline:nvr-1", "parent_fault:switch-1"])
MINUTES = st.sampled_from([0, 0, 0.1, 1, 5, 9, 10, 11, 25, 31, 70])

EVENTS = st.one_of(
    st.tuples(st.just("signal"), MINUTES, SUBJECTS, st.sampled_from(["raise"] * 3 + ["update", "resolve", "merge", "retract"]), CAUSES),
    st.tuples(st.just("act"), MINUTES, SUBJECTS, st.sampled_from(["ack", "start", "resolve", "close", "comment"])),
    st.tuples(st.just("down"), MINUTES),
    st.tuples(st.just("wait"), MINUTES),
)  # fmt: skip

LEGAL = {(row.before, row.after) for row in TABLE}


def play(watch: Watch, event: tuple, minute: float | None = None) -> None:
    minute = (watch.now - T0) / 60e6 + event[1] if minute is None else minute
    match event:
        case ("signal", _, (rule, subject), action, cause):
            cause = None if cause == f"{rule}:{subject}" or action not in ("raise", "merge") else cause
            watch.at(minute).signal(action, rule=rule, subject=subject, caused_by=cause)
        case ("act", _, (rule, subject), action):
            watch.at(minute)
            for number in (1, 2):
                try:
                    watch.act(action, f"{rule}/{subject}/{number}", why="because")
                except Refused:
                    continue
        case ("down", _):
            watch.down_until(minute)
        case ("wait", _):
            watch.at(minute)


def silent(watch: Watch) -> list[str]:
    """Open alerts of which nobody was told, nobody will be, and nothing says why."""
    told = {notice.alert for notice in watch.notices}
    return [
        alert.id
        for alert in watch.book.alerts()
        if alert.state == "open"
        and not alert.exhausted
        and alert.suppressed is None
        and (alert.next_step is None or (alert.level > 0 and alert.id not in told))
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_an_open_alert_is_never_silent(events):
    watch = Watch()
    for event in events:
        play(watch, event)
        assert silent(watch) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_nobody_is_left_waiting_for_ever(events):
    watch = Watch()
    for event in events:
        play(watch, event)
    watch.at((watch.now - T0) / 60e6 + 48 * 60)
    held = {
        alert.id: alert.suppressed for alert in watch.book.alerts() if alert.state == "open" and not alert.exhausted
    }
    # A day later an open alert is exhausted, or something that still stands keeps it silent.
    for cause in held.values():
        assert cause is not None
        standing = watch.book.alert(cause)
        assert standing is not None
        assert standing.state in ("open", "acknowledged", "in_progress")
    assert watch.book.deadline() is None or watch.book.deadline() > watch.now


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_history_runs_forward_along_the_table(events):
    watch = Watch()
    for event in events:
        play(watch, event)
    last: dict[str, tuple] = {}
    for row in watch.rows:
        step = row.transition
        before_at, before_state = last.get(row.alert.id, (step.at, None))
        assert step.at >= before_at
        assert step.before == before_state
        assert (step.before, step.after) in LEGAL
        assert (row.alert.state, row.alert.history[-1], row.alert.updated) == (step.after, step, step.at)
        last[row.alert.id] = (step.at, step.after)
    keys = [notice.key for notice in watch.notices]
    assert len(keys) == len(set(keys))


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=20), st.data())
def test_whoever_was_told_hears_of_the_end(events, data):
    watch = Watch()
    for event in events:
        play(watch, event)
    ends = {"resolved", "retracted", "merged"}
    for alert in watch.book.alerts():
        if alert.state not in ("resolved", "closed", "retracted"):
            continue
        notices = [notice for notice in watch.notices if notice.alert == alert.id]
        told = {notice.contact for notice in notices if notice.kind not in ends}
        assert told == {notice.contact for notice in notices if notice.kind in ends}


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=20), st.integers(0, 19))
def test_a_new_process_from_a_snapshot_goes_on_alike(events, cut):
    one, other = Watch(), Watch()
    for number, event in enumerate(events):
        play(one, event)
        play(other, event)
        if number == cut % len(events):
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(other.book.snapshot()))
            fresh = Watch()
            fresh.book.restore(state)
            other.book = fresh.book
    for watch in (one, other):
        watch.at((watch.now - T0) / 60e6 + 300)
    assert msgspec.json.encode(one.rows) == msgspec.json.encode(other.rows)
    assert one.notices == other.notices
    assert msgspec.json.encode(one.book.alerts()) == msgspec.json.encode(other.book.alerts())


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=15), st.lists(st.floats(0, 1), max_size=6))
def test_one_late_call_gives_what_many_punctual_ones_give(events, stops):
    one, many, minute = Watch(), Watch(), 0.0
    for event in events:
        if event[0] == "down":
            continue
        for stop in sorted(stops):
            many.at(minute + stop * event[1])
        minute += event[1]
        play(one, event, minute)
        play(many, event, minute)
    assert msgspec.json.encode(one.rows) == msgspec.json.encode(many.rows)
    assert one.notices == many.notices
