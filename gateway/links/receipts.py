"""Which messages of one connection still wait for their acknowledgement, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from gateway.links.link import Token

QOS_2 = 0x10000
"""Set in a receipt whose message came at QoS 2; the lower 16 bits are the packet id."""


class Receipts:
    """The receipts of one connection. They leave in receive order only (MQTT 5.0 §4.6), each once.

    Args:
        epoch: number of the connection; tokens of another one are not ours.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._waiting: deque[int] = deque()
        self.arrived_once: Callable[[int], None] = self._waiting.append
        """Notes the packet id of a message at QoS 1, whose token the caller makes: called for nearly every message."""
        self._early: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def arrived(self, packet_id: int, qos: int) -> Token:
        """Note a message and give the token for it; QoS 0 needs no receipt."""
        if packet_id:
            self._waiting.append(packet_id | QOS_2 if qos == 2 else packet_id)
        return Token(self.epoch, packet_id)

    def settle(self, tokens: Sequence[Token]) -> list[int]:
        """The receipts that may be sent now. One that is settled before its turn is kept until those before it are."""
        waiting = self._waiting
        ready = []
        for epoch, packet_id in tokens:
            if epoch != self.epoch or not packet_id:
                continue
            if waiting and waiting[0] & 0xFFFF == packet_id:
                ready.append(waiting.popleft())
            elif any(receipt & 0xFFFF == packet_id for receipt in waiting):
                self._early.add(packet_id)
        while self._early and waiting and waiting[0] & 0xFFFF in self._early:
            self._early.remove(waiting[0] & 0xFFFF)
            ready.append(waiting.popleft())
        return ready
