"""The page of people and tags: who is enrolled, tags that nobody knows, and enrolling by tapping."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.console.frame import Frame
from api.console.languages import Language, chosen
from api.console.names import checkpoint_name, place_name
from api.enrolments import TagShape, UnknownTag
from api.ports import GatewayPort
from api.resources.enrolment import enrolled_tags, unknown_tags
from gateway.alerts import wording

SHOWN = 50
"""Unknown tags on the page, the latest read first; the API lists all."""


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """A person with his tags. `here`: enrolled here, not by the site file. `phones`: devices made by his log-in."""

    id: str
    name: str
    roles: Sequence[str]
    tags: Sequence[TagShape]
    phones: Sequence[str]
    here: bool


class WallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint with its tags on the wall."""

    id: str
    name: str
    reader: str | None
    tags: Sequence[TagShape]


class UnknownRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that nobody knows, in words. `of`: whose it probably is, a person's (read at a fixed reader) or a checkpoint's."""

    tag: UnknownTag
    where: str
    of: str


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/people`."""
    site = gateway.site

    @app.get("/people", include_in_schema=False, dependencies=[needs("enrol")])
    async def people_page(request: Request) -> Response:
        language = chosen(request, site.language)
        tags = enrolled_tags(gateway, whole=session_of(request).account.may("tags"))
        people = [
            PersonRow(
                id=person.id,
                name=person.name,
                roles=person.roles,
                tags=[tag for tag in tags if tag.person == person.id],
                phones=[
                    device.id
                    for device in site.devices.values()
                    if device.kind == "phone" and device.settings.get("person") == person.id
                ],
                here=("person", person.id) in gateway.enrolled,
            )
            for person in site.people.values()
        ]
        walls = [
            WallRow(
                id=point.id,
                name=checkpoint_name(site, point.id),
                reader=point.reader,
                tags=[tag for tag in tags if tag.checkpoint == point.id],
            )
            for point in site.checkpoints.values()
        ]
        unknown = unknown_tags(gateway)
        return frame.respond(
            request,
            "alone.html",
            inner="people.html",
            people=sorted(people, key=lambda row: ("guard" not in row.roles, row.id)),
            walls=walls,
            unknown=[unknown_row(gateway, tag, language) for tag in unknown[:SHOWN]],
            more=max(0, len(unknown) - SHOWN),
            roles=("guard", "captain", "maintenance", "operator", "manager", "cleaner", "resident"),
        )


def unknown_row(gateway: GatewayPort, tag: UnknownTag, language: Language) -> UnknownRow:
    """A tag that nobody knows, in words."""
    site = gateway.site
    device = site.devices.get(tag.device)
    where = wording.name(site, tag.device, language)
    if tag.checkpoint is not None:
        where = checkpoint_name(site, tag.checkpoint)
    elif tag.place is not None:
        where = f"{place_name(site, tag.place)} · {where}"
    return UnknownRow(tag=tag, where=where, of="checkpoint" if device is not None and device.portable else "person")
