"""Serial lines, on pseudo-terminals and on small servers of the two URL kinds."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import serial
import serial.rfc2217
from serial.urlhandler import protocol_socket

from gateway.errors import LinkError
from gateway.links import serial_link
from gateway.links.backoff import Backoff
from gateway.links.serial_link import SerialLink
from gateway.links.serial_port import trouble
from gateway.site.model import Device
from tests.links.recorder import Recorder, running

FRAME = b"\x02" + b"0A0080A1B2C1" + b"\x03"


class Line:
    """A serial line whose adapter can be pulled and plugged in again; `path` is the port's name."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ttyUSB0"
        self.master = -1
        self.slave = -1

    def plug(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path.symlink_to(os.ttyname(self.slave))

    def pull(self) -> None:
        self.path.unlink(missing_ok=True)
        for descriptor in (self.slave, self.master):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.slave = -1

    def write(self, data: bytes) -> None:
        os.write(self.master, data)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.pull()


def a_link(url: str | Path, told: Recorder, **settings: str) -> SerialLink:
    device = Device(id="rdr-garage", driver="rdm6300", kind="reader", link={"serial": str(url), **settings})
    return SerialLink(device, told, backoff=Backoff(first_s=0.02, longest_s=0.05))


async def test_bytes_arrive_byte_by_byte_in_order(line: Line) -> None:
    line.plug()
    told = Recorder()
    async with running(a_link(line.path, told)):
        await told.until_up()
        for count, byte in enumerate(FRAME, 1):
            line.write(bytes([byte]))
            await told.until_bytes(count)
    assert told.stream == FRAME
    assert told.devices == [("rdr-garage",)]


async def test_an_adapter_may_be_pulled_and_plugged_in_again(line: Line) -> None:
    line.plug()
    told = Recorder()
    async with running(a_link(line.path, told)):
        await told.until_up()
        for pull in range(1, 4):
            line.write(FRAME)
            await told.until_bytes(len(FRAME) * pull)
            line.pull()
            await told.until_down()
            assert told.states[-1].hint
            line.plug()
            await told.until_up()
    assert [state.up for state in told.states if state.up] == [True] * 4
    assert told.stream == FRAME * 3


async def test_a_path_that_vanishes_without_an_error_is_noticed(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_link, "LOOK_EVERY_S", 0.02)
    line.plug()
    told = Recorder()
    async with running(a_link(line.path, told)):
        await told.until_up()
        line.path.unlink()
        await told.until_down()
        assert told.states[-1].reason == "the port is gone"
        line.path.symlink_to(os.ttyname(line.slave))
        await told.until_up()


async def test_a_missing_port_is_told_once_and_opened_when_it_appears(line: Line) -> None:
    told = Recorder()
    link = a_link(line.path, told)
    async with running(link):
        await told.until_down()
        assert link.state.reason == "no such port"
        with pytest.raises(LinkError, match="no such port"):
            await link.write(b"x")
        await asyncio.sleep(0.2)
        line.plug()
        await told.until_up()
    assert [state.up for state in told.states] == [False, True]


async def test_a_port_in_use_by_another_program_is_told(line: Line) -> None:
    line.plug()
    told = Recorder()
    with serial.Serial(str(line.path), exclusive=True):
        async with running(a_link(line.path, told)):
            await told.until_down()
            assert "another program" in told.states[-1].reason


def test_permission_denied_names_the_group() -> None:
    error = trouble("/dev/ttyUSB0", PermissionError(13, "Permission denied"))
    assert error.reason == "permission denied"
    assert "dialout" in error.hint


async def test_settings_that_no_port_can_have_are_told(line: Line) -> None:
    line.plug()
    for settings in ({"baud": "fast"}, {"parity": "Q"}):
        told = Recorder()
        async with running(a_link(line.path, told, **settings)):
            await told.until_down()
            assert "link.serial" in told.states[-1].hint


async def test_baud_reaches_the_port(line: Line) -> None:
    line.plug()
    told = Recorder()
    async with running(a_link(line.path, told, baud="19200")):
        await told.until_up()
        assert termios.tcgetattr(line.slave)[4:6] == [termios.B19200] * 2


async def test_what_is_written_goes_out(line: Line) -> None:
    line.plug()
    told = Recorder()
    async with running(link := a_link(line.path, told)):
        await told.until_up()
        await link.write(b"ping")
        assert os.read(line.master, 100) == b"ping"


async def test_a_pause_leaves_the_bytes_in_the_port(line: Line) -> None:
    line.plug()
    told = Recorder(enough=1)
    async with running(link := a_link(line.path, told)):
        await told.until_up()
        line.write(b"1")
        await told.until(lambda: told.stream == b"1")
        line.write(b"2")
        await asyncio.sleep(0.1)
        assert told.stream == b"1"
        link.resume()
        await told.until(lambda: told.stream == b"12")


async def test_silence_is_told_once_and_again_after_the_next_bytes(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_link, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(serial_link, "QUIET_S", 0.05)
    line.plug()
    told = Recorder()
    async with running(a_link(line.path, told)):
        await told.until_up()
        for count in (1, 2):
            line.write(FRAME)
            await told.until(lambda count=count: told.data.count(b"") == count)
            await asyncio.sleep(0.15)
    assert told.stream == FRAME * 2
    assert told.data.count(b"") == 2
    assert told.data[-1] == b""


async def test_silence_is_not_told_before_the_first_byte_nor_of_a_paused_port(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_link, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(serial_link, "QUIET_S", 0.05)
    line.plug()
    told = Recorder(enough=1)
    async with running(link := a_link(line.path, told)):
        await told.until_up()
        await asyncio.sleep(0.15)
        assert told.data == []
        line.write(b"1")
        await told.until(lambda: told.stream == b"1")
        await asyncio.sleep(0.15)
        assert told.data == [b"1"]
        told.enough = None
        link.resume()
        await told.until(lambda: told.data == [b"1", b""])


@contextmanager
def a_socket_converter() -> Iterator[tuple[str, Any]]:
    """A serial-to-TCP converter; gives its URL, and a function that takes the next connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield f"socket://127.0.0.1:{server.getsockname()[1]}", lambda: server.accept()[0]


async def test_a_line_behind_a_tcp_converter_is_read_and_survives_its_restart() -> None:
    told = Recorder()
    with a_socket_converter() as (url, accept):
        async with running(link := a_link(url, told)):
            first = await asyncio.to_thread(accept)
            await told.until_up()
            first.sendall(FRAME)
            await told.until(lambda: told.stream == FRAME)
            first.close()
            await told.until_down()
            second = await asyncio.to_thread(accept)
            await told.until_up()
            await link.write(b"ok")
            assert second.recv(10) == b"ok"
            second.sendall(FRAME)
            await told.until(lambda: told.stream == FRAME * 2)
            second.close()


async def test_a_converter_that_is_off_is_told() -> None:
    with a_socket_converter() as (url, _):
        pass
    told = Recorder()
    async with running(a_link(url, told)):
        await told.until_down()
        assert told.states[0].reason == "connection refused"


@contextmanager
def an_rfc2217_server(port: serial.SerialBase) -> Iterator[str]:
    """A server of RFC 2217 for one port, as a network converter has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=_serve_rfc2217, args=(server, port), daemon=True)
        thread.start()
        yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
    thread.join(10)


class _Writer:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        with suppress(OSError):
            self._connection.sendall(data)


def _serve_rfc2217(server: socket.socket, port: serial.SerialBase) -> None:
    connection, _ = server.accept()
    manager = serial.rfc2217.PortManager(port, _Writer(connection))
    connection.settimeout(0.02)
    with connection:
        while True:
            with suppress(TimeoutError):
                data = connection.recv(1024)
                if not data:
                    return
                for byte in manager.filter(data):
                    port.write(byte)
            if waiting := port.read(port.in_waiting):
                connection.sendall(b"".join(manager.escape(waiting)))


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
async def test_a_line_behind_rfc2217_is_read_with_its_settings_and_pauses() -> None:
    told = Recorder()
    hard = FRAME + b"\xff\xff\r\0"  # bytes that telnet escapes
    with serial.serial_for_url("loop://", timeout=0) as port, an_rfc2217_server(port) as url:
        async with running(link := a_link(url, told, baud="19200")):
            await told.until_up()
            assert port.baudrate == 19200
            port.write(hard)
            await told.until(lambda: told.stream == hard)
            link.pause()
            await asyncio.sleep(0.3)
            port.write(FRAME)
            await asyncio.sleep(0.1)
            assert told.stream == hard
            link.resume()
            await told.until(lambda: told.stream == hard + FRAME)


async def test_a_connection_is_closed_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 0.3 s in pyserial, in which nobody else would be heard."""
    closed: list[threading.Thread] = []
    done = threading.Event()
    close = protocol_socket.Serial.close

    def noted(port: Any) -> None:
        ours = port.is_open and port.port == url  # the collector closes once more what is closed, or what others left
        if ours:
            closed.append(threading.current_thread())
        close(port)
        if ours:
            done.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(protocol_socket.Serial, "close", noted)
        told = Recorder()
        async with running(a_link(url, told)):
            await told.until_up()
        assert await asyncio.to_thread(done.wait, 10)
    assert closed
    assert threading.main_thread() not in closed
