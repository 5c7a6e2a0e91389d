"""Seven simulated nights through the real decoders, journal and judge, held against what was true."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api.commands import demo
from api.commands.demo import Clock, demo_site, history_start, live_start, past, walks_between
from api.resources.enrolment import unknown_tags
from api.simulated import estate_of
from device_drivers.simulation.live import SerialLine
from device_drivers.simulation.story import NEW_CARD
from device_drivers.simulation.world import World
from gateway.runtime import Gateway, utc_now
from gateway.site.enrolments import EnrolTag

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def test_no_round_is_left_out_between_the_past_and_the_story(folder: Path) -> None:
    site = demo_site(folder / "seam", live_start(utc_now()), lines := {})
    for line in lines.values():
        line.close()
    at = utc_now().replace(hour=12, minute=0, second=0, microsecond=0)
    whole = [walk.id for walk in walks_between(site, at, at + timedelta(days=1))]
    assert len(whole) > 5
    for minutes in range(0, 1440, 7):
        live = at + timedelta(minutes=minutes)
        parts = [*walks_between(site, at, live), *walks_between(site, live, at + timedelta(days=1))]
        assert [walk.id for walk in parts] == whole


@pytest.mark.parametrize("clock_time", ["now", "00:20"])
async def test_a_week_is_judged_as_it_was(tmp_path: Path, clock_time: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: dict[str, SerialLine] = {}
    ahead = timedelta(0)
    if clock_time != "now":
        local = utc_now().astimezone(ZoneInfo("Asia/Shanghai"))
        wanted = local.replace(hour=int(clock_time[:2]), minute=int(clock_time[3:]))
        ahead = wanted - local if wanted <= local else wanted - local - timedelta(days=1)
        monkeypatch.setattr(demo, "utc_now", lambda: utc_now() + ahead)
    folder = tmp_path
    now = utc_now() + ahead
    site = demo_site(folder, live_start(now), lines)
    clock = Clock(history_start(site, now))
    try:
        async with Gateway(site, folder, clock=clock.now) as gateway:
            world = World(estate_of(site), clock.now(), 1, 2.4)
            await past(gateway, world, clock, live_start(now))
            engine = gateway.judgement.engine
            ended = [
                each for each in engine.rounds.rounds() if each.end < now - timedelta(hours=1) and each.route != "live"
            ]
            slept = {walk for walk, conduct in world.truth.conduct.items() if conduct.sleeps}
            late = {walk for walk, conduct in world.truth.conduct.items() if conduct.late_s}
            strange = {walk for walk, conduct in world.truth.conduct.items() if conduct.card}
            assert len(slept) == len(late) == len(strange) == 1

            # nobody is accused who walked with a card that is known, and who slept is found
            missing = {each.id for each in ended if any(visit.verdict == "missed" for visit in each.visits)}
            assert missing == slept | strange
            # whose the card is, is said: what it read counts, and the accusation is taken back
            (unknown,) = unknown_tags(gateway)  # though one of the readers gives a byte more of it
            assert unknown.tag.endswith(NEW_CARD)
            await gateway.enrol(EnrolTag(tag=unknown.tag, person="g-sun"), "chen")
            assert unknown_tags(gateway) == []
            ended = [
                each
                for each in gateway.judgement.engine.rounds.rounds()
                if each.end < now - timedelta(hours=1) and each.route != "live"
            ]
            engine = gateway.judgement.engine
            assert {each.id for each in ended if each.verdict == "missed"} == slept
            assert {each.id for each in ended if any(visit.verdict == "missed" for visit in each.visits)} == slept
            assert {each.id for each in ended if any(visit.verdict == "late" for visit in each.visits)} == late

            alerts = {alert.rule: alert for alert in gateway.judgement.alerts.alerts() if alert.state != "retracted"}
            assert alerts["round_missed"].subject in slept
            assert alerts["lamp_failure"].state == alerts["circuit_fault"].state == "closed"
            assert alerts["zone_blind"].state == "closed"
            # the wand that came a day late: first nobody could know, then everything was on time
            retracted = [alert for alert in gateway.judgement.alerts.alerts() if alert.state == "retracted"]
            assert {alert.rule for alert in retracted if alert.subject in strange} == {"round_missed"}
            retracted = [alert for alert in retracted if alert.subject not in strange]
            assert {alert.rule for alert in retracted} == {"round_unverifiable"}
            for alert in retracted:
                handed_in = engine.rounds.round(alert.subject)
                assert handed_in is not None
                assert handed_in.verdict == "completed"
                assert all(visit.revision == 2 for visit in handed_in.visits)
            assert {lamp.state for lamp in engine.lighting.lamps()} <= {"ok", "off_duty", "unknown"}
            assert {zone.state for zone in engine.cameras.zones()} == {"covered"}
            # every fault had its order; where a reader hangs, the technician's tag proves that he came, and the sensor that it was mended
            orders = {order.rule: order for order in gateway.judgement.books["work_order"].recent()}  # type: ignore[attr-defined]
            assert set(orders) >= {"lamp_failure", "circuit_fault", "zone_blind"}
            assert {order.state for order in orders.values()} == {"closed"}
            assert all(order.repair.proved is not None for order in orders.values())
            assert orders["lamp_failure"].arrival.point == "cp-t1-lobby"
            assert orders["lamp_failure"].arrival.person == "m-liu"
            assert await gateway.archive.quarantine(limit=5) == []
            assert gateway.intake.counters.judge_failures == 0
            before = [(each.id, each.verdict, each.revision) for each in engine.rounds.rounds()]
            odd = "SELECT alert, kind FROM notice WHERE alert NOT LIKE 'report/%' AND NOT EXISTS (SELECT 1 FROM alert_transition AS row "
            odd += "WHERE row.alert = notice.alert AND row.at = notice.created)"
            assert await gateway.query(odd) == [], "each notice carries the time of the row that it tells"
            told = await gateway.query("SELECT count(*) FROM notice")
        # a restart is silent: the same verdicts, no alert and no notice anew
        async with Gateway(site, folder, clock=lambda: utc_now() + ahead) as gateway:
            after = [(each.id, each.verdict, each.revision) for each in gateway.judgement.engine.rounds.rounds()]
            assert [each for each in after if each in before] == before
            assert await gateway.query("SELECT count(*) FROM notice") == told
    finally:
        for line in lines.values():
            line.close()
