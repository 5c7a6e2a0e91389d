"""Pages about rounds: how each visit was judged and why."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.roles import allowed
from api.console.frame import Frame
from api.console.languages import Language, chosen
from api.console.names import checkpoint_name, person_name
from api.console.timeline import as_round, verdict_code
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.rounds import round_of
from gateway.explain.rounds import explain_round


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/rounds/ID`."""
    site = gateway.site

    @app.get("/rounds/{round_id:path}", include_in_schema=False, dependencies=[needs("rounds")])
    async def round_page(request: Request, round_id: str) -> Response:
        found = await round_of(gateway, round_id)
        if found is None:
            raise Denied(404, f"There is no round {round_id!r}.")
        named = allowed(session_of(request).account.role, "names")
        shown = as_round(found)
        reasons = _reasons(gateway, round_id, chosen(request, site.language), named=named)
        rows = [
            {
                "visit": visit,
                "code": verdict_code(visit),
                "name": checkpoint_name(site, visit.checkpoint),
                "deviation": deviation(visit.deviation_s),
                "person": person_name(site, visit.person, named=named),
                "reason": reasons.get(f"{round_id}#{visit.position}"),
            }
            for visit in shown.visits
        ]
        return frame.panel(request, "round.html", round=shown, rows=rows)


def _reasons(gateway: GatewayPort, round_id: str, language: Language, *, named: bool) -> dict[str, tuple[str, str]]:
    """Why each visit is judged as it is, in a sentence, with the rule; nothing of rounds that memory no longer holds."""
    found = explain_round(gateway.judgement, round_id, gateway.now(), named=named)
    if found is None:
        return {}
    return {part.id: (part.sentence.zh if language == "zh_CN" else part.sentence.en, part.rule) for part in found.parts}


def deviation(seconds: float | None) -> str | None:
    """A signed deviation as `+7:05`; `0:00` is exactly on time."""
    if seconds is None:
        return None
    whole = round(abs(seconds))
    sign = "+" if seconds > 0 and whole else "−" if whole else ""
    return f"{sign}{whole // 60}:{whole % 60:02}"
