"""Message decoders under damage: every answer is a list of readings or DecodeError."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import device_drivers
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder
from device_drivers.errors import DecodeError
from device_drivers.native.decoder import NativeDecoder, read_observation
from device_drivers.observations import LightLevel, TagRead, spelled_out

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TAP = b'{"kind":"tag_read","at":"2026-11-23T22:04:11+08:00","boot":"b","seq":1,"tag":"6F007B3972"}'
UP = "lamplighter/s/rdr/up"
STEPS = [
    (case["driver"], step["topic"], bytes.fromhex(step["hex"]) if "hex" in step else step["payload"].encode())
    for path in sorted(Path(device_drivers.__file__).parent.glob("*/cases/*.yaml"))
    for case in [yaml.safe_load(path.read_text(encoding="utf-8"))]
    for step in case["feed"]
    if "topic" in step
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def decoder(name: str) -> MessageDecoder:
    make = DRIVERS[name].message_decoder
    assert make is not None
    link = {"zigbee2mqtt": {"mqtt": "zigbee2mqtt/lux-t1-f03"}, "frigate": {"mqtt": "frigate"}}.get(name, {})
    return make("riverside", DeviceSettings(id="d", link=link))


def answer(name: str, topic: str, payload: bytes, *, retained: bool) -> None:
    """Decode; anything but readings that can be written again, or DecodeError, fails the test."""
    try:
        readings = decoder(name).decode(topic, payload, NOW, retained=retained)
    except DecodeError:
        return
    for reading in readings:
        assert msgspec.json.decode(msgspec.json.encode(reading.observation))["kind"]
        if reading.body is not None:
            assert json.loads(reading.body.decode())


@given(step=st.sampled_from(STEPS), data=st.data(), retained=st.booleans())
def test_mutated_messages_are_read_or_refused(step: tuple[str, str, bytes], data: st.DataObject, retained: bool):
    name, topic, payload = step
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, len(damaged)))
        damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    answer(name, topic, bytes(damaged), retained=retained)


@given(payload=st.binary(max_size=80), step=st.sampled_from(STEPS))
def test_arbitrary_bytes_are_read_or_refused(payload: bytes, step: tuple[str, str, bytes]):
    answer(step[0], step[1], payload, retained=False)


@given(step=st.sampled_from(STEPS), data=st.data())
def test_fields_of_the_wrong_type_are_read_or_refused(step: tuple[str, str, bytes], data: st.DataObject):
    name, topic, payload = step
    try:
        body = json.loads(payload)
    except ValueError:
        return
    if not isinstance(body, dict) or not body:
        return
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    answer(name, topic, json.dumps(body).encode(), retained=False)


@pytest.mark.parametrize("name", ["native", "zigbee2mqtt", "frigate"])
@pytest.mark.parametrize(
    "topic", ["", "/", "x", "lamplighter//up", "frigate/", "zigbee2mqtt", "frigate//status/detect"]
)
def test_a_foreign_topic_is_refused(name: str, topic: str):
    with pytest.raises(DecodeError):
        decoder(name).decode(topic, TAP, NOW)


@pytest.mark.parametrize("name", ["native", "zigbee2mqtt", "frigate"])
@pytest.mark.parametrize("depth", [50, 5_000, 200_000])
def test_deep_json_is_refused_without_harm(name: str, depth: int):
    topic = {
        "native": "lamplighter/riverside/d/up",
        "zigbee2mqtt": "zigbee2mqtt/lux-t1-f03",
        "frigate": "frigate/stats",
    }
    payload = b'{"cameras":{},"kind":"motion","at":"2026-11-23T22:00:00Z","x":' + b"[" * depth + b"]" * depth + b"}"
    if (name, depth) in (("zigbee2mqtt", 50), ("frigate", 50)):
        assert decoder(name).decode(topic[name], payload, NOW) == []
        return
    with pytest.raises(DecodeError, match="nested"):
        decoder(name).decode(topic[name], payload, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"light_level","at":"2026-11-23T22:00:00Z","lux":1,"x":"\xff"}',
        b'{"kind":"light_level","at":"2026-11-23T22:00:00Z","lux":1,"x":"\\ud800"}',
        b'{"kind":"light_level","at":"2026-11-23T22:00:00Z","lux":1,"x":' + b"9" * 6000 + b"}",
        b'{"kind":"light_level","at":"2026-11-23T22:00:00Z","lux":' + b"9" * 400 + b"}",
        b'{"kind":"light_level","at":"0001-01-01T00:00:00+14:00","lux":1}',
        b'{"kind":"light_level","at":"9999-12-31T23:59:59-14:00","lux":1}',
        b'{"kind":"light_level","at":1795442370,"lux":1}',
        b'{"kind":"tag_read","at":"2026-11-23T22:00:00Z","boot":"b","seq":9223372036854775808,"tag":"00"}',
        b'{"kind":"tag_read","at":"2026-11-23T22:00:00Z","boot":"b","seq":1.5,"tag":"00"}',
        b'{"kind":"tag_read","at":"2026-11-23T22:00:00Z","tag":""}',
        b'{"kind":"tag_read","at":"2026-11-23T22:00:00Z","tag":"' + b"A" * 65 + b'"}',
        b'\xef\xbb\xbf{"kind":"motion","at":"2026-11-23T22:00:00Z"}',
        b"",
        b"null",
    ],
    ids=range(14),
)
def test_native_refuses_what_could_not_be_kept_or_compared(body: bytes):
    with pytest.raises(DecodeError):
        NativeDecoder("s").decode(UP, body, NOW)


def test_native_keeps_the_exact_bytes_of_each_observation():
    first = b'{"kind":"light_level", "at":"2026-11-23T22:00:00.10+08:00","lux":1.50,"note":"\xe8\x87\xaa"}'
    readings = NativeDecoder("s").decode(UP, b" [" + first + b" ,\n" + TAP + b"]\n", NOW)
    assert [reading.body for reading in readings] == [first, TAP]
    assert [type(reading.observation) for reading in readings] == [LightLevel, TagRead]
    assert {reading.observation.device for reading in readings} == {"rdr"}


def test_a_device_cannot_say_when_the_gateway_received():
    payload = TAP.replace(b'"boot"', b'"received":"2020-01-01T00:00:00Z","boot"')
    assert NativeDecoder("s").decode(UP, payload, NOW)[0].observation.received is None


def test_an_observation_reads_back_from_what_is_spelled_out():
    observation = read_observation(TAP)
    fields = spelled_out(observation)
    assert fields["method"] == "rfid"
    assert read_observation(msgspec.json.encode(fields)) == observation


@pytest.mark.parametrize("key", ["illuminance", "occupancy", "action", "state", "last_seen", "illuminance_lux"])
def test_deep_json_in_a_known_property_is_refused_without_harm(key: str):
    for depth in range(850, 1010):
        payload = b'{"%s":' % key.encode() + b"[" * depth + b"]" * depth + b"}"
        answer("zigbee2mqtt", "zigbee2mqtt/lux-t1-f03", payload, retained=False)


@pytest.mark.parametrize("raw", [0, 1, 65_534, 65_535, 65_536, 1e11, -5])
def test_a_raw_light_value_is_lux_or_nothing(raw: float):
    make = DRIVERS["zigbee2mqtt"].message_decoder
    assert make is not None
    settings = DeviceSettings(id="d", link={"mqtt": "z/d"}, settings={"illuminance": "raw"})
    readings = make("s", settings).decode("z/d", b'{"illuminance":%s}' % str(raw).encode(), NOW)
    assert len(readings) == (0 <= raw < 65_535)


def test_a_hand_over_complete_to_the_end_of_time_is_refused():
    with pytest.raises(DecodeError, match="complete_to"):
        read_observation(b'{"kind":"sync_end","at":"2026-11-23T22:00:00Z","complete_to":"9999-12-31T23:59:59-14:00"}')
