"""Messages of GB/T 28181 as they stand on the wire, without a registrar: for `decode`, cases and captures."""

from __future__ import annotations

from datetime import datetime

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.gb28181.manscdp import Statement, read_body
from device_drivers.gb28181.meaning import ALARM_LASTS_S, Place, observations
from device_drivers.gb28181.sip import Message, next_start, read_message

MOST_GLUED = 64
"""Messages in one piece; a capture of a TCP connection may hold many."""


class Gb28181Decoder:
    """Reads SIP messages, one or several glued together, and bodies alone.

    Nothing is known of a site here: every id stands for the device itself, a recorder's channels for channels of whoever
    sent the message.

    Args:
        alarm_lasts_s: how long an alarm about the picture stands after its last repeat.
    """

    def __init__(self, alarm_lasts_s: float = ALARM_LASTS_S) -> None:
        self._lasts_s = alarm_lasts_s

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:  # noqa: ARG002
        """Decode one piece; nothing in a request to register, in an answer, or in a query. Of several messages those that cannot be
        read are a reject; the others count.

        Raises:
            DecodeError: neither SIP nor XML of this protocol, or cut off.
        """
        text = payload.lstrip(b"\r\n\t \0")
        if text[:1] == b"<" or text[:3] == b"\xef\xbb\xbf":
            return self._readings(read_body(text), received)
        found: list[Reading] = []
        unread: list[str] = []
        start, count = 0, 0
        while start < len(text):
            count += 1
            if count > MOST_GLUED:
                raise DecodeError(f"SIP: more than {MOST_GLUED} messages in one piece")
            try:
                message, end = read_message(text, start)
                statement = body_of(message)
            except (ValueError, DecodeError) as error:
                unread.append(str(error))
                start = next_start(text, start + 1)
                continue
            if statement is not None:
                found += self._readings(statement, received)
            start = end
            while text[start : start + 1] in (b"\r", b"\n", b"\0"):
                start += 1
        if not count:
            raise DecodeError("nothing: expected a SIP message or an XML body")
        return beside_unread(found, payload, unread)

    def _readings(self, statement: Statement, received: datetime) -> list[Reading]:
        speaker = statement.device_id

        def named(device_id: str) -> Place:
            own = device_id == speaker
            return Place(speaker, None if own else device_id, device_id)

        return observations(statement, named, received, self._lasts_s)


def body_of(message: Message) -> Statement | None:
    """What the body of a request states; None where there is none to read (a response, a request to register).

    Raises:
        DecodeError: a body that is not of this protocol.
    """
    if message.method not in ("MESSAGE", "NOTIFY"):
        return None
    kind = message.headers.get("content-type", "xml")
    if "xml" not in kind.lower():
        raise DecodeError(f"Content-Type {kind[:40]!r}, expected Application/MANSCDP+xml")
    if not message.body or message.body.isspace():
        raise DecodeError("a message without a body, expected Application/MANSCDP+xml")
    return read_body(message.body)
