"""`reader_offline`: a reader gone silent, a wand not handed in (spec: rounds.md, Alerts; cameras.md, Any device)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from gateway.instants import Instant
from gateway.rules.intervals import BEGINNING, covers
from gateway.rules.records import Record
from gateway.rules.round_alerts import RoundAlerts
from gateway.rules.timers import Timers


class Silence:
    """Who is silent, and who has been told so.

    A fixed reader is silent when nothing was heard for more than 3 × `expect_every`; after the gateway's return it is given
    one such time of grace, once. A reader never heard is not silent but unknown, and a wand is silent only while it owes
    a record.
    """

    def __init__(self, alerts: RoundAlerts) -> None:
        self._alerts = alerts
        self._timers: Timers[str] = Timers()
        self._graced: dict[str, Instant] = {}
        self.told: dict[str, Instant | None] = {}
        """Since when readers are told of: None a silent one, else up to when a wand owes its record."""

    def heard(self, record: Record, now: Instant, *, alive: bool) -> None:
        """Something came from, or about, a reader that is told of or has no timer yet; `alive`: it was a sign of life."""
        if record.id in self.told:
            owed = self.told[record.id]
            if alive if owed is None else covers(record.complete(), owed, owed):
                del self.told[record.id]
                self._alerts.reader_back(record.id, now)
        watched = not record.portable and record.expect_every is not None and record.id not in self.told
        if watched and record.first_heard is not None and self._timers.get(record.id) is None:
            self._timers.set(record.id, self._due(record))

    def _due(self, record: Record) -> Instant:
        assert record.expect_every is not None
        return max(record.last_heard, self._graced.get(record.id, BEGINNING)) + 3 * record.expect_every + 1

    def awaited(self, record: Record) -> bool:
        """Whether hearing from a reader must be told here: it is told of, or nothing is armed for it."""
        return record.id in self.told or (not record.portable and self._timers.get(record.id) is None)

    def advance(self, records: dict[str, Record], now: Instant) -> list[str]:
        """Tell of those whose time is over, by time and name; who they are."""
        told = []
        for _, device in sorted(self._timers.due(now)):
            record = records.get(device)
            if record is None or record.first_heard is None or device in self.told:
                continue
            if (due := self._due(record)) > now:
                self._timers.set(device, due)
                continue
            self.told[device] = None
            told.append(device)
            self._alerts.reader_offline(device, record.last_heard, record.last_heard, now)
        return told

    def owes(self, record: Record, closes: Instant, deadline: Instant, now: Instant) -> None:
        """A wand's record up to `closes` is not here at its deadline."""
        if record.id not in self.told:
            self.told[record.id] = closes
            self._alerts.reader_offline(
                record.id, record.last_heard if record.first_heard is not None else None, deadline, now
            )

    def restarted(self, records: dict[str, Record], down_from: Instant, now: Instant) -> None:
        """One time of grace for who was not silent before; none again until heard."""
        for device, record in records.items():
            if self._timers.get(device) is None:
                continue
            if record.last_heard >= self._graced.get(device, BEGINNING) and self._due(record) > down_from:
                self._graced[device] = now
                self._timers.set(device, self._due(record))

    def deadline(self, records: Mapping[str, Record]) -> Instant | None:
        """When the next reader may have been silent for too long, by what was heard up to now."""

        def put_off(device: str) -> Instant | None:
            record = records.get(device)
            awaited = record is not None and record.first_heard is not None and device not in self.told
            return self._due(record) if awaited else None  # type: ignore[arg-type]

        return self._timers.next_after(put_off)

    def snapshot(self) -> Any:
        return [
            [[device, since] for device, since in sorted(self.told.items(), key=lambda each: each[0])],
            [[device, since] for device, since in sorted(self._graced.items())],
        ]

    def restore(self, state: Any, records: dict[str, Record], readers: Container[str], now: Instant) -> None:
        """Take up a snapshot; whoever is not among `readers` any more is told of no longer."""
        self.told = {device: since for device, since in state[0] if device in readers}
        self._graced = dict(state[1])
        for device, _ in state[0]:
            if device not in readers:
                self._alerts.reader_back(device, now, "removed")
        for record in records.values():
            if (
                record.first_heard is not None
                and not record.portable
                and record.expect_every
                and record.id not in self.told
            ):
                self._timers.set(record.id, self._due(record))
