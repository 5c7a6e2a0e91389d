"""Messages of one device, read by the mapping in its entry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import read_json, read_text
from device_drivers.mapping import Map, measurements


class JsonMapDecoder:
    """One device.

    Args:
        device: its id.
        maps: the mapping of each of its topics; None: numbers and flags become measurements named by their paths.
    """

    def __init__(self, device: str, maps: Mapping[str, Map | None]) -> None:
        self._device = device
        self._maps = maps

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message; an empty one (the topic was cleared) says nothing. Of values that the mapping does not know, and
        retained events, the message is kept as a reject; the others count.

        Raises:
            DecodeError: not a topic of this device, not JSON where a path needs it, or nothing of it can be read.
        """
        if topic not in self._maps:
            raise DecodeError(f"topic {topic!r}: expected {' or '.join(self._maps)}")
        if not payload:
            return []
        mapping = self._maps[topic]
        unread: list[str] = []
        if mapping is None:
            document = read_json(payload)
            if retained:
                return []
            readings = measurements(document, self._device, received, topic.rpartition("/")[2], unread=unread)
        else:
            document = read_text(payload).strip() if mapping.whole else read_json(payload)
            readings = mapping.observations(document, received, unread=unread, retained=retained)
        return beside_unread(readings, payload, unread)
