"""What the judge tells of conditions: a row whenever a lamp, circuit, camera or zone becomes something else.

Fed with what the rules have touched, right after each step, so that what happens between two commits is told, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from gateway.clock import Doubt
from gateway.instants import DAY, Duration, Instant, instant
from gateway.journal.rows import Condition
from gateway.rules.engine import Engine
from gateway.rules.lamps import LampJudge
from gateway.site.model import Expected, Lamp, Site

REACH: Duration = 8 * DAY
"""How far back a row may reach behind the time it was found: as long as evidence may be late, and a day."""

SETTLED_AFTER: Duration = 8 * DAY
"""When a day's taps and records are written down: by then evidence may no longer come (rounds.md: 7 days)."""

UP_TO_KEPT: Duration = 9 * DAY
"""What of the past the rules still hold for sure."""

OUT = "absent"
"""The state of what is no longer in the site."""

NO_PATROL = "none"
"""The state of a checkpoint's compensating patrol when there is none."""

RECORDED = frozenset({"commanded", "motion"})
"""Modes whose duty no plan tells, so that it is recorded."""

PROVED = frozenset({"lamp_failure", "day_burner", "no_trigger", "cycling_failure", "dim"})
"""Faults that a sample ends; others end when they are said to, or expire."""

Key = tuple[str, str]
Told = tuple[str, str]


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lamp hangs and when it should burn: the detail of a `seat`."""

    place: str
    circuit: str | None
    expected: Expected


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """One UTC day of a checkpoint: the detail of a `walk`. Instants; `complete` as closed intervals."""

    taps: tuple[Instant, ...]
    complete: tuple[tuple[Instant, Instant], ...]


def seat_of(lamp: Lamp) -> str:
    """A lamp's seat as it stands in the journal."""
    seat = Seat(place=lamp.place, circuit=lamp.circuit, expected=lamp.expected)
    return msgspec.json.encode(seat).decode()


class History:
    """The conditions of one site as they are told.

    Args:
        engine: what is watched; its views are asked, nothing in it is changed.
        started: the gateway's first start.
    """

    def __init__(self, site: Site, engine: Engine, started: Instant) -> None:
        self._site = site
        self._engine = engine
        self._started = started
        self._told: dict[Key, Told] = {}
        self._since: dict[Key, Instant] = {}
        self._faulty: dict[str, Instant] = {}
        """Lamps with a fault, each since when it is told to have one."""
        self._patrols: set[str] = set()
        """Checkpoints that are walked more often, as told."""
        self._rows: list[Condition] = []
        self._walked_to: Instant | None = _day(started)
        self._views: Mapping[str, Callable[[str, Instant], tuple[str, str, Instant] | None]] = {
            "lamp": self._lamp,
            "circuit": self._circuit,
            "camera": self._camera,
            "zone": self._zone,
        }
        self._rows.append(Condition(started, started, "gateway", "", "up", ""))
        self._tell_all(started)

    def resume(self, told: Iterable[Condition], now: Instant) -> None:
        """Go on from what the journal holds: the last row of each subject. What is otherwise now is told from `now` on."""
        self._rows = [row for row in self._rows if row.kind == "gateway" and row.found == now]
        self._told, self._since, self._faulty, self._patrols = {}, {}, {}, set()
        settled: Instant | None = None
        for row in told:
            match row.kind:
                case "gateway":
                    pass
                case "walk":
                    settled = row.since if settled is None else max(settled, row.since)
                case _:
                    self._told[row.kind, row.id] = row.state, row.detail
                    self._since[row.kind, row.id] = row.since
                    if row.kind == "patrol" and row.state != NO_PATROL:
                        self._patrols.add(row.id)
                    if row.kind == "lamp" and row.state == "faulty":
                        self._faulty[row.id] = row.since
        known = self._current()
        for key in sorted(self._told):
            if key not in known and key[0] != "patrol" and self._told[key][0] != OUT:
                self._tell(key, (OUT, ""), now, now)
        self._tell_all(now)
        stopped = min((row.since for row in self._rows if row.kind == "gateway"), default=now)
        first = max(_day(self._started), _day(stopped - UP_TO_KEPT))
        self._walked_to = first if settled is None else settled + DAY
        self.pass_time(now)

    def take_up(self) -> None:
        """The rules took up a snapshot: what they say now has been told; days are settled once the journal is known."""
        self._tell_all(self._engine.now)
        self._rows, self._walked_to = [], None

    def follow(self, engine: Engine) -> None:
        """Watch another engine that has heard the same: what was told stays told."""
        self._engine = engine

    def look(self, touched: Iterable[Key], now: Instant) -> None:
        """What the rules touched may be something else now."""
        for kind, name in touched:
            view = self._views.get(kind)
            if view is None or (found := view(name, now)) is None:
                continue
            state, detail, since = found
            self._tell((kind, name), (state, detail), since, now)
            if kind == "lamp":
                self._tell_duty(name, now)

    def restarted(self, down_from: Instant, now: Instant, doubt: Doubt | None = None) -> None:
        """The gateway was down from `down_from` until `now`: nothing is known of that time, nor, while its clock is doubted, of what follows.

        Told before the rules are.
        """
        if not self._engine.rounds.doubted:
            self._rows.append(Condition(now, down_from, "gateway", "", "down", ""))
        if doubt != "doubted":
            self._rows.append(Condition(now, now, "gateway", "", "up", ""))

    def pass_time(self, now: Instant) -> None:
        """Tell of patrols, and write down the days that are settled by `now`, while the rules still hold them."""
        limits = self._engine.compensation.limits()
        if limits or self._patrols:
            for checkpoint in sorted(limits.keys() | self._patrols):
                limit = limits.get(checkpoint)
                self._tell(("patrol", checkpoint), (NO_PATROL if limit is None else str(limit), ""), now, now)
            self._patrols = set(limits)
        while self._walked_to is not None and self._walked_to + DAY + SETTLED_AFTER <= now:
            self._settle(self._walked_to, now)
            self._walked_to += DAY

    def drain(self) -> list[Condition]:
        """Rows since the last call, in order."""
        rows, self._rows = self._rows, []
        return rows

    @property
    def walked_to(self) -> Instant:
        """Up to when walks are in the journal; what is later the rules hold."""
        return _day(self._engine.now - UP_TO_KEPT) if self._walked_to is None else self._walked_to

    def _settle(self, day: Instant, now: Instant) -> None:
        """Write down who was when at each checkpoint on one UTC day."""
        for checkpoint in sorted(self._site.checkpoints):
            taps, complete = self._engine.rounds.walked(checkpoint, day, day + DAY)
            walked = Walked(taps=tuple(taps), complete=tuple(complete))
            detail = msgspec.json.encode(walked).decode()
            self._rows.append(Condition(now, day, "walk", checkpoint, "", detail))

    def _current(self) -> set[Key]:
        site = self._site
        found = {("circuit", name) for name in site.circuits} | {("zone", name) for name in site.zones}
        found |= {(kind, name) for name in site.lamps for kind in ("lamp", "seat")}
        found |= {("duty", name) for name, lamp in site.lamps.items() if lamp.expected.mode in RECORDED}
        return found | {("camera", camera.id) for camera in self._engine.cameras.cameras()}

    def _tell_all(self, now: Instant) -> None:
        for name in sorted(self._site.lamps):
            lamp = self._site.lamps[name]
            self._tell(("seat", name), (lamp.expected.mode, seat_of(lamp)), now, now)
        self.look(sorted(key for key in self._current() if key[0] in self._views), now)

    def _tell(self, key: Key, said: Told, since: Instant, now: Instant) -> None:
        """A row, if a subject is something else than was told of it last."""
        before = self._told.get(key)
        if before == said:
            return
        since = now if before is None else max(min(since, now), now - REACH)
        self._told[key], self._since[key] = said, since
        self._rows.append(Condition(now, since, *key, *said))

    def _lamp(self, name: str, now: Instant) -> tuple[str, str, Instant] | None:
        """A fault is since its first sample, the end of one since the sample that showed it."""
        judge = self._engine.lighting.judge_of(name)
        if judge is None:
            return None
        memory, known = judge.memory, self._faulty.get(name)
        if memory.state == "faulty":
            begun = _begun(judge)
            since = now if begun is None or (known is not None and begun >= known) else begun
            self._faulty[name] = since if known is None else min(known, since)
            return memory.state, " ".join(judge.faults()), since
        if self._faulty.pop(name, None) is None or memory.state == "disabled":
            return memory.state, memory.cause or "", now
        best = judge.best()
        shown = best is not None and all(fault in PROVED for fault in self._told["lamp", name][1].split())
        since = max(best.memory.at, self._since["lamp", name]) if best is not None and shown else now
        return memory.state, memory.cause or "", since

    def _tell_duty(self, name: str, now: Instant) -> None:
        if self._site.lamps[name].expected.mode not in RECORDED:
            return
        judge = self._engine.lighting.judge_of(name)
        if judge is not None:
            expected = judge.expected_now(now)
            state = "unsaid" if expected is None else "on" if expected else "off"
            self._tell(("duty", name), (state, ""), now, now)

    def _circuit(self, name: str, now: Instant) -> tuple[str, str, Instant] | None:
        view = self._engine.lighting.circuit(name)
        if view is None:
            return None
        judge = self._engine.lighting.circuit_judge(name)
        standing = () if judge is None else judge.memory.standing.values()
        return view.state, view.fault or "", min((each.onset for each in standing), default=now)

    def _camera(self, name: str, now: Instant) -> tuple[str, str, Instant] | None:
        """Whether it sees, and in detail why not."""
        view, judge = self._engine.cameras.camera(name), self._engine.cameras.judge_of(name)
        if view is None or judge is None:
            return None
        detail = " ".join(view.impairments) or view.cause or ("" if view.state in ("ok", "disabled") else view.state)
        before = self._since.get(("camera", name))
        since = judge.since if before is not None and judge.since > before else now
        return judge.sight, detail, since

    def _zone(self, name: str, _now: Instant) -> tuple[str, str, Instant] | None:
        view = self._engine.cameras.zone(name)
        if view is None or view.since is None:
            return None
        return view.state, "", instant(view.since)


def _begun(lamp: LampJudge) -> Instant | None:
    """When the first of a lamp's standing faults began by the evidence."""
    faults, reports = lamp.memory.faults.values(), lamp.memory.reports.values()
    return min([*(each.onset for each in faults), *(each.onset for each in reports)], default=None)


def _day(at: Instant) -> Instant:
    return at - at % DAY
