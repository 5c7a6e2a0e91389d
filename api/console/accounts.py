"""The pages of accounts: all of them, one, one's own; keys of programs; the audit history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access import pins
from api.access.accounts import Accounts
from api.access.directory import Directory
from api.access.door import needs, session_of
from api.access.keys import LASTS, LASTS_AT_MOST, NEVER
from api.access.register import LONGEST_CALLED, Entry
from api.access.roles import RIGHTS, ROLES, Right, Role
from api.answers import Cursor, row_cursor
from api.console.audited import acted_on, actions, audited
from api.console.frame import Frame
from api.console.languages import chosen
from api.console.names import person_name, place_name
from api.ports import GatewayPort
from api.problems import Denied
from api.resources import audit
from api.resources.keys import keys_shown
from api.resources.sessions import own_sessions
from api.resources.users import known, visible
from gateway.instants import DAY, Instant, instant, moment
from gateway.site.model import Site

_AUDIT_SHOWN = 100

Day = Annotated[str | None, Query(max_length=10)]


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account in words. `places`: None: all of the site; `seen`: when a log-in that lasts was last used."""

    entry: Entry
    person: str | None
    places: Sequence[str] | None
    seen: datetime | None


class PlaceChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A place that an account may be bounded to; `depth` in the tree of places."""

    id: str
    name: str
    depth: int


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts, frame: Frame) -> None:
    """Add `/accounts`, `/account`, `/keys` and `/audit`."""
    _add_accounts(app, gateway, accounts, frame)
    _add_own(app, gateway, accounts, frame)
    _add_keys(app, gateway, frame)
    _add_audit(app, gateway, accounts, frame)


def _add_accounts(app: FastAPI, gateway: GatewayPort, accounts: Accounts, frame: Frame) -> None:
    directory = Directory(gateway, accounts)

    @app.get("/accounts", include_in_schema=False, dependencies=[needs("admit")])
    async def accounts_page(request: Request) -> Response:
        entries = visible(request, await directory.entries())
        return frame.respond(
            request,
            "alone.html",
            inner="accounts.html",
            rows=[account_row(gateway.site, entry) for entry in entries],
            **_choices(gateway.site, entries),
        )

    @app.get("/accounts/{name}", include_in_schema=False, dependencies=[needs("accounts")])
    async def one_account_page(request: Request, name: str) -> Response:
        entry = await known(request, directory, name)
        others = [each for each in await directory.entries() if each.id != entry.id]
        own = session_of(request).account.name == entry.id
        return frame.respond(
            request,
            "alone.html",
            inner="account_edit.html",
            row=account_row(gateway.site, entry),
            own=own,
            **_choices(gateway.site, others),
        )


def _add_own(app: FastAPI, gateway: GatewayPort, accounts: Accounts, frame: Frame) -> None:
    directory = Directory(gateway, accounts)

    @app.get("/account", include_in_schema=False, dependencies=[needs("self", scoped=True)])
    async def own_page(request: Request) -> Response:
        entry = await directory.entry(session_of(request).account.name)
        if entry is None:
            raise Denied(404, "This account is gone.")
        return frame.respond(
            request,
            "alone.html",
            inner="account.html",
            row=account_row(gateway.site, entry),
            sessions=await own_sessions(request, gateway),
            **_limits(),
        )


def _add_keys(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    site = gateway.site

    @app.get("/keys", include_in_schema=False, dependencies=[needs("accounts")])
    async def keys_page(request: Request) -> Response:
        keys = await keys_shown(gateway)
        shown = sorted(keys, key=lambda key: (not key.works, key.name, key.id))
        scopes = {key.id: [place_name(site, place) for place in key.places] for key in keys if key.places is not None}
        rights: Mapping[Right, Sequence[Role]] = {
            right: [role for role in ROLES if role in roles] for right, roles in RIGHTS.items() if right not in NEVER
        }
        return frame.respond(
            request,
            "alone.html",
            inner="keys.html",
            keys=shown,
            scopes=scopes,
            rights=rights,
            soon=moment(gateway.now() + 14 * DAY, site.zone_info),
            days=LASTS // DAY,
            most_days=LASTS_AT_MOST // DAY,
            **_choices(gateway.site, ()),
        )


def _add_audit(app: FastAPI, gateway: GatewayPort, accounts: Accounts, frame: Frame) -> None:
    site = gateway.site

    @app.get("/audit", include_in_schema=False, dependencies=[needs("audit")])
    async def audit_page(
        request: Request,
        *,
        who: audit.Who = None,
        action: audit.Action = None,
        subject: audit.Subject = None,
        since: Day = None,
        until: Day = None,
        cursor: Cursor = None,
    ) -> Response:
        given = {"who": who, "action": action, "subject": subject, "since": since, "until": until}
        wished = {name: str(value) for name, value in given.items() if value}
        found = await audit.read(
            gateway,
            accounts,
            who=wished.get("who"),
            action=wished.get("action"),
            subject=wished.get("subject"),
            since=_midnight(site, since, 0, "since"),
            until=_midnight(site, until, 1, "until"),
            before=row_cursor(cursor),
            limit=_AUDIT_SHOWN,
        )
        called = await accounts.called()
        language, named = chosen(request, site.language), session_of(request).account.may("names")
        offered = actions(language)
        return frame.respond(
            request,
            "alone.html",
            inner="audit.html",
            rows=found.items,
            audited=partial(audited, language, named=lambda person: person_name(site, person, named=named) or person),
            acted_on=lambda action, subject: acted_on(site, action, subject, language),
            actions=offered,
            codes={code for _, those in offered for code, _ in those},
            wished=dict.fromkeys(given, "") | wished,
            narrowed=bool(wished),
            people=sorted(called.items(), key=lambda each: (each[1] or "~", each[0])),
            older=urlencode(wished | {"cursor": found.next}) if found.next else None,
            newest=urlencode(wished) if cursor else None,
        )


def account_row(site: Site, entry: Entry) -> AccountRow:
    """One account in words."""
    person = site.people.get(entry.person) if entry.person is not None else None
    return AccountRow(
        entry=entry,
        person=person.name if person is not None else entry.person,
        places=None if entry.places is None else [place_name(site, place) for place in entry.places],
        seen=moment(entry.seen, site.zone_info) if entry.seen is not None else None,
    )


def _choices(site: Site, others: Sequence[Entry]) -> dict[str, Any]:
    """What a form offers. `others`: accounts whose people are taken."""
    taken = {entry.person for entry in others}
    return {
        "roles": ROLES,
        "people": [person for person in site.people.values() if person.id not in taken],
        "places": [
            PlaceChoice(id=place.id, name=place.name or place.id, depth=min(place.id.count("/"), 4))
            for place in sorted(site.places.values(), key=lambda place: place.id.split("/"))
        ],
        **_limits(),
    }


def _limits() -> dict[str, int]:
    return {"pin_shortest": pins.SHORTEST, "pin_longest": pins.LONGEST, "longest_called": LONGEST_CALLED}


def _midnight(site: Site, day: str | None, later: int, name: str) -> Instant | None:
    """The beginning of a day, or of one so many days later."""
    if not day:
        return None
    try:
        found = date.fromisoformat(day) + timedelta(days=later)
        return instant(datetime.combine(found, time(), site.zone_info))
    except (ValueError, OverflowError) as error:
        raise Denied(422, f"{name}: expected a date such as 2026-11-22.", "invalid") from error
