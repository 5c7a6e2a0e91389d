"""What statements of GB/T 28181 mean as observations: tables, and the few lines that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, assert_never

from device_drivers.driver import Reading
from device_drivers.gb28181.manscdp import Alarm, Catalog, Keepalive, Other, Statement, Status
from device_drivers.observations import (
    CameraHeartbeat,
    Channel,
    DeviceStatus,
    Measurement,
    Motion,
    Observation,
    RecordingState,
    StorageFault,
    VideoState,
)

ALARM_LASTS_S = 600.0
"""How long an alarm about the picture stands after its last repeat: no device sends its end (site: `alarm_lasts_s`)."""


class Place(NamedTuple):
    """Whom a statement is about.

    Args:
        device: who speaks.
        channel: which of its channels, None for itself.
        own: the device that the channel is in the site (the speaker itself if it is none).
    """

    device: str
    channel: Channel | None
    own: str


Named = Callable[[str], Place | None]
"""From an id in a message to whom it means; None: nobody of the site."""


class Report(NamedTuple):
    """What an alarm becomes: of `video` a state of the picture, of `storage` a fault, of `measurement` a quantity of 1."""

    target: Literal["video", "motion", "storage", "measurement"]
    name: str = ""


ALARMS: Mapping[tuple[int, int], Report] = {
    (2, 1): Report("video", "loss"),
    (2, 2): Report("measurement", "tamper"),
    (2, 3): Report("storage", "disk_full"),
    (2, 4): Report("measurement", "over_temperature"),
    (2, 5): Report("measurement", "under_temperature"),
    (5, 2): Report("motion"),  # a moving object
    (5, 5): Report("motion"),  # crossed a line
    (5, 6): Report("motion"),  # entered or left an area
    (5, 7): Report("motion"),  # went against the direction
    (5, 8): Report("motion"),  # loiters
    (5, 12): Report("motion"),  # moves fast
    (5, 13): Report("video", "blind"),  # 2022 edition: the picture is covered
    (6, 1): Report("storage", "disk_error"),
    (6, 2): Report("measurement", "fan_fault"),
}
"""By AlarmMethod and AlarmType (GB/T 28181-2016 and -2022, A.2.5). What is not here is understood and no observation:
calls by telephone, text message or GPS, objects left or taken, counting, density, an unspecific "picture abnormal".
"""

LEFT = 2
"""EventType of an intrusion: 1 entered, 2 left the area."""

EVENTS: Mapping[str, bool | None] = {"ON": True, "OFF": False, "DEL": False, "ADD": None, "UPDATE": None}
"""Of a notified catalogue: what an event says of a channel; None: its Status does (A.2.5)."""


def observations(
    statement: Statement, named: Named, at: datetime, alarm_lasts_s: float = ALARM_LASTS_S
) -> list[Reading]:
    """The observations in a statement.

    Args:
        named: whom an id means.
        at: when it was received: the times inside have no zone.
        alarm_lasts_s: how long an alarm about the picture stands after its last repeat.
    """
    match statement:
        case Keepalive():
            found = _keepalive(statement, named, at)
        case Alarm():
            found = _alarm(statement, named, at, alarm_lasts_s)
        case Catalog():
            found = _catalog(statement, named, at, alarm_lasts_s)
        case Status():
            found = _status(statement, named, at)
        case Other():
            found = []
        case _:
            assert_never(statement)
    return [Reading(each) for each in found]


def _keepalive(beat: Keepalive, named: Named, at: datetime) -> list[Observation]:
    """The device's own heartbeat, then its faulty channels: it says that they live, and that something is wrong."""
    place = named(beat.device_id)
    if place is None:
        return []
    status: Literal["ok", "fault"] = "ok" if beat.ok else "fault"
    found: list[Observation] = []
    for each in dict.fromkeys(beat.faulty):
        about = named(each)
        if about is None:
            continue
        if about == place:
            status = "fault"
        else:
            found.append(CameraHeartbeat(device=about.device, at=at, channel=about.channel, status="fault"))
    return [CameraHeartbeat(device=place.device, at=at, channel=place.channel, status=status), *found]


def _alarm(alarm: Alarm, named: Named, at: datetime, lasts_s: float) -> list[Observation]:
    place = named(alarm.device_id)
    report = ALARMS.get((alarm.method or 0, alarm.type or 0))
    if place is None or report is None:
        return []
    if report.target == "motion":  # a motion has no channel: it is the camera's own
        return [Motion(device=place.own, at=at, active=alarm.event != LEFT)]
    device, channel = place.device, place.channel
    match report:
        case Report("video", ("loss" | "blind") as state):
            return [VideoState(device=device, at=at, channel=channel, state=state, expires_s=lasts_s)]
        case Report("storage", ("disk_full" | "disk_error") as what):
            return [StorageFault(device=device, at=at, channel=channel, what=what)]
    return [Measurement(device=device, at=at, channel=channel, quantity=report.name, value=1.0)]


def _catalog(catalog: Catalog, named: Named, at: datetime, lasts_s: float) -> list[Observation]:
    """What a recorder says of its channels. Its own entry in the list proves nothing that its sending does not."""
    speaker = named(catalog.device_id)
    found: list[Observation] = []
    for item in catalog.items:
        about = named(item.device_id)
        if about is None or about == speaker:
            continue
        device, channel = about.device, about.channel
        if item.event == "VLOST":
            found.append(VideoState(device=device, at=at, channel=channel, state="loss", expires_s=lasts_s))
        elif item.event == "DEFECT":
            found.append(CameraHeartbeat(device=device, at=at, channel=channel, status="fault"))
        else:
            online = EVENTS.get(item.event)
            online = item.online if online is None else online
            if online is not None:
                found.append(DeviceStatus(device=device, at=at, channel=channel, online=online, reason="catalog"))
    return found


def _status(status: Status, named: Named, at: datetime) -> list[Observation]:
    place = named(status.device_id)
    if place is None:
        return []
    device, channel = place.device, place.channel
    found: list[Observation] = []
    if status.online is not None:
        found.append(DeviceStatus(device=device, at=at, channel=channel, online=status.online, reason="status"))
    if status.ok is not None and status.online is not False:
        beat: Literal["ok", "fault"] = "ok" if status.ok else "fault"
        found.append(CameraHeartbeat(device=device, at=at, channel=channel, status=beat))
    if status.recording is not None:
        found.append(RecordingState(device=device, at=at, channel=channel, recording=status.recording))
    return found
