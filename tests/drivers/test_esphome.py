"""ESPHome: under damage, by its mapping, and what the device side says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.esphome import device as esphome
from device_drivers.esphome.components import COMPONENTS
from device_drivers.observations import DeviceStatus, LampState, LightLevel, Measurement, Observation, TagRead

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BASE = "site/hall"
MAP = [
    {"entity": "sensor/lux", "to": "light_level"},
    {"entity": "binary_sensor/pir", "to": "motion"},
    {"entity": "event/x", "to": "panic", "values": {"hold": True, "*": None}},
    {"entity": "light/x", "to": "motion"},
    {"entity": "tag", "to": "tag_read"},
]
NAMES = sorted(f"{component}/x/state" for component in COMPONENTS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def decoder(**settings: Any) -> MessageDecoder:
    make = DRIVERS["esphome"].message_decoder
    assert make is not None
    return make("s", DeviceSettings(id="d", link={"mqtt": BASE}, settings=settings))


def heard(ears: MessageDecoder, message: esphome.Message) -> list[Observation]:
    readings = ears.decode(message.topic, message.payload, NOW, retained=message.retained)
    return [reading.observation for reading in readings]


def answer(ears: MessageDecoder, suffix: str, payload: bytes, *, retained: bool = False) -> None:
    """Decode; anything but observations that can be written, or DecodeError, fails the test."""
    try:
        readings = ears.decode(f"{BASE}/{suffix}", payload, NOW, retained=retained)
    except DecodeError:
        return
    for reading in readings:
        body = msgspec.json.encode(reading.observation)
        assert json.loads(body)["kind"]
        assert b"null" not in body  # NaN and infinity are written as null


@given(
    name=st.sampled_from([*NAMES, "status", "tag", "sensor/lux/state", "binary_sensor/pir/state"]),
    payload=st.binary(max_size=24) | st.text(max_size=12).map(str.encode) | JSON.map(lambda v: json.dumps(v).encode()),
    mapped=st.booleans(),
    retained=st.booleans(),
)
def test_any_payload_on_any_topic_is_read_or_refused(name: str, payload: bytes, mapped: bool, retained: bool):
    answer(decoder(map=MAP) if mapped else decoder(), name, payload, retained=retained)


@given(status=st.dictionaries(st.sampled_from(["state", "brightness", "event_type", "color"]), JSON))
def test_lights_and_events_with_fields_of_any_type_are_read_or_refused(status: dict[str, Any]):
    for ears in (decoder(), decoder(map=MAP)):
        answer(ears, "light/x/state", json.dumps(status).encode())
        answer(ears, "event/x/state", json.dumps(status).encode())


@pytest.mark.parametrize("depth", [50, 900, 1000, 200_000])
def test_deep_json_is_read_or_refused_without_harm(depth: int):
    deep = b"[" * depth + b"]" * depth
    for key in (b"state", b"brightness", b"event_type", b"other"):
        for ears in (decoder(), decoder(map=MAP)):
            answer(ears, "light/x/state", b'{"%s":%s}' % (key, deep))
            answer(ears, "event/x/state", b'{"%s":%s}' % (key, deep))


@pytest.mark.parametrize("text", [b"nan", b"-nan", b"None", b"unknown", b""])
def test_a_sensor_without_a_value_is_unknown_not_zero(text: bytes):
    for ears in (decoder(), decoder(map=MAP)):
        assert ears.decode(f"{BASE}/sensor/lux/state", text, NOW) == []


@pytest.mark.parametrize("text", [b"1e999", b"inf", b"9" * 5000, b"\xff", b"1,5", b"0x10", b"1_0"])
def test_a_number_that_nothing_measures_is_refused(text: bytes):
    with pytest.raises(DecodeError):
        decoder().decode(f"{BASE}/sensor/lux/state", text, NOW)


def test_the_device_side_is_heard():
    ears = decoder(lamps={"switch/relay": "lamp-a"}, map=MAP)
    assert heard(ears, esphome.status(BASE, False)) == [
        DeviceStatus(device="d", at=NOW, online=False, reason="last_will")
    ]
    assert heard(ears, esphome.sensor(BASE, "lux", 46.25, digits=2)) == [LightLevel(device="d", at=NOW, lux=46.25)]
    assert heard(ears, esphome.sensor(BASE, "volts", 230.1)) == [
        Measurement(device="d", at=NOW, quantity="volts", value=230.1)
    ]
    assert heard(ears, esphome.sensor(BASE, "lux", float("nan"))) == []
    assert heard(ears, esphome.switched(BASE, "switch", "relay", True)) == [
        LampState(device="d", at=NOW, lamp="lamp-a", on=True)
    ]
    assert heard(ears, esphome.light(BASE, "strip", True)) == [
        LampState(device="d", at=NOW, lamp="d/strip", on=True, level=1)
    ]
    assert heard(ears, esphome.tag(BASE, "74-10-37-94")) == [TagRead(device="d", at=NOW, tag="74103794")]


def test_a_retained_scan_is_refused_and_a_retained_state_says_nothing():
    ears = decoder(map=MAP)
    scan = esphome.tag(BASE, "74-10-37-94")
    with pytest.raises(DecodeError, match="retained"):
        ears.decode(scan.topic, scan.payload, NOW, retained=True)
    state = esphome.sensor(BASE, "lux", 46)
    assert ears.decode(state.topic, state.payload, NOW, retained=True) == []


def test_what_is_remembered_is_bounded():
    ears = decoder()
    for number in range(2000):
        answer(ears, f"sensor/s{number}/state", b"1")
    assert len(ears._entities) <= 512


@pytest.mark.parametrize("topic", ["", "/", "x", "status", "sensor/lux/state", "/status", "a/b/c", "a/sensor//state"])
def test_a_topic_of_no_device_is_refused(topic: str):
    listener = DRIVERS["esphome"].listener
    assert listener is not None
    with pytest.raises(DecodeError, match="topic"):
        listener(topic)
    with pytest.raises(DecodeError, match="topic"):
        decoder().decode(topic, b"1", NOW)


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.mqtt"),
        ({"link": {"mqtt": "a/+"}}, "link.mqtt"),
        ({"link": {"mqtt": "a"}, "settings": {"lamps": "x"}}, "settings.lamps"),
        ({"link": {"mqtt": "a"}, "settings": {"map": [{"path": "x", "to": "motion"}]}}, "settings.map.0.path"),
        ({"link": {"mqtt": "a"}, "settings": {"map": [{"entity": "x", "to": "lux"}]}}, "settings.map.0.to"),
        ({"link": {"mqtt": "a"}, "settings": {"prefix": "x"}}, "settings.prefix"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["esphome"].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key
