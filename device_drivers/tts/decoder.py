"""Messages of one device behind The Things Stack 3."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import count, iso_time, read_object, shown
from device_drivers.milesight.decoder import read_base64
from device_drivers.observations import DeviceStatus
from device_drivers.uplink import Uplink

_REMEMBERED = 64
"""Uplinks whose key is remembered, to know the same one again."""

_SILENT = frozenset(
    {
        "down/ack",
        "down/failed",
        "down/nack",
        "down/push",
        "down/queued",
        "down/replace",
        "down/sent",
        "location/solved",
        "service/data",
    }
)
"""Topics that say nothing of what the device sees."""


class TtsDecoder:
    """One device.

    Args:
        device: its id.
        base: its topic, `v3/APPLICATION@TENANT/devices/ID`.
        uplink: reads its payloads.
    """

    def __init__(self, device: str, base: str, uplink: Uplink) -> None:
        self._device = device
        self._prefix = f"{base}/"
        self._id = base.rpartition("/")[2]
        self._uplink = uplink
        self._times: dict[tuple[str, str, int], datetime] = {}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. `at` is the server's receive time, if it can be trusted; the same uplink again has the time
        of the first, so that it is known as a repeat.

        Raises:
            DecodeError: not a topic of this device, not JSON of the message's shape, another device's message, a simulated
                uplink, a payload that cannot be read, or a retained event without a time.
        """
        event = topic.removeprefix(self._prefix)
        if event == topic or not (event in ("up", "join") or event in _SILENT):
            raise DecodeError(f"topic {topic!r}: expected {self._prefix}up, join or down/…")
        message = read_object(payload)
        ids = message.get("end_device_ids", {})
        if type(ids) is not dict or ids.get("device_id", self._id) != self._id:
            raise DecodeError(f"end_device_ids: expected the device of the topic, {self._id}")
        if event in _SILENT:
            return []
        time = iso_time(message.get("received_at"), received)
        if event == "join":
            at = received if time is None else time
            return [] if retained else [Reading(DeviceStatus(device=self._device, at=at, online=True, reason="join"))]
        unread: list[str] = []
        readings = self._up(message, ids, time, received, unread, retained=retained)
        return beside_unread(readings, payload, unread)

    def _up(
        self,
        message: dict[str, Any],
        ids: dict[str, Any],
        time: datetime | None,
        received: datetime,
        unread: list[str],
        *,
        retained: bool,
    ) -> list[Reading]:
        """An uplink. Fields that are zero are left out or null: no `f_port` is 0, no `frm_payload` is an empty one."""
        uplink = message.get("uplink_message")
        if type(uplink) is not dict:
            raise DecodeError(f"uplink_message: {shown(uplink)}, expected an object")
        uplink = {key: value for key, value in uplink.items() if value is not None}
        if message.get("simulated"):
            raise DecodeError("a simulated uplink: nothing that the device said")
        count(uplink.get("f_port", 0), "f_port")
        number = count(uplink.get("f_cnt", 0), "f_cnt")
        time = iso_time(uplink.get("received_at"), received) or time
        if retained and time is None:
            raise DecodeError("a retained uplink without a time: of what age it is nobody knows")
        at = self._first_time(
            ids.get("dev_eui"), uplink.get("session_key_id"), number, received if time is None else time
        )
        data = read_base64(uplink.get("frm_payload", ""), "frm_payload")
        decoded = uplink.get("decoded_payload")
        readings = self._uplink.read(data, decoded, at, received, unread=unread, retained=retained)
        return readings + self._uplink.signal(uplink.get("rx_metadata"), at)

    def _first_time(self, eui: Any, session: Any, number: int, at: datetime) -> datetime:
        """The time at which this uplink, by (dev_eui, session_key_id, f_cnt), was first told of."""
        if type(session) is not str or len(session) > 128:
            return at
        key = (eui if type(eui) is str and len(eui) <= 16 else "", session, number)
        first = self._times.get(key)
        if first is not None:
            return first
        if len(self._times) >= _REMEMBERED:
            del self._times[next(iter(self._times))]
        self._times[key] = at
        return at
