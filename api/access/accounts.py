"""Accounts, sessions and the audit history, kept in the journal (migrations 0002_accounts.sql, 0007_chain.sql).

What stands in histories for good is an account's `name`, which says nothing of the person (`u-` and six signs); what is typed at the
log-in and what the person is called are held apart, so that they can be erased.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import cast

import msgspec

from api.access.roles import Role
from api.ports import GatewayPort
from device_drivers.errors import LamplighterError
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant

IDLE = 12 * HOUR
"""A session unused this long has ended: a night shift and its handover."""
LONGEST = 7 * DAY
"""No session is older."""
_TRUST_CACHE = 30 * SECOND
"""How long a session is believed without asking the journal: a change by `lamplighter user` works within this time."""
_TOUCH = 5 * MINUTE
_CACHE_SIZE = 1024
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
PERSONAL = "account/"
"""What the keys of `personal` begin with that hold what the person behind an account is called."""
UNKNOWN = "unknown"
"""Who tried to log in under a name that no account has. What was typed is not kept: it may be a person's name, or a password."""
_NAME = re.compile(r"[\w.@-]{1,64}")

Statement = tuple[str, tuple[object, ...]]


class AccountError(LamplighterError):
    """An account that cannot be made or changed; the text says why."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person's (or wall screen's) way in. `name` stands in histories; `called` is for the screen.

    `person`: the person of the site whose account it is. `places`: it sees these places and what lies below them; None: all of the site.
    """

    name: str
    role: Role
    disabled: bool = False
    called: str = ""
    person: str | None = None
    places: tuple[str, ...] | None = None


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What the person behind an account is called: the body of a row of `personal`."""

    name: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One log-in. `token` is the hash of what the cookie holds."""

    token: bytes
    account: Account
    seen: Instant
    expires: Instant


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, from where. `outcome`: done, refused, failed."""

    who: str
    address: str
    action: str
    subject: str
    outcome: str = "done"
    detail: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request came from, for the audit history."""

    address: str
    agent: str = ""


class Accounts:
    """The accounts of one gateway."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway
        self._cache: OrderedDict[bytes, tuple[Instant, Session]] = OrderedDict()
        self._called: dict[str, str | None] = {}
        self._called_at: Instant | None = None

    async def any(self) -> bool:
        """Whether there is an account that can log in with a password."""
        return bool(await self._gateway.query("SELECT 1 FROM accounts WHERE password IS NOT NULL LIMIT 1", ()))

    async def find(self, name: str) -> tuple[Account, str | None] | None:
        """An account by what is typed at the log-in, and its stored password."""
        rows = await self._gateway.query(
            "SELECT name, role, disabled, person, places, password FROM accounts WHERE coalesce(login, name) = ?",
            (name,),
        )
        if not rows:
            return None
        stored_name, role, disabled, person, places, password = rows[0]
        return account_of(stored_name, role, person, places, disabled=bool(disabled)), password

    async def add(
        self, name: str, role: Role, password: str | None, origin: Origin, by: str, *, login: str | None = None
    ) -> Account:
        """Make an account; `password` is already hashed, None: it is entered by one-time links only.

        `login`: what is typed at the log-in, where that is not the name that stands in histories.

        Raises:
            AccountError: the name is not usable or taken.
        """
        typed = login or name
        check_name(typed)
        if await self.find(typed) is not None:
            raise AccountError(f"there is already an account {typed!r}")
        await self._gateway.write(
            [
                insert_account(name, role, password, self._gateway.now(), login),
                self._audit(by, origin, "account.add", name, detail=role),
            ]
        )
        self._called_at = None
        return Account(name=name, role=role)

    async def called(self) -> Mapping[str, str | None]:
        """What people are called, by the name that stands in histories; None: erased. At most half a minute old."""
        now = self._gateway.now()
        if self._called_at is None or not 0 <= now - self._called_at < _TRUST_CACHE:
            self._called = await self._read_called()
            self._called_at = now
        return self._called

    async def _read_called(self) -> dict[str, str | None]:
        rows = await self._gateway.query("SELECT name, coalesce(login, name) FROM accounts ORDER BY name", ())
        found: dict[str, str | None] = dict(cast("list[tuple[str, str]]", rows))
        for key, body in await self._gateway.query(
            "SELECT key, body FROM personal WHERE key >= ? AND key < ? ORDER BY key", (PERSONAL, PERSONAL[:-1] + "0")
        ):
            name = key.removeprefix(PERSONAL)
            if body is None:
                found[name] = None
            elif name in found:
                found[name] = msgspec.json.decode(body, type=Called).name
        return found

    async def enter(self, account: Account, origin: Origin, how: str) -> str:
        """Begin a session; gives the token for the cookie."""
        token = secrets.token_urlsafe(32)
        now = self._gateway.now()
        await self._gateway.write(
            [
                ("DELETE FROM sessions WHERE expires <= ? OR seen <= ?", (now, now - IDLE)),
                (
                    "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (_hashed(token), account.name, now, now, now + LONGEST, origin.address, origin.agent[:200]),
                ),
                self._audit(account.name, origin, "session.begin", account.name, detail=how),
            ]
        )
        return token

    async def session(self, token: str) -> Session | None:
        """The live session of a cookie's token, or None."""
        key = _hashed(token)
        now = self._gateway.now()
        cached = self._cache.get(key)
        if cached is not None and now - cached[0] < _TRUST_CACHE and _alive(cached[1], now):
            return cached[1]
        self._cache.pop(key, None)
        rows = await self._gateway.query(
            "SELECT a.name, a.role, a.person, a.places, s.seen, s.expires FROM sessions s JOIN accounts a ON a.name = s.account"
            " WHERE s.token = ? AND a.disabled = 0",
            (key,),
        )
        if not rows:
            return None
        name, role, person, places, seen, expires = rows[0]
        account = account_of(name, role, person, places, called=(await self.called()).get(name) or name)
        found = Session(token=key, account=account, seen=seen, expires=expires)
        if not _alive(found, now):
            return None
        if now - seen > _TOUCH:
            await self._gateway.write([("UPDATE sessions SET seen = ? WHERE token = ?", (now, key))])
            found = msgspec.structs.replace(found, seen=now)
        self._cache[key] = (now, found)
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return found

    async def leave(self, session: Session, origin: Origin) -> None:
        """End a session."""
        self._cache.pop(session.token, None)
        name = session.account.name
        await self._gateway.write(
            [
                ("DELETE FROM sessions WHERE token = ?", (session.token,)),
                self._audit(name, origin, "session.end", name),
            ]
        )

    async def record(
        self, who: str, origin: Origin, action: str, subject: str, *, outcome: str = "done", detail: str = ""
    ) -> None:
        """Append one row to the audit history."""
        await self._gateway.write([self._audit(who, origin, action, subject, outcome=outcome, detail=detail)])

    def _audit(
        self, who: str, origin: Origin, action: str, subject: str, *, outcome: str = "done", detail: str = ""
    ) -> Statement:
        row = AuditRow(who=who, address=origin.address, action=action, subject=subject, outcome=outcome, detail=detail)
        return insert_audit(self._gateway.now(), row)


def account_of(
    name: str, role: str, person: str | None, places: str | None, *, disabled: bool = False, called: str = ""
) -> Account:
    """An account as it stands in the table."""
    scope = None if places is None else msgspec.json.decode(places, type=tuple[str, ...])
    return Account(name=name, role=cast("Role", role), disabled=disabled, called=called, person=person, places=scope)


def check_name(name: str) -> None:
    """Raise AccountError unless `name` can be an account's name."""
    if not _NAME.fullmatch(name):
        raise AccountError("an account's name has 1 to 64 letters, digits or any of . _ @ -")


def new_name() -> str:
    """A name for histories that says nothing of the person, and that no account ever had."""
    return "u-" + "".join(secrets.choice(_SIGNS) for _ in range(6))


def insert_account(name: str, role: Role, password: str | None, now: Instant, login: str | None = None) -> Statement:
    """The statement that makes an account."""
    return (
        "INSERT INTO accounts (name, role, password, disabled, created, changed, login) VALUES (?, ?, ?, 0, ?, ?, ?)",
        (name, role, password, now, now, login),
    )


def call(name: str, called: str | None, now: Instant) -> Statement:
    """The statement that says what the person behind an account is called; None: erased."""
    body = None if called is None else msgspec.json.encode(Called(name=called))
    return "INSERT OR REPLACE INTO personal VALUES (?, ?, ?)", (PERSONAL + name, now, body)


def insert_audit(at: Instant, row: AuditRow) -> Statement:
    """The statement that appends one audit row."""
    return (
        "INSERT INTO audit (at, who, address, action, subject, outcome, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (at, row.who[:64], row.address, row.action, row.subject[:500], row.outcome, row.detail[:2000]),
    )


def _hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _alive(session: Session, now: Instant) -> bool:
    return now < session.expires and now - session.seen < IDLE
