"""Pages about alerts: what it is, since when, who was told, what was done."""

from __future__ import annotations

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.console import history, room
from api.console.frame import Frame
from api.console.languages import chosen
from api.console.names import place_name
from api.console.told import said
from api.notices import notices
from api.phone.photos import picture_of
from api.ports import GatewayPort
from api.problems import Denied
from gateway.alerts import wording
from gateway.alerts.alert import Alert

TOLD = 200
"""Of so many notices, the newest, an alert's page says who was told."""


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/alerts/ID`."""
    site = gateway.site

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
        return frame.panel(
            request,
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
            picture=await picture_of(gateway, found),
            cause=wording.cause_name(site, found.caused_by, language),
            round_id=found.subject if found.subject.partition("@")[0] in site.routes else None,
        )
