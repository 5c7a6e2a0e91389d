"""A tag's number is enough to copy it: only who enrols tags, or keeps them, is told one."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.access.accounts import Account
from api.resources import events
from gateway.site.model import Alerting, AlertRule, Contact, Step
from tests.phone.night import GATE, SIGNED, Night, night, signed, site

UNKNOWN = "DEADBEEF01"
MAY = {"maintenance": False, "operator": False, "manager": True, "admin": True}


@asynccontextmanager
async def walked(folder: Path) -> AsyncIterator[Night]:
    """A guard has tapped the gate, and a card that nobody knows."""
    async with night(folder) as found, found.phone("g-wang") as phone:
        await phone.begin()
        found.at("21:40")
        phone.tap(GATE)
        phone.tap(UNKNOWN)
        await phone.send()
        await found.gateway.intake.drained()
        yield found


@pytest.mark.parametrize("role", MAY)
async def test_numbers_of_tags_are_for_those_who_enrol_them(tmp_path: Path, role: str) -> None:
    async with walked(tmp_path) as found, found.phone(None, role) as someone:
        read = await someone.client.get("/api/v1/observations", params={"kind": "tag_read"})
        loose = await someone.client.get("/api/v1/unmatched")
        pages = [read.text, loose.text]
        for device in {each["device"] for each in read.json()["items"]}:
            pages.append((await someone.client.get(f"/devices/{device}")).text)
    tags = {each["tag"] for answer in (read, loose) for each in answer.json()["items"]}
    if MAY[role]:
        assert tags == {GATE, UNKNOWN}
    else:
        assert tags == {f"…{GATE[-4:]}", f"…{UNKNOWN[-4:]}"}
        assert not any(number in page for page in pages for number in (GATE, UNKNOWN))


async def test_no_cursor_tells_a_number(tmp_path: Path) -> None:
    async with walked(tmp_path) as found, found.phone(None, "operator") as someone:
        first = (await someone.client.get("/api/v1/unmatched", params={"limit": 1})).json()
        rest = (await someone.client.get("/api/v1/unmatched", params={"cursor": first["next"]})).json()
        assert {each["tag"] for each in first["items"] + rest["items"]} == {f"…{GATE[-4:]}", f"…{UNKNOWN[-4:]}"}
        assert len(first["items"]) + len(rest["items"]) == 2
        told = base64.urlsafe_b64decode(first["next"] + "==")
        assert not any(number.encode() in told for number in (GATE, UNKNOWN))


@pytest.mark.parametrize("role", MAY)
def test_live_taps_are_told_without_numbers_too(role: str) -> None:
    account = Account(name="u-1", role=role)  # type: ignore[arg-type]
    tap = json.dumps({"seq": 7, "device": "rdr", "observation": {"kind": "tag_read", "tag": GATE, "method": "nfc"}})
    told = json.loads(events.known_to(account, "tap", tap.encode()))
    number = GATE if MAY[role] else f"…{GATE[-4:]}"
    assert told == {"seq": 7, "device": "rdr", "observation": {"kind": "tag_read", "tag": number, "method": "nfc"}}


async def test_neither_the_alert_of_a_copied_tag_nor_its_notice_tells_its_number(tmp_path: Path) -> None:
    alerting = Alerting(
        contacts={"captain": Contact(id="captain", console=True)},
        policies={"all": (Step(after=0, notify=("captain",)),)},
        rules={"tag_cloned": AlertRule(policy="all")},
    )
    async with (
        night(tmp_path, site(alerting=alerting)) as found,
        found.phone(None, "viewer") as viewer,
        found.phone("g-wang") as one,
        found.phone("g-li") as other,
    ):
        await one.begin()
        await other.begin()
        found.at("22:40")
        one.open(signed(7))
        await one.send()
        found.at("22:41")
        other.open(signed(7))
        await other.send()
        await found.gateway.intake.drained()
        (alert,) = [
            each for each in (await viewer.client.get("/api/v1/alerts")).json()["items"] if each["rule"] == "tag_cloned"
        ]
        assert (alert["details"]["tag"], f"…{SIGNED[-4:]}" in alert["message"]) == (f"…{SIGNED[-4:]}", True)
        rows = await found.gateway.query("SELECT body FROM notice", ())
        assert rows
        for (body,) in [*rows, (json.dumps(alert).encode(),)]:
            assert SIGNED.encode() not in (body.encode() if isinstance(body, str) else bytes(body))
