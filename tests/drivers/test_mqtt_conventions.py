"""The MQTT families that read JSON or text: under damage, and what their device sides say."""

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
from device_drivers.driver import DeviceSettings, MessageDecoder
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.homie import device as homie
from device_drivers.json_map import device as json_map
from device_drivers.neuron import device as neuron
from device_drivers.observations import DeviceStatus, LampState, LightLevel, Measurement

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ROOT = Path(device_drivers.__file__).parent
FAMILIES = ("json_map", "neuron", "homie", "homeassistant", "chirpstack", "tts", "milesight", "sparkplug")
USUAL: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((ROOT / name / "usual.yaml").read_text(encoding="utf-8"))[name] for name in FAMILIES
}
CASES = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in FAMILIES
    for path in sorted((ROOT / name / "cases").glob("*"))
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def decoder(name: str, **changes: Any) -> MessageDecoder:
    make = DRIVERS[name].message_decoder
    assert make is not None
    return make("riverside", DeviceSettings(**{**USUAL[name], **changes}))


def bytes_of(step: dict[str, Any]) -> bytes:
    return bytes.fromhex(step["hex"]) if "hex" in step else step["payload"].encode()


def answer(ears: MessageDecoder, topic: str, payload: bytes, *, retained: bool = False) -> None:
    """Decode; anything but observations that can be written, or DecodeError, fails the test."""
    try:
        readings = ears.decode(topic, payload, NOW, retained=retained)
    except DecodeError:
        return
    for reading in readings:
        assert json.loads(msgspec.json.encode(reading.observation))["kind"]
        assert "null" not in msgspec.json.encode(reading.observation).decode()  # NaN and infinity are written as null


@given(case=st.sampled_from(CASES), data=st.data(), retained=st.booleans())
def test_damaged_messages_are_read_or_refused(case: dict[str, Any], data: st.DataObject, retained: bool):
    ears = decoder(case["driver"], **case.get("device", {}))
    for step in case["feed"]:
        damaged = bytearray(bytes_of(step))
        for _ in range(data.draw(st.integers(0, 3))):
            position = data.draw(st.integers(0, len(damaged)))
            damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        answer(ears, step["topic"], bytes(damaged), retained=retained)


@given(case=st.sampled_from(CASES), data=st.data())
def test_fields_of_the_wrong_type_are_read_or_refused(case: dict[str, Any], data: st.DataObject):
    ears = decoder(case["driver"], **case.get("device", {}))
    for step in case["feed"]:
        try:
            body = json.loads(bytes_of(step))
        except ValueError:
            continue
        place = body
        while isinstance(place, dict) and place:
            key = data.draw(st.sampled_from(sorted(place)))
            if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
                place = place[key]
                continue
            place[key] = data.draw(JSON)
            break
        answer(ears, step["topic"], json.dumps(body).encode())


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("depth", [50, 900, 1000, 5_000, 200_000])
def test_deep_json_is_read_or_refused_without_harm(name: str, depth: int):
    deep = b"[" * depth + b"]" * depth
    for case in CASES:
        if case["driver"] != name:
            continue
        ears = decoder(name, **case.get("device", {}))
        for topic in {step["topic"] for step in case["feed"]}:
            for key in (b"lux", b"data", b"object", b"values", b"tags", b"uplink_message", b"components", b"nodes"):
                answer(ears, topic, b'{"%s":%s}' % (key, deep))
            answer(ears, topic, deep)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe",
        b'{"lux":1e999}',
        b'{"lux":' + b"9" * 5000 + b"}",
        b'{"lux":NaN}',
        b'{"timestamp":1e308,"values":{}}',
        b"\0",
        b"{",
    ],
)
def test_hostile_payloads_are_read_or_refused(name: str, payload: bytes):
    for case in CASES:
        if case["driver"] == name:
            answer(decoder(name, **case.get("device", {})), case["feed"][0]["topic"], payload)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("topic", ["", "/", "x", "a/b/c/d", "spBv1.0/a/b", "homie/5/other/$state", "v3/x/devices/y/up"])
def test_a_foreign_topic_is_refused(name: str, topic: str):
    with pytest.raises(DecodeError, match="topic"):
        decoder(name).decode(topic, b"{}", NOW)


@pytest.mark.parametrize(
    ("driver", "entry", "key"),
    [
        ("json_map", {}, "link.mqtt"),
        ("json_map", {"link": {"mqtt": "a/#"}}, "link.mqtt"),
        ("json_map", {"link": {"mqtt": "a", "state": "b/"}}, "link.state"),
        ("json_map", {"link": {"mqtt": "a"}, "settings": {"maps": []}}, "settings.maps"),
        ("json_map", {"link": {"mqtt": "a"}, "settings": {"time": {"path": "t"}}}, "settings.map"),
        (
            "json_map",
            {"link": {"mqtt": "a", "state": "b"}, "settings": {"map": [{"path": "x", "to": "light_level"}]}},
            "link.state",
        ),
        ("neuron", {}, "link.mqtt"),
        ("neuron", {"link": {"mqtt": "a", "state": "#"}}, "link.state"),
        ("neuron", {"link": {"mqtt": "a"}, "settings": {"node": 7}}, "settings.node"),
        ("neuron", {"link": {"mqtt": "a"}, "settings": {"tags": []}}, "settings.tags"),
        ("homie", {}, "link.mqtt"),
        ("homie", {"link": {"mqtt": "homie"}}, "link.mqtt"),
        ("homie", {"link": {"mqtt": "homie/5/x"}, "settings": {"root": "a/b"}}, "settings.root"),
        ("chirpstack", {}, "link.mqtt"),
        ("tts", {"link": {"mqtt": "v3/+/devices/x"}}, "link.mqtt"),
        ("milesight", {}, "link.mqtt"),
        ("milesight", {"link": {"mqtt": "m"}, "settings": {"dev_eui": 24}}, "settings.dev_eui"),
        ("milesight", {"link": {"mqtt": "m"}, "settings": {"codec": "milesight"}}, "settings.codec"),
        ("sparkplug", {}, "link.mqtt"),
        ("sparkplug", {"link": {"mqtt": "spBv1.0/g"}}, "link.mqtt"),
        ("sparkplug", {"link": {"mqtt": "spBv1.0/g/n"}, "settings": {"watch_seq": False}}, "settings.watch_seq"),
        ("sparkplug", {"link": {"mqtt": "spBv1.0/g/n"}, "settings": {"alias": 1}}, "settings.alias"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(driver: str, entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key
    assert refused.value.expected


def heard(ears: MessageDecoder, message: Any) -> list[Any]:
    return [each.observation for each in ears.decode(message.topic, message.payload, NOW, retained=message.retained)]


def test_the_device_side_of_neuron_is_heard_in_each_format():
    settings = {"node": "m", "map": [{"tag": "lux", "to": "light_level"}]}
    at = NOW - timedelta(seconds=1)
    wanted = [LightLevel(device="plc", at=at, lux=46)]
    for message in (
        neuron.values("/neuron/mqtt", "m", "g", {"lux": 46}, at, errors={"q": 3002}),
        neuron.tags("/neuron/mqtt", "m", "g", {"lux": 46}, at, errors={"q": 3002}),
        neuron.ecp("/neuron/mqtt", "m", "g", {"lux": 46.0, "on": True, "s": "x", "n": 1}, at),
    ):
        assert heard(decoder("neuron", settings=settings), message) == wanted
    down = neuron.states("/neuron/mqtt/state/update", {"m": False, "other": True}, NOW)
    assert heard(decoder("neuron", settings=settings), down) == [
        DeviceStatus(device="plc", at=NOW, online=False, reason="link")
    ]


def test_the_device_side_of_homie_is_heard():
    ears = decoder("homie")
    base = "homie/5/super-car"
    ready = homie.state(base, "ready")
    assert heard(ears, ready) == []  # as the broker has it for who comes later
    assert heard(ears, ready._replace(retained=False)) == [DeviceStatus(device="super-car", at=NOW, online=True)]
    heard(ears, homie.description(base, {"light": {"lux": ("float", "lx")}}))
    wanted = Measurement(device="super-car", at=NOW, quantity="light/lux", value=46, unit="lx")
    assert heard(ears, homie.value(base, "light/lux", "46")) == [wanted]
    assert heard(ears, homie.value(base, "light/name", "")) == []


def test_what_homie_remembers_is_bounded():
    ears = decoder("homie")
    for number in range(5000):
        ears.decode(f"homie/5/super-car/n{number}/p/$datatype", b"float", NOW)
    assert len(ears._sorts) <= 1000


def test_the_device_side_of_json_map_is_heard():
    ears = decoder("json_map")
    found = heard(ears, json_map.document("garage/lux", {"data": {"relay": ["OPEN"]}}))
    assert found == [LampState(device="lux-garage", at=NOW, on=False)]
    assert heard(ears, json_map.word("garage/lux/availability", "dead", retained=True)) == [
        DeviceStatus(device="lux-garage", at=NOW, online=False)
    ]
