"""`lamplighter import`: a wand's file becomes evidence, through a running gateway or without one, once only."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from api.cli import main
from device_drivers.patrol_export.device import HEADER_EN, HEADER_ZH, text, workbook
from gateway.imports import FOLDER, ImportFolder, make_order
from gateway.runtime import Gateway
from gateway.site.load import load_site
from tests.support.gateway_process import GatewayProcess

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime.now(ZONE).replace(microsecond=0)
START = (NOW - timedelta(minutes=90)).replace(second=0)
TAP = START + timedelta(minutes=5)
TAG = "0F004E86D9"
GUARD = "0100BC614E"


def site(**changes: Any) -> dict[str, Any]:
    """A wall tag on the roof, walked once, 90 minutes ago, with a wand; the evidence was due an hour ago."""
    return {
        "site": {"id": "s", "name": "s", "timezone": ZONE.key, "language": "en", "latitude": 31.2, "longitude": 121.5},
        "places": [{"id": "roof", "name": "roof"}],
        "people": [
            {"id": "g-wang", "name": "王强", "roles": ["guard"], "tags": [GUARD]},
            {"id": "g-li", "name": "李伟", "roles": ["guard"]},
        ],
        "devices": [{"id": "wand-1", "driver": "patrol_export", "portable": True}],
        "checkpoints": [{"id": "cp-roof", "place": "roof", "tags": [TAG]}],
        "routes": [
            {"id": "night", "visits": [{"checkpoint": "cp-roof"}], "readers": ["wand-1"], "evidence_deadline": "10m"}
        ],
        "rounds": [{"route": "night", "days": "mon-sun", "starts": [f"{START:%H:%M}"], "lasts": "20m"}],
        "mqtt": {"broker": "embedded", "port": 0},
        **changes,
    }


def export(*rows: Sequence[Any], name: str = "巡检记录") -> bytes:
    return workbook([(name, [HEADER_ZH, HEADER_EN, *rows])])


def row(at: datetime = TAP, tag: str = TAG, reader: str = "01", person: str = "王强") -> list[str]:
    return [f"{at:%Y/%m/%d %H:%M:%S}", reader, person, "天台", "", tag]


class Estate:
    """A site file, a data folder whose gateway started two hours ago, and the command."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.process = GatewayProcess(folder, content)
        self.site = folder / "site.yaml"
        self.data = self.process.data
        self.folder = folder
        model, _ = load_site(self.site)
        past = datetime.now(UTC) - timedelta(hours=2)

        async def first_start() -> None:
            async with Gateway(model, self.data, clock=lambda: past):
                pass

        asyncio.run(first_start())

    def write(self, content: bytes, name: str = "export.xlsx") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def words(self, *words: str | Path) -> list[str]:
        return [
            "import",
            *map(str, words),
            "--driver",
            "patrol_export",
            "--site",
            str(self.site),
            "--data",
            str(self.data),
        ]

    def round(self) -> dict[str, Any]:
        (body,) = self.process.query(f"SELECT body FROM finding WHERE id = 'night@{START:%Y-%m-%dT%H:%M}+08:00'")[0]
        return json.loads(body)

    def verdict(self) -> str:
        return str(self.round()["visits"][0]["verdict"])

    def alerts(self) -> dict[str, str]:
        rows = self.process.query("SELECT body FROM finding WHERE kind = 'alert'")
        return {alert["rule"]: alert["state"] for (body,) in rows for alert in [json.loads(body)]}

    def count(self, table: str = "log", where: str = "kind IN ('tag_read', 'sync_end', 'incident')") -> int:
        return int(self.process.query(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])


def eventually(holds: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path, site())


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(words: Sequence[str]) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as left:
            status = int(str(left.code))
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def test_a_running_gateway_takes_the_file_and_the_visit_turns_on_time(estate: Estate, command) -> None:
    path = estate.write(export(row()))
    with estate.process as gateway:
        gateway.start()
        eventually(lambda: estate.alerts().get("round_unverifiable") == "open")
        assert estate.verdict() == "unverifiable"
        status, out, err = command([*estate.words(path), "--yes"])
        assert (status, err) == (0, "")
        assert "巡检时间 | 巡检器 | 人员 | 巡检点 | 事件 | 编号" in out
        assert "wand-1: 1 tag_read" in out
        assert "export.xlsx: 2 new, 0 known already" in out
        eventually(lambda: estate.verdict() == "on_time")
        visit = estate.round()["visits"][0]
        assert (datetime.fromisoformat(visit["at"]), visit["person"]) == (TAP, "g-wang")
        eventually(lambda: estate.alerts()["round_unverifiable"] == "retracted")
        before = estate.count()
        status, out, _ = command([*estate.words(path), "--yes"])
        assert status == 0
        assert "0 new, 2 known already" in out
        assert "imported before" in out
        assert estate.count() == before
    assert len(list((estate.data / FOLDER / "done").glob("*.data"))) == 2


def test_without_a_gateway_the_command_does_it_itself(estate: Estate, command) -> None:
    path = estate.write(export(row()))
    assert command([*estate.words(path), "--yes"])[0] == 0
    assert estate.verdict() == "on_time"
    before = estate.count()
    status, out, _ = command([*estate.words(path), "--yes"])
    assert (status, estate.count()) == (0, before)
    assert "0 new, 2 known already" in out


def test_a_wand_that_was_elsewhere_settles_a_missed_visit(estate: Estate, command) -> None:
    later = START + timedelta(minutes=40)
    path = estate.write(export(row(START - timedelta(minutes=20), tag="0F004E86DA"), row(later, tag="0F004E86DA")))
    assert command([*estate.words(path), "--yes"])[0] == 0
    assert estate.verdict() == "missed"


def test_an_unreadable_row_leaves_open_what_it_may_hide(estate: Estate, command) -> None:
    rows = [
        row(START - timedelta(minutes=20), tag="0F004E86DA"),
        row(tag="????"),
        row(START + timedelta(minutes=40), tag="0F004E86DA"),
    ]
    path = estate.write(export(*rows))
    status, out, _ = command([*estate.words(path), "--yes"])
    assert status == 1
    assert "sheet '巡检记录' row 4: chip number '????' is not hexadecimal" in out
    assert estate.verdict() == "unverifiable"
    assert estate.count("quarantine", "1") == 1
    command([*estate.words(path), "--yes"])
    assert estate.count("quarantine", "1") == 1


def test_several_wands_in_one_file_go_to_the_devices_that_name_them(tmp_path: Path, command) -> None:
    devices = [
        {"id": "wand-1", "driver": "patrol_export", "portable": True, "settings": {"serial": "0101"}},
        {"id": "wand-2", "driver": "patrol_export", "portable": True, "settings": {"serial": ["0102", "0103"]}},
    ]
    estate = Estate(tmp_path, site(devices=devices))
    path = estate.write(export(row(reader="101"), row(reader="0103", person="谁"), row(reader="0999")))
    status, out, _ = command([*estate.words(path), "--yes", "--json"])
    said = json.loads(out)["files"][0]
    assert (status, said["new"]) == (1, 4)
    assert said["rejected"] == [
        "sheet '巡检记录' row 5: wand '0999': no device has `settings: {serial: …}` for it; say --device"
    ]
    assert any("'谁'" in note for note in said["notes"])
    rows = estate.process.query("SELECT device, kind FROM log WHERE kind IN ('tag_read', 'sync_end') ORDER BY 1, 2")
    assert rows == [("wand-1", "sync_end"), ("wand-1", "tag_read"), ("wand-2", "sync_end"), ("wand-2", "tag_read")]


def test_a_file_of_another_wand_is_not_taken_for_this_one(tmp_path: Path, command) -> None:
    devices = [{"id": "wand-1", "driver": "patrol_export", "portable": True, "settings": {"serial": "0101"}}]
    estate = Estate(tmp_path, site(devices=devices))
    path = estate.write(export(row(reader="0999")))
    status, _, err = command([*estate.words(path), "--yes", "--device", "wand-1"])
    assert status == 2
    assert "nothing in it can be read" in err
    assert not (estate.data / FOLDER).exists()


def test_a_guard_card_in_the_file_names_who_walked(estate: Estate, command) -> None:
    rows = [row(TAP - timedelta(minutes=3), tag=GUARD, person=""), row(person="")]
    assert command([*estate.words(estate.write(export(*rows))), "--yes"])[0] == 0
    assert estate.round()["visits"][0]["person"] == "g-wang"


def test_a_clock_that_is_wrong_is_corrected_by_what_it_shows(estate: Estate, command) -> None:
    ahead = timedelta(minutes=50)
    path = estate.write(export(row(START - timedelta(minutes=90) + ahead, tag="0F004E86DA"), row(TAP + ahead)))
    shown = datetime.now(ZONE) + ahead
    status, _, _ = command([*estate.words(path), "--yes", "--clock", f"{shown:%Y-%m-%d %H:%M:%S}"])
    assert status == 0
    visit = estate.round()["visits"][0]
    assert visit["verdict"] == "on_time"
    assert "clock_corrected" in visit["marks"]
    assert abs(datetime.fromisoformat(visit["at"]) - TAP) < timedelta(seconds=5)


def test_the_clock_of_several_wands_cannot_be_one(tmp_path: Path, command) -> None:
    devices = [
        {"id": f"wand-{n}", "driver": "patrol_export", "portable": True, "settings": {"serial": str(n)}} for n in (1, 2)
    ]
    estate = Estate(tmp_path, site(devices=devices))
    path = estate.write(export(row(reader="1"), row(reader="2")))
    status, _, err = command([*estate.words(path), "--yes", "--clock", "2026-05-01 06:10:30"])
    assert status == 2
    assert "--clock is of one wand" in err


def test_text_in_gbk_is_imported_like_a_workbook(estate: Estate, command) -> None:
    path = estate.write(text([HEADER_ZH, row()], encoding="gbk"), "export.csv")
    status, out, _ = command([*estate.words(path), "--yes"])
    assert status == 0
    assert "GB18030" in out
    assert estate.verdict() == "on_time"


def test_a_file_left_waiting_by_a_killed_command_is_taken_at_the_next_start(estate: Estate) -> None:
    content = export(row())
    ImportFolder(estate.data).put(make_order(content, "x.xlsx", "patrol_export", "", datetime.now(UTC)), content)
    with estate.process as gateway:
        gateway.start()
        eventually(lambda: bool(estate.count()) and estate.verdict() == "on_time")
        eventually(lambda: not list((estate.data / FOLDER).glob("*.json")))


def test_killed_in_the_middle_nothing_is_lost_and_nothing_doubled(estate: Estate) -> None:
    rows = [row(START + timedelta(seconds=7 * n), tag=f"0F004E{n:04X}") for n in range(700)]
    content = export(*rows, row())
    order = make_order(content, "x.xlsx", "patrol_export", "", datetime.now(UTC))
    ImportFolder(estate.data).put(order, content)
    command = [sys.executable, "-c", f"""
import asyncio, os, pathlib
from api.commands.import_ import _take
from gateway.site.load import load_site
from gateway.intake import Intake
found, seen = Intake.found, []
def dying(self, *given):
    seen.append(1)
    if len(seen) == 2:
        os._exit(9)
    found(self, *given)
Intake.found = dying
asyncio.run(_take(load_site(pathlib.Path({str(estate.site)!r}))[0], pathlib.Path({str(estate.data)!r})))
"""]  # fmt: skip
    assert subprocess.run(command, check=False, env=os.environ).returncode == 9
    some = estate.count()
    assert 0 < some < 702
    with estate.process as gateway:
        gateway.start()
        eventually(lambda: ImportFolder(estate.data).outcome(order) is not None)
    outcome = ImportFolder(estate.data).outcome(order)
    assert outcome is not None
    assert (outcome.new, outcome.repeats) == (702 - some, some)
    assert estate.count() == 702


@pytest.mark.parametrize(
    ("content", "words", "reason"),
    [
        (b"a,b\n1,2\n", [], "no patrol export"),
        (b"PK\x03\x04nonsense", [], "damaged or encrypted Excel file"),
        (text([HEADER_EN, row()]), ["--device", "wand-9"], "expected one of wand-1"),
        (text([HEADER_EN, row()]), ["--site", "/no/such/site.yaml"], "/no/such/site.yaml"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_reason(
    estate: Estate, command, content: bytes, words: list[str], reason: str
) -> None:
    status, _, err = command([*estate.words(estate.write(content)), "--yes", *words])
    assert status == 2
    assert reason in err
    assert not (estate.data / FOLDER).exists()


def test_nobody_to_ask_and_no_yes_imports_nothing(estate: Estate, command, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        status, out, err = command(estate.words(estate.write(export(row()))))
    assert status == 2
    assert "wand-1: 1 tag_read" in out
    assert "--yes" in err
    assert not (estate.data / FOLDER).exists()


def test_a_gateway_that_finds_no_device_refuses_the_file(estate: Estate, command) -> None:
    content = export(row())
    order = make_order(content, "x.xlsx", "patrol_export", "wand-9", datetime.now(UTC))
    folder = ImportFolder(estate.data)
    folder.put(order, content)
    assert command([*estate.words(estate.write(export(row()))), "--yes"])[0] == 0
    outcome = folder.outcome(order)
    assert outcome is not None
    assert (outcome.state, outcome.reason[:15]) == ("refused", "--device wand-9")
    assert (folder.path / "refused" / f"{order.id}.data").read_bytes() == content


def test_a_site_without_wands_says_what_to_write(tmp_path: Path, command) -> None:
    content = site(devices=[{"id": "wand-1", "driver": "native", "kind": "wand", "portable": True}])
    estate = Estate(tmp_path, yaml.safe_load(yaml.safe_dump(content)))
    status, _, err = command([*estate.words(estate.write(export(row()))), "--yes"])
    assert status == 2
    assert "driver: patrol_export" in err
