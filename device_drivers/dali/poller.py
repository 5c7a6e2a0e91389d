"""Asking one gear behind a DALI converter: status and level, for emergency gear its failures. Nothing is ever switched."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from device_drivers.conversation import Answer, Give, LineConversation, Send
from device_drivers.dali import gear
from device_drivers.dali.message import (
    EVENT,
    EVENTS,
    LONGEST,
    Exchange,
    exchange,
    message_length,
    read_message,
    send,
    why_not,
)
from device_drivers.driver import Reading, Reject

TRIES = 2
"""Of each question: a frame of another master may have spoiled the first. Gear that was silent in its last round gets one."""

_NAMES = {gear.STATUS: "status", gear.LEVEL: "level", gear.FAILURES: "failures of emergency gear"}


class _Told(NamedTuple):
    """What a question brought: the answer, None if there was none; and when."""

    answer: int | None
    at: datetime


_Ask = Generator[Send | Give, Answer | None, _Told]


class DaliPoller:
    """Asks one gear.

    Args:
        device: the device's id.
        line: device file or URL of the converter's line.
        address: the gear's short address.
        lamp: the lamp's id, None: the device itself.
        emergency: it is emergency gear with a battery (device type 1).
        every_s: from the beginning of a round to the next.
        within_s: how long the converter may take; the bus may be busy.
    """

    def __init__(
        self,
        device: str,
        line: str,
        *,
        address: int,
        lamp: str | None = None,
        emergency: bool = False,
        every_s: float = 60,
        within_s: float = 1.0,
    ) -> None:
        self.line = line
        self.every_s = every_s
        # Converters with Ethernet close a connection on which nothing was said for some seconds.
        self.hangs_up = line.startswith("socket://")
        self._device = device
        self._address = address
        self._lamp = lamp
        self._emergency = emergency
        self._within_s = within_s
        self._faults = gear.FaultBook(device, lamp, well=False)
        self._silent = False  # it gave no answer in its last round
        self._complaints: set[int] = set()  # told, until the question is answered: at most one for each question

    def round(self) -> LineConversation:
        """Ask once; what came is given at the end. Without a status there is no lamp state: silence is not off."""
        status, at = yield from self._ask(gear.STATUS)
        self._silent = status is None
        if status is None:
            return
        try:
            on = gear.is_on(status)
        except ValueError as error:
            yield Give(self._complain(gear.STATUS, bytes((status,)), str(error)))
            return
        self._complaints.discard(gear.STATUS)
        level, _ = yield from self._ask(gear.LEVEL)
        failures = None
        if self._emergency:
            failures, _ = yield from self._ask(gear.FAILURES)
        faults = gear.faults(status, failures, emergency=self._emergency)
        share = None if level is None else gear.level(level)
        yield Give(
            [
                gear.state(self._device, self._lamp, at, on=on, level=share),
                *self._faults.told(faults, at),
            ]
        )

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut: faults may have ended unheard."""
        self._faults.forget()
        return ()

    def _ask(self, query: int) -> _Ask:
        frame = gear.question(self._address, query)
        request = send(frame)
        if query == gear.FAILURES:
            request = send(gear.EMERGENCY, together=True) + request
        tries = 1 if self._silent else TRIES
        while True:
            answer = yield Send(request, self._within_s, _ending(frame))
            assert answer is not None
            outcome = _outcome(answer.data, frame)
            if outcome is not None and outcome.answer is not None:
                if query != gear.STATUS:  # that must be understood, too
                    self._complaints.discard(query)
                return _Told(outcome.answer, answer.received)
            if found := list(self._trouble(query, answer.data, outcome)):
                yield Give(found)
            tries -= 1
            if not tries:
                return _Told(None, answer.received)

    def _trouble(self, query: int, data: bytes, outcome: Exchange | None) -> Iterator[Reading | Reject]:
        """Why there is no answer, where the reason is not that the gear is silent."""
        heard = data[-LONGEST:]
        if outcome is not None and outcome.answered:
            yield from self._complain(query, heard, "an answer that cannot be read (two gears with this address?)")
        elif outcome is not None:
            if query == gear.FAILURES:
                yield from self._complain(query, heard, "none, though `emergency: true`")
        elif event := _event(data):
            yield from self._complain(query, heard, event)
        elif data and not any(message_length(data, start) > 0 for start in range(len(data))):
            yield from self._complain(query, data[:LONGEST], why_not(data[:LONGEST]))

    def _complain(self, query: int, data: bytes, reason: str) -> list[Reading | Reject]:
        if query in self._complaints:
            return []
        self._complaints.add(query)
        return [Reject(data, f"gear {self._address}, {_NAMES[query]}: {reason}")]


def _messages(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The data of each whole message, and where it ends."""
    start = 0
    while start < len(data):
        size = message_length(data, start)
        if size > 0:
            yield read_message(data[start : start + size]), start + size
        start += max(size, 1)


def _find(data: bytes, frame: bytes) -> tuple[Exchange, int] | None:
    """What the converter says of a frame that it was told to send, and where that ends; what others send is passed over."""
    for message, end in _messages(data):
        try:
            told = exchange(message)
        except ValueError:
            continue
        if told is not None and told.ours and told.frame == frame:
            return told, end
    return None


def _outcome(data: bytes, frame: bytes) -> Exchange | None:
    found = _find(data, frame)
    return None if found is None else found[0]


def _ending(frame: bytes) -> Callable[[bytes], int]:
    def ends(data: bytes) -> int:
        found = _find(data, frame)
        return 0 if found is None else found[1]

    return ends


def _event(data: bytes) -> str:
    """The latest trouble that a converter told of by itself, "" if none."""
    codes = [message[1] for message, _ in _messages(data) if message[0] == EVENT and len(message) == 2]
    troubles = [code for code in codes if code != 0]
    if not troubles:
        return ""
    code = troubles[-1]
    return f"the converter says: {EVENTS[code]}" if code < len(EVENTS) else f"the converter tells event {code}"
