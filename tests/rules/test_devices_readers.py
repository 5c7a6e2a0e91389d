"""Silent readers below something that is down (spec: cameras.md, Any device; alerts.md, Inhibition)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from device_drivers import observations as seen
from gateway.instants import moment
from gateway.rules.engine import Engine
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


@pytest.mark.parametrize("reader", ["rdr", "lone"])
def test_a_silent_reader_that_is_taken_out_of_service_is_told_of_no_longer(night, reader):
    other = {"rdr": "lone", "lone": "rdr"}[reader]
    speak(night, range(1, 6), "rdr", "lone")
    speak(night, range(6, 12), other)
    assert night.alerts() == [f"reader_offline:{reader}"]
    night.operate("22:12", "disable", reader)
    assert (night.alerts(), night.ends(f"reader_offline:{reader}")) == ([], ["resolve disabled"])
    speak(night, range(13, 20), other)
    assert night.alerts() == []
    night.operate("22:20", "enable", reader)
    speak(night, range(21, 28), other)
    assert night.alerts() == [f"reader_offline:{reader}"]
    speak(night, range(28, 30), other, reader)
    assert night.alerts() == []


@pytest.mark.parametrize("reader", ["rdr", "lone"])
def test_a_reader_that_falls_silent_out_of_service_is_not_told_of(night, reader):
    other = {"rdr": "lone", "lone": "rdr"}[reader]
    speak(night, range(1, 6), "rdr", "lone")
    night.operate("22:05:30", "disable", reader)
    speak(night, range(6, 20), other)
    assert night.alerts() == []
    night.operate("22:20", "enable", reader)
    speak(night, range(21, 28), other)
    assert night.alerts() == [f"reader_offline:{reader}"]


def test_a_silent_reader_that_a_new_site_file_takes_out_of_service_is_told_of_no_longer(night):
    speak(night, range(1, 6), "rdr", "lone")
    speak(night, range(6, 12))
    assert night.alerts() == ["reader_offline:lone", "reader_offline:rdr"]
    off = {name: replace(night.site.devices[name], enabled=False) for name in ("rdr", "lone")}
    state, now = night.engine.snapshot(), night.engine.now
    night.site = replace(night.site, devices={**night.site.devices, **off})
    night.engine = Engine(night.site, now)
    night.engine.restore(state)
    night.go("22:13")
    assert night.alerts() == []
    assert night.ends("reader_offline:lone") == night.ends("reader_offline:rdr") == ["resolve disabled"]
