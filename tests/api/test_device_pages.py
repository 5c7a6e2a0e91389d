"""Pages of alerts, devices and health: what is asked for is shown, what is none of ours is refused."""

from __future__ import annotations

import html
import re

import httpx
import msgspec
import pytest

from gateway.instants import MINUTE, SECOND, instant
from gateway.journal.rows import LogRow, QuarantineRow
from tests.api import scene
from tests.api.fake_gateway import FakeGateway, FakeHealth


def rows_of(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/devices/[^"]+">([^<]+)</a>', page)


async def test_devices_are_shown_the_worst_first_and_found_by_what_is_wrong(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    shown = rows_of((await operator.get("/devices")).text)
    states = {state.id: state.state for state in gateway.scene.devices}
    order = ["offline", "unknown", "ok", "disabled"]
    assert shown == sorted(shown, key=lambda name: (order.index(states[name]), name))
    assert set(shown) == set(states)
    never = rows_of((await operator.get("/devices?trouble=never")).text)
    heard = {state.id: state.last_heard for state in gateway.scene.devices}
    assert set(never) == {name for name in states if heard[name] is None and states[name] != "disabled"}
    assert rows_of((await operator.get("/devices?find=nvr")).text) == ["nvr-1"]
    assert (await operator.get("/devices?trouble=nonsense")).status_code == 422


async def test_a_camera_that_is_heard_through_its_recorder_is_not_said_to_be_unheard(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    heard = {state.id for state in gateway.scene.devices if state.last_heard is not None}
    behind = next(each for each in gateway.site.devices.values() if each.behind is not None and each.id in heard)
    page = (await operator.get(f"/devices/{behind.id}?lang=en")).text
    assert "Nothing was heard yet" not in page
    assert f"come with what {behind.behind} says" in page


async def test_a_device_tells_what_it_said_last_its_battery_and_what_of_it_could_not_be_read(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    at = instant(scene.NOW)
    gateway.log += [
        LogRow(
            1,
            at,
            "lux-t1/f03",
            "measurement",
            at,
            None,
            None,
            b'{"kind":"measurement","quantity":"battery","value":81,"unit":"%"}',
        ),
        LogRow(2, at + SECOND, "lux-t1/f03", "light_level", at, None, None, b'{"kind":"light_level","lux":31.5}'),
        LogRow(3, at + 2 * SECOND, "lux-t1/f03", "link", at, None, None, b'{"kind":"link","up":true}'),
    ]
    gateway.unread.append(QuarantineRow(4, at, "mqtt", "zigbee/lux-t1/f03/x", b"\x00", "expected JSON"))
    page = (await operator.get("/devices/lux-t1/f03?lang=en")).text
    assert "illuminance</span> 31.5 lx" in page
    assert "link</span> up" in page
    assert re.search(r"<dt>Battery</dt><dd>81 %", page)
    assert "expected JSON" in page
    assert (await operator.get("/devices/nobody")).status_code == 404


async def test_alerts_are_filtered_and_paged(operator: httpx.AsyncClient) -> None:
    every = (await operator.get("/alerts?show=all")).text
    assert every.count('class="alert ') == len(scene.SIGNALS)
    major = (await operator.get("/alerts?show=all&severity=major")).text
    assert 0 < major.count('class="alert major') == major.count('class="alert ')
    assert (await operator.get("/alerts?until=2026-11-01")).text.count('class="alert ') == 0
    for query in ("severity=x", "show=x", "rule=x", "place=x", "until=x", "cursor=x"):
        assert (await operator.get(f"/alerts?{query}")).status_code == 422, query


async def test_health_says_what_is_wrong_and_what_waits(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    page = (await operator.get("/health?lang=en")).text
    assert "All is well" in page
    gateway.state = msgspec.structs.replace(FakeHealth(), ready=False, problems=("mqtt: refused, check the password",))
    page = (await operator.get("/health?lang=en")).text
    assert "mqtt: refused, check the password" in page
    assert "Not ready" in page


@pytest.mark.parametrize(("ready", "status", "text"), [(True, 200, "ready\n"), (False, 503, "not ready\n")])
async def test_a_supervisor_on_this_machine_learns_only_whether_it_is_ready(
    stranger: httpx.AsyncClient,
    gateway: FakeGateway,
    ready: bool,
    status: int,
    text: str,
) -> None:
    gateway.state = FakeHealth(ready=ready, problems=("a secret",))
    answer = await stranger.get("/readyz")
    assert (answer.status_code, answer.text) == (status, text)


async def test_a_stranger_from_elsewhere_learns_nothing(app: httpx.ASGITransport) -> None:
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 4711))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        assert (await client.get("/readyz")).status_code == 401


async def test_the_page_that_an_alert_leads_to_for_what_it_is_about_is_there(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    led = {}
    for alert in gateway.judgement.alerts.alerts():
        page = (await operator.get(f"/alerts/{alert.id}?lang=en")).text
        for where in re.findall(r'href="([^"]+)">What it is about, and why<', page):
            path, _, mark = html.unescape(where).partition("#")
            answer = await operator.get(path)
            assert answer.status_code == 200, where
            assert f'id="{mark}"' in answer.text or not mark, where
            led[alert.rule] = where
    assert led["circuit_fault"] == "/lights?circuit=c-t2-b"
    assert led["zone_blind"].startswith("/cameras#")


async def test_what_a_reader_said_is_told_in_words_by_the_site_s_clock_one_row_a_moment(
    admin: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    at = instant(scene.NOW)
    bodies = [
        {"kind": "reader_heartbeat", "last_seq": 812, "device_now": "2026-11-22T18:47:30Z", "battery": 71},
        {"kind": "tag_read", "tag": "007B3972", "method": "nfc", "person": "g-wang"},
        {"kind": "measurement", "quantity": "rssi", "value": -71.0, "unit": "dB[mW]"},
        {"kind": "measurement", "quantity": "wind", "value": 3, "unit": "m/s"},
        {"kind": "incident", "code": "door", "note": {"x": [1]}},
    ]
    for number, body in enumerate(bodies):
        later = at if number < len(bodies) - 1 else at + SECOND
        gateway.log.append(
            LogRow(number + 1, later, "wand-1", str(body["kind"]), later, None, None, msgspec.json.encode(body))
        )
    page = (await admin.get("/devices/wand-1?lang=zh_CN")).text
    found = re.findall(r'<td class="across said">(.*?)</td>', html.unescape(page))
    assert [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found] == [
        '事件 事件代码 door · note {"x":[1]}',
        "wind 3 m/s 信号强度 -71 dBm 读卡 卡号 007B3972 · 手机 NFC · 人员 王强 读卡器心跳 最新序号 812 · 设备时钟 11-23 02:47:30 · 电量 71 %",
    ]


async def test_why_a_link_is_down_is_said_in_the_reader_s_language(admin: httpx.AsyncClient) -> None:
    for path in ("/console/links", "/health"):
        assert "端口已消失" in (await admin.get(path, params={"lang": "zh_CN"})).text
        assert "the port is gone" in (await admin.get(path, params={"lang": "en"})).text


async def test_how_often_a_device_is_to_speak_is_said_in_minutes(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    msgspec.structs.force_setattr(gateway.site.devices["wand-1"], "expect_every", 5 * MINUTE)
    page = (await operator.get("/devices/wand-1", params={"lang": "zh_CN"})).text
    assert "<dd>5分</dd>" in page
