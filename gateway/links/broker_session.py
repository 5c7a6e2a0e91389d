"""What both MQTT sessions are outside their connection: settings, state, and the way to whatever connection stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from gateway.errors import LinkError
from gateway.links import broker_address
from gateway.links.backoff import Backoff
from gateway.links.broker_address import KEEP_ALIVE_S
from gateway.links.link import Receiver, Token
from gateway.links.standing import Clock, KeptLink, utc_now
from gateway.site.model import Mqtt

COPIES = " (copies)"
"""After the name of a link whose session is not kept."""


class Connection(Protocol):
    """One connection to the broker, from CONNECT to its end."""

    def pause(self) -> None:
        """Stop reading from the socket."""
        ...

    def resume(self) -> None:
        """Deliver what was held and read on."""
        ...

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledge in receive order."""
        ...

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """See `BrokerSession.publish`."""
        ...

    def send(self, topic: str, payload: bytes) -> None:
        """See `BrokerSession.send`."""
        ...


class BrokerSession(KeptLink):
    """An `MqttLink`; a subclass connects, each time under a new `epoch`, and keeps `connection` while it stands.

    Args:
        settings: where the broker is, with user name, password and TLS.
        client_id: stable; the broker keeps the session under it.
        filters: topic filters to subscribe to at QoS 1.
        receiver: gets messages and changes of state.
        devices: ids of the devices that speak through this broker.
        had_session: an earlier run had a session; finding none now means it was lost.
        kept: the broker keeps the session. False: for copies of what a kept session brings as well: a clean start, QoS 0, no stored
            state; nothing is acknowledged, nothing can be lost, and the gateway's work does not rest on it.
        clock: the wall clock, for `received`.
        backoff: waits between attempts to connect.
        keep_alive_s: MQTT keep alive; a broker of MQTT 5 may ask for another.
        largest: bytes of a packet beyond which it is quarantined in part; MQTT 3.1.1 knows only the broker's own limit.
    """

    REFUSED_RETRY_S: ClassVar[float] = 60.0
    """A refused subscription is asked for again after this long: the broker's ACL may have been mended."""

    def __init__(
        self,
        settings: Mqtt,
        *,
        client_id: str,
        filters: Sequence[str],
        receiver: Receiver,
        devices: Sequence[str] = (),
        had_session: bool = False,
        kept: bool = True,
        clock: Clock = utc_now,
        backoff: Backoff | None = None,
        keep_alive_s: int = KEEP_ALIVE_S,
        largest: int = broker_address.LARGEST_PACKET,
    ) -> None:
        name = broker_address.address(settings) + ("" if kept else COPIES)
        super().__init__(name, receiver, devices, clock=clock, backoff=backoff or Backoff(), counts=kept)
        self.settings = settings
        self.client_id = client_id
        self.filters = tuple(filters)
        self.keep_alive_s = keep_alive_s
        self.largest = largest
        self.kept = kept
        self.paused = False
        self.epoch = 0
        """Number of the connection."""
        self.connection: Connection | None = None
        self._had_session = had_session

    def pause(self) -> None:
        """Deliver nothing more until `resume`; what is held meanwhile is bounded (README.md)."""
        self.paused = True
        if self.connection:
            self.connection.pause()

    def resume(self) -> None:
        """Deliver what was held and read on."""
        self.paused = False
        if self.connection:
            self.connection.resume()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledge at once, in receive order; tokens of an earlier connection are dropped."""
        if self.connection:
            self.connection.acknowledge(tokens)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish; returns once sent (QoS 0) or acknowledged (QoS 1).

        Raises:
            LinkError: not connected, refused by the broker, or the connection broke before the acknowledgement.
        """
        if not self.connection:
            raise LinkError(self.name, self.state.reason, self.state.hint)
        await self.connection.publish(topic, payload, qos=qos, retain=retain)

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, at once; dropped when not connected or when the broker does not read."""
        if self.connection:
            self.connection.send(topic, payload)

    def accepted(self, *, session_present: bool) -> None:
        """The connection tells that the broker took it; called before any message is delivered."""
        if session_present:
            self.standing.up()
        elif self._had_session and self.kept:
            self.receiver.session_lost(self, "the broker had no session of this client id any more")
        self._had_session = True
