"""Key presses of a reader that types: cuts, damage, repeats, and what is typed as a tag."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.hid_wedge.decoder import MOST_KEYS, HidWedgeDecoder
from device_drivers.hid_wedge.device import key, typed
from device_drivers.hid_wedge.events import SIZE, pack
from device_drivers.hid_wedge.numbers import Number, tag_of
from device_drivers.observations import TagRead
from tests.drivers.streams import NOW, cut, damaged, observations, outcome

SECOND = 1_000_000
START_US = 1_763_906_400 * SECOND
PARTS = [typed("0008075634", START_US), typed("123,14706", START_US + SECOND), key(16, START_US + 2 * SECOND)]


def make() -> HidWedgeDecoder:
    return HidWedgeDecoder("rdr")


def tags(found: list[Reading | Reject]) -> list[str]:
    return [each.tag for each in observations(found) if isinstance(each, TagRead)]


@given(stream=damaged(PARTS), places=st.lists(st.integers(0, 5000), max_size=8))
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, places: list[int]):
    whole = outcome(make, [stream])
    assert outcome(make, [piece for piece in cut(stream, places) if piece]) == whole
    assert outcome(make, [bytes([octet]) for octet in stream]) == whole


@given(number=st.integers(0, 2**32 - 1))
def test_ten_digits_are_the_four_bytes_printed_on_the_card(number: int):
    found = make().feed(typed(f"{number:010}", START_US), NOW)
    assert found == [Reading(TagRead(device="rdr", at=NOW, tag=f"{number:08X}"))]


@given(facility=st.integers(0, 255), number=st.integers(0, 65535))
def test_facility_and_number_are_three_bytes_with_and_without_a_comma(facility: int, number: int):
    tag = f"{facility:02X}{number:04X}"
    assert tag_of(f"{facility:03},{number:05}", "decimal") == tag
    assert tag_of(f"{facility:03}{number:05}", "decimal") == tag


@given(text=st.text("0123456789ABCDEF,", max_size=80), number=st.sampled_from(["decimal", "decimal8", "hex"]))
def test_whatever_is_typed_is_a_tag_or_refused(text: str, number: Number):
    with suppress(DecodeError):
        tag = tag_of(text, number)
        assert bytes.fromhex(tag)
        assert len(tag) <= 64


@pytest.mark.parametrize(
    ("text", "number", "piece"),
    [
        ("4294967296", "decimal", "4 bytes"),
        ("25665536", "decimal", "decimal8"),
        ("99999999", "decimal8", "3 bytes"),
        ("1234,5", "decimal", "facility,number"),
        ("1,2,3", "decimal", "no decimal number"),
        ("12A", "decimal", "number: hex"),
        ("1,2", "hex", "hexadecimal"),
        ("256,1", "decimal", "facility"),
    ],
)
def test_what_is_no_card_is_refused_with_a_reason(text: str, number: Number, piece: str):
    with pytest.raises(DecodeError, match=piece):
        tag_of(text, number)


def test_a_card_typed_while_it_lies_on_the_reader_is_read_once():
    decoder = make()
    found = [
        item
        for turn in range(20)
        for item in decoder.feed(typed("0008075634", START_US + turn * SECOND), NOW + timedelta(seconds=turn))
    ]
    assert tags(found) == ["007B3972"]
    assert tags(decoder.feed(typed("0008075634", START_US + 30 * SECOND), NOW + timedelta(seconds=30))) == ["007B3972"]


def test_two_guards_in_turn_are_both_read():
    decoder = make()
    assert tags(decoder.feed(typed("0008075634", START_US) + typed("0006547886", START_US + SECOND), NOW)) == [
        "007B3972",
        "0063E9AE",
    ]


def test_a_pause_ends_a_card_of_a_reader_without_enter_and_keeps_the_time_of_its_last_key():
    decoder = HidWedgeDecoder("rdr", number="hex", ends="pause")
    assert decoder.feed(typed("04A1B2C3", START_US, enter=False), NOW) == []
    assert decoder.feed(b"", NOW + timedelta(milliseconds=500)) == []
    found = decoder.feed(b"", NOW + timedelta(milliseconds=501))
    assert found == [Reading(TagRead(device="rdr", at=NOW, tag="04A1B2C3"))]
    assert decoder.feed(b"", NOW + timedelta(seconds=2)) == []


def test_a_card_cut_by_the_gateways_own_pause_is_whole():
    decoder = make()
    stream = typed("0008075634", START_US)
    assert decoder.feed(stream[: 10 * SIZE], NOW) == []
    assert tags(decoder.feed(stream[10 * SIZE :], NOW + timedelta(seconds=20))) == ["007B3972"]


def test_a_clock_set_back_within_a_card_does_not_lose_it():
    decoder = make()
    stream = typed("00080", START_US, enter=False) + typed("75634", START_US - 3600 * SECOND)
    assert tags(decoder.feed(stream, NOW)) == ["007B3972"]


def test_keys_that_the_system_lost_never_make_another_card():
    decoder = make()
    found = decoder.feed(pack(START_US, 0, 3, 0) + typed("14706", START_US), NOW)
    assert tags(found) == []
    assert "lost keys" in "".join(item.reason for item in found if isinstance(item, Reject))
    assert tags(decoder.feed(typed("0008075634", START_US + 5 * SECOND), NOW)) == ["007B3972"]


def test_keys_lost_long_before_a_card_do_not_spoil_it():
    found = make().feed(pack(START_US, 0, 3, 0) + typed("0008075634", START_US + SECOND), NOW)
    assert tags(found) == ["007B3972"]


def test_nothing_grows_whatever_is_typed():
    decoder = make()
    for turn in range(200):
        decoder.feed(typed("1" * 50, START_US + turn, enter=False), NOW)
        assert len(decoder._typed) <= MOST_KEYS
        decoder.feed(b"\xff" * 1000, NOW)
        assert decoder._hunter.held <= 6 * SIZE


def test_a_reader_that_was_pulled_leaves_no_half_card():
    decoder = make()
    decoder.feed(typed("00080", START_US, enter=False), NOW)
    (refused,) = decoder.reset()
    assert isinstance(refused, Reject)
    assert tags(decoder.feed(typed("0008075634", START_US), NOW)) == ["007B3972"]


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"link": {}}, "link.input"),
        ({"link": {"input": "/dev/input/event3"}}, "link.input"),
        ({"link": {"input": "event-kbd"}}, "link.input"),
        ({"settings": {"number": "octal"}}, "settings.number"),
        ({"settings": {"ends": "tab"}}, "settings.ends"),
        ({"settings": {"pause_ms": 10}}, "settings.pause_ms"),
        ({"settings": {"same_within_ms": True}}, "settings.same_within_ms"),
        ({"settings": {"x": 1}}, "settings.x"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    link = {"link": {"input": "/dev/input/by-path/usb-0:2-event-kbd"}}
    with pytest.raises(SettingsError) as refused:
        DRIVERS["hid_wedge"].check(DeviceSettings(**{"id": "rdr", **link, **entry}))
    assert refused.value.key == key
