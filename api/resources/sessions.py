"""One's own account: who asks, its log-ins, its password and PIN."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access import register
from api.access.accounts import AccountError, Accounts, AuditRow, insert_audit, session_id
from api.access.agents import device_of
from api.access.directory import Directory
from api.access.door import needs, origin_of, session_of
from api.access.passwords import Passwords
from api.access.pins import check_pin, pin_throttle
from api.access.register import Change, Entry
from api.access.roles import RIGHTS
from api.access.throttle import Throttle
from api.answers import Page, answer
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.users import body_of, refusing
from api.users import MeShape, OwnPassword, OwnPin, SessionShape
from gateway.instants import SECOND, moment

_DONE: dict[int | str, dict[str, Any]] = {204: {"description": "Done"}}


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/me`."""
    directory = Directory(gateway, accounts)
    _add_sessions(app, gateway, accounts)
    _add_secrets(app, gateway, directory)

    @app.get("/api/v1/me", tags=["accounts"], responses=one("MeShape"), dependencies=[needs("self", scoped=True)])
    async def read_me(request: Request) -> Response:
        """Who asks, and what they may do."""
        session = session_of(request)
        account = session.account
        shape = MeShape(
            id=account.name,
            called=account.called,
            role=account.role,
            rights=[right for right in RIGHTS if account.may(right)],
            person=account.person,
            places=account.places,
            phone=session.phone,
        )
        return answer(request, shape)


def _add_sessions(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    @app.get(
        "/api/v1/me/sessions",
        tags=["accounts"],
        responses=many("SessionShape"),
        dependencies=[needs("self", scoped=True)],
    )
    async def read_sessions(request: Request) -> Response:
        """One's own log-ins that last, the one that asks first."""
        return answer(request, Page(items=await own_sessions(request, gateway)))

    @app.post(
        "/api/v1/me/sessions/end",
        tags=["accounts"],
        responses=REFUSED | _DONE,
        dependencies=[needs("self", scoped=True)],
    )
    async def end_others(request: Request) -> Response:
        """End all of one's own log-ins but this one."""
        session = session_of(request)
        await _end(request, "account = ? AND token <> ?", (session.account.name, session.token), "others")
        return Response(status_code=204)

    @app.post(
        "/api/v1/me/sessions/{session_id}/end",
        tags=["accounts"],
        responses=REFUSED | _DONE,
        dependencies=[needs("self", scoped=True)],
    )
    async def end_one(request: Request, session_id: str) -> Response:
        """End one of one's own log-ins."""
        tokens = [token for token, found in await _tokens(request) if found == session_id]
        if not tokens:
            raise Denied(404, f"You have no log-in {session_id!r}.")
        await _end(request, "token = ?", (tokens[0],), session_id)
        return Response(status_code=204)

    async def _tokens(request: Request) -> list[tuple[bytes, str]]:
        rows = await gateway.query("SELECT token FROM sessions WHERE account = ?", (session_of(request).account.name,))
        return [(token, session_id(token)) for (token,) in rows]

    async def _end(request: Request, where: str, values: tuple[object, ...], which: str) -> None:
        name, now = session_of(request).account.name, gateway.now()
        row = AuditRow(who=name, address=origin_of(request).address, action="session.end", subject=name, detail=which)
        await gateway.write([(f"DELETE FROM sessions WHERE {where}", values), insert_audit(now, row)])  # noqa: S608
        accounts.forget(name)


def _add_secrets(app: FastAPI, gateway: GatewayPort, directory: Directory) -> None:
    passwords = Passwords()
    guesses, pin_guesses = Throttle(), pin_throttle()

    @app.post(
        "/api/v1/me/password",
        tags=["accounts"],
        responses=REFUSED | _DONE,
        dependencies=[needs("self", scoped=True)],
        openapi_extra=takes("OwnPassword", {"old": "…", "new": "four lamps on a wet street"}),
    )
    async def change_password(request: Request) -> Response:
        """Change one's own password; one's other log-ins end."""
        said = await body_of(request, OwnPassword)
        session = session_of(request)
        await _must_know(request, "password", said.old, guesses)
        entry = await _own(request)
        with refusing():
            stored = await passwords.make(entry.login, said.new)
            await _apply(request, register.password_set(entry, stored, gateway.now(), but=session.token))
        return Response(status_code=204)

    @app.post(
        "/api/v1/me/pin",
        tags=["accounts"],
        responses=REFUSED | _DONE,
        dependencies=[needs("self", scoped=True)],
        openapi_extra=takes("OwnPin", {"pin": "4071", "old": None}),
    )
    async def change_pin(request: Request) -> Response:
        """Change one's own PIN (guards); the one from before is asked for, where there is one."""
        said = await body_of(request, OwnPin)
        entry = await _own(request)
        if entry.pin:
            await _must_know(request, "pin", said.old or "", pin_guesses)
        with refusing():
            if entry.role != "guard":
                raise AccountError("a PIN is for guards")
            check_pin(said.pin)
            await _apply(request, register.pin_set(entry, await passwords.stored(said.pin), gateway.now()))
        return Response(status_code=204)

    async def _own(request: Request) -> Entry:
        entry = await directory.entry(session_of(request).account.name)
        if entry is None:
            raise Denied(404, "This account is gone.")
        return entry

    async def _apply(request: Request, change: Change) -> None:
        await directory.apply(session_of(request).account.name, origin_of(request), [change])

    async def _must_know(request: Request, secret: str, given: str, throttle: Throttle) -> None:
        """Raise Denied unless `given` is the account's secret: 429 after too many wrong ones."""
        name, address, now = session_of(request).account.name, origin_of(request).address, gateway.now()
        wait = throttle.wait(name, address, now)
        if wait:
            seconds = -(-wait // SECOND)
            detail = f"Too many wrong attempts; try again in {seconds} s."
            raise Denied(429, detail, "rate", headers={"Retry-After": str(seconds)})
        throttle.failed(name, address, now)
        rows = await gateway.query(f"SELECT {secret} FROM accounts WHERE name = ?", (name,))  # noqa: S608
        if not await passwords.check(rows[0][0] if rows else None, given):
            row = AuditRow(who=name, address=address, action=f"account.{secret}", subject=name, outcome="refused")
            await gateway.write([insert_audit(now, row)])
            raise Denied(409, f"The {secret} from before is not right; nothing was changed.", "old")
        throttle.passed(name, address)


async def own_sessions(request: Request, gateway: GatewayPort) -> list[SessionShape]:
    """The asker's log-ins that last, the one that asks first, then the last used."""
    session, zone, now = session_of(request), gateway.site.zone_info, gateway.now()
    rows = await gateway.query(*register.read_sessions(session.account.name, now))
    found = [
        SessionShape(
            id=session_id(token),
            device=device_of(agent),
            address=address,
            begun=moment(created, zone),
            seen=moment(seen, zone),
            expires=moment(expires, zone),
            phone=bool(phone),
            this=token == session.token,
        )
        for token, created, seen, expires, address, agent, phone in rows
    ]
    return sorted(found, key=lambda each: not each.this)
