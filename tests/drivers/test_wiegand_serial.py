"""Wiegand numbers in every form a converter gives them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import SettingsError
from device_drivers.wiegand_serial.decoder import LONGEST, WiegandDecoder
from device_drivers.wiegand_serial.device import line
from device_drivers.wiegand_serial.forms import Format, bits_of_card, card_of_bits
from tests.drivers.line import NOW
from tests.drivers.streams import cut, damaged, outcome

FORMS: tuple[Format, ...] = get_args(Format)


def decoder(form: Format, **more: Any) -> WiegandDecoder:
    return WiegandDecoder("rdr", form, **({"bits": (26,)} if form == "binary" else {}) | more)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_however_a_damaged_stream_is_cut_it_says_the_same_and_never_raises(form: Format, data: st.DataObject):
    parts = [line(b"\xd4\x1b\x81", form), line(b"\x00\x00\x07", form), b"\r\n"]
    stream = data.draw(damaged(parts) | st.binary(max_size=200))
    places = data.draw(st.lists(st.integers(0, 300), max_size=6))
    whole = outcome(lambda: decoder(form), [stream])
    assert outcome(lambda: decoder(form), cut(stream, places)) == whole
    assert outcome(lambda: decoder(form), [bytes([byte]) for byte in stream]) == whole


@given(card=st.binary(min_size=3, max_size=3) | st.binary(min_size=4, max_size=4))
def test_any_card_comes_back_from_its_bits_and_one_wrong_bit_never_passes(card: bytes):
    bits = bits_of_card(card)
    assert card_of_bits(bits) == card
    for place in range(len(bits)):
        wrong = bits[:place] + ("1" if bits[place] == "0" else "0") + bits[place + 1 :]
        with pytest.raises(ValueError, match="parity"):
            card_of_bits(wrong)


@pytest.mark.parametrize("sent", ["D41B81", "d4:1b:81", "D4-1B-81", "D4 1B 81", "0xD41B81", "0XD4 0x1B 0x81"])
def test_hexadecimal_digits_are_read_with_any_marks_between_them(sent: str):
    found = decoder("hex").feed(sent.encode() + b"\r\n", NOW)
    assert [item.observation.tag for item in found if isinstance(item, Reading)] == ["D41B81"]


@pytest.mark.parametrize(
    "sent", ["D4,1B,81", "D4_1B_81", "D4.1B.81", "D41B8", "D4 1B 8x", "0x", "x0D41B81", "D41B81 26"]
)
def test_what_is_no_card_in_hexadecimal_is_refused(sent: str):
    (found,) = decoder("hex").feed(sent.encode() + b"\r\n", NOW)
    assert isinstance(found, Reject)


@pytest.mark.parametrize("sent", ["123,14706", "123:14706", "123-14706", "123/14706", "123 14706", "12314706"])
def test_a_facility_and_a_card_are_read_with_any_mark_between_them_or_none(sent: str):
    found = decoder("facility").feed(sent.encode() + b"\r\n", NOW)
    assert [item.observation.tag for item in found if isinstance(item, Reading)] == ["7B3972"]


@pytest.mark.parametrize("sent", ["1231470", "123147060", "25600001", "12365536", "123  14706", "12a14706"])
def test_digits_that_are_no_facility_and_card_are_refused(sent: str):
    (found,) = decoder("facility").feed(sent.encode() + b"\r\n", NOW)
    assert isinstance(found, Reject)


@pytest.mark.parametrize("form", FORMS)
@given(card=st.binary(min_size=3, max_size=3), noise=st.binary(max_size=100))
def test_a_card_after_noise_and_a_pause_is_read(form: Format, card: bytes, noise: bytes):
    stream = decoder(form, bits=(26,))
    stream.feed(noise, NOW)
    found = stream.feed(line(card, form), NOW + timedelta(seconds=2))
    assert [item.observation.tag for item in found if isinstance(item, Reading)] == [card.hex().upper()]


@given(pieces=st.lists(st.binary(max_size=90), max_size=20))
def test_no_more_than_a_line_is_kept(pieces: list[bytes]):
    stream = decoder("bits")
    for piece in pieces:
        stream.feed(piece, NOW)
        assert len(stream._rest) < LONGEST


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"format": "octal"}, "settings.format"),
        ({"bits": 27}, "settings.bits"),
        ({"bits": True}, "settings.bits"),
        ({"format": "binary"}, "settings.bits"),
        ({"end": "none"}, "settings.bits"),
        ({"end": "etx"}, "settings.end"),
        ({"reverse": "yes"}, "settings.reverse"),
        ({"gone_ms": "1"}, "settings.gone_ms"),
        ({"baud": 9600}, "settings.baud"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(settings: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["wiegand_serial"].check(DeviceSettings(id="rdr", link={"serial": "/dev/x"}, settings=settings))
    assert refused.value.key == key
