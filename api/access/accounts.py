"""Accounts, sessions and the audit history, kept in the journal (migrations 0002, 0007, 0012 and 0013).

What stands in histories for good is an account's `name`, which says nothing of the person (`u-` and six signs); what is typed at the
log-in and what the person is called are held apart, so that they can be erased.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal, cast

import msgspec

from api.access.roles import Right, Role, allowed
from api.ports import GatewayPort
from device_drivers.errors import LamplighterError
from gateway.errors import StalledError
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant

IDLE = 12 * HOUR
"""A session unused this long has ended: a night shift and its handover."""
LONGEST = 7 * DAY
"""No session is older."""
PHONE_IDLE = 14 * DAY
"""A guard's phone unused this long is asked again: leave and holidays."""
PHONE_LONGEST = 30 * DAY
"""No session of a guard's phone is older."""
_TRUST_CACHE = 30 * SECOND
"""How long a session is believed without asking the journal: a change by `lamplighter user` works within this time, one made
through this process at once (`Accounts.forget`)."""
_TOUCH = 5 * MINUTE
_CACHE_SIZE = 1024
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
PERSONAL = "account/"
"""What the keys of `personal` begin with that hold what the person behind an account is called."""
UNKNOWN = "unknown"
"""Who tried to log in under a name that no account has. What was typed is not kept: it may be a person's name, or a password."""
_NAME = re.compile(r"[\w.@-]{1,64}")

_ENTER = "INSERT INTO sessions (token, account, created, seen, expires, address, agent, phone) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

Statement = tuple[str, tuple[object, ...]]


class AccountError(LamplighterError):
    """An account that cannot be made or changed; the text says why."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person's (or wall screen's) way in. `name` stands in histories; `called` is for the screen.

    `person`: the person of the site whose account it is. `places`: it sees these places and what lies below them; None: all of the site.
    `rights`: only these of its role's; None: all of them (only keys of programs are bounded so).
    """

    name: str
    role: Role
    disabled: bool = False
    called: str = ""
    person: str | None = None
    places: tuple[str, ...] | None = None
    rights: tuple[Right, ...] | None = None

    def may(self, right: Right) -> bool:
        """Whether it has `right`."""
        return allowed(self.role, right) and (self.rights is None or right in self.rights)

    @property
    def knows_tags(self) -> bool:
        """Whether it is told the numbers of tags that are read: who keeps them, and who enrols those that are not known."""
        return self.may("tags") or self.may("enrol")


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What the person behind an account is called: the body of a row of `personal`."""

    name: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One log-in. `token` is the hash of what the cookie holds; `phone`: a guard's phone; `key`: a program's, without a cookie."""

    token: bytes
    account: Account
    seen: Instant
    expires: Instant
    phone: bool = False
    key: bool = False

    @property
    def id(self) -> str:
        """What its account calls it by; says nothing of the token."""
        return session_id(self.token)


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
        self.changes = 0
        """Rises with each change of accounts or sessions made through this process."""

    def now(self) -> Instant:
        """The gateway's time."""
        return self._gateway.now()

    async def any(self) -> bool:
        """Whether there is an account that can log in with a password."""
        return bool(await self._gateway.query("SELECT 1 FROM accounts WHERE password IS NOT NULL LIMIT 1", ()))

    async def find(self, name: str) -> tuple[Account, str | None] | None:
        """An account by what is typed at the log-in, and its stored password."""
        return await self._find(name, "password")

    async def find_guard(self, name: str) -> tuple[Account, str | None] | None:
        """A guard's account by what is typed at the log-in, and its stored PIN."""
        found = await self._find(name, "pin")
        return found if found is not None and found[0].role == "guard" else None

    async def _find(self, name: str, secret: Literal["password", "pin"]) -> tuple[Account, str | None] | None:
        rows = await self._gateway.query(
            f"SELECT name, role, disabled, person, places, {secret} FROM accounts WHERE coalesce(login, name) = ?",  # noqa: S608
            (name,),
        )
        if not rows:
            return None
        stored_name, role, disabled, person, places, stored = rows[0]
        return account_of(stored_name, role, person, places, disabled=bool(disabled)), stored

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

    def forget(self, name: str) -> None:
        """The account `name` or its sessions were changed: nothing of them is believed any more."""
        self.changes += 1
        self._called_at = None
        for key in [key for key, (_, session) in self._cache.items() if session.account.name == name]:
            del self._cache[key]

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
        found.update(cast("list[tuple[str, str]]", await self._gateway.query("SELECT id, name FROM api_key", ())))
        return found

    async def enter(
        self, account: Account, origin: Origin, how: str, *, phone: bool = False, also: Sequence[Statement] = ()
    ) -> str:
        """Begin a session; gives the token for the cookie.

        Args:
            account: whose.
            origin: where from.
            how: by what, for the history.
            phone: on a guard's phone: it lasts longer.
            also: what comes before it in the same transaction.
        """
        token = secrets.token_urlsafe(32)
        now = self._gateway.now()
        expires = now + lasts(phone=phone)
        row = (hashed(token), account.name, now, now, expires, origin.address, origin.agent[:200], int(phone))
        await self._gateway.write(
            [
                *also,
                _sweep(now),
                (_ENTER, row),
                self._audit(account.name, origin, "session.begin", account.name, detail=how),
            ]
        )
        return token

    async def session(self, token: str) -> Session | None:
        """The live session of a cookie's token, or None."""
        if not token:
            return None
        key = hashed(token)
        now = self._gateway.now()
        cached = self._cache.get(key)
        if cached is not None and now - cached[0] < _TRUST_CACHE and _alive(cached[1], now):
            return cached[1]
        self._cache.pop(key, None)
        changes = self.changes
        found = await self._read_session(key)
        if found is None or not _alive(found, now):
            return None
        if now - found.seen > _TOUCH:
            with contextlib.suppress(StalledError):  # nobody is kept out for it
                await self._gateway.write([("UPDATE sessions SET seen = ? WHERE token = ?", (now, key))])
            found = msgspec.structs.replace(found, seen=now)
        if changes != self.changes:
            return await self.session(token)  # somebody changed an account meanwhile, perhaps this one
        self._cache[key] = (now, found)
        while len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return found

    async def _read_session(self, key: bytes) -> Session | None:
        rows = await self._gateway.query(
            "SELECT a.name, coalesce(a.login, a.name), a.role, a.person, a.places, s.seen, s.expires, s.phone"
            " FROM sessions s JOIN accounts a ON a.name = s.account WHERE s.token = ? AND a.disabled = 0",
            (key,),
        )
        if not rows:
            return None
        name, login, role, person, places, seen, expires, phone = rows[0]
        account = account_of(name, role, person, places, called=(await self.called()).get(name) or login)
        return Session(token=key, account=account, seen=seen, expires=expires, phone=bool(phone))

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


def hashed(token: str) -> bytes:
    """What is kept of a random token."""
    return sha256(token.encode()).digest()


def session_id(token: bytes) -> str:
    """What a session is called by."""
    return sha256(b"session" + token).hexdigest()[:16]


def lasts(*, phone: bool) -> Duration:
    """How long a session lasts at most."""
    return PHONE_LONGEST if phone else LONGEST


def _sweep(now: Instant) -> Statement:
    """Sessions that have ended by themselves are not kept."""
    return (
        "DELETE FROM sessions WHERE expires <= ? OR seen <= CASE phone WHEN 1 THEN ? ELSE ? END",
        (now, now - PHONE_IDLE, now - IDLE),
    )


def _alive(session: Session, now: Instant) -> bool:
    return now < session.expires and now - session.seen < (PHONE_IDLE if session.phone else IDLE)
