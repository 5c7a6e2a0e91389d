"""The way in and out: log-in, one-time links, the set-up of the first account, log-out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.accounts import LONGEST, UNKNOWN, Account, AccountError, Accounts, check_name, new_name
from api.access.door import cookie_name, needs, origin_of, session_of
from api.access.invitations import Invitations
from api.access.passwords import Passwords, WeakPassword
from api.access.throttle import Throttle
from api.console.frame import Frame
from api.ports import GatewayPort
from api.problems import Denied
from gateway.instants import SECOND

_LONGEST_FIELD = 256


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts, invitations: Invitations, frame: Frame) -> None:
    """Add `/login`, `/login/once`, `/setup` and `/logout`."""
    passwords = Passwords()
    throttle = Throttle()

    async def entered(request: Request, account: Account, how: str, target: str = "/") -> Response:
        token = await accounts.enter(account, origin_of(request), how)
        response = RedirectResponse(target, status_code=303)
        secure = request.url.scheme == "https"
        response.set_cookie(
            cookie_name(request.url.scheme),
            token,
            max_age=LONGEST // SECOND,
            httponly=True,
            secure=secure,
            samesite="lax",
            path="/",
        )
        return response

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
        usable = invitations.look("setup", token, gateway.now()) is not None and not await accounts.any()
        if not usable:
            return await _login_page(request, frame, accounts, 401, error="setup.link_used")
        return frame.respond(request, "setup.html", status, token=token, **({"error": None, "name": ""} | values))

    @app.post("/logout", include_in_schema=False, dependencies=[needs("rounds")])
    async def logout(request: Request) -> Response:
        await accounts.leave(session_of(request), origin_of(request))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(
            cookie_name(request.url.scheme), path="/", secure=request.url.scheme == "https", httponly=True
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


def _local(target: str) -> str:
    """A path of ours, or `/`: a log-in never leads to another site."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if safe else "/"
