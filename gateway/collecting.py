"""Python's cyclic garbage collector, kept out of the way where much is made that stays: it would look through all of it, and find nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (50_000, 20, 100)
"""Thresholds (`gc.set_threshold`) where a judge takes one observation after the other: with Python's own, looking was a quarter of the time."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is looked through."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """It is looked through by SELDOM."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
