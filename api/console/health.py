"""The page of the gateway's health: what is wrong and what to do, the journal, queues, links, disk, memory and versions."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.console.frame import Frame
from api.ports import GatewayPort
from gateway.instants import MINUTE, SECOND, Instant, moment
from gateway.vitals import COUNTED

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/health`."""
    zone = gateway.site.zone_info

    def at(instant: Instant | None) -> datetime | None:
        return None if instant is None else moment(instant, zone)

    @app.get("/health", include_in_schema=False, dependencies=[needs("health")])
    async def health_page(request: Request) -> Response:
        health, vitals = gateway.health(), await gateway.vitals()
        now = gateway.now()
        up = max(now - vitals.up_since, SECOND)
        counters = health.counters
        latest = await gateway.checkpoints.latest()
        return frame.respond(
            request,
            "alone.html",
            inner="health.html",
            ready=health.ready,
            problems=health.problems,
            vitals=vitals,
            at=at,
            size=size,
            up=timedelta(seconds=up // SECOND),
            commits=vitals.commits * MINUTE / up,
            messages=counters.get("intake_messages", 0) * MINUTE / up,
            counters=counters,
            links=sorted(gateway.links(), key=lambda link: (link.up, link.name)),
            devices=Counter(state.state for state in gateway.judgement.engine.devices.devices()),
            checkpoint=latest,
            counted=COUNTED,
            retain_days=vitals.retain // SECOND // 86400,
            full=round(100 - 100 * vitals.disk_free / max(vitals.disk_total, 1)),
        )


def size(count: int | None) -> str:
    """A number of bytes as people read it; None: unknown."""
    if count is None:
        return "?"
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < _STEP:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} {_UNITS[-1]}"
