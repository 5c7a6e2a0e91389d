"""The pages of duty checks and scores: what was found, on what it rests, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.concerned import person_of
from api.access.door import needs, session_of
from api.console.frame import Frame
from api.console.languages import Language, chosen, word
from api.console.names import checkpoint_name, person_name, place_name, route_name
from api.ports import GatewayPort
from api.resources.duty_checks import all_items, may_check, seen, weeks_between
from api.resources.scores import asked, book, for_reader, revisions, score
from gateway.duty_checks.check import FINDINGS
from gateway.instants import DAY, SECOND, moment, parse_instant
from gateway.scores.book import items_of
from gateway.scores.document import Deduction, ItemScore
from gateway.scores.period import due_of, quarter_of
from gateway.scores.table import FINDING, KINDS
from gateway.site.model import Site

SHOWN = 28 * DAY
"""So far back the page of duty checks reaches."""
TAKES_FINDINGS = 8 * DAY
DEDUCTIONS_SHOWN = 50
"""Of each item at once; the page says how many more there are and leads to them."""


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/duty-checks` and `/scores`."""
    site = gateway.site

    @app.get("/duty-checks", include_in_schema=False, dependencies=[needs("rounds")])
    async def duty_checks_page(request: Request) -> Response:
        now = gateway.now()
        language = chosen(request, site.language)
        named = _named(request)
        items = list(reversed(await seen(gateway, request, now - SHOWN, now + 1)))
        mine = [name for name in site.duty_checks if may_check(gateway, request, name)]
        plans: list[Mapping[str, Any]] = []
        weeks: Sequence[Any] = ()
        if session_of(request).account.may("checks"):
            weeks = await weeks_between(gateway, now - SHOWN, now + 8 * DAY)
        published = await all_items(gateway, "duty_check", now - SHOWN, now + 8 * DAY)
        plans = [item for item in published if item["kind"] == "plan"][::-1]
        rows = [
            {
                "item": item,
                "at": _local(site, item["at"]),
                "post": checkpoint_name(site, item["post"]),
                "checker": person_name(site, item["checker"], named=named),
                "checker_at": _local(site, item["checker_at"]),
                "guard": person_name(site, item["guard"], named=named),
                "guard_at": _local(site, item["guard_at"]),
                "elsewhere": [person_name(site, each, named=named) for each in item.get("elsewhere", ())],
                "takes": item["check"] in mine and now < parse_instant(item["closes"]) + TAKES_FINDINGS,
                "findings": [
                    {
                        "said": each,
                        "word": finding_word(site, each["code"], language),
                        "person": person_name(site, each["person"], named=named),
                    }
                    for each in item["findings"]
                ],
            }
            for item in items
        ]
        return frame.respond(
            request,
            "alone.html",
            inner="duty_checks.html",
            rows=rows,
            weeks=weeks,
            plans=[{"plan": each, "published": _local(site, each["published"])} for each in plans],
            checks=mine,
            posts=[(name, checkpoint_name(site, name)) for name in _posts(site, mine)],
            codes=_codes(site, language),
            people=_people(site, named=named),
            may_photo=session_of(request).account.may("checks"),
        )

    @app.get("/scores", include_in_schema=False, dependencies=[needs("rounds")])
    async def scores_page(
        request: Request,
        only: Annotated[str | None, Query(alias="item", max_length=100)] = None,
        skip: Annotated[int, Query(alias="from", ge=0, le=1_000_000)] = 0,
    ) -> Response:
        language = chosen(request, site.language)
        account = session_of(request).account
        named = _named(request)
        period = asked(gateway, request.query_params.get("period"))
        today = moment(gateway.now(), site.zone_info).date()
        document = for_reader(gateway, request, await score(gateway, period))
        sees_all = account.may("score")
        appeals = [each for each in reversed(book(gateway).appeals()) if sees_all or each.by == account.name]
        part: Any = "year_end" if period.kind == "year" else "daily"
        return frame.respond(
            request,
            "alone.html",
            inner="scores.html",
            document=document,
            period=period,
            periods=_periods(today),
            due=due_of(period.id),
            items=[
                _item(site, item, language, named=named, part=part, skip=skip if item.id == only else 0)
                for item in document.items
                if only in {None, item.id}
            ],
            only=only,
            appeals=[
                {"appeal": each, "may_decide": account.may("assess") and each.by != account.name,
                 "mine": each.by == account.name}
                for each in appeals[:50]
            ],
            revisions=(await revisions(gateway, period))[::-1] if sees_all else [],
            part=part,
            markable=[
                {"id": each.id, "name": _item_name(site, each.id, each.name, language, part), "most": each.points["manual"] / 1000}
                for each in items_of(site, part)
                if "manual" in each.points and period.since <= gateway.now()
            ],
            mark_at=moment(period.until - SECOND, site.zone_info).isoformat() if period.until <= gateway.now() else None,
            people=_people(site, named=named),
            me=person_of(site, account),
            sees_all=sees_all,
            open_appeals={each.id for each in book(gateway).appeals() if each.state == "open"},
            closed=book(gateway).closed(period.id),
        )  # fmt: skip


def finding_word(site: Site, code: str, language: Language) -> str:
    """What a finding is called: by the table, else by the site."""
    if code in FINDINGS:
        return FINDINGS[code][language == "en"]
    return next((check.findings[code] for check in site.duty_checks.values() if code in check.findings), code)


def _codes(site: Site, language: Language) -> list[tuple[str, str]]:
    own = [code for check in site.duty_checks.values() for code in check.findings]
    return [(code, finding_word(site, code, language)) for code in dict.fromkeys([*FINDINGS, *own])]


def _posts(site: Site, checks: Sequence[str]) -> list[str]:
    first = [post for name in checks for post in site.duty_checks[name].posts]
    return list(dict.fromkeys([*first, *site.checkpoints])) if checks else []


def _people(site: Site, *, named: bool) -> list[tuple[str, str]]:
    return [(each.id, each.name if named else each.id) for each in site.people.values() if "resident" not in each.roles]


def _item_name(site: Site, item: str, name: str, language: Language, part: str) -> str:
    """As the site says it; an item of the usual table in the reader's language."""
    own = site.scores.items if part == "daily" else site.scores.year_end_items
    found = word(language, "score_item", item)
    return name if own or found == item else found


def _item(site: Site, item: ItemScore, language: Language, *, named: bool, part: str, skip: int) -> dict[str, Any]:
    shown = item.deductions[skip : skip + DEDUCTIONS_SHOWN]
    return {
        "item": item,
        "name": _item_name(site, item.id, item.name, language, part),
        "rows": [_row(site, each, language, named=named) for each in shown],
        "skipped": skip,
        "more": max(0, len(item.deductions) - skip - len(shown)),
        "share": round(100 * item.lost / item.weight) if item.weight else 0,
    }


def _row(site: Site, each: Deduction, language: Language, *, named: bool) -> dict[str, Any]:
    evidence = each.evidence
    facts = evidence.facts
    what, href = evidence.id, None
    match evidence.kind:
        case "visit":
            what = checkpoint_name(site, str(facts.get("checkpoint", "")))
            href = "/rounds/" + quote(evidence.id, safe="")
        case "duty_check":
            what = checkpoint_name(site, str(facts["post"])) if "post" in facts else evidence.id
            href = "/duty-checks#" + quote(evidence.id, safe="")
        case "work_order":
            href = "/work-orders/" + quote(evidence.id, safe="")
        case "lamp":
            place = site.lamps[evidence.id].place if evidence.id in site.lamps else None
            what = f"{place_name(site, place)} {evidence.id}".strip()
            href = f"/api/v1/lamps/{quote(evidence.id, safe='')}/explain"
        case "camera":
            device = site.devices.get(evidence.id)
            what = f"{place_name(site, device.place if device else None)} {evidence.id}".strip()
            href = f"/api/v1/cameras/{quote(evidence.id, safe='')}/explain"
        case "inspection":
            what = ""
    return {
        "deduction": each,
        "kind": _kind(site, each.kind, language),
        "what": what,
        "href": href,
        "round": _round(site, evidence.id) if evidence.kind == "visit" else "",
        "complete_to": _clock(str(facts.get("watermark") or "")),
        "persons": [person_name(site, person, named=named) for person in each.persons],
        "stretches": [
            (first.strftime("%m-%d %H:%M"), last.strftime("%m-%d %H:%M")) for first, last in evidence.stretches[:12]
        ],
        "more": max(0, int(facts.get("stretches", 0)) - 12),
    }


def _round(site: Site, round_id: str) -> str:
    """A round by its route's name and its start."""
    route, _, start = round_id.partition("@")
    return f"{route_name(site, route)} {_clock(start)}"


def _clock(stamp: str) -> str:
    """An instant with its offset as day and clock time; nothing if there is none."""
    return f"{datetime.fromisoformat(stamp):%m-%d %H:%M}" if stamp else ""


def _kind(site: Site, kind: str, language: Language) -> str:
    if kind in KINDS:
        return KINDS[kind].en if language == "en" else KINDS[kind].zh
    return finding_word(site, kind.removeprefix(FINDING), language)


def _periods(today: date) -> list[str]:
    """The quarters and years that may be asked for by a click, newest first."""
    this = quarter_of(today)
    year, number = int(this[:4]), int(this[-1])
    found = []
    for back in range(6):
        index = year * 4 + number - 1 - back
        found.append(f"{index // 4}-Q{index % 4 + 1}")
    return [*found, str(year), str(year - 1)]


def _named(request: Request) -> bool:
    return session_of(request).account.may("names")


def _local(site: Site, text: str | None) -> Any:
    return None if text is None else moment(parse_instant(text), site.zone_info)
