"""Heartbeats that are only kept, and reports that are judged by stretches, give what each one by itself gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers.observations import ReaderHeartbeat, SyncEnd, TagRead
from gateway.instants import DAY, SECOND, instant
from gateway.rules import trails
from gateway.rules.clocks import Measures
from gateway.rules.records import Record
from gateway.rules.trails import Trail
from gateway.site.model import Device

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
DEVICE = Device(id="rdr", driver="native", kind="reader", expect_every=60 * SECOND, own_clock=True)

steps = st.tuples(
    st.sampled_from([0.1, 0.5, 1.9, 2.0, 2.1, 30.0, 60.0]),  # since the one before, by the device's clock
    st.sampled_from([0.0, 0.05, 1.0, 3.0, 60.0]),  # since the one before, received
    st.sampled_from(["beat", "beat", "beat", "beat", "tap", "lost", "old", "ahead"]),
)


def said(script: list[tuple[float, float, str]], delay: float) -> list[tuple[ReaderHeartbeat | TagRead, datetime]]:
    """What the reader said, and when it arrived: never before it was said by more than its clock is wrong."""
    at, received, seq = START, START + timedelta(seconds=delay), 0
    found: list[tuple[ReaderHeartbeat | TagRead, datetime]] = []
    for own, arrival, kind in script:
        at += timedelta(seconds=own)
        received += timedelta(seconds=arrival)
        if kind == "ahead":  # a tap that overtook
            when = at + timedelta(seconds=90)
            found.append((TagRead(device="rdr", at=when, boot="b", seq=seq + 40, tag="007B3972"), received))
        elif kind == "tap":
            seq += 1
            found.append((TagRead(device="rdr", at=at, boot="b", seq=seq, tag="007B3972"), received))
        else:
            seq += kind == "lost"
            when = at - timedelta(seconds=45) if kind == "old" else at
            found.append((ReaderHeartbeat(device="rdr", at=when, boot="b", last_seq=seq, device_now=when), received))
    return found


def told(script: list[tuple[ReaderHeartbeat | TagRead, datetime]], *, keep: bool) -> tuple[Record, int]:
    """A record that was told all of it, and how many were only kept."""
    record, kept = Record(DEVICE, "cp", []), 0
    for observation, received in script:
        at, now = instant(observation.at), instant(received)
        calm = keep and type(observation) is ReaderHeartbeat and record.calm[0] < at < record.calm[1]
        if calm and record.keep(observation, at, now):
            kept += 1
            continue
        record.take(observation, at, now)
        record.settle_calm([])
    return record, kept


def outcome(record: Record) -> object:
    record.work_in()
    reads = [(read, record.correction(read)) for read in record.reads.reads]
    return record.complete(), record.holes(), sorted(record.doubts()), reads


def beat(record: Record, received: datetime, off: timedelta, boot: str, seq: int | None) -> None:
    at = received - off
    said = ReaderHeartbeat(device="rdr", at=at, boot=boot, last_seq=seq, device_now=at)
    record.take(said, instant(at), instant(received))


def tap(record: Record, received: datetime, off: timedelta, boot: str, seq: int | None) -> None:
    at = received - off
    record.take(TagRead(device="rdr", at=at, boot=boot, seq=seq, tag="007B3972"), instant(at), instant(received))


def restored(record: Record) -> Record:
    made = Record(DEVICE, "cp", [])
    made.restore(record.snapshot())
    return made


@settings(max_examples=300)
@given(st.lists(steps, max_size=60), st.sampled_from([-70.0, -3.0, 0.0, 0.2, 20.0, 90.0]))
def test_a_kept_heartbeat_says_the_same_as_one_taken_at_once(script, delay):
    evidence = said(script, delay)
    assert outcome(told(evidence, keep=True)[0]) == outcome(told(evidence, keep=False)[0])


@pytest.mark.parametrize("days", [-3000, -20, -1, 0, 1, 20])
def test_what_was_measured_of_a_clock_is_kept_by_when_it_was_measured_however_wrong_the_clock(days):
    record, off = Record(DEVICE, "cp", []), timedelta(days=days)
    for minute in range(60):
        received = START + timedelta(minutes=minute)
        beat(record, received, off, "b", 2 * minute)
        tap(record, received + timedelta(seconds=30), off, "b", 2 * minute + 1)
    before = outcome(record)
    record.forget(instant(START) - 11 * DAY)
    assert outcome(record) == before
    record.forget(instant(START + timedelta(minutes=30)))
    assert len(record._clocks[0].placed.times) == 30


@pytest.mark.parametrize("numbered", [True, False])
def test_boots_of_which_nothing_is_kept_are_forgotten_and_the_last_before_stays(numbered):
    record = Record(DEVICE, "cp", [])
    for day in range(60):
        for minute in range(0, 600, 60):
            received = START + timedelta(days=day, minutes=minute)
            beat(record, received, timedelta(seconds=day), f"b{day}", 2 * minute if numbered else None)
            last = 2 * minute + 1 if numbered else None
            tap(record, received + timedelta(seconds=30), timedelta(seconds=day), f"b{day}", last)
        known = outcome(record), record.restarts()
        record.reads.forget(instant(START + timedelta(days=day - 11)))
        record.forget(instant(START + timedelta(days=day - 11)))
        assert [*record._boots] == [f"b{kept}" for kept in range(max(0, day - 12), day + 1)]
        low = instant(START + timedelta(days=day - 11))
        (_, holes, doubts, reads), restarts = known
        _, kept_holes, kept_doubts, kept_reads = outcome(record)
        assert kept_reads == [read for read in reads if read[0].received >= low]
        for now, was in ((kept_holes, holes), (kept_doubts, doubts), (record.restarts(), restarts)):
            assert [span for span in now if span[1] >= low] == [span for span in was if span[1] >= low]
    assert outcome(restored(record)) == outcome(record)


@settings(max_examples=300)
@given(st.lists(steps, max_size=60), st.sampled_from([-70.0, -3.0, 0.0, 0.2, 20.0, 90.0]))
def test_a_stretch_between_two_measures_is_as_complete_as_its_reports(script, delay):
    evidence = said(script, delay)
    by_stretches = outcome(told(evidence, keep=False)[0])
    alone = lambda self, index, stop: index  # noqa: E731 - no stretch is longer than one report
    with patch.object(Trail, "alike", alone), patch.object(Trail, "doubtful", alone):
        one_by_one = outcome(told(evidence, keep=False)[0])
    assert by_stretches == one_by_one


beats = st.lists(
    st.tuples(
        st.sampled_from(
            [30.0, 60.0, 60.0, 60.0, 3600.0, 50_000.0, 90_000.0]
        ),  # since the one before, by the device's clock
        st.sampled_from([0.0, 0.0, 0.0, 0.5, -0.5, 2.0, -2.0, 6.0, -4.0, 70.0]),  # how the offset moves
        st.sampled_from(["beat", "beat", "beat", "beat", "beat", "tap", "sync", "lost", "old"]),
    ),
    max_size=80,
)


@settings(max_examples=400, deadline=None)
@given(beats, st.sampled_from([-3.0, 0.0, 0.0, 4.0, 20.0]), st.integers(2, 40))
def test_a_clock_that_is_right_proves_in_one_step_what_each_report_proves(script, offset, piece):
    """Heartbeats far apart, each a measure, and measures of hand-overs that are dated otherwise than their report."""
    at, seq, evidence = START, 0, []
    for own, moved, kind in script:
        at += timedelta(seconds=own)
        offset += moved
        received = max(at + timedelta(seconds=offset), evidence[-1][1] if evidence else START - timedelta(days=1))
        if kind in {"tap", "sync"}:
            seq += 1
            if kind == "tap":
                said = TagRead(device="rdr", at=at, boot="b", seq=seq, tag="007B3972")
            else:
                said = SyncEnd(
                    device="rdr", at=at, boot="b", seq=seq, complete_to=at, device_now=at - timedelta(seconds=40)
                )
        else:
            seq += kind == "lost"
            when = at - timedelta(seconds=45) if kind == "old" else at
            said = ReaderHeartbeat(device="rdr", at=when, boot="b", last_seq=seq, device_now=when)
        evidence.append((said, received))
    alone = lambda self, index, stop: index  # noqa: E731 - no stretch is longer than one report
    with patch.object(trails, "PIECE", piece):
        at_once = outcome(told(evidence, keep=True)[0])
        with (
            patch.object(Trail, "alike", alone),
            patch.object(Trail, "doubtful", alone),
            patch.object(Measures, "_apart", lambda *_: False),
        ):
            one_by_one = outcome(told(evidence, keep=False)[0])
    assert at_once == one_by_one


def test_a_backlog_is_kept_but_for_the_first():
    evidence = said([(1.0, 0.01, "beat")] * 200, 200.0)
    record, kept = told(evidence, keep=True)
    assert kept == 199
    assert record.hurried


spans = st.tuples(st.integers(0, 20), st.integers(0, 6)).map(lambda each: (each[0], each[0] + each[1]))
watched = st.lists(
    st.tuples(st.sampled_from(["visit", "gap", "start"]), st.integers(1, 4), spans | st.none()), max_size=30
)


@settings(max_examples=300)
@given(watched, spans)
def test_what_rests_on_a_span_is_found_among_all_that_rests_on_the_record(script, asked):
    record = Record(DEVICE, "cp", [])
    for kind, number, span in script:
        record.watch_for((kind, "night", number), span)
    touching = {key for key, (first, last) in record.watches.spans.items() if first <= asked[1] and last >= asked[0]}
    assert set(record.watches.touching(*asked)) == touching
    assert set(record.watches.gaps) == {key for key in record.watches.spans if key[0] == "gap"}
