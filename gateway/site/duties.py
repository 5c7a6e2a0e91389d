"""What the site file says of duty: who is on a shift, and who checks which posts when (查岗)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.duty_checks.check import FINDINGS
from gateway.instants import DAY, HOUR, MINUTE
from gateway.site.checks import Checks
from gateway.site.durations import written
from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.positions import Path
from gateway.site.sections import Draft


def check_duties(draft: Draft, mentions: Mentions, mistakes: Mistakes) -> None:
    """Check the shifts and duty checks of a draft; every mistake goes to `mistakes`."""
    checks = _Duties(draft, mentions, mistakes)
    checks.shifts()
    checks.duty_checks()


class _Duties(Checks):
    def shifts(self) -> None:
        for entry, path, damaged in self._draft.shifts:
            for key in ("rotation", "captain", "exceptions"):
                if key not in damaged:
                    for at, person in _named(getattr(entry, key), (*path, key)):
                        self._mentions.refer(at, person, "people", "a person")
            listed = {person for group in (*entry.rotation, *entry.exceptions.values()) for person in group}
            if not damaged & {"rotation", "exceptions"}:
                for index, captain in enumerate(entry.captain):
                    if captain not in listed and captain in self._draft.names["people"]:
                        self._mistakes.error(
                            (*path, "captain", index), f"found {captain!r}, who is never on this shift"
                        )

    def duty_checks(self) -> None:
        for entry, path, damaged in self._draft.duty_checks:
            for key, section, what in (("checkers", "people", "a person"), ("posts", "checkpoints", "a checkpoint")):
                if key not in damaged:
                    for index, name in enumerate(getattr(entry, key)):
                        self._mentions.refer((*path, key, index), name, section, what)
                    self._mentions.each_once((*path, key), getattr(entry, key), what)
            reached = {person.id for person, *_ in self._draft.people if person.contact is not None}
            if "checkers" not in damaged and not reached & set(entry.checkers):
                self._mistakes.warning(
                    path, "nobody of its `checkers` has a `contact` in `people`: no one is told before a check is due"
                )
            site = self._draft.site
            if site is not None and site.entry.jitter_seed is None and "jitter_seed" not in site.damaged:
                self._mistakes.error(path, "found without `site.jitter_seed`; expected `jitter_seed: env:NAME` there")
            since, until = (each.hour * HOUR + each.minute * MINUTE for each in entry.window)
            length = until - since if until > since else until + DAY - since
            needs = entry.told + entry.checker_within + entry.guard_within
            if needs + HOUR >= length and not damaged & {"window", "told", "checker_within", "guard_within"}:
                self._mistakes.error(
                    (*path, "window"),
                    f"found one of {written(length)}; expected more than {written(needs + HOUR)}, as telling the checker, his coming and "
                    "the guard's answer lie inside it, and the moment must not be guessed",
                )
            if entry.apart > 12 * HOUR and "apart" not in damaged:
                self._mistakes.error((*path, "apart"), f"found {written(entry.apart)}; expected at most 12h")
            for code in entry.findings:
                if code in FINDINGS:
                    self._mistakes.error(
                        (*path, "findings", code), "found a finding that is known already; expected another code"
                    )


def _named(value: Any, path: Path) -> Iterable[tuple[Path, str]]:
    """All ids inside lists and mappings, and where each stands."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, inner in value.items():
                yield from _named(inner, (*path, str(key)))
        case _:
            for index, inner in enumerate(value):
                yield from _named(inner, (*path, index))
