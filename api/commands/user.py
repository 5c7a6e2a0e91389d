"""`lamplighter user`: accounts of the console, also while the gateway runs (it notices within half a minute)."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import apsw

from api.access import beside, qr, register
from api.access.accounts import AccountError, check_name, new_name
from api.access.links import Purpose
from api.access.passwords import hash_now, stored_now
from api.access.pins import check_pin
from api.access.register import Entry
from api.access.roles import ROLES
from gateway.instants import Instant, moment
from gateway.site.load import load_site

_ACTIONS = {
    "add": "make an account; its password is asked for, or a link made by which its person enters",
    "list": "all accounts and when they were last used",
    "password": "give an account a new password (its sessions end), or a link by which its person chooses one",
    "link": "a link that lets a guard's phone in once, also as a QR code",
    "pin": "give a guard a PIN for the phone, or take it away",
    "role": "give an account another role",
    "person": "say whose account it is",
    "places": "bound what an account sees to places, or let it see all of the site",
    "disable": "keep an account out; its sessions end",
    "enable": "let a disabled account in again",
    "sign-out": "end all sessions and links of an account",
    "name": "say what the person behind an account is called, for the screen",
    "erase": "remove an account and all that is known of its person; what it did stays in the history, under a number",
}
_URL = "http://127.0.0.1:8080"


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
        _add_bounds(action, name)
        _add_secrets(action, name)


def _add_bounds(action: argparse.ArgumentParser, name: str) -> None:
    if name in {"add", "person"}:
        action.add_argument("--person", metavar="ID", help="the person of the site whose account it is [nobody]")
    if name in {"add", "places"}:
        action.add_argument(
            "--places", metavar="ID,…", help="it sees these places and what lies in them [all of the site]"
        )
    if name in {"add", "person", "places"}:
        action.add_argument("--site", type=Path, metavar="SITE", help="the site file, to check these ids against")


def _add_secrets(action: argparse.ArgumentParser, name: str) -> None:
    if name in {"add", "password"}:
        action.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        action.add_argument(
            "--link",
            action="store_true",
            help="no password now: print a link by which its person enters, once, within a day",
        )
    if name == "pin":
        action.add_argument("--pin-stdin", action="store_true", help="read the PIN from standard input")
        action.add_argument("--remove", action="store_true", help="no PIN any more")
    if name in {"add", "password", "link"}:
        action.add_argument("--url", default=_URL, help=f"the console's address as its people reach it [{_URL}]")


def run(parsed: argparse.Namespace) -> int:
    """Do it. 0: done."""
    with beside.journal_in(parsed.data) as journal:
        if parsed.action == "list":
            _print(journal, as_json=parsed.json)
            return 0
        done = _DO[parsed.action](journal, parsed)
    print(done)
    return 0


def _add(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    check_name(parsed.name)
    if beside.find(journal, parsed.name) is not None:
        raise AccountError(f"there is already an account {parsed.name!r}; `user password` gives it a new password")
    now, name, places = beside.now(), new_name(), _places(parsed)
    _check(journal, parsed, name, parsed.role, parsed.person, places)
    stored = None if parsed.link else hash_now(parsed.name, _secret("Password", stdin=parsed.password_stdin))
    change = register.added(
        name,
        parsed.name,
        parsed.role,
        now,
        password=stored,
        called=parsed.called,
        person=parsed.person,
        places=places,
    )
    beside.apply(journal, change)
    said = f"{parsed.name} may log in as {parsed.role}; in histories it is {name}"
    if not parsed.link:
        return said
    return f"{said}\n{_linked(journal, name, 'phone' if parsed.role == 'guard' else 'password', parsed.url)}"


def _set_password(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry = beside.must_find(journal, parsed.name)
    if parsed.link:
        return _linked(journal, entry.id, "password", parsed.url)
    stored = hash_now(entry.login, _secret("Password", stdin=parsed.password_stdin))
    beside.apply(journal, register.password_set(entry, stored, beside.now()))
    return f"{parsed.name} has a new password; its sessions have ended"


def _link(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    return _linked(journal, parsed.name, "phone", parsed.url)


def _linked(journal: apsw.Connection, given: str, purpose: Purpose, url: str) -> str:
    entry = beside.must_find(journal, given)
    path, change = register.linked(entry, purpose, beside.who(), beside.now())
    beside.apply(journal, change)
    link = url.rstrip("/") + path
    what = "lets one phone in" if purpose == "phone" else "lets its person choose a password"
    shown = f"{qr.terminal(link)}\n" if sys.stdout.isatty() else ""
    return f"{shown}{link}\nthis {what}, once, within a day; one from before is void"


def _set_pin(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry = beside.must_find(journal, parsed.name)
    if parsed.remove:
        beside.apply(journal, register.pin_set(entry, None, beside.now()))
        return f"{parsed.name} has no PIN any more"
    register.check_pin_role(entry)
    pin = _secret("PIN", stdin=parsed.pin_stdin)
    check_pin(pin)
    beside.apply(journal, register.pin_set(entry, stored_now(pin), beside.now()))
    return f"{parsed.name} may enter by PIN at /login/pin"


def _set_role(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry = beside.must_find(journal, parsed.name)
    if parsed.role != "admin":
        beside.keep_an_administrator(journal, entry)
    elif entry.places is not None:
        raise AccountError(f"{entry.login} sees a part of the site only; `user places {entry.login}` first")
    beside.apply(journal, register.role_set(entry, parsed.role, beside.now()))
    return f"{parsed.name} is now {parsed.role}"


def _set_person(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry = beside.must_find(journal, parsed.name)
    _check(journal, parsed, entry.id, entry.role, parsed.person, None)
    beside.apply(journal, register.person_set(entry, parsed.person, beside.now()))
    return f"{parsed.name} stands for {parsed.person or 'nobody of the site'}"


def _set_places(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry, places = beside.must_find(journal, parsed.name), _places(parsed)
    _check(journal, parsed, entry.id, entry.role, None, places)
    beside.apply(journal, register.places_set(entry, places, beside.now()))
    return f"{parsed.name} sees {'all of the site' if places is None else ', '.join(places) + ' and what lies in them'}"


def _disable(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry = beside.must_find(journal, parsed.name)
    beside.keep_an_administrator(journal, entry)
    beside.apply(journal, register.disabled_set(entry, True, beside.now()))
    return f"{parsed.name} is kept out; its sessions have ended"


def _enable(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    beside.apply(journal, register.disabled_set(beside.must_find(journal, parsed.name), False, beside.now()))
    return f"{parsed.name} may log in again"


def _sign_out(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    entry = beside.must_find(journal, parsed.name)
    beside.apply(journal, register.signed_out(entry))
    return f"{parsed.name}: {entry.sessions} sessions have ended"


def _call(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    beside.apply(journal, register.called_set(beside.must_find(journal, parsed.name), parsed.called, beside.now()))
    return f"{parsed.name} is shown as {parsed.called}"


def _erase(journal: apsw.Connection, parsed: argparse.Namespace) -> str:
    """Nothing of the person is left in the file but where the account's own name in histories is what was typed at the log-in."""
    entry = beside.must_find(journal, parsed.name)
    beside.keep_an_administrator(journal, entry)
    journal.execute("PRAGMA secure_delete = on")
    beside.apply(journal, register.erased(entry, beside.now()))
    busy = journal.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
    said = f"{parsed.name} is erased; what it did stands in the history under {entry.id}"
    if entry.login == entry.id:
        said += (
            ", which was typed at the log-in as well: that name stays (accounts made from now on have a number instead)"
        )
    if busy:
        said += "\nthe gateway is reading: traces in the write-ahead log go when it next empties it, at the latest when it stops"
    return said


_DO: dict[str, Callable[[apsw.Connection, argparse.Namespace], str]] = {
    "add": _add,
    "password": _set_password,
    "link": _link,
    "pin": _set_pin,
    "role": _set_role,
    "person": _set_person,
    "places": _set_places,
    "disable": _disable,
    "enable": _enable,
    "sign-out": _sign_out,
    "name": _call,
    "erase": _erase,
}


def _places(parsed: argparse.Namespace) -> tuple[str, ...] | None:
    if parsed.places is None:
        return None
    return tuple(place for place in (part.strip() for part in parsed.places.split(",")) if place)


def _check(  # noqa: PLR0917 - what an account is bound to
    journal: apsw.Connection,
    parsed: argparse.Namespace,
    name: str,
    role: str,
    person: str | None,
    places: tuple[str, ...] | None,
) -> None:
    """Raise AccountError unless an account may be so; ids are known only from the site file, where that is given."""
    entries = [register.entry_of(row) for row in beside.rows(journal, register.read_all(beside.now()))]
    used = {entry.person for entry in entries if entry.person is not None and entry.id != name}
    site = load_site(parsed.site)[0] if parsed.site is not None else None
    register.check_person(site, person, used)
    register.check_places(site, role, places)


def _secret(what: str, *, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise AccountError(f"no terminal to ask for the {what}; give it with --{what.lower()}-stdin")
    first = getpass.getpass(f"{what}: ")
    if getpass.getpass("Again: ") != first:
        raise AccountError("the two differ; nothing was changed")
    return first


def _print(journal: apsw.Connection, *, as_json: bool) -> None:
    entries = [register.entry_of(row) for row in beside.rows(journal, register.read_all(beside.now()))]
    if as_json:
        print(json.dumps([_shown(entry) for entry in entries], ensure_ascii=False, indent=2))
        return
    if not entries:
        print(
            "no accounts yet; the set-up link printed by `lamplighter run` makes the first, or `lamplighter user add`"
        )
        return
    width = max(len(entry.login) for entry in entries)
    for entry in entries:
        seen = _local(entry.seen) or "no session"
        line = f"{entry.login:<{width}}  {entry.role:<11}  {entry.id:<8}  {seen:<25}  {entry.called or ''}  {_notes(entry)}"
        print(line.rstrip())


def _notes(entry: Entry) -> str:
    notes = []
    if entry.disabled:
        notes.append("disabled")
    elif not entry.password:
        notes.append("no password: PIN" if entry.pin else "no password: one-time links only")
    if entry.person:
        notes.append(f"person {entry.person}")
    if entry.places is not None:
        notes.append(f"places {', '.join(entry.places)}")
    return "; ".join(notes)


def _local(at: Instant | None) -> str | None:
    """An instant in this machine's time."""
    return moment(at, UTC).astimezone().isoformat(timespec="seconds") if at is not None else None


def _shown(entry: Entry) -> dict[str, object]:
    """As JSON."""
    return {
        "name": entry.login,
        "id": entry.id,
        "called": entry.called,
        "role": entry.role,
        "person": entry.person,
        "places": entry.places,
        "disabled": entry.disabled,
        "password": entry.password,
        "pin": entry.pin,
        "sessions": entry.sessions,
        "seen": _local(entry.seen),
    }
