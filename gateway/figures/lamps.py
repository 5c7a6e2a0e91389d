"""The intact rate (完好率) of lamps over a period (spec: lighting.md, Intact rate)."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.figures.duty import Duties
from gateway.figures.stretches import common, length, minus
from gateway.figures.timeline import Timeline
from gateway.instants import HOUR, Duration
from gateway.site.model import Site

By = Literal["lamp", "circuit", "floor", "building", "site"]

TARGETS = (0.95, 0.90, 0.80)
"""Of service levels 1, 2 and 3 (DOMAIN.md §3)."""


class LampRate(msgspec.Struct, frozen=True, kw_only=True):
    """The intact rate of one set of lamps. Hours are lamp-hours.

    Attributes:
        id: the lamp, circuit, place, building or site; null: lamps of no circuit.
        lamps: how many lamps were in it at any time of the period.
        on_h: expected on; `intact_h` + `faulty_h` + `unknown_h`.
        rate: intact_h ÷ (on_h − unknown_h), 0 to 1; null: nothing is known.
        unknown_share: unknown_h ÷ on_h; null: never expected on.
        level: the best service level whose target the rate reaches (1: 95 %, 2: 90 %, 3: 80 %); null: none, or no rate.
    """

    id: str | None
    lamps: int
    on_h: float
    intact_h: float
    faulty_h: float
    unknown_h: float
    rate: float | None
    unknown_share: float | None
    level: Literal[1, 2, 3] | None


class _Sum(msgspec.Struct):
    lamps: int = 0
    due: Duration = 0
    intact: Duration = 0
    faulty: Duration = 0


def lamp_rates(site: Site, timeline: Timeline, by: By) -> list[LampRate]:
    """Intact rates of all lamps in the timeline, each in its set; sorted, lamps of no circuit first."""
    duties, down = Duties(site, timeline), timeline.down()
    sums: dict[str | None, _Sum] = {}
    for lamp in timeline.ids("seat"):
        states = timeline.by_state("lamp", lamp)
        known = [
            minus(states[state], down) if down else states[state] for state in ("ok", "off_duty") if state in states
        ]
        faulty = minus(states.get("faulty", []), down)
        counted: set[str | None] = set()
        for service in duties.of(lamp):
            if not service.present:
                continue
            seat = service.seat
            match by:
                case "lamp":
                    name: str | None = lamp
                case "circuit":
                    name = seat.circuit
                case "floor":
                    name = seat.place
                case "building":
                    name = seat.place.partition("/")[0]
                case "site":
                    name = site.id
            total = sums.setdefault(name, _Sum())
            if name not in counted:
                counted.add(name)
                total.lamps += 1
            total.due += length(service.due)
            total.intact += sum(length(common(service.due, well)) for well in known)
            total.faulty += length(common(service.due, faulty))
    return [_rate(name, sums[name]) for name in sorted(sums, key=lambda name: name or "")]


def _rate(name: str | None, total: _Sum) -> LampRate:
    known = total.intact + total.faulty
    unknown = total.due - known
    rate = total.intact / known if known else None
    return LampRate(
        id=name,
        lamps=total.lamps,
        on_h=total.due / HOUR,
        intact_h=total.intact / HOUR,
        faulty_h=total.faulty / HOUR,
        unknown_h=unknown / HOUR,
        rate=rate,
        unknown_share=unknown / total.due if total.due else None,
        level=_level(total.intact, known),
    )


def _level(intact: Duration, known: Duration) -> Literal[1, 2, 3] | None:
    """Which level is reached: compared in whole numbers, so that exactly the target reaches it."""
    if known:
        if intact * 100 >= known * 95:
            return 1
        if intact * 100 >= known * 90:
            return 2
        if intact * 100 >= known * 80:
            return 3
    return None
