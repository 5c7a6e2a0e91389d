"""A copy of the journal is whole at one instant, also while it is written; what is restored goes on, and accuses nobody for what it lost."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from api.cli import main
from device_drivers.driver import Reading
from device_drivers.observations import LightLevel, ReaderHeartbeat, TagRead
from gateway.errors import JournalError
from gateway.instants import instant
from gateway.journal.backup import backup, restore
from gateway.journal.store import Store, connect_snapshot
from gateway.journal.verification import verify
from gateway.runtime import Gateway
from gateway.site.enrolments import EnrolPerson
from tests.service.test_enrolment import CARD, OTHER, ROUND, TEN, Clock, site, the_night, verdict


async def test_a_copy_made_while_the_gateway_writes_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        await the_night(gateway, clock)
        seen: list[int] = []

        async def keep_writing() -> None:
            n = 1000
            while True:
                n += 1
                clock.time += timedelta(milliseconds=1)
                said = LightLevel(device="rdr", at=clock.time, boot="w", seq=n, lux=1.0)
                await gateway.hear("rdr", [Reading(said, None)])

        writing = asyncio.create_task(keep_writing())
        copies = []
        for number in range(5):
            copies.append(
                await asyncio.to_thread(
                    backup, tmp_path / "data", tmp_path / f"copy-{number}.db", lambda done, _: seen.append(done)
                )
            )
            await asyncio.sleep(0.02)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    rows = [each.rows for each in copies]
    assert rows == sorted(set(rows)), "each copy has more than the one before: it was being written"
    assert seen
    for each in copies:
        assert names(tmp_path, f"{each.path.name}*") == [each.path.name], "one file"
        connection = connect_snapshot(each.path)
        assert verify(connection).intact
        connection.close()


async def test_what_is_restored_goes_on_with_a_new_epoch_and_accuses_nobody_for_what_it_lost(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        clock.time = TEN - timedelta(minutes=5)
        await gateway.hear("rdr", [Reading(ReaderHeartbeat(device="rdr", at=clock.time, boot="b", seq=1), None)])
        made = backup(tmp_path / "data", tmp_path / "copy.db")
        # After the copy the round is walked; then the disk is lost.
        clock.time = TEN + timedelta(minutes=5)
        tap = TagRead(device="rdr", at=clock.time, boot="b", seq=2, tag=OTHER)
        await gateway.hear("rdr", [Reading(tap, None)])
        assert verdict(gateway)[0] == "on_time"
        old = (await gateway.query("SELECT value FROM meta WHERE key = 'epoch'"))[0][0]
    clock.time = TEN + timedelta(minutes=40)
    found = restore(made.path, tmp_path / "new", instant(clock.time))
    assert found.checked is not None
    assert found.checked.intact
    assert found.epoch != old
    async with Gateway(site(), tmp_path / "new", clock=clock) as gateway:
        for minutes in range(41, 120):
            clock.time = TEN + timedelta(minutes=minutes)
            said = ReaderHeartbeat(device="rdr", at=clock.time, boot="b", seq=minutes, last_seq=minutes - 1)
            await gateway.hear("rdr", [Reading(said, None)])
        assert verdict(gateway)[0] == "unverifiable"
        told = await gateway.query(
            "SELECT action, subject FROM audit WHERE action LIKE 'journal.%' OR action = 'chain.epoch'"
        )
        assert told == [("journal.restore", found.epoch), ("chain.epoch", found.epoch)]
    connection = connect_snapshot(tmp_path / "new" / "journal.db")
    assert verify(connection).intact
    connection.close()


async def test_a_restored_journal_verifies_before_a_gateway_has_ever_started_on_it(tmp_path: Path) -> None:
    async with Gateway(site(), tmp_path / "one", clock=Clock()):
        backup(tmp_path / "one", tmp_path / "copy.db")
    restore(tmp_path / "copy.db", tmp_path / "two", instant(TEN))
    connection = apsw.Connection(str(tmp_path / "two" / "journal.db"))
    checked = verify(connection)
    assert checked.intact, checked.faults
    assert any("another epoch" in note for note in checked.notes)
    connection.execute("UPDATE meta SET value = 'feedfacefeedface' WHERE key = 'epoch'")
    assert not verify(connection).intact


async def test_nothing_is_overwritten_and_nothing_damaged_is_used(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        await the_night(gateway, clock)
    made = backup(tmp_path / "data", tmp_path / "copy.db")
    with pytest.raises(JournalError, match="exists already"):
        backup(tmp_path / "data", made.path)
    with pytest.raises(JournalError, match="has a journal already"):
        restore(made.path, tmp_path / "data", 0)
    with pytest.raises(JournalError, match="no journal in"):
        backup(tmp_path / "nowhere", tmp_path / "other.db")

    changed = tmp_path / "changed.db"
    changed.write_bytes(made.path.read_bytes())
    connection = apsw.Connection(str(changed))
    connection.execute("DROP TRIGGER IF EXISTS visit_revision_is_never_changed")
    connection.execute("UPDATE visit_revision SET verdict = 'on_time'")
    connection.close()
    with pytest.raises(JournalError, match="not as it was written"):
        restore(changed, tmp_path / "new", 0)
    cut = tmp_path / "cut.db"
    cut.write_bytes(made.path.read_bytes()[: made.size // 2])
    with pytest.raises(JournalError, match="damaged"):
        restore(cut, tmp_path / "new", 0)
    newer = tmp_path / "newer.db"
    newer.write_bytes(made.path.read_bytes())
    connection = apsw.Connection(str(newer))
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    with pytest.raises(JournalError, match="install the version that wrote it"):
        restore(newer, tmp_path / "new", 0)
    assert not (tmp_path / "new" / "journal.db").exists()
    assert names(tmp_path, "**/*.part") == []


async def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        await the_night(gateway, clock)
    folder = tmp_path / "copies"
    folder.mkdir()
    for day in ("20260101", "20260102"):
        (folder / f"journal-{day}T000000Z.db").write_bytes(b"old")
    assert main(["backup", "--data", str(tmp_path / "data"), str(folder), "--keep", "2", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["deleted"] == [str(folder / "journal-20260101T000000Z.db")]
    assert main(["restore", made["file"], "--data", str(tmp_path / "new"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chain"].startswith("intact")
    assert main(["restore", made["file"], "--data", str(tmp_path / "new")]) == 2
    assert "never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["copies", "--keep", "2"], ["copies/"]])
async def test_what_is_meant_to_be_a_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Gateway(site(), tmp_path / "data", clock=Clock()):
        assert main(["backup", *words]) == 0
    assert len(list((tmp_path / "copies").glob("journal-*.db"))) == 1
    (tmp_path / "file").touch()
    assert main(["backup", "file", "--keep", "2"]) == 2


@pytest.mark.parametrize("keep", ["0", "-5", "some"])
def test_fewer_copies_than_one_are_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: str) -> None:
    old = tmp_path / "journal-20260101T000000Z.db"
    old.write_bytes(b"old")
    with pytest.raises(SystemExit) as refused:
        main(["backup", "--data", str(tmp_path), str(tmp_path), "--keep", keep])
    assert refused.value.code == 2
    assert f"'{keep}': expected a number of at least 1" in capsys.readouterr().err
    assert old.exists()


async def test_what_a_command_writes_is_for_its_user_alone_also_in_a_folder_open_to_others(tmp_path: Path) -> None:
    data, open_to_all = tmp_path / "data", tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    data.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        Store(tmp_path / "old").close()
        assert main(["backup", "--data", str(tmp_path / "old"), str(open_to_all / "copy.db")]) == 0
        assert main(["restore", str(open_to_all / "copy.db"), "--data", str(data)]) == 0
        assert main(["export", "--data", str(data), "-o", str(open_to_all / "evidence.jsonl")]) == 0
        mine = open_to_all / "mine"
        mine.touch()
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for folder in (data, open_to_all) for file in folder.iterdir()}
    assert modes.pop("mine") == 0o644, "the umask of who calls it is as it was"
    assert {"journal.db", "copy.db", "evidence.jsonl"} <= set(modes)
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}


async def test_exported_evidence_is_judged_as_the_gateway_judged_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        clock.time += timedelta(hours=1)
        await gateway.hear("rdr", [Reading(ReaderHeartbeat(device="rdr", at=clock.time, boot="b", seq=500), None)])
        judged = gateway.judgement.engine.rounds.round(ROUND)
        assert judged is not None
        await gateway.enrol(EnrolPerson(id="g-li"), "u-chen")
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    out = tmp_path / "evidence.jsonl"
    assert main(["export", "--data", str(tmp_path / "data"), "-o", str(out)]) == 0
    assert "1 people, tags and phones were enrolled on the console" in capsys.readouterr().err
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds.count("tag_read") == 1
    assert kinds.count("restart") == 1
    assert kinds[-1] == "advance"
    capsys.readouterr()
    assert main(["replay", "--site", str(tmp_path / "site.yaml"), str(out)]) == 0
    rounds = {each["id"]: each for each in json.loads(capsys.readouterr().out)["rounds"]}
    assert rounds[ROUND]["visits"][0]["verdict"] == judged.visits[0].verdict == "missed"
    assert main(["export", "--data", str(tmp_path / "data"), "-o", str(out)]) == 2
    assert "cannot write" in capsys.readouterr().err
    since, until = "2026-11-25T22:05:00+08:00", "2026-11-25T22:06:00+08:00"
    part = tmp_path / "part.jsonl"
    assert main(["export", "--data", str(tmp_path / "data"), "--from", since, "--until", until, "-o", str(part)]) == 0
    some = [json.loads(line) for line in part.read_text().splitlines()]
    assert [(line["kind"], line.get("tag")) for line in some] == [("reader_heartbeat", None), ("tag_read", CARD)]
    assert main(["export", "--data", str(tmp_path / "data"), "--from", "yesterday"]) == 2
    assert "--from" in capsys.readouterr().err


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


SITE = """
site: {id: s, name: s, timezone: Asia/Shanghai, latitude: 31.2, longitude: 121.5}
places: [{id: gate, name: 南门}]
people: [{id: g-wang, name: 王强, roles: [guard], tags: ["007B3972"]}]
devices: [{id: rdr, driver: native, kind: reader, expect_every: 1m}]
checkpoints: [{id: cp, place: gate, reader: rdr}]
routes: [{id: r, visits: [{checkpoint: cp, after: 5m}]}]
rounds: [{route: r, days: mon-sun, starts: ["22:00"], lasts: 10m}]
"""


async def test_through_a_link_the_same_is_restored_as_from_the_folder_itself(tmp_path: Path) -> None:
    clock = Clock()
    live, dead = tmp_path / "live.db", tmp_path / "dead.db"
    live.symlink_to(tmp_path / "live" / "journal.db")
    dead.symlink_to(tmp_path / "dead" / "journal.db")
    async with Gateway(site(), tmp_path / "live", clock=clock) as gateway:
        await the_night(gateway, clock)
        shutil.copytree(tmp_path / "live", tmp_path / "dead")
        with pytest.raises(JournalError, match="lamplighter backup"):
            restore(live, tmp_path / "other", instant(clock.time))
    restore(dead, tmp_path / "new", instant(clock.time))
    connection = connect_snapshot(tmp_path / "new" / "journal.db")
    assert connection.execute("SELECT count(*) FROM log WHERE kind = 'tag_read'").get == 1
    connection.close()


async def test_of_a_folder_whose_gateway_was_cut_off_all_that_was_on_disk_is_restored(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "live", clock=clock):
        pass
    async with Gateway(site(), tmp_path / "live", clock=clock) as gateway:
        await the_night(gateway, clock)
        shutil.copytree(tmp_path / "live", tmp_path / "dead")
        with pytest.raises(JournalError, match="lamplighter backup"):
            restore(tmp_path / "live" / "journal.db", tmp_path / "other", instant(clock.time))
    dead = tmp_path / "dead" / "journal.db"
    assert (tmp_path / "dead" / "journal.db-wal").stat().st_size > 0
    before = {each.name: each.read_bytes() for each in (tmp_path / "dead").iterdir() if "journal" in each.name}
    made = restore(dead, tmp_path / "new", instant(clock.time))
    assert made.checked is not None
    assert made.checked.intact
    assert {each.name: each.read_bytes() for each in (tmp_path / "dead").iterdir() if "journal" in each.name} == before
    assert names(tmp_path / "new", "journal.db*") == ["journal.db"]
    connection = connect_snapshot(tmp_path / "new" / "journal.db")
    assert connection.execute("SELECT count(*) FROM log WHERE kind = 'tag_read'").get == 1
    assert connection.execute("SELECT count(*) FROM log").get > 80
    connection.close()
