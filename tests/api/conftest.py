"""An application on a gateway in memory, and clients that are logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from api.access.invitations import Invitations
from api.access.roles import Role
from api.app import create_app
from tests.api.fake_gateway import FakeGateway

BASE = "http://gateway.test"

LogIn = Callable[[Role], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def invitations() -> Invitations:
    return Invitations()


@pytest.fixture
def app(gateway: FakeGateway, invitations: Invitations) -> Any:
    return create_app(gateway, invitations=invitations, heartbeat_s=0.05)


@pytest.fixture
async def stranger(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a session, behaving like a browser on our own page."""
    async with _client(app) as client:
        yield client


@pytest.fixture
async def log_in(app: Any, gateway: FakeGateway, invitations: Invitations) -> AsyncIterator[LogIn]:
    """Gives a client of a role."""
    opened: list[httpx.AsyncClient] = []

    async def enter(role: Role) -> httpx.AsyncClient:
        client = _client(app)
        opened.append(client)
        token = invitations.login(f"test-{role}", role, gateway.now())
        answer = await client.get("/login/once", params={"token": token})
        assert answer.status_code == 303
        return client

    yield enter
    for client in opened:
        await client.aclose()


@pytest.fixture
async def operator(log_in: LogIn) -> httpx.AsyncClient:
    return await log_in("operator")


@pytest.fixture
async def admin(log_in: LogIn) -> httpx.AsyncClient:
    return await log_in("admin")


def _client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE})
