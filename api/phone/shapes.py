"""Shapes of `/api/v1/phone`. Times in ms since 1970 UTC, as browsers count."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class PhoneShape(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser is to the gateway. `former`: phones that it also is, of others who were logged in on it; what it kept for them it hands in too."""

    device: str
    person: str
    name: str
    former: Sequence[str]
    now: int


class TapShape(msgspec.Struct, frozen=True, kw_only=True):
    """What a tap was read as. `name` null: its tag belongs to no checkpoint."""

    seq: int
    checkpoint: str | None
    name: str | None
    method: str


class TakenShape(msgspec.Struct, frozen=True, kw_only=True):
    """The first `taken` records handed in are on disk; `unread`: how many of them could not be read, or contradict an earlier record of the same number, and are in quarantine. `now`: the gateway's clock, ms."""

    taken: int
    unread: int
    now: int
    taps: Sequence[TapShape]


class PhonePhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A kept picture. `id`: DEVICE/BOOT/SEQ of the incident, under which it is read again."""

    id: str
    bytes: int
