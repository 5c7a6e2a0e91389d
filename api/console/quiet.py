"""The page of silences and planned work: what stands, what is planned, what ended of late; and who is on duty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.console.frame import Frame
from api.console.languages import Language, chosen
from api.console.names import checkpoint_name, person_name, place_name, route_name
from api.ports import GatewayPort
from api.resources.tonight import tonight
from gateway.alerts import wording
from gateway.alerts.catalogue import CATALOGUE, rule_of
from gateway.alerts.reach import Target
from gateway.alerts.silences import AHEAD, LONGEST, NEVER_SILENT, Silence
from gateway.instants import DAY, MINUTE, instant, moment
from gateway.site.model import Site
from gateway.site.shifts import dated_shift

_ENDED_FOR = 7 * DAY
_ENDED_SHOWN = 50
_OFFERED = 500
"""So many things of each kind are offered by name; any other id may be typed."""
_NIGHTS = 7
_FORM: tuple[Target, ...] = ("place", "device", "lamp", "circuit", "zone", "checkpoint", "route", "parent", "site")


class QuietRow(msgspec.Struct, frozen=True, kw_only=True):
    """A silence or window in words."""

    item: Silence
    name: str
    rule: str | None


class DutyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One dated shift: who is on it, who leads it; `away`: who is not, though the calendar has him."""

    shift: str
    date: date
    since: datetime
    until: datetime
    running: bool
    people: Sequence[tuple[str, str, bool]]
    """(id, as shown, leads it)."""
    away: Sequence[str]


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/silences` and `/on-duty`."""
    site = gateway.site

    @app.get("/silences", include_in_schema=False, dependencies=[needs("alerts")])
    async def silence_page(request: Request) -> Response:
        language, now = chosen(request, site.language), gateway.now()
        standing = [quiet_row(site, item, language) for item in gateway.judgement.alerts.silences.standing()]
        standing.sort(key=lambda row: (row.item.state != "active", row.item.until, row.item.id))
        items = await gateway.archive.items("silence", now - LONGEST - _ENDED_FOR, now + AHEAD + 1)
        ended = [msgspec.convert(item, Silence) for item in items if item["state"] in {"ended", "cancelled"}]
        ended = [item for item in ended if now - instant(item.ended or item.until) <= _ENDED_FOR]
        ended.sort(key=lambda item: item.ended or item.until, reverse=True)
        return frame.respond(
            request,
            "alone.html",
            inner="silences.html",
            active=[row for row in standing if row.item.state == "active"],
            planned=[row for row in standing if row.item.state == "planned"],
            ended=[quiet_row(site, item, language) for item in ended[:_ENDED_SHOWN]],
            kinds=_FORM,
            offered=_offered(site, language),
            rules=[
                (rule, rule_of(rule).title_zh if language == "zh_CN" else rule_of(rule).title_en)
                for rule in CATALOGUE
                if rule not in NEVER_SILENT
            ],
            now=moment(now - now % MINUTE, site.zone_info),
            night=moment(tonight(gateway), site.zone_info),
        )

    @app.get("/on-duty", include_in_schema=False, dependencies=[needs("alerts")])
    async def duty_page(request: Request) -> Response:
        named = session_of(request).account.may("names")
        return frame.respond(
            request,
            "alone.html",
            inner="on_duty.html",
            nights=_nights(gateway, named=named),
            swaps=gateway.judgement.alerts.duty.swaps(),
            people=[(name, person_name(site, name, named=named)) for name in site.people],
            shown={name: person_name(site, name, named=named) for name in site.people},
        )


def quiet_row(site: Site, item: Silence, language: Language) -> QuietRow:
    """A silence or window in words of `language`."""
    rule = None
    if item.rule is not None:
        known = rule_of(item.rule)
        rule = known.title_zh if language == "zh_CN" else known.title_en
    return QuietRow(item=item, name=subject_name(site, item.on, item.subject, language), rule=rule)


def subject_name(site: Site, on: Target, subject: str, language: Language) -> str:
    """What a silence is about, as people call it."""
    match on:
        case "place":
            return place_name(site, subject)
        case "checkpoint":
            return checkpoint_name(site, subject)
        case "site":
            return site.name
        case "route":
            return route_name(site, subject)
        case "device" | "lamp" | "circuit" | "zone" | "parent":
            return wording.name(site, subject, language)


def _offered(site: Site, language: Language) -> Mapping[Target, Sequence[tuple[str, str]]]:
    """What can be silenced, by kind: (id, as people call it)."""
    sections: Mapping[Target, Iterable[str]] = {
        "place": site.places,
        "device": site.devices,
        "lamp": site.lamps,
        "circuit": site.circuits,
        "zone": site.zones,
        "checkpoint": site.checkpoints,
        "route": site.routes,
        "parent": site.parents,
        "site": [site.id],
    }
    return {
        on: [(subject, subject_name(site, on, subject, language)) for subject in islice(sections[on], _OFFERED)]
        for on in _FORM
    }


def _nights(gateway: GatewayPort, *, named: bool) -> list[DutyRow]:
    """The dated shifts of the coming week, the running ones first."""
    site, now = gateway.site, gateway.now()
    today = moment(now, site.zone_info).date()
    rows = []
    for days in range(-1, _NIGHTS):
        for shift in site.shifts.values():
            dated = dated_shift(site, shift, today + timedelta(days=days))
            if dated is None or dated.end <= now:
                continue
            real = gateway.judgement.alerts.duty.swapped(dated)
            rows.append(
                DutyRow(
                    shift=dated.shift,
                    date=dated.date,
                    since=moment(dated.start, site.zone_info),
                    until=moment(dated.end, site.zone_info),
                    running=dated.start <= now,
                    people=[
                        (name, person_name(site, name, named=named) or name, name in real.captains)
                        for name in real.people
                    ],
                    away=[
                        person_name(site, name, named=named) or name for name in dated.people if name not in real.people
                    ],
                )
            )
    return sorted(rows, key=lambda row: (not row.running, row.since, row.shift))
