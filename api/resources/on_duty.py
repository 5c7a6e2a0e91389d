"""Who is on duty: the calendar, and who stands in for whom."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import needs, origin_of, session_of
from api.answers import MOST, Moment, Page, answer
from api.answers import at as instant_of
from api.arrangements import DutyShape, OnDuty, ShiftShape, SwapAction, SwapEnd
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from gateway.alerts.book import Refused
from gateway.alerts.duty import AHEAD, Swap
from gateway.books import BookOperation
from gateway.instants import Instant, moment
from gateway.site.shifts import DatedShift, after_swap, on_shift


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/duty` and its swaps."""
    zone = gateway.site.zone_info

    @app.get("/api/v1/duty", tags=["duty"], responses=one("DutyShape"), dependencies=[needs("alerts")])
    async def read_duty(request: Request, at: Moment = None) -> Response:
        """Who is on duty at `at`, by default now; of the past, who was."""
        when = instant_of(at, "at")
        when = gateway.now() if when is None else when
        named = session_of(request).account.may("names")
        shifts = [_shape(gateway, shift, named=named) for shift in await shifts_at(gateway, when)]
        return answer(request, DutyShape(at=moment(when, zone), shifts=shifts))

    @app.get("/api/v1/duty/swaps", tags=["duty"], responses=many("Swap"), dependencies=[needs("alerts")])
    async def read_swaps(request: Request, since: Moment = None, until: Moment = None) -> Response:
        """Swaps of shifts that are not over; with `since` or `until` all whose shift begins in [since, until)."""
        first, last = instant_of(since, "since"), instant_of(until, "until")
        if first is None and last is None:
            return answer(request, Page[Any](items=gateway.judgement.alerts.duty.swaps()))
        found = await gateway.archive.items(
            "duty", first or 0, gateway.now() + AHEAD + 1 if last is None else last, MOST
        )
        return answer(request, Page[Any](items=found))

    @app.post(
        "/api/v1/duty/swaps",
        tags=["duty"],
        responses=one("Swap") | REFUSED,
        dependencies=[needs("arrange")],
        openapi_extra=takes(
            "SwapAction",
            {"shift": "night", "date": "2026-11-22", "away": "c-li", "instead": "c-chen", "why": "ill"},
        ),
    )
    async def make_swap(request: Request) -> Response:
        """Somebody stands in for one shift."""
        said = await _body(request, SwapAction)
        return answer(request, await _operate(request, "create", None, _by_value(said), said.why))

    @app.post(
        "/api/v1/duty/swaps/{swap_id:path}/cancel",
        tags=["duty"],
        responses=one("Swap") | REFUSED,
        dependencies=[needs("arrange")],
        openapi_extra=takes("SwapEnd", {"why": "he is well again"}),
    )
    async def cancel_swap(request: Request, swap_id: str) -> Response:
        """It is off: who the calendar names is on duty."""
        said = await _body(request, SwapEnd)
        standing = next((each for each in gateway.judgement.alerts.duty.swaps() if each.id == swap_id), None)
        details = {} if standing is None else _by_value(standing)
        return answer(request, await _operate(request, "cancel", swap_id, details, said.why))

    async def _operate(
        request: Request, action: str, subject: str | None, details: dict[str, Any], why: str
    ) -> msgspec.Struct | None:
        who = session_of(request).account.name
        operation = BookOperation(
            at=gateway.now(), by=who, book="duty", action=action, subject=subject, details=details, why=why.strip()
        )
        try:
            after = await gateway.operate(operation)
        except Refused as refusal:
            about = subject or f"{details['shift']}@{details['date']}"
            await accounts.record(
                who, origin_of(request), f"duty.{action}", about, outcome="refused", detail=refusal.reason
            )
            raise
        assert isinstance(after, Swap)
        detail = f"{after.shift} {after.date}: {after.away or '-'} → {after.instead or '-'}; {why.strip()}"
        await accounts.record(who, origin_of(request), f"duty.{action}", after.id, detail=detail)
        return after


def _by_value(said: SwapAction | Swap) -> dict[str, Any]:
    """What is agreed, so that the log says it by itself."""
    return {"shift": said.shift, "date": said.date.isoformat(), "away": said.away, "instead": said.instead}


async def shifts_at(gateway: GatewayPort, when: Instant) -> list[DatedShift]:
    """The shifts that ran, run or will run at `when`, with who was, is or will be on them."""
    found: list[DatedShift] = []
    for shift in on_shift(gateway.site, when):
        swaps = {swap.id: swap for swap in gateway.judgement.alerts.duty.swaps()}
        if shift.end <= gateway.now():
            items = await gateway.archive.items("duty", shift.start, shift.start + 1, MOST)
            swaps |= {swap.id: swap for item in items if (swap := msgspec.convert(item, Swap)).state == "over"}
        for name in sorted(swaps, key=lambda name: int(name.rpartition("/")[2])):
            shift = after_swap(shift, swaps[name])  # noqa: PLW2901  one after the other
        found.append(shift)
    return found


def _shape(gateway: GatewayPort, shift: DatedShift, *, named: bool) -> ShiftShape:
    site = gateway.site
    people = []
    for name in shift.people:
        person = site.people.get(name)
        people.append(
            OnDuty(
                id=name,
                name=person.name if person is not None and named else None,
                captain=name in shift.captains,
                contact=person is not None and person.contact in site.alerting.contacts,
            )
        )
    return ShiftShape(
        shift=shift.shift,
        date=shift.date,
        since=moment(shift.start, site.zone_info),
        until=moment(shift.end, site.zone_info),
        people=people,
    )


async def _body(request: Request, shape: type[Any]) -> Any:
    raw = await request.body()
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error
