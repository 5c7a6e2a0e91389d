"""The MQTT 5 session: an asyncio protocol around the codec `mqtt5`, which is known to this file only.

bytes ─► frames ─► codec ─► one receiver.messages() a read      receiver.acknowledge() ─► one write of PUBACKs
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Sequence
from datetime import datetime

import mqtt5

from gateway.errors import LinkError
from gateway.links import broker_address
from gateway.links.broker_address import RECEIVE_MAXIMUM, SESSION_EXPIRY_S
from gateway.links.broker_session import BrokerSession
from gateway.links.link import Envelope, Token, Unreadable
from gateway.links.receipts import QOS_2, Receipts

KEPT_OF_TOO_LARGE = 64 * 1024
"""Bytes kept of a message larger than the limit, for the quarantine."""

LONGEST_BACKLOG = 1024 * 1024
"""Unsent bytes beyond which a QoS 0 message is dropped: the broker does not read."""

_tuple = tuple.__new__
"""Makes an Envelope without the detour through the named tuple's own constructor."""

_log = logging.getLogger(__name__)

_PUBLISH = 0x30
_PUBLISH_QOS_1 = 0x32  # not retained; the bit of a repeat (DUP) is masked out
_LEAST_PUBLISH = 4
_TOPICS_KEPT = 65_536  # readable topics of one connection; a flood of new ones is read the long way
_PUBACK = 0x40020000  # the four bytes of a PUBACK without reason; the packet id is added
_PUBREC = 0x50020000


class Mqtt5Session(BrokerSession):
    """An `MqttLink` that speaks MQTT 5 to an external broker."""

    async def connect(self) -> None:
        """See `KeptLink.connect`."""
        tls = broker_address.tls_context(self.settings)
        self.epoch += 1
        connection = self.connection = _Connection(self, self.epoch)
        try:
            async with asyncio.timeout(broker_address.CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, self.settings.host, self.settings.port, ssl=tls
                )
                await connection.connect()
            await connection.serve()
        except (OSError, UnicodeError) as error:
            raise broker_address.unreachable(self.settings, error) from error
        finally:
            self.connection = None
            connection.disconnect()


class _Connection(asyncio.Protocol):
    """One connection, from CONNECT to its end."""

    def __init__(self, session: Mqtt5Session, epoch: int) -> None:
        loop = asyncio.get_running_loop()
        self._session = session
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._accepted: asyncio.Future[mqtt5.ConnAckPacket] = loop.create_future()
        self._closed: asyncio.Future[LinkError] = loop.create_future()
        self._heard = loop.time()
        self._held = bytearray()  # an incomplete frame, or what came while paused
        self._needed = 0  # bytes `_held` must have before it is worth looking at
        self._skipping = 0  # bytes still to come of a frame that is too large
        self._receipts = Receipts(epoch)
        self._topics: dict[bytes, str] = {}
        self._last_id = 0
        self._published: dict[int, asyncio.Future[None]] = {}
        self._window = asyncio.Semaphore(0)  # the broker's receive maximum
        self._subscribing = False

    # --- the life of a connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if isinstance(exc, OSError):
            self._end(broker_address.unreachable(self._session.settings, exc))
        else:
            reason = f"reading failed: {exc!r}" if exc else "the broker closed the connection"
            self._end(LinkError(self._session.name, reason, "look at the broker's log"))

    async def connect(self) -> None:
        """Say CONNECT and wait for the answer.

        Raises:
            LinkError: refused.
        """
        settings = self._session.settings
        self._write(
            mqtt5.ConnectPacket(
                self._session.client_id,
                username=settings.username,
                password=settings.password.encode() if settings.password is not None else None,
                clean_start=not self._session.kept,
                keep_alive=self._session.keep_alive_s,
                session_expiry_interval=SESSION_EXPIRY_S if self._session.kept else 0,
                receive_max=RECEIVE_MAXIMUM,
            ).write()
        )
        await asyncio.wait((self._accepted, self._closed), return_when=asyncio.FIRST_COMPLETED)
        if self._closed.done():
            raise self._closed.result()

    async def serve(self) -> None:
        """Keep alive until the connection ends, and ask again for refused subscriptions.

        Raises:
            LinkError: why it ended.
        """
        keep_alive_s = self._accepted.result().server_keep_alive or self._session.keep_alive_s
        ask_again = self._loop.time() + self._session.REFUSED_RETRY_S
        while True:
            await asyncio.wait((self._closed,), timeout=keep_alive_s / 2)
            if self._closed.done():
                raise self._closed.result()
            now = self._loop.time()
            if self._session.paused:
                self._heard = now
            if now - self._heard > 1.5 * keep_alive_s:
                raise LinkError(self._session.name, "the broker has fallen silent", "check the network and the broker")
            self._write(mqtt5.PingReqPacket().write())
            if not self._session.state.up and not self._subscribing and now >= ask_again:
                ask_again = now + self._session.REFUSED_RETRY_S
                self._subscribe()

    def disconnect(self) -> None:
        """Say goodbye, if there is someone to hear it; the session stays."""
        self._write(mqtt5.DisconnectPacket().write())
        self._end(LinkError(self._session.name, "disconnected"))

    def _end(self, error: LinkError) -> None:
        if not self._closed.done():
            self._closed.set_result(error)
        if self._transport:
            self._transport.close()
        for waiting in self._published.values():
            if not waiting.done():
                waiting.set_exception(error)
        self._published.clear()
        self._window.release()  # whoever waits for the window finds the connection closed and passes it on

    # --- reading

    def pause(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        self._heard = self._loop.time()
        if self._held and len(self._held) >= self._needed:
            self._take_held()
        if self._transport and not self._transport.is_closing() and not self._session.paused:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._session.paused and self._accepted.done():
            self._held += data
        elif self._held:
            self._held += data
            if len(self._held) >= self._needed:
                self._take_held()
        else:
            used = self._take(data)
            self._held += data[used:]

    def _take_held(self) -> None:
        data = bytes(self._held)  # bytes are read a third faster than a view, which the copy costs once a read
        del self._held[: self._take(data)]

    def _take(self, data: bytes) -> int:
        """Read all complete frames, deliver their messages at once, and tell how many bytes were used.

        A message as nearly all are is read here without the codec: QoS 1, no properties, a topic that was read before.
        """
        received = self._session.clock()
        batch: list[Envelope | Unreadable] = []
        topics, arrived, epoch = self._topics, self._receipts.arrived_once, self._receipts.epoch
        size = len(data)
        at = min(self._skipping, size)
        self._skipping -= at
        self._needed = 0
        try:
            while size - at >= 2:
                length, start = data[at + 1], at + 2
                if length > 127:
                    if size - start and (second := data[start]) < 128:
                        length, start = length & 0x7F | second << 7, start + 1
                    else:
                        length, start = _variable_integer(data, at + 1)
                end = start + length
                if end > size or not start:
                    at = self._incomplete(data, at, end, received, batch)
                    break
                if data[at] & 0xF7 == _PUBLISH_QOS_1 and length > _LEAST_PUBLISH:
                    after = start + 2 + (data[start] << 8 | data[start + 1])
                    if after + 3 <= end and not data[after + 2]:
                        topic = topics.get(data[start + 2 : after])
                        packet_id = data[after] << 8 | data[after + 1]
                        if topic is not None and packet_id:
                            arrived(packet_id)
                            token = _tuple(Token, (epoch, packet_id))
                            batch.append(_tuple(Envelope, (topic, data[after + 3 : end], received, False, token)))
                            at = end
                            continue
                frame = memoryview(data)[at:end]
                at = end
                if frame[0] & 0xF0 == _PUBLISH:
                    batch.append(self._message(frame, len(frame) - length, received))
                    continue
                self._control(mqtt5.read(frame)[0])
                if self._session.paused and self._accepted.done():
                    break  # what came together with CONNACK waits for `resume`
        except ValueError as error:
            self._end(
                LinkError(
                    self._session.name,
                    f"the broker breaks the protocol: {error}",
                    "is it an MQTT broker, and does it want mqtt.tls?",
                )
            )
            at = size
        if batch:
            self._session.receiver.messages(self._session, batch)
        return at

    def _incomplete(
        self, data: bytes, at: int, end: int, received: datetime, batch: list[Envelope | Unreadable]
    ) -> int:
        """Wait for the rest of a frame; of one that is too large, quarantine the head and skip the rest."""
        total = end - at
        if total <= self._session.largest:
            self._needed = total
            return at
        if data[at] & 0xF0 != _PUBLISH:
            raise ValueError(f"a packet of type {data[at] >> 4} with {total} bytes")
        if len(data) - at < KEPT_OF_TOO_LARGE:
            self._needed = KEPT_OF_TOO_LARGE
            return at
        self._skipping = end - len(data)
        _, start = _variable_integer(data, at + 1)
        reason = f"{total} bytes, more than the limit of {self._session.largest}; only the beginning was kept"
        batch.append(self._unreadable(memoryview(data)[at : at + KEPT_OF_TOO_LARGE], start - at, received, reason))
        return len(data)

    def _message(self, frame: memoryview, start: int, received: datetime) -> Envelope | Unreadable:
        """The message of a PUBLISH whose variable header begins at `start`."""
        try:
            if _codec_can_read(frame, start):
                packet = mqtt5.read(frame)[0]
                assert isinstance(packet, mqtt5.PublishPacket)
                topic, payload, packet_id = packet.topic, packet.payload, packet.packet_id or 0
            else:
                raw, payload, packet_id = _take_apart(frame, start)
                topic = raw.decode()
        except UnicodeDecodeError:
            return self._unreadable(frame, start, received, "the topic is not UTF-8")
        except (ValueError, IndexError) as error:
            return self._unreadable(frame, start, received, f"a malformed PUBLISH: {error}")
        if "\0" in topic:  # not allowed by MQTT 5.0 §1.5.4
            return self._unreadable(frame, start, received, "the topic holds a null character")
        if len(self._topics) < _TOPICS_KEPT:
            self._topics[topic.encode()] = topic
        token = self._receipts.arrived(packet_id, frame[0] >> 1 & 3)
        return Envelope(topic, payload, received, bool(frame[0] & 1), token)

    def _unreadable(self, frame: memoryview, start: int, received: datetime, reason: str) -> Unreadable:
        try:
            topic, payload, packet_id = _take_apart(frame, start)
        except IndexError:  # no topic, no packet id: keep it all, there is nothing to acknowledge
            topic, payload, packet_id = b"", bytes(frame), 0
        return Unreadable(topic, payload, received, reason, self._receipts.arrived(packet_id, frame[0] >> 1 & 3))

    def _control(self, packet: mqtt5.Packet) -> None:
        match packet:
            case mqtt5.PubAckPacket():
                self._puback(packet)
            case mqtt5.PubRelPacket():
                self._write(mqtt5.PubCompPacket(packet.packet_id).write())
            case mqtt5.ConnAckPacket():
                self._connack(packet)
            case mqtt5.SubAckPacket():
                self._suback(packet)
            case mqtt5.DisconnectPacket():
                self._end(broker_address.refusal(self._session.name, packet.reason_code.name, packet.reason_str or ""))
            case mqtt5.PingRespPacket():
                pass
            case _:
                raise ValueError(f"an unexpected {type(packet).__name__}")

    def _connack(self, packet: mqtt5.ConnAckPacket) -> None:
        if packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            self._end(broker_address.refusal(self._session.name, packet.reason_code.name, packet.reason_str or ""))
            return
        if self._session.kept and (packet.session_expiry_interval or SESSION_EXPIRY_S) < SESSION_EXPIRY_S:
            _log.warning(
                "%s: the broker keeps our session only %d s: what is published in a longer absence is lost",
                self._session.name,
                packet.session_expiry_interval,
            )
        self._window = asyncio.Semaphore(packet.receive_max)
        self._accepted.set_result(packet)
        self._session.accepted(session_present=packet.session_present)
        self._subscribe()
        if self._session.paused:
            self.pause()

    # --- writing

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """See `Mqtt5Session.acknowledge`."""
        receipts = self._receipts.settle(tokens)
        if receipts:
            words = [_PUBREC + receipt - QOS_2 if receipt & QOS_2 else _PUBACK + receipt for receipt in receipts]
            self._write(struct.pack(f">{len(words)}I", *words))

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """See `Mqtt5Session.publish`."""
        if self._accepted.done():
            await self._window.acquire()
        if self._closed.done() or not self._accepted.done():
            self._window.release()
            raise LinkError(self._session.name, "not connected", "it is tried again until the broker is back")
        answer = self._accepted.result()
        retain = retain and answer.retain_available
        if not qos or not answer.max_qos:
            self._window.release()
            self._write(mqtt5.PublishPacket(topic, payload, retain=retain).write())
            return
        packet_id = self._next_id()
        done = self._published[packet_id] = self._loop.create_future()
        self._write(
            mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=packet_id, retain=retain).write()
        )
        await done

    def send(self, topic: str, payload: bytes) -> None:
        """See `Mqtt5Session.send`."""
        if self._accepted.done() and self._transport and self._transport.get_write_buffer_size() < LONGEST_BACKLOG:
            self._write(mqtt5.PublishPacket(topic, payload).write())

    def _puback(self, packet: mqtt5.PubAckPacket) -> None:
        done = self._published.pop(packet.packet_id, None)
        if done is None:
            return
        self._window.release()
        if done.done():  # who published has gone
            return
        if packet.reason_code.value >= 0x80:
            done.set_exception(
                broker_address.refusal(self._session.name, packet.reason_code.name, packet.reason_str or "")
            )
        else:
            done.set_result(None)

    def _subscribe(self) -> None:
        kept = self._session.kept
        stored = mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS if kept else mqtt5.RetainHandling.SEND_NEVER
        filters = [
            mqtt5.TopicFilter(
                pattern,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE if kept else mqtt5.QoS.AT_MOST_ONCE,
                retain_as_published=False,  # the flag shall mean "this is stored state", not "it will be stored"
                retain_handling=stored,
            )
            for pattern in self._session.filters
        ]
        if filters:
            self._subscribing = True
            self._write(mqtt5.SubscribePacket(self._next_id(), filters).write())
        else:
            self._session.standing.up()

    def _suback(self, packet: mqtt5.SubAckPacket) -> None:
        self._subscribing = False
        answers = list(zip(self._session.filters, packet.reason_codes, strict=False))
        refused = [(pattern, code) for pattern, code in answers if code.value >= 0x80]
        for pattern, code in answers:
            if code == mqtt5.SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE and self._session.kept:
                _log.warning("%s: the broker gives %s only at QoS 0, which may lose", self._session.name, pattern)
        if refused:
            pattern, code = refused[0]
            error = broker_address.refusal(self._session.name, code.name, packet.reason_str or "")
            self._session.standing.down(f"subscription to {pattern} refused: {error.reason}", error.hint)
        else:
            self._session.standing.up()

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._published:
                return self._last_id

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


def _variable_integer(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A variable byte integer (MQTT 5.0 §1.5.5) and where it ends; (0, 0) while it is incomplete.

    Raises:
        ValueError: longer than four bytes.
    """
    value = 0
    for place in range(4):
        if at + place >= len(data):
            return 0, 0
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a length of more than four bytes")


def _codec_can_read(frame: memoryview, start: int) -> bool:
    """Whether the codec may see this PUBLISH: on text that is not UTF-8 it does not raise, it panics."""
    topic_end = start + 2 + (frame[start] << 8 | frame[start + 1])
    topic = bytes(frame[start + 2 : topic_end])
    if not topic.isascii():
        topic.decode()
    properties = topic_end + (2 if frame[0] & 0x06 else 0)
    if not frame[properties]:
        return True
    length, begin = _variable_integer(frame, properties)
    return bytes(frame[begin : begin + length]).isascii()


def _take_apart(frame: memoryview, start: int) -> tuple[bytes, bytes, int]:
    """Topic, payload and packet id (0: none) of a PUBLISH, or of its beginning, without the codec.

    Raises:
        IndexError: it is too short for that.
    """
    at = start + 2 + (frame[start] << 8 | frame[start + 1])
    topic = bytes(frame[start + 2 : at])
    packet_id = 0
    if frame[0] & 0x06:
        packet_id = frame[at] << 8 | frame[at + 1]
        at += 2
    length, at = _variable_integer(frame, at)
    return topic, bytes(frame[at + length :]), packet_id
