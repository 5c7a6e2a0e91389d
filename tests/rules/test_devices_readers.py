"""Silent readers below something that is down (spec: cameras.md, Any device; alerts.md, Inhibition)."""

from __future__ import annotations

import pytest

from device_drivers import observations as seen
from gateway.instants import moment
from gateway.site.model import Checkpoint
from tests.rules.night import EVENING, Night, camera, device, estate, heartbeat, link


@pytest.fixture(params=[False, True], ids=["straight", "restored"])
def night(request) -> Night:
    site = estate(
        device("rdr", kind="reader", network="switch"),
        device("lone", kind="reader"),
        camera("cam-1", network="switch"),
        camera("cam-2", network="switch"),
        parents={"switch": {}},
        checkpoints={
            "cp-1": Checkpoint(id="cp-1", place="yard", reader="rdr"),
            "cp-2": Checkpoint(id="cp-2", place="yard", reader="lone"),
        },
    )
    return Night(site, restart_always=request.param)


def speak(night: Night, minutes: range, *readers: str, cameras: bool = True) -> None:
    for minute in minutes:
        at = f"22:{minute:02}"
        beats = [seen.ReaderHeartbeat(device=name, at=moment(EVENING, night.site.zone_info)) for name in readers]
        night.hear(at, *beats, *(heartbeat(name) for name in ("cam-1", "cam-2") if cameras))


def test_a_reader_that_falls_with_cameras_is_told_by_their_switch(night):
    speak(night, range(1, 6), "rdr", "lone")
    speak(night, range(6, 30), "lone", cameras=False)
    assert night.alerts() == ["parent_fault:switch"]
    assert night.standing["parent_fault:switch"].details["children"] == ["cam-1", "cam-2", "rdr"]
    assert [signal.rule for signal in night.signals] == ["parent_fault"]


def test_a_reader_that_falls_alone_is_told_itself(night):
    speak(night, range(1, 6), "rdr", "lone")
    speak(night, range(6, 12), "lone")
    assert night.alerts() == ["reader_offline:rdr"]
    speak(night, range(12, 14), "rdr", "lone")
    assert night.alerts() == []


def test_a_reader_told_before_its_parent_falls_is_merged_into_it():
    site = estate(
        device("hub"), device("rdr", kind="reader", behind="hub"),
        checkpoints={"cp": Checkpoint(id="cp", place="yard", reader="rdr")},
    )  # fmt: skip
    night = Night(site, restart_always=True)
    speak(night, range(1, 3), "rdr", cameras=False)
    night.beat("22:03", "22:12", "hub")
    assert night.alerts() == ["reader_offline:rdr"]
    night.go("22:30")
    assert night.alerts() == ["device_offline:hub"]
    assert night.ends("reader_offline:rdr") == ["merge merged device_offline:hub"]
    night.beat("22:31", "22:33", "hub")
    assert night.alerts() == []
    night.beat("22:34", "22:40", "hub")
    assert night.alerts() == ["reader_offline:rdr"], "judged again, after its grace"


def test_a_reader_that_stays_silent_when_its_link_is_back_is_told_again(night):
    speak(night, range(1, 6), "rdr", "lone")
    night.hear("22:05:30", link("rdr", up=False))
    speak(night, range(6, 20), "lone")
    assert night.alerts() == ["link_down:rdr"]
    night.hear("22:20", link("rdr", up=True))
    speak(night, range(21, 24), "lone")
    assert night.alerts() == []
    speak(night, range(24, 26), "lone")
    assert night.alerts() == ["reader_offline:rdr"]
