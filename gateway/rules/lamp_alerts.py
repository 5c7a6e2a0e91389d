"""What is told of lamps and circuits: alerts brought in step with the faults that stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.instants import Instant
from gateway.rules import lamp_faults as table
from gateway.rules.circuits import CircuitJudge, Standing
from gateway.rules.findings import Found, Signal
from gateway.rules.lamps import LampJudge
from gateway.rules.timers import Timers
from gateway.site.model import Site


class LampAlerts:
    """Raises, merges and resolves.

    Args:
        site: for the panels of circuits.
        found: where signals go.
        timers: where the wait of a single lamp's alert is kept, as (`tell`, lamp).
    """

    def __init__(self, site: Site, found: Found, timers: Timers[tuple[str, str]]) -> None:
        self._site = site
        self._found = found
        self._timers = timers

    def tell(self, lamp: LampJudge, circuit: CircuitJudge | None, now: Instant) -> None:
        """Bring the alerts of one lamp in step with the faults that stand on it."""
        memory = lamp.memory
        if not (memory.faults or memory.reports or memory.told):
            lamp.ended.clear()
            return
        wait: Instant | None = None
        standing = lamp.faults()
        for name in standing:
            if circuit is not None and (by := circuit.spoken_for(name)) is not None:
                if name in memory.told:
                    memory.told.remove(name)
                    self.signal(name, lamp.id, "merge", now, why="merged", caused_by=by)
            elif name not in memory.told:
                due = None
                if circuit is not None and name in table.GROUP_OF and name in memory.faults:
                    due = circuit.may_tell(lamp, name, now)
                if due is not None:
                    wait = due if wait is None else min(wait, due)
                else:
                    memory.told.append(name)
                    self.signal(name, lamp.id, "raise", now, raised=self._onset(lamp, name), **self._about(lamp))
        self._timers.set(("tell", lamp.id), wait)
        for name in [name for name in memory.told if name not in standing]:
            memory.told.remove(name)
            self.signal(name, lamp.id, "resolve", now, why=lamp.ended.get(name, "cleared"))
        lamp.ended.clear()

    def tell_circuit(self, circuit: CircuitJudge, now: Instant) -> None:
        """Raise what stands on the circuit, or merge it where a parent speaks for it."""
        for name, known in circuit.memory.standing.items():
            by = circuit.memory.suppressed if name == "circuit_fault" else None
            if by is not None and known.told:
                known.told = False
                self.signal(name, circuit.id, "merge", now, why="merged", caused_by=by)
            elif by is None and not known.told:
                known.told = True
                details = self._group_details(circuit, known)
                self.signal(name, circuit.id, "raise", now, raised=known.onset, details=details, place=circuit.place())

    def update(self, circuit: CircuitJudge, name: str, known: Standing, now: Instant) -> None:
        """More lamps turned out to belong to what has been told."""
        if known.told:
            details = self._group_details(circuit, known)
            self.signal(name, circuit.id, "update", now, raised=known.onset, details=details, place=circuit.place())

    def removed(self, subject: str, told: Iterable[str], now: Instant) -> None:
        """The site has a thing no more: what was told of it is over."""
        for rule in told:
            self.signal(rule, subject, "resolve", now, why="removed")

    def _group_details(self, circuit: CircuitJudge, known: Standing) -> dict[str, str | int | float | list[str]]:
        panel = self._site.circuits[circuit.id].panel
        details: dict[str, str | int | float | list[str]] = {
            "lamps": sorted(known.lamps),
            "count": len(known.lamps),
            "of": len(circuit.lamps),
        }
        return details | {"panel": panel} if panel else details

    def _onset(self, lamp: LampJudge, name: str) -> Instant:
        fault, report = lamp.memory.faults.get(name), lamp.memory.reports.get(name)
        return min(one.onset for one in (fault, report) if one is not None)

    def _about(self, lamp: LampJudge) -> dict[str, Any]:
        details = {"circuit": lamp.spec.circuit} if lamp.spec.circuit else {}
        return {"details": details, "place": lamp.spec.place}

    def signal(self, rule: str, subject: str, action: Any, now: Instant, **more: Any) -> None:
        self._found.signals.append(Signal(rule=rule, subject=subject, action=action, at=now, **more))
