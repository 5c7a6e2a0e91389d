"""From a file's bytes to sheets of rows: Excel (.xlsx, .xls), the HTML or XML that some programs call .xls, CSV and text.

What a file is, is seen from its first bytes, never from its name. Everything is bounded: a file of a million rows or a
small one that unpacks to gigabytes is refused before it is read.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time
from html.parser import HTMLParser
from typing import NamedTuple

from device_drivers.errors import DecodeError

Cell = str | int | float | datetime | time | None

MOST_BYTES = 64 * 1024 * 1024
MOST_ROWS = 200_000
"""Rows with something in them, over all sheets; ten wands make about 60,000 a month, twice with day and month sheets."""
MOST_PASSED = 1_200_000
"""Rows looked at, empty ones too: one sheet has at most 1,048,576."""
MOST_COLUMNS = 64
MOST_SHEETS = 128
MOST_TEXT = 500
"""Characters kept of a cell."""

_CSV_FIELD = 131_072


class Row(NamedTuple):
    """One row as it stands in the file; `number` counts from 1, as programs show it. `cut`: a text ends before all its cells."""

    number: int
    cells: tuple[Cell, ...]
    cut: bool = False


class Table(NamedTuple):
    """One sheet; `name` is empty for a text file."""

    name: str
    rows: list[Row]


class Tables(NamedTuple):
    """All sheets of a file, in order.

    Args:
        form: what it is, for a person.
        excel_1904: its day numbers begin in 1904.
        delimited: it is text, where a delimiter in a name moves the cells behind it.
    """

    sheets: list[Table]
    form: str
    excel_1904: bool = False
    delimited: bool = False


class Gathering:
    """Collects the rows of all sheets of one file within the bounds."""

    def __init__(self) -> None:
        self._kept = 0
        self._passed = 0

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """The rows with something in them.

        Raises:
            DecodeError: there are too many.
        """
        kept = []
        for row in rows:
            self._passed += 1
            if self._passed > MOST_PASSED:
                raise DecodeError(f"more than {MOST_PASSED:,} rows, empty ones too: export a shorter time", b"")
            if row.cells.count(None) == len(row.cells):
                continue
            cells = [_clean(cell) for cell in row.cells[:MOST_COLUMNS]]
            while cells and cells[-1] is None:
                cells.pop()
            if cells:
                kept.append(Row(row.number, tuple(cells), row.cut))
                self._kept += 1
            if self._kept > MOST_ROWS:
                raise DecodeError(f"more than {MOST_ROWS:,} rows: export a shorter time, a month at most", b"")
        return kept


def _clean(cell: object) -> Cell:
    match cell:
        case str():
            text = cell[:MOST_TEXT].replace("\u00a0", " ").replace("\u3000", " ").strip().lstrip("'\ufeff").strip()
            return text or None
        case bool():
            return str(cell)
        case int() | float() | datetime() | time() | None:
            return cell
        case _:
            return str(cell)[:MOST_TEXT]


def open_tables(data: bytes) -> Tables:
    """The sheets of a file.

    Raises:
        DecodeError: it is nothing that is known, damaged, encrypted, or too large.
    """
    if len(data) > MOST_BYTES:
        raise DecodeError(f"the file has {len(data):,} bytes, more than {MOST_BYTES:,}: export a shorter time", b"")
    if data.startswith(b"PK"):
        from device_drivers.patrol_export.workbooks import read_xlsx  # noqa: PLC0415  starts without the library

        return read_xlsx(data)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        from device_drivers.patrol_export.workbooks import read_xls  # noqa: PLC0415

        return read_xls(data)
    text, encoding = decoded(data)
    if _is_html(text):
        reader, form = (
            (_WorkbookReader(), "XML workbook (2003)") if _WORKBOOK in text[:4096] else (_TableReader(), "HTML table")
        )
        return Tables([Table("", Gathering().rows(_rows_of(text, reader)))], f"{form}, {encoding}")
    return _delimited(text, encoding)


# -- text

_MARK = b"\xef\xbb\xbf"
"""Of UTF-8. What stands behind it may be GBK all the same (wands.md, patrol_export)."""


_BIG5 = ("cp950", "big5hkscs")
_HEADINGS = ("時間", "日期", "人員", "編號", "巡檢", "巡邏", "地點")
_HEADINGS_BIG5 = tuple(word.encode("cp950") for word in _HEADINGS)
_HEADINGS_GBK = tuple(
    word.encode("gbk") for word in (*_HEADINGS, "时间", "人员", "编号", "巡检", "巡逻", "巡更", "巡查", "地点")
)


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file and its encoding: by its byte order mark, else UTF-8 if it is, else Big5 if its headings are, else GB18030
    (which holds GBK).

    Raises:
        DecodeError: it is text in none of them.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode(data, ("utf-16",))
    if data.startswith(_MARK):
        rest = data[len(_MARK) :]
        return _decode(rest, ("utf-8",) if _is_utf_8(rest) else ("gb18030",))
    head = data[:400]
    high, low = head[1::2].count(0), head[0::2].count(0)
    # Digits and commas have a zero on one side; a few characters (一, 开) have theirs on the other.
    if max(high, low) * 16 > len(head) and min(high, low) * 4 < max(high, low):
        return _decode(data, ("utf-16-le",) if high > low else ("utf-16-be",))
    if high or low:
        raise DecodeError("neither an Excel file nor text: it has zero bytes", data[:64])
    return _decode(data, ("utf-8", *_BIG5, "gb18030") if _is_big5(data) else ("utf-8", "gb18030"))


def _is_big5(data: bytes) -> bool:
    """Whether the headings that every export has some of stand there as Big5 rather than as GBK: nearly all bytes are text in both."""
    head = data[:4096]
    return sum(map(head.count, _HEADINGS_BIG5)) > sum(map(head.count, _HEADINGS_GBK))


def _is_utf_8(data: bytes) -> bool:
    """Whether bytes are UTF-8, the last character perhaps cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _decode(data: bytes, encodings: Sequence[str]) -> tuple[str, str]:
    for name in encodings:
        try:
            return data.decode(name), name.upper()
        except UnicodeDecodeError:
            continue
    raise DecodeError(f"neither an Excel file nor text in {' or '.join(encodings)}", data[:64])


_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}


def _delimited(text: str, encoding: str) -> Tables:
    """The delimiter is the one that makes the widest header; without any header, the one seen most often at the top."""
    from device_drivers.patrol_export.columns import fields_of  # noqa: PLC0415  it needs the types from here

    if not text.strip():
        raise DecodeError("the file is empty", b"")
    top = text[:20_000]
    scores = {}
    for delimiter in _DELIMITERS:
        rows = list(_csv_rows(top, delimiter))
        widest = max((len(set(fields_of([_clean(cell) for cell in row.cells]).values())) for row in rows), default=0)
        scores[delimiter] = (widest, top.count(delimiter))
    delimiter = max(scores, key=lambda each: scores[each])
    rows = Gathering().rows(_csv_rows(text, delimiter, whole=True))
    return Tables([Table("", rows)], f"text, {encoding}, {_DELIMITERS[delimiter]} between columns", delimited=True)


def _csv_rows(text: str, delimiter: str, *, whole: bool = False) -> Iterator[Row]:
    """The rows of a text; `whole`: it is not cut, so each quotation mark that opens a cell must be closed.

    Raises:
        DecodeError: a cell that is too long, or whose quotation mark is not closed: it would swallow the rows behind it.
    """
    csv.field_size_limit(_CSV_FIELD)
    seen: list[str] = []  # the first two lines of the row that is read, and the last
    lines = csv.reader(_noted(text, seen), delimiter=delimiter)
    widest, last, ended = 0, "", 0
    while True:
        begun = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            raise DecodeError(f"line {lines.line_num}: not a line of a table ({error})", b"") from None
        if cells is None:
            if whole and _is_quoted(last, delimiter) and not text.rstrip().endswith('"'):
                raise DecodeError(_unclosed(ended), b"")
            return
        if whole and _run_together(seen[:2], delimiter, widest):
            raise DecodeError(_unclosed(begun), b"")
        cut = whole and len(cells) < widest and not seen[-1].endswith(("\n", "\r"))
        seen.clear()
        if cells:
            widest, last, ended = max(widest, len(cells)), cells[-1], begun
        # `="0012"` is how programs keep Excel from eating zeros
        yield Row(
            lines.line_num,
            tuple(
                cell[2:-1] if cell.startswith('="') and cell.endswith('"') else cell for cell in cells[:MOST_COLUMNS]
            ),
            cut,
        )


def _noted(text: str, seen: list[str]) -> Iterator[str]:
    """The lines of a text; `seen` has the first two and the last of those since it was emptied."""
    for line in io.StringIO(text, newline=""):
        seen[2:] = []
        seen.append(line)
        yield line


def _run_together(first: Sequence[str], delimiter: str, widest: int) -> bool:
    """Whether a row of several lines is several rows: each line by itself has all columns, as a part of a row has not."""
    if len(first) < 2 or widest <= 2:
        return False
    one, other = (line.count(delimiter) for line in first)
    return one == other >= widest - 1


def _is_quoted(cell: str, delimiter: str) -> bool:
    """Whether a cell holds what only stands between quotation marks."""
    return delimiter in cell or "\n" in cell or "\r" in cell


def _unclosed(line: int) -> str:
    return f"line {line}: a quotation mark that opens a cell is not closed, the rows behind it run together: close it, or export as .xlsx"


# -- HTML, or the XML of Excel 2003, that is called .xls

_WORKBOOK = "urn:schemas-microsoft-com:office:spreadsheet"
"""Names such a workbook, whatever prefix its elements have."""
_AS_HTML = {"row": "tr", "cell": "td"}


def _is_html(text: str) -> bool:
    head = text[:4096].lstrip().lower()
    top = text[:200_000].lower()
    return head.startswith("<") and ("<table" in top or "<ss:table" in top)


def _rows_of(text: str, reader: _TableReader) -> Iterator[Row]:
    for start in range(0, len(text), 65_536):
        reader.feed(text[start : start + 65_536])
        yield from reader.taken()
    reader.close()
    yield from reader.taken()


class _TableReader(HTMLParser):
    """Rows of `<tr>`; a cell that spans rows or columns is repeated, as merged cells are."""

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._done: list[Row] = []
        self._cells: list[str] | None = None
        self._text: list[str] | None = None
        self._span = (1, 1)
        self._below: dict[int, tuple[int, str]] = {}

    def taken(self) -> list[Row]:
        done, self._done = self._done, []
        return done

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._end_row()
            self._cells = []
        elif tag in ("td", "th") and self._cells is not None:
            self._end_cell()
            self._text = []
            spans = dict(attrs)
            self._span = (_span(spans.get("rowspan")), _span(spans.get("colspan")))
        elif tag == "br" and self._text is not None:
            self._text.append(" ")

    def handle_data(self, data: str) -> None:
        if self._text is not None and len(self._text) < MOST_TEXT:
            self._text.append(data[:MOST_TEXT])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._end_cell()
        elif tag in ("tr", "table"):
            self._end_row()

    def _end_cell(self) -> None:
        if self._text is None or self._cells is None:
            return
        text, self._text = "".join(self._text), None
        down, across = self._span
        self._fill()
        for _ in range(across):
            if len(self._cells) >= MOST_COLUMNS:
                break
            if down > 1:
                self._below[len(self._cells)] = (down - 1, text)
            self._cells.append(text)

    def _fill(self) -> None:
        """Cells that a cell of a row above reaches into."""
        assert self._cells is not None
        while (spanning := self._below.get(len(self._cells))) is not None and spanning[0] < 0:
            rest, text = spanning
            self._below[len(self._cells)] = (rest + 1, text)
            if rest + 1 == 0:
                del self._below[len(self._cells)]
            self._cells.append(text)

    def _end_row(self) -> None:
        self._end_cell()
        if self._cells is None:
            return
        self._fill()
        self._number += 1
        self._done.append(Row(self._number, tuple(self._cells)))
        self._cells = None
        # positive: begun in the row that just ended; negative: still to be filled in, that many rows
        self._below = {column: (-abs(rest), text) for column, (rest, text) in self._below.items()}


class _WorkbookReader(_TableReader):
    """Rows of an XML workbook: a cell may say in which column it stands, and into how many more it reaches."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name.rpartition(":")[2]: value for name, value in attrs}
        match tag.rpartition(":")[2]:
            case "row":
                super().handle_starttag("tr", [])
            case "cell":
                self._skip_to(_span(said.get("index")))
                spans = (("rowspan", said.get("mergedown")), ("colspan", said.get("mergeacross")))
                super().handle_starttag(
                    "td", [(name, str(_span(more) + 1)) for name, more in spans if more not in (None, "0")]
                )
            case "comment":
                self._end_cell()

    def handle_endtag(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        super().handle_endtag(_AS_HTML.get(name, name))

    def _skip_to(self, column: int) -> None:
        if self._cells is None:
            return
        self._fill()
        while len(self._cells) < min(column - 1, MOST_COLUMNS):
            self._cells.append("")
            self._fill()


def _span(text: str | None) -> int:
    return min(int(text), 1000) if text is not None and text.isascii() and text.isdecimal() and int(text) > 0 else 1
