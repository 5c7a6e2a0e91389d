"""A reader that types, read from its input device, which is grabbed so that no key reaches a terminal. Survives unplugging."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Sequence

from gateway.errors import LinkError
from gateway.links import serial_link
from gateway.links.backoff import Backoff
from gateway.links.link import Receiver, Token
from gateway.links.port_reader import PortReader, port_identity, read_port
from gateway.links.standing import Clock, KeptLink, utc_now
from gateway.site.model import Device

QUIET_AFTER_S = 0.25
"""After each arrival the decoder is told at these intervals, with no bytes, that time passes …"""

QUIET_TIMES = 24
"""… so many times: 6 s, longer than the longest pause that can end a card."""

_EVIOCGRAB = 0x40044590
"""Linux `include/uapi/linux/input.h`: `_IOW('E', 0x90, int)`."""

WORDS: dict[int, tuple[str, str]] = {
    errno.ENOENT: ("no such input device", "is the reader plugged into this port? `ls /dev/input/by-path` lists them"),
    errno.EACCES: (
        "permission denied",
        "add the gateway's user to the group input (`sudo usermod -aG input USER`) and start it anew",
    ),
    errno.EPERM: ("permission denied", "pass the input device into the container (`devices:` in the compose file)"),
    errno.EBUSY: ("another program has grabbed the reader", "stop it: `fuser` with the path names it"),
    errno.ENODEV: ("the reader is gone", "plug it in again; it is opened as soon as it is back"),
    errno.ENXIO: ("the reader is gone", "plug it in again; it is opened as soon as it is back"),
    errno.ENOTTY: ("not an input device", "check link.input"),
    errno.EINVAL: ("not an input device", "check link.input"),
    errno.EISDIR: ("not an input device", "check link.input"),
}
"""What an error number means for an input device: reason and hint."""


def grab(descriptor: int) -> None:
    """Take an input device for us alone: its keys reach nobody else.

    Raises:
        OSError: another program has it, or it is no input device.
    """
    fcntl.ioctl(descriptor, _EVIOCGRAB, 1)


class HidLink(KeptLink):
    """A `Link` for one reader that types.

    Args:
        device: `device.link` has `input`, the path of its input device, best by physical port (`/dev/input/by-path/…`).
        receiver: gets chunks (empty ones when it is quiet) and changes of state.
        clock: the wall clock, for `received`.
        backoff: waits between attempts to open.
        take: makes the opened device ours; a test without input devices passes its own.
    """

    def __init__(
        self,
        device: Device,
        receiver: Receiver,
        *,
        clock: Clock = utc_now,
        backoff: Backoff | None = None,
        take: Callable[[int], None] = grab,
    ) -> None:
        self.device = device.id
        self.url = device.link["input"]
        backoff = backoff or Backoff(longest_s=serial_link.LONGEST_WAIT_S)
        super().__init__(self.url, receiver, [device.id], clock=clock, backoff=backoff)
        self._take = take
        self.paused = False
        self._port: PortReader | None = None
        self._quiet: asyncio.TimerHandle | None = None

    def pause(self) -> None:
        """Stop reading: the kernel keeps some dozen keys, and says so when it lost some."""
        self.paused = True
        if self._port:
            self._port.watch()

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        if self._port:
            self._port.watch()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a keyboard knows no acknowledgement."""

    def received(self, data: bytes) -> None:
        """Events came."""
        self.receiver.chunk(self, self.device, data, self.clock())
        self._wait_for_quiet(QUIET_TIMES)

    def _wait_for_quiet(self, times: int) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(QUIET_AFTER_S, self._is_quiet, times)

    def _is_quiet(self, times: int) -> None:
        if not self.paused:  # while nothing is read, keys may be waiting in the kernel
            self.receiver.chunk(self, self.device, b"", self.clock())
            times -= 1
        if times:
            self._wait_for_quiet(times)

    async def connect(self) -> None:
        port = self._open()
        ended: asyncio.Future[LinkError] = asyncio.get_running_loop().create_future()
        self._port = reading = read_port(self, port, ended)
        try:
            self.standing.up()
            reading.watch()
            identity = port_identity(self.url)
            while not ended.done():
                await asyncio.wait((ended,), timeout=serial_link.LOOK_EVERY_S)
                if not ended.done() and port_identity(self.url) != identity:
                    raise LinkError(self.name, *WORDS[errno.ENODEV])
            raise ended.result()
        finally:
            self._port = None
            reading.stop()
            if self._quiet is not None:
                self._quiet.cancel()

    def _open(self) -> _InputDevice:
        try:
            descriptor = os.open(self.url, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._trouble(error) from error
        try:
            self._take(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise self._trouble(error) from error
        return _InputDevice(descriptor)

    def _trouble(self, error: OSError) -> LinkError:
        words = WORDS.get(error.errno or 0, (error.strerror or str(error), "check link.input"))
        return LinkError(self.name, *words)


class _InputDevice:
    """An open input device, as `read_port` wants a port."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """Closing gives it back to everybody."""
        os.close(self._descriptor)
