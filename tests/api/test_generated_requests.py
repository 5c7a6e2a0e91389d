"""Requests made from the OpenAPI document by Schemathesis against the served application: what it answers is what the document says."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import httpx
import pytest

from api.access.invitations import Invitations
from api.app import create_app
from api.server import listen, serve
from tests.api.fake_gateway import FakeGateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EXAMPLES = int(os.environ.get("LAMPLIGHTER_REQUESTS", "5"))
"""Made up for each route, beside those at the edges of what the document allows."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LEFT_OUT = r"/events$|/me/sessions|/me/password|/sign-out$"
"""A stream without an end, and what ends the session that asks."""


async def test_no_request_that_the_document_allows_is_answered_otherwise_than_it_says(tmp_path: Path) -> None:
    gateway, invitations = FakeGateway(), Invitations()
    app = create_app(gateway, invitations=invitations)
    listener = listen("127.0.0.1", 0)
    serving = asyncio.create_task(serve(app, listener))
    try:
        async with httpx.AsyncClient(base_url=listener.url) as client:
            token = invitations.login("chen", "admin", gateway.now())
            await client.get("/login/once", params={"token": token})
            session = client.cookies["lamplighter"]
        ran = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{listener.url}/openapi.json"),
            *("-H", f"Cookie: lamplighter={session}", "-H", f"Origin: {listener.url}"),
            *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--exclude-path-regex", LEFT_OUT),
            *(
                "--max-examples",
                str(EXAMPLES),
                "--seed",
                "2026",
                "--no-color",
                "--workers",
                "1",
                "--generation-with-security-parameters",
                "false",
            ),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await ran.communicate())[0].decode()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    tested = re.search(r"Tested: (\d+)", said)
    assert tested is not None, said
    assert int(tested[1]) > 100, said
    assert "401 Unauthorized" not in said, f"the session ended on the way: {said}"
    assert ran.returncode == 0, said
