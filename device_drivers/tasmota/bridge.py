"""Card readers behind Tasmota's serial bridge (`SSerialReceived`): text or hexadecimal to frames, frames to reads."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from device_drivers.driver import Reading, Readings, Reject
from device_drivers.errors import DecodeError
from device_drivers.json_values import shown
from device_drivers.rdm6300.decoder import Rdm6300Decoder
from device_drivers.rdm6300.frame import Checksum

Behind = Literal["rdm6300", "text", "any"]

_LONGEST_FRAME = 28
"""Characters of a frame between its 02 and 03: what the reader's own parser keeps; a good one has 12."""
_MARKS = str.maketrans({"\x02": "\n", "\x03": "\n", "\r": "\n", " ": None})
_HEX = frozenset("0123456789abcdefABCDEF")
_RAW_BEGINS = "02"
_SHORTEST_RAW = 28
"""Digits of one frame where the bridge writes each byte as two (SerialDelimiter 254): 02, 12 digits, 03."""
_SHORTEST_CARD, _LONGEST_CARD = 8, 16


class SerialBridge:
    """What arrives on the serial port of one device.

    Args:
        device: its id.
        behind: `rdm6300`: a reader, so everything must be its frames; `text`: nothing that is an observation; `any`: not known,
            what looks like a card is taken for one.
        checksum / confirm_frames: as for the driver rdm6300.
    """

    def __init__(self, device: str, behind: Behind, checksum: Checksum, confirm_frames: int) -> None:
        self._behind = behind
        self._frames = Rdm6300Decoder(device, checksum=checksum, confirm_frames=confirm_frames)

    @property
    def may_read(self) -> bool:
        """A reader is, or may be, behind it."""
        return self._behind != "text"

    def read(self, text: str, received: datetime) -> Readings:
        """The reads in one message: a tag held to the reader is one read, however often its frame is repeated.

        With `SerialDelimiter 3` a message has one frame without its 03, its 02 may stay; without a delimiter it has several.

        Raises:
            DecodeError: bytes that are no frame, and no frame beside them.
        """
        if self._behind == "text":
            return Readings()
        if len(text) >= _SHORTEST_RAW and text.startswith(_RAW_BEGINS) and len(text) % 2 == 0 and _HEX.issuperset(text):
            text = bytes.fromhex(text).decode("latin-1")
        pieces = [piece for piece in text.translate(_MARKS).split("\n") if piece]
        if self._behind == "any" and "\x02" not in text and not any(_like_a_card(piece) for piece in pieces):
            return Readings()
        found: list[Reading | Reject] = []
        for piece in pieces:
            if len(piece) > _LONGEST_FRAME or not piece.isascii():
                raise DecodeError(f"{shown(piece)}: expected the 12 hexadecimal digits of a card")
            found += self._frames.feed(b"\x02" + piece.encode() + b"\x03", received)
        readings = [each for each in found if isinstance(each, Reading)]
        rejects = [each for each in found if isinstance(each, Reject)]
        if rejects and not readings:
            raise DecodeError(rejects[0].reason)
        return Readings(readings, rejects=rejects)


def _like_a_card(piece: str) -> bool:
    return _SHORTEST_CARD <= len(piece) <= _LONGEST_CARD and _HEX.issuperset(piece)
