"""Gwiot readers: cut and damaged streams, and a poller that only ever reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, StreamDecoder
from device_drivers.errors import SettingsError
from device_drivers.gwiot.device import push_frame, reader_answer, reply
from device_drivers.gwiot.frame import COMMANDS, MAY_SEND, request
from device_drivers.gwiot.poller import GwiotPoller
from device_drivers.observations import DeviceStatus, TagRead
from tests.drivers.line import NOW, talk
from tests.drivers.streams import cut, damaged, outcome

CARD = bytes.fromhex("2E00B6D7B5")
MIFARE = bytes.fromhex("6DE95C17")
GOOD = {
    "gwiot_7941": [push_frame(CARD), push_frame(MIFARE, 0x01)],
    "gwiot_7941w": [request(0x10), request(0x15), reply(CARD), reply(MIFARE), reply(None)],
}


def decoder(driver: str) -> StreamDecoder:
    make = DRIVERS[driver].stream_decoder
    assert make is not None
    return make(DeviceSettings(id="rdr", link={"serial": "-"}))


@pytest.mark.parametrize("driver", GOOD)
@given(data=st.data())
def test_however_a_damaged_stream_is_cut_it_says_the_same_and_never_raises(driver: str, data: st.DataObject):
    stream = data.draw(damaged(GOOD[driver]) | st.binary(max_size=300))
    places = data.draw(st.lists(st.integers(0, 300), max_size=6))
    whole = outcome(lambda: decoder(driver), [stream])
    assert outcome(lambda: decoder(driver), cut(stream, places)) == whole
    assert outcome(lambda: decoder(driver), [bytes([byte]) for byte in stream]) == whole


@pytest.mark.parametrize("driver", GOOD)
@given(noise=st.binary(max_size=200))
def test_a_tap_after_noise_and_a_pause_is_read(driver: str, noise: bytes):
    stream = decoder(driver)
    stream.feed(noise, NOW)
    frame = push_frame(b"\x01\x02\x03\x04") if driver == "gwiot_7941" else reply(b"\x01\x02\x03\x04")
    asked = request(0x10) if driver == "gwiot_7941w" else b""
    found = stream.feed(asked + frame, NOW + timedelta(seconds=2))
    assert [item.observation.tag for item in found if isinstance(item, Reading)] == ["01020304"]


def a_poller(**more: Any) -> GwiotPoller:
    return GwiotPoller("rdr", "-", **more)


def test_a_card_is_read_once_while_it_stays_and_the_reader_says_that_it_lives():
    poller = a_poller()
    first = talk(poller, lambda asked: reader_answer(asked, {0x10: MIFARE, 0x15: CARD}))
    assert first.seen == [
        DeviceStatus(device="rdr", at=NOW, online=True),
        TagRead(device="rdr", at=NOW, tag="6DE95C17"),
        TagRead(device="rdr", at=NOW, tag="2E00B6D7B5"),
    ]
    assert talk(poller, lambda asked: reader_answer(asked, {0x10: MIFARE})).seen == []


def test_a_number_drawn_anew_each_time_is_no_card_but_a_sign_of_life_and_a_125_khz_number_like_it_is_one():
    phone = bytes.fromhex("08A1B2C3")

    def seen(band: str) -> list[str]:
        found = talk(a_poller(bands=[band]), lambda request: reply(phone)).seen
        assert any(isinstance(each, DeviceStatus) and each.online for each in found)
        return [each.tag for each in found if isinstance(each, TagRead)]

    assert seen("hf") == []
    assert seen("lf") == ["08A1B2C3"]


def test_an_echo_and_noise_before_the_reply_are_passed_over():
    heard = talk(a_poller(bands=["hf"]), lambda asked: asked + b"\xcd\x00" + reader_answer(asked, {0x10: MIFARE}))
    assert heard.seen[-1] == TagRead(device="rdr", at=NOW, tag="6DE95C17")


def test_a_reply_of_another_reader_is_not_taken():
    heard = talk(a_poller(bands=["hf"], address=2), lambda _: reply(MIFARE, 1))
    assert heard.seen == []
    assert heard.whole == [False]


def test_a_reader_without_answer_is_offline_after_three_rounds_and_told_once():
    poller = a_poller()
    talk(poller, lambda asked: reader_answer(asked, {}))
    seen = [talk(poller, lambda _: b"").seen for _ in range(5)]
    assert seen == [[], [], [DeviceStatus(device="rdr", at=NOW, online=False, reason="no answer")], [], []]
    assert talk(poller, lambda asked: reader_answer(asked, {})).seen == [
        DeviceStatus(device="rdr", at=NOW, online=True)
    ]


@given(answers=st.lists(st.binary(max_size=12) | st.sampled_from([reply(CARD), reply(None)]), max_size=8))
def test_no_command_that_writes_is_ever_sent(answers: Sequence[bytes]):
    poller = a_poller()
    queue = list(answers)
    for _ in range(4):
        heard = talk(poller, lambda _: queue.pop() if queue else b"")
        assert {asked[3] for asked in heard.sent} <= {0x10, 0x15}
        assert all(asked in (request(0x10), request(0x15)) for asked in heard.sent)
    poller.lost()


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - MAY_SEND))
def test_a_request_that_could_write_cannot_be_made(command: int):
    with pytest.raises(ValueError, match="only reads"):
        request(command)


@pytest.mark.parametrize(
    ("driver", "entry", "key"),
    [
        ("gwiot_7941", {}, "link.serial"),
        ("gwiot_7941", {"link": {"serial": "/dev/x"}, "settings": {"gone_ms": -1}}, "settings.gone_ms"),
        ("gwiot_7941w", {"link": {"serial": "/dev/x"}}, "link.baud"),
        ("gwiot_7941w", {"link": {"serial": "socket://h:1"}, "settings": {"bands": ["uhf"]}}, "settings.bands"),
        ("gwiot_7941w", {"link": {"serial": "socket://h:1"}, "settings": {"every_ms": 1}}, "settings.every_ms"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(driver: str, entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(**{"id": "rdr", **entry}))
    assert refused.value.key == key
