"""Signals about rounds, gaps and readers (spec: rounds.md, Alerts)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Literal

from gateway.instants import Instant, moment, seconds
from gateway.rules.findings import Found, RoundVerdict, Signal
from gateway.rules.gaps import GapState, Piece
from gateway.rules.visits import RoundState, VisitState
from gateway.site.model import Site

ENDED = {"missed": "round_missed", "incomplete": "round_incomplete", "unverifiable": "round_unverifiable"}
"""The alert of each verdict that a round may end with, apart from `completed`."""
NAMES = {"round_missed": "missed", "round_incomplete": "missed", "round_unverifiable": "unverifiable"}
"""The verdict of the visits that an alert names."""


class RoundAlerts:
    """Tells what begins, changes, ends or never was, once each."""

    def __init__(self, site: Site, found: Found) -> None:
        self._found = found
        self._zone = site.zone_info
        self._site = site

    def _time(self, at: Instant) -> str:
        return moment(at, self._zone).isoformat()

    def round(
        self, state: RoundState, verdict: RoundVerdict, now: Instant, *, unstarted: Mapping[str, list[str]] | None
    ) -> None:
        """Tell of a round as it is judged now.

        Args:
            verdict: the round's, now.
            unstarted: it was due to start and nothing served it; who says so, as a detail of the alert.
        """
        standing = ENDED.get(verdict)
        for rule, wanted in NAMES.items():
            if rule == standing:
                visits = [visit for visit in state.required if visit.verdict == wanted]
                causes = sorted({visit.cause for visit in visits if visit.cause is not None})
                told = (*(visit.checkpoint for visit in visits), *causes)
                if state.tells.get(rule) != told:
                    self._ended(state, rule, visits, causes, now)
                    state.tells[rule] = told
            elif rule in state.tells:
                del state.tells[rule]
                self._signal(rule, state.id, "retract", now, "rejudged")
        self._not_started(state, standing, now, unstarted=unstarted)

    def _ended(
        self, state: RoundState, rule: str, visits: Sequence[VisitState], causes: list[str], now: Instant
    ) -> None:
        named = [visit.checkpoint for visit in visits]
        details: dict[str, str | int | float | list[str]] = {
            "route": state.route.id,
            "start": self._time(state.start),
            NAMES[rule]: named,
        }
        if causes:
            details["cause"] = causes
        self._found.signals.append(
            Signal(
                rule=rule,
                subject=state.id,
                action="update" if rule in state.tells else "raise",
                at=now,
                raised=max(visit.closes for visit in visits),
                why=rule,
                details=details,
                place=self._place(named),
            )
        )

    def _place(self, named: Sequence[str]) -> str | None:
        checkpoint = self._site.checkpoints.get(named[0]) if len(named) == 1 else None
        return checkpoint.place if checkpoint is not None else None

    def _not_started(
        self, state: RoundState, standing: str | None, now: Instant, *, unstarted: Mapping[str, list[str]] | None
    ) -> None:
        rule = "round_not_started"
        told = state.tells.get(rule)
        if told is None:
            if unstarted is not None and standing is None:
                state.tells[rule] = ("open",)
                details: dict[str, str | int | float | list[str]] = {
                    "route": state.route.id,
                    "start": self._time(state.start),
                    "due": self._time(state.not_started - state.route.tolerance),
                    **unstarted,
                }
                self._found.signals.append(
                    Signal(
                        rule=rule,
                        subject=state.id,
                        action="raise",
                        at=now,
                        raised=state.not_started,
                        why=rule,
                        details=details,
                    )
                )
            return
        if told == ("retracted",):
            return
        times = [visit.service.fit.time for visit in state.visits if visit.service is not None]
        if times and min(times) <= state.not_started:
            state.tells[rule] = ("retracted",)
            self._signal(rule, state.id, "retract", now, "rejudged")
        elif told == ("open",) and times:
            state.tells[rule] = ("resolved",)
            self._signal(rule, state.id, "resolve", now, "started", details={"ended": self._time(min(*times, now))})
        elif told == ("open",) and standing is not None:
            state.tells[rule] = ("merged",)
            self._signal(rule, state.id, "merge", now, "merged", caused_by=f"{standing}:{state.id}")

    def gap(self, state: GapState, exceeded: list[Piece], now: Instant, told: Callable[[str], bool]) -> None:
        """Tell of the pieces of one window that are too long; a piece that overlaps one told of is the same.

        Args:
            told: whether another window of the checkpoint tells of a subject; an alert is of one window.
        """
        checkpoint = state.window.checkpoint
        tells: dict[str, Piece] = {}
        for piece in exceeded:
            subject = next(
                (
                    name
                    for name, old in state.tells.items()
                    if old.start < piece.end and piece.start < old.end and name not in tells
                ),
                None,
            )
            if subject is None:
                names = (f"{checkpoint}@{self._time(at)}" for at in count(piece.start))
                subject = next(name for name in names if not told(name))
                self._tell_gap(state, subject, piece, "raise", now)
                if not piece.open:
                    self._signal("gap_exceeded", subject, "resolve", now, "ended")
            elif _otherwise(told_of := state.tells[subject], piece):
                self._tell_gap(state, subject, piece, "update", now)
                if told_of.open and not piece.open:
                    self._signal("gap_exceeded", subject, "resolve", now, "ended")
            tells[subject] = piece
        for subject in state.tells:
            if subject not in tells:
                self._signal("gap_exceeded", subject, "retract", now, "rejudged")
        state.tells = tells

    def _tell_gap(
        self, state: GapState, subject: str, piece: Piece, action: Literal["raise", "update"], now: Instant
    ) -> None:
        checkpoint = self._site.checkpoints.get(state.window.checkpoint)
        ended: dict[str, str | int | float | list[str]] = {} if piece.open else {"ended": self._time(piece.end)}
        self._found.signals.append(
            Signal(
                rule="gap_exceeded",
                subject=subject,
                action=action,
                at=now,
                raised=piece.start + state.at_most,
                why="gap_exceeded",
                details={
                    "checkpoint": state.window.checkpoint,
                    "from": self._time(piece.start),
                    "length": seconds(piece.length),
                    "at_most": seconds(state.at_most),
                    **ended,
                },
                place=checkpoint.place if checkpoint is not None else None,
            )
        )

    def reader_offline(self, device: str, last_heard: Instant | None, raised: Instant, now: Instant) -> None:
        """A reader fell silent, or a wand was not handed in."""
        details: dict[str, str | int | float | list[str]] = {}
        if last_heard is not None:
            details["last_heard"] = self._time(last_heard)
        known = self._site.devices.get(device)
        self._found.signals.append(
            Signal(
                rule="reader_offline", subject=device, action="raise", at=now, raised=raised, why="silent", details=details,
                place=known.place if known is not None else None,
            )
        )  # fmt: skip

    def reader_back(self, device: str, now: Instant, why: str = "heard") -> None:
        """A reader is told of no longer."""
        self._signal("reader_offline", device, "resolve", now, why)

    def _signal(
        self,
        rule: str,
        subject: str,
        action: Literal["resolve", "retract", "merge"],
        now: Instant,
        why: str,
        *,
        caused_by: str | None = None,
        details: dict[str, str | int | float | list[str]] | None = None,
    ) -> None:
        self._found.signals.append(
            Signal(
                rule=rule, subject=subject, action=action, at=now, why=why, caused_by=caused_by, details=details or {}
            )
        )


def _otherwise(told: Piece, now: Piece) -> bool:
    """Whether a piece ended, or is another than it was told; of one that goes on and only grew, what was told is still so."""
    if told.open and now.open:
        return now.start > told.start or now.end < told.end
    return told != now
