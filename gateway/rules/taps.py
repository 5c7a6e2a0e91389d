"""From reads to taps: who tapped where, and when (spec: rounds.md, Who tapped where, and when)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from gateway.instants import HOUR, SECOND, Duration, Instant
from gateway.rules.clocks import DOUBT, LOST, Correction
from gateway.rules.intervals import BEGINNING
from gateway.site.model import Site
from gateway.site.tags import TagIndex

REPEAT_WITHIN: Duration = 10 * SECOND
"""A read this near the one before it is its repeat (rounds.md, Repeats)."""
REPEATS_SPAN: Duration = 60 * SECOND
"""Repeats of one tap span at most this."""
LOGIN_HOLDS: Duration = 12 * HOUR
"""A person's tag read by a wand names its bearer for this long."""


class Owner(NamedTuple):
    """What an enrolled tag belongs to: exactly one of the two is given."""

    person: str | None = None
    checkpoint: str | None = None


def enrolled(site: Site) -> TagIndex[Owner]:
    """All tags of a site: people's cards and the checkpoints' wall tags."""
    people = ((tag, Owner(person=person.id)) for person in site.people.values() for tag in person.tags)
    walls = ((tag, Owner(checkpoint=place.id)) for place in site.checkpoints.values() for tag in place.tags)
    return TagIndex((*people, *walls))


class Read(NamedTuple):
    """One read of a tag as it was reported. Sorts by device time, then boot and number."""

    at: Instant
    boot: str
    seq: int
    tag: str
    received: Instant
    person: str
    """Who the reader said it was; empty: it did not say."""
    mark: str = ""
    """What its tag's counter was worth (`counters.Mark`)."""

    @property
    def lost(self) -> bool:
        """Dated so long before its hand-over that its clock was lost."""
        return self.at < self.received - LOST

    def key(self, device: str) -> str:
        """The key of repetition, as evidence is named."""
        return f"{device}/{self.boot}/{self.seq}" if self.seq >= 0 else f"{device}/tag_read/{self.at}"


class Moment(NamedTuple):
    """One time at which a tap may have happened.

    `corrected`: an offset was applied, so a boundary within 2 s is not sharp.
    """

    time: Instant
    read: Read
    corrected: bool
    marks: frozenset[str]


class Tap(NamedTuple):
    """Reads of one tag by one reader and person, near enough to be one act.

    Args:
        moments: every time it may have happened; the first is the one shown where no visit decides.
        measured: its reader's clock was measured, or the times are the gateway's own.
        marks: of any of its reads, whichever time is used.
    """

    device: str
    checkpoint: str
    tag: str
    person: str | None
    moments: tuple[Moment, ...]
    measured: bool
    marks: frozenset[str]

    @property
    def at(self) -> Instant:
        return self.moments[0].time

    @property
    def first(self) -> Instant:
        moments = self.moments
        return moments[0].time if len(moments) == 1 else min(moment.time for moment in moments)

    @property
    def last(self) -> Instant:
        moments = self.moments
        return moments[0].time if len(moments) == 1 else max(moment.time for moment in moments)

    @property
    def received(self) -> Instant:
        return max(moment.read.received for moment in self.moments)


class Loose(NamedTuple):
    """A read that is no tap and yet must not vanish: its time, person and the reason."""

    read: Read
    at: Instant
    person: str | None
    reason: str


class LogIn(NamedTuple):
    """A person's tag read by a wand, at a corrected time. Sorts by it."""

    at: Instant
    boot: str
    person: str


def _bearer(
    read: Read,
    own: tuple[Instant, str] | None,
    elsewhere: Sequence[LogIn],
    correction: Callable[[Read], Correction],
) -> str | None:
    """Whose tag a wand last read within 12 h before a read.

    Args:
        own: the last log-in of the read's own boot, when by the wand's clock, and whose.
        elsewhere: all log-ins by corrected time, of which those of other boots count.
    """
    if own is not None and not 0 <= read.at - own[0] <= LOGIN_HOLDS:
        own = None
    if not elsewhere:
        return None if own is None else own[1]
    offset = correction(read).offsets[0]
    at = read.at + offset
    found = None if own is None else (own[0] + offset, own[1])
    for log_in in reversed(elsewhere[: bisect_right(elsewhere, at, key=lambda each: each.at)]):
        if at - log_in.at > LOGIN_HOLDS or (found is not None and log_in.at <= found[0]):
            break
        if log_in.boot != read.boot:
            return log_in.person
    return None if found is None else found[1]


def _cards_first(reads: list[Read], tags: TagIndex[Owner]) -> list[Read]:
    """A wand's reads in order; of those at one instant, without numbers, people's cards stand first: who logs in then taps."""

    def order(read: Read) -> tuple[Instant, str, int, bool]:
        owner = tags.find(read.tag)
        return read.at, read.boot, read.seq, owner is None or owner.person is None

    return sorted(reads, key=order)


_NONE: frozenset[str] = frozenset()
_UNCERTAIN = frozenset({"clock_uncertain"})
_AHEAD = frozenset({"clock_ahead"})


def moments(read: Read, correction: Correction, *, own_clock: bool) -> list[Moment]:
    """The times a read may have happened at, by what its device's clock is worth (rounds.md, Clocks).

    What came before it can have happened was dated by a clock that no measure saw: it is judged by its own time, where that is
    possible, else at its receipt.
    """
    if not own_clock:
        return [Moment(read.at, read, False, _NONE)]
    latest = read.received + DOUBT
    if read.at + min(correction.offsets) > latest:
        if read.at > latest:
            return [Moment(read.received, read, False, _AHEAD)]
        return [Moment(read.at, read, False, _UNCERTAIN)]  # the clock was set back only after it
    if not correction.measured:
        return [Moment(read.at, read, False, _NONE)]
    result = []
    for offset in correction.offsets:
        marks = set() if correction.certain else {"clock_uncertain"}
        if abs(offset) > DOUBT:
            marks.add("clock_corrected")
        result.append(Moment(read.at + offset, read, offset != 0, frozenset(marks)))
    return result


class Reads:
    """All reads of one device, and the taps they make.

    Args:
        checkpoint: the checkpoint whose fixed reader the device is; None: portable, or fixed nowhere.
        portable: a wand or phone: reads wall tags, and people's tags as log-in.
        login: a person's tag read by it names its bearer (wands; a phone's reads name the person themselves).
    """

    __slots__ = (
        "_replaced",
        "_taps",
        "boots",
        "checkpoint",
        "device",
        "login",
        "loose",
        "own_clock",
        "portable",
        "reads",
        "spent",
        "told",
    )

    def __init__(self, device: str, checkpoint: str | None, *, portable: bool, login: bool, own_clock: bool) -> None:
        self.device = device
        self.checkpoint = checkpoint
        self.portable = portable
        self.login = login
        self.own_clock = own_clock
        self.reads: list[Read] = []
        self.boots: set[str] = set()
        """Of all its reads."""
        self._taps: dict[Read, Tap] = {}
        """By each of its reads."""
        self.loose: dict[Read, Loose] = {}
        self._replaced: list[Read] = []
        self.spent: set[Read] = set()
        """Those of taps that served a round which is no longer in memory."""
        self.told: dict[Read, str] = {}
        """Why taps served nothing, of those that such a round refused or did not need."""

    def add(self, read: Read) -> bool:
        """Take a read; False if it was here already (of repeats the one received first counts)."""
        reads = self.reads
        self.boots.add(read.boot)
        if not reads or read[:4] > reads[-1][:4]:
            reads.append(read)
            return True
        index = bisect_left(reads, read[:4])
        if index < len(reads) and reads[index][:4] == read[:4] and reads[index].person == read.person:
            if reads[index].received <= read.received:
                return False
            self._replaced.append(reads.pop(index))
        insort(reads, read)
        return True

    def derive(
        self,
        since: Instant,
        until: Instant,
        tags: TagIndex[Owner],
        people: Container[str],
        correction: Callable[[Read], Correction],
    ) -> tuple[set[Tap], set[Tap]]:
        """Make the taps of reads with device times in [since, until] anew; those that went and those that came."""
        reads = self.reads
        if self._lone(since, until):
            return self._first_of(reads[-1], tags, people, correction)
        low = bisect_left(reads, (since,))
        while self.login and 0 < low < len(reads) and reads[low].at - reads[low - 1].at <= REPEAT_WITHIN:
            low -= 1
        high = bisect_right(reads, (until + 1,))
        while 0 < high < len(reads) and reads[high].at - reads[high - 1].at <= REPEAT_WITHIN:
            high += 1
        replaced, self._replaced = self._replaced, []
        span = _cards_first(reads[low:high], tags) if self.login else [*self._begun(low, replaced), *reads[low:high]]
        before = {tap for read in (*span, *replaced) if (tap := self._taps.pop(read, None)) is not None}
        for read in (*span, *replaced):
            self.loose.pop(read, None)
        bearers = self._bearers(low, tags)
        elsewhere = self._log_ins(tags, correction)
        groups: dict[tuple[str, str, str | None, str], list[Read]] = {}
        after: set[Tap] = set()
        for read in span:
            owner = tags.find(read.tag)
            person = read.person if read.person in people else None
            if self.portable and owner is not None and owner.person is not None:
                if self.login and not read.lost:
                    bearers[read.boot] = (read.at, owner.person)
                continue
            reason = self._no_tap(read, owner)
            if owner is not None and owner.person is not None:
                person = owner.person
            elif person is None and self.login:
                person = _bearer(read, bearers.get(read.boot), elsewhere, correction)
            if reason is not None:
                at = moments(read, correction(read), own_clock=self.own_clock)[0].time
                self.loose[read] = Loose(read, read.at if reason == "clock_lost" else at, person, reason)
                continue
            assert owner is not None
            checkpoint = self.checkpoint if owner.person is not None else owner.checkpoint
            assert checkpoint is not None
            group = groups.get(key := (checkpoint, read.tag, person, read.boot))
            if group and (read.at - group[-1].at > REPEAT_WITHIN or read.at - group[0].at > REPEATS_SPAN):
                after.add(self._tap(group, checkpoint, person, correction))
                group = None
            if group is None:
                groups[key] = group = []
            group.append(read)
        for (checkpoint, _, person, _), group in groups.items():
            after.add(self._tap(group, checkpoint, person, correction))
        return before - after, after - before

    def _begun(self, index: int, replaced: Sequence[Read]) -> list[Read]:
        """The reads before the one at `index` of taps that it, or one after it, may belong to: not all of a card that lies on the reader."""
        reads = self.reads
        if index >= len(reads):
            return []
        first, found = reads[index], set[Read]()
        for before in range(index - 1, -1, -1):
            if first.at - reads[before].at > REPEAT_WITHIN:
                break
            if (tap := self._taps.get(reads[before])) is not None:
                found.update(moment.read for moment in tap.moments if moment.read < first)
        return sorted(found.difference(replaced))

    def _lone(self, since: Instant, until: Instant) -> bool:
        """Whether a span holds only the last read, which is new and by itself: nearly all are so."""
        if self.login or self._replaced or not self.reads:
            return False
        last = self.reads[-1]
        if not since <= last.at <= until or last in self._taps or last in self.loose:
            return False
        before = self.reads[-2].at if len(self.reads) > 1 else BEGINNING
        return before < since and last.at - before > REPEAT_WITHIN

    def _first_of(
        self, read: Read, tags: TagIndex[Owner], people: Container[str], correction: Callable[[Read], Correction]
    ) -> tuple[set[Tap], set[Tap]]:
        """What `derive` makes of a lone read."""
        owner = tags.find(read.tag)
        person = read.person if read.person and read.person in people else None
        if owner is not None and owner.person is not None:
            if self.portable:
                return set(), set()
            person = owner.person
        if (reason := self._no_tap(read, owner)) is not None:
            at = moments(read, correction(read), own_clock=self.own_clock)[0].time
            self.loose[read] = Loose(read, read.at if reason == "clock_lost" else at, person, reason)
            return set(), set()
        assert owner is not None
        checkpoint = self.checkpoint if owner.person is not None else owner.checkpoint
        assert checkpoint is not None
        return set(), {self._tap((read,), checkpoint, person, correction)}

    def _no_tap(self, read: Read, owner: Owner | None) -> str | None:
        """Why a read can be no tap, None if it may be one."""
        if owner is None:
            return "unknown_tag"
        if read.lost:
            return "clock_lost"
        if not self.portable and (owner.person is None or self.checkpoint is None):
            return "no_round"
        return None

    def _bearers(self, index: int, tags: TagIndex[Owner]) -> dict[str, tuple[Instant, str]]:
        """Whose tag the wand last read before the read at `index`, by boot, and when by its own clock."""
        found: dict[str, tuple[Instant, str]] = {}
        if not self.login or index >= len(self.reads):
            return found
        start = self.reads[index].at
        while index > 0 and start - self.reads[index - 1].at <= LOGIN_HOLDS and len(found) < len(self.boots):
            index -= 1
            read = self.reads[index]
            if read.boot in found or read.lost:
                continue
            if (owner := tags.find(read.tag)) is not None and owner.person is not None:
                found[read.boot] = read.at, owner.person
        return found

    def _log_ins(self, tags: TagIndex[Owner], correction: Callable[[Read], Correction]) -> list[LogIn]:
        """All log-ins by corrected time, if the wand was restarted; within one boot its own order says it."""
        if not self.login or len(self.boots) < 2:
            return []
        found = []
        for read in self.reads:
            if not read.lost and (owner := tags.find(read.tag)) is not None and owner.person is not None:
                found.append(LogIn(read.at + correction(read).offsets[0], read.boot, owner.person))
        return sorted(found)

    def _tap(
        self, group: Sequence[Read], checkpoint: str, person: str | None, correction: Callable[[Read], Correction]
    ) -> Tap:
        times: list[Moment] = []
        marks = _NONE
        measured = not self.own_clock
        for read in group:
            worth = correction(read)
            found = moments(read, worth, own_clock=self.own_clock)
            times += found
            measured = measured or worth.measured
            marks |= found[0].marks if worth.certain else _UNCERTAIN
            if read.mark:
                marks |= {read.mark}
        tap = Tap(self.device, checkpoint, group[0].tag, person, tuple(times), measured, marks)
        for read in group:
            self._taps[read] = tap
        return tap

    def forget(self, before: Instant) -> tuple[set[Tap], list[Loose]]:
        """Drop reads received before an instant; the taps that went, and the reads that were none."""
        gone = [read for read in self.reads if read.received < before and self._old(read, before)]
        taps, loose = set(), []
        for read in gone:
            if (tap := self._taps.pop(read, None)) is not None:
                taps.add(tap)
            if (other := self.loose.pop(read, None)) is not None:
                loose.append(other)
        if gone:
            dropped = set(gone)
            self.spent -= dropped
            self.told = {read: reason for read, reason in self.told.items() if read not in dropped}
            self.reads = [read for read in self.reads if read not in dropped]
        return taps, loose

    def spent_at(self) -> list[int]:
        """Where among its reads the spent ones stand."""
        spent = self.spent
        return [index for index, read in enumerate(self.reads) if read in spent] if spent else []

    def told_at(self) -> list[tuple[int, str]]:
        """Likewise those of which it is said why they served nothing, and why."""
        told = self.told
        return [(index, told[read]) for index, read in enumerate(self.reads) if read in told] if told else []

    def _old(self, read: Read, before: Instant) -> bool:
        tap = self._taps.get(read)
        return tap is None or all(moment.read.received < before for moment in tap.moments)
