"""From rows of the journal to what each subject was, stretch by stretch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from gateway.figures.stretches import Stretch, union
from gateway.instants import Instant
from gateway.journal.rows import Condition

Subject = tuple[str, str]
"""(kind, id)."""


class Piece(NamedTuple):
    """A stretch without change."""

    start: Instant
    end: Instant
    state: str
    detail: str


class Timeline:
    """What every subject was in [`since`, `until`).

    Args:
        rows: those of the period and each subject's last one before it, in the order of `seq`.
    """

    def __init__(self, rows: Iterable[Condition], since: Instant, until: Instant) -> None:
        self.since = since
        self.until = max(since, until)
        self._rows: dict[Subject, list[Condition]] = {}
        for row in rows:
            known = self._rows.setdefault((row.kind, row.id), [])
            while known and known[-1].since >= row.since:
                known.pop()
            known.append(row)

    def ids(self, kind: str) -> list[str]:
        """All subjects of a kind of which anything is recorded, sorted."""
        return sorted(name for known, name in self._rows if known == kind)

    def pieces(self, kind: str, subject: str) -> list[Piece]:
        """What it was, in order; before its first row nothing is said."""
        found: list[Piece] = []
        end = self.until
        for row in reversed(self._rows.get((kind, subject), ())):
            start = row.since
            if start < end:
                found.append(Piece(max(start, self.since), end, row.state, row.detail))
                end = start
                if end <= self.since:
                    break
        found.reverse()
        return found

    def when(self, kind: str, subject: str, states: Collection[str]) -> list[Stretch]:
        """When it was in one of `states`."""
        return union((piece.start, piece.end) for piece in self.pieces(kind, subject) if piece.state in states)

    def by_state(self, kind: str, subject: str) -> Mapping[str, list[Stretch]]:
        """When it was in which state."""
        found: dict[str, list[Stretch]] = {}
        for start, end, state, _ in self.pieces(kind, subject):
            parts = found.setdefault(state, [])
            if parts and parts[-1][1] == start:
                parts[-1] = (parts[-1][0], end)
            else:
                parts.append((start, end))
        return found

    def down(self) -> list[Stretch]:
        """When the gateway was down: whatever stood then, nothing of it was known."""
        return self.when("gateway", "", {"down"})

    def recorded_from(self) -> Instant | None:
        """When recording began, if that is in the period or before it; None: later, or never."""
        rows = self._rows.get(("gateway", ""), [])
        first = next((row.since for row in rows if row.state == "up"), None)
        return None if first is None or first >= self.until else first
