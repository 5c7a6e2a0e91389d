"""`lamplighter run`: what can go wrong at the start is said clearly, without a traceback, with the right exit status."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import free_port

SITE = {
    "site": {"id": "s", "name": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
    "places": [{"id": "gate", "name": "gate"}],
    "devices": [{"id": "rdr", "driver": "native", "kind": "reader", "place": "gate"}],
    "checkpoints": [{"id": "cp", "place": "gate", "reader": "rdr"}],
    "mqtt": {"broker": "embedded", "port": 0},
}


def site_file(folder: Path, **changes: object) -> Path:
    path = folder / "site.yaml"
    path.write_text(json.dumps({**SITE, **changes}))
    return path


def refused(*words: str, wrap: tuple[str, ...] = ()) -> str:
    """Run it; it must refuse in one breath: exit status 2, a message, no traceback."""
    command = [*wrap, sys.executable, "-m", "api", "run", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_wrong_site_file_is_refused_with_file_line_and_path(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "site: {id: s, timezone: Mars/Olympus, latitude: 1, longitude: 2}\nplaces:\n  - {id: gate, nme: x}\n"
    )
    said = refused("--site", str(path), "--data", str(tmp_path / "data"))
    assert f"{path}:1: error: site.timezone" in said
    assert f"{path}:3: error: places.gate.nme" in said
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("--site", str(site_file(tmp_path)), "--data", str(tmp_path / "data"), "--port", port)
    assert port in said
    assert "in use" in said
    assert not (tmp_path / "data").exists()


def test_a_taken_port_of_the_embedded_broker_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = site_file(tmp_path, mqtt={"broker": "embedded", "port": port})
        assert str(port) in refused("--site", str(path), "--data", str(tmp_path / "data"), "--port", "0")


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    said = refused("--site", str(site_file(tmp_path)), "--data", str(tmp_path / "data"), "--port", "0")
    assert str(tmp_path / "data") in said
    assert "--data" in said


def test_a_disk_that_is_full_at_the_start_is_told(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("mounting a small disk needs root")
    small = tmp_path / "small"
    small.mkdir()
    mount = ("unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=64k tmpfs {small} && exec "$@"', "sh")
    said = refused("--site", str(site_file(tmp_path)), "--data", str(small / "data"), "--port", "0", wrap=mount)
    assert "no space left" in said
    assert "free some space" in said


def test_a_second_gateway_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "first", SITE) as gateway:
        gateway.start()
        said = refused("--site", str(site_file(tmp_path)), "--data", str(gateway.data), "--port", "0")
        assert "another gateway" in said


def test_an_unreachable_broker_is_told_and_tried_again_while_the_console_runs(tmp_path: Path) -> None:
    port = free_port()
    with GatewayProcess(tmp_path, {**SITE, "mqtt": {"host": "127.0.0.1", "port": port}}) as gateway:
        gateway.start()
        deadline = time.monotonic() + 10
        while f":{port}: down: connection refused" not in gateway.log:
            assert time.monotonic() < deadline, gateway.log
            time.sleep(0.05)
        with urllib.request.urlopen(f"{gateway.url}/healthz", timeout=5) as answer:
            assert answer.status == 200
        assert gateway.process is not None
        assert gateway.process.poll() is None
        assert "Traceback" not in gateway.log


def test_it_stops_in_order_when_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    with GatewayProcess(tmp_path, SITE) as gateway:
        gateway.start()
        assert "/setup?token=" in gateway.log
        modes = {file.name: file.stat().st_mode & 0o077 for file in gateway.data.iterdir()}
        assert modes["journal.db"] == 0
        assert not any(modes.values()), "what it writes is its user's alone, in a folder open to others too"
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.log
        gateway.start()
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(20) == 0
        gateway.process = None
        assert gateway.query("PRAGMA integrity_check") == [("ok",)]
        assert gateway.query("SELECT count(*) FROM log WHERE kind = 'restart'") == [(1,)]
