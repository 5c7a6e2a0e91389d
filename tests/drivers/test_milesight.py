"""Milesight payloads, alone and inside ChirpStack and The Things Stack."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.chirpstack import device as chirpstack
from device_drivers.driver import DeviceSettings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.milesight import device as milesight
from device_drivers.milesight.channels import COMMON, MODELS, TYPES, Item
from device_drivers.milesight.codec import MilesightCodec
from device_drivers.observations import DeviceStatus, LampState, LightLevel, Measurement, Motion, Panic, Power
from device_drivers.tts import device as tts

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
APPLICATION = "application/1/device/24e124136b502217"
STACK = "v3/app@ttn/devices/lux"


def heard(driver: str, link: str, topic: str, payload: bytes, **settings: Any) -> list[Any]:
    entry = DeviceSettings(id="d", link={"mqtt": link}, settings=settings)
    DRIVERS[driver].check(entry)
    make = DRIVERS[driver].message_decoder
    assert make is not None
    return [reading.observation for reading in make("s", entry).decode(topic, payload, NOW)]


@pytest.mark.parametrize(
    ("model", "payload", "wanted"),
    [
        ("EM500-LGT", milesight.light(46), LightLevel(device="d", at=NOW, lux=46)),
        ("WS202", milesight.motion(True), Motion(device="d", at=NOW)),
        ("WS202", milesight.motion(False, bright=True), Measurement(device="d", at=NOW, quantity="daylight", value=1)),
        ("WS523", milesight.socket(False, watts=0), LampState(device="d", at=NOW, on=False)),
        (
            "WS523",
            milesight.socket(True, watts=46),
            Power(device="d", at=NOW, watts=46, volts=230, amps=0.2, power_factor=1, energy_wh=0),
        ),
        ("WS101", milesight.press(2), Panic(device="d", at=NOW)),
    ],
)
def test_what_a_device_says_is_heard_through_each_network_server(model: str, payload: bytes, wanted: Any):
    settings = {"model": model, "panic_presses": ["long"]}
    gateway = milesight.gateway_message("m", "24e124136b502217", payload)
    up = chirpstack.uplink(APPLICATION, NOW, payload, count=1)
    sent = tts.uplink(STACK, NOW, payload, count=1)
    assert wanted in heard("milesight", "m", "m", payload, **settings)
    assert wanted in heard("milesight", "m", gateway.topic, gateway.payload, **settings)
    assert wanted in heard("chirpstack", APPLICATION, up.topic, up.payload, codec="milesight", **settings)
    assert wanted in heard("tts", STACK, sent.topic, sent.payload, codec="milesight", **settings)


def test_network_servers_tell_of_joins_and_status():
    joined = chirpstack.join(APPLICATION, NOW)
    status = chirpstack.status(APPLICATION, NOW, margin=7, battery=88.3)
    again = tts.join(STACK, NOW)
    online = DeviceStatus(device="d", at=NOW, online=True, reason="join")
    assert heard("chirpstack", APPLICATION, joined.topic, joined.payload) == [online]
    assert heard("tts", STACK, again.topic, again.payload) == [online]
    battery = Measurement(device="d", at=NOW, quantity="battery", value=88.3, unit="%")
    assert battery in heard("chirpstack", APPLICATION, status.topic, status.payload)


def test_values_of_an_item_lie_inside_it():
    width = {"B": 1, "h": 2, "H": 2, "I": 4}
    items: list[Item] = [
        *TYPES.values(),
        *COMMON.values(),
        *(item for model in MODELS.values() for item in model.values()),
    ]
    for item in items:
        for part in item.parts:
            assert part.offset >= (4 if item.history else 0)
            assert part.offset + width[part.shape] <= item.length, item
            assert part.name or part.target not in ("measurement", "power", "closed")


@pytest.mark.parametrize("model", [None, *MODELS])
@given(payload=st.binary(max_size=60))
def test_arbitrary_payloads_are_read_or_refused(model: str | None, payload: bytes):
    try:
        MilesightCodec("d", model).read(payload, NOW, NOW)
    except DecodeError as error:
        assert error.reason  # noqa: PT017


@given(cut=st.integers(0, 100))
def test_a_cut_report_is_refused_or_ends_between_its_items(cut: int):
    whole = milesight.socket(True, watts=46)
    piece = whole[: cut % len(whole)]
    ends = {0, 3, 6, 10, 14, 20, 26}
    if len(piece) in ends - {0}:
        assert MilesightCodec("d").read(piece, NOW, NOW)
        return
    with pytest.raises(DecodeError):
        MilesightCodec("d").read(piece, NOW, NOW)


@pytest.mark.parametrize("driver", ["chirpstack", "tts"])
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"codec": "cayenne"}, "settings.codec"),
        ({"model": "WS202"}, "settings.model"),
        ({"codec": "milesight", "model": "WS999"}, "settings.model"),
        ({"codec": "milesight", "lamps": ["a"]}, "settings.lamps"),
        ({"codec": "milesight", "panic_presses": ["hard"]}, "settings.panic_presses"),
        ({"codec": "milesight", "map": [{"path": "a", "to": "light_level"}]}, "settings.map"),
        ({"map": [{"path": "a", "to": "lux"}]}, "settings.map.0.to"),
        ({"x": 1}, "settings.x"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(driver: str, settings: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(id="d", link={"mqtt": "a/b"}, settings=settings))
    assert refused.value.key == key


def test_a_repeated_uplink_without_trusted_time_is_one_reading_at_one_time():
    entry = DeviceSettings(id="d", link={"mqtt": STACK}, settings={})
    make = DRIVERS["tts"].message_decoder
    assert make is not None
    decoder = make("s", entry)
    sent = tts.uplink(STACK, datetime(1980, 1, 6, tzinfo=UTC), count=7, decoded={"t": 1})
    first = decoder.decode(sent.topic, sent.payload, NOW)
    again = decoder.decode(sent.topic, sent.payload, NOW.replace(minute=1))
    assert first == again
    for count in range(1000):  # what is remembered is bounded
        other = tts.uplink(STACK, NOW, count=count)
        decoder.decode(other.topic, other.payload, NOW)
    assert len(decoder._times) <= 64
