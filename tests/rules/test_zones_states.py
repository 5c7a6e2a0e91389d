"""Zones and what is told of them (spec: cameras.md, Zones)."""

from __future__ import annotations

import pytest

from gateway.instants import MINUTE
from gateway.rules.zones import judge
from tests.rules.night import Night, camera, device, estate, heartbeat, recording, status, video


@pytest.mark.parametrize(
    ("seeing", "unknown", "enabled", "need", "state"),
    [
        (1, 0, 2, 1, "covered"),
        (2, 0, 2, 2, "covered"),
        (1, 1, 2, 2, "unknown"),
        (0, 1, 2, 1, "unknown"),
        (1, 0, 2, 2, "degraded"),
        (0, 0, 2, 1, "blind"),
        (0, 1, 3, 2, "blind"),
        (1, 0, 1, 2, "degraded"),
        (0, 0, 0, 1, "blind"),
    ],
)
def test_the_state_of_a_zone(seeing, unknown, enabled, need, state):
    assert judge(seeing, unknown, enabled, need) == state


@pytest.fixture(params=[False, True], ids=["straight", "restored"])
def night(request) -> Night:
    site = estate(
        camera("a"), camera("b"), zones=[("one", ["a", "b"], 1), ("both", ["a", "b"], 2), ("key", ["a"], 1, "vault")]
    )
    return Night(site, restart_always=request.param)


def test_lost_cover_blinds_and_a_lesser_impairment_does_not(night):
    night.hear("22:01", heartbeat("a"), heartbeat("b"))
    assert [night.zone(each) for each in ("one", "both", "key")] == [
        "covered 22:01:00 1/1".replace("1/1", "2/1"),
        "covered 22:01:00 2/2",
        "covered 22:01:00 1/1",
    ]
    night.hear("22:02", recording("a", on=False), video("a", "defocused"))
    assert night.zone("key") == "covered 22:01:00 1/1"
    night.hear("22:03", video("a", "moved"))
    assert night.zone("key") == "blind 22:03:00 0/1"
    assert night.zone("both") == "degraded 22:03:00 1/2"
    assert night.zone("one") == "covered 22:01:00 1/1"


def test_a_blind_zone_speaks_for_its_cameras(night):
    night.beat("22:01", "22:05", "a", "b")
    night.hear("22:05:10", video("a", "blind"))
    night.beat("22:06", "22:20", "a", "b")
    assert night.alerts() == ["zone_blind:key", "zone_degraded:both"]
    alert = night.standing["zone_blind:key"]
    assert alert.severity == "critical"
    assert alert.details["cameras"] == ["a"]
    assert night.raised("zone_blind:key") == "22:05:10"
    assert not [signal for signal in night.signals if signal.rule == "camera_impaired"]
    night.hear("22:21", video("a", "ok"))
    assert night.alerts() == []


def test_alerts_of_cameras_that_stand_when_a_zone_turns_blind_are_merged_into_it(night):
    night.beat("22:01", "22:02", "a", "b")
    night.beat("22:03", "22:09", "b")
    night.operate("22:09:10", "disable", "a")
    night.operate("22:09:20", "enable", "a")
    night.beat("22:10", "22:16", "b")
    assert "zone_blind:key" in night.alerts()
    night.beat("22:17", "22:20", "b")
    night.hear("22:20:30", video("b", "loss"))
    night.beat("22:21", "22:25", "b")
    assert night.alerts() == ["zone_blind:both", "zone_blind:key", "zone_blind:one"]
    assert night.raised("zone_blind:one") == "22:20:30"


def test_when_the_zone_sees_again_the_cameras_that_do_not_are_told():
    night = Night(estate(camera("a"), camera("b"), zones=[("one", ["a", "b"], 1)]))
    night.beat("22:01", "22:02", "a", "b")
    night.hear("22:02:10", video("a", "loss"))
    night.hear("22:02:20", video("b", "loss"))
    night.beat("22:03", "22:10", "a", "b")
    assert night.alerts() == ["zone_blind:one"]
    assert night.ends("camera_impaired:a") == ["merge merged zone_blind:one"], "told ten seconds before the zone"
    night.hear("22:11", video("a", "ok"))
    assert night.alerts() == [], "they may come back together"
    night.beat("22:11", "22:14", "a", "b")
    assert night.alerts() == ["camera_impaired:b"]
    assert night.raised("camera_impaired:b") == "22:02:20"


def test_a_blip_of_a_zone_is_not_told(night):
    night.beat("22:01", "22:05", "a", "b")
    night.hear("22:05:10", video("a", "blind"))
    night.beat("22:06", "22:08", "a", "b")
    night.hear("22:08:09", video("a", "ok"))
    night.beat("22:09", "22:20", "a", "b")
    assert night.signals == []


def test_a_zone_unknown_for_a_quarter_of_an_hour_is_told(night):
    night.go("22:14:59")
    assert night.alerts() == []
    night.go("22:15")
    assert night.alerts() == ["zone_unknown:both", "zone_unknown:key", "zone_unknown:one"]
    night.hear("22:16", heartbeat("a"), heartbeat("b"))
    assert night.alerts() == []


def test_a_parents_alert_covers_an_unknown_zone():
    site = estate(
        device("nvr", kind="nvr"), camera("a", behind="nvr", channel=1), zones=[("z", ["a"], 1)], hold=3 * MINUTE
    )
    night = Night(site)
    night.hear("22:01", heartbeat("nvr", channel=1))
    night.hear("22:02", status("nvr", online=False))
    night.go("23:30")
    assert night.alerts() == ["device_offline:nvr"]
    night.hear("23:31", status("nvr", online=True))
    assert night.alerts() == [], "the time before its return does not count"
    night.beat("23:32", "23:40", "nvr")
    assert night.camera("a") == "offline 23:34:00"
    assert night.alerts() == ["zone_blind:z"]


def test_a_zone_is_judged_by_all_that_falls_at_one_instant():
    below = {"behind": "nvr"}
    site = estate(
        device("nvr"), camera("a", **below), camera("b", **below), camera("c"), zones=[("z", ["a", "b", "c"], 2)]
    )
    night = Night(site)
    night.hear("22:00:20", heartbeat("a"))
    night.hear("22:20", heartbeat("c"), heartbeat("nvr"))
    assert night.alerts() == ["camera_offline:a", "zone_unknown:z"]
    night.go("22:25")
    assert night.camera("c") == "offline 22:23:00"
    assert [night.camera(name).split()[0] for name in ("a", "b")] == ["unknown", "unknown"]
    assert night.zone("z") == "unknown 22:00:00 0/2"
    assert night.ends("zone_unknown:z") == []


def test_a_zone_is_not_blind_for_the_instant_in_which_a_parent_fault_is_found():
    names = ("a", "b", "c", "never")
    site = estate(
        *(camera(name, network="switch") for name in names), parents={"switch": {}}, zones=[("z", ["a", "never"], 2)]
    )
    night = Night(site)
    night.beat("22:01", "22:20", "a", "b", "c")
    assert night.alerts() == ["zone_unknown:z"]
    night.go("22:25")
    assert night.camera("a") == "unknown 22:23:00 switch"
    assert night.zone("z") == "unknown 22:00:00 0/2"
    assert night.ends("zone_unknown:z") == []
    night.go("22:30")
    assert night.ends("zone_unknown:z") == ["merge merged parent_fault:switch"]


def test_a_zone_without_a_camera_in_service_is_blind_and_says_why():
    night = Night(estate(camera("a", enabled=False), zones=[("z", ["a"], 1)]))
    assert night.zone("z") == "blind 22:00:00 0/1"
    night.go("22:03")
    assert night.alerts() == ["zone_blind:z"]
    assert night.standing["zone_blind:z"].details["reason"] == "no_enabled_camera"
