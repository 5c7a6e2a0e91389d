"""Rounds against the truth: who was there, who was not, and what was said of them at any time of the night."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from device_drivers.simulation.nights import Lived
from device_drivers.simulation.truth import Conduct
from device_drivers.simulation.world import Tapped
from gateway.instants import MINUTE, SECOND, Instant, instant
from gateway.rules.engine import Engine
from gateway.rules.findings import Found
from gateway.site.model import Route
from gateway.site.plans import visit_interval
from tests.nights.cases import Case
from tests.nights.score import Score

MARGIN = 8 * SECOND
"""What clocks and deliveries make uncertain: nobody is held to a tap so near an interval's end."""

Key = tuple[str, int]


class Due(NamedTuple):
    """A visit as planned."""

    key: Key
    checkpoint: str
    opens: Instant
    closes: Instant
    route: Route
    optional: bool


class Was(NamedTuple):
    """Somebody was there (at a post for two: both, the first at `since`)."""

    at: Instant
    since: Instant
    guards: tuple[str, ...]
    walk: str
    beyond: str
    """Why nobody could have known, or nothing."""
    known_from: Instant
    """Before then nobody could have known: what the tap is in was not handed in."""


class RoundsScore(Score):
    """Watches the judging of one night of rounds."""

    def __init__(self, case: Case, night: Lived) -> None:
        super().__init__()
        self.case = case
        self.mishaps = night.world.truth.mishaps()
        untimed = {wand.id for wand in case.estate.wands if not wand.says_time}
        self._unmeasured = any(each.kind == "clock_off" and each.subject in untimed for each in self.mishaps)
        self.visits: dict[str, list[Due]] = {}
        self.due: dict[Key, Due] = {}
        self.verdicts: dict[Key, str] = {}
        for dated in case.rounds:
            route = case.site.routes[dated.route]
            for position, visit in enumerate(route.visits, 1):
                opens, closes = visit_interval(route, visit, dated)
                due = Due((dated.id, position), visit.checkpoint, opens, closes, route, visit.optional)
                self.visits.setdefault(visit.checkpoint, []).append(due)
                self.due[due.key] = due
        self.there: dict[str, list[Was]] = {name: [] for name in case.site.checkpoints}
        alone: dict[str, list[Tapped]] = {}
        for tap in night.world.tapped:
            if case.site.checkpoints[tap.checkpoint].two_person:
                alone.setdefault(tap.checkpoint, []).append(tap)
            else:
                self.there[tap.checkpoint].append(self._was(tap))
        for name, taps in alone.items():
            within = case.site.checkpoints[name].two_person_within
            for index, one in enumerate(taps):
                for other in taps[index + 1 :]:
                    pair = self._was(one), self._was(other)
                    if one.guard != other.guard and pair[1].at - pair[0].at <= within - MARGIN:
                        beyond = pair[0].beyond or pair[1].beyond
                        known = max(pair[0].known_from, pair[1].known_from)
                        self.there[name].append(
                            Was(pair[1].at, pair[0].at, (one.guard, other.guard), other.walk, beyond, known)
                        )

    # -- what was really so

    def _was(self, tap: Tapped) -> Was:
        beyond, known_from = self._beyond(tap)
        return Was(instant(tap.at), instant(tap.at), (tap.guard,), tap.walk, beyond, known_from)

    def _beyond(self, tap: Tapped) -> tuple[str, Instant]:
        at = tap.at.timestamp()
        reader = next(
            (each for each in self.case.estate.readers if each.id == self.case.site.checkpoints[tap.checkpoint].reader),
            None,
        )
        conduct = self.case.night.conduct.get(tap.walk, Conduct())
        if reader is not None:
            for mishap in self.mishaps:
                if mishap.subject != reader.id or not mishap.covers(at):
                    continue
                if mishap.kind == "reader_mute":
                    return "its reader seemed alive and read nothing", 0
                short = mishap.until is not None and mishap.until - mishap.since < 3 * reader.every_s
                if mishap.kind == "reader_dead" and not reader.numbered and short:
                    return "its reader keeps no count, and was out for less than three of its reports", 0
            return "", 0
        if conduct.no_login and tap.wand is not None:
            return "the guard's card was not held to the wand", 0
        wand = next(each for each in self.case.estate.wands if each.id == tap.wand)
        if wand.id not in self.case.site.routes[tap.walk.partition("@")[0]].readers:
            if any(each.kind == "clock_lost" and each.subject == wand.id for each in self.mishaps):
                return "carried a reader that the route does not name, and its clock was lost", 0
            docks = [dock.at for dock in self.case.night.docks if dock.wand == wand.id and dock.at > at]
            if wand.phone or not docks:
                return "carried a reader that the route does not name", 0
            return "", round(min(docks) * SECOND) + 2 * 60 * MINUTE
        return "", 0

    def _fits(self, was: Was, due: Due, margin: Instant = MARGIN) -> bool:
        allowed = due.route.accept_others or all(guard in due.route.guards for guard in was.guards)
        return allowed and due.opens + margin <= was.since and was.at <= due.closes - margin

    def _served(self, visits: Iterable[Due], there: list[Was]) -> int:
        """How many of the visits can be served by those who were there, each once: augmenting paths."""
        taken: dict[int, Due] = {}

        def serve(due: Due, seen: set[int]) -> bool:
            for index, was in enumerate(there):
                if index not in seen and self._fits(was, due):
                    seen.add(index)
                    if index not in taken or serve(taken[index], seen):
                        taken[index] = due
                        return True
            return False

        return sum(serve(due, set()) for due in visits)

    # -- what was said

    def __call__(self, now: Instant, found: Found, engine: Engine) -> None:
        missed: dict[Key, Instant] = {}
        for revision in found.revisions:
            key = revision.round, revision.position
            if key in self.due:
                self.verdicts[key] = revision.verdict
                if revision.verdict == "missed":
                    missed[key] = instant(revision.at)
                    known = revision.visit.watermark
                    if known is None or instant(known) < self.due[key].closes:
                        self.accuse("missed unsettled", f"{key[0]} {key[1]}", missed[key])
        for key, at in missed.items():
            self._accused(self.due[key], at)
        for signal in found.signals:
            if signal.rule == "round_not_started" and signal.action == "raise":
                self._asked(signal.subject, signal.at, engine)
            elif signal.rule == "gap_exceeded" and signal.action == "raise":
                for gap in engine.rounds.gaps():
                    for piece in gap.exceedances:
                        self._gap(gap.checkpoint, instant(piece.since), instant(piece.until), now)

    def _accused(self, due: Due, at: Instant) -> None:
        others = [
            each
            for each in self.visits[due.checkpoint]
            if each.key != due.key and self.verdicts.get(each.key, "pending") not in ("missed", "skipped")
        ]
        everybody = self.there[due.checkpoint]
        known = [was for was in everybody if not was.beyond and was.known_from <= at]
        if self._served([*others, due], known) > self._served(others, known):
            self.accuse("missed", f"{due.key[0]} {due.key[1]} {due.checkpoint}", at)
        elif self._served([*others, due], everybody) > self._served(others, everybody):
            beyond = next(
                (was.beyond for was in everybody if was.beyond and self._fits(was, due)),
                "carried a reader that the route does not name",
            )
            self.accuse("missed", f"{due.key[0]} {due.key[1]} {due.checkpoint}", at, beyond)

    def _asked(self, round_id: str, at: Instant, engine: Engine) -> None:
        """`round_not_started` of a round that somebody had begun."""
        route = self.case.site.routes[round_id.partition("@")[0]]
        fixed = self.case.site.checkpoints[route.visits[0].checkpoint].reader
        engine_heard = any(
            (device := engine.devices.device(name)) is not None and device.last_heard is not None
            for name in ([fixed] if fixed else route.readers)
        )
        for due in (each for each in self.due.values() if each.key[0] == round_id):
            rivals = [
                each for each in self.visits[due.checkpoint] if each.opens <= due.closes and each.closes >= due.opens
            ]
            for was in self.there[due.checkpoint]:
                if was.walk == round_id and len(rivals) == 1 and self._fits(was, due) and was.at <= at - 10 * MINUTE:
                    first = min(
                        (each for each in self.due.values() if each.key[0] == round_id), key=lambda each: each.key[1]
                    )
                    if due.key == first.key:
                        unheard = "" if engine_heard else "none of its readers was ever heard"
                        other = "carried a reader that the route does not name" if was.known_from > at else ""
                        beyond = was.beyond or unheard or other
                        self.accuse("round_not_started", f"{round_id} {due.checkpoint}", at, beyond)

    def _gap(self, checkpoint: str, since: Instant, until: Instant, now: Instant) -> None:
        for was in self.there[checkpoint]:
            if since + MARGIN < was.at < until - MARGIN:
                late = "carried a reader that the route does not name" if was.known_from > now else ""
                if self._unmeasured and min(was.at - since, until - was.at) < 60 * MINUTE:
                    late = late or "a wand's clock was never measured, and the tap dated a little off"
                self.accuse("gap_exceeded", f"{checkpoint} {since}", now, was.beyond or late)

    def close(self, engine: Engine) -> None:
        """Count what was found in the end."""
        for each in engine.rounds.rounds():
            for visit in each.visits:
                due = self.due.get((each.id, visit.position))
                if due is None or due.optional:
                    continue
                near = [was for was in self.there[due.checkpoint] if self._fits(was, due, -MARGIN)]
                served = visit.verdict in ("on_time", "early", "late")
                if near:
                    sure = any(self._fits(was, due) for was in near)
                    if served:
                        self.well["visits served"] += 1
                    elif sure:
                        self.well[f"visits served, in the end {visit.verdict} ({visit.cause or ''})"] += 1
                elif visit.verdict == "missed":
                    self.hit("absence")
                else:
                    self.overlooked["absence", visit.cause or visit.verdict] += 1
