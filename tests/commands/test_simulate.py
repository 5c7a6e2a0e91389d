"""`lamplighter simulate`: says what it plays, and why it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from api.cli import main

DEMO = Path(__file__).parents[2] / "config" / "demo.yaml"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_broker_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--site", str(DEMO), "--broker", f"mqtt://127.0.0.1:{free_port()}"]) == 2
    said = capsys.readouterr().err
    assert "is the broker running there" in said
    assert "plays " in said


def test_a_site_with_nothing_to_play_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.yaml"
    place = {"id": "s", "timezone": "Asia/Shanghai", "latitude": 31.2, "longitude": 121.5}
    site.write_text(yaml.safe_dump({"site": place, "places": [{"id": "a"}]}), encoding="utf-8")
    assert main(["simulate", "--site", str(site), "--broker", "mqtt://127.0.0.1:1"]) == 2
    assert "nothing that can be simulated" in capsys.readouterr().err
