"""Why a lamp is judged as it is (spec: lighting.md; how it is judged: gateway/rules/lighting.md).

Reads what the judge remembers and changes nothing. Times of samples are the devices' own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.explain import wording_lights as words
from gateway.explain.explanation import Explanation, Item, Piece, Sentence, Witness
from gateway.explain.names import alert_of
from gateway.explain.phrases import NOTHING, Said, clock, length, lowered, number, sentence
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, moment, seconds
from gateway.judgement import Judgement
from gateway.rules import lamp_faults as table
from gateway.rules.circuits import CircuitJudge
from gateway.rules.lamps import Fault, LampJudge, Report
from gateway.rules.lighting import Lighting
from gateway.rules.proofs import Rank, Sample, Sight, Source
from gateway.rules.sun import DARK, HORIZON, Sun

KIND_OF = {Rank.POWER: "power", Rank.LUX: "light_level", Rank.WORD: "lamp_state"}
"""The kind of observation (evidence.md) that each rank of proof is."""

_RANKS = {rank.name: rank for rank in Rank}
RUNS = ("lamp_failure", "day_burner")
"""The faults that a run of samples proves."""


def explain_lamp(judgement: Judgement, lamp_id: str, now: Instant) -> Explanation | None:
    """Why a lamp is in its state; None: the site has no such lamp. Of several faults the further ones are parts."""
    lamp = judgement.engine.lighting.judge_of(lamp_id)
    return None if lamp is None else LampCase(judgement, lamp, now).explain()


class LampCase:
    """One lamp, as known at `now`."""

    def __init__(self, judgement: Judgement, lamp: LampJudge, now: Instant) -> None:
        self.lighting: Lighting = judgement.engine.lighting
        self.site = judgement.site
        self.lamp = lamp
        self.memory = lamp.memory
        self.now = now
        self.zone = judgement.site.zone_info
        place = self.site.places.get(lamp.spec.place)
        self.daylight = "indoor" if place is None else place.daylight
        where = lamp.spec.place if place is None else place.name
        self.name = Said(f"{where}的灯 {lamp.id}", f"Lamp {lamp.id} ({where})")

    def explain(self) -> Explanation:
        faults = self.lamp.faults()
        parts = tuple(self._fault(name) for name in faults)
        if parts:
            return self._of(parts[0], parts[1:])
        state = self.memory.state
        rule = f"lighting.md, State, {state}"
        cause = self.memory.cause if state == "unknown" else None
        return Explanation(
            kind="lamp",
            id=self.lamp.id,
            result=state,
            cause=cause,
            known_at=self._at(self.now),
            rule=rule if state != "disabled" else "cameras.md, Any device, disabled",
            sentence=self._state_sentence(),
            expected=self._expected(self.now),
            evidence=self._evidence(()),
            witnesses=self.witnesses(),
        )

    @staticmethod
    def _of(first: Explanation, others: tuple[Explanation, ...]) -> Explanation:
        """The first fault of the table, with the others below it and named in its sentence."""
        if not others:
            return first
        names = [each.cause or "" for each in others]
        said = [words.FAULTS.get(name, Said(name, name)) for name in names]
        more = Said(f"另有：{'、'.join(each.zh for each in said)}。", f"Also: {', '.join(each.en for each in said)}.")
        told = sentence(Said(first.sentence.zh, first.sentence.en), more)
        return Explanation(
            **{name: getattr(first, name) for name in first.__struct_fields__} | {"sentence": told, "parts": others}
        )

    # -- faults ----------------------------------------------------------------------------------------------------

    def _fault(self, name: str) -> Explanation:
        fault, report = self.memory.faults.get(name), self.memory.reports.get(name)
        onset = self.now if fault is None else fault.onset
        expected = self._expected(onset if name in RUNS else self.now)
        expected |= {
            "faults": list(self.lamp.faults()),
            "ends": f"lighting.md, {name}, ends",
            "alert": self._alert(name),
        }
        if fault is not None:
            expected["onset"] = self._at(fault.onset)
            what, used = self._proved(name, fault), self.proof_items(name, fault)
        else:
            assert report is not None
            expected["onset"] = self._at(report.onset)
            if report.until is not None:
                expected["expires"] = self._at(report.until)
            what, used = self._reported(name, report), (self._report_item(name, report),)
        reported = fault is None
        return Explanation(
            kind="lamp",
            id=self.lamp.id,
            result="faulty",
            cause=name,
            known_at=self._at(self.now),
            rule=f"lighting.md, {'reported' if reported else name}, begins",
            sentence=sentence(what, self._unverified(), self._spoken_for(name), self._check(name)),
            expected=expected,
            evidence=self._evidence(used),
            witnesses=self.witnesses(),
            marks=("unverified",) if self.lamp.unverified() else (),
        )

    def _proved(self, name: str, fault: Fault) -> Said:
        """What the samples showed."""
        if name in RUNS and fault.proof:
            return self._run(name, fault.proof[0], fault.proof[-1], fault.count)
        if name == "no_trigger":
            times = "、".join(self._clock(at) for at in fault.motions)
            held = length(self.lamp.spec.expected.hold)
            return Said(
                f"{self.name.zh}{words.FAULTS[name].zh}：{times} 三次有人经过，之后 5 秒到 {held.zh}内只见灭、不见亮。",
                f"{self.name.en} {words.FAULTS[name].en}: somebody passed at {times.replace('、', ', ')}, and each time it was "
                f"seen unlit, and never lit, from 5 s to {held.en} after.",
            )
        if name == "cycling_failure" and fault.proof:
            first, last = self._clock(fault.proof[0].at), self._clock(fault.proof[-1].at)
            by = self._device(fault.proof[0])
            return Said(
                f"{self.name.zh}{words.FAULTS[name].zh}：{by} 在 {first} 至 {last} 之间看到 {fault.count} 次亮灭变化，"
                "其间没有命令，也没有人经过。",
                f"{self.name.en} {words.FAULTS[name].en}: {by} saw {fault.count} changes from {first} to {last}, without a "
                "command or anybody passing.",
            )
        if name == "dim" and fault.proof:
            steps = [number(each.value or 0) for each in fault.proof]
            usual, by = number(fault.usual or 0), self._device(fault.proof[0])
            return Said(
                f"{self.name.zh}{words.FAULTS[name].zh}：最近三次点亮，{by} 的照度只增加 {'、'.join(steps)} lux，"
                f"不到平常 {usual} lux 的 60%。",
                f"{self.name.en} {words.FAULTS[name].en}: at its last three switch-ons {by} rose by only {', '.join(steps)} "
                f"lux, less than 60 % of the usual {usual} lux.",
            )
        at = self._clock(fault.onset)
        said = words.FAULTS.get(name, Said(name, name))
        return Said(f"{self.name.zh}自 {at} 起{said.zh}。", f"{self.name.en} {said.en} since {at}.")

    def _run(self, name: str, first: Sample, last: Sample, count: int) -> Said:
        plan, said = self._plan(first.at), words.FAULTS[name]
        by, value = self._device(last), self._reading(last)
        since, until = self._clock(first.at), self._clock(last.at)
        before = self.lamp.last_seen(name == "lamp_failure")
        seen = NOTHING
        if before is not None:
            at = self._clock(before)
            seen = (
                Said(f"上一次见亮是 {at}。", f"It was last seen lit at {at}.")
                if name == "lamp_failure"
                else Said(f"上一次见灭是 {at}。", f"It was last seen unlit at {at}.")
            )
        return Said(
            f"{self.name.zh}{said.zh}：{plan.zh}；{by} 从 {since} 到 {until} 连续 {count} 次报告{value.zh}。{seen.zh}",
            f"{self.name.en} {said.en}: {plan.en}; {by} reported {value.en} {count} times in a row from {since} to {until}."
            + (f" {seen.en}" if seen.en else ""),
        )

    def _reported(self, name: str, report: Report) -> Said:
        said, at = words.FAULTS.get(name, Said(name, name)), self._clock(report.onset)
        lasts = NOTHING
        if report.until is not None:
            until = self._clock(report.until)
            lasts = Said(f"（若不再重报，{until} 视为结束）", f" (over at {until} unless repeated)")
        return Said(
            f"{self.name.zh}：{report.source} 从 {at} 起报告{said.zh}{lasts.zh}。",
            f"{self.name.en}: {report.source} has reported {said.en} since {at}{lasts.en}.",
        )

    def _unverified(self) -> Said:
        if not self.lamp.unverified():
            return NOTHING
        why = self._no_source()
        return Said(f"但现在无法复核：{why.zh}。", f"It cannot be verified now: {why.en}.")

    def _spoken_for(self, name: str) -> Said:
        by = self._by(name)
        if by is None:
            return NOTHING
        alert = alert_of(self.site, by)
        return Said(f"已由「{alert.zh}」统一报警，不单独报。", f'The alert "{alert.en}" tells of it.')

    def _check(self, name: str) -> Said:
        """What to look at: of a lamp whose circuit failed the circuit."""
        row = None if self._by(name) is None else table.GROUP_OF.get(name)
        return words.CHECK.get(name if row is None else row.name, NOTHING)

    def _by(self, name: str) -> str | None:
        circuit = self._circuit()
        return None if circuit is None else circuit.spoken_for(name)

    def _circuit(self) -> CircuitJudge | None:
        name = self.lamp.spec.circuit
        return None if name is None else self.lighting.circuit_judge(name)

    def _alert(self, name: str) -> dict[str, Any]:
        """Whether the alert of a fault is told, and if not, what it waits for."""
        told = name in self.memory.told
        found: dict[str, Any] = {"told": told}
        circuit = self._circuit()
        if told or circuit is None:
            return found
        if (by := circuit.spoken_for(name)) is not None:
            found["told_by"] = by
        elif name in table.GROUP_OF and name in self.memory.faults:
            due = circuit.may_tell(self.lamp, name, self.now)
            if due is not None:
                found |= {"due": self._at(due), "waits_for": "circuit"}
        return found

    # -- states ----------------------------------------------------------------------------------------------------

    def _state_sentence(self) -> Sentence:
        state, best = self.memory.state, self.lamp.best()
        plan = self._plan(self.now)
        if state == "disabled":
            return sentence(
                Said(f"{self.name.zh}已停用，不作判断。", f"{self.name.en} is out of service and is not judged.")
            )
        if state == "unknown":
            why = self._unknown()
            return sentence(
                Said(
                    f"{self.name.zh}是亮是灭不明：{why.zh}。", f"Nothing is known of {lowered(self.name.en)}: {why.en}."
                ),
                Said("这不算故障。", "That is no fault."),
            )
        lit = Said("正常", "is well") if state == "ok" else Said("正常，不在亮灯时间", "is off duty")
        if best is None:
            at = self._clock(self.memory.since)
            return sentence(Said(f"{self.name.zh}{lit.zh}（自 {at}）。", f"{self.name.en} {lit.en} (since {at})."))
        sample = self._last(best)
        value, at, by = self._reading(sample), self._clock(sample.at), best.source.device
        agrees = sample.lit is self.lamp.expected_now(self.now)
        still = NOTHING if agrees else Said("暂时仍算", " until proved otherwise")
        said = Said(
            f"{self.name.zh}{still.zh}{lit.zh}：{plan.zh}；{by} 在 {at} 报告{value.zh}。",
            f"{self.name.en} {lit.en}{still.en}: {plan.en}; {by} reported {value.en} at {at}.",
        )
        return sentence(said) if agrees else sentence(said, self._between(sample))

    def _between(self, sample: Sample) -> Said:
        """The newest sample is contrary: why the state before holds."""
        if self.lamp.in_edge(sample.at):
            edge = length(self.lamp.edge)
            return Said(
                f"该读数在计划切换前后 {edge.zh}内，不作为故障证据。",
                f"That is within {edge.en} of a planned change and proves no fault.",
            )
        confirm, run = length(self.lamp.spec.confirm), self.memory.run
        count = 0 if run is None else run.count
        repeated = self.memory.repeated
        if run is not None and self.lamp.mode == "commanded" and repeated is not None and repeated < run.first.at:
            return Said(
                f"控制器自 {self._clock(repeated)} 起没有再报命令，不知道之后是否另有命令，不作为故障证据。",
                f"Its controller has not repeated the command since {self._clock(repeated)}: it may have been told otherwise.",
            )
        return Said(
            f"与预期不符的读数目前 {count} 次，要至少 2 次且前后相隔 {confirm.zh}才认定故障。",
            f"So far {count} such reading{'s' * (count != 1)}; a fault takes at least 2, {confirm.en} apart.",
        )

    def _unknown(self) -> Said:
        cause = self.memory.cause
        if cause == "rejudging":
            return Said(
                "所在回路刚恢复，还没有它的新读数", "its circuit has just recovered and it has not been seen since"
            )
        if cause == "no_proof":
            return words.NO_PROOF[self._no_proof()]
        return self._no_source()

    def _no_proof(self) -> str:
        """Which of the reasons is meant by `no_proof`."""
        expected, best = self.lamp.expected_now(self.now), self.lamp.best()
        if self.lamp.mode == "commanded" and expected is None:
            return "no_command"
        if (
            best is not None
            and expected is not None
            and best.memory.lit is not expected
            and self._fresh(best.memory.at)
        ):
            return "contrary"
        if all(sight.needs_dark for sight in self.lamp.sights) and self._by_day():
            return "daylight"
        return "edge" if self.memory.last is not None else "none"

    def _fresh(self, at: Instant) -> bool:
        plan = self.lamp.plan
        if plan is None:
            return True
        edge = plan.span(self.now - table.NO_PROOF_AFTER_EDGE).since
        return edge is None or at >= edge

    def _by_day(self) -> bool:
        return self.lamp.dark is not None and not self.lamp.dark.span(self.now).on

    def _no_source(self) -> Said:
        """Why none of its sources proves anything."""
        if not self.lamp.sights:
            return Said("没有任何来源监测它", "nothing sees it")
        said = [self._why_not(sight.source) for sight in self.lamp.sights]
        return Said(";".join(each.zh for each in said), "; ".join(each.en for each in said))

    def _why_not(self, source: Source) -> Said:
        memory, why = source.memory, self._code(source)
        if why is None:
            return words.NO_PROOF["none"]
        row = words.CAUSES.get(why, words.CAUSES["itself" if why == source.device else "failed"])
        limit = length(source.limit)
        facts = {
            "source": source.device,
            "cause": source.cause() or "",
            "heard": "" if memory.heard is None else self._clock(memory.heard),
            "since": self._clock(memory.first),
            "value": number(memory.value or 0),
        }
        return Said(row.zh.format(limit=limit.zh, **facts), row.en.format(limit=limit.en, **facts))

    @staticmethod
    def _code(source: Source) -> str | None:
        """`Source.cause`, with a device out of service told from one that failed."""
        return "disabled" if not source.enabled else source.cause()

    # -- what was expected -----------------------------------------------------------------------------------------

    def _expected(self, then: Instant) -> dict[str, Any]:
        """The plan around `then`, and every limit that counts for this lamp."""
        spec, lamp = self.lamp.spec, self.lamp
        found: dict[str, Any] = {
            "mode": lamp.mode,
            "on": lamp.expected_now(self.now) if then == self.now else lamp.expected(then),
            "at": self._at(then),
            "daylight": self.daylight,
            "lit_lux": spec.lit_lux,
            "lit_watts": spec.lit_watts,
            "confirm_s": seconds(spec.confirm),
            "edge_s": seconds(spec.edge),
        }
        if lamp.plan is not None:
            on_from, on_until = self._planned(then)
            found |= {"on_from": self._at(on_from), "on_until": self._at(on_until)}
        if spec.expected.offset:
            found["offset_s"] = seconds(spec.expected.offset)
        if lamp.mode == "dusk_to_dawn" or lamp.dark is not None:
            found["sun"] = self._sun(then)
        if lamp.mode == "motion":
            found["hold_s"] = seconds(spec.expected.hold)
            found["watched_since"] = self._at(self.memory.watched)
            found["motion_sensors"] = self.lighting.watchers(spec.place)
            found["motions"] = [self._at(each) for each in self.memory.motions]
        if lamp.mode == "commanded":
            found["commands"] = [{"at": self._at(at), "on": on} for at, on in self.memory.commands]
            found["command_repeated"] = self._at(self.memory.repeated)
        for name, lit in (("last_lit", True), ("last_unlit", False)):
            if (seen := lamp.last_seen(lit)) is not None:
                found[name] = self._at(seen)
        found["sources"] = [self._source(sight) for sight in lamp.sights]
        return found

    def _planned(self, then: Instant) -> tuple[Instant | None, Instant | None]:
        """The on-time that holds `then`, or the next one."""
        plan = self.lamp.plan
        if plan is None:
            return None, None
        span = plan.span(then)
        if not span.on and span.until is not None:
            span = plan.span(span.until)
        return (span.since, span.until) if span.on else (None, None)

    def _sun(self, then: Instant) -> dict[str, Any]:
        """Dusk and dawn of the night that holds `then`, or of the next: the sun at −0.833° and at −6°."""
        sun = Sun(self.site.latitude, self.site.longitude)
        found: dict[str, Any] = {}
        for degrees, dusk, dawn in ((HORIZON, "dusk", "dawn"), (DARK, "dark_from", "dark_until")):
            nights = sun.nights(degrees, then - 24 * HOUR, then + 48 * HOUR)
            night = next((night for night in nights if night[1] > then), None)
            found |= {dusk: self._at(night[0] if night else None), dawn: self._at(night[1] if night else None)}
        return found | {"dusk_degrees": HORIZON, "dark_degrees": DARK}

    def _plan(self, then: Instant) -> Said:
        """The plan in words."""
        lamp, row = self.lamp, words.PLANS[self.lamp.mode]
        since, until = self._planned(then)
        facts = {"since": self._minute(since), "until": self._minute(until)}
        if lamp.mode == "motion":
            hold = length(lamp.spec.expected.hold)
            return Said(row.zh.format(hold=hold.zh), row.en.format(hold=hold.en))
        if lamp.mode == "commanded":
            known = [each for each in self.memory.commands if each[0] <= then] or self.memory.commands
            if not known:
                return words.NO_COMMAND
            facts["since"] = self._clock(known[-1][0])
            on = known[-1][1]
            return Said(
                row.zh.format(word="开" if on else "关", **facts), row.en.format(word="on" if on else "off", **facts)
            )
        return Said(row.zh.format(**facts), row.en.format(**facts))

    def _minute(self, at: Instant | None) -> str:
        """To the minute: the sun's times have seconds that nobody needs."""
        return "—" if at is None else self._clock((at + 30 * SECOND) // MINUTE * MINUTE)

    # -- evidence --------------------------------------------------------------------------------------------------

    def _evidence(self, used: Iterable[Item]) -> tuple[Item, ...]:
        """What the state rests on, and what was heard in the last day and does not count, by time."""
        items = list(used)
        known = {(item.device, item.kind, item.at) for item in items}
        best = self.lamp.best()
        for sight in self.lamp.sights:
            if sight.memory.lit is not None:
                last = self._last(sight)
                rests = sight is best and not self.lamp.faults()
                items.append(self._item(last, used=rests, why="last_proof" if sight is best else "older_proof"))
            for why, each in sorted(_aside(sight).items()):
                if each.at > self.now - DAY:
                    items.append(self._item(each, used=False, why=why))
        run = self.memory.run
        if run is not None and not self.lamp.faults():
            items += [self._item(each, used=False, why="not_confirmed") for each in (run.first, run.last)]
        found: dict[tuple[str, str, datetime], Item] = {}
        for item in items:
            key = (item.device, item.kind, item.at)
            if key not in found and (item.used or key not in known):
                found[key] = item
        return tuple(sorted(found.values(), key=lambda item: (item.at, item.device, item.kind)))

    def proof_items(self, name: str, fault: Fault) -> tuple[Item, ...]:
        """The samples, and for `no_trigger` the motions, that a fault rests on."""
        motions = [
            Item(device=device, kind="motion", at=self._at(at), used=True, why="motion", value={"active": True})
            for at in fault.motions
            for device in self.lighting.watchers(self.lamp.spec.place)[:1]
        ]
        why = {"cycling_failure": "change", "dim": "switch_on", "no_trigger": "unlit_after_motion"}.get(name, "in_run")
        items = [self._item(each, used=True, why=why) for each in fault.proof]
        if name == "dim":
            items = [
                Item(device=item.device, kind=item.kind, at=item.at, used=True, why=why, value={"step_lux": each.value})
                for item, each in zip(items, fault.proof, strict=True)
            ]
        if name in RUNS and items:
            counted = {**items[-1].value, "count": fault.count}
            last = items[-1]
            items[-1] = Item(
                device=last.device, kind=last.kind, at=last.at, used=True, why="last_of_run", value=counted
            )
            if len(items) > 1:
                first = items[0]
                items[0] = Item(
                    device=first.device, kind=first.kind, at=first.at, used=True, why="first_of_run", value=first.value
                )
        return (*motions, *items)

    def _report_item(self, name: str, report: Report) -> Item:
        value = {"fault": name, "active": True, "lamp": self.lamp.id}
        return Item(
            device=report.source, kind="lamp_fault", at=self._at(report.onset), used=True, why="reported", value=value
        )

    def _item(self, sample: Sample, *, used: bool, why: str) -> Item:
        rank = _rank(sample)
        value: dict[str, Any] = {"lit": sample.lit}
        if rank == Rank.LUX:
            value["lux"] = sample.value
        elif rank == Rank.POWER:
            value["watts"] = sample.value
        else:
            value["on"] = sample.lit
        return Item(
            device=self._device(sample), kind=KIND_OF[rank], at=self._at(sample.at), used=used, why=why, value=value
        )

    @staticmethod
    def _last(sight: Sight) -> Sample:
        """What a source proved last."""
        memory = sight.memory
        value = None if sight.source.rank == Rank.WORD else memory.value
        return Sample(memory.at, sight.source.key, bool(memory.lit), value)

    @staticmethod
    def _device(sample: Sample) -> str:
        return sample.by.split("|")[0]

    def _reading(self, sample: Sample) -> Said:
        """What was read, against its limit."""
        rank, spec = _rank(sample), self.lamp.spec
        if rank == Rank.WORD or sample.value is None:
            return Said("亮", "on") if sample.lit else Said("灭", "off")
        unit, limit = ("W", spec.lit_watts) if rank == Rank.POWER else ("lux", spec.lit_lux)
        value, least = number(sample.value), number(limit)
        if sample.lit:
            return Said(f" {value} {unit}（亮，≥{least}）", f"{value} {unit} (lit: {least} or more)")
        return Said(f" {value} {unit}（灭，不足 {least}）", f"{value} {unit} (unlit: under {least})")

    # -- sources ---------------------------------------------------------------------------------------------------

    def _source(self, sight: Sight) -> dict[str, Any]:
        """One source: how good its proof is, and whether it proves anything now."""
        source, memory = sight.source, sight.source.memory
        why = self._code(source)
        found: dict[str, Any] = {
            "device": source.device,
            "rank": source.rank.name.lower(),
            "expect_every_s": seconds(source.every),
            "holds_s": seconds(source.limit),
            "usable": source.live,
            "heard": self._at(memory.heard),
        }
        if (channel := source.key.split("|")[2:]) != []:
            found["channel"] = channel[0]
        if why is not None:
            found |= {"why": why, "since": self._at(self._lost_since(source))}
        elif sight.needs_dark and self._by_day():
            found |= {"why": "daylight"}
        if sight.memory.lit is not None:
            found |= {"proved": {"lit": sight.memory.lit, "at": self._at(sight.memory.at)}}
        return found

    @staticmethod
    def _lost_since(source: Source) -> Instant | None:
        """Since when it proves nothing, as far as that is one instant."""
        memory = source.memory
        if memory.heard is None:
            return None
        if memory.lost == "stale":
            return memory.heard + source.limit
        return memory.stuck if memory.stuck is not None and memory.lost is None else memory.heard

    def witnesses(self) -> tuple[Witness, ...]:
        """Its sources, and for `motion` the sensors that see who comes: from when to when their word holds."""
        found: dict[str, Witness] = {}
        for sight in self.lamp.sights:
            source = sight.source
            heard = source.memory.heard
            if source.device in found and (heard is None or not source.live):
                continue
            complete: tuple[Piece, ...] = ()
            missing: tuple[Piece, ...] = ()
            if source.live and heard is not None:
                until = min(self.now, heard + source.limit)
                complete = (Piece(since=self._at(min(heard, until)), until=self._at(until)),)
            else:
                since = self._lost_since(source)
                begun = self.memory.since if since is None else since
                why = self._code(source) or ""
                missing = (Piece(since=self._at(min(begun, self.now)), until=self._at(self.now), why=why),)
            found[source.device] = Witness(
                device=source.device, complete=complete, missing=missing, last_heard=self._at(heard)
            )
        return tuple(found[name] for name in sorted(found))

    def _at(self, at: Instant | None) -> Any:
        return None if at is None else moment(at, self.zone)

    def _clock(self, at: Instant) -> str:
        return clock(at, self.now, self.zone)


def _aside(sight: Sight) -> dict[str, Sample]:
    """By reason, the newest reading of a source that did not count."""
    memory = sight.memory
    if memory.by_day is None:
        return memory.aside
    light = Sample(memory.by_day, sight.source.key, memory.day_lux >= sight.lit_lux, memory.day_lux)
    return memory.aside | {"daylight": light}


def _rank(sample: Sample) -> Rank:
    return _RANKS.get(sample.by.partition("|")[2].partition("|")[0], Rank.WORD)
