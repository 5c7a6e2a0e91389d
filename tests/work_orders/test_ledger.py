"""The ledger's figures, recounted from what happened by other means than the ledger's."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from gateway.instants import DAY, instant, parse_instant
from gateway.work_orders.ledger import Ledger, ledger, month_of
from tests.work_orders.desk import Desk, clock, site
from tests.work_orders.test_order_properties import STEPS, play

MONTH = "2026-11"


def counted(desk: Desk, month: str = MONTH) -> Ledger:
    since, until = month_of(desk.site, month)
    orders = [each for each in (*desk.book.orders(), *desk.book.recent()) if since <= instant(each.reported) < until]
    return ledger(desk.site, month, sorted(orders, key=lambda each: each.id), desk.now)


def shares(found: Ledger) -> dict[str, tuple[int, int, int, int]]:
    return {each.name: (each.numerator, each.denominator, each.pending, each.unknown) for each in found.figures}


def test_a_month_is_the_sites_and_ends_where_the_next_begins():
    assert month_of(site(), "2026-12") == (
        parse_instant("2026-12-01T00:00:00+08:00"),
        parse_instant("2027-01-01T00:00:00+08:00"),
    )
    with pytest.raises(ValueError, match="does not match"):
        month_of(site(), "12-2026")


def test_a_month_in_numbers():
    desk = Desk()
    in_time = desk.fault("02:00")
    desk.do("02:30", "arrive", in_time)
    desk.do("02:35", "repair", in_time)
    desk.ends("02:36").at("02:50")
    late = desk.fault("03:00", "parent_fault", "panel")
    desk.do("03:40", "arrive", late)
    excused = desk.fault("04:00", "parent_fault", "riser")
    desk.down("04:20", "06:00")
    desk.do("06:05", "arrive", excused)
    running = desk.report("06:10", urgency="emergency")
    gone = desk.fault("06:11", "camera_impaired", "cam")
    desk.ends("06:15", "camera_impaired", "cam").at("06:26")
    found = counted(desk)
    assert shares(found)["arrival_in_time"] == (1, 2, 1, 1)
    assert shares(found)["repair_in_time"] == (0, 0, 0, 0)
    assert shares(found)["rework"] == (0, 0, 1, 0)
    assert (found.count, found.cancelled, found.open) == (5, 1, 3)
    assert (found.by_source, found.by_urgency) == (
        {"rule": 4, "alert": 0, "report": 1},
        {"emergency": 4, "ordinary": 1},
    )
    assert {desk.order(each).punctual for each in (running, gone)} == {"running", "none"}
    assert (found.arrivals, found.arrivals_proved, found.repairs, found.repairs_proved) == (3, 0, 1, 1)


def test_rework_is_counted_once_the_seven_days_are_over_or_the_fault_is_back():
    desk = Desk()
    orders = []
    for number, subject in enumerate(("lamp-f01", "lamp-f03", "lamp-f06")):
        order = desk.fault(clock("02:00") + number * DAY // 24, "lamp_failure", subject)
        desk.do(clock("02:10") + number * DAY // 24, "arrive", order)
        desk.do(clock("02:20") + number * DAY // 24, "repair", order)
        desk.ends(clock("02:22") + number * DAY // 24, "lamp_failure", subject)
        orders.append(order)
    desk.at("05:00")
    assert shares(counted(desk))["rework"] == (0, 0, 3, 0)
    desk.fault("+2 02:00", "lamp_failure", "lamp-f01")
    assert shares(counted(desk))["rework"] == (1, 1, 2, 0)
    desk.at("+7 03:20:01")
    assert shares(counted(desk))["rework"] == (1, 2, 1, 0)
    desk.at("+8 02:00")
    assert shares(counted(desk))["rework"] == (1, 3, 0, 0)


def test_follow_up_counts_those_asked_those_forgotten_and_those_not_due_yet():
    desk = Desk()
    for number, answer in enumerate((True, False, None, "close", "wait")):
        order = desk.report(clock("08:00") + number)
        desk.do(clock("09:00") + number, "arrive", order)
        desk.do(clock("09:30") + number, "repair", order)
        if answer in (True, False, None):
            desk.do(clock("10:00") + number, "follow_up", order, content=answer)
        if answer == "close":
            desk.do(clock("10:01"), "follow_up", order, content=None)
            desk.do(clock("10:02"), "close", order, why="moved away")
    found = counted(desk)
    assert (shares(found)["follow_up"], found.discontent) == ((2, 3, 2, 0), 1)
    desk.at("+1 10:03")
    assert shares(counted(desk))["follow_up"] == (2, 5, 0, 0)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_the_figures_are_what_the_rows_of_the_journal_say(steps):
    """Recounted from the entries alone, with clocks of its own."""
    desk = play(Desk(), steps)
    zone = ZoneInfo("Asia/Shanghai")
    last: dict[str, Any] = {entry.id: entry.item for entry in desk.entries}
    now = datetime.fromtimestamp(desk.now / 1e6, zone)
    months = {f"{order.reported.astimezone(zone):%Y-%m}" for order in last.values()}
    for month in months:
        mine = [order for order in last.values() if f"{order.reported.astimezone(zone):%Y-%m}" == month]
        found = counted(desk, month)
        assert found.count == len(mine)
        assert found.by_urgency == {
            name: sum(each.urgency == name for each in mine) for name in ("emergency", "ordinary")
        }
        for name, urgency in (("arrival_in_time", "emergency"), ("repair_in_time", "ordinary")):
            said = Counter(each.punctual for each in mine if each.urgency == urgency)
            share = next(each for each in found.figures if each.name == name)
            assert (share.numerator, share.denominator - share.numerator) == (said["in_time"], said["late"])
            assert share.numerator + (share.denominator - share.numerator) + share.pending + share.unknown + said[
                "none"
            ] == sum(said.values())
            assert share.rate == (None if not share.denominator else round(share.numerator / share.denominator, 4))
        back = {
            entry.id for entry in desk.entries
            if (entry.action == "reworked_by" or (entry.action == "reopen" and entry.item.reworked))
        }  # fmt: skip
        rework = next(each for each in found.figures if each.name == "rework")
        mended = [
            each for each in mine if each.id not in back and each.repair is not None and each.state != "cancelled"
        ]
        assert rework.numerator == sum(each.id in back for each in mine)
        assert rework.denominator - rework.numerator == sum(each.repair.at + timedelta(days=7) < now for each in mended)
        asked = {entry.id for entry in desk.entries if entry.action in {"follow_up", "reopen"}}
        follow = next(each for each in found.figures if each.name == "follow_up")
        assert follow.numerator == sum(each.id in asked and each.source == "report" for each in mine)
