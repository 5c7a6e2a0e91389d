"""A file of many months: what is finished is put away, and all of it is printed."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FunctionType, ModuleType

import msgspec
import pytest

from api.cli import main
from gateway import orderly, shelf
from gateway.alerts import cases
from gateway.judgement import Judgement
from gateway.replay import replay_lines
from gateway.rules.rounds import KEPT
from gateway.rules.visits import RoundState
from gateway.shelf import Shelf, Sorted
from gateway.site.load import load_site
from gateway.site.model import Site

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SITE = """
site: {id: s, name: s, timezone: Asia/Shanghai, latitude: 31.2, longitude: 121.5}
places: [{id: gate}]
people: [{id: g-wang, name: 王强, roles: [guard], tags: ["007B3972"]}]
devices: [{id: rdr, driver: native, kind: reader, expect_every: 60s}]
checkpoints: [{id: gate, place: gate, reader: rdr}]
routes: [{id: r, visits: [{checkpoint: gate, after: 5m}], guards: [g-wang]}]
rounds: [{route: r, starts: ["22:00"], lasts: 30m}]
"""


def lines(days: int) -> Iterator[bytes]:
    """A reader that speaks for ten minutes of every half hour."""
    for half in range(days * 48):
        for minute in range(0, 10, 2):
            at = START + timedelta(minutes=30 * half + minute)
            yield msgspec.json.encode({"kind": "reader_heartbeat", "device": "rdr", "at": at, "received": at})


def test_every_alert_and_every_round_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    site, _ = load_site(tmp_path / "site.yaml")
    days = 30
    assert timedelta(days=days) > timedelta(microseconds=KEPT)
    whole = replay_lines(site, lines(days)).document
    offline = [each for each in whole["alerts"] if each.rule == "reader_offline"]
    assert len(offline) > cases.FINAL_LIMIT
    assert sorted(each.occurrence for each in offline) == list(range(1, len(offline) + 1))
    assert len(whole["rounds"]) == days
    monkeypatch.setattr(shelf, "_IN_MEMORY", 1)
    assert msgspec.json.encode(replay_lines(site, lines(days)).document) == msgspec.json.encode(whole)


def tap(at: datetime, tag: str = "007B3972") -> bytes:
    return msgspec.json.encode({"kind": "tag_read", "device": "rdr", "tag": tag, "at": at, "received": at})


def test_taps_of_the_hour_that_comes_twice_are_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace("Asia/Shanghai", "Europe/Berlin"), encoding="utf-8")
    site, _ = load_site(tmp_path / "site.yaml")
    times = [datetime(2026, 10, 25, hour, minute, tzinfo=UTC) for hour, minute in ((0, 30), (1, 10))]
    found = replay_lines(site, [tap(at) for at in times]).document["unmatched"]
    assert [each.at.isoformat() for each in found] == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:10:00+01:00"]


def strays(days: int) -> Iterator[bytes]:
    """Each noon of the reader's: two guards' cards at one instant, then one of them and another card, that serve nothing, and a heartbeat; at night the round."""
    for day in range(days):
        noon = START + timedelta(days=day, hours=-7)
        for late, tag in enumerate(("007B3973", "007B3972", "FFFFFFFF", "007B3972")):
            yield tap(noon + timedelta(minutes=20 * (late // 2)), tag)
        yield msgspec.json.encode({"kind": "reader_heartbeat", "device": "rdr", "at": noon + timedelta(hours=1)})
        yield tap(noon + timedelta(hours=9, minutes=5))


def test_a_tap_that_served_a_round_is_never_listed_as_one_that_served_nothing(tmp_path: Path) -> None:
    """Its round is forgotten some days before it is."""
    whole = replay_lines(two_guards(tmp_path), strays(40)).document
    assert {visit.verdict for each in whole["rounds"] for visit in each.visits} == {"on_time"}
    assert [each for each in whole["unmatched"] if f"{each.at:%H:%M}" == "22:05"] == []
    assert len(whole["unmatched"]) == 40 * 4


def two_guards(folder: Path) -> Site:
    second = '  {id: g-li, name: 李娜, roles: [guard], tags: ["007B3973"]}]\n'
    (folder / "site.yaml").write_text(SITE.replace("]}]\ndevices", "]},\n" + second + "devices"), encoding="utf-8")
    return load_site(folder / "site.yaml")[0]


@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize(
    "options", [[], ["--explain"], ["--from", "2026-01-09T00:00:00Z", "--until", "2026-03-01T00:00:00Z"]]
)
def test_what_is_put_away_in_a_file_is_printed_byte_for_byte_as_from_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    together: int,
    options: list[str],
) -> None:
    two_guards(tmp_path)
    (tmp_path / "evidence.jsonl").write_bytes(b"\n".join(strays(40)))
    words = ["replay", "--site", str(tmp_path / "site.yaml"), *options, str(tmp_path / "evidence.jsonl")]
    assert main(words) == 0
    whole = capfdbinary.readouterr().out
    found = [each["at"] for each in msgspec.json.decode(whole)["unmatched"]]
    assert len(found) > 100
    assert found == sorted(found)
    assert len(set(found)) < len(found)
    monkeypatch.setattr(shelf, "_IN_MEMORY", 1)
    monkeypatch.setattr(shelf, "_TOGETHER", together)
    assert main(words) == 0
    assert capfdbinary.readouterr().out == whole


def held() -> Counter[str]:
    """How many of what is in memory: of the gateway's own kinds, all that the judge leads to, and rounds that are garbage."""
    kinds: Counter[str] = Counter()
    seen: dict[int, object] = {}
    waiting: list[object] = [each for each in gc.get_objects() if type(each) in (Judgement, RoundState)]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen[id(each)] = each
        if type(each).__module__.startswith("gateway."):
            kinds[type(each).__name__] += 1
        waiting += gc.get_referents(each)
    return kinds


def test_no_more_is_in_memory_after_many_months_than_after_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = two_guards(tmp_path)
    monkeypatch.setattr(shelf, "_IN_MEMORY", 1)
    monkeypatch.setattr(shelf, "_TOGETHER", 20)
    monkeypatch.setattr(orderly, "_BATCH", 4)
    found: list[Counter[str]] = []

    def read(days: int) -> Iterator[bytes]:
        yield from strays(days)
        found.append(held())

    for days in (60, 240):
        gc.collect()
        replay_lines(site, read(days))
    few, many = found
    assert few["RoundState"] > 10
    assert few["Tap"] > 10
    assert {kind: (few[kind], many[kind]) for kind in many if many[kind] > few[kind] + 30} == {}


class Thing(msgspec.Struct):
    at: datetime
    name: str = ""


@pytest.mark.parametrize("in_memory", [1, 1 << 20])
def test_what_is_put_away_is_found_by_its_name_and_in_order(in_memory: int) -> None:
    kept = Shelf(Thing, in_memory)
    things = {str(n): Thing(START + timedelta(hours=n)) for n in (3, 1, 2)}
    for name, thing in things.items():
        kept.put(name, thing)
        assert kept.get(name) == thing
    assert list(kept) == list(things.values())
    assert kept.get("4") is None
    assert "1" in kept
    assert len(kept) == 3


@pytest.mark.parametrize("together", [1, 2, 3, 100])
def test_things_in_an_order_come_in_it_and_equal_ones_as_they_were_put_away(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(shelf, "_TOGETHER", together)
    kept = Sorted(Thing, lambda each: each.at)
    things = [Thing(START + timedelta(hours=n % 3), f"{n}\n") for n in range(10)]
    for thing in things[:8]:
        kept.put(thing)
    for _ in range(2):
        assert list(kept.among(reversed(things[8:]))) == sorted(
            [*things[:8], things[9], things[8]], key=lambda each: each.at
        )
