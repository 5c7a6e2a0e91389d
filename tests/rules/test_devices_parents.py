"""Parents: what falls takes along what hangs below (spec: cameras.md, Parents)."""

from __future__ import annotations

import pytest

from tests.rules.night import Night, camera, device, estate, heartbeat, link, status


@pytest.fixture(params=[False, True], ids=["straight", "restored"])
def night(request) -> Night:
    """A recorder with two channels, and a camera of its own beside them."""
    site = estate(
        device("nvr", kind="nvr"),
        camera("cam-1", behind="nvr", channel=1),
        camera("cam-2", behind="nvr", channel="2"),
        camera("gate"),
        zones=[("z-1", ["cam-1", "cam-2"], 1), ("z-gate", ["gate"], 1)],
    )
    return Night(site, restart_always=request.param)


def channels(night: Night, since: str, until: str) -> None:
    """The recorder speaks of both channels each minute; so does the gate for itself."""
    start, end = (int(text.split(":")[1]) for text in (since, until))
    for minute in range(start, end + 1):
        night.hear(f"22:{minute:02}", heartbeat("nvr", channel=1), heartbeat("nvr", channel="2"), heartbeat("gate"))


def test_what_is_said_of_a_channel_is_a_sign_of_the_channel_and_of_the_recorder(night):
    night.hear("22:01", heartbeat("nvr", channel=1))
    assert night.device("nvr") == "ok 22:01:00"
    assert night.camera("cam-1") == "ok 22:01:00"
    assert night.camera("cam-2") == "unknown 22:00:00 never_heard"
    night.hear("22:02", heartbeat("nvr", channel="2"))
    assert night.camera("cam-2") == "ok 22:02:00"


def test_a_recorder_that_falls_is_one_alert(night):
    channels(night, "22:01", "22:05")
    night.beat("22:06", "22:30", "gate")
    assert night.device("nvr") == "offline 22:08:00"
    assert night.camera("cam-1") == "unknown 22:08:00 nvr"
    assert night.camera("cam-2") == "unknown 22:08:00 nvr"
    assert night.alerts() == ["device_offline:nvr"]
    assert [signal.rule for signal in night.signals] == ["device_offline"]
    assert night.standing["device_offline:nvr"].details["children"] == ["cam-1", "cam-2"]
    assert night.zone("z-1") == "unknown 22:08:00 0/1"
    assert night.zone("z-gate") == "covered 22:01:00 1/1"


def test_a_last_will_of_the_recorder_takes_its_channels_at_once(night):
    channels(night, "22:01", "22:05")
    night.hear("22:05:30", status("nvr", online=False))
    assert night.camera("cam-1") == "unknown 22:05:30 nvr"
    night.hear("22:06", status("nvr", online=True))
    assert night.device("nvr") == "ok 22:06:00"
    assert night.camera("cam-1") == "unknown 22:05:30 rejudging", "judged again on new data only"
    night.hear("22:06:10", heartbeat("nvr", channel=1))
    assert night.camera("cam-1") == "ok 22:06:10"
    for minute in range(7, 10):
        night.hear(f"22:{minute:02}", heartbeat("nvr", channel=1))
    assert night.camera("cam-2") == "offline 22:09:00" or night.camera("cam-2") == "unknown 22:05:30 rejudging"
    night.go("22:09:01")
    assert night.camera("cam-2") == "offline 22:09:00", "one timeout after the recorder's return"


def test_a_channel_that_the_recorder_calls_offline_is_offline_alone(night):
    channels(night, "22:01", "22:05")
    night.hear("22:05:30", status("nvr", online=False, channel=1))
    assert night.camera("cam-1") == "offline 22:05:30"
    assert night.camera("cam-2") == "ok 22:01:00"
    assert night.device("nvr") == "ok 22:01:00"


def test_a_link_that_is_down_is_named_by_what_hangs_below(night):
    channels(night, "22:01", "22:05")
    night.hear("22:05:30", link("nvr", up=False))
    assert night.camera("cam-1") == "unknown 22:05:30 nvr"
    night.go("22:07")
    night.beat("22:07", "22:20", "gate")
    assert night.alerts() == ["link_down:nvr"]
    assert night.ends("zone_unknown:z-1") == []


def test_an_alert_open_below_is_merged_when_the_parents_is_told(night):
    night.hear("22:01", heartbeat("nvr", channel=1))
    for minute in range(1, 12):
        night.hear(f"22:{minute:02}", heartbeat("nvr", channel="2"))
    assert night.alerts() == ["camera_offline:cam-1"]
    night.go("22:30")
    assert night.ends("camera_offline:cam-1") == ["merge merged device_offline:nvr"]
    assert "camera_offline:cam-1" not in night.alerts()


def test_the_topmost_parent_that_is_down_is_the_cause():
    site = estate(
        device("hub"),
        device("nvr", kind="nvr", network="hub"),
        camera("cam", behind="nvr", channel=1, power="ups"),
        device("ups"),
    )
    night = Night(site)
    night.hear("22:01", heartbeat("hub"), heartbeat("nvr", channel=1), heartbeat("ups"))
    night.hear("22:02", status("ups", online=False))
    assert night.camera("cam") == "unknown 22:02:00 ups"
    night.hear("22:03", status("nvr", online=False))
    assert night.camera("cam") == "unknown 22:02:00 nvr", "`behind` is named before `power`"
    night.hear("22:03:30", status("hub", online=False))
    assert night.camera("cam") == "unknown 22:02:00 hub"
    assert night.engine.devices.down_cause("cam") == "hub"
    assert night.engine.devices.down_cause("hub") == "hub"


def test_a_child_heard_after_its_parent_fell_is_judged_by_itself():
    night = Night(estate(device("switch"), camera("cam", network="switch")))
    night.hear("22:01", heartbeat("switch"), heartbeat("cam"))
    night.hear("22:02", status("switch", online=False))
    assert night.camera("cam") == "unknown 22:02:00 switch"
    night.hear("22:02:30", heartbeat("cam"))
    assert night.camera("cam") == "ok 22:02:30"
    assert night.engine.devices.down_cause("cam") is None
    night.go("22:06")
    assert night.camera("cam") == "offline 22:05:30"


def test_an_impairment_is_not_handed_to_children(night):
    channels(night, "22:01", "22:02")
    night.hear("22:03", heartbeat("nvr", "fault"))
    assert night.camera("cam-1") == "ok 22:01:00"


def test_a_disabled_parent_takes_nobody_along(night):
    channels(night, "22:01", "22:02")
    night.operate("22:02:30", "disable", "nvr")
    assert night.camera("cam-1") == "ok 22:01:00"


def test_the_broker_that_is_lost_is_one_alert_and_nobody_is_accused(night):
    channels(night, "22:01", "22:05")
    night.hear("22:05:30", link("mqtt", up=False))
    assert night.camera("gate") == "unknown 22:05:30 mqtt"
    assert night.device("nvr") == "unknown 22:05:30 mqtt"
    night.go("22:59")
    assert night.alerts() == ["link_down:mqtt"]
    assert night.standing["link_down:mqtt"].details["count"] == 4
    night.hear("23:00", link("mqtt", up=True))
    night.hear("23:01", heartbeat("gate"), heartbeat("nvr", channel=1), heartbeat("nvr", channel=2))
    assert night.camera("gate") == "ok 23:01:00"
    assert [signal.action for signal in night.signals] == ["raise", "resolve"]


def test_the_broker_is_no_device_of_the_site(night):
    night.hear("22:01", link("mqtt", up=False))
    assert night.engine.devices.device("mqtt") is None
    assert ("device", "mqtt") not in night.touched


@pytest.mark.parametrize("restart", [False, True], ids=["straight", "restored"])
def test_what_outlived_its_switch_falls_with_its_recorder(restart):
    site = estate(
        device("switch"),
        device("nvr", kind="nvr", network="switch"),
        camera("cam-1", behind="nvr", channel=1),
        camera("cam-2", behind="nvr", channel="2"),
    )
    night = Night(site, restart_always=restart)
    night.hear("22:01", status("switch", online=False))
    channels_of_nvr = [heartbeat("nvr", channel=1), heartbeat("nvr", channel="2")]
    for minute in range(2, 31):
        night.hear(f"22:{minute}" if minute > 9 else f"22:0{minute}", *channels_of_nvr)
    assert night.camera("cam-1") == "ok 22:02:00", "heard since the switch fell"
    night.go("22:45")
    assert night.camera("cam-1") == "unknown 22:33:00 nvr", "the topmost that fell since it was heard"
    assert night.alerts() == ["device_offline:nvr", "device_offline:switch"], "one recorder, one alert"
    night.hear("22:46", status("nvr", online=True))
    assert night.camera("cam-1") == "unknown 22:33:00 rejudging"
    night.hear("22:47", *channels_of_nvr)
    assert night.camera("cam-2") == "ok 22:47:00"
