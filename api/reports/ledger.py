"""The repair ledger (报修台帐) as tables: the orders of a month as the desk knows them, and the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.console.languages import say, word
from api.console.names import person_name, place_name
from api.orders import OrderShape
from api.reports.tables import Cell, Column, Reader, Sort, Table
from gateway.alerts.catalogue import rule_of
from gateway.site.model import Site
from gateway.work_orders.ledger import Figure, Ledger

COLUMNS: tuple[tuple[str, Sort], ...] = (
    ("number", "number"),
    ("id", "text"),
    ("reported", "time"),
    ("source", "text"),
    ("place", "text"),
    ("name", "text"),
    ("phone", "text"),
    ("what", "text"),
    ("convenient", "text"),
    ("area", "text"),
    ("urgency", "text"),
    ("owner", "text"),
    ("assignee", "text"),
    ("due", "time"),
    ("arrived", "time"),
    ("arrival_proof", "text"),
    ("repaired", "time"),
    ("repair_proof", "text"),
    ("punctual", "text"),
    ("rework", "text"),
    ("followed", "time"),
    ("asked", "text"),
    ("content", "text"),
    ("answer", "text"),
    ("state", "text"),
    ("remark", "text"),
)
"""Of the first sheet, in order. `name`, `phone` and `asked` stand there only for those who may know names."""
PERSONAL = frozenset({"name", "phone", "asked"})


def tables(
    site: Site, figures: Ledger, orders: Sequence[OrderShape], reader: Reader, called: Mapping[str, str | None]
) -> tuple[str, list[Table], list[str]]:
    """Heading, sheets and closing notes of a month's ledger. `called`: what people behind accounts are called; None: erased."""
    language = reader.language
    columns = [each for each in COLUMNS if reader.named or each[0] not in PERSONAL]
    rows = []
    for number, order in enumerate(orders, 1):
        owner = None if order.owner is None else called.get(order.owner, _named(site, order.owner, reader))
        cells = {"number": number, **row(site, order, reader), "owner": owner or order.owner or ""}
        rows.append(tuple(cells[name] for name, _ in columns))
    late = frozenset(number for number, order in enumerate(orders) if order.punctual == "late")
    ledger = Table(
        "orders",
        say(language, "ledger.sheet.orders"),
        tuple(Column(say(language, f"ledger.column.{name}"), sort) for name, sort in columns),
        tuple(rows),
        late,
    )
    heading = say(language, "ledger.heading", site=site.name, month=figures.month)
    notes = [
        say(language, "ledger.note.span", known_to=f"{figures.known_to:%Y-%m-%d %H:%M}", zone=site.timezone),
        say(language, "ledger.note.unknown"),
    ]
    return heading, [ledger, summary(figures, reader)], notes


def row(site: Site, order: OrderShape, reader: Reader) -> dict[str, Cell]:
    """One order by column, but its number and its owner."""
    language = reader.language
    said = order.said
    last = order.answers[-1] if order.answers else None
    arrival, repair = order.arrival, order.repair

    def w(group: str, code: str | None) -> str:
        return "" if code is None else word(language, group, code)

    def person(name: str | None) -> str:
        return person_name(site, name, named=reader.named) or ""

    if said is not None and said.erased:
        what = say(language, "order.erased")
    else:
        what = said.what if said is not None else order.what or ""
    room = said.room if said is not None else ""
    return {
        "id": order.id,
        "reported": order.reported,
        "source": _source(order, reader),
        "place": " ".join(part for part in (place_name(site, order.place), room) if part),
        "name": said.name if said is not None else "",
        "phone": said.phone if said is not None else "",
        "what": what,
        "convenient": said.convenient if said is not None else "",
        "area": w("order.area", order.area),
        "urgency": w("order.urgency", order.urgency),
        "assignee": person(order.assignee),
        "due": order.due,
        "arrived": None if arrival is None else arrival.at,
        "arrival_proof": "" if arrival is None else w("order.proof", "tap" if arrival.proved is not None else "stated"),
        "repaired": None if repair is None else repair.at,
        "repair_proof": ""
        if repair is None
        else w(
            "order.proof",
            "contradicted" if repair.contradicted else "sensor" if repair.proved is not None else "stated",
        ),
        "punctual": w("order.punctual", order.punctual),
        "rework": "、".join(each for each in (order.rework_of, order.reworked_by) if each is not None)
        or (w("order.reworked", "yes") if order.reworked else ""),
        "followed": None if last is None else last.at,
        "asked": last.said.name if last is not None and last.said is not None else "",
        "content": "" if last is None else w("order.content", {True: "yes", False: "no", None: "none"}[last.content]),
        "answer": last.said.what if last is not None and last.said is not None else "",
        "state": w("order.state", order.state),
        "remark": w("order.reason", order.reason),
    }


def summary(figures: Ledger, reader: Reader) -> Table:
    """The second sheet: counts, and each share with what it is made of."""
    language = reader.language

    def t(key: str) -> str:
        return say(language, f"ledger.{key}")

    counts = [
        ("count", figures.count),
        ("cancelled", figures.cancelled),
        ("open", figures.open),
        ("discontent", figures.discontent),
    ]
    groups = (
        ("source", "order.source", figures.by_source),
        ("urgency", "order.urgency", figures.by_urgency),
        ("area", "order.area", figures.by_area),
    )
    rows: list[tuple[Cell, ...]] = [(t(f"figure.{name}"), None, value, None, None, None) for name, value in counts]
    rows += [
        (f"{t(f'column.{head}')}{say(language, 'sign.of')}{word(language, group, name)}", None, value, None, None, None)
        for head, group, found in groups
        for name, value in found.items()
    ]
    rows += [_share(t(f"figure.{figure.name}"), figure) for figure in figures.figures]
    rows += [
        (t("figure.arrivals_proved"), _rate(figures.arrivals_proved, figures.arrivals), figures.arrivals_proved, figures.arrivals, None, None),
        (t("figure.repairs_proved"), _rate(figures.repairs_proved, figures.repairs), figures.repairs_proved, figures.repairs, None, None),
    ]  # fmt: skip
    columns: tuple[tuple[str, Sort], ...] = (
        ("what", "text"),
        ("rate", "percent"),
        ("numerator", "number"),
        ("denominator", "number"),
        ("pending", "number"),
        ("unknown", "number"),
    )
    return Table(
        "figures",
        t("sheet.figures"),
        tuple(Column(t(f"summary.{name}"), sort) for name, sort in columns),
        tuple(rows),
    )


def _share(name: str, figure: Figure) -> tuple[Cell, ...]:
    return name, figure.rate, figure.numerator, figure.denominator, figure.pending, figure.unknown


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _source(order: OrderShape, reader: Reader) -> str:
    if order.rule is None:
        return word(reader.language, "order.source", order.source)
    row = rule_of(order.rule)
    title = row.title_zh if reader.language == "zh_CN" else row.title_en
    return f"{word(reader.language, 'order.source', order.source)}: {title}"


def _named(site: Site, by: str, reader: Reader) -> str:
    """Who has no account: a person of the site, or a desk."""
    return word(reader.language, "by", person_name(site, by, named=reader.named) or by)
