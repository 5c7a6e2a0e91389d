"""The console's pages and the sections that a page fetches again when something changed."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import Needs, needs, session_of
from api.access.invitations import Invitations
from api.access.roles import Right
from api.access.scope import part_seen
from api.answers import tagged
from api.console import accounts as accounts_pages
from api.console import (
    alerts,
    assess,
    cameras,
    devices,
    entrance,
    health,
    lights,
    orders,
    people,
    places,
    quarantine,
    quiet,
    reports,
    room,
    rounds,
    walked,
)
from api.console.frame import Frame, static_file
from api.console.languages import chosen
from api.console.plan import ProtectionMap
from api.console.timeline import SPANS, Span
from api.ports import GatewayPort
from api.problems import Denied, Shown, show_people
from gateway.instants import moment

Section = Literal["summary", "alerts", "plan", "rounds", "zones", "lights", "links"]

SECTIONS: dict[Section, Right] = {
    "summary": "rounds",
    "alerts": "alerts",
    "plan": "estate",
    "rounds": "rounds",
    "zones": "estate",
    "lights": "estate",
    "links": "estate",
}
"""What the control room is made of, and the right that each part needs; a page shows what its reader may see."""

SCOPED: frozenset[Section] = frozenset({"summary", "alerts", "rounds", "zones", "lights"})
"""What is shown of a part of the site to who sees no more: floor plans show whole floors, links are the whole site's."""


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts, invitations: Invitations) -> None:
    """Add the console."""
    site = gateway.site
    frame = Frame(site, gateway.now)
    entrance.add(app, gateway, accounts, invitations, frame)
    accounts_pages.add(app, gateway, accounts, frame)
    orders.add(app, gateway, frame)
    reports.add(app, gateway, frame)
    assess.add(app, gateway, frame)
    quiet.add(app, gateway, frame)
    people.add(app, gateway, frame)
    walked.add(app, gateway, frame)
    rounds.add(app, gateway, frame)
    alerts.add(app, gateway, frame)
    devices.add(app, gateway, frame)
    quarantine.add(app, gateway, frame)
    health.add(app, gateway, frame)
    protection = ProtectionMap(gateway)
    places.add(app, gateway, frame, protection)
    lights.add(app, gateway, frame)
    cameras.add(app, gateway, frame)

    def problem_page(request: Request, status: int, detail: str) -> Response:
        return frame.respond(request, "problem.html", status, code=status, detail=detail)

    show_people(app, Shown(frame.problem_words, problem_page))

    async def section_values(section: Section, request: Request) -> dict[str, Any]:
        language, seen = chosen(request, site.language), part_seen(request).gateway
        match section:
            case "summary":
                return {"summary": await room.summary(seen)}
            case "alerts":
                return {"alerts": room.alerts_section(seen, language)}
            case "plan":
                return {"plan": await protection.section(language)}
            case "rounds":
                return {"rounds": await room.rounds_section(seen, _span(request))}
            case "zones":
                return {"zones": room.zones_section(seen)}
            case "lights":
                return {"lights": room.lights_section(seen)}
            case "links":
                return {"links": room.links_section(seen)}

    @app.get("/static/{name}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        found = static_file(name)
        if found is None:
            raise Denied(404, f"There is no {name!r}.")
        return tagged(request, *found)

    @app.get("/", include_in_schema=False, dependencies=[needs("rounds", scoped=True)])
    async def control_room(request: Request) -> Response:
        account = session_of(request).account
        # Read before the sections: what changes meanwhile is then told again, never missed.
        latest = gateway.events.latest
        shown = [
            section
            for section, right in SECTIONS.items()
            if account.may(right) and (account.places is None or section in SCOPED)
        ]
        values: dict[str, Any] = {}
        for section in shown:
            values |= await section_values(section, request)
        now = moment(gateway.now(), site.zone_info)
        wall = request.query_params.get("wall") == "1"
        return frame.respond(request, "control_room.html", shown=shown, latest=latest, now=now, wall=wall, **values)

    @app.get("/console/{section}", include_in_schema=False, dependencies=[needs("rounds", scoped=True)])
    async def read_section(request: Request, section: Section) -> Response:
        Needs(SECTIONS[section], scoped=section in SCOPED).check(request)
        now = moment(gateway.now(), site.zone_info)
        values = await section_values(section, request)
        html = frame.render(request, f"section_{section}.html", now=now, **values)
        return tagged(request, html.encode(), "text/html; charset=utf-8")


def _span(request: Request) -> Span | None:
    """How much of the night is asked for; None: what fits."""
    return next((span for span in SPANS if span == request.query_params.get("span")), None)
