"""Which of a lamp's faults its sources could never prove (lighting.md: `check` warns of them)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta

from astral import Observer
from astral.sun import elevation

from gateway.site.mistakes import Mistakes
from gateway.site.model import Lamp, Site
from gateway.site.positions import Path

DARK_BELOW_DEG = -6.0
"""At `window` and `outdoor` places lux proves something only with the sun below this (lighting.md, Proof)."""

_YEAR = 2026
_SLOT_MINUTES = 30
_SLOTS = 24 * 60 // _SLOT_MINUTES


def check_provability(site: Site, paths: Sequence[Path], mistakes: Mistakes) -> None:
    """Warn of each lamp with a fault that nothing could prove.

    Args:
        site: its lamps name known places.
        paths: where each of `site.lamps` stands.
        mistakes: takes the warnings.
    """
    speaking = set(_own_word(site))
    moving = {device.place for device in site.devices.values() if device.kind == "motion_sensor"}
    dark: frozenset[int] | None = None
    for lamp, path in zip(site.lamps.values(), paths, strict=True):
        if lamp.expected.mode == "motion" and lamp.place not in moving:
            mistakes.warning(
                (*path, "expected"), f"no `motion_sensor` stands at {lamp.place!r}: the lamp is never expected on"
            )
        if lamp.fed_by is not None or lamp.id in speaking:
            continue
        if not lamp.seen_by:
            mistakes.warning(
                path,
                "nothing could prove any fault of it: no `seen_by`, no `fed_by`, no device of its own; it stays unknown",
            )
        elif site.places[lamp.place].daylight != "indoor":
            dark = _dark_slots(site) if dark is None else dark
            for fault in _unprovable(lamp, dark):
                mistakes.warning(
                    path,
                    f"nothing could prove `{fault}`: it is seen by lux alone, which by day proves nothing at "
                    f"{site.places[lamp.place].daylight} places; `fed_by` or its own state would",
                )


def _own_word(site: Site) -> Iterator[str]:
    """Lamps that report their own state: as a device, as an output of one, or as what a device is the gear of."""
    for device in site.devices.values():
        if device.id in site.lamps:
            yield device.id
        outputs = device.settings.get("lamps")
        if isinstance(outputs, dict):
            yield from (lamp for lamp in outputs.values() if isinstance(lamp, str))
        if isinstance(lamp := device.settings.get("lamp"), str):
            yield lamp


def _unprovable(lamp: Lamp, dark: frozenset[int]) -> Iterator[str]:
    """Faults of a lamp that lux by night alone cannot prove. `dark`: half hours of the day that are ever dark."""
    match lamp.expected.mode:
        case "dusk_to_dawn":
            yield "day_burner"
        case "times":
            if lamp.expected.on is None or lamp.expected.off is None:
                return  # that one is missing is said elsewhere
            burning = frozenset(_slots(lamp.expected.on, lamp.expected.off))
            if not burning & dark:
                yield "lamp_failure"
            if not dark - burning:
                yield "day_burner"
        case "always" | "motion" | "commanded":
            return


def _slots(on: time, off: time) -> Iterator[int]:
    """The half hours touched between two clock times, edges included: near them nothing is proved either."""
    first, last = (clock.hour * 60 + clock.minute for clock in (on, off))
    length = (last - first) % (24 * 60) or 24 * 60
    yield from {(first + minute) // _SLOT_MINUTES % _SLOTS for minute in range(-_SLOT_MINUTES, length + _SLOT_MINUTES)}


def _dark_slots(site: Site) -> frozenset[int]:
    """The half hours of the local day that lie wholly in the dark on some day of the year."""
    observer = Observer(site.latitude, site.longitude)
    dark: set[int] = set()
    for month in range(1, 13):
        at = datetime(_YEAR, month, 21, tzinfo=UTC)
        below = [
            elevation(observer, at + timedelta(minutes=n * _SLOT_MINUTES)) < DARK_BELOW_DEG for n in range(_SLOTS + 1)
        ]
        for n in range(_SLOTS):
            if below[n] and below[n + 1]:
                local = (at + timedelta(minutes=n * _SLOT_MINUTES)).astimezone(site.zone_info)
                dark.add((local.hour * 60 + local.minute) // _SLOT_MINUTES)
    return frozenset(dark)
