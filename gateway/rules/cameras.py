"""Cameras and zones (spec: cameras.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import Instant
from gateway.rules.devices import Devices
from gateway.rules.findings import Camera, Found, Zone
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Site


class Cameras:
    """Cameras and zones (spec: cameras.md)."""

    KINDS: ClassVar[frozenset[type]] = frozenset(
        {
            seen.CameraHeartbeat,
            seen.VideoState,
            seen.CameraStats,
            seen.RecordingState,
            seen.StorageFault,
            seen.Reachable,
            seen.DeviceStatus,
        }
    )

    def __init__(self, site: Site, found: Found, devices: Devices, started: Instant) -> None:
        self.site = site
        self.found = found

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:
        """Take one observation; `at` is its device time."""

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """The gateway was down from `down_from` until `now`."""

    def operate(self, operation: DeviceOperation) -> None:
        """An operator ends an impairment, or takes a camera out of service."""

    def devices_changed(self, devices: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) went down or came back."""

    def cameras(self) -> list[Camera]:
        """All cameras, by id."""
        return []

    def camera(self, camera_id: str) -> Camera | None:
        return None

    def zones(self) -> list[Zone]:
        """All zones, by id."""
        return []

    def zone(self, zone_id: str) -> Zone | None:
        return None

    def snapshot(self) -> Any:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
