"""Parent faults and what they suppress (spec: cameras.md, Parent fault)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import Instant
from gateway.rules.cameras import Cameras
from gateway.rules.devices import Devices
from gateway.rules.findings import Found
from gateway.rules.lighting import Lighting
from gateway.site.model import Site


class Causes:
    """Parent faults and what they suppress (spec: cameras.md, Parent fault)."""

    KINDS: ClassVar[frozenset[type]] = frozenset({})

    def __init__(
        self, site: Site, found: Found, devices: Devices, lighting: Lighting, cameras: Cameras, started: Instant
    ) -> None:
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

    def devices_changed(self, devices: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) went down or came back."""

    def snapshot(self) -> Any:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
