"""All that speaks of lamps: found by device, heard, silent, failed, stuck (spec: lighting.md, Stale; evidence.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.rules import lamp_faults as table
from gateway.rules.devices import Devices
from gateway.rules.lamp_alerts import LampAlerts
from gateway.rules.lamps import LampJudge
from gateway.rules.lineage import Lineage
from gateway.rules.proofs import DEFAULT_EVERY, Rank, Sight, SightMemory, Source, SourceMemory
from gateway.rules.timers import Timers
from gateway.site.model import Site


class Sources:
    """The sources of one site.

    Args:
        site: names devices and what they hang below.
        devices: says which of them is down, and why.
        alerts: where a stuck sensor is told.
        timers: where silence is kept, as (`source`, key).
        changed: called with each lamp whose source began or ceased to prove something.

    Attributes:
        lux: light sensors by device.
        said_down: devices whose last word was that they, or their link, go down.
    """

    def __init__(
        self,
        site: Site,
        devices: Devices,
        alerts: LampAlerts,
        timers: Timers[tuple[str, str]],
        changed: Callable[[LampJudge, Instant], None],
    ) -> None:
        self._site = site
        self._devices = devices
        self._alerts = alerts
        self._timers = timers
        self._changed = changed
        self._lineage = Lineage(site)
        self._under: dict[str, set[str]] = {}
        self._sources: dict[str, Source] = {}
        self._by_device: dict[str, list[Source]] = {}
        self._power: dict[tuple[str, str | None], Source] = {}
        self._channelled: set[str] = set()
        self._operated: dict[str, bool] = {}
        """Devices that an operator has taken into (True) or out of service."""
        self.lux: dict[str, Source] = {}
        self.said_down: set[str] = set()
        self._doubted = False
        """Nobody knows what time it is, so nothing that is heard proves anything."""

    # -- who speaks of whom

    def source(self, device: str, rank: Rank, channel: str | None = None) -> Source:
        """The source of that name, made when first named."""
        key = f"{device}|{rank.name}" + (f"|{channel}" if channel is not None else "")
        if (known := self._sources.get(key)) is not None:
            return known
        spec = self._site.devices.get(device)
        source = Source(key, device, rank, (spec.expect_every if spec else None) or DEFAULT_EVERY)
        source.enabled = self.enabled(device)
        self._sources[key] = source
        self._by_device.setdefault(device, []).append(source)
        self.adopt(device)
        if rank == Rank.LUX:
            self.lux[device] = source
        elif rank == Rank.POWER:
            self._power[device, channel] = source
            if channel is not None:
                self._channelled.add(device)
        return source

    def look(self, lamp: LampJudge, source: Source) -> Sight:
        """That lamp's sight of that source, made when first used."""
        for sight in lamp.sights:
            if sight.source is source:
                return sight
        sight = Sight(lamp, source, lamp.spec.lit_lux, source.rank == Rank.LUX and lamp.dark is not None)
        lamp.sights.append(sight)
        lamp.sights.sort(key=lambda one: (one.source.rank, one.source.key))
        source.sights.append(sight)
        source.sights.sort(key=lambda one: one.lamp.id)
        others = any(one.source.rank != Rank.LUX for one in lamp.sights)
        for one in lamp.sights:
            one.calm_until = 0
            one.source.watched = one.source.watched or (others and one.source.rank == Rank.LUX)
        return sight

    def power(self, device: str, channel: int | str | None) -> Source | None:
        """Who is meant by a reading of that channel; where the site names no channel of the device, all are one."""
        known = self._power.get((device, None if channel is None else str(channel)))
        if known is None and channel is not None and device not in self._channelled:
            return self._power.get((device, None))
        return known

    def of(self, device: str) -> list[Source]:
        """All sources that this device is."""
        return self._by_device.get(device, [])

    def keys(self) -> list[str]:
        """Names for timers."""
        return list(self._sources)

    def adopt(self, device: str) -> None:
        """Note what the device hangs below, so that a change there reaches it."""
        for name in (device, *self._lineage.above(self._lineage.parents.get(device, ()))):
            self._under.setdefault(name, set()).add(device)

    def below(self, names: Iterable[str]) -> list[str]:
        """The adopted devices that are, or hang below, one of these devices and parents."""
        return sorted({device for name in names for device in self._under.get(name, ())})

    # -- whether they prove anything

    def enabled(self, device: str) -> bool:
        """Whether it is in service: an operator's word, else the site file's."""
        if (said := self._operated.get(device)) is not None:
            return said
        spec = self._site.devices.get(device)
        return spec is None or spec.enabled

    def operate(self, device: str, *, enable: bool, now: Instant) -> None:
        """An operator takes a device into or out of service."""
        self._operated[device] = enable
        for source in self.of(device):
            source.enabled = enable
            source.settle()
            self._tell(source, now)

    def hear(self, source: Source, now: Instant) -> None:
        """The source lives: what it says counts from here on."""
        memory = source.memory
        fresh = memory.heard is None
        memory.heard = now
        if source.live:
            return
        if source.down:
            source.down = self._down(source.device)
        if not source.down:
            memory.lost, memory.grace = None, None
        source.settle()
        self._arm(source)
        if fresh or source.live:
            self._tell(source, now)

    def put_off(self, timer: tuple[str, str]) -> Instant | None:
        """The deadline of a source as it is now; None: another's, or none."""
        return self._sources[timer[1]].due() if timer[0] == "source" else None

    def fire(self, key: str, now: Instant) -> None:
        """A source may have been silent too long."""
        source = self._sources[key]
        due = source.due()
        if due is not None and due <= now:
            source.memory.grace = None
            source.lose("stale")
            self._tell(source, now)
        else:
            self._arm(source)

    def recheck(self, device: str, now: Instant) -> None:
        """Ask again whether a device is down."""
        cause = self._down(device)
        for source in self.of(device):
            if source.down == cause:
                continue
            memory = source.memory
            source.down = cause
            if memory.heard is not None and cause is not None and memory.lost != "stale":
                memory.lost, memory.grace = cause, None
            elif memory.lost is not None and memory.lost != "stale" and memory.grace is None:
                memory.grace = now + source.limit
            source.settle()
            self._arm(source)
            self._tell(source, now)

    def restarted(self, now: Instant, *, doubted: bool = False) -> None:
        """The gateway was down until `now`: nothing proves anything until it is heard; `doubted`: nor then. Lamps are not told here."""
        if doubted is not self._doubted:
            self._doubted = doubted
            for source in self._sources.values():
                source.down = self._down(source.device)
                if source.memory.lost == "gateway_down":  # it could not be heard in vain
                    source.memory.grace = now + source.limit
                source.settle()
                self._arm(source)
        for source in self._sources.values():
            memory = source.memory
            if memory.heard is not None and memory.lost is None:
                memory.grace = now + source.limit
                source.lose("gateway_down")
                self._arm(source)

    def watch(self, source: Source, lux: float, at: Instant, now: Instant) -> None:
        """`sensor_stuck`: one value while other proof saw its lamp change."""
        memory = source.memory
        if lux != memory.value:
            memory.value, memory.count, memory.first, memory.last = lux, 1, at, at
            if memory.stuck is not None:
                memory.stuck = None
                self._alerts.signal("sensor_stuck", source.device, "resolve", now, why="another value")
                source.settle()
            return
        if at == memory.last:
            return
        memory.count += 1
        memory.last = at
        changed = memory.rivals_changed is not None and memory.rivals_changed >= memory.first
        long = memory.count >= table.STUCK_SAMPLES and at - memory.first >= table.STUCK_SPAN
        if memory.stuck is None and changed and long:
            memory.stuck = at
            self._alerts.signal(
                "sensor_stuck",
                source.device,
                "raise",
                now,
                raised=memory.first,
                details={"lux": lux, "lamps": [sight.lamp.id for sight in source.sights]},
                place=self._site.devices[source.device].place,
            )
            source.settle()
            self._tell(source, now)

    def _down(self, device: str) -> str | None:
        """What is down and takes the device with it. Its mere silence is judged by its own limit, not here."""
        if self._doubted:
            return "gateway_down"
        cause = self._devices.down_cause(device)
        if cause is None:
            self.said_down.discard(device)
        return None if cause == device and device not in self.said_down else cause

    def _arm(self, source: Source) -> None:
        self._timers.set(("source", source.key), source.due())

    def _tell(self, source: Source, now: Instant) -> None:
        for sight in source.sights:
            self._changed(sight.lamp, now)

    # -- restarts of the process

    def snapshot(self) -> dict[str, Any]:
        """What is remembered of sources and sights."""
        return {
            "said_down": sorted(self.said_down),
            "doubted": self._doubted,
            "operated": self._operated,
            "sources": {name: [source.down, source.memory] for name, source in self._sources.items()},
            "sights": [
                [sight.lamp.id, source.device, int(source.rank), source.key, sight.memory]
                for source in self._sources.values()
                for sight in source.sights
            ],
        }

    def restore(self, state: Mapping[str, Any], lamps: Mapping[str, LampJudge], now: Instant) -> None:
        """Take up a snapshot; what the site no longer has is dropped, and its alerts end."""
        self.said_down = {name for name in state["said_down"] if name in self._site.devices}
        self._doubted = state.get("doubted", False)
        self._operated = {name: on for name, on in state["operated"].items() if name in self._site.devices}
        for lamp_id, device, rank, key, memory in state["sights"]:
            lamp = lamps.get(lamp_id)
            if lamp is not None and (sight := self._again(lamp, device, Rank(rank), key)) is not None:
                sight.memory = msgspec.convert(memory, SightMemory)
        for name, (down, memory) in state["sources"].items():
            known = msgspec.convert(memory, SourceMemory)
            if (source := self._sources.get(name)) is not None:
                source.memory, source.down = known, down
            elif known.stuck is not None:
                self._alerts.removed(name.partition("|")[0], ("sensor_stuck",), now)
        for source in self._sources.values():
            source.enabled = self.enabled(source.device)
            source.settle()

    def _again(self, lamp: LampJudge, device: str, rank: Rank, key: str) -> Sight | None:
        """The sight of a snapshot in this site: as the site names it, or learned from what was heard."""
        for sight in lamp.sights:
            if sight.source.key == key:
                return sight
        learned = rank == Rank.WORD or (rank == Rank.POWER and device == lamp.id)
        return self.look(lamp, self.source(device, rank)) if learned and device in self._site.devices else None
