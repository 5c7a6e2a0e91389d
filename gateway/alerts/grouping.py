"""When a notice may go out, so that a storm is few messages (alerts.md, Grouping).

Notices of one policy that arise within 10 s fall due together, and then at most once a minute; the outbox makes one
message a contact of what is due together. Critical ones, and those that name a cause (a switch, a panel, a circuit), do not
wait for others to gather: the first is due at once, then they go at most every 10 s, each sort by itself, so that a call for
help is heard at once, a storm is told within seconds, and either is still few messages.
"""

from __future__ import annotations

import msgspec

from gateway.instants import MINUTE, SECOND, Duration, Instant
from gateway.site.model import Severity

GATHER: Duration = 10 * SECOND
PAUSE: Duration = MINUTE


class Group(msgspec.Struct):
    """The latest message of one policy, gone or still gathering, and the latest of those that do not wait; None: none yet."""

    latest: Instant | None = None
    critical: Instant | None = None
    cause: Instant | None = None

    def due(self, at: Instant, severity: Severity, *, cause: bool = False) -> Instant:
        """When a notice that arises at `at` is due. Calls come in order of time.

        Args:
            at: when it arises.
            severity: of its alert.
            cause: it says that something failed from which others hang.
        """
        if severity == "critical":
            self.critical = _join(self.critical, at, gather=0, pause=GATHER)
            return self.critical
        if cause:
            self.cause = _join(self.cause, at, gather=0, pause=GATHER)
            return self.cause
        self.latest = _join(self.latest, at, gather=GATHER, pause=PAUSE)
        return self.latest


def _join(message: Instant | None, at: Instant, gather: Duration, pause: Duration) -> Instant:
    """The message this notice goes with: the gathering one, or a new one that keeps its distance from the last."""
    if message is None:
        return at + gather
    if message >= at:
        return message
    return max(at + gather, message + pause)
