"""Frigate's own side: the topics and payloads it publishes for simulated cameras. Nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

STATS_EVERY_S = 60
"""How often Frigate publishes its stats."""
STATUS_EVERY_S = 10
"""How often it repeats a camera's status while nothing changes."""

Status = Literal["online", "offline", "disabled"]


class Message(NamedTuple):
    """What Frigate publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def available(prefix: str, word: Literal["online", "stopped", "offline"]) -> Message:
    """Frigate started, was stopped, or (its last will) fell."""
    return Message(f"{prefix}/available", word.encode(), retained=True)


def status(prefix: str, camera: str, role: Literal["audio", "detect", "record"], word: Status) -> Message:
    """How one role of a camera is."""
    return Message(f"{prefix}/{camera}/status/{role}", word.encode())


def enabled(prefix: str, camera: str, on: bool) -> Message:
    """The camera was switched on or off in Frigate."""
    return Message(f"{prefix}/{camera}/enabled/state", b"ON" if on else b"OFF", retained=True)


def stats(prefix: str, fps: Mapping[str, float], *, expected_fps: float = 5.0, uptime_s: int = 3600) -> Message:
    """The regular stats: frames a second of each camera by name (0: nothing arrives)."""
    cameras = {
        name: {
            "camera_fps": rate,
            "process_fps": rate,
            "skipped_fps": 0.0,
            "detection_fps": 0.0,
            "detection_enabled": True,
            "pid": 400 + number,
            "capture_pid": 500 + number,
            "ffmpeg_pid": 600 + number,
            "expected_fps": expected_fps,
            "reconnects_last_hour": 0,
            "stalls_last_hour": 0,
        }
        for number, (name, rate) in enumerate(fps.items())
    }
    body = {
        "cameras": cameras,
        "detectors": {"cpu1": {"inference_speed": 12.5, "detection_start": 0.0, "pid": 300}},
        "detection_fps": 0.0,
        "service": {"uptime": uptime_s, "version": "0.18.0"},
    }
    return Message(f"{prefix}/stats", msgspec.json.encode(body))
