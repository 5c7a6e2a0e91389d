"""Duty checks over HTTP on a real gateway: who sees what and when, extra checks, findings, pictures."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from hashlib import sha256

import msgspec
import pytest

from api.resources.duty_checks import media_type_of
from gateway.duty_checks.plan import plan_week
from gateway.instants import MINUTE, moment
from gateway.runtime import Gateway
from gateway.site.model import Alerting, Contact
from tests.scores.conftest import SITE, START, Estate

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 100


def coming():
    planned = plan_week(SITE, SITE.duty_checks["captain"], date(2026, 11, 23), SITE.jitter_seed or "")
    return next(each for each in planned if moment(each.at, UTC) > START)


async def until_due(estate) -> None:
    minutes = (coming().at - estate.gateway.now()) // MINUTE
    await estate.go(minutes)


async def test_before_its_moment_a_check_is_known_to_nobody(estate) -> None:
    minutes = (coming().at - estate.gateway.now()) // MINUTE
    await estate.go(minutes - 1)
    boss = await estate.enter("boss", "admin")
    assert (await boss.get("/api/v1/duty-checks")).json()["items"] == []
    assert (
        await boss.get("/api/v1/duty-checks", params={"since": "2026-11-20T00:00:00Z", "until": "2026-12-20T00:00:00Z"})
    ).json()["items"] == []
    [plan] = (await boss.get("/api/v1/duty-checks/plans")).json()["items"]
    assert (plan["state"], plan["opened"]) == ("committed", None)
    told = coming().at
    texts = [
        str(row)
        for row in await estate.gateway.query(
            "SELECT body FROM entry UNION ALL SELECT body FROM finding UNION ALL SELECT body FROM change", ()
        )
    ]
    assert not any(moment(told, UTC).isoformat()[:16] in text for text in texts)
    await estate.go(1)
    [item] = (await boss.get("/api/v1/duty-checks")).json()["items"]
    assert item["state"] == "due"


async def test_a_guard_sees_his_check_only_when_it_is_decided(estate) -> None:
    await until_due(estate)
    guard, other = await estate.enter("g-he", "guard"), await estate.enter("g-wu", "guard")
    checker, room = await estate.enter("c-li", "guard"), await estate.enter("room", "operator")
    assert (await guard.get("/api/v1/duty-checks")).json()["items"] == []
    assert (await room.get("/api/v1/duty-checks")).json()["items"] == []
    [item] = (await checker.get("/api/v1/duty-checks")).json()["items"]
    assert (await guard.get(f"/api/v1/duty-checks/{item['id']}")).status_code == 404
    await estate.go(1)
    await estate.tap("rdr", "00000001")
    await estate.go(1)
    await estate.tap("rdr", "00000002")
    await estate.go(2)
    [item] = (await guard.get("/api/v1/duty-checks")).json()["items"]
    assert (item["state"], item["guard"]) == ("passed", "g-he")
    assert (await other.get("/api/v1/duty-checks")).json()["items"] == []
    boss = await estate.enter("boss", "manager")
    [week] = (await boss.get("/api/v1/duty-checks/weeks")).json()["items"]
    assert (week["made"], week["passed"], week["reached"]) == (1, 1, None)


async def test_an_extra_check_with_findings_and_a_picture(estate) -> None:
    await estate.go(5)
    checker, guard, boss = (
        await estate.enter("c-li", "operator"), await estate.enter("g-he", "guard"), await estate.enter("boss", "manager")
    )  # fmt: skip
    body = {"check": "captain", "post": "cp"}
    assert (await guard.post("/api/v1/duty-checks", json=body)).status_code == 404
    item = (await checker.post("/api/v1/duty-checks", json=body)).json()
    assert (item["kind"], item["state"]) == ("extra", "due")
    path = f"/api/v1/duty-checks/{item['id']}"
    assert (await guard.post("/api/v1/duty-checks/photos", content=JPEG)).status_code == 404
    photo = (await checker.post("/api/v1/duty-checks/photos", content=JPEG)).json()
    assert photo == {"id": sha256(JPEG).hexdigest(), "media_type": "image/jpeg", "bytes": len(JPEG)}
    said = {"code": "phone_use", "person": "g-he", "words": "playing", "photo": photo["id"]}
    assert (await guard.post(path + "/findings", json=said)).status_code == 404
    found = (await checker.post(path + "/findings", json=said)).json()
    assert [(each["code"], each["photo"]["id"]) for each in found["findings"]] == [("phone_use", photo["id"])]
    assert (await checker.post(path + "/findings", json=said | {"photo": "no"})).status_code == 422
    assert (await checker.post(path + "/findings", json={"code": "flying"})).status_code == 409
    assert (await boss.get("/api/v1/scores")).json()["score"] == 100.0  # nothing proves yet that he was there
    await estate.tap("rdr", "00000001")
    await estate.go(1)
    assert (await boss.get("/api/v1/scores")).json()["score"] == 99.0
    gone = (await boss.post(path + "/withdraw", json={"number": 1, "why": "a call of the control room"})).json()
    assert gone["findings"][0]["withdrawn"] == "a call of the control room"
    assert (await boss.get("/api/v1/scores")).json()["score"] == 100.0

    picture = await boss.get(f"/api/v1/duty-checks/photos/{photo['id']}")
    assert picture.content == JPEG
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert picture.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in picture.headers["content-security-policy"]
    assert (await guard.get(f"/api/v1/duty-checks/photos/{photo['id']}")).status_code == 403
    erase = f"/api/v1/duty-checks/photos/{photo['id']}/erase"
    assert (await boss.post(erase)).status_code == 403
    admin = await estate.enter("root", "admin")
    assert [(await admin.post(erase)).status_code for _ in range(2)] == [204, 404]
    assert (await admin.get(f"/api/v1/duty-checks/photos/{photo['id']}")).status_code == 404
    audit = {tuple(row) for row in await estate.gateway.query("SELECT who, action, outcome FROM audit", ())}
    assert {
        ("c-li", "duty_check.extra", "done"),
        ("c-li", "duty_check.photo", "done"),
        ("c-li", "duty_check.finding", "refused"),
    } <= audit


async def test_a_picture_is_what_it_says_and_not_too_large(estate) -> None:
    boss = await estate.enter("boss", "manager")
    for data in (
        b"",
        b"<script>alert(1)</script>" * 4,
        b"GIF89a" + b"\0" * 50,
        b"RIFF0000WAVE" + b"\0" * 50,
        JPEG[:20],
    ):
        assert (await boss.post("/api/v1/duty-checks/photos", content=data)).status_code == 422
    large = b"\xff\xd8\xff" + b"\0" * (512 * 1024 - 3)
    assert (await boss.post("/api/v1/duty-checks/photos", content=large)).status_code == 200
    assert (await boss.post("/api/v1/duty-checks/photos", content=large + b"\0")).status_code == 413
    assert (await boss.post("/api/v1/duty-checks", content=b"{" + b" " * 65536)).status_code == 413, (
        "only pictures may be long"
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF\0\0\0\0WEBP", "image/webp"), (b"\xff\xd8\xff", "image/jpeg"), (b"%PDF", None)],
)  # fmt: skip
def test_the_first_bytes_tell_the_kind(data, kind) -> None:
    assert media_type_of(data + b"\0" * 40) == kind


async def test_a_week_that_began_before_the_time_asked_for_is_counted_whole(estate) -> None:
    checker = await estate.enter("c-li", "operator")
    await checker.post("/api/v1/duty-checks", json={"check": "captain", "post": "cp"})
    await estate.go(1)
    await estate.tap("rdr", "00000001")
    await estate.go(1)
    await estate.tap("rdr", "00000002")
    await estate.go(10)
    estate.now += timedelta(days=31)
    await estate.go(1)
    boss = await estate.enter("boss", "manager")
    [whole] = (
        await boss.get(
            "/api/v1/duty-checks/weeks", params={"since": "2026-11-23T00:00:00Z", "until": "2026-11-30T00:00:00Z"}
        )
    ).json()["items"]
    cut = (await boss.get("/api/v1/duty-checks/weeks", params={"since": "2026-11-26T00:00:00Z"})).json()["items"]
    assert (whole["week"], whole["extra"]) == ("2026-W48", 1)
    assert cut[-1] == whole
    assert cut[0]["week"] == "2026-W52"


async def test_a_check_that_was_not_made_is_told_to_the_manager_alone_of_guards_and_managers(estate) -> None:
    await until_due(estate)
    await estate.go(40)
    boss = await estate.enter("boss", "manager")
    [item] = (await boss.get("/api/v1/duty-checks")).json()["items"]
    assert item["state"] == "checker_missed"
    alerts = (await boss.get("/api/v1/alerts", params={"rule": "duty_check_missed"})).json()["items"]
    assert [each["subject"] for each in alerts] == [item["id"]]
    assert (await boss.get("/api/v1/scores")).json()["score"] <= 99.0


async def test_the_word_to_the_checker_is_a_notice_that_waits_for_delivery_and_stands_nowhere_else(tmp_path) -> None:
    from tests.scores.conftest import Estate

    li = msgspec.structs.replace(SITE.people["c-li"], contact="li")
    estate = Estate(tmp_path)
    estate.gateway.site = msgspec.structs.replace(
        SITE,
        people={**SITE.people, "c-li": li},
        alerting=Alerting(contacts={"li": Contact(id="li", url="json://localhost")}),
    )
    async with estate.gateway:
        minutes = (coming().at - estate.gateway.now()) // MINUTE
        await estate.go(minutes - 11, readers=())
        assert await estate.gateway.query("SELECT contact FROM notice WHERE contact = 'li'", ()) == []
        await estate.go(1, readers=())
        rows = await estate.gateway.query("SELECT contact, title, body FROM notice WHERE contact = 'li'", ())
        assert [row[0] for row in rows] == ["li"]
        assert "南门" in rows[0][2]
        assert not [each for each in await estate.gateway.archive.alerts() if "captain" in each["id"]]
        await estate.go(20, readers=())
        assert len(await estate.gateway.query("SELECT 1 FROM notice WHERE contact = 'li'", ())) == 1


async def test_a_check_that_the_site_file_names_no_more_is_still_shown_to_who_answers_for_it(tmp_path) -> None:
    estate = Estate(tmp_path)
    async with estate.gateway:
        estate.open()
        await until_due(estate)
        await estate.go(40)
    renamed = {"night": msgspec.structs.replace(SITE.duty_checks["captain"], id="night")}
    estate.gateway = Gateway(msgspec.structs.replace(SITE, duty_checks=renamed), tmp_path, clock=lambda: estate.now)
    async with estate.gateway:
        estate.open()
        for role in ("manager", "viewer"):
            client = await estate.enter(f"a-{role}", role)
            [item] = (await client.get("/api/v1/duty-checks")).json()["items"]
            assert (item["check"], item["state"]) == ("captain", "checker_missed")
            assert (await client.get(f"/api/v1/duty-checks/{item['id']}")).status_code == 200
        boss = await estate.enter("boss", "manager")
        finding = {"code": "asleep", "words": "at the desk"}
        assert (await boss.post(f"/api/v1/duty-checks/{item['id']}/findings", json=finding)).status_code == 404
        assert (await boss.post("/api/v1/duty-checks", json={"check": "captain", "post": "cp"})).status_code == 404
        assert item["id"] in (await boss.get("/duty-checks")).text
