"""The phone page: its shell, which knows nobody and works without a network, its service worker, and what tags on the wall open."""

from __future__ import annotations

from hashlib import sha256
from importlib import resources

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.answers import tagged
from api.console.frame import Frame, static_file
from api.console.languages import LANGUAGES, chosen, table
from api.headers import SECURITY
from api.ports import GatewayPort

ASSETS = (
    "tokens.css",
    "phone.css",
    "phone.js",
    "phone_store.js",
    "phone_sync.js",
    "phone_scan.js",
    "phone_show.js",
    "lamp.svg",
)
"""What the page is made of, beside its shell: fetched once, kept by the service worker."""

_WORKER = "phone_sw.js"
_PLACE = b'"SHELL-VERSION"'
_HEADERS = {
    "Permissions-Policy": SECURITY["Permissions-Policy"].replace("camera=()", "camera=(self)"),
    "Cache-Control": "private, no-cache",
}
"""The camera is for QR codes and pictures, here only."""


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/phone`, `/t/…` and what belongs to them."""
    site = gateway.site
    frame = Frame(site, gateway.now)
    version = _version()

    def shell(request: Request) -> Response:
        language = chosen(request, site.language)
        texts = {key: text for key, text in table(language).items() if key.startswith("phone.")}
        response = frame.respond(request, "phone.html", texts=msgspec.json.encode(texts).decode(), assets=ASSETS)
        response.headers.update(_HEADERS)
        return response

    @app.get("/phone", include_in_schema=False, dependencies=[needs("patrol")])
    async def phone_page(request: Request) -> Response:
        return shell(request)

    @app.get("/t/{key:path}", include_in_schema=False, dependencies=[needs("patrol")])
    async def tag_page(request: Request, key: str) -> Response:  # noqa: ARG001  the page reads its own address
        return shell(request)

    @app.get("/phone-sw.js", include_in_schema=False, dependencies=[needs("patrol")])
    async def service_worker(request: Request) -> Response:
        found = static_file(_WORKER)
        assert found is not None
        body, media_type = found
        wanted = msgspec.json.encode({"version": version, "assets": [f"/static/{name}" for name in ASSETS]})
        return tagged(request, body.replace(_PLACE, wanted), media_type)

    @app.get("/phone.webmanifest", include_in_schema=False, dependencies=[needs("patrol")])
    async def manifest(request: Request) -> Response:
        name = table(chosen(request, site.language))["phone.title"]
        icon = {"src": "/static/lamp.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}
        said = {
            "name": f"{name} · {site.name}",
            "short_name": name,
            "start_url": "/phone",
            "scope": "/",
            "display": "standalone",
            "background_color": "#0a0e13",
            "theme_color": "#0a0e13",
            "icons": [icon],
        }
        return tagged(request, msgspec.json.encode(said), "application/manifest+json")


def _version() -> str:
    """Another whenever anything of the page is another."""
    digest = sha256()
    for name in (*ASSETS, _WORKER):
        found = static_file(name)
        assert found is not None, name
        digest.update(found[0])
    digest.update((resources.files("api.console.templates") / "phone.html").read_bytes())
    for language in LANGUAGES:
        digest.update((resources.files("api.console.texts") / f"phone.{language}.po").read_bytes())
    return digest.hexdigest()[:16]
