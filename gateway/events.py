"""Live events after the commit: a ring in memory, the journal behind it, so that a listener resumes without a gap."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from gateway.journal.reader import Reader

_RING = 4096
_PAGE = 500


class Event(NamedTuple):
    """One event. `id` rises; `kind` is a finding's kind, `alert`, `tap`, or `link`; `data` is JSON."""

    id: int
    kind: str
    data: bytes


class EventHub:
    """Hands events to any number of listeners; a slow listener reads on from the journal and slows nobody."""

    def __init__(self, reader: Reader, latest: int) -> None:
        self._reader = reader
        self._ring: deque[Event] = deque(maxlen=_RING)
        self._news = asyncio.Event()
        self.latest = latest
        """The id of the newest event."""
        self._floor = latest
        """Every event after this id is in the ring."""

    def publish(self, events: Sequence[Event]) -> None:
        """Make committed events known, in order of id."""
        if not events:
            return
        room = _RING - len(self._ring)
        for event in events:
            if room <= 0:
                self._floor = self._ring[0].id
            room -= 1
            self._ring.append(event)
        self.latest = events[-1].id
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def subscribe(self, after: int | None = None) -> AsyncIterator[Event]:
        """Every event after id `after` (None: from now on), in order, without end."""
        position = self.latest if after is None else min(after, self.latest)
        while True:
            news = self._news
            if position < self._floor:
                page = await self._reader.run(lambda _, start=position: self._reader.changes_after(start, _PAGE))  # type: ignore[misc]
                for row in page:
                    if row.seq > self._floor:
                        break
                    position = row.seq
                    yield Event(row.seq, row.kind, row.body)
                else:
                    if len(page) == _PAGE:
                        continue
                position = max(position, min(self._floor, self.latest))
                continue
            if position >= self.latest:
                await news.wait()
                continue
            for event in [event for event in self._ring if event.id > position]:
                position = event.id
                yield event
