"""Escalation: which step of a policy is next, when, and whom it tells (alerts.md, Escalation).

A policy is a list of steps, each some time after the alert opened. When a step is taken late (an acknowledgement stopped
it, the gateway was down) the following ones keep their distance from it.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.alerts.case import Case
from gateway.alerts.duty import DUTY, Duty
from gateway.alerts.history import CLOCK, History
from gateway.alerts.inhibition import Inhibition
from gateway.alerts.notices import Notices
from gateway.alerts.wording import NoticeKind
from gateway.instants import MINUTE, Duration, Instant
from gateway.site.model import Site, Step

REPEATS = 3
"""The last step repeats up to 3 times (alerts.md, Escalation)."""

LEAST_REPEAT: Duration = 10 * MINUTE
"""The last step is not repeated faster than this; ours, the spec gives no distance."""

ONLY_STEP_REPEAT: Duration = 30 * MINUTE
"""Distance of repeats where the policy has one step only; ours."""

DEFAULT_POLICY = "default"


class PlannedStep(NamedTuple):
    """One row of an alert's escalation: the `level` it leads to (1…), its contacts, when it is due."""

    level: int
    due: Instant
    contacts: tuple[str, ...]
    repeat: int = 0
    """0: the step itself; 1…3: a repetition of the last step."""


class Escalation:
    """Takes the steps of the alerts of a site."""

    def __init__(self, site: Site, duty: Duty, inhibition: Inhibition, history: History, notices: Notices) -> None:
        self._site = site
        self._duty = duty
        self._inhibition = inhibition
        self._history = history
        self._notices = notices

    def policy_of(self, rule: str) -> str | None:
        """The policy that the site names for the rule, else `default`; None: shown on the console only."""
        said = self._site.alerting.rules.get(rule)
        name = (said.policy if said is not None else None) or DEFAULT_POLICY
        return name if name in self._site.alerting.policies else None

    def steps(self, case: Case) -> list[PlannedStep]:
        """The steps still to come for an open alert, with their due times; none if it is not escalating."""
        if case.step_at is None:
            return []
        steps = steps_of(self._site, case.policy)
        rows = planned(steps, case.alert.level, case.repeats, since=0)
        return [row._replace(due=row.due - rows[0].due + case.step_at) for row in rows]

    def begin(self, case: Case, at: Instant) -> None:
        """Start the policy from its first step, unless somebody or something keeps the alert silent."""
        self._follow(case)
        steps = steps_of(self._site, case.policy)
        if case.alert.suppressed is not None or not steps:
            return
        case.step_at = at + steps[0].after
        if case.step_at <= at:
            self.step(case, at)
        else:
            self._history.file(case)

    def resume(self, case: Case, at: Instant) -> None:
        """Take the next step now: an acknowledgement lapsed, or a suppression ended."""
        if case.alert.state != "open" or case.alert.suppressed is not None:
            return
        if case.alert.level == 0:
            self.begin(case, at)
        else:
            self.step(case, at)

    def follow_site(self, case: Case, at: Instant) -> None:
        """An alert for whose rule the site had no policy, or whose policy it has no more, follows the one that it has now."""
        if self._follow(case) and case.policy is not None and case.step_at is None and not case.alert.exhausted:
            self.resume(case, at)

    def _follow(self, case: Case) -> bool:
        """Whether its policy is another, since the site had none for its rule, or has that one no more."""
        if case.policy in self._site.alerting.policies:
            return False
        case.policy = self.policy_of(case.alert.rule)
        return True

    def step(self, case: Case, at: Instant) -> None:
        """Take the next step, or say that there is none; one that reaches nobody passes on to the next."""
        cause = self._inhibition.of_rule(case.alert.rule)
        if cause is not None:
            case.step_at = None
            silenced = self._inhibition.name(case, cause, at)
            self._history.record(case, "note", at, CLOCK, "inhibited", **silenced)
            return
        steps = steps_of(self._site, case.policy)
        rows = planned(steps, case.alert.level, case.repeats, since=at)
        if not rows:
            case.step_at = None
            self._history.record(case, "step", at, CLOCK, "exhausted", exhausted=True)
            return
        step = rows[0]
        last = step.level == len(steps)
        reached = self._duty.reached(step.contacts, at, fallback=named_contacts(steps) if last else ())
        passed_on = not last and not reached.contacts
        case.repeats = step.repeat
        case.step_at = at if passed_on else self._after(case, step, at)
        why = f"step {step.level}" + (f", repeat {step.repeat}" if step.repeat else "")
        why += f": {', '.join(reached.contacts)}" if reached.contacts else ""
        why += f" ({reached.note})" if reached.note else ""
        self._history.record(case, "step", at, f"policy:{case.policy}", why, level=step.level)
        if passed_on:
            self.step(case, at)
        else:
            kind: NoticeKind = "escalated" if case.tellings and case.standing else "raised"
            self._notices.tell(case, at, kind, reached.contacts)

    def _after(self, case: Case, step: PlannedStep, at: Instant) -> Instant:
        """When the step after `step` is due; after the last repetition one more distance is waited before `exhausted`."""
        steps = steps_of(self._site, case.policy)
        rows = planned(steps, step.level, step.repeat, since=at)
        return rows[0].due if rows else at + repeat_after(steps)


def steps_of(site: Site, policy: str | None) -> tuple[Step, ...]:
    """The steps of a policy by time; none if the site has no such policy: the alert is then shown on the console only."""
    if policy is None:
        return ()
    return tuple(sorted(site.alerting.policies.get(policy, ()), key=lambda step: step.after))


def named_contacts(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Every contact that a policy names outright: who is told if its last step reaches nobody on duty."""
    return tuple(dict.fromkeys(name for step in steps for name in step.notify if not name.startswith(DUTY)))


def planned(steps: tuple[Step, ...], level: int, repeats: int, since: Instant) -> list[PlannedStep]:
    """The steps still to come after `level` steps and `repeats` repetitions are done.

    Args:
        steps: of the policy, by time.
        level: steps done.
        repeats: repetitions of the last step done.
        since: when the last of them was taken; with none done, when the alert opened.
    """
    rows: list[PlannedStep] = []
    due = since
    for index in range(min(level, len(steps)), len(steps)):
        due += steps[index].after - (steps[index - 1].after if index else 0)
        rows.append(PlannedStep(index + 1, due, steps[index].notify))
    if steps:
        for repeat in range(repeats + 1, REPEATS + 1):
            due += repeat_after(steps)
            rows.append(PlannedStep(len(steps), due, steps[-1].notify, repeat))
    return rows


def repeat_after(steps: tuple[Step, ...]) -> Duration:
    """How long after the last step it is repeated: the distance of the last two steps, at least 10 min."""
    if len(steps) < 2:
        return ONLY_STEP_REPEAT
    return max(LEAST_REPEAT, steps[-1].after - steps[-2].after)
