"""What a phone may say, and for whom; what becomes of what cannot be read; how a browser becomes a phone."""

from __future__ import annotations

import json
from datetime import time, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.phone import phones
from api.phone.plan import code, longest
from gateway.instants import HOUR, MINUTE
from gateway.site.enrolments import EnrolPerson
from gateway.site.model import Checkpoint, Person, RoundRule, Route, Visit
from tests.phone.night import BASE, GATE, ROOF, ROUND, Clock, Phone, night, site

JPEG = b"\xff\xd8\xff\xe0" + bytes(200)


async def test_a_browser_becomes_a_phone_once_and_stays_it(tmp_path: Path) -> None:
    clock = Clock()
    async with night(tmp_path, clock=clock) as on, on.phone() as phone:
        said = await phone.begin()
        assert said["device"].startswith("phone-g-wang-")
        assert (said["person"], said["name"], said["former"]) == ("g-wang", "王强", [])
        assert await phone.begin() == said | {"now": said["now"]}
        await phone.log_in("g-wang")
        assert (await phone.begin())["device"] == said["device"]
        device = on.gateway.site.devices[said["device"]]
        assert (device.driver, device.portable, device.settings["person"]) == ("phone", True, "g-wang")
        audit = await on.gateway.query("SELECT who, action, subject FROM audit WHERE action = 'phone.begin'", ())
        assert list(audit) == [("u-g-wang", "phone.begin", said["device"])]
        cookies = phone.client.cookies
        (name,) = [each.name for each in cookies.jar if each.name.startswith("lamplighter-phone-")]
        (stored,) = await on.gateway.query("SELECT token FROM phone", ())
        assert cookies[name].encode() not in stored[0], "the token itself is nowhere kept"
    async with night(tmp_path, site(), clock) as on, on.phone() as again:
        again.client.cookies.update(cookies)
        assert (await again.begin())["device"] == said["device"], "also after a restart of the gateway"


async def test_nobody_writes_for_another(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as wang, on.phone("g-li") as li:
        await wang.begin()
        await li.begin()
        on.at("22:04")
        li.tap(GATE)
        body = json.loads(li.queue.hand_over(li.clock())) | {"device": wang.device}
        answer = await li.client.post("/api/v1/phone/records", json=body)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2].rpartition(":")[2]) == (409, "phone")
        body["records"][0]["person"] = "g-wang"
        answer = await li.client.post("/api/v1/phone/records", json=body | {"device": li.device})
        assert answer.json()["unread"] == 1
        answer = await li.client.post(
            "/api/v1/phone/photos", params={"device": wang.device, "boot": "q1", "seq": 1}, content=JPEG
        )
        assert answer.status_code == 409
        assert await on.gateway.archive.observations(device=wang.device, kind="tag_read", limit=9) == []
        stranger = httpx.AsyncClient(transport=httpx.ASGITransport(app=on.app), base_url=BASE, headers={"Origin": BASE})
        stranger.cookies.update(
            {each.name: each.value or "" for each in wang.client.cookies.jar if "phone" in each.name}
        )
        assert (await stranger.post("/api/v1/phone/records", json=body)).status_code == 401, (
            "the phone's cookie is no log-in"
        )


async def test_what_one_guard_left_in_a_browser_is_his_though_another_is_logged_in(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        wang = (await phone.begin())["device"]
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        await phone.log_in("g-li")
        said = await phone.begin()
        assert (said["person"], said["former"]) == ("g-li", [wang])
        assert said["device"] != wang
        await phone.send(wang)
        assert on.visit("gate").person == "g-wang"


async def test_an_account_that_is_nobodys_taps_for_nobody(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone(None) as phone:
        for answer in (await phone.client.post("/api/v1/phone/begin"), await phone.client.get("/api/v1/phone/plan")):
            assert answer.status_code == 409
            assert answer.json()["type"].endswith("nobody")
        answer = await phone.client.post("/api/v1/phone/records", json={"boot": "q", "now": 0, "last": 0})
        assert answer.status_code == 409
        assert not on.gateway.enrolled


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["boot", "now", "last", "records", "device", "seq", "kind", "at", "url", "tag"]),
                    inner,
                    max_size=5,
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
async def test_whatever_is_handed_in_is_taken_or_quarantined_and_nothing_breaks(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    async with night(tmp_path_factory.mktemp("any")) as on, on.phone() as phone:
        await phone.begin()
        answer = await phone.client.post("/api/v1/phone/records", content=body)
        assert answer.status_code in {200, 409}, answer.text
        if answer.status_code == 200 and answer.json()["unread"]:
            assert len(await on.gateway.archive.quarantine(before=None, limit=9)) >= 1


async def test_a_picture_is_kept_once_and_shown_to_those_who_read_evidence(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone, on.phone(None, "operator") as operator:
        await phone.begin()
        seq = phone.queue.incident(phone.clock(), code="water", text="漏水", photo=True)
        await phone.send()
        where = {"device": phone.device, "boot": "q1", "seq": seq}
        path = "/api/v1/phone/photos"
        assert (await phone.client.post(path, params=where, content=b"GIF89a" + bytes(99))).status_code == 422
        for _ in range(2):
            answer = await phone.client.post(path, params=where, content=JPEG)
            assert (answer.status_code, answer.json()["bytes"]) == (200, len(JPEG))
        assert (await phone.client.post(path, params=where, content=JPEG + bytes(600_000))).status_code == 413
        (alert,) = [each for each in on.gateway.judgement.alerts.alerts() if each.rule == "incident"]
        page = (await operator.client.get(f"/alerts/{alert.id}")).text
        assert f"{path}/{phone.device}/q1/{seq}" in page
        answer = await operator.client.get(f"{path}/{phone.device}/q1/{seq}")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, JPEG, "image/jpeg")
        assert "attachment" in answer.headers["content-disposition"]
        assert (await phone.client.get(f"{path}/{phone.device}/q1/{seq}")).status_code == 403


async def test_a_new_phone_spoils_nothing_of_before_it_was_there(tmp_path: Path) -> None:
    which = site()
    points = {**which.checkpoints, "gate": Checkpoint(id="gate", place="gate", tags=(GATE,))}
    async with night(tmp_path, site(checkpoints=points)) as on, on.phone() as first, on.phone() as second:
        on.at("21:58")
        await first.begin()
        await first.send()
        on.at("22:20:30")
        await second.begin()
        await second.send()
        await first.send()
        assert on.verdicts()["gate"] == "missed", (
            "both phones are complete until now; the new one recorded nothing before"
        )


async def test_so_many_phones_of_one_account_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "MOST_PHONES", 2)
    async with night(tmp_path) as on:
        devices = []
        for _ in range(3):
            async with on.phone() as phone:
                devices.append((await phone.begin())["device"])
                await phone.send()
        assert devices[2] == devices[0]
        assert len(on.gateway.enrolled) == 2


async def test_the_plan_is_of_those_who_are_expected(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as wang, on.phone("g-li") as li:
        await wang.begin()
        (round_,) = (await wang.plan())["rounds"]
        assert (round_["id"], [visit["name"] for visit in round_["visits"]]) == (ROUND, ["南门", "天台", "水泵房"])
        assert (await li.plan())["rounds"] == []
        on.at("22:04")
        wang.tap(GATE)
        wang.tap("04FFFFFFFF0001")
        on.at("23:20")
        wang.tap(ROOF)
        await wang.send()
        plan = await wang.plan()
        assert [(each["reason"], each["name"], each["tag"]) for each in plan["unserved"]] == [
            ("no_round", "天台", "0002"),
            ("unknown_tag", None, "0001"),
        ]
        assert (await li.plan())["unserved"] == []
        answer = await wang.client.get("/api/v1/phone/plan")
        again = await wang.client.get("/api/v1/phone/plan", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        text = json.dumps(plan)
        assert GATE not in text, "a tag's number is enough to copy it"
        assert plan["codes"][code(GATE)] == "gate"


async def test_codes_that_two_tags_share_name_none(tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    number = 0
    while True:
        tag = f"04{number:012X}"
        if (other := seen.setdefault(code(tag), tag)) != tag:
            break
        number += 1
    points = {
        name: Checkpoint(id=name, place="gate", tags=(each,))
        for name, each in (("gate", tag), ("roof", other), ("pump", GATE))
    }
    async with night(tmp_path, site(checkpoints=points)) as on, on.phone() as phone:
        await phone.begin()
        assert (await phone.plan())["codes"] == {code(GATE): "pump"}


async def test_a_tag_opened_before_the_log_in_is_opened_after_it(tmp_path: Path) -> None:
    async with (
        night(tmp_path) as on,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=on.app), base_url=BASE, headers={"Origin": BASE}) as client,
    ):
        opened = f"/t/pump?picc_data={'A' * 32}&cmac={'B' * 16}"
        answer = await client.get(opened, headers={"Accept": "text/html"})
        assert answer.status_code == 303
        page = await client.get(answer.headers["location"])
        assert f'value="{opened.replace("&", "&amp;")}"' in page.text


async def test_the_camera_is_for_the_phone_page_only(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        for path in ("/phone", f"/t/{GATE}"):
            assert "camera=(self)" in (await phone.client.get(path)).headers["permissions-policy"]
        assert "camera=()" in (await phone.client.get("/scores")).headers["permissions-policy"]


async def test_the_worker_is_another_whenever_the_page_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.phone import page

    before = page._version()
    real = page.static_file

    def changed(name: str) -> tuple[bytes, str] | None:
        found = real(name)
        return (found[0] + b" ", found[1]) if found is not None and name == "phone_show.js" else found

    monkeypatch.setattr(page, "static_file", changed)
    assert page._version() != before
    monkeypatch.undo()
    async with night(tmp_path) as on, on.phone() as phone:
        script = (await phone.client.get("/phone-sw.js")).text
        assert before in script
        for name in page.ASSETS:
            assert f"/static/{name}" in script


async def test_a_long_round_is_shown_to_its_end_and_not_long_after(tmp_path: Path) -> None:
    """Seven hours, its only point due at any time."""
    which = site()
    route = Route(id="r", visits=(Visit(checkpoint="gate"),), guards=("g-wang",))
    rounds = (RoundRule(route="r", days=frozenset(range(7)), starts=(time(22),), lasts=7 * HOUR),)
    async with night(tmp_path, site(routes={"r": route}, rounds=rounds)) as on, on.phone() as phone:
        await phone.begin()
        for at, shown in (("23:00", True), ("04:59", True), ("05:40", True), ("05:51", False)):
            on.at(at)
            assert bool([each for each in (await phone.plan())["rounds"] if each["id"] == ROUND]) is shown, at
    assert longest(which) == 55 * MINUTE


def forget(phone: Phone) -> None:
    """The browser loses the phone's cookie, and keeps all else."""
    jar = phone.client.cookies.jar
    for cookie in [each for each in jar if each.name.startswith(phones.NAME)]:
        jar.clear(cookie.domain, cookie.path, cookie.name)


async def test_what_a_browser_kept_is_taken_though_it_lost_the_phones_cookie(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        old = (await phone.begin())["device"]
        on.at("22:04")
        phone.tap(GATE)
        call = phone.queue.panic(phone.clock())
        forget(phone)
        assert (await phone.begin())["device"] != old
        await phone.send(old, only=[call])
        assert "panic" in {each.rule for each in on.gateway.judgement.alerts.alerts()}
        await phone.send(old)
        assert on.visit("gate").verdict == "on_time"
        where = {"device": old, "boot": "q1", "seq": 1}
        assert (await phone.client.post("/api/v1/phone/photos", params=where, content=JPEG)).status_code == 200


async def test_a_phone_that_another_browser_became_is_written_by_that_one_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "MOST_PHONES", 1)
    async with night(tmp_path) as on, on.phone() as first, on.phone(boot="q2") as second:
        device = (await first.begin())["device"]
        await first.send()
        assert (await second.begin())["device"] == device
        await second.send()
        first.tap(GATE)
        body = json.loads(first.queue.hand_over(first.clock())) | {"device": device}
        answer = await first.client.post("/api/v1/phone/records", json=body)
        assert answer.status_code == 409, "else the one's silence would be proved by the other's hand-overs"


async def test_the_phone_that_was_silent_for_longest_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "MOST_PHONES", 2)
    async with night(tmp_path) as on, on.phone() as daily, on.phone(boot="q2") as once, on.phone(boot="q3") as new:
        mine = (await daily.begin())["device"]
        on.at("21:40")
        other = (await once.begin())["device"]
        await once.send()
        on.at("22:04")
        await daily.send()
        assert (await new.begin())["device"] == other
        daily.tap(GATE)
        await daily.send(mine)
        assert on.visit("gate").verdict == "on_time"


async def test_a_phone_of_the_guardroom_serves_however_many_guards(tmp_path: Path) -> None:
    many = {f"g-{each}": Person(id=f"g-{each}", name=str(each), roles=("guard",)) for each in range(60)}
    async with night(tmp_path, site(people=site().people | many)) as on, on.phone() as phone:
        first = (await phone.begin())["device"]
        phone.tap(GATE)
        for each in many:
            on.clock.time += timedelta(seconds=1)
            await phone.log_in(each)
            device = (await phone.begin())["device"]
            assert (await phone.begin())["device"] == device
        cookies = [each for each in phone.client.cookies.jar if each.name.startswith(phones.NAME)]
        assert len(cookies) <= phones.MOST_COOKIES + 1
        await phone.log_in("g-wang")
        assert (await phone.begin())["device"] != first
        on.at("22:04")
        await phone.send(first)


async def test_a_phone_that_was_withdrawn_with_its_person_is_back_with_him(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone("g-new") as phone:
        await on.gateway.enrol(EnrolPerson(id="g-new"), "boss", name="新来的")
        device = (await phone.begin())["device"]
        await phone.send()
        on.at("22:04")
        phone.tap(GATE)
        await on.gateway.enrol(("phone", device), "boss")
        await on.gateway.enrol(("person", "g-new"), "boss")
        await on.gateway.enrol(EnrolPerson(id="g-new"), "boss", name="新来的")
        await phone.send()
        assert on.visit("gate").verdict == "pending", "nobody knows the phone"
        assert (await phone.begin())["device"] == device
        assert on.visit("gate").verdict == "on_time"


async def test_a_cookie_of_another_program_on_the_same_host_is_passed_over(tmp_path: Path) -> None:
    async with night(tmp_path) as on, on.phone() as phone:
        mine = (await phone.begin())["device"]
        ours = "; ".join(f"{each.name}={each.value}" for each in phone.client.cookies.jar)
        phone.client.cookies.clear()
        phone.client.headers["Cookie"] = 'other={"theme": "dark", "x": [1]}; caf=1 2; ' + ours
        assert (await phone.begin())["device"] == mine
