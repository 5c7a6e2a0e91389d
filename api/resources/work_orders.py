"""Work orders (维修单): lists, one, what people do with them, the ledger; and what is known of reporters, held apart."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.concerned import person_of
from api.access.door import needs, origin_of, session_of
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, answer, at, page, tagged
from api.console.languages import Language, chosen
from api.openapi import REFUSED, file, many, one, takes
from api.orders import Followed, LedgerShape, OrderAction, OrderFromAlert, OrderShape, ReportBody, Said
from api.ports import GatewayPort
from api.problems import Denied
from api.reports.ledger import tables
from api.reports.tables import Reader
from gateway.alerts.alert import Alert
from gateway.alerts.lifecycle import ACTIVE, Refused
from gateway.alerts.wording import message
from gateway.books import BookOperation
from gateway.instants import DAY, Instant, instant, moment
from gateway.work_orders.book import WorkOrders
from gateway.work_orders.ledger import Ledger, ledger, month_of
from gateway.work_orders.order import Order, Source, Urgency

Action = Literal["assign", "arrive", "repair", "verify", "follow_up", "close", "cancel", "prioritise", "comment"]
ACTIONS: dict[Action, tuple[str, dict[str, Any]]] = {
    "assign": ("Send somebody: a person of the site, or who it is", {"to": "m-liu"}),
    "arrive": ("Somebody has come; `at` if it is written down later", {"at": "2026-11-27T02:20:00+08:00"}),
    "repair": ("It is mended; `at` if it is written down later", {"why": "breaker reset, terminal tightened"}),
    "verify": ("An own engineer has looked at what the builder repaired", {}),
    "follow_up": (
        "The reporter was asked: content, not content (the order is reopened), or null: not reached",
        {"content": True, "asked": "the same", "words": "light is fine"},
    ),
    "close": ("Nothing more is to be done; after a repair that nobody was asked about with a reason", {}),
    "cancel": ("It needs no repair; with a reason", {"why": "reported twice"}),
    "prioritise": (
        "Another urgency; with a reason",
        {"urgency": "emergency", "why": "water comes through the ceiling"},
    ),
    "comment": ("A note in the history; changes no state", {"why": "part ordered, comes on Monday"}),
}
NEEDS_REASON = frozenset({"cancel", "prioritise", "comment"})
_FIELDS: dict[Action, frozenset[str]] = {
    "assign": frozenset({"to"}),
    "arrive": frozenset({"at", "person"}),
    "repair": frozenset({"at"}),
    "follow_up": frozenset({"content", "asked", "words"}),
    "prioritise": frozenset({"urgency"}),
}
"""What an action takes beside `why`."""
MONTH_LIMIT = 20_000
"""Orders of a month that a ledger shows."""
DEFAULT_PERIOD = 31 * DAY

Month = Annotated[
    str, Query(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$", description="A month on the site's clock: `2026-11`.")
]
_Body = TypeVar("_Body", OrderAction, OrderFromAlert, ReportBody)
_said = msgspec.json.Decoder(Said).decode
_alert = msgspec.json.Decoder(Alert).decode
_AT_ONCE = 500
"""Question marks in one query."""


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/work-orders`, its actions, and the ledger."""
    site = gateway.site
    hand = _Hand(gateway, accounts)

    @app.get("/api/v1/work-orders", tags=["work orders"], responses=many("OrderShape"), dependencies=[needs("alerts")])
    async def read_orders(
        request: Request,
        *,
        open_only: Annotated[bool, Query(alias="open", description="Only those that are not over.")] = False,
        follow_up_due: Annotated[bool, Query(description="Only those whose reporter is to be asked by now.")] = False,
        state: str | None = None,
        urgency: Urgency | None = None,
        source: Source | None = None,
        assignee: str | None = None,
        place: Annotated[str | None, Query(description="This place and what lies in it.")] = None,
        since: Moment = None,
        until: Moment = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Work orders, latest report first; without `open`, `since` or `until` those of the last 31 days and all open ones."""
        now = gateway.now()
        first, last = at(since, "since"), at(until, "until")
        found = await orders_of(gateway, first, last, open_only=open_only or follow_up_due)

        def wanted(order: Order) -> bool:
            asks = order.follow_up_due is not None and instant(order.follow_up_due) <= now
            return (
                state in {None, order.state}
                and urgency in {None, order.urgency}
                and source in {None, order.source}
                and assignee in {None, order.assignee}
                and (place is None or order.place == place or (order.place or "").startswith(f"{place}/"))
                and (asks or not follow_up_due)
            )

        part = page([order for order in found if wanted(order)], _latest_first, cursor, limit)
        shown = await with_words(gateway, part.items, named=_named(request))
        return answer(request, msgspec.structs.replace(part, items=shown))

    @app.get(
        "/api/v1/work-orders/ledger",
        tags=["work orders"],
        responses=one("LedgerShape"),
        dependencies=[needs("alerts")],
    )
    async def read_ledger(request: Request, month: Month) -> Response:
        """A month's figures (报修台帐), each with numerator and denominator, what is not known apart; and its orders."""
        figures, orders = await ledger_of(gateway, month)
        shown = await with_words(gateway, orders, named=_named(request))
        return answer(request, LedgerShape(ledger=figures, orders=shown))

    @app.get(
        "/api/v1/work-orders/ledger/excel",
        tags=["work orders"],
        responses=file("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        dependencies=[needs("alerts")],
    )
    async def read_ledger_workbook(request: Request, month: Month) -> Response:
        """The ledger as an Excel workbook: the orders, and the figures on a second sheet."""
        figures, orders = await ledger_of(gateway, month)
        reader = Reader(chosen(request, site.language), _named(request))
        shown = await with_words(gateway, orders, named=reader.named, language=reader.language)
        heading, sheets, notes = tables(site, figures, shown, reader, request.state.called)
        from api.reports import excel  # noqa: PLC0415  openpyxl: 4 MiB that only its users pay

        response = tagged(request, excel.workbook(heading, sheets, notes), excel.MEDIA_TYPE)
        response.headers["Content-Disposition"] = f'attachment; filename="repairs-{month}.xlsx"'
        return response

    @app.get(
        "/api/v1/work-orders/{order_id}",
        tags=["work orders"],
        responses=one("OrderShape") | REFUSED,
        dependencies=[needs("alerts")],
    )
    async def read_order(request: Request, order_id: str) -> Response:
        """One work order with its history and proofs."""
        found = await order_of(gateway, order_id)
        return answer(request, (await with_words(gateway, [found], named=_named(request)))[0])

    @app.post(
        "/api/v1/work-orders",
        tags=["work orders"],
        responses=one("OrderShape") | REFUSED,
        dependencies=[needs("handle")],
        openapi_extra=takes(
            "ReportBody",
            {
                "name": "张女士", "phone": "13800000000", "place": "tower-1/f03", "room": "302",
                "what": "楼道灯不亮", "convenient": "19:00 以后",
            },
        ),
    )  # fmt: skip
    async def report(request: Request) -> Response:
        """A person reports something (报修). Name, telephone and words are held apart and can be erased."""
        said = await _body(request, ReportBody)
        if not said.what.strip():
            raise Denied(422, "what: expected what is wrong, in words.", "invalid")
        words = Said(name=said.name, phone=said.phone, room=said.room, what=said.what, convenient=said.convenient)
        details: dict[str, Any] = {
            "place": said.place, "urgency": said.urgency, "area": said.area, "at": said.at, "agreed": said.agreed,
            "again_of": said.again_of,
        }  # fmt: skip
        return await hand.keep(request, _Act("report", None, details, said.why), words)

    @app.post(
        "/api/v1/work-orders/from-alert",
        tags=["work orders"],
        responses=one("OrderShape") | REFUSED,
        dependencies=[needs("handle")],
        openapi_extra=takes("OrderFromAlert", {"alert": "incident/wand-1/3", "urgency": "emergency"}),
    )
    async def from_alert(request: Request) -> Response:
        """An order from an alert, by hand."""
        said = await _body(request, OrderFromAlert)
        alert = gateway.judgement.alerts.alert(said.alert)
        if alert is None:
            raise Denied(404, f"There is no alert {said.alert!r} in memory.")
        return await hand.do(request, _Act("open", None, alert_details(alert, said.urgency), said.why))

    for action in ACTIONS:
        _add_action(app, hand, action)

    @app.post(
        "/api/v1/work-orders/{order_id}/erase",
        tags=["work orders"],
        status_code=204,
        responses=REFUSED,
        dependencies=[needs("erase")],
    )
    async def erase(request: Request, order_id: str) -> Response:
        """Erase what a reporter said of himself: name, telephone, words. The order, its times and proofs stay."""
        found = await order_of(gateway, order_id)
        rows = await gateway.archive.entries("work_order", item=order_id)
        keys = keys_of([found, *(msgspec.convert(row["item"], Order) for row in rows)])
        await gateway.write([("UPDATE personal SET body = NULL WHERE key = ?", (key,)) for key in sorted(keys)])
        who = session_of(request).account.name
        await accounts.record(who, origin_of(request), "work_order.erase", order_id)
        return Response(status_code=204)


class _Act(NamedTuple):
    """What a person does, to which order (None: a new one)."""

    action: str
    order: str | None
    details: dict[str, Any]
    why: str


class _Hand:
    """Does what people do: judged, committed, in the audit."""

    def __init__(self, gateway: GatewayPort, accounts: Accounts) -> None:
        self.gateway = gateway
        self.accounts = accounts

    async def do(self, request: Request, act: _Act) -> Response:
        """The order after it.

        Raises:
            Refused: nothing changed.
        """
        gateway, who, origin = self.gateway, session_of(request).account.name, origin_of(request)
        operation = BookOperation(
            at=gateway.now(),
            by=who,
            book="work_order",
            action=act.action,
            subject=act.order,
            details=act.details,
            why=act.why.strip(),
        )
        name = f"work_order.{act.action}"
        try:
            after = await gateway.operate(operation)
        except Refused as refusal:
            await self.accounts.record(who, origin, name, act.order or "", outcome="refused", detail=refusal.reason)
            raise
        assert isinstance(after, Order)
        await self.accounts.record(who, origin, name, after.id, detail=act.why)
        return answer(request, (await with_words(gateway, [after], named=_named(request)))[0])

    def himself(self, request: Request, order_id: str) -> str | None:
        """Who is meant if nobody is named, nor was sent: the person of the site who says it."""
        order = book_of(self.gateway).order(order_id)
        sent = order is not None and order.assignee is not None
        return None if sent else person_of(self.gateway.site, session_of(request).account)

    async def keep(self, request: Request, act: _Act, words: Said) -> Response:
        """Likewise, with a person's words: they are held apart, and go again if it is refused."""
        key = secrets.token_hex(12)
        row = (key, self.gateway.now(), msgspec.json.encode(words))
        await self.gateway.write([("INSERT INTO personal (key, at, body) VALUES (?, ?, ?)", row)])
        try:
            return await self.do(request, act._replace(details=act.details | {"personal": key}))
        except Refused:
            await self.gateway.write([("DELETE FROM personal WHERE key = ?", (key,))])
            raise


def _add_action(app: FastAPI, hand: _Hand, action: Action) -> None:
    summary, example = ACTIONS[action]

    async def operate(request: Request, order_id: str) -> Response:
        said = await _body(request, OrderAction)
        given = {
            name: value
            for name, value in msgspec.structs.asdict(said).items()
            if name != "why" and value is not None and value != ""
        }
        if odd := sorted(set(given) - _FIELDS.get(action, frozenset())):
            raise Denied(422, f"{odd[0]}: not with `{action}`.", "invalid")
        if action in NEEDS_REASON and not said.why.strip():
            raise Denied(422, "why: expected a reason; it stands in the history.", "invalid")
        if action == "arrive" and "person" not in given and (me := hand.himself(request, order_id)) is not None:
            given["person"] = me
        if action == "follow_up":
            given = {"content": said.content}
            if said.asked or said.words:
                words = Said(name=said.asked, what=said.words)
                return await hand.keep(request, _Act(action, order_id, given, said.why), words)
        return await hand.do(request, _Act(action, order_id, given, said.why))

    app.post(
        f"/api/v1/work-orders/{{order_id}}/{action}",
        name=f"{action}_order",
        summary=summary,
        tags=["work orders"],
        responses=one("OrderShape") | REFUSED,
        dependencies=[needs("handle")],
        openapi_extra=takes("OrderAction", example),
    )(operate)


def book_of(gateway: GatewayPort) -> WorkOrders:
    """The living book."""
    book = gateway.judgement.books["work_order"]
    assert isinstance(book, WorkOrders)
    return book


async def orders_of(
    gateway: GatewayPort, since: Instant | None, until: Instant | None, *, open_only: bool = False
) -> list[Order]:
    """Orders reported in a period; without one all open ones, and (unless only these) those of the last 31 days."""
    first = since if since is not None else 0
    last = until if until is not None else 1 << 62
    living = [order for order in book_of(gateway).orders() if first <= instant(order.reported) < last]
    if open_only:
        return living
    if since is None and until is None:
        first = gateway.now() - DEFAULT_PERIOD
    past = await gateway.archive.items("work_order", first, last, MONTH_LIMIT)
    known = {order.id for order in living}
    return living + [order for item in past if (order := msgspec.convert(item, Order)).id not in known]


async def order_of(gateway: GatewayPort, order_id: str) -> Order:
    """One order, also when memory no longer holds it.

    Raises:
        Denied: 404, there never was one.
    """
    found = book_of(gateway).order(order_id)
    if found is None:
        item = await gateway.archive.item("work_order", order_id)
        if item is None:
            raise Denied(404, f"There is no work order {order_id!r}.")
        found = msgspec.convert(item, Order)
    return found


async def ledger_of(gateway: GatewayPort, month: str) -> tuple[Ledger, list[Order]]:
    """A month's figures, and its orders by report."""
    since, until = month_of(gateway.site, month)
    orders = sorted(await orders_of(gateway, since, until), key=lambda order: (order.reported, order.id))
    return ledger(gateway.site, month, orders, gateway.now()), orders


async def with_words(
    gateway: GatewayPort, orders: Sequence[Order], *, named: bool, language: Language | None = None
) -> list[OrderShape]:
    """Orders with what their reporters said; name and telephone only for those who may know them.

    Args:
        language: in which to say what an order's alert told; None: as it told it, in the site's.
    """
    words = await said_of(gateway, keys_of(orders), named=named)
    told = {} if language in {None, gateway.site.language} else await _told(gateway, orders, language)
    return [
        OrderShape(
            **({name: getattr(order, name) for name in Order.__struct_fields__} | told.get(order.id, {})),
            said=words.get(order.personal or ""),
            answers=tuple(
                Followed(at=each.at, by=each.by, content=each.content, said=words.get(each.personal or ""))
                for each in order.follow_ups
            ),
        )
        for order in orders
    ]


async def _told(gateway: GatewayPort, orders: Sequence[Order], language: Language) -> dict[str, dict[str, str]]:
    """`what` of orders by id, in another language than the one in which their alerts told it."""
    asked = {order.id: order.alerts[0] for order in orders if order.alerts and order.what}
    found = {alert.id: alert for each in asked.values() if (alert := gateway.judgement.alerts.alert(each)) is not None}
    gone = sorted(set(asked.values()) - found.keys())
    for start in range(0, len(gone), _AT_ONCE):
        part = gone[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        rows = await gateway.query(f"SELECT body FROM finding WHERE kind = 'alert' AND id IN ({marks})", tuple(part))  # noqa: S608  question marks
        found |= {alert.id: alert for (body,) in rows for alert in [_alert(body)]}
    return {
        order: {"what": message(gateway.site, alert.rule, alert.subject, alert.details, language)}
        for order, each in asked.items()
        if (alert := found.get(each)) is not None
    }


async def said_of(gateway: GatewayPort, keys: Iterable[str], *, named: bool) -> dict[str, Said]:
    """What stands under keys of `personal`."""
    wanted = sorted(set(keys))
    found: dict[str, Said] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        for key, body in await gateway.query(f"SELECT key, body FROM personal WHERE key IN ({marks})", tuple(part)):  # noqa: S608  question marks
            said = Said(erased=True) if body is None else _said(body)
            found[key] = said if named else msgspec.structs.replace(said, name="", phone="")
    return found


def keys_of(orders: Iterable[Order]) -> set[str]:
    """The keys of all words said with orders."""
    return {
        key
        for order in orders
        for key in (order.personal, *(each.personal for each in order.follow_ups))
        if key is not None
    }


def alert_details(alert: Alert, urgency: Urgency) -> dict[str, Any]:
    """What an order by hand takes from its alert."""
    return {
        "alert": alert.id,
        "rule": alert.rule,
        "subject": alert.subject,
        "urgency": urgency,
        "place": alert.place,
        "what": alert.message,
        "standing": alert.state in ACTIVE,
    }


def _latest_first(order: Order) -> tuple[int, str]:
    return -instant(order.reported), order.id


def _named(request: Request) -> bool:
    return session_of(request).account.may("names")


async def _body(request: Request, shape: type[_Body]) -> _Body:
    raw = await request.body()
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error


def month_now(gateway: GatewayPort) -> str:
    """The month that it is on the site's clock."""
    return f"{moment(gateway.now(), gateway.site.zone_info):%Y-%m}"
