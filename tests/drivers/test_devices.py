"""What the device side of each family says, its decoder reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from device_drivers import observations as seen
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings
from device_drivers.frigate import device as frigate
from device_drivers.native.decoder import NativeDecoder
from device_drivers.native.device import DeviceRecorder
from device_drivers.native.topics import acknowledgement_payload
from device_drivers.rdm6300.device import frame
from device_drivers.zigbee2mqtt import device as zigbee

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BASE = "zigbee2mqtt/a"


def heard(driver: str, message: Any, entry: DeviceSettings) -> list[seen.Observation]:
    make = DRIVERS[driver].message_decoder
    assert make is not None
    readings = make("s", entry).decode(message.topic, message.payload, NOW, retained=message.retained)
    return [reading.observation for reading in readings]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (zigbee.light(BASE, 46), seen.LightLevel(device="a", at=NOW, lux=46)),
        (
            zigbee.light(BASE, 46, seen=NOW - timedelta(minutes=1)),
            seen.LightLevel(device="a", at=NOW - timedelta(minutes=1), lux=46),
        ),
        (zigbee.motion(BASE, True, lux=3), seen.Motion(device="a", at=NOW)),
        (zigbee.motion(BASE, False), seen.Motion(device="a", at=NOW, active=False)),
        (zigbee.contact(BASE, True), seen.Measurement(device="a", at=NOW, quantity="contact", value=1)),
        (
            zigbee.contact(BASE, True),
            seen.Measurement(device="a", at=NOW, quantity="battery_voltage", value=3005, unit="mV"),
        ),
        (
            zigbee.plug(BASE, True, 46.0, energy_kwh=1.5),
            seen.Power(device="a", at=NOW, watts=46, volts=230, amps=0.2, energy_wh=1500),
        ),
        (zigbee.plug(BASE, False, 0), seen.LampState(device="a", at=NOW, on=False)),
        (zigbee.lamp(BASE, True), seen.LampState(device="a", at=NOW, on=True, level=1)),
        (zigbee.button(BASE, "emergency"), seen.Panic(device="a", at=NOW)),
        (zigbee.availability(BASE, False), seen.DeviceStatus(device="a", at=NOW, online=False, reason="availability")),
    ],
)
def test_zigbee2mqtt_messages_are_heard(message: zigbee.Message, wanted: seen.Observation):
    assert wanted in heard("zigbee2mqtt", message, DeviceSettings(id="a", link={"mqtt": BASE}))


@pytest.mark.parametrize("online", [True, False])
def test_the_bridge_is_heard(online: bool):
    entry = DeviceSettings(id="z2m", kind="bridge", link={"mqtt": "zigbee2mqtt"})
    message = zigbee.bridge_state("zigbee2mqtt", online)
    (status,) = heard("zigbee2mqtt", message._replace(retained=False), entry)
    assert isinstance(status, seen.DeviceStatus)
    assert status.online is online
    assert bool(heard("zigbee2mqtt", message, entry)) is not online  # kept by the broker: only the will stands


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (
            frigate.available("frigate", "online")._replace(retained=False),
            [seen.DeviceStatus(device="n", at=NOW, online=True)],
        ),
        (
            frigate.stats("frigate", {"a": 5.0, "b": 0.0}),
            [
                seen.CameraStats(device="n", at=NOW, fps=5, expected_fps=5, channel="a"),
                seen.CameraStats(device="n", at=NOW, fps=0, expected_fps=5, channel="b"),
            ],
        ),
        (
            frigate.status("frigate", "a", "detect", "offline"),
            [seen.VideoState(device="n", at=NOW, state="loss", channel="a")],
        ),
        (
            frigate.status("frigate", "a", "record", "online"),
            [seen.RecordingState(device="n", at=NOW, recording=True, channel="a")],
        ),
        (frigate.enabled("frigate", "a", False), []),
    ],
)
def test_frigate_messages_are_heard(message: frigate.Message, wanted: list[seen.Observation]):
    assert heard("frigate", message, DeviceSettings(id="n", link={"mqtt": "frigate"})) == wanted


@pytest.mark.parametrize("tag", ["12", "6F007B39720", "6F007B3972AA", "gggggggg"])
def test_a_reader_has_no_frame_for_what_is_no_tag(tag: str):
    with pytest.raises(ValueError, match=r"digit|length|hexadecimal"):
        frame(tag)


def test_a_recorder_keeps_what_is_not_acknowledged():
    recorder = DeviceRecorder("s", "rdr", "b1")
    payloads = [recorder.record(seen.TagRead(at=NOW, tag=f"{number:010X}")) for number in range(5)]
    assert recorder.acknowledge(acknowledgement_payload("b1", 3)) == 3
    (again,) = recorder.held()
    assert msgspec.json.decode(again) == [msgspec.json.decode(payload) for payload in payloads[3:]]


def test_a_recorder_counts_again_after_a_restart_and_keeps_the_rest():
    recorder = DeviceRecorder("s", "rdr", "b1")
    recorder.record(seen.TagRead(at=NOW, tag="00"))
    recorder.restart("b2")
    recorder.record(seen.TagRead(at=NOW, tag="01"))
    assert recorder.acknowledge(acknowledgement_payload("b2", 9)) == 1
    assert len(recorder) == 1
    assert msgspec.json.decode(recorder.held()[0])[0]["boot"] == "b1"


def test_a_full_recorder_overwrites_its_oldest():
    recorder = DeviceRecorder("s", "rdr", "b1", room=2)
    for _ in range(3):
        recorder.record(seen.Motion(at=NOW))
    assert [item["seq"] for item in msgspec.json.decode(recorder.held()[0])] == [2, 3]


def test_what_a_recorder_sends_is_read():
    recorder = DeviceRecorder("s", "rdr", "b1")
    decoder = NativeDecoder("s")
    tap = decoder.decode(recorder.topic, recorder.record(seen.TagRead(at=NOW, tag="6F007B3972")), NOW)
    assert tap[0].observation == seen.TagRead(device="rdr", at=NOW, boot="b1", seq=1, tag="6F007B3972")
    beat = decoder.decode(recorder.topic, recorder.heartbeat(NOW, battery=80), NOW)
    assert beat[0].observation == seen.ReaderHeartbeat(
        device="rdr", at=NOW, boot="b1", last_seq=1, device_now=NOW, battery=80
    )
