"""The protection map, hour by hour, by hand (spec: cameras.md, Protection)."""

from __future__ import annotations

from datetime import time

import pytest

from gateway.figures.protection import PlaceProtection, first_hour, protection
from gateway.figures.walks import Walks
from gateway.instants import HOUR, MINUTE, moment
from gateway.journal.rows import Condition
from gateway.site.model import Checkpoint, MaxGap, Place, Route, Site, Visit, Zone
from tests.figures.rows import clock, down, lamp, over, row, seat, site, up

ALL_NIGHT = [(clock("12:00"), clock("11:00"))]


def places(
    known: Site,
    rows: list[Condition],
    taps: list[str],
    complete=ALL_NIGHT,
    *,
    since: str = "20:00",
    until: str = "02:00",
) -> dict[str, PlaceProtection]:
    walks = {"cp": Walks(sorted(clock(at) for at in taps), complete)}
    hours = (clock(until) - clock(since)) // HOUR
    return {each.place: each for each in protection(known, over(rows, since, until), walks, hours)}


def test_unwalked_begins_two_hours_after_the_last_tap() -> None:
    found = places(site(), [up()], ["20:10", "23:30"])["a"]
    assert found.unwalked is not None
    # walked from 20:10 to 22:10, and from 23:30 on until 01:30; before 20:10 nobody had been there since noon
    assert found.unwalked.minutes == [10, 0, 50, 30, 0, 30]
    assert found.unwalked.unknown == [0] * 6
    assert (found.unwalked.total_min, found.unwalked.unknown_total_min) == (120, 0)


def test_the_checkpoints_own_gap_applies_in_its_hours_and_two_hours_outside_them() -> None:
    gap = MaxGap(since=time(22), until=time(0), at_most=HOUR)
    found = places(site(max_gap=gap), [up()], ["20:30", "23:30"])["a"]
    assert found.unwalked is not None
    # at 22:00, an hour and a half after the tap, an hour is too long; at midnight two hours count again
    assert found.unwalked.minutes == [30, 0, 60, 30, 0, 30]


def test_while_a_compensating_patrol_stands_its_limit_applies() -> None:
    rows = [up(), row("patrol", "cp", str(30 * MINUTE), "20:30"), row("patrol", "cp", "none", "22:15")]
    found = places(site(), rows, ["20:10", "21:30"], until="23:00")["a"]
    assert found.unwalked is not None
    # too long from 20:40 (half an hour) to 21:30, from 22:00 to 22:15; then two hours count again
    assert found.unwalked.minutes == [10 + 20, 30, 15]


def test_unwalked_is_known_only_where_the_record_is_complete_for_so_long() -> None:
    complete = [(clock("12:00"), clock("21:00")), (clock("21:30"), clock("11:00"))]
    found = places(site(), [up()], ["20:10"], complete)["a"]
    assert found.unwalked is not None
    # from 22:10 on somebody may have come between 21:00 and 21:30, until 23:30
    assert found.unwalked.minutes == [10, 0, 0, 30, 60, 60]
    assert found.unwalked.unknown == [0, 0, 50, 30, 0, 0]


def test_a_tap_counts_however_little_else_is_known() -> None:
    found = places(site(), [up()], ["20:00"], [])["a"]
    assert found.unwalked is not None
    assert found.unwalked.minutes == [0] * 6
    assert found.unwalked.unknown == [0, 0, 60, 60, 60, 60]


def test_a_place_with_two_checkpoints_is_walked_by_a_tap_at_either() -> None:
    known = site(
        checkpoints={name: Checkpoint(id=name, place="a", reader=name) for name in ("cp", "cq")},
        routes={"night": Route(id="night", visits=(Visit(checkpoint="cp"), Visit(checkpoint="cq")))},
    )
    walks = {
        "cp": Walks([clock("20:00")], ALL_NIGHT),
        "cq": Walks([clock("22:00")], [(clock("12:00"), clock("00:30"))]),
    }
    found = {each.place: each for each in protection(known, over([up()], "20:00", "02:00"), walks, 6)}["a"]
    assert found.unwalked is not None
    assert found.unwalked.minutes == [0, 0, 0, 0, 30, 0]
    assert found.unwalked.unknown == [0, 0, 0, 0, 30, 60]


def test_a_checkpoint_that_no_route_visits_measures_nothing() -> None:
    found = places(site(routes={}, rounds=()), [up()], ["20:10"])["a"]
    assert found.unwalked is None


def test_dark_is_a_faulty_lamp_while_expected_on() -> None:
    one, two = lamp("one"), lamp("two")
    rows = [
        up(),
        seat(one),
        seat(two),
        row("lamp", "one", "faulty", "17:30"),
        row("lamp", "one", "ok", "20:30"),
        row("lamp", "two", "ok", "12:00"),
        row("lamp", "two", "unknown", "20:00"),
        row("lamp", "two", "ok", "21:15"),
    ]
    found = places(site(one, two), rows, [], since="17:00", until="22:00")["a"]
    assert found.dark is not None
    # expected on from 18:00; what is dark is dark though the other lamp is unknown
    assert found.dark.minutes == [0, 60, 60, 30, 0]
    assert found.dark.unknown == [0, 0, 0, 30, 15]


def test_blind_is_any_zone_of_the_place_blind_and_unknown_while_the_gateway_was_down() -> None:
    zones = (Zone(id="z", place="b", cameras=("cam-1",)), Zone(id="y", place="b", cameras=("cam-2",)))
    rows = [
        up(),
        row("zone", "z", "covered", "12:00"),
        row("zone", "y", "degraded", "12:00"),
        row("zone", "z", "blind", "20:30"),
        row("zone", "z", "covered", "21:10"),
        *down("22:00", "22:20"),
    ]
    found = places(site(zones=zones), rows, [], until="23:00")
    assert found["b"].blind is not None
    assert found["b"].blind.minutes == [30, 10, 0]
    assert found["b"].blind.unknown == [0, 0, 20]
    assert found["a"].blind is None
    assert found["b"].key


def test_a_blind_zone_is_blind_in_all_that_lies_in_its_place() -> None:
    tree = {name: Place(id=name, name=name) for name in ("a", "a/1", "ab")}
    rows = [up(), row("zone", "z", "covered", "12:00"), row("zone", "z", "blind", "20:30")]
    found = places(site(places=tree, zones=(Zone(id="z", place="a", cameras=("cam-1",)),)), rows, [], until="22:00")
    assert [found[name].blind and found[name].blind.minutes for name in tree] == [[30, 60], [30, 60], None]


def test_all_three_are_minutes_in_which_it_is_all_of_them() -> None:
    one = lamp("one")
    rows = [
        up(),
        seat(one),
        row("lamp", "one", "faulty", "20:00"),
        row("lamp", "one", "unknown", "23:00"),
        row("zone", "z", "covered", "12:00"),
        row("zone", "z", "blind", "21:30"),
        row("zone", "z", "covered", "23:40"),
    ]
    found = places(site(one, zones=(Zone(id="z", place="a", cameras=("cam-1",)),)), rows, ["20:10"])["a"]
    assert found.all_three is not None
    # blind from 21:30, dark from 20:00, unwalked from 22:10: all three from 22:10 to 23:00; then the lamp is unknown
    assert found.all_three.minutes == [0, 0, 50, 0, 0, 0]
    assert found.all_three.unknown == [0, 0, 0, 40, 0, 0]


def test_a_place_that_lacks_one_of_the_three_has_no_all_three() -> None:
    found = places(site(), [up()], ["20:10"])["a"]
    assert (found.blind, found.dark, found.all_three) == (None, None, None)


def test_hours_before_there_was_a_lamp_are_not_measured_and_the_hour_in_which_it_came_is_partly_unknown() -> None:
    one = lamp("one")
    rows = [up(), seat(one, "21:30"), row("lamp", "one", "faulty", "21:30")]
    found = places(site(one), rows, [], until="23:00")["a"]
    assert found.dark is not None
    assert found.dark.minutes == [None, 30, 60]
    assert found.dark.unknown == [None, 30, 0]


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Asia/Shanghai", "Australia/Adelaide"])
def test_a_local_hour_starts_at_minute_nought_in_every_zone(zone: str) -> None:
    known = site(timezone=zone)
    begin = first_hour(known, clock("20:17:03"))
    local = moment(begin, known.zone_info)
    assert (local.minute, local.second) == (0, 0)
    assert begin <= clock("20:17:03") < begin + HOUR
