"""What a report takes from the journal, however much there is of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from api.reports import gather as gathering
from api.reports.periods import period
from gateway.instants import DAY, parse_instant
from gateway.journal.rows import Condition
from tests.scores.conftest import SITE

NOW = parse_instant("2026-11-24T12:00:00Z")


class Rows:
    """A journal of work orders, each reported some days ago."""

    def __init__(self, orders: dict[str, tuple[int, str]]) -> None:
        self.base = sqlite3.connect(":memory:")
        self.base.execute("CREATE TABLE finding (kind, start, id, body)")
        self.base.execute("CREATE TABLE meta (key, value)")
        self.base.execute("INSERT INTO meta VALUES ('advanced', ?)", (NOW,))
        rows = [
            ("work_order", NOW - days * DAY, name, msgspec.json.encode({"id": name, "state": state}).decode())
            for name, (days, state) in orders.items()
        ]
        self.base.executemany("INSERT INTO finding VALUES (?, ?, ?, ?)", rows)

    async def query(self, sql: str, params: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        return self.base.execute(sql, params).fetchall()

    async def conditions(self, kinds: Sequence[str], since: int, until: int) -> Sequence[Condition]:
        return []


async def test_every_order_that_is_still_open_stands_in_a_report_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "_PAGE", 2)
    orders = {f"o{number}": (20 - number, "reported") for number in range(7)} | {"over": (18, "closed")}
    report = await gathering.gather(SITE, Rows(orders), period(SITE, "day:2026-11-23"), NOW)
    assert [order["id"] for order in report.repairs] == [f"o{number}" for number in range(7)]
