"""Fills a broker quickly: one connection that writes QoS 1 messages in large pieces and waits for every acknowledgement."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Self

_AT_ONCE = 2000
"""Messages of one write; the acknowledgements of the piece before are awaited meanwhile."""

_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench"  # MQTT 3.1.1, clean session, no keep alive


class Publisher:
    """A connection to a broker on the loopback."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_CONNECT)
        assert self._read(4) == b"\x20\x02\x00\x00", "the broker refuses the publisher"
        self._last_id = 0

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> int:
        """Publish all; returns their number once the broker has acknowledged every one of them."""
        total = unacknowledged = 0
        for count, piece in _pieces(messages, self._ids()):
            self._socket.sendall(piece)
            self._read(4 * unacknowledged)
            total += count
            unacknowledged = count
        self._read(4 * unacknowledged)
        return total

    def _ids(self) -> Iterator[int]:
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            yield self._last_id

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(size)
            assert part, "the broker closed the publisher's connection"
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def _pieces(messages: Iterable[tuple[str, bytes]], ids: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    rest = iter(messages)
    while taken := list(islice(rest, _AT_ONCE)):
        yield len(taken), b"".join([_frame(topic.encode(), payload, next(ids)) for topic, payload in taken])


def _frame(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH at QoS 1 (MQTT 3.1.1 §3.3)."""
    length = 4 + len(topic) + len(payload)
    octets = bytearray()
    rest = length
    while rest > 127:
        octets.append(rest & 0x7F | 0x80)
        rest >>= 7
    octets.append(rest)
    return b"\x32" + octets + struct.pack(">H", len(topic)) + topic + struct.pack(">H", packet_id) + payload
