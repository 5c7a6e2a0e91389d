"""Counters of tags that sign each tap: a copy shown again, or a tag read elsewhere (DOMAIN.md 5, tag-readers.md `ntag424`).

A tag counts its readings and signs the count, so each count is worth one tap. Seen again it is a replay, and told (`tag_cloned`). Lower than the
highest and never seen, it is late: a phone hands over what it kept. Far above the highest, the tag was read
many times where nobody handed it over, perhaps to keep its codes for later: told as a warning. All three are marks of the tap; none takes
it away, since a mark can be explained and a rejected tap cannot.

Only what was seen accuses: what is no longer remembered counts as never seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from device_drivers.observations import TagRead
from gateway.instants import SECOND, Duration, Instant
from gateway.rules.findings import Found, Signal
from gateway.rules.taps import Owner, enrolled
from gateway.site.model import Severity, Site
from gateway.site.tags import masked

RULE = "tag_cloned"

Mark = Literal["", "counter_replayed", "counter_late", "counter_jumped"]

SAME_TAP: Duration = 60 * SECOND
"""A count passed on again by the device and person that had it first, this soon, is the same tap: a page loaded twice."""

JUMP = 50
"""Readings that may go by unheard: a phone reads a tag a few times for a tap, and residents try it out (ours)."""

RUNS = 128
"""Runs of counts remembered a tag; the lowest are forgotten. An honest tag's counts are few runs."""

FIRSTS = 32
"""Counts a tag of which is remembered who had them first."""

TAGS = 20_000
"""Tags remembered at most; the one not read for longest is forgotten."""


class First(NamedTuple):
    """Who had a count first, and when by its device."""

    device: str
    person: str
    at: Instant


class Counts:
    """The counts that one tag has shown.

    Attributes:
        runs: seen counts as [lowest, highest], ascending, neither touching.
        firsts: who had the latest of them first, oldest first.
        replayed: a replay of it was told.
    """

    __slots__ = ("firsts", "replayed", "runs")

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.firsts: dict[int, First] = {}
        self.replayed = False

    def take(self, counter: int, first: First) -> tuple[Mark, int]:
        """Take a count; what it is, and how many went by unheard before it."""
        runs = self.runs
        if not runs:
            self._add(0, counter, first)
            return "", 0
        known = self.firsts.get(counter)
        index = bisect_right(runs, counter, key=lambda run: run[0])
        if index and counter <= runs[index - 1][1]:
            return ("" if known is not None and _same_tap(known, first) else "counter_replayed"), 0
        top = runs[-1][1]
        self._add(index, counter, first)
        if counter < top:
            return "counter_late", 0
        gone_by = counter - top - 1
        return ("counter_jumped" if gone_by > JUMP else ""), gone_by

    def _add(self, index: int, counter: int, first: First) -> None:
        """Put in a count that none of the runs holds; `index`: the run above it."""
        runs = self.runs
        below = index > 0 and runs[index - 1][1] == counter - 1
        above = index < len(runs) and runs[index][0] == counter + 1
        if below and above:
            runs[index - 1][1] = runs[index][1]
            del runs[index]
        elif below:
            runs[index - 1][1] = counter
        elif above:
            runs[index][0] = counter
        else:
            runs.insert(index, [counter, counter])
            if len(runs) > RUNS:
                del runs[0]
        self.firsts[counter] = first
        if len(self.firsts) > FIRSTS:
            del self.firsts[next(iter(self.firsts))]

    def snapshot(self) -> list[Any]:
        return [self.runs, [[counter, *first] for counter, first in self.firsts.items()], self.replayed]

    def restore(self, state: Sequence[Any]) -> None:
        """Take up a snapshot."""
        self.runs = [list(run) for run in state[0]]
        self.firsts = {counter: First(*first) for counter, *first in state[1]}
        self.replayed = state[2]


def _same_tap(known: First, again: First) -> bool:
    same = known.device == again.device and known.person == again.person
    return same and -SAME_TAP <= again.at - known.at <= SAME_TAP


class Counters:
    """Judges the counts of the site's tags; of others nothing is known."""

    def __init__(self, site: Site, found: Found) -> None:
        self._site = site
        self._found = found
        self._tags = enrolled(site)
        self._counts: dict[str, Counts] = {}

    def judge(self, read: TagRead, at: Instant, received: Instant) -> Mark:
        """What the count of a signed read is; a replay and a jump are told. "" for what says none."""
        if read.counter is None or read.method != "sun":
            return ""
        owner = self._tags.find(read.tag)
        if owner is None:
            return ""
        counts = self._counts.pop(read.tag, None) or Counts()
        self._counts[read.tag] = counts
        if len(self._counts) > TAGS:
            del self._counts[next(iter(self._counts))]
        known = counts.firsts.get(read.counter)
        mark, gone_by = counts.take(read.counter, First(read.device, read.person or "", at))
        if mark == "counter_replayed":
            counts.replayed = True
            more = {"reason": mark, "first": "" if known is None else known.device}
            self._tell(owner, read, received, more, severity=None)
        elif mark == "counter_jumped":
            severity: Severity | None = None if counts.replayed else "warning"
            self._tell(owner, read, received, {"reason": mark, "missing": gone_by}, severity=severity)
        return mark

    def _tell(
        self,
        owner: Owner,
        read: TagRead,
        received: Instant,
        more: Mapping[str, str | int],
        *,
        severity: Severity | None,
    ) -> None:
        checkpoint = self._site.checkpoints.get(owner.checkpoint or "")
        device = self._site.devices.get(read.device)
        place = checkpoint.place if checkpoint is not None else None if device is None else device.place
        said: dict[str, str | int] = {
            "device": read.device,
            "tag": masked(read.tag),
            "counter": read.counter or 0,
            **more,
        }
        if (stated := self._site.alerting.rules.get(RULE)) is not None and stated.severity is not None:
            severity = None
        self._found.signals.append(
            Signal(
                rule=RULE,
                subject=owner.checkpoint or owner.person or read.tag,
                action="raise",
                at=received,
                raised=received,
                details={key: value for key, value in said.items() if value != ""},
                severity=severity,
                place=place,
            )
        )

    def advance(self, now: Instant) -> None:
        """Nothing here changes by time."""

    def deadline(self) -> Instant | None:
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """What a tag has shown is not unseen by a restart."""

    def snapshot(self) -> Any:
        return {tag: counts.snapshot() for tag, counts in self._counts.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot; of tags that are enrolled no longer nothing is kept."""
        self._counts = {}
        for tag, saved in state.items():
            if self._tags.find(tag) is not None:
                self._counts[tag] = Counts()
                self._counts[tag].restore(saved)
