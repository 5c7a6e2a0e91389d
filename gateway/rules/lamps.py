"""One lamp: when it should burn, what its samples add up to, and which state that is (spec: lighting.md)."""

from __future__ import annotations

from statistics import median
from typing import Literal

import msgspec

from gateway.instants import Duration, Instant
from gateway.rules import lamp_faults as table
from gateway.rules.proofs import Rank, Sample, Sight
from gateway.rules.spans import Plan
from gateway.site.model import Lamp

State = Literal["ok", "off_duty", "faulty", "unknown", "disabled"]

_KEPT_EVENTS = 8
"""Commands and motions remembered, so that a sample handed in late meets what held at its time."""


class Fault(msgspec.Struct, array_like=True):
    """A fault that samples prove, since `onset` (the first of them).

    `proof`: the samples it rests on: of a run the first and the last, `count` in all; of `no_trigger` one after each of
    the `motions`; of `cycling_failure` the changes; of `dim` the steps, against the `usual` one.
    """

    onset: Instant
    proof: list[Sample] = []
    count: int = 0
    motions: list[Instant] = []
    usual: float | None = None


class Report(msgspec.Struct, array_like=True):
    """A fault that is reported, last at `at`; `until`: when it ends unless repeated, `lasts` after the last report."""

    onset: Instant
    until: Instant | None
    lasts: Duration | None
    source: str
    at: Instant = 0


class Run(msgspec.Struct, array_like=True):
    """Successive samples that contradict what is expected: the earliest, the latest, how many."""

    lit: bool
    first: Sample
    last: Sample
    count: int = 1


class Walk(msgspec.Struct, array_like=True):
    """One motion (with those within `hold` of the one before), and what was seen after it.

    `closes`: gateway time at which its `hold` is over.
    """

    first: Instant
    last: Instant
    closes: Instant
    unlit: Sample | None = None
    lit: bool = False


class LampMemory(msgspec.Struct, array_like=True):
    """What a lamp remembers over a restart; every list is bounded."""

    state: State = "unknown"
    cause: str | None = "never_heard"
    since: Instant = 0
    faults: dict[str, Fault] = {}
    reports: dict[str, Report] = {}
    told: list[str] = []
    run: Run | None = None
    commands: list[tuple[Instant, bool]] = []
    motions: list[Instant] = []
    watched: Instant | None = None
    """Since when the motion sensors of its place tell who comes; None: they do not."""
    walk: Walk | None = None
    misses: list[tuple[Instant, Sample]] = []
    excused: Instant | None = None
    quiet: Instant | None = None
    last: Instant | None = None
    lit_at: Instant | None = None
    unlit_at: Instant | None = None
    rejudging: bool = False
    judged_from: Instant | None = None
    repeated: Instant | None = None
    """When its command was said last, by a device that promises to speak regularly; None: by none that does."""


class LampJudge:
    """Judges one lamp.

    Args:
        spec: the lamp in the site file.
        plan: when it should burn by plan; None for `commanded` and `motion`.
        dark: when light at its place speaks of lamps (windows, outdoors); None: always.
    """

    __slots__ = (
        "dark",
        "disabled",
        "edge",
        "ended",
        "group",
        "id",
        "memory",
        "mode",
        "plan",
        "shown",
        "sights",
        "spec",
    )

    def __init__(self, spec: Lamp, plan: Plan | None, dark: Plan | None, started: Instant) -> None:
        self.id = spec.id
        self.spec = spec
        self.mode = spec.expected.mode
        self.edge = spec.edge
        self.plan = plan
        self.dark = dark
        self.sights: list[Sight] = []
        self.group: str = spec.circuit or ""
        self.disabled = False
        self.memory = LampMemory(since=started)
        self.ended: dict[str, str] = {}
        self.shown: tuple[object, ...] = ()

    # -- what is expected ------------------------------------------------------------------------------------------

    def expected(self, at: Instant) -> bool | None:
        """Whether it should burn at `at`; None: nobody has commanded anything yet."""
        if self.plan is not None:
            return self.plan.span(at).on
        if self.mode == "commanded":
            known = [value for when, value in self.memory.commands if when <= at]
            return known[-1] if known else None
        if self.dark is not None and not self.dark.span(at).on:
            return False
        hold = self.spec.expected.hold
        return any(0 <= at - motion <= hold for motion in self.memory.motions)

    def expected_now(self, now: Instant) -> bool | None:
        """Whether it should burn now: of commands the last counts, whatever its sender's clock said."""
        if self.mode == "commanded":
            commands = self.memory.commands
            return commands[-1][1] if commands else None
        return self.expected(now)

    def in_edge(self, at: Instant) -> bool:
        """Whether `at` is so near a planned change that it proves no fault (lighting.md, Edges)."""
        if self.plan is None:
            return False
        span = self.plan.span(at)
        return (span.since is not None and at - span.since <= self.edge) or (
            span.until is not None and span.until - at <= self.edge
        )

    # -- what happens ----------------------------------------------------------------------------------------------

    def command(self, at: Instant, value: bool, *, promised: bool = False) -> None:
        """It was told to burn or not; the same again is no new command.

        Args:
            promised: whoever says so is to speak regularly: while it is silent nobody knows what was commanded since.
        """
        memory = self.memory
        memory.repeated = max(at, memory.repeated or at) if promised else None
        if (at, value) in memory.commands or (memory.commands and memory.commands[-1][1] is value):
            return
        memory.commands = sorted([*memory.commands, (at, value)])[-_KEPT_EVENTS:]
        self._excuse(at)

    def move(self, at: Instant, now: Instant) -> None:
        """Motion at its place."""
        memory = self.memory
        if at in memory.motions:
            return
        memory.motions = sorted([*memory.motions, at])[-_KEPT_EVENTS:]
        self._excuse(at)
        if memory.run is not None and self.mode == "motion":
            memory.run = None
        if self.mode != "motion" or (self.dark is not None and not self.dark.span(at).on):
            return
        hold, walk = self.spec.expected.hold, memory.walk
        if walk is not None and at <= walk.last + hold:
            if at >= walk.first:
                walk.last = max(walk.last, at)
                walk.closes = max(walk.closes, max(at, now) + hold)
            return
        self.finish_walk()
        memory.walk = Walk(at, at, max(at, now) + hold)

    def watch(self, at: Instant) -> None:
        """A motion sensor of its place spoke: from now on it is known who comes."""
        if self.memory.watched is None:
            self.memory.watched = at

    def unwatch(self) -> None:
        """Its motion sensor failed: until motion is reported again nobody knows whether somebody comes."""
        self.memory.watched = None
        if self.mode == "motion":
            self.memory.run = None

    def _excuse(self, at: Instant) -> None:
        """A command or motion explains the change that lies over it: counting starts anew after that."""
        memory = self.memory
        memory.excused = at if memory.excused is None else max(memory.excused, at)
        for sight in self.sights:
            sight.memory.changes = [
                change
                for change in sight.memory.changes
                if change.at > at and (change.otherwise is None or change.otherwise > at)
            ]

    def report(self, fault: str, at: Instant, now: Instant, lasts: Duration | None, source: str) -> None:
        """It says of itself that a fault is; without being repeated that holds for `lasts`, if given."""
        until = None if lasts is None else now + lasts
        standing = self.memory.reports.get(fault)
        onset = at if standing is None else standing.onset
        self.memory.reports[fault] = Report(onset, until, lasts, source, at)

    def withdraw(self, fault: str, why: str) -> None:
        """A report is over."""
        if self.memory.reports.pop(fault, None) is not None:
            self.ended[fault] = why

    def resume(self, now: Instant) -> None:
        """The gateway was down until `now`: what may have happened meanwhile was not heard."""
        memory = self.memory
        memory.walk = None
        if self.mode == "motion":
            memory.run = None
            if memory.watched is not None:
                memory.watched = max(memory.watched, now)
        for report in memory.reports.values():
            if report.until is not None and report.lasts is not None and report.until <= now:
                report.until = now + report.lasts

    def prove(self, sight: Sight, lit: bool, at: Instant, value: float | None = None) -> bool:
        """Take one sample that says lit or unlit; `value`: lux or watts.

        Returns:
            whether it counts: no repeat, not beaten by better proof, not older than a fresh start.
        """
        memory, seen = self.memory, sight.memory
        if seen.said is lit and seen.said_at == at:
            return False
        said, seen.said, seen.said_at = seen.said, lit, at
        if sight.source.rank != Rank.LUX and said is not None and said is not lit:
            self._tell_rivals(at)
        if self._beaten(sight, at):
            if seen.lit is not None and seen.lit is not lit:
                sight.void()  # once better proof falls silent, what the source itself no longer says must not stand
            sight.put_aside("beaten", lit, at, value)
            return False
        if memory.judged_from is not None and at < memory.judged_from:
            sight.put_aside("rejudged", lit, at, value)
            return False
        was, was_at, was_value = seen.lit, seen.at, seen.value
        sample = Sample(at, sight.source.key, lit, value)
        hole = memory.last is not None and abs(at - memory.last) > sight.source.limit
        seen.lit, seen.at = lit, at
        memory.last, memory.rejudging = at, False
        if was is not None and was is not lit:
            self.note(was, was_at)
        changed = was is not None and was is not lit
        if changed:
            seen.turned = at
        self._flicker(sight, sample, was_at if changed else None, hole, turned=said is not None and said is not lit)
        if value is not None:
            seen.value = value
            if sight.source.rank == Rank.LUX and lit and changed and at - was_at <= sight.source.limit:
                self._step(sight, value - was_value, at)
        if self.mode == "motion":
            self._trigger(sample)
        self._contradict(sight, sample)
        return True

    def note(self, lit: bool, at: Instant) -> None:
        """Remember when it was last seen lit, or unlit."""
        memory = self.memory
        if lit:
            memory.lit_at = at if memory.lit_at is None else max(memory.lit_at, at)
        else:
            memory.unlit_at = at if memory.unlit_at is None else max(memory.unlit_at, at)

    def last_seen(self, lit: bool) -> Instant | None:
        """When it was last seen lit, or unlit."""
        times = [sight.memory.at for sight in self.sights if sight.memory.lit is lit]
        noted = self.memory.lit_at if lit else self.memory.unlit_at
        return max([*times, noted] if noted is not None else times, default=None)

    def _tell_rivals(self, at: Instant) -> None:
        for sight in self.sights:
            if sight.source.rank == Rank.LUX:
                known = sight.source.memory.rivals_changed
                sight.source.memory.rivals_changed = at if known is None else max(known, at)

    def _beaten(self, sight: Sight, at: Instant) -> bool:
        """Whether better proof stands against this sample (lighting.md, Proof)."""
        for other in self.sights:
            if other is sight or other.memory.lit is None:
                continue
            if other.source.rank < sight.source.rank and at - other.memory.at <= _reach(other, sight):
                return True
            if other.source.rank > sight.source.rank and other.memory.at - at > _reach(sight, other):
                return True
        return False

    # -- the rows of the table -------------------------------------------------------------------------------------

    def _contradict(self, sight: Sight, sample: Sample) -> None:
        """`lamp_failure` and `day_burner`."""
        memory, lit, at = self.memory, sample.lit, sample.at
        self.end("lamp_failure" if lit else "day_burner", "seen lit" if lit else "seen unlit")
        expected = self.expected(at)
        if expected is None or lit is expected or (self.mode == "motion" and not self._burns_alone(lit, at)):
            memory.run = None
            return
        if self.in_edge(at):
            sight.put_aside("edge", lit, at, sample.value)
            return
        name = "day_burner" if lit else "lamp_failure"
        if (known := memory.faults.get(name)) is not None:
            known.count += 1
            known.proof = [known.proof[0], max(known.proof[-1], sample, key=_time)] if known.proof else [sample]
        run = memory.run
        apart = run is None or run.lit is not lit or abs(at - run.last.at) > sight.source.limit
        if run is None or apart or (lit and self._called_for(*sorted((run.last.at, at)))):
            memory.run = Run(lit, sample, sample)
            return
        run.count += 1
        run.first, run.last = min(run.first, sample, key=_time), max(run.last, sample, key=_time)
        if self.mode == "commanded" and memory.repeated is not None and memory.repeated < run.first.at:
            return
        if run.count >= table.RUN_SAMPLES and run.last.at - run.first.at >= self.spec.confirm:
            self.begin(name, Fault(run.first.at, [run.first, run.last], run.count))

    def _called_for(self, first: Instant, last: Instant) -> bool:
        """Whether it was expected on between two times at which it was not: what ends `day_burner` adds nothing up over it, either."""
        if self.plan is not None:
            change = self.plan.span(first).until
            return change is not None and change <= last
        return any(value and first < when <= last for when, value in self.memory.commands)

    def _burns_alone(self, lit: bool, at: Instant) -> bool:
        """For `motion`: lit though no motion explains it, and all motions of that time would be known."""
        motions, watched = self.memory.motions, self.memory.watched
        if not lit or watched is None or at < watched or (len(motions) == _KEPT_EVENTS and at < motions[0]):
            return False
        past = [motion for motion in motions if motion <= at]
        return not past or at - past[-1] > 3 * self.spec.expected.hold

    def _trigger(self, sample: Sample) -> None:
        """`no_trigger`: what was seen after a motion."""
        memory, hold, lit, at = self.memory, self.spec.expected.hold, sample.lit, sample.at
        walk = memory.walk
        inside = walk is not None and walk.first + table.TRIGGER_DELAY <= at <= walk.last + hold
        if walk is not None and inside:
            if lit:
                walk.lit = True
            elif at <= walk.first + hold:
                walk.unlit = sample
        if lit and any(0 <= at - motion <= hold for motion in memory.motions):
            if not inside:
                memory.misses = []
            self.end("no_trigger", "seen lit after motion")

    def finish_walk(self) -> None:
        """The `hold` of a motion is over: count it."""
        memory = self.memory
        walk, memory.walk = memory.walk, None
        if walk is None:
            return
        if walk.lit:
            memory.misses = []
        elif walk.unlit is not None:
            memory.misses = [*memory.misses, (walk.first, walk.unlit)][-table.UNTRIGGERED :]
            if len(memory.misses) == table.UNTRIGGERED:
                motions, proof = [each for each, _ in memory.misses], [each for _, each in memory.misses]
                self.begin("no_trigger", Fault(motions[0], proof, len(proof), motions))

    def _flicker(self, sight: Sight, sample: Sample, otherwise: Instant | None, hole: bool, turned: bool) -> None:
        """`cycling_failure`; `otherwise`: of a change, when the source had proved the other last; `turned`: it said the other last, also
        where that proves nothing any more (a restart).
        """
        memory, at, changed = self.memory, sample.at, otherwise is not None
        if "cycling_failure" in memory.faults:
            excused = memory.excused is not None and 0 <= at - memory.excused <= 3 * self.spec.expected.hold
            if memory.quiet is None or hole or ((changed or turned) and not excused):
                memory.quiet = (
                    at if memory.quiet is None else max(memory.quiet, at)
                )  # what is told late was not seen later
            elif at - memory.quiet >= table.FLICKER_WITHIN:
                self.end("cycling_failure", "steady for 10 min")
        elif (
            otherwise is not None
            and not self.in_edge(at)
            and (memory.excused is None or min(at, otherwise) > memory.excused)
        ):
            seen = sight.memory
            change = msgspec.structs.replace(sample, otherwise=otherwise)
            seen.changes = sorted([*seen.changes, change], key=_time)[-table.FLICKER_CHANGES :]
            first, last = seen.changes[0].at, seen.changes[-1].at
            if len(seen.changes) == table.FLICKER_CHANGES and last - first <= table.FLICKER_WITHIN:
                self.begin("cycling_failure", Fault(first, seen.changes, len(seen.changes)))
                memory.quiet = at
                for each in self.sights:
                    each.memory.changes = []

    def _step(self, sight: Sight, step: float, at: Instant) -> None:
        """`dim`: one switch-on, and by how much it grew brighter."""
        seen = sight.memory
        usual = median(seen.good) if len(seen.good) >= table.DIM_KNOWN else None
        if usual is None or step * 100 >= usual * table.GOOD_PERCENT:
            seen.good = [*seen.good, step][-table.DIM_KEPT :]
            seen.short = []
            seen.full += 1
            if seen.full >= table.DIM_SAMPLES:
                self.end("dim", "bright again")
            return
        seen.full = 0
        if step * 100 >= usual * table.DIM_PERCENT:
            seen.short = []
            return
        seen.short = [*seen.short, Sample(at, sight.source.key, lit=True, value=step)][-table.DIM_SAMPLES :]
        if len(seen.short) == table.DIM_SAMPLES:
            self.begin("dim", Fault(seen.short[0].at, seen.short, len(seen.short), usual=usual))

    def begin(self, name: str, fault: Fault) -> None:
        """A fault stands from now on; it already standing changes nothing."""
        self.memory.faults.setdefault(name, fault)

    def end(self, fault: str, why: str) -> None:
        """A fault is over."""
        if self.memory.faults.pop(fault, None) is not None:
            self.ended[fault] = why

    def pass_time(self, now: Instant) -> None:
        """What ends by time alone: burning once it is expected on again, reports that expired."""
        memory = self.memory
        if "day_burner" in memory.faults and self.mode != "motion" and self.expected_now(now):
            self.end("day_burner", "expected on again")
        for name, report in list(memory.reports.items()):
            if report.until is not None and report.until <= now:
                self.withdraw(name, "timeout")

    def start_anew(self, at: Instant) -> None:
        """The fault of its circuit is over: only samples from `at` on count, so what earlier ones proved falls (lighting.md, State)."""
        memory = self.memory
        for fault in list(memory.faults):
            self.end(fault, "rejudging")
        memory.rejudging = True
        memory.judged_from = at
        self._forget()

    def serve(self, enable: bool) -> None:
        """It is taken out of or into service: its faults are forgotten, and it is judged by new samples."""
        memory = self.memory
        self.disabled = not enable
        for fault in [*memory.faults, *memory.reports]:
            self.ended[fault] = "disabled"
        memory.faults, memory.reports, memory.walk = {}, {}, None
        self._forget()

    def _forget(self) -> None:
        """What was seen before adds up to nothing any more; when it was last seen lit, or unlit, stays known."""
        self.memory.run, self.memory.misses = None, []
        for sight in self.sights:
            sight.memory.changes, sight.memory.short, sight.memory.full = [], [], 0
            sight.void()

    # -- state -----------------------------------------------------------------------------------------------------

    def usable(self) -> bool:
        """Whether any source of it can prove something now; one that never said whether it burns cannot."""
        return any(
            sight.source.live and (sight.source.rank != Rank.WORD or sight.memory.said is not None)
            for sight in self.sights
        )

    def lit(self, now: Instant) -> bool | None:
        """What was proved last by a source that still proves something; None an hour after an edge without proof."""
        best = self.best()
        return None if best is None or self._unproved(best.memory.at, now) else best.memory.lit

    def best(self) -> Sight | None:
        """The proof that counts now: the newest of those still valid, but a better one beats it while it is fresh."""
        found: Sight | None = None
        for sight in self.sights:  # the better first
            if sight.memory.lit is None:
                continue
            if found is None or sight.memory.at - found.memory.at > _reach(found, sight):
                found = sight
        return found

    def faults(self) -> tuple[str, ...]:
        """All that stand, as the table lists them."""
        memory = self.memory
        if not memory.faults and not memory.reports:
            return ()
        return table.in_order(set(memory.faults) | set(memory.reports))

    def settle(self, now: Instant, since: Instant | None = None) -> bool:
        """Say again which state it is in, `since` when (else `now`) if that changed; whether it did."""
        state, cause = self._judge(now)
        memory = self.memory
        if state != memory.state:
            memory.state, memory.cause, memory.since = state, cause, now if since is None else since
            return True
        memory.cause = cause
        return False

    def _judge(self, now: Instant) -> tuple[State, str | None]:
        memory = self.memory
        if self.disabled:
            return "disabled", None
        if memory.faults or memory.reports:
            return "faulty", None
        if memory.rejudging:
            return "unknown", "rejudging"
        if not self.usable():
            return "unknown", self._cause()
        best = self.best()
        proved = memory.last if best is None else best.memory.at
        if proved is None or self._unproved(proved, now):
            return "unknown", "no_proof"
        expected = self.expected_now(now)
        if best is not None and expected is not None and best.memory.lit is expected:
            return ("ok" if expected else "off_duty"), None
        if memory.state in ("ok", "off_duty"):
            return memory.state, None
        return "unknown", "no_proof"

    def _unproved(self, proved: Instant, now: Instant) -> bool:
        """Whether a planned change passed at least 1 h ago and nothing has proved anything since."""
        if self.plan is None:
            return False
        edge = self.plan.span(now - table.NO_PROOF_AFTER_EDGE).since
        return edge is not None and proved < edge

    def _cause(self) -> str:
        """Why nothing is known: of the sources ever heard the best one's reason, else the best one's."""
        causes = [cause for sight in self.sights if (cause := sight.source.cause()) is not None]
        other = "no_proof" if self.sights and not causes else "never_heard"
        return next((cause for cause in causes if cause != "never_heard"), other)

    def unverified(self) -> bool:
        """Whether a fault stands whose evidence has gone stale."""
        memory = self.memory
        faults = self.faults()
        if not faults:
            return False
        if (report := memory.reports.get(faults[0])) is not None:
            return not any(sight.source.device == report.source and sight.source.live for sight in self.sights)
        # An older word of another source against it has not ended it, and proves it no more than silence.
        shown = {"day_burner": True, "lamp_failure": False}.get(faults[0])
        return all(sight.memory.lit in {None, None if shown is None else not shown} for sight in self.sights)


def _reach(better: Sight, other: Sight) -> Duration:
    """How much older than the other's proof the better one may be and still beat it (lighting.md, Proof)."""
    return 3 * better.source.every if better.source.rank < other.source.rank else 0


def _time(sample: Sample) -> Instant:
    return sample.at
