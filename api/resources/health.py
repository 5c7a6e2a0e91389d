"""Whether the gateway lives, is ready, and its numbers for Prometheus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

from api.access.door import Needs, needs
from api.openapi import ERRORS, one
from api.ports import GatewayPort
from api.resources.events import Feed
from api.shapes import ReadyShape

_NAME = re.compile(r"[^a-zA-Z0-9_:]")


def add(app: FastAPI, gateway: GatewayPort, feed: Feed) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    @app.get("/healthz", tags=["health"], response_class=PlainTextResponse)
    async def healthz() -> Response:
        """The process lives and answers. Open to everybody, and says nothing else."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz", tags=["health"], responses=one("ReadyShape"))
    async def readyz(request: Request) -> Response:
        """200 when evidence is taken and kept, 503 when not; with the reasons for those who may see them.

        A supervisor on the same machine needs no session: it is told `ready` or `not ready`, and nothing else.
        """
        health = gateway.health()
        session = request.state.session
        if session is None and _is_here(request):
            return PlainTextResponse(
                "ready\n" if health.ready else "not ready\n", status_code=200 if health.ready else 503
            )
        Needs("health").check(request)
        body = ReadyShape(ready=health.ready, problems=list(health.problems), links=list(gateway.links()))
        return Response(
            msgspec.json.encode(body), status_code=200 if health.ready else 503, media_type="application/json"
        )

    @app.get(
        "/metrics", tags=["health"], response_class=PlainTextResponse, responses=ERRORS, dependencies=[needs("health")]
    )
    async def metrics() -> Response:
        """The gateway's numbers in Prometheus' text format 0.0.4."""
        text = "\n".join(_lines(gateway, feed)) + "\n"
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _is_here(request: Request) -> bool:
    """Whether who asks is on this machine."""
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _lines(gateway: GatewayPort, feed: Feed) -> Iterator[str]:
    health = gateway.health()
    yield from _gauge("lamplighter_ready", "1 when evidence is taken and kept", [("", float(health.ready))])
    yield from _gauge("lamplighter_event_listeners", "Connected listeners of events", [("", float(feed.listeners))])
    links = [(f'link="{_label(link.name)}"', float(link.up)) for link in gateway.links()]
    yield from _gauge("lamplighter_link_up", "1 when a link is up", links)
    engine = gateway.judgement.engine
    for name, things in (
        ("lamps", [lamp.state for lamp in engine.lighting.lamps()]),
        ("circuits", [circuit.state for circuit in engine.lighting.circuits()]),
        ("cameras", [camera.state for camera in engine.cameras.cameras()]),
        ("zones", [zone.state for zone in engine.cameras.zones()]),
        ("devices", [device.state for device in engine.devices.devices()]),
    ):
        counted = [(f'state="{state}"', float(count)) for state, count in sorted(Counter(things).items())]
        yield from _gauge(f"lamplighter_{name}", f"How many {name} are in a state", counted)
    severities = Counter(alert.severity for alert in gateway.judgement.alerts.alerts(active=True))
    counted = [(f'severity="{severity}"', float(count)) for severity, count in sorted(severities.items())]
    yield from _gauge("lamplighter_active_alerts", "Alerts that are open, acknowledged or in progress", counted)
    for name, value in sorted(health.counters.items()):
        kind = "counter" if name.endswith("_total") else "gauge"
        full = f"lamplighter_{_NAME.sub('_', name)}"
        yield f"# TYPE {full} {kind}"
        yield f"{full} {value:.16g}"


def _gauge(name: str, text: str, values: list[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}."
    yield f"# TYPE {name} gauge"
    for labels, value in values:
        yield f"{name}{{{labels}}} {value:.16g}" if labels else f"{name} {value:.16g}"


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
