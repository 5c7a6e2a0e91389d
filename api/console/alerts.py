"""Pages about alerts: all of them with filters, and one: what it is, since when, who was told, what was done, what hangs on it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import date, time, timedelta
from typing import Literal, get_args
from urllib.parse import quote, urlencode

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.scope import part_seen
from api.answers import write_cursor
from api.console import history, room
from api.console.evidenced import evidenced, times_of
from api.console.frame import Frame
from api.console.languages import chosen
from api.console.names import person_name, place_name
from api.console.timeline import as_round
from api.console.told import said
from api.notices import notices
from api.phone.photos import picture_of
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.alerts import AnyAlert, alert_page, mark_of
from api.resources.rounds import round_of
from gateway.alerts import lifecycle, wording
from gateway.alerts.alert import Alert
from gateway.alerts.catalogue import CATALOGUE, rule_of
from gateway.explain.rounds import explain_round
from gateway.instants import Instant, instant
from gateway.site.clocks import wall_time
from gateway.site.model import Severity, Site
from gateway.work_orders.book import WorkOrders

TOLD = 200
"""Of so many notices, the newest, an alert's page says who was told."""
RELATED = 50
"""Alerts that this one explains, shown on its page."""

SHOWN = 50
_FETCHED = 200
_FETCHES = 10
"""A page looks at no more than 2000 alerts for those that are asked for; the next page goes on from there."""

Shown = Literal["active", "quiet", "ended", "all"]
SHOWS: tuple[Shown, ...] = get_args(Shown)


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    show: Shown = "active"
    severity: Severity | None = None
    rule: str | None = None
    place: str | None = None
    until: date | None = None

    def takes(self, alert: Alert) -> bool:
        """Whether an alert is one of them."""
        active = alert.state in lifecycle.ACTIVE
        return (
            (self.show == "all" or (self.show == "ended") is not active)
            and (self.show != "quiet" or alert.suppressed is not None)
            and (self.show != "active" or alert.suppressed is None)
            and self.severity in {None, alert.severity}
            and self.rule in {None, alert.rule}
            and (self.place is None or f"{alert.place or ''}/".startswith(f"{self.place}/"))
        )

    def query(self, **more: str) -> str:
        """As it stands in an address."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return urlencode({name: str(value) for name, value in values.items() if value is not None} | more)


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/alerts` and `/alerts/ID`."""
    site = gateway.site

    @app.get("/alerts", include_in_schema=False, dependencies=[needs("alerts")])
    async def alerts_page(request: Request, cursor: str | None = None) -> Response:
        language = chosen(request, site.language)
        filters = _filters(site, request.query_params)
        found, after = await _matching(gateway, filters, _mark(cursor, filters, site))
        rows = [room.alert_row(site, each, language) for each in found]
        return frame.respond(
            request,
            "alone.html",
            inner="alerts.html",
            rows=rows,
            filters=filters,
            shows=SHOWS,
            severities=room.SEVERITIES,
            rules=[
                (rule, rule_of(rule).title_zh if language == "zh_CN" else rule_of(rule).title_en) for rule in CATALOGUE
            ],
            places=[(place, place_name(site, place)) for place in site.places],
            place_of=lambda alert: place_name(site, alert.place),
            following=None if after is None else filters.query(cursor=write_cursor(after)),
            first=cursor is None,
        )

    @app.get("/alerts/{alert_id:path}", include_in_schema=False, dependencies=[needs("alerts", scoped=True)])
    async def alert_page_of(request: Request, alert_id: str) -> Response:
        part = part_seen(request)
        seen = part.gateway
        found = seen.judgement.alerts.alert(alert_id)
        if found is None and (past := await seen.archive.alert(alert_id)) is not None:
            found = msgspec.convert(past, Alert)
        if found is None:
            raise Denied(404, f"There is no alert {alert_id!r}.")
        whole = part.places is None
        told = await notices(gateway, {"alert = ?": alert_id}, TOLD, session_of(request).account) if whole else []
        language, named = chosen(request, site.language), session_of(request).account.may("names")
        row = room.alert_row(site, found, language)
        orders = seen.judgement.books.get("work_order")
        below = _explained_by(seen, found)
        stored = await round_of(seen, found.subject)
        walked = None if stored is None else as_round(stored)
        times = times_of(part.explained(explain_round(gateway.judgement, found.subject, gateway.now(), named=named)))
        return frame.panel(
            request,
            "alert.html",
            picture=await picture_of(gateway, found) if whole else None,
            alert=found,
            told=told[::-1],
            said=lambda detail: said(language, detail),
            title=row.title,
            name=row.name,
            message=row.message,
            offered=row.offered,
            may_silence=row.may_silence,
            reason=lambda why: history.reason(
                language, why, lambda person: person_name(site, person, named=named) or person
            ),
            quiet=next((one for one in seen.judgement.alerts.silences.standing() if one.id == found.suppressed), None),
            place=place_name(site, found.place),
            place_id=found.place,
            cause=wording.cause_name(site, found.caused_by, language),
            round_id=found.subject if found.subject.partition("@")[0] in site.routes else None,
            subject_page=_subject_page(site, found),
            order=orders.of_alert(alert_id) if isinstance(orders, WorkOrders) else None,
            below=[room.alert_row(site, each, language) for each in below[:RELATED]],
            more_below=max(0, len(below) - RELATED),
            evidence=[evidenced(site, key, language, walked, times) for key in _evidence(found)],
        )


def _evidence(alert: Alert) -> list[str]:
    """What the alert rests on, each once."""
    return list(dict.fromkeys(key for step in alert.history for key in step.evidence))[-RELATED:]


def _filters(site: Site, asked: Mapping[str, str]) -> Filters:
    """Filters of an address; what is none of ours is refused.

    Raises:
        Denied: 422.
    """
    given = {name: value for name in Filters.__struct_fields__ if (value := asked.get(name))}
    try:
        filters = msgspec.convert(given, Filters, strict=False)
    except msgspec.ValidationError as error:
        raise Denied(422, f"{error}.", "invalid") from error
    if filters.rule is not None and filters.rule not in CATALOGUE:
        raise Denied(422, f"rule: there is no {filters.rule!r}.", "invalid")
    if filters.place is not None and filters.place not in site.places:
        raise Denied(422, f"place: there is no {filters.place!r}.", "invalid")
    return filters


def _mark(cursor: str | None, filters: Filters, site: Site) -> tuple[Instant, str] | None:
    """Where the page begins: after the one before, or at the end of the day asked for."""
    if cursor is not None:
        return mark_of(cursor)
    if filters.until is None:
        return None
    return wall_time(filters.until + timedelta(days=1), time(0), site.zone_info).first, ""


async def _matching(
    gateway: GatewayPort, filters: Filters, after: tuple[Instant, str] | None
) -> tuple[list[Alert], tuple[Instant, str] | None]:
    """Alerts that are asked for, newest first, and where to go on; None: there are no more."""
    found: list[Alert] = []
    only_active = filters.show in {"active", "quiet"}
    for _ in range(_FETCHES):
        fetched, following = await alert_page(gateway, after, _FETCHED, active=only_active)
        for item in fetched:
            alert = _alert(item)
            if not filters.takes(alert):
                continue
            found.append(alert)
            if len(found) == SHOWN:
                return found, (instant(alert.raised), alert.id)
        after = following
        if after is None:
            break
    return found, after


def _alert(item: AnyAlert) -> Alert:
    return item if isinstance(item, Alert) else msgspec.convert(dict(item), Alert)


def _explained_by(gateway: GatewayPort, alert: Alert) -> list[Alert]:
    """Alerts in memory that are told by this one."""
    name = f"{alert.rule}:{alert.subject}"
    return [
        each
        for each in gateway.judgement.alerts.alerts()
        if each.id != alert.id and (each.suppressed == alert.id or each.caused_by == name)
    ]


def _subject_page(site: Site, alert: Alert) -> str | None:
    """Where more is to be seen of what an alert is about."""
    subject = alert.subject.partition("@")[0]
    device = site.devices.get(subject)
    cameras = [subject] if device is not None and device.kind == "camera" else []
    pages: tuple[tuple[str, Container[str]], ...] = (
        ("/lights/", site.lamps),
        ("/lights?circuit=", site.circuits),
        ("/cameras#", site.zones),
        ("/cameras/", cameras),
        ("/devices/", site.devices),
    )
    for start, known in pages:
        if subject in known:
            return f"{start}{quote(subject, safe='')}"
    return None
