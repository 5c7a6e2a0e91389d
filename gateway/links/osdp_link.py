"""A line of OSDP readers, with us as control panel: `libosdp` polls them and keeps up their secure channels, in a thread.

The library is told nothing but addresses and keys; what it hears goes to each reader's driver.
"""

from __future__ import annotations

import asyncio
import termios
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any, Literal, NamedTuple

import osdp

from device_drivers.conversation import PanelReader
from device_drivers.driver import Reading, Reject
from gateway.errors import LinkError
from gateway.links import serial_link
from gateway.links.backoff import Backoff
from gateway.links.link import Receiver, Token
from gateway.links.port_reader import open_soon, port_identity
from gateway.links.serial_port import is_file, trouble
from gateway.links.standing import Clock, KeptLink, utc_now

TURN_S = 0.01
"""How often the library may do something; it polls each reader every 50 ms, and waits 200 ms for an answer."""

TRY_S, LONGEST_TRY_S = 5.0, 30.0
"""How long a reader may take to come up before it is told to be offline and begun anew, doubling. The library gives one up after 8 s
without an answer, and would look for it again after 300 s only."""

ALIVE_EVERY_S = 20.0
"""How often it is told that a reader still answers: a third of what a fixed reader may be silent (60 s)."""

STUCK_AFTER_S = 5.0
"""A thread that has not come round for longer proves nothing of the readers any more (a write may take so long)."""

MOST_HELD = 4096
"""What was heard and not handed over, while paused. Beyond that the readers are not polled: they keep what they have."""

KEY_BYTES = 16
"""Of a secure channel's base key; the library reads as many, whatever it is given."""

MOST_READERS = 32
"""Of one line: as many as the library's bit masks of who is there can hold (they are written beyond their end otherwise)."""

_HINT_TWICE = "give each reader of a line its own `settings.address`"


class _Heard(NamedTuple):
    """Something that the library told of the reader with that place in the list."""

    place: int
    what: Literal["card", "keys", "online", "offline"]
    received: datetime
    secure: bool
    bits: int = 0
    data: bytes = b""


class OsdpLink(KeptLink):
    """A `Link` for all OSDP readers of one line.

    Args:
        line: device file, `socket://host:port` or `rfc2217://host:port`.
        settings: the port's `baud`, `bits`, `parity`, `stop`.
        readers: id and driver's side of each.
        receiver: gets what the drivers found, and changes of state, which are told for all devices.
        clock: the wall clock, for `received`; also called from the thread.
        backoff: waits between attempts to open.
    """

    def __init__(
        self,
        line: str,
        settings: Mapping[str, str],
        readers: Sequence[tuple[str, PanelReader]],
        receiver: Receiver,
        *,
        clock: Clock = utc_now,
        backoff: Backoff | None = None,
    ) -> None:
        backoff = backoff or (Backoff(longest_s=serial_link.LONGEST_WAIT_S) if is_file(line) else Backoff())
        super().__init__(line, receiver, [device for device, _ in readers], clock=clock, backoff=backoff)
        self.url = line
        self._settings = settings
        self._readers = readers
        self._paused = False
        self._held: deque[_Heard] = deque()
        self._told: dict[int, float] = {}  # readers that answer, and when that was last told

    def pause(self) -> None:
        """Hand nothing over; readers are polled on as long as there is room for what they say."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._hand_over()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: the library acknowledges each card to its reader."""

    async def connect(self) -> None:
        addresses = [reader.address for _, reader in self._readers]
        if len(set(addresses)) < len(addresses):
            twice = next(each for each in addresses if addresses.count(each) > 1)
            raise LinkError(self.name, f"two readers have the address {twice}", _HINT_TWICE)
        if any(reader.key is not None and len(reader.key) != KEY_BYTES for _, reader in self._readers):
            raise LinkError(self.name, "a reader's key is not there", "check `settings.scbk` of the line's readers")
        if len(self._readers) > MOST_READERS:
            raise LinkError(self.name, f"more than {MOST_READERS} readers on one line", "use another line for the rest")
        loop = asyncio.get_running_loop()
        port = await open_soon(self.url, self._settings)
        ended: asyncio.Future[LinkError] = loop.create_future()
        panel = _Panel(self.url, port, [reader for _, reader in self._readers], self._held, self.clock)
        panel.start(loop, self._hand_over, ended)
        try:
            self.standing.up()
            identity = port_identity(self.url)
            while not ended.done():
                await asyncio.wait((ended,), timeout=serial_link.LOOK_EVERY_S)
                if not ended.done() and port_identity(self.url) != identity:
                    raise LinkError(self.name, "the port is gone", "plug the adapter in again")
                self._still_alive(panel)
            raise ended.result()
        finally:
            panel.stop()
            self._hand_over()
            self._told.clear()
            for _, reader in self._readers:
                reader.lost()

    def _hand_over(self) -> None:
        """Give the drivers what was heard, in order."""
        while self._held and not self._paused:
            heard = self._held.popleft()
            device, reader = self._readers[heard.place]
            found = self._ask(reader, heard)
            if found:
                self.receiver.found(self, device, found, heard.received)

    def _ask(self, reader: PanelReader, heard: _Heard) -> Sequence[Reading | Reject]:
        match heard.what:
            case "card":
                return reader.card(heard.bits, heard.data, heard.received, secure=heard.secure)
            case "keys":
                return reader.keys(heard.data, heard.received, secure=heard.secure)
            case "online":
                if heard.secure or reader.key is None:
                    self._told[heard.place] = monotonic()
                return reader.online(heard.received, secure=heard.secure)
            case "offline":
                self._told.pop(heard.place, None)
                return reader.offline(heard.received)

    def _still_alive(self, panel: _Panel) -> None:
        now = monotonic()
        if self._paused or now - panel.turned > STUCK_AFTER_S:
            return
        for index, told in self._told.items():
            if now - told >= ALIVE_EVERY_S:
                self._told[index] = now
                device, reader = self._readers[index]
                received = self.clock()
                self.receiver.found(self, device, reader.alive(received), received)


class _Member:
    """How one reader stands with the library."""

    def __init__(self, now: float) -> None:
        self.told: bool | None = None
        self.wrong_since: float | None = now  # since when it is not there as it should be
        self.failed = 0  # times in a row
        self.disabled = False  # on its way to be begun anew


class _Channel(osdp.Channel):  # type: ignore[misc]
    """The port as the library reads and writes it. Never raises: `error` keeps what went wrong."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self._port = port
        self.error: OSError | None = None

    def read(self, max_bytes: int) -> bytes:
        """What has come, without waiting."""
        if self.error is None:
            try:
                return bytes(self._port.read(max_bytes))
            except OSError as error:
                self.error = error
        return b""

    def write(self, buf: bytes) -> int:
        """Write all of it."""
        if self.error is None:
            try:
                self._port.write(buf)
            except OSError as error:
                self.error = error
        return len(buf)

    def flush(self) -> None:
        """Forget what came before the next command."""
        if self.error is None:
            try:
                self._port.reset_input_buffer()
            except OSError as error:
                self.error = error
            except termios.error as error:  # pyserial lets it through
                self.error = OSError(*error.args)


class _Panel:
    """The thread in which the library runs. It owns the port, and closes it."""

    def __init__(self, url: str, port: Any, readers: Sequence[PanelReader], held: deque[_Heard], clock: Clock) -> None:
        port.timeout = 0
        self._url = url
        self._port = port
        self._readers = readers
        self._held = held
        self.clock = clock
        self._channel = _Channel(port)
        self._members = [_Member(monotonic()) for _ in readers]
        self._stopping = threading.Event()
        self._context: Any = None
        self.turned = monotonic()

    def start(
        self, loop: asyncio.AbstractEventLoop, news: Callable[[], None], ended: asyncio.Future[LinkError]
    ) -> None:
        """Begin. `news` is called in the event loop when something was heard; `ended` gets why the line was lost."""
        self._loop = loop
        self._news = news
        self._ended = ended
        threading.Thread(target=self._work, name=f"osdp {self._url}", daemon=True).start()

    def stop(self) -> None:
        """Poll no more; the thread closes the port when it has come round."""
        self._stopping.set()

    def _work(self) -> None:
        error = LinkError(self._url, "the OSDP library could not be started", "check address and scbk of its readers")
        try:
            self._context = self._panel()
            while not self._stopping.is_set() and self._channel.error is None:
                self._turn()
                self._stopping.wait(TURN_S)
            if self._channel.error is not None:
                error = trouble(self._url, self._channel.error)
        finally:
            self._context = None
            with suppress(OSError):
                self._port.close()
            if not self._stopping.is_set():
                self._call(self._end, error)

    def _panel(self) -> Any:
        panel = osdp.ControlPanel(
            [
                osdp.PDInfo(reader.address, self._channel, scbk=reader.key, flags=_flags(reader), name=f"PD-{number}")
                for number, reader in enumerate(self._readers)
            ],
            log_level=osdp.LogLevel.Emergency,
        )
        # The wrapper keeps every event in a queue without bound: only what is under it is used.
        panel.ctx.set_event_callback(self._event)
        return panel.ctx

    def _turn(self) -> None:
        if len(self._held) < MOST_HELD:
            self._context.refresh()
        self.turned = monotonic()
        there, secure = self._context.status(), self._context.sc_status()
        for index in range(len(self._members)):
            self._look(index, there=bool(there >> index & 1), secure=bool(secure >> index & 1))

    def _look(self, index: int, *, there: bool, secure: bool) -> None:
        """Tell what has changed with a reader, and begin one anew that does not come up."""
        member = self._members[index]
        if member.disabled and not self._context.is_pd_enabled(index):
            member.disabled = False
            self._context.enable_pd(index)
        elif there and (secure or self._readers[index].key is None):
            member.wrong_since, member.failed = None, 0
            self._tell(index, online=True, what="online")
            return
        if there:  # in plain text: it is heard for nothing
            self._tell(index, online=False, what="online")
        if member.wrong_since is None:
            member.wrong_since = self.turned
        elif self.turned - member.wrong_since >= min(TRY_S * 2**member.failed, LONGEST_TRY_S):
            self._tell(index, online=False, what="offline")
            member.wrong_since = self.turned
            member.failed = min(member.failed + 1, 10)
            member.disabled = bool(self._context.disable_pd(index))

    def _tell(self, index: int, *, online: bool, what: Literal["online", "offline"]) -> None:
        if self._members[index].told is not online:
            self._members[index].told = online
            self._heard(index, what)

    def _event(self, index: int, event: dict[str, Any]) -> int:
        """Called by the library, in the thread."""
        match event["event"]:
            case osdp.Event.CardRead if "length" in event:
                self._heard(index, "card", int(event["length"]), event["data"])
            case osdp.Event.KeyPress:
                self._heard(index, "keys", 0, event["data"])
        event.clear()  # the library's binding never frees it
        return 0

    def _heard(
        self, index: int, what: Literal["card", "keys", "online", "offline"], bits: int = 0, data: bytes = b""
    ) -> None:
        secure = bool(self._context.sc_status() >> index & 1)
        self._held.append(_Heard(index, what, self.clock(), secure, bits, data))
        self._call(self._news)

    def _call(self, function: Callable[..., None], *values: object) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *values)

    def _end(self, error: LinkError) -> None:
        if not self._ended.done():
            self._ended.set_result(error)


def _flags(reader: PanelReader) -> list[int]:
    """Without ENFORCE_SECURE the library would fall back to the default key, and then to plain text."""
    flags = [osdp.LibFlag.IgnoreUnsolicited]
    if reader.key is not None and not reader.install:
        flags.append(osdp.LibFlag.EnforceSecure)
    return flags
