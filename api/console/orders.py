"""The pages of work orders: the desk's list, one order, a new report, the paper that goes with the technician, the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.access.door import needs, session_of
from api.console.frame import Frame
from api.console.languages import Language, chosen
from api.console.names import checkpoint_name, person_name, place_name, subject_name
from api.orders import OrderShape
from api.ports import GatewayPort
from api.problems import Denied
from api.reports.ledger import tables
from api.reports.tables import Reader
from api.resources.work_orders import Action, book_of, ledger_of, month_now, order_of, with_words
from gateway.alerts.catalogue import rule_of
from gateway.alerts.wording import cause_name, message
from gateway.instants import DAY, HOUR, MINUTE, Instant, instant, moment
from gateway.site.model import Site
from gateway.work_orders.lifecycle import FINAL, TABLE, State, Trigger
from gateway.work_orders.order import Order

SHOWN = 100
"""Orders of each list at once; the list says how many more there are and leads to them."""
RECENT = 30
RECENT_FOR = 7 * DAY
_TRIGGERS: dict[Action, tuple[Trigger, ...]] = {
    "assign": ("assign",),
    "arrive": ("arrive",),
    "repair": ("repair",),
    "verify": ("verify",),
    "follow_up": ("follow_up", "reopen", "not_reached"),
    "close": ("close",),
    "prioritise": ("prioritise",),
    "cancel": ("cancel",),
    "comment": ("comment",),
}
"""The buttons, in order, and the steps that each may lead to."""

_LEGAL: frozenset[tuple[State | None, Trigger]] = frozenset((row.before, row.trigger) for row in TABLE)

Skip = Annotated[int, Query(alias="from", ge=0, le=1_000_000)]
Month = Annotated[str | None, Query(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$")]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One order as a row, in words."""

    order: OrderShape
    place: str
    subject: str
    """What it is about, as people call it; empty: nothing but its place."""
    what: str
    alert: str
    assignee: str
    offered: Sequence[Action]
    main: Action | None
    """The next step on the way, if a person does it."""


Listed = Literal["todo", "follow", "finish"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a list of `count` orders: those after the first `skipped`, and then `more` follow."""

    name: Listed
    lines: Sequence[Line]
    count: int
    skipped: int
    more: int


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The desk's lists. `follow`: reporters to be asked, those due first; `finish`: repaired, and nobody is to be asked.

    `only`: the one list that is asked for, from where an earlier page ended; the others are left out.
    """

    todo: Part
    follow: Part
    finish: Part
    recent: Sequence[Line]
    late: int
    due: int
    only: Listed | None


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/work-orders` and what lies below it."""
    site = gateway.site

    @app.get("/work-orders", include_in_schema=False, dependencies=[needs("alerts")])
    async def order_list(
        request: Request, only: Annotated[Listed | None, Query(alias="list")] = None, skip: Skip = 0
    ) -> Response:
        latest = gateway.events.latest
        desk = await _desk(gateway, request, only, skip if only is not None else 0)
        return _page(request, frame, "orders.html", desk=desk, latest=latest, now=_now(gateway))

    @app.get("/work-orders/new", include_in_schema=False, dependencies=[needs("handle")])
    async def new_order(request: Request) -> Response:
        places = [(place, place_name(site, place)) for place in sorted(site.places)]
        within = site.work_orders
        return frame.respond(
            request,
            "alone.html",
            inner="order_new.html",
            places=places,
            hours=f"{within.ordinary_repair_within / HOUR:g}",
            minutes=f"{within.emergency_arrive_within / MINUTE:g}",
        )

    @app.get("/work-orders/of-alert/{alert_id:path}", include_in_schema=False, dependencies=[needs("alerts")])
    async def order_of_alert(request: Request, alert_id: str) -> Response:
        found = gateway.judgement.alerts.alert(alert_id)
        order = book_of(gateway).of_alert(alert_id)
        if order is not None and order.state not in FINAL:
            return RedirectResponse(f"/work-orders/{order.id}", status_code=303)
        if found is None:
            raise Denied(404, f"There is no alert {alert_id!r} in memory.")
        rule = rule_of(found.rule)
        title = rule.title_zh if chosen(request, site.language) == "zh_CN" else rule.title_en
        told = message(site, found.rule, found.subject, found.details, chosen(request, site.language))
        return frame.respond(request, "alone.html", inner="order_of_alert.html", alert=found, title=title, message=told)

    @app.get("/work-orders/ledger", include_in_schema=False, dependencies=[needs("alerts")])
    async def ledger_page(request: Request, month: Month = None) -> Response:
        wanted = month or month_now(gateway)
        figures, orders = await ledger_of(gateway, wanted)
        reader = Reader(chosen(request, site.language), _named(request))
        shown = await with_words(gateway, orders, named=reader.named, language=reader.language)
        heading, sheets, notes = tables(site, figures, shown, reader, request.state.called)
        return frame.respond(
            request, "ledger.html", month=wanted, heading=heading, tables=list(reversed(sheets)), notes=notes
        )

    @app.get("/work-orders/{order_id}", include_in_schema=False, dependencies=[needs("alerts")])
    async def order_page(request: Request, order_id: str) -> Response:
        latest = gateway.events.latest
        line = await _line(gateway, request, order_id)
        order = line.order
        named = _named(request)
        return _page(
            request,
            frame,
            "order.html",
            line=line,
            order=order,
            latest=latest,
            now=_now(gateway),
            points=[_point(site, point) for point in order.prove_at],
            tapped=_point(site, order.arrival.point) if order.arrival and order.arrival.point else "",
            came=person_name(site, order.arrival.person, named=named) if order.arrival else "",
            technicians=_technicians(site, named=named),
            alert_name=lambda alert: cause_name(site, alert, chosen(request, site.language)),
            may_verify=order.area == "warranty",
        )

    @app.get("/work-orders/{order_id}/print", include_in_schema=False, dependencies=[needs("alerts")])
    async def order_paper(request: Request, order_id: str) -> Response:
        line = await _line(gateway, request, order_id)
        return frame.respond(request, "order_paper.html", line=line, order=line.order, now=_now(gateway))


async def _desk(gateway: GatewayPort, request: Request, only: Listed | None, skip: int) -> Desk:
    now = gateway.now()
    todo: list[Order] = []
    follow: list[Order] = []
    finish: list[Order] = []
    for order in book_of(gateway).orders():
        if order.state not in {"repaired", "followed_up"}:
            todo.append(order)
        elif order.follow_up_due is not None:
            follow.append(order)
        else:
            finish.append(order)
    over: list[Order] = []
    if only is None:
        recent = [order for order in book_of(gateway).recent() if _closed(order)[0] >= now - RECENT_FOR]
        over = sorted(recent, key=_closed, reverse=True)[:RECENT]

    async def part(name: Listed, orders: list[Order]) -> Part:
        shown = orders[skip : skip + SHOWN] if only in {None, name} else []
        lines = await _lines(gateway, request, shown)
        return Part(
            name=name, lines=lines, count=len(orders), skipped=skip, more=max(0, len(orders) - skip - len(lines))
        )

    return Desk(
        todo=await part("todo", sorted(todo, key=_urgent_first)),
        follow=await part("follow", sorted(follow, key=lambda order: (order.follow_up_due, order.id))),
        finish=await part("finish", sorted(finish, key=lambda order: order.id)),
        recent=await _lines(gateway, request, over),
        late=sum(order.punctual == "late" for order in todo),
        due=sum(_due(order, now) for order in follow),
        only=only,
    )


def _urgent_first(order: Order) -> tuple[int, int, Instant, str]:
    """What rings first: emergencies nobody has come for, then by what is due first, so what is overdue."""
    waits = order.clock == "arrival" and order.arrival is None
    asleep = order.fault in {"ended_by_itself", "merged", "disproved"}
    return int(asleep), int(not waits), instant(order.due), order.id


def _due(order: Order, now: Instant) -> bool:
    return order.follow_up_due is not None and instant(order.follow_up_due) <= now


def _closed(order: Order) -> tuple[Instant, str]:
    return instant(order.closed) if order.closed is not None else 0, order.id


async def _line(gateway: GatewayPort, request: Request, order_id: str) -> Line:
    return (await _lines(gateway, request, [await order_of(gateway, order_id)]))[0]


async def _lines(gateway: GatewayPort, request: Request, orders: Sequence[Order]) -> list[Line]:
    named = _named(request)
    language = chosen(request, gateway.site.language)
    shown = await with_words(gateway, orders, named=named, language=language)
    return [_in_words(gateway.site, order, language, named=named) for order in shown]


def _in_words(site: Site, order: OrderShape, language: Language, *, named: bool) -> Line:
    rule = None if order.rule is None else rule_of(order.rule)
    offered = [action for action, triggers in _TRIGGERS.items() if _offers(order, action, triggers)]
    forward: tuple[Action, ...] = (
        ("assign",) if order.state in {"reported", "reopened"} else ("arrive", "repair", "follow_up", "close")
    )
    said = order.said
    return Line(
        order=order,
        place=place_name(site, order.place),
        subject=subject_name(site, order.subject, language),
        what=said.what if said is not None else order.what or "",
        alert="" if rule is None else rule.title_zh if language == "zh_CN" else rule.title_en,
        assignee=person_name(site, order.assignee, named=named) or "",
        offered=offered,
        main=next((action for action in forward if action in offered), None),
    )


def _offers(order: Order, action: Action, triggers: Sequence[Trigger]) -> bool:
    """Whether the table, and what was said already, let a person do it now."""
    if not any((order.state, trigger) in _LEGAL for trigger in triggers):
        return False
    match action:
        case "arrive":
            return order.arrival is None or order.arrival.stated is None
        case "repair":
            return order.repair is None or order.repair.stated is None
        case "verify":
            return order.area == "warranty" and order.verified is None
        case "follow_up":
            return order.source == "report" or order.state == "followed_up"
        case "close":
            return order.state == "followed_up" or order.source != "report" or bool(order.follow_ups)
        case _:
            return True


def _technicians(site: Site, *, named: bool) -> list[tuple[str, str]]:
    """Who can be sent: people of maintenance first, then everybody else."""
    people = sorted(site.people.values(), key=lambda each: ("maintenance" not in each.roles, each.id))
    return [(each.id, each.name if named else each.id) for each in people]


def _point(site: Site, point: str) -> str:
    if point in site.checkpoints:
        return checkpoint_name(site, point)
    device = site.devices.get(point)
    return place_name(site, device.place) if device is not None and device.place else point


def _now(gateway: GatewayPort) -> object:
    return moment(gateway.now(), gateway.site.zone_info)


def _named(request: Request) -> bool:
    return session_of(request).account.may("names")


def _page(request: Request, frame: Frame, template: str, **values: Any) -> Response:
    """A page of its own, or with `part=1` what is fetched again when something changed."""
    whole = "part" not in request.query_params
    return frame.respond(request, "alone.html" if whole else template, inner=template, **values)
