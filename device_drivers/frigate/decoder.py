"""Messages of Frigate: itself available or not, frames of each camera, state of each camera's roles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import number, read_object, shown
from device_drivers.observations import CameraStats, DeviceStatus, RecordingState, VideoState

_AVAILABLE: dict[bytes, tuple[bool, str | None]] = {
    b"online": (True, None),
    b"stopped": (False, "stopped"),
    b"offline": (False, "last_will"),
}
_STATUS: dict[bytes, bool | None] = {b"online": True, b"offline": False, b"disabled": None}
"""None: taken out of service by its owner, no fault and no value (cameras.md, frigate)."""

_SWITCH: dict[bytes, bool] = {b"ON": True, b"OFF": False}
_SILENT_ROLES = ("audio", "record_sub")
"""Roles that say nothing of whether an area is watched and kept."""

_MOST_CAMERAS = 1000
"""Bound of the list of disabled cameras."""


class FrigateDecoder:
    """One Frigate: its cameras are channels of it, by their names.

    It remembers which cameras are disabled, since `stats` names those too, with 0 frames a second.
    """

    def __init__(self, device: str, prefix: str) -> None:
        self._device = device
        self._available = f"{prefix}/available"
        self._statistics = f"{prefix}/stats"
        self._prefix = f"{prefix}/"
        self._disabled: set[str] = set()

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. A disabled camera says nothing, nor do the roles
        `audio` and `record_sub`.

        A camera's stats that cannot be read are a reject; the other cameras' count.

        Raises:
            DecodeError: not a topic of this Frigate, an unknown word, not JSON of the expected shape, or retained
                stats.
        """
        if topic == self._statistics:
            if retained:
                raise DecodeError("retained stats: old frame rates, they prove no picture now")
            return self._cameras(payload, received)
        if topic == self._available:
            return self._availability(payload, received, retained=retained)
        if topic.startswith(self._prefix):
            match topic[len(self._prefix) :].split("/"):
                case [camera, "status", role] if camera and role:
                    return self._role(camera, role, payload, received, retained=retained)
                case [camera, "enabled", "state"] if camera:
                    return self._switched(camera, payload)
        raise DecodeError(
            f"topic {topic!r}: expected {self._available}, {self._statistics} or {self._prefix}CAMERA/status/ROLE"
        )

    def _availability(self, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        if not payload:
            return []
        word = payload.strip()
        if word not in _AVAILABLE:
            raise DecodeError(f"available: {_shown(word)}, expected one of {_words(_AVAILABLE)}")
        online, reason = _AVAILABLE[word]
        if online and retained:  # the broker may have been down with it; the stats follow
            return []
        return [Reading(DeviceStatus(device=self._device, at=at, online=online, reason=reason))]

    def _cameras(self, payload: bytes, at: datetime) -> list[Reading]:
        readings: list[Reading] = []
        unread: list[str] = []
        for name, camera in _read_stats(payload).items():
            if name in self._disabled:
                continue
            if type(camera) is not dict:
                unread.append(f"{name[:80]}: {shown(camera)}, expected an object")
                continue
            fps, expected = (_rate(camera, key, name, unread) for key in ("camera_fps", "expected_fps"))
            if fps is not None:
                readings.append(
                    Reading(CameraStats(device=self._device, at=at, fps=fps, expected_fps=expected, channel=name))
                )
        return beside_unread(readings, payload, unread)

    def _role(self, camera: str, role: str, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        if not payload:
            return []
        word = payload.strip()
        if word not in _STATUS:
            raise DecodeError(f"{camera} {role}: {_shown(word)}, expected one of {_words(_STATUS)}")
        works = _STATUS[word]
        if role == "detect":
            self._enable(camera, works is not None)
            if works is not None and not (works and retained):
                state = VideoState(device=self._device, at=at, state="loss", active=not works, channel=camera)
                return [Reading(state)]
        elif role == "record":
            if works is not None and not (works and retained):
                return [Reading(RecordingState(device=self._device, at=at, recording=works, channel=camera))]
        elif role not in _SILENT_ROLES:
            raise DecodeError(f"{camera}: role {role[:80]!r}, expected detect, record, {', '.join(_SILENT_ROLES)}")
        return []

    def _switched(self, camera: str, payload: bytes) -> list[Reading]:
        """Its owner switched the camera on or off; that is no observation, but explains the stats that follow."""
        if not payload:
            return []
        word = payload.strip()
        if word not in _SWITCH:
            raise DecodeError(f"{camera} enabled: {_shown(word)}, expected one of {_words(_SWITCH)}")
        self._enable(camera, _SWITCH[word])
        return []

    def _enable(self, camera: str, enabled: bool) -> None:
        if enabled:
            self._disabled.discard(camera)
        elif len(self._disabled) < _MOST_CAMERAS:
            self._disabled.add(camera)


def _read_stats(payload: bytes) -> Mapping[str, Any]:
    """The cameras in a stats message: under `cameras`, or (before 0.13) at the top beside the rest."""
    document = read_object(payload)
    cameras = document.get("cameras")
    if cameras is None:
        return {name: value for name, value in document.items() if type(value) is dict and "camera_fps" in value}
    if type(cameras) is not dict:
        raise DecodeError(f"cameras: {shown(cameras)}, expected an object")
    return cameras


def _rate(camera: Mapping[str, Any], key: str, name: str, unread: list[str]) -> float | None:
    """Frames a second; None where the camera has no value, or one that is none, which is told in `unread`."""
    try:
        value = camera.get(key)
        rate = None if value is None else number(value, key)
        if rate is not None and rate < 0:
            raise DecodeError(f"{key}: {shown(value)}, expected 0 or more")
    except DecodeError as error:
        unread.append(f"{name[:80]}: {error.reason}")
        return None
    return rate


def _shown(word: bytes) -> str:
    return repr(word[:80].decode(errors="replace"))


def _words(table: Mapping[bytes, object]) -> str:
    return ", ".join(word.decode() for word in table)
