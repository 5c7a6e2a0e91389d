"""Messages of Zigbee2MQTT about itself."""

from __future__ import annotations

from datetime import datetime

from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.observations import DeviceStatus
from device_drivers.zigbee2mqtt.values import read_object, read_online

_SILENT = frozenset(
    {
        "converters",
        "definitions",
        "devices",
        "event",
        "extensions",
        "groups",
        "info",
        "log",
        "logging",
        "request",
        "response",
    }
)
"""Topics on which it describes itself and answers: they say nothing of what a device sees."""


class BridgeDecoder:
    """Zigbee2MQTT itself: whether it is connected (its last will), and its regular health message."""

    def __init__(self, device: str, base: str) -> None:
        self._device = device
        self._base = f"{base}/"
        self._state = f"{base}/state"
        self._health = f"{base}/health"

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message; an empty one (the topic was cleared) says nothing, nor do lists, answers and the log.

        Raises:
            DecodeError: not a topic of the bridge, or not online or offline.
        """
        if topic == self._state:
            if not payload:
                return []
            online = read_online(payload, topic)
            if online and retained:  # the broker may have been down with it
                return []
            return [Reading(DeviceStatus(device=self._device, at=received, online=online, reason="bridge_state"))]
        if topic == self._health:
            read_object(payload)
            if retained:  # the broker's copy of the last one proves no life now
                return []
            return [Reading(DeviceStatus(device=self._device, at=received, online=True, reason="health"))]
        if topic.startswith(self._base) and topic[len(self._base) :].partition("/")[0] in _SILENT:
            return []
        raise DecodeError(f"topic {topic!r}: expected {self._state} or {self._health}")
