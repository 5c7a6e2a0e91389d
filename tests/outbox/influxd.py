"""A real InfluxDB 2 for tests: on a free port of the loopback, its files in the test's folder.

LAMPLIGHTER_TEST_SERVERS names the folder of its binary; without it these tests are skipped.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from gateway.site.model import Influx
from tests.support.mosquitto import free_port

TOKEN = "test-token-of-the-night-watch"
VARIABLE = "LAMPLIGHTER_TEST_SERVERS"


def program() -> Path:
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} does not name the folder of influxd")
    found = Path(folder) / "influxd"
    if not found.exists():
        pytest.skip(f"{VARIABLE} names {folder}, which holds no influxd")
    return found


class Influxd:
    """One server process; `stop` and `start` keep its data and its port."""

    def __init__(self, folder: Path) -> None:
        self._program = program()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.influx = Influx(url=self.url, org="watch", bucket="night", token=TOKEN)

    def __enter__(self) -> Self:
        self.start()
        answer = httpx.post(
            f"{self.url}/api/v2/setup",
            json={"username": "u", "password": "password-1", "org": "watch", "bucket": "night", "token": TOKEN},
        )
        answer.raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @classmethod
    @contextlib.contextmanager
    def bare(cls, folder: Path) -> Iterator[Self]:
        """A server that nobody has set up."""
        server = cls(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def start(self) -> None:
        folder = self._folder
        self._process = subprocess.Popen(
            [
                self._program,
                *("--bolt-path", folder / "influxd.bolt", "--sqlite-path", folder / "influxd.sqlite"),
                *("--engine-path", folder / "engine", "--http-bind-address", f"127.0.0.1:{self.port}"),
                *("--reporting-disabled", "--log-level", "error"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, "influxd did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        """End it with SIGKILL, in whatever it writes."""
        assert self._process is not None, "start it first"
        self._process.kill()
        self._process.wait(20)
        self._process = None

    def bucket(self, name: str, retain_s: int = 0) -> Influx:
        """A new bucket, so that tests sharing the server do not meet."""
        headers = {"Authorization": f"Token {TOKEN}"}
        org = httpx.get(f"{self.url}/api/v2/orgs", headers=headers).json()["orgs"][0]["id"]
        rules = [{"type": "expire", "everySeconds": retain_s}] if retain_s else []
        body = {"orgID": org, "name": name, "retentionRules": rules}
        httpx.post(f"{self.url}/api/v2/buckets", headers=headers, json=body).raise_for_status()
        return Influx(url=self.url, org="watch", bucket=name, token=TOKEN)

    def write(self, influx: Influx, lines: str) -> None:
        httpx.post(
            f"{self.url}/api/v2/write",
            params={"org": influx.org, "bucket": influx.bucket, "precision": "ns"},
            headers={"Authorization": f"Token {TOKEN}"},
            content=lines.encode(),
        ).raise_for_status()

    def query(self, flux: str) -> list[dict[str, str]]:
        """The rows of a Flux query."""
        answer = httpx.post(
            f"{self.url}/api/v2/query",
            params={"org": "watch"},
            headers={
                "Authorization": f"Token {TOKEN}",
                "Accept": "application/csv",
                "Content-Type": "application/vnd.flux",
            },
            content=flux.encode(),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, str]] = []
        for table in answer.text.replace("\r\n", "\n").split("\n\n"):
            rows += list(csv.DictReader(io.StringIO(table.strip()))) if table.strip() else []
        return rows
