"""Reading again what could not be read when it came, once the site file or a driver is mended.

The stored bytes are decoded by today's site file and drivers, as of the time at which they arrived. What they give enters by the
ordinary way (`Intake.late`); the row of the quarantine stays, and beside it stands who had it read again and what came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from device_drivers.driver import Driver, Reading, Readings, Reject
from device_drivers.errors import DecodeError
from gateway.instants import DAY, Duration, Instant, instant
from gateway.intake import UNBOUND, Intake
from gateway.journal.reader import Reader
from gateway.journal.rows import LogRow, QuarantineRow
from gateway.judgement import Outcome
from gateway.routing import Read, Router
from gateway.site.enrolments import PHONE_DRIVER
from gateway.site.model import Site
from gateway.site.phones import phone_settings

Came = Literal["read", "repeated", "unreadable", "already", "too_old", "withheld"]

MOST = 200
"""Rows of the quarantine at once."""
LATE: Duration = 7 * DAY
"""Evidence is judged for so long (rounds.md, Clocks): what arrived earlier changes nothing any more."""

_LAST_ROW = 2**63 - 1
"""What a row's number can be."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 50
"""Observations and changes of verdicts shown beforehand."""

CONVERSATION = "it was said in a conversation with the device; these bytes alone cannot be read"
CONFLICT = "it could be read: another content under the key of an earlier record stands, and both are kept"


class Reread(msgspec.Struct, frozen=True, kw_only=True):
    """What reading one row again gives, or gave.

    Args:
        row: of the quarantine.
        outcome: `read`: there is something new in it; `repeated`: all of it is here already; `unreadable`; `already`: it was read again
            before; `too_old`: it arrived more than 7 days ago, nothing that is judged still rests on it; `withheld`: a visit would be missed
            by it, and nobody said that this may be.
        device: whose decoder read it, or was asked.
        reason: why it cannot be read, or what of it cannot.
        observations: what is in it.
        new: how many of them are not here yet.
    """

    row: int
    outcome: Came
    device: str | None = None
    reason: str = ""
    observations: tuple[Mapping[str, Any], ...] = ()
    new: int = 0


class Rereading(msgspec.Struct, frozen=True, kw_only=True):
    """Rows read again, or as they would be; and what that changes of verdicts and alerts (JSON shapes, the first 50).

    `worse`: how many visits would be missed by it that are not now. A record becomes complete by what is read again, and what is still
    unread may hold the tap.
    """

    rows: tuple[Reread, ...]
    worse: int = 0
    revisions: tuple[Mapping[str, Any], ...] = ()
    transitions: tuple[Mapping[str, Any], ...] = ()


class _Decoded(NamedTuple):
    row: QuarantineRow
    device: str | None
    readings: Sequence[Reading]
    reason: str


class Rereader:
    """Reads rows of the quarantine again.

    Args:
        site: as it is now.
        drivers: by name.
        reader: the journal.
        intake: the way in.
        now: the time now.
    """

    def __init__(
        self,
        site: Site,
        drivers: Mapping[str, Driver],
        reader: Reader,
        intake: Intake,
        now: Callable[[], Instant],
    ) -> None:
        self._site = site
        self._drivers = drivers
        self._reader = reader
        self._intake = intake
        self._now = now
        self._one = asyncio.Lock()

    async def preview(self, rows: Sequence[int]) -> Rereading:
        """What reading these rows again would give and change; nothing is done. Rows that are not there are left out."""
        await self._intake.wake()
        decoded = await self._decode(rows)
        found = await self._reader.run(lambda _: [self._shown(each) for each in decoded])
        news = self._judged(decoded)
        return Rereading(
            rows=tuple(found),
            worse=_worse(news),
            revisions=tuple(msgspec.to_builtins(each) for each in news.revisions[:_SHOWN]),
            transitions=tuple(msgspec.to_builtins(each) for each in news.transitions[:_SHOWN]),
        )

    def _judged(self, decoded: Sequence[_Decoded]) -> Outcome:
        """What another judge, who knows the same, finds by it."""
        judgement, _ = self._intake.judgement.under(self._site)
        now = self._intake.not_before(self._now())
        for each in decoded:
            if self._result(each).outcome == "read":
                for reading in each.readings:
                    judgement.apply_late(reading.observation, now, each.row.received)
        judgement.conclude()
        return judgement.drain()

    async def read(self, rows: Sequence[int], by: str, *, also_worse: bool = False) -> Rereading:
        """Read these rows again; what is in them counts from now on. Returns once all of it is on disk.

        Args:
            rows: of the quarantine, at most 200.
            by: the account, for the history.
            also_worse: also if a visit would be missed by it.
        """
        async with self._one:
            decoded = await self._decode(rows)
            now = self._now()
            if not also_worse and (worse := _worse(self._judged(decoded))):
                held = (msgspec.structs.replace(self._result(each), outcome="withheld", new=0) for each in decoded)
                return Rereading(rows=tuple(held), worse=worse)
            done = []
            for each in decoded:
                result = self._result(each)
                if result.outcome in {"already", "too_old"}:
                    done.append(result)
                    continue
                if result.outcome == "read":
                    new, _ = self._intake.late(each.readings, each.row.received, each.row.payload)
                    result = msgspec.structs.replace(result, new=new, outcome="read" if new else "repeated")
                note = (now, by, each.row.seq, result.outcome, result.new, result.reason)
                self._intake.batch.add("read_again", note)
                done.append(result)
            await self._intake.wake()
        return Rereading(rows=tuple(done))

    async def _decode(self, rows: Sequence[int]) -> list[_Decoded]:
        """In the order in which they came, by decoders that have read nothing else: those of the running links go on undisturbed."""
        there = sorted({row for row in rows if 0 < row <= _LAST_ROW})
        stored = await self._reader.quarantined(there[:MOST])
        return await asyncio.to_thread(self._decode_all, stored)

    def _decode_all(self, stored: Sequence[QuarantineRow]) -> list[_Decoded]:
        router = Router(self._site, self._drivers)
        return [self._decoded(router, row) for row in stored]

    def _decoded(self, router: Router, row: QuarantineRow) -> _Decoded:
        device = self._site.devices.get(row.source)
        make = self._drivers[PHONE_DRIVER].message_decoder if PHONE_DRIVER in self._drivers else None
        if device is None or device.driver != PHONE_DRIVER or make is None or _contradicts(row):
            return decoded(self._site, router, row)
        decoder = make(self._site.id, phone_settings(self._site, device.id, device.settings.get("person")))
        found = _split(row, device.id, *_read(partial(decoder.decode, ""), row))
        # What a phone had counted by then was said when it came.
        return found._replace(readings=[each for each in found.readings if each.observation.seq is not None])

    def _result(self, each: _Decoded) -> Reread:
        """Without a look at what is here already."""
        outcome: Came = "read" if each.readings else "unreadable"
        if each.row.again is not None and each.row.again.outcome in {"read", "repeated"}:
            outcome = "already"
        elif self._now() - each.row.received > LATE:
            outcome = "too_old"
        return Reread(
            row=each.row.seq,
            outcome=outcome,
            device=each.device,
            reason=each.reason,
            observations=tuple(msgspec.to_builtins(reading.observation) for reading in each.readings[:_SHOWN]),
            new=len(each.readings),
        )

    def _shown(self, each: _Decoded) -> Reread:
        """With one; called in a reading thread."""
        result = self._result(each)
        new = sum(not any(_same(row, reading) for row in self._here(reading)) for reading in each.readings)
        if result.outcome == "read" and new == 0:
            result = msgspec.structs.replace(result, outcome="repeated")
        return msgspec.structs.replace(result, new=new)

    def _here(self, reading: Reading) -> list[LogRow]:
        said = reading.observation
        return self._reader.find(said.device, instant(said.at) if said.seq is None else said.seq)


def decoded(site: Site, router: Router, row: QuarantineRow) -> _Decoded:
    """One row by today's decoders; without readings: `reason` says why it cannot be read."""
    received = _EPOCH + timedelta(microseconds=row.received)
    if row.source in site.devices and _contradicts(row):
        return _Decoded(row, row.source, (), CONFLICT)
    if (stream := router.streams.get(row.topic)) is not None:
        found = [*stream[1].feed(row.payload, received), *stream[1].reset()]
        return _split(row, row.topic, found)
    read = router.reader(row.topic)
    if read is None:
        known = row.topic in site.devices
        return _Decoded(row, row.topic if known else None, (), CONVERSATION if known else UNBOUND)
    return _split(row, None, *_read(read, row))


def _contradicts(row: QuarantineRow) -> bool:
    return row.reason.startswith("another content under the key")


def _read(read: Read, row: QuarantineRow) -> tuple[Sequence[Reading | Reject], str]:
    """What a decoder makes of the bytes as of the time at which they came, or why it makes nothing of them."""
    try:
        readings = read(row.payload, _EPOCH + timedelta(microseconds=row.received), retained=bool(row.retained))
    except DecodeError as error:
        return (), error.reason
    return [*readings, *(readings.rejects if isinstance(readings, Readings) else ())], ""


def _worse(news: Outcome) -> int:
    last = {(each.round, each.position): each for each in news.revisions}
    first = {(each.round, each.position): each for each in reversed(news.revisions)}
    return sum(each.verdict == "missed" and first[where].before != "missed" for where, each in last.items())


def _split(row: QuarantineRow, device: str | None, found: Sequence[Reading | Reject], reason: str = "") -> _Decoded:
    readings = [each for each in found if isinstance(each, Reading)]
    reasons = dict.fromkeys(each.reason for each in found if isinstance(each, Reject))
    if not found:
        reasons = {reason or "there is no observation in it": None}
    if readings:
        device = readings[0].observation.device
    return _Decoded(row, device, readings, "; ".join(reasons))


def _same(row: LogRow, reading: Reading) -> bool:
    said = reading.observation
    if said.seq is not None:
        return row.n == said.seq and (row.boot or "") == (said.boot or "")
    text = msgspec.json.encode(said) if reading.body is None else reading.body
    return row.n is None and row.kind == type(said).__struct_config__.tag and row.body == text
