"""`lamplighter report` on a stopped gateway's journal."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from api.cli import main
from gateway.runtime import Gateway
from gateway.site.load import load_site

SITE = """
site: {id: s, name: 御溪花园, timezone: Asia/Shanghai, latitude: 31, longitude: 121}
places: [{id: t, name: 1号楼}]
devices: [{id: lux, driver: native, kind: light_sensor, place: t, expect_every: 10m}]
lamps: [{id: lamp, place: t, seen_by: lux, expected: {mode: always}}]
"""

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    site, _ = load_site(tmp_path / "site.yaml", secrets=False)
    now = NOON
    async with Gateway(site, tmp_path / "data", clock=lambda: now) as gateway:
        for minutes in range(0, 26 * 60, 5):
            now = NOON + timedelta(minutes=minutes)
            gateway.intake.observe(
                b'{"kind":"light_level","device":"lux","at":"%s","lux":90}' % now.isoformat().encode(), gateway.now()
            )
            gateway.intake.tick(gateway.now())
        await gateway.intake.drained()
    return tmp_path


def _report(folder: Path, *words: str) -> int:
    return main(["report", *words, "--site", str(folder / "site.yaml"), "--data", str(folder / "data")])


async def test_it_prints_writes_and_says_as_json_the_same_figures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    status = await asyncio.to_thread(_report, folder, "day:2026-11-20", "--json", "--excel", str(folder / "r.xlsx"))
    assert status == 0
    said = json.loads(capsys.readouterr().out)
    (site, building) = said["lamps"]
    assert (site["id"], building["id"]) == ("s", "t")
    assert site["intact_h"] > 19
    sheet = openpyxl.load_workbook(folder / "r.xlsx")["照明完好率"]
    assert next(sheet.iter_rows(min_row=2, max_row=2, max_col=3, values_only=True)) == ("全项目", 1, site["rate"])
    status = await asyncio.to_thread(_report, folder, "day:2026-11-20", "--language", "en")
    assert "Lights intact" in capsys.readouterr().out


async def test_what_is_no_period_or_not_begun_is_refused_with_a_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    for words, said in (
        ("day:2026-11-31", "expected day:2026-11-25"),
        ("month:2027-01", "has not begun"),
        ("shift:night:2026-11-20", "no shift 'night'"),
    ):
        assert await asyncio.to_thread(_report, folder, words) == 2
        assert said in capsys.readouterr().err
    assert main(["report", "day:2026-11-20", "--site", str(folder / "site.yaml"), "--data", str(folder / "none")]) == 2
    assert "there is no journal" in capsys.readouterr().err
