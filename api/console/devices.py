"""Pages about devices: all of them with what is known of their life, clock and record; and one with what it said last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args
from urllib.parse import urlencode

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.roles import allowed
from api.answers import page
from api.console import room
from api.console.frame import Frame
from api.console.languages import chosen
from api.console.names import place_name
from api.console.observed import said_by
from api.ports import GatewayPort, LogRow
from api.problems import Denied
from api.resources.evidence import observation_shape, quarantine_shape
from gateway.alerts import lifecycle
from gateway.instants import SECOND, moment
from gateway.rules.findings import DeviceState
from gateway.site.model import Device, Site

SHOWN = 100
_OBSERVATIONS = 60
_BELOW = 100
_UNREAD_SEEN = 200
"""Of so many rows of the quarantine, the newest, those of the device are shown."""
_UNREAD = 20
_FAST_OR_SLOW = 60 * SECOND
"""A clock that is wrong by more is told (rounds.md, Clocks: `clock_corrected`)."""
_SAFE_LINKS = ("mqtt", "serial", "input", "discovery")
"""What of a link may be shown; an address may hold a password."""
_SIGNALS = ("rssi", "lqi", "snr", "linkquality")
_BATTERIES = ("battery", "battery_voltage")

Trouble = Literal["silent", "never", "clock", "disabled"]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
_RANK = {"offline": 0, "unknown": 1, "ok": 2, "disabled": 3}


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device as a row. `offset_s`: added to its clock; None: its clock was never measured, or it has none."""

    device: Device
    state: DeviceState
    place: str
    readers: bool
    offset_s: float | None
    complete_to: datetime | None


class Vital(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of a quantity among what a device said last."""

    quantity: str
    value: float
    unit: str
    at: datetime


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    state: str | None = None
    kind: str | None = None
    place: str | None = None
    trouble: Trouble | None = None
    find: str | None = None

    def query(self, **more: str) -> str:
        """As it stands in an address."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return urlencode({name: value for name, value in values.items() if value} | more)


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/devices` and `/devices/ID`."""
    site = gateway.site

    @app.get("/devices", include_in_schema=False, dependencies=[needs("estate")])
    async def devices_page(request: Request, cursor: str | None = None) -> Response:
        filters = _filters(request.query_params)
        states = gateway.judgement.engine.devices.devices()
        found = [state for state in states if _takes(gateway, filters, state)]
        part = page(found, lambda state: (_RANK[state.state], state.id), cursor, SHOWN)
        return frame.respond(
            request,
            "alone.html",
            inner="devices.html",
            rows=[device_row(gateway, state) for state in part.items],
            count=len(found),
            counts=Counter(state.state for state in states),
            filters=filters,
            kinds=sorted({device.kind for device in site.devices.values()}),
            places=[(place, place_name(site, place)) for place in site.places],
            troubles=TROUBLES,
            following=None if part.next is None else filters.query(cursor=part.next),
            first=cursor is None,
        )

    @app.get("/devices/{device_id:path}", include_in_schema=False, dependencies=[needs("estate")])
    async def device_page(request: Request, device_id: str) -> Response:
        device = site.devices.get(device_id)
        state = gateway.judgement.engine.devices.device(device_id)
        if device is None or state is None:
            raise Denied(404, f"There is no device {device_id!r}.")
        language = chosen(request, site.language)
        account = session_of(request).account
        sees = allowed(account.role, "evidence")
        rows = await gateway.archive.observations(device=device_id, limit=_OBSERVATIONS) if sees else []
        unread = [
            quarantine_shape(row, site.zone_info)
            for row in (await gateway.archive.quarantine(before=None, limit=_UNREAD_SEEN) if sees else [])
            if _is_of(device, row.source, row.topic)
        ]
        below = [each.id for each in site.devices.values() if device_id in each.parents]
        return frame.panel(
            request,
            "device.html",
            row=device_row(gateway, state),
            link={name: value for name, value in device.link.items() if name in _SAFE_LINKS},
            above=_above(site, device),
            states={each.id: each for each in gateway.judgement.engine.devices.devices()} if below else {},
            below=below[:_BELOW],
            more_below=max(0, len(below) - _BELOW),
            said=said_by(
                site,
                [
                    {
                        **observation_shape(row, site.zone_info, whole=account.knows_tags),
                        "at": moment(row.at, site.zone_info),
                    }
                    for row in rows
                ],
                language,
                named=account.may("names"),
            ),
            vitals=vitals(rows, site),
            alerts=[
                room.alert_row(site, alert, language)
                for alert in gateway.judgement.alerts.alerts()
                if alert.subject == device_id and alert.state in lifecycle.ACTIVE
            ],
            unread=unread[:_UNREAD],
            may_see=sees,
        )


def device_row(gateway: GatewayPort, state: DeviceState) -> DeviceRow:
    """A device with its clock and record, from memory."""
    site = gateway.site
    device = site.devices[state.id]
    record = gateway.judgement.engine.rounds.record(state.id)
    complete = record.complete() if record is not None and record.first_heard is not None else []
    return DeviceRow(
        device=device,
        state=state,
        place=place_name(site, device.place),
        readers=state.id in gateway.judgement.engine.devices.reader_ids,
        offset_s=_offset(gateway, state.id),
        complete_to=moment(min(complete[-1][1], gateway.now()), site.zone_info) if complete else None,
    )


def vitals(rows: Sequence[LogRow], site: Site) -> list[Vital]:
    """Battery and signal as a device said them last, of its newest observations."""
    found: dict[str, Vital] = {}
    for row in rows:
        said: Mapping[str, Any] = msgspec.json.decode(row.body)
        at = moment(row.at, site.zone_info)
        if row.kind == "measurement" and said.get("quantity") in (*_SIGNALS, *_BATTERIES):
            name = said["quantity"]
            found.setdefault(name, Vital(quantity=name, value=said["value"], unit=said.get("unit") or "", at=at))
        elif said.get("battery") is not None:
            found.setdefault("battery", Vital(quantity="battery", value=said["battery"], unit="%", at=at))
    return [found[name] for name in sorted(found)]


def _offset(gateway: GatewayPort, device: str) -> float | None:
    """What is added to a reader's clock, by its newest measure."""
    record = gateway.judgement.engine.rounds.record(device)
    if record is None or not record.own_clock or record.first_heard is None:
        return None
    measures = record.measures_at(gateway.now())
    return measures[-1][1] / SECOND if measures else None


def _takes(gateway: GatewayPort, filters: Filters, state: DeviceState) -> bool:
    device = gateway.site.devices[state.id]
    return (
        filters.state in {None, state.state}
        and filters.kind in {None, device.kind}
        and (filters.place is None or f"{device.place or ''}/".startswith(f"{filters.place}/"))
        and (filters.find is None or filters.find.casefold() in f"{device.id} {device.driver}".casefold())
        and _troubled(gateway, filters.trouble, state)
    )


def _troubled(gateway: GatewayPort, trouble: Trouble | None, state: DeviceState) -> bool:
    match trouble:
        case None:
            return True
        case "silent":
            return state.state == "offline" or (state.state == "unknown" and state.last_heard is not None)
        case "never":
            return state.last_heard is None and state.state != "disabled"
        case "clock":
            offset = _offset(gateway, state.id)
            return offset is not None and abs(offset) * SECOND > _FAST_OR_SLOW
        case "disabled":
            return state.state == "disabled"


def _filters(asked: Mapping[str, str]) -> Filters:
    given = {name: value for name in Filters.__struct_fields__ if (value := asked.get(name))}
    try:
        return msgspec.convert(given, Filters, strict=False)
    except msgspec.ValidationError as error:
        raise Denied(422, f"{error}.", "invalid") from error


def _above(site: Site, device: Device) -> list[str]:
    """What a device hangs below, nearest first, each once."""
    found: dict[str, None] = {}
    waiting = list(device.parents)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = None
        known = site.devices.get(name) or site.parents.get(name)
        waiting += known.parents if known is not None else ()
    return list(found)


def _is_of(device: Device, source: str, topic: str | bytes | None) -> bool:
    if device.id in {source, topic}:
        return True
    if not isinstance(topic, str):
        return False
    return f"/{device.id}/" in topic or any(
        f"/{value}/" in f"/{topic}/" for name, value in device.link.items() if name == "mqtt" and value
    )
