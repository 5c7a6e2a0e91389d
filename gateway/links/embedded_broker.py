"""The broker of a first run: amqtt inside the gateway's process, made to withhold its acknowledgements.

As it comes, amqtt acknowledges a device's message before anyone has read it, forgets what a subscriber does not
acknowledge within five seconds, and drops what nobody has subscribed to yet. Here a device gets its acknowledgement
when the gateway, having committed, has given its own; so what a device was told is safe, is on disk.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.errors import AMQTTError, BrokerError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.pubcomp import PubcompPacket
from amqtt.mqtt.pubrec import PubrecPacket
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import INCOMING, OutgoingApplicationMessage

from gateway.errors import LinkError
from gateway.links.broker_address import LARGEST_PACKET

MOST_CONNECTIONS = 1000

MOST_UNSETTLED = 1000
"""Messages of one connection without acknowledgement beyond which it is not read from."""

MOST_UNSENT = 10_000
"""QoS 0 messages that subscribers have not taken, beyond which another is dropped, as QoS 0 allows."""

_CANCEL_AGAIN_S = 0.1

_MOST_TOLD = 50
_SHOWN = 64
"""Of how many refused log-ins the log says, and how much of their names."""

_log = logging.getLogger(__name__)


class EmbeddedBroker:
    """`async with EmbeddedBroker("127.0.0.1", 0, user, password) as broker:` listens on `broker.port` (MQTT 3.1.1).

    Sessions and queues are in memory: a new process knows none, but no device was told that what is lost was safe.

    Args:
        host: address to listen on.
        port: 0 for a free one.
        username: the one user, for the gateway and the devices; amqtt does not resume anonymous sessions.
        password: of that user.
        keeper: client id of the gateway's session; until that has subscribed, no message is handed on, and none acknowledged.
    """

    def __init__(self, host: str, port: int, username: str, password: str, keeper: str) -> None:
        self.host = host
        self.port = port
        self._keeper = keeper
        self._log_in = {"username": username, "password": password}
        self._broker: _Broker | None = None

    async def __aenter__(self) -> Self:
        """Raises:
        LinkError: the port is taken, or the address is not ours.
        """
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.WARNING)
        listener = {"type": "tcp", "bind": f"{self.host}:{self.port}", "max_connections": MOST_CONNECTIONS}
        plugins = {f"{__name__}.LogIn": self._log_in}
        broker = _Broker({"listeners": {"default": listener}, "plugins": plugins}, self._keeper)
        try:
            await broker.start()
        except BrokerError as error:
            name = f"mqtt://{self.host}:{self.port}"
            raise LinkError(
                name, f"the embedded broker cannot start: {error}", "is another broker running? set mqtt.port"
            ) from error
        self._broker = broker
        self.port = broker.port
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._broker is not None:
            await self._broker.shutdown()


class LogIn(BaseAuthPlugin):  # type: ignore[misc]
    """Lets the one user in. amqtt makes it from its dotted name."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._refused: set[tuple[str, str, str]] = set()

    @dataclass
    class Config:
        """What amqtt fills from the `plugins` of its configuration."""

        username: str
        password: str

    async def authenticate(self, *, session: Any) -> bool:
        """Whether user name and password are right, in constant time."""
        given = f"{session.username}\0{session.password}"
        right = f"{self.config.username}\0{self.config.password}"
        let_in = hmac.compare_digest(given.encode(), right.encode())
        if not let_in:
            self._tell(session)
        return let_in

    def _tell(self, session: Any) -> None:
        """Say who was refused, once each: whoever sets a device up looks for it here. Nothing of a password."""
        client, address, user = (
            str(each)[:_SHOWN] for each in (session.client_id, session.remote_address, session.username)
        )
        if (client, address, user) in self._refused or len(self._refused) >= _MOST_TOLD:
            return
        self._refused.add((client, address, user))
        right = self.config.username
        reason = "its password is another" if user == right else f"its user is {user!r}, expected {right!r}"
        _log.warning("embedded broker: %r at %s was refused: %s (told once)", client, address, reason)


class _Arrival:
    """A message from a device on its way to the subscribers, and the future that lets its acknowledgement go."""

    def __init__(self, qos: int) -> None:
        self.qos = qos
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.owed = 0  # persistent sessions that have not acknowledged it

    def owe(self) -> None:
        self.owed += 1

    def paid(self) -> None:
        self.owed -= 1
        self.settle()

    def settle(self) -> None:
        if self.owed <= 0 and not self.settled.done():
            self.settled.set_result(None)


_ARRIVING: ContextVar[_Arrival | None] = ContextVar("_ARRIVING", default=None)
"""The message that the current task hands to the subscribers."""


class _Broker(Broker):  # type: ignore[misc]
    """amqtt's broker with other rules of delivery."""

    def __init__(self, config: dict[str, Any], keeper: str) -> None:
        super().__init__(config)
        self._keeper = keeper
        self.arrivals: dict[int, _Arrival] = {}  # by the id() of amqtt's message
        self._awaited = asyncio.Event()  # the gateway has subscribed

    @property
    def port(self) -> int:
        port: int = self._servers["default"].instance.sockets[0].getsockname()[1]
        return port

    async def stream_connected(self, reader: Any, writer: Any, listener_name: str) -> None:
        """Amqtt's way in, with limits on what is read."""
        limited = _LimitedReader(reader)
        await self._client_connected(listener_name, limited, StreamWriterAdapter(writer))

    async def _initialize_client_session(self, reader: Any, *rest: Any) -> tuple[_Handler, Any]:
        handler, session = await super()._initialize_client_session(reader, *rest)
        handler.__class__ = _Handler  # amqtt makes its handlers itself
        handler.take_over(self, reader)
        return handler, session

    async def _handle_subscription(self, client_session: Any, *rest: Any) -> None:
        await super()._handle_subscription(client_session, *rest)
        if client_session.client_id == self._keeper:  # a device may have a session and subscribe, too
            self._awaited.set()

    async def _handle_message_delivery(self, client_session: Any, handler: Any, wait_deliver: Any) -> bool:
        arrival = self.arrivals.pop(id(wait_deliver.result()), None)
        reset = _ARRIVING.set(arrival)
        try:
            going_on: bool = await super()._handle_message_delivery(client_session, handler, wait_deliver)
        finally:
            _ARRIVING.reset(reset)
        if arrival:
            arrival.settle()  # if it was not handed on: amqtt does not allow its topic
        return going_on

    async def _broadcast_message(self, session: Any, topic: str, data: bytes, force_qos: int | None = None) -> None:
        arrival = _ARRIVING.get() or _Arrival(force_qos or 0)
        arrival.owe()  # until `_run_broadcast` knows who is to have it
        await self._broadcast_queue.put({"session": session, "topic": topic, "data": data, "arrival": arrival})

    async def _run_broadcast(self, _running_tasks: Any) -> None:
        await self._awaited.wait()  # before the gateway listens, nobody would have it
        broadcast = await self._broadcast_queue.get()
        arrival: _Arrival = broadcast["arrival"]
        targets: dict[str, tuple[Any, int]] = {}
        for pattern, subscriptions in self._subscriptions.items():
            if self._matches(broadcast["topic"], pattern):
                for session, qos in subscriptions:
                    granted = max(qos, targets.get(session.client_id, (session, 0))[1])
                    targets[session.client_id] = (session, granted)
        for session, granted in targets.values():
            self._forward(session, broadcast["topic"], broadcast["data"], min(granted, arrival.qos, 1), arrival)
        arrival.paid()

    def _forward(self, session: Any, topic: str, data: bytes, qos: int, arrival: _Arrival) -> None:
        """Send now what can be sent; keep for a persistent session what it must have."""
        handler = self._get_handler(session)
        connected = session.transitions.state == "connected" and handler is not None and handler.started
        if qos:
            try:
                packet_id = session.next_packet_id
            except AMQTTError:  # 65,535 wait already: the device keeps it, since it gets no acknowledgement
                arrival.owe()
                return
            message = OutgoingApplicationMessage(packet_id, topic, qos, data, False)
            if not session.clean_session:
                arrival.owe()
                self.arrivals[id(message)] = arrival
            if connected or not session.clean_session:
                session.inflight_out[packet_id] = message
            if connected:
                handler.spawn(handler.deliver(message))
        elif connected and handler.tasks < MOST_UNSENT:
            handler.spawn(handler.mqtt_publish(topic, data, 0, False))


class _Handler(BrokerProtocolHandler):  # type: ignore[misc]
    """Amqtt's side of one connection, with other rules of acknowledgement."""

    def take_over(self, broker: _Broker, reader: _LimitedReader) -> None:
        """What a constructor would do."""
        self._broker = broker
        self._limited = reader
        self._tasks: set[asyncio.Task[Any]] = set()
        self.started = False  # CONNACK is sent, and what waited before

    @property
    def tasks(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it beside everything else, until the connection ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_note)

    async def stop(self) -> None:
        """Amqtt's, which tells its reader once to end: in Python 3.11 `asyncio.wait_for` loses that if a packet comes in that moment."""
        for task in tuple(self._tasks):
            task.cancel()
        reader = self._reader_task
        while reader is not None and reader is not asyncio.current_task() and not reader.done():
            reader.cancel()
            await asyncio.wait((reader,), timeout=_CANCEL_AGAIN_S)
        await super().stop()

    async def deliver(self, message: Any) -> None:
        """Send a QoS 1 message and keep it until it is acknowledged, over as many connections as it takes."""
        packet = message.build_publish_packet(dup=message.publish_packet is not None)
        message.publish_packet = packet
        waiter = self._puback_waiters[message.packet_id] = asyncio.get_running_loop().create_future()
        await self._send_packet(packet)
        await waiter
        self._puback_waiters.pop(message.packet_id, None)
        self.session.inflight_out.pop(message.packet_id, None)
        if arrival := self._broker.arrivals.pop(id(message), None):
            arrival.paid()

    async def _retry_deliveries(self) -> None:
        self.started = True
        for message in tuple(self.session.inflight_out.values()):
            self.spawn(self.deliver(message))

    async def _handle_qos1_message_flow(self, app_message: Any) -> None:
        if app_message.direction != INCOMING:  # stored state for a new subscription
            self.session.inflight_out[app_message.packet_id] = app_message
            await self.deliver(app_message)
            return
        await self._settled(app_message)
        await self._send_packet(PubackPacket.build(app_message.packet_id))

    async def _handle_qos2_message_flow(self, app_message: Any) -> None:
        """The device may forget the message at our PUBREC, so that is what is withheld."""
        if app_message.direction != INCOMING:
            await super()._handle_qos2_message_flow(app_message)
            return
        known = self.session.inflight_in
        if app_message.packet_id not in known:
            await self._settled(app_message)
            known[app_message.packet_id] = app_message
        await self._send_packet(PubrecPacket.build(app_message.packet_id))

    async def handle_pubrel(self, pubrel: Any) -> None:
        """The device has forgotten the message; forget its packet id."""
        self.session.inflight_in.pop(pubrel.packet_id, None)
        await self._send_packet(PubcompPacket.build(pubrel.packet_id))

    async def _settled(self, app_message: Any) -> None:
        """Hand a device's message on, and wait until everyone who must have it has acknowledged it."""
        arrival = self._broker.arrivals[id(app_message)] = _Arrival(app_message.qos)
        self._limited.took()
        try:
            await self.session.delivered_message_queue.put(app_message)
            await arrival.settled
        finally:
            self._broker.arrivals.pop(id(app_message), None)
            self._limited.gave()


class _LimitedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Amqtt's reader, which refuses what is too large, and waits while too much is unsettled."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self._unsettled = 0
        self._room = asyncio.Event()
        self._room.set()

    def took(self) -> None:
        """One more message waits for its acknowledgement."""
        self._unsettled += 1
        if self._unsettled >= MOST_UNSETTLED:
            self._room.clear()

    def gave(self) -> None:
        """One less."""
        self._unsettled -= 1
        self._room.set()

    async def read(self, n: int = -1) -> bytes:
        """Read `n` bytes.

        Raises:
            ValueError: more than a packet may have; amqtt closes the connection.
        """
        if n > LARGEST_PACKET:
            _log.warning("embedded broker: a device sent %d bytes in one message, more than %d", n, LARGEST_PACKET)
            raise ValueError(f"{n} bytes")
        await self._room.wait()
        data: bytes = await super().read(n)
        return data


def _note(task: asyncio.Task[Any]) -> None:
    """A delivery that ended by itself with an error is said; its message is sent again in the next connection."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("embedded broker: a delivery ended: %r", error)
