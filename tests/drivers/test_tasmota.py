"""Tasmota and OpenBeken: what their device sides say, and what damage does."""

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
from device_drivers import observations as seen
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder, Readings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.openbeken import device as openbeken
from device_drivers.rdm6300.device import frame
from device_drivers.tasmota.device import Device

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ROOT = Path(device_drivers.__file__).parent
FAMILIES = ("tasmota", "openbeken")
USUAL: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((ROOT / name / "usual.yaml").read_text(encoding="utf-8"))[name] for name in FAMILIES
}
CASES = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in FAMILIES
    for path in sorted((ROOT / name / "cases").glob("*.yaml"))
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TASMOTA = Device("lamp-hall")


def decoder(name: str, **changes: Any) -> MessageDecoder:
    make = DRIVERS[name].message_decoder
    assert make is not None
    settings = DeviceSettings(**{**USUAL[name], **changes})
    DRIVERS[name].check(settings)
    return make("riverside", settings)


def heard(ears: MessageDecoder, *messages: Any) -> list[seen.Observation]:
    return [
        reading.observation
        for each in messages
        for reading in ears.decode(each.topic, each.payload, NOW, retained=each.retained)
    ]


def answer(ears: MessageDecoder, topic: str, payload: bytes, *, retained: bool = False) -> None:
    """Decode; anything but observations that can be written, or DecodeError, fails the test."""
    try:
        readings = ears.decode(topic, payload, NOW, retained=retained)
    except DecodeError:
        return
    for reading in readings:
        written = msgspec.json.encode(reading.observation).decode()
        assert json.loads(written)["kind"]
        assert "null" not in written  # not-a-number and infinity are written as null
        assert not (retained and isinstance(reading.observation, (seen.TagRead, seen.Motion, seen.Panic)))


@given(case=st.sampled_from(CASES), data=st.data(), retained=st.booleans())
def test_damaged_messages_are_read_or_refused(case: dict[str, Any], data: st.DataObject, retained: bool):
    ears = decoder(case["driver"], **case.get("device", {}))
    for step in case["feed"]:
        damaged = bytearray(step["payload"].encode())
        for _ in range(data.draw(st.integers(0, 3))):
            position = data.draw(st.integers(0, len(damaged)))
            damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        answer(ears, step["topic"], bytes(damaged), retained=retained)


@given(case=st.sampled_from(CASES), payload=st.binary(max_size=80), retained=st.booleans())
def test_arbitrary_bytes_are_read_or_refused(case: dict[str, Any], payload: bytes, retained: bool):
    ears = decoder(case["driver"], **case.get("device", {}))
    for step in case["feed"]:
        answer(ears, step["topic"], payload, retained=retained)


@given(case=st.sampled_from(CASES), data=st.data(), retained=st.booleans())
def test_fields_of_the_wrong_type_are_read_or_refused(case: dict[str, Any], data: st.DataObject, retained: bool):
    ears = decoder(case["driver"], **case.get("device", {}))
    for step in case["feed"]:
        try:
            body = json.loads(step["payload"])
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
        answer(ears, step["topic"], json.dumps(body).encode(), retained=retained)


@given(text=st.text(max_size=60) | st.text(alphabet="0123456789ABCDEF\x02\x03\r\n", max_size=80))
@pytest.mark.parametrize("behind", ["rdm6300", "any", "text"])
def test_whatever_the_serial_bridge_received_is_read_or_refused(behind: str, text: str):
    ears = decoder("tasmota", settings={"serial": behind})
    payload = json.dumps({"SSerialReceived": text}).encode()
    answer(ears, "tele/lamp-hall/RESULT", payload)
    answer(ears, "tele/lamp-hall/RESULT", payload, retained=True)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("depth", [50, 900, 1000, 5_000, 200_000])
def test_deep_json_is_read_or_refused_without_harm(name: str, depth: int):
    deep = b"[" * depth + b"]" * depth
    base = USUAL[name]["link"]["mqtt"]
    for topic in (f"tele/{base}/SENSOR", f"tele/{base}/STATE", f"stat/{base}/RESULT", f"tele/{base}/RESULT"):
        for key in (b"ENERGY", b"BH1750", b"PN532", b"SSerialReceived", b"Switch1", b"POWER", b"Wifi", b"Time"):
            answer(decoder(name), topic, b'{"%s":%s}' % (key, deep))
            answer(decoder(name), topic, b'{"%s":{"Power":%s,"UID":%s,"RSSI":%s}}' % (key, deep, deep, deep))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"ENERGY":{"Power":1e999}}',
        b'{"ENERGY":{"Power":' + b"9" * 5000 + b"}}",
        b'{"ENERGY":{"Power":true}}',
        b'{"ENERGY":{"Power":[' + b"1," * 200 + b"1]}}",
        b'{"ENERGY":[1]}',
        b'{"ENERGY":{"Power":NaN}}',
        b'{"PN532":{"UID":"' + b"A" * 65 + b'"}}',
        b'{"PN532":"94D8FC5F"}',
        b'{"PN532":{"UID":123}}',
        b'{"Wiegand":{"UID":18446744073709551616,"Size":26}}',
        b'{"Wiegand":{"UID":16777216,"Size":26}}',
        b'{"Wiegand":{"UID":-1,"Size":34}}',
        b'{"BH1750":{"Illuminance":"dark"}}',
        b'{"BME280":{"Temperature":20},"TempUnit":"R"}',
        b'{"Switch1":[]}',
        b"\xff",
        b"[]",
        b"null",
    ],
    ids=range(18),
)
def test_what_is_no_telemetry_is_refused(payload: bytes):
    with pytest.raises(DecodeError):
        decoder("tasmota").decode("tele/lamp-hall/SENSOR", payload, NOW)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("topic", ["", "/", "x", "tele//SENSOR", "tele/lamp/SENSOR", "tele/lamp-hall-2/SENSOR", "cmnd"])
def test_a_foreign_topic_is_refused(name: str, topic: str):
    with pytest.raises(DecodeError, match="topic"):
        decoder(name).decode(topic, b"{}", NOW)


@pytest.mark.parametrize("topic", ["", "tele", "tele/", "tele//SENSOR", "lamp/SENSOR", "tasmota/discovery/"])
def test_no_device_of_tasmota_has_such_a_topic(topic: str):
    listener = DRIVERS["tasmota"].listener
    assert listener is not None
    with pytest.raises(DecodeError, match="topic"):
        listener(topic)


@pytest.mark.parametrize(
    ("driver", "entry", "key"),
    [
        ("tasmota", {"link": {}}, "link.mqtt"),
        ("tasmota", {"link": {"mqtt": "%topic%/%prefix%"}}, "link.mqtt"),
        ("tasmota", {"link": {"mqtt": "a", "discovery": "b/#"}}, "link.discovery"),
        ("tasmota", {"settings": {"lamps": ["a"]}}, "settings.lamps"),
        ("tasmota", {"settings": {"inputs": {"Switch1": "door"}}}, "settings.inputs.Switch1"),
        ("tasmota", {"settings": {"serial": "wiegand"}}, "settings.serial"),
        ("tasmota", {"settings": {"checksum": "crc"}}, "settings.checksum"),
        ("tasmota", {"settings": {"confirm_frames": 0}}, "settings.confirm_frames"),
        ("tasmota", {"settings": {"words": {"toggle": "T"}}}, "settings.words.toggle"),
        ("tasmota", {"settings": {"prefixes": {"tele": ""}}}, "settings.prefixes"),
        ("tasmota", {"settings": {"zone": "+08:00"}}, "settings.zone"),
        ("openbeken", {"link": {"mqtt": "a/+"}}, "link.mqtt"),
        ("openbeken", {"settings": {"lamps": {"1": 7}}}, "settings.lamps"),
        ("openbeken", {"settings": {"energy": "MJ"}}, "settings.energy"),
        ("openbeken", {"settings": {"map": []}}, "settings.map"),
    ],
)
def test_a_wrong_entry_names_its_key(driver: str, entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as wrong:
        DRIVERS[driver].check(DeviceSettings(**{**USUAL[driver], **entry}))
    assert wrong.value.key == key


def test_what_tasmota_says_is_heard():
    ears = decoder("tasmota", kind="reader")
    assert heard(ears, TASMOTA.light(NOW, 46)) == [seen.LightLevel(device="lamp-hall", at=NOW, lux=46)]
    assert heard(ears, TASMOTA.card(NOW, "94D8FC5F")) == [
        seen.TagRead(device="lamp-hall", at=NOW, tag="94D8FC5F", method="nfc")
    ]
    assert heard(ears, TASMOTA.bridged(frame("6F007B3972")[1:-1].decode())) == [
        seen.TagRead(device="lamp-hall", at=NOW, tag="6F007B3972")
    ]
    assert heard(ears, TASMOTA.energy(NOW, 46, total_kwh=1.5)) == [
        seen.Power(device="lamp-hall", at=NOW, watts=46, volts=230, amps=0.2, power_factor=1, energy_wh=1500)
    ]
    assert heard(ears, *TASMOTA.switched(True)) == [seen.LampState(device="lamp-hall", at=NOW, on=True)] * 2
    assert heard(ears, TASMOTA.state(NOW, {"POWER": False}))[0] == seen.LampState(device="lamp-hall", at=NOW, on=False)
    assert heard(ears, TASMOTA.will(False)) == [
        seen.DeviceStatus(device="lamp-hall", at=NOW, online=False, reason="lwt")
    ]
    assert heard(ears, TASMOTA.will(True)) == []


def test_a_time_with_its_offset_is_the_devices_own():
    earlier = NOW - timedelta(minutes=2)
    (light,) = heard(decoder("tasmota"), Device("lamp-hall", offset=True).light(earlier, 3))
    assert light.at == earlier
    future = NOW + timedelta(hours=1)
    (light,) = heard(decoder("tasmota"), Device("lamp-hall", offset=True).light(future, 3))
    assert light.at == NOW


def test_the_prefix_may_stand_anywhere_and_be_named_otherwise():
    device = Device("hall", full_topic="site 1/%topic%/%prefix%/")
    ears = decoder("tasmota", link={"mqtt": "site 1/hall/%prefix%"})
    assert heard(ears, device.light(NOW, 3))
    ears = decoder("tasmota", settings={"prefixes": {"tele": "telemetry"}})
    assert ears.decode("telemetry/lamp-hall/SENSOR", b'{"BH1750":{"Illuminance":3}}', NOW)
    with pytest.raises(DecodeError):
        ears.decode("tele/lamp-hall/SENSOR", b'{"BH1750":{"Illuminance":3}}', NOW)


def test_a_card_of_a_device_without_a_clock_is_read_each_time():
    ears = decoder("tasmota")
    payload = b'{"Time":"1970-01-01T00:00:09","PN532":{"UID":"94D8FC5F"}}'
    assert [len(ears.decode("tele/lamp-hall/SENSOR", payload, NOW)) for _ in range(2)] == [1, 1]


def test_a_tag_held_to_a_bridged_reader_is_one_read_and_damage_beside_it_is_kept():
    ears = decoder("tasmota", kind="reader")
    good = frame("6F007B3972")[1:-1].decode()
    assert len(heard(ears, *[TASMOTA.bridged(good)] * 5)) == 1
    payload = json.dumps({"SSerialReceived": f"\x02{good}\x03\x02{good[:5]}\x03"}).encode()
    found = ears.decode("tele/lamp-hall/RESULT", payload, NOW + timedelta(seconds=5))
    assert isinstance(found, Readings)
    assert [type(each.observation) for each in found] == [seen.TagRead]
    assert len(found.rejects) == 1


def test_what_openbeken_says_is_heard():
    ears = decoder("openbeken")
    base = "plug-hall"
    assert heard(ears, openbeken.value(base, 1, 1)) == [seen.LampState(device=base, at=NOW, on=True)]
    assert heard(ears, openbeken.value(base, 1, 1, retained=True)) == []
    assert heard(ears, openbeken.value(base, "power", 46)) == [seen.Power(device=base, at=NOW, watts=46)]
    assert heard(ears, openbeken.energy(base, NOW, 46, total_wh=1.5)) == [
        seen.Power(device=base, at=NOW, watts=46, volts=230, amps=0.2, power_factor=1, energy_wh=1.5)
    ]
    assert heard(ears, openbeken.rssi(base, -70)) == [
        seen.Measurement(device=base, at=NOW, quantity="rssi", value=-70, unit="dB[mW]")
    ]
    assert heard(ears, openbeken.connected(base, True)) == []
    assert heard(ears, openbeken.connected(base, False)) == [
        seen.DeviceStatus(device=base, at=NOW, online=False, reason="connected")
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("01020304FAFA", ["01020304FA"]),
        ("\x0201020304FAFA", ["01020304FA"]),
        ("on", []),
        ("temperature 25.3", []),
        ("01020304FAF", None),
        ("\x0201020304", None),
        ("\x02hello", None),
    ],
)
def test_what_looks_like_a_card_is_one_where_nobody_said_what_is_behind_the_bridge(text: str, wanted: list[str] | None):
    listener, make = DRIVERS["tasmota"].listener, DRIVERS["tasmota"].message_decoder
    assert listener is not None
    assert make is not None
    ears = make(*listener("tele/sonoff-rfid-1/RESULT"))
    payload = json.dumps({"SSerialReceived": text}).encode()
    if wanted is None:
        with pytest.raises(DecodeError, match="digit"):
            ears.decode("tele/sonoff-rfid-1/RESULT", payload, NOW)
        return
    assert [each.observation.tag for each in ears.decode("tele/sonoff-rfid-1/RESULT", payload, NOW)] == wanted
