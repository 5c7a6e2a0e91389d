"""A WLED strip's own side: the topics and payloads it publishes. Nothing is published here."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """What a strip publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def status(base: str, there: bool) -> Message:
    """The strip is there; the last will is the same with offline."""
    return Message(f"{base}/status", b"online" if there else b"offline", retained=True)


def brightness(base: str, level: int) -> Message:
    """The brightness, 0 (off) to 255."""
    return Message(f"{base}/g", b"%d" % level)


def colour(base: str, red: int, green: int, blue: int, white: int = 0) -> Message:
    """The first colour."""
    return Message(f"{base}/c", b"#%06X" % (white << 24 | red << 16 | green << 8 | blue))


def whole(base: str, level: int, name: str) -> Message:
    """The whole state as XML; the strip's name stands in it as it is, nothing escaped."""
    text = f'<?xml version="1.0" ?><vs><ac>{level}</ac><cl>255</cl><cl>160</cl><cl>0</cl><ns>0</ns><ds>{name}</ds></vs>'
    return Message(f"{base}/v", text.encode())
