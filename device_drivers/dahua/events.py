"""What Dahua's event codes mean. A code that is not here only shows that the service lives."""

from __future__ import annotations

from collections.abc import Mapping

from device_drivers.camera_signs import Meaning

EVENTS: Mapping[str, Meaning] = {
    "VideoLoss": Meaning("picture", "loss"),
    "VideoBlind": Meaning("picture", "blind"),
    "VideoDefocus": Meaning("picture", "defocused"),
    "VideoUnFocus": Meaning("picture", "defocused"),
    "SceneChange": Meaning("picture", "moved"),
    "VideoAbnormalDetection": Meaning("picture", "moved"),
    "MoveDetection": Meaning("motion"),
    "VideoMotion": Meaning("motion"),
    "SmartMotionHuman": Meaning("motion"),
    "SmartMotionVehicle": Meaning("motion"),
    "CrossLineDetection": Meaning("motion"),
    "CrossRegionDetection": Meaning("motion"),
    "WanderDetection": Meaning("motion"),
    "RioterDetection": Meaning("motion"),
    "StorageNotExist": Meaning("disk", "disk_error"),
    "StorageFailure": Meaning("disk", "disk_error"),
    "StorageLowSpace": Meaning("disk", "disk_full"),
}
"""By code, as Dahua spells it (HTTP API of Dahua; rroller/dahua, MIT)."""

ACTIONS: Mapping[str, tuple[bool, bool]] = {
    "Start": (True, False),
    "Stop": (False, False),
    "Pulse": (True, True),
    "State": (True, True),
}
"""Whether an action means that it holds, and whether it is brief: no end will be told."""
