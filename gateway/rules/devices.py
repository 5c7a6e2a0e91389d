"""Liveness of any device: signs of life, silence, links, gateway restarts, parents (spec: cameras.md, Any device)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import Instant
from gateway.rules.findings import DeviceState, Found
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Site


class Devices:
    """Liveness of any device: signs of life, silence, links, gateway restarts, parents (spec: cameras.md, Any device)."""

    KINDS: ClassVar[frozenset[type]] = frozenset({})

    def __init__(self, site: Site, found: Found, started: Instant) -> None:
        self.site = site
        self.found = found
        self.changed: set[str] = set()
        self.reader_ids: frozenset[str] = frozenset(
            device.id
            for device in site.devices.values()
            if device.portable or device.kind in ("reader", "wand", "phone")
        )

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
        """An operator disables or enables a device."""

    def down_cause(self, device: str) -> str | None:
        """The topmost thing that is down and takes `device` (or parent) with it, itself included; None if it is up."""
        return None

    def devices(self) -> list[DeviceState]:
        """All devices, by id."""
        return []

    def device(self, device_id: str) -> DeviceState | None:
        return None

    def snapshot(self) -> Any:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
