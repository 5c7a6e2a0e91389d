"""iButtons as bytes on the wire (`ibutton`), and as lines of hexadecimal digits (`ibutton_probe`)."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Iterator
from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.framed import SILENCE, FramedDecoder
from device_drivers.hunt import NONE, WAIT, Hunter
from device_drivers.ibutton.adapter import ANSWERS, READ_ROM
from device_drivers.ibutton.rom import LENGTH, trouble
from device_drivers.observations import TagRead
from device_drivers.presence import Presence
from device_drivers.text_lines import cut_lines, one_end

LONGEST_LINE = 64
"""Characters; a ROM has 16 digits, and some probes part them."""


def _length(stream: bytes, start: int) -> int:
    end = start + LENGTH
    if end > len(stream):
        return WAIT
    return NONE if trouble(stream[start:end]) else LENGTH


def _why_not(octets: bytes) -> str:
    if len(octets) < LENGTH:
        return f"{len(octets)} bytes that are no ROM of {LENGTH}"
    return trouble(octets[:LENGTH]) or "a ROM cut by what is before it"


def wire_decoder(device: str, gone_after: timedelta) -> FramedDecoder:
    """ROMs as they stand on the line of an adapter: each eight bytes whose CRC is right.

    Args:
        device: the reader's id.
        gone_after: a button that answers each poll is one presentation until it was away for this long.
    """
    presence = Presence(gone_after)

    def read(octets: bytes, at: datetime) -> Iterator[Reading | Reject]:
        tag = octets.hex().upper()
        if presence.arrives(tag, at):
            yield Reading(TagRead(device=device, at=at, tag=tag))

    return FramedDecoder(Hunter(_length, _why_not, LENGTH), read, padding=ANSWERS + READ_ROM)


class ProbeDecoder:
    """The lines of one probe.

    Args:
        device: the reader's id.
        printed: the digits come as printed on the button: CRC first, family last.
        gone_after: as above.
    """

    def __init__(self, device: str, *, printed: bool, gone_after: timedelta) -> None:
        self._device = device
        self._printed = printed
        self._presence = Presence(gone_after)
        self._rest = b""
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Keeps less than a line."""
        found: list[Reading | Reject] = []
        if self._latest is not None and not timedelta(0) <= received - self._latest <= SILENCE:
            self._give_up(self._latest, found)
        self._latest = received
        lines, self._rest = cut_lines(self._rest + one_end(data), LONGEST_LINE)
        for line in lines:
            self._line(line, received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut; a ROM whose CRC is right needs no line end."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            self._give_up(self._latest, found)
        self._presence.clear()
        self._latest = None
        return found

    def _give_up(self, at: datetime, found: list[Reading | Reject]) -> None:
        rest, self._rest = self._rest, b""
        if rest.strip():
            self._line(rest, at, found)

    def _line(self, line: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        try:
            rom = self._rom(line)
        except ValueError as error:
            found.append(Reject(line, str(error)))
            return
        tag = rom.hex().upper()
        if self._presence.arrives(tag, at):
            found.append(Reading(TagRead(device=self._device, at=at, tag=tag)))

    def _rom(self, line: bytes) -> bytes:
        digits = line.translate(None, b" -:.")
        if len(digits) != 2 * LENGTH:
            raise ValueError(f"{len(digits)} digits, expected {2 * LENGTH}")
        try:
            rom = unhexlify(digits)  # bytes.fromhex would pass over white space, and give fewer
        except ValueError:
            raise ValueError("a line with something else than hexadecimal digits") from None
        if self._printed:
            rom = rom[::-1]
        if why := trouble(rom):
            other = "rom" if self._printed else "printed"
            hint = "" if trouble(rom[::-1]) else f"; backwards it is a ROM: `order: {other}` in the reader's settings"
            raise ValueError(why + hint)
        return rom
