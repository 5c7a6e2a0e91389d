"""From what was judged to what costs points. Pure: items in their JSON shape go in, findings with their evidence come out.

Only what is known to be bad costs: `missed`, `late`, `early`; hours known to be faulty; orders known to be late. Whatever is pending,
unverifiable, unknown, suppressed or excused costs nothing, and would cost nothing if it were known to be good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gateway.figures.duty import Duties
from gateway.figures.history import OUT
from gateway.figures.stretches import Stretch, common, length, minus
from gateway.figures.timeline import Timeline
from gateway.instants import DAY, HOUR, Duration, Instant, instant, moment
from gateway.scores.document import Evidence
from gateway.scores.table import FINDING
from gateway.site.model import Route, Site

Item = Mapping[str, Any]
ASKED_WITHIN: Duration = DAY
"""So long after it fell due a reporter may still be asked. Ours."""
MOST_STRETCHES = 50
"""Of one lamp or camera the longest so many stretches are listed."""


class Case(NamedTuple):
    """One thing that costs points if the table has a row for its kind. `share`: of what a rate costs together, in its own measure."""

    kind: str
    key: str
    evidence: Evidence
    persons: tuple[str, ...] = ()
    words: str = ""
    by: str | None = None
    share: int = 1


class Rate(NamedTuple):
    """How much of a time was known to be bad, of all of it: what is unknown counts as good here."""

    due: Duration
    bad: Duration
    unknown: Duration
    cases: Sequence[Case]


def visits(rounds: Iterable[Item], routes: Mapping[str, Route]) -> tuple[list[Case], int, int]:
    """Visits that cost points; how many there were, and how many of them nobody can judge.

    An optional one never costs: who walks it, though late, must not fare worse than who leaves it out.
    """
    found: list[Case] = []
    total = unverifiable = 0
    for dated in rounds:
        walkers = sorted({visit["person"] for visit in dated["visits"] if visit.get("person")})
        for visit in dated["visits"]:
            verdict = visit["verdict"]
            if verdict in {"pending", "skipped"}:
                continue
            total += 1
            unverifiable += verdict == "unverifiable"
            if verdict not in {"missed", "late", "early"} or _optional(routes.get(dated["route"]), visit["position"]):
                continue
            own = visit.get("person")
            facts = {
                name: visit.get(name)
                for name in ("checkpoint", "position", "verdict", "at", "deviation_s", "watermark", "marks")
                if visit.get(name) not in (None, [])
            }
            evidence = Evidence(
                kind="visit",
                id=dated["id"],
                revision=visit["revision"],
                at=_at(visit.get("due") or visit["opens"]),
                facts=facts,
            )
            kind = f"visit_{verdict}"
            persons = (own,) if own else tuple(walkers)
            found.append(Case(kind, f"{kind}/{dated['id']}/{visit['position']}", evidence, persons))
    return found, total, unverifiable


def _optional(route: Route | None, position: int) -> bool:
    """Whether nobody has to walk a visit, as its route is now."""
    return route is not None and position <= len(route.visits) and route.visits[position - 1].optional


def duty_checks(checks: Iterable[Item]) -> tuple[list[Case], int, int]:
    """Duty checks and findings that cost points; how many there were, and how many of them nobody can judge."""
    found: list[Case] = []
    total = unverifiable = 0
    for check in checks:
        if check["kind"] == "plan":
            continue
        state = check["state"]
        total += 1
        unverifiable += state == "unverifiable"
        facts = {
            name: check.get(name)
            for name in ("post", "state", "checker", "checker_at", "complete_from", "complete_to")
            if check.get(name) is not None
        }
        evidence = Evidence(
            kind="duty_check", id=check["id"], revision=check["revision"], at=_at(check["at"]), facts=facts
        )
        if state == "guard_absent":
            walked = check.get("elsewhere") or ()
            persons = tuple(person for person in check.get("on_duty") or () if person not in walked)
            found.append(Case(state, f"{state}/{check['id']}", evidence, persons))
        elif state == "checker_missed":
            found.append(Case(state, f"{state}/{check['id']}", evidence))
        proved = check.get("checker_at") is not None
        for finding in check.get("findings") or ():
            if finding.get("withdrawn") is not None or not proved:
                continue  # what is said to have been seen where nothing proves that anybody was there costs nothing
            said = {
                "finding": finding["code"],
                "number": finding["number"],
                "photo": (finding.get("photo") or {}).get("id"),
            }
            found.append(
                Case(
                    FINDING + finding["code"],
                    f"duty_finding/{check['id']}/{finding['number']}",
                    Evidence(
                        kind="duty_check",
                        id=check["id"],
                        revision=check["revision"],
                        at=_at(finding["at"]),
                        facts={name: value for name, value in said.items() if value is not None},
                    ),
                    (finding["person"],) if finding.get("person") else (),
                    finding.get("words") or "",
                    finding.get("by"),
                )
            )
    return found, total, unverifiable


def orders(items: Iterable[Item], arrive_within: Duration, now: Instant) -> tuple[list[Case], int]:
    """Work orders that cost points, and how many there were. One that was cancelled, excused or disproved costs nothing.

    Args:
        arrive_within: how long before an emergency is due its clock began.
        now: how far is judged.
    """
    found: list[Case] = []
    total = 0
    for order in items:
        if order.get("state") == "cancelled":
            continue
        total += 1
        for kind in _order_kinds(order, arrive_within, now):
            facts = {
                name: order.get(name)
                for name in ("state", "urgency", "clock", "due", "punctual", "place", "reworked_by")
                if order.get(name) is not None
            }
            late = order.get("lateness") if kind.endswith("_late") else None
            if late is not None:
                facts |= {"clock": late["step"], "due": late["due"]}
            for step in ("arrival", "repair"):
                if order.get(step):
                    facts[step] = order[step].get("at")
            evidence = Evidence(kind="work_order", id=order["id"], at=_at(order["reported"]), facts=facts)
            person = order.get("assignee") if late is None else late.get("person")
            if kind == "no_follow_up":
                person = None  # to ask is the desk's part, not that of who mended it
            found.append(Case(kind, f"{kind}/{order['id']}", evidence, (person,) if person else ()))
    return found, total


def _order_kinds(order: Item, arrive_within: Duration, now: Instant) -> list[str]:
    kinds = []
    if order.get("punctual") == "late" and not order.get("excused") and order.get("fault") != "disproved":
        late = order.get("lateness") or {
            "step": order.get("clock"),
            "due": order.get("due"),
            "done": (order.get("arrival") or {}).get("at"),
        }
        if late["step"] == "arrival":
            overdue = None if late.get("done") is None else _at(late["done"]) - _at(late["due"])
            very = overdue is not None and overdue > timedelta(microseconds=HOUR - arrive_within)
            kinds.append("arrival_very_late" if very else "arrival_late")
        elif late["step"] == "repair":
            kinds.append("repair_late")
    if order.get("reworked"):
        kinds.append("rework")
    if order.get("source") == "report" and not order.get("follow_ups"):
        due = order.get("follow_up_due")
        if order.get("state") == "closed" or (due is not None and instant(_at(due)) + ASKED_WITHIN < now):
            kinds.append("no_follow_up")
    return kinds


def lights(site: Site, timeline: Timeline, period: str) -> Rate:
    """Lamp-hours expected on, and those known to be faulty, lamp by lamp (as `gateway.figures.lamps`)."""
    duties, down = Duties(site, timeline), timeline.down()
    total = bad = unknown = 0
    cases = []
    for lamp in timeline.ids("seat"):
        states = timeline.by_state("lamp", lamp)
        due: list[Stretch] = [part for service in duties.of(lamp) if service.present for part in service.due]
        faulty = common(due, minus(states.get("faulty", []), down))
        well = sum(length(common(due, minus(states.get(state, []), down))) for state in ("ok", "off_duty"))
        total += length(due)
        bad += length(faulty)
        unknown += length(due) - well - length(faulty)
        if faulty:
            cases.append(_case(site, "lights_below", "lamp", lamp, faulty, period))
    return Rate(total, bad, unknown, cases)


def cameras(site: Site, timeline: Timeline, period: str) -> Rate:
    """Camera-hours in service, and those known to be lost, camera by camera (as `gateway.figures.coverage`)."""
    down = timeline.down()
    total = bad = unknown = 0
    cases = []
    for camera in timeline.ids("camera"):
        states = timeline.by_state("camera", camera)
        enabled = sum(length(parts) for state, parts in states.items() if state not in ("disabled", OUT))
        lost = minus(states.get("lost", []), down)
        seeing = length(minus(states.get("seeing", []), down))
        total += enabled
        bad += length(lost)
        unknown += enabled - seeing - length(lost)
        if lost:
            cases.append(_case(site, "cameras_below", "camera", camera, lost, period))
    return Rate(total, bad, unknown, cases)


def _case(  # noqa: PLR0917
    site: Site, kind: str, what: Any, name: str, bad: Sequence[Stretch], period: str
) -> Case:
    zone, whole = site.zone_info, length(bad)
    longest = sorted(sorted(bad, key=lambda part: part[0] - part[1])[:MOST_STRETCHES])
    evidence = Evidence(
        kind=what,
        id=name,
        at=moment(bad[0][0], zone),
        stretches=tuple((moment(first, zone), moment(last, zone)) for first, last in longest),
        facts={"hours": round(whole / HOUR, 3), "stretches": len(bad)},
    )
    return Case(kind, f"{kind}/{period}/{name}", evidence, share=whole)


def _at(text: Any) -> Any:
    return text if isinstance(text, datetime) else datetime.fromisoformat(text)


def between(items: Iterable[Item], key: str, since: Instant, until: Instant, zone: Any) -> list[Item]:
    """Items whose time `key` lies in [since, until)."""
    first, last = moment(since, zone), moment(until, zone)
    return [item for item in items if first <= _at(item[key]) < last]
