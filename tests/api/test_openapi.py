"""The OpenAPI document describes every route, and its examples are what the API gives."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import msgspec
import pytest

from api.openapi import EXAMPLES
from gateway.alerts.alert import Alert
from gateway.rules.findings import Camera, Circuit, Gap, Lamp, Round, Zone

SHAPES: dict[str, Any] = {
    "Round": Round,
    "Gap": Gap,
    "Lamp": Lamp,
    "Circuit": Circuit,
    "Camera": Camera,
    "Zone": Zone,
    "Alert": Alert,
}


@pytest.fixture
async def document(operator: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await operator.get("/openapi.json")).json()
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_an_example_is_of_its_shape(name: str) -> None:
    msgspec.convert(EXAMPLES[name], SHAPES[name])


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named <= set(schemas)
    assert {"Round", "Visit", "Alert", "Transition", "Observation", "ProblemShape"} <= named | set(schemas)


async def test_every_operation_says_what_it_does_and_answers(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("description") or operation.get("summary"), where
            answers = operation["responses"]
            assert {"200", "201", "204"} & set(answers), where
            if path.startswith("/api/v1/") and not path.endswith("/events"):
                assert "401" in answers or "409" in answers, where
            if method == "get" and path.startswith("/api/v1/") and "200" in answers:
                assert answers["200"]["content"], where


async def test_what_the_specification_names_is_there(document: dict[str, Any]) -> None:
    for name in [
        "site",
        "places",
        "people",
        "devices",
        "rounds",
        "gaps",
        "lamps",
        "circuits",
        "cameras",
        "zones",
        "alerts",
        "observations",
        "quarantine",
        "events",
    ]:
        assert f"/api/v1/{name}" in document["paths"]
    for action in ("ack", "start", "resolve", "close", "comment"):
        assert f"/api/v1/alerts/{{alert_id}}/{action}" in document["paths"]
