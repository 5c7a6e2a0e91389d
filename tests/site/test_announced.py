"""Families that are named before they are built: once built, the driver's own record counts."""

from __future__ import annotations

from device_drivers.announced import ANNOUNCED, ROWS
from device_drivers.catalogue import DRIVERS


def test_a_driver_that_is_built_is_no_longer_announced():
    assert not set(ANNOUNCED) & set(DRIVERS)


def test_each_family_is_announced_once():
    assert len(ANNOUNCED) == len(ROWS)
