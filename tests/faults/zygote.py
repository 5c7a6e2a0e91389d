"""A process that has imported everything and forks a gateway for each that is asked for: a start then costs a third.

`python -m tests.faults.zygote PARENT`: one JSON line in for each gateway (`Birth`), and two out: its process id, and its exit status
(below 0: the signal) once it is gone. It ends with its standard input, or with the thread that started it, however that ends, and
whatever it bore ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.support.gateway_process import GatewayProcess

_PR_SET_PDEATHSIG = 1


class Birth(msgspec.Struct, frozen=True):
    """What a gateway is started with: the words of its command line, where it prints, what its environment has beside ours."""

    words: list[str]
    log: str
    environment: dict[str, str]


class Zygote:
    """The process; used by one thread, for one gateway at a time."""

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "tests.faults.zygote", str(os.getpid())]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._lines = b""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def bear(self, birth: Birth) -> Born:
        """Start a gateway."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(birth) + b"\n")
        line = self.line(20.0)
        assert line is not None, "the zygote does not answer"
        return Born(self, int(line))

    def line(self, longest_s: float) -> bytes | None:
        """The next line that it prints, if it comes in time."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + longest_s
        while b"\n" not in self._lines:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            more = os.read(self._process.stdout.fileno(), 4096)
            assert more, "the zygote is dead"
            self._lines += more
        line, _, self._lines = self._lines.partition(b"\n")
        return line


class Born:
    """A gateway that a zygote bore, to be used like `subprocess.Popen`."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status; None: it lives."""
        return self._look(0.0)

    def wait(self, timeout: float = 20.0) -> int:
        """Until it is gone; gives the exit status."""
        status = self._look(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return status

    def kill(self) -> None:
        """SIGKILL."""
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _look(self, longest_s: float) -> int | None:
        if self.returncode is None and (line := self._zygote.line(longest_s)) is not None:
            self.returncode = int(line)
        return self.returncode


class ForkedGateway(GatewayProcess):
    """A gateway with a fault in it (`tests.faults.victim`), forked from a zygote."""

    def __init__(self, folder: Any, site: dict[str, Any], zygote: Zygote) -> None:
        super().__init__(folder, site, program="tests.faults.victim")
        self._zygote = zygote

    def spawn(self, **environment: str) -> Born:
        """Start it, and wait for nothing."""
        self.process = born = self._zygote.bear(Birth(self.words(), str(self.log_file), environment))
        return born


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _live(birth: Birth, zygote: int) -> int:
    """The life of a gateway, in its own process."""
    from api.cli import main
    from tests.faults.victim import FAULT, Fault, spoil

    _die_with_parent(zygote)
    log = os.open(birth.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(birth.environment)
    spoil(msgspec.json.decode(os.environ.get(FAULT, "{}"), type=Fault))
    return main(birth.words)


def main() -> int:
    """Bear gateways until standard input ends."""
    import gateway.links.embedded_broker  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(int(sys.argv[1]))
    for line in sys.stdin.buffer:
        birth = msgspec.json.decode(line, type=Birth)
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                status = _live(birth, zygote)
                sys.stdout.flush()
            finally:
                os._exit(status)
        os.write(1, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))
    return 0


if __name__ == "__main__":
    sys.exit(main())
