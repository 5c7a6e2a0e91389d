"""What LoRaWAN network servers hand on of an uplink: its payload, or what the server's decoder made of it, as observations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from device_drivers.driver import DeviceSettings, Reading
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.json_values import number, shown
from device_drivers.link_topics import check_known
from device_drivers.mapping import Map, measurements, read_rows
from device_drivers.milesight.codec import SETTINGS as MILESIGHT
from device_drivers.milesight.codec import MilesightCodec, check_codec, codec_of
from device_drivers.observations import Measurement, Motion, Panic

_MOST_RECEPTIONS = 64
"""Gateways that are looked at for the strongest signal."""


class Uplink:
    """The payloads of one device.

    Args:
        device: its id.
        codec: reads the raw payload; None: what the server decoded is read.
        mapping: from the decoded object to observations; None: numbers and flags become measurements.
    """

    def __init__(self, device: str, codec: MilesightCodec | None, mapping: Map | None) -> None:
        self._device = device
        self._codec = codec
        self._mapping = mapping

    def read(
        self,
        data: bytes,
        decoded: Any,
        at: datetime,
        received: datetime,
        *,
        unread: list[str],
        retained: bool = False,
    ) -> list[Reading]:
        """The observations of an uplink that was received at `at`; `unread` is told what of it is none.

        Raises:
            DecodeError: a payload that the codec does not know, a decoded one that is no object, or a retained event of the codec.
        """
        if self._codec is not None:
            if not data:
                return []
            readings = self._codec.read(data, at, received)
            if retained and any(isinstance(reading.observation, (Motion, Panic)) for reading in readings):
                raise DecodeError("retained motion or call for help: old state, not an event")
            return readings
        if decoded is None:
            return []
        if type(decoded) is not dict:
            raise DecodeError(f"the decoded payload: {shown(decoded)}, expected an object")
        if self._mapping is None:
            return measurements(decoded, self._device, at, unread=unread)
        return self._mapping.at(decoded, at, unread=unread, retained=retained)

    def signal(self, receptions: Any, at: datetime) -> list[Reading]:
        """Strength (dBm) and distance from the noise (dB) at the gateway that heard the device best."""
        if type(receptions) is not list:
            return []
        heard = [
            (strength, each.get("snr"))
            for each in receptions[:_MOST_RECEPTIONS]
            if type(each) is dict and (strength := _level(each.get("rssi"))) is not None
        ]
        if not heard:
            return []
        rssi, best = max(heard, key=lambda each: each[0])
        device = self._device
        found = [Reading(Measurement(device=device, at=at, quantity="rssi", value=rssi, unit="dB[mW]"))]
        if (snr := _level(best)) is not None:
            found.append(Reading(Measurement(device=device, at=at, quantity="snr", value=snr, unit="dB")))
        return found


def uplink_of(settings: DeviceSettings) -> Uplink:
    """The uplinks of a device, by its settings, already checked."""
    rows = read_rows(settings)
    codec = codec_of(settings) if settings.settings.get("codec") == "milesight" else None
    return Uplink(settings.id, codec, None if rows is None else Map(settings.id, rows))


def check_uplink(settings: DeviceSettings) -> None:
    """What `uplink_of` reads from `settings`.

    Raises:
        SettingsError: names the key that cannot be used.
    """
    check_known(settings, ("codec", "map", *MILESIGHT))
    given: Mapping[str, Any] = settings.settings
    codec = given.get("codec")
    if codec not in (None, "milesight"):
        raise SettingsError("settings.codec", "milesight, or none where the network server decodes payloads")
    if codec is None:
        for key in MILESIGHT:
            if key in given:
                raise SettingsError(f"settings.{key}", "`codec: milesight` beside it")
    elif "map" in given:
        raise SettingsError("settings.map", "none beside `codec`: the codec says what payloads mean")
    check_codec(settings)
    read_rows(settings)


def _level(value: Any) -> float | None:
    """A signal's level; None where there is none that can be read."""
    try:
        return number(value, "")
    except DecodeError:
        return None
