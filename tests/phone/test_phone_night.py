"""How a night with a phone is judged: what was tapped without a network counts with its time; what nobody can know accuses nobody."""

from __future__ import annotations

import copy
from datetime import date, time, timedelta
from pathlib import Path

import msgspec
import pytest

from gateway.site.model import Shift
from tests.phone.night import GATE, ROOF, Clock, night, signed, site


async def test_a_tap_by_address_arrives_in_the_journal_and_serves_the_visit(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        await phone.begin()
        on.at("22:04")
        phone.open(f"https://watch.example/t/{GATE}")
        said = await phone.send()
        assert (said["taken"], said["unread"]) == (1, 0)
        assert said["taps"] == [{"seq": 1, "checkpoint": "gate", "name": "南门", "method": "nfc"}]
        (row,) = await on.gateway.archive.observations(device=phone.device, kind="tag_read", limit=9)
        assert (row.boot, row.n) == ("q1", 1)
        visit = on.visit("gate")
        assert (visit.verdict, visit.person, visit.marks) == ("on_time", "g-wang", ())


async def test_fifty_minutes_without_a_network_and_back_is_on_time_with_the_times_of_the_taps(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        on.at("21:58")
        await phone.begin()
        await phone.send()
        for at, tag in (("22:04:10", GATE), ("22:21:30", ROOF)):
            on.at(at)
            phone.tap(tag)
        on.at("22:48")
        assert on.verdicts() == {"gate": "pending", "roof": "pending", "pump": "pending"}
        await phone.send()
        visit = on.visit("roof")
        assert (visit.verdict, visit.deviation_s, visit.marks) == ("on_time", 90, ())
        assert on.verdicts() == {"gate": "on_time", "roof": "on_time", "pump": "pending"}
        on.at("22:51")
        await phone.send()
        assert on.verdicts()["pump"] == "missed", "the phone was there all the time, and says that it has no more"


async def test_the_phone_of_whoever_stands_in_is_awaited_though_the_route_names_another(tmp_path: Path) -> None:
    calendar = Shift(id="n", since=time(20), until=time(8), rotation=(("g-wang",),), first=date(2026, 1, 1))
    route = msgspec.structs.replace(site().routes["r"], guards=("g-wang",))
    async with (
        night(tmp_path, site(shifts={"n": calendar}, routes={"r": route})) as on,
        on.phone("g-wang") as at_home,
        on.phone("g-li") as phone,
    ):
        on.at("21:41")
        for each in (at_home, phone):
            await each.begin()
            await each.send()
        on.at("22:05")
        phone.tap(GATE)
        on.at("22:59")
        await at_home.send()
        on.at("23:05")
        assert set(on.verdicts().values()) == {"pending"}
        assert on.gateway.judgement.alerts.alerts() == []
        await phone.send()
        assert on.verdicts()["gate"] == "on_time"


async def test_a_phone_that_never_comes_back_makes_nobody_miss_anything(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        on.at("21:58")
        await phone.begin()
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        on.at("23:30")
        assert set(on.verdicts().values()) == {"pending"}
        on.clock.time += timedelta(days=1, hours=2)
        on.gateway.intake.tick(on.gateway.now())
        assert set(on.verdicts().values()) == {"unverifiable"}
        assert {each.rule for each in on.gateway.judgement.alerts.alerts()} == {"round_unverifiable"}
        await phone.log_in("g-wang")
        await phone.send()
        assert on.verdicts()["gate"] == "on_time", "whenever it does come, what it kept counts"


async def test_handed_in_twice_is_once(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        await phone.begin()
        on.at("22:04")
        phone.tap(GATE)
        phone.queue.incident(phone.clock(), code="water", text="漏水")
        await phone.send(keep=True)
        on.at("22:06")
        await phone.send(keep=True)
        await phone.send()
        rows = await on.gateway.archive.observations(device=phone.device, limit=99)
        assert sorted(row.kind for row in rows if row.kind in {"tag_read", "incident"}) == ["incident", "tag_read"]
        assert on.visit("gate").deviation_s == -60
        assert [each["rule"] for each in await on.gateway.archive.alerts(None, 99)].count("incident") <= 1
        assert list(await on.gateway.archive.quarantine(before=None, limit=9)) == []


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_clock_wrong_by_three_hours_is_measured_and_corrected(tmp_path: Path, hours: int) -> None:
    async with night(tmp_path) as on, on.phone(ahead=timedelta(hours=hours)) as phone:
        on.at("21:58")
        await phone.begin()
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        on.at("22:47")
        await phone.send()
        visit = on.visit("gate")
        assert (visit.verdict, visit.deviation_s) == ("on_time", -60)
        assert "clock_corrected" in visit.marks
        on.at("22:52")
        await phone.send()
        assert on.verdicts()["roof"] == "missed", "both measures agree: what lies between them is known"


async def test_a_clock_that_was_set_in_the_basement_never_makes_a_wrong_missed(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        on.at("21:58")
        await phone.begin()
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        phone.ahead = timedelta(hours=3)
        on.at("22:22")
        phone.tap(ROOF)
        on.at("22:55")
        await phone.send()
        assert on.verdicts()["gate"] == "on_time"
        assert on.verdicts()["roof"] == "on_time"
        assert "clock_uncertain" in on.visit("roof").marks
        assert on.verdicts()["pump"] in {"pending", "unverifiable"}


async def test_a_queue_that_the_browser_deleted_makes_nobody_miss_anything(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        on.at("21:58")
        await phone.begin()
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        phone.queue = type(phone.queue)("q2")
        on.at("22:22")
        phone.tap(ROOF)
        await phone.send()
        on.at("22:56")
        await phone.send()
        assert on.verdicts()["roof"] == "on_time"
        assert on.verdicts()["gate"] == "pending", "nobody knows what was in the deleted queue"
        on.clock.time += timedelta(days=1, hours=2)
        on.gateway.intake.tick(on.gateway.now())
        assert on.verdicts()["gate"] == "unverifiable"


async def test_a_slow_network_is_no_wrong_clock(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        on.at("21:58")
        await phone.begin()
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        on.at("22:40:00")
        body = phone.queue.hand_over(phone.clock())
        on.at("22:40:40")
        await phone.client.post(
            "/api/v1/phone/records", content=body.replace(b"{", b'{"device":"%s",' % phone.device.encode(), 1)
        )
        on.at("22:40:41")
        await phone.send()
        on.at("22:52")
        await phone.send()
        assert on.visit("gate").marks == ()
        assert on.verdicts() == {"gate": "on_time", "roof": "missed", "pump": "missed"}


async def test_a_signed_tag_counts_by_its_counter_and_a_copy_of_it_is_told(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        await phone.begin()
        on.at("22:41")
        url = signed(7)
        phone.open(url)
        said = await phone.send()
        assert said["taps"][0]["method"] == "sun"
        assert (on.visit("pump").verdict, on.visit("pump").marks) == ("on_time", ())
        on.at("22:44")
        phone.open(url)
        await phone.send()
        rules = {each.rule for each in on.gateway.judgement.alerts.alerts()}
        assert "tag_cloned" in rules
        phone.open(url[:-1] + ("0" if url[-1] != "0" else "1"))
        said = await phone.send()
        assert (said["taken"], said["unread"]) == (1, 1)
        assert len(phone.queue) == 0, "the queue never sticks"
        (row,) = await on.gateway.archive.quarantine(before=None, limit=9)
        assert "MAC" in row.reason


async def test_a_call_for_help_goes_before_what_was_kept_and_is_critical(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        await phone.begin()
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        call = phone.queue.panic(phone.clock())
        await phone.send(only=[call])
        (alert,) = [each for each in on.gateway.judgement.alerts.alerts() if each.rule == "panic"]
        assert (alert.severity, alert.subject) == ("critical", phone.device)
        on.at("22:20")
        await phone.send()
        assert on.visit("gate").verdict == "on_time"
        on.at("22:52")
        await phone.send()
        assert on.verdicts()["roof"] == "missed", "no number is missing, so the record is complete"


async def test_a_signed_tap_that_came_before_its_keys_counts_once_it_is_read_again(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path, site(devices={}), clock) as on, on.phone() as phone:
        device = (await phone.begin())["device"]
        on.at("22:41")
        phone.open(signed(1))
        said = await phone.send()
        assert (said["taken"], said["unread"]) == (1, 1)
    async with night(tmp_path, site(), clock) as on:
        on.at("22:48")
        (row,) = await on.gateway.archive.quarantine(limit=9)
        shown = await on.gateway.rereadable([row.seq])
        assert [(each.outcome, each.new, each.device) for each in shown.rows] == [("read", 1, device)]
        await on.gateway.reread([row.seq], "u-chen")
        assert (on.visit("pump").verdict, on.visit("pump").person) == ("on_time", "g-wang")
        again = await on.gateway.reread([row.seq], "u-chen")
        assert [each.outcome for each in again.rows] == ["already"]


async def test_a_phone_that_gives_a_number_again_accuses_nobody_of_what_it_says_under_it(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        await phone.begin()
        await phone.send()
        stored = copy.deepcopy(phone.queue)
        on.at("21:40")
        phone.tap(ROOF)
        assert (await phone.send())["unread"] == 0
        phone.queue = stored
        on.at("22:05")
        phone.tap(GATE)
        said = await phone.send()
        assert (said["taken"], said["unread"], said["taps"]) == (1, 1, [])
        on.at("22:19")
        phone.tap(ROOF)
        await phone.send()
        on.at("22:52")
        await phone.send()
        assert on.verdicts()["roof"] == "on_time"
        assert on.visit("pump").verdict == "missed", "its numbers rise again"
        assert on.visit("gate").verdict != "missed"
        on.clock.time += timedelta(days=2)
        on.gateway.intake.tick(on.gateway.now())
        assert (on.visit("gate").verdict, on.visit("gate").cause) == ("unverifiable", "reader_gap")
        (row,) = await on.gateway.archive.quarantine(limit=9)
        assert "an earlier record" in row.reason
