"""Scores over HTTP on a real gateway: a missed point, its appeal, and late evidence that withdraws it."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from api.console.assess import DEDUCTIONS_SHOWN
from api.resources.rounds import id_of, rounds_between
from gateway.instants import DAY, HOUR, instant, moment
from gateway.journal.reader import Reader
from gateway.journal.retention import KEPT_FROM
from gateway.journal.store import FILE
from gateway.rejudge import stored_rounds
from gateway.rules.findings import Round, Visit
from gateway.scores.document import ScoreDocument, digest_of
from gateway.scores.ranking import rank
from tests.scores.conftest import START


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for item in document["items"] for each in item["deductions"]}


KEY = "visit_missed/night@2026-11-24T13:00+00:00/2"


async def test_a_missed_point_costs_is_appealed_published_and_withdrawn_by_late_evidence(estate) -> None:
    boss = await estate.enter("boss", "manager")
    await estate.go(61)
    await estate.tap("rdr", "00000002")
    await estate.go(60)
    document = (await boss.get("/api/v1/scores")).json()
    assert (document["period"], document["score"], document["settled"]) == ("2026-Q4", 99.5, False)
    assert list(rows(document)) == [KEY]
    assert rows(document)[KEY]["persons"] == ["g-he"]
    page = (await boss.get("/scores")).text
    assert "night 11-24 13:00" in page
    assert "night@" not in re.sub(r'"[^"]*"', "", page), "people read the route's name and the start, no id"
    assert re.search(r"(complete to|完整至) 11-24 \d\d:\d\d", page), "a record may be complete up to another day"
    whole = msgspec.json.decode((await boss.get("/api/v1/scores")).content, type=ScoreDocument)
    assert digest_of(whole) == whole.digest
    assert [each.rank for each in rank([whole])] == [1]

    published = (await boss.post("/api/v1/scores/publish")).json()
    assert published["revision"] == 1
    assert (await boss.post("/api/v1/scores/publish")).status_code == 409, "nothing changed"

    guard = await estate.enter("g-he", "guard")
    assert list(rows((await guard.get("/api/v1/scores")).json())) == [KEY]
    appeal = (
        await guard.post("/api/v1/scores/appeals", json={"key": KEY, "period": "2026-Q4", "why": "I was there"})
    ).json()
    assert (appeal["state"], appeal["points"], appeal["by"]) == ("open", 0.5, "g-he")
    decide = f"/api/v1/scores/appeals/{appeal['id']}/decide"
    assert (await guard.post(decide, json={"decision": "accept", "why": "me"})).status_code == 404
    accepted = (await boss.post(decide, json={"decision": "accept", "why": "seen on the camera"})).json()
    assert (accepted["state"], accepted["decided_by"]) == ("accepted", "boss")
    document = (await boss.get("/api/v1/scores")).json()
    assert (document["score"], rows(document)[KEY]["state"], rows(document)[KEY]["points"]) == (100.0, "cancelled", 0.5)

    await estate.tap("rdr-2", "00000002", ago=50)
    await estate.go(2)
    document = (await boss.get("/api/v1/scores")).json()
    assert rows(document) == {}, "the record proves that he was there: nothing is missed any more"
    assert (await boss.post("/api/v1/scores/publish")).json()["revision"] == 2
    first, second = (await boss.get("/api/v1/scores/revisions")).json()["items"]
    assert (first["revision"], first["score"], first["withdrawn"]) == (1, 99.5, [])
    assert (second["revision"], [each["key"] for each in second["withdrawn"]]) == (2, [KEY])
    audit = await estate.gateway.query(
        "SELECT who, action, outcome FROM audit WHERE action LIKE 'score.%' ORDER BY seq", ()
    )
    assert ("g-he", "score.appeal", "done") in {tuple(row) for row in audit}
    assert ("boss", "score.publish", "refused") in {tuple(row) for row in audit}


async def test_a_dead_reader_costs_nothing(estate) -> None:
    boss = await estate.enter("boss", "manager")
    await estate.go(30)
    await estate.go(120, readers=("rdr",))
    document = (await boss.get("/api/v1/scores")).json()
    assert document["rests_on"]["visits_unverifiable"] == 1
    assert list(rows(document)) == ["visit_missed/night@2026-11-24T13:00+00:00/1"], (
        "only of the reader that lives it is known"
    )


async def test_a_guard_sees_his_own_and_the_sums(estate) -> None:
    await estate.go(61)
    await estate.tap("rdr", "00000002")
    await estate.go(60)
    other = await estate.enter("g-wu", "guard")
    document = (await other.get("/api/v1/scores")).json()
    assert (document["score"], rows(document), document["digest"]) == (99.5, {}, "")
    refused = await other.post("/api/v1/scores/appeals", json={"key": KEY, "period": "2026-Q4", "why": "for a friend"})
    assert refused.status_code == 404
    for path in ("revisions", "marks"):
        assert (await other.get(f"/api/v1/scores/{path}")).status_code == 403
    auditor = await estate.enter("street-office", "viewer")
    assert list(rows((await auditor.get("/api/v1/scores")).json())) == [KEY]


async def test_inspections_and_the_year(estate) -> None:
    boss = await estate.enter("boss", "manager")
    await estate.go(1)
    mark = {"item": "inspection", "points": 2.5, "words": "值班记录缺失", "person": "g-he"}
    assert (await boss.post("/api/v1/scores/marks", json=mark)).json()["id"] == "mark-1"
    assert (await boss.get("/api/v1/scores")).json()["score"] == 97.5
    year = (await boss.get("/api/v1/scores", params={"period": "2026"})).json()
    assert (year["score"], year["daily"], year["year_end"]) == (None, 97.5, None)
    end = mark | {"item": "records", "points": 10, "part": "year_end"}
    assert (await boss.post("/api/v1/scores/marks", json=end)).status_code == 200
    assert (await boss.post("/api/v1/scores/year-end/2026/close", json={})).json()["closed"]
    year = (await boss.get("/api/v1/scores", params={"period": "2026"})).json()
    assert (year["score"], year["year_end"]) == (94.5, 90.0)
    assert [each["period"] for each in year["quarters"]] == ["2026-Q4"]
    back = (await boss.post("/api/v1/scores/marks/mark-1/withdraw", json={"why": "was in the drawer"})).json()
    assert back["withdrawn"] == "was in the drawer"
    assert (await boss.get("/api/v1/scores")).json()["score"] == 100.0


async def test_what_is_taken_on_the_page_of_a_period_that_is_over_counts_for_that_period(estate) -> None:
    await estate.go(5)
    estate.now = datetime(2027, 1, 6, 9, tzinfo=UTC)
    await estate.go(1)
    boss = await estate.enter("boss", "manager")
    for period, item, over in (
        ("2026", "records", True),
        ("2026-Q4", "inspection", True),
        ("2027-Q1", "inspection", False),
    ):
        page = (await boss.get("/scores", params={"period": period})).text
        [form] = re.findall(r'<form data-post="/api/v1/scores/marks">.*?</form>', page, re.DOTALL)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        assert ("at" in hidden) is over
        assert f'value="{item}"' in form
        body = {"item": item, "points": 1, "words": "log not kept"} | hidden
        assert (await boss.post("/api/v1/scores/marks", json=body)).status_code == 200
        found = rows((await boss.get("/api/v1/scores", params={"period": period})).json())
        assert [each["words"] for each in found.values() if each["words"]] == ["log not kept"], period
    ahead = (await boss.get("/scores", params={"period": "2027-Q2"})).text
    assert "/api/v1/scores/marks" not in ahead


async def test_what_cannot_be_is_told(estate) -> None:
    boss = await estate.enter("boss", "manager")
    assert (await boss.get("/api/v1/scores", params={"period": "2025-Q1"})).json()["score"] is None
    assert (await boss.post("/api/v1/scores/publish", params={"period": "2025-Q1"})).status_code == 409
    for period in ("2026-Q5", "x", "2026-13"):
        assert (await boss.get("/api/v1/scores", params={"period": period})).status_code == 422
    for path, body, status in (
        ("marks", {"item": "inspection", "points": 99, "words": "x"}, 409),
        ("marks", {"item": "gone", "points": 1, "words": "x"}, 404),
        ("marks", {"item": "inspection"}, 422),
        ("appeals", {"key": "no", "period": "2026-Q4", "why": "x"}, 404),
        ("year-end/2026/open", {}, 404),
        ("year-end/2026-Q1/close", {}, 409),
    ):
        answer = await boss.post(f"/api/v1/scores/{path}", json=body)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_people_said_survives_a_restart_and_counts_as_before(estate, tmp_path) -> None:
    from gateway.runtime import Gateway
    from tests.scores.conftest import SITE

    boss = await estate.enter("boss", "manager")
    await boss.post("/api/v1/scores/marks", json={"item": "inspection", "points": 1, "words": "a"})
    before = estate.gateway.judgement.books["score"].snapshot()
    await estate.gateway.__aexit__(None, None, None)
    again = Gateway(SITE, tmp_path, clock=lambda: estate.now)
    async with again:
        assert again.judgement.books["score"].snapshot() == before
    await estate.gateway.__aenter__()


async def test_the_page_says_how_many_deductions_it_does_not_list_and_leads_to_them(estate) -> None:
    manager = await estate.enter("boss", "manager")
    await estate.go(1)
    for number in range(DEDUCTIONS_SHOWN + 7):
        body = {"item": "inspection", "points": 0.1, "words": f"finding {number}"}
        assert (await manager.post("/api/v1/scores/marks", json=body)).status_code == 200
    listed = re.compile(r"finding \d+")
    page = (await manager.get("/scores?lang=en")).text
    first = listed.findall(page)
    assert len(first) == DEDUCTIONS_SHOWN
    link = re.search(r'href="(/scores\?[^"]*from=50)">7 more deductions', page)
    assert link is not None
    rest = (await manager.get(link[1].replace("&amp;", "&"))).text
    assert "50 before these" in rest
    assert {*first, *listed.findall(rest)} == {f"finding {number}" for number in range(DEDUCTIONS_SHOWN + 7)}


async def test_a_round_that_memory_shows_is_not_read_from_the_journal_again(estate) -> None:
    await estate.go(120)
    gateway = estate.gateway
    since, until = gateway.now() - DAY, gateway.now() + 1
    assert await gateway.archive.items("round", since, until)
    assert list(await gateway.archive.rounds(since, until)) == []
    assert [id_of(each) for each in await rounds_between(gateway, since, until)] == ["night@2026-11-24T13:00+00:00"]


async def test_of_thousands_of_rounds_none_is_left_out(estate, tmp_path) -> None:
    since = instant(START) - 14 * DAY
    stored = []
    for hour in range(36):
        start = moment(since + hour * HOUR, UTC)
        for route in range(30):
            visit = Visit(
                checkpoint="cp", position=1, due=start, opens=start, closes=start, verdict="missed", revision=1
            )
            stored.append(
                Round(
                    id=f"r{route:02}@{start.isoformat(timespec='minutes')}",
                    route=f"r{route:02}",
                    date=start.date(),
                    start=start,
                    end=start + timedelta(minutes=40),
                    verdict="missed",
                    revision=1,
                    visits=(visit,),
                )
            )
    sql = "INSERT INTO finding (kind, id, start, seq, body) VALUES (?, ?, ?, 1, ?)"
    rows = [(each.id, instant(each.start), msgspec.json.encode(each)) for each in stored]
    await estate.gateway.write([(sql, (kind, *row)) for kind in ("round", "gap") for row in rows])
    until, ids = since + 2 * DAY, [each.id for each in stored]
    assert [id_of(each) for each in await rounds_between(estate.gateway, since, until)] == ids
    assert [each["id"] for each in await estate.gateway.archive.gaps(since, until)] == ids
    with closing(Reader(tmp_path / FILE)) as reader:
        assert [each.id for each in await stored_rounds(reader, since, until)] == ids
    boss = await estate.enter("boss", "manager")
    assert (await boss.get("/api/v1/scores", params={"period": "2026-11"})).json()["rests_on"]["rounds"] == len(ids)


async def missed_in_summer(estate: Any) -> None:
    start = datetime(2026, 8, 5, 14, tzinfo=UTC)
    visit = Visit(checkpoint="cp", position=1, due=start, opens=start, closes=start, verdict="missed", revision=1)
    name = f"night@{start.isoformat(timespec='minutes')}"
    walked = Round(
        id=name, route="night", date=start.date(), start=start, end=start, verdict="missed", revision=1, visits=(visit,)
    )
    await estate.gateway.write([
        ("INSERT INTO finding (kind, id, start, seq, body) VALUES ('round', ?, ?, 1, ?)", (name, instant(start), msgspec.json.encode(walked)))
    ])  # fmt: skip


async def forgotten(estate: Any) -> None:
    """What was judged before September is kept no longer, as retention says and does it."""
    before = instant(datetime(2026, 9, 1, tzinfo=UTC))
    await estate.gateway.write([
        ("INSERT OR REPLACE INTO meta VALUES (?, ?)", (KEPT_FROM, before)),
        ("DELETE FROM finding WHERE kind = 'round' AND start < ?", (before,)),
    ])  # fmt: skip
    await estate.go(1)


async def test_a_period_whose_rounds_are_forgotten_has_no_full_score(estate: Any) -> None:
    boss = await estate.enter("boss", "manager")
    await boss.post(
        "/api/v1/scores/marks", json={"item": "inspection", "points": 1, "words": "log", "at": "2026-08-06T10:00:00Z"}
    )
    await missed_in_summer(estate)
    before = (await boss.get("/api/v1/scores", params={"period": "2026-Q3"})).json()
    assert (before["score"], before["rests_on"]["unavailable"]) == (98.5, [])
    await forgotten(estate)
    after = (await boss.get("/api/v1/scores", params={"period": "2026-Q3"})).json()
    assert (after["score"], after["rests_on"]["unavailable"]) == (None, ["rounds"])
    year = (await boss.get("/api/v1/scores", params={"period": "2026"})).json()
    assert "2026-Q3" not in [each["period"] for each in year["quarters"]]
    assert (await boss.post("/api/v1/scores/publish", params={"period": "2026-Q3"})).status_code == 409


async def test_a_period_whose_rounds_are_forgotten_stays_as_it_was_published(estate: Any) -> None:
    boss = await estate.enter("boss", "manager")
    await missed_in_summer(estate)
    published = (await boss.post("/api/v1/scores/publish", params={"period": "2026-Q3"})).json()
    assert published["score"] == 99.5
    await forgotten(estate)
    assert (await boss.get("/api/v1/scores", params={"period": "2026-Q3"})).json() == published
    (key,) = rows(published)
    appeal = {"key": key, "period": "2026-Q3", "why": "I was there"}
    guard = await estate.enter("g-he", "guard")
    made = (await guard.post("/api/v1/scores/appeals", json=appeal)).json()
    said = {"decision": "accept", "why": "seen on the camera"}
    await boss.post(f"/api/v1/scores/appeals/{made['id']}/decide", json=said)
    accepted = (await boss.get("/api/v1/scores", params={"period": "2026-Q3"})).json()
    assert (accepted["score"], rows(accepted)[key]["state"]) == (100.0, "cancelled")


async def test_a_year_counts_a_quarter_whose_rounds_are_forgotten_as_it_was_published(estate: Any) -> None:
    boss = await estate.enter("boss", "manager")
    await missed_in_summer(estate)
    await boss.post("/api/v1/scores/publish", params={"period": "2026-Q3"})
    await forgotten(estate)
    year = (await boss.get("/api/v1/scores", params={"period": "2026"})).json()
    assert {"period": "2026-Q3", "score": 99.5, "digest": year["quarters"][0]["digest"]} == year["quarters"][0]
    assert (await boss.post("/api/v1/scores/publish", params={"period": "2026-Q3"})).status_code == 409, (
        "nothing changed"
    )


async def test_a_period_that_begins_after_what_is_forgotten_is_reckoned_as_ever(estate: Any) -> None:
    boss = await estate.enter("boss", "manager")
    await forgotten(estate)
    assert (await boss.get("/api/v1/scores", params={"period": "2026-09"})).json()["rests_on"]["unavailable"] == []
