"""What is known of one device's life: its signs, its link, its graces (spec: cameras.md, Any device)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gateway.instants import Duration, Instant
from gateway.rules.falls import Fall
from gateway.rules.lineage import BROKER
from gateway.site.model import Device

State = Literal["ok", "offline", "unknown", "disabled"]
Side = Literal["alive", "down", "neither"]
"""On which side of a share a device counts, by its own evidence."""

LINK = "link"
"""The kind of what is no device but a link of the gateway, heard through its ups and downs alone."""

TIMEOUT_INTERVALS = 3
"""Timeout = 3 × `expect_every`; exactly the timeout is still alive."""


class Life(msgspec.Struct, kw_only=True):
    """One device. The first group is kept in snapshots, the rest is derived from the site.

    Attributes:
        last: the last sign of life, in gateway time.
        will: since when its last will (or its own word) says that it is offline.
        link_down: since when its link is down.
        grace: from when it was given one timeout of grace; cleared by a sign of life, so it is given once.
        forgiven: when a grace was last given; not cleared.
        suppressor: the fallen parent that takes it along.
        own, own_cause, own_since: its state on its own evidence alone.
        state, cause, since: as shown.
        began: when what is shown began by the evidence (silence: last heard).
        faults: faults it reports of itself, each with its beginning.
        calm: nothing but time can change anything: a sign of life only moves `last`.
    """

    enrolled: Instant
    last: Instant | None = None
    will: Instant | None = None
    link_down: Instant | None = None
    grace: Instant | None = None
    grace_why: str = ""
    forgiven: Instant | None = None
    said: bool | None = None
    enabled_at: Instant
    suppressor: str | None = None
    own: State = "unknown"
    own_cause: str | None = "never_heard"
    own_since: Instant
    state: State = "unknown"
    cause: str | None = "never_heard"
    since: Instant
    began: Instant
    faults: dict[str, Instant] = {}

    device: Device
    timeout: Duration | None = None
    channels: dict[str, str] | None = None
    enabled: bool = True
    calm: bool = False
    fall: Fall | None = None

    @property
    def side(self) -> Side:
        """On which side of a share it counts (cameras.md, Parent fault)."""
        if self.timeout is None or self.suppressor == BROKER:  # who speaks through a lost broker cannot be heard
            return "neither"
        if self.own == "ok":
            return "alive"
        return "down" if self.fall is not None and self.last is not None else "neither"

    @property
    def in_doubt(self) -> bool:
        """Whether it is in service and its silence will prove something, but does not yet: it has its grace, or nobody could hear it."""
        return self.timeout is not None and self.own == "unknown" and self.last is not None

    @property
    def reference(self) -> Instant | None:
        """From when its silence counts."""
        return self.last if self.grace is None else self.grace

    def snapshot(self) -> list[Any]:
        return [getattr(self, name) for name in KEPT]

    def restore(self, state: list[Any]) -> None:
        for name, value in zip(KEPT, state, strict=False):
            setattr(self, name, value)


KEPT = Life.__struct_fields__[: Life.__struct_fields__.index("device")]


def life_of(device: Device, enrolled: Instant) -> Life:
    """The life of a device that was never heard."""
    timeout = None if device.expect_every is None else TIMEOUT_INTERVALS * device.expect_every
    return Life(
        enrolled=enrolled,
        enabled_at=enrolled,
        own="unknown" if device.enabled else "disabled",
        own_cause="never_heard" if device.enabled else None,
        own_since=enrolled,
        state="unknown" if device.enabled else "disabled",
        cause="never_heard" if device.enabled else None,
        since=enrolled,
        began=enrolled,
        device=device,
        timeout=timeout,
        enabled=device.enabled,
    )
