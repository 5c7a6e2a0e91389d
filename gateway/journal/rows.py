"""Rows of the journal as the rest of the gateway sees them. Instants are microseconds since 1970, UTC."""

from __future__ import annotations

from typing import NamedTuple

from gateway.instants import Instant


class LogRow(NamedTuple):
    """One row of the log. `body` is the observation's JSON; `device` stands here even where it is missing there."""

    seq: int
    received: Instant
    device: str
    kind: str
    at: Instant
    boot: str | None
    n: int | None
    body: bytes
    heard: Instant | None = None
    """When its bytes arrived, of what could be read only later, at `received`."""


class QuarantineRow(NamedTuple):
    """Bytes that could not be read, and why; `again`: the last time that somebody had them read again."""

    seq: int
    received: Instant
    source: str
    topic: str
    payload: bytes
    reason: str
    retained: int = 0
    again: Again | None = None


class Again(NamedTuple):
    """What came of reading a row of the quarantine again: `read`, `repeated` (its observations were here already) or `unreadable`."""

    at: Instant
    by: str
    outcome: str
    observations: int
    reason: str


class ChangeRow(NamedTuple):
    """One live event: a view that changed, a tap, or (kind `alert`) an alert's transition."""

    seq: int
    at: Instant
    kind: str
    id: str
    body: bytes


class EntryRow(NamedTuple):
    """What happened to an item of a book; `body` is an `Entry` as JSON."""

    seq: int
    at: Instant
    book: str
    id: str
    state: str
    body: bytes


class Condition(NamedTuple):
    """What a subject was from `since` on, as found at `found`; it overrides rows before it from `since` on."""

    found: Instant
    since: Instant
    kind: str
    id: str
    state: str
    detail: str


class SnapshotRow(NamedTuple):
    """A stored state of rules and alerts after log row `seq`."""

    seq: int
    at: Instant
    format: str
    site: str
    state: bytes
