"""Who sees a part of the site learns nothing of the rest: every route, every live event, every explanation."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from api.access.accounts import Account
from api.access.roles import Role
from api.access.scope import Part, Parts, lies_in, part_of
from gateway.alerts.alert import Alert
from gateway.explain.explanation import Explanation, Item, Sentence
from gateway.instants import instant
from gateway.journal.rows import Condition
from gateway.rules.findings import Signal
from tests.api import scene
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway
from tests.api.test_access import PARAMETERS, STREAM, routes

PLACES = ("tower-1", "garage/b2")
OWN = ("tower-1", "tower-1/f03", "garage/b2", "cp-t1-f01", "lamp-t1-f03-a", "c-t1-a", "z-b2", "cam-b2-1", "z-lobby-1")


@pytest.fixture
def others(gateway: FakeGateway) -> list[str]:
    """Ids of what lies elsewhere."""
    site = gateway.site
    found = [place for place in site.places if not lies_in(place, PLACES) and place != "garage"]
    for things in (site.devices, site.checkpoints, site.lamps, site.zones):
        found += [
            key for key, thing in things.items() if getattr(thing, "place", None) and not lies_in(thing.place, PLACES)
        ]
    found += [key for key in site.circuits if not key.startswith("c-t1-")]
    assert {"tower-2", "pump", "cp-gate", "cam-pump", "lamp-t2-f01-a", "c-t2-b", "z-pump", "nvr-1"} <= set(found)
    return found


def named(text: str, ids: list[str]) -> list[str]:
    """Which of `ids` a text names."""
    pattern = re.compile(
        r"(?<![\w.-])(?:" + "|".join(map(re.escape, sorted(ids, key=len, reverse=True))) + r")(?![\w-])"
    )
    return pattern.findall(text)


async def bounded(log_in: LogIn, gateway: FakeGateway, role: Role) -> httpx.AsyncClient:
    client = await log_in(role)
    places = msgspec.json.encode(PLACES).decode()
    await gateway.write([("UPDATE accounts SET places = ? WHERE name = ?", (places, f"test-{role}"))])
    return client


@pytest.fixture
async def tenant(log_in: LogIn, gateway: FakeGateway) -> httpx.AsyncClient:
    return await bounded(log_in, gateway, "viewer")


async def reached(foreign: dict[str, str], own: dict[str, str]) -> AsyncIterator[tuple[str, str]]:
    """Every route that can be read, with ids of one's own and of others."""
    for values in ({}, own, foreign):
        changed = {**PARAMETERS, **values}
        for method, path, right, _ in await routes(changed):
            if method == "GET" and right is not None and path != STREAM:
                yield method, path


@pytest.mark.parametrize("role", ["viewer", "guard", "maintenance", "operator", "manager"])
async def test_every_link_that_is_shown_opens(role: Role, log_in: LogIn, gateway: FakeGateway) -> None:
    client = await bounded(log_in, gateway, role)
    seen: dict[str, str] = {}
    ahead = [("/", "")]
    while ahead:
        path, on = ahead.pop()
        if path in seen:
            continue
        seen[path] = on
        answer = await client.get(path)
        assert answer.status_code < 400, (path, on)
        links = (html.unescape(link) for link in re.findall(r'href="(/[^"#]*)"', answer.text))
        ahead += [(link, path) for link in links if not link.startswith("/static/") and "lang=" not in link]
    assert any(path.startswith("/rounds/") for path in seen)


@pytest.mark.parametrize("role", ["viewer", "guard", "maintenance", "operator", "manager"])
async def test_no_route_tells_of_another_place(
    role: Role, log_in: LogIn, gateway: FakeGateway, others: list[str]
) -> None:
    client = await bounded(log_in, gateway, role)
    gateway.old_alerts = [past_alert(gateway, "lamp_failure", "lamp-t2-f01-a", "tower-2/f01")]
    gateway.old_rounds = [
        msgspec.to_builtins(msgspec.structs.replace(gateway.scene.rounds[0], id="old@2026-11-22T10:00+08:00"))
    ]
    answered = 0
    foreign = {"{key:path}": "lamp-t2-f01-a", "{alert_id:path}": "circuit_fault/c-t2-b/1"}
    own = {"{key:path}": "lamp-t1-f03-a", "{alert_id:path}": "lamp_failure/lamp-t1-f03-a/1"}
    async for method, path in reached(foreign, own):
        answer = await client.request(method, path)
        assert answer.status_code < 500, (path, answer.text)
        if answer.status_code != 200 or path.endswith((".css", "openapi.json")):
            continue
        answered += 1
        leaked = [one for one in named(answer.text, others) if one not in path]
        assert not leaked, (role, path, leaked[:5])
    assert answered >= 8


async def test_the_thing_of_another_place_is_not_there(tenant: httpx.AsyncClient) -> None:
    for path in (
        "lamps/lamp-t2-f01-a",
        "circuits/c-t2-b",
        "cameras/cam-pump",
        "zones/z-pump",
        "alerts/circuit_fault/c-t2-b/1",
        "lamps/lamp-t2-f01-a/explain",
        "cameras/cam-pump/explain",
    ):
        assert (await tenant.get(f"/api/v1/{path}")).status_code == 404, path


async def test_what_lies_in_ones_places_is_whole(tenant: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    for path in ("lamps/lamp-t1-f03-a", "circuits/c-t1-a", "cameras/cam-b2-1", "zones/z-b2"):
        assert (await tenant.get(f"/api/v1/{path}")).json() == (await admin.get(f"/api/v1/{path}")).json(), path
    places = {place["id"] for place in (await tenant.get("/api/v1/places")).json()["items"]}
    assert places == {"tower-1", *(f"tower-1/{floor}" for floor in scene.FLOORS), "garage/b2", "garage"}
    lamps = (await tenant.get("/api/v1/lamps")).json()["items"]
    assert len(lamps) == 12
    site = (await tenant.get("/api/v1/site")).json()
    assert [route["checkpoints"] for route in site["routes"]] == [["cp-garage-2", "cp-t1-f01", "cp-t1-f06"]]


async def test_a_round_is_judged_by_the_visits_that_are_seen(
    tenant: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    own = {item["id"]: item for item in (await tenant.get("/api/v1/rounds")).json()["items"]}
    whole = {item["id"]: item for item in (await admin.get("/api/v1/rounds")).json()["items"]}
    assert set(own) == set(whole)
    for key, item in own.items():
        seen = [
            visit for visit in whole[key]["visits"] if visit["checkpoint"] in {"cp-garage-2", "cp-t1-f01", "cp-t1-f06"}
        ]
        assert item["visits"] == seen
        assert item["marks"] == []
    verdicts = {key: item["verdict"] for key, item in own.items()}
    assert verdicts["night@2026-11-22T23:00+08:00"] == "incomplete", "the missed visit is in the garage: seen"
    assert whole["night@2026-11-23T00:00+08:00"]["verdict"] == "unverifiable"
    assert verdicts["night@2026-11-23T00:00+08:00"] == "completed", "what is unverifiable is elsewhere"


async def test_a_checkpoint_that_is_passed_twice_is_left_out_only_where_nobody_has_to_walk_it(
    gateway: FakeGateway,
) -> None:
    route, item = gateway.site.routes["night"], gateway.scene.rounds[0]
    again = [msgspec.structs.replace(route.visits[2], optional=True), *route.visits[:3]]
    gateway.site.routes["night"] = msgspec.structs.replace(route, visits=tuple(again))
    stops = [item.visits[2], *item.visits[:3]]
    verdicts = ["on_time", "on_time", "on_time", "missed"]
    visits = tuple(
        msgspec.structs.replace(visit, position=place, verdict=verdict)
        for place, (visit, verdict) in enumerate(zip(stops, verdicts, strict=True), start=1)
    )
    seen = Part(gateway, PLACES).round(msgspec.structs.replace(item, visits=visits))
    assert seen is not None
    assert [visit.verdict for visit in seen.visits] == ["on_time", "missed"]
    assert seen.verdict == "missed", "it is the only one that has to be walked"


async def test_a_round_of_other_places_alone_is_not_there(log_in: LogIn, gateway: FakeGateway) -> None:
    client = await log_in("viewer")
    await gateway.write([("UPDATE accounts SET places = ? WHERE name = 'test-viewer'", ('["tower-3"]',))])
    assert (await client.get("/api/v1/rounds")).json()["items"] == []
    assert (await client.get("/api/v1/gaps")).json()["items"] == []
    assert (await client.get("/rounds/night@2026-11-22T23:00+08:00")).status_code == 404


async def test_alerts_are_those_of_ones_places(tenant: httpx.AsyncClient) -> None:
    found = {alert["subject"] for alert in (await tenant.get("/api/v1/alerts")).json()["items"]}
    assert found == {"z-b2", "lamp-t1-f03-a"}, "not the circuit of tower 2, the garage above, the round of all"
    answer = await tenant.post("/api/v1/alerts/lamp_failure/lamp-t1-f03-a/1/ack")
    assert answer.status_code == 403


def past_alert(gateway: FakeGateway, rule: str, subject: str, place: str) -> dict[str, Any]:
    raised = scene.NOW - timedelta(days=20)
    alert = Alert(
        id=f"{rule}/{subject}/9",
        rule=rule,
        subject=subject,
        severity="minor",
        state="closed",
        raised=raised,
        detected=raised,
        updated=raised,
        caused_by=None,
        message="",
        place=place,
    )
    found: dict[str, Any] = msgspec.to_builtins(alert)
    return found


async def test_old_alerts_of_ones_places_are_found_behind_those_of_others(
    tenant: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.old_alerts = [
        past_alert(gateway, "lamp_failure", f"lamp-t2-f0{n % 6 + 1}-a", "tower-2") for n in range(700)
    ]
    gateway.old_alerts.append(past_alert(gateway, "lamp_failure", "lamp-t1-f01-b", "tower-1/f01"))
    for number, each in enumerate(gateway.old_alerts):
        each["id"] += f"{number}"
        each["raised"] = (scene.NOW - timedelta(days=20, seconds=number)).isoformat()
    found: list[str] = []
    cursor = None
    for _ in range(5):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await tenant.get("/api/v1/alerts", params=params)).json()
        found += [alert["subject"] for alert in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert sorted(found) == ["lamp-t1-f01-b", "lamp-t1-f03-a", "z-b2"]


async def test_an_alert_names_nothing_of_elsewhere(gateway: FakeGateway) -> None:
    gateway.signal(
        Signal(
            rule="zone_degraded",
            subject="z-lobby-1",
            action="raise",
            at=gateway.now(),
            raised=gateway.now(),
            details={"ok": 0, "need": 1, "cameras": ["cam-t1-lobby", "cam-pump"]},
            place="tower-1/f01",
        )
    )
    part = Part(gateway, PLACES)
    seen = next(alert for alert in part.gateway.judgement.alerts.alerts() if alert.subject == "z-lobby-1")
    assert seen.details["cameras"] == ["cam-t1-lobby"]
    assert "cam-pump" not in msgspec.json.encode(seen).decode()


@pytest.mark.parametrize(
    ("kind", "value", "heard"),
    [
        ("lamp", {"id": "lamp-t1-f03-a"}, True),
        ("lamp", {"id": "lamp-t2-f03-a"}, False),
        ("circuit", {"id": "c-t1-b"}, True),
        ("circuit", {"id": "c-t2-b"}, False),
        ("camera", {"id": "cam-b2-1"}, True),
        ("camera", {"id": "cam-pump"}, False),
        ("zone", {"id": "z-b2"}, True),
        ("zone", {"id": "z-garage"}, False),
        ("device", {"id": "rdr-gate"}, False),
        ("device", {"id": "wand-1"}, False),
        ("gap", {"checkpoint": "cp-garage-2"}, True),
        ("gap", {"checkpoint": "cp-gate"}, False),
        ("tap", {"device": "wand-1"}, False),
        ("observation", {"device": "lux-t1/f03"}, False),
        ("silence", {"id": "silence/1"}, False),
        ("work_order", {"id": "1"}, False),
        ("something_new", {"id": "lamp-t1-f03-a"}, False),
    ],
)
def test_of_a_live_event_only_ones_own_is_heard(
    kind: str, value: dict[str, str], *, heard: bool, gateway: FakeGateway
) -> None:
    found = Part(gateway, PLACES).event(kind, msgspec.json.encode(value))
    assert (found is not None) == heard


def test_a_live_round_and_a_live_alert_are_cut_to_what_is_seen(gateway: FakeGateway, others: list[str]) -> None:
    part = Part(gateway, PLACES)
    told = part.event("round", msgspec.json.encode(gateway.scene.rounds[1]))
    assert told is not None
    assert not named(told.decode(), others)
    for event in gateway.events.all:
        data = part.event(event.kind, event.data)
        assert data is None or not named(data.decode(), others)


def test_an_explanation_leaves_out_what_is_elsewhere(gateway: FakeGateway) -> None:
    part = Part(gateway, PLACES)

    def visit(position: int, checkpoint: str, said: str = "on time") -> Explanation:
        items = tuple(
            Item(device=device, kind="tag_read", at=scene.NOW, used=True) for device in ("wand-1", "rdr-gate")
        )
        return Explanation(
            kind="visit",
            id=f"night@x#{position}",
            result="on_time",
            known_at=scene.NOW,
            rule="rounds.md",
            sentence=Sentence(zh=said, en=said),
            expected={"checkpoint": checkpoint, "min_leg": {"cp-gate": 60, "cp-t1-f06": 30}, "from": "cp-gate"},
            evidence=items,
        )

    whole = msgspec.structs.replace(
        visit(0, ""),
        kind="round",
        id="night@x",
        parts=(visit(1, "cp-gate"), visit(2, "cp-t1-f01"), visit(3, "cp-t1-f06", "too fast from cp-gate")),
    )
    seen = part.explained(whole)
    assert seen is not None
    assert [one.id for one in seen.parts] == ["night@x#2", "night@x#3"]
    assert [item.device for item in seen.parts[0].evidence] == ["wand-1"], "a wand is of no place"
    assert seen.parts[0].expected == {"checkpoint": "cp-t1-f01", "min_leg": {"cp-t1-f06": 30}, "from": ""}
    assert "cp-gate" not in msgspec.json.encode(seen).decode()
    assert part.explained(msgspec.structs.replace(whole, parts=whole.parts[:1])) is None
    assert Part(gateway, None).explained(whole) is whole


async def test_figures_count_ones_own_alone(tenant: httpx.AsyncClient, gateway: FakeGateway, others: list[str]) -> None:
    begin = instant(scene.NIGHT) - 24 * 3600 * 1_000_000
    for lamp in gateway.site.lamps.values():
        seat = msgspec.json.encode(
            {"place": lamp.place, "circuit": lamp.circuit, "expected": {"mode": "always"}}
        ).decode()
        gateway.told.append(Condition(begin, begin, "seat", lamp.id, "in", seat))
        gateway.told.append(Condition(begin, begin, "lamp", lamp.id, "ok", ""))
    for camera in ("cam-pump", "cam-b2-1"):
        gateway.told.append(Condition(begin, begin, "camera", camera, "seeing", ""))
    gateway.told.append(Condition(begin, begin, "gateway", "", "up", ""))
    for path in (
        "lamps/intact?by=lamp",
        "lamps/intact?by=building",
        "cameras/intact?by=place",
        "cameras/intact?by=camera",
    ):
        answer = await tenant.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        assert not named(answer.text, others), path
    assert len((await tenant.get("/api/v1/lamps/intact?by=lamp")).json()["items"]) == 12
    assert [each["id"] for each in (await tenant.get("/api/v1/cameras/intact?by=camera")).json()["items"]] == [
        "cam-b2-1"
    ]


def test_places_are_whole_steps_of_a_path() -> None:
    assert lies_in("tower-1", ("tower-1",))
    assert lies_in("tower-1/f03", ("tower-1",))
    assert not lies_in("tower-11", ("tower-1",))
    assert not lies_in("tower", ("tower/f01",))
    assert not lies_in(None, ("tower-1",))


def test_a_part_of_a_site_keeps_only_what_is_in_it(gateway: FakeGateway) -> None:
    part = part_of(gateway.site, ("garage/b2",))
    assert set(part.places) == {"garage", "garage/b2"}
    assert set(part.devices) == {"cam-b2-1"}
    assert part.devices["cam-b2-1"].behind is None, "what it hangs on stands elsewhere"
    assert set(part.checkpoints) == {"cp-garage-2"}
    assert not part.lamps
    assert not part.circuits
    assert not part.parents


def test_parts_are_kept_and_bounded(gateway: FakeGateway) -> None:
    parts = Parts(gateway)

    def account(*places: str) -> Account:
        return Account(name="u-1", role="viewer", places=places)

    first = parts.of(account("tower-1"))
    assert parts.of(account("tower-1")) is first
    assert parts.of(Account(name="u-2", role="viewer")).gateway is gateway
    for number in range(200):
        parts.of(account(f"place-{number}"))
    assert parts.of(account("tower-1")) is not first


async def test_a_stream_follows_what_its_account_may_hear_now(gateway: FakeGateway) -> None:
    """Bounded while it listens: from then on only its own."""
    from api.access.accounts import Accounts, Session
    from api.resources.events import EventStream, Feed

    accounts = Accounts(gateway)
    feed = Feed(gateway, accounts, heartbeat_s=60)
    account = Account(name="u-1", role="viewer")
    now: list[Session | None] = [Session(token=b"x", account=account, seen=0, expires=1 << 60)]

    async def again() -> Session | None:
        return now[0]

    assert now[0] is not None
    stream = EventStream(feed, 0, now[0], again)
    heard: list[bytes] = []
    gone = asyncio.Event()

    async def send(message: Any) -> None:
        heard.append(message.get("body", b""))

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    running = asyncio.create_task(stream({"type": "http"}, receive, send))

    async def tell(lamp: str) -> None:
        gateway.events.publish("lamp", {"id": lamp})
        for _ in range(20):
            await asyncio.sleep(0)

    await tell("lamp-t2-f01-a")
    now[0] = msgspec.structs.replace(now[0], account=msgspec.structs.replace(account, places=PLACES))
    accounts.forget("u-1")
    await tell("lamp-t2-f02-a")
    await tell("lamp-t1-f01-a")
    now[0] = msgspec.structs.replace(now[0], account=msgspec.structs.replace(account, role="guard"))
    accounts.forget("u-1")
    await tell("lamp-t1-f02-a")
    now[0] = None
    accounts.forget("u-1")
    await tell("lamp-t1-f03-a")
    await asyncio.wait_for(running, 5)
    told = b"".join(heard).decode()
    assert re.findall(r"lamp-t\d-f\d\d-a", told) == ["lamp-t2-f01-a", "lamp-t1-f01-a"]
    gone.set()
