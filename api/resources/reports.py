"""Reports: fresh ones of any period, and those that were made and sent."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.answers import answer, tagged
from api.console.languages import Language, chosen, say
from api.openapi import ERRORS, REFUSED, file
from api.ports import GatewayPort
from api.problems import Denied
from api.reports.document import Report
from api.reports.gather import gather
from api.reports.periods import NoSuchPeriodError, period
from api.reports.tables import Reader, tables, title
from gateway.instants import moment
from gateway.site.model import Site

_report = msgspec.json.Decoder(Report)
AsSent = Annotated[
    bool, Query(description="The report as it was when it was made and sent, not as things are known now.")
]


class StoredReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was made."""

    id: str
    kind: str
    made: Any


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/reports`, `/reports/{id}` and `/reports/{id}/excel`."""

    @app.get("/api/v1/reports", tags=["reports"], responses=ERRORS, dependencies=[needs("estate")])
    async def read_reports(request: Request) -> Response:
        """Reports that were made, newest first; at most 200."""
        return answer(request, {"items": await stored(gateway), "next": None})

    @app.get("/api/v1/reports/{report_id}", tags=["reports"], responses=REFUSED, dependencies=[needs("estate")])
    async def read_report(request: Request, report_id: str, *, as_sent: AsSent = False) -> Response:
        """A report over a period: `day:2026-11-25`, `week:2026-W48`, `month:2026-11`, `shift:ID:2026-11-25`."""
        return answer(request, await find(gateway, report_id, as_sent=as_sent))

    @app.get(
        "/api/v1/reports/{report_id}/excel",
        tags=["reports"],
        responses=file("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        dependencies=[needs("estate")],
    )
    async def read_workbook(request: Request, report_id: str, *, as_sent: AsSent = False) -> Response:
        """The same as an Excel workbook in the reader's language, one sheet a table."""
        report = await find(gateway, report_id, as_sent=as_sent)
        reader = reader_of(request, gateway.site)
        heading = title(gateway.site, report, reader.language)
        from api.reports import excel  # noqa: PLC0415  openpyxl: 4 MiB that only its users pay

        body = excel.workbook(
            heading, tables(gateway.site, report, reader), notes(gateway.site, report, reader.language)
        )
        response = tagged(request, body, excel.MEDIA_TYPE)
        response.headers["Content-Disposition"] = f'attachment; filename="{report.id.replace(":", "-")}.xlsx"'
        return response


def reader_of(request: Request, site: Site) -> Reader:
    """Whoever asks: the language, and whether names may be shown."""
    return Reader(chosen(request, site.language), session_of(request).account.may("names"))


async def stored(gateway: GatewayPort) -> list[StoredReport]:
    """Reports that were made, newest first."""
    rows = await gateway.query("SELECT id, kind, made FROM report ORDER BY made DESC, id LIMIT 200", ())
    zone = gateway.site.zone_info
    return [StoredReport(id=name, kind=kind, made=moment(made, zone)) for name, kind, made in rows]


async def find(gateway: GatewayPort, name: str, *, as_sent: bool) -> Report:
    """A report of that name.

    Raises:
        Denied: 404, no such period, or none was made of it.
    """
    if as_sent:
        rows = await gateway.query("SELECT body FROM report WHERE id = ? ORDER BY made DESC LIMIT 1", (name,))
        if not rows:
            raise Denied(404, f"No report {name!r} was made.")
        return _report.decode(rows[0][0])
    try:
        return await gather(gateway.site, gateway.archive, period(gateway.site, name), gateway.now())
    except NoSuchPeriodError as error:
        raise Denied(404, f"{error}.") from error


def notes(site: Site, report: Report, language: Language) -> list[str]:
    """What stands below a report: of when it is, whether it is final, and the journal's digest."""

    def clock(key: str) -> str:
        return f"{getattr(report, key):%Y-%m-%d %H:%M}"

    lines = [
        say(language, "report.span", since=clock("since"), until=clock("until"), zone=site.timezone),
        say(language, "report.made", made=clock("made"), judged=clock("judged")),
        say(language, "report.final") if report.final else say(language, "report.not_final", until=clock("late_until")),
    ]
    if report.digest is not None:
        lines.append(say(language, "report.digest", size=report.digest.size, root=report.digest.root))
    return lines
