"""Floor plans: what is where on them, and their images, served so that nothing in them can run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.answers import DEFAULT_LIMIT, Cursor, Limit, answer, page, tagged
from api.openapi import ERRORS, many
from api.ports import GatewayPort
from api.problems import Denied
from api.shapes import PlanShape, PlanSpot
from gateway.site.floor_plans import MAX_BYTES
from gateway.site.model import Plan

SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of an image opened as a page of its own: no script, no style, nothing fetched, an origin of its own (CSP3 §6.3.3)."""


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/plans` to the API, and the images at `/plans/PLACE`."""
    site = gateway.site
    shapes = [plan_shape(plan) for plan in site.plans.values()]

    @app.get("/api/v1/plans", tags=["site"], responses=many("PlanShape"), dependencies=[needs("estate")])
    async def read_plans(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Floor plans: the image of each, and what is where on it."""
        return answer(request, page(shapes, lambda plan: (plan.place,), cursor, limit))

    @app.get(
        "/plans/{key:path}",
        include_in_schema=False,
        dependencies=[needs("estate")],
        responses=ERRORS,
    )
    async def read_image(request: Request, key: str) -> Response:
        """A plan's image, of the type that its name said at start whatever is in it."""
        plan = site.plans.get(key)
        data = None if plan is None else await asyncio.to_thread(_read, plan)
        if plan is None or data is None:
            raise Denied(404, f"There is no plan of {key!r}.")
        response = tagged(request, data, plan.media_type)
        response.headers["Content-Security-Policy"] = SANDBOX
        response.headers["Content-Disposition"] = "inline"
        return response


def plan_shape(plan: Plan) -> PlanShape:
    """A plan as the API shows it."""
    spots: Sequence[PlanSpot] = [
        PlanSpot(kind=shape.kind, id=shape.id, points=[list(point) for point in shape.points]) for shape in plan.shapes
    ]
    return PlanShape(
        place=plan.place,
        image=image_address(plan),
        left=plan.left,
        top=plan.top,
        width=plan.width,
        height=plan.height,
        shapes=spots,
    )


def image_address(plan: Plan) -> str:
    """Where the console finds a plan's image."""
    return f"/plans/{quote(plan.place)}"


def _read(plan: Plan) -> bytes | None:
    """The image as it is on disk now; None if it is gone or has grown too large since the start."""
    try:
        with Path(plan.image).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_BYTES else None
