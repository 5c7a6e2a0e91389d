"""An evidence file that is in order already: judged while it is read (spec: evidence.md).

Files that a gateway wrote are in the order of judgement, and hold nothing twice. Such a file is read once and kept nowhere. At the
first line that is out of order, or may repeat another, `Disorder` says that all of it must be sorted first (`evidence.py`).
"""

from __future__ import annotations

import tempfile
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from io import BufferedIOBase
from itertools import islice
from typing import IO, Any

import msgspec

from device_drivers.errors import DecodeError
from device_drivers.native.decoder import read_observation
from device_drivers.observations import Observation
from gateway.evidence import HEARD, LATE, Line, Rejected, control_line
from gateway.instants import Instant, instant
from gateway.rules.intervals import BEGINNING, END
from gateway.shelf import no_room

TOGETHER = 1 << 16
"""Lines of one instant that are put in order here, and controls before anything was heard, at most."""
COUNTED = 1 << 20
"""Counts of devices (each boot has its own) that are followed at most."""
_BATCH = 4096

_set = msgspec.structs.force_setattr


class Disorder(Exception):  # noqa: N818  nothing went wrong
    """The file must be sorted before it is judged."""


class Orderly:
    """Reads lines in order.

    Args:
        day: the beginning of the day of an instant.

    Attributes:
        rejected: lines that could not be read.
        first: the earliest `received` of an observation, known once one was given.
        since: the beginning of the day of the earliest `at` that is at most 7 days before its `received`, likewise.
        last: the latest `received` of a line.
    """

    def __init__(self, day: Callable[[Instant], Instant]) -> None:
        self.rejected: list[Rejected] = []
        self.first: Instant | None = None
        self.since: Instant | None = None
        self.last: Instant = BEGINNING
        self._day = day
        self._dated: Instant = END
        self._newest: dict[tuple[str, type], tuple[Instant, tuple[Observation, ...]]] = {}

    def begin(self, lines: Iterable[bytes]) -> tuple[list[Line], Iterator[Line]]:
        """What comes up to the first observation, and all that follows.

        Raises:
            Disorder: the file must be sorted first; so may asking for what follows.
        """
        following = self._lines(lines)
        head: list[Line] = []
        for line in following:
            head.append(line)
            if line[1] == HEARD:
                self.first = line[0]
                if self.since is None:
                    raise Disorder  # dated so early that it says nothing of when the file begins
                return head, following
            if len(head) > TOGETHER:
                break
        raise Disorder

    def _lines(self, lines: Iterable[bytes]) -> Iterator[Line]:
        counts: dict[tuple[str, str | None], int] = {}
        held: Line | None = None
        more: list[Line] = []
        last, dated, day = self.last, self._dated, self._day
        for number, line in enumerate(lines, start=1):
            text = line.strip() if number > 1 else line.removeprefix(BOM_UTF8).strip()
            if not text:
                continue
            rank = HEARD
            try:
                item: Any = read_observation(text)
                device = item.device
            except (DecodeError, OverflowError):
                device = ""
            if device:
                received = at = instant(item.at)
                if item.received is not None:
                    received = instant(item.received)
                    _set(item, "received", None)
                if (seq := item.seq) is not None:
                    name = (device, item.boot)
                    if seq <= counts.get(name, -1) or len(counts) > COUNTED:
                        raise Disorder
                    counts[name] = seq
                else:
                    self._once(device, item, at)
                if at < dated and at >= received - LATE:
                    dated = at
                    self._begins(day(at))
            else:
                try:
                    received, rank, item = control_line(text)
                    at = received
                except (msgspec.MsgspecError, DecodeError, ValueError, OverflowError) as error:
                    self.rejected.append(Rejected(number, str(error)))
                    continue
            if received > last:
                if more:
                    yield from sorted(more)
                    more.clear()
                elif held is not None:
                    yield held
                held = (received, rank, at, text, number, item)
                self.last = last = received
                continue
            if received < last or held is None or len(more) > TOGETHER:
                raise Disorder
            if not more:
                more.append(held)
            more.append((received, rank, at, text, number, item))
        if more:
            yield from sorted(more)
        elif held is not None:
            yield held

    def _once(self, device: str, item: Observation, at: Instant) -> None:
        """What has no number is told from a repeat by its time: a later one of its kind was not there before."""
        name = (device, type(item))
        known = self._newest.get(name)
        if known is None or at > known[0]:
            if len(self._newest) > COUNTED:
                raise Disorder
            self._newest[name] = (at, (item,))
            return
        newest, items = known
        if at < newest or item in items or len(items) > _BATCH:
            raise Disorder
        self._newest[name] = (at, (*items, item))

    def _begins(self, since: Instant) -> None:
        if self.first is not None and since != self.since:
            raise Disorder  # the plan was made from a later day on
        self.since = since


class Lines:
    """Lines of an evidence file that may be asked for once more: by reading them again, or from a copy where that cannot be.

    Args:
        lines: each with its line end.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._iterator: Iterator[bytes] | None = None
        self._start: int | None = None
        self._copy: IO[bytes] | None = None

    def once(self) -> Iterable[bytes]:
        """All lines."""
        if iter(self._lines) is not self._lines:
            return self._lines
        if isinstance(self._lines, BufferedIOBase) and self._lines.seekable():
            self._start = self._lines.tell()
            return self._lines
        self._iterator = iter(self._lines)
        return self._copying(self._iterator)

    def again(self) -> Iterable[bytes]:
        """All lines from the beginning."""
        if self._iterator is None:
            if self._start is not None:
                self._lines.seek(self._start)  # type: ignore[attr-defined]
            return self._lines
        return self._copied(self._iterator)

    def _copying(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        self._copy = tempfile.TemporaryFile(prefix="lamplighter-")  # noqa: SIM115 - as long as this lives
        while batch := list(islice(lines, _BATCH)):
            try:
                self._copy.writelines(batch)
            except OSError as error:
                no_room(error)
            yield from batch

    def _copied(self, rest: Iterator[bytes]) -> Iterator[bytes]:
        assert self._copy is not None
        self._copy.seek(0)
        yield from self._copy
        yield from rest
