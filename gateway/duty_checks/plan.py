"""When a week's duty checks are due: random moments inside the windows, from the site's secret seed (spec: alerts.md, Duty checks).

Whoever has the seed can work a week out again; whoever has not learns from the published commitment that nobody chose the moments
afterwards. All draws are HMAC-SHA256 (key: the seed as UTF-8; message: `SITE|duty_check|CHECK|WEEK|PURPOSE`), of which the first 8 bytes count
as a big-endian number.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256

import msgspec

from gateway.instants import MINUTE, Instant, moment
from gateway.site.clocks import wall_time
from gateway.site.model import DutyCheck, Site

NIGHTS = 7
"""A week has so many windows; a check falls into each at most once."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One check to come: when it is due, and at which post."""

    at: Instant
    post: str


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What a commitment was made of: with it anyone can compute the hash again. `moments`: local time with offset, and the post."""

    site: str
    check: str
    week: str
    moments: tuple[tuple[str, str], ...]
    salt: str


def week_of(day: date) -> str:
    """The ISO week of a date, such as `2026-W48`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def monday_of(day: date) -> date:
    """The Monday of a date's week."""
    return day - timedelta(days=day.weekday())


def window(site: Site, check: DutyCheck, day: date) -> tuple[Instant, Instant]:
    """Both ends of the window that begins on `day`; an end not later than the beginning is the next day's."""
    zone = site.zone_info
    last = day if check.until > check.since else day + timedelta(days=1)
    return wall_time(day, check.since, zone).first, wall_time(last, check.until, zone).first


def night_of(site: Site, check: DutyCheck, at: Instant) -> date:
    """The date to which an instant belongs: within a window that one on which it began, else its own."""
    day = moment(at, site.zone_info).date()
    before = day - timedelta(days=1)
    return before if at < window(site, check, before)[1] else day


def plan_week(site: Site, check: DutyCheck, monday: date, seed: str) -> tuple[Planned, ...]:
    """The checks of the week that begins on `monday`, in order of time.

    Each falls into another night. It is due at a whole minute, so that telling the checker, his coming and the guard's answer all lie inside
    the window, and at least `apart` after the one before it.
    """
    week = week_of(monday)

    def draw(purpose: str) -> int:
        return int.from_bytes(_drawn(site, check.id, week, purpose, seed)[:8], "big")

    days = [monday + timedelta(days=number) for number in range(NIGHTS)]
    chosen = sorted(sorted(days, key=lambda day: (draw(f"night {day}"), day))[: check.per_week])
    planned: list[Planned] = []
    for day in chosen:
        start, end = window(site, check, day)
        first, last = start + check.told, end - check.checker_within - check.guard_within
        if planned:
            first = max(first, planned[-1].at + check.apart)
        room = max(last - first, 0) // MINUTE
        at = min(first, max(last, start)) + draw(f"minute {day}") % (room + 1) * MINUTE
        planned.append(Planned(at=at, post=check.posts[draw(f"post {day}") % len(check.posts)]))
    return tuple(planned)


def opened(site: Site, check: DutyCheck, monday: date, planned: Sequence[Planned], seed: str) -> Opened:
    """What the commitment to a week's plan is made of; to be kept secret until the week is over."""
    week = week_of(monday)
    return Opened(
        site=site.id,
        check=check.id,
        week=week,
        moments=tuple((moment(each.at, site.zone_info).isoformat(), each.post) for each in planned),
        salt=_drawn(site, check.id, week, "salt", seed).hex(),
    )


def commitment(value: Opened) -> str:
    """SHA-256 of what was committed to, as JSON with its keys in the order of `Opened`, without blanks."""
    return sha256(msgspec.json.encode(value)).hexdigest()


def fingerprint(site: Site, seed: str) -> str:
    """By which it shows that the seed is the same as in other weeks; it tells nothing else of it."""
    return hmac.digest(seed.encode(), f"{site.id}|duty_check|fingerprint".encode(), "sha256")[:8].hex()


def _drawn(site: Site, check: str, week: str, purpose: str, seed: str) -> bytes:
    return hmac.digest(seed.encode(), f"{site.id}|duty_check|{check}|{week}|{purpose}".encode(), "sha256")
