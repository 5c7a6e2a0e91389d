"""The register of accounts: what is read of them and how they are changed, as statements.

The console and API run them through the gateway, `lamplighter user` on the journal's file: what an account may become is said here once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, cast

import msgspec

from api.access.accounts import (
    IDLE,
    PERSONAL,
    PHONE_IDLE,
    AccountError,
    Called,
    Statement,
    account_of,
    call,
    check_name,
    insert_account,
)
from api.access.links import Purpose, new_link
from api.access.roles import Role
from gateway.instants import Instant
from gateway.site.model import Site

LONGEST_CALLED = 64
MOST_PLACES = 50

_READ = (
    "SELECT a.name, coalesce(a.login, a.name), a.role, a.disabled, a.person, a.places, a.password IS NOT NULL,"
    " a.pin IS NOT NULL, a.created, p.body,"
    " (SELECT max(seen) FROM sessions WHERE account = a.name),"
    " (SELECT count(*) FROM sessions WHERE account = a.name AND expires > ? AND seen > CASE phone WHEN 1 THEN ? ELSE ? END)"
    " FROM accounts a LEFT JOIN personal p ON p.key = ? || a.name"
)
_READ_SESSIONS = (
    "SELECT token, created, seen, expires, address, agent, phone FROM sessions WHERE account = ? AND expires > ?"
    " AND seen > CASE phone WHEN 1 THEN ? ELSE ? END ORDER BY seen DESC LIMIT 200"
)
_ADMINISTRATORS = (
    "SELECT count(*) FROM accounts WHERE role = 'admin' AND disabled = 0 AND name <> ? AND (password IS NOT NULL OR ?)"
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One account as it is kept. `id`: the name that stands in histories; `login`: what is typed; `seen`: a live session, last."""

    id: str
    login: str
    role: Role
    disabled: bool
    person: str | None
    places: tuple[str, ...] | None
    password: bool
    pin: bool
    created: Instant
    called: str | None
    seen: Instant | None
    sessions: int


class Change(NamedTuple):
    """One change of an account: how the audit history calls it, and the statements that make it."""

    action: str
    account: str
    detail: str
    statements: Sequence[Statement]


def read_all(now: Instant) -> Statement:
    """The query for all accounts, by what is typed at the log-in; its rows are for `entry_of`."""
    return _READ + " ORDER BY 2", (now, now - PHONE_IDLE, now - IDLE, PERSONAL)


def read_one(given: str, now: Instant) -> Statement:
    """The query for the account that is entered as `given`, else the one that has that name in histories."""
    return (
        _READ + " WHERE coalesce(a.login, a.name) = ? OR a.name = ? ORDER BY coalesce(a.login, a.name) <> ? LIMIT 1",
        (now, now - PHONE_IDLE, now - IDLE, PERSONAL, given, given, given),
    )


def read_sessions(name: str, now: Instant) -> Statement:
    """The query for an account's live sessions, the last used first."""
    return _READ_SESSIONS, (name, now, now - PHONE_IDLE, now - IDLE)


def entry_of(row: Sequence[object]) -> Entry:
    """A row of `read_all` or `read_one`."""
    name, login, role, disabled, person, places, password, pin, created, body, seen, sessions = cast(
        "tuple[str, str, str, int, str | None, str | None, int, int, int, bytes | None, int | None, int]", row
    )
    known = account_of(name, cast("Role", role), person, places)
    return Entry(
        id=name,
        login=login,
        role=known.role,
        disabled=bool(disabled),
        person=person,
        places=known.places,
        password=bool(password),
        pin=bool(pin),
        created=created,
        called=None if body is None else msgspec.json.decode(body, type=Called).name,
        seen=seen,
        sessions=sessions,
    )


def other_administrators(entry: Entry) -> Statement:
    """The query that counts the administrators who are left when `entry` is none any more (as the triggers of migration 0013)."""
    return _ADMINISTRATORS, (entry.id, int(not entry.password))


def is_last(entry: Entry, others: int) -> bool:
    """Whether nobody could administer without `entry`; `others`: what `other_administrators` counts."""
    return entry.role == "admin" and not entry.disabled and not others


def added(
    name: str,
    login: str,
    role: Role,
    now: Instant,
    *,
    password: str | None = None,
    called: str | None = None,
    person: str | None = None,
    places: Sequence[str] | None = None,
) -> Change:
    """A new account; `password` is already hashed, None: it waits for a link.

    Raises:
        AccountError: the login cannot be one.
    """
    check_name(login)
    statements = [insert_account(name, role, password, now, login)]
    if called:
        statements.append(call(name, check_called(called), now))
    if person is not None or places is not None:
        statements.append(
            ("UPDATE accounts SET person = ?, places = ? WHERE name = ?", (person, _scope(places), name)),
        )
    return Change("account.add", name, _said(role, person, places), statements)


def role_set(entry: Entry, role: Role, now: Instant) -> Change:
    """Another role. Who is a guard no more enters by password: his PIN, links and phones go."""
    statements: list[Statement] = [
        ("UPDATE accounts SET role = ?, changed = ? WHERE name = ?", (role, now, entry.id)),
    ]
    if role != "guard":
        statements += [
            ("UPDATE accounts SET pin = NULL WHERE name = ?", (entry.id,)),
            ("DELETE FROM entry_link WHERE account = ? AND purpose = 'phone'", (entry.id,)),
            ("DELETE FROM sessions WHERE account = ? AND phone = 1", (entry.id,)),
        ]
    return Change("account.role", entry.id, f"{entry.role} → {role}", statements)


def person_set(entry: Entry, person: str | None, now: Instant) -> Change:
    """Whose account it is."""
    statement = ("UPDATE accounts SET person = ?, changed = ? WHERE name = ?", (person, now, entry.id))
    return Change("account.person", entry.id, person or "nobody", [statement])


def places_set(entry: Entry, places: Sequence[str] | None, now: Instant) -> Change:
    """What it may see; None: all of the site."""
    statement = ("UPDATE accounts SET places = ?, changed = ? WHERE name = ?", (_scope(places), now, entry.id))
    return Change("account.places", entry.id, ", ".join(places) if places is not None else "all", [statement])


def called_set(entry: Entry, called: str, now: Instant) -> Change:
    """What its person is called, for the screen; not in the history, since it is a person's name."""
    return Change("account.called", entry.id, "", [call(entry.id, check_called(called), now)])


def disabled_set(entry: Entry, disabled: bool, now: Instant) -> Change:
    """Kept out (its sessions and links end), or let in again."""
    statements: list[Statement] = [
        ("UPDATE accounts SET disabled = ?, changed = ? WHERE name = ?", (int(disabled), now, entry.id))
    ]
    if disabled:
        statements += _shut_out(entry.id)
    return Change("account.disable" if disabled else "account.enable", entry.id, "", statements)


def password_set(entry: Entry, stored: str, now: Instant, *, but: bytes = b"") -> Change:
    """A new password, already hashed; links and sessions end, but for the session of token `but`."""
    return Change(
        "account.password",
        entry.id,
        "",
        [
            ("UPDATE accounts SET password = ?, changed = ? WHERE name = ?", (stored, now, entry.id)),
            ("DELETE FROM entry_link WHERE account = ?", (entry.id,)),
            ("DELETE FROM sessions WHERE account = ? AND token <> ?", (entry.id, but)),
        ],
    )


def pin_set(entry: Entry, stored: str | None, now: Instant) -> Change:
    """A new PIN, already hashed; None: it has none any more.

    Raises:
        AccountError: PINs are for guards.
    """
    if stored is not None:
        check_pin_role(entry)
    statement = ("UPDATE accounts SET pin = ?, changed = ? WHERE name = ?", (stored, now, entry.id))
    return Change("account.pin" if stored is not None else "account.pin_removed", entry.id, "", [statement])


def signed_out(entry: Entry) -> Change:
    """All its sessions and links end."""
    return Change("account.sign_out", entry.id, f"{entry.sessions}", _shut_out(entry.id))


def linked(entry: Entry, purpose: Purpose, made_by: str, now: Instant) -> tuple[str, Change]:
    """A link that lets its person in once: the path with its token, and the change.

    Raises:
        AccountError: the account is disabled, or the link is for a phone and the account no guard's.
    """
    if entry.disabled:
        raise AccountError(f"the account {entry.login!r} is disabled; enable it first")
    if purpose == "phone" and entry.role != "guard":
        raise AccountError(f"personal links are for the phones of guards; the account {entry.login!r} is {entry.role}")
    path, statements = new_link(entry.id, purpose, made_by, now)
    return path, Change(f"account.link_{purpose}", entry.id, "", statements)


def erased(entry: Entry, now: Instant) -> Change:
    """Nothing of the person is left but what stands in histories under the account's number."""
    return Change(
        "person.erased",
        entry.id,
        "",
        [("DELETE FROM accounts WHERE name = ?", (entry.id,)), call(entry.id, None, now)],
    )


def check_called(called: str) -> str:
    """What a person is called, as it is kept.

    Raises:
        AccountError: it is empty, too long, or has what no screen shows.
    """
    kept = " ".join(called.split())
    if not 0 < len(kept) <= LONGEST_CALLED or not kept.isprintable():
        raise AccountError(f"what a person is called has 1 to {LONGEST_CALLED} signs")
    return kept


def check_pin_role(entry: Entry) -> None:
    """Raise AccountError unless the account may have a PIN."""
    if entry.role != "guard":
        raise AccountError(f"a PIN is for guards; the account {entry.login!r} is {entry.role}")


def check_person(site: Site | None, person: str | None, used: Collection[str]) -> None:
    """Raise AccountError unless an account may stand for `person`; `used`: whom other accounts stand for; `site` None: not known."""
    if person is None:
        return
    if site is not None and person not in site.people:
        raise AccountError(f"the site has no person {person!r}")
    if person in used:
        raise AccountError(f"another account stands for {person!r}")


def check_places(site: Site | None, role: str, places: Sequence[str] | None) -> None:
    """Raise AccountError unless an account of `role` may be bounded to `places`; `site` None: not known."""
    if places is None:
        return
    if role == "admin":
        raise AccountError("an administrator sees all of the site")
    if not 0 < len(places) <= MOST_PLACES:
        raise AccountError(f"name 1 to {MOST_PLACES} places, or none for all of the site")
    unknown = [] if site is None else [place for place in places if place not in site.places]
    if unknown:
        raise AccountError(f"the site has no place {unknown[0]!r}")


def _shut_out(name: str) -> list[Statement]:
    return [
        ("DELETE FROM entry_link WHERE account = ?", (name,)),
        ("DELETE FROM sessions WHERE account = ?", (name,)),
    ]


def _scope(places: Sequence[str] | None) -> str | None:
    return None if places is None else msgspec.json.encode(sorted(set(places))).decode()


def _said(role: Role, person: str | None, places: Sequence[str] | None) -> str:
    parts = [role, f"person {person}" if person else "", f"places {', '.join(places)}" if places is not None else ""]
    return "; ".join(part for part in parts if part)
