"""What the resources show: shapes, pages, ETags, odd ids, times."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from gateway.alerts.alert import Alert, Transition
from gateway.instants import SECOND, instant, parse_instant
from gateway.journal.rows import LogRow, QuarantineRow
from gateway.rules.findings import Lamp, Round
from tests.api import scene as night
from tests.api.fake_gateway import FakeGateway, FakeHealth

KEYS = {
    "rounds": "id route date start end verdict revision marks visits",
    "gaps": "checkpoint window_start window_end largest_s exceeded exceedances id",
    "lamps": "id state fault faults unverified cause since expected_on lit",
    "circuits": "id state fault since",
    "cameras": "id state impairments cause since flapping",
    "zones": "id state since ok need",
}
VISIT = (
    "checkpoint position due opens closes verdict revision at device_at person deviation_s marks cause watermark "
    "corroboration"
)


async def everything(client: httpx.AsyncClient, path: str, **params: Any) -> list[Any]:
    """All items of all pages."""
    found: list[Any] = []
    while True:
        page = (await client.get(path, params=params)).raise_for_status().json()
        found += page["items"]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


@pytest.mark.parametrize("name", KEYS)
async def test_a_resource_has_the_fields_of_the_specification(name: str, operator: httpx.AsyncClient) -> None:
    items = (await operator.get(f"/api/v1/{name}")).json()["items"]
    assert items
    assert list(items[0]) == KEYS[name].split()


async def test_a_visit_has_the_fields_of_the_specification(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/api/v1/rounds")).json()["items"]
    assert set(found[0]["visits"][0]) == set(VISIT.split())


async def test_an_alert_has_the_fields_of_the_specification(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/api/v1/alerts")).json()["items"]
    wanted = [
        "id",
        "rule",
        "subject",
        "severity",
        "state",
        "raised",
        "detected",
        "updated",
        "caused_by",
        "message",
        "history",
    ]
    assert set(wanted) <= set(found[0])
    assert set(found[0]["history"][0]) == {"at", "from", "to", "by", "why"}


@pytest.mark.parametrize("name", ["rounds", "lamps", "devices", "alerts", "places", "cameras", "gaps", "people"])
async def test_pages_together_are_the_list(name: str, admin: httpx.AsyncClient) -> None:
    path = f"/api/v1/{name}"
    whole = (await admin.get(path, params={"limit": 1000})).json()
    assert whole["next"] is None
    assert await everything(admin, path, limit=2) == whole["items"]


async def test_a_polled_list_is_sent_again_only_when_it_changed(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    first = await operator.get("/api/v1/lamps")
    tag = first.headers["etag"]
    again = await operator.get("/api/v1/lamps", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    gateway.scene.lamps[0] = Lamp(id=gateway.scene.lamps[0].id, state="unknown", cause="stale")
    assert (await operator.get("/api/v1/lamps", headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize("quoted", [False, True])
async def test_ids_with_odd_letters_are_found(quoted: bool, operator: httpx.AsyncClient) -> None:
    for path in (
        "/api/v1/rounds/night@2026-11-22T23:00+08:00",
        "/api/v1/devices/lux-t1/f03",
        "/api/v1/alerts/round_incomplete/night@2026-11-22T23:00+08:00/1",
        "/alerts/round_incomplete/night@2026-11-22T23:00+08:00/1",
    ):
        head, _, tail = path.rpartition("s/")
        address = f"{head}s/{tail.translate({ord(sign): f'%{ord(sign):02X}' for sign in '/@:+'})}" if quoted else path
        assert (await operator.get(address)).status_code == 200, address


async def test_times_are_rfc_3339_with_offset(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/api/v1/rounds")).json()["items"][0]
    assert found["start"] == "2026-11-22T22:00:00+08:00"
    assert datetime.fromisoformat(found["visits"][0]["opens"]).utcoffset() == timedelta(hours=8)


async def test_rounds_of_memory_and_journal_are_one_list_and_memory_is_right(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    def old(start: datetime) -> dict[str, Any]:
        item = Round(
            id=f"night@{start:%Y-%m-%dT%H:%M}+08:00",
            route="night",
            date=start.date(),
            start=start,
            end=start + timedelta(minutes=40),
            verdict="missed",
            revision=9,
        )
        return dict(msgspec.to_builtins(item))

    gateway.old_rounds = [old(night.NIGHT - timedelta(days=day)) for day in (0, 1, 20, 40)]
    found = await everything(
        operator, "/api/v1/rounds", since="2026-11-01T00:00:00+08:00", until="2026-11-24T00:00:00Z"
    )
    starts = [item["start"][:13] for item in found]
    assert starts[:3] == ["2026-11-02T22", "2026-11-21T22", "2026-11-22T22"]
    assert next(item for item in found if item["start"].startswith("2026-11-22T22"))["verdict"] == "completed"
    one = await operator.get("/api/v1/rounds/night@2026-11-02T22:00+08:00")
    assert one.json()["revision"] == 9
    assert (await operator.get("/rounds/night@2026-11-02T22:00+08:00")).status_code == 200


async def test_rounds_are_filtered(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/api/v1/rounds", params={"verdict": "incomplete"})).json()["items"]
    assert [item["id"] for item in found] == ["night@2026-11-22T23:00+08:00"]
    assert (await operator.get("/api/v1/rounds", params={"route": "none"})).json()["items"] == []


async def test_alerts_of_memory_and_journal_are_paged_even_if_many_began_at_once(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    moment = night.NIGHT - timedelta(days=2)
    row = Transition(at=moment, before=None, after="open", by="rule:x", why="raised")
    gateway.old_alerts = [
        dict(
            msgspec.to_builtins(
                Alert(
                    id=f"lamp_failure/lamp-{number:03}/1",
                    rule="lamp_failure",
                    subject=f"lamp-{number:03}",
                    severity="minor",
                    state="closed",
                    raised=moment,
                    detected=moment,
                    updated=moment,
                    caused_by=None,
                    message="",
                    history=(row,),
                )
            )
        )
        for number in range(30)
    ]
    found = await everything(operator, "/api/v1/alerts", limit=4)
    assert len(found) == len({item["id"] for item in found}) == 30 + len(night.SIGNALS)
    assert [item["raised"] for item in found] == sorted((item["raised"] for item in found), reverse=True)
    active = await everything(operator, "/api/v1/alerts", limit=4, active=True)
    assert len(active) == len(night.SIGNALS)
    past = await operator.get("/api/v1/alerts/lamp_failure/lamp-007/1")
    assert (past.status_code, past.json()["subject"]) == (200, "lamp-007")
    assert (await operator.get("/api/v1/alerts/lamp_failure/lamp-999/1")).status_code == 404


async def test_observations_are_shown_as_they_were_said(
    operator: httpx.AsyncClient, admin: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    at = instant(night.NOW)
    gateway.log = [
        LogRow(1, at, "rdr-gate", "tag_read", at - SECOND, "b1", 7, b'{"kind":"tag_read","tag":"007B3972","seq":7,"boot":"b1","at":"2026-11-23T02:47:19+08:00","odd":{"kept":1}}'),
        LogRow(2, at + SECOND, "lux-t1/f03", "light_level", at, None, None, b'{"kind":"light_level","lux":31.5}'),
    ]  # fmt: skip
    found = (await admin.get("/api/v1/observations")).json()
    assert [item["row"] for item in found["items"]] == [2, 1]
    assert found["items"][1] | {"row": 0} == {
        "row": 0,
        "kind": "tag_read",
        "device": "rdr-gate",
        "at": "2026-11-23T02:47:19+08:00",
        "received": "2026-11-23T02:47:20+08:00",
        "tag": "007B3972",
        "seq": 7,
        "boot": "b1",
        "odd": {"kept": 1},
    }
    assert found["items"][0]["at"] == "2026-11-23T02:47:20+08:00"
    one = await operator.get("/api/v1/observations", params={"device": "lux-t1/f03", "kind": "light_level"})
    assert len(one.json()["items"]) == 1
    since = await operator.get("/api/v1/observations", params={"since": "2026-11-23T02:47:20.5+08:00"})
    assert [item["row"] for item in since.json()["items"]] == [2]
    assert len(await everything(operator, "/api/v1/observations", limit=1)) == 2


async def test_quarantine_shows_bytes_and_reason(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    at = instant(night.NOW)
    gateway.unread = [
        QuarantineRow(1, at, "mqtt", "a/b", b"not json", "expected JSON"),
        QuarantineRow(2, at, "serial", "", b"\xff" * 9000, "no frame"),
    ]
    found = (await operator.get("/api/v1/quarantine")).json()["items"]
    assert found[1]["text"] == "not json"
    assert found[1]["reason"] == "expected JSON"
    assert (found[0]["text"], found[0]["bytes"], len(found[0]["payload"])) == (None, 9000, 5464)


async def test_the_site_tells_no_secrets(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/api/v1/site")).json()
    assert found["name"] == "御溪花园"
    assert {"id": "cp-gate", "place": "gate", "reader": None, "two_person": False} in found["checkpoints"]
    assert not {"alerting", "mqtt", "storage", "people"} & set(found)


async def test_readiness_says_what_is_wrong(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    assert (await operator.get("/readyz")).status_code == 200
    gateway.state = FakeHealth(ready=False, problems=("journal: disk full; free some space",))
    answer = await operator.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["journal: disk full; free some space"]
    assert (await operator.get("/healthz")).text == "ok\n"


async def test_metrics_are_prometheus_text(operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "lamplighter_intake_received 4711" in lines
    assert 'lamplighter_link_up{link="/dev/ttyUSB0"} 0' in lines
    assert 'lamplighter_active_alerts{severity="critical"} 1' in lines
    assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in lines)


async def test_unmatched_taps_are_shown(operator: httpx.AsyncClient) -> None:
    found = (await operator.get("/api/v1/unmatched")).json()["items"]
    assert found[0]["reason"] == "unknown_tag"
    assert parse_instant(found[0]["at"]) == instant(night.NOW)
