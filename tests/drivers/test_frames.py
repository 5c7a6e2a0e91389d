"""Frames of rdm6300 and id12la readers under cuts, glue, noise and damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers.driver import Reading, Reject
from device_drivers.observations import TagRead
from device_drivers.rdm6300.decoder import Rdm6300Decoder
from device_drivers.rdm6300.device import frame
from device_drivers.rdm6300.frame import LONGEST

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
TAGS = st.binary(min_size=5, max_size=5).map(lambda octets: octets.hex().upper())


def tags(results: list[Reading | Reject]) -> list[str]:
    observations = [result.observation for result in results if isinstance(result, Reading)]
    return [observation.tag for observation in observations if isinstance(observation, TagRead)]


@given(tag=TAGS, line_end=st.booleans())
def test_what_a_reader_sends_is_read(tag: str, line_end: bool):
    results = Rdm6300Decoder("rdr").feed(frame(tag, line_end=line_end), NOW)
    assert results == [Reading(TagRead(device="rdr", at=NOW, tag=tag))]


@given(stream=st.lists(st.one_of(TAGS.map(frame), st.binary(max_size=40))).map(b"".join), data=st.data())
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, data: st.DataObject):
    whole, pieces = Rdm6300Decoder("rdr"), Rdm6300Decoder("rdr")
    expected = whole.feed(stream, NOW) + whole.reset()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    found: list[Reading | Reject] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += pieces.feed(stream[start:end], NOW)
    assert found + pieces.reset() == expected


@given(noise=st.binary(max_size=200), tag=TAGS)
def test_the_next_good_frame_is_read_after_any_noise(noise: bytes, tag: str):
    decoder = Rdm6300Decoder("rdr")
    before = decoder.feed(noise, NOW)
    after = decoder.feed(frame(tag), LATER)
    assert tags(after)[-1:] == [tag]
    assert all(isinstance(result, (Reading, Reject)) for result in before)


@given(tag=TAGS, position=st.integers(0, 13), value=st.integers(0, 255))
def test_one_damaged_byte_never_gives_another_tag(tag: str, position: int, value: int):
    good = frame(tag)
    damaged = bytearray(good)
    damaged[position] = value
    decoder = Rdm6300Decoder("rdr")
    results = decoder.feed(bytes(damaged), NOW) + decoder.reset()
    if damaged.upper() == good:
        assert tags(results) == [tag]
    else:
        assert tags(results) == []
        assert any(isinstance(result, Reject) for result in results)


@given(noise=st.binary(max_size=400))
def test_nothing_that_arrives_vanishes(noise: bytes):
    decoder = Rdm6300Decoder("rdr")
    results = decoder.feed(noise, NOW) + decoder.reset()
    if not tags(results):
        rejected = b"".join(result.data for result in results if isinstance(result, Reject))
        assert rejected.translate(None, b"\r\n") == noise.translate(None, b"\r\n")


@settings(max_examples=20)
@given(byte=st.integers(0, 255))
def test_the_buffer_stays_small_whatever_is_poured_in(byte: int):
    decoder = Rdm6300Decoder("rdr")
    for _ in range(50):
        decoder.feed(bytes([byte]) * 1000, NOW)
        assert len(decoder._rest) < LONGEST


def test_many_tags_at_one_moment_stay_bounded():
    decoder = Rdm6300Decoder("rdr")
    numbers = [f"{number:010X}" for number in range(10_000)]
    assert tags(decoder.feed(b"".join(frame(number) for number in numbers), NOW)) == numbers
    assert len(decoder._present) <= 8
    assert len(decoder._tags) <= 4096


def test_a_tap_counts_when_the_gateways_clock_is_set_back():
    decoder = Rdm6300Decoder("rdr")
    decoder.feed(frame("6F007B3972"), NOW)
    assert tags(decoder.feed(frame("6F007B3972"), NOW - timedelta(seconds=10))) == ["6F007B3972"]


def test_two_guards_tapping_in_turn_are_both_read_once():
    decoder = Rdm6300Decoder("rdr")
    found: list[Reading | Reject] = []
    for step in range(6):
        tag = ("6F007B3972", "010063E9AE")[step % 2]
        found += decoder.feed(frame(tag), NOW + timedelta(milliseconds=65 * step))
    assert tags(found) == ["6F007B3972", "010063E9AE"]


def test_a_ghost_seen_once_is_rejected_when_confirmation_is_asked_for():
    decoder = Rdm6300Decoder("rdr", confirm_frames=2)
    found = decoder.feed(frame("6F007B3972"), NOW)
    found += decoder.feed(frame("010063E9AE"), LATER) + decoder.feed(frame("010063E9AE"), LATER)
    assert [type(result) for result in found] == [Reject, Reading]
    assert tags(found) == ["010063E9AE"]


def test_unplugging_forgets_the_tag_that_was_present():
    decoder = Rdm6300Decoder("rdr")
    decoder.feed(frame("6F007B3972"), NOW)
    assert decoder.reset() == []
    assert tags(decoder.feed(frame("6F007B3972"), NOW)) == ["6F007B3972"]
