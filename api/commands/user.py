"""`lamplighter user`: accounts of the console, also while the gateway runs (it notices within half a minute)."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

import apsw
import msgspec

from api.access.accounts import (
    PERSONAL,
    AuditRow,
    Called,
    Statement,
    call,
    check_name,
    insert_account,
    insert_audit,
    new_name,
)
from api.access.passwords import hash_now
from api.access.roles import ROLES
from device_drivers.errors import LamplighterError
from gateway.instants import Instant, instant, moment
from gateway.journal import chain
from gateway.journal.store import FILE, Store, connect

_ACTIONS = {
    "add": "make an account; its password is asked for",
    "list": "all accounts and when they were last used",
    "password": "give an account a new password; its sessions end",
    "role": "give an account another role",
    "disable": "keep an account out; its sessions end",
    "enable": "let a disabled account in again",
    "name": "say what the person behind an account is called, for the screen",
    "erase": "remove an account and all that is known of its person; what it did stays in the history, under a number",
}


class UserError(LamplighterError):
    """What was asked for cannot be done; the text says why."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in _ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument(
            "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
        )
        if name == "list":
            action.add_argument("--json", action="store_true", help="as JSON")
            continue
        action.add_argument(
            "name", metavar="NAME", help="the account: what is typed at the log-in, or its number in histories"
        )
        if name in {"add", "name"}:
            action.add_argument("--called", required=name == "name", metavar="TEXT", help="what the person is called")
        if name in {"add", "role"}:
            action.add_argument("--role", required=True, choices=ROLES, help="what it may do")
        if name in {"add", "password"}:
            action.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def run(parsed: argparse.Namespace) -> int:
    """Do it. 0: done."""
    with _journal(parsed.data) as journal:
        if parsed.action == "list":
            _print(journal, as_json=parsed.json)
            return 0
        done = _DO[parsed.action](journal, parsed)
    print(done)
    return 0


def _add(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    check_name(parsed.name)
    if _find(journal, parsed.name) is not None:
        raise UserError(f"there is already an account {parsed.name!r}; `user password` gives it a new password")
    now, name = _now(), new_name()
    stored = hash_now(parsed.name, _password(stdin=parsed.password_stdin))
    statements = [insert_account(name, parsed.role, stored, now, parsed.name)]
    if parsed.called:
        statements.append(call(name, parsed.called, now))
    _change(journal, "account.add", name, parsed.role, *statements)
    return f"{parsed.name} may log in as {parsed.role}; in histories it is {name}"


def _set_password(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    name = _must_be_known(journal, parsed.name)
    stored = hash_now(parsed.name, _password(stdin=parsed.password_stdin))
    _change(
        journal,
        "account.password",
        name,
        "",
        ("UPDATE accounts SET password = ?, changed = ? WHERE name = ?", (stored, _now(), name)),
        ("DELETE FROM sessions WHERE account = ?", (name,)),
    )
    return f"{parsed.name} has a new password; its sessions have ended"


def _set_role(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    name = _must_be_known(journal, parsed.name)
    if parsed.role != "admin":
        _keep_an_administrator(journal, name)
    _change(
        journal,
        "account.role",
        name,
        parsed.role,
        ("UPDATE accounts SET role = ?, changed = ? WHERE name = ?", (parsed.role, _now(), name)),
    )
    return f"{parsed.name} is now {parsed.role}"


def _disable(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    name = _must_be_known(journal, parsed.name)
    _keep_an_administrator(journal, name)
    _change(
        journal,
        "account.disable",
        name,
        "",
        ("UPDATE accounts SET disabled = 1, changed = ? WHERE name = ?", (_now(), name)),
        ("DELETE FROM sessions WHERE account = ?", (name,)),
    )
    return f"{parsed.name} is kept out; its sessions have ended"


def _enable(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    name = _must_be_known(journal, parsed.name)
    _change(
        journal,
        "account.enable",
        name,
        "",
        ("UPDATE accounts SET disabled = 0, changed = ? WHERE name = ?", (_now(), name)),
    )
    return f"{parsed.name} may log in again"


def _call(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    name = _must_be_known(journal, parsed.name)
    _change(journal, "account.called", name, "", call(name, parsed.called, _now()))
    return f"{parsed.name} is shown as {parsed.called}"


def _erase(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    """Nothing of the person is left in the file but where the account's own name in histories is what was typed at the log-in."""
    name = _must_be_known(journal, parsed.name)
    _keep_an_administrator(journal, name)
    own = journal.execute("SELECT login IS NULL FROM accounts WHERE name = ?", (name,)).get
    journal.execute("PRAGMA secure_delete = on")
    _change(
        journal,
        "person.erased",
        name,
        "",
        ("DELETE FROM accounts WHERE name = ?", (name,)),
        call(name, None, _now()),
    )
    busy = journal.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
    said = f"{parsed.name} is erased; what it did stands in the history under {name}"
    if own:
        said += (
            ", which was typed at the log-in as well: that name stays (accounts made from now on have a number instead)"
        )
    if busy:
        said += "\nthe gateway is reading: traces in the write-ahead log go when it next empties it, at the latest when it stops"
    return said


_DO: dict[str, Callable[[apsw.Connection, argparse.Namespace], str]] = {
    "add": _add,
    "password": _set_password,
    "role": _set_role,
    "disable": _disable,
    "enable": _enable,
    "name": _call,
    "erase": _erase,
}


@contextlib.contextmanager
def _journal(data: Path) -> Iterator[apsw.Connection]:
    """The journal's file: our own if no gateway runs, else beside it (SQLite's lock keeps writers apart)."""
    if not (data / FILE).exists():
        raise UserError(f"there is no journal in {data}; name its folder with --data, or start the gateway there first")
    try:
        Store(data).close()  # brings the schema up to date; refused while a gateway runs, which has done so
    except LamplighterError as error:
        if "another gateway" not in str(error):
            raise
    journal = connect(data / FILE)
    try:
        yield journal
    except apsw.BusyError as error:
        raise UserError("the journal is busy; try again") from error
    finally:
        journal.close()


def _change(journal: apsw.Connection, action: str, name: str, detail: str, *statements: Statement) -> None:
    who = f"uid {os.getuid()} (command line)"  # the name of the machine's user may be a person's
    audit = insert_audit(_now(), AuditRow(who=who, address="local", action=action, subject=name, detail=detail))
    with journal:
        for sql, values in (*statements, audit):
            journal.execute(sql, cast("tuple[apsw.SQLiteValue, ...]", values))
        chain.extend(journal)


def _find(journal: apsw.Connection, given: str) -> str | None:
    """The name in histories of the account that is entered as `given`, else of the one that has that name there."""
    found = journal.execute(
        "SELECT name FROM accounts WHERE coalesce(login, name) = ?1 OR name = ?1 ORDER BY coalesce(login, name) <> ?1",
        (given,),
    ).get
    return None if found is None else str(found)


def _must_be_known(journal: apsw.Connection, given: str) -> str:
    name = _find(journal, given)
    if name is None:
        raise UserError(f"there is no account {given!r}; `user list` shows all")
    return name


def _keep_an_administrator(journal: apsw.Connection, name: str) -> None:
    others = journal.execute(
        "SELECT count(*) FROM accounts WHERE role = 'admin' AND disabled = 0 AND name <> ?", (name,)
    ).get
    role = journal.execute("SELECT role FROM accounts WHERE name = ?", (name,)).get
    if role == "admin" and not others:
        raise UserError(f"{name} is the last administrator; make another first")


def _password(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise UserError("no terminal to ask for the password; give it with --password-stdin")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UserError("the two passwords differ; nothing was changed")
    return first


def _print(journal: apsw.Connection, *, as_json: bool) -> None:
    rows = journal.execute(
        "SELECT coalesce(a.login, a.name), a.role, a.disabled, a.password IS NOT NULL, max(s.seen), a.name, p.body"
        " FROM accounts a LEFT JOIN sessions s ON s.account = a.name LEFT JOIN personal p ON p.key = ? || a.name"
        " GROUP BY a.name ORDER BY 1",
        (PERSONAL,),
    ).fetchall()
    accounts = [_Row(*cast("tuple[str, str, int, int, int | None, str, bytes | None]", row)) for row in rows]
    if as_json:
        print(json.dumps([account.shown() for account in accounts], ensure_ascii=False, indent=2))
        return
    if not accounts:
        print(
            "no accounts yet; the set-up link printed by `lamplighter run` makes the first, or `lamplighter user add`"
        )
        return
    width = max(len(account.name) for account in accounts)
    for account in accounts:
        notes = "disabled" if account.disabled else "" if account.password else "no password: one-time links only"
        seen = account.seen_at() or "no session"
        print(
            f"{account.name:<{width}}  {account.role:<11}  {account.id:<8}  {seen:<25}  {account.called or ''}  {notes}".rstrip()
        )


class _Row(NamedTuple):
    """One account as it is listed."""

    name: str
    role: str
    disabled: int
    password: int
    seen: Instant | None
    id: str
    body: bytes | None

    @property
    def called(self) -> str | None:
        """What the person is called."""
        return None if self.body is None else msgspec.json.decode(self.body, type=Called).name

    def seen_at(self) -> str | None:
        """When a session of it was last used, in this machine's time."""
        return moment(self.seen, UTC).astimezone().isoformat(timespec="seconds") if self.seen is not None else None

    def shown(self) -> dict[str, str | bool | None]:
        """As JSON."""
        return {
            "name": self.name,
            "id": self.id,
            "called": self.called,
            "role": self.role,
            "disabled": bool(self.disabled),
            "password": bool(self.password),
            "seen": self.seen_at(),
        }


def _now() -> Instant:
    return instant(datetime.now(UTC))
