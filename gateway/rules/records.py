"""All evidence of one reader: reports, clock measures, hand-overs, signs of life and reads, as sets.

Nothing here depends on the order in which evidence came. What it proves to be complete is spec: rounds.md, What is known
to be complete.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import DAY, Duration, Instant, instant
from gateway.rules.clocks import (
    AGREEMENT,
    DOUBT,
    HAND_OVER,
    LOST,
    UNMEASURED,
    UNPLACED,
    Clock,
    Correction,
    Measures,
)
from gateway.rules.cuts import Cuts
from gateway.rules.hand_overs import HandOver, HandOvers
from gateway.rules.intervals import BEGINNING, END, Interval, merged, without
from gateway.rules.taps import LOGIN_HOLDS, Read, Reads
from gateway.rules.trails import Reports, Signs, Trail
from gateway.rules.unread import TRUE, Stamp, Unread
from gateway.rules.watches import Key, Watches
from gateway.site.model import Device

PORTABLE_WINDOW: Duration = 7 * DAY
FIXED_WINDOW: Duration = DAY
"""How far a clock measure reaches (rounds.md, Clocks)."""
INBOX = 4 * 4096
"""Numbers kept of heartbeats that nothing waits for: 4096 heartbeats."""
FIXED_EXPECT: Duration = 60_000_000
"""`expect_every` of a fixed reader that names none."""

Stamps: TypeAlias = "array[int]"
Touched = tuple[Instant, Instant] | None
"""True times whose completeness may have changed; None: none."""


class Record:
    """The evidence of one reader.

    Args:
        device: as the site describes it.
        checkpoint: whose fixed reader it is, None: portable or nowhere.
        downs: when the gateway was down; shared, sorted.
    """

    def __init__(self, device: Device, checkpoint: str | None, downs: Sequence[Interval]) -> None:
        self.id = device.id
        self.portable = device.portable
        self.phone = device.driver == "phone" or device.kind == "phone"
        self.expect_every = device.expect_every if device.expect_every or device.portable else FIXED_EXPECT
        self.own_clock = device.own_clock
        self.transmits_only = device.transmits_only
        self._boots: dict[str | None, int] = {}
        self._clocks: list[Clock] = []
        self._trails: list[Trail | None] = []
        self._measures = Measures()
        self.numbered = False
        """It sends sequence numbers: then they decide what is complete, not signs of life."""
        self._alive = not self.portable and not (device.transmits_only and not device.assume_alive)
        """Its signs of life prove that what it recorded is here, unless it sends numbers."""
        self._cuts = Cuts()
        self._unread = Unread()
        self._signs: Signs | None = None
        self._downs = () if device.external_broker else downs
        self._handed = HandOvers()
        self._lost_at: list[Instant] = []
        """`received` of reads without a usable date."""
        self.reads = Reads(
            device.id,
            checkpoint,
            portable=device.portable,
            login=device.portable and not self.phone,
            own_clock=device.own_clock,
        )
        self.stale: Interval | None = None
        """Device times of reads whose taps must be made anew."""
        self.first_heard: Instant | None = None
        self.last_heard: Instant = BEGINNING
        self.persons: set[str] = set()
        """Who ever logged in to it (phones)."""
        if person := device.settings.get("person"):
            self.persons.add(str(person))
        self._signed: list[Instant] = []
        """When a phone said, besides numbered records, that it lives: that proves nothing, but it was heard."""
        self.link_down = False
        self._complete: list[Interval] | None = None
        self._doubts: list[Interval] | None = None
        self.watches = Watches()
        """What rests on this record's completeness."""
        self.calm: Interval = (END, BEGINNING)
        """Heartbeats dated inside change nothing that anything rests on: they are only kept, to be worked in when asked."""
        self.hurried = False
        """A kept heartbeat came within 2 s of the report before it. Of measures so near only the last counts, so what was read and
        watched before may be judged otherwise: it must be worked in before anything is judged again.
        """
        self._inbox = array("q")
        """Of each kept heartbeat: `at` (which is its `device_now`), received, its number, `last_seq`; -1: none."""
        self._inbox_boot: str | None = None
        self._inbox_measures = False
        self._offsets: Interval = (END, BEGINNING)
        """The offsets that a kept heartbeat may measure: those for which `calm` was worked out."""
        self._moved: Touched = None
        """True times whose completeness moved when something hurried was worked in."""
        self._newest: Instant = BEGINNING
        """Device time of the newest heartbeat worked in."""
        self._latest: Instant = BEGINNING
        """Device time of the latest read or hand-over."""
        self._overtaken = False
        """A read is dated after the newest heartbeat: what heartbeats before it measure moves it."""

    # -- taking evidence ---------------------------------------------------------------------------------------------

    def keep(self, heartbeat: seen.ReaderHeartbeat, at: Instant, received: Instant) -> bool:
        """Keep a heartbeat dated inside `calm`; False: it is not like the one before, and must be taken."""
        now, seq, last = heartbeat.device_now, heartbeat.seq, heartbeat.last_seq
        if heartbeat.boot != self._inbox_boot or (now is not None) is not self._inbox_measures:
            return False
        if now is not None:
            if now is not heartbeat.at and now != heartbeat.at:
                return False
            low, high = self._offsets
            if not low <= received - at <= high:
                return False
        if self._overtaken and received - self.last_heard > HAND_OVER:
            return False
        self._inbox.extend((at, received, UNPLACED if seq is None else seq, UNPLACED if last is None else last))
        self.calm = (at, self.calm[1])
        if received - self.last_heard <= HAND_OVER:
            self.hurried = True
        if received > self.last_heard:  # noqa: PLR1730 - this runs for every message
            self.last_heard = received
        return True

    @property
    def full(self) -> bool:
        """So much is kept that it must be worked in."""
        return len(self._inbox) > INBOX

    def work_in(self) -> Touched:
        """Work in what was kept; what that may have changed since this was last asked."""
        self._work_in()
        moved, self._moved = self._moved, None
        return moved

    def _work_in(self) -> None:
        """Work in what was kept: each in order, dated after all before it."""
        hurried, self.hurried = self.hurried, False
        if not self._inbox:
            return
        inbox, self._inbox = self._inbox, array("q")
        index = self._boots[self._inbox_boot]
        ats, receiveds, seqs, lasts = (inbox[part::4] for part in range(4))
        measures = self._inbox_measures and self.own_clock
        touched = self._report_all(index, ats, receiveds, seqs, lasts)
        if measures:
            touched = wider(touched, self._measure_all(index, ats, receiveds, seqs, lasts))
        self._newest = max(self._newest, ats[-1])
        if not self.numbered and not self.portable:
            touched = wider(touched, self._was_read(Stamp(index, ats[0])))
            self._was_read(Stamp(index, ats[-1]))
        self._complete = None
        if hurried:
            self._moved = wider(self._moved, touched)

    def _report_all(self, index: int, ats: Stamps, receiveds: Stamps, seqs: Stamps, lasts: Stamps) -> Touched:
        """Kept heartbeats as reports, or as signs of life."""
        numbered = seqs.count(UNPLACED) < len(seqs)
        if not numbered and lasts.count(UNPLACED) == len(lasts):
            touched: Touched = None
            for at, received in zip(ats, receiveds, strict=True):
                touched = wider(touched, self._sign(index, at, received))
            return touched
        trail = self._trails[index] or self._number(index)
        if not numbered and trail.extend(lasts, ats, receiveds):
            return None  # dated after all that anything rests on
        touched = None
        for at, received, seq, last in zip(ats, receiveds, seqs, lasts, strict=True):
            place = seq if last < 0 else last
            if seq >= 0:
                if not trail.numbers.add(seq):
                    continue
                if trail.places and seq <= trail.places[-1]:
                    touched = wider(touched, self._true(index, trail.filled(seq)))
            if place >= 0:
                touched = wider(touched, self._true(index, trail.add(place, at, received)))
            else:
                touched = wider(touched, self._sign(index, at, received))
        return touched

    def _measure_all(self, index: int, ats: Stamps, receiveds: Stamps, seqs: Stamps, lasts: Stamps) -> Touched:
        """Kept heartbeats as measures of the clock."""
        clock = self._clocks[index]
        places = array("q", (seq if last < 0 else last for seq, last in zip(seqs, lasts, strict=True)))
        handed = self._handed_over()
        calm = clock.calm_after(ats[0], [received - at for at, received in zip(ats, receiveds, strict=True)])
        since = self._measures.extend(self._clocks, index, places, ats, receiveds)
        if since == END:
            return None
        reports: Reports | None = self._trails[index] or (None if self.numbered else self._signs)
        if reports is not None:
            reports.changed_since(since)
        first = since
        calm = calm and since > BEGINNING
        if not calm:
            first = min(since, _joined_before(since, reports))
            if self._latest >= since:
                self._stale(since - self._reach(), END)
        if not calm or self._doubts:  # they may end one
            self._doubts = None
        touched = self._true(index, (first, END if self._latest > ats[-1] else ats[-1]))
        return wider(touched, self._moved_from(handed))

    def settle_calm(self, quiet: Sequence[Interval]) -> None:
        """Say which heartbeats to come change nothing: in order, after all that is watched, inside every `quiet` span."""
        self.calm = (END, BEGINNING)
        if self._newest == BEGINNING or (self._unread.open and not self.numbered):
            return
        self._overtaken = self._latest > self._newest
        least = min(clock.least for clock in self._clocks) - AGREEMENT
        most = max(clock.most for clock in self._clocks) + AGREEMENT
        until = END
        if any(key[0] != "gap" for key in self.watches.touching(self._newest + least)):
            until = BEGINNING
        for low, high in quiet:
            until = min(until, high - most if low <= self._newest + least else BEGINNING)
        self.calm = (self._newest, until)
        self._offsets = (least, most)

    def take(
        self, observation: Observation, at: Instant, received: Instant, mark: str = "", *, reread: bool = False
    ) -> Touched:
        """Take one observation; what it may have changed.

        Args:
            mark: of a tag read, for its tap.
            reread: it came at `received` and could not be read until now.
        """
        kept = self.work_in()
        touched = wider(kept, self._take(observation, at, received, mark))
        if reread or self.numbered:
            return touched
        kind = type(observation)
        index = self._boots.get(observation.boot)
        if index is None or not (kind is seen.TagRead or (kind is seen.ReaderHeartbeat and not self.portable)):
            return touched
        now = observation.device_now if kind is seen.ReaderHeartbeat else None  # type: ignore[union-attr]
        return wider(touched, self._was_read(Stamp(index, at if now is None else instant(now))))

    def _take(self, observation: Observation, at: Instant, received: Instant, mark: str) -> Touched:
        kind = type(observation)
        if kind is seen.LinkStatus:
            return self._link(observation, at, received)  # type: ignore[arg-type]
        if kind is seen.DeviceStatus and not observation.online:  # type: ignore[union-attr]
            return wider(self._cut(at), self._cut(received))
        touched = self._heard_first(received)
        self.last_heard = max(self.last_heard, received)
        boot, seq = observation.boot, observation.seq
        index = self._boots.get(boot)
        if index is None:
            index = self._new_boot(boot)
        place, stamp, now = seq, at, None
        if kind is seen.ReaderHeartbeat:
            if observation.device_now is not None:  # type: ignore[union-attr]
                now = stamp = instant(observation.device_now)  # type: ignore[union-attr]
            if observation.last_seq is not None:  # type: ignore[union-attr]
                place = observation.last_seq  # type: ignore[union-attr]
        if seq is not None:
            trail = self._trails[index] or self._number(index)
            if not trail.numbers.add(seq):
                return touched
            if trail.places and seq <= trail.places[-1]:
                touched = wider(touched, self._true(index, trail.filled(seq)))
        if place is not None:
            trail = self._trails[index] or self._number(index)
            begins = len(self._trails) > 1 and (not trail.places or place < trail.places[0])
            touched = wider(touched, self._true(index, trail.add(place, stamp, received)))
            if begins:  # its first numbers may be missing, back to the end of the count before
                touched = wider(touched, (BEGINNING, received))
        else:
            touched = wider(touched, self._sign(index, stamp, received))
        if kind is seen.ReaderHeartbeat:
            self._inbox_boot, self._inbox_measures = boot, now is not None
            self._newest = max(self._newest, stamp)
        elif kind is not seen.DeviceStatus:
            self._latest = max(self._latest, at)
        if kind is seen.TagRead:
            self._read(observation, at, received, mark)  # type: ignore[arg-type]
        elif kind is seen.SyncEnd:
            now, since = self._sync(observation, at, received, index)  # type: ignore[arg-type]
            to = self._handed.to[-1]
            touched = wider(touched, (since, to + self._clocks[index].most))
            self._unread.handed_over(Stamp(index, to), self._clocks)
            self._latest = max(self._latest, to)
        if now is not None and self.own_clock:
            touched = wider(touched, self._measure(index, UNPLACED if place is None else place, now, received))
        self._complete = None
        return touched

    def _heard_first(self, received: Instant) -> Touched:
        """Note since when it is heard. What rests on a reader that never was has that for its cause, until now."""
        before = self.first_heard
        if before is None or received < before:
            self.first_heard = received
        return (BEGINNING, received) if before is None else None

    def _new_boot(self, boot: str | None) -> int:
        index = len(self._clocks)
        self._boots[boot] = index
        self._clocks.append(Clock(PORTABLE_WINDOW if self.portable else FIXED_WINDOW))
        self._trails.append(None)
        return index

    def _number(self, index: int) -> Trail:
        """The first sequence number of a boot: from now on, numbers decide."""
        if not self.numbered:
            self.numbered = True
            self._signs = None
            self._unread = Unread()
        trail = self._trails[index] = Trail(self._clocks[index])
        return trail

    def _sign(self, index: int, time: Instant, received: Instant) -> Touched:
        """A sign of life, if signs of life prove anything of this reader."""
        if self.numbered or not self._alive:
            if self.phone:
                self._signed.append(received)
            return None
        if self._signs is None:
            self._signs = Signs(3 * (self.expect_every or FIXED_EXPECT), self._clocks, self._cuts.times, self._downs)
        return self._true(index, self._signs.add(index, time, received))

    def _true(self, index: int, raw: Interval) -> Interval:
        clock = self._clocks[index]
        return raw[0] + clock.least, raw[1] + clock.most

    def _measure(self, index: int, place: int, now: Instant, received: Instant) -> Touched:
        clock = self._clocks[index]
        calm, handed = clock.calm_at(place, now, received - now), self._handed_over()
        since = self._measures.add(self._clocks, index, place, now, received)
        self._measures.trim()
        if since == END:
            return None
        calm = calm and since > BEGINNING
        if not calm:
            self._stale(since - self._reach(), END)
        if not calm or self._doubts:  # it may end one
            self._doubts = None
        reports: Reports | None = self._trails[index] or (None if self.numbered else self._signs)
        if reports is not None:
            reports.changed_since(since)
        ahead = any(
            times and times[-1] > now for times in (self._handed.to, reports.times if reports is not None else ())
        )
        last = END if ahead or since == BEGINNING else now
        touched = self._true(index, (min(since, _joined_before(since, reports)), last))
        return wider(touched, self._moved_from(handed))

    def _moved_from(self, handed: Instant | None) -> Touched:
        """What a hand-over to another time than before touches: all from the earlier of them on."""
        reached = self._handed_over()
        if reached == handed:
            return None
        return (BEGINNING if handed is None or reached is None else min(handed, reached)), END

    def _reach(self) -> Duration:
        """How far apart by its own clocks a log-in to a restarted wand, and a read that it names the bearer of, may be dated."""
        if not self.reads.login or len(self._clocks) < 2:
            return 0
        return max(clock.most for clock in self._clocks) - min(clock.least for clock in self._clocks)

    def _stale(self, since: Instant, until: Instant) -> None:
        self.stale = (since, until) if self.stale is None else (min(self.stale[0], since), max(self.stale[1], until))

    def _read(self, observation: seen.TagRead, at: Instant, received: Instant, mark: str) -> None:
        read = Read(
            at, observation.boot or "", UNPLACED if observation.seq is None else observation.seq, observation.tag, received,
            observation.person or "", mark,
        )  # fmt: skip
        if not self.reads.add(read):
            return
        if observation.person is not None:
            self.persons.add(observation.person)
        reach = self._reach()
        self._stale(at - reach, at + (LOGIN_HOLDS if self.reads.login else 0) + reach)
        if read.lost:
            insort(self._lost_at, received)

    def _sync(
        self, observation: seen.SyncEnd, at: Instant, received: Instant, index: int
    ) -> tuple[Instant | None, Instant]:
        """Take a hand-over; its clock reading, and since when it may complete more."""
        place = UNPLACED if observation.seq is None else observation.seq
        since = self._handed.add(instant(observation.complete_to), HandOver(at, received, index, place))
        now = None if observation.device_now is None else instant(observation.device_now)
        return now, since + min(clock.least for clock in self._clocks) if since > BEGINNING else since

    def _link(self, link: seen.LinkStatus, at: Instant, received: Instant) -> Touched:
        """The gateway's word about the reader's port; a sign of life of one that only transmits."""
        self.link_down = not link.up
        if not link.up:
            self._cuts.add_link(at)
            return self._was_cut(at)
        if not link.cut:
            return self._port_sign(at, received)
        hidden = None if link.since is None else (instant(link.since), at)
        touched = self._unreadable(hidden, received, link.boot)
        if link.boot is not None:
            return touched  # numbers decide, not signs of life
        return wider(wider(touched, self._noise(at)), self._port_sign(at, received))

    def _was_read(self, stamp: Stamp) -> Touched:
        """Something recorded at `stamp` was read: what could not be read before it is older."""
        changed = self._unread.read(stamp, self._clocks, lambda: self._known_before(stamp.time))
        return None if changed is None else self._between(changed)

    def _known_before(self, time: Instant) -> Instant:
        """The latest time before another, by its own clock, of anything that was read of it."""
        reads = self.reads.reads
        index = bisect_left(reads, (time,))
        found = reads[index - 1].at if index else BEGINNING
        if self._signs is not None:
            found = max([found, *(each for each in self._signs.times if each < time)])
        return max(found, self._handed.before(time))

    def _unreadable(self, hidden: Interval | None, received: Instant, boot_named: str | None) -> Touched:
        """Something it sent could not be read: of a time that is known, or of any since what was read before."""
        if self.numbered and hidden is None:
            return None  # its number is missing
        self._complete = None
        if hidden is None:
            return self._between(self._unread.miss(received))
        if boot_named is not None:
            return self._between(self._used_twice(self._numbered(boot_named), hidden, received))
        boot = len(self._clocks) - 1
        return self._between(self._unread.hide(Stamp(boot, hidden[0]), Stamp(boot, hidden[1])))

    def _used_twice(self, boot: int, used: Interval, received: Instant) -> tuple[Stamp, Stamp]:
        """What a number given twice hides: the time between, by its clock; where that cannot be right, also that up to when it came."""
        first, last = (Stamp(boot, time) for time in used)
        before, came = Stamp(TRUE, self._last_report_before(received)), Stamp(TRUE, received)
        if last.bounds(self._clocks)[0] > received + DOUBT:
            last = came
            if first.bounds(self._clocks)[0] > received:
                first = before
        if used[0] < received - LOST:
            last = max(last, came, key=lambda stamp: stamp.bounds(self._clocks)[1])
        return self._unread.hide(first, last)

    def _numbered(self, boot: str) -> int:
        """The index of a boot that is known to number what it records, though nothing of it may be here yet."""
        index = self._boots.get(boot)
        if index is None:
            index = self._new_boot(boot)
        if self._trails[index] is None:
            self._number(index)
        return index

    def _between(self, span: tuple[Stamp, Stamp]) -> Interval:
        bounds = [stamp.bounds(self._clocks) for stamp in span]
        return min(low for low, _ in bounds), max(high for _, high in bounds)

    def _noise(self, at: Instant) -> Touched:
        """Something it sent could not be read, which may spare a cut before it."""
        spared = self._cuts.add_unread(at)
        between = None if spared is None or self._signs is None else (self._signs.cut(spared), END)
        return wider(between, self._was_cut(at))

    def _port_sign(self, at: Instant, received: Instant) -> Touched:
        if not self.transmits_only or not self._alive or self.numbered:
            return None
        touched = self._heard_first(received)
        self.last_heard = max(self.last_heard, received)
        index = self._boots.get(None)
        if index is None:
            index = self._new_boot(None)
        self._complete = None
        return wider(touched, self._sign(index, at, received))

    def _cut(self, at: Instant) -> Touched:
        self._cuts.add(at)
        return self._was_cut(at)

    def _was_cut(self, at: Instant) -> Touched:
        if self._signs is None or self.numbered:
            return None
        self._complete = None
        return self._signs.cut(at), END

    def gateway_was_down(self, since: Instant) -> Instant:
        """The shared list of down times grew by one that began at `since`; from which true time on that may change anything.

        Of what is not complete it may change the cause; where signs of life prove something, also what is complete.
        """
        self._work_in()
        self._complete = None
        return since if self._signs is None else min(since, self._signs.cut(since))

    # -- what it proves ----------------------------------------------------------------------------------------------

    def correction(self, read: Read) -> Correction:
        """What a read's time is worth."""
        index = self._boots.get(read.boot or None)
        return UNMEASURED if index is None else self._clocks[index].correction_of(read.seq, read.at)

    def complete(self) -> list[Interval]:
        """Every stretch of true time in which nothing was recorded that is not here."""
        self._work_in()
        if self._complete is None:
            parts: list[Interval] = []
            if self.numbered:
                for trail in self._trails:
                    if trail is not None:
                        parts += trail.complete()
            elif self._signs is not None:
                parts += self._signs.complete()
            if (handed_over := self._handed_over()) is not None:
                known = without([(BEGINNING, handed_over)], [*self.doubts(), *self.unproven()])
                if self.numbered:
                    known = without(known, self.holes())
                parts += known
            parts = merged(parts)
            for received in self._lost_at:
                parts = without(parts, [(self._last_report_before(received), received)])
            if self._unread:
                parts = without(parts, self.hidden())
            self._complete = parts
        return self._complete

    def _handed_over(self) -> Instant | None:
        """The latest time to which everything was handed over."""
        return self._handed.reached(self._clocks)

    def unproven(self) -> list[Interval]:
        """True times of which no hand-over speaks, as one before it was said ahead of its receipt."""
        return self._handed.unproven(self._clocks)

    def _last_report_before(self, received: Instant) -> Instant:
        """When the last report before a hand-over was received; reports within 2 s of each other are one hand-over."""
        heard = sorted({each for each in self._receiveds() if each <= received})
        while len(heard) > 1 and heard[-1] - heard[-2] <= HAND_OVER:
            heard.pop()
        return heard[-2] if len(heard) > 1 else BEGINNING

    def _receiveds(self) -> set[Instant]:
        """When each report kept here was received."""
        self._work_in()
        found = {read.received for read in self.reads.reads}
        found.update(self._handed.receiveds())
        for trail in self._trails:
            if trail is not None:
                found.update(trail.receiveds)
        if self._signs is not None:
            found.update(self._signs.receiveds)
        return found

    def doubts(self) -> list[Interval]:
        """True times about which the clock allows no completeness."""
        if self._doubts is None:
            heard = sorted(received for clock in self._clocks for received in clock.received())
            self._doubts = [doubt for clock in self._clocks for doubt in clock.doubts(heard)]
        return self._doubts

    def hidden(self) -> list[Interval]:
        """Stretches in which something was recorded, or may have been, that could not be read or has the number of something else."""
        return merged(self._unread.spans(self._clocks))

    def holes(self) -> list[Interval]:
        """Stretches in which a record is known to be missing, of a boot or of the beginning of one after another."""
        found = [hole for trail in self._trails if trail is not None for hole in trail.holes()]
        begun = sorted(
            (trail for trail in self._trails if trail is not None and trail.times),
            key=lambda trail: trail.times[0] + trail.clock.least,
        )
        if begun and not begun[0].numbers.has_all(0, begun[0].places[0]):  # a count before it may have had no numbers
            boot = next(index for index, trail in enumerate(self._trails) if trail is begun[0])
            handed = self._handed.before_boot(boot, begun[0].receiveds[0])
            if handed is not None:
                found.append((handed + self._clocks[boot].least, begun[0].times[0] + begun[0].clock.most))
        for left, right in pairwise(begun):
            if not right.numbers.has_all(0, right.places[0]):  # a count begins with 0 or 1
                last, first = left.times[-1] + left.clock.least, right.times[0] + right.clock.most
                found.append((min(last, first), max(last, first)))
        return found

    def restarts(self) -> list[Interval]:
        """Stretches between the last report of one boot and the first of the next."""
        spans = sorted(
            (trail.times[0] + trail.clock.least, trail.times[-1] + trail.clock.most)
            for trail in self._trails
            if trail is not None and trail.times
        )
        return [(min(left[1], right[0]), max(left[1], right[0])) for left, right in pairwise(spans)]

    def broken(self, first: Instant, last: Instant) -> bool:
        """Whether a number is missing in, a restart or unreadable bytes fall into [first, last]; what was over at `first` does not."""
        if not self.numbered and self._cuts.noise_between(first, last):
            return True
        if any(low <= last and first <= high for low, high in self.hidden()):
            return True
        parts = [*self.holes(), *self.restarts()]
        return any((low < last and first < high) or (first == last and low <= first <= high) for low, high in parts)

    def only_impossible(self, since: Instant) -> bool:
        """Whether it reported since an instant, and nothing but times that cannot be."""
        self._work_in()
        heard = False
        for reports in (*self._trails, self._signs):
            if reports is None or (reports is self._signs and self.numbered):
                continue
            for index in range(len(reports.times) - 1, -1, -1):
                if reports.receiveds[index] >= since:
                    if reports.possible(index):
                        return False
                    heard = True
        said = self._handed.possible_since(since, self._clocks)
        if said:
            return False
        heard = heard or said is not None
        if self.portable and not self.numbered:
            for read in self.reads.reads:
                if read.received >= since:
                    if not read.lost and read.at + min(self.correction(read).offsets) <= read.received + DOUBT:
                        return False
                    heard = True
        return heard

    def heard_between(self, first: Instant, last: Instant) -> bool:
        """Whether anything was received from it in [first, last], or a read dated then was handed over later."""
        reads = self.reads.reads
        index = bisect_left(reads, (first,))
        if index < len(reads) and reads[index].at <= last:
            return True
        if self.first_heard is None or self.first_heard > last or self.last_heard < first:
            return False
        if self.first_heard >= first or self.last_heard <= last:
            return True
        return any(first <= received <= last for received in self._receiveds() | set(self._signed))

    # -- what an explanation asks ------------------------------------------------------------------------------------

    @property
    def blank(self) -> bool:
        """Nothing was ever heard from it or said about it."""
        return not self._boots and not self._cuts

    @property
    def assumed(self) -> bool:
        """Its completeness is an assumption: a reader that only transmits, judged by signs of life."""
        return self.transmits_only and self._alive and not self.numbered

    @property
    def proves_nothing(self) -> bool:
        """Its silence is never taken for proof (`assume_alive: false`)."""
        return not self.portable and not self._alive and not self.numbered and not self._handed

    def reports(self) -> list[Reports]:
        """Its reports that decide what is complete: of each boot where it sends numbers, else its signs of life."""
        self._work_in()
        if self.numbered:
            return [trail for trail in self._trails if trail is not None and trail.times]
        return [self._signs] if self._signs is not None and self._signs.times else []

    def lost_spans(self) -> list[Interval]:
        """Stretches about which a read without a usable date leaves the record incomplete."""
        return [(self._last_report_before(received), received) for received in self._lost_at]

    def cut_after(self, since: Instant) -> Instant | None:
        """The first time from `since` on at which it, or its link, was said to be down."""
        return self._cuts.after(since)

    def cut_by_link(self, cut: Instant) -> bool:
        """Whether it was its link that was down then."""
        return self._cuts.by_link(cut)

    def cut_by_noise(self, cut: Instant) -> bool:
        """Whether something it sent could not be read then."""
        return self._cuts.by_noise(cut)

    def measures_of(self, read: Read) -> tuple[tuple[Instant, Duration], ...]:
        """The measures by which a read's time is judged: device time and offset of each."""
        index = self._boots.get(read.boot or None)
        return () if index is None else _measures(self._clocks[index].nearest(read.seq, read.at, record=True))

    def measures_at(self, time: Instant) -> tuple[tuple[Instant, Duration], ...]:
        """The measures around a true time, of the boot that has one nearest to it."""
        found = [_measures(clock.nearest(UNPLACED, time)) for clock in self._clocks]
        near = [each for each in found if each]
        return min(near, key=lambda each: min(abs(at + offset - time) for at, offset in each), default=())

    # -- what rests on it --------------------------------------------------------------------------------------------

    def watch_for(self, key: Key, span: Interval | None) -> None:
        """Something rests on this record over a span of time (None: no longer)."""
        if span is None:
            self.watches.drop(key)
            return
        self.watches.put(key, span)
        self.calm = (END, BEGINNING)

    def reread(self, read: Read) -> None:
        """A read that came before its device was enrolled."""
        if self.reads.add(read):
            self._stale(BEGINNING, END)

    # -- bounded, and kept across restarts ---------------------------------------------------------------------------

    def forget(self, before: Instant) -> None:
        """Drop reports, measures and cuts received before an instant; the newest of each stay, and of the boots before it the last."""
        self._work_in()
        for reports in (*self._trails, self._signs):
            if reports is not None:
                reports.forget(before)
        for clock in self._clocks:
            clock.forget(before)
        self._measures.forget(before)
        self._cuts.forget(before)
        self._unread.forget(before)
        self._lost_at = [received for received in self._lost_at if received >= before]
        self._signed = [received for received in self._signed if received >= before]
        self._handed.forget(before)
        self._forget_boots(before)
        self._complete = self._doubts = None

    def _forget_boots(self, before: Instant) -> None:
        """Drop the boots of which nothing is kept any more, but the last of them: what begins after it is judged by its end."""
        used = {len(self._clocks) - 1, *self._measures.boots, *self._handed.boots()}
        reads = {read.boot for read in self.reads.reads}
        used.update(index for boot, index in self._boots.items() if (boot or "") in reads)
        used |= self._unread.boots()
        if self._signs is not None:
            used.update(self._signs.places)
        over: list[tuple[Instant, int]] = []
        for index, trail in enumerate(self._trails):
            if index in used:
                continue
            if trail is None or not trail.times:
                over.append((BEGINNING, index))
            elif trail.receiveds[-1] < before:
                over.append((trail.times[-1] + self._clocks[index].least, index))
        gone = {index for _, index in sorted(over)[:-1]}
        if not gone:
            return
        kept = [index for index in range(len(self._clocks)) if index not in gone]
        numbers = {index: number for number, index in enumerate(kept)}
        self._boots = {boot: numbers[index] for boot, index in self._boots.items() if index not in gone}
        self._clocks[:] = [self._clocks[index] for index in kept]
        self._trails = [self._trails[index] for index in kept]
        self._measures.renumber(numbers)
        self._handed.renumber(numbers)
        self._unread.renumber(numbers)
        if self._signs is not None:
            self._signs.renumber(numbers)

    def snapshot(self) -> Any:
        """Everything as builtins."""
        self._work_in()
        return {
            "boots": [[boot, index] for boot, index in self._boots.items()],
            "clocks": [clock.snapshot() for clock in self._clocks],
            "trails": [trail and [trail.snapshot(), trail.numbers.lows, trail.numbers.highs] for trail in self._trails],
            "measures": self._measures.snapshot(),
            "numbered": self.numbered,
            "signs": self._signs and self._signs.snapshot(),
            **self._cuts.snapshot(),
            "unread": self._unread.snapshot(),
            "syncs": self._handed.snapshot(),
            "lost": self._lost_at,
            "reads": [list(read) for read in self.reads.reads],
            "spent": self.reads.spent_at(),
            "told": self.reads.told_at(),
            "heard": [self.first_heard, self.last_heard],
            "signed": list(self._signed),
            "persons": sorted(self.persons),
            "link_down": self.link_down,
        }

    def restore(self, state: Any) -> None:
        """Take up a snapshot; all taps are to be made anew."""
        for boot, _ in state["boots"]:
            self._new_boot(boot)
        for clock, saved in zip(self._clocks, state["clocks"], strict=True):
            clock.restore(saved)
        for index, saved in enumerate(state["trails"]):
            if saved is not None:
                trail = self._trails[index] = Trail(self._clocks[index])
                trail.restore(saved[0])
                trail.numbers.lows, trail.numbers.highs = list(saved[1]), list(saved[2])
        self._measures.restore(state["measures"])
        self.numbered = state["numbered"]
        if self._alive and state["signs"] is not None:
            self._signs = Signs(3 * (self.expect_every or FIXED_EXPECT), self._clocks, self._cuts.times, self._downs)
            self._signs.restore(state["signs"])
        self._cuts.restore(state)
        if (unread := state.get("unread")) is not None:
            self._unread.restore(unread)
        self._handed.restore(state["syncs"])
        self._lost_at = list(state["lost"])
        self.reads.reads = [Read(*read) for read in state["reads"]]
        self.reads.boots = {read.boot for read in self.reads.reads}
        self.reads.spent = {self.reads.reads[index] for index in state.get("spent", ())}
        self.reads.told = {self.reads.reads[index]: reason for index, reason in state.get("told", ())}
        self.first_heard, self.last_heard = state["heard"]
        self._signed = list(state.get("signed", ()))
        self._latest = max((BEGINNING, *(read.at for read in self.reads.reads), *self._handed.to))
        self.persons |= set(state["persons"])
        self.link_down = state["link_down"]
        self._stale(BEGINNING, END)


def _measures(
    nearest: tuple[Instant, Duration | None, Instant, Duration | None],
) -> tuple[tuple[Instant, Duration], ...]:
    before_time, before, after_time, after = nearest
    found = [(time, offset) for time, offset in ((before_time, before), (after_time, after)) if offset is not None]
    return tuple(dict.fromkeys(found))


def _joined_before(since: Instant, reports: Reports | None) -> Instant:
    """From when what ends with a report at or after `since` may prove something: the report before it."""
    if reports is None or not reports.times:
        return since
    place = bisect_left(reports.times, since) if reports.ordered else 0
    return min(since, reports.times[place - 1] if place else BEGINNING)


def wider(left: Touched, right: Touched) -> Touched:
    """The span over both."""
    if left is None or right is None:
        return left or right
    return min(left[0], right[0]), max(left[1], right[1])
