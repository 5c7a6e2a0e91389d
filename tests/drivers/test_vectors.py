"""The public test vectors of the protocols' page, through the same command that outside checks use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from api.cli import main

VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")
pytestmark = pytest.mark.skipif(not VECTORS, reason="LAMPLIGHTER_TEST_VECTORS names no vectors.json")

DRIVERS = {"rdm6300": "rdm6300", "id20la": "id12la", "zigbee2mqtt": "zigbee2mqtt", "frigate": "frigate"}
"""By the vectors' format; those of drivers that are not built yet are not here."""

SAID = {
    "rdm6300-01": [{"kind": "tag_read", "tag": "6F007B3972"}],
    "rdm6300-04": [{"kind": "tag_read", "tag": "100086F444"}],
    "id20la-01": [{"kind": "tag_read", "tag": "62E3086CED"}],
    "zigbee2mqtt-03": [{"kind": "device_status", "online": False}],
    "zigbee2mqtt-05": [{"kind": "device_status", "online": False}],
    "zigbee2mqtt-06": [],
    "frigate-02": [{"kind": "video_state", "state": "loss", "active": False, "channel": "front_door"}],
    "frigate-05": [{"kind": "device_status", "online": True}],
}


def vectors() -> list[dict[str, object]]:
    every = json.loads(Path(VECTORS).read_text(encoding="utf-8")) if VECTORS else []
    return [each for each in every if each["format"] in DRIVERS]


@pytest.mark.parametrize("vector", vectors(), ids=lambda each: each["id"])
def test_a_public_vector_is_decoded_as_stated(vector, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["decode", DRIVERS[vector["format"]]]
    if "input_hex" in vector:
        words += ["--hex", vector["input_hex"]]
    else:
        words += ["--topic", vector["topic"], "--payload", vector["payload"]]
    status = main(words)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    if vector["kind"] == "negative":
        assert status == 2
        return
    assert status == 0
    wanted = SAID[vector["id"]]
    assert [{key: item.get(key) for key in want} for item, want in zip(said, wanted, strict=True)] == wanted
    if "tag_hex" in vector["expected"]:
        assert said[0]["tag"].endswith(vector["expected"]["tag_hex"])


def test_vectors_of_every_built_driver_were_found() -> None:
    assert {each["id"] for each in vectors()} >= SAID.keys()
