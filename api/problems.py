"""Errors as RFC 9457 problem details: what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.headers import SECURITY
from device_drivers.errors import LamplighterError
from gateway.alerts.book import Refused
from gateway.errors import StalledError

MEDIA_TYPE = "application/problem+json"


class Denied(LamplighterError):  # noqa: N818 - what we did, not what went wrong
    """A request that is refused before it does anything.

    Args:
        status: the HTTP status.
        detail: what was wrong and what to do, for a person.
        name: last part of the problem's type; empty: the status says it all (`about:blank`).
        headers: further response headers.
        more: further members of the problem.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        name: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name
        self.headers = dict(headers or {})
        self.more = dict(more or {})


_REFUSED: Mapping[str, tuple[int, str]] = {"unknown": (404, "refused"), "invalid": (422, "invalid")}
"""The status and kind of a refusal of the gateway's; any other: 409, it does not fit what stands."""


class Shown(NamedTuple):
    """How a problem is shown to a person: each takes the request and the status; `words` the kind and the detail, `page` the detail."""

    words: Callable[[Request, int, str, str], str]
    page: Callable[[Request, int, str], Response]


def problem(
    status: int,
    detail: str,
    *,
    request: Request,
    name: str = "",
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """One problem as a response: `detail` is for programs and logs, `says` for the person at the screen, in his language."""
    body: dict[str, Any] = {
        "type": f"urn:lamplighter:problem:{name}" if name else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.scope["path"],
    } | dict(more or {})
    shown: Shown | None = getattr(request.app.state, "problem_shown", None)
    if shown is not None:
        body["says"] = shown.words(request, status, name, detail)
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store"} | dict(headers or {}),
    )


def show_people(app: FastAPI, shown: Shown) -> None:
    """Say problems in the reader's language too, and as a page to who opens one in a browser."""
    app.state.problem_shown = shown


def _for_person(request: Request, status: int, detail: str) -> Response | None:
    shown: Shown | None = getattr(request.app.state, "problem_shown", None)
    wanted = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if shown is None or not wanted or request.url.path.startswith("/api/") or "panel" in request.query_params:
        return None
    return shown.page(request, status, detail)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""

    async def denied(request: Request, error: Exception) -> Response:
        assert isinstance(error, Denied)
        if (page := _for_person(request, error.status, error.detail)) is not None:
            page.headers.update(error.headers)
            return page
        return problem(
            error.status,
            error.detail,
            request=request,
            name=error.name,
            headers=error.headers,
            more=error.more,
        )

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        status, name = _REFUSED.get(error.status, (409, "refused"))
        return problem(status, error.reason, request=request, name=name)

    async def full(request: Request, error: Exception) -> Response:
        return problem(503, str(error), request=request, name="stalled", headers={"Retry-After": "10"})

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = _DETAILS.get(error.status_code, str(error.detail))
        if (page := _for_person(request, error.status_code, detail)) is not None:
            return page
        return problem(error.status_code, detail, request=request, headers=error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [
            {"where": ".".join(str(part) for part in entry["loc"]), "what": str(entry["msg"])}
            for entry in error.errors()
        ]
        detail = "; ".join(f"{entry['where']}: {entry['what']}" for entry in errors)
        return problem(422, detail, request=request, name="invalid", more={"errors": errors})

    async def broken(request: Request, _error: Exception) -> Response:
        return problem(500, _DETAILS[500], request=request, headers=SECURITY)

    app.add_exception_handler(Denied, denied)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(StalledError, full)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)


_DETAILS = {
    404: "Nothing is here. /openapi.json lists what there is.",
    405: "This address does not take this method; the Allow header says which.",
    500: "The gateway failed to answer; its log has the reason. Evidence is taken and kept all the same.",
}
