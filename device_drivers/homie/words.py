"""Words of the Homie convention: its states. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

STATES: Mapping[str, tuple[bool | None, str | None]] = {
    "init": (None, None),
    "ready": (True, None),
    "disconnected": (False, "disconnected"),
    "sleeping": (None, None),
    "lost": (False, "lost"),
    "alert": (True, "alert"),
}
"""What a device's `$state` says: on line or not, and why. A device that starts or sleeps as it should is neither."""

ONLY_4 = frozenset({"alert"})
"""States that version 5 has no more."""
