"""Polling a 1-Wire probe through a DS2480B: reset, and Read ROM if somebody is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from device_drivers.conversation import Give, LineConversation, Send
from device_drivers.driver import Reading, Reject
from device_drivers.ibutton.adapter import (
    COMMAND_MODE,
    DATA_MODE,
    NOBODY,
    READ_ROM,
    RESET,
    ROM_SLOTS,
    SHORTED,
    reset_answer,
)
from device_drivers.ibutton.rom import LENGTH, trouble
from device_drivers.presence import PolledReader

_SETTLE_S = 0.05
_SHORT_ROUNDS = 50
"""A line shorted for so many rounds (5 s) reads nothing any more; a button put on askew shorts it for a moment."""


class IbuttonPoller:
    """Asks one adapter.

    Args:
        device: the reader's id.
        line: device file or URL of the line.
        every_s: from the beginning of a round to the next.
        within_s: how long an answer may take.
        gone_after: a button away for longer is presented anew.
    """

    hangs_up = False

    def __init__(
        self,
        device: str,
        line: str,
        *,
        every_s: float = 0.1,
        within_s: float = 0.3,
        gone_after: timedelta = timedelta(seconds=1),
    ) -> None:
        self.line = line
        self.every_s = every_s
        self._within_s = within_s
        self._reader = PolledReader(device, gone_after)
        self._ready = False
        self._told = False  # of a ROM that was damaged, until one is right or nobody is there

    def round(self) -> LineConversation:
        """Ask who is there. A contact bounces, so a damaged ROM is asked for again in the next round."""
        if not self._ready:
            yield Send(RESET, _SETTLE_S, _never)  # after power: measures the line's speed
        answer = yield Send(RESET, self._within_s, _reset_end)
        assert answer is not None
        state = reset_answer(answer.data) if answer.whole else None
        if state is None:
            self._ready = False
            yield Send(COMMAND_MODE, _SETTLE_S, _never)  # an earlier round may have left it in data mode
            found = self._reader.silent(answer.received)
            if found:
                yield Give(found)
            return
        self._ready = True
        if state == SHORTED:
            if found := self._reader.silent(answer.received, "the 1-Wire line is shorted", after=_SHORT_ROUNDS):
                yield Give(found)
            return
        tags: list[str] = []
        rejects: list[Reading | Reject] = []
        if state == NOBODY:
            self._told = False
        else:
            answer = yield Send(DATA_MODE + READ_ROM + ROM_SLOTS + COMMAND_MODE, self._within_s, _rom_end)
            assert answer is not None
            place = answer.data.find(READ_ROM) + 1
            rom = answer.data[place : place + LENGTH]
            if not answer.whole:
                self._ready = False
            elif not (why := trouble(rom)):
                tags, self._told = [rom.hex().upper()], False
            elif rom != ROM_SLOTS and not self._told:  # all FF: it was taken away meanwhile
                self._told = True
                rejects.append(Reject(rom, why))
        given = [*rejects, *self._reader.answered(answer.received, tags)]
        if given:
            yield Give(given)

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut: the adapter may have been without power."""
        self._ready = self._told = False
        self._reader.lost()
        return ()


def _reset_end(data: bytes) -> int:
    return 0 if reset_answer(data) is None else len(data)


def _rom_end(data: bytes) -> int:
    """Behind the echo of Read ROM come the eight bytes."""
    place = data.find(READ_ROM)
    return place + 1 + LENGTH if place >= 0 and len(data) >= place + 1 + LENGTH else 0


def _never(data: bytes) -> int:  # noqa: ARG001  whatever comes is no answer
    return 0
