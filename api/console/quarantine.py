"""The page of what could not be read: the bytes, why, and reading them again once the site file or a driver is mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.answers import row_cursor, write_cursor
from api.console.frame import Frame
from api.console.names import checkpoint_name
from api.ports import GatewayPort, QuarantineRow
from api.problems import Denied
from api.resources.duty_checks import body_of
from api.resources.evidence import GROUPED, quarantine_groups
from api.shapes import RereadWish
from gateway.instants import moment, parse_instant
from gateway.rereading import MOST
from gateway.site.model import Site

SHOWN = 50
_DUMPED = 512
_LINE = 16
_PRINTABLE = range(0x20, 0x7F)


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """One row as the page shows it: the first bytes as hexadecimal and as text, line by line."""

    row: QuarantineRow
    at: Any
    again_at: Any
    topic: str
    device: str | None
    driver: str | None
    size: int
    hexadecimal: str
    text: str


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/quarantine`."""
    site = gateway.site

    @app.get("/quarantine", include_in_schema=False, dependencies=[needs("evidence")])
    async def quarantine_page(
        request: Request, source: str | None = None, cursor: str | None = None, row: int | None = None
    ) -> Response:
        before = row_cursor(cursor)
        if row is not None:
            if not 0 < row < 1 << 62:
                raise Denied(422, "row: expected the number of a row.", "invalid")
            before = row + 1
        found = await gateway.archive.quarantine(before=before, source=source or None, limit=SHOWN + 1)
        owners = _owners(site)
        asked = {"source": source} if source else {}
        more = found[SHOWN - 1].seq if len(found) > SHOWN else None
        return frame.respond(
            request,
            "alone.html",
            inner="quarantine.html",
            rows=[_unread(site, owners, each) for each in found[:SHOWN]],
            groups=await quarantine_groups(gateway),
            grouped=GROUPED,
            source=source,
            meant=row,
            most=MOST,
            of_source=lambda name: urlencode({"source": name}),
            following=None if more is None else urlencode(asked | {"cursor": write_cursor((more,))}),
            first=before is None,
        )

    @app.post("/quarantine/effect", include_in_schema=False, dependencies=[needs("evidence")])
    async def effect(request: Request) -> Response:
        """What reading rows again would give, as a part of the page."""
        said = await body_of(request, RereadWish)
        if not 1 <= len(said.rows) <= MOST:
            raise Denied(422, f"rows: expected 1 to {MOST} rows.", "invalid")
        found = await gateway.rereadable(said.rows)
        return frame.respond(
            request,
            "quarantine_effect.html",
            found=found,
            place=lambda checkpoint: checkpoint_name(site, checkpoint),
            readable=[each.row for each in found.rows if each.outcome in {"read", "repeated"}],
            said=_said,
            at=lambda text: moment(parse_instant(text), site.zone_info),
        )


def _unread(site: Site, owners: Mapping[str, str], row: QuarantineRow) -> Unread:
    topic = row.topic.decode(errors="backslashreplace") if isinstance(row.topic, bytes) else row.topic or ""
    device = _owner(owners, row.source, topic)
    shown = row.payload[:_DUMPED]
    lines = [shown[start : start + _LINE] for start in range(0, len(shown), _LINE)]
    return Unread(
        row=row,
        at=moment(row.received, site.zone_info),
        again_at=None if row.again is None else moment(row.again.at, site.zone_info),
        topic=topic,
        device=device,
        driver=site.devices[device].driver if device is not None else None,
        size=len(row.payload),
        hexadecimal="\n".join(f"{number * _LINE:04x}  {line.hex(' ')}" for number, line in enumerate(lines)),
        text="\n".join("".join(chr(each) if each in _PRINTABLE else "·" for each in line) for line in lines),
    )


def _owners(site: Site) -> Mapping[str, str]:
    """By what stands in topics of a device: its id, and the name that its link has at the broker."""
    found = {name: name for name in site.devices}
    for device in site.devices.values():
        if topic := device.link.get("mqtt"):
            found.setdefault(topic, device.id)
    return found


def _owner(owners: Mapping[str, str], source: str, topic: str) -> str | None:
    """The device whose bytes these seem to be."""
    return next((owners[name] for name in (source, *_names(topic)) if name in owners), None)


def _names(topic: str) -> Iterator[str]:
    yield topic
    levels = topic.split("/")
    for length in range(len(levels), 0, -1):
        for start in range(len(levels) - length + 1):
            yield "/".join(levels[start : start + length])


def _said(observation: Mapping[str, Any]) -> str:
    return " · ".join(
        f"{name} {value}"
        for name, value in observation.items()
        if value is not None and name not in {"kind", "device", "at", "received", "tag"}
    )
