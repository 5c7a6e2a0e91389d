"""Why a lamp, a circuit, a camera or a zone is judged as it is, asked through the API of a real gateway."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api.access.invitations import Invitations
from api.console.languages import Language
from api.console.rules import rule_name
from gateway.instants import instant
from gateway.runtime import Gateway
from gateway.site.load import load_site
from tests.api.test_real_gateway import client_of, enter
from tests.explain.test_past import EVENING, Clock, told

SITE: dict[str, Any] = {
    "site": {
        "id": "s",
        "name": "s",
        "timezone": "Asia/Shanghai",
        "language": "en",
        "latitude": 31.2,
        "longitude": 121.5,
    },
    "places": [{"id": "yard", "name": "yard"}],
    "devices": [
        {"id": "cam-1", "driver": "native", "kind": "camera", "place": "yard", "expect_every": "60s"},
        *({"id": f"lux-{n}", "driver": "native", "place": "yard", "expect_every": "10m"} for n in (1, 2, 3)),
    ],
    "circuits": [{"id": "c-b"}],
    "lamps": [
        {"id": f"lamp-{n}", "place": "yard", "circuit": "c-b", "seen_by": f"lux-{n}", "expected": {"mode": "always"}}
        for n in (1, 2, 3)
    ],
    "zones": [{"id": "z", "place": "yard", "cameras": ["cam-1"]}],
}

THEN = EVENING + timedelta(minutes=1)
"""All was well."""
NOW = EVENING + timedelta(minutes=31)
"""Since 18:10 all lamps are dark; the camera was last heard at 18:01."""

WAS_AND_IS = {
    "lamps/lamp-1": ("lamp", "ok", "faulty"),
    "circuits/c-b": ("circuit", "ok", "faulty"),
    "cameras/cam-1": ("camera", "ok", "offline"),
    "zones/z": ("zone", "covered", "blind"),
}
PATHS = sorted(WAS_AND_IS)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that has seen a circuit go dark and a camera fall silent."""
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE, allow_unicode=True), encoding="utf-8")
    clock, invitations = Clock(), Invitations()
    async with (
        Gateway(load_site(path)[0], tmp_path / "data", clock=clock) as gateway,
        client_of(gateway, invitations) as found,
    ):
        for minutes, lux in ((1, 80), (10, 0), (20, 0)):
            when = EVENING + timedelta(minutes=minutes)
            for n in (1, 2, 3):
                said = {"kind": "light_level", "device": f"lux-{n}", "at": when.isoformat(), "lux": lux}
                await told(gateway, clock, when, said)
            if minutes == 1:
                said = {"kind": "camera_heartbeat", "device": "cam-1", "at": when.isoformat()}
                await told(gateway, clock, when, said)
        clock.now = NOW
        gateway.intake.tick(instant(NOW))
        await gateway.intake.drained()
        await enter(found, gateway, invitations)
        yield found


async def why(client: httpx.AsyncClient, path: str, as_of: datetime | None = None) -> httpx.Response:
    return await client.get(f"/api/v1/{path}/explain", params={"as_of": as_of.isoformat()} if as_of else {})


@pytest.mark.parametrize("path", PATHS)
async def test_a_state_is_explained_in_both_languages_with_its_evidence(path: str, client: httpx.AsyncClient) -> None:
    kind, _, state = WAS_AND_IS[path]
    answer = await why(client, path)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["kind"], found["id"], found["result"]) == (kind, path.partition("/")[2], state)
    assert found["rule"].startswith("lighting.md" if kind in ("lamp", "circuit") else "cameras.md")
    assert any("\u4e00" <= sign <= "\u9fff" for sign in found["sentence"]["zh"])
    assert found["sentence"]["en"].isascii() or "–" in found["sentence"]["en"]
    evidence = [item for each in (found, *found.get("parts", [])) for item in each.get("evidence", [])]
    assert any(item["used"] for item in evidence)
    assert datetime.fromisoformat(found["known_at"]) == NOW


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_explained_by_what_was_known_then(path: str, client: httpx.AsyncClient) -> None:
    answer = await why(client, path, THEN)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"] == WAS_AND_IS[path][1]
    assert datetime.fromisoformat(answer.json()["known_at"]) == THEN


@pytest.mark.parametrize("path", PATHS)
async def test_a_time_to_come_or_none_is_refused_and_before_the_first_start_there_was_nothing(
    path: str, client: httpx.AsyncClient
) -> None:
    assert (await why(client, path, NOW + timedelta(seconds=1))).status_code == 422
    assert (await client.get(f"/api/v1/{path}/explain", params={"as_of": "tonight"})).status_code == 422
    assert (await why(client, path, EVENING - timedelta(days=1))).status_code == 404


@pytest.mark.parametrize("kind", ["lamps", "circuits", "cameras", "zones"])
async def test_what_the_site_does_not_have_is_not_there(kind: str, client: httpx.AsyncClient) -> None:
    for as_of in (None, THEN):
        answer = await why(client, f"{kind}/nowhere", as_of)
        assert answer.status_code == 404
        assert "nowhere" in answer.text


async def test_a_round_s_page_says_of_each_visit_why_it_is_judged_so(tmp_path: Path) -> None:
    site = {
        "site": SITE["site"],
        "places": SITE["places"],
        "devices": [{"id": "rdr", "driver": "native", "kind": "reader", "place": "yard", "expect_every": "60s"}],
        "checkpoints": [{"id": "cp", "place": "yard", "reader": "rdr"}],
        "routes": [{"id": "r", "visits": [{"checkpoint": "cp", "after": "0m"}]}],
        "rounds": [{"route": "r", "days": "mon-sun", "starts": ["18:10"], "lasts": "10m"}],
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(site, allow_unicode=True), encoding="utf-8")
    clock, invitations = Clock(), Invitations()
    async with (
        Gateway(load_site(path)[0], tmp_path / "data", clock=clock) as gateway,
        client_of(gateway, invitations) as client,
    ):
        for minutes in range(60):
            when = EVENING + timedelta(minutes=minutes)
            await told(gateway, clock, when, {"kind": "reader_heartbeat", "device": "rdr", "at": when.isoformat()})
        await enter(client, gateway, invitations)
        (found,) = [each.id for each in gateway.judgement.engine.rounds.rounds() if each.verdict == "missed"]
        why = (await client.get(f"/api/v1/rounds/{found}/explain")).json()["parts"][0]
        languages: dict[str, Language] = {"zh": "zh_CN", "en": "en"}
        for language, words in why["sentence"].items():
            shown = languages[language]
            page = html.unescape((await client.get(f"/rounds/{found}?lang={shown}")).text)
            assert words in page
            assert rule_name(shown, why["rule"]) in page
            assert why["rule"] not in page, "a page of the specification says nothing to whoever reads this"
