"""What pages and reports show is compared with the history that the chain holds."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import apsw
import pytest

from gateway.books import BookName
from gateway.journal import verification
from gateway.journal.store import connect
from gateway.runtime import Gateway
from tests.work_orders.test_order_api import ORDERS, REPORT, SITE, Clock, Estate


async def made(folder: Path) -> apsw.Connection:
    """A journal with an alert and two orders of several steps, after a restart."""
    clock = Clock()
    for _ in range(2):
        async with Gateway(SITE, folder, clock=clock) as gateway:
            estate = Estate(gateway, clock)
            desk = await estate.enter("operator")
            await estate.fault()
            order = (await desk.post(ORDERS, json=REPORT)).json()["id"]
            await desk.post(f"{ORDERS}/{order}/assign", json={"to": "m-liu"})
            await desk.post(f"{ORDERS}/{order}/comment", json={"why": "part ordered"})
            await estate.pass_time(minutes=45)
            await desk.aclose()
    return connect(folder / "journal.db")


async def test_an_untouched_journal_shows_what_its_history_says(tmp_path: Path) -> None:
    connection = await made(tmp_path)
    assert connection.execute("SELECT count(*) FROM finding WHERE kind IN ('alert', 'work_order')").get
    assert verification.verify(connection).faults == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("work_order", "body = CAST(replace(CAST(body AS TEXT), 'm-liu', 'm-wu') AS BLOB)"),
        ("alert", "body = CAST(replace(CAST(body AS TEXT), '\"state\":\"open\"', '\"state\":\"closed\"') AS BLOB)"),
        ("work_order", "seq = 1, body = (SELECT body FROM finding WHERE kind = 'alert')"),
        ("work_order", "id = '20261123-009'"),
        ("alert", "id = 'circuit_fault/c-none/1'"),
    ],
)  # fmt: skip
async def test_a_view_that_was_changed_is_named(tmp_path: Path, kind: str, change: str) -> None:
    connection = await made(tmp_path)
    last = "SELECT max(id) FROM finding WHERE kind = ?"
    connection.execute(f"UPDATE finding SET {change} WHERE kind = ? AND id = ({last})", (kind, kind))
    found = verification.verify(connection)
    assert {(fault.what, fault.table) for fault in found.faults} == {("view", "finding")}


def test_the_views_of_every_book_are_compared() -> None:
    assert get_args(BookName) == verification._BOOKS
