"""The intact rate of lamps: nights computed by hand (spec: lighting.md, Intact rate)."""

from __future__ import annotations

import pytest

from gateway.figures.lamps import LampRate, lamp_rates
from gateway.instants import MINUTE
from tests.figures.kept import Kept, lux, sensor
from tests.rules.lit_night import lamp, site_of

TIMES = {"mode": "times", "on": "18:00", "off": "06:00"}


def rates(kept: Kept, since: str, until: str, by: str = "lamp") -> dict[str | None, LampRate]:
    return {each.id: each for each in lamp_rates(kept.site, kept.timeline(since, until), by)}


def one_lamp(**more):
    from datetime import time

    from gateway.site.model import Expected

    expected = more.pop("expected", Expected(mode="times", on=time(18), off=time(6)))
    spec = lamp("a", **more)
    import msgspec

    return msgspec.structs.replace(spec, expected=expected)


def test_a_lamp_seen_lit_all_night_is_wholly_intact() -> None:
    kept = Kept(site_of(one_lamp(), devices=(sensor("lux-a"),)))
    kept.every(5 * MINUTE, "12:00", "17:55", lux("lux-a", 0))
    kept.every(5 * MINUTE, "18:00", "05:55", lux("lux-a", 100))
    kept.every(5 * MINUTE, "06:00", "11:55", lux("lux-a", 0))
    kept.go("11:59")
    rate = rates(kept, "12:00", "11:59")["a"]
    assert (rate.on_h, rate.intact_h, rate.faulty_h, rate.unknown_h) == (12, 12, 0, 0)
    assert (rate.rate, rate.unknown_share, rate.level) == (1, 0, 1)


def test_a_fault_counts_from_its_first_unlit_sample_to_the_first_lit_one() -> None:
    kept = Kept(site_of(one_lamp(), devices=(sensor("lux-a"),)))
    kept.every(5 * MINUTE, "12:00", "17:55", lux("lux-a", 0))
    kept.every(5 * MINUTE, "18:00", "21:55", lux("lux-a", 100))
    kept.every(5 * MINUTE, "22:00", "23:10", lux("lux-a", 0))  # found at 22:10
    kept.every(5 * MINUTE, "23:15", "05:55", lux("lux-a", 100))
    kept.go("06:00")
    rate = rates(kept, "18:00", "06:00")["a"]
    assert (rate.on_h, rate.faulty_h, rate.unknown_h) == (12, 1.25, 0)
    assert rate.rate == pytest.approx(10.75 / 12)
    assert rate.level == 3
