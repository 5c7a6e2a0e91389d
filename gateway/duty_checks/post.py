"""What the rules know of a post: its taps, and where every reader that would have heard a tap there has a complete record."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.duty_checks.outcome import PostTap, Seen
from gateway.instants import DAY, Duration, Instant
from gateway.rules.engine import Engine
from gateway.rules.points import STRAY
from gateway.rules.records import Record
from gateway.rules.taps import Tap
from gateway.rules.witnesses import known
from gateway.site.model import Site

RECENTLY: Duration = 7 * DAY
"""A portable reader heard so long before a check may have been used at a post with wall tags (as rounds.md, Witnesses)."""


def look(site: Site, engine: Engine, post: str, first: Instant, last: Instant) -> Seen:
    """What is known of a post in [first, last]. Reads only; judges nothing."""
    rounds = engine.rounds
    witnesses = list(_witnesses(site, engine, post, last))
    taps: list[PostTap] = []
    doubts: list[Instant] = []
    for tap in rounds.point(post).taps_between(first - STRAY, last + STRAY):
        taps.append(_post_tap(tap))
        times = taps[-1].times
        if not tap.measured and not any(first <= time <= last for time in times):
            doubts.append(min(max(times[0], first), last))  # by a clock never measured it may have been then
    doubts += [loose.at for _, loose in rounds.strays(post) if first <= loose.at <= last]
    return Seen(
        taps=taps,
        complete=known(witnesses, first, last),
        cause=_cause(engine, witnesses, first, last),
        doubts=tuple(sorted(doubts)),
        elsewhere=[
            _post_tap(tap)
            for other in site.checkpoints
            if other != post
            for tap in rounds.point(other).taps_between(first, last)
        ],
    )


def _post_tap(tap: Tap) -> PostTap:
    times = tuple(sorted({moment.time for moment in tap.moments}))
    return PostTap(times=times, person=tap.person, key=tap.moments[0].read.key(tap.device))


def _witnesses(site: Site, engine: Engine, post: str, last: Instant) -> Iterator[Record]:
    """Its fixed reader; of wall tags every portable reader heard of late: any of them may have read one."""
    place = site.checkpoints[post]
    record = engine.rounds.record(place.reader) if place.reader is not None else None
    if record is not None:
        yield record
    if place.tags:
        for device in site.devices.values():
            if device.portable and device.enabled:
                record = engine.rounds.record(device.id)
                if record is not None and record.heard_between(last - RECENTLY, last + RECENTLY):
                    yield record


def _cause(engine: Engine, witnesses: list[Record], first: Instant, last: Instant) -> str:
    if any(low < last and first < high for low, high in engine.rounds.downs):
        return "gateway_down"
    if not witnesses or all(record.first_heard is None for record in witnesses):
        return "no_reader"
    if any(record.link_down for record in witnesses):
        return "reader_offline"
    return "reader_gap"
