"""Alerts and what people do with them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import needs, origin_of, session_of
from api.access.scope import part_seen
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Page, answer, read_cursor, write_cursor
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from api.shapes import AlertAction, DeviceAction
from gateway.alerts.alert import Action, Alert, Operation
from gateway.alerts.book import Refused
from gateway.instants import Instant, instant, parse_instant
from gateway.rules.operations import DeviceOperation

ACTIONS: dict[Action, str] = {
    "ack": "Somebody has seen it and will see to it",
    "start": "Work has begun",
    "resolve": "The condition has ended, by a person's word; needs a reason",
    "close": "Verified by a person's follow-up; needs a reason",
    "comment": "A note in the history; changes no state",
}
NEEDS_REASON = frozenset({"resolve", "close", "comment"})
_LONGEST_REASON = 1000
_MOST_SAME_INSTANT = 4096

AnyAlert = Alert | Mapping[str, Any]
DeviceWord = Literal["disable", "enable", "clear"]
Said = TypeVar("Said", AlertAction, DeviceAction)


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/alerts` and its actions, and the operator's word about devices."""

    @app.get("/api/v1/alerts", tags=["alerts"], responses=many("Alert"), dependencies=[needs("alerts", scoped=True)])
    async def read_alerts(
        request: Request,
        *,
        active: Annotated[bool, Query(description="Only open, acknowledged and in progress.")] = False,
        severity: str | None = None,
        rule: str | None = None,
        subject: str | None = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Alerts, newest `raised` first."""

        def wanted(item: AnyAlert) -> bool:
            return (
                severity in {None, _text(item, "severity")}
                and rule in {None, _text(item, "rule")}
                and subject in {None, _text(item, "subject")}
            )

        found, after = await alert_page(part_seen(request).gateway, mark_of(cursor), limit, active=active)
        token = write_cursor(after) if after is not None else None
        return answer(request, Page(items=[item for item in found if wanted(item)], next=token))

    @app.get(
        "/api/v1/alerts/{alert_id:path}",
        tags=["alerts"],
        responses=one("Alert") | REFUSED,
        dependencies=[needs("alerts", scoped=True)],
    )
    async def read_alert(request: Request, alert_id: str) -> Response:
        """One alert with its history."""
        seen = part_seen(request).gateway
        found: AnyAlert | None = seen.judgement.alerts.alert(alert_id) or await seen.archive.alert(alert_id)
        if found is None:
            raise Denied(404, f"There is no alert {alert_id!r}.")
        return answer(request, found)

    for action, summary in ACTIONS.items():
        _add_action(app, gateway, accounts, action, summary)

    @app.post(
        "/api/v1/devices/{device_id:path}/{action}",
        tags=["devices"],
        status_code=204,
        responses=REFUSED,
        dependencies=[needs("handle")],
        openapi_extra=takes("DeviceAction", {"why": "lens cleaned", "impairment": "blind"}),
    )
    async def operate_device(request: Request, device_id: str, action: DeviceWord) -> Response:
        """Take a device out of service (`disable`) or back (`enable`), or end an impairment by name (`clear`)."""
        said = await _body(request, DeviceAction)
        if device_id not in gateway.site.devices:
            raise Denied(404, f"There is no device {device_id!r}.")
        _check_reason(said.why, needed=True)
        if (action == "clear") != (said.impairment is not None):
            raise Denied(422, "impairment: expected with `clear`, and only there.", "invalid")
        who = session_of(request).account.name
        await gateway.operate(
            DeviceOperation(
                at=gateway.now(),
                by=who,
                action=action,
                device=device_id,
                impairment=said.impairment,
                why=said.why.strip(),
            )
        )
        detail = f"{said.impairment}: {said.why}" if said.impairment else said.why
        await accounts.record(who, origin_of(request), f"device.{action}", device_id, detail=detail)
        return Response(status_code=204)


def _add_action(app: FastAPI, gateway: GatewayPort, accounts: Accounts, action: Action, summary: str) -> None:
    async def operate(request: Request, alert_id: str) -> Response:
        said = await _body(request, AlertAction)
        _check_reason(said.why, needed=action in NEEDS_REASON)
        who = session_of(request).account.name
        operation = Operation(at=gateway.now(), by=who, action=action, alert=alert_id, why=said.why.strip())
        try:
            after = await gateway.operate(operation)
        except Refused as refusal:
            await accounts.record(
                who, origin_of(request), f"alert.{action}", alert_id, outcome="refused", detail=refusal.reason
            )
            raise
        await accounts.record(who, origin_of(request), f"alert.{action}", alert_id, detail=said.why)
        return answer(request, after)

    app.post(
        f"/api/v1/alerts/{{alert_id:path}}/{action}",
        name=f"{action}_alert",
        summary=summary,
        tags=["alerts"],
        responses=one("Alert") | REFUSED,
        dependencies=[needs("handle")],
        openapi_extra=takes("AlertAction", {"why": "breaker reset, lamps are lit"}),
    )(operate)


async def alert_page(
    gateway: GatewayPort, after: tuple[Instant, str] | None, limit: int, *, active: bool
) -> tuple[list[AnyAlert], tuple[Instant, str] | None]:
    """Alerts newest first (of one instant, by id), from memory and the journal; and where the page ended, if more follow."""
    living = gateway.judgement.alerts.alerts(active=active)
    # Memory's are in order already.
    ahead = list(islice((item for item in living if _follows(item, after)), limit + 1))
    past: list[AnyAlert] = []
    if not active:
        # Asked from one instant later and counted off, so that alerts raised in the same instant are not skipped.
        known = {item.id for item in living}
        before = after[0] + 1 if after is not None else None
        count = limit + 1
        while True:
            fetched = list(await gateway.archive.alerts(before, count))
            past = [item for item in fetched if _text(item, "id") not in known and _follows(item, after)]
            if len(past) > limit or len(fetched) < count or count >= _MOST_SAME_INSTANT:
                break
            if len(ahead) > limit and raised_of(fetched[-1]) < raised_of(ahead[-1]):
                break  # memory fills the page, and what the journal has beyond is older
            count *= 2
    merged = sorted([*ahead, *past], key=_order)
    found = merged[:limit]
    more = len(merged) > limit
    return found, _place(found[-1]) if more else None


def raised_of(item: AnyAlert) -> Instant:
    """When an alert's condition began."""
    return instant(item.raised) if isinstance(item, Alert) else parse_instant(item["raised"])


def _place(item: AnyAlert) -> tuple[Instant, str]:
    return raised_of(item), _text(item, "id")


def _order(item: AnyAlert) -> tuple[Instant, str]:
    raised, key = _place(item)
    return -raised, key


def _follows(item: AnyAlert, after: tuple[Instant, str] | None) -> bool:
    return after is None or _order(item) > (-after[0], after[1])


def mark_of(cursor: str | None) -> tuple[Instant, str] | None:
    """Where a page of alerts ended.

    Raises:
        Denied: 422, it is none of ours.
    """
    match read_cursor(cursor):
        case None:
            return None
        case (int() as raised, str() as key):
            return raised, key
    raise Denied(422, "cursor: expected the `next` of a page of this list.", "invalid")


def _text(item: AnyAlert, key: str) -> str:
    value: str = getattr(item, key) if isinstance(item, Alert) else item[key]
    return value


async def _body(request: Request, shape: type[Said]) -> Said:
    raw = await request.body()
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error


def _check_reason(why: str, *, needed: bool) -> None:
    if needed and not why.strip():
        raise Denied(422, "why: expected a reason; it stands in the history.", "invalid")
    if len(why) > _LONGEST_REASON:
        raise Denied(422, f"why: expected at most {_LONGEST_REASON} characters.", "invalid")
