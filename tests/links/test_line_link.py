"""Lines with devices that are asked: pseudo-terminals and TCP converters with devices behind them that answer for real."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import serial

from device_drivers.conversation import Answer, Give, LineConversation, LinePoller, Rest, Send
from device_drivers.driver import Reading, Reject
from device_drivers.observations import DeviceStatus
from gateway.errors import JournalError
from gateway.links import line_link
from gateway.links.backoff import Backoff
from gateway.links.line_link import LineLink
from tests.links.recorder import Recorder, running
from tests.links.test_serial import _serve_rfc2217


def ends(data: bytes) -> int:
    return data.find(b"\n") + 1


class Asker:
    """Asks `NAME?` and gives what came; notes its answers."""

    def __init__(self, name: str, *, every_s: float = 0.02, within_s: float = 0.1, line: str = "") -> None:
        self.name = name
        self.line = line
        self.every_s = every_s
        self.within_s = within_s
        self.hangs_up = False
        self.answers: list[Answer] = []
        self.rounds: list[float] = []
        self.losses = 0

    def round(self) -> LineConversation:
        self.rounds.append(asyncio.get_running_loop().time())
        answer = yield Send(f"{self.name}?\n".encode(), self.within_s, ends)
        assert answer is not None
        self.answers.append(answer)
        if answer.whole:
            yield Give([status(self.name, answer.data.decode().strip())])

    def lost(self) -> Sequence[Reading | Reject]:
        self.losses += 1
        return ()

    @property
    def heard(self) -> list[str]:
        return [answer.data.decode() for answer in self.answers if answer.whole]


def status(device: str, reason: str) -> Reading:
    return Reading(DeviceStatus(device=device, at=datetime.now(UTC), online=True, reason=reason))


class Bus:
    """A pseudo-terminal with devices at its other end: a thread that answers each line by what `answer` makes of it."""

    def __init__(self, path: Path, answer: Callable[[str], bytes]) -> None:
        self.path = path
        self.answer = answer
        self.asked: list[str] = []
        self._stop = threading.Event()
        self.plug()

    def plug(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path.symlink_to(os.ttyname(self.slave))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(self.master, self._stop), daemon=True)
        self._thread.start()

    def pull(self) -> None:
        self.path.unlink(missing_ok=True)
        self._stop.set()
        os.write(self.slave, b"\n")  # wakes the thread
        self._thread.join(10)
        os.close(self.slave)
        os.close(self.master)

    def _serve(self, master: int, stop: threading.Event) -> None:
        rest = b""
        while not stop.is_set():
            rest += os.read(master, 1000)
            *lines, rest = rest.split(b"\n")
            for line in lines:
                self.asked.append(line.decode())
                if answer := self.answer(line.decode()):
                    with suppress(OSError):
                        os.write(master, answer)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    made = Bus(tmp_path / "ttyUSB0", lambda line: f"{line[:-1]} here\n".encode())
    yield made
    made.pull()


def a_link(line: Path | str, told: Recorder, *askers: LinePoller, **settings: str) -> LineLink:
    names = [getattr(asker, "name", "dev") for asker in askers]
    backoff = Backoff(first_s=0.02, longest_s=0.05)
    return LineLink(str(line), settings, list(zip(names, askers, strict=True)), told, backoff=backoff)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  a thread's doings are looked at
            await asyncio.sleep(0.005)


async def test_devices_of_a_line_take_turns_and_get_their_own_answers(bus: Bus) -> None:
    told = Recorder()
    askers = [Asker(name) for name in "abc"]
    async with running(a_link(bus.path, told, *askers)):
        await told.until(lambda: len(told.readings) >= 30)
    for asker in askers:
        assert set(asker.heard) == {f"{asker.name} here\n"}
        assert len(asker.heard) >= 9
    assert {source for source, _ in told.readings} == {"a", "b", "c"}
    assert told.devices == [("a", "b", "c")]


async def test_a_busy_device_does_not_starve_the_others(bus: Bus) -> None:
    told = Recorder()
    greedy, calm = Asker("greedy", every_s=0), Asker("calm", every_s=0.05)
    async with running(a_link(bus.path, told, greedy, calm)):
        await until(lambda: len(calm.rounds) >= 8)
    apart = [later - earlier for earlier, later in zip(calm.rounds, calm.rounds[1:], strict=False)]
    assert sorted(apart)[len(apart) // 2] < 0.15
    assert len(greedy.rounds) > len(calm.rounds)


async def test_a_dead_device_is_asked_less_and_less_and_slows_the_others_little(bus: Bus) -> None:
    bus.answer = lambda line: b"" if line.startswith("dead") else f"{line[:-1]} here\n".encode()
    told = Recorder()
    dead, live = Asker("dead", within_s=0.2), Asker("live")
    async with running(a_link(bus.path, told, dead, live)):
        await until(lambda: len(dead.rounds) >= 2)
        begun = len(live.rounds)
        await asyncio.sleep(2)
        assert len(dead.rounds) <= 3
        assert len(live.rounds) - begun >= 40  # of 100 without the dead one
    assert told.is_up  # the line is well
    assert not dead.heard


async def test_a_device_is_asked_as_often_as_before_from_its_first_answer_on(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_link, "SILENT_LONGEST_S", 1)
    monkeypatch.setattr(line_link, "SHARE", 1)
    monkeypatch.setattr(line_link, "SILENT_FIRST_S", 0.05)
    answering = threading.Event()
    bus.answer = lambda line: f"{line[:-1]} here\n".encode() if answering.is_set() or line.startswith("b") else b""
    first, other = Asker("a", within_s=0.02), Asker("b")
    async with running(a_link(bus.path, Recorder(), first, other)):
        await until(lambda: len(first.rounds) >= 6)
        apart = [later - earlier for earlier, later in zip(first.rounds, first.rounds[1:], strict=False)]
        assert 2 * apart[0] < apart[-1] < 2
        answering.set()
        await until(lambda: bool(first.heard))
        count, began = len(first.heard), asyncio.get_running_loop().time()
        await until(lambda: len(first.heard) >= count + 10)
        assert asyncio.get_running_loop().time() - began < 1.5


async def test_a_lone_device_without_answer_is_asked_at_least_each_two_seconds(bus: Bus) -> None:
    bus.answer = lambda _: b""
    alone = Asker("alone", within_s=0.05)
    async with running(a_link(bus.path, Recorder(), alone)):
        await until(lambda: len(alone.rounds) >= 4)
    apart = [later - earlier for earlier, later in zip(alone.rounds, alone.rounds[1:], strict=False)]
    assert max(apart) < 2.5


async def test_an_answer_that_comes_in_pieces_is_whole_and_what_is_behind_it_stays(bus: Bus) -> None:
    bus.answer = lambda _: b"one\ntwo\nthr"

    class Listener(Asker):
        def round(self) -> LineConversation:
            for data in (b"go\n", b"", b""):
                answer = yield Send(data, 0.2, ends)
                assert answer is not None
                self.answers.append(answer)
            yield Rest(60)

    asker = Listener("x")
    async with running(a_link(bus.path, Recorder(), asker)):
        await until(lambda: len(asker.answers) == 3)
    assert [(answer.data, answer.whole) for answer in asker.answers] == [
        (b"one\n", True),
        (b"two\n", True),
        (b"thr", False),
    ]


async def test_a_late_answer_is_not_taken_for_that_of_the_next_device(bus: Bus) -> None:
    timer: list[threading.Timer] = []

    def answer(line: str) -> bytes:
        if line.startswith("slow"):
            timer.append(threading.Timer(0.1, os.write, (bus.master, b"slow here\n")))
            timer[-1].start()
            return b""
        return b"quick here\n"

    bus.answer = answer
    slow, quick = Asker("slow", every_s=30, within_s=0.05), Asker("quick", every_s=0.5)
    async with running(a_link(bus.path, Recorder(), slow, quick)):
        await until(lambda: len(quick.answers) >= 4)
    for each in timer:
        each.join()
    assert set(quick.heard) == {"quick here\n"}


async def test_a_resting_conversation_leaves_the_line_and_goes_on(bus: Bus) -> None:
    class Resting(Asker):
        def round(self) -> LineConversation:
            yield Rest(0.3)
            yield from super().round()

    told = Recorder()
    resting, other = Resting("r", every_s=30), Asker("o")
    async with running(a_link(bus.path, told, resting, other)):
        await until(lambda: bool(resting.heard))
        assert len(other.heard) >= 5


async def test_the_conversation_goes_on_only_when_what_it_gave_is_on_disk(bus: Bus) -> None:
    disk: list[asyncio.Future[None]] = []

    class Slow(Recorder):
        def safe(self) -> asyncio.Future[None]:
            disk.append(asyncio.get_running_loop().create_future())
            return disk[-1]

    class Clearing(Asker):
        def round(self) -> LineConversation:
            yield Give([status("w", "a record")], safe=True)
            yield Send(b"clear?\n", 1, ends)

    told = Slow()
    async with running(a_link(bus.path, told, Clearing("w", every_s=60))):
        await told.until(lambda: bool(told.readings))
        await asyncio.sleep(0.1)
        assert not bus.asked
        disk[0].set_result(None)
        await until(lambda: bus.asked == ["clear?"])


async def test_nothing_is_cleared_when_the_disk_fails(bus: Bus) -> None:
    class Broken(Recorder):
        def safe(self) -> asyncio.Future[None]:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(JournalError("the disk is full"))
            return failed

    class Clearing(Asker):
        def round(self) -> LineConversation:
            yield Give([status("w", "a record")], safe=True)
            yield Send(b"clear?\n", 1, ends)

    with pytest.raises(JournalError):
        await asyncio.wait_for(a_link(bus.path, Broken(), Clearing("w")).run(), 10)
    assert not bus.asked


async def test_while_paused_nothing_is_asked_or_handed_over(bus: Bus) -> None:
    told = Recorder()
    asker = Asker("a")
    async with running(link := a_link(bus.path, told, asker)):
        await told.until(lambda: bool(told.readings))
        link.pause()
        await asyncio.sleep(0.05)
        asked, given = len(bus.asked), len(told.readings)
        await asyncio.sleep(0.2)
        assert (len(bus.asked), len(told.readings)) == (asked, given)
        link.resume()
        await told.until(lambda: len(told.readings) > given + 3)


async def test_an_adapter_that_is_pulled_takes_all_devices_down_and_brings_all_back(bus: Bus) -> None:
    told = Recorder()
    askers = [Asker("a"), Asker("b")]
    async with running(a_link(bus.path, told, *askers)):
        await told.until(lambda: len(told.readings) > 4)
        bus.pull()
        await told.until_down()
        assert told.states[-1].hint
        assert told.devices[-1] == ("a", "b")
        assert [asker.losses for asker in askers] == [1, 1]
        count = len(told.readings)
        bus.plug()
        await told.until_up()
        await told.until(lambda: len(told.readings) > count + 4)


async def test_a_path_that_vanishes_without_an_error_is_noticed(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_link, "LOOK_EVERY_S", 0.02)
    told = Recorder()
    async with running(a_link(bus.path, told, Asker("a", every_s=30))):
        await told.until_up()
        target = bus.path.readlink()
        bus.path.unlink()
        await told.until_down()
        assert told.states[-1].reason == "the port is gone"
        bus.path.symlink_to(target)
        await told.until_up()


async def test_a_missing_port_is_told_once_for_all_its_devices(tmp_path: Path) -> None:
    told = Recorder()
    async with running(a_link(tmp_path / "none", told, Asker("a"), Asker("b"))):
        await told.until_down()
        await asyncio.sleep(0.2)
    (state,) = told.states
    assert state.reason == "no such port"
    assert state.hint
    assert told.devices == [("a", "b")]


@pytest.mark.parametrize("where", ["round", "send", "ends", "step"])
async def test_a_driver_that_raises_is_told_once_and_the_others_go_on(bus: Bus, where: str) -> None:
    class Wrong(Asker):
        def round(self) -> LineConversation:
            self.rounds.append(0)
            if where == "round":
                raise ValueError("wrong at once")
            return self._steps()

        def _steps(self) -> LineConversation:
            if where == "step":
                raise ValueError("wrong in the first step")
            yield Send(b"w?\n", 0.1, ends if where == "send" else self._wrong)
            raise ValueError("wrong after the answer")

        def _wrong(self, data: bytes) -> int:
            raise ValueError(f"wrong at {len(data)}")

    told = Recorder()
    wrong, right = Wrong("wrong"), Asker("right")
    async with running(a_link(bus.path, told, wrong, right)):
        await until(lambda: len(right.heard) >= 40)
    faults = [state for state, devices in zip(told.states, told.devices, strict=True) if devices == ("wrong",)]
    assert [state.up for state in faults] == [False]
    assert "ValueError" in faults[0].reason
    assert not faults[0].counts
    assert 1 <= len(wrong.rounds) <= 3


async def test_a_driver_that_works_again_is_told(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_link, "SILENT_FIRST_S", 0.02)

    class Wrong(Asker):
        def round(self) -> LineConversation:
            if len(self.rounds) < 2:
                self.rounds.append(0)
                raise ValueError("wrong")
            yield from super().round()

    told = Recorder()
    async with running(a_link(bus.path, told, Wrong("w"))):
        await told.until(lambda: len(told.states) == 3 and bool(told.readings))
    assert [state.up for state in told.states] == [True, False, True]


async def test_a_line_that_babbles_does_not_fill_the_memory(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_link, "MOST_HEARD", 2000)
    bus.answer = lambda _: b"x" * 3900
    asker = Asker("a", within_s=5)
    async with running(link := a_link(bus.path, Recorder(), asker)):
        await until(lambda: len(asker.answers) >= 3)
        assert len(link._heard) < 2000 + 4096
    assert all(not answer.whole and len(answer.data) < 2000 + 4096 for answer in asker.answers)


async def test_a_conversation_that_never_waits_leaves_the_gateway_its_time(bus: Bus) -> None:
    class Idle(Asker):
        def round(self) -> LineConversation:
            self.rounds.append(0)
            yield Rest(0)

    idle = Idle("i", every_s=0)
    async with running(a_link(bus.path, Recorder(), idle)):
        await asyncio.sleep(0.3)
    assert 1 <= len(idle.rounds) <= 60


async def test_speed_and_lock_reach_the_port(bus: Bus) -> None:
    with serial.Serial(str(bus.path), exclusive=True):
        told = Recorder()
        async with running(a_link(bus.path, told, Asker("a"))):
            await told.until_down()
            assert "another program" in told.states[-1].reason


# -- behind converters


@contextmanager
def a_converter(answer: Callable[[bytes], bytes]) -> Iterator[tuple[str, list[socket.socket]]]:
    """A serial-to-TCP converter with devices behind it; gives its URL and the connections it took."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                taken.append(connection)
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with suppress(OSError):
                while data := connection.recv(1000):
                    connection.sendall(answer(data))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}", taken
        server.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()
    thread.join(10)


async def test_a_line_over_tcp_is_asked_and_survives_a_cut() -> None:
    told = Recorder()
    with a_converter(lambda data: data) as (url, taken):
        asker = Asker("a")
        async with running(a_link(url, told, asker)):
            await told.until(lambda: len(told.readings) > 3)
            taken[0].shutdown(socket.SHUT_RDWR)
            await told.until_down()
            count = len(told.readings)
            await told.until(lambda: told.is_up and len(told.readings) > count + 3)
        assert len(taken) == 2
        assert asker.losses == 1


async def test_a_device_that_wants_it_is_hung_up_after_each_round() -> None:
    told = Recorder()
    with a_converter(lambda data: data) as (url, taken):
        asker = Asker("a")
        asker.hangs_up = True
        async with running(a_link(url, told, asker)):
            await told.until(lambda: len(told.readings) >= 4)
        assert len(taken) >= 4
        assert asker.losses == 0
    assert [state.up for state in told.states] == [True]


async def test_a_converter_that_is_off_is_told() -> None:
    with a_converter(bytes) as (url, _):
        pass
    told = Recorder()
    async with running(a_link(url, told, Asker("a"), Asker("b"))):
        await told.until_down()
    assert told.states[0].reason == "connection refused"
    assert told.devices[0] == ("a", "b")


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
async def test_a_line_behind_rfc2217_is_asked() -> None:
    told = Recorder()
    with (
        serial.serial_for_url("loop://", timeout=0) as port,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        server.settimeout(10)
        thread = threading.Thread(target=_serve_rfc2217, args=(server, port), daemon=True)
        thread.start()
        url = f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
        asker = Asker("a", within_s=2)
        async with running(a_link(url, told, asker, baud="19200")):
            await told.until(lambda: len(told.readings) >= 3, timeout_s=30)
            assert port.baudrate == 19200
        assert set(asker.heard) == {"a?\n"}  # the loop's echo
        thread.join(10)
