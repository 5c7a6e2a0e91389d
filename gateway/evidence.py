"""An evidence file, read: its lines in the order of judgement, repeats told apart (spec: evidence.md).

Lines may come in any order and be repeated from afar, and a file may be longer than memory. So lines are sorted in pieces; when there
is more than one piece they go to a temporary file, and are merged while they are judged. Of each line one number is kept, drawn from
its key, in the same file; only lines whose number occurs twice are looked at again, to see which of them counts.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import merge
from typing import IO, Any, NamedTuple, TypeAlias

import apsw
import msgspec

from device_drivers.errors import DecodeError
from device_drivers.native.decoder import read_observation
from device_drivers.observations import Observation
from gateway.books import BookName
from gateway.clock import Doubt
from gateway.instants import DAY, Instant, instant
from gateway.shelf import no_room

LATE = 7 * DAY
"""Evidence dated longer than this before its receipt says nothing of when the file begins."""

PIECE = 1 << 16
"""Lines sorted at once. A file of no more than these never touches the disk."""

_PARTS = 256
"""Numbers of keys are compared in so many parts, one after the other."""
_BLOCKS = 1 << 24
_BLOCK: tuple[int, int] = (1 << 12, 1 << 18)
"""Bytes read ahead, of all pieces together, and at least and at most of one."""


class Rejected(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    line: int
    reason: str


class Advance(msgspec.Struct, frozen=True, tag_field="kind", tag="advance", kw_only=True):
    at: datetime


class Restart(msgspec.Struct, frozen=True, tag_field="kind", tag="restart", kw_only=True):
    at: datetime
    clock: Doubt | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    subject: str


class Operator(msgspec.Struct, frozen=True, tag_field="kind", tag="operator", kw_only=True):
    """A person's action: on an alert (by id or by rule and subject), on a device, or on an item of a book."""

    at: datetime
    by: str
    action: str
    alert: str | Target | None = None
    device: str | None = None
    impairment: str | None = None
    book: BookName | None = None
    subject: str | None = None
    details: Mapping[str, Any] = {}
    why: str = ""


_OF_DEVICES = frozenset({"disable", "enable", "clear"})
_OF_ALERTS = frozenset({"ack", "start", "resolve", "close", "comment"})
_control = msgspec.json.Decoder(Advance | Restart | Operator)
_kind = msgspec.json.Decoder(msgspec.defstruct("Kind", [("kind", str)]))
_CONTROLS = {"restart": 0, "operator": 2, "advance": 3}
"""Order among lines of one instant: a restart before what is heard at it, an operator and the passing of time after."""
HEARD = 1

_set = msgspec.structs.force_setattr
_anything = msgspec.json.Decoder()
_pack = msgspec.msgpack.Encoder().encode

Order: TypeAlias = tuple[Instant, int, Instant, bytes]
Line: TypeAlias = tuple[Instant, int, Instant, bytes, int, Any]
"""One line of the file: received, rank, at, text, a number of its own, and what it says (None: a repeat, received then)."""


class _Run(NamedTuple):
    """A sorted piece in the temporary file: where it is, the number of its first line, its first and last line."""

    start: int
    end: int
    number: int
    low: Order
    high: Order


class Evidence:
    """An evidence file, read by `read_evidence`.

    Attributes:
        rejected: what could not be read.
        conflicting: other contents under a key than the one that counts; whole once `lines` has been gone through.
        first: the earliest `received` of an observation (of a file without any: of a line); None: nothing was read.
        last: the latest `received` of a line.
    """

    def __init__(self, piece: int = PIECE) -> None:
        self.rejected: list[Rejected] = []
        self.conflicting: list[dict[str, Any]] = []
        self.first: Instant | None = None
        self.last: Instant | None = None
        self._piece = piece
        self._held: list[tuple[Instant, int, Instant, bytes, int, Any, int]] = []
        self._count = 0
        self._spilled: IO[bytes] | None = None
        self._runs: list[_Run] = []
        self._keys = _Keys()
        self._twice: bytearray | None = None
        self._kept: _Kept | None = None
        self._dated: Instant | None = None
        self._heard_first: Instant | None = None
        self._any_first: Instant | None = None

    # -- reading

    def read(self, lines: Iterable[bytes]) -> None:
        """Take all lines."""
        held, piece, add = self._held, self._piece, self._held.append
        for number, line in enumerate(lines, start=1):
            text = line.strip() if number > 1 else line.removeprefix(BOM_UTF8).strip()
            if not text:
                continue
            if len(held) >= piece:
                self._note()
                self._spill()
            try:
                item: Any = read_observation(text)
                device = item.device
            except (DecodeError, OverflowError):
                device = ""
            if not device:
                self._control(number, text)
                continue
            at = instant(item.at)
            received = at
            if item.received is not None:
                received = instant(item.received)
                _set(item, "received", None)
            key = hash(item) if item.seq is None else hash((device, item.boot, item.seq))
            add((received, HEARD, at, text, number, item, key))
        self._note()
        if self._spilled is not None and held:
            self._spill()
        held.sort()
        self._find_repeats()

    def _control(self, number: int, text: bytes) -> None:
        """What is no plain observation: a line of another kind, or one that cannot be read."""
        try:
            at, rank, item = control_line(text)
        except (msgspec.MsgspecError, DecodeError, ValueError, OverflowError) as error:
            self.rejected.append(Rejected(number, str(error)))
            return
        self._held.append((at, rank, at, text, number, item, 0))

    def _note(self) -> None:
        """When the held lines begin and end."""
        held = self._held
        heard = [line for line in held if line[1] == HEARD]
        self._heard_first = _least(self._heard_first, min((line[0] for line in heard), default=None))
        self._any_first = _least(self._any_first, min((line[0] for line in held), default=None))
        self.first = self._any_first if self._heard_first is None else self._heard_first
        latest = max((line[0] for line in held), default=None)
        self.last = latest if self.last is None or (latest is not None and latest > self.last) else self.last
        dated = min((line[2] for line in heard if line[2] >= line[0] - LATE), default=None)
        self._dated = _least(self._dated, dated)

    def _spill(self) -> None:
        """Put the held lines in order into the temporary file."""
        held = self._held
        held.sort()
        try:
            if self._spilled is None:
                self._spilled = tempfile.TemporaryFile(prefix="lamplighter-")  # noqa: SIM115 - as long as this lives
            start = self._spilled.tell()
            self._spilled.write(b"\n".join([line[3] for line in held]) + b"\n")
            self._spilled.flush()
            self._runs.append(_Run(start, self._spilled.tell(), self._count, held[0][:4], held[-1][:4]))
            self._keys.add(self._count, held)
        except OSError as error:
            no_room(error)
        self._count += len(held)
        held.clear()

    # -- repeats

    def _find_repeats(self) -> None:
        """Find out which of several lines under one key counts: the least (received, text) (rounds.md, Repeats)."""
        if self._spilled is None:
            numbers = [line[6] for line in self._held if line[1] == HEARD]
            if len(set(numbers)) == len(numbers):
                return
            self._count = len(self._held)
            self._keys.add(0, self._held, whole=True)
        self._twice = self._keys.twice(self._count)
        if self._twice is None:
            return
        self._kept = kept = _Kept()
        earliest: Instant | None = None
        for received, text in self._doubtful():
            item = read_observation(text)
            kept.offer(_key(item, text), received, text)
            if item.seq is not None:
                earliest = _least(earliest, instant(item.at))
        if earliest is not None and self._dated is not None and earliest <= self._dated:
            counting = (line for line in self.lines() if line[1] == HEARD and line[5] is not None)
            found = (at for received, _, at, *_ in counting if at >= received - LATE)
            self._dated = min(found, default=None)
            self.conflicting = []

    def _doubtful(self) -> Iterator[tuple[Instant, bytes]]:
        """Received and text of the lines whose key may be that of another."""
        twice = self._twice
        assert twice is not None
        if self._spilled is None:
            for number, line in enumerate(self._held):
                if twice[number >> 3] >> (number & 7) & 1:
                    yield line[0], line[3]
            return
        for run in self._runs:
            for number, text in enumerate(self._texts(run, _BLOCK[1]), start=run.number):
                if twice[number >> 3] >> (number & 7) & 1:
                    item = read_observation(text)
                    yield instant(item.received or item.at), text

    @property
    def dated(self) -> Instant | None:
        """The earliest `at` that is at most 7 days before its `received`, of what counts."""
        return self._dated

    # -- lines in order

    def lines(self) -> Iterator[Line]:
        """All lines in the order of judgement: by received, rank, at and text."""
        self.conflicting = []
        ordered = self._in_order()
        return ordered if self._twice is None else self._told_apart(ordered)

    def _in_order(self) -> Iterator[Line]:
        if self._spilled is None:
            return ((*line[:4], number, line[5]) for number, line in enumerate(self._held))
        return self._merged()

    def _merged(self) -> Iterator[Line]:
        """Pieces one after the other, those that overlap together."""
        runs = sorted(self._runs, key=lambda run: run.low)
        while runs:
            together, high = 1, runs[0].high
            while together < len(runs) and runs[together].low <= high:
                high = max(high, runs[together].high)
                together += 1
            block = min(max(_BLOCKS // together, _BLOCK[0]), _BLOCK[1])
            pieces = [self._items(run, block) for run in runs[:together]]
            yield from pieces[0] if together == 1 else merge(*pieces)
            del runs[:together]

    def _items(self, run: _Run, block: int) -> Iterator[Line]:
        for number, text in enumerate(self._texts(run, block), start=run.number):
            try:
                item: Any = read_observation(text)
                at = instant(item.at)
            except DecodeError:
                at, rank, item = control_line(text)
                yield at, rank, at, text, number, item
                continue
            received = at
            if item.received is not None:
                received = instant(item.received)
                _set(item, "received", None)
            yield received, HEARD, at, text, number, item

    def _texts(self, run: _Run, block: int) -> Iterator[bytes]:
        """The lines of a piece."""
        assert self._spilled is not None
        file, at, rest = self._spilled.fileno(), run.start, b""
        while at < run.end:
            data = os.pread(file, min(block, run.end - at), at)
            at += len(data)
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            yield from lines

    def _told_apart(self, ordered: Iterator[Line]) -> Iterator[Line]:
        twice, kept = self._twice, self._kept
        assert twice is not None
        assert kept is not None
        found: list[tuple[tuple[Instant, bytes], dict[str, Any]]] = []
        last: tuple[Instant, bytes] | None = None
        for received, rank, at, text, number, item in ordered:
            if rank != HEARD or not twice[number >> 3] >> (number & 7) & 1:
                yield received, rank, at, text, number, item
                continue
            key = _key(item, text)
            chosen = kept.chosen(key)
            this = (received, text)
            if this == chosen and this != last:
                last = this
                yield received, rank, at, text, number, item
                continue
            if item.seq is not None and kept.conflicts(key, _content(item, text), chosen[1]):
                told = {"device": item.device, "boot": item.boot, "seq": item.seq}
                found.append((this, told | {"kept": msgspec.Raw(chosen[1]), "other": msgspec.Raw(text)}))
            yield received, rank, at, text, number, None
        kept.forget_told()
        self.conflicting = [told for _, told in sorted(found, key=lambda each: each[0])]


class _Keys:
    """Numbers drawn from keys: which lines may have the key of another."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(_PARTS)]
        self._here: list[array[int]] = []

    def add(self, first: int, lines: Iterable[tuple[Any, ...]], *, whole: bool = False) -> None:
        """Take lines, numbered from `first`; `whole`: there are no others."""
        parts: list[array[int]] = [array("q") for _ in range(_PARTS)]
        for number, line in enumerate(lines, start=first):
            if line[1] == HEARD:
                part = parts[line[6] & (_PARTS - 1)]
                part.append(line[6])
                part.append(number)
        if whole:
            self._here = parts
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="lamplighter-")  # noqa: SIM115 - as long as this lives
        start = self._file.tell()
        for place, part in zip(self._places, parts, strict=True):
            if part:
                size = len(part) * part.itemsize
                place.append((start, size))
                start += size
        self._file.write(b"".join([part.tobytes() for part in parts]))
        self._file.flush()

    def twice(self, count: int) -> bytearray | None:
        """A bit for each of `count` lines: set where another line has the same number; None: nowhere."""
        found: bytearray | None = None
        for index in range(_PARTS):
            part = self._part(index)
            numbers = part[::2]
            if len(set(numbers)) == len(numbers):
                continue
            if found is None:
                found = bytearray((count >> 3) + 1)
            first: dict[int, int] = {}
            for number, line in zip(numbers, part[1::2], strict=True):
                if (other := first.setdefault(number, line)) != line:
                    found[other >> 3] |= 1 << (other & 7)
                    found[line >> 3] |= 1 << (line & 7)
        return found

    def _part(self, index: int) -> array[int]:
        if self._file is None:
            return self._here[index]
        part = array("q")
        for start, size in self._places[index]:
            part.frombytes(os.pread(self._file.fileno(), size, start))
        return part


class _Kept:
    """Of each key that occurs more than once, what counts: in a database of its own that goes to disk when it is large."""

    def __init__(self) -> None:
        self._run = apsw.Connection("").execute
        self._run("CREATE TABLE kept (key BLOB PRIMARY KEY, received INTEGER, text BLOB) WITHOUT ROWID")
        self._run("CREATE TABLE told (key BLOB, content BLOB, PRIMARY KEY (key, content)) WITHOUT ROWID")
        self._run("BEGIN")

    def offer(self, key: bytes, received: Instant, text: bytes) -> None:
        self._run(
            "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET received = excluded.received, "
            "text = excluded.text WHERE (excluded.received, excluded.text) < (received, text)",
            (key, received, text),
        )

    def chosen(self, key: bytes) -> tuple[Instant, bytes]:
        received, text = self._run("SELECT received, text FROM kept WHERE key = ?", (key,)).get
        return received, text

    def conflicts(self, key: bytes, content: bytes, chosen: bytes) -> bool:
        """Whether this content is another than the one that counts, and was not told of before."""
        if content == _content(read_observation(chosen), chosen):
            return False
        new = "INSERT OR IGNORE INTO told VALUES (?, ?) RETURNING 1"
        return self._run(new, (key, content)).fetchone() is not None

    def forget_told(self) -> None:
        self._run("DELETE FROM told")


def read_evidence(lines: Iterable[bytes], piece: int = PIECE) -> Evidence:
    """Read evidence lines. Repeats are dropped; of several contents under one key the least (received, text) is kept.

    Args:
        lines: of the file, in any order.
        piece: how many are sorted at once in memory.

    Raises:
        LamplighterError: there is no room for temporary files.
    """
    evidence = Evidence(piece)
    evidence.read(lines)
    return evidence


def control_line(text: bytes) -> tuple[Instant, int, Any]:
    """A line that is not heard from a device.

    Raises:
        ValueError, msgspec.MsgspecError, DecodeError, OverflowError: it is not such a line.
    """
    kind = _kind.decode(text).kind  # type: ignore[attr-defined]
    if kind not in _CONTROLS:
        read_observation(text)
        raise ValueError("`device` is missing")
    item = _control.decode(text)
    if item.at.tzinfo is None:
        raise ValueError("`at` has no offset")
    if not 1 < item.at.year < 9999:
        raise ValueError(f"`at` is in the year {item.at.year}, which cannot be told in every time zone")
    if isinstance(item, Operator):
        _check_target(item)
    return instant(item.at), _CONTROLS[kind], item


def _check_target(line: Operator) -> None:
    """An action is on an alert or on a device, never both (evidence.md, Evidence file)."""
    if [line.alert, line.device, line.book].count(None) != 2:
        raise ValueError("an operator line names either `alert` or `device`, or a `book`")
    if line.book is not None:
        return
    if line.action not in _OF_DEVICES | _OF_ALERTS:
        raise ValueError(f"`action` {line.action!r}: expected one of {', '.join(sorted(_OF_DEVICES | _OF_ALERTS))}")
    if (line.action in _OF_DEVICES) != (line.device is not None):
        raise ValueError(f"`{line.action}` needs {'`device`' if line.action in _OF_DEVICES else '`alert`'}")
    if line.action == "clear" and line.impairment is None:
        raise ValueError("`clear` needs `impairment`")


def _key(item: Observation, text: bytes) -> bytes:
    """The key of repetition: (device, boot, seq), without `seq` the whole content."""
    if item.seq is not None:
        return _pack((item.device, item.boot, item.seq))
    return _content(item, text)


def _content(item: Observation, text: bytes) -> bytes:
    """What a line says, unknown fields too, without `received`; a time or number is the same however it is written."""
    fields = {name: getattr(item, name) for name in item.__struct_fields__ if name != "received"}
    plain = {name: _plain(value) for name, value in fields.items()}
    unknown = {name: value for name, value in _anything.decode(text).items() if name not in fields}
    unknown.pop("kind", None)
    unknown.pop("received", None)
    return _pack((item.__struct_config__.tag, list(plain.items()), msgspec.json.encode(unknown, order="sorted")))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return value + 0.0 if isinstance(value, float) else value  # minus zero is zero


def _least(left: Instant | None, right: Instant | None) -> Instant | None:
    if left is None or right is None:
        return left if right is None else right
    return min(left, right)
