"""The pages of reports: which there are, and one for reading and print."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.console.frame import Frame
from api.console.languages import chosen
from api.ports import GatewayPort
from api.reports.periods import KINDS, latest, running
from api.reports.tables import tables, title
from api.resources.reports import AsSent, find, notes, reader_of, stored
from gateway.instants import moment


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/reports` and `/reports/{id}`."""
    site = gateway.site

    @app.get("/reports", include_in_schema=False, dependencies=[needs("estate")])
    async def report_list(request: Request) -> Response:
        now = gateway.now()
        recent = [each for kind in KINDS for each in latest(site, kind, now)]
        shown: dict[str, Any] = {
            "recent": recent,
            "running": [*running(site, now)],
            "made": await stored(gateway),
            "today": moment(now, site.zone_info),
        }
        return frame.respond(request, "alone.html", inner="reports.html", **shown)

    @app.get("/reports/{report_id}", include_in_schema=False, dependencies=[needs("estate")])
    async def report_page(request: Request, report_id: str, *, as_sent: AsSent = False) -> Response:
        report = await find(gateway, report_id, as_sent=as_sent)
        language = chosen(request, site.language)
        return frame.respond(
            request,
            "report.html",
            report=report,
            heading=title(site, report, language),
            tables=tables(site, report, reader_of(request, site)),
            notes=notes(site, report, language),
            as_sent=as_sent,
        )
