"""`lamplighter plan`: print the dated rounds of a site, and what clock changes and holidays did to them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from device_drivers.errors import LamplighterError
from gateway.instants import Instant, moment, seconds
from gateway.site.durations import written
from gateway.site.load import load_site
from gateway.site.model import DatedRound, RoundRule, Site
from gateway.site.plans import applies, days_between, plan_dates, slots
from gateway.site.public_holidays import holiday_name
from gateway.site.remarks import Remark, hours_of, remarks

MOST_DAYS = 3660
"""Ten years; more is a slip of the pen."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("site", type=Path, metavar="SITE", help="the site file")
    parser.add_argument("--month", type=_month, metavar="YYYY-MM", help="a month as a table [this month]")
    parser.add_argument("--from", dest="since", type=_date, metavar="D", help="the first business date [today]")
    parser.add_argument("--to", dest="until", type=_date, metavar="D", help="the last business date [the first]")
    parser.add_argument(
        "--json", action="store_true", help="print the rounds as a JSON list; of a month, one JSON document"
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; a date such as 2026-01-31 is expected") from error


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month; a month such as 2026-11 is expected") from error


def run(parsed: argparse.Namespace) -> int:
    """Print the plan of a month, or of the business dates from D to D, both included. Exit status: 0, or 2 where that cannot be."""
    site, _ = load_site(parsed.site, secrets=False)
    today = datetime.now(UTC).astimezone(site.zone_info).date()
    dated = parsed.since is not None or parsed.until is not None
    if parsed.month is not None and dated:
        raise LamplighterError("--month stands alone; give either it, or --from and --to")
    if not dated:
        first = parsed.month or today.replace(day=1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    else:
        first = parsed.since or today
        last = parsed.until or first
    if last < first or (last - first).days > MOST_DAYS:
        raise LamplighterError(f"--to {last} must be {first} or later, and at most {MOST_DAYS} days after it")
    if first.year < 1970 or last.year > 9000:
        raise LamplighterError("dates from 1970 to 9000 are expected")
    plan = _read(site, first, last)
    match dated, parsed.json:
        case True, True:
            _print_json([_item(plan, each) for each in plan.rounds])
        case False, True:
            _print_json(_document(plan, first))
        case True, False:
            _print_rounds(plan)
        case _:
            _print_month(plan)
    return 0


# -- what the dates give -----------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """The rounds of some dates, what is to be said of the dates, and of single rounds, by `_key`."""

    site: Site
    rounds: list[DatedRound]
    days: dict[date, list[Remark]]
    of: dict[tuple[str, date, Instant], list[tuple[RoundRule, Remark | None]]]


def _key(dated: DatedRound) -> tuple[str, date, Instant]:
    """A round by its start before any jitter."""
    return dated.route, dated.date, dated.start - dated.shift


def _read(site: Site, first: date, last: date) -> _Plan:
    plan = _Plan(site, plan_dates(site, first, last), {}, {})
    for day in days_between(first, last):
        plan.days[day] = list(remarks(site, day))
        for rule in site.rounds:
            if not applies(site, rule, day):
                continue
            mine = [each for each in plan.days[day] if each.rule is rule and each.code != "holiday_left_out"]
            for slot in slots(site, rule, day):
                said = plan.of.setdefault((rule.route, day, slot.start), [])
                said.append((rule, None))
                said += [(rule, each) for each in mine if slot.start in each.starts or each.code == "holiday_added"]
    return plan


def _remarks_of(plan: _Plan, dated: DatedRound) -> list[Remark]:
    return [remark for _, remark in plan.of.get(_key(dated), ()) if remark is not None]


# -- JSON --------------------------------------------------------------------------------------------------------------


def _print_json(value: Any) -> None:
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def _item(plan: _Plan, dated: DatedRound) -> dict[str, Any]:
    """One round; only where something was done to it there is more than its plan."""
    zone = plan.site.zone_info
    item: dict[str, Any] = {
        "id": dated.id,
        "route": dated.route,
        "date": dated.date.isoformat(),
        "start": moment(dated.start, zone).isoformat(),
        "end": moment(dated.end, zone).isoformat(),
    }
    said = plan.of.get(_key(dated), ())
    if any(rule.jitter for rule, _ in said):
        item["jitter_s"] = seconds(dated.shift)
    if not (found := _remarks_of(plan, dated)):
        return item
    if moved := max(each.moved for each in found):
        item["shifted_s"] = seconds(moved)
    twice = [each for each in found if each.code in ("first_of_two", "doubled")]
    if twice:
        item["of_two"] = (
            "second" if dated.start - dated.shift == twice[0].starts[-1] and len(twice[0].starts) > 1 else "first"
        )
    if any(each.code == "holiday_added" for each in found):
        item["holiday"] = holiday_name(plan.site.holidays, dated.date)
    item["remarks"] = [each.text for each in found]
    return item


def _document(plan: _Plan, first: date) -> dict[str, Any]:
    site = plan.site
    counts = _by_date(plan)
    return {
        "site": site.id,
        "month": f"{first:%Y-%m}",
        "timezone": site.timezone,
        "rounds": [_item(plan, dated) for dated in plan.rounds],
        "dates": [
            {
                "date": day.isoformat(),
                "weekday": f"{day:%a}".lower(),
                "hours": hours_of(site, day),
                "holiday": holiday_name(site.holidays, day),
                "rounds": len(counts.get(day, ())),
                "remarks": [_remark(each) for each in said],
            }
            for day, said in plan.days.items()
        ],
    }


def _remark(remark: Remark) -> dict[str, Any]:
    rule = remark.rule
    return {
        "code": remark.code,
        "route": None if rule is None else rule.route,
        "line": None if rule is None else rule.line,
        "shifted_s": seconds(remark.moved),
        "text": remark.text,
    }


def _by_date(plan: _Plan) -> dict[date, list[DatedRound]]:
    found: dict[date, list[DatedRound]] = {}
    for dated in plan.rounds:
        found.setdefault(dated.date, []).append(dated)
    return found


# -- tables ------------------------------------------------------------------------------------------------------------

_ROUNDS = ("date", "route", "start", "end")
_MONTH = ("date", "route", "rounds", "starts", "remarks")
MOST_STARTS = 12
"""Of more starts a day only the first and the last ones stand in the table of a month."""


def _print_rounds(plan: _Plan) -> None:
    """Every round on a line, then what is to be said of the dates."""
    _print_table([_ROUNDS, *(_row(plan.site, dated) for dated in plan.rounds)])
    _print_sum(plan)
    for day, said in plan.days.items():
        for remark in said:
            print(f"{day}: {remark.text}")


def _print_month(plan: _Plan) -> None:
    """Every date and route on a line, remarks beside them."""
    rows = [_MONTH]
    counts = _by_date(plan)
    for day, said in plan.days.items():
        lines = [*_month_rows(plan, counts.get(day, []))] or [("", "0", "")]
        texts = [each.text for each in said]
        holiday = holiday_name(plan.site.holidays, day)
        if holiday is not None and not any(each.code.startswith("holiday") for each in said):
            texts.insert(0, f"a public holiday ({plan.site.holidays}): {holiday}")
        for index in range(max(len(lines), len(texts))):
            cells = lines[index] if index < len(lines) else ("", "", "")
            name = f"{day:%Y-%m-%d %a}" if index == 0 else ""
            rows.append((name, *cells, texts[index] if index < len(texts) else ""))
    _print_table(rows)
    _print_sum(plan)
    if any(_remarks_of(plan, dated) for dated in plan.rounds):
        print("* a start that the remarks beside it are about")


def _month_rows(plan: _Plan, rounds: Sequence[DatedRound]) -> Iterator[tuple[str, str, str]]:
    routes: dict[str, list[DatedRound]] = {}
    for dated in rounds:
        routes.setdefault(dated.route, []).append(dated)
    for route, walked in routes.items():
        starts = [
            f"{moment(each.start, plan.site.zone_info):%H:%M}{'*' * bool(_remarks_of(plan, each))}" for each in walked
        ]
        if len(starts) > MOST_STARTS:
            starts = [*starts[: MOST_STARTS // 2], "…", *starts[-MOST_STARTS // 2 :]]
        yield route, str(len(walked)), " ".join(starts)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_sum(plan: _Plan) -> None:
    dates = len(_by_date(plan))
    count = len(plan.rounds)
    print(f"{count} round{'s'[: count != 1]} on {dates} date{'s'[: dates != 1]}, times in {plan.site.timezone}")
    for rule in plan.site.rounds:
        if rule.jitter:
            print(f"{rule.route} of line {rule.line} starts at random, up to {written(rule.jitter)} late")


def _row(site: Site, dated: DatedRound) -> tuple[str, ...]:
    start, end = (moment(at, site.zone_info).isoformat(sep=" ", timespec="minutes") for at in (dated.start, dated.end))
    return f"{dated.date:%Y-%m-%d %a}", dated.route, start, end
