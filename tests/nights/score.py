"""What a judge said of a night, held against what was true of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from device_drivers.simulation.truth import Mishap
from gateway.instants import SECOND, Instant


class Accusation(NamedTuple):
    """Somebody or something was accused that was well.

    `beyond`: why nobody could have known better (a reader that seems alive and reads nothing); empty: a bug.
    """

    what: str
    subject: str
    at: Instant
    beyond: str = ""


class Score:
    """Figures of one night, which add up."""

    def __init__(self) -> None:
        self.accusations: list[Accusation] = []
        self.found: Counter[str] = Counter()
        """What was wrong and was found, by kind."""
        self.delay_s: Counter[str] = Counter()
        """How long that took in all, by kind."""
        self.overlooked: Counter[tuple[str, str]] = Counter()
        """What was wrong and was not found, by kind and cause."""
        self.well: Counter[str] = Counter()
        """What was well and was found so, by kind."""

    def accuse(self, what: str, subject: str, at: Instant, beyond: str = "") -> None:
        if not any((each.what, each.subject) == (what, subject) for each in self.accusations):
            self.accusations.append(Accusation(what, subject, at, beyond))

    def hit(self, kind: str, delay_s: float = 0.0) -> None:
        self.found[kind] += 1
        self.delay_s[kind] += round(delay_s)

    def add(self, other: Score) -> None:
        self.accusations += other.accusations
        for mine, theirs in (
            (self.found, other.found), (self.delay_s, other.delay_s), (self.overlooked, other.overlooked), (self.well, other.well),
        ):  # fmt: skip
            mine.update(theirs)

    @property
    def false(self) -> list[Accusation]:
        return [each for each in self.accusations if not each.beyond]

    @property
    def beyond(self) -> Counter[tuple[str, str]]:
        return Counter((each.what, each.beyond) for each in self.accusations if each.beyond)

    def table(self) -> Iterator[str]:
        """The figures as lines of a table."""
        yield f"{'what was wrong':<22}{'found':>8}{'after':>10}{'not found':>11}  because"
        kinds = sorted({*self.found, *(kind for kind, _ in self.overlooked)})
        for kind in kinds:
            causes = {cause: number for (of, cause), number in sorted(self.overlooked.items()) if of == kind}
            after = f"{self.delay_s[kind] / self.found[kind] / 60:.1f} min" if self.delay_s[kind] else ""
            why = ", ".join(f"{cause} {number}" for cause, number in sorted(causes.items(), key=lambda each: -each[1]))
            yield f"{kind:<22}{self.found[kind]:>8}{after:>10}{sum(causes.values()):>11}  {why}"
        yield ""
        for kind, number in sorted(self.well.items()):
            yield f"{kind:<40}{number:>8}"
        yield f"{'false accusations':<40}{len(self.false):>8}"
        for (what, why), number in sorted(self.beyond.items()):
            yield f"  beyond proof: {what}, {why}: {number}"


def spans(mishaps: Iterable[Mishap], kinds: Iterable[str], subjects: Iterable[str | None]) -> list[Mishap]:
    """The mishaps of some kinds that befell some subjects."""
    kinds, subjects = set(kinds), set(subjects)
    return [each for each in mishaps if each.kind in kinds and each.subject in subjects]


def wrong_between(mishaps: Iterable[Mishap], first: Instant, last: Instant) -> bool:
    """Whether any was so between two instants."""
    return any(each.touches(first / SECOND, last / SECOND) for each in mishaps)


def held_up(mishaps: Iterable[Mishap], now: Instant, within_s: float) -> float:
    """How long in all, in seconds, messages may have been on the way lately."""
    since = now / SECOND - within_s
    total = 0.0
    for each in mishaps:
        if each.kind in ("gateway_down", "link_down", "delayed") and each.touches(since, now / SECOND):
            end = now / SECOND if each.until is None else each.until
            total += each.value if each.kind == "delayed" else end - each.since
    return total
