"""Which column of an export is which: the words that programs write above them, as a table, and how the header is found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from device_drivers.errors import DecodeError
from device_drivers.patrol_export.characters import simplified
from device_drivers.patrol_export.tables import Cell, Row

Field = Literal["time", "date", "clock", "reader", "person", "checkpoint", "event", "chip_id"]

_WALKS = ("巡检", "巡更", "巡逻", "巡查", "巡视")
"""What programs call a walk; any of them may stand before any of the nouns below."""


def _of_walks(*nouns: str) -> tuple[str, ...]:
    """Each noun behind each word for a walk; the earlier nouns first."""
    return tuple(walk + noun for noun in nouns for walk in _WALKS)


SYNONYMS: Mapping[Field, tuple[str, ...]] = {
    "time": (
        *_of_walks("时间"), "打卡时间", "刷卡时间", "读卡时间", "签到时间", "打点时间",
        "记录时间", "纪录时间", "到达时间", "采集时间", "实际时间", "发生时间", "日期时间", "时间日期", "patroltime", "datetime",
        "recordtime", "readtime", "readingtime", "checktime", "checkintime", "clocktime", "scantime", "eventtime",
        "taptime", "swipetime", "visittime", "touchtime", "actualtime", "timestamp", "tourtime", "arrivaltime",
    ),
    "date": ("日期", *_of_walks("日期"), "记录日期", "打卡日期", "刷卡日期", "date", "patroldate", "recorddate", "readdate"),
    "clock": ("时间", "时刻", "time"),
    "reader": (
        *_of_walks("器", "棒", "机"), "采集器", "棒号", "机号", "采集器编号", "采集器号",
        *_of_walks("器号", "器编号", "棒号", "棒编号", "机号", "机编号", "设备", "设备编号"),
        "设备号", "设备编号", "设备", "readernum", "readernumber", "readerno", "readerid", "reader", "readername", "device",
        "deviceid", "deviceno", "devicenumber", "wand", "wandid", "wandno", "wandnumber", "terminal", "collector",
        "serialnumber", "pipe", "guardtourreader",
    ),
    "person": (
        "人员", "人员姓名", "人员名称", "姓名", *_of_walks("员", "人员", "人", "人员姓名", "员姓名"), "打卡人", "保安",
        "保安员", "队员", "棒管理员", "person", "personname", "guard", "guardname", "name", "personnel",
        "patrolman", "patroller", "officer", "employee", "user", "username", "staff", "staffname", "patrolperson",
    ),
    "checkpoint": (
        *_of_walks("点"), "地点", *_of_walks("地点"), "地点名称", "点位", "点位名称",
        *_of_walks("点名称", "地点名称", "点位", "位置"), "打卡地点", "位置", "checkpoint", "checkpointname", "point",
        "pointname", "patrolpoint", "location", "locationname", "site", "place", "address", "station", "post",
    ),
    "event": ("事件", "事件名称", *_of_walks("事件"), "巡检情况", "状况", "event", "eventname", "incident", "events"),
    "chip_id": (
        "芯片号", "芯片编号", "芯片id", "芯片码", "晶片号", "晶片编号", "晶片id", "点卡号", "点位卡号", "地点卡号", "地点编号", "地点钮号",
        *_of_walks("点卡号", "地点卡号", "点编号", "地点编号"), "点编号", "标签号", "标签编号", "标签卡号", "信息钮号",
        "信息钮编号", "信息钮", "钮号", "钮扣号", "感应卡号", "id卡号", "chipid", "chip", "chipno", "chipnumber", "chipcode",
        "tagid", "tag", "tagno", "tagnumber", "cardno", "cardid", "card", "cardnumber", "checkpointid", "checkpointno",
        "pointid", "pointno", "pointcard", "cardcode", "locationid", "buttonid", "buttonno", "rfid", "rfidno", "uid", "epc",
        "卡号", "编号",
    ),
}  # fmt: skip
"""As written above a column, without blanks and punctuation, in small letters; the earlier of two that fit one field wins."""

UNSET = frozenset({"", "未设置", "未登记", "未定义", "未知", "无", "空", "-", "--", "/", "notset", "unset", "none", "null", "na", "unknown", "undefined"})  # fmt: skip
"""What programs write where they know no name."""

UNEVENTFUL = UNSET | {
    "正常", "普通", *_WALKS, "打点", "刷卡", "签到", "到位", *("正常" + walk for walk in _WALKS), "一切正常", "无异常", "normal",
    "ok", "patrol", "checkin", "0", "日班", "白班", "早班", "中班", "晚班", "夜班", "dayshift", "nightshift", "morningshift", "eveningshift",
}  # fmt: skip
"""What stands in the event column of a tap at which nothing was reported: that all is well, or which shift it was."""

FOOTERS = ("合计", "总计", "小计", "共计", "总数", "制表", "打印", "列印", "导出", "审核", "页码", "备注", "说明", "total", "sum", "page", "print", "export", "generated", "end of", "report", "remark")  # fmt: skip
"""How a line below the records begins that is none itself."""

_LONGEST_WORD = 60

LOOKED_AT = 40
"""Rows from the top of a sheet among which its header must stand."""

MOST_TABLES = 200
"""Tables of one sheet, each with other headings than the one above: a day's sum and its records, for three months."""

_FIELDS = {word: field for field, words in SYNONYMS.items() for word in words}
_RANKS = {word: rank for words in SYNONYMS.values() for rank, word in enumerate(words)}


class Header(NamedTuple):
    """Where a sheet's columns are.

    Args:
        columns: index of each field's column.
        labels: the words above them as they stand there.
        rows: indices (in the sheet's rows) of the header's one or two rows.
        width: its cells, those that are no known word too.
    """

    columns: Mapping[Field, int]
    labels: Mapping[Field, str]
    rows: tuple[int, ...]
    width: int


def plain(text: object) -> str:
    """A word as the table has it: without blanks, punctuation and what stands in brackets, in small letters."""
    return _plain(text) if isinstance(text, str) and len(text) <= _LONGEST_WORD else ""


@lru_cache(maxsize=4096)  # names repeat from row to row
def _plain(text: str) -> str:
    word = simplified(unicodedata.normalize("NFKC", text).casefold())
    word = re.sub(r"[(\[【].*?[)\]】]", "", word)
    return re.sub(r"[\W_]+", "", word)


def fields_of(cells: Sequence[Cell]) -> dict[int, Field]:
    """The cells that are a known header word, by their column."""
    return {index: _FIELDS[word] for index, cell in enumerate(cells) if (word := plain(cell)) in _FIELDS}


def find_header(rows: Sequence[Row]) -> Header | None:
    """The header of a sheet: one row, or two that say the same in two languages; None if there is none."""
    return next((header for index in range(min(len(rows), LOOKED_AT)) if (header := _header_at(rows, index))), None)


def parted(rows: Sequence[Row]) -> list[tuple[Sequence[Row], Header]]:
    """The tables of a sheet, each with its header and all rows above the next: one, unless other headings stand further down.

    Raises:
        DecodeError: there are more than a report has.
    """
    found: list[tuple[Sequence[Row], Header]] = []
    header = find_header(rows)
    while header is not None:
        index, other = header.rows[-1] + 1, None
        while index < len(rows):
            again = _header_at(rows, index) if _may_be_header(rows[index].cells) else None
            if again is not None and not again.columns.items() <= header.columns.items():
                other = again
                break
            index += len(again.rows) if again is not None else 1
        found.append((rows[:index], header))
        if len(found) > MOST_TABLES:
            raise DecodeError(f"more than {MOST_TABLES} tables in one sheet: export a shorter time", b"")
        rows = rows[index:]
        header = other and other._replace(rows=tuple(range(len(other.rows))))
    return found


def _header_at(rows: Sequence[Row], index: int) -> Header | None:
    if len(set(fields_of(rows[index].cells).values())) < 2:
        return None
    if index + 1 < len(rows) and _continues(rows[index + 1].cells):
        return _header(rows, (index, index + 1))
    return _header(rows, (index,))


def _may_be_header(cells: Sequence[Cell]) -> bool:
    """Whether a row has words only, none of which begins with a digit: seen soon, since a record has its time."""
    return all(cell is None or (isinstance(cell, str) and not cell[:1].isdigit()) for cell in cells) and _continues(
        cells
    )


def _continues(cells: Sequence[Cell]) -> bool:
    """Whether a row is a second header row: most of its words are header words, and no cell is a number or a time."""
    known = fields_of(cells)
    if len(known) < 2:
        return False
    words = [cell for cell in cells if cell is not None]
    return len(known) * 2 > len(words) and all(isinstance(word, str) for word in words)


def is_header_again(cells: Sequence[Cell], header: Header) -> bool:
    """Whether a row below the header repeats it, as at the top of each printed page."""
    column = header.columns["time"]
    return column < len(cells) and plain(cells[column]) in _FIELDS and _continues(cells)


def _header(rows: Sequence[Row], indices: tuple[int, ...]) -> Header | None:
    columns: dict[Field, int] = {}
    labels: dict[Field, str] = {}
    ranks: dict[Field, tuple[int, int]] = {}
    for turn, index in enumerate(indices):
        for column, field in fields_of(rows[index].cells).items():
            label = str(rows[index].cells[column]).strip()
            rank = (turn, _RANKS[plain(label)])
            if turn and column in columns.values():
                continue  # the first row of a header in two languages has named this column already
            if field not in ranks or rank[1] < ranks[field][1] or (turn == ranks[field][0] and rank < ranks[field]):
                columns[field], labels[field], ranks[field] = column, label, rank
    _settle_time(columns, labels)
    if "time" not in columns or not {"chip_id", "checkpoint"} & columns.keys():
        return None
    return Header(columns, labels, indices, max(len(rows[index].cells) for index in indices))


def _settle_time(columns: dict[Field, int], labels: dict[Field, str]) -> None:
    """`时间` alone is the whole time; with `日期` it is the time of day. Beside a whole time a date may be all the date there is."""
    if "time" in columns:
        columns.pop("clock", None)
    elif "clock" in columns and "date" not in columns:
        columns["time"], labels["time"] = columns.pop("clock"), labels.pop("clock")
    elif "date" in columns:
        columns["time"], labels["time"] = columns.pop("date"), labels.pop("date")
