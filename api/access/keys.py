"""Keys by which programs use the API: `lk_ID_SECRET`, shown once and kept as a hash, with a role, an end and perhaps bounds."""

from __future__ import annotations

import contextlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import cast

import msgspec

from api.access.accounts import Account, AccountError, Accounts, Session, Statement
from api.access.register import Change
from api.access.roles import RIGHTS, Right, Role, allowed
from api.ports import GatewayPort
from gateway.errors import StalledError
from gateway.instants import DAY, MINUTE, SECOND, Duration, Instant

NEVER: frozenset[Right] = frozenset({"accounts", "admit", "self", "erase"})
"""What no key may, whatever its role: let anybody in, or remove what is known of a person."""
LASTS = 90 * DAY
LASTS_AT_MOST = 731 * DAY
LONGEST_NAME = 64

_TRUST_CACHE = 30 * SECOND
_TOUCH = 5 * MINUTE
_CACHE_SIZE = 256
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
_FORM = re.compile(rf"lk_([{_SIGNS}]{{6}})_([A-Za-z0-9_-]{{43}})")
_READ = "SELECT id, name, role, rights, places, made_by, created, expires, revoked, seen FROM api_key"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept. `id` stands in histories; `rights` None: all of its role's that a key may have."""

    id: str
    name: str
    role: Role
    rights: tuple[Right, ...] | None
    places: tuple[str, ...] | None
    made_by: str
    created: Instant
    expires: Instant
    revoked: Instant | None
    seen: Instant | None

    def works(self, now: Instant) -> bool:
        """Whether it lets in."""
        return self.revoked is None and now < self.expires


class Keys:
    """The keys of one gateway, and what they let in."""

    def __init__(self, gateway: GatewayPort, accounts: Accounts) -> None:
        self._gateway = gateway
        self._accounts = accounts
        self._cache: OrderedDict[bytes, tuple[Instant, int, Session]] = OrderedDict()

    async def session(self, text: str) -> Session | None:
        """What a key's text lets in, as a session that ends with it; None: nothing."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        name, secret = f"k-{form[1]}", _hashed(form[2])
        now = self._gateway.now()
        cached = self._cache.get(secret)
        if cached is not None:
            at, changes, session = cached
            fresh = 0 <= now - at < _TRUST_CACHE and changes == self._accounts.changes
            if fresh and now < session.expires and session.account.name == name:
                return session
        self._cache.pop(secret, None)
        changes = self._accounts.changes
        rows = await self._gateway.query("SELECT secret FROM api_key WHERE id = ?", (name,))
        if not rows or not hmac.compare_digest(rows[0][0], secret):
            return None
        key = key_of((await self._gateway.query(_READ + " WHERE id = ?", (name,)))[0])
        if not key.works(now):
            return None
        if key.seen is None or now - key.seen > _TOUCH:
            with contextlib.suppress(StalledError):  # no program is kept out for it
                await self._gateway.write([("UPDATE api_key SET seen = ? WHERE id = ?", (now, name))])
        found = Session(token=secret, account=account_of_key(key), seen=now, expires=key.expires, key=True)
        self._cache[secret] = (now, changes, found)
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return found


def account_of_key(key: Key) -> Account:
    """What a key may do, as an account. It stands for no person."""
    given = RIGHTS if key.rights is None else key.rights
    rights = tuple(right for right in given if allowed(key.role, right) and right not in NEVER)
    return Account(name=key.id, role=key.role, places=key.places, rights=rights)


def read_keys() -> Statement:
    """The query for all keys; its rows are for `key_of`."""
    return _READ + " ORDER BY id", ()


def read_key(name: str) -> Statement:
    """The query for one key; its rows are for `key_of`."""
    return _READ + " WHERE id = ?", (name,)


def key_of(row: Sequence[object]) -> Key:
    """A row of `read_keys`."""
    name, called, role, rights, places, made_by, created, expires, revoked, seen = cast(
        "tuple[str, str, str, str | None, str | None, str, int, int, int | None, int | None]", row
    )
    return Key(
        id=name,
        name=called,
        role=cast("Role", role),
        rights=None if rights is None else cast("tuple[Right, ...]", msgspec.json.decode(rights, type=tuple[str, ...])),
        places=None if places is None else msgspec.json.decode(places, type=tuple[str, ...]),
        made_by=made_by,
        created=created,
        expires=expires,
        revoked=revoked,
        seen=seen,
    )


def key_added(
    name: str,
    role: Role,
    made_by: str,
    now: Instant,
    *,
    lasts: Duration = LASTS,
    rights: Sequence[Right] | None = None,
    places: Sequence[str] | None = None,
) -> tuple[str, Change]:
    """A new key: its text, which is kept nowhere, and the change.

    Raises:
        AccountError: it cannot be made so; the text says why.
    """
    called = " ".join(name.split())
    if not 0 < len(called) <= LONGEST_NAME or not called.isprintable():
        raise AccountError(f"a key is called what it is for, in 1 to {LONGEST_NAME} signs")
    if not 0 < lasts <= LASTS_AT_MOST:
        raise AccountError("a key ends, in two years at the latest")
    for right in rights or ():
        if right not in RIGHTS or not allowed(role, right) or right in NEVER:
            raise AccountError(f"a key of the role {role} cannot have the right {right!r}")
    if rights is not None and not rights:
        raise AccountError("a key without any right is of no use; name some, or none for all of the role's")
    signs = "".join(secrets.choice(_SIGNS) for _ in range(6))
    secret = secrets.token_urlsafe(32)
    kept = (
        f"k-{signs}",
        called,
        _hashed(secret),
        role,
        None if rights is None else msgspec.json.encode(sorted(set(rights))).decode(),
        None if places is None else msgspec.json.encode(sorted(set(places))).decode(),
        made_by[:64],
        now,
        now + lasts,
    )
    statement = (
        "INSERT INTO api_key (id, name, secret, role, rights, places, made_by, created, expires)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    parts = [called, role, *([f"rights {', '.join(rights)}"] if rights is not None else [])]
    parts += [f"places {', '.join(places)}"] if places is not None else []
    return f"lk_{signs}_{secret}", Change("key.add", f"k-{signs}", "; ".join(parts), [(statement, kept)])


def key_revoked(key: Key, now: Instant) -> Change:
    """It lets nobody in any more.

    Raises:
        AccountError: it was revoked before.
    """
    if key.revoked is not None:
        raise AccountError(f"{key.id} is revoked already")
    return Change("key.revoke", key.id, key.name, [("UPDATE api_key SET revoked = ? WHERE id = ?", (now, key.id))])


def _hashed(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
