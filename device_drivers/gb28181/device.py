"""The device's own side: the requests that a camera or recorder sends, and how it answers. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from device_drivers.digest import parameters, response
from device_drivers.gb28181.sip import answer, read_message

SERVER_ID = "34020000002000000001"


class Channel(NamedTuple):
    """A channel in a recorder's catalogue."""

    device_id: str
    name: str = "IPC"
    status: str = "ON"
    event: str = ""


class Device:
    """One camera or recorder.

    Args:
        device_id: its 20 digits.
        server: host and port of the registrar, as the device was told.
        address: its own host and port, as it believes them to be; behind a NAT they are wrong.
        password: empty: it never answers a challenge.
        transport: what stands in its Via.
        token: gives text for branches and Call-IDs; a test passes its own.
    """

    def __init__(
        self,
        device_id: str,
        server: tuple[str, int] = ("127.0.0.1", 5060),
        address: tuple[str, int] = ("127.0.0.1", 5060),
        *,
        password: str = "",
        transport: str = "UDP",
        token: Callable[[], str] | None = None,
    ) -> None:
        self.device_id = device_id
        self.password = password
        self._server = server
        self._address = address
        self._transport = transport
        self._token = token or self._count
        self._sequence = 0
        self._sn = 0
        self._tokens = 0

    # -- requests

    def register(self, *, expires: int = 3600, challenge: str | None = None) -> bytes:
        """A REGISTER; with the server's `challenge` (its WWW-Authenticate) the password is proved. `expires` 0 unregisters."""
        uri = f"sip:{SERVER_ID}@{self._server[0]}:{self._server[1]}"
        own = f"sip:{self.device_id}@{self._address[0]}:{self._address[1]}"
        extra = [("Contact", f"<{own}>"), ("Expires", str(expires))]
        if challenge is not None:
            extra.append(("Authorization", self.prove(challenge, uri)))
        return self._request("REGISTER", uri, to=f"<sip:{self.device_id}@{SERVER_ID[:10]}>", extra=extra)

    def prove(self, challenge: str, uri: str) -> str:
        """The Authorization that answers a challenge."""
        asked = parameters(challenge)
        given = {
            "username": self.device_id,
            "realm": asked.get("realm", ""),
            "nonce": asked.get("nonce", ""),
            "uri": uri,
        }
        if "qop" in asked:
            given |= {"qop": "auth", "nc": "00000001", "cnonce": self._token()}
        given["response"] = response(given, "REGISTER", self.password)
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in given.items()) + ", algorithm=MD5"

    def keepalive(self, *, faulty: Sequence[str] = (), status: str = "OK") -> bytes:
        """A keepalive; `faulty` are the ids of channels that it calls faulty."""
        return self.message(self.keepalive_body(faulty=faulty, status=status))

    def keepalive_body(self, *, faulty: Sequence[str] = (), status: str = "OK") -> bytes:
        """The body of a keepalive, as a Dahua camera writes it."""
        self._sn += 1
        info = "".join(f"        <DeviceID>{each}</DeviceID>\n" for each in faulty)
        return (
            '<?xml version="1.0" encoding="GB2312" ?>\n<Notify>\n    <CmdType>Keepalive</CmdType>\n'
            f"    <SN>{self._sn}</SN>\n    <DeviceID>{self.device_id}</DeviceID>\n    <Status>{status}</Status>\n"
            + (f"    <Info>\n{info}    </Info>\n" if faulty else "")
            + "</Notify>\n"
        ).encode()

    def alarm(self, method: int, kind: int, *, channel: str | None = None, event: int | None = None) -> bytes:
        """An alarm about itself or a channel; the numbers are those of A.2.5."""
        self._sn += 1
        param = "" if event is None else f"<AlarmTypeParam><EventType>{event}</EventType></AlarmTypeParam>"
        return self.message(
            (
                '<?xml version="1.0" encoding="GB2312"?>\r\n<Notify>\r\n<CmdType>Alarm</CmdType>\r\n'
                f"<SN>{self._sn}</SN>\r\n<DeviceID>{channel or self.device_id}</DeviceID>\r\n"
                f"<AlarmPriority>1</AlarmPriority>\r\n<AlarmMethod>{method}</AlarmMethod>\r\n"
                "<AlarmTime>2026-11-23T22:00:00</AlarmTime>\r\n<AlarmDescription>视频报警</AlarmDescription>\r\n"
                f"<Info><AlarmType>{kind}</AlarmType>{param}</Info>\r\n</Notify>\r\n"
            ).encode("gb18030")
        )

    def catalog(self, channels: Sequence[Channel], *, sn: int = 1, page: int = 1, notify: bool = False) -> list[bytes]:
        """Its channels, `page` of them in a message, as the answer to a query or as a notification of a change."""
        root = "Notify" if notify else "Response"
        return [
            self.message(
                (
                    f'<?xml version="1.0" encoding="GB2312"?>\n<{root}>\n<CmdType>Catalog</CmdType>\n<SN>{sn}</SN>\n'
                    f"<DeviceID>{self.device_id}</DeviceID>\n<SumNum>{len(channels)}</SumNum>\n"
                    f'<DeviceList Num="{len(part)}">\n{"".join(_item(each) for each in part)}</DeviceList>\n</{root}>\n'
                ).encode("gb18030"),
                method="NOTIFY" if notify else "MESSAGE",
            )
            for start in range(0, len(channels), page)
            for part in [channels[start : start + page]]
        ]

    def message(self, body: bytes, *, method: str = "MESSAGE", kind: str = "Application/MANSCDP+xml") -> bytes:
        """A request with a body."""
        uri = f"sip:{SERVER_ID}@{self._server[0]}:{self._server[1]}"
        return self._request(method, uri, to=f"<{uri}>", extra=[("Content-Type", kind)], body=body)

    # -- answers

    def take(self, data: bytes, channels: Sequence[Channel] = (), *, page: int = 1) -> list[bytes]:
        """What it sends upon a message of the server: its answer to a query, or to a challenge."""
        message, _ = read_message(data)
        if message.method:
            answers = [answer(message, 200, self._server, self._token())]
            if b"<CmdType>Catalog</CmdType>" in message.body:
                number = message.body.partition(b"<SN>")[2].partition(b"</SN>")[0]
                answers += self.catalog(channels, sn=int(number), page=page)
            return answers
        challenge = message.headers.get("www-authenticate")
        if message.uri == "401" and challenge is not None and self.password:
            return [self.register(challenge=challenge)]
        if message.uri == "403" and not message.headers["cseq"].endswith("REGISTER"):
            return [self.register()]
        return []

    # -- inside

    def _count(self) -> str:
        self._tokens += 1
        return f"{self.device_id[-6:]}{self._tokens:08d}"

    def _request(self, method: str, uri: str, *, to: str, extra: Sequence[tuple[str, str]], body: bytes = b"") -> bytes:
        self._sequence += 1
        host, port = self._address
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self._transport} {host}:{port};rport;branch=z9hG4bK{self._token()}",
            f"From: <sip:{self.device_id}@{host}:{port}>;tag={self._token()}",
            f"To: {to}",
            f"Call-ID: {self._token()}@{host}",
            f"CSeq: {self._sequence} {method}",
            "Max-Forwards: 70",
            "User-Agent: DH SIP UAS V1.0",
            *(f"{name}: {value}" for name, value in extra),
            f"Content-Length:   {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _item(channel: Channel) -> str:
    event = f"<Event>{channel.event}</Event>\n" if channel.event else ""
    return (
        f"<Item>\n<DeviceID>{channel.device_id}</DeviceID>\n{event}<Name>{channel.name}</Name>\n"
        f"<Manufacturer>Hikvision</Manufacturer>\n<Model>Camera</Model>\n<Parental>0</Parental>\n"
        f"<Status>{channel.status}</Status>\n</Item>\n"
    )
