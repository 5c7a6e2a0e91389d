"""A journal that an older version wrote is brought up to date whole or not at all, with a way back; one that a newer version wrote is not touched.

`schemas/NNNN.sql.gz` are journals as the program of that time left them: the same two starts of the same small estate (`site.yaml`: a
round walked, a panic button pressed and acknowledged, a lamp dark, a reader silent, an account). A version that changes the schema adds one.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from api.cli import main
from gateway.errors import JournalError
from gateway.instants import moment
from gateway.journal import store
from gateway.journal.backup import restore
from gateway.journal.store import Store, connect_snapshot, migrations
from gateway.journal.verification import verify
from gateway.recovery import FORMAT
from gateway.runtime import Gateway
from gateway.site.load import load_site
from tests.faults import disks
from tests.faults.disks import PowerCut, Refuses
from tests.faults.ledger import damaged, half_applied, twice

SCHEMAS = Path(__file__).parent / "schemas"
KEPT = {int(path.name[:4]): path for path in sorted(SCHEMAS.glob("*.sql.gz"))}
NEWEST = migrations()[-1][0]
CHAINED_FROM = 7
"""The schema since which there is a chain."""
OLDER = [number for number in KEPT if number < NEWEST]
TABLES = (
    "log",
    "visit_revision",
    "alert_transition",
    "notice",
    "notice_attempt",
    "quarantine",
    "change",
    "accounts",
    "cursor",
)

LANDED = {
    "0001_journal.sql": "8966a1138f5828ab",
    "0002_accounts.sql": "1d425238f0ce84ea",
    "0003_conditions.sql": "6fe21f0b8c480548",
    "0004_late_conditions.sql": "6c4c25addd76499f",
    "0005_entries.sql": "2c40c6a6a60ebda8",
    "0007_chain.sql": "26f5bfcab5562da5",
    "0008_reports.sql": "893ab382e09b2d6c",
    "0010_notices.sql": "f27e48e1f2c3a576",
    "0011_messages.sql": "be464c18a05fa901",
    "0012_access.sql": "74086e5f5d8ae5a6",
    "0013_accounts.sql": "2bdbd6456c0b920b",
    "0014_phones.sql": "783e07c776456e51",
    "0019_read_again.sql": "37edd78836e40618",
}
"""SHA-256 of what stands: a journal out there was made by it."""


def journal_of(number: int, folder: Path) -> Path:
    """The journal of that time, in a data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute(gzip.decompress(KEPT[number].read_bytes()).decode())
        assert connection.execute("PRAGMA user_version").get == number
    return path


def rows(path: Path) -> dict[str, list[Any]]:
    """All rows of the tables that hold evidence, what was made of it, and accounts, by the columns that they had at first."""
    with closing(connect_snapshot(path)) as journal:
        return {
            table: journal.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in TABLES
            if journal.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?)", (table,)).get
        }


def kept_of(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> list[str]:
    """Tables of which a row went or changed; new columns and new rows are none of that."""
    return [
        table
        for table, old in before.items()
        if old and not {tuple(row) for row in old} <= {tuple(row[: len(old[0])]) for row in after[table]}
    ]


def whole(path: Path) -> list[str]:
    with closing(connect_snapshot(path)) as journal:
        return [*twice(journal), *damaged(journal), *half_applied(journal)]


def test_there_is_a_journal_of_the_newest_schema_so_that_the_next_change_is_tried_on_it() -> None:
    assert max(KEPT) == NEWEST, (
        "a migration was added: add a journal of its schema, too: .dump of one that this program wrote, gzipped"
    )
    assert len(OLDER) >= 7


def test_what_landed_as_a_migration_is_never_changed() -> None:
    folder = resources.files("gateway.journal") / "migrations"
    found = {
        item.name: hashlib.sha256(item.read_bytes()).hexdigest()[:16]
        for item in folder.iterdir()
        if item.name.endswith(".sql")
    }
    assert {name: found.get(name) for name in LANDED} == LANDED
    assert not [name for name in found if name not in LANDED and name < max(LANDED)], "numbers only rise"


@pytest.mark.parametrize("number", OLDER)
async def test_a_journal_of_each_earlier_schema_keeps_every_row_and_goes_on(number: int, tmp_path: Path) -> None:
    path = journal_of(number, tmp_path)
    before = rows(path)
    site, _ = load_site(SCHEMAS / "site.yaml")
    with closing(connect_snapshot(path)) as journal:
        until = moment(int(journal.execute("SELECT value FROM meta WHERE key = 'advanced'").get), UTC)
        shown = {
            key: msgspec.json.decode(body)
            for *key_, body in journal.execute("SELECT kind, id, body FROM finding WHERE kind IN ('alert', 'round')")
            for key in [tuple(key_)]
        }
        format_ = journal.execute("SELECT format FROM snapshot ORDER BY seq DESC LIMIT 1").get
    clock = [until + timedelta(minutes=3)]
    async with Gateway(site, tmp_path, clock=lambda: clock[0]) as gateway:
        assert kept_of(before, rows(path)) == []
        alerts = {each.id: each.state for each in gateway.judgement.alerts.alerts(active=True)}
        for (kind, subject), old in shown.items():
            if kind == "alert":
                new = await gateway.archive.alert(subject)
                assert new is not None
                assert new["rule"] == old["rule"]
                assert new["history"][: len(old["history"])] == old["history"]
                if subject in alerts:
                    assert alerts[subject] == new["state"]
            elif (round_ := gateway.judgement.engine.rounds.round(subject)) is not None:
                assert [visit.verdict for visit in round_.visits] == [visit["verdict"] for visit in old["visits"]]
        opened = {
            key[1] for key, old in shown.items() if key[0] == "alert" and old["state"] in {"open", "acknowledged"}
        }
        assert opened <= set(alerts), "an alert that was open is open still"
        rounds = [key for key in shown if key[0] == "round"]
        assert rounds
        for n in range(1, 40):
            clock[0] += timedelta(minutes=1)
            body = {"kind": "reader_heartbeat", "device": "rdr", "at": clock[0], "boot": "c", "seq": n, "last_seq": 0}
            gateway.intake.observe(msgspec.json.encode(body), gateway.now())
            await gateway.intake.wake()
        assert (await gateway.query("SELECT count(*) FROM log WHERE boot = 'c'"))[0][0] == 39
        await gateway.checkpoints.make("asked")
        told = await gateway.query("SELECT detail FROM audit WHERE action = 'journal.upgrade'")
        assert told == [
            (
                f"the journal was brought from schema {number} to {NEWEST}; as it was before it is kept as journal.db.before-{number:04}",
            )
        ]
    assert whole(path) == []
    with closing(connect_snapshot(path)) as journal:
        assert verify(journal).intact
        assert journal.execute("SELECT format FROM snapshot ORDER BY seq DESC LIMIT 1").get == FORMAT
        if format_ != FORMAT:
            assert number < 5, "an older form of the state, made anew from the log"


@pytest.mark.parametrize("number", OLDER)
def test_as_it_was_before_it_is_kept_for_the_way_back(number: int, tmp_path: Path) -> None:
    path = journal_of(number, tmp_path / "data")
    before = rows(path)
    (tmp_path / "data" / "journal.db.before-0002").write_bytes(b"of the upgrade before")
    Store(tmp_path / "data").close()
    kept = tmp_path / "data" / f"journal.db.before-{number:04}"
    assert [each.name for each in (tmp_path / "data").glob("*before*")] == [kept.name], "one, whatever came before"
    assert rows(kept) == before
    with closing(connect_snapshot(kept)) as journal:
        assert journal.execute("PRAGMA user_version").get == number
        assert journal.execute("PRAGMA integrity_check").get == "ok"
    Store(tmp_path / "data").close()
    assert kept.exists()
    # The older program's own `restore` takes it as any copy; this one's does, too.
    made = restore(kept, tmp_path / "back", 0)
    assert rows(made.path) == before


@pytest.mark.parametrize("number", [number for number in KEPT if number >= CHAINED_FROM])
def test_what_is_restored_of_an_earlier_schema_is_intact_before_and_after_its_start(
    number: int, tmp_path: Path
) -> None:
    made = restore(journal_of(number, tmp_path / "old"), tmp_path / "new", 0)
    for _ in range(2):
        with closing(connect_snapshot(made.path)) as journal:
            assert [fault.text for fault in verify(journal).faults] == []
        Store(tmp_path / "new").close()
    with closing(apsw.Connection(str(made.path))) as journal:
        guards = journal.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'visit_revision'"
        ).fetchall()
        for name, _ in guards:
            journal.execute(f"DROP TRIGGER {name}")
        journal.execute(
            "UPDATE visit_revision SET verdict = 'missed' WHERE rowid = (SELECT min(rowid) FROM visit_revision)"
        )
        for _, sql in guards:
            journal.execute(sql)
    with closing(connect_snapshot(made.path)) as journal:
        assert not verify(journal).intact, "a row that was changed afterwards is found"


def test_without_room_for_a_copy_the_journal_is_upgraded_all_the_same_and_that_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = journal_of(12, tmp_path)
    before = rows(path)
    monkeypatch.setattr(store, "_ROOM", 1 << 60)
    opened = Store(tmp_path)
    assert opened.upgraded.endswith("there was no room to keep it as it was before")
    opened.close()
    assert list(tmp_path.glob("*before*")) == []
    assert kept_of(before, rows(path)) == []


UPGRADE = """
import sys
from pathlib import Path
import apsw
import msgspec
from gateway.errors import JournalError
from gateway.journal.store import Store
from tests.faults import disks
vfs = disks.install(msgspec.json.decode(sys.argv[2], type=disks.Disk))
try:
    Store(Path(sys.argv[1])).close()
except JournalError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
except apsw.Error:  # at its end: what was brought up to date stays in the write-ahead log
    sys.exit(5)
print(vfs.counted.write, vfs.counted.sync)
"""


def upgraded(folder: Path, disk: disks.Disk) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", UPGRADE, str(folder), msgspec.json.encode(disk).decode()]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def moments(most: int, few: int) -> Iterator[int]:
    """All of 1…most in the nightly run, a few of them in CI."""
    step = 1 if os.environ.get("LAMPLIGHTER_FAULTS") else max(most // few, 1)
    yield from range(1, most + 1, step)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", ["cut", "full", "broken"])
def test_interrupted_anywhere_an_upgrade_was_not_or_is_whole(fault: str, tmp_path: Path) -> None:
    """Killed or without power, on a full disk, on one that fails: a start later everything is there."""
    ran = upgraded(journal_of(4, tmp_path / "all").parent, Refuses(code="EIO", at=1 << 40))
    assert ran.returncode == 0, ran.stderr
    most = int(ran.stdout.split()[0])
    seen = set()
    for at in moments(most, 5):
        data = tmp_path / f"{fault}-{at}"
        path = journal_of(4, data)
        before = rows(path)
        match fault:
            case "cut":
                disk: disks.Disk = PowerCut(at=at, keeps="some", seed=at)
            case "full":
                disk = Refuses(code="ENOSPC", at=at)
            case _:
                disk = Refuses(code="EIO", at=at)
        ran = upgraded(data, disk)
        assert ran.returncode in {0, 2, 5, -9}, ran.stderr
        if ran.returncode == 2:
            assert ("no space left" if fault == "full" else "cannot open") in ran.stderr
        with closing(connect_snapshot(path)) as journal:
            version = journal.execute("PRAGMA user_version").get
        assert version in {4, NEWEST}
        seen.add(version)
        assert not [each for each in data.glob("journal.db.before-*") if kept_of(before, rows(each))]
        Store(data).close()
        assert kept_of(before, rows(path)) == []
        assert whole(path) == []
    assert 4 in seen, "none of these moments was in the upgrade"


def test_a_journal_of_a_newer_version_is_refused_in_a_sentence_and_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = journal_of(NEWEST, tmp_path)
    journal = apsw.Connection(str(path))
    journal.execute(f"PRAGMA user_version = {NEWEST + 1}")  # is still in the write-ahead log: nothing of it is moved
    holding = {each.name: each.read_bytes() for each in tmp_path.glob("journal.db*") if not each.name.endswith("-shm")}
    with pytest.raises(JournalError, match=f"schema {NEWEST + 1}, this version knows {NEWEST}: install the version"):
        Store(tmp_path)
    words = ["--site", str(SCHEMAS / "site.yaml"), "--data", str(tmp_path)]
    assert main(["run", *words, "--port", "0"]) == 2
    assert "nothing was changed" in capsys.readouterr().err
    assert main(["user", "list", "--data", str(tmp_path)]) == 2
    assert "nothing was changed" in capsys.readouterr().err
    assert {name: (tmp_path / name).read_bytes() for name in holding} == holding
    journal.close()
    assert not list(tmp_path.glob("*before*"))


def test_an_upgrade_of_a_large_journal_takes_seconds(tmp_path: Path) -> None:
    path = journal_of(12, tmp_path)
    with closing(apsw.Connection(str(path))) as journal:
        top = journal.execute("SELECT max(seq) FROM log").get
        with journal:
            for _ in range(10):  # 2^10 times the rows
                journal.execute(
                    "INSERT INTO log SELECT seq + 1000000 + (SELECT max(seq) FROM log), received, device, kind, at, boot || seq, n, body, raw FROM log"
                )
        count = journal.execute("SELECT count(*) FROM log").get
    assert count > 100_000
    assert top
    began = time.monotonic()
    Store(tmp_path).close()
    assert time.monotonic() - began < 20
    with closing(connect_snapshot(path)) as journal:
        assert journal.execute("SELECT count(*) FROM log").get == count
