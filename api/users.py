"""What the API shows and takes of accounts, sessions and keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from api.access.roles import Right, Role


class UserShape(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `id` stands in histories, `login` is typed; `places` null: all of the site."""

    id: str
    login: str
    called: str | None
    role: Role
    person: str | None
    places: Sequence[str] | None
    disabled: bool
    password: bool
    pin: bool
    created: datetime
    seen: datetime | None
    sessions: int


class UserNew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be made. Its person chooses the password by a link (`/users/NAME/password`), a guard enters by `/users/NAME/link`."""

    login: str
    role: Role
    called: str | None = None
    person: str | None = None
    places: tuple[str, ...] | None = None


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise; what is not named stays."""

    role: Role | UnsetType = UNSET
    called: str | UnsetType = UNSET
    person: str | UnsetType | None = UNSET
    places: tuple[str, ...] | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class LinkShape(msgspec.Struct, frozen=True, kw_only=True):
    """A link that lets its person in once, shown this once; `qr`: the same as SVG, to be read by a phone."""

    url: str
    expires: datetime
    qr: str


class PinBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """4 to 8 digits; null: no PIN any more."""

    pin: str | None


class OwnPin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A guard's own new PIN. `old`: the PIN from before; needed where there is one, except on a phone that a personal link let in."""

    pin: str
    old: str | None = None


class OwnPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own new password, and the one from before."""

    old: str
    new: str


class MeShape(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do."""

    id: str
    called: str
    role: Role
    rights: Sequence[Right]
    person: str | None
    places: Sequence[str] | None
    phone: bool


class KeyShape(msgspec.Struct, frozen=True, kw_only=True):
    """A key. `id` stands in histories; `rights` null: all of its role's that a key may have; `places` null: all of the site."""

    id: str
    name: str
    role: Role
    rights: Sequence[Right] | None
    places: Sequence[str] | None
    made_by: str
    created: datetime
    expires: datetime
    revoked: datetime | None
    seen: datetime | None
    works: bool


class KeyNew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made, called what it is for. It ends after `days`."""

    name: str
    role: Role
    rights: tuple[Right, ...] | None = None
    places: tuple[str, ...] | None = None
    days: int = 90


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its text, shown this once; it is sent as `Authorization: Bearer …`."""

    key: KeyShape
    text: str


class AuditShape(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, from where. `called`: what the one is called now; null: erased, or never known."""

    row: int
    at: datetime
    who: str
    called: str | None
    address: str
    action: str
    subject: str
    outcome: str
    detail: str


class SessionShape(msgspec.Struct, frozen=True, kw_only=True):
    """One's own log-in. `device`: system and browser, as the browser said; `this`: the one that asks."""

    id: str
    device: str
    address: str
    begun: datetime
    seen: datetime
    expires: datetime
    phone: bool
    this: bool
