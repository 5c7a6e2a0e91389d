"""`docker stop` and `systemctl stop` end the gateway in order and in time, whatever those who are connected to it do."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest

from tests.faults.estate import SECRET, site
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

WITHIN_S = 10.0
"""`stop_grace_period` and `TimeoutStopSec` are twice that and more."""


class BlackHole:
    """A port that takes connections and requests, and never answers. `asked`: the first lines."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._taken: list[socket.socket] = []
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._server.accept()
                self._taken.append(taken)
                threading.Thread(target=self._read, args=(taken,), daemon=True).start()

    def _read(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.asked.append(taken.recv(1000).decode(errors="replace").partition("\r")[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._server, *self._taken):
            each.close()


def until(true: Callable[[], object], within_s: float = 15.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def publish(broker: Mosquitto, topic: str, payload: str) -> None:
    words = [
        "-h",
        broker.host,
        "-p",
        str(broker.port),
        "-u",
        "lamplighter",
        "-P",
        "secret",
        "-q",
        "1",
        "-t",
        topic,
        "-m",
        payload,
    ]
    subprocess.run(["mosquitto_pub", *words], check=True, timeout=10)


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def log_in(gateway: GatewayProcess) -> str:
    """Make the first account; its session's cookie."""
    token = re.search(r"/setup\?token=(\S+)", gateway.log)
    assert token is not None, gateway.log
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    body = f"token={token[1]}&name=admin&password=correct-horse-battery&again=correct-horse-battery&language=en"
    request = urllib.request.Request(
        f"{gateway.url}/setup", data=body.encode(), headers={"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"}
    )
    with contextlib.suppress(urllib.error.HTTPError):
        browser.open(request, timeout=10).close()
    assert len(cookies), "logged in"
    return "; ".join(f"{each.name}={each.value}" for each in cookies)


@pytest.mark.slow
@pytest.mark.mosquitto
def test_it_ends_in_time_whatever_is_connected(tmp_path: Path) -> None:
    with BlackHole() as hole, Mosquitto(tmp_path, users={"lamplighter": "secret"}) as broker:
        mqtt = {"host": broker.host, "port": broker.port, "username": "lamplighter", "password": "env:FAULTS_SECRET"}
        influx = {"url": f"http://127.0.0.1:{hole.port}", "org": "o", "bucket": "b", "token": "env:FAULTS_SECRET"}
        made = site(
            mqtt,
            contacts=("mail",),
            storage={"telemetry": {"influxdb": influx}},
            watchdog={"url": "env:DOG", "every": "10s"},
        )
        nowhere = f"json://127.0.0.1:{hole.port}/notice"
        with GatewayProcess(tmp_path / "gateway", made) as gateway:
            gateway.start(**SECRET, MAIL_URL=nowhere, DOG=f"http://127.0.0.1:{hole.port}/dog")
            cookie = log_in(gateway)
            streams = [connect(gateway.url) for _ in range(20)]
            for each in streams[:10]:  # who listens to events, and does not read on
                each.sendall(
                    f"GET /api/v1/events HTTP/1.1\r\nHost: {gateway.url[7:]}\r\nCookie: {cookie}\r\n\r\n".encode()
                )
                assert b"200" in each.recv(64)
            for each in streams[10:15]:  # who never ends his request
                each.sendall(
                    f"POST /login HTTP/1.1\r\nHost: {gateway.url[7:]}\r\nOrigin: {gateway.url}\r\nContent-Length: 1000\r\n\r\nname=".encode()
                )
            panic = {"kind": "panic", "device": "btn", "at": datetime.now(UTC).isoformat()}
            publish(broker, "lamplighter/s/btn/up", json.dumps(panic))
            for wanted in ("POST /api/v2/write", "GET /dog", "POST /notice"):  # each of them is in mid-air
                until(lambda wanted=wanted: any(wanted in each for each in hole.asked))
            broker_process = broker._process
            assert broker_process is not None
            broker_process.send_signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                status = gateway.stop()
                took_s = time.monotonic() - began
            finally:
                broker_process.send_signal(signal.SIGCONT)
            for each in streams:
                each.close()
        print(f"stopped in {took_s:.1f} s")
        assert status == 0, gateway.log
        assert took_s < WITHIN_S


@pytest.mark.slow
def test_told_during_its_start_it_ends_too(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, site({"broker": "embedded", "port": 0})) as gateway:
        gateway.start()
        assert gateway.stop() == 0
        words = [
            sys.executable,
            "-m",
            "api",
            "run",
            "--site",
            str(gateway.site_file),
            "--data",
            str(gateway.data),
            "--port",
            "0",
        ]
        for after_s in (0.3, 0.8, 1.2, 1.6):
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(after_s)
            process.terminate()
            try:
                assert process.wait(WITHIN_S) in (0, -signal.SIGTERM)
            finally:
                process.kill()


@pytest.mark.slow
def test_systemd_is_told_that_it_is_ready_that_it_lives_and_that_it_stops(tmp_path: Path) -> None:
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    heard.append(listening.recv(1000).decode())

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            with GatewayProcess(tmp_path / "gateway", site({"broker": "embedded", "port": 0})) as gateway:
                gateway.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")
                until(lambda: heard.count("WATCHDOG=1") >= 3)
                assert heard[0] == "READY=1"
                assert gateway.process is not None
                os.kill(gateway.process.pid, signal.SIGSTOP)  # it hangs: no sign of life, so systemd starts it again
                time.sleep(0.3)
                count = len(heard)
                time.sleep(0.6)
                assert len(heard) == count
                os.kill(gateway.process.pid, signal.SIGCONT)
                until(lambda: len(heard) > count)
                assert gateway.stop() == 0
                until(lambda: heard[-1] == "STOPPING=1")
                assert "supervisor" not in gateway.log
        finally:
            over.set()
            thread.join()
