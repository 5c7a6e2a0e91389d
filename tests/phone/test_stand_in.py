"""A guard is ill, and somebody stands in for him by word of the captain: what he walks counts, and his phone is awaited."""

from __future__ import annotations

from contextlib import closing
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from api.cli import main
from gateway.again import judged_again
from gateway.instants import instant
from gateway.journal.reader import Reader
from gateway.judgement import Judgement
from gateway.replay import replay_lines
from gateway.site.model import Route, Shift, Site
from tests.phone.night import GATE, ROOF, TEN, Clock, Night, Phone, night, site

SWAP = {"shift": "n", "date": "2026-11-25", "away": "g-wang", "instead": "g-li", "why": "ill"}


def strict(**route: Any) -> Site:
    """Wang is on duty every night, and the route takes nobody's tap but his."""
    visits = site().routes["r"].visits
    given = {"guards": ("g-wang",), "accept_others": False} | route
    shift = Shift(id="n", since=time(20), until=time(8), rotation=(("g-wang",),), first=date(2026, 1, 1))
    return site(shifts={"n": shift}, routes={"r": Route(id="r", visits=visits, **given)})


async def agree(boss: Phone, **said: Any) -> str:
    answer = await boss.client.post("/api/v1/duty/swaps", json=SWAP | said)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def walk(on: Night, guard: Phone) -> None:
    await guard.begin()
    for at, tag in (("22:05", GATE), ("22:20", ROOF)):
        on.at(at)
        guard.tap(tag)
        await guard.send()
    on.at("22:59")
    await guard.send()
    on.at("23:05")


def forget_state(data: Path) -> None:
    """The next start makes the rules' state anew from the log."""
    with closing(apsw.Connection(str(data / "journal.db"))) as journal:
        journal.execute("UPDATE snapshot SET format = '0'")


async def test_his_taps_count_where_only_named_guards_may_walk(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path, strict(), clock) as on, on.phone(None, "admin") as boss, on.phone("g-li") as li:
        assert (await li.plan())["rounds"] == []
        await agree(boss)
        (shown,) = (await li.plan())["rounds"]
        assert shown["id"].startswith("r@2026-11-25")
        await walk(on, li)
        assert on.verdicts() == {"gate": "on_time", "roof": "on_time", "pump": "missed"}
        assert on.visit("gate").marks == ()
    forget_state(tmp_path)
    async with night(tmp_path, strict(), clock) as on:
        assert on.verdicts() == {"gate": "on_time", "roof": "on_time", "pump": "missed"}


async def test_what_was_agreed_after_the_walk_counts_and_what_is_off_does_not(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path, strict(), clock) as on, on.phone(None, "admin") as boss, on.phone("g-li") as li:
        await walk(on, li)
        assert [each.reason for each in on.gateway.judgement.engine.rounds.unmatched()] == ["wrong_guard"] * 2
        swap = await agree(boss)
        assert on.verdicts()["gate"] == on.verdicts()["roof"] == "on_time"
        assert not list(on.gateway.judgement.engine.rounds.unmatched())
        answer = await boss.client.post(f"/api/v1/duty/swaps/{swap}/cancel", json={"why": "a mistake"})
        assert answer.status_code == 200
        on.at("23:06")
        reasons = [each.reason for each in on.gateway.judgement.engine.rounds.unmatched()]
        assert reasons == ["wrong_guard"] * 2
        said = on.verdicts()
    forget_state(tmp_path)
    async with night(tmp_path, strict(), clock) as on:
        assert on.verdicts() == said
        assert [each.reason for each in on.gateway.judgement.engine.rounds.unmatched()] == reasons


@pytest.mark.parametrize("restarted", [False, True])
async def test_his_phone_is_awaited_though_it_was_heard_last_on_his_own_night(tmp_path: Path, restarted: bool) -> None:
    others = strict(guards=(), accept_others=True)
    shift = Shift(id="n", since=time(20), until=time(8), rotation=(("g-li",), ("g-wang",)), first=date(2026, 11, 25))
    clock, which = Clock(), site(shifts={"n": shift}, routes=others.routes)

    def step(on: Night, hours: float) -> None:
        clock.time = TEN + timedelta(days=1, hours=hours)
        on.gateway.intake.tick(on.gateway.now())

    def verdicts(on: Night) -> set[str]:
        found = on.gateway.judgement.engine.rounds.round("r@2026-11-26T22:00+08:00")
        assert found is not None
        return {each.verdict for each in found.visits}

    async with night(tmp_path, which, clock) as on, on.phone("g-wang") as wang, on.phone("g-li") as li:
        on.at("21:40")
        await wang.begin()
        await wang.send()
        await li.begin()
        await li.send()
        step(on, -2)
        async with on.phone(None, "admin") as boss:
            await agree(boss, date="2026-11-26")
        for hours in (0.5, 0.98):
            step(on, hours)
            await wang.log_in("g-wang")
            await wang.send()
        step(on, 1.1)
        if not restarted:
            assert verdicts(on) == {"pending"}
    if restarted:
        async with night(tmp_path, which, clock) as on:
            step(on, 1.2)
            assert verdicts(on) == {"pending"}


async def test_what_was_agreed_weeks_before_counts_also_when_the_state_is_made_anew_from_the_log(
    tmp_path: Path,
) -> None:
    clock = Clock()
    evening = clock.time
    clock.time -= timedelta(days=30)
    async with night(tmp_path, strict(), clock) as on, on.phone(None, "admin") as boss:
        await agree(boss)
    clock.time = evening
    async with night(tmp_path, strict(), clock) as on, on.phone("g-li") as li:
        await walk(on, li)
        clock.time = evening + timedelta(hours=15)
        on.gateway.intake.tick(on.gateway.now())
        said = on.verdicts()
        assert said["gate"] == said["roof"] == "on_time"
    forget_state(tmp_path)
    async with night(tmp_path, strict(), clock) as on:
        assert on.verdicts() == said
        enrolled = on.gateway.judgement.site
    with closing(Reader(tmp_path / "journal.db")) as reader:
        since, until = instant(evening), instant(clock.time)
        started = instant(evening - timedelta(days=30))
        again = judged_again(enrolled, reader, started=started, since=since, until=until)
        (round_,) = again.engine.rounds.rounds(since, until)
        assert {each.checkpoint: each.verdict for each in round_.visits} == said


async def test_his_phone_shows_the_last_round_of_his_shift_until_it_ends_though_the_shift_is_over(
    tmp_path: Path,
) -> None:
    shift = Shift(id="n", since=time(20), until=time(22, 30), rotation=(("g-wang",),), first=date(2026, 1, 1))
    which = msgspec.structs.replace(strict(), shifts={"n": shift})
    async with night(tmp_path, which) as on, on.phone(None, "admin") as boss, on.phone("g-li") as li:
        await agree(boss)
        for at in ("22:29", "22:31"):
            on.at(at)
            assert "r@2026-11-25T22:00+08:00" in [each["id"] for each in (await li.plan())["rounds"]], at


async def test_an_export_of_one_night_has_the_swaps_that_were_agreed_before_and_replay_judges_by_them(
    tmp_path: Path,
) -> None:
    clock = Clock()
    evening = clock.time
    clock.time -= timedelta(days=2)
    async with night(tmp_path, strict(), clock) as on, on.phone(None, "admin") as boss:
        mistake = await agree(boss)
        await boss.client.post(f"/api/v1/duty/swaps/{mistake}/cancel", json={"why": "a mistake"})
        await agree(boss)
        wrong = await agree(boss, date="2026-11-26")
    clock.time = evening
    async with night(tmp_path, strict(), clock) as on, on.phone(None, "admin") as boss, on.phone("g-li") as li:
        await walk(on, li)
        await boss.client.post(f"/api/v1/duty/swaps/{wrong}/cancel", json={"why": "he is well again"})
        said, enrolled = on.verdicts(), on.gateway.judgement.site
        standing = [each.date for each in on.gateway.judgement.alerts.duty.swaps()]
    out = tmp_path / "night.jsonl"
    since = (evening - timedelta(hours=1)).isoformat()
    assert main(["export", "--data", str(tmp_path), "--from", since, "--output", str(out)]) == 0
    judges: list[Judgement] = []

    def kept(judgement: Judgement, *_: object) -> None:
        judges.append(judgement)

    document = replay_lines(enrolled, out.read_bytes().splitlines(), explain=kept).document
    (shown,) = (each for each in document["rounds"] if each.id.startswith("r@2026-11-25"))
    assert {each.checkpoint: each.verdict for each in shown.visits} == said
    assert [each.date for each in judges[0].alerts.duty.swaps()] == standing == [date(2026, 11, 25)]
