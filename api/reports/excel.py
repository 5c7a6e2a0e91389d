"""Tables as an Excel workbook, one sheet each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from api.reports.tables import Cell, Column, Sort, Table

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_FORMATS: dict[Sort, str] = {
    "text": "@",
    "number": "General",
    "percent": "0.00%",
    "time": "yyyy-mm-dd hh:mm",
    "clock": "hh:mm",
    "date": "yyyy-mm-dd",
}
_WIDTHS: dict[Sort, int] = {"text": 22, "number": 10, "percent": 10, "time": 17, "clock": 8, "date": 12}
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for (§2.2 Char)."""
_HEAD = Font(bold=True)
_GRAVE = PatternFill("solid", fgColor="FFF1DDDB")
_WRAPPED = Alignment(vertical="top", wrap_text=True)


def workbook(heading: str, tables: Sequence[Table], notes: Sequence[str] = ()) -> bytes:
    """A workbook; the first sheet begins with `heading` and ends with `notes`. Texts are texts, whatever they begin with."""
    book = Workbook(write_only=True)
    for number, table in enumerate(tables):
        sheet: WriteOnlyWorksheet = book.create_sheet(table.title[:31])
        for place, column in enumerate(table.columns, 1):
            sheet.column_dimensions[get_column_letter(place)].width = _WIDTHS[column.sort]
        if number == 0:
            sheet.append([_cell(sheet, heading, Column(""), bold=True)])
            sheet.append([])
        else:
            sheet.freeze_panes = "A2"
        sheet.append([_cell(sheet, column.heading, Column(""), bold=True) for column in table.columns])
        for place, row in enumerate(table.rows):
            grave = place in table.grave
            sheet.append(
                [_cell(sheet, value, column, grave=grave) for value, column in zip(row, table.columns, strict=True)]
            )
        if number == 0:
            sheet.append([])
            for note in notes:
                sheet.append([_cell(sheet, note, Column(""))])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(
    sheet: WriteOnlyWorksheet, value: Cell, column: Column, *, bold: bool = False, grave: bool = False
) -> WriteOnlyCell:
    if isinstance(value, datetime):
        value = value.replace(
            tzinfo=None, microsecond=0
        )  # a sheet knows no zones: the site's clock, as the heading says
    elif isinstance(value, str):
        value = _NO_XML.sub("\ufffd", value)
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"  # never a formula
        cell.number_format = _FORMATS["text"]
        cell.alignment = _WRAPPED
    else:
        cell.number_format = _FORMATS[column.sort]
    if bold:
        cell.font = _HEAD
    if grave:
        cell.fill = _GRAVE
    return cell
