"""Messages of a Milesight device: the payload as it is, or in the JSON of a Milesight gateway."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime

from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.json_values import read_object, shown
from device_drivers.milesight.codec import MilesightCodec
from device_drivers.observations import Motion, Panic


class MilesightDecoder:
    """One device.

    Args:
        topic: its topic; "": not over MQTT.
        codec: of its payloads.
        dev_eui: whose messages are meant where a gateway publishes those of all devices on one topic; "": all.
    """

    def __init__(self, topic: str, codec: MilesightCodec, dev_eui: str = "") -> None:
        self._topic = topic
        self._codec = codec
        self._dev_eui = dev_eui.upper()

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message; a retained one says nothing, since its age is not known.

        Raises:
            DecodeError: another topic, neither a payload nor a gateway's JSON with `data`, or a retained motion or call.
        """
        if topic != self._topic:
            raise DecodeError(f"topic {topic!r}: expected {self._topic}")
        data = payload
        if payload[:1] == b"{":
            message = read_object(payload)
            eui = message.get("devEUI", message.get("devEui"))
            if self._dev_eui and (type(eui) is not str or eui.upper() != self._dev_eui):
                return []
            data = read_base64(message.get("data"), "data")
        readings = self._codec.read(data, received, received)
        if retained:
            if any(isinstance(reading.observation, (Motion, Panic)) for reading in readings):
                raise DecodeError("retained motion or call for help: old state, not an event")
            return []
        return readings


def read_base64(value: object, name: str) -> bytes:
    """Bytes from base64 in JSON.

    Raises:
        DecodeError: no text, or no base64.
    """
    if type(value) is not str:
        raise DecodeError(f"{name}: {shown(value)}, expected base64")
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise DecodeError(f"{name}: {shown(value)}, expected base64") from error
