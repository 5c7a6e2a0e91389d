"""The stream of a converter: lines, or bytes of a fixed number, to tag reads."""

from __future__ import annotations

from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.observations import TagRead
from device_drivers.presence import Presence
from device_drivers.text_lines import cut_lines, one_end
from device_drivers.wiegand_serial.forms import CARD_BYTES, TEXTS, USUAL_BITS, Format

LONGEST = 64
"""Characters of a line; no form has more than 34."""

SILENCE = timedelta(seconds=1)
"""After a longer pause a line has ended, or is given up."""

BINARY_SILENCE = timedelta(milliseconds=200)
"""The same where only pauses part the numbers: 4 bytes take 4 ms."""


class WiegandDecoder:
    """One converter's stream.

    Args:
        device: the reader's id.
        form: of its lines.
        bits: how many a number may have.
        counted: lines have no end: a number is whole when it has its digits. `bits` is then one number.
        reverse: the reader sends the card's bytes backwards.
        gone_after: one card within this is one presentation.
    """

    def __init__(
        self,
        device: str,
        form: Format = "bits",
        *,
        bits: tuple[int, ...] = USUAL_BITS,
        counted: bool = False,
        reverse: bool = False,
        gone_after: timedelta = timedelta(milliseconds=500),
    ) -> None:
        self._device = device
        self._form = form
        self._bits = bits
        self._reverse = reverse
        self._presence = Presence(gone_after)
        self._size = 0  # 0: lines end
        if form == "binary":
            self._size = CARD_BYTES[bits[0]]
        elif counted:
            self._size = TEXTS[form].size(bits[0])
        self._silence = BINARY_SILENCE if form == "binary" else SILENCE
        self._rest = b""
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Keeps less than 64 of them."""
        found: list[Reading | Reject] = []
        if self._latest is not None and not timedelta(0) <= received - self._latest <= self._silence:
            self._give_up(self._latest, found)
        self._latest = received
        if self._form != "binary":
            data = one_end(data)
        stream = self._rest + data
        self._rest = (self._counted if self._size else self._lines)(stream, received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut: what has no end is given up, unless it shows by itself that it is whole."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            self._give_up(self._latest, found)
        self._presence.clear()
        self._latest = None
        return found

    def _lines(self, stream: bytes, at: datetime, found: list[Reading | Reject]) -> bytes:
        lines, rest = cut_lines(stream, LONGEST)
        for line in lines:
            self._line(line, at, found)
        return rest

    def _counted(self, stream: bytes, at: datetime, found: list[Reading | Reject]) -> bytes:
        if self._form != "binary":
            stream = stream.replace(b"\n", b"")
        start = 0
        while len(stream) - start >= self._size:
            piece = stream[start : start + self._size]
            self._number(piece, at, found) if self._form == "binary" else self._line(piece, at, found)
            start += self._size
        return stream[start:]

    def _line(self, line: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        try:
            card = self._card(line)
        except ValueError as error:
            found.append(Reject(line, str(error)))
            return
        self._number(card, at, found)

    def _card(self, line: bytes) -> bytes:
        if not line.isascii():
            raise ValueError("a line with bytes that are no text")
        return TEXTS[self._form].read(line.decode("ascii").strip(), self._bits)

    def _number(self, card: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        tag = (card[::-1] if self._reverse else card).hex().upper()
        if self._presence.arrives(tag, at):
            found.append(Reading(TagRead(device=self._device, at=at, tag=tag)))

    def _give_up(self, at: datetime, found: list[Reading | Reject]) -> None:
        rest, self._rest = self._rest, b""
        if not rest.strip():
            return
        form = None if self._form == "binary" else TEXTS[self._form]
        exact = len(self._bits) == 1 and form is not None and len(rest.strip()) == form.size(self._bits[0])
        if form is not None and (form.proves or exact) and not self._size:
            self._line(rest, at, found)
        else:
            found.append(Reject(rest, "number cut short (no end of line, or too few digits)"))
