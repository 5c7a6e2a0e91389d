"""No person's name of the site file stands in any row of the chain: people are there by their ids, so that a name can be forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from api.commands.demo import Clock, demo_site, live_start, past
from api.simulated import estate_of
from device_drivers.simulation.live import SerialLine
from device_drivers.simulation.world import World
from gateway.alerts.alert import Operation
from gateway.instants import instant
from gateway.journal.chain import KINDS
from gateway.journal.store import connect_snapshot
from gateway.journal.verification import verify
from gateway.runtime import Gateway, utc_now
from gateway.site.model import Site

NIGHTS = 2


def handled(gateway: Gateway) -> list[Operation]:
    """What an operator does with the newest alert of each rule."""
    newest = {alert.rule: alert for alert in gateway.judgement.alerts.alerts(active=True)}
    return [
        Operation(at=gateway.now(), by="u-7k2m9q", action=action, alert=alert.id, why="seen to")
        for alert in newest.values()
        for action in ("ack", "start", "resolve")
        if alert.state == "open"
    ]


async def live_through(folder: Path, site: Site, clock: Clock) -> None:
    async with Gateway(site, folder, clock=clock.now) as gateway:
        await past(gateway, World(estate_of(site), clock.now(), 3, 2.4), clock, utc_now())
        for number, person in enumerate(site.people):
            at = utc_now()
            body = {"kind": "panic", "device": f"phone-{number}", "at": at, "person": person}
            gateway.intake.observe(msgspec.json.encode(body), instant(at))
        await gateway.intake.wake()
        for operation in handled(gateway):
            await gateway.operate(operation)
        await gateway.checkpoints.make("time")


@pytest.mark.slow
async def test_after_real_nights_no_name_of_a_person_stands_in_the_chain(tmp_path: Path) -> None:
    lines: dict[str, SerialLine] = {}
    site = demo_site(tmp_path, live_start(utc_now()), lines)
    start = (utc_now().astimezone(site.zone_info) - timedelta(days=NIGHTS)).replace(hour=12, minute=0)
    try:
        await live_through(tmp_path, site, Clock(start))
    finally:
        for line in lines.values():
            line.close()
    journal = connect_snapshot(tmp_path / "journal.db")
    found = verify(journal)
    assert found.intact
    assert min(found.rows["visit_revision"], found.rows["alert_transition"]) > 20
    names = [person.name for person in site.people.values()]
    assert len(names) > 5
    ids = 0
    for kind in KINDS:
        for row in journal.execute(f"SELECT {kind.select} FROM {kind.table}"):
            text = b"\n".join(value for value in row if isinstance(value, bytes)).decode("utf-8", "replace")
            assert not [name for name in names if name in text], (kind.table, row[0])
            ids += any(person in text for person in site.people)
    journal.close()
    assert ids > 20, "people do stand there, by their ids"
