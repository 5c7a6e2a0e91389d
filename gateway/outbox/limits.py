"""What of the notices due for a contact goes out now, what waits, and what is not told at all. Pure; all it knows are the journal's rows.

Quiet hours: what minor and warning alerts have to say waits until their end. A limit: beyond so many messages an hour what is
due waits until the oldest of them is an hour old, and then goes as one. Critical alerts, and notices that belong to no alert
(reports, duty checks), do neither and are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.instants import HOUR, Instant, instant, moment
from gateway.outbox.source import DueNotice, Held
from gateway.site.model import Contact

HUSHED = frozenset({"minor", "warning"})
"""Severities that quiet hours keep waiting."""
WINDOW = HOUR
"""`at_most` counts messages of this long."""
_ENDS = frozenset({"resolved", "merged", "retracted"})


class Plan(NamedTuple):
    """`send` as one message; `hold` each until an instant; `drop` for good. The words say why."""

    send: list[DueNotice]
    hold: list[tuple[DueNotice, Instant, Held]]
    drop: list[tuple[DueNotice, Held]]


def plan(
    notices: Sequence[DueNotice],
    contact: Contact,
    zone: ZoneInfo,
    now: Instant,
    *,
    sent: Sequence[Instant] = (),
    not_before: Instant | None = None,
) -> Plan:
    """What is to be done now with the notices due for a contact.

    Args:
        notices: in the order in which they fell due.
        contact: whose they are.
        zone: of the site's clock.
        now: the instant.
        sent: when messages that count were sent in the last hour, in order.
        not_before: until when the receiver asked to be left alone; only a critical notice that was never tried does not wait.
    """
    made = Plan([], [], [])
    until = None if contact.quiet is None else quiet_until(contact.quiet, zone, now)
    counted: list[DueNotice] = []
    for notice in notices:
        untold = _untold(notice)
        if untold is not None:
            made.drop.append((notice, untold))
        elif until is not None and notice.severity in HUSHED:
            made.hold.append((notice, until, "quiet"))
        elif (
            not_before is not None and now < not_before and not (notice.severity == "critical" and not notice.attempts)
        ):
            made.hold.append((notice, not_before, "asked"))
        elif counts(notice):
            counted.append(notice)
        else:
            made.send.append(notice)
    if contact.at_most is not None and len(sent) >= contact.at_most:
        free = sent[-contact.at_most] + WINDOW
        made.hold.extend((notice, free, "limit") for notice in counted)
    else:
        made.send.extend(counted)
    order = {notice.id: place for place, notice in enumerate(notices)}
    made.send.sort(key=lambda notice: order[notice.id])
    return made


def counts(notice: DueNotice) -> bool:
    """Whether a message with this notice counts towards `at_most`."""
    return notice.about is not None and notice.severity != "critical"


def quiet_until(quiet: tuple[time, time], zone: ZoneInfo, now: Instant) -> Instant | None:
    """The end of the quiet hours that `now` lies in; None: it lies in none. Clock times are the site's, over clock changes too."""
    local = moment(now, zone)
    for days in (-1, 0):
        begins = _at(local, days, quiet[0], zone)
        ends = _at(local, days + (quiet[1] <= quiet[0]), quiet[1], zone)
        if begins <= now < ends:
            return ends
    return None


def _at(local: datetime, days: int, clock: time, zone: ZoneInfo) -> Instant:
    day = local.date() + timedelta(days=days)
    return instant(datetime.combine(day, clock, tzinfo=zone))


def _untold(notice: DueNotice) -> Held | None:
    """Why a notice that was never tried is not told at all; None: it is."""
    if notice.attempts or notice.message is not None or notice.about is None or notice.told:
        return None
    if notice.kind == "retracted":
        return "never_told"
    if notice.withdrawn:
        return "withdrawn"
    if notice.kind in _ENDS:
        return None if notice.coming else "never_told"
    return "over" if notice.ended and notice.held == "quiet" else None
