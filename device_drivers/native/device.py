"""The device's side of the native protocol: a recorder that keeps its observations until the gateway has them safely."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime

import msgspec

from device_drivers.native.topics import acknowledgement, up
from device_drivers.observations import Observation, ReaderHeartbeat


class _Acknowledgement(msgspec.Struct, frozen=True):
    boot: str
    seq: int


class DeviceRecorder:
    """A device with a memory: numbers what it records, sends it, and forgets it only when it is acknowledged.

    Args:
        site: the site's id.
        device: its own id.
        boot: names this run of the device; another after each restart.
        room: how many observations it can hold; the oldest are overwritten, as in a real device.
    """

    def __init__(self, site: str, device: str, boot: str, *, room: int = 100_000) -> None:
        self.topic = up(site, device)
        self.acknowledgement_topic = acknowledgement(site, device)
        self._boot = boot
        self._seq = 0
        self._held: deque[tuple[str, int, bytes]] = deque(maxlen=room)

    def record(self, observation: Observation) -> bytes:
        """Number an observation and keep it; gives the payload to publish on `topic`.

        `device` is left out, the topic says it; `boot` and `seq` are filled in.
        """
        self._seq += 1
        numbered = msgspec.structs.replace(observation, device="", boot=self._boot, seq=self._seq)
        payload = msgspec.json.encode(numbered)
        self._held.append((self._boot, self._seq, payload))
        return payload

    def heartbeat(self, now: datetime, *, battery: float | None = None) -> bytes:
        """A heartbeat by the device's own clock: all records up to the last one exist. It is not itself a record."""
        return msgspec.json.encode(
            ReaderHeartbeat(at=now, boot=self._boot, last_seq=self._seq, device_now=now, battery=battery)
        )

    def acknowledge(self, payload: bytes) -> int:
        """Take what came on `acknowledgement_topic`; gives how many observations it could forget.

        Raises:
            msgspec.DecodeError: not an acknowledgement.
        """
        safe = msgspec.json.decode(payload, type=_Acknowledgement)
        before = len(self._held)
        kept = [item for item in self._held if item[0] != safe.boot or item[1] > safe.seq]
        self._held.clear()
        self._held.extend(kept)
        return before - len(kept)

    def held(self, at_most: int = 100) -> list[bytes]:
        """Payloads to send again after a reconnect, oldest first: arrays of at most `at_most` observations."""
        bodies = [body for _, _, body in self._held]
        return [_array(bodies[start : start + at_most]) for start in range(0, len(bodies), at_most)]

    def restart(self, boot: str) -> None:
        """The device restarts: it counts from 1 again under another `boot` and still holds what was not safe."""
        self._boot = boot
        self._seq = 0

    def __len__(self) -> int:
        return len(self._held)


def _array(bodies: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"
