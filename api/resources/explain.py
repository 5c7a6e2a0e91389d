"""Why a thing is judged as it is: `/explain` below each thing that is judged, one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.roles import Right
from api.access.scope import part_seen
from api.answers import Moment, answer, at
from api.openapi import REFUSED, one
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.rounds import round_of
from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.circuits import explain_circuit
from gateway.explain.explanation import Explanation
from gateway.explain.lamps import explain_lamp
from gateway.explain.past import Kind as ExplainedKind
from gateway.explain.rounds import explain_gap, explain_round
from gateway.instants import Instant, parse_instant
from gateway.judgement import Judgement

Explain = Callable[[Judgement, str, Instant, bool], Explanation | None]
"""Of a judge, an id and the time now; whether people are named or given by id. None: memory holds no such thing."""


class Kind(NamedTuple):
    """One kind of thing that is explained. `right`: who may see the thing may see why."""

    plural: str
    singular: ExplainedKind
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
    async def read_why(request: Request, key: str, as_of: Moment = None) -> Response:
        """By what is known now, or (`as_of`) by what was known then. Rounds older than memory are judged again from what is stored."""
        named = session_of(request).account.may("names")
        seen = part_seen(request)
        now = gateway.now()
        known_at = at(as_of, "as_of")
        if known_at is not None and known_at > now:
            raise Denied(422, "as_of: expected a time that has been, not one to come.", "invalid")
        found = None if known_at is not None else kind.explain(gateway.judgement, key, now, named)
        if found is None and (known_at is not None or await _forgotten(gateway, kind, key)):
            found = await gateway.explain_past(kind.singular, key, now if known_at is None else known_at, named=named)
        found = seen.explained(found)
        if found is None:
            raise Denied(404, f"There {'is' if known_at is None else 'was'} no {kind.singular} {key!r}.")
        if kind.plural == "rounds":
            found = seen.explained(await with_revisions(gateway, found, now if known_at is None else known_at))
        return answer(request, found)

    app.get(
        f"/api/v1/{kind.plural}/{{key:path}}/explain",
        name=f"explain_{kind.singular}",
        summary=f"Why a {kind.singular} is judged as it is: rule, evidence, whose record is complete, in words and in data",
        tags=[kind.plural],
        responses=one("Explanation") | REFUSED,
        dependencies=[needs(kind.right, scoped=True)],
    )(read_why)


async def _forgotten(gateway: GatewayPort, kind: Kind, key: str) -> bool:
    """Whether it is a round that memory no longer holds (8 days after its evidence was due)."""
    return kind.plural == "rounds" and await round_of(gateway, key) is not None


async def with_revisions(gateway: GatewayPort, explanation: Explanation, known_at: Instant) -> Explanation:
    """A round's explanation with every verdict that each of its visits had had by then, as the journal has them."""
    kept = [row for row in await gateway.archive.revisions(explanation.id) if parse_instant(row["at"]) <= known_at]
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
