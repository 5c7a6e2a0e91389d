"""One question to all devices of the network, by UDP, and what comes back within some seconds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

MOST_ANSWERS = 4096
"""Answers of one question that are kept; a network that sends more is not asking to be listed."""

_TTL = 2
_REPEAT_S = 0.5
"""The question is sent twice: UDP loses (WS-Discovery, 2.4, wants it repeated)."""


class _Answers(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        if len(self.heard) < MOST_ANSWERS:
            self.heard.append((data, (peer[0], peer[1])))

    def error_received(self, exc: Exception) -> None:
        """A host that refuses says so by ICMP; others may still answer."""


async def ask_network(
    question: bytes, targets: Sequence[tuple[str, int]], seconds: float, *, interface: str = ""
) -> list[tuple[bytes, tuple[str, int]]]:
    """Send `question` to each target, a multicast group or one address, and collect what is answered.

    Args:
        seconds: how long answers are waited for.
        interface: our address on the network that is asked; "" leaves it to the system.

    Raises:
        OSError: nothing could be sent.
    """
    answers = _Answers()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.bind((interface, 0))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _TTL)
        if interface:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: answers, sock=asking)
        try:
            for wait_s in (min(_REPEAT_S, seconds / 2), seconds - min(_REPEAT_S, seconds / 2)):
                for target in targets:
                    transport.sendto(question, target)
                await asyncio.sleep(wait_s)
        finally:
            transport.close()
    return answers.heard
