"""One circuit: when its lamps' faults are one fault of the whole (spec: lighting.md, circuit_fault, schedule_fault)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from gateway.instants import Duration, Instant
from gateway.rules.lamp_faults import GROUP_FAULTS, GROUP_LEAST, GROUP_OF, GROUP_PERCENT, GROUP_WINDOW, GroupFault
from gateway.rules.lamps import LampJudge


class Standing(msgspec.Struct, array_like=True):
    """A fault of the circuit.

    `lamps`: those it rests on, each with its onset; `seen`: what each of them last proved since; `last_sign`: when one
    of them was last seen well before; `told`: whether its alert is out. `well`: the lamps that counted against it when it
    was found; `neither`: those on neither side, and why.
    """

    onset: Instant
    found: Instant
    lamps: dict[str, Instant]
    last_sign: Instant
    seen: dict[str, bool] = {}
    told: bool = False
    well: list[str] = []
    neither: dict[str, str] = {}


class CircuitMemory(msgspec.Struct, array_like=True):
    """What a circuit remembers over a restart.

    `suppressed`: `rule:subject` of the alert that speaks for it; `restarted`: the gateway's last start.
    """

    state: Literal["ok", "faulty", "unknown"] = "unknown"
    since: Instant = 0
    standing: dict[str, Standing] = {}
    suppressed: str | None = None
    restarted: Instant = 0


class CircuitJudge:
    """Judges the lamps of one circuit together.

    Args:
        circuit_id: its id.
        started: since when nothing is known of it.
    """

    __slots__ = ("busy", "id", "lamps", "memory", "shown", "stirred", "troubled", "waits")

    def __init__(self, circuit_id: str, started: Instant) -> None:
        self.id = circuit_id
        self.lamps: list[LampJudge] = []
        self.memory = CircuitMemory(since=started)
        self.troubled: dict[str, LampJudge] = {}
        """Its lamps with a fault, or with an alert out."""
        self.busy = False
        """Whether every sample of its lamps matters now: a fault of it stands, or an alert waits to be told."""
        self.waits = False
        """Whether an alert of one lamp waits for what the others show."""
        self.stirred = True
        """Whether a lamp changed since the circuit was last judged."""
        self.shown: tuple[object, ...] = ()

    def note(self, lamp: LampJudge) -> None:
        """Keep `troubled` right after a change of one lamp."""
        memory = lamp.memory
        if memory.faults or memory.reports or memory.told:
            self.troubled[lamp.id] = lamp
        else:
            self.troubled.pop(lamp.id, None)

    def waiting(self) -> bool:
        """Whether a lamp's fault has not been told because it might be the circuit's."""
        return any(
            name in GROUP_OF and name not in lamp.memory.told and self.spoken_for(name) is None
            for lamp in self.troubled.values()
            for name in lamp.memory.faults
        )

    def spoken_for(self, fault: str) -> str | None:
        """`rule:subject` of the alert that tells of a lamp's fault in place of its own; None: its own does."""
        row = GROUP_OF.get(fault)
        if row is None:
            return None
        if row.name == "circuit_fault" and self.memory.suppressed is not None:
            return self.memory.suppressed
        return f"{row.name}:{self.id}" if row.name in self.memory.standing else None

    def seen(self, lamp: LampJudge, lit: bool) -> None:
        """A lamp was proved lit or unlit."""
        for standing in self.memory.standing.values():
            if lamp.id in standing.lamps and standing.seen.get(lamp.id) is not lit:
                standing.seen[lamp.id] = lit
                self.stirred = True

    def find(self, row: GroupFault, now: Instant) -> Standing | None:
        """The fault of the whole circuit that its lamps add up to now, if they do."""
        together = self.together(row)
        count = len(together)
        if count < GROUP_LEAST:
            return None
        well = [lamp.id for lamp in self.lamps if lamp.memory.state == row.well]
        if count * 100 < GROUP_PERCENT * (count + len(well)):
            return None
        onset = together[0][0]
        before = [at for _, _, lamp in together if (at := lamp.last_seen(not row.wrong)) is not None]
        members = {name: onset for onset, name, _ in together}
        neither = self.neither(row, members)
        return Standing(onset, now, members, max(before, default=onset), well=well, neither=neither)

    def together(self, row: GroupFault) -> list[tuple[Instant, str, LampJudge]]:
        """The most lamps in that fault whose onsets lie within one window: onset, id and lamp, by onset."""
        failing = [
            (lamp.memory.faults[row.of].onset, lamp.id, lamp)
            for lamp in self.troubled.values()
            if row.of in lamp.memory.faults and not lamp.disabled
        ]
        return _largest_window(sorted(failing, key=lambda item: item[:2]))

    def neither(self, row: GroupFault, members: Collection[str]) -> dict[str, str]:
        """The lamps that count neither with `members` nor against them, and why not."""
        found: dict[str, str] = {}
        for lamp in self.lamps:
            state = lamp.memory.state
            if lamp.id in members or state == row.well:
                continue
            found[lamp.id] = "other_time" if row.of in lamp.memory.faults else state
        return found

    def window(self, members: Collection[str]) -> Duration:
        """How near to each other the onsets of these lamps must be."""
        return _window([lamp for lamp in self.lamps if lamp.id in members])

    def grow(self, row: GroupFault, standing: Standing) -> bool:
        """Take in lamps that failed in the same window but were found later; whether there were any."""
        known = standing.lamps
        joined = False
        for name in sorted(self.troubled):
            lamp = self.troubled[name]
            if name in known or row.of not in lamp.memory.faults or lamp.disabled:
                continue
            onset = lamp.memory.faults[row.of].onset
            members = [one for one in self.lamps if one.id in known or one is lamp]
            if max(onset, *known.values()) - min(onset, *known.values()) <= _window(members):
                known[name] = onset
                standing.onset = min(onset, standing.onset)
                joined = True
        return joined

    def over(self, row: GroupFault, standing: Standing, now: Instant) -> bool:
        """Whether fewer than 60 % of the lamps that showed it still do."""
        members = self._members(standing)
        wrong = sum(
            standing.seen.get(lamp.id, row.wrong) is row.wrong
            and not (row.wrong and lamp.mode != "motion" and lamp.expected_now(now))
            for lamp in members
        )
        return not _most(wrong, members)

    def why_over(self, row: GroupFault, standing: Standing) -> str:
        """Why a fault is over: its lamps were seen well, are expected on again, or are out of service or of the site."""
        members = self._members(standing)
        wrong = sum(standing.seen.get(lamp.id, row.wrong) is row.wrong for lamp in members)
        if not members:
            return "disabled" if any(lamp.id in standing.lamps for lamp in self.lamps) else "removed"
        return "expected on again" if _most(wrong, members) else "recovered"

    def bereft(self) -> bool:
        """Whether a lamp on which a fault of it rests is no longer among its own: a new site file has it elsewhere, or not at all."""
        own = {lamp.id for lamp in self.lamps}
        return any(not own.issuperset(standing.lamps) for standing in self.memory.standing.values())

    def _members(self, standing: Standing) -> list[LampJudge]:
        """The lamps that it rests on; one that was taken out of service meanwhile says nothing for or against it."""
        return [lamp for lamp in self.lamps if lamp.id in standing.lamps and not lamp.disabled]

    def may_tell(self, lamp: LampJudge, fault: str, now: Instant) -> Instant | None:
        """Whether one lamp's alert of `fault` may be told: None: it may; else the instant from which it may."""
        row, onset = GROUP_OF[fault], lamp.memory.faults[fault].onset
        every, waiting = 0, False
        for other in self.lamps:
            if other is lamp or other.disabled:
                continue
            speaking = [sight.source.every for sight in other.sights if sight.source.live or sight.source.awaited()]
            if not speaking:
                continue
            every = max(every, *speaking)
            if row.of in other.memory.faults:
                continue
            seen = other.last_seen(not row.wrong)
            waiting = waiting or seen is None or seen < onset
        due = max(onset, self.memory.restarted) + lamp.spec.confirm + 2 * every
        return due if waiting and now < due else None

    def fault(self) -> str | None:
        """The first of the table that stands on it."""
        return next((row.name for row in GROUP_FAULTS if row.name in self.memory.standing), None)

    def place(self) -> str | None:
        """The place of all its lamps, if they have one."""
        places = {lamp.spec.place for lamp in self.lamps}
        return places.pop() if len(places) == 1 else None


def _largest_window(
    failing: list[tuple[Instant, str, LampJudge]],
) -> list[tuple[Instant, str, LampJudge]]:
    """The most onsets that lie within one window of max(15 min, 2 × the largest `expect_every` of their sources)."""
    best: list[tuple[Instant, str, LampJudge]] = []
    for start, (first, _, _) in enumerate(failing):
        if len(failing) - start <= len(best):
            break
        window = GROUP_WINDOW
        for end in range(start, len(failing)):
            window = max(window, _window([failing[end][2]]))
            if failing[end][0] - first <= window and end + 1 - start > len(best):
                best = failing[start : end + 1]
    return best


def _most(wrong: int, members: list[LampJudge]) -> bool:
    """Whether so many of the members are enough for a fault of the circuit to stand."""
    return bool(members) and wrong * 100 >= GROUP_PERCENT * len(members)


def _window(lamps: list[LampJudge]) -> Duration:
    """How near to each other the onsets of these lamps must be."""
    return max([GROUP_WINDOW, *(2 * sight.source.every for lamp in lamps for sight in lamp.sights)])
