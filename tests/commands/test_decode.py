"""`lamplighter decode`: what it prints, what it refuses, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import main

FRAME = "0236463030374233393732354603"
OTHER = "0230313030363345394145323503"
TAP = '{"kind":"tag_read","at":"2026-11-23T22:04:11+08:00","boot":"b","seq":1,"tag":"04:a1:b2","note":{"x":[1]}}'


class Outcome:
    """What one call did."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
        self.err = err


@pytest.fixture
def decode(capsys: pytest.CaptureFixture[str]):
    def call(*words: str) -> Outcome:
        try:
            status = main(["decode", *words])
        except SystemExit as left:
            status = int(str(left.code))
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


def test_one_frame_once_gives_its_read(decode):
    outcome = decode("rdm6300", "--hex", FRAME, "--received", "2026-11-23T22:00:00+08:00")
    assert outcome.status == 0
    assert outcome.lines == [
        {
            "kind": "tag_read",
            "device": "rdm6300",
            "at": "2026-11-23T22:00:00+08:00",
            "tag": "6F007B3972",
            "method": "rfid",
        }
    ]
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("driver", "frame", "tag"),
    [
        ("rdm6300", "0231303030383646343434323603", "100086F444"),
        ("rdm6300", OTHER, "010063E9AE"),
        ("rdm6300", "02 35 39 30 30 42 34 37 42 34 46 44 39 03", "5900B47B4F"),
        ("id12la", "023632453330383643454430380d0a03", "62E3086CED"),
    ],
)
def test_public_frames(decode, driver: str, frame: str, tag: str):
    outcome = decode(driver, "--hex", frame)
    assert (outcome.status, [line["tag"] for line in outcome.lines]) == (0, [tag])


def test_chunks_are_fed_in_turn(decode):
    outcome = decode("rdm6300", "--hex", FRAME[:9] + FRAME[9:10], FRAME[10:] + OTHER[:4], "--hex", OTHER[4:])
    assert [line["tag"] for line in outcome.lines] == ["6F007B3972", "010063E9AE"]
    assert outcome.status == 0


def test_a_wrong_checksum_is_refused_with_the_reason(decode):
    outcome = decode("rdm6300", "--hex", FRAME.replace("354603", "354503"))
    assert (outcome.status, outcome.lines) == (2, [])
    assert "checksum 5E, by `xor` it should be 5F" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_cut_frame_is_refused(decode):
    outcome = decode("rdm6300", "--hex", FRAME[:-6])
    assert (outcome.status, outcome.lines) == (2, [])
    assert "cut short" in outcome.err


def test_a_good_frame_behind_noise_is_printed_and_the_noise_told(decode):
    outcome = decode("rdm6300", "--hex", "fffe" + FRAME)
    assert (outcome.status, len(outcome.lines)) == (1, 1)
    assert "ff fe" in outcome.err


def test_digits_are_a_text_where_the_driver_wants_one_and_a_number_elsewhere(decode):
    reply = "FEFEFEFE6872003209172068910833333433B93433336D16"
    assert decode("dlt645", "--hex", reply, "--set", "address=201709320072").lines[0]["energy_wh"] == 1860
    assert decode("dlt645", "--hex", reply, "--set", "address=201709320073", "--set", "phases=1").lines == []
    event = '{"devEUI":"2411111111111111","data":"AXVk"}'
    heard = ("milesight", "--topic", "gw/up", "--payload", event, "--set", "dev_eui=2411111111111111")
    assert decode(*heard).lines[0]["value"] == 100
    refused = decode("dlt645", "--hex", reply, "--set", "phases=2", "--set", "address=201709320072")
    assert (refused.status, "settings.phases: expected 1 or 3" in refused.err) == (2, True)


def test_a_setting_of_the_driver(decode):
    frame = "02" + b"2E00AF0EC9B4".hex() + "03"
    assert decode("rdm6300", "--hex", frame).status == 2
    assert decode("rdm6300", "--hex", frame, "--set", "checksum=sum").lines[0]["tag"] == "2E00AF0EC9"
    refused = decode("rdm6300", "--hex", frame, "--set", "checksum=crc")
    assert refused.status == 2
    assert "settings.checksum" in refused.err


def test_a_file_of_bytes(decode, tmp_path: Path):
    file = tmp_path / "capture.bin"
    file.write_bytes(bytes.fromhex(FRAME + OTHER))
    assert [line["tag"] for line in decode("rdm6300", "--file", str(file)).lines] == ["6F007B3972", "010063E9AE"]


@pytest.mark.parametrize(
    ("driver", "topic", "payload", "wanted"),
    [
        (
            "zigbee2mqtt",
            "zigbee2mqtt/bridge/state",
            '{"state":"offline"}',
            [{"kind": "device_status", "device": "zigbee2mqtt/bridge", "online": False, "reason": "bridge_state"}],
        ),
        (
            "zigbee2mqtt",
            "zigbee2mqtt/remote/availability",
            '{"state":"offline"}',
            [{"kind": "device_status", "device": "remote", "online": False, "reason": "availability"}],
        ),
        ("zigbee2mqtt", "zigbee2mqtt/bulb_color/availability", "", []),
        ("zigbee2mqtt", "zigbee2mqtt/pir", '{"occupancy":true}', [{"kind": "motion", "device": "pir", "active": True}]),
        (
            "zigbee2mqtt",
            "zigbee2mqtt/floor 3/lux",
            '{"illuminance":46}',
            [{"kind": "light_level", "device": "floor 3/lux", "lux": 46.0}],
        ),
        (
            "frigate",
            "frigate/front_door/status/detect",
            "online",
            [{"kind": "video_state", "device": "frigate", "state": "loss", "channel": "front_door", "active": False}],
        ),
        ("frigate", "frigate/front_door/status/record", "disabled", []),
        ("frigate", "frigate/available", "online", [{"kind": "device_status", "device": "frigate", "online": True}]),
    ],
)
def test_public_messages(decode, driver: str, topic: str, payload: str, wanted: list[dict[str, Any]]):
    outcome = decode(driver, "--topic", topic, "--payload", payload)
    assert outcome.status == 0
    assert [{key: line[key] for key in line if key != "at"} for line in outcome.lines] == wanted


def test_a_native_observation_keeps_its_unknown_fields(decode):
    outcome = decode("native", "--topic", "lamplighter/s/rdr/up", "--payload", TAP)
    assert outcome.lines == [
        {
            "kind": "tag_read",
            "device": "rdr",
            "at": "2026-11-23T22:04:11+08:00",
            "boot": "b",
            "seq": 1,
            "tag": "04A1B2",
            "method": "rfid",
            "note": {"x": [1]},
        }
    ]


def test_a_retained_tap_is_refused(decode):
    outcome = decode("native", "--topic", "lamplighter/s/rdr/up", "--payload", TAP, "--retained")
    assert outcome.status == 2
    assert "old state" in outcome.err


def test_the_device_can_be_named(decode):
    assert decode("rdm6300", "--hex", FRAME, "--device", "rdr-garage").lines[0]["device"] == "rdr-garage"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nosuch", "--hex", "00"], "no driver 'nosuch'"),
        (["rdm6300"], "required"),
        (["rdm6300", "--hex", "0"], "pairs of hexadecimal digits"),
        (["rdm6300", "--hex", "zz"], "pairs of hexadecimal digits"),
        (["rdm6300", "--hex", FRAME, "--topic", "x"], "byte stream"),
        (["rdm6300", "--hex", FRAME, "--set", "checksum"], "KEY=VALUE"),
        (["rdm6300", "--hex", FRAME, "--received", "2026-11-23T22:00:00"], "offset"),
        (["rdm6300", "--file", "/no/such/file"], "No such file"),
        (["native", "--payload", TAP], "--topic"),
        (["native", "--payload", TAP, "--topic", "a/b"], "lamplighter/SITE/DEVICE/up"),
        (["native", "--payload", "{", "--topic", "lamplighter/s/rdr/up"], "truncated"),
        (["native", "--hex", "ff", "--topic", "lamplighter/s/rdr/up"], "ff"),
        (["frigate", "--payload", "online", "--topic", "frigate/events"], "expected frigate/available"),
    ],
)
def test_wrong_use_and_bad_bytes_say_why(decode, words: list[str], reason: str):
    outcome = decode(*words)
    assert (outcome.status, outcome.lines) == (2, [])
    assert reason in outcome.err
    assert "Traceback" not in outcome.err


def test_an_unknown_driver_is_told_with_the_one_that_was_meant(decode):
    outcome = decode("zigbee2mtt", "--payload", "{}")
    assert outcome.status == 2
    assert "no driver 'zigbee2mtt' (did you mean 'zigbee2mqtt'?)" in outcome.err
    assert "lamplighter drivers" in outcome.err
    assert "milesight" not in outcome.err


def test_an_unknown_driver_that_is_near_to_none_is_told_where_they_are_listed(decode):
    outcome = decode("toaster", "--payload", "{}")
    assert (outcome.status, "did you mean" in outcome.err, "lamplighter drivers" in outcome.err) == (2, False, True)
