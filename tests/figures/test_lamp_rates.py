"""The intact rate of lamps: nights computed by hand (spec: lighting.md, Intact rate)."""

from __future__ import annotations

from datetime import UTC, time
from typing import Any

import msgspec
import pytest

from device_drivers import observations as seen
from gateway.figures.lamps import LampRate, lamp_rates
from gateway.instants import DAY, MINUTE, SECOND, moment
from gateway.site.model import Circuit, Device, Expected, Lamp, Place, Site
from tests.figures.kept import Kept, last_rows, lux, sensor
from tests.figures.rows import down, lamp, over, row, seat, up
from tests.figures.rows import site as site_with

NIGHT = Expected(mode="times", on=time(18), off=time(6))


def estate(*names: str, expected: Expected = NIGHT, **more: Any) -> Site:
    """Lamps on one circuit in one corridor, each seen by its own sensor."""
    names = names or ("a",)
    return Site(
        **(
            {
                "id": "s",
                "name": "s",
                "timezone": "Asia/Shanghai",
                "latitude": 31.2,
                "longitude": 121.5,
                "places": {"t1/f1": Place(id="t1/f1", name="1层")},
                "devices": {f"lux-{name}": sensor(f"lux-{name}") for name in names},
                "circuits": {"c": Circuit(id="c")},
                "lamps": {
                    name: Lamp(id=name, place="t1/f1", circuit="c", seen_by=(f"lux-{name}",), expected=expected)
                    for name in names
                },
            }
            | more
        )
    )


def rates(kept: Kept, since: str, until: str, by: str = "lamp") -> dict[str | None, LampRate]:
    return {each.id: each for each in lamp_rates(kept.site, kept.timeline(since, until), by)}


def hours(rate: LampRate) -> tuple[float, float, float, float]:
    """On, intact, faulty, unknown; to a second."""
    return tuple(round(each, 3) for each in (rate.on_h, rate.intact_h, rate.faulty_h, rate.unknown_h))


def lit_evening(kept: Kept, *names: str, until: str = "21:55") -> None:
    for name in names or ("a",):
        kept.every(5 * MINUTE, "12:00", "17:55", lux(f"lux-{name}", 0))
        kept.every(5 * MINUTE, "18:00", until, lux(f"lux-{name}", 100))


def test_a_lamp_seen_lit_all_night_is_wholly_intact() -> None:
    kept = Kept(estate())
    lit_evening(kept, until="05:55")
    kept.every(5 * MINUTE, "06:00", "11:55", lux("lux-a", 0))
    rate = rates(kept, "12:00", "11:55")["a"]
    assert hours(rate) == (12, 12, 0, 0)
    assert (rate.rate, rate.unknown_share, rate.level) == (1, 0, 1)


def test_a_fault_counts_from_its_first_unlit_sample_to_the_first_lit_one() -> None:
    kept = Kept(estate())
    lit_evening(kept)
    kept.every(5 * MINUTE, "22:00", "23:10", lux("lux-a", 0))  # found at 22:10
    kept.every(5 * MINUTE, "23:15", "05:55", lux("lux-a", 100))
    kept.go("06:00")
    rate = rates(kept, "18:00", "06:00")["a"]
    assert hours(rate) == (12, 10.75, 1.25, 0)
    assert rate.rate == pytest.approx(10.75 / 12)
    assert rate.level == 3


def test_a_fault_handed_in_late_counts_when_it_was_and_no_longer() -> None:
    """A sensor that was out of reach hands in at 06:00 that the lamp was dark from 23:00 to 00:00."""
    kept = Kept(estate())
    lit_evening(kept, until="22:55")
    for dated in ("23:00", "23:10", "23:30", "23:50"):
        kept.hear("06:10", lux("lux-a", 0), dated=dated)
    kept.hear("06:10", lux("lux-a", 100), dated="00:00")
    # a single lit sample, six hours old when it came, says nothing of the hours after it
    assert hours(rates(kept, "18:00", "06:00")["a"]) == (12, 5, 1, 6)


def test_a_silent_sensor_makes_hours_unknown_which_count_on_neither_side() -> None:
    kept = Kept(estate())
    lit_evening(kept)
    kept.every(5 * MINUTE, "00:00", "05:55", lux("lux-a", 100))
    kept.go("06:00")
    rate = rates(kept, "18:00", "06:00")["a"]
    # the last sample was at 21:55; it proves until half an hour later, 3 × expect_every
    assert hours(rate) == (12, pytest.approx(10 + 25 / 60, abs=0.001), 0, pytest.approx(1 + 35 / 60, abs=0.001))
    assert rate.rate == 1
    assert rate.unknown_share == pytest.approx((95 / 60) / 12, abs=0.0001)


def test_nothing_known_is_no_rate_neither_100_nor_0_percent() -> None:
    kept = Kept(estate())
    kept.go("06:00")
    rate = rates(kept, "18:00", "06:00")["a"]
    assert (rate.on_h, rate.unknown_h, rate.rate, rate.level) == (12, 12, None, None)
    assert rate.unknown_share == 1
    assert rates(kept, "12:00", "17:00")["a"].unknown_share is None


def test_while_the_gateway_was_down_nothing_is_known_also_of_a_standing_fault() -> None:
    kept = Kept(estate())
    lit_evening(kept)
    kept.every(5 * MINUTE, "22:00", "23:00", lux("lux-a", 0))
    kept.restart("23:00", "01:00")
    kept.every(5 * MINUTE, "01:05", "02:00", lux("lux-a", 0))
    kept.every(5 * MINUTE, "02:05", "05:55", lux("lux-a", 100))
    kept.go("06:00")
    rate = rates(kept, "18:00", "06:00")["a"]
    assert (rate.on_h, rate.faulty_h, rate.unknown_h) == (12, pytest.approx(1 + 1 + 5 / 60), 2)


def test_after_a_start_what_was_ok_is_unknown_until_it_is_seen_again() -> None:
    kept = Kept(estate())
    lit_evening(kept)
    kept.restart("22:00", "22:30")
    kept.every(5 * MINUTE, "22:40", "05:55", lux("lux-a", 100))
    kept.go("06:00")
    rate = rates(kept, "18:00", "06:00")["a"]
    assert hours(rate) == (12, pytest.approx(12 - 40 / 60, abs=0.001), 0, pytest.approx(40 / 60, abs=0.001))


def test_a_process_that_is_replaced_without_a_stop_changes_nothing() -> None:
    """Restored from its state and going on from the journal at any time, without time in which nothing was heard."""

    def night(replace_at: str | None) -> LampRate:
        kept = Kept(estate())
        lit_evening(kept)
        for at in range(60):
            text = f"{22 + at // 30:02}:{at % 30 * 2:02}"
            kept.hear(text, lux("lux-a", 0 if 10 < at < 30 else 100))
            if text == replace_at:
                kept.keep()
                state = kept.judge.snapshot()
                rows = list(kept.rows)
                kept = Kept(kept.site, "12:00")
                kept.judge.restore(state)
                kept.rows = rows
                kept.judge.history.resume(last_rows(rows), kept.judge.now)
        return rates(kept, "18:00", "23:58")["a"]

    for at in ("22:02", "22:22", "22:24", "22:30", "22:58", "23:00", "23:20"):
        assert night(at) == night(None), at


def test_a_lamp_out_of_service_is_due_no_more() -> None:
    kept = Kept(estate(devices={"a": Device(id="a", driver="native", kind="lamp"), "lux-a": sensor("lux-a")}))
    lit_evening(kept)
    kept.operate("22:00", "disable", "a")
    kept.go("06:00")
    assert hours(rates(kept, "18:00", "06:00")["a"]) == (4, 4, 0, 0)


def test_a_lamp_enrolled_later_counts_from_then_on_and_one_taken_out_until_then() -> None:
    kept = Kept(estate("a"))
    lit_evening(kept)
    kept.restart("22:00", "22:00", estate("a", "b"))
    kept.every(5 * MINUTE, "22:00", "00:00", lux("lux-a", 100), lux("lux-b", 100))
    kept.restart("00:00", "00:00", estate("b"))
    kept.every(5 * MINUTE, "00:00", "05:55", lux("lux-b", 100))
    kept.go("06:00")
    found = rates(kept, "18:00", "06:00")
    assert hours(found["a"]) == (6, 6, 0, 0)
    assert hours(found["b"]) == (8, 8, 0, 0)
    (all_of_it,) = rates(kept, "18:00", "06:00", "building").values()
    assert (all_of_it.id, all_of_it.lamps, all_of_it.on_h) == ("t1", 2, 14)


def test_hours_count_by_the_plan_and_the_circuit_of_their_time() -> None:
    kept = Kept(estate())
    lit_evening(kept)
    late = msgspec.structs.replace(NIGHT, on=time(23))
    moved = estate(expected=late, circuits={"c": Circuit(id="c"), "d": Circuit(id="d")})
    moved.lamps["a"] = msgspec.structs.replace(moved.lamps["a"], circuit="d")
    kept.restart("22:00", "22:00", moved)
    kept.every(5 * MINUTE, "22:00", "22:55", lux("lux-a", 0))
    kept.every(5 * MINUTE, "23:00", "05:55", lux("lux-a", 100))
    kept.go("06:00")
    found = rates(kept, "18:00", "06:00", "circuit")
    assert {name: each.on_h for name, each in found.items()} == {"c": 4, "d": 7}


def test_a_commanded_lamp_is_due_when_it_was_commanded() -> None:
    commanded = Expected(mode="commanded")
    devices = {
        "a": Device(id="a", driver="native", kind="lamp", expect_every=10 * MINUTE),
        "lux-a": sensor("lux-a"),
    }
    kept = Kept(estate(expected=commanded, devices=devices))

    def told(value: bool | None, on: bool) -> seen.LampState:
        return seen.LampState(device="a", at=moment(0, UTC), commanded=value, on=on)

    kept.every(10 * MINUTE, "12:00", "17:50", told(None, False))
    kept.hear("18:00", told(True, True))
    kept.every(10 * MINUTE, "18:10", "19:50", told(True, True))
    kept.every(10 * MINUTE, "20:00", "20:50", told(True, False))
    kept.hear("21:00", told(False, False))
    kept.every(10 * MINUTE, "21:10", "22:50", told(False, False))
    rate = rates(kept, "12:00", "22:50")["a"]
    assert hours(rate) == (3, 2, 1, 0)


def test_a_motion_lamp_is_due_for_its_hold_after_each_motion() -> None:
    expected = Expected(mode="motion", hold=60 * SECOND)
    devices = {
        "lux-a": sensor("lux-a"),
        "pir": Device(id="pir", driver="native", kind="motion_sensor", place="t1/f1"),
    }
    kept = Kept(estate(expected=expected, devices=devices))
    kept.every(5 * MINUTE, "12:00", "17:55", lux("lux-a", 0))
    motion = seen.Motion(device="pir", at=moment(0, UTC), active=True)
    for minute in range(10):
        kept.hear(f"20:{minute * 5:02}", motion)
        kept.hear(f"20:{minute * 5:02}:10", lux("lux-a", 100))
        kept.hear(f"20:{minute * 5 + 2:02}", lux("lux-a", 0))
    rate = rates(kept, "20:00", "21:00")["a"]
    assert rate.on_h * 60 == pytest.approx(10, abs=0.001)


def test_lamps_without_a_circuit_are_a_set_of_their_own() -> None:
    one, two = lamp("one"), lamp("two", circuit="c")
    rows = [up(), seat(one), seat(two), row("lamp", "one", "ok", "12:00"), row("lamp", "two", "faulty", "12:00")]
    found = lamp_rates(site_with(one, two), over(rows, "18:00", "20:00"), "circuit")
    assert [(each.id, each.rate) for each in found] == [(None, 1), ("c", 0)]


@pytest.mark.parametrize(("faulty_min", "level"), [(36, 1), (37, 2), (72, 2), (73, 3), (144, 3), (145, None)])
def test_a_target_is_reached_at_exactly_its_rate(faulty_min: int, level: int | None) -> None:
    one = lamp("one")
    begins, ends = f"18:{0:02}", f"{18 + faulty_min // 60:02}:{faulty_min % 60:02}"
    rows = [up(), seat(one), row("lamp", "one", "faulty", begins), row("lamp", "one", "ok", ends)]
    (rate,) = lamp_rates(site_with(one), over(rows, "18:00", "06:00"), "site")
    assert rate.level == level


def test_a_period_inside_a_long_time_down_knows_nothing() -> None:
    one = lamp("one")
    rows = [up(), seat(one), row("lamp", "one", "ok", "12:00"), *down("17:00", "+1 12:00")]
    (rate,) = lamp_rates(site_with(one), over(rows, "18:00", "06:00"), "site")
    assert (rate.on_h, rate.unknown_h, rate.rate) == (12, 12, None)


def test_dusk_to_dawn_is_computed_from_where_the_sun_stands() -> None:
    one = lamp("one", mode="dusk_to_dawn")
    rows = [up(), seat(one), row("lamp", "one", "ok", "12:00")]
    (rate,) = lamp_rates(site_with(one), over(rows, "12:00", "11:59"), "site")
    assert rate.on_h == pytest.approx(13 + 35 / 60, abs=2 / 60)  # dusk 16:53, dawn 06:28
    longer = over(rows, rows[0].since, rows[0].since + 7 * DAY)
    assert lamp_rates(site_with(one), longer, "site")[0].on_h == pytest.approx(7 * rate.on_h, rel=0.01)


def test_a_motion_lamp_is_not_due_while_the_gateway_was_down_and_nobody_knows_who_came() -> None:
    one = lamp("one", mode="motion")
    told = [row("lamp", "one", "ok", "12:00"), row("duty", "one", "on", "18:30"), row("duty", "one", "off", "20:00")]
    rows = [up(), seat(one), *told[:2], *down("18:31", "20:00"), told[2]]
    (rate,) = lamp_rates(site_with(one), over(rows, "18:00", "21:00"), "site")
    assert rate.on_h * 60 == 1
