"""What would never be heard, though it looks right: topics that no device publishes on, card numbers that no card has, keys inside of `link`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.site.tags import parse_tag
from tests.site.small import problems_with


@pytest.mark.parametrize(
    ("driver", "written", "right"),
    [
        ("zigbee2mqtt", "/zigbee2mqtt/lux", "zigbee2mqtt/lux"),
        ("zigbee2mqtt", "zigbee2mqtt//lux", "zigbee2mqtt/lux"),
        ("zigbee2mqtt", "zigbee2mqtt/ lux", "zigbee2mqtt/lux"),
        ("zigbee2mqtt", " zigbee2mqtt/lux", "zigbee2mqtt/lux"),
        ("zigbee2mqtt", "/zigbee2mqtt/lux/", "zigbee2mqtt/lux"),
        ("tasmota", "/lux", "lux"),
        ("esphome", "/hall-node", "hall-node"),
    ],
)
def test_a_topic_with_an_empty_level_is_doubted(tmp_path: Path, driver: str, written: str, right: str) -> None:
    told = problems_with(
        tmp_path,
        "driver: zigbee2mqtt, link: {mqtt: zigbee2mqtt/lux-garage}",
        f'driver: {driver}, link: {{mqtt: "{written}"}}',
    )
    [problem] = [each for each in told if each.path == "devices.lux-garage.link.mqtt"]
    assert problem.level == "warning"
    assert f"write {right!r}" in problem.message


@pytest.mark.parametrize(
    "entry",
    [
        "driver: zigbee2mqtt, link: {mqtt: zigbee2mqtt/lux-garage/}",  # heard without the slash
        "driver: zigbee2mqtt, link: {mqtt: zigbee2mqtt/floor 1/lux garage}",
        "driver: json_map, link: {mqtt: /garage/lux}, settings: {map: [{path: lux, to: light_level}]}",  # its maker's own topic
    ],
)
def test_a_topic_that_a_device_may_have_is_not(tmp_path: Path, entry: str) -> None:
    told = problems_with(tmp_path, "driver: zigbee2mqtt, link: {mqtt: zigbee2mqtt/lux-garage}", entry)
    assert [problem for problem in told if problem.path == "devices.lux-garage.link.mqtt"] == []


def test_a_key_of_the_device_inside_of_its_link_is_refused(tmp_path: Path) -> None:
    told = problems_with(
        tmp_path,
        "link: {serial: /dev/ttyUSB0}, place: garage}",
        "link: {serial: /dev/ttyUSB0, place: garage}}",
    )
    [problem] = [each for each in told if each.path == "devices.rdr-garage.link.place"]
    assert problem.level == "error"
    assert "beside `link`" in problem.message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OOO8075634", "0008075634"),
        ("000807563l", "0008075631"),
        ("04A1B2C3D4E5FO", "04A1B2C3D4E5F0"),
        ("O08,14706", "008,14706"),
    ],
)
def test_a_letter_that_looks_like_a_digit_is_named(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        parse_tag(written)


def test_half_a_byte_too_many_is_named() -> None:
    with pytest.raises(ValueError, match="has 7 hexadecimal digits; two are one byte"):
        parse_tag("7B39721")


@pytest.mark.parametrize(
    ("written", "doubtful"),
    [
        ("AB12", True),
        ("04A1B2C3D4E5F6A7B8", True),  # nine bytes: one was typed twice
        ("007B3972", False),
        ("6F007B3972", False),
        ("04A1B2C3D4E5F6", False),
        ("E004015012345678", False),
        ("hex:AB12", False),
    ],
)
def test_a_number_as_long_as_no_cards_is_doubted(tmp_path: Path, written: str, doubtful: bool) -> None:
    told = problems_with(tmp_path, '"0008075634"]', f'"{written}"]')
    assert [each.path for each in told if "cards have" in each.message] == ["people.g-wang.tags[0]"] * doubtful


@pytest.mark.parametrize(
    ("written", "doubtful"),
    [
        ("COM3", True),
        ("ttyUSB0", True),
        ("dev/ttyUSB0", True),
        ("/dev/serial/by-id/usb-1a86", False),
        ("socket://10.0.0.5:4001", False),
        ("rfc2217://10.0.0.5:2217", False),
    ],
)
def test_a_port_without_its_path_is_doubted(tmp_path: Path, written: str, doubtful: bool) -> None:
    told = problems_with(tmp_path, "link: {serial: /dev/ttyUSB0}", f"link: {{serial: '{written}'}}")
    assert [(each.path, each.level) for each in told if "/dev/serial/by-id" in each.message] == [
        ("devices.rdr-garage.link.serial", "warning")
    ] * doubtful
