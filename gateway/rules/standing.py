"""The alerts that one rule module has raised and not yet ended: a signal goes out only when something changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.rules.findings import Found, Signal
from gateway.site.model import Severity, Site

Details = dict[str, str | int | float | list[str]]

LISTED = 100
"""Names that a list in an alert's details holds at most: an alert stays small though 5,000 devices hang below it."""


def key_of(rule: str, subject: str) -> str:
    """How one alert is named as a cause (`Signal.caused_by`)."""
    return f"{rule}:{subject}"


def listed(names: list[str]) -> list[str]:
    """The names in order, at most `LISTED` of them."""
    return sorted(names)[:LISTED]


class Standing:
    """What is raised now, by (rule, subject). Repeats are silent; `raised` never moves while an alert stands."""

    def __init__(self, site: Site, found: Found) -> None:
        self._site = site
        self._found = found
        self._open: dict[tuple[str, str], Details] = {}

    def __contains__(self, alert: tuple[str, str]) -> bool:
        return alert in self._open

    def start(
        self,
        rule: str,
        subject: str,
        *,
        at: Instant,
        raised: Instant,
        details: Details,
        severity: Severity | None = None,
        place: str | None = None,
    ) -> None:
        """The condition holds: raise, or update if its details changed."""
        known = self._open.get((rule, subject))
        if known == details:
            return
        self._open[rule, subject] = details
        if (said := self._site.alerting.rules.get(rule)) is not None and said.severity is not None:
            severity = None
        self._found.signals.append(
            Signal(
                rule=rule,
                subject=subject,
                action="raise" if known is None else "update",
                at=at,
                raised=raised if known is None else None,
                details=details,
                severity=severity,
                place=place,
            )
        )

    def end(self, rule: str, subject: str, at: Instant, why: str) -> None:
        """The condition ended, if it was raised."""
        if self._open.pop((rule, subject), None) is not None:
            self._found.signals.append(Signal(rule=rule, subject=subject, action="resolve", at=at, why=why))

    def merge(self, rule: str, subject: str, at: Instant, into: str) -> None:
        """Another alert (`rule:subject`) now tells of it, if it was raised."""
        if self._open.pop((rule, subject), None) is not None:
            self._found.signals.append(
                Signal(rule=rule, subject=subject, action="merge", at=at, why="merged", caused_by=into)
            )

    def snapshot(self) -> list[Any]:
        return [[rule, subject, details] for (rule, subject), details in self._open.items()]

    def restore(self, state: list[Any], at: Instant, known: Callable[[str], bool]) -> None:
        """Take up a snapshot; what stands on a subject that the site no longer has is ended."""
        self._open = {(rule, subject): msgspec.convert(details, Details) for rule, subject, details in state}
        for rule, subject in [alert for alert in self._open if not known(alert[1])]:
            self.end(rule, subject, at, "removed")


def kept(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """One part of a snapshot; empty if an older version did not keep it."""
    part = state.get(name)
    return part if isinstance(part, Mapping) else {}
