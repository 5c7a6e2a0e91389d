"""An RS-485 line of two pseudo-terminals, and slaves on it: a real pymodbus server, or a function."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

LUX, RELAY, METER, REFUSING, DEAD = 1, 2, 3, 4, 9
"""Addresses of the slaves; DEAD never says a word."""


def slaves() -> list[SimDevice]:
    """A light sensor (CWT-SL), a relay board, an Eastron meter, and one that has none of the registers it is asked for."""
    nothing = [SimData(60_000, values=0, datatype=DataType.REGISTERS)]
    off = [SimData(60_000, values=False, datatype=DataType.BITS)]
    lux = [SimData(6, values=46, datatype=DataType.REGISTERS)]
    relays = [SimData(0, values=[True, False] * 4, datatype=DataType.BITS)]
    meter = [
        SimData(0x0000, values=[230.2, 0.0, 0.0, 0.5, *[0.0] * 2, 110.5, *[0.0] * 8, 0.95], datatype=DataType.FLOAT32),
        SimData(0x0046, values=[50.0, 12.5, 0.0], datatype=DataType.FLOAT32),
        SimData(0x0156, values=[12.5], datatype=DataType.FLOAT32),
    ]
    return [
        SimDevice(LUX, simdata=(off, off, lux, nothing)),
        SimDevice(RELAY, simdata=(relays, off, nothing, nothing)),
        SimDevice(METER, simdata=(off, off, nothing, meter)),
        SimDevice(REFUSING, simdata=(off, off, nothing, nothing)),
        SimDevice(DEAD, simdata=(off, off, nothing, nothing)),
    ]


def _silence_of_the_dead(sending: bool, data: bytes) -> bytes:  # called by pymodbus with what it is about to send
    address = data[6] if data[2:4] == b"\0\0" and len(data) > 6 else data[0]
    return b"" if sending and address == DEAD else data


class Line:
    """Two ports of one line: `ours` is the gateway's, `theirs` the slaves'.

    Attributes:
        heard: what the gateway wrote.
        spoil: what becomes of the slaves' bytes on their way; may be set at any time.
    """

    def __init__(self, folder: Path, *, echo: bool = False) -> None:
        self.ours, self.theirs = folder / "ttyUSB0", folder / "slaves"
        self.heard = b""
        self.spoil: Callable[[bytes], bytes] = bytes
        self._echo = echo
        self._masters: list[int] = []
        self._held: list[int] = []

    def open(self) -> None:
        for path in (self.ours, self.theirs):
            master, slave = pty.openpty()
            tty.setraw(slave)
            path.symlink_to(os.ttyname(slave))
            self._masters.append(master)
            self._held.append(slave)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._masters[0], self._from_gateway)
        loop.add_reader(self._masters[1], self._from_slaves)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for master in self._masters:
            loop.remove_reader(master)
        for descriptor in (*self._masters, *self._held):
            os.close(descriptor)

    def _from_gateway(self) -> None:
        data = os.read(self._masters[0], 4096)
        self.heard += data
        if self._echo:
            os.write(self._masters[0], data)
        os.write(self._masters[1], data)

    def _from_slaves(self) -> None:
        if data := self.spoil(os.read(self._masters[1], 4096)):
            os.write(self._masters[0], data)


@contextmanager
def a_line(folder: Path, *, echo: bool = False) -> Iterator[Line]:
    """A line that is closed at the end."""
    line = Line(folder, echo=echo)
    line.open()
    try:
        yield line
    finally:
        line.close()


@asynccontextmanager
async def serial_slaves(line: Line) -> AsyncIterator[None]:
    """The slaves on a line, by pymodbus."""
    server = ModbusSerialServer(
        slaves(), framer=FramerType.RTU, port=str(line.theirs), baudrate=9600, trace_packet=_silence_of_the_dead
    )
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


@asynccontextmanager
async def tcp_slaves(framer: FramerType = FramerType.SOCKET) -> AsyncIterator[int]:
    """The slaves behind a TCP port of this machine: with SOCKET Modbus TCP, with RTU a converter that passes bytes on."""
    server = ModbusTcpServer(slaves(), framer=framer, address=("127.0.0.1", 0), trace_packet=_silence_of_the_dead)
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
