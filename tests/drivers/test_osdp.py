"""OSDP frames under cuts, noise and damage; cards and keys; the keys of a secure channel."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.observations import TagRead
from device_drivers.osdp import device
from device_drivers.osdp.cards import Cards, read_keys, read_raw, tag_of
from device_drivers.osdp.codes import COMMANDS, REPLIES, SCS_BEGINS, SOM
from device_drivers.osdp.decoder import OsdpDecoder
from device_drivers.osdp.frame import LONGEST, checksum, crc, read_frame
from device_drivers.osdp.secure_channel import derive
from tests.drivers.streams import NOW, cut, damaged, observations, outcome

VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")
W26 = device.wiegand(bytes.fromhex("7B3972"))
PARTS = [
    device.frame(1, 0x60, reply=False),
    device.card(1, W26),
    device.card(2, "1" * 56, sequence=2),
    device.keys(1, b"12\x7f", sequence=3),
    device.frame(1, 0x40, mark=True, with_crc=False),
]


def make() -> OsdpDecoder:
    return OsdpDecoder(Cards("rdr", keypad="tag"))


def vectors(name: str) -> list[dict[str, Any]]:
    if not VECTORS:
        return []
    return [each for each in json.loads(Path(VECTORS).read_text(encoding="utf-8")) if each["format"] == name]


def closed(address: int, code: int, data: bytes, security: int = 0x16) -> bytes:
    """A reply in a secure channel: a security block, and a MAC, which is not checked here."""
    head = bytes([SOM, address | 0x80, 0, 0, 0x0D, 2, security, code]) + data + bytes(4)
    head = head[:2] + (len(head) + 2).to_bytes(2, "little") + head[4:]
    return head + crc(head).to_bytes(2, "little")


def test_the_crc_is_the_one_of_the_standard():
    assert crc(b"123456789") == 0xE5CC
    assert checksum(bytes.fromhex("537F07000160")) == 0xC6


@given(stream=damaged(PARTS), places=st.lists(st.integers(0, 5000), max_size=8))
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, places: list[int]):
    whole = outcome(make, [stream])
    assert outcome(make, cut(stream, places)) == whole
    assert outcome(make, [bytes([octet]) for octet in stream]) == whole


@given(noise=st.binary(max_size=300), places=st.lists(st.integers(0, 400), max_size=4))
def test_a_good_card_is_read_after_any_noise(noise: bytes, places: list[int]):
    good = device.card(1, W26)
    found = outcome(make, cut(noise + good, places))
    assert TagRead(device="rdr", at=NOW, tag="7B3972") in observations(found)


@pytest.mark.parametrize("marks", [1, 2, 8, 3000])
def test_marks_before_and_behind_a_frame_are_an_idle_line(marks: int):
    idle = b"\xff" * marks
    card = TagRead(device="rdr", at=NOW, tag="7B3972")
    assert outcome(make, [idle + device.frame(1, 0x40) + idle]) == []
    found = outcome(make, [idle + device.card(1, W26) + idle + device.card(1, W26, sequence=2) + idle])
    assert [item.observation for item in found if isinstance(item, Reading)] == [card, card]
    assert len(found) == 2
    assert any(isinstance(item, Reject) for item in outcome(make, [idle + b"\x44" + idle]))


@given(place=st.integers(0, 15), bit=st.integers(0, 7))
def test_one_damaged_bit_never_gives_another_card(place: int, bit: int):
    good = bytearray(device.card(1, W26))
    good[place % len(good)] ^= 1 << bit
    found = outcome(make, [bytes(good)])
    assert not observations(found)
    assert any(isinstance(item, Reject) for item in found)


@given(pieces=st.lists(st.binary(max_size=2000), max_size=5))
def test_nothing_is_kept_beyond_two_frames(pieces: list[bytes]):
    decoder = make()
    for piece in [*pieces, b"\x53\xff\x9f\x05\x04" * 1000]:
        decoder.feed(piece, NOW)
        assert decoder._hunter.held <= 2 * LONGEST + 2


def test_every_command_and_reply_that_carries_no_card_is_understood_without_a_word():
    for codes, reply in ((COMMANDS, False), (REPLIES, True)):
        for code in set(codes) - {0x50, 0x53}:
            assert outcome(make, [device.frame(3, code, b"\x00" * 4, reply=reply)]) == []


def test_a_panel_that_asks_again_gets_no_second_card():
    poll, card = device.frame(1, 0x60, reply=False, sequence=2), device.card(1, W26, sequence=2)
    assert len(observations(outcome(make, [poll, card, poll, card]))) == 1


def test_the_same_card_after_another_poll_is_another_tap():
    stream = [
        part
        for n in (1, 2, 3)
        for part in (device.frame(1, 0x60, reply=False, sequence=n), device.card(1, W26, sequence=n))
    ]
    assert len(observations(outcome(make, stream))) == 3


def test_plain_text_is_refused_while_a_secure_channel_is_up():
    beginning = bytes([SOM, 1, 0x13, 0, 0x0C, 3, SCS_BEGINS, 0, 0x76]) + bytes(8)
    beginning += crc(beginning).to_bytes(2, "little")
    decoder = make()
    assert decoder.feed(closed(1, 0x40, b""), NOW) == []
    (refused,) = decoder.feed(device.card(1, W26), NOW)
    assert isinstance(refused, Reject)
    assert "plain text" in refused.reason
    assert observations(decoder.feed(device.card(2, W26), NOW))  # another reader's business
    assert decoder.feed(beginning, NOW) == []
    assert observations(decoder.feed(device.card(1, W26, sequence=2), NOW))


def shaking(address: int, security: int, code: int, data: bytes, status: int) -> bytes:
    """A part of the handshake that begins a secure channel; even ones are replies."""
    head = bytes([SOM, address | (0 if security & 1 else 0x80), 0, 0, 0x0D, 3, security, status, code]) + data
    head = head[:2] + (len(head) + 2).to_bytes(2, "little") + head[4:]
    return head + crc(head).to_bytes(2, "little")


def handshake(address: int, status: int = 1) -> list[bytes]:
    return [
        shaking(address, 0x11, 0x76, bytes(8), 0),
        shaking(address, 0x12, 0x76, bytes(32), 0),
        shaking(address, 0x13, 0x77, bytes(16), 0),
        shaking(address, 0x14, 0x78, bytes(16), status),
    ]


def test_plain_text_is_refused_from_the_end_of_the_handshake_on_and_read_while_a_new_one_lasts():
    for tap in (device.card(1, W26, sequence=3), device.keys(1, b"1234\x7f", sequence=3)):
        decoder = make()
        for part in handshake(1):
            assert decoder.feed(part, NOW) == []
        (refused,) = decoder.feed(tap, NOW)
        assert isinstance(refused, Reject)
        assert "plain text" in refused.reason
        for part in handshake(1)[:3]:  # it was switched off and on
            assert decoder.feed(part, NOW) == []
            assert observations(decoder.feed(device.card(1, W26, sequence=0), NOW))
        assert decoder.feed(handshake(1)[3], NOW) == []
        assert not observations(decoder.feed(device.card(1, W26, sequence=2), NOW))


def test_a_handshake_that_fails_brings_no_secure_channel_up():
    decoder = make()
    for part in [*handshake(1, 0xFF), shaking(2, 0x14, 0x41, bytes(1), 1)]:
        assert decoder.feed(part, NOW) == []
    assert observations(decoder.feed(device.card(1, W26), NOW))
    assert observations(decoder.feed(device.card(2, W26), NOW))


def test_a_card_with_a_mac_is_read_and_an_encrypted_one_is_for_its_two_ends():
    raw = bytes([0, 1, 32, 0]) + bytes.fromhex("04A1B2C3")
    assert observations(outcome(make, [closed(1, 0x50, raw)])) == [TagRead(device="rdr", at=NOW, tag="04A1B2C3")]
    assert outcome(make, [closed(1, 0x50, bytes(16), security=0x18)]) == []


@pytest.mark.parametrize("block", ["00", "ff16", "0116"])
def test_a_security_block_that_does_not_fit_is_refused(block: str):
    head = bytes([SOM, 0x81, 0, 0, 0x0C]) + bytes.fromhex(block) + b"\x40"
    head = head[:2] + bytes([len(head) + 2]) + head[3:]
    with pytest.raises(DecodeError):
        read_frame(head + crc(head).to_bytes(2, "little"))


@given(number=st.binary(min_size=3, max_size=4))
def test_a_wiegand_card_is_the_number_between_its_parities(number: bytes):
    bits = device.wiegand(number)
    raw = read_raw(read_frame(device.card(1, bits)).data)
    assert raw.bit_string == bits
    assert tag_of(raw.bits, raw.data, "auto") == tag_of(raw.bits, raw.data, "wiegand") == number.hex().upper()
    assert tag_of(raw.bits, raw.data, "bytes") == raw.data.hex().upper()


@given(number=st.binary(min_size=3, max_size=4), place=st.integers(0, 33))
def test_a_wiegand_card_with_one_wrong_bit_is_never_another_number(number: bytes, place: int):
    bits = list(device.wiegand(number))
    place %= len(bits)
    bits[place] = "10"[int(bits[place])]
    raw = read_raw(read_frame(device.card(1, "".join(bits))).data)
    assert tag_of(raw.bits, raw.data, "auto") == raw.data.hex().upper()
    with pytest.raises(DecodeError, match="parity"):
        tag_of(raw.bits, raw.data, "wiegand")


@given(payload=st.binary(max_size=80))
def test_the_inside_of_a_frame_is_read_or_refused(payload: bytes):
    for read in (read_raw, read_keys):
        with suppress(DecodeError):
            assert read(payload) is not None  # no keys are no keys is not None


@pytest.mark.parametrize(
    ("pressed", "codes"),
    [
        ([b"12\x7f"], ["12"]),
        ([b"1", b"2", b"\x7f", b"7\x7f"], ["12", "7"]),
        ([b"9\x0d12\x7f"], ["12"]),
        ([b"\x7f"], []),
        ([b"1" * 17 + b"\x7f", b"3\x7f"], ["3"]),
        ([b"1A\x7f"], []),
    ],
)
def test_keys_make_a_code(pressed: list[bytes], codes: list[str]):
    cards = Cards("rdr", keypad="tag")
    found = [item for keys in pressed for item in cards.keys(keys, NOW)]
    assert [
        item.observation.tag for item in found if isinstance(item, Reading) and isinstance(item.observation, TagRead)
    ] == codes


def test_a_code_that_was_left_unfinished_is_not_the_next_ones_beginning():
    cards = Cards("rdr", keypad="tag")
    assert not cards.keys(b"9", NOW)
    (found,) = cards.keys(b"12\x7f", NOW + timedelta(seconds=16))
    assert isinstance(found, Reading)
    assert found.observation == TagRead(device="rdr", at=NOW + timedelta(seconds=16), tag="12", method="manual")


def test_no_code_that_was_typed_is_shown_in_quarantine():
    cards = Cards("rdr", keypad="tag")
    (refused,) = cards.keys(b"123456789012345678\x7f", NOW)
    assert isinstance(refused, Reject)
    assert "1234" not in refused.reason
    assert refused.data == b""


@pytest.mark.parametrize("vector", vectors("osdp_raw_payload"), ids=lambda each: each["id"])
def test_a_published_card_is_read(vector: dict[str, Any]):
    wanted = vector["expected"]
    if vector["kind"] == "negative":
        with pytest.raises(DecodeError):
            read_raw(bytes.fromhex(vector["input_hex"]))
        return
    card = read_raw(bytes.fromhex(vector["input_hex"]))
    found = {"reader": card.reader, "format": card.format, "bits": card.bits, "bit_string": card.bit_string}
    assert {key: found[key] for key in wanted if key in found} == {key: wanted[key] for key in wanted if key in found}


@pytest.mark.parametrize("vector", vectors("osdp_secure_channel"), ids=lambda each: each["id"])
def test_the_published_keys_of_a_secure_channel_are_derived(vector: dict[str, Any]):
    keys = derive(*(bytes.fromhex(vector[name]) for name in ("scbk", "cp_random", "pd_random")))
    found = {name: value.hex().upper() for name, value in keys._asdict().items()}
    assert {key: found[key] for key in vector["expected"] if key in found} == vector["expected"]


def test_keys_are_not_printed_and_want_their_lengths():
    keys = derive(bytes(16), bytes(8), bytes(8))
    assert keys.s_enc.hex() not in repr(keys)
    assert str(keys) == "ChannelKeys(…)"
    with pytest.raises(ValueError, match="16 bytes"):
        derive(bytes(15), bytes(8), bytes(8))


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.serial"),
        ({"link": {"serial": "/dev/ttyUSB0"}}, "settings.scbk"),
        ({"settings": {"scbk": "303132333435363738393A3B3C3D3E3F"}}, "settings.scbk"),
        ({"settings": {"scbk": "12"}}, "settings.scbk"),
        ({"settings": {"scbk": 12}}, "settings.scbk"),
        ({"settings": {"scbk": "01" * 16, "secure": False}}, "settings.scbk"),
        ({"settings": {"secure": False, "install_mode": True}}, "settings.install_mode"),
        ({"settings": {"secure": "no"}}, "settings.secure"),
        ({"settings": {"secure": False, "address": 127}}, "settings.address"),
        ({"settings": {"secure": False, "address": True}}, "settings.address"),
        ({"settings": {"secure": False, "number": "hex"}}, "settings.number"),
        ({"settings": {"secure": False, "keypad": ["tag"]}}, "settings.keypad"),
        ({"settings": {"secure": False, "keypad_enter": "#"}}, "settings.keypad_enter"),
        ({"settings": {"secure": False, "x": 1}}, "settings.x"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    link = {} if key == "link.serial" else {"link": {"serial": "/dev/ttyUSB0"}}
    with pytest.raises(SettingsError) as refused:
        DRIVERS["osdp"].check(DeviceSettings(**{"id": "rdr", **link, **entry}))
    assert refused.value.key == key
    assert "3031" not in str(refused.value)
