"""Cameras: their states, impairments, alerts, and through them the zones (spec: cameras.md; how: cameras.md here)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import SECOND, Instant, instant, moment
from gateway.rules import findings
from gateway.rules.devices import Devices
from gateway.rules.findings import Found
from gateway.rules.flapping import OFFLINE_ENDS, Flapping
from gateway.rules.impairments import KINDS, OF_THE_PICTURE, Impairments, Said
from gateway.rules.life import Life
from gateway.rules.operations import DeviceOperation
from gateway.rules.standing import Details, Standing, key_of
from gateway.rules.timers import Timers, earliest
from gateway.rules.zones import Area, Sight, Watch, Zones
from gateway.site.model import Site

CameraState = Literal["ok", "impaired", "offline", "unknown", "disabled"]

RULES = ("camera_offline", "camera_impaired", "recording_stopped")
"""One of these is told of a camera at a time."""


class CameraJudge(msgspec.Struct, kw_only=True):
    """One camera as it is now.

    Attributes:
        served: the last sign of service (before the first one: of life); `pardon`: the grace given since.
        pinged, filmed: the last answer of the network alone, and the last proof of a picture.
        told_for: the alert that its condition deserves (None: none, or not known now), and since when.
        spoken_for: a blind zone tells of it; `released`: when the last one ceased to.
    """

    life: Life
    impairments: Impairments
    flapping: Flapping
    served: Instant | None = None
    pardon: Instant | None = None
    state: CameraState = "unknown"
    cause: str | None = None
    since: Instant
    names: tuple[str, ...] = ()
    sight: Sight = "unknown"
    told_for: str | None = None
    told_since: Instant
    spoken_for: bool = False
    released: Instant = 0
    pinged: Instant | None = None
    filmed: Instant | None = None

    @property
    def id(self) -> str:
        return self.life.device.id

    def snapshot(self) -> list[Any]:
        plain = [getattr(self, name) for name in KEPT]
        return [plain, self.impairments.snapshot(), self.flapping.snapshot()]

    def restore(self, state: list[Any]) -> None:
        plain, impairments, flapping = state
        for name, value in zip(KEPT, plain, strict=False):
            setattr(self, name, value)
        self.names = tuple(self.names)
        self.impairments.restore(impairments)
        self.flapping.restore(flapping)


KEPT = (
    "served",
    "pardon",
    "state",
    "cause",
    "since",
    "names",
    "sight",
    "told_for",
    "told_since",
    "spoken_for",
    "released",
    "pinged",
    "filmed",
)


class Cameras:
    """Cameras and zones of a site.

    Attributes:
        concerned: devices whose observations concern a camera: cameras, and what has cameras for channels.
    """

    def __init__(self, site: Site, found: Found, devices: Devices, started: Instant) -> None:
        self.site = site
        self.found = found
        self.devices = devices
        self._clock = site.zone_info
        self._standing = Standing(site, found)
        self._timers: Timers[str] = Timers()
        self._cameras: dict[str, CameraJudge] = {}
        for device in site.devices.values():
            life = devices.life(device.id)
            if device.kind == "camera" and life is not None and device.expect_every is not None:
                self._cameras[device.id] = CameraJudge(
                    life=life,
                    impairments=Impairments(),
                    flapping=Flapping(device.expect_every),
                    state=life.state,
                    cause=life.cause,
                    since=started,
                    sight="disabled" if life.state == "disabled" else "unknown",
                    told_since=started,
                )
        behind = {camera.life.device.behind for camera in self._cameras.values()}
        self.concerned: frozenset[str] = frozenset(self._cameras) | frozenset(each for each in behind if each)
        self._zones = Zones(site, found, started, self._watch, devices)
        self._zones.begin(started)
        self._takers: dict[type, Callable[[CameraJudge, Any, Instant], None]] = {
            seen.CameraHeartbeat: _heartbeat,
            seen.VideoState: _picture,
            seen.CameraStats: _frames,
            seen.RecordingState: _recording,
            seen.StorageFault: _storage,
            seen.Reachable: _probe,
        }

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:  # noqa: ARG002
        """Take one observation, in gateway time: a camera's clock is often wrong (DOMAIN.md §7)."""
        camera = self._concerns(observation)
        if camera is None:
            return
        kind = type(observation)
        take = self._takers.get(kind)
        before = camera.names
        if kind is not seen.Reachable and kind is not seen.LinkStatus:
            if kind is not seen.DeviceStatus or observation.online:  # type: ignore[union-attr]
                self._served(camera, received)
        elif kind is seen.Reachable and observation.ok:  # type: ignore[union-attr]
            camera.impairments.end("unreachable")
            if observation.level == "service":  # type: ignore[union-attr]
                self._served(camera, received)
            else:
                camera.pinged = received
        if take is not None:
            take(camera, observation, received)
        if (
            camera.impairments.names() != before
            or camera.state != "ok"
            or camera.life.state != "ok"
            or self._timers.get(camera.id) is None
        ):
            self._judge(camera, received)

    def _concerns(self, observation: Observation) -> CameraJudge | None:
        """The camera that an observation is about: an NVR's channel, or the device itself."""
        channel = getattr(observation, "channel", None)
        if channel is not None:
            camera = self.devices.channel_of(observation.device, channel)
            if camera is not None:
                return self._cameras.get(camera)
        return self._cameras.get(observation.device)

    @staticmethod
    def _served(camera: CameraJudge, received: Instant) -> None:
        """A sign of service (and so of life)."""
        camera.served, camera.pardon = received, None
        if camera.impairments.standing:
            camera.impairments.end("service_dead")
            camera.impairments.end("unreachable")

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`. Zones first: a blind zone speaks for its cameras."""
        self._zones.advance(now)
        self._judge_together(sorted(key for _, key in self._timers.due(now)), now)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return earliest(self._timers.next(), self._zones.timers.next())

    def restarted(self, down_from: Instant, now: Instant) -> None:  # noqa: ARG002
        """The gateway was down: repeats that fell due meanwhile are waited for once more."""
        for camera in self._cameras.values():
            camera.impairments.resume(now)
        self._judge_together(sorted(self._cameras), now)

    def operate(self, operation: DeviceOperation) -> None:
        """An operator ends an impairment; the taking out of service itself comes through the devices."""
        camera = self._cameras.get(operation.device)
        if camera is None or operation.action != "clear" or operation.impairment is None:
            return
        camera.impairments.clear(operation.impairment)
        if operation.impairment == "service_dead" and camera.served is not None:
            camera.pardon = operation.at
        self._judge(camera, operation.at)
        self._retell(operation.at)

    def devices_changed(self, devices: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) changed, or what is told of them."""
        self._judge_together(sorted(name for name in devices if name in self._cameras), now)

    # Judging

    def _judge_together(self, names: list[str], now: Instant) -> None:
        """Judge them all before anything is told: of what happens at once the zones know first."""
        for name in names:
            self._judge(self._cameras[name], now, tell=False)
        for name in names:
            self._zones.look(name, now)
        for name in names:
            self._tell(self._cameras[name], now)
        self._retell(now)

    def _judge(self, camera: CameraJudge, now: Instant, *, tell: bool = True) -> None:
        life, wrong = camera.life, camera.impairments
        wrong.expire(now)
        when = self._serve(camera, now)
        known, camera.names = camera.names, wrong.names()
        names = camera.names
        state: CameraState
        if life.state != "ok":
            state, since = life.state, life.since
        else:
            state, since = ("impaired" if names else "ok"), when
        cause = life.cause if state == "unknown" else None
        if state != camera.state or cause != camera.cause or (state == "impaired" and names != known):
            self.found.touched["camera", camera.id] = None
        if state != camera.state:
            camera.state, camera.since = state, since
        camera.cause = cause
        self._flap(camera, now)
        self._deserve(camera, since)
        sight = _sight(state, wrong)
        if sight != camera.sight:
            before, camera.sight = camera.sight, sight
            self._zones.turn(camera.id, before, sight, since)
        if tell:
            self._zones.look(camera.id, now)
            self._tell(camera, now)
            self._retell(now)

    def _serve(self, camera: CameraJudge, now: Instant) -> Instant:
        """Judge the service: alive by a ping alone for longer than the timeout. Gives when a change of now began."""
        life = camera.life
        if life.last is None or life.timeout is None:
            return now
        if camera.served is None:
            camera.served = life.last
        if camera.pardon is None and life.forgiven is not None and life.forgiven > camera.served:
            camera.pardon = life.forgiven
        ends = max(camera.served, camera.pardon or 0) + life.timeout
        if life.own != "ok" or now <= ends or "service_dead" in camera.impairments.standing:
            return now
        camera.impairments.begin("service_dead", camera.served)
        return ends if now == ends + 1 else now

    def _flap(self, camera: CameraJudge, now: Instant) -> None:
        flapping = camera.flapping
        if flapping.deadline(now - 1) == now and flapping.check(now):
            self.found.touched["camera", camera.id] = None
        value = None if camera.state in ("unknown", "disabled") else camera.state == "ok"
        flapping.turn(value, now)
        if flapping.active and camera.state == "offline" and now >= camera.since + OFFLINE_ENDS:
            flapping.stop()
            self.found.touched["camera", camera.id] = None

    def _deserve(self, camera: CameraJudge, since: Instant) -> None:
        """Which alert its condition deserves, and since when."""
        deserved = None
        if camera.state == "offline":
            deserved = "camera_offline"
        elif camera.state == "impaired":
            deserved = "recording_stopped" if camera.names == ("not_recording",) else "camera_impaired"
            if deserved == "recording_stopped" and camera.told_for == "camera_impaired":
                since = max(camera.since, camera.impairments.standing["not_recording"].begun)
        if deserved != camera.told_for:
            camera.told_for, camera.told_since = deserved, since

    def _watch(self, name: str) -> Watch:
        """What a zone asks about a camera."""
        camera = self._cameras.get(name)
        if camera is None:
            return Watch("disabled", 0, None)
        began = camera.life.began
        if camera.state == "impaired":
            lost = [each.begun for kind, each in camera.impairments.standing.items() if KINDS[kind].cover_lost]
            began = min(lost, default=began)
        return Watch(camera.sight, began, self._told_cause(camera))

    def _told_cause(self, camera: CameraJudge) -> str | None:
        """The alert of the parent (or of its own link) that explains why a camera is unknown."""
        if camera.life.suppressor is not None:
            return self.devices.told(camera.life.suppressor)
        return self.devices.told(camera.id) if camera.life.own_cause == "link_down" else None

    # Telling

    def _retell(self, now: Instant) -> None:
        """A zone's alert began or ended: its cameras' own alerts are looked at again."""
        while self._zones.retell:
            names = sorted(self._zones.retell)
            self._zones.retell.clear()
            for name in names:
                if name in self._cameras:
                    self._tell(self._cameras[name], now)

    def _tell(self, camera: CameraJudge, now: Instant) -> None:
        """Raise what has lasted long enough and nothing else tells of, end what is over, note when to look again."""
        name, standing, flapping = camera.id, self._standing, camera.flapping
        offline = ("camera_offline", name) in standing
        into = self._zones.blind_alert(name)
        if camera.spoken_for and into is None:
            camera.released = now
        camera.spoken_for = into is not None
        if camera.state == "disabled":
            for rule in (*RULES, "flapping"):
                standing.end(rule, name, now, "disabled")
        elif into is not None:
            for rule in (*RULES, "flapping"):
                standing.merge(rule, name, now, into)
        elif flapping.active:
            for rule in RULES:
                standing.merge(rule, name, now, key_of("flapping", name))
            details: Details = {"camera": name}
            place = camera.life.device.place
            standing.start("flapping", name, at=now, raised=flapping.since or now, details=details, place=place)
        else:
            standing.end("flapping", name, now, "steady")
            self._tell_one(camera, now)
        self._arm(camera, now)
        if offline != (("camera_offline", name) in standing) and name in self.devices.lineage.children:
            self.devices.announce(name, None if offline else key_of("camera_offline", name), now)

    def _tell_one(self, camera: CameraJudge, now: Instant) -> None:
        name, standing, deserved = camera.id, self._standing, camera.told_for
        if camera.state == "unknown":
            into = self._told_cause(camera)
            if into is not None:
                standing.merge("camera_offline", name, now, into)
                if all(KINDS[each].absence for each in camera.names):
                    standing.merge("camera_impaired", name, now, into)
            return
        raises = deserved is not None and ((deserved, name) in standing or self._due(camera) <= now)
        for rule in RULES:
            if rule == deserved:
                continue
            if deserved is None or not self._lasts(camera, rule):
                standing.end(rule, name, now, "heard" if rule == "camera_offline" else camera.impairments.ended_by)
            elif raises:
                standing.merge(rule, name, now, key_of(deserved, name))
        if raises and deserved is not None:
            details, raised = self._details(camera, deserved)
            place = camera.life.device.place
            standing.start(deserved, name, at=now, raised=raised, details=details, place=place)

    @staticmethod
    def _lasts(camera: CameraJudge, rule: str) -> bool:
        """Whether what an alert tells of stands, though something else is to be told in its place."""
        if camera.state == "offline":
            return rule != "camera_offline"
        return rule == "recording_stopped" and "not_recording" in camera.names

    def _due(self, camera: CameraJudge) -> Instant:
        """When its condition has lasted long enough; absence is not told while the gateway keeps restarting.

        Cameras that come back together are heard one after the other: those of a zone that sees again have a hold of
        their own from then.
        """
        due = self.devices.held_since(max(camera.told_since, camera.released)) + self.site.hold
        if camera.told_for == "camera_offline":
            return max(due, self.devices.quiet_until() or 0)
        return due

    def _details(self, camera: CameraJudge, rule: str) -> tuple[Details, Instant]:
        """What an alert says, and when its condition began by the evidence."""
        details: Details = {"camera": camera.id}
        life = camera.life
        if rule == "camera_offline":
            if life.last is not None:
                details["last_heard"] = moment(life.last, self._clock).isoformat()
            return details, life.began
        details["impairments"] = list(camera.names)
        begun = [
            each.begun
            for name, each in camera.impairments.standing.items()
            if rule == "recording_stopped" or name != "not_recording"
        ]
        return details, min(camera.told_since, *begun)

    def _arm(self, camera: CameraJudge, now: Instant) -> None:
        """When to look at it again: an expiry, a silent service, a check, a hold, the end of flapping by silence."""
        life, dues = camera.life, []
        if (expiry := camera.impairments.expiry()) is not None:
            dues.append(expiry)
        if camera.served is not None and life.timeout is not None and "service_dead" not in camera.impairments.standing:
            dues.append(max(camera.served, camera.pardon or 0) + life.timeout + 1)
        if (check := camera.flapping.deadline(now)) is not None:
            dues.append(check)
        if camera.told_for is not None:
            dues.append(self._due(camera))
        if camera.flapping.active and camera.state == "offline":
            dues.append(camera.since + OFFLINE_ENDS)
        self._timers.set(camera.id, min((due for due in dues if due > now), default=None))

    # Views

    def cameras(self) -> list[findings.Camera]:
        """All cameras, by id."""
        return [self._view(self._cameras[name]) for name in sorted(self._cameras)]

    def camera(self, camera_id: str) -> findings.Camera | None:
        camera = self._cameras.get(camera_id)
        return None if camera is None else self._view(camera)

    def _view(self, camera: CameraJudge) -> findings.Camera:
        return findings.Camera(
            id=camera.id,
            state=camera.state,
            impairments=camera.names if camera.state == "impaired" else (),
            cause=camera.cause,
            since=moment(camera.since, self._clock),
            flapping=camera.flapping.active,
        )

    def judge_of(self, camera_id: str) -> CameraJudge | None:
        """What is known of a camera; to be read only."""
        return self._cameras.get(camera_id)

    def area_of(self, zone_id: str) -> Area | None:
        """What is known of a zone; to be read only."""
        return self._zones.area(zone_id)

    def zone_alert(self, area: Area) -> tuple[Instant | None, str | None]:
        """When the alert of a zone's state is told, and the open one (`rule:subject`)."""
        return self._zones.due(area), self._zones.alert_of(area.zone.id)

    def due(self, camera: CameraJudge) -> Instant | None:
        """When the alert that its condition deserves is told, or was; None: it deserves none."""
        return None if camera.told_for is None else self._due(camera)

    def alert_of(self, camera_id: str) -> str | None:
        """The open alert (`rule:subject`) that tells of a camera, or None."""
        rules = ("flapping", *RULES)
        own = next((key_of(rule, camera_id) for rule in rules if (rule, camera_id) in self._standing), None)
        camera = self._cameras.get(camera_id)
        above = None if camera is None or camera.state != "unknown" else self._told_cause(camera)
        return self._zones.blind_alert(camera_id) or own or above

    def zones(self) -> list[findings.Zone]:
        """All zones, by id."""
        return self._zones.zones()

    def zone(self, zone_id: str) -> findings.Zone | None:
        return self._zones.zone(zone_id)

    def snapshot(self) -> Any:
        return {
            "cameras": {name: camera.snapshot() for name, camera in self._cameras.items()},
            "standing": self._standing.snapshot(),
            "zones": self._zones.snapshot(),
            "at": self.devices.judged_at,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot; the devices have taken up theirs already."""
        at: Instant = state["at"]
        self._timers = Timers()
        self._standing.restore(state["standing"], at, self._cameras.__contains__)
        for name, camera in self._cameras.items():
            camera.life = self.devices.life(name) or camera.life
            if (known := state["cameras"].get(name)) is not None:
                camera.restore(known)
            else:
                camera.state, camera.cause, camera.since = camera.life.state, camera.life.cause, at
                camera.told_since = at
        self._zones.restore(state["zones"], at)
        for camera in self._cameras.values():
            self._arm(camera, at)


def _sight(state: CameraState, wrong: Impairments) -> Sight:
    if state in ("disabled", "unknown"):
        return state
    return "seeing" if state == "ok" or (state == "impaired" and not wrong.cover_lost) else "lost"


def _heartbeat(camera: CameraJudge, beat: seen.CameraHeartbeat, received: Instant) -> None:
    if beat.status == "fault":
        camera.impairments.begin("reported_fault", received, _said(beat, "camera_heartbeat", received, status="fault"))
    else:
        camera.impairments.end("reported_fault")


def _picture(camera: CameraJudge, video: seen.VideoState, received: Instant) -> None:
    if video.state == "ok":
        if video.active:
            camera.filmed = received
            for name in OF_THE_PICTURE:
                camera.impairments.end(name)
    elif not video.active:
        camera.impairments.end(video.state)
    else:
        lasts = None if video.expires_s is None else round(video.expires_s * SECOND)
        expires = None if lasts is None else received + lasts
        said = _said(video, "video_state", received, state=video.state)
        camera.impairments.begin(video.state, received, said, expires=expires, lasts=lasts)


def _frames(camera: CameraJudge, stats: seen.CameraStats, received: Instant) -> None:
    if stats.fps > 0:
        camera.filmed = received
    camera.impairments.frames(stats.fps, stats.device, instant(stats.at), received)


def _recording(camera: CameraJudge, recording: seen.RecordingState, received: Instant) -> None:
    if recording.recording:
        camera.impairments.end("not_recording")
    else:
        said = _said(recording, "recording_state", received, recording=False)
        camera.impairments.begin("not_recording", received, said)


def _storage(camera: CameraJudge, fault: seen.StorageFault, received: Instant) -> None:
    said = _said(fault, "storage_fault", received, what=fault.what)
    camera.impairments.storage(fault.what, fault.active, said)


def _probe(camera: CameraJudge, probe: seen.Reachable, received: Instant) -> None:
    if not probe.ok:
        camera.impairments.begin(
            "unreachable", received, _said(probe, "reachable", received, ok=False, level=probe.level)
        )


def _said(observation: Observation, kind: str, received: Instant, **value: str | bool) -> Said:
    """A report as the evidence of an impairment."""
    return Said(observation.device, kind, instant(observation.at), received, {**value})
