"""The score of a month or a quarter from its evidence, and of a year from its quarters. Pure, and the same in any order of evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from gateway.figures.timeline import Timeline
from gateway.instants import DAY, HOUR, Duration, Instant, moment
from gateway.scores import sources
from gateway.scores.book import Appeal, Mark
from gateway.scores.document import Deduction, Evidence, ItemScore, Quarter, RestsOn, ScoreDocument, sealed
from gateway.scores.period import Period
from gateway.scores.sources import Case, Item, Rate
from gateway.scores.table import DAILY, FINDING, POINT, YEAR_END
from gateway.site.model import ScoreItem, Site

SETTLES: Duration = 8 * DAY
"""Evidence may be 7 days late (rounds.md); after this a period's score only changes by people."""


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """All evidence of a period; None: a source that could not be read."""

    rounds: Sequence[Item] | None = ()
    checks: Sequence[Item] | None = ()
    orders: Sequence[Item] | None = ()
    timeline: Timeline | None = None
    marks: Sequence[Mark] = ()
    appeals: Sequence[Appeal] = ()


def daily(site: Site, period: Period, basis: Basis, judged_to: Instant) -> ScoreDocument:
    """The daily inspections of a month or quarter."""
    table = site.scores.items or DAILY
    zone = site.zone_info
    visited, visits, no_visits = sources.visits(basis.rounds or (), site.routes)
    checked, checks, no_checks = sources.duty_checks(basis.checks or ())
    ordered, orders = sources.orders(basis.orders or (), site.work_orders.emergency_arrive_within, judged_to)
    lights = sources.lights(site, basis.timeline, period.id) if basis.timeline is not None else Rate(0, 0, 0, ())
    cameras = sources.cameras(site, basis.timeline, period.id) if basis.timeline is not None else Rate(0, 0, 0, ())
    marks = [mark for mark in basis.marks if mark.part == "daily"]
    cases = [*visited, *checked, *ordered, *_manual(marks)]
    sources_read = {
        "rounds": basis.rounds, "duty_checks": basis.checks, "work_orders": basis.orders, "conditions": basis.timeline,
    }  # fmt: skip
    known_from = None if basis.timeline is None else basis.timeline.recorded_from()
    items = _items(table, cases, {"lights_below": lights, "cameras_below": cameras}, basis.appeals)
    begun = judged_to > period.since
    known = begun and basis.rounds is not None and bool(known_from is not None or visits or checks or orders or marks)
    return sealed(
        ScoreDocument(
            site=site.id,
            name=site.name,
            period=period.id,
            since=moment(period.since, zone),
            until=moment(period.until, zone),
            judged_to=moment(min(judged_to, period.until), zone),
            settled=judged_to >= period.until + SETTLES,
            score=_points(sum(_thousandths(item.score) for item in items)) if known else None,
            pass_mark=site.scores.pass_mark,
            items=tuple(items),
            rests_on=RestsOn(
                known_from=None if known_from is None else moment(known_from, zone),
                rounds=len(basis.rounds or ()),
                visits=visits,
                visits_unverifiable=no_visits,
                duty_checks=checks,
                duty_checks_unverifiable=no_checks,
                lamp_hours=round(lights.due / HOUR, 3),
                lamp_hours_unknown=round(lights.unknown / HOUR, 3),
                camera_hours=round(cameras.due / HOUR, 3),
                camera_hours_unknown=round(cameras.unknown / HOUR, 3),
                work_orders=orders,
                inspections=len(marks),
                unavailable=tuple(name for name, value in sources_read.items() if value is None),
            ),
        )
    )


def year(  # noqa: PLR0917
    site: Site,
    period: Period,
    quarters: Sequence[ScoreDocument],
    marks: Sequence[Mark],
    appeals: Sequence[Appeal],
    judged_to: Instant,
    *,
    closed: bool,
) -> ScoreDocument:
    """A year: 60 % the mean of the quarters that are known, 40 % the year-end assessment once it is `closed`.

    A quarter that lies ahead, or before anything was recorded, counts on neither side.
    """
    zone, scores = site.zone_info, site.scores
    known = [each for each in quarters if each.score is not None]
    items = _items(
        scores.year_end_items or YEAR_END, _manual(mark for mark in marks if mark.part == "year_end"), {}, appeals
    )
    # Thousandths are kept whole to the end, so that no rounding decides a year.
    sums = sum(_thousandths(each.score) for each in known)
    year_end = sum(_thousandths(item.score) for item in items) if closed else None
    mean = None if not known else sums / len(known)
    total = (
        None
        if not known or year_end is None
        else _points((sums * scores.daily + year_end * scores.year_end * len(known)) // (100 * len(known)))
    )
    return sealed(
        ScoreDocument(
            site=site.id,
            name=site.name,
            period=period.id,
            since=moment(period.since, zone),
            until=moment(period.until, zone),
            judged_to=moment(min(judged_to, period.until), zone),
            settled=judged_to >= period.until + SETTLES,
            score=total,
            pass_mark=scores.pass_mark,
            items=tuple(items),
            rests_on=RestsOn(
                known_from=min((each.rests_on.known_from for each in known if each.rests_on.known_from), default=None),
                inspections=sum(mark.part == "year_end" for mark in marks),
            ),
            daily=None if mean is None else round(mean / POINT, 3),
            year_end=None if year_end is None else _points(year_end),
            quarters=tuple(
                Quarter(period=each.period, score=each.score, digest=each.digest)
                for each in known
                if each.score is not None
            ),
        )
    )


def _manual(marks: Iterable[Mark]) -> list[Case]:
    return [
        Case(
            f"manual:{mark.item}",
            f"manual/{mark.id}",
            Evidence(kind="inspection", id=mark.id, at=mark.at, facts={"points": mark.points}),
            (mark.person,) if mark.person else (),
            mark.words,
            mark.by,
            share=_thousandths(mark.points),
        )
        for mark in marks
        if mark.withdrawn is None
    ]


def _items(
    table: Sequence[ScoreItem], cases: Sequence[Case], rates: Mapping[str, Rate], appeals: Sequence[Appeal]
) -> list[ItemScore]:
    """Each item with its deductions. A kind that stands in several items costs in the first of them."""
    latest, accepted = _latest(appeals), _accepted(appeals)
    prices: dict[str, tuple[str, int]] = {}
    for item in table:
        for kind, points in item.points.items():
            prices.setdefault(f"manual:{item.id}" if kind == "manual" else kind, (item.id, points))
    found: dict[str, list[tuple[int, Deduction]]] = {item.id: [] for item in table}

    def enter(case: Case, item: str, points: int) -> None:
        cancelled = case.key in accepted
        appeal = latest.get(case.key)
        deduction = Deduction(
            key=case.key,
            kind=case.kind.partition(":")[0],
            points=_points(points),
            evidence=case.evidence,
            persons=case.persons,
            words=case.words,
            by=case.by,
            state="cancelled" if cancelled else "counted",
            appeal=None if appeal is None else appeal.id,
        )
        found[item].append((0 if cancelled else points, deduction))

    for case in cases:
        price = prices.get(case.kind)
        if price is None and case.kind.startswith(FINDING):
            price = prices.get("duty_finding")
        if price is None:
            continue
        name, points = price
        enter(case, name, min(points, case.share) if case.kind.startswith("manual:") else points)
    for kind, rate in sorted(rates.items()):
        if kind not in prices or not rate.bad:
            continue
        name, per_percent = prices[kind]
        target = next(item.target for item in table if item.id == name) or 0
        # Thousandths of a percent below the target, what is unknown taken for good, rounded down: in favour.
        below = target - 100 * POINT + 100 * POINT * rate.bad // rate.due
        if below <= 0:
            continue
        whole = below * per_percent // POINT
        for case in rate.cases:
            if (points := whole * case.share // rate.bad) > 0:
                enter(case, name, points)
    return [_item(item, found[item.id]) for item in table]


def _latest(appeals: Sequence[Appeal]) -> dict[str, Appeal]:
    return {appeal.key: appeal for appeal in sorted(appeals, key=lambda each: (each.at, each.id))}


def _accepted(appeals: Sequence[Appeal]) -> frozenset[str]:
    return frozenset(appeal.key for appeal in appeals if appeal.state == "accepted")


def _item(item: ScoreItem, found: list[tuple[int, Deduction]]) -> ItemScore:
    lost = min(item.weight, sum(points for points, _ in found))
    ordered = sorted(
        (deduction for _, deduction in found),
        key=lambda each: (each.evidence.at is None, str(each.evidence.at), each.key),
    )
    return ItemScore(
        id=item.id,
        name=item.name,
        weight=_points(item.weight),
        lost=_points(lost),
        score=_points(item.weight - lost),
        deductions=tuple(ordered),
    )


def appealed(document: ScoreDocument, appeals: Sequence[Appeal]) -> ScoreDocument:
    """A month or quarter as it was published, without what appeals have cancelled since: what it rests on is kept no longer."""
    latest, accepted = _latest(appeals), _accepted(appeals)

    def again(item: ItemScore) -> ItemScore:
        deductions = tuple(
            replace(
                each,
                state="cancelled" if each.key in accepted else each.state,
                appeal=latest[each.key].id if each.key in latest else each.appeal,
            )
            for each in item.deductions
        )
        weight = _thousandths(item.weight)
        lost = min(weight, sum(_thousandths(each.points) for each in deductions if each.state == "counted"))
        return replace(item, lost=_points(lost), score=_points(weight - lost), deductions=deductions)

    items = tuple(again(item) for item in document.items)
    if items == document.items:
        return document
    return sealed(replace(document, items=items, score=_points(sum(_thousandths(item.score) for item in items))))


def published(document: ScoreDocument, revision: int) -> ScoreDocument:
    """As it is published the `revision`th time."""
    return sealed(replace(document, revision=revision))


def _points(thousandths: int) -> float:
    return thousandths / POINT


def _thousandths(points: float | None) -> int:
    return 0 if points is None else round(points * POINT)
