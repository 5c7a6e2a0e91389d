"""Pages of lights: by building, floor and circuit, with filters; a lamp's page with why and charts; the intact rate by day."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import msgspec
import pytest

from gateway.figures.history import Seat
from gateway.instants import DAY, HOUR, MINUTE, instant, moment
from gateway.journal.rows import Condition
from gateway.outbox.local import Sample
from gateway.rules.findings import Lamp
from gateway.rules.operations import DeviceOperation
from gateway.site import model
from tests.api import scene
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway

NOW = instant(scene.NOW)


async def page(client: httpx.AsyncClient, path: str, **params: str) -> str:
    answer = await client.get(path, params={"lang": "en", **params})
    assert answer.status_code == 200, answer.text
    return answer.text


def named(text: str) -> set[str]:
    """The lamps that stand in rows."""
    return set(re.findall(r'<li data-key="(lamp-[^"]+)">', text))


async def test_all_lamps_stand_by_building_and_floor_and_those_to_look_at_in_a_row_with_why(operator) -> None:
    text = await page(operator, "/lights")
    assert set(re.findall(r'class="building-of" data-key="([^"]+)"', text)) == {"tower-1", "tower-2", "tower-3"}
    assert text.count('href="/lights/lamp-t1-f01-a"') == 1
    assert named(text) == {f"lamp-t2-{floor}-b" for floor in scene.FLOORS} | {"lamp-t1-f03-a", "lamp-t3-f05-b"}
    assert "why-of" in text


@pytest.mark.parametrize(
    ("show", "lamps"),
    [
        ("faulty", {f"lamp-t2-{floor}-b" for floor in scene.FLOORS} | {"lamp-t1-f03-a"}),
        ("unknown", {"lamp-t3-f05-b"}),
        ("unproven", {"lamp-t1-f01-a", "lamp-t1-f02-a"}),
    ],
)
async def test_a_filter_shows_what_it_says(operator, gateway, show, lamps) -> None:
    odd = {
        "lamp-t1-f01-a": Lamp(id="lamp-t1-f01-a", state="unknown", cause="no_proof"),
        "lamp-t1-f02-a": Lamp(id="lamp-t1-f02-a", state="faulty", fault="dim", faults=("dim",), unverified=True),
    }
    gateway.scene.lamps = [odd.get(lamp.id, lamp) for lamp in gateway.scene.lamps]
    also = {name for name, lamp in odd.items() if lamp.state == show}
    assert named(await page(operator, "/lights", show=show)) == lamps | also


async def test_a_circuit_s_part_names_its_lamps_and_its_fault(operator) -> None:
    text = await page(operator, "/lights", circuit="c-t2-b")
    assert named(text) == {f"lamp-t2-{floor}-b" for floor in scene.FLOORS}
    assert "circuit fault" in text.lower()
    assert "panel-t2" in text
    assert (await operator.get("/lights", params={"circuit": "nope"})).status_code == 404


async def test_a_lamp_s_page_says_state_since_and_why(operator) -> None:
    text = await page(operator, "/lights/lamp-t1-f03-a")
    assert "Faulty" in text
    assert "lamp out" in text
    assert "Rule:" in text
    assert "lighting.md" not in text, "its section stands in the JSON"
    assert (await operator.get("/lights/nope")).status_code == 404


async def recorded(gateway: FakeGateway, *rows: Condition) -> None:
    """Rows as the journal has them."""
    sql = "INSERT INTO condition (found, since, kind, id, state, detail) VALUES (?, ?, ?, ?, ?, ?)"
    await gateway.write([(sql, tuple(row)) for row in rows])


def measured(gateway: FakeGateway) -> None:
    """The lamp is seen by a sensor and fed by a plug; a sample each half hour, none for three hours."""
    lamp = gateway.site.lamps["lamp-t1-f03-a"]
    lamp = msgspec.structs.replace(lamp, seen_by=("lux-t1/f03",), fed_by=("wand-1", 2))
    gateway.site = msgspec.structs.replace(gateway.site, lamps={**gateway.site.lamps, lamp.id: lamp})
    times = [NOW - number * 30 * MINUTE for number in range(48, 0, -1) if not 20 <= number < 26]
    gateway.telemetry["lux-t1/f03", "lux"] = [Sample(at, 120.0, 100.0, 9000.0, 3) for at in times]
    gateway.telemetry["wand-1", "watts"] = [Sample(at, 18.0, 17.0, 19.0, 3) for at in times]


async def test_a_lamp_s_charts_show_the_threshold_and_break_where_nothing_was_heard(invitations) -> None:
    from api.app import create_app
    from tests.api.conftest import BASE

    gateway = FakeGateway()
    measured(gateway)
    seat = msgspec.json.encode(
        Seat(place="tower-1/f03", circuit="c-t1-a", expected=model.Expected(mode="always"))
    ).decode()
    await recorded(
        gateway,
        Condition(NOW - 2 * DAY, NOW - 2 * DAY, "gateway", "", "up", ""),
        Condition(NOW - 2 * DAY, NOW - 2 * DAY, "seat", "lamp-t1-f03-a", "always", seat),
        Condition(NOW - 2 * DAY, NOW - 2 * DAY, "lamp", "lamp-t1-f03-a", "ok", ""),
        Condition(NOW - 4 * HOUR, NOW - 4 * HOUR, "lamp", "lamp-t1-f03-a", "faulty", "lamp_failure"),
    )
    gateway.judgement.advance(NOW)
    transport = httpx.ASGITransport(app=create_app(gateway, invitations=invitations))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await client.get("/login/once", params={"token": invitations.login("chen", "operator", gateway.now())})
        text = await page(client, "/lights/lamp-t1-f03-a")
    assert text.count('<figure class="chart">') == 2
    assert text.count("<polyline") == 4
    assert "lit from 20 lx" in text
    assert "lit from 5 W" in text
    assert "Expected on" in text
    assert re.search(r'class="stretch t-bad"[^>]*><title>Faulty \d\d-\d\d 22:47', text)
    assert text.count("<tbody><tr>") == 2


async def test_a_site_whose_telemetry_goes_elsewhere_says_so(operator) -> None:
    assert "Grafana" in await page(operator, "/lights/lamp-t1-f03-a")


async def test_taking_a_device_out_of_service_is_offered_to_those_who_may(log_in: LogIn, gateway) -> None:
    for role, offered in (("viewer", False), ("maintenance", True)):
        text = await page(await log_in(role), "/cameras/cam-b2-1")  # type: ignore[arg-type]
        assert ('data-device-action="disable"' in text) == offered
    technician = await log_in("maintenance")
    answer = await technician.post("/api/v1/devices/cam-b2-1/disable", json={"why": "lens is being replaced"})
    assert answer.status_code == 204
    assert isinstance(gateway.operated[-1], DeviceOperation)


async def test_the_intact_rate_by_day_is_a_chart_with_its_table(operator, gateway) -> None:
    seat = msgspec.json.encode(Seat(place="tower-1/f03", circuit=None, expected=model.Expected(mode="always"))).decode()
    began = NOW - 3 * DAY
    gateway.told = [
        Condition(began, began, "gateway", "", "up", ""),
        Condition(began, began, "seat", "lamp-t1-f03-a", "always", seat),
        Condition(began, began, "lamp", "lamp-t1-f03-a", "ok", ""),
        Condition(NOW - DAY, NOW - DAY, "lamp", "lamp-t1-f03-a", "faulty", "lamp_failure"),
    ]
    gateway.judgement.advance(NOW)
    text = await page(operator, "/charts/lights")
    yesterday = moment(NOW - DAY, scene.ZONE)
    share = (yesterday.hour * 60 + yesterday.minute) / 14.4
    rows = dict(re.findall(r'<th scope="row">(\d\d-\d\d)</th><td>([^<]*)</td>', text))
    assert len(rows) == 14
    assert (
        rows[f"{yesterday:%m-%d}"].startswith(f"intact {share:.1f} %")
        or abs(float(rows[f"{yesterday:%m-%d}"].split()[1]) - share) < 0.2
    )
    assert rows[f"{yesterday - timedelta(days=1):%m-%d}"] == "intact 100.0 %, unknown 0.0 %"
    assert rows[f"{yesterday - timedelta(days=9):%m-%d}"] == "nobody can say"


async def test_guards_see_no_lights(log_in: LogIn) -> None:
    guard = await log_in("guard")
    for path in ("/lights", "/lights/lamp-t1-f03-a", "/charts/lights", "/cameras", "/charts/zones", "/places/gate"):
        assert (await guard.get(path)).status_code == 403


PAGES = (
    "/",
    "/?wall=1",
    "/console/plan",
    "/places/garage/b2",
    "/lights",
    "/lights?show=unproven",
    "/lights?circuit=c-t2-b",
    "/lights/lamp-t1-f03-a?span=week",
    "/charts/lights",
    "/cameras",
    "/cameras/cam-b2-1",
    "/charts/zones",
    "/charts/outages",
    "/api/v1/plans",
)


async def test_every_page_of_map_lights_and_cameras_works_on_a_real_gateway(tmp_path) -> None:
    from api.access.invitations import Invitations
    from gateway.runtime import Gateway
    from tests.api.test_real_gateway import client_of, enter

    site = scene.site("en")
    heard = {name: msgspec.structs.replace(each, expect_every=MINUTE) for name, each in site.devices.items()}
    site = msgspec.structs.replace(site, devices=heard)
    async with Gateway(site, tmp_path) as gateway, client_of(gateway, invitations := Invitations()) as client:
        await enter(client, gateway, invitations)
        for path in PAGES:
            answer = await client.get(path)
            assert answer.status_code == 200, (path, answer.text)


async def test_what_was_measured_is_asked_of_the_store_beside_the_journal(tmp_path) -> None:
    from gateway.outbox.local import LocalStore
    from gateway.outbox.measurements import Point
    from gateway.runtime import Gateway

    async with Gateway(scene.site("en"), tmp_path) as gateway:
        assert await gateway.samples("lux", "lux", NOW - HOUR, NOW) is None
        gateway.telemetry = store = LocalStore(tmp_path / "telemetry.db", 365 * DAY, lambda: NOW)
        at = NOW - 10 * MINUTE
        await store.write([Point("illuminance", (), (("lux", 120.0),), at * 1000, "lux", "")])
        (found,) = await gateway.samples("lux", "lux", NOW - HOUR, NOW, max_points=6) or []
        assert (found.mean, found.samples) == (120.0, 1)
        assert found.at <= at < found.at + 10 * MINUTE
        await store.close()


async def test_circuits_and_panels_are_shown_by_their_names_where_they_have_one(operator) -> None:
    text = await page(operator, "/lights")
    rows = re.findall(r'circuit=(c-t1-.)">([^<]+)</a></th>.*?data-label="Panel">([^<]+)</td>', text)
    assert rows == [("c-t1-a", "东侧楼道", "一号配电箱"), ("c-t1-b", "c-t1-b", "一号配电箱")]
    alone = await page(operator, "/lights", circuit="c-t1-a")
    assert "<h2>Circuit 东侧楼道</h2>" in alone
    assert "panel-t1" not in alone
    assert ">东侧楼道</a>" in await page(operator, "/lights/lamp-t1-f03-a")
