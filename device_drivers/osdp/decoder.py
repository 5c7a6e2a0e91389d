"""What passes on a line with OSDP readers: replies with cards and keys to observations. All else gives nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.hunt import Hunter
from device_drivers.osdp.cards import Cards, read_keys, read_raw
from device_drivers.osdp.codes import KEYPAD, MARK, RAW, SCS_BEGINS
from device_drivers.osdp.frame import LONGEST, Frame, frame_length, read_frame, why_not

SILENCE = timedelta(seconds=1)
"""After a longer pause an unfinished frame is given up; a reply must come within 200 ms."""


_IDLE = bytes((MARK,))
"""However many of them stand between frames: the line was idle."""


class OsdpDecoder:
    """One line, heard for one reader.

    Encrypted replies give nothing: only the two ends of a channel can read them. Once an address has been heard in a secure channel,
    or has agreed to one, cards and keys of it in plain text are rejected, until a new channel is begun.

    Args:
        cards: what cards and keys become.
        address: only replies of this address; None: of all.
    """

    def __init__(self, cards: Cards, *, address: int | None = None) -> None:
        self._cards = cards
        self._address = address
        self._hunter = Hunter(frame_length, why_not, LONGEST + 1)
        self._closed: set[int] = set()  # at most 128 addresses
        self._answered: dict[int, tuple[int, int, bytes]] = {}  # the latest card or keys of each address, at most 128
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Never raises; keeps at most two frames' length; reads the next good frame."""
        found: list[Reading | Reject] = []
        if self._latest is not None and not timedelta(0) <= received - self._latest <= SILENCE:
            found += self._flush()
        self._latest = received
        self._pieces(self._hunter.feed(data), received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut: what was begun is given up, good frames in it are still read."""
        found = self._flush()
        self._closed.clear()
        self._answered.clear()
        self._cards.forget()
        return found

    def _flush(self) -> list[Reading | Reject]:
        found: list[Reading | Reject] = []
        if self._latest is not None:
            self._pieces(self._hunter.flush(), self._latest, found)
        return found

    def _pieces(self, pieces: list[bytes | Reject], at: datetime, found: list[Reading | Reject]) -> None:
        for piece in pieces:
            if isinstance(piece, Reject):
                if piece.data.strip(_IDLE):
                    found.append(piece)
                continue
            try:
                self._frame(read_frame(piece), at, found)
            except DecodeError as error:
                found.append(Reject(piece, error.reason))

    def _frame(self, frame: Frame, at: datetime, found: list[Reading | Reject]) -> None:
        address = frame.address
        if frame.closed or frame.closes:
            self._closed.add(address)
        elif frame.security == SCS_BEGINS:
            self._closed.discard(address)
        # Another sequence number than the last answer's: what says the same from now on is not that answer repeated.
        last = self._answered.get(address)
        if last is not None and last[0] != frame.sequence:
            del self._answered[address]
        if not frame.reply:
            return
        if frame.code not in (RAW, KEYPAD) or frame.encrypted or self._address not in (None, address):
            return
        if address in self._closed and not frame.closed:
            raise DecodeError("a card or key in plain text though the reader has a secure channel")
        if frame.code == RAW:
            card = read_raw(frame.data)
            if not self._repeated(frame):
                found.append(self._cards.card(card.bits, card.data, at))
        else:
            keys = read_keys(frame.data)
            if not self._repeated(frame):
                found += self._cards.keys(keys, at)

    def _repeated(self, frame: Frame) -> bool:
        """Whether it is the answer given before, asked for again (same sequence number; 0 is no number but a reset)."""
        said = frame.sequence, frame.code, frame.data
        if frame.sequence and self._answered.get(frame.address) == said:
            return True
        self._answered[frame.address] = said
        return False
