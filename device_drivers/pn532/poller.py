"""Polling a PN532: waking it up, telling it not to wait for a tag, and asking which tags are there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta

from device_drivers.conversation import Answer, Give, LineConversation, Rest, Send
from device_drivers.driver import Reading, Reject
from device_drivers.pn532.frame import (
    ACK,
    CHIP,
    LIST_PASSIVE,
    RF_CONFIGURATION,
    SAM_CONFIGURATION,
    WAKE_UP,
    Frame,
    command,
    frames,
)
from device_drivers.pn532.targets import uids
from device_drivers.presence import PolledReader

_NORMAL_MODE = b"\x01\x14\x01"
"""SAMConfiguration: no security module, 1 s, with interrupt (§7.2.10)."""

_TRY_TWICE = b"\x05\xff\x01\x02"
"""RFConfiguration of retries: without a tag the chip would otherwise wait for one and answer nothing (§7.3.1)."""

_ONE_OF_106A = b"\x02\x00"
"""InListPassiveTarget: two tags at most, ISO 14443 type A."""

_AWAKE_S = 0.02

_Ask = Generator[Send | Give | Rest, Answer | None, "tuple[Frame | None, datetime]"]


class Pn532Poller:
    """Asks one reader.

    Args:
        device: the reader's id.
        line: device file or URL of the line.
        every_s: from the beginning of a round to the next.
        within_s: how long an answer may take.
        gone_after: a tag away for longer is presented anew.
    """

    hangs_up = False

    def __init__(
        self,
        device: str,
        line: str,
        *,
        every_s: float = 0.2,
        within_s: float = 0.5,
        gone_after: timedelta = timedelta(seconds=1),
    ) -> None:
        self.line = line
        self.every_s = every_s
        self._within_s = within_s
        self._reader = PolledReader(device, gone_after)
        self._ready = False
        self._told: str = ""  # the latest complaint, told once until an answer is good

    def round(self) -> LineConversation:
        """Ask which tags are there; a chip that has lost its power, or was never set up, is set up first."""
        if not self._ready:
            yield Send(WAKE_UP, _AWAKE_S, _never)
            for code, data in ((SAM_CONFIGURATION, _NORMAL_MODE), (RF_CONFIGURATION, _TRY_TWICE)):
                answer, at = yield from self._ask(code, data)
                if answer is None:
                    yield from self._silent(at)
                    return
            self._ready = True
        answer, at = yield from self._ask(LIST_PASSIVE, _ONE_OF_106A)
        if answer is None:
            self._ready = False  # it may have been without power, and sleeps
            yield from self._silent(at)
            return
        found: list[Reading | Reject] = []
        try:
            tags = uids(answer.data, "106A")
            self._told = ""
        except ValueError as error:
            tags = []
            if self._told != str(error):
                self._told = str(error)
                found.append(Reject(answer.data, str(error)))
        found += self._reader.answered(at, tags, method="nfc")
        if found:
            yield Give(found)

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut: the chip may have been without power."""
        self._ready = False
        self._reader.lost()
        return ()

    def _ask(self, code: int, data: bytes) -> _Ask:
        """The answer to a command, None if none came; and when. A command without an answer is called off."""
        answer = yield Send(command(code, data), self._within_s, _ending(code + 1))
        assert answer is not None
        if not answer.whole:
            yield Send(ACK, _AWAKE_S, _never)  # §6.2.1.3: calls the command off
            return None, answer.received
        return _answer(answer.data, code + 1)[0], answer.received

    def _silent(self, at: datetime) -> Generator[Give, None, None]:
        if found := self._reader.silent(at):
            yield Give(found)


def _answer(data: bytes, code: int) -> tuple[Frame | None, int]:
    """The chip's answer in what has come, behind its acknowledgement and an echo; and where it ends."""
    for frame, end in frames(data):
        if frame.direction == CHIP and frame.code == code:
            return frame, end
    return None, 0


def _ending(code: int) -> Callable[[bytes], int]:
    return lambda data: _answer(data, code)[1]


def _never(data: bytes) -> int:  # noqa: ARG001  whatever comes is no answer
    return 0
