"""What the journal forgets, and what it never does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from gateway.instants import DAY, HOUR, Instant, instant
from gateway.journal.reader import Reader
from gateway.journal.retention import EVENTS, KEPT_FROM, Retention
from gateway.journal.store import Store
from gateway.journal.writer import Writer
from gateway.runtime import Gateway
from gateway.site.load import load_site
from gateway.site.model import Storage

KEPT = 90 * DAY
SITE = """
site: {id: s, name: S, timezone: Asia/Shanghai, latitude: 31, longitude: 121}
places: [{id: t, name: T}]
devices: [{id: lux, driver: native, kind: light_sensor, place: t, expect_every: 1d}]
lamps: [{id: lamp, place: t, seen_by: lux, expected: {mode: always}}]
"""
NOW = instant(datetime(2026, 11, 26, 12, tzinfo=UTC))


class Journal:
    """A journal with a row an hour in each table for 120 days."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.writer = Writer(self.store.writer)
        self.reader = Reader(self.store.path)
        self.now = NOW

    async def fill(self) -> None:
        run = []
        for number in range(120 * 24):
            at = NOW - 120 * DAY + number * HOUR
            seq = 10 * number + 10
            run += [
                ("INSERT INTO log VALUES (?,?,?,?,?,?,?,?,?)", (seq, at, "lux", "light_level", at, None, None, b"{}", None)),
                ("INSERT INTO quarantine (seq, received, source, topic, payload, reason) VALUES (?,?,?,?,?,?)", (seq + 1, at, "s", "t", b"x", "why")),
                ("INSERT INTO change VALUES (?,?,?,?,?)", (seq + 2, at, "lamp", "l", b"{}")),
                ("INSERT INTO condition VALUES (?,?,?,?,?,?,?)", (seq + 3, at, at, "lamp", f"l{number % 3}", "ok", "")),
                ("INSERT INTO visit_revision VALUES (?,?,?,?,?,?,?)", (seq + 4, at, "r", 1, number, "missed", b"{}")),
                ("INSERT INTO notice (seq, key, created, contact, alert, kind, title, body, next_try) VALUES (?,?,?,?,?,?,?,?,?)",
                 (seq + 5, f"k{number}", at, "c", "a", "raised", "", "", None if number else at)),
                ("INSERT INTO notice_attempt (notice, at, ok, detail) VALUES (?,?,?,?)", (seq + 5, at, 1, "sent")),
                ("INSERT INTO finding VALUES (?,?,?,?,?)", ("round", f"r{number}", at, seq + 6, b"{}")),
                ("INSERT INTO finding VALUES (?,?,?,?,?)", ("alert", f"a{number}", at, seq + 7, b"{}")),
            ]  # fmt: skip
        await self.writer.execute(run)
        await self.writer.execute([("INSERT INTO cursor VALUES ('local', ?)", (1 << 40,))])

    def retention(self, *receivers: str) -> Retention:
        return Retention(self.reader, self.writer, KEPT, lambda: self.now, receivers=receivers)

    def count(self, table: str, where: str = "1") -> int:
        return int(self.store.writer.execute(f"SELECT count(*) FROM {table} WHERE {where}").get)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path)
    await journal.fill()
    yield journal
    journal.writer.close()
    journal.reader.close()
    journal.store.close()


async def test_evidence_older_than_the_site_keeps_it_goes_and_nothing_else(journal: Journal) -> None:
    await journal.retention("local").sweep()
    kept, total = 90 * 24, 120 * 24
    assert journal.count("log") == journal.count("log", f"received >= {NOW - KEPT}") == kept
    assert journal.count("quarantine") == kept
    assert journal.count("change") == EVENTS // HOUR
    assert journal.count("finding", "kind = 'round'") == kept
    # what is chained, and every alert, stays for good
    assert journal.count("visit_revision") == total
    assert journal.count("finding", "kind = 'alert'") == total


async def test_conditions_that_were_kept_for_the_beginning_go_once_another_takes_their_place(journal: Journal) -> None:
    retention = journal.retention("local")
    for _ in range(12):
        await retention.sweep()
        journal.now += HOUR
    before = journal.now - HOUR - KEPT
    old = journal.store.writer.execute("SELECT id, count(*) FROM condition WHERE found < ? GROUP BY id", (before,))
    assert sorted(old) == [("l0", 1), ("l1", 1), ("l2", 1)]


async def test_the_condition_that_held_when_the_kept_time_begins_stays(journal: Journal) -> None:
    await journal.retention("local").sweep()
    before = NOW - KEPT
    assert journal.count("condition", f"found >= {before}") == 90 * 24
    old = journal.store.writer.execute("SELECT id, count(*) FROM condition WHERE found < ? GROUP BY id", (before,))
    assert list(old) == [("l0", 1), ("l1", 1), ("l2", 1)]


async def test_a_notice_that_was_not_delivered_is_never_forgotten(journal: Journal) -> None:
    await journal.retention("local").sweep()
    assert journal.count("notice") == 90 * 24 + 1
    assert journal.count("notice_attempt") == 90 * 24 + 1


async def test_what_a_delivery_has_not_got_yet_is_kept(journal: Journal) -> None:
    await journal.retention("influx").sweep()
    assert journal.count("log") == 120 * 24
    assert journal.store.meta(KEPT_FROM) is None


async def test_it_is_said_from_when_on_evidence_is_there_before_the_first_row_goes(journal: Journal) -> None:
    retention = journal.retention("local")
    seen: list[tuple[Instant | None, int]] = []
    execute = journal.writer.execute

    async def watched(statements):  # type: ignore[no-untyped-def]
        result = await execute(statements)
        seen.append((journal.store.meta(KEPT_FROM), journal.count("log")))
        return result

    journal.writer.execute = watched  # type: ignore[method-assign]
    await retention.sweep()
    assert seen[0] == (NOW - KEPT, 120 * 24)


async def test_a_second_sweep_finds_nothing(journal: Journal) -> None:
    await journal.retention("local").sweep()
    again = journal.retention("local")
    await again.sweep()
    assert again.forgotten == 0
    for _ in range(24):
        journal.now += HOUR
        await again.sweep()
    assert journal.count("log") == 90 * 24 - 24


async def test_the_journal_of_before_an_upgrade_goes_after_a_month(journal: Journal) -> None:
    folder = journal.reader.path.parent
    for number, age in ((3, 29), (4, 31)):
        file = folder / f"journal.db.before-{number:04}"
        file.write_bytes(b"as it was")
        os.utime(file, ns=(0, (journal.now - age * DAY) * 1000))
    await journal.retention().sweep()
    assert [each.name for each in folder.glob("*.before-*")] == ["journal.db.before-0003"]


async def test_a_clock_that_leaps_ahead_makes_nothing_old(journal: Journal) -> None:
    await journal.retention("local").sweep()
    journal.now += 12 * 365 * DAY
    for started in range(1, 4):
        await journal.retention("local").sweep()
        assert journal.count("log") == 90 * 24 - 2 * started


async def test_a_journal_of_which_no_sweep_was_noted_is_not_old_because_the_clock_says_so(journal: Journal) -> None:
    """An update of the gateway and a clock that is months ahead, at once."""
    journal.now += 300 * DAY
    retention = Retention(journal.reader, journal.writer, KEPT, lambda: journal.now, known=NOW)
    await retention.sweep()
    assert retention.lived == NOW + 2 * HOUR
    assert journal.count("log") == 90 * 24 - 2


async def test_nothing_is_forgotten_while_the_clock_is_in_doubt(journal: Journal) -> None:
    retention = Retention(journal.reader, journal.writer, KEPT, lambda: journal.now, doubted=lambda: True)
    await retention.sweep()
    assert retention.forgotten == 0


async def test_a_round_from_before_the_kept_time_is_not_explained_as_if_nobody_had_walked(tmp_path: Path) -> None:
    """Its evidence is gone; judged again from nothing it would be missed."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    site, _ = load_site(tmp_path / "site.yaml", secrets=False)
    site = msgspec.structs.replace(site, storage=Storage(retain_evidence=KEPT))
    async with Gateway(site, tmp_path / "data", clock=lambda: now) as gateway:
        for _ in range(200):
            gateway.intake.observe(
                b'{"kind":"light_level","device":"lux","at":"%s","lux":90}' % now.isoformat().encode(), gateway.now()
            )
            now += timedelta(hours=12)
        await gateway.intake.drained()
        then = instant(datetime(2026, 6, 2, 12, tzinfo=UTC))
        assert await gateway.explain_past("lamp", "lamp", then, named=False) is not None
        await gateway._writer.execute([("INSERT INTO meta VALUES ('lived', ?)", (gateway.now(),))])
        await gateway.retention(()).sweep()
        assert await gateway.explain_past("lamp", "lamp", then, named=False) is None
