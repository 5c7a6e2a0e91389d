"""Pages of cameras: zones, three levels of proof that are never mixed, blind minutes by night, outages."""

from __future__ import annotations

import re
from datetime import timedelta

import msgspec
import pytest

from api.console.cameras import above, levels, outages_in
from device_drivers.observations import CameraHeartbeat, CameraStats, DeviceStatus, Reachable, VideoState
from gateway.instants import DAY, HOUR, MINUTE, instant
from gateway.journal.rows import Condition
from gateway.judgement import Judgement
from gateway.rules.findings import Camera
from gateway.site import model
from tests.api import scene
from tests.api.fake_gateway import FakeGateway
from tests.api.test_lights import recorded

NOW = instant(scene.NOW)


class Judged:
    """A gateway of which nothing but the judgement is asked."""

    def __init__(self, *said) -> None:
        devices = {
            "panel": None,
            "nvr": model.Device(id="nvr", driver="native", kind="nvr", power="riser", expect_every=MINUTE),
            "cam": model.Device(
                id="cam", driver="native", kind="camera", behind="nvr", network="switch", expect_every=MINUTE
            ),
        }
        self.site = model.Site(
            id="s",
            name="s",
            timezone="Asia/Shanghai",
            language="en",
            latitude=0,
            longitude=0,
            devices={name: each for name, each in devices.items() if each is not None},
            parents={"riser": model.Parent(id="riser"), "switch": model.Parent(id="switch", power="riser")},
        )
        self.judgement = Judgement(self.site, NOW)
        for number, each in enumerate(said):
            at = NOW + number * 1_000_000
            self.judgement.apply(msgspec.structs.replace(each, received=scene.NOW), at, at)
        self.judgement.advance(NOW + 20 * 1_000_000)

    def camera(self) -> Camera:
        found = self.judgement.engine.cameras.camera("cam")
        assert found is not None
        return found


PING = Reachable(device="cam", at=scene.NOW, ok=True, level="network")
BEAT = CameraHeartbeat(device="cam", at=scene.NOW, status="ok")
FRAMES = CameraStats(device="cam", at=scene.NOW, fps=25.0)


@pytest.mark.parametrize(
    ("said", "proofs"),
    [
        ((), ("unproven", "unproven", "unproven")),
        ((PING,), ("yes", "unproven", "unproven")),
        ((PING, PING), ("yes", "unproven", "unproven")),
        ((PING, BEAT, PING), ("yes", "yes", "unproven")),
        ((BEAT,), ("yes", "yes", "unproven")),
        ((FRAMES,), ("yes", "yes", "yes")),
        ((FRAMES, VideoState(device="cam", at=scene.NOW, state="loss")), ("yes", "yes", "no")),
    ],
    ids=["nothing", "a ping", "pings", "pings and a heartbeat", "a heartbeat", "frames", "frames, then loss"],
)
def test_a_ping_proves_no_service_and_a_heartbeat_no_picture(said, proofs) -> None:
    gateway = Judged(*said)
    found = levels(gateway, gateway.camera())  # type: ignore[arg-type]
    assert tuple(each.proof for each in found[:3]) == proofs


def test_what_was_proved_before_a_recorder_fell_proves_nothing_now() -> None:
    fell = DeviceStatus(device="nvr", at=scene.NOW, online=False)
    gateway = Judged(FRAMES, fell)
    assert gateway.camera().state == "unknown"
    assert {each.proof for each in levels(gateway, gateway.camera())[:3]} == {"unproven"}  # type: ignore[arg-type]


def test_what_a_camera_hangs_on_is_told_up_to_the_root() -> None:
    gateway = Judged(DeviceStatus(device="nvr", at=scene.NOW, online=False))
    found = [(each.depth, each.how, each.id, each.down) for each in above(gateway, "cam")]  # type: ignore[arg-type]
    assert found == [
        (0, "behind", "nvr", True),
        (1, "power", "riser", False),
        (0, "network", "switch", False),
        (1, "power", "riser", False),
    ]


def test_parents_in_a_circle_end() -> None:
    gateway = Judged()
    parents = {"riser": model.Parent(id="riser", power="switch"), "switch": model.Parent(id="switch", power="riser")}
    gateway.site = msgspec.structs.replace(gateway.site, parents=parents)
    assert len(above(gateway, "cam")) < 10  # type: ignore[arg-type]


def test_an_outage_is_what_was_known_to_be_lost_without_the_gateway_s_own_stops() -> None:
    rows = [
        Condition(0, NOW - 9 * HOUR, "gateway", "", "up", ""),
        Condition(0, NOW - 6 * HOUR, "gateway", "", "down", ""),
        Condition(0, NOW - 5 * HOUR, "gateway", "", "up", ""),
        Condition(0, NOW - 9 * HOUR, "camera", "cam", "seeing", ""),
        Condition(0, NOW - 7 * HOUR, "camera", "cam", "lost", "offline"),
        Condition(0, NOW - 4 * HOUR, "camera", "cam", "unknown", "nvr"),
        Condition(0, NOW - 3 * HOUR, "camera", "cam", "lost", "loss"),
    ]
    found = outages_in(scene.site(), rows, NOW - DAY, NOW)
    assert [(each.minutes, each.end is None, each.why) for each in found] == [
        (180, True, "loss"),
        (60, False, "offline"),
        (60, False, "offline"),
    ]


async def test_zones_come_the_worst_first_with_their_cameras_in_words_and_signs(operator) -> None:
    text = (await operator.get("/cameras", params={"lang": "en"})).text
    order = re.findall(r'<section class="zone-of[^"]*" id="([^"]+)"', text)
    assert order == ["z-b2", "z-garage", "z-pump", "z-gate", "z-lobby-1", "z-lobby-2"]
    assert "covered lens" in text
    assert text.count("not proven") > 3
    assert "never mixed" in text


async def test_blind_minutes_by_night_stand_in_a_chart_and_in_its_table(operator, gateway: FakeGateway) -> None:
    began = NOW - 5 * DAY
    gateway.told = [
        Condition(began, began, "gateway", "", "up", ""),
        Condition(began, began, "zone", "z-b2", "covered", ""),
        Condition(NOW - DAY, NOW - DAY, "zone", "z-b2", "blind", ""),
        Condition(NOW - DAY + 45 * MINUTE, NOW - DAY + 45 * MINUTE, "zone", "z-b2", "covered", ""),
    ]
    gateway.judgement.advance(NOW)
    text = (await operator.get("/charts/zones", params={"lang": "en"})).text
    figure = next(each for each in text.split("<figure") if "z-b2" in each)
    rows = dict(re.findall(r'<th scope="row">(\d\d-\d\d)</th><td>([^<]*)</td>', figure))
    assert len(rows) == 14
    assert rows[f"{scene.NIGHT - timedelta(days=1):%m-%d}"].startswith("Blind 45 min")
    assert rows[f"{scene.NIGHT - timedelta(days=9):%m-%d}"] == "–"
    outages = (await operator.get("/charts/outages", params={"lang": "en"})).text
    assert "No outages" in outages


async def test_a_camera_s_page_has_its_parents_and_its_month(operator, gateway: FakeGateway) -> None:
    await recorded(
        gateway,
        Condition(NOW - DAY, NOW - DAY, "gateway", "", "up", ""),
        Condition(NOW - DAY, NOW - DAY, "camera", "cam-b2-1", "seeing", ""),
        Condition(NOW - 31 * MINUTE, NOW - 31 * MINUTE, "camera", "cam-b2-1", "lost", "offline"),
    )
    gateway.judgement.advance(NOW)
    text = (await operator.get("/cameras/cam-b2-1", params={"lang": "en"})).text
    assert "nvr-1" in text
    assert "1 outages in 30 days" in text
    assert "goes on" in text
    assert (await operator.get("/cameras/nvr-1")).status_code == 404
