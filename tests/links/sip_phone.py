"""A scripted device on a real socket: it speaks GB/T 28181 with its own side's bytes, over UDP or TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from device_drivers.gb28181.device import Channel, Device
from device_drivers.gb28181.sip import Message, SipStream, read_message

WAIT_S = 10.0


class Phone:
    """One device. `heard` are the server's messages; queries and challenges are answered by themselves unless `mute`."""

    def __init__(self, device: Device, channels: Sequence[Channel] = (), *, page: int = 1) -> None:
        self.device = device
        self.channels = channels
        self.page = page
        self.mute = False
        self.heard: list[Message] = []
        self._told = asyncio.Event()
        self._transport: Any = None
        self._stream: SipStream | None = None

    async def connect(self, port: int, *, tcp: bool = False) -> Phone:
        loop = asyncio.get_running_loop()
        if tcp:
            self._stream = SipStream()
            self._transport, _ = await loop.create_connection(lambda: _Tcp(self), "127.0.0.1", port)
        else:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Udp(self), remote_addr=("127.0.0.1", port)
            )
        return self

    def close(self) -> None:
        self._transport.close()

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        if self._stream is None:
            self._transport.sendto(data)
        else:
            self._transport.write(data)

    async def register(self, expires: int = 3600) -> Message:
        """Register (0: unregister), through the challenge if there is one; gives the last answer."""
        return await self._ask(self.device.register(expires=expires), expires)

    async def ask(self, data: bytes) -> Message:
        """Send a request; gives the response to it."""
        return await self._ask(data, 3600)

    async def _ask(self, data: bytes, expires: int) -> Message:
        sent = read_message(data)[0]
        self.send(data)
        answer = await self.response(sent.headers["call-id"])
        challenge = answer.headers.get("www-authenticate")
        if answer.uri == "401" and challenge and self.device.password:
            data = self.device.register(expires=expires, challenge=challenge)
            self.send(data)
            answer = await self.response(read_message(data)[0].headers["call-id"])
        return answer

    async def response(self, call_id: str, count: int = 1) -> Message:
        """The `count`th response to a call."""

        def found() -> list[Message]:
            return [each for each in self.heard if not each.method and each.headers["call-id"] == call_id]

        await self.until(lambda: len(found()) >= count)
        return found()[count - 1]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._told.clear()
                await self._told.wait()

    def took(self, data: bytes) -> None:
        messages = [read_message(data)[0]] if self._stream is None else self._stream.feed(data)
        for message in messages:
            assert isinstance(message, Message)
            self.heard.append(message)
            if message.method and not self.mute:
                for answer in self.device.take(raw(message), self.channels, page=self.page):
                    self.send(answer)
        self._told.set()


def raw(message: Message) -> bytes:
    """A request of the server as bytes again, as far as the device looks at it."""
    lines = [f"{message.method} {message.uri} SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in message.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + message.body


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.phone.took(data)


class _Tcp(asyncio.Protocol):
    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def data_received(self, data: bytes) -> None:
        self.phone.took(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.phone._told.set()
