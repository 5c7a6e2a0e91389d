"""Bodies and addresses that nobody sends by mistake, to every route of a real gateway: refused, never a fault of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from tests.phone.night import Phone, night

_WORDS = ("account", "code", "id", "name", "password", "person", "reason", "subject", "tag", "text", "why", "zzz")


def each_field(value: bytes) -> list[bytes]:
    """One body a field that is made of `value` only, and one with all of them."""
    fields = [b'"%s":%s' % (name.encode(), value) for name in _WORDS]
    return [b"{%s}" % each for each in fields] + [b"{%s}" % b",".join(fields)]


BODIES = {
    "nested": [b"[" * 20_000, b'{"a":' * 8_000, b'{"zzz":' + b"[" * 30_000 + b"]" * 30_000 + b"}"],
    "no UTF-8": each_field(b'"\xff\xfe"'),
    "half a character": each_field(b'"\\ud800"'),
    "NUL": each_field(b'"a\\u0000b"'),
    "numbers": [b'{"rows":[%s]}' % each for each in (b"99999999999999999999", b"9223372036854775808", b"-1", b"1e400")],
    "twice": [b'{"name":"a","name":1}', b'{"rows":[1],"rows":"x"}'],
    "other shapes": [b"", b"null", b"[]", b'"x"', b"9" * 5_000, b"NaN", b"\xef\xbb\xbf{}"],
}
ODD = (
    "\0",
    "1" * 7_000,
    "-1",
    "9" * 23,
    "NaN",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "eyJ9",
    "WzFd",
    "bnVsbA",
    "\U0001f600",
    "%ff",
)


def routes(app: Any) -> Iterator[APIRoute]:
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield route


def filled(path: str, value: str) -> str:
    return re.sub(r"\{[^}]*\}", value, path)


@pytest.mark.parametrize("sort", list(BODIES))
async def test_no_body_breaks_a_route(sort: str, tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone("g-wang", "admin") as phone:
        asked = 0
        for route in routes(on.app):
            for method in sorted(route.methods - {"GET", "HEAD"}):
                for body in BODIES[sort]:
                    asked += await answered(phone, method, filled(route.path, "1"), body)
        assert asked > 100


async def answered(phone: Phone, method: str, path: str, body: bytes) -> int:
    answer = await phone.client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    if answer.status_code == 401:
        await phone.log_in("g-wang", "admin")
    assert answer.status_code < 500, (method, path, body[:40])
    return 1


async def test_no_address_breaks_a_route(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone("g-wang", "admin") as phone:
        for route in routes(on.app):
            if "GET" not in route.methods or route.path.endswith("/events"):
                continue
            told = [route.dependant, *route.dependant.dependencies]
            names = {each.alias for one in told for each in one.query_params} | {"cursor"}
            for value in ODD:
                written = value if value == "%ff" else quote(value, safe="")
                places = [filled(route.path, written)] if "{" in route.path and len(written) < 500 else []
                for where in [*places, *(f"{filled(route.path, '1')}?{name}={written}" for name in sorted(names))]:
                    answer = await phone.client.get(where)
                    assert answer.status_code < 500, where[:200]
