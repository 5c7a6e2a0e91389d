"""Events of one device behind ChirpStack 4, in its JSON encoding."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.json_values import iso_time, read_object, shown
from device_drivers.milesight.decoder import read_base64
from device_drivers.observations import DeviceStatus, Measurement
from device_drivers.uplink import Uplink

_SILENT = frozenset({"ack", "txack", "log", "location", "integration"})
"""Events that say nothing of what the device sees."""


class ChirpstackDecoder:
    """One device.

    Args:
        device: its id.
        base: its topic, `application/ID/device/EUI`.
        uplink: reads its payloads.
    """

    def __init__(self, device: str, base: str, uplink: Uplink) -> None:
        self._device = device
        self._prefix = f"{base}/event/"
        self._eui = base.rpartition("/")[2].lower()
        self._uplink = uplink

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one event. `at` is the server's time of the uplink, if it can be trusted.

        Raises:
            DecodeError: not a topic of this device, not JSON of the event's shape, another device's event, a payload that
                cannot be read, or a retained event without a time.
        """
        event = topic.removeprefix(self._prefix)
        if event == topic or not (event in ("up", "status", "join") or event in _SILENT):
            raise DecodeError(f"topic {topic!r}: expected {self._prefix}up, status, join, ack, txack, log or location")
        message = read_object(payload)
        if "devEUI" in message:
            raise DecodeError("an event of ChirpStack 3 (`devEUI`): its server says another thing by the same topic")
        self._check_device(message.get("deviceInfo"))
        time = iso_time(message.get("time"), received)
        at = received if time is None else time
        if event in _SILENT:
            return []
        if retained and time is None:
            raise DecodeError("a retained event without a time: of what age it is nobody knows")
        match event:
            case "up":
                return self._up(message, at, received, retained=retained)
            case "status":
                return self._status(message, at)
            case _:
                status = DeviceStatus(device=self._device, at=at, online=True, reason="join")
                return [] if retained else [Reading(status)]

    def _up(self, message: dict[str, Any], at: datetime, received: datetime, *, retained: bool) -> list[Reading]:
        """An uplink. What is absent has its default (proto-JSON): no `data` is an empty payload, no `fPort` is 0."""
        for key in ("fPort", "fCnt"):
            _count(message, key)
        data = read_base64(message.get("data", ""), "data")
        readings = self._uplink.read(data, message.get("object"), at, received, retained=retained)
        return readings + self._uplink.signal(message.get("rxInfo"), at)

    def _status(self, message: dict[str, Any], at: datetime) -> list[Reading]:
        margin = message.get("margin", 0)
        battery = message.get("batteryLevel", 0)
        for key, value in (("margin", margin), ("batteryLevel", battery)):
            if type(value) not in (int, float) or not -200 <= value <= 200:
                raise DecodeError(f"{key}: {shown(value)}, expected a number")
        found = [Measurement(device=self._device, at=at, quantity="link_margin", value=float(margin), unit="dB")]
        if message.get("externalPowerSource") is not True and message.get("batteryLevelUnavailable") is not True:
            found.append(Measurement(device=self._device, at=at, quantity="battery", value=float(battery), unit="%"))
        return [Reading(observation) for observation in found]

    def _check_device(self, info: Any) -> None:
        if info is None:
            return
        eui = info.get("devEui") if type(info) is dict else info
        if type(eui) is not str or eui.lower() != self._eui:
            raise DecodeError(f"devEui {shown(eui)}: expected that of the topic, {self._eui}")


def _count(message: dict[str, Any], key: str) -> None:
    value = message.get(key, 0)
    if type(value) is not int or not 0 <= value < 1 << 32:
        raise DecodeError(f"{key}: {shown(value)}, expected a count")
