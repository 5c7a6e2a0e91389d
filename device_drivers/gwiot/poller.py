"""Polling a Gwiot 7941W: its two questions that read an identity, and never one that writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from device_drivers.conversation import Give, LineConversation, Send
from device_drivers.driver import Reading, Reject
from device_drivers.gwiot.frame import IDENTITIES, OK, READ_ID, READ_UID, SAY, polled_length, read_polled, request
from device_drivers.presence import PolledReader
from device_drivers.tag import is_drawn_anew

BANDS = {"hf": READ_UID, "lf": READ_ID}
"""13.56 MHz and 125 kHz."""


class GwiotPoller:
    """Asks one reader.

    Args:
        device: the reader's id.
        line: device file or URL of the line.
        address: the reader's, 0 to 255.
        bands: which cards it is asked for.
        every_s: from the beginning of a round to the next.
        within_s: how long an answer may take.
        gone_after: a card away for longer is presented anew.
    """

    hangs_up = False

    def __init__(
        self,
        device: str,
        line: str,
        *,
        address: int = 0,
        bands: Sequence[str] = tuple(BANDS),
        every_s: float = 0.2,
        within_s: float = 0.3,
        gone_after: timedelta = timedelta(seconds=1),
    ) -> None:
        self.line = line
        self.every_s = every_s
        self._address = address
        self._commands = [BANDS[band] for band in bands]
        self._within_s = within_s
        self._reader = PolledReader(device, gone_after)

    def round(self) -> LineConversation:
        """Ask for a card of each band. Replies that "fail" mean: no card."""
        for command in self._commands:
            answer = yield Send(request(command, self._address), self._within_s, self._ends)
            assert answer is not None
            found: list[Reading] = []
            if not answer.whole:
                found = self._reader.silent(answer.received)
            else:
                reply = read_polled(answer.data[self._start(answer.data) :])
                card = reply.code == OK and len(reply.data) in IDENTITIES
                card = card and not (command == READ_UID and is_drawn_anew(reply.data))
                found = self._reader.answered(answer.received, [reply.data.hex().upper()] if card else [])
            if found:
                yield Give(found)
            if not answer.whole:
                return

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut."""
        self._reader.lost()
        return ()

    def _ends(self, data: bytes) -> int:
        start = self._start(data)
        return 0 if start < 0 else start + polled_length(data, start)

    def _start(self, data: bytes) -> int:
        """Where this reader's whole reply begins, behind noise and the echo of a converter; -1 if it is not there yet."""
        start = data.find(SAY)
        while start >= 0:
            if polled_length(data, start) > 0 and data[start + 2] == self._address:
                return start
            start = data.find(SAY, start + 1)
        return -1
