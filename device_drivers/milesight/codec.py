"""Milesight's payload: channel, type, value; again and again, little-endian."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from struct import unpack_from
from typing import Any

from device_drivers.driver import DeviceSettings, Reading
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.json_values import instant
from device_drivers.milesight.channels import (
    ANSWERS,
    BUTTON_PRESSES,
    COMMON,
    HISTORY,
    MODELS,
    PER_CHANNEL,
    PRESSES,
    TYPES,
    Item,
    Key,
    Part,
)
from device_drivers.observations import (
    DeviceStatus,
    LampState,
    LightLevel,
    Measurement,
    Motion,
    Observation,
    Panic,
    Power,
)

SETTINGS = ("model", "lamps", "panic_presses")
"""Keys of `settings` that the codec reads."""

_LONGEST = 1024
"""Bytes of a payload; LoRaWAN carries at most 242, a gateway may join some."""


class MilesightCodec:
    """The payloads of one device.

    Args:
        device: its id.
        model: `WS202`; None: a digital channel is a measurement named by its channel, and stored values are refused.
        lamps: the lamp's id for each output of a switch (`{"1": lamp-a}`); an output not named is `device/output`.
        panic_presses: which presses of a button call for help.
    """

    def __init__(
        self,
        device: str,
        model: str | None = None,
        lamps: Mapping[str, str] | None = None,
        panic_presses: frozenset[str] = frozenset(),
    ) -> None:
        self._device = device
        self._items: dict[Key, Item] = {**COMMON, **MODELS.get(model or "", {})}
        self._lamps = lamps or {}
        self._panic_presses = panic_presses

    def read(self, data: bytes, at: datetime, received: datetime) -> list[Reading]:
        """The observations of a payload: at `at`, stored values at their own times if those can be trusted.

        Raises:
            DecodeError: an item that is not known (what is behind it cannot be read either), or cut off.
        """
        if len(data) > _LONGEST:
            raise DecodeError(f"{len(data)} bytes, expected at most {_LONGEST}")
        if not data:
            raise DecodeError("an empty payload")
        found: list[Observation] = []
        power: dict[str, Any] = {}
        position = 0
        while position < len(data):
            channel = data[position]
            if channel in ANSWERS:
                break
            if len(data) - position < 2:
                raise DecodeError(f"channel 0x{channel:02X} at byte {position}: cut off")
            key = (channel, data[position + 1])
            item = self._item(key, position)
            position += 2
            if len(data) - position < item.length:
                raise DecodeError(
                    f"channel 0x{key[0]:02X} type 0x{key[1]:02X}: {item.length} bytes, but {len(data) - position} are there"
                )
            if item.history:
                self._stored(found, item, data, position, received)
            else:
                for part in item.parts:
                    self._add(found, power, part, unpack_from(f"<{part.shape}", data, position + part.offset)[0], at)
            position += item.length
        if power:
            found.append(Power(device=self._device, at=at, **power))
        return [Reading(observation) for observation in found]

    def _item(self, key: Key, position: int) -> Item:
        item = self._items.get(key)
        if item is not None:
            return item
        if key in HISTORY:
            raise DecodeError(f"stored values at byte {position}: `settings.model` says how long they are")
        item = TYPES.get(key[1])
        if item is None or key[0] & 0x80:
            raise DecodeError(f"channel 0x{key[0]:02X} type 0x{key[1]:02X} at byte {position}: not known")
        if key[1] in PER_CHANNEL:
            item = Item(item.length, tuple(part._replace(name=f"{part.name}_{key[0]}") for part in item.parts))
        return item

    def _stored(self, found: list[Observation], item: Item, data: bytes, position: int, received: datetime) -> None:
        at = instant(unpack_from("<I", data, position)[0], received)
        if at is None:
            return
        power: dict[str, Any] = {}
        for part in item.parts:
            self._add(found, power, part, unpack_from(f"<{part.shape}", data, position + part.offset)[0], at)

    def _add(self, found: list[Observation], power: dict[str, Any], part: Part, raw: int, at: datetime) -> None:
        if raw > part.most:
            return
        device = self._device
        match part.target:
            case "measurement":
                value = float(raw) if part.factor == 1 else float(f"{raw * part.factor:.9g}")
                found.append(Measurement(device=device, at=at, quantity=part.name, value=value, unit=part.unit))
            case "closed":
                found.append(Measurement(device=device, at=at, quantity=part.name, value=float(not raw)))
            case "power":
                power[part.name] = float(raw) if part.factor == 1 else float(f"{raw * part.factor:.9g}")
            case "lux":
                found.append(LightLevel(device=device, at=at, lux=float(raw)))
            case "motion":
                found.append(Motion(device=device, at=at, active=bool(raw)))
            case "lamp":
                found.append(LampState(device=device, at=at, on=bool(raw & 1)))
            case "outputs":
                for output in range(1, part.outputs + 1):
                    lamp = self._lamps.get(str(output), f"{device}/{output}")
                    found.append(LampState(device=device, at=at, lamp=lamp, on=bool(raw >> (output - 1) & 1)))
            case "press" | "button":
                presses = PRESSES if part.target == "press" else BUTTON_PRESSES
                if presses.get(raw) in self._panic_presses:
                    found.append(Panic(device=device, at=at))
            case "online":
                found.append(DeviceStatus(device=device, at=at, online=True, reason="power_on"))


def codec_of(settings: DeviceSettings) -> MilesightCodec:
    """The codec of a device's settings, already checked."""
    given = settings.settings
    presses = frozenset(given.get("panic_presses", ()))
    return MilesightCodec(settings.id, given.get("model"), given.get("lamps"), presses)


def check_codec(settings: DeviceSettings) -> None:
    """What the codec reads from `settings`.

    Raises:
        SettingsError: names the key that cannot be used.
    """
    given: Mapping[str, Any] = settings.settings
    model = given.get("model")
    if model is not None and model not in MODELS:
        raise SettingsError("settings.model", f"one of {', '.join(MODELS)}")
    lamps = given.get("lamps", {})
    if not isinstance(lamps, Mapping) or not all(isinstance(lamp, str) and lamp for lamp in lamps.values()):
        raise SettingsError("settings.lamps", 'a lamp\'s id for each output, for example `{"1": lamp-a, "2": lamp-b}`')
    presses = given.get("panic_presses", [])
    known = sorted(PRESSES.values())
    if not isinstance(presses, (list, tuple)) or not all(press in known for press in presses):
        raise SettingsError("settings.panic_presses", f"a list of {', '.join(known)}")
