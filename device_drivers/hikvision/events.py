"""What Hikvision's event types mean. A type that is not here only shows that the service lives."""

from __future__ import annotations

from collections.abc import Mapping

from device_drivers.camera_signs import BEAT, Meaning

LOSS = "videoloss"

EVENTS: Mapping[str, Meaning] = {
    LOSS: Meaning("picture", "loss"),
    "shelteralarm": Meaning("picture", "blind"),
    "tamperdetection": Meaning("picture", "blind"),
    "scenechangedetection": Meaning("picture", "moved"),
    "defocus": Meaning("picture", "defocused"),
    "defocusdetection": Meaning("picture", "defocused"),
    "diskfull": Meaning("disk", "disk_full"),
    "hdfull": Meaning("disk", "disk_full"),
    "diskerror": Meaning("disk", "disk_error"),
    "hderror": Meaning("disk", "disk_error"),
    "raidexception": Meaning("disk", "raid"),
    "raiddegrade": Meaning("disk", "raid"),
    "raidfailure": Meaning("disk", "raid"),
    "recordexception": Meaning("unrecorded"),
    "recordingfailure": Meaning("unrecorded"),
    "vmd": Meaning("motion"),
    "motiondetection": Meaning("motion"),
    "pir": Meaning("motion"),
    "linedetection": Meaning("motion"),
    "fielddetection": Meaning("motion"),
    "regionentrance": Meaning("motion"),
    "regionexiting": Meaning("motion"),
    "loitering": Meaning("motion"),
    "group": Meaning("motion"),
    "rapidmove": Meaning("motion"),
    "heartbeat": BEAT,
    "io": BEAT,
}
"""By event type in lower case (ISAPI; pyHik's list, MIT)."""
