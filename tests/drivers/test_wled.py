"""WLED: under damage, and what the strip's side says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.observations import DeviceStatus, LampState, Observation
from device_drivers.wled import device as wled

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BASE = "wled/hall/strip"


def decoder(**settings: Any) -> MessageDecoder:
    make = DRIVERS["wled"].message_decoder
    assert make is not None
    return make("s", DeviceSettings(id="d", link={"mqtt": BASE}, settings=settings))


def heard(message: wled.Message) -> list[Observation]:
    readings = decoder().decode(message.topic, message.payload, NOW, retained=message.retained)
    return [reading.observation for reading in readings]


def answer(suffix: str, payload: bytes, *, retained: bool = False) -> None:
    """Decode; anything but a state within its bounds, or DecodeError, fails the test."""
    try:
        readings = decoder().decode(f"{BASE}/{suffix}", payload, NOW, retained=retained)
    except DecodeError:
        return
    for reading in readings:
        observation = reading.observation
        assert isinstance(observation, (LampState, DeviceStatus))
        if isinstance(observation, LampState):
            assert observation.level is not None
            assert 0 <= observation.level <= 1
            assert observation.on is (observation.level > 0)


@given(suffix=st.sampled_from("gcv"), payload=st.binary(max_size=40), retained=st.booleans())
def test_any_payload_on_any_topic_is_read_or_refused(suffix: str, payload: bytes, retained: bool):
    answer(suffix, payload, retained=retained)
    answer("status", payload, retained=retained)


@given(data=st.data(), level=st.integers(0, 255))
def test_damaged_xml_is_read_or_refused(data: st.DataObject, level: int):
    damaged = bytearray(wled.whole(BASE, level, "Bar & Grill").payload)
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, len(damaged)))
        damaged[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    answer("v", bytes(damaged))


@given(cut=st.integers(1, 200))
def test_xml_that_is_cut_is_refused(cut: int):
    whole = wled.whole(BASE, 51, "Facade").payload
    with pytest.raises(DecodeError):
        decoder().decode(f"{BASE}/v", whole[: min(cut, len(whole) - 1)], NOW)


def test_an_entity_bomb_costs_nothing():
    bomb = b'<!DOCTYPE vs [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><vs><ac>&b;</ac></vs>'
    with pytest.raises(DecodeError, match="entities"):
        decoder().decode(f"{BASE}/v", bomb, NOW)
    with pytest.raises(DecodeError):
        decoder().decode(f"{BASE}/v", b"<vs>" * 30_000, NOW)


def test_the_strips_side_is_heard():
    lit = [LampState(device="d", at=NOW, on=True, level=51 / 255)]
    assert heard(wled.status(BASE, True)._replace(retained=False)) == [DeviceStatus(device="d", at=NOW, online=True)]
    assert heard(wled.brightness(BASE, 51)) == lit
    assert heard(wled.whole(BASE, 51, "</ac> & <vs")) == lit
    assert heard(wled.colour(BASE, 255, 160, 0)) == []
    assert heard(wled.colour(BASE, 255, 160, 0, 1)) == []
    assert heard(wled.brightness(BASE, 0)) == [LampState(device="d", at=NOW, on=False, level=0)]


@pytest.mark.parametrize("topic", ["", "/", "x", "wled/hall/strip2/g", "wled/hall/strip/x", "g", "/g"])
def test_a_foreign_topic_is_refused(topic: str):
    with pytest.raises(DecodeError, match="topic"):
        decoder().decode(topic, b"1", NOW)


@pytest.mark.parametrize("topic", ["", "g", "/g", "wled/a/x"])
def test_a_topic_of_no_strip_is_refused(topic: str):
    listener = DRIVERS["wled"].listener
    assert listener is not None
    with pytest.raises(DecodeError, match="topic"):
        listener(topic)


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.mqtt"),
        ({"link": {"mqtt": "wled/#"}}, "link.mqtt"),
        ({"link": {"mqtt": "a"}, "settings": {"lamp": 1}}, "settings.lamp"),
        ({"link": {"mqtt": "a"}, "settings": {"lamps": {}}}, "settings.lamps"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["wled"].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key
