"""Wall-clock times of a zone as instants, where summer time makes some of them missing and some of them double."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from typing import NamedTuple

from gateway.instants import Instant, instant


class WallTime(NamedTuple):
    """What one local time means.

    Args:
        first: the instant; of a time that exists twice the earlier; of one that does not exist, moved forward by the gap.
        second: the later instant of a time that exists twice, else None.
        exists: False: the clock was put forward over it.
    """

    first: Instant
    second: Instant | None
    exists: bool


def wall_time(day: date, clock: time, zone: tzinfo) -> WallTime:
    """The instant or instants at which the clocks of `zone` show `clock` on `day` (rounds.md, The plan).

    The time zone data's own reading (PEP 495) is the spec's: before a gap the old offset goes on, so a missing time
    moves forward by the gap; of a double time fold 0 is the first, whatever fold `clock` has.
    """
    local = datetime.combine(day, clock.replace(fold=0), tzinfo=zone)
    first = local.astimezone(UTC)
    if local.utcoffset() == (folded := local.replace(fold=1)).utcoffset():
        return WallTime(instant(first), None, True)
    if first.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        return WallTime(instant(first), None, False)
    return WallTime(instant(first), instant(folded.astimezone(UTC)), True)
