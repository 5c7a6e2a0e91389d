"""A night told to the whole judge in clock times, and what it gives as the reason for a thing."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec

from device_drivers import observations as seen
from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.circuits import explain_circuit
from gateway.explain.explanation import Explanation, Item
from gateway.explain.lamps import explain_lamp
from gateway.instants import Instant, moment
from gateway.judgement import Judgement
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Site

EXPLAIN = {"lamp": explain_lamp, "circuit": explain_circuit, "camera": explain_camera, "zone": explain_zone}


class Told:
    """The judge, with a clock of one night."""

    def __init__(self, site: Site, clock: Any, start: str) -> None:
        self.clock = clock
        self.site = site
        self.judge = Judgement(site, clock(start))

    def say(self, kind: type, device: str, *times: str, **fields: Any) -> Told:
        for at in times:
            when: Instant = self.clock(at)
            self.judge.apply(kind(device=device, at=moment(when, UTC), **fields), when)
        return self

    def lux(self, lux: float, *times: str, name: str = "lamp") -> Told:
        return self.say(seen.LightLevel, f"lux-{name}", *times, lux=lux)

    def lit(self, *times: str, name: str = "lamp") -> Told:
        return self.lux(80.0, *times, name=name)

    def unlit(self, *times: str, name: str = "lamp") -> Told:
        return self.lux(0.5, *times, name=name)

    def wait(self, until: str) -> Told:
        self.judge.advance(self.clock(until))
        return self

    def restart(self, at: str) -> Told:
        self.judge.restarted(self.judge.now, self.clock(at))
        return self

    def operate(self, at: str, action: Any, device: str) -> Told:
        self.judge.operate(DeviceOperation(at=self.clock(at), by="op", action=action, device=device))
        return self

    def why(self, kind: str, name: str) -> Explanation:
        """The explanation, which changes nothing, survives a restart of the process, and can be written as JSON."""
        before = self.judge.snapshot()
        found = EXPLAIN[kind](self.judge, name, self.judge.now)
        assert found is not None
        assert self.judge.snapshot() == before, "explaining changes nothing"
        again = Judgement(self.site, 0)
        again.restore(before)
        assert EXPLAIN[kind](again, name, self.judge.now) == found, "what is needed is in the snapshot"
        view = self.judge.view(kind, name)
        assert view is not None
        assert found.result == view.state  # type: ignore[union-attr]
        assert b"{" not in msgspec.json.encode(found.sentence)[1:], "every gap of a sentence is filled"
        return found


def used(found: Explanation) -> list[tuple[str, str, str]]:
    """What it rests on: device, local time, why."""
    return [_short(item) for item in found.evidence if item.used]


def unused(found: Explanation) -> list[tuple[str, str, str]]:
    """What was heard and does not count: device, local time, why not."""
    return [_short(item) for item in found.evidence if not item.used]


def _short(item: Item) -> tuple[str, str, str]:
    return item.device, item.at.strftime("%H:%M:%S" if item.at.second else "%H:%M"), item.why
