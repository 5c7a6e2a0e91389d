"""States and impairments of cameras (spec: cameras.md, Cameras)."""

from __future__ import annotations

import pytest

from tests.rules.night import Night, camera, estate, heartbeat, ping, recording, stats, status, storage, video


@pytest.fixture(params=[False, True], ids=["straight", "restored"])
def night(request) -> Night:
    return Night(estate(camera("cam")), restart_always=request.param)


def test_a_camera_never_heard_is_unknown_and_says_so(night):
    night.go("23:00")
    assert night.camera("cam") == "unknown 22:00:00 never_heard"


def test_a_camera_is_ok_from_its_first_sign(night):
    night.hear("22:01", heartbeat("cam"))
    assert night.camera("cam") == "ok 22:01:00"


def test_exactly_the_timeout_is_still_alive(night):
    night.hear("22:01", heartbeat("cam"))
    night.go("22:04")
    assert night.camera("cam") == "ok 22:01:00"
    night.go("22:04:01")
    assert night.camera("cam") == "offline 22:04:00"


def test_offline_is_told_when_it_has_lasted_exactly_the_hold(night):
    night.hear("22:01", heartbeat("cam"))
    night.go("22:06:59")
    assert night.alerts() == []
    night.go("22:07")
    assert night.alerts() == ["camera_offline:cam"]
    assert night.raised("camera_offline:cam") == "22:01:00", "silence began when it was last heard"


def test_a_blip_shorter_than_the_hold_is_not_told(night):
    night.hear("22:01", heartbeat("cam"))
    night.hear("22:06:59", heartbeat("cam"))
    night.beat("22:07", "22:20", "cam")
    assert night.signals == []
    assert night.camera("cam") == "ok 22:06:59"
    assert ("camera", "cam") in night.touched


def test_a_sign_of_life_ends_the_alert(night):
    night.hear("22:01", heartbeat("cam"))
    night.hear("22:10", heartbeat("cam"))
    assert night.ends("camera_offline:cam") == ["resolve heard"]


def test_a_last_will_is_offline_at_once(night):
    night.beat("22:01", "22:03", "cam")
    night.hear("22:03:10", status("cam", online=False))
    assert night.camera("cam") == "offline 22:03:10"
    night.hear("22:03:20", ping("cam"))
    assert night.camera("cam") == "offline 22:03:10", "a ping does not disprove a last will"
    night.hear("22:03:30", ping("cam", level="service"))
    assert night.camera("cam") == "ok 22:03:30"


def test_a_ping_proves_no_service(night):
    night.beat("22:01", "22:02", "cam")
    for minute in range(3, 12):
        night.hear(f"22:{minute:02}", ping("cam"))
    assert night.camera("cam") == "impaired 22:05:00 service_dead"
    assert night.raised("camera_impaired:cam") == "22:02:00"
    night.hear("22:12", ping("cam", level="service"))
    assert night.camera("cam") == "ok 22:12:00"


def test_a_ping_after_a_long_silence_shows_a_dead_service_at_once(night):
    night.hear("22:01", heartbeat("cam"))
    night.hear("22:20", ping("cam"))
    assert night.camera("cam") == "impaired 22:20:00 service_dead"


def test_unreachable_ends_with_any_sign_of_life(night):
    night.beat("22:01", "22:02", "cam")
    night.hear("22:02:10", ping("cam", ok=False))
    assert night.camera("cam") == "impaired 22:02:10 unreachable"
    night.hear("22:02:20", ping("cam"))
    assert night.camera("cam") == "ok 22:02:20"


def test_an_unanswered_probe_is_no_sign_of_life(night):
    night.hear("22:01", heartbeat("cam"))
    for second in range(0, 60, 10):
        night.hear(f"22:03:{second:02}", ping("cam", ok=False))
    night.go("22:05")
    assert night.camera("cam") == "offline 22:04:00"


@pytest.mark.parametrize("state", ["loss", "blind", "frozen", "moved", "defocused"])
@pytest.mark.parametrize("how", ["inactive", "ok"])
def test_what_video_state_begins_its_end_ends(night, state, how):
    night.hear("22:01", heartbeat("cam"))
    night.hear("22:01:30", video("cam", state))
    assert night.camera("cam") == f"impaired 22:01:30 {state}"
    end = video("cam", state, active=False) if how == "inactive" else video("cam", "ok")
    night.hear("22:02", end)
    assert night.camera("cam") == "ok 22:02:00"


def test_no_frames_in_two_successive_stats_are_a_loss(night):
    night.hear("22:01", stats("cam", 0.0))
    assert night.camera("cam") == "ok 22:01:00"
    night.hear("22:01:30", stats("cam", 0.0))
    assert night.camera("cam") == "impaired 22:01:30 loss"
    night.beat("22:02", "22:05", "cam")
    assert night.raised("camera_impaired:cam") == "22:01:00", "the first empty stats began it"
    night.hear("22:05:30", stats("cam", 12.0))
    assert night.camera("cam") == "ok 22:05:30"


def test_single_empty_stats_between_full_ones_are_no_loss(night):
    for second, fps in ((0, 0.0), (10, 5.0), (20, 0.0), (30, 5.0)):
        night.hear(f"22:01:{second:02}", stats("cam", fps))
    assert night.camera("cam") == "ok 22:01:00"


def test_frames_say_nothing_against_a_painted_lens(night):
    night.hear("22:01", video("cam", "blind"), stats("cam", 25.0), heartbeat("cam"))
    assert night.camera("cam") == "impaired 22:01:00 blind"


def test_several_impairments_are_listed_in_the_order_of_the_table(night):
    night.hear("22:01", storage("cam"), recording("cam", on=False), video("cam", "moved"), heartbeat("cam", "fault"))
    assert night.camera("cam") == "impaired 22:01:00 moved+not_recording+storage_fault+reported_fault"
    night.hear("22:02", heartbeat("cam"), storage("cam", active=False), recording("cam", on=True), video("cam", "ok"))
    assert night.camera("cam") == "ok 22:02:00"


def test_a_storage_fault_lasts_until_the_last_of_its_kinds_ends(night):
    night.hear("22:01", storage("cam", "disk_full"), storage("cam", "raid"), storage("cam", "disk_full", active=False))
    assert night.camera("cam") == "impaired 22:01:00 storage_fault"
    night.hear("22:02", storage("cam", "raid", active=False))
    assert night.camera("cam") == "ok 22:02:00"


def test_recording_alone_is_told_under_its_own_name(night):
    night.hear("22:01", recording("cam", on=False))
    night.beat("22:02", "22:05", "cam")
    assert night.alerts() == ["recording_stopped:cam"]
    night.hear("22:06", video("cam", "blind"))
    night.beat("22:07", "22:10", "cam")
    assert night.alerts() == ["camera_impaired:cam"]
    assert night.raised("camera_impaired:cam") == "22:06:00"


def test_a_lesser_fault_that_passes_does_not_end_the_alert_of_a_recording_that_is_still_stopped(night):
    night.hear("22:01", recording("cam", on=False))
    night.beat("22:02", "22:05", "cam")
    night.hear("22:06", video("cam", "defocused"))
    assert night.alerts() == ["recording_stopped:cam"]
    night.hear("22:06:30", video("cam", "ok"))
    night.beat("22:07", "22:10", "cam")
    assert night.alerts() == ["recording_stopped:cam"]
    assert night.ends("recording_stopped:cam") == []


def test_a_stopped_recording_is_told_of_by_the_impairment_that_joins_it_once_that_is_told(night):
    night.hear("22:01", recording("cam", on=False))
    night.beat("22:02", "22:05", "cam")
    night.hear("22:06", video("cam", "blind"))
    night.beat("22:07", "22:08", "cam")
    assert night.alerts() == ["recording_stopped:cam"]
    night.beat("22:09", "22:10", "cam")
    assert night.alerts() == ["camera_impaired:cam"]
    assert night.ends("recording_stopped:cam") == ["merge merged camera_impaired:cam"]
    assert night.standing["camera_impaired:cam"].details["impairments"] == ["blind", "not_recording"]


def test_a_recording_that_starts_again_ends_its_alert_though_something_else_is_wrong_by_then(night):
    night.hear("22:01", recording("cam", on=False))
    night.beat("22:02", "22:05", "cam")
    night.hear("22:06", video("cam", "blind"), recording("cam", on=True))
    assert night.alerts() == []
    assert night.ends("recording_stopped:cam") == ["resolve cleared"]


def test_a_recording_stopped_for_long_is_told_as_soon_as_it_is_all_that_is_wrong(night):
    night.hear("22:01", recording("cam", on=False), video("cam", "blind"))
    night.beat("22:02", "22:05", "cam")
    assert night.alerts() == ["camera_impaired:cam"]
    night.hear("22:06", video("cam", "ok"))
    assert night.alerts() == ["recording_stopped:cam"]
    assert night.raised("recording_stopped:cam") == "22:01:00"


def test_an_impairment_that_is_not_repeated_ends_as_a_timeout(night):
    night.hear("22:01", video("cam", "blind", expires_s=120))
    night.beat("22:02", "22:02", "cam")
    night.hear("22:02:30", video("cam", "blind", expires_s=120))
    night.beat("22:03", "22:04", "cam")
    assert night.alerts() == ["camera_impaired:cam"]
    night.go("22:04:30")
    assert night.camera("cam") == "ok 22:04:30"
    assert night.ends("camera_impaired:cam") == ["resolve timeout"]


def test_an_operator_ends_an_impairment_by_name(night):
    night.hear("22:01", video("cam", "blind"), video("cam", "moved"))
    night.beat("22:02", "22:05", "cam")
    night.operate("22:05:10", "clear", "cam", "blind")
    assert night.camera("cam") == "impaired 22:01:00 moved"
    night.operate("22:05:20", "clear", "cam", "moved")
    assert night.camera("cam") == "ok 22:05:20"
    assert night.ends("camera_impaired:cam") == ["resolve operator"]


def test_an_operator_takes_a_camera_out_of_service_and_back(night):
    night.beat("22:01", "22:02", "cam")
    night.hear("22:10", ping("cam", ok=False))
    assert night.alerts() == ["camera_offline:cam"]
    night.operate("22:11", "disable", "cam")
    assert night.camera("cam") == "disabled 22:11:00"
    assert night.alerts() == []
    night.operate("22:30", "enable", "cam")
    assert night.camera("cam") == "unknown 22:30:00 rejudging"
    night.go("22:35:59")
    assert night.alerts() == []
    assert night.camera("cam") == "offline 22:33:00"
    night.go("22:36")
    assert night.alerts() == ["camera_offline:cam"]


def test_a_camera_that_falls_silent_while_impaired_is_told_as_offline(night):
    night.hear("22:01", video("cam", "blind"))
    night.go("22:06")
    assert night.alerts() == ["camera_impaired:cam"]
    night.go("22:07")
    assert night.alerts() == ["camera_offline:cam"]
    assert night.ends("camera_impaired:cam") == ["merge merged camera_offline:cam"]
    night.hear("22:08", heartbeat("cam"))
    assert night.camera("cam") == "impaired 22:08:00 blind", "no end of it was seen"


def test_a_picture_proved_good_starts_the_count_of_empty_stats_anew(night):
    night.hear("22:01", stats("cam", 0))
    night.hear("22:02", stats("cam", 0))
    night.hear("22:03", video("cam", "ok"))
    night.hear("22:04", stats("cam", 0))
    assert night.camera("cam") == "ok 22:03:00", "one count without a frame is no loss"
    night.hear("22:05", stats("cam", 0))
    assert night.camera("cam") == "impaired 22:05:00 loss"
