"""What a link gives the gateway and takes from it: bytes in, acknowledgements back. It does not know what bytes mean."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from device_drivers.driver import Reading, Reject


class Token(NamedTuple):
    """What is needed to acknowledge one message. `epoch` counts the connections of the session; an acknowledgement never
    crosses a reconnect. `packet_id` 0: QoS 0, nothing to acknowledge.
    """

    epoch: int
    packet_id: int


class Envelope(NamedTuple):
    """One message as it arrived. `received` is the gateway's aware time in UTC, one for all messages of a read."""

    topic: str
    payload: bytes
    received: datetime
    retained: bool
    token: Token


class Unreadable(NamedTuple):
    """A message that even the link could not read (topic not UTF-8, too long): quarantined, then acknowledged."""

    topic: bytes
    payload: bytes
    received: datetime
    reason: str
    token: Token


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    """How a link is now, for /readyz, the console and the log.

    `counts`: while it is down the gateway does not do its work. Not so a link to one device that is itself watched: that this
    camera is off is what the rules are there to tell.
    """

    name: str
    up: bool
    since: datetime
    reason: str = ""
    hint: str = ""
    counts: bool = True


class Receiver(Protocol):
    """The gateway's side of all links. Every method is called in the event loop and returns at once."""

    def messages(self, link: Link, envelopes: Sequence[Envelope | Unreadable]) -> None:
        """Messages arrived, in order. When the receiver has had enough it calls `link.pause()`."""
        ...

    def chunk(self, link: Link, device: str, data: bytes, received: datetime) -> None:
        """Bytes of a device's stream arrived; none (b""): the line has been silent for longer than a second since the latest."""
        ...

    def found(self, link: Link, source: str, readings: Sequence[Reading | Reject], received: datetime) -> None:
        """What a driver made of its conversation with devices; `source` names what rejected bytes came from."""
        ...

    def safe(self) -> Awaitable[None]:
        """Done when all that was handed over so far is on disk. Raises JournalError if it never will be."""
        ...

    def link_changed(self, link: Link, state: LinkState, devices: Sequence[str]) -> None:
        """The link came up or went down; `devices` are those that speak through it (serial: the one device)."""
        ...

    def session_lost(self, link: Link, reason: str) -> None:
        """The broker had forgotten the session: what was published meanwhile is lost there. Recorded as an incident."""
        ...


class Link(Protocol):
    """A connection that is kept up until cancelled."""

    name: str

    async def run(self) -> None:
        """Connect, read, reconnect with jittered back-off, until cancelled. Never ends by itself."""
        ...

    def pause(self) -> None:
        """Stop reading from the socket or port."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledge in this order, in one write; tokens of an earlier epoch are dropped."""
        ...

    @property
    def state(self) -> LinkState: ...


class MqttLink(Link, Protocol):
    """An MQTT session: persistent, QoS 1, stable client id."""

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish; returns once sent (QoS 0) or acknowledged (QoS 1).

        Raises:
            LinkError: not connected, or the connection broke before the acknowledgement.
        """
        ...

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, at once, dropping it when not connected: for acknowledgements to native devices."""
        ...
