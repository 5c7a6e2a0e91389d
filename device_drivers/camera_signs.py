"""What cameras and recorders report of themselves, as observations in measure: they repeat the same many times a second.

Hikvision, Dahua and ONVIF share this; each has its own table of what its words mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, cast

from device_drivers.driver import Reading
from device_drivers.observations import (
    CameraHeartbeat,
    Channel,
    Motion,
    RecordingState,
    StorageFault,
    VideoState,
)

Picture = Literal["loss", "blind", "frozen", "moved", "defocused"]
Disk = Literal["disk_full", "disk_error", "raid"]

BEAT_S = 15.0
"""A sign of life, or what still stands, is told no more often than this: a quarter of what is expected of a camera (60 s)."""

QUIET_S = 10.0
"""Motion that is not repeated for so long has ended, where the device does not say so (cameras.md, hikvision)."""

_MOST_KEYS = 4096
"""Bound of what is remembered: 512 channels of a recorder, each with some states."""

_NEVER_BACK = timedelta(0)


class Meaning(NamedTuple):
    """What a device's word stands for. `word` names the state or the disk trouble."""

    what: Literal["picture", "disk", "unrecorded", "motion", "beat"]
    word: str = ""


BEAT = Meaning("beat")
"""Nothing that is judged: it only shows that the service lives."""


class _Told(NamedTuple):
    active: bool
    at: datetime


class CameraSigns:
    """Turns reports into observations of one device.

    Args:
        device: its id.
        recorder: it is an NVR, so motion on one of its channels is none at its own place: only a sign of life.
        expires_s: for states that the device repeats and never ends: how long after the last repeat they are over.
        quiet_s: as QUIET_S.
        heals: an end that nothing known began is told once, too: it may have begun before the gateway's start.
    """

    def __init__(
        self,
        device: str,
        *,
        recorder: bool = False,
        expires_s: Mapping[str, float] | None = None,
        quiet_s: float = QUIET_S,
        heals: bool = False,
    ) -> None:
        self._device = device
        self._recorder = recorder
        self._expires_s = expires_s or {}
        self._quiet = timedelta(seconds=quiet_s)
        self._beat = timedelta(seconds=BEAT_S)
        self._heals = heals
        self._told: dict[tuple[str, Channel | None], _Told] = {}
        self._moving: dict[Channel | None, datetime | None] = {}
        self._movers: dict[Channel | None, set[str]] = {}
        """For each channel the words that told of motion and have not ended it: a device has several for one movement."""

    def report(
        self,
        found: list[Reading],
        meaning: Meaning,
        channel: Channel | None,
        active: bool,
        at: datetime,
        *,
        brief: bool,
        by: str = "",
    ) -> None:
        """A device said something; what is to be told is added to `found`.

        Args:
            brief: the device does not say when it ends: motion ends after a quiet time, states after `expires_s`.
            by: the device's word for it; motion ends with the last word that told of it.
        """
        what, word = meaning
        if what == "motion" and not self._recorder:
            self._motion(found, channel, active, at, brief=brief, by=by)
        elif what == "picture":
            self._picture(found, word, channel, active, at, brief=brief)
        elif what == "disk":
            if self._due(("disk " + word, channel), active, at):
                fault = StorageFault(
                    device=self._device, at=at, what=cast("Disk", word), active=active, channel=channel
                )
                found.append(Reading(fault))
        elif what == "unrecorded":
            if self._due(("recording", channel), active, at):
                found.append(Reading(RecordingState(device=self._device, at=at, recording=not active, channel=channel)))
        else:
            self.beat(found, channel, at)

    def beat(self, found: list[Reading], channel: Channel | None, at: datetime, *, fault: bool = False) -> None:
        """The service lives, and perhaps reports a fault of itself; told in measure."""
        key = ("beat", channel)
        told = self._told.get(key)
        if told is not None and told.active == fault and _NEVER_BACK <= at - told.at < self._beat:
            return
        self._remember(key, fault, at)
        status: Literal["ok", "fault"] = "fault" if fault else "ok"
        found.append(Reading(CameraHeartbeat(device=self._device, at=at, channel=channel, status=status)))

    def pass_time(self, found: list[Reading], at: datetime) -> None:
        """It is now `at`: motion that was not repeated has ended."""
        if not self._moving:
            return
        for channel, until in list(self._moving.items()):
            if until is not None and at >= until:
                del self._moving[channel]
                self._end_motion(found, channel, at)

    def is_moving(self, channel: Channel | None) -> bool:
        """Whether motion on a channel is under way."""
        return channel in self._moving

    def cut(self, at: datetime | None) -> None:
        """The connection broke: what is not told again counts anew; motion under way ends after its quiet time."""
        self._told.clear()
        self._movers.clear()
        if at is not None:
            self._moving = {
                channel: at + self._quiet if until is None else until for channel, until in self._moving.items()
            }

    def _motion(
        self, found: list[Reading], channel: Channel | None, active: bool, at: datetime, *, brief: bool, by: str
    ) -> None:
        movers = self._movers.get(channel, set())
        if not active:
            movers.discard(by)
            if movers:
                self.beat(found, channel, at)
                return
            self._movers.pop(channel, None)
            known = channel in self._moving
            self._moving.pop(channel, None)
            if known or ("motion", channel) not in self._told:
                self._end_motion(found, channel, at)
            else:
                self.beat(found, channel, at)
            return
        if len(self._moving) >= _MOST_KEYS:
            self._moving.clear()
            self._movers.clear()
        if not brief:
            self._movers.setdefault(channel, movers).add(by)
        self._moving[channel] = None if movers else at + self._quiet
        if self._due(("motion", channel), True, at):
            found.append(Reading(Motion(device=self._device, at=at)))

    def _end_motion(self, found: list[Reading], channel: Channel | None, at: datetime) -> None:
        self._remember(("motion", channel), False, at)
        if not self._moving:  # of two lenses, one may still see it
            found.append(Reading(Motion(device=self._device, at=at, active=False)))

    def _picture(
        self, found: list[Reading], state: str, channel: Channel | None, active: bool, at: datetime, *, brief: bool
    ) -> None:
        key = (state, channel)
        told = self._told.get(key)
        if not active and (told is None or not told.active) and (told is not None or not self._heals):
            self.beat(found, channel, at)
            return
        if self._due(key, active, at):
            lasts = self._expires_s.get(state) if active and brief else None
            found.append(
                Reading(
                    VideoState(
                        device=self._device,
                        at=at,
                        state=cast("Picture", state),
                        channel=channel,
                        active=active,
                        expires_s=lasts or None,
                    )
                )
            )

    def _due(self, key: tuple[str, Channel | None], active: bool, at: datetime) -> bool:
        told = self._told.get(key)
        if told is not None and told.active == active and _NEVER_BACK <= at - told.at < self._beat:
            return False
        self._remember(key, active, at)
        return True

    def _remember(self, key: tuple[str, Channel | None], active: bool, at: datetime) -> None:
        if len(self._told) >= _MOST_KEYS:
            self._told.clear()
        self._told[key] = _Told(active, at)
