"""The registrar of GB/T 28181: what is answered to devices that call, and what their calls prove. No I/O.

Nothing is proved by a stranger: a keepalive counts only from a device of the site, and where a password is set only from the
address at which the device proved it. What is not known is answered (403), so that the device registers again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from device_drivers.complaints import Complaints
from device_drivers.conversation import Served
from device_drivers.digest import Challenger, Verdict
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.gb28181.decoder import body_of
from device_drivers.gb28181.manscdp import Alarm, Catalog, Keepalive, Statement
from device_drivers.gb28181.meaning import observations
from device_drivers.gb28181.sip import KEPT, Message, SipStream, answer, host, parameter, read_message, user
from device_drivers.gb28181.site_devices import Registrant, registrants
from device_drivers.observations import CameraHeartbeat, DeviceStatus

Peer = tuple[str, int]

SERVER_ID = "34020000002000000001"
"""The id of the server unless the site says otherwise: the one in most manuals."""

EXPIRES_S = 3600
"""For how long a device registers that does not say it (RFC 3261, 10.2)."""

LONGEST_EXPIRES_S = 86_400
"""For how long it may: then it must prove its password again."""

GRACE = timedelta(seconds=60)
"""A registration is taken as lapsed that much later than said: devices renew at the last moment."""

REPEATED_WITHIN = timedelta(seconds=32)
"""For how long a request may be sent again: 64 × T1 (RFC 3261, 17.1.2.2). A later one is new, even if a device never changes
its identifiers."""

_KEPT_ANSWERS = 8
"""Answers kept of each device for requests sent again: more than come in 32 s."""

_ALLOW = "REGISTER, MESSAGE, NOTIFY, OPTIONS"
_BODY = "Application/MANSCDP+xml"


class _Line:
    """What is known of one device now.

    Attributes:
        until: when its registration lapses; None: not registered.
        host: the address at which it registered.
        faulty: the ids of channels that its last keepalive named; None: no keepalive since the start.
        well: channels of the site that were said to be well since they were last named.
        asked: when its catalogue was last asked for.
        answers: to its latest requests, for when they come again.
    """

    __slots__ = ("answers", "asked", "faulty", "host", "number", "registrant", "until", "well")

    def __init__(self, registrant: Registrant) -> None:
        self.registrant = registrant
        self.until: datetime | None = None
        self.host = ""
        self.faulty: frozenset[str] | None = None
        self.well: set[str] = set()
        self.asked: datetime | None = None
        self.number = 0
        self.answers: dict[tuple[str, ...], tuple[datetime, Sequence[bytes]]] = {}


class Call(NamedTuple):
    """One request as it came: the message, its bytes (for quarantine), from where, when and over what."""

    message: Message
    data: bytes
    peer: Peer
    received: datetime
    transport: Literal["UDP", "TCP"]


class Registrar:
    """Serves all devices of a site that speak GB/T 28181.

    Args:
        devices: all devices of this driver.
        service: `services.gb28181` of the site: `id`, `realm`, `password`; all may be absent.
        token: gives random text for tags, branches and Call-IDs.
    """

    def __init__(
        self,
        devices: Sequence[DeviceSettings],
        service: Mapping[str, Any],
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._id = service.get("id") or SERVER_ID
        self._realm = service.get("realm") or self._id[:10]
        self._password: str | None = service.get("password")
        self._token = token
        self._challenger = Challenger(self._realm, secrets.token_bytes(32))
        self._lines = {device_id: _Line(each) for device_id, each in registrants(devices).items()}
        self._complaints = Complaints()

    # -- conversation.CallServer

    def datagram(self, data: bytes, peer: Peer, received: datetime) -> Served:
        """Take one datagram."""
        if not data.strip(b"\r\n\0"):  # a keep-alive of the way through a NAT
            return Served()
        try:
            message, _ = read_message(data.lstrip(b"\r\n"))
        except ValueError as error:
            return self.reject(data, peer, str(error), received)
        return self.take(Call(message, data, peer, received, "UDP"))

    def connection(self, peer: Peer) -> Connection:
        """A TCP connection came in."""
        return Connection(self, peer)

    # -- one message

    def take(self, call: Call) -> Served:
        """Take one message, however it came."""
        method = call.message.method
        if not method or method == "ACK":
            return Served()  # an answer to a query of ours: what was asked for comes in a request of its own
        line = self._speaker(call.message)
        if line is not None and (again := line.answers.get(_key(call))) is not None:
            first, answers = again
            if abs(call.received - first) <= REPEATED_WITHIN:
                return Served(answers=answers)
        match method:
            case "REGISTER":
                return self._register(call, line)
            case "MESSAGE" | "NOTIFY":
                return self._message(call, line)
            case "OPTIONS":
                return Served(answers=[self._answer(call, 200, [("Allow", _ALLOW)])])
        return Served(answers=[self._answer(call, 405, [("Allow", _ALLOW)])])

    def reject(self, data: bytes, peer: Peer, reason: str, received: datetime) -> Served:
        """Bytes that could not be read, or whose sender is not one of ours."""
        kept = self._complaints.keep(peer[0], reason, received)
        return Served() if kept is None else Served(found=[Reject(_without_secrets(data[:KEPT]), kept)])

    def _register(self, call: Call, line: _Line | None) -> Served:
        message, peer, received = call.message, call.peer, call.received
        if line is None:
            device_id = user(message.headers["to"])[:40] or "?"
            return self._refuse(call, f"device {device_id} is no `device_id` of the site")
        verdict = self._verdict(call, line)
        if verdict == "wrong":
            return self._refuse(call, f"device {line.registrant.id}: wrong password")
        if verdict != "right":
            ask = self._challenger.challenge(peer[0], received, stale=verdict == "stale")
            asked = self._answer(call, 401, [("WWW-Authenticate", ask)])
            _remember(
                line, call, [asked]
            )  # asked once: another nonce would read as a refusal of what is answered meanwhile
            if verdict is None:
                return Served(answers=[asked])
            reason = (
                f"device {line.registrant.id}: answers another challenge, expected Digest, MD5, realm {self._realm}"
            )
            found = () if verdict == "stale" else self.reject(call.data, peer, reason, received).found
            return Served(found=found, answers=[asked])
        expires = _expires(message)
        line.until = received + timedelta(seconds=expires) if expires else None
        line.host = peer[0] if expires else ""
        contact = message.headers.get("contact")
        extra = [("Expires", str(expires)), *([("Contact", contact)] if contact and expires else [])]
        answers = [self._answer(call, 200, extra)]
        _remember(line, call, answers)
        reason = "registered" if expires else "unregistered"
        status = DeviceStatus(device=line.registrant.id, at=received, online=bool(expires), reason=reason)
        if expires and not line.registrant.camera:
            answers = [*answers, self._query(line, call)]
        return Served(found=[Reading(status)], answers=answers)

    def _verdict(self, call: Call, line: _Line) -> Verdict | None:
        """What the answer to our challenge proves; None: there is none yet, or only an offer of other ways (`Capability`)."""
        password = line.registrant.password or self._password
        if not password:
            return "right"
        given = call.message.headers.get("authorization")
        if given is None or not given[:7].lower().startswith("digest"):
            return None
        return self._challenger.judge(given, "REGISTER", password, call.peer[0], call.received)

    def _message(self, call: Call, line: _Line | None) -> Served:
        message = call.message
        try:
            statement = body_of(message)
        except DecodeError as error:
            code = 415 if error.reason.startswith("Content-Type") else 400
            return self._refuse(call, error.reason, code)
        assert statement is not None
        line = line or self._lines.get(statement.device_id) or self._at(call.peer[0])
        if line is None:
            return self._refuse(call, f"device {statement.device_id} is no `device_id` of the site")
        if not self._registered(line, call):
            return Served(answers=[self._answer(call, 403)])  # so that it registers; nothing is proved
        answers = [self._answer(call, 200)]
        _remember(line, call, answers)
        found = self._readings(line, statement, call.received)
        if isinstance(statement, Alarm) and message.method == "MESSAGE":
            answers = [*answers, self._alarm_response(line, statement, call)]
        if isinstance(statement, Keepalive) and _is_due(line, call.received):
            answers = [*answers, self._query(line, call)]
        return Served(found=found, answers=answers)

    def _readings(self, line: _Line, statement: Statement, received: datetime) -> list[Reading]:
        registrant = line.registrant
        if isinstance(statement, Keepalive):
            # Whatever id it puts inside (a recorder's own, or its platform's), it is this device that lives.
            statement = statement._replace(device_id=registrant.device_id)
            line.faulty = frozenset(statement.faulty)
            line.well -= line.faulty
        found = observations(statement, registrant.named, received, registrant.alarm_lasts_s)
        if isinstance(statement, Catalog) and line.faulty is not None:
            found += _recovered(line, statement, received)
        return found

    # -- who speaks

    def _speaker(self, message: Message) -> _Line | None:
        headers = message.headers
        address = headers["to"] if message.method == "REGISTER" else headers["from"]
        return self._lines.get(user(address)) or self._lines.get(user(headers["from"]))

    def _at(self, address: str) -> _Line | None:
        """The one device registered at an address: some put a channel's id where theirs should stand."""
        there = [line for line in self._lines.values() if line.host == address]
        return there[0] if len(there) == 1 else None

    def _registered(self, line: _Line, call: Call) -> bool:
        if not (line.registrant.password or self._password):
            line.host = call.peer[0]
            return True  # nothing is proved by registering without a password
        return line.until is not None and call.received <= line.until + GRACE and line.host == call.peer[0]

    # -- what is said

    def _refuse(self, call: Call, reason: str, code: int = 403) -> Served:
        found = self.reject(call.data, call.peer, reason, call.received).found
        return Served(found=found, answers=[self._answer(call, code)])

    def _answer(self, call: Call, code: int, extra: Sequence[tuple[str, str]] = ()) -> bytes:
        return answer(call.message, code, call.peer, self._token(), extra)

    def _query(self, line: _Line, call: Call) -> bytes:
        """Ask for the catalogue."""
        line.asked = call.received
        line.number += 1
        return self._request(line, call, _xml("Query", "Catalog", line.number, line.registrant.device_id))

    def _alarm_response(self, line: _Line, alarm: Alarm, call: Call) -> bytes:
        """The answer of the application to an alarm, beside that of SIP (GB/T 28181-2016, 9.4)."""
        line.number += 1
        body = _xml("Response", "Alarm", alarm.sn or 0, alarm.device_id, "<Result>OK</Result>\r\n")
        return self._request(line, call, body)

    def _request(self, line: _Line, call: Call, body: str) -> bytes:
        """A request of ours to where the device's came from; we are called what the device called us."""
        here = host(call.message.uri) or self._realm
        target = line.registrant.device_id
        there = f"[{call.peer[0]}]" if ":" in call.peer[0] else call.peer[0]
        lines = [
            f"MESSAGE sip:{target}@{there}:{call.peer[1]} SIP/2.0",
            f"Via: SIP/2.0/{call.transport} {here};rport;branch=z9hG4bK{self._token()}",
            "Max-Forwards: 70",
            f"From: <sip:{self._id}@{self._realm}>;tag={self._token()}",
            f"To: <sip:{target}@{self._realm}>",
            f"Call-ID: {self._token()}@{here}",
            f"CSeq: {line.number} MESSAGE",
            f"Content-Type: {_BODY}",
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1", "replace")


def _xml(root: str, command: str, number: int, device_id: str, more: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="GB2312"?>\r\n<{root}>\r\n<CmdType>{command}</CmdType>\r\n<SN>{number}</SN>\r\n'
        f"<DeviceID>{device_id}</DeviceID>\r\n{more}</{root}>\r\n"
    )


def _key(call: Call) -> tuple[str, ...]:
    """What a request sent again has in common with its first; with its proof, as some devices count nothing up beside it."""
    proof = call.message.headers.get("authorization", "")
    return (call.message.method, call.peer[0], proof, *call.message.transaction)


def _remember(line: _Line, call: Call, answers: Sequence[bytes]) -> None:
    if len(line.answers) >= _KEPT_ANSWERS:
        del line.answers[next(iter(line.answers))]
    key = _key(call)
    line.answers.pop(key, None)
    line.answers[key] = call.received, answers


def _is_due(line: _Line, received: datetime) -> bool:
    """Whether the catalogue is to be asked for: a little early rather than an interval late, as keepalives come in step."""
    every = line.registrant.catalog_every_s
    if not line.registrant.has_channels:
        return False
    return line.asked is None or (every > 0 and received - line.asked >= timedelta(seconds=0.9 * every))


def _recovered(line: _Line, catalog: Catalog, received: datetime) -> list[Reading]:
    """Channels that are connected and that the last keepalive did not call faulty: said once, it ends an earlier fault."""
    found: list[Reading] = []
    for item in catalog.items:
        if (
            item.online is not True
            or item.event
            or item.device_id in line.well
            or item.device_id in (line.faulty or ())
        ):
            continue
        place = line.registrant.named(item.device_id)
        if place is not None and place.own != line.registrant.id:
            line.well.add(item.device_id)  # only channels of the site: bounded by it
            found.append(Reading(CameraHeartbeat(device=place.device, at=received, channel=place.channel)))
    return found


class Connection:
    """One TCP connection of a device (`conversation.Caller`)."""

    def __init__(self, registrar: Registrar, peer: Peer) -> None:
        self._registrar = registrar
        self._peer = peer
        self._stream = SipStream()

    @property
    def unfinished(self) -> bool:
        """A message has begun and not ended."""
        return self._stream.unfinished

    def feed(self, data: bytes, received: datetime) -> list[Served]:
        """Take the next bytes."""
        return [self._served(each, received) for each in self._stream.feed(data)]

    def lost(self, received: datetime) -> list[Served]:
        """The connection was closed: what is unfinished is given up."""
        return [self._served(each, received) for each in self._stream.end()]

    def _served(self, each: Message | tuple[bytes, str], received: datetime) -> Served:
        if isinstance(each, Message):
            return self._registrar.take(Call(each, each.body, self._peer, received, "TCP"))
        data, reason = each
        return self._registrar.reject(data, self._peer, reason, received)


def _expires(message: Message) -> int:
    """For how long a device registers, in seconds; 0: it unregisters (RFC 3261, 10.2.1.1: the contact's own word first)."""
    text = parameter(message.headers.get("contact", ""), "expires") or message.headers.get("expires", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        return EXPIRES_S
    return min(int(text), LONGEST_EXPIRES_S)


def _without_secrets(data: bytes) -> bytes:
    """A rejected message without its answer to the challenge, which a guesser could work on."""
    lines = data.split(b"\r\n")
    return b"\r\n".join(
        line[:14] + b" (left out)" if line[:14].lower() in (b"authorization:", b"proxy-authoriz") else line
        for line in lines
    )
