"""The door: nobody passes without a session, except to what stands in `OPEN`; and no foreign page acts for a person.

Authentication is here, before routing, so that a forgotten route is shut. What a role may do is asked by the route itself
(`needs`), and `create_app` refuses to start with a route that asks nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from fastapi import Request, params
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.accounts import Account, Accounts, Origin, Session
from api.access.keys import Keys
from api.access.rates import PER_SECOND, Rates
from api.access.roles import RIGHTS, Right, allowed
from api.problems import Denied, problem
from gateway.instants import SECOND

OPEN = frozenset(
    {"/login", "/login/once", "/login/link", "/login/password", "/login/pin", "/setup", "/healthz", "/readyz"}
)
OPEN_BELOW = "/static/"
PHONE = "/phone"
"""The pages of a guard's phone: a stranger is led to the log-in by PIN."""
TAG = "/t/"
"""What tags on the wall open: what their address says is not forgotten by the log-in."""
_BEARER = 'Bearer realm="lamplighter"'
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


Again = Callable[[], Awaitable[Session | None]]
"""Asks again for a request's session: None when it has ended."""


class Door:
    """ASGI: finds the session, refuses strangers and forged requests. The session is then in `request.state.session`.

    A program's key is looked at where it is sent (`Authorization: Bearer …`), and then no cookie: no page of another site can send
    that header, so no `Origin` is asked for. `request.state.again` asks for the session anew, for what lasts longer than a request.
    In `request.state.called` is what people are called, by the name that stands in histories; nothing for who may not know.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts, keys: Keys, rates: Rates) -> None:
        self.app = app
        self.accounts = accounts
        self.keys = keys
        self.rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        await (refusal or self.app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        path = scope["path"]
        key = None if is_open(path) else bearer(headers)
        if key is None and scope["method"] not in _SAFE and (reason := _forged(scope["scheme"], headers)):
            return problem(403, reason, request=Request(scope), name="forged")
        again = self._session_by(scope["scheme"], headers, key)
        session = await again()
        state = scope.setdefault("state", {})
        state["session"], state["again"] = session, again
        named = session is not None and session.account.may("names")
        state["called"] = await self.accounts.called() if named else {}
        if session is not None and path.startswith("/api/"):
            return self._too_much(session, Request(scope))
        if session is not None or is_open(path):
            return None
        if key is not None:
            detail = "This key is not known, was revoked or has ended; an administrator makes another."
            return problem(
                401, detail, request=Request(scope), headers={"WWW-Authenticate": _BEARER + ', error="invalid_token"'}
            )
        if scope["method"] == "GET" and not path.startswith("/api/") and "text/html" in headers.get("accept", ""):
            tag = path.startswith(TAG)
            enter = "/login/pin" if path == PHONE or path.startswith(PHONE + "/") or tag else "/login"
            query = scope["query_string"].decode("ascii", "ignore")
            target = quote(f"{path}?{query}" if query and tag else path)
            return RedirectResponse(f"{enter}?next={target}" if path != "/" else enter, status_code=303)
        return problem(
            401,
            "Log in first (POST /login with name and password, keep the cookie), or send a key as Authorization: Bearer.",
            request=Request(scope),
            headers={"WWW-Authenticate": f'Session realm="lamplighter", {_BEARER}'},
        )

    def _session_by(self, scheme: str, headers: Headers, key: str | None) -> Again:
        if key is not None:
            return partial(self.keys.session, key)
        return partial(self.accounts.session, cookie_token(scheme, headers) or "")

    def _too_much(self, session: Session, request: Request) -> Response | None:
        wait = self.rates.take(session.account.name, self.accounts.now())
        if not wait:
            return None
        seconds = -(-wait // SECOND)
        detail = f"More than {PER_SECOND} requests a second for long; go on in {seconds} s. /api/v1/events tells what changes."
        return problem(429, detail, request=request, name="rate", headers={"Retry-After": str(seconds)})


class Needs:
    """A route's demand for a right."""

    def __init__(self, right: Right, *, scoped: bool = False) -> None:
        self.right = right
        self.scoped = scoped

    async def __call__(self, request: Request) -> None:
        """Asked by FastAPI before the route."""
        self.check(request)

    def check(self, request: Request) -> Account:
        """The account, if it has the right.

        Raises:
            Denied: 401 without a session, 403 without the right, or for who sees a part of the site where the route knows no parts.
        """
        account = session_of(request).account
        if not allowed(account.role, self.right):
            roles = ", ".join(sorted(RIGHTS[self.right]))
            raise Denied(403, f"The role {account.role} may not do this; it takes one of {roles}.", "role")
        if not account.may(self.right):
            raise Denied(403, f"This key has not the right {self.right!r}.", "role")
        if account.places is not None and not self.scoped:
            raise Denied(403, "This account sees a part of the site only, and this is about all of it.", "scope")
        return account


def needs(right: Right, *, scoped: bool = False) -> params.Depends:
    """The dependency of a route that needs `right`: `dependencies=[needs("alerts")]`.

    Accounts and keys that are bounded to places are refused unless the route is `scoped`: then it shows itself only what lies there.
    """
    return params.Depends(dependency=Needs(right, scoped=scoped))


def is_open(path: str) -> bool:
    """Whether a path needs no session."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def session_of(request: Request) -> Session:
    """The session of a request that has passed the door.

    Raises:
        Denied: there is none (an open route that asks for one).
    """
    session: Session | None = request.state.session
    if session is None:
        raise Denied(401, "Log in first.")
    return session


def origin_of(request: Request) -> Origin:
    """Where a request came from."""
    address = request.client.host[:64] if request.client else "local"
    return Origin(address=address, agent=request.headers.get("user-agent", ""))


def bearer(headers: Headers) -> str | None:
    """The key that a program sent (RFC 6750 §2.1); None: it sent none."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    return given.strip()[:200] if kind.lower() == "bearer" else None


def cookie_name(scheme: str) -> str:
    """`__Host-` binds the cookie to this host over TLS; browsers refuse the prefix over plain HTTP (RFC 6265bis §4.1.3.2)."""
    return "__Host-lamplighter" if scheme == "https" else "lamplighter"


def cookie_token(scheme: str, headers: Headers) -> str | None:
    """The session token in a request's cookies; those of other programs on the same host may look as they like."""
    return cookie_parser(headers.get("cookie", "")).get(cookie_name(scheme), "")[:200] or None


def _forged(scheme: str, headers: Headers) -> str | None:
    """Why an unsafe request is not from our own page, or None. Both headers are the browser's own; no page can set them."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return f"This request came from another site (Sec-Fetch-Site: {site}); nothing was done."
    origin = headers.get("origin")
    if origin is None:
        return "An Origin header naming this server is needed with this method; browsers send it by themselves."
    if origin.lower() != f"{scheme}://{headers.get('host', '')}".lower():
        return f"This request came from another site (Origin: {origin}); nothing was done."
    return None
