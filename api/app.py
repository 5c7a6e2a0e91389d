"""The whole HTTP face of one gateway: `create_app`."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from api import openapi, problems
from api.access.accounts import Accounts
from api.access.door import Door, Needs, is_open, needs
from api.access.invitations import Invitations
from api.access.keys import Keys
from api.access.rates import Rates
from api.access.scope import Parts
from api.answers import answer
from api.body import BodyLimit
from api.console import pages
from api.headers import SecurityHeaders
from api.phone import page as phone_page
from api.phone import resource as phone
from api.ports import GatewayPort
from api.resources import (
    alerts,
    audit,
    chain,
    duty_checks,
    enrolment,
    estate,
    events,
    evidence,
    explain,
    figures,
    findings,
    health,
    keys,
    notices,
    on_duty,
    plans,
    reports,
    rounds,
    scores,
    sessions,
    silences,
    users,
    work_orders,
)


def create_app(
    gateway: GatewayPort,
    *,
    invitations: Invitations | None = None,
    heartbeat_s: float = events.HEARTBEAT_S,
) -> FastAPI:
    """The API and the console of a running gateway.

    Args:
        gateway: what is shown and acted upon.
        invitations: where one-time links are looked up (`Invitations.setup`, `.login` make them); none: there are none.
        heartbeat_s: how often a quiet event stream says that it lives.

    Returns:
        The application; `app.state.closing.set()` ends all event streams, so that the server can stop.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    accounts = Accounts(gateway)
    feed = events.Feed(gateway, accounts, heartbeat_s)
    app.state.closing = feed.closing
    app.state.parts = Parts(gateway)
    problems.install(app)
    openapi.install(app, f"Lamplighter: {gateway.site.name}")

    estate.add(app, gateway)
    plans.add(app, gateway)
    enrolment.add(app, gateway, accounts)
    explain.add(app, gateway)
    rounds.add(app, gateway)
    figures.add(app, gateway)
    findings.add(app)
    silences.add(app, gateway, accounts)
    alerts.add(app, gateway, accounts)
    notices.add(app, gateway, accounts)
    on_duty.add(app, gateway, accounts)
    work_orders.add(app, gateway, accounts)
    duty_checks.add(app, gateway, accounts)
    scores.add(app, gateway, accounts)
    evidence.add(app, gateway, accounts)
    events.add(app, feed)
    health.add(app, gateway, feed)
    chain.add(app, gateway, accounts)
    reports.add(app, gateway)
    users.add(app, gateway, accounts)
    sessions.add(app, gateway, accounts)
    keys.add(app, gateway, accounts)
    audit.add(app, gateway, accounts)
    phone.add(app, gateway)
    pages.add(app, gateway, accounts, invitations or Invitations())
    phone_page.add(app, gateway)

    @app.get("/openapi.json", include_in_schema=False, dependencies=[needs("rounds")])
    async def read_openapi(request: Request) -> Response:
        return answer(request, app.openapi())

    _check_every_route_asks(app)
    app.add_middleware(Door, accounts=accounts, keys=Keys(gateway, accounts), rates=Rates())
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders)
    return app


def _check_every_route_asks(app: FastAPI) -> None:
    """Everything is denied unless a route says otherwise: a route that says nothing is a mistake, found at start."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            asks = any(isinstance(needed.dependency, Needs) for needed in route.dependencies)
            if asks or is_open(route.path):
                continue
        elif is_open(getattr(route, "path", "") + "/"):
            continue
        raise RuntimeError(f"the route {route!r} asks for no right; give it dependencies=[needs(…)]")
