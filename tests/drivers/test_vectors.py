"""The public test vectors of the protocols' page, through the same command that outside checks use.

`vectors/FAMILY.yaml` says which driver reads which format and what it says to each vector:

    formats: {FORMAT: {driver: NAME, words: [--set, "key={file_key}", --payload, "{input_url}"]}}
    said: {VECTOR: [{kind: …}, …]}        # of each line of output, the fields that matter
    refused: {VECTOR: piece of the reason} # judged wrong or not for a reader: why stands beside it

In `words`, what a vector lacks is empty. Without them a vector's `input_hex`, `input_text` or `topic` and `payload` are given as they stand.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.cli import main

VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")
pytestmark = pytest.mark.skipif(not VECTORS, reason="LAMPLIGHTER_TEST_VECTORS names no vectors.json")

TABLES = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "vectors").glob("*.yaml"))
]
FORMATS: dict[str, dict[str, Any]] = {name: entry for table in TABLES for name, entry in table["formats"].items()}
SAID: dict[str, list[dict[str, Any]]] = {name: said for table in TABLES for name, said in table["said"].items()}
REFUSED: dict[str, str] = {name: why for table in TABLES for name, why in table.get("refused", {}).items()}

ELSEWHERE: dict[str, str] = {
    "onvif_event": "its fields, not the bytes, are given: tests/drivers/test_onvif.py makes the message from them",
    "ntag424_key_diversification": "no message of a tag: tests/drivers/test_ntag424.py",
    "osdp_raw_payload": "the inside of a frame: tests/drivers/test_osdp.py",
    "osdp_secure_channel": "keys, not frames: tests/drivers/test_osdp.py",
    "patrol_export_jwm_xlsx": "cells, not a file: tests/drivers/test_patrol_export.py",
    "sparkplug_b_array": "one metric's bytes: tests/drivers/test_sparkplug.py",
}
"""Formats whose vectors are no bytes that a driver reads, and where they are tested."""


def vectors() -> list[dict[str, Any]]:
    return json.loads(Path(VECTORS).read_text(encoding="utf-8")) if VECTORS else []


def words(vector: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    if "words" in entry:
        return [word.format_map(defaultdict(str, vector)) for word in entry["words"]]
    if "input_hex" in vector:
        return ["--hex", vector["input_hex"]]
    if "input_text" in vector:
        return ["--payload", vector["input_text"]]
    return ["--topic", vector["topic"], "--payload", vector["payload"]]


@pytest.mark.parametrize(
    "vector", [each for each in vectors() if each["format"] in FORMATS], ids=lambda each: each["id"]
)
def test_a_public_vector_is_decoded_as_stated(vector: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    entry = FORMATS[vector["format"]]
    status = main(["decode", entry["driver"], *words(vector, entry)])
    output = capsys.readouterr()
    said = [json.loads(line) for line in output.out.splitlines()]
    if vector["kind"] == "negative" or vector["id"] in REFUSED:
        assert status == 2, said
        assert REFUSED.get(vector["id"], "") in output.err
        return
    assert status == 0, output.err
    wanted = SAID[vector["id"]]
    assert [{key: item.get(key) for key in want} for item, want in zip(said, wanted, strict=True)] == wanted


def test_every_public_vector_is_judged() -> None:
    missing = {
        each["id"]
        for each in vectors()
        if each["format"] not in ELSEWHERE
        and (
            each["format"] not in FORMATS
            or (each["kind"] != "negative" and each["id"] not in SAID and each["id"] not in REFUSED)
        )
    }
    assert not missing
