"""Cameras and zones over a period: intact rates and minutes of coverage (spec: cameras.md, Zones)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from gateway.figures.history import OUT
from gateway.figures.stretches import length, minus
from gateway.figures.timeline import Timeline
from gateway.instants import HOUR, MINUTE, Duration
from gateway.site.model import Site

By = Literal["camera", "zone", "place", "site"]

KEY_TARGET = 0.98
TARGET = 0.95
"""发改高技〔2015〕996: 98 % in key public areas, 95 % in key sectors (DOMAIN.md §3); here: key places, and the others."""


class CameraRate(msgspec.Struct, frozen=True, kw_only=True):
    """The intact rate of one set of cameras. Hours are camera-hours.

    Attributes:
        id: the camera, zone, place or site; null: cameras without a place.
        enabled_h: in service; `seeing_h` + `lost_h` + `unknown_h`.
        rate: seeing_h ÷ (enabled_h − unknown_h), 0 to 1; null: nothing is known.
        unknown_share: unknown_h ÷ enabled_h; null: never in service.
        target: 0.98 where all cameras of the set are in key places, else 0.95.
        reached: whether the rate reaches it; null: no rate.
    """

    id: str | None
    cameras: int
    enabled_h: float
    seeing_h: float
    lost_h: float
    unknown_h: float
    rate: float | None
    unknown_share: float | None
    target: float
    reached: bool | None


class ZoneMinutes(msgspec.Struct, frozen=True, kw_only=True):
    """One zone's minutes. They add up to the period; `absent`: not in the site, or not recorded yet."""

    id: str
    place: str | None
    key: bool
    covered_min: float
    degraded_min: float
    blind_min: float
    unknown_min: float
    absent_min: float


class _Sum(msgspec.Struct):
    cameras: int = 0
    enabled: Duration = 0
    seeing: Duration = 0
    lost: Duration = 0
    key: bool = True


def camera_rates(site: Site, timeline: Timeline, by: By) -> list[CameraRate]:
    """Intact rates of all cameras in the timeline, each in its sets; sorted, cameras without a place first."""
    down = timeline.down()
    sums: dict[str | None, _Sum] = {}
    for camera in timeline.ids("camera"):
        states = timeline.by_state("camera", camera)
        enabled = sum(length(parts) for state, parts in states.items() if state not in ("disabled", OUT))
        if not enabled:
            continue
        seeing, lost = (length(minus(states.get(state, []), down)) for state in ("seeing", "lost"))
        device = site.devices.get(camera)
        place = None if device is None else device.place
        for name in _sets(site, camera, place, by):
            total = sums.setdefault(name, _Sum())
            total.cameras += 1
            total.enabled += enabled
            total.seeing += seeing
            total.lost += lost
            total.key = total.key and place is not None and place in site.places and site.places[place].key
    return [_rate(name, sums[name]) for name in sorted(sums, key=lambda name: name or "")]


def _sets(site: Site, camera: str, place: str | None, by: By) -> Iterator[str | None]:
    match by:
        case "camera":
            yield camera
        case "zone":
            yield from (zone.id for zone in site.zones.values() if camera in zone.cameras)
        case "place":
            yield place
        case "site":
            yield site.id


def _rate(name: str | None, total: _Sum) -> CameraRate:
    known = total.seeing + total.lost
    unknown = total.enabled - known
    percent = 98 if total.key else 95
    return CameraRate(
        id=name,
        cameras=total.cameras,
        enabled_h=total.enabled / HOUR,
        seeing_h=total.seeing / HOUR,
        lost_h=total.lost / HOUR,
        unknown_h=unknown / HOUR,
        rate=total.seeing / known if known else None,
        unknown_share=unknown / total.enabled if total.enabled else None,
        target=KEY_TARGET if total.key else TARGET,
        reached=total.seeing * 100 >= known * percent if known else None,
    )


def zone_minutes(site: Site, timeline: Timeline) -> list[ZoneMinutes]:
    """Minutes of every zone in the timeline, by id."""
    down, whole = timeline.down(), timeline.until - timeline.since
    found = []
    for zone in sorted({*timeline.ids("zone"), *site.zones}):
        states = timeline.by_state("zone", zone)
        present = sum(length(parts) for state, parts in states.items() if state != OUT)
        known = {state: length(minus(states.get(state, []), down)) for state in ("covered", "degraded", "blind")}
        spec = site.zones.get(zone)
        found.append(
            ZoneMinutes(
                id=zone,
                place=None if spec is None else spec.place,
                key=spec is not None and site.places[spec.place].key,
                covered_min=known["covered"] / MINUTE,
                degraded_min=known["degraded"] / MINUTE,
                blind_min=known["blind"] / MINUTE,
                unknown_min=(present - sum(known.values())) / MINUTE,
                absent_min=(whole - present) / MINUTE,
            )
        )
    return found
