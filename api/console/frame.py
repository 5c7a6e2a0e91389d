"""What all pages share: templates, the language, and the response that carries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.access.accounts import Session
from api.access.roles import SCOPED, Right
from api.console.languages import COOKIE, HTML_TAGS, LANGUAGES, Language, chosen, meant, say, word
from api.console.names import person_name, route_name, shift_name, thing_name
from api.console.navigation import menus
from api.console.refusals import problem_words
from api.console.rules import rule_name
from api.console.timeline import night_of
from gateway.alerts.wording import duration, link_words
from gateway.instants import Instant, instant
from gateway.site.model import Site

_YEAR_S = 365 * 24 * 3600


@cache
def _environment() -> Environment:
    """The templates, compiled once in a process: nothing of a site is in them."""
    return Environment(
        loader=PackageLoader("api.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Frame:
    """Renders the templates of one site's console.

    Args:
        site: whose.
        now: says what time it is: times of another night than the present one are shown with their date.
    """

    def __init__(self, site: Site, now: Callable[[], Instant]) -> None:
        self.site = site
        self.now = now
        self.environment = _environment()

    def render(self, request: Request, template: str, **values: Any) -> str:
        """One template in the request's language."""
        language = chosen(request, self.site.language)
        session: Session | None = request.state.session

        def t(key: str, **filled: object) -> str:
            return say(language, key, **filled)

        def w(group: str, code: str) -> str:
            """The word for a code; a cause that is no code is what a thing hangs on."""
            return word(language, group, thing_name(self.site, code) if group == "cause" else code)

        bounded = session is not None and session.account.places is not None

        def may(right: Right) -> bool:
            return session is not None and session.account.may(right) and (not bounded or right in SCOPED)

        def who(by: str) -> str:
            """Who did something, as the reader may know it: a step's or entry's `by`."""
            kind, colon, _ = by.partition(":")
            if colon or by == "clock":
                return word(language, "by", kind)
            if by not in request.state.called:
                return word(language, "by", person_name(self.site, by, named=may("names")) or by)
            called = request.state.called[by]
            return say(language, "who.erased", id=by) if called is None else called

        begin, end = night_of(self.now(), self.site)

        def when(at: datetime, clock: str = "%H:%M") -> str:
            """A time, with its date unless it is of this night."""
            local = at.astimezone(self.site.zone_info)
            return local.strftime(clock if begin <= instant(at) < end else f"%m-%d {clock}")

        shared: dict[str, Any] = {
            "when": when,
            "t": t,
            "w": w,
            "may": may,
            "who": who,
            "route_name": partial(route_name, self.site),
            "rule_name": partial(rule_name, language),
            "lasting": partial(duration, language=language),
            "link_words": partial(link_words, language=language),
            "thing_name": partial(thing_name, self.site),
            "shift_name": partial(shift_name, self.site),
            "site": self.site,
            "language": language,
            "languages": LANGUAGES,
            "html_tag": HTML_TAGS[language],
            "pages": menus(may, bounded=bounded),
            "bounded": bounded,
            "account": session.account if session else None,
            "path": request.url.path,
            "in_language": partial(_in_language, request),
        }
        shared |= {"content": "", "heading": ""}
        inner = values.get("inner", template)
        if inner != template:
            page: Any = self.environment.get_template(inner).make_module(shared | values)
            shared |= {"content": page, "heading": page.heading}
        return self.environment.get_template(template).render(shared | values)

    def problem_words(self, request: Request, status: int, kind: str, detail: str) -> str:
        """What a problem says to whoever asked."""
        session: Session | None = getattr(request.state, "session", None)
        named = session is not None and session.account.may("names")
        language = chosen(request, self.site.language)
        return problem_words(language, status, kind, detail, partial(_called, self.site, named=named))

    def respond(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """One page; a language asked for in the address is kept in a cookie."""
        response = HTMLResponse(self.render(request, template, **values), status_code=status)
        if (wish := meant(request.query_params.get("lang"))) is not None:
            response.set_cookie(
                COOKIE, wish, max_age=_YEAR_S, samesite="lax", httponly=True, secure=request.url.scheme == "https"
            )
        return response

    def panel(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        """A page of its own, or with `panel=1` only what goes into the control room's side panel."""
        alone = "panel" not in request.query_params
        return self.respond(request, "alone.html" if alone else template, inner=template, **values)


def _in_language(request: Request, language: Language, kept: Mapping[str, str]) -> str:
    """The address of what is shown, in another language; `kept`: what of it is not in the address."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in {"lang", *kept}]
    return f"{request.url.path}?{urlencode([*asked, *kept.items(), ('lang', language)])}"


def _called(site: Site, person: str, *, named: bool) -> str:
    return person_name(site, person, named=named) or person


def static_file(name: str) -> tuple[bytes, str] | None:
    """A static file's bytes and media type; None if there is none of that name."""
    suffix = name.rpartition(".")[2]
    if "/" in name or suffix not in MEDIA_TYPES:
        return None
    found = resources.files("api.console.static") / name
    return (found.read_bytes(), MEDIA_TYPES[suffix]) if found.is_file() else None


MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
