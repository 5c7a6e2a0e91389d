"""Figures over a period: intact rates, zone minutes, the protection map, predictability (`gateway/figures`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.door import needs
from api.access.scope import Part, part_seen
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, answer, at, page
from api.openapi import REFUSED
from api.openapi import figures as shown
from api.ports import GatewayPort
from api.problems import Denied
from gateway.figures import coverage, lamps, walks
from gateway.figures.coverage import camera_rates, zone_minutes
from gateway.figures.lamps import lamp_rates
from gateway.figures.predictability import nights, predictability
from gateway.figures.protection import PlaceProtection, first_hour, longest_gap, protection
from gateway.figures.timeline import Timeline
from gateway.instants import DAY, HOUR, Duration, Instant, moment
from gateway.journal.rows import Condition
from gateway.site.model import Site

Item = TypeVar("Item")

LONGEST_SPAN: Duration = 93 * DAY
"""A quarter, as it is assessed (DOMAIN.md §2)."""
LONGEST_MAP: Duration = 35 * DAY
"""A month, hour by hour."""

_WALKS_AT_ONCE = 20
"""Days of a checkpoint that are asked of the rules before the intake has its turn."""

_LAMPS = ("gateway", "lamp", "seat", "duty")
_CAMERAS = ("gateway", "camera")
_ZONES = ("gateway", "zone")


class Figures(msgspec.Struct, Generic[Item], frozen=True, kw_only=True, omit_defaults=True):
    """A part of a list of figures over [`since`, `until`)."""

    since: datetime
    until: datetime
    known_from: datetime | None
    hours: int = 0
    items: Sequence[Item]
    next: str | None


class Asked:
    """The period that was asked for: without `since` the 7 days before `until`, without `until` up to what has been judged.

    Raises:
        Denied: 422, no such period, or too long a one.
    """

    def __init__(self, gateway: GatewayPort, since: str | None, until: str | None, longest: Duration) -> None:
        judged = gateway.judgement.now
        begin, end = at(since, "since"), at(until, "until")
        self.until = judged if end is None else end
        self.since = min(self.until, judged) - 7 * DAY if begin is None else begin
        if not self.since <= self.until <= self.since + longest:
            most = f"at most {longest // DAY} days later"
            raise Denied(422, f"until: expected a time after `since`, {most}.", "invalid")
        self.until = max(min(self.until, judged), self.since)


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/lamps/intact`, `/cameras/intact`, `/zones/minutes`, `/protection` and `/checkpoints/predictability`.

    To be called before what answers `/lamps/{id}` and the like.
    """
    site = gateway.site

    async def over(
        seen: Part, kinds: Sequence[str], asked: Asked, reckon: Callable[[Timeline], Sequence[Item]]
    ) -> Figures[Item]:
        timeline, items = await reckon_over(seen.gateway, kinds, asked.since, asked.until, reckon)
        return _figures(site, timeline, items)

    @app.get(
        "/api/v1/lamps/intact",
        tags=["figures"],
        responses=shown("LampRate"),
        dependencies=[needs("estate", scoped=True)],
    )
    async def read_lamps_intact(
        request: Request,
        *,
        since: Moment = None,
        until: Moment = None,
        by: lamps.By = "site",
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Intact rate (完好率) of lamps in [`since`, `until`), of each lamp, circuit, floor (place), building or the site."""
        asked = Asked(gateway, since, until, LONGEST_SPAN)
        seen = part_seen(request)
        found = await over(seen, _LAMPS, asked, lambda timeline: lamp_rates(seen.site, timeline, by))
        return _answer(request, found, lambda item: item.id or "", cursor, limit)

    @app.get(
        "/api/v1/cameras/intact",
        tags=["figures"],
        responses=shown("CameraRate"),
        dependencies=[needs("estate", scoped=True)],
    )
    async def read_cameras_intact(
        request: Request,
        *,
        since: Moment = None,
        until: Moment = None,
        by: coverage.By = "site",
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Intact rate of cameras in [`since`, `until`), of each camera, zone, place or the site."""
        asked = Asked(gateway, since, until, LONGEST_SPAN)
        seen = part_seen(request)
        found = await over(seen, _CAMERAS, asked, lambda timeline: camera_rates(seen.site, timeline, by))
        return _answer(request, found, lambda item: item.id or "", cursor, limit)

    @app.get("/api/v1/zones/minutes", tags=["figures"], responses=shown("ZoneMinutes"), dependencies=[needs("estate")])
    async def read_zone_minutes(
        request: Request,
        *,
        since: Moment = None,
        until: Moment = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Minutes of each zone covered, degraded, blind and unknown in [`since`, `until`)."""
        asked = Asked(gateway, since, until, LONGEST_SPAN)
        found = await over(part_seen(request), _ZONES, asked, lambda timeline: zone_minutes(site, timeline))
        return _answer(request, found, lambda item: item.id, cursor, limit)

    @app.get(
        "/api/v1/protection",
        tags=["figures"],
        responses=shown("PlaceProtection") | REFUSED,
        dependencies=[needs("estate")],
    )
    async def read_protection(
        request: Request,
        *,
        since: Moment = None,
        until: Moment = None,
        place: Annotated[str | None, Query(max_length=200, description="Only this place.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Of every place, hour by hour: minutes blind, dark, unwalked, and all three at once, each with its unknown minutes.

        Whole local hours that overlap [`since`, `until`); the first begins at the answer's `since`.
        """
        if place is not None and place not in site.places:
            raise Denied(404, f"There is no place {place!r}.")
        asked = Asked(gateway, since, until, LONGEST_MAP)
        found = await protection_of(gateway, asked.since, asked.until, place)
        return _answer(request, found, lambda item: item.place, cursor, limit, found.hours)

    @app.get(
        "/api/v1/checkpoints/predictability",
        tags=["figures"],
        responses=shown("Predictability"),
        dependencies=[needs("evidence")],
    )
    async def read_predictability(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """How well an outsider could time the guard at each checkpoint, over the last 14 nights that are over."""
        spans = nights(site, gateway.judgement.now)
        begin, end = spans[0][0], spans[-1][1]
        walked = walks.read(await walked_days(gateway, begin, end))
        now = gateway.judgement.now
        timeline, items = await reckon_over(
            gateway, ("gateway",), begin, end, lambda _: predictability(site, walked, now)
        )
        return _answer(request, _figures(site, timeline, items), lambda item: item.checkpoint, cursor, limit)


async def protection_of(
    gateway: GatewayPort, since: Instant, until: Instant, place: str | None = None
) -> Figures[PlaceProtection]:
    """The protection map of whole local hours that overlap [since, until), of one place or all.

    Raises:
        Denied: 422, too much happened in that period.
    """
    site = gateway.site
    since = first_hour(site, since)
    hours = -(-(until - since) // HOUR)
    until = min(since + hours * HOUR, max(gateway.judgement.now, since))
    walked = walks.read(await walked_days(gateway, since - longest_gap(site), until))
    shown_site = site if place is None else _only(site, place)
    timeline, items = await reckon_over(
        gateway,
        (*_LAMPS, "zone", "patrol"),
        since,
        until,
        lambda timeline: protection(shown_site, timeline, walked, hours),
    )
    return msgspec.structs.replace(_figures(site, timeline, items), hours=hours)


async def reckon_over(
    gateway: GatewayPort,
    kinds: Sequence[str],
    since: Instant,
    until: Instant,
    reckon: Callable[[Timeline], Sequence[Item]],
) -> tuple[Timeline, Sequence[Item]]:
    """Read the conditions of a period and compute, in a thread: the intake goes on meanwhile."""
    rows = await gateway.archive.conditions(kinds, since, until)
    if rows is None:
        raise Denied(422, "until: too much happened in that period for one question; ask for a shorter one.", "invalid")

    def work(rows: Sequence[Condition]) -> tuple[Timeline, Sequence[Item]]:
        timeline = Timeline(rows, since, until)
        return timeline, reckon(timeline)

    return await asyncio.to_thread(work, rows)


async def walked_days(gateway: GatewayPort, since: Instant, until: Instant) -> list[Condition]:
    """Who walked where in [since, until): what is settled from the journal, the rest from the rules."""
    found = list(await gateway.archive.walks(since - since % DAY, until))
    for number, day in enumerate(
        walks.living(gateway.judgement.engine, max(since, gateway.judgement.history.walked_to), until)
    ):
        found.append(day)
        if number % _WALKS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return found


def _only(site: Site, place: str) -> Site:
    """The site with one place alone, and the zones that it lies in."""
    return msgspec.structs.replace(
        site,
        places={place: site.places[place]},
        checkpoints={each.id: each for each in site.checkpoints.values() if each.place == place},
        zones={each.id: each for each in site.zones.values() if f"{place}/".startswith(f"{each.place}/")},
    )


def _figures(site: Site, timeline: Timeline, items: Sequence[Item]) -> Figures[Item]:
    zone, known = site.zone_info, timeline.recorded_from()
    return Figures(
        since=moment(timeline.since, zone),
        until=moment(timeline.until, zone),
        known_from=None if known is None else moment(known, zone),
        items=items,
        next=None,
    )


def _answer(  # noqa: PLR0917
    request: Request,
    figures: Figures[Item],
    name: Callable[[Item], str],
    cursor: str | None,
    limit: int,
    hours: int = 0,
) -> Response:
    part = page(figures.items, lambda item: (name(item),), cursor, limit)
    return answer(request, msgspec.structs.replace(figures, items=part.items, next=part.next, hours=hours))
