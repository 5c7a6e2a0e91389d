"""Alerts of absence and of reported faults of devices (spec: cameras.md, Any device)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from gateway.instants import DAY, Duration, Instant, moment
from gateway.rules.findings import Found
from gateway.rules.life import LINK, Life
from gateway.rules.lineage import Lineage
from gateway.rules.standing import Details, Standing, key_of, listed
from gateway.rules.starts import Starts
from gateway.rules.timers import Timers
from gateway.site.model import Severity, Site

NEVER_HEARD_AFTER = DAY

RANKS: tuple[Severity, ...] = ("warning", "minor", "major", "critical")

BELOW: Mapping[str, tuple[str, Severity]] = {
    "camera": ("camera_offline", "minor"),
    "reader": ("reader_offline", "minor"),
    "wand": ("reader_offline", "minor"),
    "circuit": ("circuit_fault", "major"),
    "zone": ("zone_blind", "major"),
    "key_zone": ("zone_blind", "critical"),
}
"""What the loss of a thing would be told as, and its severity unless the site says otherwise; others: `device_offline`."""

ENDS: Mapping[str, str] = {"link_down": "up", "device_offline": "heard", "device_never_heard": "heard"}
"""Why an alert of absence is over."""


class DeviceAlerts:
    """`device_offline`, `link_down`, `device_impaired`, `device_never_heard`, `gateway_restarting`.

    Attributes:
        told: of each thing that is down and told, its alert as `rule:subject`.
        timers: when an alert of a device may fall due.
    """

    def __init__(self, site: Site, found: Found, lineage: Lineage, readers: Container[str], starts: Starts) -> None:
        self._site = site
        self._zone = site.zone_info
        self._lineage = lineage
        self._readers = readers
        self._starts = starts
        self._standing = Standing(site, found)
        self._reasons: dict[str, str] = {}
        self._zones_of: dict[str, list[str]] = {}
        for zone in site.zones.values():
            for camera in zone.cameras:
                self._zones_of.setdefault(camera, []).append(zone.id)
        self.told: dict[str, str] = {}
        self.timers: Timers[str] = Timers()

    def due(self, now: Instant) -> list[str]:
        """The devices whose alerts may fall due by `now`."""
        return sorted(key for _, key in self.timers.due(now))

    def reason(self, device: str, reason: str | None) -> None:
        """What the gateway said when a link went down."""
        if reason:
            self._reasons[device] = reason
        else:
            self._reasons.pop(device, None)

    def announce(self, node: str, alert: str | None) -> None:
        """The alert of a thing that is down was raised elsewhere, or ended."""
        if alert is None:
            self.told.pop(node, None)
        else:
            self.told[node] = alert

    def tell(self, life: Life, now: Instant) -> None:
        """Raise what has lasted long enough, end what is over, and note when to look again."""
        device, name = life.device, life.device.id
        hold = self._site.hold
        into = None if life.suppressor is None else self.told.get(life.suppressor)
        dues: list[Instant] = []
        link = life.enabled and life.link_down is not None
        self._absence(dues, "link_down", life, holds=link, since=life.link_down or now, wait=hold, into=into, now=now)
        if link and into is None and ("link_down", name) in self._standing:
            into = key_of("link_down", name)
        if device.kind != "camera" and name not in self._readers and life.timeout is not None:
            offline = None if life.state == "unknown" else life.state == "offline"
            self._absence(dues, "device_offline", life, holds=offline, since=life.since, wait=hold, into=into, now=now)
        never = device.kind != LINK and life.enabled and life.last is None and life.will is None
        since = max(life.enrolled, life.enabled_at)
        self._absence(
            dues, "device_never_heard", life, holds=never, since=since, wait=NEVER_HEARD_AFTER, into=into, now=now
        )
        self._impaired(dues, life, now)
        self.timers.set(name, min(dues, default=None))
        for rule in ("link_down", "device_offline"):
            if (rule, name) in self._standing:
                self.told[name] = key_of(rule, name)
                return
        if self.told.get(name) in (key_of("link_down", name), key_of("device_offline", name)):
            del self.told[name]

    def _absence(
        self,
        dues: list[Instant],
        rule: str,
        life: Life,
        *,
        holds: bool | None,
        since: Instant,
        wait: Duration,
        into: str | None,
        now: Instant,
    ) -> None:
        """One alert of absence. `holds` None: not known now, so what is told stays."""
        name = life.device.id
        if holds is False:
            self._standing.end(rule, name, now, "disabled" if not life.enabled else ENDS[rule])
        elif (rule, name) in self._standing:
            if into is not None:
                self._standing.merge(rule, name, now, into)
        elif holds and not self._explained(rule, life):
            due = since + wait if rule == "device_never_heard" else max(since, self._starts.last) + wait
            if due > now:
                dues.append(due)
                return
            raised = life.began if rule == "device_offline" else since
            details, severity = self._details(rule, life)
            self._standing.start(
                rule, name, at=now, raised=raised, details=details, severity=severity, place=life.device.place
            )

    def _explained(self, rule: str, life: Life) -> bool:
        """Whether something else explains an absence: a fallen parent, its own link, a gateway that keeps restarting."""
        link = life.link_down is not None and rule != "link_down"
        return life.suppressor is not None or link or self._starts.proves_nothing

    def _impaired(self, dues: list[Instant], life: Life, now: Instant) -> None:
        name = life.device.id
        if not life.faults or not life.enabled:
            self._standing.end("device_impaired", name, now, "disabled" if life.faults else "cleared")
            return
        since = min(life.faults.values())
        due = max(since, self._starts.last) + self._site.hold
        if ("device_impaired", name) not in self._standing and due > now:
            dues.append(due)
            return
        details: Details = {"device": name, "impairments": sorted({fault.partition(":")[0] for fault in life.faults})}
        self._standing.start("device_impaired", name, at=now, raised=since, details=details, place=life.device.place)

    def restarting(self, now: Instant) -> None:
        """The gateway started, or has not for an hour."""
        if self._starts.since is None:
            self._standing.end("gateway_restarting", self._site.id, now, "quiet")
            return
        details: Details = {"starts": self._starts.count}
        self._standing.start("gateway_restarting", self._site.id, at=now, raised=self._starts.since, details=details)

    def _details(self, rule: str, life: Life) -> tuple[Details, Severity | None]:
        name = life.device.id
        details: Details = {"device": name}
        if life.last is not None:
            details["last_heard"] = moment(life.last, self._zone).isoformat()
        if rule == "link_down" and name in self._reasons:
            details["reason"] = self._reasons[name]
        if rule == "device_never_heard":
            return details, None
        below = [*self._lineage.below(name), *self._lineage.circuits_below(name)]
        if below:
            details["children"] = listed(below)
            details["count"] = len(below)
        return details, self._worst(name) if rule == "device_offline" else None

    def _worst(self, node: str) -> Severity | None:
        """The highest severity of what hangs below; None: nothing does."""
        found: set[Severity] = {self._severity("circuit") for _ in self._lineage.circuits_below(node)[:1]}
        for each in self._lineage.below(node):
            device = self._site.devices.get(each)
            if device is not None:
                found.add(self._severity("reader" if device.portable else device.kind))
            for zone in self._zones_of.get(each, ()):
                key = self._site.places[self._site.zones[zone].place].key
                found.add(self._severity("key_zone" if key else "zone"))
        return max(found, key=RANKS.index, default=None)

    def _severity(self, kind: str) -> Severity:
        rule, severity = BELOW.get(kind, ("device_offline", "minor"))
        said = self._site.alerting.rules.get(rule)
        return severity if said is None or said.severity is None else said.severity

    def snapshot(self) -> dict[str, Any]:
        return {"standing": self._standing.snapshot(), "told": self.told, "reasons": self._reasons}

    def restore(self, state: Mapping[str, Any], at: Instant, devices: Container[str]) -> None:
        self._standing.restore(state["standing"], at, lambda name: name in devices or name == self._site.id)
        self.told = dict(state["told"])
        self._reasons = dict(state["reasons"])
        self.timers = Timers()
