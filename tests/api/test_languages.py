"""No text is missing in any language, and every code that the rules know has a word."""

from __future__ import annotations

import re
import string
from importlib import resources
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from api.access.roles import ROLES
from api.console import room
from api.console.languages import LANGUAGES, Language, say, table
from device_drivers.driver import DeviceKind
from gateway.alerts.alert import Action, AlertState
from gateway.rules.findings import Camera, Circuit, DeviceState, Lamp, RoundVerdict, Verdict, Zone
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway


def codes(shape: Any, field: str = "state") -> tuple[str, ...]:
    return get_args(get_type_hints(shape)[field])


GROUPS: dict[str, tuple[str, ...]] = {
    "verdict": (*get_args(Verdict), "awaiting"),
    "glyph": (*get_args(Verdict), "awaiting"),
    "round": get_args(RoundVerdict),
    "glyph.round": get_args(RoundVerdict),
    "state": get_args(AlertState),
    "action": get_args(Action),
    "severity": room.SEVERITIES,
    "lamp": codes(Lamp),
    "glyph.lamp": codes(Lamp),
    "circuit": codes(Circuit),
    "glyph.circuit": codes(Circuit),
    "camera": codes(Camera),
    "zone": codes(Zone),
    "glyph.zone": codes(Zone),
    "device": codes(DeviceState),
    "counts": [
        "last_will",
        "last_heard",
        "last_service",
        "last_picture",
        "reachable",
        "ping_proves_no_service",
        "begins",
        "repeated",
    ],  # type: ignore[dict-item]
    "device_kind": get_args(DeviceKind),
    "role": ROLES,
    "language": LANGUAGES,
    "impairment": [
        "service_dead",
        "unreachable",
        "loss",
        "blind",
        "frozen",
        "moved",
        "defocused",
        "not_recording",
        "storage_fault",
        "reported_fault",
    ],  # type: ignore[dict-item]
    "fault": ["lamp_failure", "day_burner", "no_trigger", "cycling_failure", "dim", "circuit_fault", "schedule_fault"],  # type: ignore[dict-item]
    "cause": ["awaiting_reader", "gateway_down", "reader_clock", "reader_gap", "reader_offline", "no_reader"],  # type: ignore[dict-item]
    "mark": [
        "unassigned_guard",
        "other_reader",
        "second_person_missing",
        "clock_corrected",
        "clock_uncertain",
        "clock_ahead",
        "late_upload",
        "person_unknown",
        "out_of_order",
        "too_fast",
        "burst",
        "over_long",
        "same_moment_elsewhere",
        "counter_replayed",
        "counter_late",
        "counter_jumped",
    ],  # type: ignore[dict-item]
}


def test_the_languages_have_the_same_texts() -> None:
    first, *others = LANGUAGES
    for other in others:
        assert list(table(first)) == list(table(other))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_all_have_the_same_places(language: Language) -> None:
    for key, text in table(language).items():
        assert text.strip(), key
        places = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert places == {name for _, name, _, _ in string.Formatter().parse(table("en")[key]) if name}, key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", GROUPS)
def test_every_code_has_a_word(language: Language, group: str) -> None:
    for code in GROUPS[group]:
        assert say(language, f"{group}.{code}")


def test_verdicts_are_told_apart_without_colour() -> None:
    for language in LANGUAGES:
        signs = [say(language, f"glyph.{code}") for code in GROUPS["glyph"] if code != "skipped"]
        assert len(set(signs)) == len(signs)


def test_every_text_that_a_page_names_is_there() -> None:
    known = table("en")
    for source in (resources.files("api.console") / "templates").iterdir():
        if source.name.endswith(".html"):
            text = source.read_text(encoding="utf-8")
            for key in re.findall(r"\bt\('([\w.]+)'[,)]", text):
                assert key in known, (source.name, key)
            for group in re.findall(r"\b(?:w\('(\w+)'|t\('([\w.]+)\.' ~)", text):
                name = next(filter(None, group))
                assert any(key.startswith(f"{name}.") for key in known), (source.name, name)


@pytest.mark.parametrize(("language", "word"), [("zh_CN", "今夜巡更"), ("en", "Tonight&#39;s rounds")])
async def test_the_language_is_asked_for_in_the_address_and_kept(
    language: str, word: str, operator: httpx.AsyncClient
) -> None:
    assert word in (await operator.get("/", params={"lang": language})).text
    assert word in (await operator.get("/")).text
    assert word in (await operator.get("/console/rounds")).text
    assert word in (await operator.get("/", params={"lang": "klingon"})).text


async def test_every_page_is_whole_in_every_language(log_in: LogIn, gateway: FakeGateway) -> None:
    admin = await log_in("admin")
    for language in LANGUAGES:
        for path in ("/", "/rounds/night@2026-11-23T00:00+08:00", "/alerts/reader_offline/wand-1/1"):
            answer = await admin.get(path, params={"lang": language})
            assert answer.status_code == 200
            assert f'<html lang="{language.replace("_", "-")}"' in answer.text


async def test_an_english_page_has_no_chinese_of_ours(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/console/summary", params={"lang": "en"})).text
    page += (await operator.get("/console/rounds", params={"lang": "en"})).text
    for chinese in ("已到", "准时", "报警", "盲区"):
        assert chinese not in page


@pytest.mark.parametrize(
    ("asked", "tag"),
    [("zh", "zh-CN"), ("zh-CN", "zh-CN"), ("zh_CN", "zh-CN"), ("ZH", "zh-CN"), ("en-GB", "en"), ("fr", "en")],
)
async def test_a_language_is_asked_for_in_any_of_its_spellings_and_kept(log_in: LogIn, asked: str, tag: str) -> None:
    client = await log_in("viewer")
    english = {"Accept-Language": "en"}
    assert f'<html lang="{tag}">' in (await client.get("/rounds", params={"lang": asked}, headers=english)).text
    assert f'<html lang="{tag}">' in (await client.get("/rounds", headers=english)).text


async def test_changing_the_language_keeps_what_the_page_shows(log_in: LogIn) -> None:
    client = await log_in("viewer")
    page = (await client.get("/rounds", params={"night": "2026-11-22", "lang": "en"})).text
    assert 'href="/rounds?night=2026-11-22&amp;lang=zh_CN"' in page


async def test_changing_the_language_at_the_log_in_keeps_where_one_was_going(stranger: httpx.AsyncClient) -> None:
    page = (await stranger.get("/login", params={"next": "/rounds?night=2026-11-22"})).text
    assert 'href="/login?next=%2Frounds%3Fnight%3D2026-11-22&amp;lang=zh_CN"' in page
