"""Responses of one RTSP device, as they stand on the wire: each proves that its service lives."""

from __future__ import annotations

from datetime import datetime

from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import Reachable
from device_drivers.rtsp.response import MOST_BODY, MOST_HEAD, START, read_response, response_end

_LONGEST = MOST_HEAD + MOST_BODY


class RtspDecoder:
    """One device's responses. The device's Date is not used: cameras without a clock say 1970."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._rest = b""
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Any status proves the service, 401 and 404, too; none proves video."""
        self._latest = received
        self._rest += data
        found: list[Reading | Reject] = []
        while self._rest:
            self._rest = self._rest.lstrip(b"\r\n")
            piece = self._piece()
            if not piece:
                break
            self._rest = self._rest[len(piece) :]
            self._read(piece, received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut: an unfinished response is rejected."""
        found: list[Reading | Reject] = []
        rest, self._rest = self._rest.strip(b"\r\n"), b""
        if rest:
            reason = "response cut short" if rest.startswith(START) else _NOISE
            found.append(Reject(rest, reason))
        return found

    def _piece(self) -> bytes:
        """The next response, or the noise before one; b"": more must come."""
        rest = self._rest
        if rest.startswith(START):
            again = rest.find(b"\n" + START) + 1
            end = response_end(rest)
            if again and not 0 < end <= again:
                return rest[:again]
            if end == 0 and len(rest) >= _LONGEST:
                return rest[:_LONGEST]
            return rest[:end]
        if START.startswith(rest):
            return b""
        line = rest.find(b"\n") + 1
        start = rest.find(START)
        if start > 0 and (line == 0 or start < line):
            return rest[:start]
        if line:
            return rest[:line]
        return rest[:MOST_HEAD] if len(rest) >= MOST_HEAD else b""

    def _read(self, piece: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        try:
            read_response(piece)
        except DecodeError as error:
            found.append(Reject(piece, error.reason))
        else:
            found.append(Reading(Reachable(device=self._device, at=at, ok=True, level="service")))


_NOISE = "bytes outside any response"
