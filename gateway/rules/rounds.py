"""Rounds: taps, completeness, verdicts, gaps (spec: rounds.md).

Evidence is kept as sets. An observation marks what it can touch; once the instant of its arrival has passed, what is
marked is judged again, as a pure function of the evidence and the time. So the final verdicts depend on neither the
order nor the repetition of evidence, nor on restarts; and several records handed over at one instant are judged as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import DAY, HOUR, SECOND, Duration, Instant, moment
from gateway.rules.clocks import SLACK
from gateway.rules.findings import Found, RoundVerdict, VisitRevision
from gateway.rules.gaps import GapState, next_excess, next_time, pieces, stretches
from gateway.rules.intervals import BEGINNING, END, Interval
from gateway.rules.points import STRAY
from gateway.rules.records import Record, Touched
from gateway.rules.round_alerts import NAMES, RoundAlerts
from gateway.rules.rounds_held import taps_used
from gateway.rules.rounds_shown import Shown
from gateway.rules.silence import Silence
from gateway.rules.stand_ins import StandIn
from gateway.rules.taps import Loose, Read, Tap
from gateway.rules.timers import Timers
from gateway.rules.verdicts import ENDED_VERDICTS, Concerned, judge, next_look, verdict_of
from gateway.rules.views import Corroborate
from gateway.rules.visits import RoundState, VisitState, plan
from gateway.rules.watches import Key
from gateway.rules.witnesses import RECENTLY, SHIFT, settled, watermark
from gateway.site.model import DatedWindow, Site
from gateway.site.plans import plan_rounds, plan_windows

AHEAD: Duration = 2 * DAY
"""How far ahead rounds are planned."""
REPLAN: Duration = 6 * HOUR
FORGOTTEN_EACH = 4
"""What is too old is looked for each so many times: all evidence is gone through for it."""
BEFORE_START: Duration = 2 * DAY
"""How far before the gateway's first start rounds are planned if they were still open at it."""
KEPT: Duration = 8 * DAY
"""How long a round stays in memory after it closed or its deadline passed: evidence may be 7 days late."""
EVIDENCE_KEPT: Duration = 3 * DAY
"""How much longer the evidence of fixed readers stays, so that a round in memory has all of its own: the longest round
and the reach of a clock measure. Portable readers' stays longer by their measures' reach (7 days)."""
HURRY: Duration = SECOND
MOST_HURRY: Duration = 8 * SECOND
"""Heartbeats that come within 2 s of each other are worked in together after HURRY: of their measures only the last will count. While that
goes on, as in a long backlog, after an eighth of the time that it has lasted: all taps that came in it are placed anew each time.
"""
GATHER: Duration = SECOND // 10
"""Evidence that arrives within this of other evidence is judged with it: a backlog's heartbeats each move their reader's clock, and
its taps would be placed anew for every one. A verdict carries the time of the last of them."""

UNKNOWN_KEPT = 10_000
"""Reads by unknown devices that are kept at most."""

_UNSERVED = frozenset({"missed", "skipped", "unverifiable"})
"""Verdicts of a closed visit that nothing served and that is not pending."""

_PLAN: Key = ("plan", "", 0)
_KNOWN = "known"


def _known_key(visit: VisitState) -> Key:
    """Only what is known of a served visit's record is to be looked at again."""
    return _KNOWN, visit.round.id, visit.position


class Rounds(Shown):
    """Rounds, gaps and taps of one site: planned, marked by evidence and time, judged."""

    KINDS: ClassVar[frozenset[type]] = frozenset({})

    def __init__(self, site: Site, found: Found, started: Instant, corroborate: Corroborate | None = None) -> None:
        super().__init__(site, started, corroborate)
        self._judged_by = site.digest
        """The site may be enrolled into (`enrolments.take`) before it is judged by that."""
        self.found = found
        self._timers: Timers[Key] = Timers()
        self._alerts = RoundAlerts(site, found)
        self._silence = Silence(self._alerts)
        self._watched: dict[Key, tuple[str, ...]] = {}
        self._dirty: dict[Key, None] = {}
        self._stale: dict[str, None] = {}
        self._kept: dict[str, Record] = {}
        """Records whose kept heartbeats are to be worked in at `_kept_due`."""
        self._kept_due: Instant = END
        self._changed_at: Instant | None = None
        self._hurry = HURRY
        self._hurried_at: Instant = BEGINNING
        self._hurried_since: Instant = BEGINNING
        self._gather_until: Instant = 0
        self._keep_all = False
        self.woken = False
        """A deadline of time has come nearer; the engine takes it back."""
        self.gathered: Instant = END
        """When what was marked is to be judged: shortly after evidence, so that what comes together is judged as one."""
        self._planned: Interval = (started - BEFORE_START, started - BEFORE_START)
        self._started = started
        self._plan_to(started + AHEAD)

    # -- the plan ----------------------------------------------------------------------------------------------------

    def plan_from(self, since: Instant) -> None:
        """Plan rounds and windows that were open at `since` or start later, though the first evidence came later; keep all of them to the end."""
        self._keep_all = True
        first = min(since - BEFORE_START, self._planned[0])
        self._add_plans(first, self._planned[1], since)
        self._planned = (first, self._planned[1])

    def _plan_to(self, until: Instant) -> None:
        self._add_plans(self._planned[1], until, self._started)
        self._planned = (self._planned[0], until)
        self._timers.set(_PLAN, until - AHEAD + REPLAN)

    def told(self, revisions: Iterable[tuple[str, int, int, str]], *, anew: bool) -> None:
        """Count on from what was told: (round, position, number of the revision, verdict).

        How many revisions a verdict takes to become what it is depends on where evidence was cut into batches; judged again it may be fewer.

        Args:
            anew: all was judged from nothing, maybe by rules of another version: a verdict that is otherwise is a revision of what was told.
        """
        for round_id, position, revision, verdict in revisions:
            if (state := self._rounds.get(round_id)) is not None and position <= len(state.visits):
                visit = state.visits[position - 1]
                visit.revision = max(visit.revision, revision)
                if anew and verdict != visit.verdict:
                    visit.verdict = verdict  # type: ignore[assignment]
                    self._dirty[visit.key] = None
                    self._touch(self.now)

    def stands(self, alerts: Iterable[tuple[str, str]]) -> None:
        """Alerts (rule, subject) that an earlier version told of: what the rules of this one do not say of a round is retracted."""
        for rule, round_id in alerts:
            state = self._rounds.get(round_id)
            if state is not None and rule in NAMES and rule not in state.tells:
                state.tells[rule] = ()
                self._dirty["start", round_id, 0] = None
                self._touch(self.now)

    def replan(self, round_ids: Iterable[str], now: Instant) -> None:
        """Give rounds in memory the plan that the site has for them now, and judge them by it.

        What was told of them stands until they are judged: then it is retracted where the evidence disproves it. Rounds that the
        site no longer plans stay as they were.
        """
        self.flush(now)
        for state in [self._rounds[each] for each in sorted(round_ids) if each in self._rounds]:
            planned = [dated for dated in plan_rounds(self.site, state.start, state.start + 1) if dated.id == state.id]
            made = plan(self.site, planned[0]) if planned else None
            if made is None or [each.checkpoint for each in made.facts] != [each.checkpoint for each in state.facts]:
                continue
            for mine, theirs in zip(made.visits, state.visits, strict=True):
                mine.verdict, mine.revision, mine.cause = theirs.verdict, theirs.revision, theirs.cause
            made.tells, made.verdict, made.revision = state.tells, state.verdict, state.revision
            for visit in state.visits:
                if (closing := self._witnesses.served(state.route, visit.key, None)) is not None:
                    self._mark_closed(*closing, state.route.id)
            self._drop_round(state)
            self._add_round(made)
        self._touch(now)
        self.flush(now)

    def _add_plans(self, since: Instant, until: Instant, from_start: Instant) -> None:
        """Add what starts in [since, until): all that starts from `from_start` on, or was open then or at the first start."""
        opened = min(self._started, from_start)
        for dated in plan_rounds(self.site, since, until):
            if dated.id not in self._rounds:
                state = plan(self.site, dated)
                if dated.start >= from_start or state.closes >= opened:
                    self._add_round(state)
        for window in plan_windows(self.site, since, until):
            gap = self.site.checkpoints[window.checkpoint].max_gap
            if gap is not None and (window.start >= from_start or window.end >= opened):
                self._add_gap(GapState(window, gap.at_most))

    def _add_round(self, state: RoundState, *, judged: bool = False) -> None:
        """Take a round; `judged`: verdicts without a tap that it has are what the evidence says."""
        self._rounds[state.id] = state
        state.stand_ins, state.acting = self._standing_in(state)
        for visit in state.visits:
            self._changing(visit.checkpoint).add_visit(visit)
        if min(state.opens, state.start) <= self.now:
            stand = (
                {visit.key for visit in state.visits if visit.verdict in _UNSERVED and visit.closes < self.now}
                if judged
                else ()
            )
            self._touch(self.now)
            self._dirty.update((visit.key, None) for visit in state.visits if visit.key not in stand)
            if state.closes >= self.now:
                self._dirty["start", state.id, 0] = None
        self._arm_round(state)

    def _arm_round(self, state: RoundState) -> None:
        self._timers.set(("round", state.id, 0), state.next_edge(self.now))

    def _hasten_round(self, state: RoundState) -> None:
        """A visit is no longer served: time may change something sooner. What is due already is not put off."""
        armed, edge = self._timers.get(("round", state.id, 0)), state.next_edge(self.now)
        if armed is None or (edge is not None and edge < armed):
            self._timers.set(("round", state.id, 0), edge)

    def _add_gap(self, state: GapState) -> None:
        if state.key not in self._gaps:
            self._gaps[state.key] = state
            self._gaps_of.setdefault(state.window.checkpoint, {})[state.key] = state
            self._timers.set(state.key, max(state.window.start + state.at_most, self.now) + 1)

    def _drop_gap(self, key: Key) -> None:
        gap = self._gaps.pop(key)
        of_checkpoint = self._gaps_of[gap.window.checkpoint]
        del of_checkpoint[key]
        if not of_checkpoint:
            del self._gaps_of[gap.window.checkpoint]
        self._timers.set(key, None)

    def _drop_round(self, state: RoundState) -> None:
        del self._rounds[state.id]
        self._timers.set(("round", state.id, 0), None)
        for visit in state.visits:
            self._changing(visit.checkpoint).remove_visit(visit)
            self._unwatch(visit.key)
            self._timers.set(visit.key, None)
            self._dirty.pop(visit.key, None)
        self._unwatch(("start", state.id, 0))

    def stands_in(self, agreed: StandIn, *, cancelled: bool = False) -> None:
        """People agreed that one stands in for another on a shift, or that it is off."""
        if self.stand_ins.remove(agreed) if cancelled else self.stand_ins.add(agreed):
            self._duty_changed(agreed.since, agreed.until)

    def stand_in(self, agreed: Sequence[StandIn]) -> None:
        """On shifts that are not over these stand in, in the order in which it was agreed, and nobody else."""
        if touched := self.stand_ins.stand(agreed, self.now):
            self._duty_changed(min(each.since for each in touched), max(each.until for each in touched))

    def _duty_changed(self, since: Instant, until: Instant) -> None:
        """Others are on the shifts in [since, until] now."""
        self._witnesses.duty_changed()
        self._mark_closed(since - HOUR, until + SHIFT + HOUR, tagged=True)
        for state in self._rounds.values():
            if (state.stand_ins, state.acting) != (now := self._standing_in(state)):
                state.stand_ins, state.acting = now
                for visit in state.visits:
                    self._changing(visit.checkpoint).touched.append((visit.opens, visit.closes))
                    self._dirty[visit.key] = None
                self._touch(self.now)
        for key, gap in self._gaps.items():
            if gap.begun(self.now) and gap.window.start <= until + DAY and since - DAY <= gap.window.end:
                self._dirty[key] = None
                self._touch(self.now)

    def _standing_in(self, state: RoundState) -> tuple[frozenset[str], frozenset[str]]:
        """Who stands in for one of a round's guards, and who for any guard."""
        acting = self.stand_ins.of(self._guards, state.opens, state.closes)
        guards = state.route.guards
        return (self.stand_ins.of(guards, state.opens, state.closes) if guards else acting), acting

    # -- evidence ----------------------------------------------------------------------------------------------------

    def apply(
        self, observation: Observation, at: Instant, received: Instant, mark: str = "", *, reread: bool = False
    ) -> None:
        """Take one observation of a reader, or a read by an unknown device; `at` is its device time, `mark` its tap's; `reread`: `Record.take`."""
        self.now = max(self.now, received)
        device = observation.device
        record = self._records.get(device)
        if record is None:
            if device not in self.site.devices:
                if type(observation) is seen.TagRead:
                    self._stranger(observation, at, received)
                return
            record = self._record(device)
        persons, last_heard = len(record.persons), record.last_heard
        self._changed(record, record.take(observation, at, received, mark, reread=reread))
        if record.phone:
            if len(record.persons) > persons:
                self._mark_closed(BEGINNING, END, tagged=True)
            elif (first := at if type(observation) is seen.TagRead else received) < self.now:
                self._mark_closed(first, first + RECENTLY, tagged=True)
        if self._silence.awaited(record):
            self._silence.heard(record, received, alive=record.last_heard > last_heard)
            self.woken = True
        self._calm(record)

    def _changed(self, record: Record, touched: Touched) -> None:
        """Mark what rests on what a record has taken in."""
        if touched is not None and touched[0] <= record.watches.to and record.watches.spans:
            self._mark(record, touched)
        if record.stale is not None:
            self._stale[record.id] = None
            self._touch(self.now)

    def _calm(self, record: Record) -> None:
        if record.id not in self._silence.told:
            record.settle_calm([gap.quiet for key in record.watches.gaps if (gap := self._gaps.get(key)) is not None])

    def kept(self, heartbeat: seen.ReaderHeartbeat, at: Instant, received: Instant) -> bool:
        """Take a heartbeat that changes nothing for the moment, as nearly all do; False: it must be applied."""
        record = self._records.get(heartbeat.device)
        if record is None:
            return False
        calm = record.calm
        if not calm[0] < at < calm[1] or not record.keep(heartbeat, at, received):
            return False
        self.now = max(self.now, received)
        if record.full:
            self._work_in(record)
        elif record.hurried and record.id not in self._kept:
            self._kept[record.id] = record
            if self._kept_due == END:
                self._kept_due = received + self._hurry
                self.woken = True
        return True

    def _work_in(self, record: Record) -> None:
        self._changed(record, record.work_in())
        self._calm(record)

    def _stranger(self, observation: seen.TagRead, at: Instant, received: Instant) -> None:
        read = Read(
            at,
            observation.boot or "",
            -1 if observation.seq is None else observation.seq,
            observation.tag,
            received,
            "",
        )
        person = observation.person if observation.person in self.site.people else None
        if len(self._unknown) < UNKNOWN_KEPT:
            self._unknown[observation.device, read] = Loose(read, at, person, "unknown_device")

    def _touch(self, at: Instant) -> None:
        if self._changed_at is None:
            self._gather_until = at + GATHER
            self._changed_at = at
            self.gathered = at + GATHER
        elif at > self._changed_at:
            self._changed_at = at
            self.gathered = max(at + 1, self._gather_until)

    def _mark(self, record: Record, touched: Interval) -> None:
        """What rests on a record's completeness in a span of time is to be judged again."""
        low, high = touched
        for key in record.watches.touching(low, high):
            if key[0] == "gap" and (gap := self._gaps.get(key)) and gap.quiet[0] <= low and high < gap.quiet[1]:
                continue
            self._dirty[key] = None
            self._touch(self.now)

    def _mark_closed(self, first: Instant, last: Instant, route: str | None = None, *, tagged: bool = False) -> None:
        """Visits that closed in [first, last], and windows that end in it, are to be looked at again; their witnesses may be others now.

        Args:
            route: only those of this route.
            tagged: only those at tags on a wall; portable readers are witnesses of no others.
        """
        for key, gap in self._gaps.items():
            checkpoint = gap.window.checkpoint
            if checkpoint not in self._tagged or not gap.begun(self.now) or gap.window.start > last:
                continue
            if gap.window.end >= first and (route is None or route in map(_id, self._routes_with(checkpoint))):
                self._dirty[key] = None
                self._touch(self.now)
        for state in self._rounds.values():
            if route in {None, state.route.id} and state.closes >= first:
                for visit in state.visits:
                    if tagged and visit.checkpoint not in self._tagged:
                        continue
                    if first <= visit.closes <= last and visit.closes < self.now:
                        self._dirty[_known_key(visit) if visit.service is not None else visit.key] = None
                        self._touch(self.now)

    # -- time --------------------------------------------------------------------------------------------------------

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""
        if self._changed_at is not None and self._changed_at < now:
            self.judge(self._changed_at)
        self.now = max(self.now, now)
        if self._kept_due <= self.now:
            self.flush(self.now)
        for _, key in sorted(self._timers.due(now)):
            self._touch(self.now)
            if key == _PLAN:
                self._plan_to(self.now + AHEAD)
                if self._planned[1] // REPLAN % FORGOTTEN_EACH == 0:
                    self._forget(self.now - KEPT)
            elif key[0] != "round":
                self._dirty[key] = None
            elif (state := self._rounds.get(key[1])) is not None:
                self._time_of_round(state)
        for device in self._silence.advance(self._records, self.now):
            self._records[device].calm = (END, BEGINNING)
        self.judge(self.now)

    def _time_of_round(self, state: RoundState) -> None:
        self._arm_round(state)
        self._dirty["start", state.id, 0] = None
        for visit in state.visits:
            if visit.closes >= self.now:
                continue
            if visit.service is not None:
                if visit.known != visit.closes and visit.key not in self._watched:
                    self._watch(visit.key, self._of(visit), (visit.opens, visit.closes))
                continue
            self._dirty[visit.key] = None
            if visit.deadline < self.now:
                self._owed(visit)

    def _owed(self, visit: VisitState) -> None:
        """At a visit's deadline: wands of its route that have not handed in their record (rounds.md, Alerts)."""
        place = self.site.checkpoints.get(visit.checkpoint)
        if place is None or not place.tags:
            return
        for reader in visit.round.route.readers:
            if reader in self.site.devices and not settled([self._record(reader)], visit.opens, visit.closes):
                self._record(reader).calm = (END, BEGINNING)
                self._silence.owes(self._record(reader), visit.closes, visit.deadline, self.now)

    def deadline(self) -> Instant | None:
        """The next own deadline: of time alone, or shortly after evidence (`gathered`)."""
        own = self.timer()
        return own if self.gathered == END or (own is not None and own < self.gathered) else self.gathered

    def timer(self) -> Instant | None:
        """The next deadline of time alone: of the plan, of silence, of kept heartbeats."""
        own, silence = self._timers.next(), self._silence.deadline(self._records)
        if own is None or (silence is not None and silence < own):
            own = silence
        if self._kept_due != END and (own is None or self._kept_due < own):
            own = self._kept_due
        return own

    @property
    def doubted(self) -> bool:
        """Whether nobody knows what time it is: nothing is settled until that is over."""
        return bool(self._downs) and self._downs[-1][1] == END

    def restarted(self, down_from: Instant, now: Instant, *, doubted: bool = False) -> None:
        """The gateway was down from `down_from` until `now`; `doubted`: of what follows nothing is known either."""
        self.flush(self.now if self._changed_at is None else self._changed_at)
        self.now = max(self.now, now)
        if self.doubted:
            down_from = min(down_from, self._downs.pop()[0])
        self._downs.append((down_from, END if doubted else now))
        self._downs.sort()
        for record in self._records.values():
            since = record.gateway_was_down(down_from)
            record.calm = (END, BEGINNING)
            if since <= record.watches.to and record.watches.spans:
                self._mark(record, (since, END))
        self._silence.restarted(self._records, down_from, now)
        for state in self._rounds.values():
            for visit in state.visits:
                if visit.verdict == "pending" and visit.closes < self.now:
                    self._dirty[visit.key] = None
                    self._touch(self.now)
        self._mark_closed(down_from, END)

    def devices_changed(self, devices: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) went down or came back: no verdict rests on that."""

    # -- judging -----------------------------------------------------------------------------------------------------

    def flush(self, now: Instant) -> None:
        """Judge all that is here, also what may wait a little."""
        self.now = max(self.now, now)
        if self._kept_due <= self.now:
            if self.now - self._hurried_at > 2 * self._hurry:
                self._hurried_since = self.now
            self._hurried_at = self.now
            self._hurry = min(max(HURRY, (self.now - self._hurried_since) // 8), MOST_HURRY)
        self._kept_due = END
        kept, self._kept = self._kept, {}
        for record in kept.values():
            self._work_in(record)
        self.judge(now)

    def judge(self, now: Instant) -> None:
        """Judge what was marked, in the order of keys (after a restart it was marked in another); the caller says what time it is."""
        self.now = max(self.now, now)
        if self._changed_at is None:
            return
        now = self._changed_at
        self._changed_at, self.gathered = None, END
        for device in self._stale:
            self._derive(self._records[device])
        self._stale.clear()
        touched, self._touched = self._touched, {}
        for checkpoint in sorted(touched):
            for visit in self._points[checkpoint].assign():
                self._served(visit)
        rounds: dict[str, None] = {}
        gaps: list[GapState] = []
        while self._dirty:
            dirty, self._dirty = self._dirty, {}
            for key in sorted(dirty):
                if key[0] == "gap":
                    if key in self._gaps:
                        gaps.append(self._gaps[key])
                elif (state := self._rounds.get(key[1])) is not None:
                    if key[0] == "visit":
                        self._judge(state.visits[key[2] - 1], now)
                    elif key[0] == _KNOWN and not self._know(visit := state.visits[key[2] - 1], self._of(visit)):
                        continue
                    rounds[state.id] = None
        for round_id in sorted(rounds):
            self._tell_round(self._rounds[round_id], now)
        for gap in gaps:
            self._tell_gap(gap, now)
        self._changed_at, self.gathered = None, END

    def _derive(self, record: Record) -> None:
        """Make the taps anew that changed reads or clocks touch."""
        if record.stale is None:
            return
        since, until = record.stale
        record.stale = None
        spent, told = record.reads.spent, record.reads.told
        gone, come = record.reads.derive(since, until, self._tags, self.site.people, record.correction)
        for tap in gone:
            self._changing(tap.checkpoint).remove_tap(tap)
            self._mark_near(tap)
        for tap in come:
            point = self._changing(tap.checkpoint)
            point.add_tap(tap)
            if spent and not spent.isdisjoint(moment.read for moment in tap.moments):
                point.spent.add(tap)
            if told and (reasons := [told[moment.read] for moment in tap.moments if moment.read in told]):
                point.told[tap] = reasons[0]
            self._mark_near(tap)

    def _mark_near(self, tap: Tap) -> None:
        """What a tap may touch besides the visits of which it changes the service: those that nothing serves.

        Of these an open one stays pending whoever tapped, and shows no tap, unless it waits for a second person.
        """
        point = self._points[tap.checkpoint]
        for visit in point.visits_between(tap.first - STRAY, tap.last + STRAY):
            if visit.service is None and (visit.two_person or visit.closes < self.now):
                self._dirty[visit.key] = None
        for key, gap in self._gaps_of.get(tap.checkpoint, {}).items():
            if gap.window.start <= tap.last and tap.first <= gap.window.end:
                self._dirty[key] = None

    def _served(self, visit: VisitState) -> None:
        """What serves a visit changed."""
        self._dirty[visit.key] = None
        route = visit.round.route
        service = visit.service
        time = service.fit.time if service is not None else None
        devices = tuple(tap.device for tap in service.taps) if service is not None else ()
        if service is None:
            self._hasten_round(visit.round)
        if (closing := self._witnesses.served(route, visit.key, time, devices)) is not None:
            self._mark_closed(*closing, route.id)

    def _holders(self, visit: VisitState) -> list[Concerned]:
        """Who holds a tap for an unserved visit, with their witnesses."""
        return [(each, self._of(each)) for each in self._points[visit.checkpoint].holders(visit)]

    def _rest(self, visit: VisitState, witnesses: Sequence[Record], holders: Sequence[Concerned], now: Instant) -> None:
        """Note what the verdict of an unserved visit rests on, so that it is judged again when that changes."""
        if not holders:
            self._watch(visit.key, witnesses, (visit.opens, visit.closes))
            self._timers.set(visit.key, None)
            return
        first = min(each.opens for each, _ in holders)
        last = max(each.closes for each, _ in holders)
        watched = dict.fromkeys([*witnesses, *(record for _, records in holders for record in records)])
        self._watch(visit.key, watched, (min(first, visit.opens), max(last, visit.closes)))
        self._timers.set(visit.key, next_look(visit, holders, now))

    def _judge(self, visit: VisitState, now: Instant) -> None:
        witnesses = self._of(visit)
        point = self._points[visit.checkpoint]
        unserved = visit.service is None and now > visit.closes
        holders = self._holders(visit) if unserved else []
        spent = unserved and any(map(point.spent_near, (visit, *(each for each, _ in holders))))
        judged = judge(visit, point, witnesses, self._downs, now, holders=holders, spent=spent)
        if unserved:
            self._rest(visit, witnesses, holders, now)
            if spent and visit.verdict in _UNSERVED:
                return  # it was decided when what a forgotten round left open was known
        else:
            self._timers.set(visit.key, None)
            if now > visit.closes:
                self._know(visit, witnesses)
            else:
                self._unwatch(visit.key)
        visit.cause = judged.cause
        if judged.verdict == visit.verdict:
            return
        before, visit.verdict = visit.verdict, judged.verdict
        visit.revision += 1
        self.found.revisions.append(
            VisitRevision(
                round=visit.round.id,
                position=visit.position,
                checkpoint=visit.checkpoint,
                revision=visit.revision,
                at=moment(now, self._zone),
                before=before,
                verdict=visit.verdict,
                reason=judged.reason,
                evidence=_evidence(visit),
                visit=self._views.visit(visit, now),
            )
        )

    def _know(self, visit: VisitState, witnesses: Sequence[Record]) -> bool:
        """Note up to when the record of a closed visit that is served is known, and look again as long as that may grow.

        Returns:
            Whether that is news: its verdict is the same, what is shown with it is not.
        """
        if visit.service is None:
            return False
        before, visit.known = visit.known, watermark(witnesses, visit.opens, visit.closes)
        if visit.known == visit.closes:
            self._unwatch(visit.key)
        else:
            self._watch(visit.key, witnesses, (visit.opens, visit.closes))
        return visit.known != before

    def _watch(self, key: Key, witnesses: Iterable[Record], span: Interval) -> None:
        ids = tuple(record.id for record in witnesses)
        if self._watched.get(key) != ids:
            self._unwatch(key)
            self._watched[key] = ids
        for record in ids:
            self._records[record].watch_for(key, span)

    def _unwatch(self, key: Key) -> None:
        for device in self._watched.pop(key, ()):
            self._records[device].watch_for(key, None)

    def _tell_round(self, state: RoundState, now: Instant) -> None:
        verdict = verdict_of(state, now)
        self._alerts.round(state, verdict, now, unstarted=self._unstarted(state, verdict, now))
        if verdict != state.verdict:
            if verdict in ENDED_VERDICTS:
                state.revision += 1
            state.verdict = verdict
        self.found.touched["round", state.id] = None

    def _unstarted(self, state: RoundState, verdict: RoundVerdict, now: Instant) -> Mapping[str, list[str]] | None:
        """By whose word a round was due to start and nothing served it: witnesses `heard`, or `unheard` if none ever was; None: it is not known.

        Not of a round that can no longer be started: the gateway came, or came back, too late to send anybody.
        """
        key: Key = ("start", state.id, 0)
        if (
            not state.not_started < now <= state.closes
            or verdict in ENDED_VERDICTS
            or "round_not_started" in state.tells
            or any(visit.service is not None for visit in state.visits)
        ):
            self._unwatch(key)
            return None
        records: dict[str, Record] = {}
        for visit in state.visits:
            records |= {record.id: record for record in self._of(visit)}
        span = (state.opens, state.not_started)
        self._watch(key, records.values(), span)
        if all(record.first_heard is None for record in records.values()):
            return {"unheard": sorted(records)}
        return {"heard": sorted(records)} if settled(records.values(), *span) else None

    # -- gaps --------------------------------------------------------------------------------------------------------

    def _told_by_others(self, gap: GapState, subject: str) -> bool:
        """Whether another window of the checkpoint has told of a subject."""
        return any(subject in each.tells for each in self._gaps_of[gap.window.checkpoint].values() if each is not gap)

    def begin_patrol(self, checkpoint: str, at_most: Duration, now: Instant) -> Instant:
        """From now on a checkpoint is to be tapped at least every `at_most`, until `end_patrol`. Gives the window's start."""
        start = now
        while ("gap", checkpoint, start) in self._gaps:
            start += 1
        window = DatedWindow(checkpoint=checkpoint, date=moment(start, self._zone).date(), start=start, end=END)
        self._mark_gap(GapState(window, at_most, patrol=True), now)
        return start

    def end_patrol(self, checkpoint: str, start: Instant, end: Instant, now: Instant) -> None:
        """It was no longer to be walked from `end` on; what comes after is not judged."""
        gap = self._gaps.get(("gap", checkpoint, start))
        if gap is not None and gap.patrol:
            gap.close(max(start, end))
            self._mark_gap(gap, now)

    def _mark_gap(self, gap: GapState, now: Instant) -> None:
        self._add_gap(gap)
        self._dirty[gap.key] = None
        self._touch(max(now, self.now))

    def _tell_gap(self, gap: GapState, now: Instant) -> None:
        window = gap.window
        point = self._points.get(window.checkpoint)
        counts = partial(self._counts, window.checkpoint)
        spans = stretches(gap, point, counts, now)
        witnesses, complete = self._complete_in(gap)
        found = pieces(spans, complete)
        exceeded = [piece for piece in found if piece.length > gap.at_most]
        self._alerts.gap(gap, exceeded, now, partial(self._told_by_others, gap))
        self._watch(gap.key, witnesses, (window.start, window.end))
        reached = min((record.complete()[-1][1] for record in witnesses if record.complete()), default=window.start)
        wakes = (next_time(gap, point, counts, now), next_excess(gap, spans, found))
        gap.quiet = (min(reached, now), min(wakes))
        due = min((wake for wake in (*wakes, window.end) if now < wake <= window.end and wake < END), default=None)
        self._timers.set(gap.key, due)
        self.found.touched["gap", self._views.gap_id(gap)] = None

    # -- bounded, and kept across restarts ---------------------------------------------------------------------------

    def _forget(self, before: Instant) -> None:
        """Drop rounds, windows and evidence too old to matter."""
        for state in [each for each in self._rounds.values() if max(visit.deadline for visit in each.visits) < before]:
            if self._keep_all:
                self._retired.put(state.id, self._views.round(state, self.now))
            self._spend(state)
            self._drop_round(state)
        for key in [key for key, gap in self._gaps.items() if gap.window.end < before]:
            if self._keep_all:
                self._retired_gaps[key] = self._gap_view(self._gaps[key])
            self._drop_gap(key)
            self._unwatch(key)
        for record in self._records.values():
            older = before - EVIDENCE_KEPT - (RECENTLY if record.portable else 0)
            taps, reads = record.reads.forget(older)
            if self._keep_all:
                for loose in reads:
                    self._retired_unmatched.put(self._views.loose(record.id, loose))
            used: dict[str, set[Tap]] = {}
            for tap in sorted(taps, key=attrgetter("first")):
                point = self._changing(tap.checkpoint)
                if self._keep_all and tap.checkpoint not in used:
                    used[tap.checkpoint] = taps_used(point)
                if self._keep_all and (reason := point.reason(tap, used[tap.checkpoint])) is not None:
                    self._retired_unmatched.put(self._views.tap(tap, reason))
                point.remove_tap(tap)
            record.forget(older)
        for device in [device for device, (since, _) in self._absent.items() if since < before]:
            del self._absent[device]
        self._witnesses.forget(before - EVIDENCE_KEPT - RECENTLY)
        self.stand_ins.forget(before - EVIDENCE_KEPT)
        self._downs[:] = [down for down in self._downs if down[1] >= before - EVIDENCE_KEPT]

    def _spend(self, state: RoundState) -> None:
        """What served a round that goes has served, and serves no other; what it refused or did not need keeps that reason."""
        for visit in state.visits:
            point = self._points[visit.checkpoint]
            served = visit.service.taps if visit.service is not None else ()
            for tap in served:
                point.spent.add(tap)
                if (record := self._records.get(tap.device)) is not None:
                    record.reads.spent.update(moment.read for moment in tap.moments)
            near = point.taps_between(visit.opens - SLACK, visit.closes + SLACK)
            others = [tap for tap in near if tap not in served and tap not in point.told and visit.fit(tap) is not None]
            used = taps_used(point) if others else set()
            for tap in others:
                if (reason := point.reason(tap, used)) is not None:
                    point.told[tap] = reason
                    if (record := self._records.get(tap.device)) is not None:
                        record.reads.told.update((moment.read, reason) for moment in tap.moments)

    def snapshot(self) -> Any:
        """Everything, as builtins."""
        self.flush(self.now)
        return {
            "now": self.now,
            "site": self._judged_by,
            "started": self._started,
            "planned": list(self._planned),
            "downs": [list(down) for down in self._downs],
            "records": {device: each.snapshot() for device, each in self._records.items() if not each.blank},
            "rounds": [state.snapshot() for state in self._rounds.values() if self._stays(state)],
            "gaps": [state.snapshot() for state in self._gaps.values() if state.begun(self.now)],
            "stand_ins": self.stand_ins.snapshot(),
            "served": self._witnesses.snapshot(but=self._rounds),
            "silence": self._silence.snapshot(),
            "unknown": [[device, list(read), loose.person] for (device, read), loose in self._unknown.items()],
            "absent": self._absent,
        }

    def _stays(self, state: RoundState) -> bool:
        """Whether a round is no longer planned anew when the site file changes."""
        return state.fixed_from <= self.now or any(visit.revision for visit in state.visits)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. Rounds that have opened, or were served by a clock ahead, stay as planned; others are planned anew.

        What was judged is judged again only where another site file may make something else of it: a verdict that stood at the
        snapshot is what its evidence says, and stands until something of it changes.
        """
        same = bool(self.site.digest) and state.get("site") == self.site.digest
        for planned in list(self._rounds.values()):
            self._drop_round(planned)
        for key in list(self._gaps):
            self._drop_gap(key)
        self.now, self._started = state["now"], state["started"]
        self.stand_ins.restore(state.get("stand_ins", ()))
        self._witnesses.duty_changed()
        self._downs[:] = [(down[0], down[1]) for down in state["downs"]]
        self._absent = {}
        known = {device: (self.now, saved) for device, saved in state["records"].items()}
        for device, (since, saved) in (known | state.get("absent", {})).items():
            if device in self.site.devices:
                self._record(device).restore(saved)
                self._stale[device] = None
            else:
                self._absent[device] = since, saved
                self._estranged(device, saved)
        for saved in state["rounds"]:
            made = RoundState.restored(saved)
            if self._stays(made):
                self._add_round(made, judged=same)
        self._witnesses.restore(state.get("served", ()))
        for saved in state["gaps"]:
            gap = GapState.restored(saved)
            if gap.begun(self.now):
                self._add_gap(gap)
                self._dirty[gap.key] = None
        for device, read, person in state["unknown"]:
            self._reread(device, Read(*read), person)
        self._planned = (state["planned"][0], state["planned"][1])
        self._plan_ahead_anew()
        self._silence.restore(state["silence"], self._records, self.site.devices, self.now)
        self._touch(self.now)
        self.flush(self.now)
        for round_state in self._rounds.values() if same else ():
            for visit in round_state.visits:
                if visit.closes < self.now and visit.service is None and visit.key not in self._watched:
                    self._rest(visit, self._of(visit), self._holders(visit), self.now)

    def _plan_ahead_anew(self) -> None:
        """Plan what has not opened yet by the site as it is now."""
        for dated in plan_rounds(self.site, self.now - DAY, self._planned[1]):
            if dated.id not in self._rounds and (made := plan(self.site, dated)).fixed_from > self.now:
                self._add_round(made)
        for window in plan_windows(self.site, self.now, self._planned[1]):
            gap = self.site.checkpoints[window.checkpoint].max_gap
            if gap is not None and window.start > self.now:
                self._add_gap(GapState(window, gap.at_most))
        self._timers.set(_PLAN, self._planned[1] - AHEAD + REPLAN)

    def _estranged(self, device: str, saved: Mapping[str, Any]) -> None:
        """A reader is no longer in the site: its reads are now those of an unknown device."""
        for read in saved["reads"]:
            self._reread(device, Read(*read), None)

    def _reread(self, device: str, read: Read, person: str | None) -> None:
        """A read by a device that was unknown; the site may have it by now, and then it counts."""
        if device in self.site.devices:
            record = self._record(device)
            record.reread(read)
            self._stale[device] = None
        else:
            self._unknown[device, read] = Loose(read, read.at, person, "unknown_device")


_id = attrgetter("id")


def _evidence(visit: VisitState) -> tuple[str, ...]:
    """The keys of the observations that a served visit rests on."""
    taps: Sequence[Tap] = visit.service.taps if visit.service is not None else ()
    return tuple(dict.fromkeys(each.read.key(tap.device) for tap in taps for each in tap.moments))
