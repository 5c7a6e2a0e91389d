"""One line with devices that must be asked: their conversations one after the other, since a line has one master.

Turns are fair: of those that are due, the one that has waited longest. A device that does not answer is asked less and less
often, and as often as before from its first answer on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import assert_never

from device_drivers.conversation import Answer, Give, LineConversation, LinePoller, ProbePoller, Rest, Send
from gateway.errors import LinkError
from gateway.links.backoff import Backoff
from gateway.links.link import LinkState, Receiver, Token
from gateway.links.port_reader import PortReader, open_soon, port_identity, read_port
from gateway.links.serial_link import LONGEST_WAIT_S, LOOK_EVERY_S
from gateway.links.serial_port import OURS, error_number, is_file
from gateway.links.standing import Clock, KeptLink, utc_now

SILENT_FIRST_S = 0.5
"""The shortest wait before a device that gave no answer is asked again."""

SILENT_LONGEST_S = 60.0
"""The longest (conversation.py, LinePoller.round: at least once a minute)."""

SILENT_ALONE_S = 2.0
"""The longest where nobody else waits for the line: a guard may stand before the reader that got its power back."""

SHARE = 0.1
"""The part of a shared line's time that a device without an answer may take."""

MOST_HEARD = 65_536
"""Bytes that wait for a step. Beyond that the port is not read until one takes them."""

LEAST_APART_S = 0.005
"""Between two turns, so that a device that is asked without a break leaves time to all else that the gateway does."""

_FAULT_HINT = "please report this with the log; the other devices go on"

_log = logging.getLogger(__name__)


class _Turns:
    """One device: its conversation, and when it is its turn."""

    def __init__(self, device: str, poller: LinePoller, now: float) -> None:
        self.device = device
        self.poller = poller
        self.due = now
        self.conversation: LineConversation | None = None  # None: its next turn begins a round
        self.began = now
        self.used_s = 0.0  # of the line, in this round
        self.asked = self.answered = False  # in this round
        self.silent_s = 0.0  # the wait after its last round, 0: it answered
        self.fault = ""  # what its driver raised, until it works again

    def begin(self, now: float) -> None:
        """A round begins."""
        self.conversation = self.poller.round()
        self.began = now
        self.used_s = 0.0
        self.asked = self.answered = False

    def end(self, now: float, longest_s: float, share: float) -> None:
        """The round is over: when the next is due."""
        self.close()
        every_s = self.poller.every_s
        if self.answered or not self.asked:
            self.silent_s = 0.0
            self.due = max(self.began + every_s, now + LEAST_APART_S)
            return
        self.silent_s = min(max(2 * self.silent_s, every_s, SILENT_FIRST_S), longest_s)
        self.due = now + max(self.silent_s, every_s, min(self.used_s / share, longest_s))

    def close(self) -> None:
        """Give up the round."""
        conversation, self.conversation = self.conversation, None
        if conversation is not None:
            try:
                conversation.close()
            except Exception:  # noqa: BLE001 a driver's fault in its clean-up harms nobody: the round is over
                _log.exception("%s: its driver failed at the end of a round", self.device)


class LineLink(KeptLink):
    """A `Link` for all devices that are asked on one line.

    Args:
        line: device file, `socket://host:port` (plain TCP, too) or `rfc2217://host:port`.
        settings: the port's `baud`, `bits`, `parity`, `stop`.
        devices: id and poller of each.
        receiver: gets what the drivers found, and changes of state, which are told for all devices.
        clock: the wall clock, for `received`.
        backoff: waits between attempts to open.
    """

    def __init__(
        self,
        line: str,
        settings: Mapping[str, str],
        devices: Sequence[tuple[str, LinePoller]],
        receiver: Receiver,
        *,
        clock: Clock = utc_now,
        backoff: Backoff | None = None,
    ) -> None:
        # A line that is one device is no link that is down when that device is off: see ProbePoller.
        told = [device for device, poller in devices if not isinstance(poller, ProbePoller)]
        backoff = backoff or (Backoff(longest_s=LONGEST_WAIT_S) if is_file(line) else Backoff())
        super().__init__(line, receiver, told, clock=clock, backoff=backoff, counts=bool(told))
        self.url = line
        self._settings = settings
        self._turns = [_Turns(device, poller, 0.0) for device, poller in devices]
        self._hangs_up = any(poller.hangs_up for _, poller in devices)
        self._shared = len(devices) > 1
        self._ours = ""  # the fault of this machine that devices were told of
        self._running = asyncio.Event()
        self._running.set()
        self._reader: PortReader | None = None
        self._heard = bytearray()
        self._came: datetime | None = None  # when the latest of `_heard` came
        self._news = asyncio.Event()
        self._ended: asyncio.Future[LinkError] | None = None

    @property
    def paused(self) -> bool:
        """Whether the port is not to be read: what waits already is as much as is kept."""
        return len(self._heard) >= MOST_HEARD

    async def run(self) -> None:
        """Open, ask, open again, until cancelled.

        Raises:
            JournalError: what a device must hear is on disk never will be.
        """
        try:
            await super().run()
        finally:
            for turns in self._turns:
                turns.close()

    def pause(self) -> None:
        """Ask nothing more, and hand nothing over. An answer that is awaited is still taken, and kept."""
        self._running.clear()

    def resume(self) -> None:
        """Go on."""
        self._running.set()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a line knows no acknowledgement."""

    def received(self, data: bytes) -> None:
        """Bytes came from the port."""
        self._heard += data
        self._came = self.clock()
        if self.paused and self._reader is not None:
            self._reader.watch()
        self._news.set()

    # -- the connection

    async def connect(self) -> None:
        """See `KeptLink.connect`."""
        loop = asyncio.get_running_loop()
        for turns in self._turns:  # they wait since now, not since the line was lost
            turns.due = max(turns.due, loop.time())
        if not self._hangs_up:
            async with self._opened():
                while True:
                    turns = await self._next()
                    await self._turn(turns)
        while True:
            turns = await self._next()
            async with self._opened():
                await self._turn(turns)
                while turns.conversation is not None:  # it rests: the connection is its own until its round is over
                    await self._wait(turns.due)
                    await self._turn(turns)

    async def _next(self) -> _Turns:
        """Whose turn it is, once it is."""
        turns = min(self._turns, key=lambda each: each.due)
        await self._wait(turns.due)
        return turns

    async def _wait(self, due: float) -> None:
        """Wait until `due` (loop time) and for the end of a pause.

        Raises:
            LinkError: the line was cut.
        """
        loop = asyncio.get_running_loop()
        while (left_s := due - loop.time()) > 0:
            if self._ended is None:
                await asyncio.sleep(left_s)
            else:
                await asyncio.wait((self._ended,), timeout=left_s)
            self._check()
        await self._running.wait()
        self._check()

    def _check(self) -> None:
        if self._ended is not None and self._ended.done():
            raise self._ended.result()

    def _lost(self) -> None:
        """The line was cut: rounds are given up, what drivers give up is handed over; all are asked when it is back."""
        self._take(len(self._heard))
        now = asyncio.get_running_loop().time()
        for turns in self._turns:
            turns.close()
            turns.due, turns.silent_s = now, 0.0
            try:
                found = turns.poller.lost()
            except Exception as error:  # noqa: BLE001 a driver's fault is told; the other devices go on
                self._failed(turns, error)
                continue
            if found:
                self.receiver.found(self, turns.device, found, self.clock())

    # -- a turn

    async def _turn(self, turns: _Turns) -> None:
        """Let a device's conversation go on until it rests or its round is over."""
        loop = asyncio.get_running_loop()
        if self._shared:
            self._take(
                len(self._heard)
            )  # what is late, or of a device that was not asked, is no answer to what follows
        began = loop.time()
        try:
            resting_s = await self._converse(turns)
        except (LinkError, asyncio.CancelledError):
            raise
        except _DriverFaultError as fault:
            self._failed(turns, fault.cause)
            turns.asked, turns.answered = True, False  # a wait that doubles
            resting_s = None
        else:
            if turns.fault and resting_s is None:
                self._works(turns)
        now = loop.time()
        turns.used_s += now - began
        if resting_s is not None:
            turns.due = now + max(resting_s, LEAST_APART_S)
            return
        longest_s = SILENT_LONGEST_S if self._shared or turns.fault else SILENT_ALONE_S
        turns.end(now, longest_s, SHARE if self._shared else 1.0)

    async def _converse(self, turns: _Turns) -> float | None:
        """Take steps; how long it rests, or None at the end of its round."""
        answer: Answer | None = None
        if turns.conversation is None:
            try:
                turns.begin(asyncio.get_running_loop().time())
            except Exception as error:
                raise _DriverFaultError(error) from error
        assert turns.conversation is not None
        while True:
            try:
                step = turns.conversation.send(answer)
            except StopIteration:
                return None
            except Exception as error:
                raise _DriverFaultError(error) from error
            answer = None
            await self._running.wait()
            match step:
                case Send():
                    answer = await self._exchange(step)
                    turns.asked |= bool(step.data)
                    turns.answered |= answer.whole
                case Give(found, safe):
                    self.receiver.found(self, turns.device, found, self.clock())
                    if safe:
                        await self.receiver.safe()
                    await asyncio.sleep(0)
                    self._check()
                case Rest(seconds):
                    return seconds
                case _:
                    assert_never(step)

    async def _exchange(self, step: Send) -> Answer:
        """Write, and take what comes until the answer is whole or its time is up.

        Raises:
            LinkError: the line was cut.
            _DriverFaultError: `ends` raised.
        """
        assert self._reader is not None
        self._check()
        if step.data:
            await self._reader.write(step.data)
        deadline = asyncio.get_running_loop().time() + step.within_s
        while True:
            self._news.clear()
            if self._heard:
                try:
                    size = step.ends(bytes(self._heard))
                except Exception as error:
                    raise _DriverFaultError(error) from error
                if 0 < size <= len(self._heard):
                    return self._take(size, whole=True)
            self._check()
            if self.paused:  # so much came that no more is read: it is no answer
                return self._take(len(self._heard))
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                return self._take(len(self._heard))

    def _take(self, size: int, *, whole: bool = False) -> Answer:
        full = self.paused
        data = bytes(self._heard[:size])
        del self._heard[:size]
        if full and self._reader is not None:
            self._reader.watch()
        came = self._came if whole else None
        return Answer(data, came or self.clock(), whole)

    # -- a driver that raises

    def _failed(self, turns: _Turns, error: BaseException) -> None:
        """Tell, once, that a device cannot be heard through our own fault: what it did not say proves nothing."""
        fault = f"its driver failed: {type(error).__name__}: {error}"
        if turns.fault == fault:
            return
        turns.fault = fault
        _log.error("%s: %s: %s (told once)", self.name, turns.device, fault, exc_info=error)
        self._tell(turns, up=False, reason=fault, hint=_FAULT_HINT)

    def _works(self, turns: _Turns) -> None:
        turns.fault = ""
        _log.info("%s: %s: its driver works again", self.name, turns.device)
        self._tell(turns, up=True, reason="", hint="")

    def _tell(self, turns: _Turns, *, up: bool, reason: str, hint: str) -> None:
        state = LinkState(
            name=f"{self.name} {turns.device}", up=up, since=self.clock(), reason=reason, hint=hint, counts=False
        )
        self.receiver.link_changed(self, state, (turns.device,))

    # -- the port

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """The port is open inside. What belongs to the connection is forgotten when it was cut, not after a planned end.

        Raises:
            LinkError: it cannot be opened.
        """
        try:
            port = await open_soon(self.url, self._settings)
        except LinkError as error:
            self._unreached(error)
            raise
        ended: asyncio.Future[LinkError] = asyncio.get_running_loop().create_future()
        ended.add_done_callback(lambda _: self._news.set())
        reader = self._reader = read_port(self, port, ended)
        self._ended = ended
        try:
            self.standing.up()
            self._own_fault(None)
            for turns in self._turns:  # "up" was told for all
                if turns.fault:
                    self._tell(turns, up=False, reason=turns.fault, hint=_FAULT_HINT)
            reader.watch()
            self._look(ended, port_identity(self.url))
            yield
        except LinkError as error:
            self._lost()
            self._unreached(error, connected=True)
            raise
        finally:
            self._reader = self._ended = None
            reader.stop()
            ended.cancel()

    # -- lines that are one device

    def _unreached(self, error: LinkError, *, connected: bool = False) -> None:
        """It could not be connected, or the connection broke: what that proves of the device is handed over."""
        cause = error.__cause__
        number = error_number(cause) if isinstance(cause, OSError) else None
        if number in OURS:
            self._own_fault(error)
            return
        self._own_fault(None)
        for turns in self._turns:
            if isinstance(turns.poller, ProbePoller):
                now = self.clock()
                found = turns.poller.unreached(now, connected or number == errno.ECONNREFUSED)
                self.receiver.found(self, turns.device, found, now)

    def _own_fault(self, error: LinkError | None) -> None:
        """A fault of this machine proves nothing of the device: its link is told as down, and as up again."""
        reason, hint = ("", "") if error is None else (error.reason, error.hint)
        if reason == self._ours:
            return
        self._ours = reason
        for turns in self._turns:
            if isinstance(turns.poller, ProbePoller):
                self._tell(turns, up=error is None, reason=reason, hint=hint)

    def _look(self, ended: asyncio.Future[LinkError], identity: tuple[int, int] | None) -> None:
        """Look now and then whether the device file is still the one that was opened."""
        if identity is None or ended.done():
            return
        if port_identity(self.url) != identity:
            ended.set_result(LinkError(self.name, "the port is gone", "plug the adapter in again"))
            return
        ended.get_loop().call_later(LOOK_EVERY_S, self._look, ended, identity)


class _DriverFaultError(Exception):
    """A conversation raised; `cause` is what."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
