"""How many checks of a week were made, against how many are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway.duty_checks.plan import week_of
from gateway.instants import Instant, moment
from gateway.site.model import Site

MADE = frozenset({"passed", "guard_absent"})
"""The checker was there."""


class WeekCount(msgspec.Struct, frozen=True, kw_only=True):
    """One check's week.

    Attributes:
        per_week: asked for by the site file.
        owed: of the committed plan, what lay after its publication; null: nothing was planned.
        needed: of `per_week`, so many at most as are owed.
        made: the checker was there, extra ones included; `extra` of them.
        passed, guard_absent, missed, unverifiable, open: by outcome; `missed` the checker did not come.
        reached: whether enough were made; null: the week, or its last night, goes on, or what is unverifiable might be enough.
        commitment: the published hash.
    """

    check: str
    week: str
    per_week: int
    owed: int | None
    needed: int
    made: int
    extra: int
    passed: int
    guard_absent: int
    missed: int
    unverifiable: int
    open: int
    reached: bool | None
    commitment: str | None
    revealed: bool


def count(site: Site, items: Iterable[Mapping[str, Any]], now: Instant) -> list[WeekCount]:
    """The weeks of items in their JSON shape, newest week first, by check."""
    plans: dict[tuple[str, str], Mapping[str, Any]] = {}
    checks: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for item in items:
        key = (item["week"], item["check"])
        if item["kind"] == "plan":
            plans[key] = item
        else:
            checks.setdefault(key, []).append(item)
    this = week_of(moment(now, site.zone_info).date())
    found = []
    for week, name in sorted({*plans, *checks}, key=lambda key: key[1]):
        plan, done = plans.get((week, name)), checks.get((week, name), [])
        states = [each["state"] for each in done]
        made = sum(state in MADE for state in states)
        open_ones = sum(state in {"due", "tapped"} for state in states)
        unverifiable = states.count("unverifiable")
        check = site.duty_checks.get(name)
        wanted = plan["per_week"] if plan is not None else 0 if check is None else check.per_week
        owed = None if plan is None else plan["owed"]
        needed = wanted if owed is None else min(wanted, owed)
        over = week < this and not open_ones and (plan is None or plan["state"] == "revealed")
        reached = True if made >= needed else None if not over or made + unverifiable >= needed else False
        found.append(
            WeekCount(
                check=name,
                week=week,
                per_week=wanted,
                owed=owed,
                needed=needed,
                made=made,
                extra=sum(each["kind"] == "extra" and each["state"] in MADE for each in done),
                passed=states.count("passed"),
                guard_absent=states.count("guard_absent"),
                missed=states.count("checker_missed"),
                unverifiable=unverifiable,
                open=open_ones,
                reached=reached,
                commitment=None if plan is None else plan["commitment"],
                revealed=plan is not None and plan["state"] == "revealed",
            )
        )
    return sorted(found, key=lambda each: each.week, reverse=True)
