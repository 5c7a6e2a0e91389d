"""Work orders over HTTP on a real gateway: what roles may, what is refused, personal words apart, the ledger."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import apsw
import httpx
import msgspec
import openpyxl
import pytest

from api.access.invitations import Invitations
from api.access.roles import Role
from api.app import create_app
from api.console.orders import SHOWN
from device_drivers.observations import TagRead
from gateway.rules.findings import Signal
from gateway.runtime import Gateway
from gateway.site.model import Device
from tests.api import scene

BASE = "http://gateway.test"
SITE = msgspec.structs.replace(scene.site("zh_CN"), devices={}, zones={}, checkpoints={}, routes={})
"""Nothing in it falls silent by itself."""
NEAR = msgspec.structs.replace(
    SITE, devices={"rdr": Device(id="rdr", driver="native", kind="reader", place="tower-1/f03")}
)
"""The same with a reader where the light is out."""
REPORT = {"name": "张女士", "phone": "13800000000", "place": "tower-1/f03", "room": "302", "what": "楼道灯不亮", "convenient": "19:00 以后"}  # fmt: skip
ORDERS = "/api/v1/work-orders"


class Clock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.at = scene.NOW

    def __call__(self) -> datetime:
        return self.at

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)


class Estate:
    """A gateway with its application; `enter` gives a client of a role."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self.gateway = gateway
        self.clock = clock
        self.invitations = Invitations()
        self.app = create_app(gateway, invitations=self.invitations)
        self.clients: list[httpx.AsyncClient] = []

    async def enter(self, role: Role) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url=BASE,
            headers={"Origin": BASE, "Accept-Language": "zh"},
        )
        self.clients.append(client)
        token = self.invitations.login(f"test-{role}", role, self.gateway.now())
        assert (await client.get("/login/once", params={"token": token})).status_code == 303
        return client

    async def fault(self, rule: str = "circuit_fault", subject: str = "c-t2-b", action: Any = "raise") -> None:
        now = self.gateway.now()
        self.gateway.judgement.advance(now)
        self.gateway.judgement.signal(Signal(rule=rule, subject=subject, action=action, at=now))
        self.gateway.intake.tick(now)
        await self.gateway.intake.drained()

    async def pass_time(self, **span: float) -> None:
        self.clock.later(**span)
        self.gateway.intake.tick(self.gateway.now())
        await self.gateway.intake.drained()


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    clock = Clock()
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        found = Estate(gateway, clock)
        yield found
        for client in found.clients:
            await client.aclose()


async def post(
    client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None, status: int = 200
) -> dict[str, Any]:
    answer = await client.post(f"{ORDERS}{path}", json=body or {})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


async def test_an_order_that_is_open_for_months_outlives_an_update_of_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of rules is built anew from ten days of evidence then; orders are older."""
    clock = Clock()
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        old = (await post(desk, "", REPORT))["id"]
        await estate.pass_time(days=60)
        desk = await estate.enter("operator")
        young = (await post(desk, "", REPORT))["id"]
        await post(desk, f"/{young}/assign", {"to": "m-liu"})
        before = [(await desk.get(f"{ORDERS}/{order}")).json() for order in (old, young)]
        opened = {order.id for order in gateway.judgement.books["work_order"].orders()}  # type: ignore[attr-defined]
    monkeypatch.setattr("gateway.recovery.FORMAT", "another")
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        assert [(await desk.get(f"{ORDERS}/{order}")).json() for order in (old, young)] == before
        assert {order.id for order in gateway.judgement.books["work_order"].orders()} == opened  # type: ignore[attr-defined]
        await post(desk, f"/{old}/assign", {"to": "m-liu"})
        assert (await post(desk, "", REPORT))["id"] not in opened


async def test_a_report_goes_its_way_over_http_and_outlives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        order = (await post(desk, "", REPORT))["id"]
        assert order == "20261123-001"
        await estate.pass_time(minutes=5)
        await post(desk, f"/{order}/assign", {"to": "m-liu"})
        await estate.pass_time(minutes=20)
        await post(desk, f"/{order}/arrive", {"at": (clock.at - timedelta(minutes=2)).isoformat()})
        before = (await desk.get(f"{ORDERS}/{order}")).json()
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        assert (await desk.get(f"{ORDERS}/{order}")).json() == before
        await post(desk, f"/{order}/repair", {"why": "换灯管"})
        await estate.pass_time(days=1)
        desk = await estate.enter("operator")
        due = (await desk.get(ORDERS, params={"follow_up_due": True})).json()["items"]
        assert [each["id"] for each in due] == [order]
        await post(desk, f"/{order}/follow_up", {"content": True, "asked": "张女士", "words": "很好"})
        done = await post(desk, f"/{order}/close")
        assert done["state"] == "closed"
        assert done["answers"][0]["said"]["what"] == "很好"
        assert [step["action"] for step in done["history"]] == [
            "report",
            "assign",
            "arrive",
            "repair",
            "follow_up",
            "close",
        ]


async def test_the_same_log_gives_the_same_orders_without_a_snapshot(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        first = (await post(desk, "", REPORT))["id"]
        await estate.pass_time(minutes=31)
        await post(desk, f"/{first}/assign", {"to": "m-liu"})
        await post(desk, f"/{first}/cancel", {"why": "重复"})
        second = (await post(desk, "", REPORT | {"urgency": "emergency"}))["id"]
        await estate.pass_time(minutes=31)
        before = [(await desk.get(f"{ORDERS}/{each}")).json() for each in (first, second)]
    with apsw.Connection(str(tmp_path / "journal.db")) as connection:
        connection.execute("DELETE FROM snapshot")
    async with Gateway(SITE, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        assert [(await desk.get(f"{ORDERS}/{each}")).json() for each in (first, second)] == before


async def test_an_alert_opens_an_order_and_events_tell_it(estate: Estate) -> None:
    desk = await estate.enter("operator")
    await estate.fault()
    items = (await desk.get(ORDERS, params={"open": True})).json()["items"]
    assert [(each["rule"], each["urgency"], each["place"], each["said"]) for each in items] == [("circuit_fault", "emergency", "tower-2", None)]  # fmt: skip
    kinds = {row[0] for row in await estate.gateway.query("SELECT book FROM entry", ())}
    assert "work_order" in kinds
    await estate.pass_time(minutes=31)
    alerts = (await desk.get("/api/v1/alerts", params={"active": True})).json()["items"]
    assert "work_order_late" in {each["rule"] for each in alerts}


async def test_who_reads_english_reads_what_an_alert_told_in_english_also_when_memory_no_longer_holds_it(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await estate.enter("operator")
    await estate.fault()
    [order] = (await desk.get(ORDERS, params={"open": True})).json()["items"]
    page, paper = f"/work-orders/{order['id']}", f"/work-orders/{order['id']}/print"
    pages = ("/work-orders", page, paper, "/work-orders/ledger")
    english = {"headers": {"Accept-Language": "en"}}
    for where in pages:
        assert order["what"] in (await desk.get(where)).text, where
        assert "lamps went dark together" in (await desk.get(where, **english)).text, where
    monkeypatch.setattr(estate.gateway.judgement.alerts, "alert", lambda _: None)
    for where in pages:
        assert "lamps went dark together" in (await desk.get(where, **english)).text, where


async def test_an_order_by_hand_of_an_alert(estate: Estate) -> None:
    desk = await estate.enter("operator")
    await estate.fault("incident", "wand-1")
    found = await post(desk, "/from-alert", {"alert": "incident/wand-1/1", "urgency": "emergency"})
    assert (found["source"], found["alerts"], found["what"][:6]) == ("alert", ["incident/wand-1/1"], "wand-1")
    assert (await post(desk, "/from-alert", {"alert": "incident/wand-1/1"}, 409))[
        "type"
    ] == "urn:lamplighter:problem:refused"
    await post(desk, "/from-alert", {"alert": "incident/wand-1/9"}, 404)


async def test_an_alert_whose_order_is_over_leads_to_a_new_one(estate: Estate) -> None:
    desk = await estate.enter("operator")
    await estate.fault("incident", "wand-1")
    page, new = "/alerts/incident/wand-1/1", "/work-orders/of-alert/incident/wand-1/1"
    order = (await post(desk, "/from-alert", {"alert": "incident/wand-1/1"}))["id"]
    assert f"/work-orders/{order}" in (await desk.get(page)).text
    assert "of-alert" not in (await desk.get(page)).text
    assert (await desk.get(new)).headers["location"] == f"/work-orders/{order}"
    await post(desk, f"/{order}/cancel", {"why": "not ours"})
    assert f"/work-orders/{order}" in (await desk.get(page)).text
    assert new in (await desk.get(page)).text
    assert (await desk.get(new)).status_code == 200
    assert (await post(desk, "/from-alert", {"alert": "incident/wand-1/1"}))["id"] != order


async def test_what_is_refused_is_a_problem_in_the_audit_and_leaves_no_words_behind(estate: Estate) -> None:
    desk = await estate.enter("operator")
    order = (await post(desk, "", REPORT))["id"]
    assert (await post(desk, f"/{order}/repair", status=409))["detail"].endswith("record the arrival first")
    await post(desk, f"/{order}/follow_up", {"content": True, "asked": "x"}, 409)
    await post(desk, "", REPORT | {"place": "moon"}, 404)
    await post(desk, "/20260101-001/assign", {"to": "m-liu"}, 404)
    rows = await estate.gateway.query(
        "SELECT count(*) FROM personal WHERE key NOT LIKE '%/%' AND key NOT LIKE '%:%'", ()
    )
    assert rows[0][0] == 1
    audit = await estate.gateway.query(
        "SELECT action, outcome FROM audit WHERE action LIKE 'work_order.%' ORDER BY seq", ()
    )
    assert [tuple(row) for row in audit] == [
        ("work_order.report", "done"),
        ("work_order.repair", "refused"),
        ("work_order.follow_up", "refused"),
        ("work_order.report", "refused"),
        ("work_order.assign", "refused"),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"what": " "}),
        ("", {"name": "x"}),
        ("", {"what": "x", "urgency": "soon"}),
        ("", {"what": "x" * 1001}),
        ("", {"what": "x", "owner": "me"}),
        ("/1/assign", {"content": True}),
        ("/1/cancel", {}),
        ("/1/comment", {"why": "  "}),
    ],
)
async def test_what_makes_no_sense_is_said_before_anything_is_done(
    estate: Estate, path: str, body: dict[str, Any]
) -> None:
    assert (await post(await estate.enter("operator"), path, body, 422))["type"] == "urn:lamplighter:problem:invalid"


async def test_names_and_telephones_are_for_those_who_need_them(estate: Estate) -> None:
    desk = await estate.enter("operator")
    order = (await post(desk, "", REPORT))["id"]
    for role, name in (("operator", "张女士"), ("manager", "张女士"), ("maintenance", ""), ("viewer", "")):
        client = await estate.enter(role)  # type: ignore[arg-type]
        said = (await client.get(f"{ORDERS}/{order}")).json()["said"]
        assert (said["name"], said["phone"] != "", said["what"], said["room"]) == (
            name,
            name != "",
            "楼道灯不亮",
            "302",
        )
        for path in (f"/work-orders/{order}", "/work-orders", f"/work-orders/{order}/print", "/work-orders/ledger"):
            page = (await client.get(path)).text
            assert ("13800000000" in page) <= (name != ""), (role, path)
            assert "楼道灯不亮" in page, (role, path)
    guard = await estate.enter("guard")
    assert (await guard.get(ORDERS)).status_code == 403


async def test_a_reporters_words_never_stand_in_rows_that_stay(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = (f"k{number}" for number in range(100))
    monkeypatch.setattr("api.resources.work_orders.secrets.token_hex", lambda _: next(keys))  # hold no words by chance
    desk = await estate.enter("operator")
    order = (await post(desk, "", REPORT))["id"]
    await post(desk, f"/{order}/arrive")
    await post(desk, f"/{order}/repair")
    await post(desk, f"/{order}/follow_up", {"content": False, "asked": "张女士", "words": "还是 302 不亮"})
    await estate.gateway.intake.drained()
    for table, column in (("entry", "body"), ("finding", "body"), ("log", "body"), ("audit", "detail")):
        for (body,) in await estate.gateway.query(f"SELECT {column} FROM {table}", ()):
            text = body if isinstance(body, str) else bytes(body or b"").decode()
            for word in ("张女士", "13800000000", "302", "楼道灯不亮"):
                assert word not in text, (table, word)


async def test_only_the_administrator_erases_and_the_order_stays(estate: Estate) -> None:
    desk, admin = await estate.enter("operator"), await estate.enter("admin")
    order = (await post(desk, "", REPORT))["id"]
    await post(desk, f"/{order}/erase", status=403)
    before = (await admin.get(f"{ORDERS}/{order}")).json()
    await post(admin, f"/{order}/erase", status=204)
    after = (await admin.get(f"{ORDERS}/{order}")).json()
    assert after["said"] == {"name": "", "phone": "", "room": "", "what": "", "convenient": "", "erased": True}
    assert {**before, "said": None} == {**after, "said": None}
    assert "个人信息已删除" in (await admin.get(f"/work-orders/{order}")).text
    rows = await estate.gateway.query("SELECT key, body FROM personal WHERE key = ?", (before["personal"],))
    assert [tuple(row) for row in rows] == [(before["personal"], None)]


async def test_lists_are_filtered_and_come_in_pages(estate: Estate) -> None:
    desk = await estate.enter("operator")
    ids = []
    for place in ("tower-1/f03", "garage", "tower-1/f06"):
        ids.append((await post(desk, "", REPORT | {"place": place}))["id"])
        await estate.pass_time(minutes=1)
    await post(desk, f"/{ids[1]}/cancel", {"why": "x"})

    async def asked(**params: Any) -> list[str]:
        return [each["id"] for each in (await desk.get(ORDERS, params=params)).json()["items"]]

    assert await asked() == ids[::-1]
    assert await asked(open=True) == [ids[2], ids[0]]
    assert await asked(place="tower-1") == [ids[2], ids[0]]
    assert await asked(state="cancelled") == [ids[1]]
    assert await asked(urgency="emergency") == []
    assert await asked(since="2026-11-23T02:48:00+08:00") == ids[:0:-1]
    part = (await desk.get(ORDERS, params={"limit": 2})).json()
    rest = (await desk.get(ORDERS, params={"limit": 2, "cursor": part["next"]})).json()
    assert [each["id"] for each in part["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    assert (await desk.get(ORDERS, params={"place": "tower"})).json()["items"] == []


@pytest.mark.parametrize(("assigned", "came"), [(None, "m-liu"), ("g-wang", "g-wang")])
async def test_who_says_himself_that_he_has_come_is_meant_unless_another_is_assigned(
    estate: Estate, assigned: str | None, came: str
) -> None:
    desk = await estate.enter("operator")
    await estate.gateway.write([
        ("INSERT INTO accounts (name, role, disabled, created, changed, person) VALUES (?, ?, 0, 0, 0, ?)", ("test-maintenance", "maintenance", "m-liu")),
    ])  # fmt: skip
    liu = await estate.enter("maintenance")
    order = (await post(desk, "", REPORT | {"urgency": "emergency"}))["id"]
    if assigned is not None:
        await post(desk, f"/{order}/assign", {"to": assigned})
    await estate.pass_time(minutes=10)
    assert (await post(liu, f"/{order}/arrive"))["arrival"]["person"] == came


async def test_his_own_tag_proves_that_he_came_who_says_so_himself(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(NEAR, tmp_path, clock=clock) as gateway:
        estate = Estate(gateway, clock)
        desk = await estate.enter("operator")
        await gateway.write([
            ("INSERT INTO accounts (name, role, disabled, created, changed, person) VALUES (?, ?, 0, 0, 0, ?)", ("test-maintenance", "maintenance", "m-liu")),
        ])  # fmt: skip
        liu = await estate.enter("maintenance")
        order = (await post(desk, "", REPORT | {"urgency": "emergency"}))["id"]
        await estate.pass_time(minutes=10)
        gateway.judgement.books["work_order"].heard(
            TagRead(device="rdr", at=clock.at, tag="0063E77E"), gateway.now(), gateway.now()
        )
        await estate.pass_time(minutes=25)
        found = await post(liu, f"/{order}/arrive")
    assert (found["punctual"], found["arrival"]["person"], found["arrival"]["device"]) == ("in_time", "m-liu", "rdr")


async def test_the_ledger_as_excel_is_what_the_orders_say_cell_by_cell(estate: Estate) -> None:
    desk = await estate.enter("operator")
    nasty = {"name": "=cmd|' /C calc'!A0", "phone": "+8613800000000", "what": "-2+3", "room": "@302", "place": "garage"}
    first = (await post(desk, "", REPORT))["id"]
    second = (await post(desk, "", nasty | {"urgency": "emergency"}))["id"]
    await estate.pass_time(minutes=10)
    await post(desk, f"/{second}/arrive", {"person": "m-liu"})
    await post(desk, f"/{second}/repair", {"why": "=1+1"})
    await post(desk, f"/{second}/follow_up", {"content": None, "words": "=2+2"})
    await estate.fault()
    answer = await desk.get(f"{ORDERS}/ledger/excel", params={"month": "2026-11"})
    assert answer.headers["content-disposition"] == 'attachment; filename="repairs-2026-11.xlsx"'
    book = openpyxl.load_workbook(BytesIO(answer.content))
    assert book.sheetnames == ["报修台帐", "统计"]
    rows = list(book["报修台帐"].iter_rows())
    assert rows[0][0].value == "御溪花园 报修台帐 2026-11"
    heads = [cell.value for cell in rows[2]]
    assert heads[:8] == ["序号", "维修单号", "报修时间", "来源", "地点", "报修人", "电话", "内容"]
    orders = {
        each["id"]: each for each in (await desk.get(f"{ORDERS}/ledger", params={"month": "2026-11"})).json()["orders"]
    }
    table = [dict(zip(heads, [cell.value for cell in row], strict=True)) for row in rows[3:6]]
    assert [row["维修单号"] for row in table] == [first, second, "20261123-003"] == list(orders)
    for row in table:
        order = orders[row["维修单号"]]
        said = order["said"] or {}
        assert row["报修人"] == (said.get("name") or None)
        assert row["电话"] == (said.get("phone") or None)
        assert row["内容"] == (said.get("what") or order["what"])
        assert row["报修时间"] == naive(order["reported"])
        assert row["应完成时间"] == naive(order["due"])
        for heading, step in (("到场时间", "arrival"), ("修复时间", "repair")):
            assert row[heading] == (naive(order[step]["at"]) if order[step] else None)
    odd = table[1]
    assert (odd["序号"], odd["到场依据"], odd["修复依据"], odd["是否及时"], odd["回访结果"]) == (
        2,
        "自述",
        "自述",
        "及时",
        "未联系上",
    )
    assert (odd["维修人"], odd["状态"], odd["地点"]) == (None, "已修复", "地下车库 @302")
    assert (table[2]["来源"], table[2]["内容"], table[2]["紧急程度"]) == (
        "报警: 回路故障",
        orders["20261123-003"]["what"],
        "急修",
    )
    texts = [cell for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    assert {cell.value for cell in texts} >= {nasty["name"], nasty["phone"], nasty["what"], "=2+2"}
    for cell in texts:
        assert cell.data_type == "s", cell.value
        assert cell.number_format == "@"
    figures = {row[0].value: [cell.value for cell in row[1:]] for row in book["统计"].iter_rows(min_row=2)}
    assert figures["报修总数"] == [None, 3, None, None, None]
    assert figures["急修到场及时率"] == [1, 1, 1, 1, 0]
    assert figures["一般维修及时率"] == [None, 0, 0, 1, 0]
    assert figures["返修率"] == [None, 0, 0, 1, 0]
    assert figures["回访率"] == [None, 0, 0, 1, 0]
    other = await (await estate.enter("viewer")).get(f"{ORDERS}/ledger/excel", params={"month": "2026-11"})
    plain = [
        str(cell.value)
        for row in openpyxl.load_workbook(BytesIO(other.content))["报修台帐"].iter_rows()
        for cell in row
    ]
    assert "楼道灯不亮" in plain
    assert not {"报修人", "电话", "13800000000", "张女士"} & set(plain)


def naive(text: str) -> datetime:
    """As a sheet has it: the site's clock to the second."""
    return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)


async def test_a_month_that_is_none_is_said_and_an_empty_one_shows_nothing(estate: Estate) -> None:
    desk = await estate.enter("operator")
    for path in ("ledger", "ledger/excel"):
        for month in ("2026-13", "0000-01", "0001-01", "9999-12"):
            assert (await desk.get(f"{ORDERS}/{path}", params={"month": month})).status_code == 422
        assert (await desk.get(f"{ORDERS}/{path}", params={"month": "2025-01"})).status_code == 200
    assert "本月没有报修" in (await desk.get("/work-orders/ledger", params={"month": "2025-01"})).text


async def test_pages_offer_what_the_table_allows(estate: Estate) -> None:
    desk, viewer = await estate.enter("operator"), await estate.enter("viewer")
    order = (await post(desk, "", REPORT | {"area": "warranty"}))["id"]

    async def offered(client: httpx.AsyncClient) -> list[str]:
        import re

        return re.findall(r'data-open="(\w+)"', (await client.get(f"/work-orders/{order}")).text)

    assert await offered(desk) == ["assign", "arrive", "prioritise", "cancel", "comment"]
    assert await offered(viewer) == []
    await post(desk, f"/{order}/arrive")
    assert await offered(desk) == ["repair", "prioritise", "cancel", "comment"]
    await post(desk, f"/{order}/repair")
    assert await offered(desk) == ["verify", "follow_up", "comment"]
    await post(desk, f"/{order}/verify")
    await post(desk, f"/{order}/follow_up", {"content": True})
    assert await offered(desk) == ["follow_up", "close", "comment"]
    for path in ("/work-orders", f"/work-orders/{order}", "/work-orders/new"):
        page = (await desk.get(path)).text
        assert " style=" not in page
        assert " onclick" not in page
        assert page.count("<script") == len(re.findall(r'<script (type="module" )?src="/static/', page))


async def test_the_desk_lists_what_is_due_first_says_how_many_more_there_are_and_leads_to_them(estate: Estate) -> None:
    desk = await estate.enter("operator")
    known = []
    for _ in range(SHOWN + 7):
        known.append((await post(desk, "", REPORT))["id"])
        await estate.pass_time(seconds=1)
    listed = re.compile(r'data-key="(\d{8}-\d{3})"')
    first = (await desk.get("/work-orders", params={"lang": "en"})).text
    assert listed.findall(first) == known[:SHOWN]
    assert f'<span class="count">{SHOWN + 7}</span>' in first
    assert f'<a href="/work-orders?list=todo&amp;from={SHOWN}">7 more: go on</a>' in first
    rest = (await desk.get("/work-orders", params={"list": "todo", "from": SHOWN, "lang": "en"})).text
    assert listed.findall(rest) == known[SHOWN:]
    assert f"{SHOWN} before these" in rest
    assert "more: go on" not in rest
    emergency = (await post(desk, "", REPORT | {"urgency": "emergency"}))["id"]
    assert listed.findall((await desk.get("/work-orders")).text)[0] == emergency


async def test_an_order_closed_today_stands_on_the_desk_however_long_ago_it_was_reported(estate: Estate) -> None:
    desk = await estate.enter("operator")
    order = (await post(desk, "", REPORT))["id"]
    await estate.pass_time(days=20)
    desk = await estate.enter("operator")
    await post(desk, f"/{order}/cancel", {"why": "reported twice"})
    assert f'data-key="{order}"' in (await desk.get("/work-orders")).text
    await estate.pass_time(days=8)
    desk = await estate.enter("operator")
    assert f'data-key="{order}"' not in (await desk.get("/work-orders")).text


async def test_an_order_about_what_lies_nowhere_says_what_its_id_names(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await estate.enter("operator")
    for lamp in list(estate.gateway.site.lamps):
        monkeypatch.delitem(estate.gateway.site.lamps, lamp)
    await estate.fault()
    [order] = (await desk.get(ORDERS, params={"open": True})).json()["items"]
    assert order["place"] is None
    assert "<h2>回路 c-t2-b</h2>" in (await desk.get(f"/work-orders/{order['id']}")).text
    assert ">回路 c-t2-b</a>" in (await desk.get("/work-orders")).text
