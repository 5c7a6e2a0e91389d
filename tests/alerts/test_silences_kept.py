"""Silences, windows and swaps in the real gateway: kept with the alerts they keep silent, and the same after every kind of restart."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import msgspec
import pytest

from gateway.alerts.silences import Silence
from gateway.books import BookOperation
from gateway.evidence import read_evidence
from gateway.instants import HOUR, MINUTE, Instant, moment
from gateway.replay import replay
from gateway.runtime import Gateway
from tests.alerts.estate import ESTATE


def create(
    gateway: Gateway, kind: str = "silence", *, lasts: int = HOUR, ahead: int = 0, **about: str
) -> BookOperation:
    now = gateway.now()
    details = {"kind": kind, **about, "until": clock(now + ahead + lasts)}
    if ahead:
        details["from"] = clock(now + ahead)
    return BookOperation(at=now, by="chen", book="silence", action="create", details=details, why="known")


def clock(at: Instant) -> str:
    return moment(at, ESTATE.zone_info).isoformat()


def forget_snapshots(folder: Path) -> None:
    [journal] = folder.glob("*.db")
    with apsw.Connection(str(journal)) as store:
        store.execute("DELETE FROM snapshot")


def standing(gateway: Gateway) -> list[Silence]:
    return gateway.judgement.alerts.silences.standing()


async def test_they_are_in_the_history_and_told_live(tmp_path: Path) -> None:
    async with Gateway(ESTATE, tmp_path) as gateway:
        made = await gateway.operate(create(gateway, on="lamp", subject="lamp-1"))
        assert isinstance(made, Silence)
        end = BookOperation(at=gateway.now(), by="li", book="silence", action="end", subject=made.id, why="mended")
        await gateway.operate(end)
        entries = await gateway.archive.entries("silence")
        assert [(one["action"], one["state"], one["by"], one["why"]) for one in entries] == [
            ("create", "active", "chen", "known"),
            ("end", "ended", "li", "mended"),
        ]
        found = await gateway.archive.item("silence", made.id)
        assert found is not None
        assert msgspec.convert(found, Silence).state == "ended"


@pytest.mark.parametrize("snapshot", [True, False])
async def test_a_restart_knows_them_and_repeats_nothing(tmp_path: Path, snapshot: bool) -> None:
    async with Gateway(ESTATE, tmp_path) as gateway:
        await gateway.operate(create(gateway, on="lamp", subject="lamp-1"))
        await gateway.operate(create(gateway, "maintenance", on="parent", subject="panel-1", ahead=MINUTE))
        before = standing(gateway)
        entries = await gateway.archive.entries("silence")
    if not snapshot:  # as after an update that reads snapshots of another format: all is judged again
        forget_snapshots(tmp_path)
    async with Gateway(ESTATE, tmp_path) as gateway:
        assert standing(gateway) == before
        assert await gateway.archive.entries("silence") == entries
        third = await gateway.operate(create(gateway, on="lamp", subject="lamp-2"))
        assert isinstance(third, Silence)
        assert third.id == "silence/2"


def test_an_evidence_file_says_who_made_what_silent() -> None:
    lines = [
        {"kind": "operator", "at": "2026-11-22T22:00:00+08:00", "by": "chen", "action": "create", "book": "silence", "why": "x",
         "details": {"kind": "silence", "on": "device", "subject": "wand-1", "until": "2026-11-22T23:30:00+08:00"}},
        {"kind": "incident", "device": "wand-1", "at": "2026-11-22T23:00:00+08:00", "received": "2026-11-22T23:00:00+08:00", "code": "gate"},
        {"kind": "advance", "at": "2026-11-22T23:20:00+08:00"},
    ]  # fmt: skip
    evidence = read_evidence([json.dumps(line).encode() for line in lines])
    assert evidence.rejected == []
    [alert] = [alert for alert in replay(ESTATE, evidence)["alerts"] if alert.rule == "incident"]
    assert (alert.state, alert.suppressed) == ("open", "silence/1")
