"""Signs of life, silence, links, starts (spec: cameras.md, Any device)."""

from __future__ import annotations

import pytest

from gateway.instants import MINUTE
from gateway.site.model import Alerting, AlertRule
from tests.rules.night import Night, camera, clock, device, estate, heartbeat, link, ping, status, storage


@pytest.fixture(params=[False, True], ids=["straight", "restored"])
def restored(request) -> bool:
    return request.param


def test_a_device_without_expect_every_is_never_silent(restored):
    night = Night(estate(device("dev", expect_every=None)), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.restart("03:00")
    night.go("05:00")
    assert night.device("dev") == "ok 22:01:00"
    assert night.alerts() == []


def test_a_device_without_expect_every_is_offline_by_its_own_word_but_not_alerted(restored):
    night = Night(estate(device("dev", expect_every=None)), restart_always=restored)
    night.hear("22:01", status("dev", online=False))
    night.go("23:00")
    assert night.device("dev") == "offline 22:01:00"
    assert night.alerts() == []


def test_silence_of_a_device_is_told_after_the_hold(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.go("22:07")
    assert night.device("dev") == "offline 22:04:00"
    assert night.alerts() == ["device_offline:dev"]
    assert night.raised("device_offline:dev") == "22:01:00"
    night.hear("22:08", heartbeat("dev"))
    assert night.ends("device_offline:dev") == ["resolve heard"]


def test_a_last_will_begins_what_it_says(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.hear("22:01:30", status("dev", online=False))
    night.go("22:04:30")
    assert night.raised("device_offline:dev") == "22:01:30"


def test_cameras_and_readers_have_alerts_of_their_own(restored):
    night = Night(
        estate(device("rdr", kind="reader"), device("wand", kind="wand", portable=True), camera("cam")),
        restart_always=restored,
    )
    night.hear("22:01", heartbeat("rdr"), heartbeat("wand"), heartbeat("cam"))
    night.go("23:00")
    assert not [alert for alert in night.alerts() if alert.startswith("device_offline")]


def test_a_device_never_heard_is_told_a_day_after_its_enrolment(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    day = night.engine.now + 24 * 60 * MINUTE
    night.go(day - 1)
    assert night.alerts() == []
    night.go(day)
    assert night.alerts() == ["device_never_heard:dev"]
    assert night.raised("device_never_heard:dev") == "22:00:00"
    night.hear(day + MINUTE, heartbeat("dev"))
    assert night.alerts() == []


def test_after_a_start_a_device_has_one_timeout_of_grace(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.restart("22:30", since="22:02")
    assert night.device("dev") == "unknown 22:30:00 gateway_down"
    night.go("22:33")
    assert night.device("dev") == "unknown 22:30:00 gateway_down"
    night.go("22:35:59")
    assert night.device("dev") == "offline 22:33:00"
    assert night.alerts() == []
    night.go("22:36")
    assert night.raised("device_offline:dev") == "22:01:00"


def test_a_second_start_before_it_was_heard_gives_no_second_grace(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.restart("23:30", since="22:02")
    night.restart("23:32", since="23:31")
    night.go("23:33:01")
    assert night.device("dev") == "offline 23:33:00"


def test_once_heard_it_is_given_grace_again(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.restart("23:02", since="22:01:30")
    night.hear("23:02:30", heartbeat("dev"))
    assert night.device("dev") == "ok 23:02:30"
    night.restart("23:30", since="23:02:40")
    assert night.device("dev") == "unknown 23:30:00 gateway_down"


def test_a_start_leaves_open_alerts_open_and_says_nothing(restored):
    night = Night(estate(device("dev"), camera("cam")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"), heartbeat("cam"))
    night.go("22:10")
    told = len(night.signals)
    night.restart("22:20", since="22:10")
    night.go("22:40")
    assert len(night.signals) == told
    assert night.alerts() == ["camera_offline:cam", "device_offline:dev"]


def test_a_link_that_is_down_makes_unknown_and_is_told_in_place_of_the_device(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.hear("22:02", link("dev", up=False))
    assert night.device("dev") == "unknown 22:02:00 link_down"
    night.go("22:20")
    assert night.alerts() == ["link_down:dev"]
    assert night.raised("link_down:dev") == "22:02:00"
    night.hear("22:21", link("dev", up=True))
    assert night.alerts() == []
    assert night.device("dev") == "unknown 22:02:00 rejudging"
    night.go("22:24:01")
    assert night.device("dev") == "offline 22:24:00"


def test_an_alert_open_when_the_link_fell_is_merged_into_the_links(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.go("22:08")
    night.hear("22:09", link("dev", up=False))
    night.go("22:12")
    assert night.alerts() == ["link_down:dev"]
    assert night.ends("device_offline:dev") == ["merge merged link_down:dev"]


def test_an_open_port_is_the_sign_of_life_of_a_device_that_only_transmits(restored):
    night = Night(estate(device("rdr", kind="reader", transmits_only=True)), restart_always=restored)
    for minute in range(1, 15):
        night.hear(f"22:{minute:02}", link("rdr", up=True))
    assert night.device("rdr") == "ok 22:01:00"


def test_link_up_is_no_sign_of_life_of_others(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    for minute in range(2, 6):
        night.hear(f"22:{minute:02}", link("dev", up=True))
    assert night.device("dev") == "offline 22:04:00"


def test_a_fault_that_a_device_reports_of_itself(restored):
    night = Night(estate(device("nvr", kind="nvr")), restart_always=restored)
    night.hear("22:01", storage("nvr", "raid"), heartbeat("nvr", "fault"))
    night.beat("22:02", "22:04", "nvr")
    assert night.alerts() == ["device_impaired:nvr"]
    assert night.standing["device_impaired:nvr"].details["impairments"] == ["storage_fault"]
    night.hear("22:05", storage("nvr", "raid", active=False))
    assert night.alerts() == []


def test_three_starts_within_an_hour_are_a_restarting_gateway(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:05", heartbeat("dev"))
    night.restart("22:30", since="22:29")
    assert night.alerts() == []
    night.restart("23:00", since="22:59")
    assert night.alerts() == ["gateway_restarting:site"]
    assert night.raised("gateway_restarting:site") == "22:00:00"
    assert night.device("dev") == "unknown 22:30:00 gateway_restarting"
    night.go("23:59:59")
    assert night.alerts() == ["gateway_restarting:site"], "no alert of absence meanwhile"
    night.go("00:00")
    assert night.alerts() == []
    assert night.device("dev") == "offline 00:00:00"
    night.go("00:03")
    assert night.alerts() == ["device_offline:dev"]


def test_what_is_heard_while_the_gateway_restarts_is_ok(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.restart("22:10")
    night.restart("22:20")
    night.hear("22:21", heartbeat("dev"))
    assert night.device("dev") == "ok 22:21:00"


def test_starts_more_than_an_hour_apart_are_none(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.restart("22:30")
    night.restart("23:00:01")
    assert night.alerts() == []


def test_the_severity_of_a_device_is_the_highest_of_what_hangs_below():
    nvr = device("nvr", kind="nvr")
    below = camera("cam", behind="nvr", channel=1)
    for place, severity in (("yard", "major"), ("vault", "critical")):
        night = Night(estate(nvr, below, zones=[("z", ["cam"], 1, place)]))
        night.hear("22:01", heartbeat("nvr", channel=1))
        night.go("22:10")
        assert night.standing["device_offline:nvr"].severity == severity
    said = Alerting(rules={"device_offline": AlertRule(severity="warning")})
    night = Night(estate(nvr, below, alerting=said))
    night.hear("22:01", heartbeat("nvr", channel=1))
    night.go("22:10")
    assert night.standing["device_offline:nvr"].severity is None, "what the site says holds"


def test_a_probe_that_is_answered_is_a_sign_of_life_of_any_device(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    for minute in range(1, 10):
        night.hear(f"22:{minute:02}", ping("dev"))
    assert night.device("dev") == "ok 22:01:00"


def test_a_device_never_heard_behind_a_dead_link_is_not_told_beside_it(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", link("dev", up=False))
    night.go(clock("22:01") + 25 * 60 * MINUTE)
    assert night.alerts() == ["link_down:dev"]
    night.hear(clock("22:01") + 26 * 60 * MINUTE, link("dev", up=True))
    assert night.alerts() == ["device_never_heard:dev"]


def test_a_timeout_that_ended_while_the_gateway_was_down_counts_from_its_start(restored):
    night = Night(estate(device("dev")), restart_always=restored)
    night.hear("22:01", heartbeat("dev"))
    night.restart("23:30", since="22:02")
    night.restart("23:50", since="23:31")
    assert night.device("dev") == "offline 23:50:00"
    assert night.alerts() == []
    night.go("23:53")
    assert night.alerts() == ["device_offline:dev"]
