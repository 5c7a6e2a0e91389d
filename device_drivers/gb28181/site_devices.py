"""Which id of GB/T 28181 is which device of the site: who may register, and what its channels are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from device_drivers.driver import DeviceSettings
from device_drivers.gb28181.manscdp import is_id
from device_drivers.gb28181.meaning import ALARM_LASTS_S, Place

CATALOG_EVERY_S = 60.0
"""How often a recorder with channels in the site is asked for its catalogue: as often as a camera is to be heard."""

VIDEO_TYPES = frozenset({"131", "132"})
"""Digits 11 to 13 of the id of a camera or a recorder's video channel (unconfirmed; other types are inputs, outputs, areas)."""

_SERIAL = slice(14, 20)
"""The digits of an id that count devices of one kind (GB/T 28181-2016, annex D)."""


class Registrant(NamedTuple):
    """A device that may register.

    Args:
        id: in the site.
        device_id: its 20 digits.
        password: of its own, None: the service's.
        camera: a single camera: whatever it says of its video channel is about itself.
        by_id / by_number: its channels in the site, by 20-digit id, or by the number at the end of that id.
        catalog_every_s: how often to ask for its channels, 0: only after it registered.
        alarm_lasts_s: how long its alarms about the picture stand.
    """

    id: str
    device_id: str
    password: str | None
    camera: bool
    by_id: Mapping[str, Place]
    by_number: Mapping[int, Place]
    catalog_every_s: float
    alarm_lasts_s: float

    @property
    def has_channels(self) -> bool:
        """Whether the site knows any of its channels."""
        return bool(self.by_id or self.by_number)

    def named(self, device_id: str) -> Place | None:
        """Whom an id in its messages means; None: nobody of the site."""
        if device_id == self.device_id:
            return Place(self.id, None, self.id)
        place = self.by_id.get(device_id)
        if place is not None:
            return place
        if device_id[10:13] not in VIDEO_TYPES:
            return None
        if self.camera and not self.has_channels:
            return Place(self.id, None, self.id)
        return self.by_number.get(int(device_id[_SERIAL]))


def registrants(devices: Iterable[DeviceSettings]) -> dict[str, Registrant]:
    """The devices that may register, by their 20 digits; the others are their channels."""
    devices = list(devices)
    below: dict[str, list[DeviceSettings]] = {}
    for device in devices:
        if device.behind is not None:
            below.setdefault(device.behind, []).append(device)
    found: dict[str, Registrant] = {}
    for device in devices:
        if device.device_id is None or device.channel is not None:
            continue
        by_id: dict[str, Place] = {}
        by_number: dict[int, Place] = {}
        for each in below.get(device.id, ()):
            match each.channel:
                case int() as number:
                    by_number[number] = Place(device.id, number, each.id)
                    if each.device_id is not None:
                        by_id[each.device_id] = by_number.pop(number)
                case str() as channel if is_id(channel):
                    by_id[channel] = Place(device.id, channel, each.id)
                case None if each.device_id is not None:  # it may call itself, or be told of by the recorder
                    by_id[each.device_id] = Place(each.id, None, each.id)
        found[device.device_id] = Registrant(
            id=device.id,
            device_id=device.device_id,
            password=device.settings.get("password"),
            camera=device.kind == "camera",
            by_id=by_id,
            by_number=by_number,
            catalog_every_s=float(device.settings.get("catalog_every_s", CATALOG_EVERY_S)),
            alarm_lasts_s=float(device.settings.get("alarm_lasts_s", ALARM_LASTS_S)),
        )
    return found
