"""`lamplighter key`: keys by which programs use the API, also while the gateway runs (it notices within half a minute)."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC
from pathlib import Path
from typing import cast, get_args

import apsw

from api.access import beside, register
from api.access.accounts import AccountError
from api.access.keys import LASTS, LASTS_AT_MOST, NEVER, Key, key_added, key_of, key_revoked, read_key, read_keys
from api.access.roles import ROLES, Right
from gateway.instants import DAY, Instant, moment
from gateway.site.load import load_site

_ACTIONS = {
    "add": "make a key; its text is printed this once",
    "list": "all keys, when they end and when they were last used",
    "revoke": "let nobody in by a key any more",
}


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    rights = [right for right in get_args(Right) if right not in NEVER]
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in _ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument(
            "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
        )
        if name == "list":
            action.add_argument("--json", action="store_true", help="as JSON")
        if name == "revoke":
            action.add_argument("id", metavar="KEY", help="the key's number, k-…")
        if name == "add":
            action.add_argument("name", metavar="NAME", help="what it is for")
            action.add_argument("--role", required=True, choices=ROLES, help="what it may do at most")
            action.add_argument(
                "--rights", metavar="RIGHT,…", help=f"only these of its role's rights: {', '.join(rights)} [all]"
            )
            action.add_argument("--places", metavar="ID,…", help="it sees these places and what lies in them [all]")
            action.add_argument("--site", type=Path, metavar="SITE", help="the site file, to check the places against")
            action.add_argument(
                "--days",
                type=int,
                default=LASTS // DAY,
                help=f"until it ends, at most {LASTS_AT_MOST // DAY} [{LASTS // DAY}]",
            )


def run(parsed: argparse.Namespace) -> int:
    """Do it. 0: done."""
    with beside.journal_in(parsed.data) as journal:
        match parsed.action:
            case "add":
                _add(journal, parsed)
            case "revoke":
                _revoke(journal, parsed.id)
            case _:
                _print([key_of(row) for row in beside.rows(journal, read_keys())], as_json=parsed.json)
    return 0


def _add(journal: apsw.Connection, parsed: argparse.Namespace) -> None:
    rights, places = _list(parsed.rights), _list(parsed.places)
    site = load_site(parsed.site)[0] if parsed.site is not None else None
    register.check_places(site, "" if places is None else parsed.role, places)
    text, change = key_added(
        parsed.name,
        parsed.role,
        beside.who(),
        beside.now(),
        lasts=parsed.days * DAY,
        rights=cast("tuple[Right, ...] | None", rights),
        places=places,
    )
    beside.apply(journal, change)
    print(text)
    print(
        f"{change.account} lasts {parsed.days} days; sent as Authorization: Bearer …; it cannot be shown again",
        file=sys.stderr,
    )


def _revoke(journal: apsw.Connection, name: str) -> None:
    found = beside.rows(journal, read_key(name))
    if not found:
        raise AccountError(f"there is no key {name!r}; `key list` shows all")
    beside.apply(journal, key_revoked(key_of(found[0]), beside.now()))
    print(f"{name} lets nobody in any more")


def _print(keys: list[Key], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_shown(key) for key in keys], ensure_ascii=False, indent=2))
        return
    if not keys:
        print("no keys; `lamplighter key add NAME --role ROLE` makes one")
        return
    width = max(len(key.name) for key in keys)
    for key in keys:
        state = "revoked" if key.revoked is not None else "ended" if not key.works(beside.now()) else "works"
        used = f"last used {_local(key.seen)}" if key.seen is not None else "never used"
        print(f"{key.id}  {key.name:<{width}}  {key.role:<11}  {state:<7}  until {_local(key.expires)}  {used}")


def _shown(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "rights": key.rights,
        "places": key.places,
        "works": key.works(beside.now()),
        "created": _local(key.created),
        "expires": _local(key.expires),
        "revoked": _local(key.revoked),
        "seen": _local(key.seen),
    }


def _local(at: Instant | None) -> str | None:
    """An instant in this machine's time."""
    return moment(at, UTC).astimezone().isoformat(timespec="seconds") if at is not None else None


def _list(given: str | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(part.strip() for part in given.split(",") if part.strip())
