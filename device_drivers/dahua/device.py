"""The device's own side: what an event stream is made of, for simulated cameras and tests."""

from __future__ import annotations

BOUNDARY = "myboundary"
HEARTBEAT = b"Heartbeat"


def event(code: str, action: str, index: int, data: str = "") -> bytes:
    """One event; `data` is JSON, over several lines as the device writes it."""
    return f"Code={code};action={action};index={index}{';data=' if data else ''}{data}".encode()


def part(body: bytes) -> bytes:
    """A part of the stream."""
    return (
        f"--{BOUNDARY}\r\nContent-Type: text/plain\r\nContent-Length:{len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n"
    )
