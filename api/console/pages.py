"""The console's pages and the sections that a page fetches again when something changed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import Needs, needs, session_of
from api.access.invitations import Invitations
from api.access.roles import Right, allowed
from api.answers import tagged
from api.console import assess, entrance, history, orders, quiet, reports, room
from api.console.frame import Frame, static_file
from api.console.languages import Language, chosen
from api.console.names import checkpoint_name, person_name, place_name
from api.console.timeline import SPANS, Span, as_round, verdict_code
from api.console.told import said
from api.notices import notices
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.rounds import round_of
from gateway.alerts import wording
from gateway.alerts.alert import Alert
from gateway.explain.rounds import explain_round
from gateway.instants import moment

TOLD = 200
"""Of so many notices, the newest, an alert's page says who was told."""

Section = Literal["summary", "alerts", "rounds", "zones", "lights", "links"]

SECTIONS: dict[Section, Right] = {
    "summary": "rounds",
    "alerts": "alerts",
    "rounds": "rounds",
    "zones": "estate",
    "lights": "estate",
    "links": "estate",
}
"""What the control room is made of, and the right that each part needs; a page shows what its reader may see."""


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts, invitations: Invitations) -> None:
    """Add the console."""
    site = gateway.site
    frame = Frame(site)
    entrance.add(app, gateway, accounts, invitations, frame)
    orders.add(app, gateway, frame)
    reports.add(app, gateway, frame)
    assess.add(app, gateway, frame)
    quiet.add(app, gateway, frame)

    async def section_values(section: Section, request: Request) -> dict[str, Any]:
        language = chosen(request, site.language)
        match section:
            case "summary":
                return {"summary": await room.summary(gateway)}
            case "alerts":
                return {"alerts": room.alerts_section(gateway, language)}
            case "rounds":
                return {"rounds": await room.rounds_section(gateway, _span(request))}
            case "zones":
                return {"zones": room.zones_section(gateway)}
            case "lights":
                return {"lights": room.lights_section(gateway)}
            case "links":
                return {"links": room.links_section(gateway)}

    @app.get("/static/{name}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        found = static_file(name)
        if found is None:
            raise Denied(404, f"There is no {name!r}.")
        return tagged(request, *found)

    @app.get("/", include_in_schema=False, dependencies=[needs("rounds")])
    async def control_room(request: Request) -> Response:
        role = session_of(request).account.role
        # Read before the sections: what changes meanwhile is then told again, never missed.
        latest = gateway.events.latest
        shown = [section for section, right in SECTIONS.items() if allowed(role, right)]
        values: dict[str, Any] = {}
        for section in shown:
            values |= await section_values(section, request)
        now = moment(gateway.now(), site.zone_info)
        return frame.respond(request, "control_room.html", shown=shown, latest=latest, now=now, **values)

    @app.get("/console/{section}", include_in_schema=False, dependencies=[needs("rounds")])
    async def read_section(request: Request, section: Section) -> Response:
        Needs(SECTIONS[section]).check(request)
        now = moment(gateway.now(), site.zone_info)
        values = await section_values(section, request)
        html = frame.render(request, f"section_{section}.html", now=now, **values)
        return tagged(request, html.encode(), "text/html; charset=utf-8")

    @app.get("/rounds/{round_id:path}", include_in_schema=False, dependencies=[needs("rounds")])
    async def round_page(request: Request, round_id: str) -> Response:
        found = await round_of(gateway, round_id)
        if found is None:
            raise Denied(404, f"There is no round {round_id!r}.")
        named = allowed(session_of(request).account.role, "names")
        shown = as_round(found)
        reasons = _reasons(gateway, round_id, chosen(request, site.language), named=named)
        rows = [
            {
                "visit": visit,
                "code": verdict_code(visit),
                "name": checkpoint_name(site, visit.checkpoint),
                "deviation": _deviation(visit.deviation_s),
                "person": person_name(site, visit.person, named=named),
                "reason": reasons.get(f"{round_id}#{visit.position}"),
            }
            for visit in shown.visits
        ]
        return _panel(request, frame, "round.html", round=shown, rows=rows)

    @app.get("/alerts/{alert_id:path}", include_in_schema=False, dependencies=[needs("alerts")])
    async def alert_page(request: Request, alert_id: str) -> Response:
        found = gateway.judgement.alerts.alert(alert_id)
        if found is None and (past := await gateway.past_alert(alert_id)) is not None:
            found = msgspec.convert(past, Alert)
        if found is None:
            raise Denied(404, f"There is no alert {alert_id!r}.")
        told = await notices(gateway, {"alert = ?": alert_id}, TOLD, session_of(request).account.role)
        language = chosen(request, site.language)
        row = room.alert_row(site, found, language)
        return _panel(
            request,
            frame,
            "alert.html",
            alert=found,
            told=told[::-1],
            said=lambda detail: said(language, detail),
            title=row.title,
            message=row.message,
            offered=row.offered,
            may_silence=row.may_silence,
            reason=lambda why: history.reason(language, why),
            quiet=next(
                (one for one in gateway.judgement.alerts.silences.standing() if one.id == found.suppressed), None
            ),
            place=place_name(site, found.place),
            cause=wording.cause_name(site, found.caused_by, language),
            round_id=found.subject if found.subject.partition("@")[0] in site.routes else None,
        )


def _span(request: Request) -> Span | None:
    """How much of the night is asked for; None: what fits."""
    return next((span for span in SPANS if span == request.query_params.get("span")), None)


def _reasons(gateway: GatewayPort, round_id: str, language: Language, *, named: bool) -> dict[str, tuple[str, str]]:
    """Why each visit is judged as it is, in a sentence, with the rule; nothing of rounds that memory no longer holds."""
    found = explain_round(gateway.judgement, round_id, gateway.now(), named=named)
    if found is None:
        return {}
    return {part.id: (part.sentence.zh if language == "zh_CN" else part.sentence.en, part.rule) for part in found.parts}


def _deviation(seconds: float | None) -> str | None:
    """A signed deviation as `+7:05`; `0:00` is exactly on time."""
    if seconds is None:
        return None
    whole = round(abs(seconds))
    sign = "+" if seconds > 0 and whole else "−" if whole else ""
    return f"{sign}{whole // 60}:{whole % 60:02}"


def _panel(request: Request, frame: Frame, template: str, **values: Any) -> Response:
    """A page of its own, or with `panel=1` only what goes into the control room's side panel."""
    alone = "panel" not in request.query_params
    return frame.respond(request, "alone.html" if alone else template, inner=template, **values)
