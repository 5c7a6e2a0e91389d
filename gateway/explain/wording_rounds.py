"""Why a visit, a round or a gap is judged so, in one or two sentences that a guard captain understands at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gateway.explain.cases import Case, Used
from gateway.explain.explanation import Sentence
from gateway.explain.names import Names
from gateway.explain.phrases import NOTHING, Said, length, sentence, series
from gateway.instants import Instant
from gateway.rules.findings import Corroboration
from gateway.rules.gaps import Piece
from gateway.rules.intervals import END
from gateway.rules.lacks import Lack
from gateway.rules.verdicts import verdict_of
from gateway.rules.visits import RoundState, VisitState

_VERDICTS: Mapping[str, Said] = {
    "on_time": Said("准时", "on time"),
    "early": Said("早到", "early"),
    "late": Said("迟到", "late"),
    "missed": Said("漏检", "missed"),
    "skipped": Said("已跳过", "skipped"),
    "unverifiable": Said("无法核实", "unverifiable"),
    "pending": Said("待定", "pending"),
}

_LACKS: Mapping[str, Said] = {
    "gateway_down": Said("网关在 {span} 停机", "the gateway was down {span}"),
    "clock_lost": Said("{zh}的时钟丢失过，{span} 的记录不能作准", "{en} had lost its clock, so its record of {span} proves nothing"),
    "impossible_times": Said("{zh}报来的时间都不可能是真的", "{en} reported only times that cannot be true"),
    "clock_uncertain": Said("{zh}在 {span} 的时钟前后对不上", "the clock of {en} does not agree with itself in {span}"),
    "number_missing": Said("{zh}在 {span} 缺 {numbers} 号记录", "of {en} record {numbers} is missing in {span}"),
    "restarted": Said("{zh}在 {span} 重启过，其间记录不全", "{en} restarted in {span}, its record between is not whole"),
    "unreadable": Said("{zh}在 {span} 有数据读不懂（已存入隔离区），其间记录不全", "of {en} something that came {span} could not be read (it is in quarantine), so its record is not whole"),
    "link_down": Said("{zh}的线路在 {span} 断开", "the line to {en} was down {span}"),
    "offline": Said("{zh}在 {span} 离线", "{en} was offline {span}"),
    "silent": Said("{zh}在 {span} 没有信号", "{en} was silent {span}"),
    "before_first": Said("{zh}在 {span} 还没有开始上报", "{en} had not begun to report in {span}"),
    "not_handed_in": Said("{zh} {since} 以后的记录还没有交回", "the record of {en} after {since} has not been handed in"),
    "awaited": Said("{zh} {since} 以后的下一次上报还没到", "the next report of {en} after {since} is still due"),
    "proves_nothing": Said("{zh}设定为不作证明", "{en} is set to prove nothing by its silence"),
    "never_heard": Said("从未收到过{zh}的信号", "{en} was never heard"),
}  # fmt: skip

_OF_CAUSE: Mapping[str, frozenset[str]] = {
    "gateway_down": frozenset({"gateway_down"}),
    "reader_clock": frozenset({"impossible_times", "clock_lost", "clock_uncertain"}),
    "reader_gap": frozenset({"number_missing", "restarted", "unreadable"}),
    "no_reader": frozenset({"never_heard"}),
}
"""Which lacks a cause speaks of; of another cause all of them."""

_REFUSED: Mapping[str, Said] = {
    "not_a_guard": Said("{who.zh} {at} 打过卡，但不是保安", "{who.en} tapped at {at} but is no guard"),
    "wrong_guard": Said("{who.zh} {at} 打过卡，但本线路只认指定人员", "{who.en} tapped at {at}, but only the named guards of this route count"),
    "second_person_missing": Said("只有{who.zh} {at} 一人打卡，须两人在 {within.zh}内先后打卡", "only {who.en} tapped, at {at}; it takes two persons within {within.en}"),
    "served_other": Said("{who.zh} {at} 的打卡已算给{other.zh}", "the tap of {who.en} at {at} counts for {other.en}"),
    "already_served": Said("{who.zh} {at} 多打了一次", "{who.en} tapped once more at {at}"),
    "clock_lost": Said("{device.zh}有一次打卡日期不可信（时钟丢失）", "{device.en} has a tap whose date cannot be trusted (its clock was lost)"),
    "unknown_tag": Said("{device.zh} {at} 读到一张未登记的卡", "{device.en} read a card at {at} that nobody has enrolled"),
    "unknown_device": Said("未登记的设备 {name} {at} 读过这里的标签", "the unknown device {name} read the tag here at {at}"),
    "no_round": Said("{who.zh} {at} 打过卡，但不在 {window} 内", "{who.en} tapped at {at}, which is not within {window}"),
}  # fmt: skip

_MARKS: Mapping[str, Said] = {
    "unassigned_guard": Said("打卡人不在本线路名单上，本线路允许代巡。", "The guard is not one of the route's, which lets others stand in."),
    "other_reader": Said("用的不是本线路的巡更棒。", "The wand is not one of the route's."),
    "second_person_missing": Said("须两人打卡，缺第二人。", "It takes two persons; the second is missing."),
    "clock_corrected": Said("读卡器时钟不准，时间已按校时更正。", "The reader's clock was wrong; the time is corrected by its measures."),
    "clock_uncertain": Said("读卡器时钟不能确定，按对保安有利的时间算。", "The reader's clock is in doubt; the time that is better for the guard counts."),
    "clock_ahead": Said("读卡器时钟超前，按收到的时间算。", "The reader's clock was ahead; the time of receipt counts."),
    "late_upload": Said("记录在期限之后才交来，照样算数。", "It came after the deadline for evidence, and counts all the same."),
    "person_unknown": Said("不知道是谁打的卡，照样算数。", "Who tapped is not known; it counts all the same."),
    "counter_replayed": Said("标签的计数以前出现过，请核实。", "The tag's count was seen before; please look into it."),
    "counter_late": Said("标签的计数低于已有的，可能是晚交的记录。", "The tag's count is below the highest seen; it may have been handed over late."),
    "counter_jumped": Said("标签的计数跳得太多，请核实。", "The tag's count jumped far; please look into it."),
    "out_of_order": Said("各点没有按规定顺序到。", "The points were not reached in the order given."),
    "too_fast": Said("两点之间走得比最短时间还快。", "Two points were reached faster than one can walk."),
    "burst": Said("20 秒内打了 3 个以上不同的点。", "Three or more points were tapped within 20 s."),
    "over_long": Said("有的点在本轮结束之后才到。", "A point was reached after the round's end."),
    "same_moment_elsewhere": Said("同一张卡几乎同时在另一处被读到。", "The same card was read elsewhere at almost the same moment."),
}  # fmt: skip


class Wording:
    """Sentences of one site.

    Args:
        names: what things and people are called.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._kept = [(spaced, name) for name in names.all() if (spaced := _SEAM.sub(" ", name)) != name]

    def _spaced(self, said: Sentence) -> Sentence:
        """A space between Chinese and what is not, as it is printed; names stay as the site has them."""
        text = _SEAM.sub(" ", said.zh)
        for spaced, name in self._kept:
            text = text.replace(spaced, name)
        return Sentence(zh=text, en=said.en)

    # -- a visit

    def visit(self, case: Case, marks: Sequence[str], noticed: Corroboration | None) -> Sentence:
        """Why a visit is judged so, and what else was noticed at its tap."""
        judged = {
            "served": self._served,
            "open": self._open,
            "settled": self._settled,
            "stray_tap": self._stray,
            "awaiting_reader": self._awaiting,
            "deadline": self._deadline,
        }[case.rule](case)
        told = [
            _MARKS[mark] for mark in marks if mark in _MARKS and not (mark == "second_person_missing" and case.refused)
        ]
        return self._spaced(sentence(self._expected(case.visit), judged, *told, *_noticed(noticed)))

    def _expected(self, visit: VisitState) -> Said:
        place = self._names.place(visit.checkpoint)
        if visit.due is not None:
            due = self._names.time(visit.due, visit.closes)
            return Said(f"{due} 应到巡更点「{place}」：", f"Due at {place} at {due}:")
        span = self._names.span(visit.before, visit.after, visit.closes)
        return Said(f"{span} 之间应到巡更点「{place}」：", f"Due at {place} between {span.replace('–', ' and ')}:")

    def _served(self, case: Case) -> Said:
        visit, service = case.visit, case.visit.service
        assert service is not None
        verdict = _VERDICTS[visit.verdict]
        taps = [
            (self._names.person(used.person), self._time(used.at, case), self._names.device(used.device))
            for used in case.used
        ]
        who = Said(
            "、".join(f"{person.zh} {at} 在{device.zh}" for person, at, device in taps),
            " and ".join(f"{person.en} tapped at {at} on {device.en}" for person, at, device in taps),
        )
        within = self._names.span(visit.before, visit.after, visit.closes)
        time = service.fit.time
        off = visit.before - time if time < visit.before else time - visit.after
        if visit.verdict == "on_time" and off <= 0:
            how = Said(f"在准时范围 {within} 内", f"within {within}")
        elif visit.verdict == "on_time" or off <= 0:
            how = Said(
                f"离准时范围 {within} 的界线不到 2 秒，按有利的算",
                f"less than 2 s from the limits of {within}, and the better counts",
            )
        elif visit.verdict == "early":
            how = Said(f"比准时范围 {within} 早 {length(off).zh}", f"{length(off).en} before {within}")
        else:
            how = Said(f"比准时范围 {within} 晚 {length(off).zh}", f"{length(off).en} after {within}")
        return Said(f"{who.zh}打卡，{how.zh}，判为{verdict.zh}。", f"{who.en}, {how.en}, so it is {verdict.en}.")

    def _open(self, case: Case) -> Said:
        visit = case.visit
        opens, closes = self._time(visit.opens, case), self._time(visit.closes, case)
        if case.now < visit.opens:
            return Said(f"从 {opens} 起打卡才算，时间未到。", f"a tap counts from {opens} on; it is not time yet.")
        nobody = self._nobody(case)
        return Said(
            f"打卡到 {closes} 为止都算，目前{nobody.zh}，还不下结论。",
            f"a tap counts until {closes}; so far {nobody.en}, and nothing is judged yet.",
        )

    def _settled(self, case: Case) -> Said:
        whole, nobody, verdict = self._whole(case), self._nobody(case), _VERDICTS[case.visit.verdict]
        optional = Said("；此点可去可不去", ", and the point is optional") if case.visit.optional else NOTHING
        return Said(
            f"{whole.zh}，{nobody.zh}{optional.zh}，判为{verdict.zh}。",
            f"{whole.en} and {nobody.en}{optional.en}, so it is {verdict.en}.",
        )

    def _whole(self, case: Case) -> Said:
        devices = [self._names.device(each.record.id) for each in case.witnesses]
        span = self._names.span(case.visit.opens, case.visit.closes, case.visit.closes)
        zh = series([each.zh for each in devices]).zh + ("都" if len(devices) > 1 else "")
        assumed = any(each.record.assumed for each in case.witnesses)
        guess = (
            Said("（只发不收的读卡器，按通电即完整推定）", " (assumed, since it only transmits)")
            if assumed
            else NOTHING
        )
        return Said(
            f"{zh}在 {span} 记录完整{guess.zh}" if len(devices) < 2 else f"{zh}在 {span} 有完整记录{guess.zh}",
            f"the record of {series([each.en for each in devices]).en} is complete for {span}{guess.en}",
        )

    def _nobody(self, case: Case) -> Said:
        """That nobody tapped, or who did and does not count."""
        refused = self._refusals(case)
        if not refused.zh:
            return Said("无人打卡", "nobody tapped")
        return Said(f"没有有效的打卡（{refused.zh}）", f"no tap counts ({refused.en})")

    def _refusals(self, case: Case) -> Said:
        told = [each for each in case.refused if not (case.held and each.why == "served_other")]
        return _joined(self._refusal(each, case) for each in told[:4])

    def _refusal(self, used: Used, case: Case) -> Said:
        text, visit = _REFUSED[used.why], case.visit
        words = {
            "who": self._names.person(used.person),
            "device": self._names.device(used.device),
            "name": used.device,
            "at": self._time(used.at, case),
            "within": length(visit.two_person_within),
            "other": self._names.round(used.other) if used.other is not None else NOTHING,
            "window": self._names.span(visit.opens, visit.closes, visit.closes),
        }
        return Said(text.zh.format(**words), text.en.format(**words))

    def _stray(self, case: Case) -> Said:
        verdict, whole = _VERDICTS[case.visit.verdict], self._whole(case)
        taps = [
            (self._names.person(used.person), self._names.device(used.device), self._time(used.at, case))
            for used in case.strays
        ]
        zh = "、".join(f"{device.zh}有{who.zh} {at} 的打卡" for who, device, at in taps)
        en = " and ".join(f"{device.en} has a tap of {who.en} at {at}" for who, device, at in taps)
        return Said(
            f"{whole.zh}，时段内无人打卡，但{zh}，其时钟从未校过，可能就是这一次，判为{verdict.zh}，不算漏检。",
            f"{whole.en} and nobody tapped in time, but {en}, whose clock was never measured: it may have been this visit, "
            f"so it is {verdict.en}, not missed.",
        )

    def _awaiting(self, case: Case) -> Said:
        lacks, nobody = self._lacks(case, None), self._nobody(case)
        until, closes = self._time(self._deadline_of(case), case), self._time(case.visit.closes, case)
        return Said(
            f"到 {closes} {nobody.zh}，但{lacks.zh}，先等记录，最迟等到 {until}，不判漏检。",
            f"by {closes} {nobody.en}, but {lacks.en}: the record is awaited until {until}, and nothing is judged missed.",
        )

    def _deadline(self, case: Case) -> Said:
        visit, nobody = case.visit, self._nobody(case)
        lacks, verdict, until = (
            self._lacks(case, visit.cause),
            _VERDICTS[visit.verdict],
            self._time(self._deadline_of(case), case),
        )
        skipped = visit.optional
        end = Said("。", ".") if skipped else Said("，不算漏检。", ", not missed.")
        return Said(
            f"{nobody.zh}，但{lacks.zh}，到期限 {until} 仍不能证明，判为{verdict.zh}{end.zh}",
            f"{nobody.en}, but {lacks.en}; at the deadline of {until} nothing was proved, so it is {verdict.en}{end.en}",
        )

    def _deadline_of(self, case: Case) -> Instant:
        return max(each.deadline for each in (case.visit, *case.holders))

    def _lacks(self, case: Case, cause: str | None) -> Said:
        """What is missing; of a cause what it speaks of."""
        if not case.witnesses:
            return Said("此点没有能作证的读卡器", "the point has no reader whose record would show it")
        wanted = _OF_CAUSE.get(cause or "")
        found = [(each, lack) for each in case.witnesses for lack in each.lacks]
        told = [pair for pair in found if wanted is None or pair[1].why in wanted] or found
        held = [self._names.round(f"{each.round.id}#{each.position}") for each in case.holders]
        if case.held:
            return Said(
                f"这里的打卡目前算给{'、'.join(each.zh for each in held)}，也可能是这一次的，要等那一轮有结论",
                f"the tap here counts for {', '.join(each.en for each in held)} and could count for this one, "
                "so that round must be decided first",
            )
        if not told:
            return Said("记录刚刚到齐，正在判定", "the record has only just come in and is being judged")
        return _few(dict.fromkeys(self.lack(known.record.id, lack, case.visit.closes) for known, lack in told))

    def _time(self, at: Instant, case: Case) -> str:
        return self._names.time(at, case.visit.closes)

    # -- a round

    def round(self, state: RoundState, marks: Sequence[str], now: Instant) -> Sentence:
        """What a round's verdict is made of."""
        start, end = self._names.time(state.start, now), self._names.time(state.end, state.start)
        called = self._names.route(state.route.id)
        head = Said(f"线路 {called} {start}–{end}：", f"Round {called} {start}–{end}:")
        required = list(state.required)
        places: dict[str, list[str]] = {}
        for visit in required:
            places.setdefault(visit.verdict, []).append(self._names.place(visit.checkpoint))
        verdict = _ROUNDS[verdict_of(state, now)]
        body = _counted(len(required), places)
        told = (_MARKS[mark] for mark in marks if mark in _MARKS)
        return self._spaced(sentence(head, Said(f"{body.zh}，{verdict.zh}。", f"{body.en}: {verdict.en}."), *told))

    # -- a gap

    def gap(
        self,
        checkpoint: str,
        *,
        window: tuple[Instant, Instant],
        at_most: int,
        pieces: Sequence[Piece],
        lacks: Sequence[Said],
        until: Instant,
    ) -> Sentence:
        """Whether a checkpoint went too long without a tap.

        Args:
            checkpoint: which.
            window: its window; a patrol's has no end yet.
            at_most: how long it may go without one.
            pieces: what is complete of the stretches without one.
            lacks: what is not.
            until: up to when the window is judged.
        """
        place, limit = self._names.place(checkpoint), length(at_most)
        if window[1] == END:
            near = window[0]
            since = self._names.time(near, near)
            span = Said(f"{since} 起到修复证实为止", f"from {since} until the repair is proved")
        else:
            near = window[1]
            span = Said(*[self._names.span(*window, near)] * 2)
        head = Said(
            f"巡更点「{place}」{span.zh} 每 {limit.zh}内须有人到：",
            f"{place} must be visited every {limit.en}, {span.en}:",
        )
        longest = max(pieces, key=lambda piece: (piece.length, -piece.start), default=None)
        exceeded = [piece for piece in pieces if piece.length > at_most]
        if longest is None:
            body = Said(
                "目前没有一段时间记录完整，不能证明超时。",
                "no stretch of it has a complete record, so nothing is proved.",
            )
        elif not exceeded:
            told = self._piece(longest, near, until)
            body = Said(
                f"记录完整的最长无人时段是 {told.zh}，未超时。",
                f"the longest stretch with a complete record and no tap is {told.en}: not too long.",
            )
        else:
            told = _joined(self._piece(piece, near, until) for piece in exceeded)
            body = Said(
                f"{told.zh}无人到，读卡器记录完整，判为超时。",
                f"nobody came {told.en}, and the readers' records are complete: too long.",
            )
        unknown = _few(lacks)
        more = Said(f"另外，{unknown.zh}，这些时间不算。", f"Not counted: {unknown.en}.") if lacks else NOTHING
        return self._spaced(sentence(head, body, more))

    def lack(self, record_id: str, lack: Lack, near: Instant) -> Said:
        """What is missing in a reader's record."""
        device, text = self._names.device(record_id), _LACKS[lack.why]
        words = {
            "zh": device.zh, "en": device.en, "span": self._names.span(lack.start, lack.end, near),
            "since": self._names.time(lack.start, near), "until": self._names.time(lack.end, near), "numbers": numbers(lack),
        }  # fmt: skip
        return Said(text.zh.format(**words), text.en.format(**words))

    def _piece(self, piece: Piece, near: Instant, until: Instant) -> Said:
        span, long = self._names.span(piece.start, piece.end, near), length(piece.length)
        so_far = Said("至今", " so far") if piece.open and piece.end >= until else NOTHING
        return Said(f"{span}（{so_far.zh}{long.zh}）", f"{span} ({long.en}{so_far.en})")


_ROUNDS: Mapping[str, Said] = {
    "scheduled": Said("尚未开始", "not begun"),
    "in_progress": Said("进行中，未下结论", "under way, not judged yet"),
    "completed": Said("判为完成", "completed"),
    "missed": Said("判为漏检", "missed"),
    "incomplete": Said("判为不完整", "incomplete"),
    "unverifiable": Said("判为无法核实，不算漏检", "unverifiable, nothing is held against anybody"),
}


def _noticed(found: Corroboration | None) -> Iterator[Said]:
    """What sensors say of a tap: support is told, silence without blame."""
    if found is None or not found.by:
        return
    names = series(found.by)
    if found.result == "supported":
        yield Said(
            f"同一时刻{names.zh}也有动静，可以佐证。",
            f"{names.en} noticed somebody at the same time, which supports it.",
        )
    else:
        yield Said(
            f"同一时刻{names.zh}没有动静（只供参考）。", f"{names.en} noticed nobody then, which proves nothing."
        )


_TOLD = 4
"""Reasons in one sentence at most."""

_SEAM = re.compile(r"(?<=[一-鿿])(?=[0-9A-Za-z])|(?<=[0-9A-Za-z])(?=[一-鿿])")


def _counted(count: int, places: Mapping[str, Sequence[str]]) -> Said:
    """How many of the required points have which verdict; those not served by name."""
    told = []
    for verdict, word in _VERDICTS.items():
        here = places.get(verdict, ())
        if here:
            named = series(here) if verdict in {"missed", "unverifiable"} else NOTHING
            told.append(
                Said(
                    f"{word.zh} {len(here)}" + (f"（{named.zh}）" if named.zh else ""),
                    f"{len(here)} {word.en}" + (f" ({named.en})" if named.en else ""),
                )
            )
    row = _joined(told, "，", ", ")
    return Said(f"应到 {count} 点，{row.zh}", f"{row.en} of {count} point{'s' * (count != 1)}")


def numbers(lack: Lack) -> str:
    """The missing numbers, as `17` or `17–19`."""
    runs = [str(low) if low == high else f"{low}–{high}" for low, high in lack.numbers]
    return ", ".join([*runs[:5], "…"] if len(runs) > 5 else runs)


def _few(parts: Iterable[Said]) -> Said:
    """The first of them, and that there are more."""
    found = list(parts)
    more = [Said("等等", "and more")] if len(found) > _TOLD else []
    return _joined([*found[:_TOLD], *more])


def _joined(parts: Iterable[Said], zh: str = "；", en: str = "; ") -> Said:
    found = list(parts)
    return Said(zh.join(part.zh for part in found), en.join(part.en for part in found))
