"""The drawing of the night: what is shown, where, and how much of it."""

from __future__ import annotations

from datetime import timedelta

import httpx
import msgspec
import pytest

from api.console.names import place_name
from api.console.timeline import LENGTHS, draw, night_of
from gateway.instants import DAY, HOUR, MINUTE, instant, moment
from gateway.rules.findings import Round, Visit
from tests.api import scene
from tests.api.fake_gateway import FakeGateway

SITE = scene.site()
NOW = instant(scene.NOW)


def dense(count: int) -> list[Round]:
    """Rounds each three minutes, from an hour before now."""
    start = scene.NOW - timedelta(hours=1)
    return [
        Round(
            id=f"live@{number}",
            route="live",
            date=scene.NIGHT.date(),
            start=start + timedelta(minutes=3 * number),
            end=start + timedelta(minutes=3 * number + 2),
            verdict="scheduled",
            revision=0,
        )
        for number in range(count)
    ]


def test_each_visit_stands_at_its_time_in_its_lane() -> None:
    drawing = draw(SITE, scene.rounds(), NOW)
    assert drawing is not None
    assert [lane.checkpoint for lane in drawing.lanes] == [None, *(stop for stop, _ in scene.STOPS)]
    assert len(drawing.bands) == 8
    for band in drawing.bands:
        assert len(band.marks) == len(scene.STOPS)
        assert [mark.y for mark in band.marks] == sorted(mark.y for mark in band.marks)
    first, last = drawing.bands[0].marks[0], drawing.bands[-1].marks[-1]
    assert 0 <= first.x < last.x <= 100
    assert drawing.now is not None
    assert drawing.bands[4].x < drawing.now < drawing.bands[5].x


def test_ticks_stand_on_full_hours_of_the_site() -> None:
    drawing = draw(SITE, scene.rounds(), NOW)
    assert drawing is not None
    assert [tick.label for tick in drawing.ticks] == [f"{hour % 24:02}:00" for hour in range(22, 30)]
    kathmandu = msgspec.structs.replace(SITE, timezone="Asia/Kathmandu")
    drawing = draw(kathmandu, scene.rounds(), NOW)
    assert drawing is not None
    assert {tick.label[-2:] for tick in drawing.ticks} == {"00"}


def test_what_waits_for_its_record_is_told_apart_from_what_is_not_due() -> None:
    now = scene.NIGHT + timedelta(minutes=46)
    codes = [mark.code for band in draw_at(now) for mark in band]
    assert "awaiting" in codes or "pending" in codes
    missed = [mark.code for band in draw_at(scene.NOW) for mark in band if mark.code == "missed"]
    assert len(missed) == 1


def draw_at(now: object) -> list[list[object]]:
    drawing = draw(SITE, scene.rounds(now), instant(now))  # type: ignore[arg-type]
    assert drawing is not None
    return [list(band.marks) for band in drawing.bands]


def test_a_few_rounds_too_near_each_other_are_crowded_though_the_night_is_long() -> None:
    early = msgspec.structs.replace(
        dense(1)[0], id="live@early", start=scene.NIGHT, end=scene.NIGHT + timedelta(minutes=2)
    )
    drawing = draw(SITE, [early, *dense(4)], NOW)
    assert drawing is not None
    assert drawing.span == "night"
    assert [band.crowded for band in drawing.bands] == [False, True, True, True, True]


def test_crowded_rounds_are_drawn_around_now() -> None:
    drawing = draw(SITE, [*scene.rounds(), *dense(200)], NOW)
    assert drawing is not None
    assert drawing.span == "minutes"
    live = [band for band in drawing.bands if band.round.route == "live"]
    assert 10 <= len(live) <= 16
    assert all(0 <= band.x <= 100 and band.x + band.width <= 100.01 for band in drawing.bands)
    assert all(0 <= mark.x <= 100 for band in drawing.bands for mark in band.marks)


def test_the_list_of_rounds_shows_each_visit_also_where_the_drawing_is_cut() -> None:
    now = instant(scene.NIGHT + timedelta(minutes=50))
    drawing = draw(SITE, scene.rounds(), now, "minutes")
    assert drawing is not None
    assert any(len(band.marks) < len(scene.STOPS) for band in drawing.bands)
    assert all(len(band.codes) == len(scene.STOPS) for band in drawing.bands)


@pytest.mark.parametrize("span", LENGTHS)
def test_a_span_around_now_shows_more_of_what_was_than_of_what_comes(span: str) -> None:
    drawing = draw(SITE, scene.rounds(), NOW, span)  # type: ignore[arg-type]
    assert drawing is not None
    assert drawing.now is None or drawing.now == pytest.approx(200 / 3, abs=0.01)


def test_an_empty_stretch_is_no_mistake() -> None:
    drawing = draw(SITE, scene.rounds(), NOW + 10 * HOUR, "minutes")
    assert drawing is not None
    assert drawing.bands == []
    assert draw(SITE, [], NOW) is None


async def test_the_page_asks_for_as_much_as_it_wants(operator: httpx.AsyncClient) -> None:
    for span, pressed in (("night", "night"), ("hours", "hours"), ("nonsense", "night")):
        page = (await operator.get("/console/rounds", params={"span": span})).text
        assert f'data-span="{pressed}" aria-pressed="true"' in page


@pytest.mark.parametrize(("due_in", "told"), [(-3, "Checkpoint due since"), (3, "Next checkpoint")])
async def test_a_checkpoint_that_is_past_due_is_not_called_the_next(
    operator: httpx.AsyncClient, gateway: FakeGateway, due_in: int, told: str
) -> None:
    due = scene.NOW + timedelta(minutes=due_in)
    closes = due + timedelta(minutes=10)
    pending = Visit(
        checkpoint="cp-gate", position=1, due=due, opens=due - timedelta(minutes=10), closes=closes, verdict="pending", revision=0
    )  # fmt: skip
    running = msgspec.structs.replace(scene.rounds()[0], visits=(pending,), start=due, verdict="in_progress")
    gateway.scene.rounds[:] = [running]
    page = (await operator.get("/console/summary", params={"lang": "en"})).text
    assert {each for each in ("Checkpoint due since", "Next checkpoint") if each in page} == {told}
    assert f"<b>{due:%H:%M}</b>" in page
    assert (f"open until {closes:%H:%M}" in page) == (due_in < 0)


def test_a_night_is_never_cut_at_midnight() -> None:
    begin, end = night_of(NOW, SITE)
    assert f"{moment(begin, scene.ZONE):%d %H:%M}" == "22 12:00"
    assert end - begin == DAY
    assert night_of(begin, SITE) == (begin, end)
    assert night_of(begin - MINUTE, SITE)[1] == begin


def test_a_place_is_named_with_what_it_lies_in_once() -> None:
    assert place_name(SITE, "tower-1/f03") == "1号楼 3层"
    lobby = {"tower-1/lobby": scene.model.Place(id="tower-1/lobby", name="1号楼大堂")}
    named = msgspec.structs.replace(SITE, places=dict(SITE.places) | lobby)
    assert place_name(named, "tower-1/lobby") == "1号楼大堂"
    assert place_name(SITE, "nowhere/x") == "nowhere x"
    assert place_name(SITE, None) == ""


def test_a_route_that_has_a_name_is_drawn_under_it() -> None:
    night = msgspec.structs.replace(SITE.routes["night"], name="夜间巡更")
    named = msgspec.structs.replace(SITE, routes={"night": night})
    heads = [lane.label for lane in draw(named, scene.rounds(), NOW).lanes if lane.checkpoint is None]
    assert heads == ["夜间巡更"]
