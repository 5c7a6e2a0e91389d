"""A judge whose conditions are kept, told in clock times; and what the figures make of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

import msgspec

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.figures.timeline import Timeline
from gateway.figures.walks import Walks, living, read
from gateway.instants import MINUTE, SECOND, Instant, moment
from gateway.journal.rows import Condition
from gateway.judgement import Judgement
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Device, Site
from tests.rules.lit_night import clock


class Kept:
    """The judge of a site from `start` on, and every condition it told, as the journal holds them."""

    def __init__(self, site: Site, start: str = "12:00") -> None:
        self.site = site
        self.started = clock(start)
        self.judge = Judgement(site, self.started)
        self.rows: list[Condition] = []
        self.keep()

    def keep(self) -> None:
        """What was found goes into the journal."""
        self.rows += self.judge.drain().conditions

    def hear(self, at: str | Instant, *said: Observation, dated: str | None = None) -> None:
        """Observations arrive; their device time is the same unless `dated`."""
        when = clock(at) if isinstance(at, str) else at
        own = moment(when if dated is None else clock(dated), UTC)
        for each in said:
            self.judge.apply(msgspec.structs.replace(each, at=own), when)

    def every(self, period: int, since: str, until: str, *said: Observation) -> None:
        """Observations again and again, from `since` to `until`, both included."""
        for at in range(clock(since), clock(until) + 1, period):
            self.hear(at, *said)

    def go(self, at: str) -> None:
        """Time passes."""
        self.judge.advance(clock(at))

    def operate(self, at: str, action: Any, device: str) -> None:
        self.judge.operate(DeviceOperation(at=clock(at), by="op", action=action, device=device))

    def restart(self, down: str, up: str, site: Site | None = None) -> None:
        """The gateway stops at `down` and comes back at `up`, as the runtime does it; the site file may be another."""
        self.go(down)
        self.keep()
        state = self.judge.snapshot()
        self.site = site or self.site
        self.judge = Judgement(self.site, self.started)
        self.judge.restore(state)
        self.judge.drain()
        self.judge.restarted(clock(down), clock(up))
        self.judge.history.resume(last_rows(self.rows), clock(up))
        self.keep()

    def timeline(self, since: str, until: str) -> Timeline:
        """What everything was in [since, until), by all that was told so far."""
        self.keep()
        return Timeline(self.rows, clock(since), clock(until))

    def walks(self, since: str, until: str) -> dict[str, Walks]:
        self.keep()
        settled = [row for row in self.rows if row.kind == "walk"]
        begin = max(clock(since), self.judge.history.walked_to)
        return dict(read([*settled, *living(self.judge.engine, begin, clock(until))]))


def last_rows(rows: Iterable[Condition]) -> list[Condition]:
    """The last row of each subject."""
    return list({(row.kind, row.id): row for row in rows}.values())


def lux(device: str, value: float) -> seen.LightLevel:
    return seen.LightLevel(device=device, at=moment(0, UTC), lux=value)


def beat(camera: str) -> seen.CameraHeartbeat:
    return seen.CameraHeartbeat(device=camera, at=moment(0, UTC))


def sensor(name: str, every: int = 10 * MINUTE) -> Device:
    return Device(id=name, driver="native", kind="lux_sensor", expect_every=every)


def minutes(at: str, since: str) -> float:
    """How many minutes lie between two clock times."""
    return (clock(at) - clock(since)) / MINUTE


__all__ = ["MINUTE", "SECOND", "Kept", "beat", "clock", "last_rows", "lux", "minutes", "sensor"]
