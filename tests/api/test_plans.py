"""Floor plans and the protection map: images that cannot run, places by what protects them, diagrams where there is no plan."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import msgspec
import pytest

from api.access.invitations import Invitations
from api.app import create_app
from api.console import plan
from api.console.charts import (
    Bar,
    Caption,
    Cell,
    HeatRow,
    Level,
    Line,
    Part,
    Row,
    Stretch,
    band_chart,
    bar_chart,
    heat_map,
    line_chart,
)
from api.console.plan import PlaceState, ProtectionMap
from gateway.instants import HOUR, MINUTE, instant
from gateway.journal.rows import Condition
from gateway.rules.findings import Lamp, Zone
from gateway.site import model
from tests.api import scene
from tests.api.conftest import BASE
from tests.api.fake_gateway import FakeGateway

EVIL = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200" onload="alert(1)"><script>alert(2)</script></svg>'
)


def planned(tmp_path: Path) -> FakeGateway:
    """A gateway whose garage has a plan."""
    image = tmp_path / "garage.svg"
    image.write_bytes(EVIL)
    shapes = (
        model.Shape(kind="place", id="garage", points=((0, 0), (200, 0), (200, 200))),
        model.Shape(kind="place", id="garage/b2", points=((300, 100),)),
        model.Shape(kind="camera", id="cam-b2-1", points=((310, 120),)),
        model.Shape(kind="checkpoint", id="cp-garage-2", points=((320, 80),)),
    )
    drawn = model.Plan(
        place="garage",
        image=str(image),
        media_type="image/svg+xml",
        left=0,
        top=0,
        width=400,
        height=200,
        shapes=shapes,
    )
    return FakeGateway(scene.Scene(site=msgspec.structs.replace(scene.site(), plans={"garage": drawn})))


@pytest.fixture
async def reader(tmp_path):
    gateway, invitations = planned(tmp_path), Invitations()
    transport = httpx.ASGITransport(app=create_app(gateway, invitations=invitations))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
        await client.get("/login/once", params={"token": invitations.login("chen", "operator", gateway.now())})
        client.gateway = gateway
        yield client


async def test_an_image_is_served_so_that_nothing_in_it_can_run(reader) -> None:
    answer = await reader.get("/plans/garage")
    assert answer.content == EVIL
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy.split("; ")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert (await reader.get("/plans/garage", headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_a_plan_is_never_part_of_a_page(reader) -> None:
    for path in ("/", "/console/plan", "/places/garage"):
        page = (await reader.get(path)).text
        assert "alert(" not in page
    assert '<image href="/plans/garage"' in (await reader.get("/console/plan")).text


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b" " * (2 * 1024 * 1024 + 1)), Path.unlink])
async def test_an_image_that_is_gone_or_has_grown_is_not_there(reader, change) -> None:
    change(Path(reader.gateway.site.plans["garage"].image))
    assert (await reader.get("/plans/garage")).status_code == 404
    assert (await reader.get("/plans/../../etc/passwd")).status_code == 404


async def test_the_api_tells_what_is_where(reader) -> None:
    (found,) = (await reader.get("/api/v1/plans")).json()["items"]
    assert (found["place"], found["image"], found["width"]) == ("garage", "/plans/garage", 400)
    assert found["shapes"][2] == {"kind": "camera", "id": "cam-b2-1", "points": [[310, 120]]}


async def test_a_place_is_told_by_letter_and_word_and_not_by_colour_alone(reader) -> None:
    page = (await reader.get("/console/plan", params={"lang": "en"})).text
    b2 = re.search(r'<a class="patch p-(\w+)" data-key="patch garage/b2"[^>]*aria-label="([^"]*)"', page)
    assert b2 is not None
    assert b2[1] == "blind"
    assert "Blind" in b2[2]
    assert "alerts: 1" in b2[2]
    assert re.search(r'<g class="map-badge critical">', page)


async def test_what_no_plan_shows_stands_in_a_diagram_of_its_building(reader) -> None:
    page = (await reader.get("/console/plan")).text
    tiles = re.findall(r'data-key="(plan|building) ([\w-]+)"', page)
    assert ("plan", "garage") in tiles
    assert ("building", "garage") not in tiles
    assert {name for kind, name in tiles if kind == "building"} == {"gate", "pump", "tower-1", "tower-2", "tower-3"}
    assert page == (await reader.get("/console/plan")).text


async def test_floors_stand_as_in_the_building_the_highest_on_top() -> None:
    floors = ["t/b2", "t/lobby", "t/f02", "t/roof", "t/f11", "t/b1", "t"]
    assert sorted(floors, key=plan.level, reverse=True) == ["t/roof", "t/f11", "t/f02", "t/lobby", "t", "t/b1", "t/b2"]


async def test_trouble_comes_first_and_quiet_floors_of_a_tall_building_are_one_row() -> None:
    site = scene.site()
    tall = {f"tower-9/f{floor:02}": model.Place(id=f"tower-9/f{floor:02}", name=f"{floor}层") for floor in range(1, 31)}
    lamps = {
        f"l{floor:02}": model.Lamp(
            id=f"l{floor:02}", place=f"tower-9/f{floor:02}", expected=model.Expected(mode="always")
        )
        for floor in range(1, 31)
    }
    places = {**site.places, "tower-9": model.Place(id="tower-9", name="9号楼"), **tall}
    gateway = FakeGateway(scene.Scene(site=msgspec.structs.replace(site, places=places, lamps={**site.lamps, **lamps})))
    gateway.scene.lamps = [
        Lamp(id=lamp, state="faulty" if lamp == "l17" else "ok", expected_on=True) for lamp in gateway.site.lamps
    ]
    section = await ProtectionMap(gateway).section("zh_CN")
    tile = next(each for each in section.tiles if each.building == "tower-9")
    assert [(floor.name, floor.merged) for floor in tile.floors] == [
        ("18层 – 30层", 13),
        ("17层", 0),
        ("1层 – 16层", 16),
    ]
    troubled = [tile.trouble for tile in section.tiles]
    assert troubled == sorted(troubled, reverse=True)


def code_of(gateway: FakeGateway, look: plan.Look, place: str) -> tuple[str, ...]:
    return look.places[place].codes


@pytest.mark.parametrize(
    ("lamp", "code"),
    [
        (Lamp(id="lamp-t3-f02-a", state="faulty", fault="lamp_failure", expected_on=True), "dark"),
        (Lamp(id="lamp-t3-f02-a", state="faulty", fault="day_burner", expected_on=False), "watched"),
        (Lamp(id="lamp-t3-f02-a", state="unknown", expected_on=True), "unknown"),
        (Lamp(id="lamp-t3-f02-a", state="unknown", expected_on=False), "watched"),
        (Lamp(id="lamp-t3-f02-a", state="disabled"), "watched"),
    ],
)
async def test_a_place_is_dark_only_while_its_lamp_should_burn(lamp: Lamp, code: str) -> None:
    gateway = FakeGateway()
    gateway.scene.lamps = [lamp if each.id == lamp.id else each for each in gateway.scene.lamps]
    look = await ProtectionMap(gateway).look()
    assert code_of(gateway, look, "tower-3/f02") == (code,)


async def test_a_blind_zone_makes_all_that_lies_in_its_place_blind() -> None:
    gateway = FakeGateway()
    gateway.scene.zones = [Zone(id="z-garage", state="blind", ok=0, need=2)]
    look = await ProtectionMap(gateway).look()
    assert code_of(gateway, look, "garage")[0] == code_of(gateway, look, "garage/b2")[0] == "blind"
    assert "blind" not in code_of(gateway, look, "gate")


async def test_what_is_known_is_looked_at_anew_as_soon_as_something_is_told() -> None:
    gateway = FakeGateway()
    gateway.stopped_clock = True
    seen = ProtectionMap(gateway)
    first = await seen.look()
    assert await seen.look() is first
    gateway.scene.zones = [Zone(id="z-garage", state="blind", ok=0, need=2)]
    gateway.events.publish("zone", gateway.scene.zones[0])
    assert (await seen.look()).places["garage"].codes[0] == "blind"


async def test_an_alert_of_a_circuit_stands_at_every_place_that_it_lights() -> None:
    look = await ProtectionMap(FakeGateway()).look()
    assert [place for place, state in look.places.items() if place.startswith("tower-2/") and state.alerts] == [
        f"tower-2/{floor}" for floor in scene.FLOORS
    ]


def test_several_places_as_one_are_as_bad_as_the_worst_and_well_only_if_all_are() -> None:
    well, dark = PlaceState(id="a", codes=("watched",)), PlaceState(id="b", codes=("dark",), alerts=2, severity="minor")
    nothing = PlaceState(id="c", codes=("unmeasured",))
    assert plan.merge("x", [well, dark, nothing]).codes == ("dark",)
    assert plan.merge("x", [dark, dark]).alerts == 2
    assert plan.merge("x", [well, nothing]).code == "watched"
    assert plan.merge("x", [nothing]).code == "unmeasured"


async def test_a_place_s_page_says_what_is_in_it_and_hour_by_hour_what_was(operator, gateway) -> None:
    now = instant(scene.NOW)
    gateway.told = [
        Condition(now - 30 * HOUR, now - 30 * HOUR, "gateway", "", "up", ""),
        Condition(now - 28 * HOUR, now - 28 * HOUR, "zone", "z-b2", "covered", ""),
        Condition(now - 90 * MINUTE, now - 90 * MINUTE, "zone", "z-b2", "blind", ""),
    ]
    gateway.judgement.advance(now)
    page = (await operator.get("/places/garage/b2", params={"lang": "en"})).text
    assert "Blind" in page
    assert "cam-b2-1" in page
    assert "cp-garage-2" in page or "负二层" in page
    assert "Last 24 hours" in page
    assert re.search(r"blind 90 min", page)
    beside = (await operator.get("/places/garage/b2", params={"panel": "1"})).text
    assert "<html" not in beside
    assert (await operator.get("/places/nowhere")).status_code == 404


async def test_a_place_within_a_zone_s_place_is_asked_for_alone_with_that_zone(operator, gateway) -> None:
    now = instant(scene.NOW)
    gateway.told = [
        Condition(now - 30 * HOUR, now - 30 * HOUR, "gateway", "", "up", ""),
        Condition(now - 28 * HOUR, now - 28 * HOUR, "zone", "z-garage", "blind", ""),
    ]
    gateway.judgement.advance(now)
    (found,) = (await operator.get("/api/v1/protection", params={"place": "garage/b2"})).json()["items"]
    assert found["blind"]["total_min"] > 0


# ---- charts

CAPTION = Caption("Lux <b>", 'says "it"', "As a table", ["time", "lx"])


def test_charts_escape_what_they_are_given_and_hold_no_style() -> None:
    zone = scene.ZONE
    drawings = [
        line_chart(CAPTION, [Line("<i>", "lamp", [(0, 1.0), (HOUR, None)])], begin=0, end=HOUR, zone=zone, unit="lx"),
        bar_chart(CAPTION, [Bar("<i>", (Part(3, "bad", "<i>"),))], unit="min", levels=[Level(2, "<i>")]),
        band_chart(CAPTION, [Row("<i>", (Stretch(0, HOUR, "bad", "<i>"),), "/x?<i>")], begin=0, end=HOUR, zone=zone),
        heat_map(CAPTION, ["<i>"], [HeatRow("<i>", (Cell(None, "<i>"),))]),
    ]
    for drawn in drawings:
        assert "<i>" not in drawn
        assert "<b>" not in drawn
        assert "style=" not in drawn
        assert 'role="img"' in drawn
        assert "<desc" in drawn
        assert "<table>" in drawn


def test_a_line_is_broken_where_nothing_is_known() -> None:
    points = [(0, 1.0), (1, 2.0), (2, None), (3, 2.0), (4, 1.0)]
    drawn = line_chart(CAPTION, [Line("a", "lamp", points)], begin=0, end=5, zone=scene.ZONE, unit="lx")
    assert drawn.count("<polyline") == 2


def test_thresholds_do_not_strike_the_axis_through_and_long_names_do_not_touch() -> None:
    bars = [
        Bar(name, (Part(95, "ok", "x"),))
        for name in ("小区四周 东围墙", "小区四周 北围墙", "南门岗", "地下车库 车库A区")
    ]
    drawn = bar_chart(CAPTION, bars, unit="%", most=100, levels=[Level(95, "level 1")])
    assert drawn.rindex('class="level"') < drawn.index('class="grid-name"')
    assert drawn.count("middle low") == 2
    assert " low" not in bar_chart(CAPTION, [Bar("11-25", ()), Bar("11-26", ())], unit="%")


def test_a_bar_of_which_nothing_is_known_is_a_question_mark_and_not_a_zero() -> None:
    drawn = bar_chart(CAPTION, [Bar("a", ()), Bar("b", (Part(0, "ok", "x"),))], unit="%")
    assert drawn.count('class="nothing') == 1
