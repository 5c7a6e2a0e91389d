"""Silences and planned work: what keeps alerts silent, made and ended by people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import needs, origin_of, session_of
from api.answers import MOST, Limit, Moment, Page, answer, at
from api.arrangements import AlertSilence, SilenceEnd, SilenceWish
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.tonight import tonight
from gateway.alerts.book import Refused
from gateway.alerts.silences import AHEAD, Silence
from gateway.books import BookOperation
from gateway.instants import DAY, SECOND, Instant, instant, moment

Said = TypeVar("Said", bound=msgspec.Struct)


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/silences`, and the silence of an alert."""
    zone = gateway.site.zone_info

    @app.get("/api/v1/silences", tags=["silences"], responses=many("Silence"), dependencies=[needs("alerts")])
    async def read_silences(
        request: Request,
        *,
        kind: Annotated[Literal["silence", "maintenance"] | None, Query(description="Only these.")] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Limit = MOST,
    ) -> Response:
        """What stands or is planned; with `since` or `until` all, ended ones too, whose beginning lies in [since, until)."""
        if since is None and until is None:
            found: list[Any] = [
                item for item in gateway.judgement.alerts.silences.standing() if kind in {None, item.kind}
            ]
        else:
            first, last = _span(gateway, since, until)
            items = await gateway.archive.items("silence", first, last, MOST)
            found = [item for item in items if kind in {None, item["kind"]}]
        return answer(request, Page(items=found[:limit]))

    @app.get(
        "/api/v1/silences/{silence_id:path}",
        tags=["silences"],
        responses=one("SilenceHistory") | REFUSED,
        dependencies=[needs("alerts")],
    )
    async def read_silence(request: Request, silence_id: str) -> Response:
        """One silence or window with its history."""
        found = await gateway.archive.item("silence", silence_id)
        if found is None:
            raise Denied(404, f"There is no silence {silence_id!r}.")
        standing = {item.id: item for item in gateway.judgement.alerts.silences.standing()}
        entries = await gateway.archive.entries("silence", item=silence_id)
        history = [
            {"at": moment(entry["at"], zone), "state": entry["state"], "by": entry["by"], "why": entry["why"]}
            for entry in entries
        ]
        return answer(request, {"item": standing.get(silence_id, found), "history": history})

    @app.post(
        "/api/v1/silences",
        tags=["silences"],
        responses=one("Silence") | REFUSED,
        dependencies=[needs("arrange")],
        openapi_extra=takes(
            "SilenceWish",
            {"on": "lamp", "subject": "lamp-t1-f03", "lasts_s": 3600, "why": "lamp is being replaced"},
        ),
    )
    async def make_silence(request: Request) -> Response:
        """Keep alerts silent: a silence from now on, or planned work."""
        wish = await _body(request, SilenceWish)
        until = _end(gateway, wish, since=wish.since)
        details: dict[str, Any] = {"kind": wish.kind, "on": wish.on, "subject": wish.subject, "rule": wish.rule}
        if wish.since is not None:
            details["from"] = wish.since.isoformat()
        return answer(request, await _operate(request, "create", None, details | {"until": until}, wish.why))

    @app.post(
        "/api/v1/alerts/{alert_id:path}/silence",
        tags=["silences"],
        responses=one("Silence") | REFUSED,
        dependencies=[needs("arrange")],
        openapi_extra=takes("AlertSilence", {"scope": "rule", "lasts_s": 3600, "why": "known, part is ordered"}),
    )
    async def silence_alert(request: Request, alert_id: str) -> Response:
        """Keep an alert, and what is like it, silent from now on."""
        wish = await _body(request, AlertSilence)
        alert = gateway.judgement.alerts.alert(alert_id)
        if alert is None:
            raise Denied(404, f"There is no alert {alert_id!r}.")
        until = _end(gateway, wish)
        about = gateway.judgement.alerts.silences.about(alert, wish.scope)
        details = {"kind": "silence", "until": until} | about
        return answer(request, await _operate(request, "create", None, details, wish.why))

    @app.post(
        "/api/v1/silences/{silence_id:path}/end",
        tags=["silences"],
        responses=one("Silence") | REFUSED,
        dependencies=[needs("arrange")],
        openapi_extra=takes("SilenceEnd", {"why": "repaired"}),
    )
    async def end_silence(request: Request, silence_id: str) -> Response:
        """End one now; planned work that has not begun is called off."""
        said = await _body(request, SilenceEnd)
        return answer(request, await _operate(request, "end", silence_id, {}, said.why))

    async def _operate(
        request: Request, action: str, subject: str | None, details: dict[str, Any], why: str
    ) -> msgspec.Struct | None:
        who = session_of(request).account.name
        operation = BookOperation(
            at=gateway.now(), by=who, book="silence", action=action, subject=subject, details=details, why=why.strip()
        )
        try:
            after = await gateway.operate(operation)
        except Refused as refusal:
            about = subject or f"{details['on']}:{details['subject']}"
            await accounts.record(
                who, origin_of(request), f"silence.{action}", about, outcome="refused", detail=refusal.reason
            )
            raise
        assert isinstance(after, Silence)
        await accounts.record(
            who, origin_of(request), f"silence.{action}", after.id, detail=f"{after.on}:{after.subject}: {why.strip()}"
        )
        return after


def _end(gateway: GatewayPort, wish: SilenceWish | AlertSilence, *, since: datetime | None = None) -> str:
    """When it ends, as RFC 3339."""
    until = wish.until
    if [until is not None, wish.lasts_s is not None, wish.tonight].count(True) != 1:
        raise Denied(422, "expected one of `until`, `lasts_s` and `tonight`.", "invalid")
    if any(time is not None and time.tzinfo is None for time in (since, until)):
        raise Denied(422, "expected times with an offset, such as 2026-11-22T23:00:00+08:00.", "invalid")
    if since is not None and abs(instant(since) - gateway.now()) > AHEAD:
        raise Denied(422, f"from: expected a time within {AHEAD // DAY} days.", "invalid")
    if until is not None:
        return until.isoformat()
    if wish.tonight:
        end = tonight(gateway)
    else:
        end = (gateway.now() if since is None else instant(since)) + (wish.lasts_s or 0) * SECOND
    return moment(end, gateway.site.zone_info).isoformat()


def _span(gateway: GatewayPort, since: str | None, until: str | None) -> tuple[Instant, Instant]:
    first, last = at(since, "since"), at(until, "until")
    last = gateway.now() + AHEAD + 1 if last is None else last
    return (0 if first is None else first), last


async def _body(request: Request, shape: type[Said]) -> Said:
    raw = await request.body()
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error
