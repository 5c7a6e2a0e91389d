"""`lamplighter rejudge`: a past period by today's site file; first only shown, then appended as revisions, and those told are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import apsw
import pytest
import yaml

from api.cli import main
from gateway.again import judged_again
from gateway.alerts.book import AlertBook
from gateway.instants import instant
from gateway.journal.reader import Reader
from gateway.rejudge import Rewriting, Written, compare, stored_rounds, told_wrongly, write
from gateway.runtime import Gateway
from gateway.site.enrolments import Enrolment, EnrolTag
from gateway.site.load import load_site

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = datetime.now(ZONE).replace(hour=20, minute=0, second=0, microsecond=0)
"""The command's own gateway lives now: what it still has in memory is of the last eight days."""
BEGIN = TODAY - timedelta(days=17)
END = TODAY - timedelta(hours=36)


def round_id(days_ago: int) -> str:
    return f"night@{TODAY - timedelta(days=days_ago):%Y-%m-%d}T23:00+08:00"


def weekday(days_ago: int) -> str:
    return f"{TODAY - timedelta(days=days_ago):%a}".lower()


OLD, NEW = round_id(16), round_id(3)
ALL = [round_id(days_ago) for days_ago in (16, 10, 9, 3, 2)]
CARD = "007B3972"


def site(*, card: str = CARD, **route: Any) -> dict[str, Any]:
    return {
        "site": {"id": "s", "name": "s", "timezone": ZONE.key, "language": "en", "latitude": 31.2, "longitude": 121.5},
        "places": [{"id": "gate", "name": "gate"}],
        "people": [
            {"id": "g-wang", "name": "王强", "roles": ["guard"], "tags": [card]},
            {"id": "g-li", "name": "李伟", "roles": ["guard"]},
        ],
        "devices": [{"id": "rdr", "driver": "native", "kind": "reader", "place": "gate", "expect_every": "60s"}],
        "checkpoints": [{"id": "cp", "place": "gate", "reader": "rdr"}],
        "routes": [
            {"id": "night", "visits": [{"checkpoint": "cp", "after": "0m"}], "guards": ["g-wang"], "band": "0s"} | route
        ],
        "rounds": [
            {"route": "night", "starts": ["23:00"], "lasts": "40m", "days": weekday(16)},
            {
                "route": "night",
                "starts": ["23:00"],
                "lasts": "40m",
                "days": weekday(10),
                "valid": {"since": (TODAY - timedelta(days=11)).date()},
            },
        ],
        "alerts": {
            "policies": {"default": [{"after": "0s", "notify": ["captain"]}]},
            "contacts": {"captain": {"url": "env:CAPTAIN_URL"}},
        },
    }


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


def said(taps: dict[int, str]) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """A reader that reports each minute around 23:00, and taps at these minutes after 22:00, each night."""
    n = 0
    for day in range(16):
        start = BEGIN + timedelta(days=day, hours=2)
        for minute in range(120):
            at = start + timedelta(minutes=minute)
            common = {"device": "rdr", "at": at.isoformat(), "boot": "b"}
            if minute in taps:
                n += 1
                yield at, common | {"kind": "tag_read", "seq": n, "tag": taps[minute]}
            n += 1
            yield at, common | {"kind": "reader_heartbeat", "seq": n, "last_seq": n, "device_now": at.isoformat()}


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAPTAIN_URL", "json://127.0.0.1:1/")
    return tmp_path


def write_site(folder: Path, content: dict[str, Any]) -> list[str]:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    since, until = ((TODAY - timedelta(days=days)).date().isoformat() for days in (16, 2))
    return ["rejudge", "--site", str(path), "--data", str(folder / "data"), "--from", since, "--to", until]


TAPS = {68: CARD}


def live_through(
    folder: Path, content: dict[str, Any], enrolled: Enrolment | None = None, taps: dict[int, str] = TAPS
) -> None:
    """Sixteen nights of a gateway with this site file, to its orderly end. `enrolled`: at the start, at run time."""
    write_site(folder, content)
    model, _ = load_site(folder / "site.yaml")
    clock = Clock()

    async def run() -> None:
        async with Gateway(model, folder / "data", clock=clock) as gateway:
            if enrolled is not None:
                await gateway.enrol(enrolled, "boss")
            for at, body in said(taps):
                clock.now = at
                gateway.intake.observe(json.dumps(body).encode(), instant(at))
                if at.minute == 0:
                    await gateway.intake.wake()
            clock.now = END
            gateway.intake.tick(instant(END))
            await gateway.intake.wake()

    asyncio.run(run())


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    return apsw.Connection(str(folder / "data" / "journal.db")).execute(sql).fetchall()


def verdicts(folder: Path) -> dict[str, tuple[str, int, str, int]]:
    found = [json.loads(body) for (body,) in rows(folder, "SELECT body FROM finding WHERE kind = 'round' ORDER BY id")]
    return {
        each["id"]: (each["verdict"], each["revision"], each["visits"][0]["verdict"], each["visits"][0]["revision"])
        for each in found
    }


def revisions(folder: Path, which: str) -> list[tuple[int, str]]:
    sql = f"SELECT revision, verdict FROM visit_revision WHERE round = '{which}' ORDER BY seq"
    return rows(folder, sql)


def report(words: list[str], capsys: pytest.CaptureFixture[str], expected: int) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*words, "--json"]) == expected
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_dry_run_shows_what_would_change_and_writes_nothing(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live_through(estate, site(card="AAAA0001"))
    assert verdicts(estate)[OLD] == ("missed", 1, "missed", 1)
    before = rows(estate, "SELECT max(seq) FROM log"), verdicts(estate)
    words = write_site(estate, site(tolerance="10m"))
    found = report(words, capsys, 1)
    assert [(each["id"], each["before"], each["after"], each["worse"]) for each in found["rounds"]] == [
        (each, "missed", "completed", False) for each in ALL
    ]
    assert (rows(estate, "SELECT max(seq) FROM log"), verdicts(estate)) == before
    assert main(words) == 1
    assert "1. cp: missed -> on_time" in capsys.readouterr().out


def test_who_was_enrolled_at_run_time_is_known_to_it(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = site(card="AAAA0001", tolerance="10m")
    live_through(estate, content, EnrolTag(tag=CARD, person="g-wang"))
    before = verdicts(estate)
    assert {each[0] for each in before.values()} == {"completed"}
    found = report([*write_site(estate, content), "--write", "--also-worse"], capsys, 0)
    assert (found["rounds"], found["same"]) == ([], len(ALL))
    assert verdicts(estate) == before


def test_told_to_it_appends_revisions_and_retracts_what_was_told(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live_through(estate, site(card="AAAA0001"))
    told = rows(estate, "SELECT alert, contact, kind FROM notice WHERE kind = 'raised' ORDER BY seq")
    assert len([each for each in told if each[0].startswith("round_missed/")]) == 5
    words = write_site(estate, site(tolerance="10m"))
    written = report([*words, "--write"], capsys, 0)["written"]
    assert written == {"rounds": 5, "retracted": 5, "withheld": 0}
    assert verdicts(estate)[OLD] == ("completed", 2, "on_time", 2)
    assert verdicts(estate)[NEW][:3] == ("completed", 2, "on_time")
    assert revisions(estate, OLD) == [(1, "missed"), (2, "on_time")]
    assert revisions(estate, NEW)[0] == (1, "missed")
    assert revisions(estate, NEW)[-1][1] == "on_time"
    states = dict(rows(estate, "SELECT id, json_extract(body, '$.state') FROM finding WHERE kind = 'alert'"))
    assert {state for alert, state in states.items() if alert.startswith("round_missed/")} == {"retracted"}
    retractions = rows(
        estate, "SELECT alert, contact FROM notice WHERE kind = 'retracted' AND alert LIKE 'round_missed/%'"
    )
    assert sorted(retractions) == sorted((alert, "captain") for alert in states if alert.startswith("round_missed/"))
    assert report(words, capsys, 0)["rounds"] == []


def test_what_was_written_stands_after_a_start(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live_through(estate, site())
    assert verdicts(estate)[NEW] == ("missed", 1, "missed", 1)
    words = write_site(estate, site(tolerance="10m"))
    report([*words, "--write"], capsys, 0)
    after = verdicts(estate)
    model, _ = load_site(estate / "site.yaml")
    clock = Clock()
    clock.now = datetime.now(ZONE)

    async def start() -> Any:
        async with Gateway(model, estate / "data", clock=clock) as gateway:
            return gateway.judgement.engine.rounds.round(NEW)

    asyncio.run(start())
    assert verdicts(estate)[NEW] == after[NEW] == ("completed", 2, "on_time", 2)


def test_a_round_that_needs_the_tap_of_one_that_is_left_is_left_too_and_not_called_written(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def two(**other: Any) -> dict[str, Any]:
        content = site(tolerance="10m")
        content["routes"].append({"id": "other", "visits": [{"checkpoint": "cp"}], "band": "0s"} | other)
        content["rounds"] = [
            {"route": route, "starts": ["23:00"], "lasts": "40m", "days": weekday(3)} for route in ("night", "other")
        ]
        return content

    live_through(estate, two())
    other = NEW.replace("night", "other")
    assert [verdicts(estate)[each][0] for each in (NEW, other)] == ["missed", "completed"]
    words = write_site(estate, two(guards=["g-li"], accept_others=False))
    found = report([*words, "--write"], capsys, 1)
    changes = {each["id"]: (each["after"], each["worse"]) for each in found["rounds"]}
    assert (changes[NEW], changes[other]) == (("completed", False), ("missed", True))
    assert [verdicts(estate)[each][0] for each in (NEW, other)] == ["missed", "completed"]
    recent = {each["id"] for each in report(words, capsys, 1)["rounds"]}
    assert {NEW, other} <= recent
    assert found["written"]["rounds"] == len(found["rounds"]) - len(recent)
    assert found["written"]["withheld"] == len(recent)


def test_what_is_worse_for_a_guard_is_written_only_when_that_is_said(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live_through(estate, site(tolerance="10m"))
    assert verdicts(estate)[OLD] == ("completed", 1, "on_time", 1)
    words = write_site(estate, site(tolerance="10m", guards=["g-li"], accept_others=False))
    found = report([*words, "--write"], capsys, 1)
    assert found["written"] == {"rounds": 0, "retracted": 0, "withheld": 5}
    assert all(each["worse"] for each in found["rounds"])
    assert verdicts(estate)[OLD] == ("completed", 1, "on_time", 1)
    assert report([*words, "--write", "--also-worse"], capsys, 0)["written"]["rounds"] == 5
    assert verdicts(estate)[OLD] == ("missed", 2, "missed", 2)


def test_nobody_is_accused_of_rounds_that_were_not_planned_then(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live_through(estate, site())
    more = site()
    more["rounds"][0]["days"] = [weekday(16), weekday(13)]
    words = write_site(estate, more)
    found = report([*words, "--write"], capsys, 0)
    assert found["unplanned"] == [round_id(13), round_id(6)]
    assert round_id(13) not in verdicts(estate)


def test_a_running_gateway_is_not_written_under(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live_through(estate, site())
    words = write_site(estate, site(tolerance="10m"))
    model, _ = load_site(estate / "site.yaml")
    clock = Clock()
    clock.now = END

    async def run() -> tuple[int, int]:
        async with Gateway(model, estate / "data", clock=clock):
            return await asyncio.to_thread(main, words), await asyncio.to_thread(main, [*words, "--write"])

    assert asyncio.run(run()) == (1, 2)
    assert "stop it" in capsys.readouterr().err


def test_a_folder_without_a_journal_is_refused(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(write_site(estate, site())) == 2
    assert "there is no journal" in capsys.readouterr().err


def test_a_start_with_a_mended_site_file_tells_whom_it_acquits(estate: Path) -> None:
    live_through(estate, site(card="AAAA0001", tolerance="10m"))
    write_site(estate, site(tolerance="10m"))
    model, _ = load_site(estate / "site.yaml")
    clock = Clock()
    clock.now = END + timedelta(hours=1)

    async def start() -> None:
        async with Gateway(model, estate / "data", clock=clock):
            pass

    asyncio.run(start())
    assert revisions(estate, NEW)[-1] == (2, "on_time")
    assert verdicts(estate)[NEW][0] == "completed"
    told = rows(estate, "SELECT contact FROM notice WHERE kind = 'retracted' AND alert LIKE 'round_missed/%'")
    assert told == [("captain",)] * 3, "all rounds that were still in memory"


def rejudged_without_memory(folder: Path) -> Written:
    """The oldest night judged by a gateway whose book of alerts has forgotten it."""
    model, _ = load_site(folder / "site.yaml")
    since, until = (instant(TODAY - timedelta(days=days)) for days in (17, 15))

    async def run() -> Written:
        async with Gateway(model, folder / "data", clock=lambda: END + timedelta(hours=1)) as gateway:
            gateway.judgement.alerts = AlertBook(model, instant(BEGIN))
            reader = Reader(folder / "data" / "journal.db")
            again = judged_again(model, reader, started=instant(BEGIN), since=since, until=instant(END))
            stored = await stored_rounds(reader, since, until)
            found = compare(model, stored, again.engine.rounds.rounds(since, until), since, until)
            told = await told_wrongly(reader, [OLD], again)
            way = Rewriting(gateway.intake, reader, gateway.judgement, again, by="g", told=told)
            written = await write(way, found, also_worse=False)
            reader.close()
            return written

    return asyncio.run(run())


def test_who_was_told_long_ago_is_told_though_the_alert_has_left_memory(estate: Path) -> None:
    live_through(estate, site(card="AAAA0001"))
    write_site(estate, site(tolerance="10m"))
    assert rejudged_without_memory(estate) == (1, 1, 0)
    [(alert, body)] = rows(
        estate, f"SELECT id, body FROM finding WHERE kind = 'alert' AND id LIKE 'round_missed/{OLD}/%'"
    )
    assert json.loads(body)["state"] == "retracted"
    assert rows(estate, f"SELECT contact FROM notice WHERE alert = '{alert}' AND kind = 'retracted'") == [("captain",)]


NAMED = "SELECT json_extract(body, '$.details.missed') FROM finding WHERE kind = 'alert' AND id LIKE 'round_incomplete/%' ORDER BY id"
CORRECTED = "SELECT alert, contact FROM notice WHERE kind = 'corrected' ORDER BY alert"


def walked(card: str) -> dict[str, Any]:
    """A round of three visits, the first by this card, the second by another."""
    made = site(card=card, visits=[{"checkpoint": "cp", "after": after} for after in ("8m", "20m", "35m")])
    made["people"][1]["tags"] = ["AAAA0002"]
    return made


def test_who_was_told_of_several_visits_is_told_of_the_one_that_is_withdrawn(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live_through(estate, walked("AAAA0001"), taps={68: CARD, 80: "AAAA0002"})
    assert rows(estate, NAMED) == [('["cp","cp"]',)] * 5
    words = write_site(estate, walked(CARD))
    assert report([*words, "--write"], capsys, 0)["written"] == {"rounds": 5, "retracted": 0, "withheld": 0}
    assert rows(estate, NAMED) == [('["cp"]',)] * 5
    assert rows(estate, CORRECTED) == [(f"round_incomplete/{each}/1", "captain") for each in sorted(ALL)]
    assert rows(estate, "SELECT 1 FROM notice WHERE kind = 'retracted' AND alert LIKE 'round_incomplete/%'") == []
    report([*words, "--write"], capsys, 0)
    assert len(rows(estate, CORRECTED)) == 5


def test_and_though_the_alert_has_left_memory(estate: Path) -> None:
    live_through(estate, walked("AAAA0001"), taps={68: CARD, 80: "AAAA0002"})
    write_site(estate, walked(CARD))
    for _ in range(2):
        rejudged_without_memory(estate)
        assert (f"round_incomplete/{OLD}/1", "captain") in rows(estate, CORRECTED)
        assert rows(estate, NAMED)[0] == ('["cp"]',)
        assert len(rows(estate, CORRECTED)) == len(set(rows(estate, CORRECTED)))
