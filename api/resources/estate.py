"""The site as it is defined: places, people, devices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.scope import part_seen
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Page, answer, page
from api.openapi import REFUSED, many, one
from api.ports import GatewayPort
from api.problems import Denied
from api.shapes import (
    CheckpointShape,
    DeviceShape,
    LampShape,
    PersonShape,
    PlaceShape,
    RouteShape,
    SiteShape,
    ZoneShape,
)
from gateway.instants import seconds
from gateway.rules.findings import DeviceState
from gateway.site.model import Device, Site


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/site`, `/places`, `/people` and `/devices`."""
    site = gateway.site
    shape = site_shape(site)
    places = [
        PlaceShape(id=place.id, name=place.name, key=place.key, daylight=place.daylight)
        for place in site.places.values()
    ]

    @app.get("/api/v1/site", tags=["site"], responses=one("SiteShape"), dependencies=[needs("rounds", scoped=True)])
    async def read_site(request: Request) -> Response:
        """The site as it is defined, or the part of it that the asker sees."""
        seen = part_seen(request)
        return answer(request, shape if seen.places is None else site_shape(seen.site))

    @app.get("/api/v1/places", tags=["site"], responses=many("PlaceShape"), dependencies=[needs("rounds", scoped=True)])
    async def read_places(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """The tree of places."""
        found = [place for place in places if place.id in part_seen(request).site.places]
        return answer(request, page(found, lambda place: (place.id,), cursor, limit))

    @app.get("/api/v1/people", tags=["site"], responses=many("PersonShape"), dependencies=[needs("estate")])
    async def read_people(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """People; their names only for those who need them to send somebody, their tags only for administrators."""
        account = session_of(request).account
        names, tags = account.may("names"), account.may("tags")
        people = [
            PersonShape(
                id=person.id,
                name=person.name if names else None,
                roles=person.roles,
                tags=person.tags if tags else None,
            )
            for person in site.people.values()
        ]
        return answer(request, page(people, lambda person: (person.id,), cursor, limit))

    @app.get("/api/v1/devices", tags=["devices"], responses=many("DeviceShape"), dependencies=[needs("estate")])
    async def read_devices(
        request: Request, state: str | None = None, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> Response:
        """All devices and when they were last heard."""
        states = {found.id: found for found in gateway.judgement.engine.devices.devices()}
        wanted = [
            device
            for device in site.devices.values()
            if state is None or state == (states[device.id].state if device.id in states else "unknown")
        ]
        part = page(wanted, lambda device: (device.id,), cursor, limit)
        shapes = [device_shape(device, states.get(device.id)) for device in part.items]
        return answer(request, Page(items=shapes, next=part.next))

    @app.get(
        "/api/v1/devices/{device_id:path}",
        tags=["devices"],
        responses=one("DeviceShape") | REFUSED,
        dependencies=[needs("estate")],
    )
    async def read_device(request: Request, device_id: str) -> Response:
        """One device."""
        device = site.devices.get(device_id)
        if device is None:
            raise Denied(404, f"There is no device {device_id!r}.")
        return answer(request, device_shape(device, gateway.judgement.engine.devices.device(device_id)))


def device_shape(device: Device, state: DeviceState | None) -> DeviceShape:
    """A device as defined, with its state as judged."""
    found: dict[str, Any] = {"state": "unknown", "cause": None, "since": None, "last_heard": None}
    if state is not None:
        since: datetime | None = state.since
        found = {"state": state.state, "cause": state.cause, "since": since, "last_heard": state.last_heard}
    return DeviceShape(
        id=device.id, driver=device.driver, kind=device.kind, place=device.place, parents=device.parents, **found
    )


def site_shape(site: Site) -> SiteShape:
    """The site without its secrets, settings and people."""
    return SiteShape(
        id=site.id,
        name=site.name,
        timezone=site.timezone,
        language=site.language,
        checkpoints=[
            CheckpointShape(id=item.id, place=item.place, reader=item.reader, two_person=item.two_person)
            for item in site.checkpoints.values()
        ],
        routes=[
            RouteShape(
                id=route.id,
                name=route.name or route.id,
                checkpoints=[visit.checkpoint for visit in route.visits],
                order=route.order,
                tolerance_s=seconds(route.tolerance),
                band_s=seconds(route.band),
            )
            for route in site.routes.values()
        ],
        circuits=list(site.circuits),
        lamps=[LampShape(id=lamp.id, place=lamp.place, circuit=lamp.circuit) for lamp in site.lamps.values()],
        zones=[
            ZoneShape(id=zone.id, place=zone.place, cameras=zone.cameras, need=zone.need)
            for zone in site.zones.values()
        ],
    )
