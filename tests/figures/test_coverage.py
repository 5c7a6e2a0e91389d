"""Cameras and zones over a period, by hand (spec: cameras.md, Zones)."""

from __future__ import annotations

from datetime import UTC

import pytest

from device_drivers import observations as seen
from gateway.figures.coverage import camera_rates, zone_minutes
from gateway.instants import MINUTE, moment
from gateway.site.model import Device, Place, Zone
from tests.figures.kept import Kept, beat
from tests.figures.rows import down, over, row, site, up

ZONES = (Zone(id="z", place="b", cameras=("cam-1", "cam-2"), need=2), Zone(id="y", place="b", cameras=("cam-1",)))


def picture(camera: str, state: str, *, active: bool = True) -> seen.VideoState:
    return seen.VideoState(device=camera, at=moment(0, UTC), state=state, active=active)


def watched(until: str = "13:59") -> Kept:
    kept = Kept(site(zones=ZONES))
    kept.every(MINUTE, "12:00", until, beat("cam-1"), beat("cam-2"))
    return kept


def test_a_silent_camera_is_lost_from_the_end_of_its_timeout_until_it_is_heard() -> None:
    kept = watched()
    kept.every(MINUTE, "14:00", "14:59", beat("cam-2"))
    kept.every(MINUTE, "15:00", "16:00", beat("cam-1"), beat("cam-2"))
    found = {rate.id: rate for rate in camera_rates(kept.site, kept.timeline("13:00", "16:00"), "camera")}
    assert found["cam-1"].enabled_h == 3
    assert found["cam-1"].lost_h * 60 == 58  # last heard at 13:59, alive until 14:02
    assert found["cam-1"].rate == pytest.approx(122 / 180)
    assert (found["cam-1"].target, found["cam-1"].reached) == (0.98, False)
    assert (found["cam-2"].rate, found["cam-2"].reached) == (1, True)
    zones = {zone.id: zone for zone in zone_minutes(kept.site, kept.timeline("13:00", "16:00"))}
    assert (zones["z"].degraded_min, zones["z"].blind_min, zones["z"].covered_min) == (58, 0, 122)
    assert (zones["y"].degraded_min, zones["y"].blind_min, zones["y"].covered_min) == (0, 58, 122)


def test_a_lens_painted_over_while_recording_already_stood_still_is_lost() -> None:
    """Impaired by what costs no cover, then by what does: the state's name is the same, what it sees is not."""
    kept = watched()
    recording = seen.RecordingState(device="cam-1", at=moment(0, UTC), recording=False)
    kept.hear("14:00", recording)
    kept.every(MINUTE, "14:00", "14:29", beat("cam-1"), beat("cam-2"))
    kept.hear("14:30", picture("cam-1", "blind"))
    kept.every(MINUTE, "14:30", "14:59", beat("cam-1"), beat("cam-2"))
    kept.hear("15:00", picture("cam-1", "ok"))
    kept.every(MINUTE, "15:00", "16:00", beat("cam-1"), beat("cam-2"))
    (rate,) = camera_rates(kept.site, kept.timeline("13:00", "16:00"), "site")
    assert rate.lost_h * 60 == 30
    (details,) = ({piece.detail for piece in kept.timeline("14:30", "15:00").pieces("camera", "cam-1")},)
    assert details == {"blind not_recording"}


def test_a_camera_out_of_service_counts_nowhere_while_it_is() -> None:
    kept = watched()
    kept.operate("14:00", "disable", "cam-1")
    kept.every(MINUTE, "14:00", "14:59", beat("cam-2"))
    kept.operate("15:00", "enable", "cam-1")
    kept.every(MINUTE, "15:00", "16:00", beat("cam-1"), beat("cam-2"))
    found = {rate.id: rate for rate in camera_rates(kept.site, kept.timeline("13:00", "16:00"), "camera")}
    assert (found["cam-1"].enabled_h, found["cam-1"].rate) == (2, 1)


def test_a_set_with_a_camera_outside_key_places_has_the_lower_target() -> None:
    devices = {
        name: Device(id=name, driver="native", kind="camera", place=place, expect_every=MINUTE)
        for name, place in (("cam-1", "b"), ("cam-2", "a"))
    }
    known = site(devices=devices, zones=ZONES)
    rows = [up(), row("camera", "cam-1", "seeing", "12:00"), row("camera", "cam-2", "lost", "12:00")]
    timeline = over(rows, "13:00", "15:00")
    assert [(each.id, each.target, each.rate) for each in camera_rates(known, timeline, "place")] == [
        ("a", 0.95, 0),
        ("b", 0.98, 1),
    ]
    (whole,) = camera_rates(known, timeline, "site")
    assert (whole.cameras, whole.target, whole.rate) == (2, 0.95, 0.5)
    assert [(each.id, each.cameras) for each in camera_rates(known, timeline, "zone")] == [("y", 1), ("z", 2)]


def test_nothing_known_of_a_camera_is_no_rate() -> None:
    rows = [up(), row("camera", "cam-1", "unknown", "12:00", "never_heard")]
    (rate,) = camera_rates(site(), over(rows, "13:00", "15:00"), "camera")
    assert (rate.enabled_h, rate.rate, rate.unknown_share, rate.reached) == (2, None, 1, None)


def test_a_time_down_is_unknown_for_zones_whatever_stood_then() -> None:
    rows = [up(), row("zone", "z", "blind", "12:30"), *down("13:00", "13:30"), row("zone", "z", "covered", "14:00")]
    zone = next(each for each in zone_minutes(site(zones=ZONES), over(rows, "12:00", "15:00")) if each.id == "z")
    assert (zone.absent_min, zone.blind_min, zone.unknown_min, zone.covered_min) == (30, 60, 30, 60)
    assert (zone.place, zone.key) == ("b", True)


def test_a_zone_taken_out_of_the_site_is_absent_from_then_on() -> None:
    kept = watched()
    kept.restart("14:00", "14:00", site(zones=ZONES[:1], places={name: Place(id=name, name=name) for name in "abc"}))
    kept.go("15:00")
    zones = {zone.id: zone for zone in zone_minutes(kept.site, kept.timeline("13:00", "15:00"))}
    assert (zones["y"].covered_min, zones["y"].absent_min, zones["y"].place) == (60, 60, None)
