"""Accounts and keys changed on the journal's file, for commands that run beside a gateway or without one.

A gateway that runs notices within half a minute (`Accounts`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import apsw

from api.access import register
from api.access.accounts import AccountError, AuditRow, Statement, insert_audit
from api.access.register import Change, Entry
from device_drivers.errors import LamplighterError
from gateway.instants import Instant, instant
from gateway.journal import chain
from gateway.journal.store import FILE, Store, connect


@contextlib.contextmanager
def journal_in(data: Path) -> Iterator[apsw.Connection]:
    """The journal's file: our own if no gateway runs, else beside it (SQLite's lock keeps writers apart).

    Raises:
        AccountError: there is none, or it is busy.
    """
    if not (data / FILE).exists():
        raise AccountError(
            f"there is no journal in {data}; name its folder with --data, or start the gateway there first"
        )
    try:
        Store(data).close()  # brings the schema up to date; refused while a gateway runs, which has done so
    except LamplighterError as error:
        if "another gateway" not in str(error):
            raise
    journal = connect(data / FILE)
    try:
        yield journal
    except apsw.BusyError as error:
        raise AccountError("the journal is busy; try again") from error
    finally:
        journal.close()


def rows(journal: apsw.Connection, query: Statement) -> list[tuple[object, ...]]:
    """What a query finds."""
    sql, values = query
    return cast(
        "list[tuple[object, ...]]", journal.execute(sql, cast("tuple[apsw.SQLiteValue, ...]", values)).fetchall()
    )


def find(journal: apsw.Connection, given: str) -> Entry | None:
    """The account that is entered as `given`, else the one that has that name in histories."""
    found = rows(journal, register.read_one(given, now()))
    return register.entry_of(found[0]) if found else None


def must_find(journal: apsw.Connection, given: str) -> Entry:
    """The same.

    Raises:
        AccountError: there is none.
    """
    entry = find(journal, given)
    if entry is None:
        raise AccountError(f"there is no account {given!r}; `user list` shows all")
    return entry


def keep_an_administrator(journal: apsw.Connection, entry: Entry) -> None:
    """Raise AccountError if nobody could administer without `entry`."""
    others = rows(journal, register.other_administrators(entry))[0][0]
    if register.is_last(entry, cast("int", others)):
        raise AccountError(f"the account {entry.login!r} is the last administrator; make another first")


def apply(journal: apsw.Connection, *changes: Change) -> None:
    """Make changes in one transaction, each with its row in the audit history and the chain."""
    at = now()
    statements: list[Statement] = []
    for change in changes:
        row = AuditRow(who=who(), address="local", action=change.action, subject=change.account, detail=change.detail)
        statements += [*change.statements, insert_audit(at, row)]
    _run(journal, statements)


def who() -> str:
    """Who is at the command line, for histories: a number, since the name of the machine's user may be a person's."""
    return f"uid {os.getuid()} (command line)"


def now() -> Instant:
    """The machine's clock."""
    return instant(datetime.now(UTC))


def _run(journal: apsw.Connection, statements: Sequence[Statement]) -> None:
    with journal:
        for sql, values in statements:
            journal.execute(sql, cast("tuple[apsw.SQLiteValue, ...]", values))
        chain.extend(journal)
