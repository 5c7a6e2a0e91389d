"""Compensating patrols: where a place turned blind or dark, its checkpoints are walked more often (spec: cameras.md, Protection).

Decides when one begins and ends, and tells it; whether it was walked is judged as a window of the largest gap (`gaps`).
What the spec left open is in compensation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway.instants import DAY, Duration, Instant, instant, moment, seconds
from gateway.rules.cameras import Cameras
from gateway.rules.findings import Found, Lamp
from gateway.rules.lighting import Lighting
from gateway.rules.rounds import Rounds
from gateway.rules.standing import Details, Standing, listed
from gateway.site.model import Site

RULE = "compensating_patrol"

LONGEST: Duration = DAY
"""A window is at most so long, as a checkpoint's own ones are; then the next one begins: what is kept of each stays bounded."""


class Patrol(msgspec.Struct, kw_only=True):
    """One that is asked for at a checkpoint.

    Args:
        since: when it was told; nothing before is judged.
        window: when the window began that is open now.
        at_most: the limit that was told; it stays, whatever the site file says later.
        zones, circuits: the blind zones and dark circuits that it makes up for.
        over: when the latest of those that are over was seen well.
    """

    since: Instant
    window: Instant
    at_most: Duration
    zones: set[str] = msgspec.field(default_factory=set)
    circuits: set[str] = msgspec.field(default_factory=set)
    over: Instant = 0


class Compensation:
    """All compensating patrols of a site, at most one a checkpoint."""

    def __init__(self, site: Site, found: Found, rounds: Rounds, lighting: Lighting, cameras: Cameras) -> None:
        self._site = site
        self._found = found
        self._rounds = rounds
        self._lighting = lighting
        self._cameras = cameras
        self._standing = Standing(site, found)
        self._patrols: dict[str, Patrol] = {}
        self._near = {zone.id: _inside(site, zone.place) for zone in site.zones.values()}
        self._inside: dict[str, tuple[str, ...]] = {}
        """The checkpoints at places with lamps."""
        self._lamps = self._lamps_near()
        """Of each circuit that lights a place with a checkpoint: the places, each with the lamps that light it."""
        self._spoken_for: set[str] = set()
        """Dark circuits that a parent's alert told of when they were last looked at."""
        self._signals = found.signals
        self._read = 0

    def look(self, now: Instant) -> None:
        """Begin, change and end patrols by what was told and what changed since the last call."""
        blind = self._told_blind()
        if self._site.compensation is None and not self._patrols:
            return
        zones: dict[str, None] = {}
        circuits: dict[str, None] = {}
        for kind, name in self._found.touched:
            if kind == "zone":
                zones[name] = None
            elif kind == "circuit" and name in self._lamps:
                circuits[name] = None
            elif kind == "lamp" and (circuit := self._site.lamps[name].circuit) in self._lamps:
                circuits[circuit] = None
        for zone in sorted(blind):
            for checkpoint in self._near[zone]:
                self._begin(checkpoint, now, zone=zone)
        if self._patrols:
            self._look_at_zones(zones, now)
            self._note_parents()
        self._look_at_circuits(circuits, now)
        self._read = len(self._signals)

    def _told_blind(self) -> list[str]:
        """The zones whose `zone_blind` was told since the last call."""
        if self._signals is not self._found.signals:
            self._signals, self._read = self._found.signals, 0
        fresh = self._signals[self._read :]
        self._read = len(self._signals)
        return [each.subject for each in fresh if each.rule == "zone_blind" and each.action == "raise"]

    def _lamps_near(self) -> dict[str, dict[str, list[str]]]:
        found: dict[str, dict[str, list[str]]] = {}
        for lamp in self._site.lamps.values():
            if lamp.place not in self._inside:
                self._inside[lamp.place] = _inside(self._site, lamp.place)
            if lamp.circuit is not None and self._inside[lamp.place]:
                found.setdefault(lamp.circuit, {}).setdefault(lamp.place, []).append(lamp.id)
        return found

    def _lit_by(self, circuit: str) -> dict[str, list[str]]:
        """The checkpoints that a circuit lights, by id, each with the lamps that do: made when it is asked for, as they may be many."""
        found: dict[str, list[str]] = {}
        for place, lamps in self._lamps.get(circuit, {}).items():
            for checkpoint in self._inside[place]:
                found.setdefault(checkpoint, []).extend(lamps)
        return {checkpoint: found[checkpoint] for checkpoint in sorted(found)}

    # -- what ends them, and what begins them by lamps -----------------------------------------------------------------

    def _look_at_zones(self, changed: Iterable[str], now: Instant) -> None:
        """Zones that are seen again. One that is unknown proves no repair."""
        for zone in sorted(changed):
            view = self._cameras.zone(zone)
            if view is None or view.state not in ("covered", "degraded"):
                continue
            seen = now if view.since is None else instant(view.since)
            for checkpoint in self._near[zone]:
                self._end(checkpoint, now, min(seen, now), "repaired", zone=zone)

    def _note_parents(self) -> None:
        for patrol in self._patrols.values():
            for circuit in patrol.circuits:
                judge = self._lighting.circuit_judge(circuit)
                if judge is not None and judge.memory.suppressed is not None:
                    self._spoken_for.add(circuit)

    def _look_at_circuits(self, changed: Iterable[str], now: Instant) -> None:
        for circuit in sorted(changed):
            dark = self._lighting.circuit_dark_since(circuit) is not None
            if not dark and not any(circuit in patrol.circuits for patrol in self._patrols.values()):
                self._spoken_for.discard(circuit)  # as nearly always: nothing to begin, nothing to end
                continue
            judge = self._lighting.circuit_judge(circuit)
            spoken_for = judge is not None and judge.memory.suppressed is not None
            forgotten = circuit in self._spoken_for and not spoken_for and not dark
            for checkpoint, lamps in self._lit_by(circuit).items():
                views = [view for lamp in lamps if (view := self._lighting.lamp(lamp)) is not None]
                self._look_at_lamps(circuit, checkpoint, views, now, dark=dark, forgotten=forgotten)
            known = any(circuit in patrol.circuits for patrol in self._patrols.values())
            if known and (forgotten or (dark and spoken_for)):
                self._spoken_for.add(circuit)
            else:
                self._spoken_for.discard(circuit)

    def _look_at_lamps(
        self, circuit: str, checkpoint: str, lamps: list[Lamp], now: Instant, *, dark: bool, forgotten: bool
    ) -> None:
        """Of one checkpoint, the lamps of one circuit that light it.

        Args:
            dark: a `circuit_fault` stands on the circuit.
            forgotten: it stood, and went with the parent that spoke for it: nothing was proved yet.
        """
        due = [lamp for lamp in lamps if lamp.state != "disabled" and lamp.expected_on is not False]
        if dark and any("lamp_failure" in lamp.faults and lamp.expected_on for lamp in due):
            self._begin(checkpoint, now, circuit=circuit)
            return
        patrol = self._patrols.get(checkpoint)
        if patrol is None or circuit not in patrol.circuits:
            return
        if not due:
            self._end(checkpoint, now, now, "not_expected", circuit=circuit)
            return
        unproved = [lamp for lamp in due if not lamp.lit]
        stays = unproved if dark else [lamp for lamp in unproved if forgotten and lamp.state == "unknown"]
        if not stays:
            self._end(checkpoint, now, self._seen_lit(due, patrol.since, now), "repaired", circuit=circuit)

    def _seen_lit(self, lamps: list[Lamp], since: Instant, now: Instant) -> Instant:
        """When lamps were last proved lit since the patrol began; now, if none was."""
        judges = [self._lighting.judge_of(lamp.id) for lamp in lamps]
        times = [judge.last_seen(lit=True) for judge in judges if judge is not None]
        return min(now, max((time for time in times if time is not None and time >= since), default=now))

    # -- one checkpoint ------------------------------------------------------------------------------------------------

    def _begin(self, checkpoint: str, now: Instant, *, zone: str | None = None, circuit: str | None = None) -> None:
        patrol = self._patrols.get(checkpoint)
        if patrol is None:
            limit = self._site.compensation
            if limit is None:
                return
            since = self._rounds.begin_patrol(checkpoint, limit, now)
            patrol = self._patrols[checkpoint] = Patrol(since=since, window=since, at_most=limit)
        if zone is not None:
            patrol.zones.add(zone)
        if circuit is not None:
            patrol.circuits.add(circuit)
        self._tell(checkpoint, patrol, now)

    def _end(
        self,
        checkpoint: str,
        now: Instant,
        seen: Instant,
        why: str,
        *,
        zone: str | None = None,
        circuit: str | None = None,
    ) -> None:
        """One cause is over, since `seen` by the evidence. With the last one the patrol ends."""
        patrol = self._patrols.get(checkpoint)
        if patrol is None or (zone not in patrol.zones and circuit not in patrol.circuits):
            return
        patrol.zones.discard(zone or "")
        patrol.circuits.discard(circuit or "")
        patrol.over = max(patrol.over, seen)
        if patrol.zones or patrol.circuits:
            self._tell(checkpoint, patrol, now)
            return
        del self._patrols[checkpoint]
        self._rounds.end_patrol(checkpoint, patrol.window, min(patrol.over, now), now)
        self._standing.end(RULE, checkpoint, now, why)

    def _tell(self, checkpoint: str, patrol: Patrol, now: Instant) -> None:
        details: Details = {
            "checkpoint": checkpoint,
            "at_most": seconds(patrol.at_most),
            "from": moment(patrol.since, self._site.zone_info).isoformat(),
        }
        if patrol.zones:
            details["zones"] = listed([*patrol.zones])
        if patrol.circuits:
            details["circuits"] = listed([*patrol.circuits])
        place = self._site.checkpoints[checkpoint].place
        self._standing.start(RULE, checkpoint, at=now, raised=patrol.since, details=details, place=place)

    # -- as the engine asks every module -------------------------------------------------------------------------------

    def advance(self, now: Instant) -> None:
        """Let windows that have become too long end, and the next ones begin."""
        for checkpoint in sorted(self._patrols):
            patrol = self._patrols[checkpoint]
            while (cut := patrol.window + LONGEST) <= now:
                self._rounds.end_patrol(checkpoint, patrol.window, cut, now)
                patrol.window = self._rounds.begin_patrol(checkpoint, patrol.at_most, cut)

    def deadline(self) -> Instant | None:
        """When the first window becomes too long."""
        return min((patrol.window + LONGEST for patrol in self._patrols.values()), default=None)

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """A start repairs nothing: what was asked for still is."""

    def limits(self) -> dict[str, Duration]:
        """How often at least each checkpoint with a patrol is to be walked now."""
        return {checkpoint: patrol.at_most for checkpoint, patrol in self._patrols.items()}

    def snapshot(self) -> Any:
        patrols = {
            checkpoint: [each.since, each.window, each.at_most, sorted(each.zones), sorted(each.circuits), each.over]
            for checkpoint, each in self._patrols.items()
        }
        return {"patrols": patrols, "spoken_for": sorted(self._spoken_for), "standing": self._standing.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot; rounds, lighting and cameras have taken up theirs. What the site no longer has is ended."""
        now = self._rounds.now
        self._standing.restore(state["standing"], now, self._site.checkpoints.__contains__)
        self._spoken_for = set(state["spoken_for"]) & self._lamps.keys()
        self._patrols = {}
        for checkpoint, (since, window, at_most, zones, circuits, over) in state["patrols"].items():
            patrol = Patrol(since=since, window=window, at_most=at_most, over=over)
            patrol.zones = {zone for zone in zones if checkpoint in self._near.get(zone, ())}
            patrol.circuits = {circuit for circuit in circuits if checkpoint in self._lit_by(circuit)}
            gone = checkpoint not in self._site.checkpoints or self._site.compensation is None
            if gone or not (patrol.zones or patrol.circuits):
                self._rounds.end_patrol(checkpoint, window, now, now)
                self._standing.end(RULE, checkpoint, now, "removed")
            else:
                self._patrols[checkpoint] = patrol
                self._tell(checkpoint, patrol, now)
        self._look_at_zones([zone for each in self._patrols.values() for zone in each.zones], now)
        self._signals, self._read = self._found.signals, len(self._found.signals)


def _inside(site: Site, place: str) -> tuple[str, ...]:
    """The checkpoints at a place or below it, by id."""
    return tuple(sorted(each.id for each in site.checkpoints.values() if _covers(place, each.place)))


def _covers(place: str, other: str) -> bool:
    return other == place or other.startswith(f"{place}/")
