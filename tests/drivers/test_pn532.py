"""PN532 readers: their frames under damage, and polling one that sleeps, waits or is gone."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, StreamDecoder
from device_drivers.errors import SettingsError
from device_drivers.observations import DeviceStatus, TagRead
from device_drivers.pn532.device import Chip, listing
from device_drivers.pn532.frame import ACK, CHIP, HOST, command, frame_length, make_frame, read_frame
from device_drivers.pn532.poller import Pn532Poller
from device_drivers.pn532.targets import KINDS, Kind, uids
from tests.drivers.line import NOW, talk
from tests.drivers.streams import cut, damaged, outcome

UID = bytes.fromhex("FB0EE20B")
ONLINE = DeviceStatus(device="rdr", at=NOW, online=True)
TAP = TagRead(device="rdr", at=NOW, tag="FB0EE20B", method="nfc")


def decoder() -> StreamDecoder:
    make = DRIVERS["pn532"].stream_decoder
    assert make is not None
    return make(DeviceSettings(id="rdr", link={"serial": "-"}))


@given(
    stream=damaged(
        [ACK, listing([UID]), listing([]), command(0x4A, b"\x01\x00"), make_frame(CHIP, 0x41, bytes(300)[:260])]
    )
    | st.binary(max_size=400),
    places=st.lists(st.integers(0, 500), max_size=6),
)
def test_however_a_damaged_stream_is_cut_it_says_the_same_and_never_raises(stream: bytes, places: list[int]):
    whole = outcome(decoder, [stream])
    assert outcome(decoder, cut(stream, places)) == whole
    assert outcome(decoder, [bytes([byte]) for byte in stream]) == whole


@given(noise=st.binary(max_size=300))
def test_a_tap_after_noise_and_a_pause_is_read(noise: bytes):
    stream = decoder()
    stream.feed(noise, NOW)
    later = NOW + timedelta(seconds=2)
    found = stream.feed(command(0x4A, b"\x01\x00") + listing([b"\1\2\3\4"]), later)
    assert [item.observation.tag for item in found if isinstance(item, Reading)] == ["01020304"]


@given(direction=st.sampled_from([HOST, CHIP]), code=st.integers(0, 255), data=st.binary(max_size=262))
def test_any_frame_comes_back_as_it_was_made(direction: int, code: int, data: bytes):
    made = make_frame(direction, code, data)
    size = frame_length(made, 1)
    assert size == len(made) - 2  # without the first and the last 00
    assert read_frame(made[1 : 1 + size]) == (direction, code, data)


@given(data=st.binary(max_size=60), kind=st.sampled_from(list(KINDS.values())))
def test_an_answer_is_read_or_refused(data: bytes, kind: Kind):
    with suppress(ValueError):
        assert len(uids(data, kind)) <= 2


def test_a_sleeping_chip_is_woken_set_up_and_asked_in_one_round():
    chip = Chip([UID])
    heard = talk(Pn532Poller("rdr", "-"), chip.answers)
    assert heard.seen == [ONLINE, TAP]
    assert heard.sent[0].startswith(b"\x55\x55")
    assert [read_frame(asked[1:-1]).code for asked in heard.sent[1:]] == [0x14, 0x32, 0x4A]


def test_a_chip_without_a_tag_answers_and_so_proves_that_it_lives():
    chip, poller = Chip(), Pn532Poller("rdr", "-")
    assert talk(poller, chip.answers).seen == [ONLINE]
    chip.tags = [UID]
    assert talk(poller, chip.answers).seen == [TAP]
    assert talk(poller, chip.answers).seen == []


def test_an_echo_before_acknowledgement_and_answer_is_passed_over():
    chip = Chip([UID])
    assert talk(Pn532Poller("rdr", "-"), lambda asked: asked + chip.answers(asked)).seen == [ONLINE, TAP]


def test_a_chip_that_lost_its_power_is_set_up_again():
    chip, poller = Chip(), Pn532Poller("rdr", "-")
    talk(poller, chip.answers)
    chip.awake, chip.patient, chip.tags = False, True, [UID]
    quiet = talk(poller, chip.answers)
    assert quiet.seen == []
    assert ACK in quiet.sent  # the command is called off
    assert talk(poller, chip.answers).seen == [TAP]


def test_a_chip_that_is_gone_is_offline_after_three_rounds_and_told_once():
    poller = Pn532Poller("rdr", "-")
    talk(poller, Chip().answers)
    seen = [talk(poller, lambda _: b"").seen for _ in range(5)]
    offline = DeviceStatus(device="rdr", at=NOW, online=False, reason="no answer")
    assert seen == [[], [], [offline], [], []]
    assert talk(poller, Chip().answers).seen == [ONLINE]


def test_an_answer_that_makes_no_sense_is_rejected_once_and_is_a_sign_of_life():
    poller, chip = Pn532Poller("rdr", "-"), Chip()
    talk(poller, chip.answers)
    senseless = ACK + make_frame(CHIP, 0x4B, bytes.fromhex("0101000408050102030405"))
    reasons = [talk(poller, lambda _: senseless).reasons for _ in range(3)]
    assert reasons == [["a UID of 5 bytes, expected 4, 7 or 10"], [], []]


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"link": {"serial": "/dev/x"}}, "link.baud"),
        ({"link": {"serial": "socket://h:1"}, "settings": {"every_ms": 0}}, "settings.every_ms"),
        ({"link": {"serial": "socket://h:1"}, "settings": {"key": 1}}, "settings.key"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["pn532"].check(DeviceSettings(**{"id": "rdr", **entry}))
    assert refused.value.key == key
