"""All alerts of one site that are not yet final, the last final ones, and their deadlines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.alerts.alert import Alert
from gateway.alerts.case import Case
from gateway.alerts.catalogue import CALL
from gateway.alerts.lifecycle import ACTIVE, FINAL
from gateway.instants import DAY, Duration, Instant
from gateway.rules.timers import Timers
from gateway.shelf import Shelf

FINAL_LIMIT = 1000
"""Final alerts kept in memory; the journal has all."""
DISPROVABLE = ("round_", "gap_")
"""Rules of these may be disproved long after their alerts were closed: whoever was told is told, so they stay DISPROVABLE_FOR."""
DISPROVABLE_FOR: Duration = 9 * DAY
"""Evidence counts for 7 days; rounds are judged again for 8."""
DISPROVABLE_LIMIT = 4000
LIVE_LIMIT = 10_000
"""Alerts not final; beyond it the book closes the oldest one (`Cases.oldest_over_limit`)."""
NAMES_LIMIT = 50_000
"""(rule, subject) whose occurrences are counted; beyond it the one unused longest is forgotten."""

NO_NEED, CRITICAL_NEED, CALL_NEED = range(3)
"""How much an alert calls for somebody: not at all if he has come; what is critical, and a call for help before all, until then."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Case]).decode
"""JSON keeps the offsets of times; of thousands of alerts it takes a tenth of the time that builtins do."""


class Cases:
    """Finds alerts by id and by (rule, subject), counts occurrences, keeps the limits."""

    def __init__(self) -> None:
        self._live: dict[str, Case] = {}
        self._final: dict[str, Case] = {}
        self._disprovable: dict[str, Case] = {}
        """The other final ones (`DISPROVABLE`)."""
        self._occurrences: dict[str, int] = {}
        self._forgotten = 0
        """The highest number of a name that was forgotten: what comes again must not be given one of its numbers."""
        self._held: dict[str, dict[str, None]] = {}
        self._holder: dict[str, str] = {}
        self._timers: Timers[str] = Timers()
        self._past: Shelf[Alert] | None = None
        """Final alerts that are no longer kept, where all are to be told at the end."""

    def keep_all(self) -> None:
        """Keep all final alerts to the end."""
        self._past = Shelf(Alert)

    def by_id(self) -> Iterator[Alert]:
        """All alerts that are kept, by id and one by one."""
        past = self._past
        kept = {case.alert.id: case.alert for case in self}
        for alert_id in sorted(kept if past is None else {*kept, *past.names()}):
            found = kept.get(alert_id) or (past.get(alert_id) if past is not None else None)
            if found is not None:
                yield found

    def find(self, alert_id: str) -> Case | None:
        return self._live.get(alert_id) or self._final.get(alert_id) or self._disprovable.get(alert_id)

    def latest(self, rule: str, subject: str) -> Case | None:
        """The last occurrence of (rule, subject), final or not."""
        name = f"{rule}/{subject}"
        return self.find(f"{name}/{self._occurrences.get(name, 0)}")

    def raised(self, rule: str, subject: str, at: datetime) -> Case | None:
        """The last occurrence of (rule, subject) that began at a time, as far back as memory reaches."""
        for number in range(self._occurrences.get(f"{rule}/{subject}", 0), 0, -1):
            case = self.find(f"{rule}/{subject}/{number}")
            if case is None or case.alert.raised == at:
                return case
        return None

    def active(self, rule: str, subject: str) -> Case | None:
        """The last occurrence, if somebody still has to do something about it."""
        case = self.latest(rule, subject)
        return case if case is not None and case.alert.state in ACTIVE else None

    def expected_id(self, name: str) -> str:
        """The id that `rule:subject` has now, or will have when it is raised."""
        rule, _, subject = name.partition(":")
        case = self.latest(rule, subject)
        if case is not None and case.alert.state not in FINAL:
            return case.alert.id
        return f"{rule}/{subject}/{self._occurrences.get(f'{rule}/{subject}', self._forgotten) + 1}"

    def occurrence(self, rule: str, subject: str) -> int:
        """Count a new occurrence and return its number, 1 for the first: none that was given before."""
        name = f"{rule}/{subject}"
        number = self._occurrences.pop(name, self._forgotten) + 1
        self._occurrences[name] = number
        if len(self._occurrences) > NAMES_LIMIT:
            unused = next(iter(self._occurrences))
            self._forgotten = max(self._forgotten, self._occurrences.pop(unused))
        return number

    def withdraw(self, case: Case) -> None:
        """Take a case out that nobody was told of; its number is given again."""
        alert = case.alert
        self._live.pop(alert.id, None)
        self._timers.set(alert.id, None)
        self._hold(alert.id, None)
        self._occurrences[f"{alert.rule}/{alert.subject}"] = alert.occurrence - 1

    def count_on(self, numbers: Mapping[str, int]) -> None:
        """Count on from the numbers that were given already, by `rule/subject`."""
        for name, number in numbers.items():
            self._occurrences[name] = max(number, self._occurrences.get(name, 0))

    def keep(self, case: Case) -> None:
        """File a case after it changed: among the live or the final ones, its deadline armed, what holds it silent known."""
        alert = case.alert
        if alert.state in FINAL:
            case.disarm()
            self._live.pop(alert.id, None)
            if alert.rule.startswith(DISPROVABLE):
                self._disprovable[alert.id] = case
                self._let_go(case)
            else:
                self._final[alert.id] = case
                if len(self._final) > FINAL_LIMIT:
                    self._let(self._final, next(iter(self._final)))
        else:
            self._live[alert.id] = case
        self._timers.set(alert.id, case.deadline())
        self._hold(alert.id, case.cause if alert.state in ACTIVE else None)

    def _let_go(self, newest: Case) -> None:
        """Drop what can no longer be disproved; as many as any other final alerts stay."""
        before = newest.alert.updated - timedelta(microseconds=DISPROVABLE_FOR)
        while len(self._disprovable) > FINAL_LIMIT:
            oldest = next(iter(self._disprovable.values()))
            if oldest.alert.updated >= before and len(self._disprovable) <= DISPROVABLE_LIMIT:
                return
            self._let(self._disprovable, oldest.alert.id)

    def _let(self, kept: dict[str, Case], alert_id: str) -> None:
        case = kept.pop(alert_id)
        if self._past is not None:
            self._past.put(alert_id, case.alert)

    def _hold(self, alert_id: str, cause: str | None) -> None:
        before = self._holder.pop(alert_id, None)
        if before is not None and before in self._held:
            self._held[before].pop(alert_id, None)
            if not self._held[before]:
                del self._held[before]
        if cause is not None:
            self._holder[alert_id] = cause
            self._held.setdefault(cause, {})[alert_id] = None

    def standing(self) -> list[Case]:
        """The active cases, by id."""
        return [case for _, case in sorted(self._live.items()) if case.alert.state in ACTIVE]

    def held(self, cause: str) -> list[Case]:
        """The active cases that are silent because of the alert `cause`, by id."""
        return [self._live[alert_id] for alert_id in sorted(self._held.get(cause, ()))]

    def oldest_over_limit(self) -> Case | None:
        """The live case that is given up if there are more than the limit: the oldest of those that call the least for somebody."""
        if len(self._live) <= LIVE_LIMIT:
            return None
        for need in (NO_NEED, CRITICAL_NEED, CALL_NEED):
            found = next((case for case in self._live.values() if _need(case.alert) == need), None)
            if found is not None:
                return found
        return None

    def deadline(self) -> Instant | None:
        return self._timers.next()

    def due(self, now: Instant) -> list[Case]:
        """Take those whose deadline is up to `now`, by id, so that ties do not depend on how the book came to be."""
        ids = sorted(key for _, key in self._timers.due(now))
        return [case for name in ids if (case := self._live.get(name)) is not None]

    def __iter__(self) -> Iterator[Case]:
        yield from self._live.values()
        yield from self._final.values()
        yield from self._disprovable.values()

    def alerts(self) -> list[Alert]:
        return [case.alert for case in self]

    def snapshot(self) -> dict[str, Any]:
        return {
            "live": _encode(list(self._live.values())),
            "final": _encode([*self._final.values(), *self._disprovable.values()]),
            "occurrences": dict(self._occurrences),
            "forgotten": self._forgotten,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._occurrences = dict(state["occurrences"])
        self._forgotten = state.get("forgotten", 0)
        for case in (*_decode(state["final"]), *_decode(state["live"])):
            self.keep(case)


def _need(alert: Alert) -> int:
    if alert.state != "open":
        return NO_NEED
    if alert.rule == CALL:
        return CALL_NEED
    return CRITICAL_NEED if alert.severity == "critical" else NO_NEED
