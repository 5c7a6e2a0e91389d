"""Lights and cameras as judged now: one table, a list and a single thing for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.access.scope import part_seen
from api.answers import DEFAULT_LIMIT, Cursor, Limit, answer, page
from api.openapi import REFUSED, many, one
from api.problems import Denied
from gateway.rules.engine import Engine
from gateway.rules.findings import Camera, Circuit, Lamp, Zone

Finding = Lamp | Circuit | Camera | Zone


class Kind(NamedTuple):
    """One kind of finding."""

    plural: str
    singular: str
    shape: str
    all: Callable[[Engine], Sequence[Finding]]
    one: Callable[[Engine, str], Finding | None]


KINDS = (
    Kind("lamps", "lamp", "Lamp", lambda rules: rules.lighting.lamps(), lambda rules, key: rules.lighting.lamp(key)),
    Kind(
        "circuits",
        "circuit",
        "Circuit",
        lambda rules: rules.lighting.circuits(),
        lambda rules, key: rules.lighting.circuit(key),
    ),
    Kind(
        "cameras",
        "camera",
        "Camera",
        lambda rules: rules.cameras.cameras(),
        lambda rules, key: rules.cameras.camera(key),
    ),
    Kind("zones", "zone", "Zone", lambda rules: rules.cameras.zones(), lambda rules, key: rules.cameras.zone(key)),
)


def add(app: FastAPI) -> None:
    """Add `/lamps`, `/circuits`, `/cameras` and `/zones`."""
    for kind in KINDS:
        _add(app, kind)


def _add(app: FastAPI, kind: Kind) -> None:
    path = f"/api/v1/{kind.plural}"

    async def read_all(
        request: Request, state: str | None = None, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> Response:
        engine = part_seen(request).gateway.judgement.engine
        found = [item for item in kind.all(engine) if state in {None, item.state}]
        return answer(request, page(found, lambda item: (item.id,), cursor, limit))

    async def read_one(request: Request, key: str) -> Response:
        found = kind.one(part_seen(request).gateway.judgement.engine, key)
        if found is None:
            raise Denied(404, f"There is no {kind.singular} {key!r}.")
        return answer(request, found)

    app.get(
        path,
        name=f"read_{kind.plural}",
        summary=f"All {kind.plural} as judged now; `state` keeps only those in it",
        tags=[kind.plural],
        responses=many(kind.shape),
        dependencies=[needs("estate", scoped=True)],
    )(read_all)
    app.get(
        path + "/{key:path}",
        name=f"read_{kind.singular}",
        summary=f"One {kind.singular} as judged now",
        tags=[kind.plural],
        responses=one(kind.shape) | REFUSED,
        dependencies=[needs("estate", scoped=True)],
    )(read_one)
