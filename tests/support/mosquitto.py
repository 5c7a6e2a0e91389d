"""A real Mosquitto for tests: on a free port of the loopback, with its files in the test's own folder.

broker = Mosquitto(tmp_path)
with broker:                 # started; stopped at the end whatever happens
    broker.kill()            # SIGKILL: what it had not saved is gone
    broker.start()           # the same port, the same persistence
    broker.forget()          # while it is down: throw the persistence away
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

LONGEST_WAIT_S = 10.0

_NATIVE = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on, and that the system gives to nobody who asks for any (above 32,767)."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Mosquitto:
    """One broker process.

    Args:
        folder: where its configuration, persistence and log go.
        options: further lines of its configuration.
        users: user names and passwords; none: anonymous clients may connect.
        port: None for a free one; it stays the same over restarts.
        autosave: number of changes after which it saves its persistence.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *,
        options: Iterable[str] = (),
        users: Mapping[str, str] | None = None,
        port: int | None = None,
        autosave: int = 1,
    ) -> None:
        self._program = _find("mosquitto")
        self._folder = folder / f"mosquitto-{port or 0}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f"listener {self.port} {self.host}",
            f"allow_anonymous {'false' if users else 'true'}",
            "persistence true",
            f"persistence_location {self._folder}/",
            "autosave_on_changes true",
            f"autosave_interval {autosave}",
            "max_inflight_messages 1000",
            "max_queued_messages 0",
            "log_type all",
            *(["user root"] if os.geteuid() == 0 else []),
            *([f"password_file {self._write_passwords(users)}"] if users else []),
            *options,
        ]
        self._config = self._folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        """Its address as `mqtt://host:port`."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """What it has logged so far."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, and return when it takes connections.

        Raises:
            RuntimeError: it ended or did not listen in time; the message holds its log.
        """
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection((self.host, self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"mosquitto did not start:\n{self.log}")

    def save(self) -> None:
        """Make it save its persistence now. Without, Mosquitto 2.0 has not yet saved the last change when it is killed,
        even with `autosave_interval 1`, though it has acknowledged it.

        Raises:
            RuntimeError: it did not in time.
        """
        assert self._process is not None, "start it first"
        database = self._folder / "mosquitto.db"
        database.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + LONGEST_WAIT_S
        while not database.exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"mosquitto did not save:\n{self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order: it saves its persistence."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it at once with SIGKILL."""
        self._end(kill=True)

    def freeze(self) -> None:
        """Let it stand still (SIGSTOP): connections stay, nobody answers."""
        assert self._process is not None, "start it first"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None, "start it first"
        self._process.send_signal(signal.SIGCONT)

    def forget(self) -> None:
        """Throw the persistence away, while it is down."""
        assert self._process is None, "stop it first"
        for path in self._folder.glob("mosquitto.db*"):
            path.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(LONGEST_WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _write_passwords(self, users: Mapping[str, str]) -> Path:
        path = self._folder / "passwords"
        path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        path.chmod(0o600)
        subprocess.run([_find("mosquitto_passwd"), "-U", str(path)], check=True, timeout=LONGEST_WAIT_S)
        return path


def _find(program: str) -> str:
    for candidate in (shutil.which(program), *_NATIVE):
        if candidate and Path(candidate).name == program and Path(candidate).exists():
            return candidate
    pytest.skip(f"{program} is not installed")
