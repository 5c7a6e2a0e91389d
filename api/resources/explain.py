"""Why a thing is judged as it is: `/explain` below each thing that is judged, one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.roles import Right, allowed
from api.answers import answer
from api.openapi import REFUSED, one
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.rounds import round_of
from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.explanation import Explanation
from gateway.explain.lighting import explain_circuit, explain_lamp
from gateway.explain.rounds import explain_gap, explain_round
from gateway.instants import Instant
from gateway.judgement import Judgement

Explain = Callable[[Judgement, str, Instant, bool], Explanation | None]
"""Of a judge, an id and the time now; whether people are named or given by id. None: memory holds no such thing."""

_FORGOTTEN = "memory_only"


class Kind(NamedTuple):
    """One kind of thing that is explained. `right`: who may see the thing may see why."""

    plural: str
    singular: str
    right: Right
    explain: Explain


KINDS: tuple[Kind, ...] = (
    Kind("rounds", "round", "rounds", lambda judge, key, now, named: explain_round(judge, key, now, named=named)),
    Kind("gaps", "gap", "rounds", lambda judge, key, now, named: explain_gap(judge, key, now, named=named)),
    Kind("lamps", "lamp", "estate", lambda judge, key, now, _: explain_lamp(judge, key, now)),
    Kind("circuits", "circuit", "estate", lambda judge, key, now, _: explain_circuit(judge, key, now)),
    Kind("cameras", "camera", "estate", lambda judge, key, now, _: explain_camera(judge, key, now)),
    Kind("zones", "zone", "estate", lambda judge, key, now, _: explain_zone(judge, key, now)),
)


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/{kind}/{id}/explain`. To be added before the things themselves, whose ids may hold `/`."""
    for kind in KINDS:
        _add(app, gateway, kind)


def _add(app: FastAPI, gateway: GatewayPort, kind: Kind) -> None:
    async def read_why(request: Request, key: str) -> Response:
        named = allowed(session_of(request).account.role, "names")
        found = kind.explain(gateway.judgement, key, gateway.now(), named)
        if found is None:
            raise await _missing(gateway, kind, key)
        if kind.plural == "rounds":
            found = await with_revisions(gateway, found)
        return answer(request, found)

    app.get(
        f"/api/v1/{kind.plural}/{{key:path}}/explain",
        name=f"explain_{kind.singular}",
        summary=f"Why a {kind.singular} is judged as it is: rule, evidence, whose record is complete, in words and in data",
        tags=[kind.plural],
        responses=one("Explanation") | REFUSED,
        dependencies=[needs(kind.right)],
    )(read_why)


async def _missing(gateway: GatewayPort, kind: Kind, key: str) -> Denied:
    if kind.plural == "rounds" and await round_of(gateway, key) is not None:
        return Denied(
            404,
            f"The round {key!r} is older than what memory holds (8 days after its evidence deadline): its verdicts are in "
            f"/api/v1/rounds, but why they are so can no longer be told from here.",
            _FORGOTTEN,
        )
    return Denied(404, f"There is no {kind.singular} {key!r}.")


async def with_revisions(gateway: GatewayPort, explanation: Explanation) -> Explanation:
    """A round's explanation with every verdict that each of its visits ever had, as the journal has them."""
    kept = await gateway.revisions(explanation.id)
    parts = tuple(
        msgspec.structs.replace(part, revisions=tuple(_shown(row) for row in kept if _part_of(row) == part.id))
        for part in explanation.parts
    )
    return msgspec.structs.replace(explanation, parts=parts)


def _part_of(row: Mapping[str, Any]) -> str:
    return f"{row['round']}#{row['position']}"


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A revision without what the explanation says already."""
    shown = {key: row[key] for key in ("revision", "at", "before", "verdict", "reason", "evidence")}
    return shown | {"cause": row["visit"]["cause"]}
