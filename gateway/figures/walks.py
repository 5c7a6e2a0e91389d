"""Who was when at each checkpoint, and what of that is known for sure: settled days from the journal, later ones from the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from gateway.figures.history import Walked
from gateway.figures.stretches import Stretch, union
from gateway.instants import DAY, Instant
from gateway.journal.rows import Condition
from gateway.rules.engine import Engine

_walked = msgspec.json.Decoder(Walked).decode


class Walks(NamedTuple):
    """One checkpoint: taps by who may serve there, sorted, and when the records of all its witnesses are complete."""

    taps: list[Instant]
    complete: list[Stretch]


NOBODY = Walks([], [])


def living(engine: Engine, since: Instant, until: Instant) -> Iterator[Condition]:
    """What the rules hold of [since, until), day by day as the journal will have it. Changes nothing that is found."""
    for day in range(since - since % DAY, until, DAY):
        for checkpoint in sorted(engine.site.checkpoints):
            taps, complete = engine.rounds.walked(checkpoint, day, min(day + DAY, until))
            detail = msgspec.json.encode(Walked(taps=tuple(taps), complete=tuple(complete))).decode()
            yield Condition(until, day, "walk", checkpoint, "", detail)


def read(rows: Iterable[Condition]) -> Mapping[str, Walks]:
    """The walks of all checkpoints; of two rows for one day the later counts."""
    days: dict[tuple[str, Instant], Walked] = {(row.id, row.since): _walked(row.detail) for row in rows}
    taps: dict[str, set[Instant]] = {}
    complete: dict[str, list[Stretch]] = {}
    for (checkpoint, _), walked in days.items():
        taps.setdefault(checkpoint, set()).update(walked.taps)
        complete.setdefault(checkpoint, []).extend(walked.complete)
    return {name: Walks(sorted(taps[name]), union(complete[name])) for name in taps}
