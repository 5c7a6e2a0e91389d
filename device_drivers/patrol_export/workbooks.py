"""Excel workbooks: .xlsx by openpyxl in its reading mode, .xls by xlrd; merged cells are filled with their value.

This module is imported only when such a file is read: the libraries take longer to load than the gateway does.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Any

import openpyxl
import xlrd

from device_drivers.errors import DecodeError
from device_drivers.patrol_export.tables import MOST_COLUMNS, MOST_SHEETS, Cell, Gathering, Row, Table, Tables

warnings.filterwarnings("ignore", module=r"openpyxl\b")

MOST_UNPACKED = 128 * 1024 * 1024
"""Bytes of all parts together; 200,000 rows of six columns unpack to about 60 MB."""
MOST_OF_A_PART = 32 * 1024 * 1024
"""Bytes of a part other than a sheet: the library holds shared strings and styles in memory."""
MOST_MERGED = 100_000
MOST_PARTS = 2000

_MERGED = re.compile(rb"""mergeCell\s+ref\s*=\s*["']\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})["']""")

Range = tuple[int, int, int, int]
"""First and last row (from 1), first and last column (from 0)."""


def read_xlsx(data: bytes) -> Tables:
    """The sheets of an .xlsx file.

    Raises:
        DecodeError: damaged, no workbook, or it unpacks to more than the bounds.
    """
    archive = _archive(data)
    gathering = Gathering()

    def opened() -> Any:
        return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)

    def table(sheet: Any) -> Table:
        merged = _merged(archive, getattr(sheet, "_worksheet_path", ""))
        return Table(str(sheet.title), gathering.rows(_filled(_xlsx_rows(sheet), merged)))

    book = _guarded(opened)
    try:
        sheets = [_guarded(table, sheet) for sheet in book.worksheets[:MOST_SHEETS]]
        return Tables(sheets, "Excel (.xlsx)", excel_1904=book.epoch.year == 1904)
    finally:
        book.close()


def read_xls(data: bytes) -> Tables:
    """The sheets of an .xls file.

    Raises:
        DecodeError: damaged, encrypted or no workbook.
    """
    gathering = Gathering()

    def opened() -> Any:
        return xlrd.open_workbook(
            file_contents=data, on_demand=True, formatting_info=True, ragged_rows=True, logfile=io.StringIO()
        )

    def table(index: int) -> Table:
        sheet = book.sheet_by_index(index)
        merged = [(first + 1, last, left, right - 1) for first, last, left, right in sheet.merged_cells[:MOST_MERGED]]
        found = Table(str(sheet.name), gathering.rows(_filled(_xls_rows(sheet, book.datemode), merged)))
        book.unload_sheet(index)
        return found

    book = _guarded(opened)
    sheets = [_guarded(table, index) for index in range(min(book.nsheets, MOST_SHEETS))]
    return Tables(sheets, "Excel (.xls)", excel_1904=book.datemode == 1)


def _guarded(work: Callable[..., Any], *given: Any) -> Any:
    """Whatever the libraries stumble over in a stranger's file is a fault of the file."""
    try:
        return work(*given)
    except DecodeError:
        raise
    except Exception as error:  # they raise almost everything on damaged files
        raise DecodeError(
            f"a damaged or encrypted Excel file ({type(error).__name__}: {str(error)[:120]})", b""
        ) from error


def _archive(data: bytes) -> zipfile.ZipFile:
    archive: zipfile.ZipFile = _guarded(lambda: zipfile.ZipFile(io.BytesIO(data)))
    parts = archive.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise DecodeError(f"it unpacks to more than {MOST_UNPACKED >> 20} MB: export a shorter time", b"")
    for part in parts:
        if part.flag_bits & 1:
            raise DecodeError("an encrypted file: save it without a password", b"")
        if part.file_size > MOST_OF_A_PART and not part.filename.startswith("xl/worksheets/"):
            raise DecodeError(f"its part {part.filename[:80]} unpacks to more than {MOST_OF_A_PART >> 20} MB", b"")
    if not any(part.filename.lower() == "[content_types].xml" for part in parts):
        raise DecodeError("a zip file, but no Excel workbook: unpack it and import what is inside", b"")
    return archive


def _xlsx_rows(sheet: Any) -> Iterator[Row]:
    sheet.reset_dimensions()  # programs write wrong ones, and rows would be lost
    for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), 1):
        yield Row(number, cells)


def _xls_rows(sheet: Any, datemode: int) -> Iterator[Row]:
    for index in range(sheet.nrows):
        yield Row(index + 1, tuple(_xls_cell(cell, datemode) for cell in sheet.row(index)[:MOST_COLUMNS]))


def _xls_cell(cell: Any, datemode: int) -> Cell:
    match cell.ctype:
        case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
            return None
        case xlrd.XL_CELL_DATE:
            return _xls_date(float(cell.value), datemode)
        case xlrd.XL_CELL_NUMBER:
            number = float(cell.value)
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case xlrd.XL_CELL_ERROR:
            return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
        case _:
            return str(cell.value)


def _xls_date(number: float, datemode: int) -> Cell:
    try:
        moment: datetime = xlrd.xldate_as_datetime(number, datemode)
    except (ValueError, OverflowError):
        return number
    return moment.time() if 0 <= number < 1 else moment


def _merged(archive: zipfile.ZipFile, path: str) -> list[Range]:
    """Merged ranges of a sheet, which openpyxl does not give in its reading mode."""
    found: list[Range] = []
    with archive.open(path.lstrip("/")) as part:
        for first_column, first, last_column, last in _references(part):
            if len(found) >= MOST_MERGED:
                break
            found.append((int(first), int(last), _column(first_column), _column(last_column)))
    return sorted(found)


def _references(part: IO[bytes]) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    rest = b""
    while piece := part.read(1 << 20):
        window = rest + piece
        end = 0
        for match in _MERGED.finditer(window):
            yield match.group(1), match.group(2), match.group(3), match.group(4)
            end = match.end()
        rest = window[max(end, len(window) - 80) :]


def _column(letters: bytes) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


def _filled(rows: Iterator[Row], merged: list[Range]) -> Iterator[Row]:
    """Every cell of a merged range has the value of its first one."""
    if not merged:
        yield from rows
        return
    waiting = sorted(merged, reverse=True)
    active: list[tuple[Range, Cell]] = []
    for row in rows:
        active = [each for each in active if each[0][1] >= row.number]
        cells = list(row.cells)
        for (_, _, left, right), value in active:
            _put(cells, left, right, value)
        while waiting and waiting[-1][0] <= row.number:
            area = waiting.pop()
            if area[0] == row.number and area[1] >= area[0] and area[2] < MOST_COLUMNS:
                value = cells[area[2]] if area[2] < len(cells) else None
                _put(cells, area[2], area[3], value)
                active.append((area, value))
        yield Row(row.number, tuple(cells))


def _put(cells: list[Cell], left: int, right: int, value: Cell) -> None:
    right = min(right, MOST_COLUMNS - 1)
    cells.extend([None] * (right + 1 - len(cells)))
    for column in range(left, right + 1):
        if cells[column] is None:
            cells[column] = value
