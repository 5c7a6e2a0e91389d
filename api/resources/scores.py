"""Scores (考核): the score of a period with its evidence, inspections, appeals, publications, the year-end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from msgspec.structs import replace

from api.access.accounts import Accounts
from api.access.concerned import person_of
from api.access.door import needs, session_of
from api.answers import DEFAULT_LIMIT, Limit, answer
from api.assessments import AppealBody, DecisionBody, MarkBody, Revision, WhyBody
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.duty_checks import act, all_items, body_of
from api.resources.rounds import rounds_between
from gateway.figures.timeline import Timeline
from gateway.instants import SECOND, Instant, moment
from gateway.scores.book import Mark, ScoreBook
from gateway.scores.document import Deduction, ScoreDocument
from gateway.scores.period import Period, period_of, quarter_of
from gateway.scores.sheet import Basis, appealed, daily, published, year

_LOCKS: WeakKeyDictionary[GatewayPort, asyncio.Lock] = WeakKeyDictionary()
"""One score at a time of each gateway. A year of a large site takes seconds to compute; however many ask, the intake goes on."""
_SEEN: WeakKeyDictionary[GatewayPort, dict[str, tuple[int, Instant, ScoreDocument]]] = WeakKeyDictionary()
"""By period, what was computed last: of which event on, and when."""
_USED_FOR = SECOND
_MOST_SEEN = 8

_CONDITIONS = ("gateway", "lamp", "seat", "duty", "camera")

PeriodName = Annotated[
    str | None, Query(max_length=10, description="2026-Q4, 2026-11 or 2026; without it this quarter.")
]


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/scores`."""

    @app.get("/api/v1/scores", tags=["scores"], responses=one("ScoreDocument"), dependencies=[needs("rounds")])
    async def read_scores(request: Request, period: PeriodName = None) -> Response:
        """The score of a period by what is known now, each deduction with its evidence: the document that sites are ranked by.

        Who may not see all sees the sums, and the deductions that concern him.
        """
        found = await score(gateway, asked(gateway, period))
        return answer(request, for_reader(gateway, request, found))

    @app.get("/api/v1/scores/revisions", tags=["scores"], responses=many("Revision"), dependencies=[needs("score")])
    async def read_revisions(request: Request, period: PeriodName = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """What was published of a period, oldest first; of each what changed since the one before."""
        found = await revisions(gateway, asked(gateway, period))
        return answer(request, {"items": found[-limit:], "next": None})

    @app.get("/api/v1/scores/appeals", tags=["scores"], responses=many("Appeal"), dependencies=[needs("rounds")])
    async def read_appeals(
        request: Request,
        state: Annotated[str | None, Query(max_length=20)] = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Appeals and their decisions, newest first; one's own for who may not see all."""
        account = session_of(request).account
        found = [
            each
            for each in reversed(book(gateway).appeals())
            if state in {None, each.state} and (account.may("score") or each.by == account.name)
        ]
        return answer(request, {"items": found[:limit], "next": None})

    @app.get("/api/v1/scores/marks", tags=["scores"], responses=many("Mark"), dependencies=[needs("score")])
    async def read_marks(request: Request, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Points taken by inspections, newest first."""
        return answer(request, {"items": book(gateway).marks()[::-1][:limit], "next": None})

    @app.post(
        "/api/v1/scores/marks",
        tags=["scores"],
        responses=one("Mark") | REFUSED,
        dependencies=[needs("assess")],
        openapi_extra=takes("MarkBody", {"item": "inspection", "points": 1.5, "words": "log of the gate not kept"}),
    )
    async def mark(request: Request) -> Response:
        """Take points by an inspection."""
        said = await body_of(request, MarkBody)
        given = {
            name: value
            for name in ("item", "points", "part", "at", "person", "place")
            if (value := getattr(said, name)) is not None
        }
        return answer(request, await _act(request, "mark", None, given, said.words))

    @app.post(
        "/api/v1/scores/marks/{key:path}/withdraw",
        tags=["scores"],
        responses=one("Mark") | REFUSED,
        dependencies=[needs("assess")],
        openapi_extra=takes("WhyBody", {"why": "the log was in the drawer"}),
    )
    async def withdraw(request: Request, key: str) -> Response:
        """Give back what an inspection took."""
        said = await body_of(request, WhyBody)
        return answer(request, await _act(request, "withdraw", key, {}, said.why))

    @app.post(
        "/api/v1/scores/appeals",
        tags=["scores"],
        responses=one("Appeal") | REFUSED,
        dependencies=[needs("rounds")],
        openapi_extra=takes(
            "AppealBody",
            {
                "key": "visit_missed/night@2026-11-22T23:00+08:00/3",
                "period": "2026-Q4",
                "why": "the tag was torn off",
            },
        ),
    )
    async def appeal(request: Request) -> Response:
        """Appeal against a deduction that one may see."""
        said = await body_of(request, AppealBody)
        document = for_reader(gateway, request, await score(gateway, asked(gateway, said.period)))
        found = next((each for item in document.items for each in item.deductions if each.key == said.key), None)
        if found is None or found.state != "counted":
            raise Denied(404, f"{said.period} has no deduction {said.key!r} that counts.")
        details = {
            "key": found.key,
            "period": said.period,
            "points": found.points,
            "revision": found.evidence.revision,
        }
        return answer(request, await _act(request, "appeal", None, details, said.why))

    @app.post(
        "/api/v1/scores/appeals/{key:path}/decide",
        tags=["scores"],
        responses=one("Appeal") | REFUSED,
        dependencies=[needs("rounds")],
        openapi_extra=takes("DecisionBody", {"decision": "accept", "why": "seen on the camera"}),
    )
    async def decide(request: Request, key: str) -> Response:
        """Accept or reject an appeal, a manager's decision; or take back one's own."""
        said = await body_of(request, DecisionBody)
        if said.decision != "retract" and not session_of(request).account.may("assess"):
            raise Denied(404, f"There is no appeal {key!r} for you to decide.")
        return answer(request, await _act(request, said.decision, key, {}, said.why))

    @app.post(
        "/api/v1/scores/publish",
        tags=["scores"],
        responses=one("ScoreDocument") | REFUSED,
        dependencies=[needs("assess")],
    )
    async def publish(request: Request, period: PeriodName = None) -> Response:
        """Publish the score of a period as it is now: a revision that stays, whatever comes later."""
        wanted = asked(gateway, period)
        document = await score(gateway, wanted)
        if document.score is None:
            raise Denied(
                409, f"{wanted.id} has no score yet: nothing is known of it, or its year-end is not closed.", "refused"
            )
        sealed = published(document, book(gateway).revision(wanted.id) + 1)
        details = {
            "period": wanted.id,
            "revision": sealed.revision,
            "content": content_of(sealed),
            "document": msgspec.to_builtins(sealed),
        }
        await _act(request, "publish", f"sheet/{wanted.id}", details, "")
        return answer(request, sealed)

    @app.post(
        "/api/v1/scores/year-end/{key:path}/{action}",
        tags=["scores"],
        responses=one("YearEnd") | REFUSED,
        dependencies=[needs("assess")],
        openapi_extra=takes("WhyBody", {"why": "accepted by the street office"}),
    )
    async def year_end(request: Request, key: str, action: str) -> Response:
        """Close a year's assessment (`close`): only then the year has a score. Or open it again (`reopen`), with a reason."""
        said = await body_of(request, WhyBody)
        if action not in {"close", "reopen"}:
            raise Denied(404, "Expected close or reopen.")
        return answer(request, await _act(request, action, key, {}, said.why))

    async def _act(
        request: Request, action: str, subject: str | None, details: dict[str, Any], why: str
    ) -> msgspec.Struct | None:
        return await act(gateway, accounts, request, "score", action, subject, details, why)


def book(gateway: GatewayPort) -> ScoreBook:
    """The living book of scores."""
    found = gateway.judgement.books["score"]
    assert isinstance(found, ScoreBook)
    return found


def asked(gateway: GatewayPort, text: str | None) -> Period:
    """The period that is asked for; none: this quarter.

    Raises:
        Denied: 422, it is no period.
    """
    site = gateway.site
    try:
        return period_of(site, text or quarter_of(moment(gateway.now(), site.zone_info).date()))
    except ValueError as error:
        raise Denied(422, f"period: {error}.", "invalid") from error


async def score(gateway: GatewayPort, period: Period) -> ScoreDocument:
    """The score of a period by what is known now.

    Who waited for another's answer gets the same: it is used for a second, but no longer than until something is told.
    """
    seen = _SEEN.setdefault(gateway, {})
    async with _LOCKS.setdefault(gateway, asyncio.Lock()):
        version, known = gateway.events.latest, seen.get(period.id)
        if known is not None and known[0] == version and 0 <= gateway.now() - known[1] < _USED_FOR:
            found = known[2]
        else:
            found = await _score(gateway, period)
            if len(seen) >= _MOST_SEEN:
                seen.clear()
            seen[period.id] = version, gateway.now(), found
    revision = book(gateway).revision(period.id)
    return published(found, revision) if revision else found


async def _score(gateway: GatewayPort, period: Period) -> ScoreDocument:
    site, said = gateway.site, book(gateway)
    if period.kind != "year":
        return await _daily(gateway, period)
    now = gateway.now()
    quarters = [period_of(site, f"{period.id}-Q{number}") for number in (1, 2, 3, 4)]
    documents = [await _daily(gateway, each) for each in quarters if each.since < now]
    return year(
        site,
        period,
        documents,
        _marks(gateway, period),
        said.appeals(),
        gateway.judgement.now,
        closed=said.closed(period.id),
    )


async def _daily(gateway: GatewayPort, period: Period) -> ScoreDocument:
    site, judged = gateway.site, gateway.judgement.now
    kept_from = await gateway.archive.kept_from()
    forgotten = kept_from is not None and period.since < kept_from
    if forgotten and (last := await _last_published(gateway, period)) is not None:
        return appealed(last, book(gateway).appeals())
    until = max(min(period.until, judged), period.since)
    walked = await rounds_between(gateway, period.since, until)
    checks = await all_items(gateway, "duty_check", period.since, min(period.until, until + 1))
    orders = await all_items(gateway, "work_order", period.since, min(period.until, until + 1))
    rows = await gateway.archive.conditions(_CONDITIONS, period.since, until)
    marks, appeals = _marks(gateway, period), book(gateway).appeals()

    def work() -> ScoreDocument:
        found = [each if isinstance(each, Mapping) else msgspec.to_builtins(each) for each in walked]
        rounds = None if forgotten else found
        timeline = None if rows is None else Timeline(rows, period.since, until)
        basis = Basis(rounds=rounds, checks=checks, orders=orders, timeline=timeline, marks=marks, appeals=appeals)
        return daily(site, period, basis, judged)

    return await asyncio.to_thread(work)


async def _last_published(gateway: GatewayPort, period: Period) -> ScoreDocument | None:
    entries = await gateway.archive.entries("score", item=f"sheet/{period.id}")
    return msgspec.convert(entries[-1]["item"]["document"], ScoreDocument) if entries else None


def _marks(gateway: GatewayPort, period: Period) -> list[Mark]:
    zone = gateway.site.zone_info
    first, last = moment(period.since, zone), moment(period.until, zone)
    return [each for each in book(gateway).marks() if first <= each.at < last]


def for_reader(gateway: GatewayPort, request: Request, document: ScoreDocument) -> ScoreDocument:
    """The document as its reader may see it: all of it, or the sums and what concerns him or nobody in particular.

    What was left out no longer has the digest of the whole.
    """
    account = session_of(request).account
    if account.may("score"):
        return document
    me = person_of(gateway.site, account)
    items = tuple(
        replace(item, deductions=tuple(each for each in item.deductions if me in each.persons or not each.persons))
        for item in document.items
    )
    return document if items == document.items else replace(document, items=items, digest="")


async def revisions(gateway: GatewayPort, period: Period) -> list[Revision]:
    """What was published of a period, oldest first."""
    found: list[Revision] = []
    before: dict[str, Deduction] = {}
    for entry in await gateway.archive.entries("score", item=f"sheet/{period.id}"):
        sheet = entry["item"]
        document = msgspec.convert(sheet["document"], ScoreDocument)
        counted = {each.key: each for item in document.items for each in item.deductions if each.state == "counted"}
        found.append(
            Revision(
                period=period.id,
                revision=sheet["revision"],
                at=sheet["at"],
                by=sheet["by"],
                score=sheet["score"],
                digest=sheet["digest"],
                withdrawn=[each for key, each in before.items() if key not in counted] if found else [],
                added=[each for key, each in counted.items() if key not in before] if found else [],
            )
        )
        before = counted
    return found


def content_of(document: ScoreDocument) -> str:
    """A digest of what a document says, apart from how far it was judged and how often it was published."""
    what = (document.score, document.items, document.quarters, document.settled)
    return sha256(msgspec.json.encode(what, order="sorted")).hexdigest()
