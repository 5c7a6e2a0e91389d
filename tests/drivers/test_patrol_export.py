"""Exports of wand programs: the public vectors as real files, what people's files do wrong, and files made to harm."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli import main
from device_drivers.conversation import Sheet
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.observations import Incident, SyncEnd, TagRead
from device_drivers.patrol_export.columns import SYNONYMS, find_header, plain
from device_drivers.patrol_export.device import HEADER_EN, HEADER_ZH, text, workbook
from device_drivers.patrol_export.record import DRIVERS
from device_drivers.patrol_export.tables import MOST_BYTES, MOST_ROWS, Row
from device_drivers.patrol_export.times import UndecidedError, decide_order

NOW = datetime(2026, 11, 26, tzinfo=UTC)
TAG = "0F004E86D9"
HEADER_BIG5 = ["巡檢時間", "巡檢器", "人員", "巡檢點", "事件", "編號"]
VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")


def read(data: bytes, **said: Any) -> Sheet:
    make = DRIVERS[0].file_decoder
    assert make is not None
    return make(DeviceSettings(id=said.pop("id", "wand-1"), settings=said)).read(data, "x", NOW)


def reads(sheet: Sheet) -> list[TagRead]:
    found = [item.observation for item in sheet.found if isinstance(item, Reading)]
    return [each for each in found if isinstance(each, TagRead)]


def incidents(sheet: Sheet) -> list[Incident]:
    found = [item.observation for item in sheet.found if isinstance(item, Reading)]
    return [each for each in found if isinstance(each, Incident)]


def ends(sheet: Sheet) -> list[SyncEnd]:
    found = [item.observation for item in sheet.found if isinstance(item, Reading)]
    return [each for each in found if isinstance(each, SyncEnd)]


def reasons(sheet: Sheet) -> list[str]:
    return [item.reason for item in sheet.found if isinstance(item, Reject)]


def local(sheet: Sheet) -> list[str]:
    return [f"{each.at:%Y-%m-%d %H:%M:%S}" for each in reads(sheet)]


def times_of(*cells: Any, **said: Any) -> list[str]:
    """The times read from a workbook's column."""
    rows = [[cell, f"0F0000{index:04X}"] for index, cell in enumerate(cells)]
    sheet = read(workbook([("s", [["Patrol Time", "Chip ID"], *rows])]), **said)
    assert not reasons(sheet), reasons(sheet)
    return local(sheet)


# -- the public vectors


@pytest.mark.skipif(not VECTORS, reason="LAMPLIGHTER_TEST_VECTORS names no vectors.json")
def test_public_vectors_as_real_workbooks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = [
        each
        for each in json.loads(Path(str(VECTORS)).read_text(encoding="utf-8"))
        if each["format"] == "patrol_export_jwm_xlsx"
    ]
    assert vectors
    for vector in vectors:
        header = [vector.get("header_cn", HEADER_ZH), vector.get("header_en", HEADER_EN)]
        cell = vector.get("cell_time", vector.get("cell_time_serial"))
        path = tmp_path / f"{vector['id']}.xlsx"
        path.write_bytes(workbook([("s", [*header, [cell, "01", "王强", "1号楼", "", TAG]])]))
        assert main(["decode", "patrol_export", "--file", str(path)]) == 0
        tap, end = map(json.loads, capsys.readouterr().out.splitlines())
        assert tap["at"][:19] == vector["expected"]["time_iso_local"]
        assert (tap["kind"], tap["tag"], tap["method"], end["kind"]) == ("tag_read", TAG, "wand", "sync_end")
        if "columns" in vector["expected"]:
            found = find_header([Row(1, tuple(header[0])), Row(2, tuple(header[1]))])
            assert found is not None
            assert sorted(found.columns, key=lambda field: found.columns[field]) == vector["expected"]["columns"]


# -- headers


@pytest.mark.parametrize("header", [[HEADER_ZH], [HEADER_EN], [HEADER_ZH, HEADER_EN], [HEADER_EN, HEADER_ZH]])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 5, 2, 4, 1)])
def test_columns_are_found_by_their_heading_in_any_order(
    header: Sequence[Sequence[str]], order: tuple[int, ...]
) -> None:
    row = ["2026/05/01 00:19:49", "01", "王强", "1号楼", "", TAG]
    rows = [[each[index] for index in order] for each in (*header, row)]
    assert local(read(workbook([("s", rows)]))) == ["2026-05-01 00:19:49"]


@pytest.mark.parametrize("two_rows", [False, True])
def test_other_headings_further_down_a_sheet_are_those_of_the_rows_below_them(two_rows: bool) -> None:
    rows: list[list[Any]] = [["日期", "地点", "应到", "实到"], ["2026-05-01", "1号楼", "1", "1"], ["巡检器：01"]]
    rows += [[HEADER_ZH[index] for index in (3, 5, 0, 1)]]
    rows += [[HEADER_EN[index] for index in (3, 5, 0, 1)]] if two_rows else []
    rows += [["1号楼", TAG, "2026/05/01 00:19:49", "01"], rows[3], ["2号楼", "0F004E86DA", "2026/05/01 00:29:49", "01"]]
    rows += [[*HEADER_ZH], ["2026/05/01 00:39:49", "01", "", "3号楼", "", "0F004E86DB"]]
    for data in (workbook([("s", rows)]), text(rows)):
        sheet = read(data)
        assert [each.tag for each in reads(sheet)] == [TAG, "0F004E86DA", "0F004E86DB"]
        assert local(sheet) == ["2026-05-01 00:19:49", "2026-05-01 00:29:49", "2026-05-01 00:39:49"]
        assert len(reasons(sheet)) == 2, reasons(sheet)
        assert "no time of day" in reasons(sheet)[0]


def test_a_sheet_of_ever_other_headings_is_refused_soon() -> None:
    began = time.monotonic()
    with pytest.raises(DecodeError, match="more than 200 tables"):
        read(f"巡检时间,编号\n2026/05/01 00:19:49,{TAG}\n编号,巡检时间\n{TAG},2026/05/01 00:19:49\n".encode() * 45_000)
    assert time.monotonic() - began < 20


def test_the_same_headings_again_in_one_language_begin_no_other_table() -> None:
    row = ["2026/05/01 00:19:49", "01", "王强", "1号楼", "漏水", TAG]
    later = ["2026/05/01 00:29:49", *row[1:]]
    for again in ([HEADER_ZH], [HEADER_EN], [HEADER_ZH, HEADER_EN], [["巡检时间", "", "人员", "", "", "编号"]]):
        sheet = read(text([HEADER_ZH, HEADER_EN, row, *again, later]))
        kinds = [type(item.observation).__name__ for item in sheet.found if isinstance(item, Reading)]
        assert kinds == ["TagRead", "Incident", "TagRead", "Incident", "SyncEnd"]


def test_an_export_in_traditional_characters_is_read() -> None:
    rows = [
        ["巡邏記錄表 匯出時間：2026-05-01 09:00:00"],
        ["巡檢時間", "巡檢器", "人員", "巡檢點", "事件", "編號"],
        ["2026/05/01 00:19:49", "01", "王強", "未設置", "無", TAG],
        ["2026/05/01 00:29:49", "01", "王強", "1號樓", "漏水", TAG],
        ["合計：2"],
        ["製表：陳"],
    ]
    for data in (workbook([("五月", rows)]), text(rows, encoding="utf-8-sig"), text(rows)):
        sheet = read(data)
        assert local(sheet) == ["2026-05-01 00:19:49", "2026-05-01 00:29:49"]
        found = [item.observation for item in sheet.found if isinstance(item, Reading)]
        assert [(each.text, each.checkpoint) for each in found if isinstance(each, Incident)] == [("漏水", "1號樓")]
        assert f"{ends(sheet)[0].complete_to:%H:%M}" == "09:00"
        assert reasons(sheet) == []


@pytest.mark.parametrize(
    "header",
    [
        ["日期", "時間", "卡號"],
        ["打卡時間", "感應卡號"],
        ["記錄時間", "標籤編號"],
        ["紀錄時間", "晶片編號"],
        ["實際時間", "地點"],
    ],
)
def test_headings_in_traditional_characters_are_known(header: list[str]) -> None:
    assert find_header([Row(1, tuple(header))]) is not None


def test_no_word_of_the_table_stands_for_two_columns() -> None:
    words = [word for each in SYNONYMS.values() for word in each]
    assert len(words) == len(set(words))
    assert all(plain(word) == word for word in words)


@pytest.mark.parametrize("word", ["Chip ID", "chip_id", "CHIP-ID", " 芯片号 ", "卡号(ID)", "芯片ＩＤ", "Tag ID:"])
def test_headings_are_known_whatever_stands_around_them(word: str) -> None:
    assert len(reads(read(text([["巡检时间", word], ["2026-05-01 00:19:49", TAG]])))) == 1


def test_a_serial_number_column_is_no_chip_number() -> None:
    sheet = read(text([["序号", "编号", "巡检时间", "卡号"], ["1", "7", "2026-05-01 00:19:49", TAG]]))
    assert [each.tag for each in reads(sheet)] == [TAG]


@pytest.mark.parametrize("walk", ["巡检", "巡更", "巡逻", "巡查", "巡视"])
def test_the_card_of_a_point_is_its_chip_number_where_its_number_stands_beside_it(walk: str) -> None:
    header = [f"{walk}点编号", f"{walk}点", f"{walk}点卡号", f"{walk}时间", f"{walk}人员"]
    sheet = read(text([header, ["001", "8号楼", TAG, "2026-05-01 00:19:49", "张三"]]))
    assert [each.tag for each in reads(sheet)] == [TAG]


@pytest.mark.parametrize("form", [int, str])
@pytest.mark.parametrize("chips", ["hex", "decimal"])
def test_a_running_number_of_rows_is_no_chip_number_and_the_names_count(form: type[int | str], chips: str) -> None:
    rows: list[list[Any]] = [["编号", "巡检时间", "巡检点"]]
    rows += [[form(n), f"2026-05-01 08:3{n}:00", f"{n}号楼"] for n in (1, 2, 3)]
    said = {"chips": chips, "checkpoints": {f"{n}号楼": f"0F004E86D{n}" for n in (1, 2, 3)}}
    for last in (2, 4):
        sheet = read(workbook([("s", [*rows[:last], ["合计", None, None]])]), **said)
        assert [each.tag for each in reads(sheet)] == [f"0F004E86D{n}" for n in range(1, last)], reasons(sheet)
    assert "the column 编号 counts the rows" in " | ".join(sheet.notes)


def test_numbers_of_checkpoints_are_no_chips_and_leave_nothing_complete() -> None:
    rows = [["地点编号", "巡检时间", "巡检器"], [7, "2026-05-01 08:30:00", "01"], [12, "2026-05-01 08:40:00", "01"]]
    sheet = read(workbook([("s", rows)]))
    assert reads(sheet) == []
    assert ends(sheet) == []
    assert reasons(sheet)[0] == "sheet 's' row 2: chip number '7' has 1 digits, expected 10"


def test_a_time_of_day_under_the_whole_times_heading_takes_the_date_beside_it() -> None:
    sheet = read(
        text([["日期", "巡检时间", "编号"], ["2026-05-01", "00:19:49", TAG], ["2026-05-02", "2026-05-01 08:00", TAG]])
    )
    assert local(sheet) == ["2026-05-01 00:19:49", "2026-05-01 08:00:00"]


# -- times


@pytest.mark.parametrize(
    "cell",
    [
        "2026/05/01 08:30:00",
        "2026-5-1 8:30",
        "2026.05.01 08:30:00",
        "2026年5月1日 8:30:00",
        "2026年05月01日 上午8时30分00秒",
        "2026年5月1日 星期五 8:30:00",
        "2026-05-01T08:30:00",
        "2026-05-01 08:30:00.4",
        "20260501083000",
        "20260501 08:30:00",
        "01-May-2026 08:30:00",
        "May 1, 2026 8:30 AM",
        "2026/5/1 8:30:00 AM",
        "２０２６/０５/０１ ０８：３０：００",
        46143.3541666667,
        "46143.3541666667",
        20260501083000,
        datetime(2026, 5, 1, 8, 30),
        datetime(2026, 5, 1, 8, 29, 59, 900_000),
        "2026-05-01T00:30:00Z",
        "2026-05-01 08:30:00+08:00",
    ],
)
def test_a_time_in_every_form_that_is_known(cell: Any) -> None:
    sheet = read(workbook([("s", [["Patrol Time", "Chip ID"], [cell, TAG]])]))
    assert [each.at for each in reads(sheet)] == [datetime(2026, 5, 1, 0, 30, tzinfo=UTC)], reasons(sheet)


def test_afternoon_midnight_and_noon() -> None:
    cells = ["2026-05-01 上午12:05:00", "2026-05-01 下午12:05:00", "2026-05-01 11:05 PM", "2026-05-01 24:00"]
    assert times_of(*cells) == [
        "2026-05-01 00:05:00",
        "2026-05-01 12:05:00",
        "2026-05-01 23:05:00",
        "2026-05-02 00:00:00",
    ]


def test_the_word_of_the_day_and_the_hour_agree_or_nobody_guesses() -> None:
    cells = ["中午 12:05", "中午11:55", "中午1:05", "晚上 7:05", "晚上11:05", "下午 0:05", "凌晨12:05", "下午 13:05"]
    assert times_of(*(f"2026-05-01 {cell}" for cell in cells)) == [
        f"2026-05-01 {time}:00" for time in ("00:05", "11:55", "12:05", "12:05", "13:05", "13:05", "19:05", "23:05")
    ]
    for cell in ("晚上12:05", "晚上1:05", "中午 8:05", "上午 13:05", "11:65 PM", "13:05 AM", "凌晨 23:05"):
        sheet = read(workbook([("s", [["Patrol Time", "Chip ID"], [f"2026-05-01 {cell}", TAG]])]))
        assert not reads(sheet), cell
        assert "is no time of day" in reasons(sheet)[0]


@pytest.mark.parametrize("offset", ["+08:60", "-03:99", "+0560", "+24:00"])
def test_an_offset_that_no_zone_can_have_is_refused(offset: str) -> None:
    sheet = read(workbook([("s", [["Patrol Time", "Chip ID"], [f"2026-05-01 00:19:49{offset}", TAG]])]))
    assert not reads(sheet)
    assert f"{offset} is no offset" in reasons(sheet)[0]


def test_the_day_numbers_of_a_workbook_of_1904() -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    sheet = book.active
    sheet.append(["Patrol Time", "Chip ID"])
    sheet.append([46143.3541666667 - 1462, TAG])
    out = io.BytesIO()
    book.save(out)
    assert local(read(out.getvalue())) == ["2026-05-01 08:30:00"]


def test_one_day_above_twelve_decides_the_whole_column() -> None:
    assert times_of("05/06/2026 08:00", "13/06/2026 08:00") == ["2026-06-05 08:00:00", "2026-06-13 08:00:00"]
    assert times_of("05/06/2026 08:00", "05/13/2026 08:00") == ["2026-05-06 08:00:00", "2026-05-13 08:00:00"]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["05/06/2026 08:00", "07/06/2026 08:00"], "cannot be told"),
        (["13/06/2026 08:00", "05/13/2026 08:00"], "some dates have the day first"),
        (["26-05-01 08:00"], "two digits"),
        (["13/06/2026 08:00", datetime(2026, 6, 5, 8)], "exchanged"),
    ],
)
def test_nobody_guesses_between_day_and_month(cells: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        times_of(*cells)


def test_the_settings_decide_what_the_column_cannot() -> None:
    assert times_of("05/06/2026 08:00", dates="dmy") == ["2026-06-05 08:00:00"]
    assert times_of("05/06/2026 08:00", dates="mdy") == ["2026-05-06 08:00:00"]
    assert times_of("26-05-01 08:00", dates="ymd") == ["2026-05-01 08:00:00"]


def test_same_number_for_day_and_month_needs_no_decision() -> None:
    assert decide_order(["05/05/2026 08:00"], None) == "dmy"


@given(
    days=st.lists(st.dates(date(2020, 1, 1), date(2030, 12, 31)), min_size=1, max_size=30), month_first=st.booleans()
)
def test_a_column_is_read_right_or_refused(days: list[date], month_first: bool) -> None:
    form = "%m/%d/%Y" if month_first else "%d/%m/%Y"
    try:
        order = decide_order([f"{day:{form}} 08:00:00" for day in days], None)
    except UndecidedError:
        assert all(day.day <= 12 for day in days)
        return
    assert order == ("mdy" if month_first else "dmy") or all(day.day == day.month for day in days)


def test_a_zone_with_summer_time_has_the_hour_that_exists_twice_once_and_says_so() -> None:
    sheet = read(text([["Patrol Time", "Chip ID"], ["2026-10-25 02:30:00", TAG]]), timezone="Europe/Berlin")
    assert reads(sheet)[0].at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert any("exist twice" in note for note in sheet.notes)


def test_dates_and_times_in_two_columns_of_a_workbook() -> None:
    from datetime import time as clock

    rows = [["日期", "时间", "编号"], [datetime(2026, 5, 1), clock(8, 30), TAG], [46143, 0.3541666667, "0F004E86DA"]]
    assert local(read(workbook([("s", rows)]))) == ["2026-05-01 08:30:00"] * 2


# -- chips, cells, repeats


@pytest.mark.parametrize(
    ("cell", "tag"),
    [
        ("OF004E86D9", TAG),
        ("oFOO4E86D9", "0F004E86D9"),
        ("0f 00 4e 86 d9", TAG),
        (1234567890, "1234567890"),
        (12345678, "0012345678"),
        ("0x0F004E86D9", TAG),
        ("'0F004E86D9", TAG),
    ],
)
def test_a_chip_number_as_people_and_programs_damage_it(cell: Any, tag: str) -> None:
    sheet = read(workbook([("s", [["Patrol Time", "Chip ID"], ["2026-05-01 08:30:00", cell]])]))
    assert [each.tag for each in reads(sheet)] == [tag]


@pytest.mark.parametrize("cell", [1.5, "1.2E+09", "8E09", "???", 1234567890123456, "0F004E86D", -5])
def test_a_chip_number_that_is_none_is_a_reject(cell: Any) -> None:
    sheet = read(workbook([("页", [["Patrol Time", "Chip ID"], ["2026-05-01 08:30:00", cell]])]))
    assert reads(sheet) == []
    assert reasons(sheet)[0].startswith("sheet '页' row 2: chip number")
    assert ends(sheet) == []


def test_merged_cells_have_their_value_in_every_row() -> None:
    rows = [["巡检时间", "人员", "编号"]]
    rows += [[f"2026-05-01 08:3{n}:00", "王强" if not n else None, f"0F004E86D{n}"] for n in range(3)]
    sheet = read(workbook([("s", rows)], merged=[("s", "B2:B4")]), people={"王强": "g-wang"})
    assert [each.person for each in reads(sheet)] == ["g-wang"] * 3


def test_a_cell_that_is_only_empty_is_not_filled() -> None:
    rows = [["巡检时间", "人员", "编号"], ["2026-05-01 08:30:00", "王强", TAG], ["2026-05-01 08:40:00", None, TAG]]
    sheet = read(workbook([("s", rows)]), people={"王强": "g-wang"})
    assert [each.person for each in reads(sheet)] == ["g-wang", None]


def test_rows_five_seconds_apart_are_one_and_six_are_two() -> None:
    def at(*seconds: int) -> list[str]:
        return local(
            read(text([["Patrol Time", "Chip ID"], *([f"2026-05-01 08:30:{second:02}", TAG] for second in seconds)]))
        )

    assert at(9, 4) == ["2026-05-01 08:30:04"]
    assert at(4, 9) == ["2026-05-01 08:30:04"]
    assert at(4, 10) == ["2026-05-01 08:30:04", "2026-05-01 08:30:10"]


def said_of(rows: list[tuple[int, str, str]], **said: Any) -> tuple[list[tuple[str, str | None]], list[str], Sheet]:
    """Second and person of each read, and the incidents, of rows of one wand and chip: (second, person, event)."""
    cells = [[f"2026/05/01 08:30:{second:02}", "01", person, "东门", event, TAG] for second, person, event in rows]
    sheet = read(text([HEADER_ZH, *cells]), **said)
    found = [item.observation for item in sheet.found if isinstance(item, Reading)]
    incidents = [f"{each.at:%S} {each.text}" for each in found if isinstance(each, Incident)]
    return [(f"{each.at:%S}", each.person) for each in reads(sheet)], incidents, sheet


def test_rows_of_one_wand_and_chip_within_five_seconds_are_one_tap_whatever_names_they_have() -> None:
    taps, incidents, sheet = said_of([(49, "张三", ""), (52, "李四", ""), (53, "", "")])
    assert taps == [("49", None)]
    assert not incidents
    assert any("1 rows name another person than the row they repeat" in note for note in sheet.notes)
    assert any(note.startswith("2 rows repeat others") for note in sheet.notes)


def test_what_is_reported_at_a_repeated_tap_is_kept_once() -> None:
    taps, incidents, _ = said_of([(49, "张三", ""), (50, "李四", "灯坏"), (52, "", "灯坏"), (53, "张三", "漏水")])
    assert taps == [("49", None)]
    assert incidents == ["50 灯坏", "53 漏水"]


def test_a_tap_without_a_name_has_that_of_its_repeat() -> None:
    people = {"张三": "g-zhang"}
    assert said_of([(49, "", ""), (52, "张三", "")], people=people)[0] == [("49", "g-zhang")]
    assert said_of([(49, "张三", ""), (52, "未设置", "")], people=people)[0] == [("49", "g-zhang")]


def test_two_known_people_at_one_chip_are_two_taps_and_each_repeat_is_its_own() -> None:
    people = {"张三": "g-zhang", "李四": "g-li"}
    taps, _, _ = said_of([(49, "张三", ""), (51, "李四", ""), (52, "张三", ""), (53, "李四", "")], people=people)
    assert taps == [("49", "g-zhang"), ("51", "g-li")]
    assert said_of([(49, "王五", ""), (51, "李四", "")], people=people)[0] == [("49", None), ("51", "g-li")]


def test_two_events_without_a_chip_at_two_places_are_two() -> None:
    rows = [["2026/05/01 08:30:01", "01", "", place, "灯坏", ""] for place in ("东门", "西门", "西门")]
    found = [item.observation for item in read(text([HEADER_ZH, *rows])).found if isinstance(item, Reading)]
    assert [each.checkpoint for each in found if isinstance(each, Incident)] == ["东门", "西门"]


def test_the_same_file_gives_the_same_observations_whenever_it_is_read() -> None:
    data = workbook([("s", [HEADER_ZH, ["2026/05/01 00:19:49", "01", "王强", "1号楼", "漏水", TAG]])])
    assert read(data).found == read(data).found


def test_a_file_without_chip_numbers_is_read_by_names_that_the_site_knows() -> None:
    rows = [["时间", "地点"], ["2026-05-01 08:30:00", "1号楼"], ["2026-05-01 08:40:00", "2号楼"]]
    sheet = read(text(rows), checkpoints={"1号楼": TAG})
    assert [each.tag for each in reads(sheet)] == [TAG]
    assert "`checkpoints` in the wand's settings has no tag for '2号楼'" in reasons(sheet)[0]


def test_events_are_incidents_unless_ignored() -> None:
    rows = [HEADER_ZH, ["2026/05/01 00:19:49", "01", "", "1号楼", "漏水", TAG]]
    kinds = [type(item.observation).__name__ for item in read(text(rows)).found if isinstance(item, Reading)]
    assert kinds == ["TagRead", "Incident", "SyncEnd"]
    assert len(read(text(rows), events="ignore").found) == 2


@pytest.mark.parametrize(
    "word",
    ["Night Shift", "DAY SHIFT", "夜班", "白班", "日班", "正常巡逻", "一切正常", "无异常", "无", "到位", "巡逻", "OK"],
)
def test_a_shift_or_that_all_is_well_in_the_event_column_is_no_incident(word: str) -> None:
    sheet = read(text([HEADER_ZH, ["2026/05/01 00:19:49", "01", "", "1号楼", word, TAG]]))
    kinds = [type(item.observation).__name__ for item in sheet.found if isinstance(item, Reading)]
    assert kinds == ["TagRead", "SyncEnd"]


@pytest.mark.parametrize("word", ["夜班无人", "Night shift: door open", "异常", "不正常", "未到位"])
def test_what_is_more_than_a_shift_is_an_incident(word: str) -> None:
    sheet = read(text([HEADER_ZH, ["2026/05/01 00:19:49", "01", "", "1号楼", word, TAG]]))
    found = [item.observation for item in sheet.found if isinstance(item, Reading)]
    assert [each.text for each in found if isinstance(each, Incident)] == [word]


# -- up to when


def test_the_export_time_completes_only_a_file_of_one_wand() -> None:
    rows = [["导出时间", "2026-05-01 09:00:00"], HEADER_ZH, ["2026/05/01 08:00:00", "01", "", "", "", TAG]]
    assert f"{ends(read(workbook([('s', rows)])))[0].complete_to:%H:%M}" == "09:00"
    rows.append(["2026/05/01 08:10:00", "02", "", "", "", TAG])
    both = ends(read(workbook([("s", rows)]), readers={"01": "wand-1", "02": "wand-2"}))
    assert [(end.device, f"{end.complete_to:%H:%M}") for end in both] == [("wand-1", "08:00"), ("wand-2", "08:10")]


@pytest.mark.parametrize(
    "said", ["导出时间：2026-04-30 09:00:00", "导出时间：2027-05-01 09:00:00", "导出日期：2026-05-01"]
)
def test_an_export_time_that_cannot_be_is_not_taken(said: str) -> None:
    rows = [[said], HEADER_ZH, ["2026/05/01 08:00:00", "01", "", "", "", TAG]]
    assert f"{ends(read(workbook([('s', rows)])))[0].complete_to:%Y-%m-%d %H:%M}" == "2026-05-01 08:00"


def test_nothing_is_complete_past_an_unreadable_row_of_that_wand() -> None:
    rows: list[list[Any]] = [[*HEADER_ZH]]
    rows += [[f"2026/05/01 0{hour}:00:00", reader, "", "", "", TAG] for hour in (1, 3) for reader in ("01", "02")]
    rows += [["2026/05/01 02:00:00", "01", "", "", "", "???"]]
    found = ends(read(workbook([("s", rows)]), readers={"01": "wand-1", "02": "wand-2"}))
    assert [(end.device, f"{end.complete_to:%H:%M:%S}") for end in found] == [
        ("wand-1", "01:59:59"),
        ("wand-2", "03:00:00"),
    ]


def test_what_comes_too_late_or_from_the_future_is_said_before_it_is_imported() -> None:
    rows = [HEADER_ZH, ["2026/11/01 01:00:00", "01", "", "", "", TAG], ["2026/12/01 01:00:00", "01", "", "", "", TAG]]
    notes = " | ".join(read(workbook([("s", rows)])).notes)
    assert "1 rows are more than 7 days old" in notes
    assert "1 rows are dated after this import" in notes


def test_a_line_of_words_below_the_records_hides_nothing() -> None:
    rows = [HEADER_ZH, ["2026/05/01 01:00:00", "01", "", "", "", TAG], ["值班长签字："], ["合计：1"]]
    sheet = read(workbook([("s", rows)]))
    assert len(reasons(sheet)) == 1
    assert len(ends(sheet)) == 1


@pytest.mark.parametrize(
    "place", ["Summit House", "Page Street 3", "Printing room", "Reporting desk", "总数学馆", "Exporthalle"]
)
def test_a_tap_at_a_place_that_begins_like_a_footer_is_no_footer(place: str) -> None:
    rows = [["地点", "时间"], [place, "2026-05-01 08:30:00"], ["2号楼", "2026-05-01 08:40:00"]]
    rows += [["导出时间：", "2026-05-01 09:00:00"], ["合计：2", ""]]
    known = read(text(rows), checkpoints={place: TAG, "2号楼": "0F004E86DA"})
    assert [each.tag for each in reads(known)] == [TAG, "0F004E86DA"]
    assert reasons(known) == []
    unknown = read(text(rows), checkpoints={"2号楼": "0F004E86DA"})
    assert f"has no tag for {place!r}" in reasons(unknown)[0]
    assert f"{ends(unknown)[0].complete_to:%H:%M:%S}" == "08:29:59"


# -- text


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_text_in_every_encoding_and_with_every_delimiter(encoding: str, delimiter: str) -> None:
    rows = [HEADER_ZH, ["2026/05/01 00:19:49", "01", "王强", "1号楼,南门", "", TAG]]
    assert [each.tag for each in reads(read(text(rows, encoding=encoding, delimiter=delimiter)))] == [TAG]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_though_some_of_its_characters_have_a_zero_byte_elsewhere(encoding: str) -> None:
    rows = [list(HEADER_ZH), *(["2026/05/01 00:19:49", "8001", "王强", "一号门　开", "", TAG] for _ in range(3))]
    assert [each.tag for each in reads(read(text(rows, encoding=encoding)))] == [TAG]
    titled = [["某小区电子巡更系统巡检记录报表" * 10], *rows]
    assert [each.tag for each in reads(read(text(titled, encoding=encoding)))] == [TAG]


def test_a_mark_of_utf_8_before_gbk_is_read_as_what_stands_behind_it() -> None:
    rows = [HEADER_ZH, ["2026/05/01 00:19:49", "01", "王强", "1号楼", "灯不亮", TAG]]
    sheet = read(b"\xef\xbb\xbf" + text(rows, encoding="gbk"))
    assert [each.tag for each in reads(sheet)] == [TAG]
    assert [item.observation.text for item in sheet.found if isinstance(item.observation, Incident)] == ["灯不亮"]


@pytest.mark.parametrize("header", [[HEADER_BIG5], [HEADER_BIG5, list(HEADER_EN)], [list(HEADER_EN), HEADER_BIG5]])
def test_big5_is_read_as_what_it_is(header: list[list[str]]) -> None:
    rows = [
        *header,
        ["2026/05/01 00:19:49", "8001", "張碁", "東門", "正常", TAG],
        ["2026/05/01 00:29:49", "8001", "張碁", "東門", "燈壞", TAG],
    ]
    sheet = read(text(rows, encoding="cp950"), people={"張碁": "g-zhang"})
    assert [each.person for each in reads(sheet)] == ["g-zhang", "g-zhang"]
    assert [(each.text, each.checkpoint) for each in incidents(sheet)] == [("燈壞", "東門")]
    for encoding in ("gbk", "utf-8"):
        assert [each.text for each in incidents(read(text(rows, encoding=encoding)))] == ["燈壞"]


@pytest.mark.parametrize("digits", ["1234567", "123456789"])
def test_a_number_in_a_text_file_that_lost_its_leading_zeros_is_filled_up_as_in_a_workbook(digits: str) -> None:
    rows = [["Patrol Time", "Chip ID"], ["2026-05-01 08:30:00", digits]]
    assert [each.tag for each in reads(read(text(rows)))] == [digits.zfill(10)]
    assert [each.tag for each in reads(read(workbook([("s", rows)])))] == [digits.zfill(10)]


def test_utf_8_that_was_cut_inside_a_character_is_not_taken_for_gbk() -> None:
    rows = [HEADER_EN, ["2026/05/01 00:19:49", "01", "王强", "1号楼", "", TAG]]
    with pytest.raises(DecodeError, match="neither an Excel file nor text"):
        read(text(rows, encoding="utf-8-sig") + "共".encode()[:2])


def tap(minute: int, *, event: str = "", chip: str = TAG) -> str:
    return f"2026/05/01 00:{minute}:49,01,王强,1号楼,{event},{chip}\n"


@pytest.mark.parametrize(
    "rows",
    [
        tap(10) + tap(20, event='"灯坏') + tap(30),
        tap(10) + tap(20, event='"灯坏') + tap(30) + tap(40, event='"门坏', chip="0F004E86DA") + tap(50),
        tap(10) + tap(20, event='"灯坏') + tap(30, event='"门坏'),
        tap(10) + tap(20, event='"灯坏'),
        (tap(10) + tap(20, event='"灯坏')).rstrip(),
        tap(10) + tap(20, event='"灯坏') + "合计,2,,,,\n",
    ],
    ids=["to the end", "to another such row", "to the next row", "last row", "last row without line end", "footer"],
)
def test_a_quotation_mark_that_is_not_closed_swallows_no_row(rows: str) -> None:
    title = "导出时间：2026-05-02 06:10:00,,,,,\n" + ",".join(HEADER_ZH) + "\n"
    with pytest.raises(DecodeError, match=r"quotation mark .* closed"):
        read((title + rows).encode())


@pytest.mark.parametrize(
    "event", ['"灯坏,\n门坏, 请修"', '"灯""坏"""', '"东"侧灯坏', '灯"坏', '"\n\n"', '"a, b, c, d, e\nf"']
)
def test_quoted_cells_may_have_lines_and_delimiters(event: str) -> None:
    sheet = read((",".join(HEADER_ZH) + "\n" + tap(10) + tap(20, event=event) + tap(30)).encode())
    assert local(sheet) == ["2026-05-01 00:10:49", "2026-05-01 00:20:49", "2026-05-01 00:30:49"], reasons(sheet)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (",".join(HEADER_ZH), f"2026/05/01 00:20:49,01,王强,1号楼,东门,,{TAG}"),
        (",".join(HEADER_ZH), f"2026/05/01 00:20:49,01,王强,张三,1号楼,,{TAG}"),
        (",".join(HEADER_ZH), f"2026/05/01 00:20:49,01,王强,1号楼,东门,000001,{TAG}"),
        ("巡检时间,人员,巡检点,事件", "2026/05/01 00:20:49,王强,1号楼,东门,灯坏"),
    ],
    ids=["checkpoint", "person", "an event like a chip number", "no chip numbers"],
)
def test_a_name_with_the_delimiter_in_it_moves_no_column_into_another(header: str, row: str) -> None:
    first = header.count(",") * ","
    checkpoints = {"1号楼": TAG}
    sheet = read(f"导出时间：2026-05-02 06:10:00{first}\n{header}\n{row}\n".encode(), checkpoints=checkpoints)
    assert len(reasons(sheet)) == len(sheet.found) == 1
    assert "a name with the delimiter in it" in reasons(sheet)[0]


def test_more_cells_than_headings_behind_all_that_matters_cost_no_tap() -> None:
    sheet = read(f"巡检时间,巡检点,编号,事件\n2026/05/01 00:20:49,1号楼,{TAG},灯坏,请修\n".encode())
    assert local(sheet) == ["2026-05-01 00:20:49"]
    book = [list(HEADER_ZH), ["2026/05/01 00:20:49", "01", "王强", "1号楼", None, TAG, "by hand"]]
    assert local(read(workbook([("s", book)]))) == ["2026-05-01 00:20:49"]
    for end in (",", ",,,", ", "):
        assert local(read(f"巡检时间,事件,编号\n2026/05/01 00:20:49,灯坏,{TAG}{end}\n".encode())) == [
            "2026-05-01 00:20:49"
        ]


@pytest.mark.parametrize("end", ["1号楼,灯坏", "1号楼,灯", '1号楼,"灯坏"'])
def test_a_last_row_that_the_file_ends_inside_of_is_no_incident_without_a_tap(end: str) -> None:
    title = "导出时间：2026-05-02 06:10:00,,,,,\n" + ",".join(HEADER_ZH) + "\n"
    sheet = read((title + tap(10) + f"2026/05/01 00:20:49,01,王强,{end}").encode())
    assert local(sheet) == ["2026-05-01 00:10:49"]
    assert "the file ends inside this row" in reasons(sheet)[0]
    assert [f"{each.complete_to:%H:%M:%S}" for each in ends(sheet)] == ["00:20:48"]
    assert len(sheet.found) == 3
    for last in (",", ",\n", "\r\n"):
        sheet = read((title + tap(10) + f"2026/05/01 00:20:49,01,王强,{end}{last}").encode())
        assert not reasons(sheet)
    for last in ("合计,2", "导出时间：2026-05-02 06:10:00", tap(20).rstrip()):
        assert not reasons(read((title + tap(10) + last).encode()))


def test_a_quoted_cell_may_end_a_file() -> None:
    for end in ("", "\r\n", " \r\n"):
        sheet = read(f'巡检时间,编号,事件\r\n2026/05/01 00:10:49,{TAG},"灯坏,\r\n门坏"{end}'.encode())
        assert local(sheet) == ["2026-05-01 00:10:49"], reasons(sheet)


BOOK_2003 = """<?xml version="1.0" encoding="UTF-8"?>
<?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
 <Styles><Style ss:ID="s1"><NumberFormat ss:Format="@"/></Style></Styles>
 <Worksheet ss:Name="5月"><Table ss:ExpandedColumnCount="4">
  <Column ss:Width="80"/>
  <Row><Cell ss:MergeAcross="3"><Data ss:Type="String">巡更记录</Data></Cell></Row>
  <Row><Cell><Data ss:Type="String">巡检时间</Data></Cell><Cell><Data ss:Type="String">人员</Data></Cell>
   <Cell><Data ss:Type="String">巡检点</Data></Cell><Cell><Data ss:Type="String">编号</Data></Cell></Row>
  <Row><Cell><Data ss:Type="DateTime">2026-05-01T00:19:49.000</Data></Cell><Cell ss:MergeDown="1"><Data ss:Type="String">王强</Data></Cell>
   <Cell/><Cell ss:StyleID="s1"><Data ss:Type="String">0F004E86D9</Data><Comment><Data>&lt;note&gt;</Data></Comment></Cell></Row>
  <Row><Cell><Data ss:Type="Number">46143.027777778</Data></Cell><Cell ss:Index="4"><Data ss:Type="String">0F004E86DA</Data></Cell></Row>
  <Row ss:Index="9"><Cell><Data ss:Type="String">2026/05/01 01:19:49</Data></Cell><Cell ss:Index="4"><Data ss:Type="String">0F004E86DB</Data></Cell></Row>
 </Table></Worksheet>
</Workbook>"""


@pytest.mark.parametrize("prefix", ["", "ss:"])
def test_an_xml_workbook_of_2003_that_calls_itself_xls_is_read(prefix: str) -> None:
    data = BOOK_2003
    for name in ("Row", "Cell", "Data", "Table", "Worksheet", "Workbook"):
        data = data.replace(f"<{name}", f"<{prefix}{name}").replace(f"</{name}", f"</{prefix}{name}")
    sheet = read(data.encode(), people={"王强": "g-wang"})
    assert local(sheet) == ["2026-05-01 00:19:49", "2026-05-01 00:40:00", "2026-05-01 01:19:49"], reasons(sheet)
    assert [each.tag for each in reads(sheet)] == ["0F004E86D9", "0F004E86DA", "0F004E86DB"]
    assert [each.person for each in reads(sheet)] == ["g-wang", "g-wang", None]
    assert sheet.notes[0].startswith("XML workbook (2003)")


def test_an_old_excel_file_is_read() -> None:
    data = biff(
        [["Patrol Time", "ReaderNum", "Chip ID"], ["2026/05/01 00:19:49", "01", TAG], [46266.3541666667, "01", TAG]]
    )
    assert local(read(data)) == ["2026-05-01 00:19:49", "2026-09-01 08:30:00"]


# -- files made to harm, or only large


def packed(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def parts_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


GOOD = workbook([("s", [HEADER_ZH, HEADER_EN, ["2026/05/01 00:19:49", "01", "王强", "1号楼", "", TAG]])])


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    parts = parts_of(GOOD)
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(
        b"<sheetData>", b"<sheetData>" + b" " * (140 << 20)
    )
    started = time.monotonic()
    with pytest.raises(DecodeError, match="unpacks to more than 128 MB"):
        read(packed(parts))
    assert time.monotonic() - started < 5


def test_a_zip_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(GOOD)
    at = data.index(b"xl/worksheets/sheet1.xml", data.index(b"PK\x01\x02")) - 22
    size = struct.unpack_from("<I", data, at)[0]
    struct.pack_into("<I", data, at, size // 2)
    with pytest.raises(DecodeError):
        read(bytes(data))


def test_entities_are_not_expanded() -> None:
    parts = parts_of(GOOD)
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    for name in ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"):
        content = parts[name].split(b"?>", 1)[-1]
        with pytest.raises(DecodeError):
            read(packed({**parts, name: bomb + b"]>" + content.replace(b"</", b"&j;</", 1)}))


def test_a_million_rows_are_refused_soon_and_so_are_a_million_empty_ones() -> None:
    line = f"2026/05/01 00:19:49,{TAG}\n".encode()
    with pytest.raises(DecodeError, match="more than 200,000 rows"):
        read(b"Patrol Time,Chip ID\n" + line * 1_000_000)
    parts = parts_of(GOOD)
    sheet = parts["xl/worksheets/sheet1.xml"]
    far = b"".join(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' for _ in range(3))
    started = time.monotonic()
    with suppress(DecodeError):
        read(packed({**parts, "xl/worksheets/sheet1.xml": sheet.replace(b"</sheetData>", far + b"</sheetData>")}))
    assert time.monotonic() - started < 20


def test_what_is_too_large_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="export a shorter time"):
        read(bytes(MOST_BYTES + 1))
    assert MOST_ROWS == 200_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n",
        b"PK\x05\x06" + bytes(18),
        packed({"readme.txt": b"hello"}),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"%PDF-1.7 \xe2\xe3\xcf\xd3" + bytes(range(256)),
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf\xff",
        b'Patrol Time,Chip ID\n"' + b"x" * 200_000,
        b"<html><table>" + b"<tr><td colspan=999999999 rowspan=999>x" * 50,
    ],
    ids=range(11),
)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read(data)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_workbook_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with suppress(DecodeError):
        read(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_workbook_with_a_damaged_part_is_read_or_refused(data: st.DataObject) -> None:
    parts = parts_of(GOOD)
    name = data.draw(st.sampled_from(sorted(parts)))
    damaged = bytearray(parts[name])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged)))
        damaged[position : position + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    with suppress(DecodeError):
        read(packed({**parts, name: bytes(damaged)}))


CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["2026/05/01 00:19:49", "13/05/2026 1:1", "46266.35", TAG, "未设置", "合计", *HEADER_ZH, *HEADER_EN]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, max_size=7), max_size=12), encoding=st.sampled_from(["gb18030", "utf-8", "utf-16"])
)
def test_any_table_of_text_is_read_or_refused(rows: list[list[str]], encoding: str) -> None:
    try:
        data = text([HEADER_ZH, *rows], encoding=encoding)
    except (UnicodeEncodeError, ValueError):
        return
    try:
        sheet = read(data)
    except DecodeError:
        return
    for item in sheet.found:
        assert isinstance(item, (Reading, Reject))


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=400),
    prefix=st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"<table", b"\xff\xfe"]),
)
def test_any_bytes_are_read_or_refused(data: bytes, prefix: bytes) -> None:
    with suppress(DecodeError):
        read(prefix + data)


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.datetimes(), st.times(), st.none(), st.text(max_size=9)
)


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8))
def test_any_cells_of_a_workbook_are_read_or_refused(cells: list[tuple[Any, Any]]) -> None:
    try:
        data = workbook([("s", [["Patrol Time", "Chip ID"], *cells])])
    except (ValueError, TypeError, OverflowError, openpyxl.utils.exceptions.IllegalCharacterError):
        return  # no cell of a workbook
    with suppress(DecodeError):
        read(data)


# -- settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timezone", "Mars/Olympus"),
        ("timezone", 8),
        ("timezone", "../etc/passwd"),
        ("dates", "dd/mm"),
        ("chips", "oct"),
        ("serial", 7),
        ("checkpoints", ["x"]),
        ("colour", "red"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        DRIVERS[0].check(DeviceSettings(id="w", settings={key: value}))
    assert caught.value.key == f"settings.{key}"


def biff(rows: Sequence[Sequence[Any]]) -> bytes:
    """A plain BIFF 5 stream of one sheet, as old programs wrote .xls, in its OLE2 container."""
    stream = io.BytesIO()

    def record(number: int, body: bytes) -> None:
        stream.write(struct.pack("<HH", number, len(body)) + body)

    record(0x0809, struct.pack("<HHHH", 0x0500, 0x0005, 0, 1997))
    record(0x0042, struct.pack("<H", 936))
    at = stream.tell() + 4
    record(0x0085, struct.pack("<IBB", 0, 0, 0) + bytes([1]) + b"s")
    record(0x000A, b"")
    start = stream.tell()
    record(0x0809, struct.pack("<HHHH", 0x0500, 0x0010, 0, 1997))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                body = cell.encode("gbk")
                record(0x0204, struct.pack("<HHHH", row, column, 0, len(body)) + body)
            else:
                record(0x0203, struct.pack("<HHHd", row, column, 0, cell))
    record(0x000A, b"")
    book = bytearray(stream.getvalue())
    struct.pack_into("<I", book, at, start)
    return ole(bytes(book))


def ole(book: bytes) -> bytes:
    """The smallest OLE2 container that holds a stream `Book`."""
    size = max(len(book), 4096)
    sectors = -(-size // 512)
    book = book.ljust(sectors * 512, b"\0")
    fat = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, 2 + sectors), 0xFFFFFFFE]
    fat += [0xFFFFFFFF] * (128 - len(fat))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<I", 0) + b"\xff" * (4 * 108)

    def entry(name: str, kind: int, child: int, first: int, length: int) -> bytes:
        coded = name.encode("utf-16-le") + b"\0\0"
        links = struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, child)
        return (
            coded.ljust(64, b"\0") + struct.pack("<HBB", len(coded), kind, 1) + links + bytes(36)
            + struct.pack("<III", first, length, 0)
        )  # fmt: skip

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry("Book", 2, 0xFFFFFFFF, 2, len(book))
    return head + struct.pack("<128I", *fat) + directory.ljust(512, b"\0") + book


def test_a_large_month_is_read_in_seconds() -> None:
    rows = [
        [f"{datetime(2026, 5, 1) + timedelta(seconds=40 * n):%Y/%m/%d %H:%M:%S}", "01", "", "", "", f"{n % 300:010X}"]
        for n in range(20_000)
    ]
    started = time.monotonic()
    assert len(reads(read(text([HEADER_ZH, *rows])))) == 20_000
    assert time.monotonic() - started < 20
