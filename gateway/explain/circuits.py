"""Why a circuit is judged as it is (spec: lighting.md; how it is judged: gateway/rules/lighting.md), with its lamps as parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.explain import wording_lights as words
from gateway.explain.explanation import Explanation, Item, Sentence, Witness
from gateway.explain.lamps import RUNS, LampCase
from gateway.explain.names import alert_of
from gateway.explain.phrases import NOTHING, Said, clock, length, lowered, number, sentence, series
from gateway.instants import Duration, Instant, moment, seconds
from gateway.judgement import Judgement
from gateway.rules import lamp_faults as table
from gateway.rules.circuits import CircuitJudge, Standing
from gateway.rules.lighting import Lighting


def explain_circuit(judgement: Judgement, circuit_id: str, now: Instant) -> Explanation | None:
    """Why a circuit is in its state, with its lamps as parts; None: the site has no such circuit."""
    circuit = judgement.engine.lighting.circuit_judge(circuit_id)
    return None if circuit is None else _Circuit(judgement, circuit, now).explain()


class _Circuit:
    """One circuit, as known at `now`."""

    def __init__(self, judgement: Judgement, circuit: CircuitJudge, now: Instant) -> None:
        self.judgement = judgement
        self.lighting: Lighting = judgement.engine.lighting
        self.circuit = circuit
        self.now = now
        self.zone = judgement.site.zone_info
        self.panel = judgement.site.circuits[circuit.id].panel
        called = judgement.site.circuits[circuit.id].called
        self.name = Said(f"回路 {called}", f"Circuit {called}")

    def explain(self) -> Explanation:
        view = self.lighting.circuit(self.circuit.id)
        state: str = "unknown" if view is None else view.state
        name = self.circuit.fault()
        row = next((row for row in table.GROUP_FAULTS if row.name == name), None)
        standing = None if name is None else self.circuit.memory.standing.get(name)
        lamps = [LampCase(self.judgement, lamp, self.now) for lamp in self.circuit.lamps]
        return Explanation(
            kind="circuit",
            id=self.circuit.id,
            result=state,
            cause=name,
            known_at=self._at(self.now),
            rule="lighting.md, State" if name is None else f"lighting.md, {name}, begins",
            sentence=self._well(state) if row is None or standing is None else self._found(row, standing),
            expected=self._reckoned(row, standing),
            evidence=() if standing is None else self._evidence(lamps, standing),
            witnesses=_together(lamps),
            parts=tuple(lamp.explain() for lamp in lamps),
        )

    def _reckoned(self, row: table.GroupFault | None, standing: Standing | None) -> dict[str, Any]:
        """Who counts on which side: of a fault as it was found and as it is now, else of what comes nearest to one."""
        found: dict[str, Any] = {
            "lamps": len(self.circuit.lamps),
            "least": table.GROUP_LEAST,
            "percent": table.GROUP_PERCENT,
        }
        if self.panel:
            found["panel"] = self.panel
        if self.circuit.memory.suppressed is not None:
            found["told_by"] = self.circuit.memory.suppressed
        if row is None or standing is None:
            return found | {each.name: self._now(each) for each in table.GROUP_FAULTS}
        wrong = [name for name in standing.lamps if standing.seen.get(name, row.wrong) is row.wrong]
        return found | {
            "onset": self._at(standing.onset),
            "found": self._at(standing.found),
            "window_s": seconds(self.circuit.window(standing.lamps)),
            "span_s": seconds(self._span(standing)),
            "failing": {name: self._at(onset) for name, onset in sorted(standing.lamps.items())},
            "well": sorted(standing.well),
            "neither": dict(sorted(standing.neither.items())),
            "share_percent": _share(len(standing.lamps), len(standing.well)),
            "last_seen_well": self._at(standing.last_sign),
            "since_found": {name: "lit" if lit else "unlit" for name, lit in sorted(standing.seen.items())},
            "still_percent": _share(len(wrong), len(standing.lamps) - len(wrong)),
            "ends": f"lighting.md, {row.name}, ends",
            "alert": {"told": standing.told},
        }

    def _now(self, row: table.GroupFault) -> dict[str, Any]:
        together = self.circuit.together(row)
        members = {name: onset for onset, name, _ in together}
        well = sorted(lamp.id for lamp in self.circuit.lamps if lamp.memory.state == row.well)
        return {
            "failing": {name: self._at(onset) for name, onset in members.items()},
            "well": well,
            "neither": dict(sorted(self.circuit.neither(row, members).items())),
            "share_percent": _share(len(members), len(well)),
        }

    def _found(self, row: table.GroupFault, standing: Standing) -> Sentence:
        count, well = len(standing.lamps), len(standing.well)
        first, last = min(standing.lamps.values()), max(standing.lamps.values())
        share = _share(count, well)
        window = length(self.circuit.window(standing.lamps))
        times = self._between(first, last)
        said = words.FAULTS[row.name]
        names = series(sorted(standing.lamps))
        dark = (
            Said("转为不亮", "went dark") if row.name == "circuit_fault" else Said("被发现亮着", "were found burning")
        )
        aside = NOTHING
        if standing.neither:
            listed = [f"{name}（{words.NEITHER[why].zh}）" for name, why in sorted(standing.neither.items())]
            listed_en = [f"{name} ({words.NEITHER[why].en})" for name, why in sorted(standing.neither.items())]
            aside = Said(f"不计入：{series(listed).zh}。", f"Not counted: {series(listed_en).en}.")
        panel = self.judgement.site.parents.get(self.panel or "")
        called = self.panel if panel is None else panel.called
        where = NOTHING if not called else Said(f"（配电箱 {called}）", f" (panel {called})")
        told = NOTHING
        if row.name == "circuit_fault" and (by := self.circuit.memory.suppressed) is not None:
            alert = alert_of(self.judgement.site, by)
            told = Said(f"已由「{alert.zh}」统一报警。", f'The alert "{alert.en}" tells of it.')
        return sentence(
            Said(
                f"{self.name.zh}{where.zh}{said.zh}：{names.zh} 共 {count} 盏灯在{times.zh}先后{dark.zh}"
                f"（都在 {window.zh}之内），占能判断的 {count + well} 盏的 {number(share)}%，是一处原因，不是各灯自己的故障。",
                f"{self.name.en}{where.en} {said.en}: {count} lamps ({names.en}) {dark.en} {times.en}, within one window of "
                f"{window.en}: {number(share)} % of the {count + well} of which anything is known. That is one cause, not "
                f"{count}.",
            ),
            aside,
            told,
            words.CHECK[row.name],
        )

    def _between(self, first: Instant, last: Instant) -> Said:
        if first == last:
            return Said(f" {self._clock(first)} 前后", f"at {self._clock(first)}")
        return Said(
            f" {self._clock(first)} 至 {self._clock(last)} ", f"from {self._clock(first)} to {self._clock(last)}"
        )

    def _well(self, state: str) -> Sentence:
        if state == "unknown":
            causes = sorted({lamp.memory.cause for lamp in self.circuit.lamps if lamp.memory.cause})
            listed = series(causes)
            why = Said(f"（{listed.zh}）", f" ({listed.en})") if causes else NOTHING
            return sentence(
                Said(
                    f"{self.name.zh}状态不明：它的灯没有一盏能判断{why.zh}。这不算故障。",
                    f"Nothing is known of {lowered(self.name.en)}: none of its lamps can be judged{why.en}. That is no fault.",
                )
            )
        failing = [lamp.id for lamp in self.circuit.lamps if lamp.memory.state == "faulty"]
        if not failing:
            return sentence(Said(f"{self.name.zh}正常。", f"{self.name.en} is well."))
        if not any("lamp_failure" in lamp.memory.faults for lamp in self.circuit.lamps):
            names = series(failing)
            return sentence(
                Said(
                    f"{self.name.zh}没有整路故障；有故障的灯：{names.zh}。",
                    f"{self.name.en} has no fault as a whole; faulty lamps: {names.en}.",
                )
            )
        dark = self._now(table.GROUP_FAULTS[0])
        names = series(failing)
        return sentence(
            Said(
                f"{self.name.zh}没有整路故障：故障灯 {names.zh}，同时不亮的 {len(dark['failing'])} 盏，"
                f"占能判断的 {number(dark['share_percent'])}%；整路故障要至少 {table.GROUP_LEAST} 盏且达 "
                f"{table.GROUP_PERCENT}%。",
                f"{self.name.en} has no fault as a whole: faulty are {names.en}; {len(dark['failing'])} went dark together, "
                f"{number(dark['share_percent'])} % of those of which anything is known; it takes {table.GROUP_LEAST} and "
                f"{table.GROUP_PERCENT} %.",
            )
        )

    def _evidence(self, lamps: Iterable[LampCase], standing: Standing) -> tuple[Item, ...]:
        """Of each lamp that counts the samples of its fault."""
        items = [
            item
            for lamp in lamps
            if lamp.lamp.id in standing.lamps
            for name in RUNS
            if (fault := lamp.memory.faults.get(name)) is not None
            for item in lamp.proof_items(name, fault)
        ]
        return tuple(sorted(items, key=lambda item: (item.at, item.device)))

    @staticmethod
    def _span(standing: Standing) -> Duration:
        return max(standing.lamps.values()) - min(standing.lamps.values())

    def _at(self, at: Instant) -> Any:
        return moment(at, self.zone)

    def _clock(self, at: Instant) -> str:
        return clock(at, self.now, self.zone)


def _share(count: int, against: int) -> float:
    """Per cent, to one digit."""
    return round(count * 100 / (count + against), 1) if count + against else 0.0


def _together(lamps: Iterable[LampCase]) -> tuple[Witness, ...]:
    """The sources of all its lamps, each once."""
    found = {witness.device: witness for lamp in lamps for witness in lamp.witnesses()}
    return tuple(found[name] for name in sorted(found))
