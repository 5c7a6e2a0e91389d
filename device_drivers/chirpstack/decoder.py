"""Events of one device behind ChirpStack 4, in its JSON encoding."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import count, iso_time, number, read_object, shown
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
        """Decode one event. `at` is the server's time of the uplink, if it can be trusted. What is null has its default, as what
        is absent has (proto-JSON).

        Raises:
            DecodeError: not a topic of this device, not JSON of the event's shape, another device's event, a payload that
                cannot be read, or a retained event without a time.
        """
        event = topic.removeprefix(self._prefix)
        if event == topic or not (event in ("up", "status", "join") or event in _SILENT):
            raise DecodeError(f"topic {topic!r}: expected {self._prefix}up, status, join, ack, txack, log or location")
        message = {key: value for key, value in read_object(payload).items() if value is not None}
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
                unread: list[str] = []
                readings = self._up(message, at, received, unread, retained=retained)
                return beside_unread(readings, payload, unread)
            case "status":
                return self._status(message, at)
            case _:
                status = DeviceStatus(device=self._device, at=at, online=True, reason="join")
                return [] if retained else [Reading(status)]

    def _up(
        self, message: dict[str, Any], at: datetime, received: datetime, unread: list[str], *, retained: bool
    ) -> list[Reading]:
        """An uplink. What is absent has its default (proto-JSON): no `data` is an empty payload, no `fPort` is 0."""
        for key in ("fPort", "fCnt"):
            count(message.get(key, 0), key)
        data = read_base64(message.get("data", ""), "data")
        decoded = message.get("object")
        readings = self._uplink.read(data, decoded, at, received, unread=unread, retained=retained)
        return readings + self._uplink.signal(message.get("rxInfo"), at)

    def _status(self, message: dict[str, Any], at: datetime) -> list[Reading]:
        margin, battery = (_level(message.get(key, 0), key) for key in ("margin", "batteryLevel"))
        if message.get("externalPowerSource") is True or message.get("batteryLevelUnavailable") is True:
            battery = None
        return [
            Reading(Measurement(device=self._device, at=at, quantity=quantity, value=value, unit=unit))
            for quantity, value, unit in (("link_margin", margin, "dB"), ("battery", battery, "%"))
            if value is not None
        ]

    def _check_device(self, info: Any) -> None:
        if info is None:
            return
        eui = info.get("devEui") if type(info) is dict else info
        if type(eui) is not str or eui.lower() != self._eui:
            raise DecodeError(f"devEui {shown(eui)}: expected that of the topic, {self._eui}")


def _level(value: Any, key: str) -> float | None:
    found = number(value, key)
    if found is not None and not -200 <= found <= 200:
        raise DecodeError(f"{key}: {shown(value)}, expected a number")
    return found
