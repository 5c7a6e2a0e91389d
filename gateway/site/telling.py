"""What the site file says of who is told: how contacts are reached, whom policies and rules tell, who is sent reports."""

from __future__ import annotations

from gateway.alerts.catalogue import CATALOGUE
from gateway.site.checks import Checks
from gateway.site.durations import written
from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.positions import Path
from gateway.site.sections import Draft

DUTY = "duty:"
ON_DUTY = ("captain", "manager", "maintenance", "operator")
"""Who of those on duty a policy may tell: `duty:captain` …"""


def check_telling(draft: Draft, mentions: Mentions, mistakes: Mistakes) -> None:
    """Check the alerts and reports of a draft; every mistake goes to `mistakes`."""
    checks = _Telling(draft, mentions, mistakes)
    checks.alerts()
    checks.reports()


class _Telling(Checks):
    def alerts(self) -> None:
        entry, path, damaged = self._draft.alerts
        for name, contact in entry.contacts.items():
            at = (*path, "contacts", name)
            reached = contact.console or contact.url is not None or contact.webhook is not None
            if not reached and f"contacts.{name}.url" not in damaged and f"contacts.{name}.webhook" not in damaged:
                self._mistakes.error(
                    at, "reaches nobody; expected `console: true`, `url: env:NAME` or `webhook: {url: …, secret: …}`"
                )
            if contact.url is not None and contact.webhook is not None:
                self._mistakes.error(at, "found with `url` and `webhook`; expected one of them, and a second contact")
            if contact.quiet is not None and contact.quiet[0] == contact.quiet[1]:
                self._mistakes.error((*at, "quiet"), "begins when it ends; expected two different clock times")
        for name, steps in entry.policies.items():
            for index, step in enumerate(steps):
                at = (*path, "policies", name, index)
                if index and step.after < steps[index - 1].after:
                    self._mistakes.error(
                        (*at, "after"), f"found {written(step.after)}; expected steps in order of time"
                    )
                for place, told in enumerate(step.notify):
                    if told.startswith(DUTY):
                        self._duty((*at, "notify", place), told.removeprefix(DUTY))
                    else:
                        self._mentions.contact((*at, "notify", place), told)
                self._mentions.each_once((*at, "notify"), step.notify, "contact")
            if steps and all(told.startswith(DUTY) for step in steps for told in step.notify):
                self._mistakes.warning(
                    (*path, "policies", name),
                    "tells only whoever is on duty: when nobody is, nobody hears of it; expected a contact in its last step",
                )
        for name, rule in entry.rules.items():
            at = (*path, "rules", name)
            if name not in CATALOGUE:
                self._mistakes.warning(at, f"no rule of this name is known{self._mistakes.nearest(name, CATALOGUE)}")
            if rule.policy is not None and rule.policy not in entry.policies and "policies" not in damaged:
                self._mistakes.error(
                    (*at, "policy"),
                    f"found {rule.policy!r}; expected a policy{self._mistakes.nearest(rule.policy, entry.policies)}",
                )
        if entry.policies and "default" not in entry.policies and "policies" not in damaged:
            self._mistakes.warning(
                (*path, "policies"), "there is no policy `default`: alerts whose rule names none are told to nobody"
            )

    def _duty(self, path: Path, role: str) -> None:
        """Of those on duty only who leads or mends may be told: a guard is not told of what is judged of him."""
        if role not in ON_DUTY:
            self._mistakes.error(
                path,
                f"found `duty:{role}`; expected `duty:` and one of {', '.join(ON_DUTY)}{self._mistakes.nearest(role, ON_DUTY)}",
            )
        elif not self._draft.names["shifts"]:
            self._mistakes.error(path, f"found `duty:{role}`, but there are no `shifts`; expected some")

    def reports(self) -> None:
        entry, path, damaged = self._draft.reports
        for kind, names in entry:
            if kind not in damaged:
                for place, name in enumerate(names):
                    self._mentions.contact((*path, kind, place), name)
                self._mentions.each_once((*path, kind), names, "contact")
        if entry.shift and not self._draft.names["shifts"]:
            self._mistakes.error((*path, "shift"), "there are no `shifts`; expected some, or no `shift` here")
