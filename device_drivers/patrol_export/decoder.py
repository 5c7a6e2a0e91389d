"""From a whole export to what its wands read: rows to tag reads, repeats told apart, and up to where each record is complete."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from device_drivers.conversation import Hidden, Sheet
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import Incident, SyncEnd, TagRead
from device_drivers.patrol_export import times
from device_drivers.patrol_export.characters import simplified
from device_drivers.patrol_export.chips import is_running_number, read_chip
from device_drivers.patrol_export.columns import (
    FOOTERS,
    UNEVENTFUL,
    UNSET,
    Field,
    Header,
    find_header,
    is_header_again,
    parted,
    plain,
)
from device_drivers.patrol_export.settings import Settings
from device_drivers.patrol_export.tables import Cell, Row, Table, Tables, open_tables

SAME = timedelta(seconds=5)
"""Rows of one wand and chip this near are one: day and month sheets round differently (wands.md, Dedup key)."""

LATE = timedelta(days=7)
"""What is handed over later than this has no force (rounds.md, Clocks): said in the preview."""

PREVIEWED = 8
_NAMED = 6
"""Of a longer list only so many are named in a note."""

_EXPORTED = re.compile(
    r"(?:导出|打印|列印|制表|生成|export(?:ed)?|print(?:ed)?|generated|created)\s*(?:日期|时间|时刻|date|time|at|on)*\s*[:：]?\s*"
    r"(?P<time>\d.{7,60})",
    re.IGNORECASE,
)
"""What a title or footer says of when the file was made."""


_SECOND = timedelta(seconds=1)
_UNKNOWN = timedelta(days=1)
"""Exports are made each day; a row without a readable time is at most so much older than the others of its file. Ours."""

_DATED: tuple[Field, ...] = ("time", "date")
"""Columns that may hold dates."""


class Record(NamedTuple):
    """One readable row."""

    at: datetime
    tag: str | None
    reader: str
    person: str
    checkpoint: str
    event: str
    row: Row
    sheet: str


class PatrolExport:
    """Reads the exports of one site's wands.

    Args:
        device: whose records the rows are that name no other wand; "" if each row must name one.
        settings: as in the site file.
    """

    def __init__(self, device: str, settings: Settings) -> None:
        self._device = device
        self._settings = settings

    def read(self, data: bytes, name: str, received: datetime) -> Sheet:  # noqa: ARG002  the bytes say what the file is
        """Read a file; its rows as tag reads (and incidents) by time, then one `sync_end` a wand.

        Raises:
            DecodeError: it is no export, or its dates can be read in two ways.
        """
        return _File(self._device, self._settings).read(open_tables(data), received)


class _Doubt(NamedTuple):
    """A row that could not be read: when it was recorded, and by which reader, as far as it says ("": it may be of any)."""

    at: datetime | None
    reader: str


class _File:
    """One file while it is read."""

    def __init__(self, device: str, settings: Settings) -> None:
        self._device = device
        self._settings = settings
        self._zone = ZoneInfo(settings.timezone)
        self._delimited = False
        self._found: list[Reading | Reject] = []
        self._notes: list[str] = []
        self._doubts: list[_Doubt] = []

    def read(self, tables: Tables, received: datetime) -> Sheet:
        notes = self._notes
        self._delimited = tables.delimited
        notes.append(f"{tables.form}; times without a zone are of {self._settings.timezone}")
        sheets = [
            (Table(table.name, list(rows)), header) for table in tables.sheets for rows, header in parted(table.rows)
        ]
        if not sheets:
            raise DecodeError(_no_header(tables), b"")
        sheets = [(table, self._without_running_number(table, header)) for table, header in sheets]
        notes += [_columns(table, header) for table, header in sheets[:_NAMED]]
        if len(sheets) > _NAMED:
            notes.append(f"and {len(sheets) - _NAMED} more tables with a header of their own")
        passed = [table.name for table in tables.sheets if table.rows and find_header(table.rows) is None]
        if passed:
            notes.append(f"without a header, passed over: sheet {_list(passed)}")
        how = self._how(sheets, tables)
        if how.order is not None:
            notes.append(f"dates read as {_ORDERS[how.order]}")
        kept = self._merged(list(self._records(sheets, how)))
        owners = self._assigned(kept)
        self._ends(self._exported(sheets, how), received, owners)
        self._warn(kept, received)
        preview = [_shown(row.cells, header) for row, header in _first(sheets)]
        return Sheet(self._found, preview, notes, self._hidden(received, owners))

    # -- rows

    def _without_running_number(self, table: Table, header: Header) -> Header:
        """The header without its column of chip numbers, if that one only counts the rows and checkpoints have names."""
        if not {"chip_id", "checkpoint"} <= header.columns.keys():
            return header
        rows = (row for row in _below(table, header) if not is_header_again(row.cells, header) and not _is_footer(row))
        cells = [cell for row in rows if (cell := _cell(row, header.columns, "chip_id")) is not None]
        if not is_running_number(cells):
            return header
        self._notes.append(
            f"the column {header.labels['chip_id']} counts the rows: checkpoints are known by their names"
        )
        return header._replace(columns={name: at for name, at in header.columns.items() if name != "chip_id"})

    def _how(self, sheets: Sequence[tuple[Table, Header]], tables: Tables) -> times.Reading:
        column = [
            _cell(row, header.columns, name)
            for table, header in sheets
            for name in _DATED
            for row in _below(table, header)
        ]
        try:
            order = times.decide_order(column, self._settings.dates)
        except times.UndecidedError as error:
            raise DecodeError(str(error), b"") from error
        return times.Reading(self._zone, order, tables.excel_1904)

    def _records(self, sheets: Sequence[tuple[Table, Header]], how: times.Reading) -> Iterator[Record]:
        for table, header in sheets:
            for row in _below(table, header):
                try:
                    record = self._record(row, table.name, header, how)
                except ValueError as error:
                    self._found.append(_reject(row, table.name, str(error)))
                    self._doubt(row, header, how)
                    continue
                if record is not None:
                    yield record

    def _doubt(self, row: Row, header: Header, how: times.Reading) -> None:
        """An unreadable row may be a tap that is lost here: what it may hide is not complete. A line of words is none."""
        columns = header.columns
        reader = serial(_text(_cell(row, columns, "reader")))
        try:
            at = _at(row, columns, how)
        except ValueError:
            at = None
        if at is not None or reader or _cell(row, columns, "chip_id") is not None:
            self._doubts.append(_Doubt(at, reader))

    def _record(self, row: Row, sheet: str, header: Header, how: times.Reading) -> Record | None:
        """A row's record; None for a line that is none (a footer, the header again).

        Raises:
            ValueError: what cannot be read.
        """
        if is_header_again(row.cells, header):
            return None
        columns = header.columns
        moment, chip, checkpoint = (_cell(row, columns, name) for name in ("time", "chip_id", "checkpoint"))
        if (moment is None or chip is None) and _is_footer(row) and not _is_tap(row, columns, how):
            return None
        if row.cut and chip is None:
            raise ValueError("the file ends inside this row")
        if self._delimited and _is_moved(row, header, chip):
            raise ValueError(
                f"{len(row.cells)} cells under {header.width} headings: a name with the delimiter in it and no quotation marks "
                "around it moves what stands behind it"
            )
        at = _at(row, columns, how)
        place = _text(checkpoint)
        tag: str | None = None
        if chip is not None and (not isinstance(chip, str) or chip.casefold() not in UNSET):
            tag = read_chip(chip, decimal=self._settings.chips == "decimal")
        elif (named := self._settings.checkpoints.get(place)) is not None:
            tag = read_chip(named, decimal=False)
        event = _text(_cell(row, columns, "event"))
        uneventful = plain(event) in UNEVENTFUL or event.casefold() in UNEVENTFUL
        event = "" if uneventful or self._settings.events == "ignore" else event
        if tag is None and not event:
            if place and plain(place) not in UNSET:
                raise ValueError(
                    f"no chip number, and `checkpoints` in the wand's settings has no tag for {place[:40]!r}"
                )
            raise ValueError("neither a chip number nor a checkpoint")
        reader, person = (_text(_cell(row, columns, name)) for name in ("reader", "person"))
        return Record(at, tag, reader, person, place, event, row, sheet)

    def _merged(self, records: Sequence[Record]) -> list[Record]:
        """Records by time, each once: of rows that are one tap the earliest. What is reported beside it counts by itself."""
        ordered = sorted(records, key=lambda each: (each.at, each.tag or "", each.reader, each.person, each.event))
        taps: dict[tuple[str, str], list[int]] = {}
        told: dict[tuple[str, str, str], datetime] = {}
        kept: list[Record] = []
        repeats = others = 0
        for record in ordered:
            wand, chip = serial(record.reader), record.tag
            tag, event = chip, record.event
            if chip is not None:
                near = [index for index in taps.get((wand, chip), ()) if record.at - kept[index].at <= SAME]
                taps[wand, chip] = near
                same = next((index for index in near if self._one_tap(kept[index], record)), None)
                if same is None:
                    near.append(len(kept))
                else:
                    first = kept[same]
                    if _unnamed(first):
                        kept[same] = first._replace(person=record.person)
                    elif not _unnamed(record) and first.person != record.person:
                        others += 1
                    tag = None
            if event:
                key = wand, chip or record.checkpoint, event
                before = told.get(key)
                if before is not None and record.at - before <= SAME:
                    event = ""
                else:
                    told[key] = record.at
            if tag is None and not event:
                repeats += 1
            else:
                kept.append(record._replace(tag=tag, event=event))
        if repeats:
            self._notes.append(f"{repeats} rows repeat others (same wand and chip within 5 s) and count once")
        if others:
            self._notes.append(f"{others} rows name another person than the row they repeat: the first counts")
        return kept

    def _one_tap(self, first: Record, second: Record) -> bool:
        """Whether rows this near are one tap: unless they name two people of whom the site knows one."""
        people = self._settings.people
        return _unnamed(first) or _unnamed(second) or people.get(first.person) == people.get(second.person)

    # -- whose they are

    def _assigned(self, records: list[Record]) -> dict[str, str]:
        """Give each record to its wand; records of none become rejects, and leave `records`. The device of each reader."""
        owners = self._owners({serial(record.reader): record.reader for record in records})
        people = self._settings.people
        strangers: set[str] = set()
        mine = []
        for record in records:
            owner = owners[serial(record.reader)]
            if isinstance(owner, _Nobody):
                self._found.append(_reject(record.row, record.sheet, owner.why))
                if not record.reader:
                    self._doubts.append(_Doubt(record.at, ""))
                continue
            mine.append(record)
            person = people.get(record.person)
            if people and person is None and not _unnamed(record):
                strangers.add(record.person)
            if record.tag is not None:
                read = TagRead(device=owner, at=record.at, tag=record.tag, method="wand", person=person)
                self._found.append(Reading(read))
            if record.event:
                place = record.checkpoint if plain(record.checkpoint) not in UNSET else None
                incident = Incident(device=owner, at=record.at, text=record.event, checkpoint=place)
                self._found.append(Reading(incident))
        if strangers:
            self._notes.append(
                f"no one person of the site has the name {_list(strangers)}: who tapped is left open there"
            )
        records[:] = mine
        return {number: owner for number, owner in owners.items() if isinstance(owner, str)}

    def _owners(self, readers: Mapping[str, str]) -> dict[str, str | _Nobody]:
        named = {serial(number): device for number, device in (self._settings.readers or {}).items()}
        owners: dict[str, str | _Nobody] = {}
        rest = []
        for number, shown in sorted(readers.items()):
            if number in named:
                owners[number] = named[number]
                self._notes.append(f"wand {shown} is {named[number]}")
            else:
                rest.append(number)
        for number in rest:
            owners[number] = self._owner(number, readers[number], rest, named)
        return owners

    def _owner(self, number: str, shown: str, rest: Sequence[str], named: Mapping[str, str]) -> str | _Nobody:
        """Whose the records of a reader are that no device names."""
        called = f"wand {shown!r}" if shown else "a row that names no wand"
        if self._settings.readers is None:
            return self._device  # nothing is known of other wands: the file is for this device
        if not self._device:
            return _Nobody(f"{called}: no device has `settings: {{serial: …}}` for it; say --device")
        if number and self._device in named.values():
            return _Nobody(f"{called}: {self._device} has another serial in its settings")
        if len([each for each in rest if each]) > 1:
            return _Nobody(
                f"{called}: one of several wands that no device names; give each its `settings: {{serial: …}}`"
            )
        self._notes.append(f"{called} is taken for {self._device}")
        return self._device

    # -- up to when

    def _ends(self, exported: datetime | None, received: datetime, owners: Mapping[str, str]) -> None:
        """One `sync_end` a wand: to the file's own export time if it is of one wand and says it, else to its last record.

        Never past a row that could not be read: it may be the tap that is looked for.
        """
        spans: dict[str, tuple[datetime, datetime]] = {}
        for item in self._found:
            if isinstance(item, Reading):
                at = item.observation.at
                first, last = spans.get(item.observation.device, (at, at))
                spans[item.observation.device] = min(first, at), max(last, at)
        for device, (first, last) in sorted(spans.items()):
            until, what = last, "its last record"
            if exported is not None and len(spans) == 1 and last <= exported <= received:
                until, what = exported, "the export of the file"
            hidden = [doubt.at for doubt in self._doubts if owners.get(doubt.reader, device) == device]
            if None in hidden:
                self._notes.append(
                    f"{device}: complete up to nothing, since rows without a readable time may be its taps"
                )
                continue
            if cut := [at for at in hidden if at is not None and at <= until]:
                until, what = min(cut) - timedelta(seconds=1), "the first row that cannot be read"
            self._notes.append(
                f"{device}: from {first:%Y-%m-%d %H:%M:%S}, complete up to {what}, {until:%Y-%m-%d %H:%M:%S}; "
                "the file must hold all that the wand recorded since its last import"
            )
            self._found.append(Reading(SyncEnd(device=device, at=until, complete_to=until)))

    def _hidden(self, received: datetime, owners: Mapping[str, str]) -> list[Hidden]:
        """When unreadable rows were recorded. Of one whose time cannot be read: from a day before the file's first record on."""
        firsts: dict[str, datetime] = {}
        for item in self._found:
            if isinstance(item, Reading):
                at = item.observation.at
                firsts[item.observation.device] = min(at, firsts.get(item.observation.device, at))
        named = {serial(number): device for number, device in (self._settings.readers or {}).items()}
        for device in (self._device, *named.values()):
            if device:
                firsts.setdefault(device, received)
        hidden = []
        for doubt in dict.fromkeys(self._doubts):
            owner = owners.get(doubt.reader, named.get(doubt.reader))
            for device, first in sorted(firsts.items()):
                if owner not in {None, device}:
                    continue
                if doubt.at is None:
                    hidden.append(Hidden(device, first - _UNKNOWN, received))
                else:
                    hidden.append(Hidden(device, doubt.at - _SECOND, doubt.at + _SECOND))
        return hidden

    def _exported(self, sheets: Sequence[tuple[Table, Header]], how: times.Reading) -> datetime | None:
        latest: datetime | None = None
        for table, header in sheets:
            around = [*table.rows[: header.rows[0]], *table.rows[-6:]]
            for row in around:
                if (match := _EXPORTED.search(_words(row))) is None:
                    continue
                text = match["time"]
                while text:
                    try:
                        at = times.read_time(text, None, how)
                    except ValueError:
                        text = text.rpartition(" ")[0].strip()
                        continue
                    latest = at if latest is None else max(latest, at)
                    break
        return latest

    def _warn(self, records: Sequence[Record], received: datetime) -> None:
        """What a person should look at before agreeing."""
        notes = self._notes
        if old := sum(record.at < received - LATE for record in records):
            notes.append(
                f"{old} rows are more than {LATE.days} days old: they are kept, but serve no round and complete nothing"
            )
        if ahead := sum(record.at > received for record in records):
            notes.append(f"{ahead} rows are dated after this import: the wand's clock is ahead")
        tags = Counter(record.tag for record in records if record.tag is not None)
        if self._settings.chips == "hex" and len(tags) >= 5 and all(len(tag) == 10 and tag.isdecimal() for tag in tags):
            notes.append(
                "all chip numbers are 10 decimal digits: if they are the numbers printed on the tags, set `chips: decimal`"
            )
        if folded := sum(_twice(record.at, self._zone) for record in records):
            notes.append(f"{folded} times exist twice (the clock was put back); the first is taken")


def _unnamed(record: Record) -> bool:
    return plain(record.person) in UNSET


class _Nobody(NamedTuple):
    """Why a reader's records are no device's."""

    why: str


_ORDERS: Mapping[times.Order, str] = {"ymd": "year, month, day", "mdy": "month, day, year", "dmy": "day, month, year"}


@lru_cache(maxsize=1024)
def serial(text: str) -> str:
    """A reader's number as it is compared: without blanks, case, leading zeros and a spreadsheet's `.0`."""
    word = "".join(text.split()).casefold()
    if word.endswith(".0") and word[:-2].isdecimal():
        word = word[:-2]
    return word.lstrip("0") or ("0" if word else "")


def _twice(at: datetime, zone: ZoneInfo) -> bool:
    """Whether a time of the zone stands for two instants, the clock having been put back, and is the first of them."""
    first, second = (at.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0) for fold in (0, 1))
    return second < first == at.utcoffset()


def _below(table: Table, header: Header) -> Iterable[Row]:
    return table.rows[header.rows[-1] + 1 :]


def _first(sheets: Sequence[tuple[Table, Header]]) -> list[tuple[Row, Header]]:
    found = ((row, header) for table, header in sheets for row in _below(table, header))
    return [each for each, _ in zip(found, range(PREVIEWED), strict=False)]


def _cell(row: Row, columns: Mapping[Field, int], name: Field) -> Cell:
    index = columns.get(name)
    return None if index is None or index >= len(row.cells) else row.cells[index]


def _at(row: Row, columns: Mapping[Field, int], how: times.Reading) -> datetime:
    moment, day = _cell(row, columns, "time"), _cell(row, columns, "date")
    if day is not None and times.is_time_of_day(moment):
        return times.read_time(day, moment, how)
    return times.read_time(moment, _cell(row, columns, "clock"), how)


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _is_moved(row: Row, header: Header, chip: Cell) -> bool:
    """Whether a row has more cells than headings, so that its chip number may not stand where it should, but an event, or nothing."""
    if len(row.cells) <= header.width:
        return False
    return chip is None or header.columns.get("event", header.width) < header.columns["chip_id"]


def _is_footer(row: Row) -> bool:
    first = next((str(cell) for cell in row.cells if cell is not None), "").strip().casefold()
    return simplified(first).startswith(FOOTERS)


def _is_tap(row: Row, columns: Mapping[Field, int], how: times.Reading) -> bool:
    """Whether a row that begins like a footer (`Summit House`) has a place and a time all the same, which is not that of the export."""
    if _cell(row, columns, "checkpoint") is None or _EXPORTED.search(_words(row)) is not None:
        return False
    try:
        _at(row, columns, how)
    except ValueError:
        return False
    return True


def _words(row: Row) -> str:
    return simplified(" ".join(str(cell) for cell in dict.fromkeys(row.cells) if cell is not None))


def _reject(row: Row, sheet: str, reason: str) -> Reject:
    where = f"sheet {sheet!r} row {row.number}" if sheet else f"row {row.number}"
    data = "\t".join(_text(cell) for cell in row.cells).encode("utf-8", "replace")[:2000]
    return Reject(data, f"{where}: {reason}")


def _shown(cells: Sequence[Cell], header: Header) -> dict[str, str]:
    return {
        header.labels[field]: _text(cells[index]) if index < len(cells) else ""
        for field, index in sorted(header.columns.items(), key=lambda item: item[1])
    }


def _columns(table: Table, header: Header) -> str:
    said = ", ".join(
        f"{field} = {header.labels[field]}" for field, _ in sorted(header.columns.items(), key=lambda i: i[1])
    )
    where = f"sheet {table.name!r}: " if table.name else ""
    row = table.rows[header.rows[0]].number
    return f"{where}header in row {row}: {said}"


def _no_header(tables: Tables) -> str:
    rows = [row for table in tables.sheets for row in table.rows[:1]]
    seen = " | ".join(_text(cell) for cell in rows[0].cells)[:120] if rows else "nothing"
    return (
        f"no patrol export ({tables.form}): no row names a time and a chip number or checkpoint (such as 巡检时间 and 编号, or "
        f"Patrol Time and Chip ID); it begins with {seen!r}"
    )


def _list(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _NAMED
    return ", ".join(repr(each) for each in ordered[:_NAMED]) + (f" and {more} more" if more > 0 else "")
