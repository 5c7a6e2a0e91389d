"""The MQTT 3.1.1 session: paho-mqtt with manual acknowledgement, driven by asyncio through its external-loop hooks.

For the embedded broker and for brokers without MQTT 5. A client of paho lives for one connection, so that nothing of an
old connection (packet ids, unsent packets) can leak into the next.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import LinkError
from gateway.links import broker_address
from gateway.links.broker_address import RECEIVE_MAXIMUM
from gateway.links.broker_session import BrokerSession
from gateway.links.link import Envelope, Token, Unreadable
from gateway.links.receipts import QOS_2, Receipts

PACKETS_A_READ = 1000
"""Packets taken from the socket before the event loop gets its turn: what is delivered at once."""

LONGEST_BACKLOG = 1000
"""Unsent QoS 0 messages beyond which another is dropped: the broker does not read."""


class PahoSession(BrokerSession):
    """An `MqttLink` that speaks MQTT 3.1.1."""

    async def connect(self) -> None:
        """See `KeptLink.connect`."""
        self.epoch += 1
        connection = self.connection = _Connection(self, self.epoch, broker_address.tls_context(self.settings))
        try:
            async with asyncio.timeout(broker_address.CONNECT_TIMEOUT_S):
                await connection.connect()
            await connection.serve()
        except (OSError, UnicodeError) as error:
            raise broker_address.unreachable(self.settings, error) from error
        finally:
            self.connection = None
            connection.disconnect()


class _Connection:
    """One connection, from CONNECT to its end."""

    def __init__(self, session: PahoSession, epoch: int, tls: ssl.SSLContext | None) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[LinkError] = self._loop.create_future()
        self._receipts = Receipts(epoch)
        self._batch: list[Envelope | Unreadable] = []
        self._packets = 0  # packets that paho told of
        self._published: dict[int, asyncio.Future[None]] = {}
        self._unsent: set[int] = set()  # packet ids of QoS 0 messages that wait for the socket
        self._subscribing = False
        self._descriptor = -1  # of the socket, while it is in our care
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=session.client_id,
            clean_session=not session.kept,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.max_inflight_messages_set(RECEIVE_MAXIMUM)
        client.connect_timeout = broker_address.CONNECT_TIMEOUT_S
        client.username_pw_set(session.settings.username, session.settings.password)
        if tls:
            client.tls_set_context(tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe

    # --- the life of a connection

    async def connect(self) -> None:
        """Connect and wait for CONNACK. Name, TCP and TLS are waited for in a thread: paho does them blocking.

        Raises:
            LinkError: refused.
            OSError: not reached.
        """
        settings = self._session.settings
        await asyncio.to_thread(self._client.connect, settings.host, settings.port, self._session.keep_alive_s)
        socket = self._client.socket()
        assert socket is not None
        self._descriptor = socket.fileno()
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_socket_unregister_write = self._on_unregister_write
        if self._client.want_write():
            self._loop.add_writer(self._descriptor, self._client.loop_write)
        self.watch()
        await asyncio.wait((self._accepted, self._closed), return_when=asyncio.FIRST_COMPLETED)
        if self._closed.done():
            raise self._closed.result()

    async def serve(self) -> None:
        """Keep alive until the connection ends, and ask again for refused subscriptions.

        While reading is paused the broker's answers to a ping cannot be read, so none is asked for: a pause longer than
        one and a half times the keep alive may cost the connection, after which everything unacknowledged comes again.

        Raises:
            LinkError: why it ended.
        """
        ask_again = self._loop.time() + self._session.REFUSED_RETRY_S
        while True:
            await asyncio.wait((self._closed,), timeout=self._session.keep_alive_s / 4)
            if self._closed.done():
                raise self._closed.result()
            if not self._session.paused:
                self._client.loop_misc()
            if not self._session.state.up and not self._subscribing and self._loop.time() >= ask_again:
                ask_again = self._loop.time() + self._session.REFUSED_RETRY_S
                self._subscribe()

    def disconnect(self) -> None:
        """Say goodbye, if there is someone to hear it; the session stays."""
        self._end(LinkError(self._session.name, "disconnected"))
        if self._client.socket() is not None:
            self._client.disconnect()
            self._client.loop_write()
        if (socket := self._client.socket()) is not None:
            self._on_socket_close()
            socket.close()

    def _end(self, error: LinkError) -> None:
        if not self._closed.done():
            self._closed.set_result(error)
        for waiting in self._published.values():
            if not waiting.done():
                waiting.set_exception(error)
        self._published.clear()

    def _on_connect(self, _client: Any, _userdata: Any, flags: paho.ConnectFlags, reason: ReasonCode, _: Any) -> None:
        self._packets += 1
        if reason.is_failure:
            self._end(_refusal(self._session.name, reason))
            return
        self._accepted.set_result(None)
        self._session.accepted(session_present=flags.session_present)
        self._subscribe()

    def _on_disconnect(self, _client: Any, _userdata: Any, _flags: Any, reason: ReasonCode, _: Any) -> None:
        silent = reason.getName() == "Keep alive timeout"
        why = "the broker has fallen silent" if silent else "the broker closed the connection"
        self._end(LinkError(self._session.name, why, "look at the network" if silent else "look at the broker's log"))

    # --- the socket

    def pause(self) -> None:
        """See `BrokerSession.pause`."""
        self.watch()

    def resume(self) -> None:
        """See `BrokerSession.resume`."""
        self.watch()

    def watch(self) -> None:
        """Read from the socket, or do not while paused (but for the answer to CONNECT)."""
        if self._descriptor < 0:
            return
        if self._session.paused and self._accepted.done():
            self._loop.remove_reader(self._descriptor)
        else:
            self._loop.add_reader(self._descriptor, self._on_readable)
            self._loop.call_soon(self._read_rest)

    def _on_readable(self) -> None:
        """Read until the socket is empty, enough was read, or the receiver has had enough; deliver at once."""
        for _ in range(PACKETS_A_READ):
            if self._session.paused and self._accepted.done():
                break
            before = self._packets
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or self._packets == before:
                break
        batch, self._batch = self._batch, []
        if batch:
            self._session.receiver.messages(self._session, batch)
        if self._session.paused:
            self.watch()
        else:
            self._read_rest()

    def _read_rest(self) -> None:
        """TLS may have decrypted more than was read, of which the socket says nothing."""
        socket = self._client.socket()
        if isinstance(socket, ssl.SSLSocket) and socket.pending() and not self._session.paused:
            self._loop.call_soon(self._on_readable)

    def _on_socket_close(self, *_: Any) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)

    def _on_register_write(self, *_: Any) -> None:
        if self._descriptor >= 0:
            self._loop.add_writer(self._descriptor, self._client.loop_write)

    def _on_unregister_write(self, *_: Any) -> None:
        if self._descriptor >= 0:
            self._loop.remove_writer(self._descriptor)

    # --- messages

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._packets += 1
        token = self._receipts.arrived(message.mid, message.qos)
        received = self._batch[0].received if self._batch else self._session.clock()
        payload = bytes(message.payload)
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            self._batch.append(Unreadable(error.object, payload, received, "the topic is not UTF-8", token))
            return
        if "\0" in topic:  # not allowed by MQTT 3.1.1 §1.5.3
            reason = "the topic holds a null character"
            self._batch.append(Unreadable(topic.encode(), payload, received, reason, token))
        else:
            self._batch.append(Envelope(topic, payload, received, bool(message.retain), token))

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """See `PahoSession.acknowledge`."""
        receipts = self._receipts.settle(tokens)
        for receipt in receipts:
            self._client.ack(receipt & 0xFFFF, 2 if receipt & QOS_2 else 1)
        if receipts:
            self._client.loop_write()

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """See `PahoSession.publish`."""
        if self._closed.done() or not self._accepted.done():
            raise LinkError(self._session.name, "not connected", "it is tried again until the broker is back")
        sent = self._client.publish(topic, payload, min(qos, 1), retain)
        if qos:
            done = self._published[sent.mid] = self._loop.create_future()
            await done

    def send(self, topic: str, payload: bytes) -> None:
        """See `PahoSession.send`."""
        if self._accepted.done() and not self._closed.done() and len(self._unsent) < LONGEST_BACKLOG:
            self._unsent.add(self._client.publish(topic, payload, 0).mid)

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, _reason: ReasonCode, _: Any) -> None:
        self._packets += 1
        self._unsent.discard(mid)
        done = self._published.pop(mid, None)
        if done and not done.done():
            done.set_result(None)

    def _subscribe(self) -> None:
        if self._session.filters:
            self._subscribing = True
            self._client.subscribe([(pattern, int(self._session.kept)) for pattern in self._session.filters])
        else:
            self._session.standing.up()

    def _on_subscribe(self, _client: Any, _userdata: Any, _mid: int, reasons: list[ReasonCode], _: Any) -> None:
        self._packets += 1
        self._subscribing = False
        refused = [
            pattern for pattern, reason in zip(self._session.filters, reasons, strict=False) if reason.is_failure
        ]
        if refused:
            error = broker_address.refusal(self._session.name, "NOT_AUTHORIZED")
            self._session.standing.down(f"subscription to {refused[0]} refused: {error.reason}", error.hint)
        else:
            self._session.standing.up()


def _refusal(link: str, reason: ReasonCode) -> LinkError:
    name = reason.getName().upper().replace(" ", "_").replace("CLIENT_IDENTIFIER", "CLIENT_ID")
    return broker_address.refusal(link, name)
