"""The program's own side: the workbook and the text file that it exports, for simulated wands and tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from device_drivers.patrol_export.tables import Cell

HEADER_ZH = ("巡检时间", "巡检器", "人员", "巡检点", "事件", "编号")
HEADER_EN = ("Patrol Time", "ReaderNum", "Person", "Checkpoint", "Event", "Chip ID")
"""The two header rows of a JWM export (wands.md, patrol_export)."""


def workbook(
    sheets: Iterable[tuple[str, Sequence[Sequence[Cell]]]], *, merged: Sequence[tuple[str, str]] = ()
) -> bytes:
    """An .xlsx file.

    Args:
        sheets: name and all rows of each, header rows included.
        merged: sheet and range of merged cells, for example ("5月", "A1:F1").
    """
    import openpyxl  # noqa: PLC0415  starts without the library

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    for name, cells in merged:
        book[name].merge_cells(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def text(rows: Sequence[Sequence[str]], *, encoding: str = "gb18030", delimiter: str = ",") -> bytes:
    """A CSV or text file as the programs write it, with the line ends of their system."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode(encoding)
