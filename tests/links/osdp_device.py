"""Real OSDP readers (libosdp's device side) on the other end of a line of two pseudo-terminals."""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import osdp

KEY = bytes(range(1, 17))
DEFAULT_KEY = bytes(range(0x30, 0x40))
CAPABILITIES = [
    (osdp.Capability.CommunicationSecurity, 1, 1),
    (osdp.Capability.Readers, 1, 1),
    (osdp.Capability.CardDataFormat, 1, 1),
]


class Wire(osdp.Channel):
    """The readers' end of the line; `cut` loses what is said."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.cut = False
        self.heard = b""

    def read(self, max_bytes: int) -> bytes:
        with suppress(BlockingIOError):
            data = os.read(self._descriptor, max_bytes)
            self.heard += data
            return b"" if self.cut else data
        return b""

    def write(self, buf: bytes) -> int:
        return len(buf) if self.cut else os.write(self._descriptor, buf)

    def flush(self) -> None:
        pass


class Line:
    """A line; `path` is the gateway's port."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ttyUSB0"
        self.master = self.slave = -1

    def plug(self) -> Wire:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path.symlink_to(os.ttyname(self.slave))
        return Wire(self.master)

    def pull(self) -> None:
        self.path.unlink(missing_ok=True)
        for descriptor in (self.slave, self.master):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.slave = -1


@contextmanager
def a_line(folder: Path) -> Iterator[tuple[Line, Wire]]:
    line = Line(folder)
    try:
        yield line, line.plug()
    finally:
        line.pull()


@contextmanager
def a_reader(
    wire: Wire, *, address: int = 0, key: bytes | None = KEY, install: bool = False
) -> Iterator[osdp.PeripheralDevice]:
    """A reader that runs in its own thread, as a real one does."""
    flags = [] if key is None else [osdp.LibFlag.InstallMode] if install else [osdp.LibFlag.EnforceSecure]
    capabilities = CAPABILITIES if key is not None or install else CAPABILITIES[1:]
    device = osdp.PeripheralDevice(
        osdp.PDInfo(address, wire, scbk=key, flags=flags),
        osdp.PDCapabilities(capabilities),
        log_level=osdp.LogLevel.Emergency,
    )
    device.start()
    try:
        yield device
    finally:
        device.stop()


def tap(device: osdp.PeripheralDevice, bits: int, data: bytes) -> None:
    assert device.submit_event(
        {
            "event": osdp.Event.CardRead,
            "reader_no": 0,
            "format": osdp.CardFormat.Wiegand,
            "direction": 0,
            "length": bits,
            "data": data,
        }
    )


def press(device: osdp.PeripheralDevice, keys: bytes) -> None:
    assert device.submit_event({"event": osdp.Event.KeyPress, "reader_no": 0, "data": keys})
