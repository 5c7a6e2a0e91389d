"""The state of a host application: `spBv1.0/STATE/HOST`, retained JSON (Sparkplug 3.0, 6.4.28)."""

from __future__ import annotations

from datetime import datetime

from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.json_values import read_object, shown
from device_drivers.observations import DeviceStatus


class HostDecoder:
    """One host application.

    Args:
        device: its id.
        topic: where its state stands.
    """

    def __init__(self, device: str, topic: str) -> None:
        self._device = device
        self._topic = topic
        self._latest = 0

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. `at` is `received`; a retained `online` proves no life now.

        A will that is told late, of a life before the present one, says nothing: its timestamp is older.

        Raises:
            DecodeError: another topic, or not a state with its timestamp.
        """
        if topic != self._topic:
            raise DecodeError(f"topic {topic!r}: expected {self._topic}")
        if not payload:
            return []
        state = read_object(payload)
        online, timestamp = state.get("online"), state.get("timestamp")
        if type(online) is not bool:
            raise DecodeError(f"online: {shown(online)}, expected true or false")
        if type(timestamp) is not int or timestamp < 0:
            raise DecodeError(f"timestamp: {shown(timestamp)}, expected milliseconds")
        if timestamp < self._latest:
            return []
        self._latest = timestamp
        if online and retained:
            return []
        reason = None if online else "host_state"
        return [Reading(DeviceStatus(device=self._device, at=received, online=online, reason=reason))]
