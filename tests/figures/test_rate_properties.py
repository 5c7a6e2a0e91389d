"""What holds of every figure, whatever happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.figures.coverage import camera_rates, zone_minutes
from gateway.figures.lamps import lamp_rates
from gateway.figures.protection import PlaceProtection, protection
from gateway.figures.walks import Walks
from gateway.instants import DAY, MINUTE
from gateway.site.model import Zone
from tests.figures.rows import NOON, lamp, over, seat, site, some

LAMPS = [lamp("one", circuit="c"), lamp("two", "b"), lamp("three", mode="always")]
SITE = site(
    *LAMPS,
    zones=(Zone(id="z", place="a", cameras=("cam-1",)), Zone(id="y", place="b", cameras=("cam-1", "cam-2"), need=2)),
)
SEATS = [seat(each) for each in LAMPS]
UNTIL = NOON + DAY

_lamps = some("lamp", [each.id for each in LAMPS], ["ok", "off_duty", "faulty", "unknown", "disabled"])
_cameras = some("camera", ["cam-1", "cam-2"], ["seeing", "lost", "unknown", "disabled"])
_zones = some("zone", ["z", "y"], ["covered", "degraded", "blind", "unknown"])
_cut = st.integers(0, 24 * 60).map(lambda minutes: NOON + minutes * MINUTE)


def sums(items: list[Any], *names: str) -> list[float]:
    return [sum(getattr(item, name) for item in items) for name in names]


@given(_lamps, _cut)
def test_lamp_hours_of_a_split_period_add_up(rows, cut):
    names = ("on_h", "intact_h", "faulty_h", "unknown_h")
    rows = [*SEATS, *rows]
    parts = [lamp_rates(SITE, over(rows, *ends), "lamp") for ends in ((NOON, cut), (cut, UNTIL))]
    whole = lamp_rates(SITE, over(rows, NOON, UNTIL), "lamp")
    assert sums(whole, *names) == pytest.approx(sums(parts[0] + parts[1], *names))


@given(_lamps)
def test_every_set_of_lamps_counts_the_same_hours(rows):
    timeline = over([*SEATS, *rows], NOON, UNTIL)
    names = ("lamps", "on_h", "intact_h", "faulty_h", "unknown_h")
    counted = [sums(lamp_rates(SITE, timeline, by), *names) for by in ("lamp", "circuit", "floor", "building", "site")]
    for each in counted[1:]:
        assert each == pytest.approx(counted[0])
    for rate in lamp_rates(SITE, timeline, "lamp"):
        assert rate.on_h == pytest.approx(rate.intact_h + rate.faulty_h + rate.unknown_h)
        assert (rate.rate is None) == (rate.intact_h + rate.faulty_h == 0)
        assert rate.rate is None or 0 <= rate.rate <= 1


@given(_lamps, _lamps)
def test_what_is_unknown_is_never_a_fault(rows, others):
    """Turning known hours into unknown ones, by rows or by a gateway that was down, takes faulty hours away or leaves them."""
    before = lamp_rates(SITE, over([*SEATS, *rows], NOON, UNTIL), "lamp")
    blurred = [each._replace(state="unknown") if each.kind == "lamp" else each for each in others]
    later = [each._replace(found=each.found + DAY) for each in blurred if each.kind == "lamp" or each.state == "down"]
    after = lamp_rates(SITE, over([*SEATS, *rows, *later], NOON, UNTIL), "lamp")
    faulty = {rate.id: rate.faulty_h for rate in before}
    for rate in after:
        assert rate.faulty_h <= faulty.get(rate.id, 0) + 1e-9
    nothing = lamp_rates(SITE, over([*SEATS, *blurred], NOON, UNTIL), "lamp")
    assert all(rate.rate is None and rate.faulty_h == 0 for rate in nothing)


@given(_zones, _cut)
def test_minutes_of_a_zone_are_the_period(rows, cut):
    for since, until in ((NOON, cut), (cut, UNTIL), (NOON, UNTIL)):
        for zone in zone_minutes(SITE, over(rows, since, until)):
            parts = zone.covered_min + zone.degraded_min + zone.blind_min + zone.unknown_min + zone.absent_min
            assert parts == pytest.approx((until - since) / MINUTE)
    halves = zone_minutes(SITE, over(rows, NOON, cut)) + zone_minutes(SITE, over(rows, cut, UNTIL))
    whole = zone_minutes(SITE, over(rows, NOON, UNTIL))
    assert sums(whole, "blind_min", "unknown_min") == pytest.approx(sums(halves, "blind_min", "unknown_min"))


@given(_cameras, _cut)
def test_camera_hours_of_a_split_period_add_up(rows, cut):
    names = ("enabled_h", "seeing_h", "lost_h", "unknown_h")
    for by in ("camera", "place", "site"):
        parts = [camera_rates(SITE, over(rows, *ends), by) for ends in ((NOON, cut), (cut, UNTIL))]
        whole = camera_rates(SITE, over(rows, NOON, UNTIL), by)
        assert sums(whole, *names) == pytest.approx(sums(parts[0] + parts[1], *names))
        for rate in whole:
            assert rate.enabled_h == pytest.approx(rate.seeing_h + rate.lost_h + rate.unknown_h)


_walks = st.tuples(
    st.lists(st.integers(-120, 24 * 60), max_size=12),
    st.lists(st.tuples(st.integers(-120, 24 * 60), st.integers(0, 600)), max_size=4),
)


@given(_lamps, _zones, _walks)
def test_the_map_holds_no_more_than_an_hour_and_all_three_no_more_than_each(lamps, zones, walked):
    taps, complete = walked
    walks = {
        "cp": Walks(
            sorted(NOON + at * MINUTE for at in taps),
            sorted({(NOON + at * MINUTE, NOON + (at + span) * MINUTE) for at, span in complete[:1] if span}),
        )
    }
    places = protection(SITE, over([*SEATS, *lamps, *zones], NOON, UNTIL), walks, 24)
    assert [each.place for each in places] == ["a", "b", "c"]
    for place in places:
        three = [place.blind, place.dark, place.unwalked]
        for aspect in (*three, place.all_three):
            if aspect is None:
                continue
            assert len(aspect.minutes) == len(aspect.unknown) == 24
            for bad, unknown in zip(aspect.minutes, aspect.unknown, strict=True):
                assert (bad is None) == (unknown is None)
                assert bad is None or (bad >= 0 and unknown >= 0 and bad + unknown <= 60)
            assert aspect.total_min == pytest.approx(sum(part or 0 for part in aspect.minutes), abs=0.2)
            assert aspect.unknown_total_min == pytest.approx(sum(part or 0 for part in aspect.unknown), abs=0.2)
        if place.all_three is not None:
            for slot, at_once in enumerate(place.all_three.minutes):
                assert at_once is None or all(at_once <= (each.minutes[slot] or 0) for each in three)
        else:
            assert None in three
    assert places[2] == PlaceProtection(place="c", key=False, blind=None, dark=None, unwalked=None, all_three=None)
