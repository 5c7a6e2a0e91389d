"""Why a camera or a zone is judged as it is (gateway/explain/cameras.py), by example for each state, impairment and cause."""

from __future__ import annotations

from typing import Any

import pytest

from device_drivers import observations as seen
from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.wording_cameras import ENDS, IMPAIRMENTS, ZONES
from gateway.rules.impairments import KINDS
from gateway.site.model import Device
from tests.explain.told import Told, unused, used
from tests.rules.night import camera, clock, device, estate


def told(*devices: Device, **more: Any) -> Told:
    return Told(estate(*(devices or (camera("cam", place="yard"),)), **more), clock, "22:00")


def beat(night: Told, *times: str, name: str = "cam") -> Told:
    return night.say(seen.CameraHeartbeat, name, *times)


def ping(night: Told, *times: str, name: str = "cam", ok: bool = True) -> Told:
    return night.say(seen.Reachable, name, *times, ok=ok, level="network")


# -- states


def test_a_well_camera_tells_its_last_sign_and_its_limits():
    found = ping(beat(told(), "22:01"), "22:01:30").why("camera", "cam")
    assert (found.result, found.rule) == ("ok", "cameras.md, Cameras, State, ok")
    assert ("cam", "22:01:30", "last_heard") in used(found)
    assert (found.expected["timeout_s"], found.expected["hold_s"]) == (180, 180)
    assert found.expected["silent_from"].strftime("%H:%M:%S") == "22:04:30"


def test_the_levels_of_proof_are_told_apart():
    night = beat(told(), "22:01").say(seen.CameraStats, "cam", "22:01:10", fps=25.0)
    proof = ping(beat(night, "22:01:40"), "22:02").why("camera", "cam").expected["proof"]
    assert {name: at.strftime("%H:%M:%S") for name, at in proof.items()} == {
        "reachable": "22:02:00",
        "service": "22:01:40",
        "video": "22:01:10",
        "any": "22:02:00",
    }


def test_a_ping_is_shown_as_no_proof_of_service():
    assert ("cam", "22:01:30", "ping_proves_no_service") in unused(
        ping(beat(told(), "22:01"), "22:01:30").why("camera", "cam")
    )


def test_a_silent_camera_tells_when_it_was_last_heard_and_when_that_is_told():
    night = beat(told(), "22:01").wait("22:05")
    found = night.why("camera", "cam")
    assert (found.result, found.cause) == ("offline", "silence")
    assert used(found) == [("cam", "22:01", "last_heard")]
    assert "it was last heard, pings included, at 22:01; silent for longer than its 3 min" in found.sentence.en
    assert "counts as offline since 22:04" in found.sentence.en
    assert "It is told if it lasts until 22:07." in found.sentence.en
    assert found.witnesses[0].missing[0].why == "silence"
    assert "Alert: Camera offline: Yard (cam)." in night.wait("22:08").why("camera", "cam").sentence.en


def test_a_last_will_is_told_as_one():
    found = beat(told(), "22:01").say(seen.DeviceStatus, "cam", "22:02", online=False).why("camera", "cam")
    assert (found.result, found.cause) == ("offline", "last_will")
    assert ("cam", "22:02", "last_will") in used(found)
    assert "its last will came at 22:02" in found.sentence.en


@pytest.mark.parametrize("by", ["site", "operator"])
def test_a_camera_out_of_service_tells_by_whom(by):
    if by == "site":
        found = told(camera("cam", enabled=False)).why("camera", "cam")
    else:
        found = told().operate("22:01", "disable", "cam").why("camera", "cam")
    assert found.result == "disabled"
    assert ("the site file" if by == "site" else "an operator") in found.sentence.en


# -- why nothing is known


def test_never_heard():
    found = told().wait("23:00").why("camera", "cam")
    assert (found.result, found.cause, found.rule) == ("unknown", "never_heard", "cameras.md, Any device, never_heard")
    assert "That is no fault." in found.sentence.en


def test_the_grace_after_a_start_tells_until_when():
    found = beat(told(), "22:01").restart("22:10").why("camera", "cam")
    assert (found.cause, found.expected["grace"]["why"]) == ("gateway_down", "gateway_down")
    assert found.expected["grace"]["until"].strftime("%H:%M") == "22:13"
    assert "it has until 22:13" in found.sentence.en


def test_a_dead_link_is_named_with_its_time():
    found = beat(told(), "22:01").say(seen.LinkStatus, "cam", "22:02", up=False).why("camera", "cam")
    assert found.cause == "link_down"
    assert "link to it has been down since 22:02" in found.sentence.en


def test_a_keeps_restarting_gateway_is_named():
    night = beat(told(), "22:01").restart("22:10").restart("22:20").restart("22:30")
    assert night.why("camera", "cam").cause == "gateway_restarting"


def test_a_fallen_recorder_is_named_with_the_time_it_fell():
    recorder = device("nvr", kind="nvr")
    night = told(camera("cam", behind="nvr"), recorder).say(seen.DeviceStatus, "nvr", "22:00:30", online=True)
    night = beat(night, "22:01").say(seen.DeviceStatus, "nvr", "22:02", online=False)
    found = night.why("camera", "cam")
    assert (found.result, found.cause, found.rule) == ("unknown", "nvr", "cameras.md, Any device, Parents")
    (parent,) = found.expected["parents"]
    assert (parent["id"], parent["by"], parent["since"].strftime("%H:%M")) == ("nvr", "nvr", "22:02")
    assert "nvr, on which it depends, has been down since 22:02" in found.sentence.en
    assert [witness.device for witness in found.witnesses] == ["cam", "nvr"]


def test_a_parent_that_cannot_speak_is_named_since_the_first_sign_it_rests_on():
    names = ("a", "b", "d")
    night = told(
        *(camera(name, network="switch") for name in names), parents={"switch": {"power": "panel"}, "panel": {}}
    )
    for second, name in enumerate(names):
        beat(night, f"22:01:0{second}", name=name)
    found = night.wait("22:08").why("camera", "a")
    assert found.cause == "panel"
    assert "has been down since 22:01" in found.sentence.en
    assert found.expected["alert"]["told_by"] == "parent_fault:panel"


def test_after_a_parents_return_it_is_judged_anew():
    night = told(camera("cam", behind="nvr"), device("nvr", kind="nvr"))
    night.say(seen.DeviceStatus, "nvr", "22:00:30", online=True)
    beat(night, "22:01").say(seen.DeviceStatus, "nvr", "22:02", online=False)
    found = night.say(seen.DeviceStatus, "nvr", "22:10", online=True).why("camera", "cam")
    assert found.cause == "rejudging"
    assert "has just come back" in found.sentence.en


# -- impairments

REPORTS: dict[str, tuple[type, dict[str, Any]]] = {
    "loss": (seen.VideoState, {"state": "loss"}),
    "blind": (seen.VideoState, {"state": "blind"}),
    "frozen": (seen.VideoState, {"state": "frozen"}),
    "moved": (seen.VideoState, {"state": "moved"}),
    "defocused": (seen.VideoState, {"state": "defocused"}),
    "not_recording": (seen.RecordingState, {"recording": False}),
    "storage_fault": (seen.StorageFault, {"what": "disk_full", "active": True}),
    "reported_fault": (seen.CameraHeartbeat, {"status": "fault"}),
    "unreachable": (seen.Reachable, {"ok": False, "level": "network"}),
}


@pytest.mark.parametrize("name", REPORTS)
def test_an_impairment_is_explained_by_the_report_that_began_it(name):
    kind, said = REPORTS[name]
    found = beat(told(), "22:01").say(kind, "cam", "22:02", **said).why("camera", "cam")
    assert (found.result, found.cause) == ("impaired", name)
    assert found.rule == f"cameras.md, Cameras, {name}, begins"
    (item,) = [item for item in found.evidence if item.why == "begins"]
    assert item.used
    assert item.value.items() <= said.items() | {("ok", False)}
    facts = found.expected["impairments"][name]
    assert (facts["cover_lost"], facts["since"].strftime("%H:%M")) == (KINDS[name].cover_lost, "22:02")
    assert facts["ends"] == f"cameras.md, Cameras, {name}, ends"
    assert IMPAIRMENTS[name].en in found.sentence.en
    assert ENDS[name].zh in found.sentence.zh
    sees = "It covers nothing now." if KINDS[name].cover_lost else "It still covers its view."
    assert sees in found.sentence.en


def test_a_dead_service_tells_its_last_service_and_its_last_ping():
    found = ping(beat(told(), "22:01"), "22:02", "22:03", "22:04", "22:05").why("camera", "cam")
    assert found.cause == "service_dead"
    assert used(found) == [("cam", "22:01", "last_service"), ("cam", "22:05", "reachable")]
    assert "last sign of service 22:01, last ping 22:05" in found.sentence.en


def test_two_counts_without_a_frame_are_both_shown():
    night = beat(told(), "22:01").say(seen.CameraStats, "cam", "22:02", "22:03", fps=0.0)
    found = night.why("camera", "cam")
    assert found.cause == "loss"
    shown = [
        (item.at.strftime("%H:%M"), item.value, item.why) for item in found.evidence if item.kind == "camera_stats"
    ]
    assert shown == [("22:02", {"fps": 0.0}, "begins"), ("22:03", {"fps": 0.0}, "repeated")]


def test_a_report_that_expires_tells_when():
    night = beat(told(), "22:01").say(seen.VideoState, "cam", "22:02", "22:02:30", state="blind", expires_s=90)
    found = night.why("camera", "cam")
    assert found.expected["impairments"]["blind"]["expires"].strftime("%H:%M:%S") == "22:04:00"
    assert "unless repeated it is over at 22:04" in found.sentence.en
    assert ("cam", "22:02:30", "repeated") in used(found)


def test_the_kinds_of_a_storage_fault_are_listed():
    night = beat(told(), "22:01")
    for what in ("disk_full", "raid"):
        night.say(seen.StorageFault, "cam", "22:02", what=what, active=True)
    assert night.why("camera", "cam").expected["impairments"]["storage_fault"]["kinds"] == ["disk_full", "raid"]


def test_what_stands_unseen_below_an_offline_camera_is_shown_as_hidden():
    found = beat(told(), "22:01").say(seen.VideoState, "cam", "22:02", state="blind").wait("22:10").why("camera", "cam")
    assert found.result == "offline"
    assert ("cam", "22:02", "hidden") in unused(found)


def test_every_impairment_has_words():
    assert {*IMPAIRMENTS} == {*ENDS} == {*KINDS}


# -- flapping


def test_a_flapping_camera_tells_its_share():
    night = told()
    for minute in range(1, 22):
        kind = {"status": "fault"} if minute % 2 else {"status": "ok"}
        night.say(seen.CameraHeartbeat, "cam", f"22:{minute:02}:30", **kind)
    found = night.wait("22:21:40").why("camera", "cam")
    assert found.marks == ("flapping",)
    flapping = found.expected["flapping"]
    assert flapping["active"] is True
    assert flapping["share_percent"] >= 30
    assert "It flaps" in found.sentence.en
    assert "Alert: Flapping: Yard (cam)." in found.sentence.en


# -- zones


def area(*names: str, need: int, **more: Any) -> Told:
    return told(*(camera(name) for name in names), zones=[("gate", names, need, "yard")], **more)


def test_a_covered_zone_tells_who_sees():
    night = area("a", "b", need=1)
    found = beat(beat(night, "22:01", name="a"), "22:01", name="b").why("zone", "gate")
    assert (found.result, found.rule) == ("covered", "cameras.md, Zones, covered")
    assert (found.expected["seeing"], found.expected["need"]) == (2, 1)
    assert found.expected["cameras"] == {"a": {"sees": "seeing", "state": "ok"}, "b": {"sees": "seeing", "state": "ok"}}


def test_a_degraded_zone_tells_who_does_not_see_and_why():
    night = area("a", "b", need=2)
    beat(beat(night, "22:01", name="a"), "22:01", name="b").say(seen.VideoState, "b", "22:02", state="blind")
    found = night.why("zone", "gate")
    assert found.result == "degraded"
    assert found.expected["cameras"]["b"] == {"sees": "lost", "state": "impaired", "why": ["blind"]}
    assert "1 of 2 cameras see, 2 must. Not seeing, or not known: b (is covered or blinded)." in found.sentence.en
    assert "It is told if it lasts until 22:05." in found.sentence.en
    assert used(found) == [("b", "22:02", "begins")]


def test_a_blind_zone_names_its_alert():
    night = area("a", need=1)
    beat(night, "22:01", name="a").say(seen.DeviceStatus, "a", "22:02", online=False)
    found = night.wait("22:06").why("zone", "gate")
    assert (found.result, found.expected["alert"]) == ("blind", {"told_by": "zone_blind:gate"})
    assert "a (offline)" in found.sentence.en
    assert "Alert: Zone blind: Yard (gate)." in night.why("camera", "a").sentence.en


def test_an_unknown_zone_tells_why_of_each_camera():
    found = beat(area("a", "b", need=2), "22:01", name="a").why("zone", "gate")
    assert (found.result, found.expected["unknown"]) == ("unknown", 1)
    assert "b (never heard)" in found.sentence.en
    assert "b（从未上线）" in found.sentence.zh


def test_a_zone_without_a_camera_in_service_says_so():
    night = told(camera("a", enabled=False), zones=[("gate", ("a",), 1, "yard")])
    found = night.why("zone", "gate")
    assert (found.result, found.cause) == ("blind", "no_enabled_camera")
    assert "none of its cameras is in service" in found.sentence.en


def test_the_cameras_of_a_zone_are_its_parts():
    assert [part.id for part in area("b", "a", need=1).why("zone", "gate").parts] == ["b", "a"]


def test_every_state_of_a_zone_has_words():
    assert {*ZONES} == {"covered", "degraded", "blind", "unknown"}


@pytest.mark.parametrize("explain", [explain_camera, explain_zone])
def test_what_the_site_does_not_have_is_not_explained(explain):
    night = told()
    assert explain(night.judge, "nothing", night.judge.now) is None
