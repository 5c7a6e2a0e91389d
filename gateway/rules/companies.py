"""Lamps by circuit (or, without one, by place): of which of them nothing is known (spec: lighting.md, `lamps_unknown`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.rules import lamp_faults as table
from gateway.rules.circuits import CircuitJudge
from gateway.rules.devices import Devices
from gateway.rules.lamp_alerts import LampAlerts
from gateway.rules.lamps import LampJudge
from gateway.rules.timers import Timers
from gateway.site.model import Site


class Company(msgspec.Struct, array_like=True):
    """Counts of one circuit or place. `since`: when the last of them became unknown; None: something is known."""

    unknown: int = 0
    counted: int = 0
    since: Instant | None = None
    told: bool = False

    def blank(self) -> bool:
        """Whether nothing is known of any of them; those out of service do not count."""
        return self.counted > 0 and self.unknown == self.counted


class Companies:
    """All companies of a site.

    Args:
        site: tells what is a parent.
        devices: tells whether alerts of the unknown are held back because the gateway keeps restarting.
        alerts: what is told.
        timers: where the 24 h are kept, as (`unknown`, name).
    """

    def __init__(self, site: Site, devices: Devices, alerts: LampAlerts, timers: Timers[tuple[str, str]]) -> None:
        self._site = site
        self._devices = devices
        self._alerts = alerts
        self._timers = timers
        self._companies: dict[str, Company] = {}
        self._lamps: dict[str, list[LampJudge]] = {}

    def enrol(self, lamp: LampJudge, started: Instant) -> None:
        """One more lamp, of which nothing is known since `started`."""
        name = _name(lamp)
        company = self._companies.setdefault(name, Company(since=started))
        self._lamps.setdefault(name, []).append(lamp)
        if not lamp.disabled:
            company.unknown += 1
            company.counted += 1
            self._timers.set(("unknown", name), started + table.UNKNOWN_TOLD)

    def names(self) -> list[str]:
        """`circuit|id` and `place|id`."""
        return list(self._companies)

    def known(self, circuit_id: str) -> bool:
        """Whether anything is known of a circuit's lamps."""
        company = self._companies.get(f"circuit|{circuit_id}")
        return company is not None and company.counted > 0 and not company.blank()

    def count(self, lamp: LampJudge, before: str, now: Instant) -> None:
        """A lamp changed its state."""
        name, after = _name(lamp), lamp.memory.state
        company = self._companies[name]
        company.unknown += (after == "unknown") - (before == "unknown")
        company.counted += (after != "disabled") - (before != "disabled")
        if company.blank():
            if company.since is None:
                company.since = now
                self._timers.set(("unknown", name), now + table.UNKNOWN_TOLD)
            return
        company.since = None
        self._timers.set(("unknown", name), None)
        if company.told:
            company.told = False
            self._alerts.signal("lamps_unknown", name.partition("|")[2], "resolve", now, why="heard again")

    def tell(self, name: str, circuit: CircuitJudge | None, now: Instant) -> None:
        """Nothing has been known of these lamps for 24 h: say so, unless the alert of something above says why."""
        company = self._companies[name]
        if company.since is None or company.told:
            return
        lamps = [lamp for lamp in self._lamps[name] if not lamp.disabled]
        quiet = self._devices.quiet_until()
        spoken_for = circuit is not None and circuit.memory.suppressed is not None
        if quiet is not None or spoken_for or all(self._excused(lamp) for lamp in lamps):
            self._timers.set(("unknown", name), max(quiet or 0, now + table.UNKNOWN_ASKED_AGAIN))
            return
        places = {lamp.spec.place for lamp in lamps}
        company.told = True
        self._alerts.signal(
            "lamps_unknown",
            name.partition("|")[2],
            "raise",
            now,
            raised=company.since,
            details={
                "lamps": [lamp.id for lamp in lamps],
                "causes": sorted({lamp.memory.cause for lamp in lamps if lamp.memory.cause}),
            },
            place=places.pop() if len(places) == 1 else None,
        )

    def _excused(self, lamp: LampJudge) -> bool:
        """Whether something above its sources has fallen, which has an alert of its own."""
        cause = lamp.memory.cause
        above = cause is not None and (cause in self._site.parents or cause in self._site.devices)
        return above and all(sight.source.device != cause for sight in lamp.sights)

    def snapshot(self) -> Any:
        return self._companies

    def restore(self, state: Mapping[str, Any], now: Instant) -> None:
        """Since when nothing is known comes from the snapshot, the counts from the lamps there are now; where there are none any more, an alert ends."""
        for name, company in self._companies.items():
            states = [lamp.memory.state for lamp in self._lamps[name]]
            company.unknown = states.count("unknown")
            company.counted = len(states) - states.count("disabled")
            known = msgspec.convert(state[name], Company) if name in state else Company(since=now)
            company.told = known.told
            company.since = (known.since if known.since is not None else now) if company.blank() else None
        for name, saved in state.items():
            if name not in self._companies and msgspec.convert(saved, Company).told:
                self._alerts.removed(name.partition("|")[2], ("lamps_unknown",), now)


def _name(lamp: LampJudge) -> str:
    """A circuit and a place may have one id."""
    return f"circuit|{lamp.spec.circuit}" if lamp.spec.circuit else f"place|{lamp.spec.place}"
