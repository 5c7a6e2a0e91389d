"""Messages of GA/T 1400 as they stand on the wire or on a bridge (Kafka), without a server: for `decode`, cases and captures."""

from __future__ import annotations

from datetime import datetime

from device_drivers.driver import Reading
from device_drivers.gat1400.messages import read_message
from device_drivers.observations import CameraHeartbeat


class Gat1400Decoder:
    """Reads one JSON object. Nothing is known of a site here: every id stands for the device itself."""

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:  # noqa: ARG002
        """Decode one object; `at` is `received`, since LocalTime has no zone.

        A request to come or go proves nothing by itself: who makes it has not shown a password yet.

        Raises:
            DecodeError: not JSON, or none of the objects that say whether a device lives.
        """
        said = read_message(payload)
        if said.kind != "keepalive":
            return []
        return [Reading(CameraHeartbeat(device=said.device_id, at=received))]
