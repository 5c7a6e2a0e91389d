"""The device's own side: what RTSP cameras answer, for simulated cameras and tests."""

from __future__ import annotations

from collections.abc import Sequence

PUBLIC = "OPTIONS, DESCRIBE, PLAY, PAUSE, SETUP, TEARDOWN, SET_PARAMETER"
SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=Media Presentation\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


def response(
    status: int, reason: str, sequence: int, *, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """One response, as a Hikvision camera writes it: its Date is of 1970."""
    lines = [f"RTSP/1.0 {status} {reason}", f"CSeq: {sequence}", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    lines.append("Date:  Thu, Jan 01 1970 00:00:41 GMT")
    return "\r\n".join([*lines, "", ""]).encode() + body


def options(sequence: int) -> bytes:
    """The answer to OPTIONS."""
    return response(200, "OK", sequence, headers=[("Public", PUBLIC)])


def unauthorized(sequence: int, *challenges: str) -> bytes:
    """401 with the given challenges, each in a line of its own."""
    return response(401, "Unauthorized", sequence, headers=[("WWW-Authenticate", each) for each in challenges])


def described(sequence: int) -> bytes:
    """The answer to DESCRIBE."""
    return response(200, "OK", sequence, body=SDP)
