"""Families that a site file may already name though their driver is not built yet: the facts that judging needs.

A device of such a family is heard only through `native` messages and evidence files, and `check` says so. When its
driver is built, its row goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from device_drivers.driver import DeviceKind


class Announced(msgspec.Struct, frozen=True):
    """One family; the fields mean what they mean in `device_drivers.driver.Driver`."""

    name: str
    transport: Literal["mqtt", "serial", "file", "http", "sip"]
    default_kind: DeviceKind
    own_clock: bool = False
    transmits_only: bool = False
    sends_seq: bool = False
    expect_every_s: float | None = None


ROWS: tuple[Announced, ...] = (
    # Readers on a serial line or USB; those that push their reads cannot be asked whether they live.
    # MQTT conventions.
    # Cameras and recorders.
    Announced("motioneye", "http", "nvr"),
    Announced("shinobi", "http", "nvr"),
    Announced("esp32_cam", "http", "camera"),
)

ANNOUNCED: Mapping[str, Announced] = {row.name: row for row in ROWS}
"""By the name that a site file uses."""
