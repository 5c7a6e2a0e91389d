"""A camera's web server on a free port: Digest as cameras ask for it, and answers as a test scripts them."""

from __future__ import annotations

import hashlib
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REALM = "IP Camera(D1508)"


class ScriptedCamera:
    """Args:
    pages: what answers on each path.
    password: of the user `watch`; None: no log-in is asked for.
    offers: the challenges of a 401, `{nonce}` in them is replaced.
    """

    def __init__(
        self,
        pages: dict[str, Handler],
        *,
        password: str | None = None,
        offers: tuple[str, ...] = ('Digest realm="IP Camera(D1508)", qop="auth", nonce="{nonce}", algorithm=MD5',),
    ) -> None:
        self.pages = pages
        self.password = password
        self.offers = offers
        self.url = ""
        self.seen: list[tuple[str, str]] = []
        """Path and log-in (`none`, `right`, `wrong`, `basic`) of each request."""
        self.stale_once = False
        self._nonces: set[str] = set()

    @property
    def logins(self) -> list[str]:
        return [login for _, login in self.seen if login != "none"]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        login = self._judge(request)
        self.seen.append((request.path_qs, login))
        if self.stale_once and login == "right":
            self.stale_once = False
            return self._challenge(stale=True)
        if self.password is not None and login != "right":
            return self._challenge(stale=False)
        page = self.pages.get(request.path)
        return web.Response(status=404) if page is None else await page(request)

    def _challenge(self, *, stale: bool) -> web.Response:
        nonce = secrets.token_hex(8)
        self._nonces.add(nonce)
        answer = web.Response(status=401, text="<lockStatus>unlock</lockStatus>")
        for offer in self.offers:
            answer.headers.add("WWW-Authenticate", offer.replace("{nonce}", nonce) + (", stale=true" if stale else ""))
        return answer

    def _judge(self, request: web.Request) -> str:
        header = request.headers.get("Authorization", "")
        if not header:
            return "none"
        if header.startswith("Basic "):
            return "basic"
        given = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^ ,]+))', header)}
        if given["nonce"] not in self._nonces or given["uri"] != request.raw_path:
            return "wrong"
        self._nonces.discard(given["nonce"])  # each once: a nonce used again is refused as by a strict camera
        make = hashlib.sha256 if given.get("algorithm") == "SHA-256" else hashlib.md5
        digest = lambda text: make(text.encode()).hexdigest()  # noqa: E731
        first = digest(f"watch:{given['realm']}:{self.password}")
        second = digest(f"{request.method}:{given['uri']}")
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth" if "qop" in given else given["nonce"]
        return "right" if given["response"] == digest(f"{first}:{middle}:{second}") else "wrong"


@asynccontextmanager
async def serving(camera: ScriptedCamera, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedCamera]:
    """The camera answers on a free loopback port inside."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", camera.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    camera.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield camera
    finally:
        await runner.cleanup()


def page(text: str, status: int = 200) -> Handler:
    """A page that always says the same."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status)

    return answer
