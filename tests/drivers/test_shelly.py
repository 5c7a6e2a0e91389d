"""Shelly: both ways of speaking, under damage, and what the device side says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import device_drivers
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder, Readings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.observations import DeviceStatus, LampFault, LampState, Measurement, Observation, Panic, Power
from device_drivers.shelly import device as shelly
from device_drivers.shelly.components import COMPONENTS
from device_drivers.shelly.decoder import base_of
from device_drivers.shelly.topics import SILENT, TOPICS

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BASE = "shellies/a/b"
CASES = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((Path(device_drivers.__file__).parent / "shelly" / "cases").glob("*.yaml"))
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({key for fields in COMPONENTS.values() for key in fields} | {"errors", "id"})


def decoder(**settings: Any) -> MessageDecoder:
    make = DRIVERS["shelly"].message_decoder
    assert make is not None
    return make("s", DeviceSettings(id="d", link={"mqtt": BASE}, settings=settings))


def heard(ears: MessageDecoder, message: shelly.Message) -> list[Observation]:
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


@given(case=st.sampled_from(CASES), data=st.data(), retained=st.booleans())
def test_damaged_messages_are_read_or_refused(case: dict[str, Any], data: st.DataObject, retained: bool):
    ears = decoder(**case.get("device", {}).get("settings", {}))
    for step in case["feed"]:
        damaged = bytearray(step["payload"].encode())
        for _ in range(data.draw(st.integers(0, 3))):
            position = data.draw(st.integers(0, len(damaged)))
            damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        suffix = step["topic"].removeprefix("shellies/shelly1/").removeprefix("shellies/plus1pm/")
        answer(ears, suffix, bytes(damaged), retained=retained)


@given(
    topic=st.sampled_from(sorted(TOPICS)), payload=st.binary(max_size=20) | JSON.map(lambda v: json.dumps(v).encode())
)
def test_any_payload_on_any_topic_is_read_or_refused(topic: str, payload: bytes):
    answer(decoder(inputs={"0": "panic"}, panic_events={"0": ["L"]}), topic.replace("N", "0"), payload)


@given(
    sort=st.sampled_from(sorted(COMPONENTS)),
    status=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    whole=st.booleans(),
)
def test_components_with_fields_of_any_type_are_read_or_refused(sort: str, status: dict[str, Any], whole: bool):
    ears = decoder(inputs={"0": "motion"})
    method = "NotifyFullStatus" if whole else "NotifyStatus"
    frame = {"method": method, "params": {"ts": 1.61, f"{sort}:0": status}}
    answer(ears, "events/rpc", json.dumps(frame).encode())
    answer(ears, f"status/{sort}:0", json.dumps(status).encode())


@pytest.mark.parametrize("depth", [50, 900, 1000, 200_000])
@pytest.mark.parametrize("suffix", ["events/rpc", "status/switch:0", "status", "light/0/status", "input_event/0"])
def test_deep_json_is_read_or_refused_without_harm(suffix: str, depth: int):
    deep = b"[" * depth + b"]" * depth
    for key in (b"params", b"errors", b"output", b"aenergy", b"event", b"ison", b"motion", b"wifi_sta"):
        answer(decoder(), suffix, b'{"method":"NotifyStatus","%s":%s}' % (key, deep))
    answer(decoder(), suffix, deep)


@pytest.mark.parametrize("number", [b"1e999", b"-1e16", b"9" * 5000, b"NaN", b"nan", b"inf", b"\xff", b"0x1", b"1_0"])
def test_a_number_that_nothing_measures_gives_no_observation(number: bytes):
    answer(decoder(), "relay/0/power", number)
    answer(decoder(), "events/rpc", b'{"method":"NotifyStatus","params":{"switch:0":{"apower":%s}}}' % number)
    with pytest.raises(DecodeError):
        assert decoder().decode(f"{BASE}/emeter/0/total", b"1e16", NOW)
    assert decoder().decode(f"{BASE}/emeter/0/power", b"nan", NOW) == []


def test_the_device_side_of_the_first_generation_is_heard():
    ears = decoder(panic_events={"0": ["L"]})
    assert heard(ears, shelly.online(BASE, False)) == [
        DeviceStatus(device="d", at=NOW, online=False, reason="last_will")
    ]
    assert heard(ears, shelly.relay(BASE, True)) == [LampState(device="d", at=NOW, on=True)]
    assert heard(ears, shelly.value(BASE, "relay/0/energy", 60)) == [Power(device="d", at=NOW, energy_wh=1, channel=0)]
    assert heard(ears, shelly.press(BASE, "L", 1)) == [Panic(device="d", at=NOW)]
    assert heard(ears, shelly.press(BASE, "L", 1)) == []


def test_the_device_side_of_later_generations_is_heard():
    ears = decoder(panic_events={"0": ["long_push"]})
    at = NOW - timedelta(seconds=1)
    assert heard(ears, shelly.changed(BASE, {"switch:0": {"apower": 46}}, at)) == [
        Power(device="d", at=at, watts=46, channel=0)
    ]
    assert heard(ears, shelly.pressed(BASE, "long_push", at)) == [Panic(device="d", at=at)]
    assert heard(ears, shelly.component(BASE, "humidity:0", {"rh": 50.5})) == [
        Measurement(device="d", at=NOW, quantity="humidity", value=50.5, unit="%", channel=0)
    ]


def test_a_redelivered_press_is_the_same_observation():
    ears = decoder(panic_events={"0": ["long_push"]})
    press = shelly.pressed(BASE, "long_push", NOW)
    assert heard(ears, press) == heard(ears, press)


def test_a_press_the_broker_had_kept_is_no_call_when_it_is_told_again():
    ears = decoder(panic_events={"0": ["L"]})
    kept = shelly.press(BASE, "L", 7)
    with pytest.raises(DecodeError, match="retained"):
        ears.decode(kept.topic, kept.payload, NOW, retained=True)
    assert heard(ears, kept) == []
    assert heard(ears, shelly.press(BASE, "L", 8)) == [Panic(device="d", at=NOW)]


def test_a_call_beside_a_value_that_cannot_be_read_is_heard_at_once_and_told_again_is_a_repetition():
    ears = decoder(inputs={"0": "panic"})
    sound = {"input:0": {"id": 0, "state": True}}
    damaged = shelly.changed(BASE, {**sound, "temperature:0": {"tC": "hot"}}, NOW)
    found = ears.decode(damaged.topic, damaged.payload, NOW)
    assert [reading.observation for reading in found] == [Panic(device="d", at=NOW)]
    assert isinstance(found, Readings)
    assert [reject.reason for reject in found.rejects] == ["tC: 'hot', expected a number"]
    assert heard(ears, shelly.changed(BASE, sound, NOW)) == []


def test_a_retained_state_does_not_end_a_fault_unheard():
    ears = decoder()
    heard(ears, shelly.changed(BASE, {"switch:0": {"errors": ["overpower"]}}, NOW))
    well = shelly.component(BASE, "switch:0", {"id": 0})
    assert ears.decode(well.topic, well.payload, NOW, retained=True) == []
    assert heard(ears, well) == [LampFault(device="d", at=NOW, fault="overpower", active=False)]


@pytest.mark.parametrize(
    ("name", "word"), [("ext_temperature/0", 999), ("sensor/humidity", 999), ("sensor/battery", -1), ("sensor/lux", -1)]
)
def test_the_devices_word_for_no_value_is_no_observation(name: str, word: int):
    assert heard(decoder(), shelly.value(BASE, name, word)) == []
    assert heard(decoder(), shelly.value(BASE, name, 21)) != []


def test_retained_values_with_a_time_of_their_own_are_an_old_sample():
    at = NOW - timedelta(hours=1)
    message = shelly.changed(BASE, {"switch:0": {"output": True}}, at)
    (reading,) = decoder().decode(message.topic, message.payload, NOW, retained=True)
    assert reading.observation == LampState(device="d", at=at, on=True)


@pytest.mark.parametrize(
    "known", [*sorted(TOPICS), *sorted(SILENT), "events/rpc", "status/switch:0", "rpc", "relay/N/command"]
)
@pytest.mark.parametrize("base", ["a", "shellies/a", "shellies/shellies/a", "relays/x/y"])
def test_a_device_is_found_from_a_topic_whatever_slashes_its_id_has(known: str, base: str):
    assert base_of(f"{base}/{known.replace('N', '3')}") == base


@pytest.mark.parametrize("topic", ["", "/", "x", "/online", "online", "a/b/c", "shellies/x/nothing/0"])
def test_a_topic_of_no_shelly_is_refused(topic: str):
    listener = DRIVERS["shelly"].listener
    assert listener is not None
    with pytest.raises(DecodeError, match="topic"):
        listener(topic)
    with pytest.raises(DecodeError, match="topic"):
        decoder().decode(topic, b"{}", NOW)


def test_what_is_remembered_is_bounded():
    ears = decoder(panic_events={str(number): ["L"] for number in range(999)})
    for number in range(2000):
        answer(ears, f"x{number}/0", b"1")
        answer(ears, f"status/switch:{number}", b'{"errors":["overpower"]}')
        answer(ears, f"input_event/{number % 1000}", b'{"event":"S","event_cnt":1}')
    assert len(ears._topics) <= 512
    assert len(ears._components) <= 512
    assert len(ears._faults) <= 64
    assert len(ears._presses) <= 64


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.mqtt"),
        ({"link": {"mqtt": "shellies/#"}}, "link.mqtt"),
        ({"link": {"mqtt": "a"}, "settings": {"lamps": ["x"]}}, "settings.lamps"),
        ({"link": {"mqtt": "a"}, "settings": {"inputs": {"0": "tap"}}}, "settings.inputs.0"),
        ({"link": {"mqtt": "a"}, "settings": {"panic_events": {"0": "L"}}}, "settings.panic_events"),
        ({"link": {"mqtt": "a"}, "settings": {"panic_events": [1]}}, "settings.panic_events"),
        ({"link": {"mqtt": "a"}, "settings": {"generation": 2}}, "settings.generation"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["shelly"].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key
