"""Full-width signs of Chinese input methods in values, keys and ids: the message names the sign and what to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.site.lookalikes import LOOKALIKES, plain
from tests.site.small import problems_with


@pytest.mark.parametrize(
    ("right", "wrong", "path", "sign"),
    [
        ('from: "22:00"', 'from: "22：00"', "rounds[0].from", "："),
        ('from: "22:00"', "from: “22:00”", "rounds[0].from", "“"),
        ('from: "22:00"', 'from: "２２:00"', "rounds[0].from", "２"),
        ("every: 2h", "every: ２h", "rounds[0].every", "２"),
        ("roles: [guard]", "roles: 【guard】", "people.g-wang.roles", "【"),
        ("roles: [guard]", "roles: [guard，manager]", "people.g-wang.roles[0]", "，"),
        ('"0008075634"', '"０００８０７５６３４"', "people.g-wang.tags[0]", "０"),
        ('"0008075634"', '"123，14706"', "people.g-wang.tags[0]", "，"),
        ("reader: rdr-garage}", "reader: rdr－garage}", "checkpoints.cp-garage.reader", "－"),
        ("driver: rdm6300", "driver: rdm６300", "devices.rdr-garage.driver", "６"),
        ("latitude: 31.2", "latitude: 31．2", "site.latitude", "．"),
        ("port: 1883", "port: １８８３", "mqtt.port", "１"),
        ("tags: [", "ｔags: [", "people.g-wang.ｔags", "ｔ"),
        ("driver: rdm6300,", "driver：rdm6300,", "devices.rdr-garage.driver：rdm6300", "："),
        ("zones:", "zones（）: []\nzones:", "zones（）", "（"),
        # taken, and hardly meant
        ("{id: lamp-garage,", "{id: lamp－garage,", "lamps.lamp－garage.id", "－"),
        ("{id: lamp-garage,", "{id: lamp１,", "lamps.lamp１.id", "１"),
        ("/dev/ttyUSB0", "／dev/ttyUSB0", "devices.rdr-garage.link.serial", "／"),
        ("mqtt: zigbee2mqtt/", "mqtt: zigbee2mqtt／", "devices.lux-garage.link.mqtt", "／"),
        ("channel: garage", "channel: ｇarage", "devices.cam-garage.channel", "ｇ"),
    ],
)  # fmt: skip
def test_a_full_width_sign_is_named_with_what_to_type(
    tmp_path: Path, right: str, wrong: str, path: str, sign: str
) -> None:
    told = [problem for problem in problems_with(tmp_path, right, wrong) if problem.path == path]
    assert told
    assert f"type `{plain(sign)}` instead of the full-width `{sign}`" in told[0].message


def test_a_blank_that_is_none_is_named_by_its_number(tmp_path: Path) -> None:
    [problem] = problems_with(tmp_path, "reader: rdr-garage}", 'reader: "rdr-garage\u3000"}')
    assert "type a plain blank instead of U+3000" in problem.message
    [problem] = problems_with(tmp_path, "reader: rdr-garage}", "reader: rdr-garage\u200b}")
    assert "type nothing instead of U+200B" in problem.message


def test_chinese_names_with_their_own_signs_are_nobodys_business(tmp_path: Path) -> None:
    assert problems_with(tmp_path, "name: 地下车库", "name: 地下车库（东）：一号、二号") == []
    assert problems_with(tmp_path, "{id: lamp-garage,", "{id: 车库灯,") == []
    assert problems_with(tmp_path, "mqtt: zigbee2mqtt/lux-garage", "mqtt: zigbee2mqtt/车库（东）") == []


def test_what_is_refused_for_another_reason_shows_nothing_of_a_secret(tmp_path: Path) -> None:
    told = problems_with(tmp_path, "password: env:LAMPLIGHTER_MQTT_PASSWORD", "password: geheim：９")
    assert [problem for problem in told if "instead of" in problem.message] == []


def test_the_id_that_was_meant_is_found_although_it_is_written_full_width(tmp_path: Path) -> None:
    told = problems_with(tmp_path, "place: garage, seen_by", "place: ｇａｒａｇｅ, seen_by")
    assert any("did you mean `garage`?" in problem.message for problem in told)


def test_every_sign_has_one_ascii_sign_or_nothing() -> None:
    assert all(len(sign) == 1 and not sign.isascii() for sign in LOOKALIKES)
    assert all(meant.isascii() and len(meant) <= 1 for meant in LOOKALIKES.values())
