"""Pages about rounds: the calendar of nights, one night, and one round with how each visit was judged and why."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.accounts import Account
from api.access.concerned import person_of
from api.access.door import needs, session_of
from api.access.scope import part_seen
from api.console.evidenced import evidenced, times_of
from api.console.frame import Frame
from api.console.languages import Language, chosen
from api.console.names import checkpoint_name, person_name
from api.console.timeline import Timeline, as_round, draw, night_of, verdict_code
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.explain import with_revisions
from api.resources.rounds import round_of, rounds_between
from api.resources.scores import book
from gateway.alerts import wording
from gateway.explain.explanation import Explanation
from gateway.explain.rounds import explain_round
from gateway.instants import Instant, instant, moment, told_s
from gateway.rules.findings import Round, Visit
from gateway.scores.book import Appeal
from gateway.scores.period import quarter_of
from gateway.site.clocks import wall_time
from gateway.site.model import Site

COUNTED = ("on_time", "off_time", "missed", "unverifiable", "awaiting", "pending")
"""What a night of the calendar counts; `off_time` is early or late, `pending` still to come."""
_OF_CODE: Mapping[str, str] = {"early": "off_time", "late": "off_time"}
_DEDUCTED = frozenset({"missed", "early", "late"})

Judged = tuple[str, str | None]
"""A visit's verdict and cause."""


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """One night of the calendar: local noon of `date` to the next noon. `ahead`: it has not begun, so that it is not counted."""

    date: date
    inside: bool
    tonight: bool
    ahead: bool
    rounds: int
    counts: Mapping[str, int]


class VisitPage(msgspec.Struct, frozen=True, kw_only=True):
    """One visit of a round as its page shows it. `why` None: memory no longer holds what it was judged by."""

    visit: Visit
    code: str
    name: str
    deviation: str | None
    person: str | None
    sentence: str | None
    why: Explanation | None
    revisions: Sequence[Mapping[str, Any]]
    key: str
    may_appeal: bool
    appeal: Appeal | None


class Then(msgspec.Struct, frozen=True, kw_only=True):
    """One visit as it was known at an earlier time, beside how it is known now."""

    position: int
    name: str
    then: str
    now: str
    sentence: str


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/rounds` and `/rounds/ID`."""
    site = gateway.site

    @app.get("/rounds", include_in_schema=False, dependencies=[needs("rounds")])
    async def nights_page(request: Request, night: str | None = None, month: str | None = None) -> Response:
        if night is not None:
            return await _night(gateway, frame, request, _date(night, "night"))
        now = moment(gateway.now(), site.zone_info)
        tonight = _night_date(gateway)
        first = tonight.replace(day=1) if month is None else _date(f"{month}-01", "month")
        weeks = await _weeks(gateway, first, tonight)
        return frame.respond(
            request,
            "alone.html",
            inner="rounds.html",
            first=first,
            before=(first - timedelta(days=1)).replace(day=1),
            after=(first + timedelta(days=32)).replace(day=1),
            weeks=weeks,
            counted=COUNTED,
            now=now,
        )

    @app.get("/rounds/{round_id:path}", include_in_schema=False, dependencies=[needs("rounds", scoped=True)])
    async def round_page(
        request: Request, round_id: str, as_of: str | None = None, *, judged_again: bool = False
    ) -> Response:
        part = part_seen(request)
        found = await round_of(part.gateway, round_id)
        if found is None:
            raise Denied(404, f"There is no round {round_id!r}.")
        account = session_of(request).account
        language = chosen(request, site.language)
        named = account.may("names")
        shown = as_round(found)
        why = part.explained(explain_round(gateway.judgement, round_id, gateway.now(), named=named))
        old = why is None
        if old and judged_again:
            why = await part.gateway.explain_past("round", round_id, gateway.now(), named=named)
        revisions = await part.gateway.archive.revisions(round_id)
        rows = _visits(part.gateway, account, shown, why, revisions, language)
        known_at = _instant(as_of, site.zone_info)
        if known_at is not None and known_at > gateway.now():
            raise Denied(422, "as_of: expected a time that has been, not one to come.", "invalid")
        times = times_of(why)
        then = None
        if known_at is not None:
            then = await _then(part.gateway, shown, known_at, language, named=named)
        return frame.panel(
            request,
            "round.html",
            round=shown,
            rows=rows,
            sentence=None if why is None else _said(why, language),
            old=old,
            named=lambda person: person_name(site, person, named=named),
            place=lambda checkpoint: checkpoint_name(site, checkpoint),
            night=_night_date(gateway, instant(shown.start)),
            as_of=None if known_at is None else moment(known_at, site.zone_info),
            then=then,
            suggested=min(moment(gateway.now(), site.zone_info), shown.end),
            period=quarter_of(shown.start.date()),
            device=lambda name: wording.name(site, name, language),
            evidenced=lambda keys: [evidenced(site, key, language, shown, times) for key in keys],
        )


async def _night(gateway: GatewayPort, frame: Frame, request: Request, night: date) -> Response:
    """One night as a drawing, and as a table of its rounds by route."""
    site = gateway.site
    since, until = _noon(site, night), _noon(site, night + timedelta(days=1))
    found = sorted(map(as_round, await rounds_between(gateway, since, until)), key=lambda item: (item.start, item.id))
    routes: dict[str, list[Round]] = {}
    for item in found:
        routes.setdefault(item.route, []).append(item)
    order = list(site.routes)
    plan: Timeline | None = draw(site, found, gateway.now(), "night")
    return frame.respond(
        request,
        "alone.html",
        inner="rounds_night.html",
        night=night,
        before=night - timedelta(days=1),
        after=night + timedelta(days=1),
        tonight=_night_date(gateway),
        plan=plan,
        names={checkpoint: checkpoint_name(site, checkpoint) for checkpoint in site.checkpoints},
        code=verdict_code,
        routes=sorted(
            routes.items(), key=lambda pair: (order.index(pair[0]) if pair[0] in order else len(order), pair[0])
        ),
        counts=_counts(found),
        counted=COUNTED,
    )


async def _weeks(gateway: GatewayPort, first: date, tonight: date) -> list[list[Night]]:
    """The nights of a month in whole weeks, Monday first."""
    site = gateway.site
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    counts: dict[date, Counter[str]] = {}
    rounds: Counter[date] = Counter()
    inside = [day for week in weeks for day in week if day.month == first.month]
    for start, visits in await _tally(gateway, _noon(site, inside[0]), _noon(site, inside[-1] + timedelta(days=1))):
        night = _night_date(gateway, start)
        rounds[night] += 1
        counts.setdefault(night, Counter()).update(map(_counted, visits))
    return [
        [
            Night(
                date=day,
                inside=day.month == first.month,
                tonight=day == tonight,
                ahead=day > tonight,
                rounds=rounds[day],
                counts=counts.get(day, Counter()),
            )
            for day in week
        ]
        for week in weeks
    ]


async def _tally(gateway: GatewayPort, since: Instant, until: Instant) -> list[tuple[Instant, list[Judged]]]:
    """Starts of rounds in [since, until) with their visits' verdicts and causes: memory's, and before those the journal's."""
    living = gateway.judgement.engine.rounds.tally(since, until)
    kept_from = min((start for start, _ in living), default=until)
    if kept_from <= since:
        return living
    past: list[tuple[Instant, list[Judged]]] = []
    for item in await rounds_between(gateway, since, kept_from):
        shown = as_round(item)
        past.append((instant(shown.start), [(visit.verdict, visit.cause) for visit in shown.visits]))
    return past + living


def _counts(rounds: Sequence[Round]) -> Mapping[str, int]:
    """How many visits of each kind."""
    return Counter(_counted((visit.verdict, visit.cause)) for item in rounds for visit in item.visits)


def _counted(judged: Judged) -> str:
    verdict, cause = judged
    if verdict == "pending" and cause == "awaiting_reader":
        return "awaiting"
    return _OF_CODE.get(verdict, verdict)


def _visits(  # noqa: PLR0917
    gateway: GatewayPort,
    account: Account,
    shown: Round,
    why: Explanation | None,
    revisions: Sequence[Mapping[str, Any]],
    language: Language,
) -> list[VisitPage]:
    site = gateway.site
    named = account.may("names")
    parts = {} if why is None else {part.id: part for part in why.parts}
    appeals = {each.key: each for each in book(gateway).appeals()} if "score" in gateway.judgement.books else {}
    walkers = {visit.person for visit in shown.visits if visit.person is not None}
    me = person_of(site, account)
    rows = []
    for visit in shown.visits:
        part = parts.get(f"{shown.id}#{visit.position}")
        key = f"visit_{visit.verdict}/{shown.id}/{visit.position}"
        concerned = {visit.person} if visit.person is not None else walkers
        costs = visit.verdict in _DEDUCTED and "score" in gateway.judgement.books
        appeal = appeals.get(key)
        rows.append(
            VisitPage(
                visit=visit,
                code=verdict_code(visit),
                name=checkpoint_name(site, visit.checkpoint),
                deviation=deviation(visit.deviation_s),
                person=person_name(site, visit.person, named=named),
                sentence=None if part is None else _said(part, language),
                why=part,
                revisions=[row for row in revisions if row["position"] == visit.position],
                key=key,
                may_appeal=costs
                and (account.may("score") or me in concerned or not concerned)
                and (appeal is None or appeal.state in {"rejected", "withdrawn"}),
                appeal=appeal if costs else None,
            )
        )
    return rows


async def _then(
    gateway: GatewayPort, shown: Round, known_at: Instant, language: Language, *, named: bool
) -> tuple[str, list[Then]] | None:
    """What was known of a round at an earlier time: its verdict, and each visit beside how it is judged now; None: it was not planned."""
    found = await gateway.explain_past("round", shown.id, known_at, named=named)
    if found is None:
        return None
    found = await with_revisions(gateway, found, known_at)
    parts = {part.id: part for part in found.parts}
    rows = []
    for visit in shown.visits:
        part = parts.get(f"{shown.id}#{visit.position}")
        if part is not None:
            waits = part.result == "pending" and part.cause == "awaiting_reader"
            rows.append(
                Then(
                    position=visit.position,
                    name=checkpoint_name(gateway.site, visit.checkpoint),
                    then="awaiting" if waits else part.result,
                    now=verdict_code(visit),
                    sentence=_said(part, language),
                )
            )
    return found.result, rows


def _said(explanation: Explanation, language: Language) -> str:
    return explanation.sentence.zh if language == "zh_CN" else explanation.sentence.en


def deviation(seconds: float | None) -> str | None:
    """A signed deviation as `+7:05`; `0:00` is exactly on time."""
    if seconds is None:
        return None
    whole = told_s(abs(seconds))
    sign = "+" if seconds > 0 and whole else "−" if whole else ""
    return f"{sign}{whole // 60}:{whole % 60:02}"


def _noon(site: Site, day: date) -> Instant:
    return wall_time(day, time(12), site.zone_info).first


def _night_date(gateway: GatewayPort, at: Instant | None = None) -> date:
    """The date on which the night of an instant begins; None: the present one's."""
    begin, _ = night_of(gateway.now() if at is None else at, gateway.site)
    return moment(begin, gateway.site.zone_info).date()


def _date(text: str, name: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Denied(422, f"{name}: expected a date such as 2026-11-22.", "invalid") from error
    if not 2000 <= found.year <= 2200:
        raise Denied(422, f"{name}: expected a date between the years 2000 and 2200.", "invalid")
    return found


def _instant(text: str | None, zone: ZoneInfo) -> Instant | None:
    """A time of a form, on the site's clock unless it says its offset."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Denied(422, "as_of: expected a time such as 2026-11-23T03:10.", "invalid") from error
    if not 2000 <= found.year <= 2200:
        raise Denied(422, "as_of: expected a time between the years 2000 and 2200.", "invalid")
    return instant(found if found.tzinfo is not None else found.replace(tzinfo=zone))
