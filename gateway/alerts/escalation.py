"""Escalation: which step of a policy is next, and when (alerts.md, Escalation).

A policy is a list of steps, each some time after the alert opened. When a step is taken late (an acknowledgement stopped
it, the gateway was down) the following ones keep their distance from it.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.alerts.duty import DUTY
from gateway.instants import MINUTE, Duration, Instant
from gateway.site.model import Site, Step

REPEATS = 3
"""The last step repeats up to 3 times (alerts.md, Escalation)."""

LEAST_REPEAT: Duration = 10 * MINUTE
"""The last step is not repeated faster than this; ours, the spec gives no distance."""

ONLY_STEP_REPEAT: Duration = 30 * MINUTE
"""Distance of repeats where the policy has one step only; ours."""


class PlannedStep(NamedTuple):
    """One row of an alert's escalation: the `level` it leads to (1…), its contacts, when it is due."""

    level: int
    due: Instant
    contacts: tuple[str, ...]
    repeat: int = 0
    """0: the step itself; 1…3: a repetition of the last step."""


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
