"""The page of one place: what protects it now, what stands there, and the last day hour by hour; also beside the control room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from markupsafe import Markup

from api.access.door import needs
from api.console import room
from api.console.charts import Caption, Cell, HeatRow, heat_map
from api.console.frame import Frame
from api.console.languages import Language, chosen, say, word
from api.console.plan import ProtectionMap, place_page
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.figures import protection_of
from gateway.figures.protection import Aspect
from gateway.instants import HOUR, moment

_HOURS = 24


def add(app: FastAPI, gateway: GatewayPort, frame: Frame, protection: ProtectionMap) -> None:
    """Add `/places/ID`."""
    site = gateway.site

    @app.get("/places/{key:path}", include_in_schema=False, dependencies=[needs("estate")])
    async def read_place(request: Request, key: str) -> Response:
        if key not in site.places:
            raise Denied(404, f"There is no place {key!r}.")
        language = chosen(request, site.language)
        shown = place_page(gateway, protection, await protection.look(), key)
        values: dict[str, Any] = {
            "place": shown,
            "walked": None if shown.state.last_walked is None else moment(shown.state.last_walked, site.zone_info),
            "rows": [room.alert_row(site, alert, language) for alert in shown.alerts],
            "hours": await _hours(gateway, key, shown.name, language),
        }
        if "panel" in request.query_params:
            return frame.respond(request, "plan_place.html", **values)
        return frame.respond(request, "plan_place_page.html", inner="plan_place.html", **values)


async def _hours(gateway: GatewayPort, place: str, name: str, language: Language) -> Markup | None:
    """The last day of one place, hour by hour; None: too much happened to reckon it here."""
    now = gateway.judgement.now
    try:
        figures = await protection_of(gateway, now - (_HOURS - 1) * HOUR, now, place)
    except Denied:
        return None
    found = figures.items[0]
    aspects = [
        (code, aspect)
        for code, aspect in (
            ("blind", found.blind),
            ("dark", found.dark),
            ("unwalked", found.unwalked),
            ("all_three", found.all_three),
        )
        if aspect is not None
    ]
    if not aspects:
        return None
    starts = [figures.since + timedelta(hours=number) for number in range(figures.hours)]
    totals = {
        code: f"{aspect.total_min:.0f}" if aspect is not None else "–"
        for code, aspect in (("blind", found.blind), ("dark", found.dark), ("unwalked", found.unwalked))
    }
    caption = Caption(
        title=say(language, "place.hours"),
        says=say(language, "place.hours_says", name=name, **totals),
        table=say(language, "chart.table"),
        head=[say(language, "place.hour")],
    )
    rows = [
        HeatRow(
            say(language, "place.all_three") if code == "all_three" else word(language, "protection", code),
            _cells(aspect, starts, language),
        )
        for code, aspect in aspects
    ]
    return heat_map(caption, [f"{start:%H}" for start in starts], rows, most=60)


def _cells(aspect: Aspect, starts: Sequence[datetime], language: Language) -> list[Cell]:
    cells = []
    for start, minutes, unknown in zip(starts, aspect.minutes, aspect.unknown, strict=True):
        if not minutes and (minutes is None or (unknown or 0) > 0):
            cells.append(Cell(None, say(language, "place.minutes_unknown", hour=f"{start:%H}")))
        else:
            cells.append(
                Cell(
                    round(minutes or 0, 1), say(language, "place.minutes", hour=f"{start:%H}", minutes=f"{minutes:.0f}")
                )
            )
    return cells
