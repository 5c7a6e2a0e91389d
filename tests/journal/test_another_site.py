"""Killed after somebody was told, then started with a mended site file: what it disproves is withdrawn, and nothing is left behind."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.alert import Action, Operation
from gateway.instants import MINUTE
from gateway.site.model import Alerting, Checkpoint, Contact, Device, Site, Step
from tests.phone.night import GATE, ROOF, ROUND, SIGNED, SUN, Clock, Night, night, signed, site

WRONG = ("04A1B2C3DFFFF1", "04A1B2C3DFFFF2")
INCOMPLETE = f"round_incomplete/{ROUND}/1"
POLICY = (Step(after=0, notify=("boss",)), Step(after=25 * MINUTE, notify=("chief",)))
ALERTING = Alerting(
    policies={"default": POLICY}, contacts={name: Contact(id=name, console=True) for name in ("boss", "chief")}
)


def estate(*, gate: str = GATE, roof: str = ROOF, **more: Any) -> Site:
    """The tags of two points as the site file has them."""
    tags = {"gate": gate, "roof": roof, "pump": SIGNED}
    points = {name: Checkpoint(id=name, place=name, tags=(tag,)) for name, tag in tags.items()}
    return site(checkpoints=points, alerting=ALERTING, digest=f"{gate} {roof} {sorted(more)}", **more)


async def walk(on: Night, *, until: str = "22:42") -> None:
    """All three points are walked in time; the last report comes at 22:40."""
    async with on.phone() as phone:
        on.at("21:40")
        await phone.begin()
        await phone.send()
        for at, tag in (("22:05", GATE), ("22:20", ROOF)):
            on.at(at)
            phone.tap(tag)
        on.at("22:40")
        phone.open(signed(3))
        await phone.send()
        on.at("22:52")
        await phone.send()
    await on.gateway.intake.drained()
    on.at(until)
    await on.gateway.intake.drained()


def cut_off(before: Path, after: Path) -> Path:
    """The data as a kill leaves them."""
    shutil.copytree(before, after)
    return after


async def last_snapshot(on: Night, at: str = "21:31") -> None:
    """A snapshot is stored now, and none after it."""
    on.gateway.intake.snapshot_due = lambda: True
    on.at(at)
    await on.gateway.intake.drained()
    on.gateway.intake.snapshot_due = lambda: False


async def kinds(on: Night, alert: str) -> list[tuple[str, str]]:
    await on.gateway.intake.drained()
    return await on.gateway.query("SELECT kind, contact FROM notice WHERE alert = ? ORDER BY seq", (alert,))


async def states(on: Night) -> dict[str, str]:
    """Of alerts, as the journal has them."""
    sql = "SELECT id, json_extract(CAST(body AS TEXT), '$.state') FROM finding WHERE kind = 'alert'"
    return dict(await on.gateway.query(sql))


async def steps(on: Night) -> Sequence[tuple[str, str]]:
    sql = "SELECT state, json_extract(CAST(body AS TEXT), '$.transition.why') FROM alert_transition WHERE alert = ? ORDER BY seq"
    return await on.gateway.query(sql, (INCOMPLETE,))


async def numbers(on: Night, position: int) -> Sequence[tuple[int, str]]:
    sql = "SELECT revision, verdict FROM visit_revision WHERE round = ? AND position = ? ORDER BY seq"
    return await on.gateway.query(sql, (ROUND, position))


@pytest.mark.parametrize("killed", [False, True])
async def test_whoever_was_told_hears_that_it_never_was(tmp_path: Path, *, killed: bool) -> None:
    data, clock = tmp_path / "d", Clock()
    async with night(data, estate(roof=WRONG[0]), clock) as on:
        if killed:
            await last_snapshot(on)
        await walk(on, until="22:55")
        assert on.verdicts()["roof"] == "missed"
        assert await states(on) == {INCOMPLETE: "open"}
        cut = cut_off(data, tmp_path / "k")
    for _ in range(2):
        async with night(cut if killed else data, estate(), clock) as on:
            on.at("23:20")
            await on.gateway.intake.drained()
            assert on.verdicts()["roof"] == "on_time"
            assert await states(on) == {INCOMPLETE: "retracted"}
            assert await kinds(on, INCOMPLETE) == [("raised", "boss"), ("retracted", "boss")]
            assert await numbers(on, 2) == [(1, "missed"), (2, "on_time")]
            alert = on.gateway.judgement.alerts.alert(INCOMPLETE)
            assert alert is not None
            assert alert.state == "retracted"


async def test_whoever_was_told_of_two_hears_of_the_one_that_never_was(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path / "d", estate(gate=WRONG[1], roof=WRONG[0]), clock) as on:
        await last_snapshot(on)
        await walk(on, until="22:55")
        cut = cut_off(tmp_path / "d", tmp_path / "k")
    async with night(cut, estate(roof=WRONG[0]), clock) as on:
        on.at("22:56")
        assert on.verdicts() == {"gate": "on_time", "roof": "missed", "pump": "on_time"}
        assert await states(on) == {INCOMPLETE: "open"}
        assert await kinds(on, INCOMPLETE) == [("raised", "boss"), ("corrected", "boss")]


async def test_whoever_was_told_just_before_the_kill_hears_it_too(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path / "d", estate(roof=WRONG[0]), clock) as on:
        await walk(on, until="22:52:30")
        await last_snapshot(on, "22:53")
        on.at("23:10")
        assert [contact for _, contact in await kinds(on, INCOMPLETE)] == ["boss", "chief"]
        cut = cut_off(tmp_path / "d", tmp_path / "k")
    async with night(cut, estate(), clock) as on:
        on.at("23:11")
        told = await kinds(on, INCOMPLETE)
        assert sorted(contact for kind, contact in told if kind == "retracted") == ["boss", "chief"]
        rows = "SELECT count(*) FROM alert_transition WHERE alert = ? AND state = 'retracted'"
        assert await on.gateway.query(rows, (INCOMPLETE,)) == [(1,)]


async def test_whoever_was_told_of_two_just_before_the_kill_hears_of_the_one_that_never_was(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path / "d", estate(gate=WRONG[1], roof=WRONG[0]), clock) as on:
        await walk(on, until="22:52:30")
        await last_snapshot(on, "22:53")
        on.at("23:10")
        assert [contact for _, contact in await kinds(on, INCOMPLETE)] == ["boss", "chief"]
        cut = cut_off(tmp_path / "d", tmp_path / "k")
    async with night(cut, estate(roof=WRONG[0]), clock) as on:
        on.at("23:11")
        told = await kinds(on, INCOMPLETE)
        assert sorted(contact for kind, contact in told if kind == "corrected") == ["boss", "chief"]


@pytest.mark.parametrize("steps", [("resolve",), ("resolve", "close")])
@pytest.mark.parametrize("both", [False, True])
async def test_of_one_that_a_person_had_ended_just_before_the_kill_they_hear_too(
    tmp_path: Path, steps: tuple[Action, ...], *, both: bool
) -> None:
    clock = Clock()
    async with night(tmp_path / "d", estate(gate=WRONG[1], roof=WRONG[0]), clock) as on:
        await last_snapshot(on)
        await walk(on, until="22:55")
        for step in steps:
            await on.gateway.operate(
                Operation(at=on.gateway.now(), by="boss", action=step, alert=INCOMPLETE, why="spoken to him")
            )
        cut = cut_off(tmp_path / "d", tmp_path / "k")
    for _ in range(2):
        async with night(cut, estate(roof=ROOF if both else WRONG[0]), clock) as on:
            on.at("22:56")
            told = await kinds(on, INCOMPLETE)
            assert [kind for kind, _ in told] == ["raised", "resolved", "retracted" if both else "corrected"]
            assert (await states(on))[INCOMPLETE] == ("retracted" if both and len(steps) == 1 else f"{steps[-1]}d")


async def test_a_call_for_help_by_a_device_that_is_no_longer_in_the_site_can_be_answered(tmp_path: Path) -> None:
    clock = Clock()
    sun = Device(id="sun", enabled=False, driver="ntag424", kind="phone", portable=True, own_clock=False, settings=SUN)
    button = Device(id="btn", driver="native", kind="sensor", place="gate")
    async with night(tmp_path / "d", estate(devices={"sun": sun, "btn": button}), clock) as on:
        await last_snapshot(on)
        at = on.at("22:10")
        body = f'{{"kind": "panic", "device": "btn", "at": "{at.isoformat()}", "active": true}}'
        on.gateway.intake.observe(body.encode(), on.gateway.now())
        await on.gateway.intake.drained()
        assert await states(on) == {"panic/btn/1": "open"}
        cut = cut_off(tmp_path / "d", tmp_path / "k")
    async with night(cut, estate(), clock) as on:
        on.at("22:12")
        await on.gateway.operate(Operation(at=on.gateway.now(), by="boss", action="ack", alert="panic/btn/1"))
        assert (await states(on))["panic/btn/1"] == "acknowledged"


@pytest.mark.parametrize("action", [None, "ack", "start", "resolve"])
async def test_a_change_that_concerns_nobody_who_was_told_tells_nothing(tmp_path: Path, action: Action | None) -> None:
    clock = Clock()
    async with night(tmp_path / "d", estate(gate=WRONG[1], roof=WRONG[0]), clock) as on:
        await last_snapshot(on)
        await walk(on, until="23:10")
        if action is not None:
            await on.gateway.operate(Operation(at=on.gateway.now(), by="boss", action=action, alert=INCOMPLETE))
        before = (await kinds(on, INCOMPLETE), await states(on), await numbers(on, 1), await steps(on))
        cut = cut_off(tmp_path / "d", tmp_path / "k")
    async with night(cut, estate(gate=WRONG[1], roof=WRONG[0], name="renamed"), clock) as on:
        on.at("23:11")
        assert (await kinds(on, INCOMPLETE), await states(on), await numbers(on, 1), await steps(on)) == before
