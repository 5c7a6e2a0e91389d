"""Makes each report when its period is over, keeps it as it was then, and tells those whom the site names."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import msgspec

from api.console.languages import say
from api.reports.document import Digest, Report
from api.reports.gather import gather
from api.reports.periods import KINDS, NoSuchPeriodError, Period, latest
from api.reports.tables import title
from gateway.alerts.wording import language_of
from gateway.instants import MINUTE, Duration, Instant, moment
from gateway.journal.notes import SigningError
from gateway.runtime import Gateway

SETTLE: Duration = 10 * MINUTE
"""A report is made so long after its period: the last taps are in, the last windows judged."""
_LOOK_S = 20.0


class ReportWorker:
    """Looks for periods that are over. A report is made once, also over restarts; after an outage the latest of each kind is made.

    Args:
        gateway: running.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.made = 0

    async def run(self) -> None:
        """Make reports until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> list[Report]:
        """Make what is due and not there yet."""
        gateway = self._gateway
        now = gateway.now()
        started = await gateway.query("SELECT value FROM meta WHERE key = 'started'")
        made: list[Report] = []
        for kind in KINDS:
            for due in latest(gateway.site, kind, now - SETTLE):
                if started and due.until > int(started[0][0]) and not await self._known(due):
                    try:
                        made.append(await self._make(due, now))
                    except NoSuchPeriodError as error:
                        gateway.problem("reports", f"reports: {error}")
                    else:
                        gateway.problem("reports", "")
        return made

    async def _digest(self) -> Digest | None:
        """The journal's chain, signed now; None while nothing can be signed: the report is made all the same."""
        try:
            made = await self._gateway.checkpoints.make("report")
        except SigningError:
            return None
        at = moment(made.at, self._gateway.site.zone_info)
        return Digest(size=made.size, root=b64encode(made.root).decode(), at=at, note=made.note)

    async def _known(self, due: Period) -> bool:
        return bool(await self._gateway.query("SELECT 1 FROM report WHERE id = ? LIMIT 1", (due.id,)))

    async def _make(self, due: Period, now: Instant) -> Report:
        """One transaction holds the report and what is to be sent."""
        gateway = self._gateway
        site = gateway.site
        report = await gather(site, gateway.archive, due, now, await self._digest())
        body = msgspec.json.encode(report)
        batch = gateway.intake.batch
        batch.statements.append(("INSERT OR IGNORE INTO report VALUES (?,?,?,?)", (due.id, now, due.kind, body)))
        for contact in site.reports.get(due.kind, ()):
            language = language_of(site, contact)
            heading = title(site, report, language)
            gateway.intake.append(
                "notice", f"report/{due.id}/{contact}", now, contact, f"report/{due.id}", "report", heading, told(report, language), now
            )  # fmt: skip
        await gateway.intake.wake()
        self.made += 1
        return report


def told(report: Report, language: str) -> str:
    """What a notice says of a report: its figures in a sentence."""
    lines = [
        say(
            "en" if language == "en" else "zh_CN",
            "report.notice",
            rounds=len(report.rounds),
            missed=report.visits.missed,
            unverifiable=report.visits.unverifiable,
            alerts=len(report.alerts),
            standing=len(report.standing),
            repairs=len(report.repairs),
        )
    ]
    if report.digest is not None:
        lines.append(
            say(
                "en" if language == "en" else "zh_CN", "report.digest", size=report.digest.size, root=report.digest.root
            )
        )
        lines += ["", report.digest.note] if report.digest.note else []
    return "\n".join(lines)
