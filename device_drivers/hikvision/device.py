"""The device's own side: what an alertStream is made of, for simulated cameras and tests."""

from __future__ import annotations

from collections.abc import Iterable

BOUNDARY = "boundary"


def alert(
    event: str,
    active: bool,
    *,
    channel: int = 1,
    posts: int = 1,
    time: str = "2026-11-23T22:00:00+08:00",
    namespace: str | None = "http://www.hikvision.com/ver20/XMLSchema",
) -> bytes:
    """One EventNotificationAlert, as a DVR-208G-M1 writes it."""
    spelled = f' version="1.0" xmlns="{namespace}"' if namespace else ""
    return (
        f"<EventNotificationAlert{spelled}>\n"
        "<ipAddress>192.168.1.250</ipAddress><portNo>80</portNo><protocol>HTTP</protocol>\n"
        f"<macAddress>3c:1b:f8:38:ba:23</macAddress><channelID>{channel}</channelID>\n"
        f"<dateTime>{time}</dateTime><activePostCount>{posts}</activePostCount>\n"
        f"<eventType>{event}</eventType><eventState>{'active' if active else 'inactive'}</eventState>\n"
        f"<eventDescription>{event} alarm</eventDescription>\n"
        "</EventNotificationAlert>"
    ).encode()


def heartbeat(channel: int = 0) -> bytes:
    """What it says while nothing happens: no loss of video."""
    return alert("videoloss", False, channel=channel, posts=0)


def part(body: bytes, *, kind: str = 'application/xml; charset="UTF-8"', length: int | None = None) -> bytes:
    """A part of the stream; `length` other than the true one is what some firmware writes."""
    size = len(body) if length is None else length
    return f"--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode() + body + b"\r\n"


def stream(bodies: Iterable[bytes]) -> bytes:
    """The parts of several reports, one behind the other."""
    return b"".join(part(body) for body in bodies)
