"""When this night ends: the running shift's end, or the next morning."""

from __future__ import annotations

from datetime import timedelta

from api.ports import GatewayPort
from gateway.instants import Instant, instant, moment

MORNING = 8
"""The hour of the morning at which a night ends where no shift runs."""


def tonight(gateway: GatewayPort) -> Instant:
    """The end of the shift that runs now, the latest of several; else the next 08:00 by the site's clock."""
    now = gateway.now()
    ends = [shift.end for shift in gateway.judgement.alerts.duty.on(now)]
    if ends:
        return max(ends)
    local = moment(now, gateway.site.zone_info)
    morning = local.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return instant(morning if morning > local else morning + timedelta(days=1))
