"""A real gateway as a process of its own: started, asked, killed."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import apsw
import yaml

LONGEST_WAIT_S = 20.0


class Running(Protocol):
    """What of a process is used: that of `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float = ...) -> int: ...

    def kill(self) -> None: ...

    def terminate(self) -> None: ...


_ADDRESS = re.compile(r"https?://\S+")

UNVERIFIED = ssl.create_default_context()
"""For consoles over TLS with a certificate that nobody vouches for."""
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE


class GatewayProcess:
    """`lamplighter run` on a site, on a free port, with its data in the test's folder.

    Args:
        folder: where the site file, the data and the log go.
        site: the site file's content.
        program: what is run instead of the command itself (tests/faults/victim.py: the same with a fault in it).
    """

    def __init__(self, folder: Path, site: dict[str, Any], *, program: str = "api") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._program = program
        self.data = folder / "data"
        self.site_file = self._site = folder / "site.yaml"
        self._site.write_text(yaml.safe_dump(site, allow_unicode=True, sort_keys=False), encoding="utf-8")
        self.log_file = folder / "gateway.log"
        self.process: Running | None = None
        self.url = ""

    @property
    def log(self) -> str:
        """Everything it printed, over all starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def words(self) -> list[str]:
        """Its command line, without the program."""
        return ["run", "--site", str(self._site), "--data", str(self.data), "--port", "0"]

    def spawn(self, **environment: str) -> Running:
        """Start it, and wait for nothing."""
        with self.log_file.open("ab") as log:
            self.process = process = subprocess.Popen(
                [sys.executable, "-m", self._program, *self.words()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )
        return process

    def start(self, **environment: str) -> None:
        """Start it, and return when its console answers.

        Raises:
            RuntimeError: it ended or did not answer in time; the message holds its log.
        """
        seen = len(self.log)
        process = self.spawn(**environment)
        deadline = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < deadline and process.poll() is None:
            line = next(
                (line for line in self.log[seen:].splitlines() if _ADDRESS.search(line) and line.count(" ") <= 3), ""
            )
            if found := _ADDRESS.search(line):
                self.url = found[0]
                if self._answers():
                    return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the gateway did not start:\n{self.log[seen:]}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=1, context=UNVERIFIED) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def until_ready(self, longest_s: float = 60.0) -> None:
        """Until it hears its links too: what is published to a broker before the very first subscription reaches nobody."""
        deadline = time.monotonic() + longest_s
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return
            except OSError:
                assert time.monotonic() < deadline, f"it is not ready after {longest_s:g} s:\n{self.log}"
                time.sleep(0.05)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into its journal, while it runs or not."""
        connection = apsw.Connection(str(self.data / "journal.db"))
        connection.set_busy_timeout(5000)
        try:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(LONGEST_WAIT_S)
        self.process = None
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
