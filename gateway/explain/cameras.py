"""Why a camera or a zone is judged as it is (spec: cameras.md; how it is judged: gateway/rules/cameras.md).

Reads what the judge remembers and changes nothing. All of this is in gateway time: an observation's `at` here is when
the gateway had it, except where the device's own time is kept with a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.explain import wording_cameras as words
from gateway.explain.explanation import Explanation, Item, Piece, Sentence, Witness
from gateway.explain.names import alert_of
from gateway.explain.phrases import NOTHING, Said, clock, length, lowered, number, sentence, series
from gateway.instants import Instant, moment, seconds
from gateway.judgement import Judgement
from gateway.rules.cameras import CameraJudge
from gateway.rules.flapping import BEGINS, CHECKS, ENDS
from gateway.rules.impairments import KINDS, Impairment
from gateway.rules.impairments import Said as Report
from gateway.rules.life import Life
from gateway.rules.zones import Area

SECTION = "cameras.md, Cameras"


def explain_camera(judgement: Judgement, camera_id: str, now: Instant) -> Explanation | None:
    """Why a camera is in its state; None: the site has no such camera."""
    camera = judgement.engine.cameras.judge_of(camera_id)
    return None if camera is None else _Camera(judgement, camera, now).explain()


def explain_zone(judgement: Judgement, zone_id: str, now: Instant) -> Explanation | None:
    """Why a zone is in its state, with its cameras as parts; None: the site has no such zone."""
    area = judgement.engine.cameras.area_of(zone_id)
    return None if area is None else _Zone(judgement, area, now).explain()


class _Camera:
    """One camera, as known at `now`."""

    def __init__(self, judgement: Judgement, camera: CameraJudge, now: Instant) -> None:
        self.cameras = judgement.engine.cameras
        self.devices = judgement.engine.devices
        self.causes = judgement.engine.causes
        self.site = judgement.site
        self.camera = camera
        self.life = camera.life
        self.now = now
        self.zone = judgement.site.zone_info
        place = self.site.places.get(self.life.device.place or "")
        where = "" if place is None else place.name
        self.name = Said(
            f"{where}的摄像机 {camera.id}" if where else f"摄像机 {camera.id}",
            f"Camera {camera.id} ({where})" if where else f"Camera {camera.id}",
        )

    def explain(self) -> Explanation:
        camera, state = self.camera, self.camera.state
        names = camera.names if state == "impaired" else ()
        return Explanation(
            kind="camera",
            id=camera.id,
            result=state,
            cause=names[0] if names else self.cause(),
            known_at=self._at(self.now),
            rule=self._rule(names),
            sentence=self._sentence(),
            expected=self._expected(names),
            evidence=self._evidence(names),
            witnesses=_witnesses(self.devices.life, self._concerned(), self.now, self._at),
            marks=("flapping",) if camera.flapping.active else (),
        )

    def cause(self) -> str | None:
        """Why nothing is known of it, or why it is offline though it was not silent."""
        if self.camera.state == "offline":
            return "last_will" if self.life.will is not None else "silence"
        return self.camera.cause

    def _rule(self, names: tuple[str, ...]) -> str:
        if names:
            return f"{SECTION}, {names[0]}, begins"
        if self.camera.state == "unknown":
            above = self.life.suppressor is not None
            return f"cameras.md, Any device, {'Parents' if above else self.camera.cause}"
        return f"{SECTION}, State, {self.camera.state}"

    # -- what is said ----------------------------------------------------------------------------------------------

    def _sentence(self) -> Sentence:
        state = self.camera.state
        name = self.name
        if state == "disabled":
            by = "操作员" if self.life.said is False else "项目文件"
            by_en = "an operator" if self.life.said is False else "the site file"
            return sentence(
                Said(f"{name.zh}已由{by}停用，不作判断。", f"{name.en} was taken out of service by {by_en}.")
            )
        said = {
            "ok": self._ok,
            "offline": self._offline,
            "impaired": self._impaired,
            "unknown": self._unknown,
        }[state]()
        return sentence(said, self._flaps(), self._told())

    def _ok(self) -> Said:
        last = self._or_dash(self.life.last)
        return Said(f"{self.name.zh}正常，最近一次信号 {last}。", f"{self.name.en} is well; last heard at {last}.")

    def _offline(self) -> Said:
        life, name = self.life, self.name
        if life.will is not None:
            at = self._clock(life.will)
            return Said(
                f"{name.zh}离线：{at} 收到它的断线报告（last will），之后除 ping 外没有再收到它的信号。",
                f"{name.en} is offline: its last will came at {at}, and no sign but pings since.",
            )
        timeout = length(life.timeout or 0)
        last, since = self._or_dash(life.last), self._clock(self.camera.since)
        return Said(
            f"{name.zh}离线：最后一次信号（含 ping）是 {last}，静默超过 {timeout.zh}时限，自 {since} 起算离线。"
            "请检查电源、网线和交换机端口。",
            f"{name.en} is offline: it was last heard, pings included, at {last}; silent for longer than its {timeout.en}, "
            f"it counts as offline since {since}. Check its power, cable and switch port.",
        )

    def _impaired(self) -> Said:
        said = [self._impairment(name) for name in self.camera.names]
        lost = self.camera.impairments.cover_lost
        sees = (
            Said("此刻不算有覆盖。", "It covers nothing now.")
            if lost
            else Said("仍算有覆盖。", "It still covers its view.")
        )
        return Said(
            f"{self.name.zh}有问题：{';'.join(each.zh for each in said)}。{sees.zh}",
            f"{self.name.en} is impaired: it {'; it '.join(each.en for each in said)}. {sees.en}",
        )

    def _impairment(self, name: str) -> Said:
        each, row = self.camera.impairments.standing[name], words.IMPAIRMENTS[name]
        begun, ends = self._clock(each.begun), words.ENDS[name]
        by = NOTHING if each.said is None else Said(f"（{each.said.device} 报告）", f" (said by {each.said.device})")
        if each.expires is not None:
            until = self._clock(each.expires)
            ends = Said(f"{ends.zh}；若不再重报，{until} 视为结束", f"{ends.en}; unless repeated it is over at {until}")
        if name == "service_dead":
            pinged = self._or_dash(self.camera.pinged)
            return Said(
                f"{row.zh}，最后一次服务信号 {begun}，最近一次 ping {pinged}，{ends.zh}",
                f"{row.en} (last sign of service {begun}, last ping {pinged}; {ends.en})",
            )
        return Said(f"自 {begun} 起{row.zh}{by.zh}，{ends.zh}", f"{row.en} since {begun}{by.en}; {ends.en}")

    def _unknown(self) -> Said:
        camera, life = self.camera, self.life
        cause = camera.cause or ""
        row = words.CAUSES.get(cause, words.CAUSES["failed"])
        until = "—" if life.grace is None or life.timeout is None else self._clock(life.grace + life.timeout)
        since = self._since_down(cause)
        above = self.site.parents.get(cause)
        facts = {"cause": cause if above is None else above.called, "until": until, "since": self._or_dash(since)}
        return Said(
            f"{self.name.zh}状态不明：{row.zh.format(**facts)}。这不算故障。",
            f"Nothing is known of {lowered(self.name.en)}: {row.en.format(**facts)}. That is no fault.",
        )

    def _since_down(self, cause: str) -> Instant | None:
        """Since when what is named is down."""
        if cause == "link_down":
            return self.life.link_down
        if (fault := self.causes.fault(cause)) is not None:
            return fault.since
        above = self.devices.life(cause)
        return None if above is None or above.fall is None else above.fall.at

    def _flaps(self) -> Said:
        flapping = self.camera.flapping
        if not flapping.active:
            return NOTHING
        share = number(flapping.share)
        return Said(
            f"它时好时坏：最近 {CHECKS} 次检查的加权变化达 {share}%（≥{BEGINS}% 开始，<{ENDS}% 结束），期间只报一个抖动报警。",
            f"It flaps: {share} % of its last {CHECKS} checks changed ({BEGINS} % begins it, under {ENDS} % ends it); one "
            "alert tells of that.",
        )

    def _told(self) -> Said:
        by, due = self.cameras.alert_of(self.camera.id), self.cameras.due(self.camera)
        if by is not None:
            alert = alert_of(self.site, by)
            return Said(f"报警：{alert.zh}。", f"Alert: {alert.en}.")
        if due is None or due <= self.now:
            return NOTHING
        at = self._clock(due)
        return Said(f"若持续到 {at} 则报警。", f"It is told if it lasts until {at}.")

    # -- facts -----------------------------------------------------------------------------------------------------

    def _expected(self, names: tuple[str, ...]) -> dict[str, Any]:
        camera, life = self.camera, self.life
        every = life.device.expect_every
        found: dict[str, Any] = {
            "expect_every_s": None if every is None else seconds(every),
            "timeout_s": None if life.timeout is None else seconds(life.timeout),
            "hold_s": seconds(self.site.hold),
            "proof": {
                "reachable": self._at(camera.pinged),
                "service": self._at(camera.served if life.last is not None else None),
                "video": self._at(camera.filmed),
                "any": self._at(life.last),
            },
            "sees": camera.sight,
            "since": self._at(camera.since),
            "parents": self._parents(),
            "impairments": {name: self._facts(name, camera.impairments.standing[name]) for name in names},
            "flapping": {
                "active": camera.flapping.active,
                "share_percent": camera.flapping.share,
                "begins_percent": BEGINS,
                "ends_percent": ENDS,
                "checks": CHECKS,
            },
            "alert": self._alert(),
        }
        if life.last is not None and life.timeout is not None:
            found["silent_from"] = self._at((life.reference or life.last) + life.timeout)
        if life.grace is not None and life.timeout is not None:
            found["grace"] = {
                "why": life.grace_why,
                "from": self._at(life.grace),
                "until": self._at(life.grace + life.timeout),
            }
        return found

    def _facts(self, name: str, each: Impairment) -> dict[str, Any]:
        row = KINDS[name]
        found: dict[str, Any] = {
            "since": self._at(each.begun),
            "cover_lost": row.cover_lost,
            "begins": f"{SECTION}, {name}, begins",
            "ends": f"{SECTION}, {name}, ends",
        }
        if each.expires is not None:
            found["expires"] = self._at(each.expires)
        if name == "storage_fault":
            found["kinds"] = list(self.camera.impairments.storage_kinds)
        return found

    def _alert(self) -> dict[str, Any]:
        found: dict[str, Any] = {"told_by": self.cameras.alert_of(self.camera.id)}
        if self.camera.told_for is not None:
            found["rule"] = self.camera.told_for
            found["due"] = self._at(self.cameras.due(self.camera))
        return found

    def _parents(self) -> list[dict[str, Any]]:
        """What it hangs below, nearest first, and what of that is down since when."""
        found: list[dict[str, Any]] = []
        lineage = self.devices.lineage
        for name in lineage.above(lineage.parents.get(self.camera.id, ())):
            root = self.devices.root(name)
            each: dict[str, Any] = {"id": name, "down": root is not None}
            if root is not None:
                each |= {"by": root, "since": self._at(self._since_down(root))}
            found.append(each)
        return found

    def _evidence(self, names: tuple[str, ...]) -> tuple[Item, ...]:
        camera, life, items = self.camera, self.life, []
        device = camera.id
        if life.will is not None:
            items.append(
                self._sign(device, "device_status", life.will, value={"online": False}, used=True, why="last_will")
            )
        if life.last is not None:
            used = camera.state in ("ok", "offline")
            items.append(self._sign(device, "sign_of_life", life.last, value={}, used=used, why="last_heard"))
        if camera.pinged is not None:
            dead = "service_dead" in names
            value = {"ok": True, "level": "network"}
            why = "reachable" if dead else "ping_proves_no_service"
            items.append(self._sign(device, "reachable", camera.pinged, value=value, used=dead, why=why))
        if camera.served is not None and camera.served != life.last:
            used = "service_dead" in names
            items.append(self._sign(device, "sign_of_service", camera.served, value={}, used=used, why="last_service"))
        if camera.filmed is not None:
            items.append(self._sign(device, "sign_of_video", camera.filmed, value={}, used=False, why="last_picture"))
        for name, each in camera.impairments.standing.items():
            hidden = name not in names
            for said, why in ((each.said, "begins"), (each.again, "repeated")):
                if said is not None:
                    items.append(self._report(said, used=not hidden, why="hidden" if hidden else why))
        return tuple(sorted(items, key=lambda item: (item.at, item.kind, item.why)))

    def _sign(self, device: str, kind: str, at: Instant, *, value: dict[str, Any], used: bool, why: str) -> Item:
        when = self._at(at)
        return Item(device=device, kind=kind, at=when, received=when, used=used, why=why, value=value)

    def _report(self, said: Report, *, used: bool, why: str) -> Item:
        at, received = self._at(said.at), self._at(said.received)
        return Item(
            device=said.device,
            kind=said.kind,
            at=at,
            judged_at=None if at == received else received,
            received=received,
            used=used,
            why=why,
            value={**said.value},
        )

    def _concerned(self) -> list[str]:
        """Itself and the devices above it."""
        lineage = self.devices.lineage
        above = lineage.above(lineage.parents.get(self.camera.id, ()))
        return [self.camera.id, *(name for name in above if self.devices.life(name) is not None)]

    def _at(self, at: Instant | None) -> Any:
        return None if at is None else moment(at, self.zone)

    def _clock(self, at: Instant) -> str:
        return clock(at, self.now, self.zone)

    def _or_dash(self, at: Instant | None) -> str:
        return "—" if at is None else self._clock(at)


class _Zone:
    """One zone, as known at `now`."""

    def __init__(self, judgement: Judgement, area: Area, now: Instant) -> None:
        self.judgement = judgement
        self.cameras = judgement.engine.cameras
        self.area = area
        self.now = now
        self.zone = judgement.site.zone_info
        place = judgement.site.places.get(area.zone.place)
        where = area.zone.place if place is None else place.name
        self.key = place is not None and place.key
        self.name = Said(f"区域 {area.zone.id}（{where}）", f"Zone {area.zone.id} ({where})")
        self.parts = [
            _Camera(judgement, camera, now)
            for name in area.zone.cameras
            if (camera := self.cameras.judge_of(name)) is not None
        ]

    def explain(self) -> Explanation:
        area = self.area
        parts = tuple(part.explain() for part in self.parts)
        witnesses = {each.device: each for part in parts for each in part.witnesses}
        due, told = self.cameras.zone_alert(area)
        alert: dict[str, Any] = {"told_by": told}
        if told is None and due is not None:
            alert["due"] = moment(due, self.zone)
        counts = area.counts
        return Explanation(
            kind="zone",
            id=area.zone.id,
            result=area.state,
            cause="no_enabled_camera" if self._none_enabled() else None,
            known_at=moment(self.now, self.zone),
            rule=f"cameras.md, Zones, {area.state}",
            sentence=self._sentence(told, due),
            expected={
                "need": area.zone.need,
                "seeing": counts["seeing"],
                "lost": counts["lost"],
                "unknown": counts["unknown"],
                "disabled": counts["disabled"],
                "since": moment(area.since, self.zone),
                "key": self.key,
                "cameras": {part.camera.id: self._camera(part) for part in self.parts},
                "alert": alert,
            },
            evidence=tuple(
                item for part in parts if part.result in ("impaired", "offline") for item in part.evidence if item.used
            ),
            witnesses=tuple(witnesses[name] for name in sorted(witnesses)),
            parts=parts,
        )

    def _none_enabled(self) -> bool:
        return self.area.counts["disabled"] == len(self.area.zone.cameras)

    @staticmethod
    def _camera(part: _Camera) -> dict[str, Any]:
        camera = part.camera
        found: dict[str, Any] = {"sees": camera.sight, "state": camera.state}
        if camera.state == "impaired":
            found["why"] = list(camera.names)
        elif (cause := part.cause()) is not None:
            found["why"] = [cause]
        return found

    def _sentence(self, told: str | None, due: Instant | None) -> Sentence:
        area = self.area
        counts, need = area.counts, area.zone.need
        row, count = words.ZONES[area.state], len(area.zone.cameras)
        since = clock(area.since, self.now, self.zone)
        if self._none_enabled():
            said = Said(
                f"{self.name.zh}{row.zh}：没有一台摄像机在用。",
                f"{self.name.en} {row.en}: none of its cameras is in service.",
            )
        else:
            said = Said(
                f"{self.name.zh}自 {since} 起{row.zh}：{count} 台摄像机中 {counts['seeing']} 台看得见，至少要 {need} 台。",
                f"{self.name.en} {row.en} since {since}: {counts['seeing']} of {count} cameras see, {need} must.",
            )
        others = [self._why(part) for part in self.parts if part.camera.sight != "seeing"]
        listed = NOTHING
        if others and not self._none_enabled():
            zh, en = series([each.zh for each in others]).zh, series([each.en for each in others]).en
            listed = Said(f"其中看不见或不明的：{zh}。", f"Not seeing, or not known: {en}.")
        alert = NOTHING
        if told is not None:
            by = alert_of(self.judgement.site, told)
            alert = Said(f"报警：{by.zh}。", f"Alert: {by.en}.")
        elif due is not None and due > self.now:
            at = clock(due, self.now, self.zone)
            alert = Said(f"若持续到 {at} 则报警。", f"It is told if it lasts until {at}.")
        return sentence(said, listed, alert)

    def _why(self, part: _Camera) -> Said:
        """One camera that does not see, and why not."""
        camera = part.camera
        sight = words.SIGHTS[camera.sight]
        if camera.state == "impaired":
            rows = [words.IMPAIRMENTS[name] for name in camera.names if KINDS[name].cover_lost]
            why = Said("、".join(row.zh for row in rows), ", ".join(row.en for row in rows))
        elif camera.state == "offline":
            why = Said("离线", "offline")
        elif camera.state == "unknown":
            why = words.SHORT.get(camera.cause or "", Said(f"{camera.cause} 不通", f"{camera.cause} is down"))
        else:
            why = sight
        return Said(f"{camera.id}（{why.zh}）", f"{camera.id} ({why.en})")


def _witnesses(lives: Any, names: Iterable[str], now: Instant, at: Any) -> tuple[Witness, ...]:
    """Devices as witnesses of their own life: until when their last sign holds, and since when they are silent and why."""
    found = {}
    for name in names:
        life: Life | None = lives(name)
        if life is None or name in found:
            continue
        complete: tuple[Piece, ...] = ()
        missing: tuple[Piece, ...] = ()
        if life.state == "ok":
            begun = life.since if life.last is None else min(life.since, life.last)
            complete = (Piece(since=at(begun), until=at(now)),)
        else:
            why = life.cause or ("silence" if life.state == "offline" and life.will is None else life.state)
            missing = (Piece(since=at(min(life.began, now)), until=at(now), why=why),)
        found[name] = Witness(device=name, complete=complete, missing=missing, last_heard=at(life.last))
    return tuple(found.values())
