"""The door: nobody passes without a session, except to what stands in `OPEN`; and no foreign page acts for a person.

Authentication is here, before routing, so that a forgotten route is shut. What a role may do is asked by the route itself
(`needs`), and `create_app` refuses to start with a route that asks nothing.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from fastapi import Request, params
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.accounts import Account, Accounts, Origin, Session
from api.access.roles import RIGHTS, Right, allowed
from api.problems import Denied, problem

OPEN = frozenset({"/login", "/login/once", "/login/link", "/login/password", "/login/pin", "/setup", "/healthz"})
OPEN_BELOW = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Door:
    """ASGI: finds the session, refuses strangers and forged requests. The session is then in `request.state.session`.

    In `request.state.called` is what people are called, by the name that stands in histories; nothing for who may not know.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self.app = app
        self.accounts = accounts

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
        if scope["method"] not in _SAFE and (reason := _forged(scope["scheme"], headers)):
            return problem(403, reason, path=path, name="forged")
        token = cookie_token(scope["scheme"], headers)
        session = await self.accounts.session(token) if token else None
        state = scope.setdefault("state", {})
        state["session"] = session
        named = session is not None and allowed(session.account.role, "names")
        state["called"] = await self.accounts.called() if named else {}
        if session is not None or is_open(path):
            return None
        if scope["method"] == "GET" and not path.startswith("/api/") and "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"/login?next={quote(path)}" if path != "/" else "/login", status_code=303)
        return problem(
            401,
            "Log in first (POST /login with name and password, keep the cookie).",
            path=path,
            headers={"WWW-Authenticate": 'Session realm="lamplighter"'},
        )


class Needs:
    """A route's demand for a right."""

    def __init__(self, right: Right) -> None:
        self.right = right

    async def __call__(self, request: Request) -> None:
        """Asked by FastAPI before the route."""
        self.check(request)

    def check(self, request: Request) -> Account:
        """The account, if it has the right.

        Raises:
            Denied: 401 without a session, 403 without the right.
        """
        account = session_of(request).account
        if not allowed(account.role, self.right):
            roles = ", ".join(sorted(RIGHTS[self.right]))
            raise Denied(403, f"The role {account.role} may not do this; it takes one of {roles}.", "role")
        return account


def needs(right: Right) -> params.Depends:
    """The dependency of a route that needs `right`: `dependencies=[needs("alerts")]`."""
    return params.Depends(dependency=Needs(right))


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
    address = request.client.host if request.client else "local"
    return Origin(address=address, agent=request.headers.get("user-agent", ""))


def cookie_name(scheme: str) -> str:
    """`__Host-` binds the cookie to this host over TLS; browsers refuse the prefix over plain HTTP (RFC 6265bis §4.1.3.2)."""
    return "__Host-lamplighter" if scheme == "https" else "lamplighter"


def cookie_token(scheme: str, headers: Headers) -> str | None:
    """The session token in a request's cookies."""
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    morsel = jar.get(cookie_name(scheme))
    return morsel.value[:200] if morsel and morsel.value else None


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
