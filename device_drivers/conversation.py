"""How a driver talks with devices that must be asked, or that call us: what to send and what an answer is, without I/O.

The links in `gateway/links/` do the sending and the waiting, one link a transport; a driver only says, step by step, what it
wants next. A round of asking is a generator: it yields steps and is sent the answers, so that a protocol reads from top to
bottom, and a test needs no port: `conversation.send(Answer(...))`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

from device_drivers.driver import Reading, Reject, StreamDecoder

# -- steps that every conversation knows


class Give(NamedTuple):
    """Hand over what was found; `safe`: go on only when it is on disk (before a record is cleared, say)."""

    found: Sequence[Reading | Reject]
    safe: bool = False


class Rest(NamedTuple):
    """Leave the line to others for a while."""

    seconds: float


# -- bytes on a line: a serial port, or a TCP connection


class Send(NamedTuple):
    """Write `data` (b"": only listen), then wait for an answer.

    Args:
        data: what is written.
        within_s: how long to wait for the whole answer.
        ends: given all bytes that came since, how many of them make up the answer; 0: more must come. Called again with
            each arrival; bytes behind the answer stay for the next step.
    """

    data: bytes
    within_s: float
    ends: Callable[[bytes], int]


class Answer(NamedTuple):
    """What came. `whole` is False when `within_s` passed first; `data` is then what had come until then."""

    data: bytes
    received: datetime
    whole: bool


LineConversation = Generator[Send | Give | Rest, Answer | None, None]


class LinePoller(Protocol):
    """Asks one device on a line; several devices may share it (RS-485), the link lets one talk at a time.

    Attributes:
        line: where it is: a device file (`/dev/ttyUSB0`) or a URL (`socket://host:port`, `rfc2217://…`). Devices with
            the same line share one link; the port's settings (`baud` …) are those of `Device.link`.
        every_s: from the beginning of a round to the beginning of the next.
        hangs_up: a TCP connection is closed after each round and opened for the next.
    """

    line: str
    every_s: float
    hangs_up: bool

    def round(self) -> LineConversation:
        """One round of asking. A device that gave no whole answer in a round is asked less and less often by the link
        (at least once a minute), so that a dead one does not slow the others on its line.
        """
        ...

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut: forget what belongs to the connection (set-up done, a tag that is present)."""
        ...


@runtime_checkable
class ProbePoller(LinePoller, Protocol):
    """A LinePoller whose line is the device itself (`hangs_up`), a camera's RTSP port say. That it cannot be connected is no line
    that is down, which would leave the device unknown; it is told as what it proves of the device, at each round.
    """

    def unreached(self, received: datetime, connected: bool) -> Sequence[Reading | Reject]:
        """There was no connection, or it broke. `connected`: the network answered all the same (as `Fetched.connected`)."""
        ...


# -- readers on a line whose control panel we are


class PanelReader(Protocol):
    """One reader that a control panel polls (OSDP); several share a line. The protocol is run by a library in the link, which
    tells what it heard; `secure` says whether the reader was in a secure channel then.

    Attributes:
        line: as in LinePoller; the port's settings are those of `Device.link`.
        address: its address on the line.
        key: its secure channel base key, 16 bytes; None: it has no secure channel. Never to be logged.
        install: it may still have the standard's default key, and is given `key`.
    """

    line: str
    address: int
    key: bytes | None
    install: bool

    def card(self, bits: int, data: bytes, received: datetime, *, secure: bool) -> Sequence[Reading | Reject]:
        """A card was read: `bits` bits, left-aligned in `data`."""
        ...

    def keys(self, keys: bytes, received: datetime, *, secure: bool) -> Sequence[Reading | Reject]:
        """Keys were pressed."""
        ...

    def online(self, received: datetime, *, secure: bool) -> Sequence[Reading | Reject]:
        """It answers, for the first time or again."""
        ...

    def alive(self, received: datetime) -> Sequence[Reading | Reject]:
        """It still answers. Told now and then."""
        ...

    def offline(self, received: datetime) -> Sequence[Reading | Reject]:
        """It does not answer, though the line is open."""
        ...

    def lost(self) -> None:
        """The line was cut: forget what belongs to the connection."""
        ...


# -- HTTP, we are the client


class Fetch(NamedTuple):
    """One request. `path` is joined to the poller's `base` unless it is a whole URL."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    within_s: float = 10.0


class Stream(NamedTuple):
    """A request whose answer does not end: its body goes to `decoder` as it comes, and what that finds is handed over.

    Args:
        idle_s: a stream silent for longer is given up.
    """

    method: str
    path: str
    decoder: StreamDecoder
    idle_s: float
    headers: Mapping[str, str] = {}


class Fetched(NamedTuple):
    """How a request ended.

    Args:
        status: HTTP status; 0 if there was none (refused, timed out, reset).
        body: at most 1 MiB; b"" of a stream.
        error: what went wrong on the way, "" if nothing did. A stream that was cut has its status and an error.
        connected: the network answered, whatever came of the request: a TCP connection stood, or the host refused it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    received: datetime
    error: str = ""
    connected: bool = True


WebConversation = Generator[Fetch | Stream | Give | Rest, Fetched | None, None]


class WebPoller(Protocol):
    """Asks one device over HTTP.

    Attributes:
        base: URL that paths are joined to.
        login: user and password for Digest (Basic only over https, or where `basic` says so), or None.
        basic: Basic over clear text is allowed.
        certificate: of https: "" must be signed by an authority that the system trusts; `any` is taken as it is (cameras
            sign their own); else its SHA-256 fingerprint in hexadecimal.
        every_s: from the beginning of a round to the next; a round that streams begins again when the stream ends.

    The link respects lock-outs: after a 401 with a login it waits 5 min before it logs in again, doubling to 1 h; the
    driver is told of each 401 as any answer (it proves that the service lives).
    """

    base: str
    login: tuple[str, str] | None
    basic: bool
    certificate: str
    every_s: float

    def round(self) -> WebConversation:
        """One round of asking."""
        ...


# -- devices that call us


class Served(NamedTuple):
    """What a call brought, and what to answer once that is on disk (acknowledged means on disk, here too)."""

    found: Sequence[Reading | Reject] = ()
    answers: Sequence[bytes] = ()


class Caller(Protocol):
    """One TCP connection of a device that called: bytes come cut and glued."""

    @property
    def unfinished(self) -> bool:
        """A message has begun and not ended: the link gives the rest of it only so long."""
        ...

    def feed(self, data: bytes, received: datetime) -> Sequence[Served]:
        """Take the next bytes. Never raises; buffers are bounded."""
        ...

    def lost(self, received: datetime) -> Sequence[Served]:
        """The connection was closed: give up what is unfinished. There is nobody left to answer."""
        ...


class CallServer(Protocol):
    """Serves all devices of one family that call us over UDP or TCP (SIP)."""

    def datagram(self, data: bytes, peer: tuple[str, int], received: datetime) -> Served:
        """Take one datagram; answers go to its source. Never raises."""
        ...

    def connection(self, peer: tuple[str, int]) -> Caller:
        """A TCP connection came in."""
        ...


class WebRequest(NamedTuple):
    """A request that a device made. `body` is at most 128 KiB; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: tuple[str, int]
    received: datetime


class WebServed(NamedTuple):
    """What a request brought, and the answer that is given once that is on disk."""

    status: int
    found: Sequence[Reading | Reject] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""


class WebServer(Protocol):
    """Serves all devices of one family that call us over HTTP."""

    def request(self, request: WebRequest) -> WebServed:
        """Take one request. Never raises."""
        ...


# -- files that people bring


class Hidden(NamedTuple):
    """A time in which a device may have recorded what could not be read."""

    device: str
    since: datetime
    until: datetime


class Sheet(NamedTuple):
    """What a file holds.

    Args:
        found: its records as observations of the device it is imported for, and each unreadable row as a Reject whose
            reason names sheet and row.
        preview: the first rows as read, for a person to look at before agreeing: column name to text.
        notes: how it was read, in sentences: encoding, date form, header row, what was passed over as repeated.
        hidden: when its unreadable rows were recorded: of those times no later file makes the record whole.
    """

    found: Sequence[Reading | Reject]
    preview: Sequence[Mapping[str, str]]
    notes: Sequence[str]
    hidden: Sequence[Hidden] = ()


class FileDecoder(Protocol):
    """Reads whole files."""

    def read(self, data: bytes, name: str, received: datetime) -> Sheet:
        """Read a file.

        Args:
            name: its name; only its ending may matter.
            received: when it is imported.

        Raises:
            DecodeError: it is no file of this kind at all.
        """
        ...
