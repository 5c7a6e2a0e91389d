"""What passes on a line with DL/T 645 meters: replies to observations. Requests, errors and addresses give nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from device_drivers.dlt645.frame import ANYONE, LONGEST, WAKE, frame_length, is_meant, read_frame, why_not
from device_drivers.dlt645.meaning import numbers, readings
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.hunt import Hunter

SILENCE = timedelta(seconds=1)
"""After a longer pause an unfinished frame is given up; between bytes the standard allows 500 ms (§5.4)."""


_NO_METER = frozenset((ANYONE, "9" * 12))
"""Addresses of whoever is on the line, and of all together (who do not answer): no meter's own."""


class Dlt645Decoder:
    """One line, heard for one meter.

    Args:
        device: the device's id.
        address: only frames of this address (12 digits); None: of all.
        phases: of the meter, 1 or 3.
    """

    def __init__(self, device: str, *, address: str | None = None, phases: int = 1) -> None:
        self._device = device
        self._address = address
        self._phases = phases
        self._hunter = Hunter(frame_length, why_not, LONGEST)
        self._latest: datetime | None = None
        self._asked: str | None = None  # which meter the latest request was to

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Never raises; keeps at most two frames' length; reads the next good frame."""
        found: list[Reading | Reject] = []
        if self._latest is not None and not timedelta(0) <= received - self._latest <= SILENCE:
            found += self.reset()
        self._latest = received
        self._pieces(self._hunter.feed(data), received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut, or fell silent: what was begun is given up, good frames in it are still read."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            self._pieces(self._hunter.flush(), self._latest, found)
        self._asked = None
        return found

    def _pieces(self, pieces: list[bytes | Reject], at: datetime, found: list[Reading | Reject]) -> None:
        for piece in pieces:
            if isinstance(piece, Reject):
                self._asked = None
                found.append(piece)
            elif piece != WAKE:
                self._frame(piece, at, found)

    def _frame(self, octets: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        frame = read_frame(octets)
        asked, self._asked = self._asked, None
        if not frame.is_reply:
            self._asked = None if frame.address in _NO_METER else frame.address
        if self._address is not None and frame.address != self._address:
            return
        if frame.is_reply and asked is not None and not is_meant(frame.address, asked):
            found.append(Reject(octets, f"a reply of {frame.address}, though {asked} was asked"))
            return
        try:
            found += readings(self._device, numbers(frame), at, phases=self._phases)
        except DecodeError as error:
            found.append(Reject(octets, error.reason))
