"""The way in and out: log-in by password or PIN, one-time links, the set-up of the first account, log-out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access import register
from api.access.accounts import (
    UNKNOWN,
    Account,
    AccountError,
    Accounts,
    AuditRow,
    check_name,
    insert_audit,
    lasts,
    new_name,
)
from api.access.directory import Directory
from api.access.door import PHONE, TAG, cookie_name, needs, origin_of, session_of
from api.access.invitations import Invitations
from api.access.links import EntryLinks
from api.access.passwords import Passwords, WeakPassword
from api.access.pins import pin_throttle
from api.access.throttle import Throttle
from api.console.frame import Frame
from api.ports import GatewayPort
from api.problems import Denied
from gateway.instants import SECOND

_LONGEST_FIELD = 256


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts, invitations: Invitations, frame: Frame) -> None:
    """Add what begins with `/login`, `/setup` and `/logout`."""
    passwords = Passwords()
    throttle = Throttle()
    add_links(app, gateway, accounts, passwords, frame)
    add_pin(app, gateway, accounts, passwords, frame)

    async def entered(request: Request, account: Account, how: str, target: str = "/") -> Response:
        token = await accounts.enter(account, origin_of(request), how)
        if target == "/" and account.role == "guard" and account.person is not None:
            target = PHONE
        return _let_in(request, token, target)

    @app.get("/login", include_in_schema=False)
    async def login_page(request: Request) -> Response:
        if request.state.session is not None:
            return RedirectResponse("/", status_code=303)
        return await _login_page(request, frame, accounts)

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        fields = await _form(request)
        name, origin, now = fields.get("name", "").strip(), origin_of(request), gateway.now()
        wait = throttle.wait(name, origin.address, now)
        if wait:
            seconds = -(-wait // SECOND)
            response = await _login_page(request, frame, accounts, 429, error="login.wait", seconds=seconds, name=name)
            response.headers["Retry-After"] = str(seconds)
            return response
        # Counted before the password is looked at, so that many attempts at once are not all free.
        throttle.failed(name, origin.address, now)
        found = await accounts.find(name)
        stored = found[1] if found is not None and not found[0].disabled else None
        if not await passwords.check(stored, fields.get("password", "")):
            who = UNKNOWN if found is None else found[0].name
            await accounts.record(who, origin, "session.begin", who, outcome="refused", detail="wrong name or password")
            return await _login_page(request, frame, accounts, 401, error="login.wrong", name=name)
        assert found is not None
        throttle.passed(name, origin.address)
        return await entered(request, found[0], "password", _local(fields.get("next", "/")))

    @app.get("/login/once", include_in_schema=False)
    async def login_once(request: Request, token: str = "") -> Response:
        if "prefetch" in request.headers.get("sec-purpose", ""):
            return HTMLResponse(status_code=204)
        found = invitations.use("login", token, gateway.now())
        if found is None:
            return await _login_page(request, frame, accounts, 401, error="login.link_used")
        known = await accounts.find(found.name)
        if known is None:
            account = await accounts.add(found.name, found.role, None, origin_of(request), "one-time link")
        else:
            account = known[0]
        return await entered(request, account, "one-time link")

    @app.get("/setup", include_in_schema=False)
    async def setup_page(request: Request, token: str = "") -> Response:
        return await _setup_page(request, token)

    @app.post("/setup", include_in_schema=False)
    async def setup(request: Request) -> Response:
        fields = await _form(request)
        token, name, password = fields.get("token", ""), fields.get("name", "").strip(), fields.get("password", "")
        if invitations.look("setup", token, gateway.now()) is None or await accounts.any():
            return await _setup_page(request, token)
        if password != fields.get("again", ""):
            return await _setup_page(request, token, 422, error="setup.differ", name=name)
        try:
            check_name(name)
            stored = await passwords.make(name, password)
            if invitations.use("setup", token, gateway.now()) is None:
                return await _setup_page(request, token)
            account = await accounts.add(new_name(), "admin", stored, origin_of(request), "set-up link", login=name)
        except WeakPassword:
            return await _setup_page(request, token, 422, error="setup.weak", name=name)
        except AccountError:
            return await _setup_page(request, token, 422, error="setup.name", name=name)
        invitations.withdraw("setup")
        return await entered(request, account, "set-up link")

    async def _setup_page(request: Request, token: str, status: int = 200, **values: Any) -> Response:
        if await accounts.any():
            return await _login_page(request, frame, accounts, 401, error="setup.done")
        if invitations.look("setup", token, gateway.now()) is None:
            return await _login_page(request, frame, accounts, 401, error="setup.link_used")
        return frame.respond(request, "setup.html", status, token=token, **({"error": None, "name": ""} | values))

    @app.post("/logout", include_in_schema=False, dependencies=[needs("self", scoped=True)])
    async def logout(request: Request) -> Response:
        await accounts.leave(session_of(request), origin_of(request))
        response = RedirectResponse("/login", status_code=303)
        response.headers["Clear-Site-Data"] = '"cache"'  # not "storage": what a guard's phone has not handed in stays
        response.delete_cookie(
            cookie_name(request.url.scheme), path="/", secure=request.url.scheme == "https", httponly=True
        )
        return response


def add_links(app: FastAPI, gateway: GatewayPort, accounts: Accounts, passwords: Passwords, frame: Frame) -> None:
    """Add `/login/link` (a guard's phone enters) and `/login/password` (a person chooses a password)."""
    links = EntryLinks(gateway, accounts)
    directory = Directory(gateway, accounts)

    @app.get("/login/link", include_in_schema=False)
    async def link_page(request: Request, token: str = "") -> Response:
        found = await links.look("phone", token)
        if found is None:
            return await _login_page(request, frame, accounts, 401, error="login.link_void")
        called = (await accounts.called()).get(found.account.name) or found.login
        return frame.respond(request, "login_link.html", token=token, called=called)

    @app.post("/login/link", include_in_schema=False)
    async def enter_by_link(request: Request) -> Response:
        fields = await _form(request)
        entered = await links.use("phone", fields.get("token", ""), origin_of(request), "personal link made")
        if entered is None:
            return await _login_page(request, frame, accounts, 401, error="login.link_void")
        return _let_in(request, entered, PHONE, phone=True)

    @app.get("/login/password", include_in_schema=False)
    async def password_page(request: Request, token: str = "") -> Response:
        return await _password_page(request, token)

    @app.post("/login/password", include_in_schema=False)
    async def choose_password(request: Request) -> Response:
        fields = await _form(request)
        token, password = fields.get("token", ""), fields.get("password", "")
        found = await links.look("password", token)
        entry = await directory.entry(found.account.name) if found is not None else None
        if found is None or entry is None:
            return await _password_page(request, token)
        if password != fields.get("again", ""):
            return await _password_page(request, token, 422, error="setup.differ")
        try:
            stored = await passwords.make(found.login, password)
        except WeakPassword:
            return await _password_page(request, token, 422, error="setup.weak")
        now, origin = gateway.now(), origin_of(request)
        change = register.password_set(entry, stored, now)
        said = AuditRow(who=entry.id, address=origin.address, action=change.action, subject=entry.id, detail="by link")
        also = [*change.statements, insert_audit(now, said)]
        entered = await links.use("password", token, origin, "password link made", also=also)
        if entered is None:
            return await _password_page(request, token)
        return _let_in(request, entered, "/")

    async def _password_page(request: Request, token: str, status: int = 200, error: str | None = None) -> Response:
        found = await links.look("password", token)
        if found is None:
            return await _login_page(request, frame, accounts, 401, error="login.link_void")
        return frame.respond(request, "login_password.html", status, token=token, login=found.login, error=error)


def add_pin(app: FastAPI, gateway: GatewayPort, accounts: Accounts, passwords: Passwords, frame: Frame) -> None:
    """Add `/login/pin`: a guard enters with his account's name and PIN."""
    throttle = pin_throttle()

    def pin_page(request: Request, status: int = 200, **values: Any) -> Response:
        given = {"error": None, "seconds": 0, "name": "", "next": _on_phone(request.query_params.get("next", PHONE))}
        return frame.respond(request, "login_pin.html", status, **(given | values))

    @app.get("/login/pin", include_in_schema=False)
    async def show_pin(request: Request) -> Response:
        if request.state.session is not None:
            return RedirectResponse(PHONE, status_code=303)
        return pin_page(request)

    @app.post("/login/pin", include_in_schema=False)
    async def enter_by_pin(request: Request) -> Response:
        fields = await _form(request)
        name, origin, now = fields.get("name", "").strip(), origin_of(request), gateway.now()
        target = _on_phone(fields.get("next", PHONE))
        wait = throttle.wait(name, origin.address, now)
        if wait:
            seconds = -(-wait // SECOND)
            response = pin_page(request, 429, error="login.wait", seconds=seconds, name=name, next=target)
            response.headers["Retry-After"] = str(seconds)
            return response
        # Counted before the PIN is looked at, so that many attempts at once are not all free.
        throttle.failed(name, origin.address, now)
        found = await accounts.find_guard(name)
        stored = found[1] if found is not None and not found[0].disabled else None
        if not await passwords.check(stored, fields.get("pin", "")):
            who = UNKNOWN if found is None else found[0].name
            await accounts.record(who, origin, "session.begin", who, outcome="refused", detail="wrong name or PIN")
            return pin_page(request, 401, error="login.pin_wrong", name=name, next=target)
        assert found is not None
        throttle.passed(name, origin.address)
        return _let_in(request, await accounts.enter(found[0], origin, "PIN", phone=True), target, phone=True)


def _let_in(request: Request, token: str, target: str, *, phone: bool = False) -> Response:
    response = RedirectResponse(target, status_code=303)
    response.set_cookie(
        cookie_name(request.url.scheme),
        token,
        max_age=lasts(phone=phone) // SECOND,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
        path="/",
    )
    return response


async def _login_page(
    request: Request, frame: Frame, accounts: Accounts, status: int = 200, **values: Any
) -> HTMLResponse:
    given = {"error": None, "seconds": 0, "name": "", "next": _local(request.query_params.get("next", "/"))}
    return frame.respond(request, "login.html", status, first=not await accounts.any(), **(given | values))


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode(errors="replace")
    try:
        parsed = parse_qs(body, keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Denied(422, "body: expected a form of a few fields.", "invalid") from error
    return {key: values[0][:_LONGEST_FIELD] for key, values in parsed.items()}


def _on_phone(target: str) -> str:
    """What a tag on the wall opened, or the phone page."""
    return _local(target) if target.startswith(TAG) else PHONE


def _local(target: str) -> str:
    """A path of ours, or `/`: a log-in never leads to another site."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if safe else "/"
