"""A night told to the engine in clock times, with the alerts that its signals leave standing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from device_drivers import observations as seen
from gateway.instants import MINUTE, SECOND, Instant, instant, moment
from gateway.rules.engine import Engine
from gateway.rules.findings import Signal
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Circuit, Device, Parent, Place, Site, Zone

EVENING = instant(datetime(2026, 11, 22, 22, 0, tzinfo=UTC))


def camera(name: str, **said: Any) -> Device:
    """A camera with a heartbeat each minute."""
    return Device(**{"id": name, "driver": "native", "kind": "camera", "expect_every": MINUTE} | said)


def device(name: str, **said: Any) -> Device:
    """Another device that speaks each minute."""
    return Device(**{"id": name, "driver": "native", "kind": "sensor", "expect_every": MINUTE} | said)


def estate(*devices: Device, **said: Any) -> Site:
    """A site with these devices; `parents` by name, `zones` by (id, cameras, need)."""
    parents = {name: Parent(id=name, **above) for name, above in said.pop("parents", {}).items()}
    zones = {
        zone[0]: Zone(id=zone[0], place=zone[3] if len(zone) > 3 else "yard", cameras=tuple(zone[1]), need=zone[2])
        for zone in said.pop("zones", ())
    }
    circuits = {name: Circuit(id=name, panel=panel) for name, panel in said.pop("circuits", {}).items()}
    return Site(
        id="site",
        name="Site",
        timezone="UTC",
        latitude=31.2,
        longitude=121.5,
        places={"yard": Place(id="yard", name="Yard"), "vault": Place(id="vault", name="Vault", key=True)},
        devices={each.id: each for each in devices},
        parents=parents,
        zones=zones,
        circuits=circuits,
        **said,
    )


def clock(text: str | int) -> Instant:
    """`"22:05"`, `"22:05:30"` (times before noon are the next day's), or an instant."""
    if isinstance(text, int):
        return text
    parts = [float(part) for part in text.split(":")]
    seconds = parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)
    if parts[0] < 12:
        seconds += 86_400
    return EVENING + round((seconds - 22 * 3600) * SECOND)


def shown(value: datetime | None) -> str | None:
    return None if value is None else value.strftime("%H:%M:%S")


class Night:
    """The engine from 22:00 on. `restart_always`: snapshot and restore after each step, which must change nothing."""

    def __init__(self, site: Site, *, start: str | int = "22:00", restart_always: bool = False) -> None:
        self.site = site
        self.engine = Engine(site, clock(start))
        self.signals: list[Signal] = []
        self.standing: dict[str, Signal] = {}
        self.touched: set[tuple[str, str]] = set()
        self._restart_always = restart_always
        self._collect()

    def _collect(self) -> None:
        found = self.engine.drain()
        self.signals += found.signals
        self.touched |= set(found.touched)
        for signal in found.signals:
            key = f"{signal.rule}:{signal.subject}"
            if signal.action == "raise":
                assert key not in self.standing, f"{key} was raised twice"
                self.standing[key] = signal
            elif signal.action == "update":
                assert key in self.standing, f"{key} was updated but does not stand"
                self.standing[key] = msgspec.structs.replace(self.standing[key], details=signal.details)
            else:
                assert key in self.standing, f"{key} was ended but does not stand"
                del self.standing[key]
        if self._restart_always:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.engine.snapshot()))
            self.engine = Engine(self.site, 0)
            self.engine.drain()
            self.engine.restore(state)
            found = self.engine.drain()
            assert not found.signals, "taking up a snapshot says nothing"

    def hear(self, at: str | int, *observations: seen.Observation) -> None:
        """Observations arrive; their device time is the same."""
        when = clock(at)
        for each in observations:
            self.engine.apply(msgspec.structs.replace(each, at=moment(when, UTC)), when)
            self._collect()

    def beat(self, since: str | int, until: str | int, *names: str, every: int = 60) -> None:
        """Heartbeats of the named devices from `since` to `until`, both included."""
        for at in range(clock(since), clock(until) + 1, every * SECOND):
            self.hear(at, *(heartbeat(name) for name in names))

    def go(self, at: str | int) -> None:
        """Time passes."""
        self.engine.advance(clock(at))
        self._collect()

    def restart(self, at: str | int, since: str | int | None = None) -> None:
        self.engine.restarted(self.engine.now if since is None else clock(since), clock(at))
        self._collect()

    def operate(self, at: str | int, action: Any, name: str, impairment: str | None = None) -> None:
        self.engine.operate(DeviceOperation(at=clock(at), by="op", action=action, device=name, impairment=impairment))
        self._collect()

    def camera(self, name: str) -> str:
        """`state since [impairments] [cause]` in words."""
        view = self.engine.cameras.camera(name)
        assert view is not None
        words = [view.state, shown(view.since), "+".join(view.impairments), view.cause, "flapping" * view.flapping]
        return " ".join(word for word in words if word)

    def zone(self, name: str) -> str:
        view = self.engine.cameras.zone(name)
        assert view is not None
        return f"{view.state} {shown(view.since)} {view.ok}/{view.need}"

    def device(self, name: str) -> str:
        view = self.engine.devices.device(name)
        assert view is not None
        return " ".join(word for word in (view.state, shown(view.since), view.cause) if word)

    def alerts(self) -> list[str]:
        """What stands, as `rule:subject`."""
        return sorted(self.standing)

    def raised(self, alert: str) -> str | None:
        """When the condition of a standing alert began by the evidence."""
        at = self.standing[alert].raised
        return None if at is None else shown(moment(at, UTC))

    def ends(self, alert: str) -> list[str]:
        """How an alert ended, each time: `action why [cause]`."""
        return [
            " ".join(word for word in (each.action, each.why, each.caused_by) if word)
            for each in self.signals
            if f"{each.rule}:{each.subject}" == alert and each.action not in ("raise", "update")
        ]

    def views(self) -> Any:
        """Everything shown, to be compared."""
        engine = self.engine
        return engine.devices.devices(), engine.cameras.cameras(), engine.cameras.zones()


_THEN = moment(EVENING, UTC)


def heartbeat(name: str, status: Any = "ok", channel: Any = None) -> seen.CameraHeartbeat:
    return seen.CameraHeartbeat(device=name, at=_THEN, status=status, channel=channel)


def ping(name: str, *, ok: bool = True, level: Any = "network") -> seen.Reachable:
    return seen.Reachable(device=name, at=_THEN, ok=ok, level=level)


def video(
    name: str, state: Any, *, active: bool = True, expires_s: float | None = None, channel: Any = None
) -> seen.VideoState:
    return seen.VideoState(device=name, at=_THEN, state=state, active=active, expires_s=expires_s, channel=channel)


def stats(name: str, fps: float) -> seen.CameraStats:
    return seen.CameraStats(device=name, at=_THEN, fps=fps)


def status(name: str, *, online: bool, channel: Any = None) -> seen.DeviceStatus:
    return seen.DeviceStatus(device=name, at=_THEN, online=online, channel=channel)


def recording(name: str, *, on: bool) -> seen.RecordingState:
    return seen.RecordingState(device=name, at=_THEN, recording=on)


def storage(name: str, what: Any = "disk_full", *, active: bool = True) -> seen.StorageFault:
    return seen.StorageFault(device=name, at=_THEN, what=what, active=active)


def link(name: str, *, up: bool) -> seen.LinkStatus:
    return seen.LinkStatus(device=name, at=_THEN, up=up)
