"""Parent faults: what cannot speak is named by what falls below it (spec: cameras.md, Parent fault)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gateway.instants import MINUTE, SECOND, Instant
from gateway.rules.causes import Causes, together
from gateway.rules.devices import Devices
from gateway.rules.findings import Found, Signal
from tests.rules.night import EVENING, Night, camera, clock, device, estate, heartbeat, link, status

CAMS = [f"cam-{number}" for number in range(1, 6)]


@pytest.fixture(params=[False, True], ids=["straight", "restored"])
def restored(request) -> bool:
    return request.param


def behind_switch(*, restored: bool, cameras: Iterable[str] = CAMS, **said) -> Night:
    devices = [camera(name, network="switch") for name in cameras]
    parents = {"panel": {}, "switch": {"power": "panel"}}
    return Night(estate(*devices, camera("far"), parents=parents, **said), restart_always=restored)


def test_what_falls_together_below_a_switch_is_one_alert(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS, "far")
    night.beat("22:06", "22:30", "far")
    assert night.alerts() == ["parent_fault:panel"], "of equal shares the highest"
    assert night.raised("parent_fault:panel") == "22:05:00"
    assert [signal.rule for signal in night.signals] == ["parent_fault"]
    assert night.camera("cam-1") == "unknown 22:08:00 panel"
    assert night.standing["parent_fault:panel"].details["children"] == CAMS


def test_a_lost_broker_is_no_fault_of_a_switch_behind_which_nobody_can_be_heard(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS, "far")
    night.hear("22:06", link("mqtt", up=False))
    night.go("22:30")
    assert night.alerts() == ["link_down:mqtt"]
    night.hear("22:30:30", link("mqtt", up=True))
    night.beat("22:31", "22:33", *CAMS, "far")
    assert [signal.rule for signal in night.signals] == ["link_down", "link_down"]


def test_it_is_told_a_hold_after_it_was_found(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.go("22:10:59")
    assert night.alerts() == []
    night.go("22:11:01")
    assert night.alerts() == ["parent_fault:panel"]


def test_the_parent_with_the_greater_share_is_named(restored):
    night = Night(
        estate(
            *(camera(name, network="switch") for name in CAMS[:3]),
            *(camera(name, power="panel") for name in CAMS[3:]),
            parents={"panel": {}, "switch": {"power": "panel"}},
        ),
        restart_always=restored,
    )
    night.beat("22:01", "22:05", *CAMS)
    night.beat("22:06", "22:20", *CAMS[3:])
    assert night.alerts() == ["parent_fault:switch"]
    assert night.engine.devices.down_cause("switch") == "switch"
    assert night.engine.devices.down_cause("panel") is None


def test_two_are_too_few(restored):
    night = behind_switch(restored=restored, cameras=CAMS[:2])
    night.beat("22:01", "22:05", *CAMS[:2])
    night.go("22:20")
    assert night.alerts() == ["camera_offline:cam-1", "camera_offline:cam-2"]


def test_less_than_sixty_per_cent_are_too_few(restored):
    names = [f"cam-{number}" for number in range(1, 7)]
    night = behind_switch(restored=restored, cameras=names)
    night.beat("22:01", "22:05", *names)
    night.beat("22:06", "22:20", *names[3:])
    assert night.alerts() == ["camera_offline:cam-1", "camera_offline:cam-2", "camera_offline:cam-3"]


def test_those_down_before_the_window_count_on_neither_side(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.beat("22:06", "22:20", *CAMS[2:])
    assert "parent_fault:panel" not in night.alerts()
    night.go("22:30")
    assert night.alerts() == ["parent_fault:panel"]
    assert night.raised("parent_fault:panel") == "22:20:00", "three of three"
    assert night.ends("camera_offline:cam-1") == ["merge merged parent_fault:panel"]


def test_what_was_down_before_keeps_no_fault_standing(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.beat("22:06", "22:20", *CAMS[2:])
    night.go("22:30")
    assert night.alerts() == ["parent_fault:panel"]
    assert night.standing["parent_fault:panel"].details["children"] == CAMS, (
        "the alerts of all of them are told of in it"
    )
    night.beat("22:31", "22:31", *CAMS[2:4])
    assert night.alerts() == [], "two of three are back: one cause less, and who was dead before is judged anew"
    night.beat("22:32", "22:40", *CAMS[2:])
    assert night.alerts() == ["camera_offline:cam-1", "camera_offline:cam-2"]


def test_what_was_down_before_keeps_no_fault_standing_after_a_restart_either(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.beat("22:06", "22:20", *CAMS[2:])
    night.go("22:30")
    night.restart("22:31")
    night.go("22:40")
    assert night.standing["parent_fault:panel"].details["children"] == CAMS
    night.beat("22:41", "22:41", *CAMS[2:4])
    assert night.alerts() == []
    night.beat("22:42", "22:50", *CAMS[2:])
    assert night.alerts() == ["camera_offline:cam-1", "camera_offline:cam-2"]


def test_last_signs_further_apart_than_the_window_are_no_common_fall(restored):
    names = CAMS[:3]
    night = behind_switch(restored=restored, cameras=names)
    night.hear("22:01", heartbeat("cam-1"))
    night.hear("22:02", heartbeat("cam-2"))
    night.hear("22:02:31", heartbeat("cam-3"))
    night.go("22:30")
    assert len(night.alerts()) == 3


def test_exactly_the_window_is_within_it(restored):
    names = CAMS[:3]
    night = behind_switch(restored=restored, cameras=names)
    night.hear("22:01", heartbeat("cam-1"))
    night.hear("22:02", heartbeat("cam-2"))
    night.hear("22:02:30", heartbeat("cam-3"))
    night.go("22:30")
    assert night.alerts() == ["parent_fault:panel"]
    assert night.raised("parent_fault:panel") == "22:01:00"


def test_it_takes_in_who_falls_later(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.beat("22:06", "22:12", "cam-5")
    assert night.camera("cam-5") == "ok 22:01:00"
    night.go("22:30")
    assert night.camera("cam-5") == "unknown 22:15:00 panel"
    assert night.alerts() == ["parent_fault:panel"]
    assert "cam-5" in night.standing["parent_fault:panel"].details["children"]


def test_it_ends_when_under_sixty_per_cent_are_down_and_the_rest_is_judged_anew(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.hear("22:30", heartbeat("cam-1"), heartbeat("cam-2"))
    assert night.camera("cam-1") == "ok 22:30:00"
    assert night.alerts() == ["parent_fault:panel"], "three of five are still down"
    night.hear("22:31", heartbeat("cam-3"))
    assert night.alerts() == []
    assert night.camera("cam-4") == "unknown 22:08:00 rejudging"
    night.beat("22:32", "22:50", *CAMS[:3])
    assert night.camera("cam-4") == "offline 22:34:00"
    assert night.alerts() == ["camera_offline:cam-4", "camera_offline:cam-5"]
    assert night.raised("camera_offline:cam-4") == "22:05:00"


def test_it_ends_when_fewer_than_three_are_in_service(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.go("22:20")
    for name in CAMS[:2]:
        night.operate("22:21", "disable", name)
    assert night.alerts() == ["parent_fault:panel"]
    night.operate("22:22", "disable", CAMS[2])
    assert "parent_fault:panel" not in night.alerts()


def test_it_ends_at_a_start_by_a_site_file_that_leaves_fewer_than_three():
    night = behind_switch(restored=False, cameras=CAMS[:3])
    night.beat("22:01", "22:05", *CAMS[:3])
    night.go("22:15")
    night.restart("22:16")
    night.go("22:25")
    assert night.alerts() == ["parent_fault:panel"]
    state = night.engine.snapshot()
    night = behind_switch(restored=False, cameras=CAMS[:2])
    night.engine.restore(state)
    night.engine.drain()
    night.standing = {"parent_fault:panel": Signal(rule="parent_fault", subject="panel", action="raise", at=0)}
    night.restart("23:30")
    night.go("23:50")
    assert night.alerts() == ["camera_offline:cam-1", "camera_offline:cam-2"]


def test_what_a_new_site_file_has_behind_something_else_is_no_part_of_a_parents_fault_any_more():
    night = Night(estate(*(camera(name, power="panel") for name in CAMS[:3]), device("hub"), parents={"panel": {}}))
    night.beat("22:01", "22:05", *CAMS[:3], "hub")
    night.beat("22:06", "22:15", "hub")
    assert night.alerts() == ["parent_fault:panel"]
    state, standing = night.engine.snapshot(), night.standing
    moved = [camera(name, **({"behind": "hub"} if name == "cam-3" else {"power": "panel"})) for name in CAMS[:3]]
    night = Night(estate(*moved, device("hub"), parents={"panel": {}}))
    night.engine.restore(state)
    night.engine.drain()
    night.standing = standing
    night.restart("22:16")
    night.beat("22:17", "22:30", "cam-3", "hub")
    assert night.alerts() == ["camera_offline:cam-1", "camera_offline:cam-2"]


def test_a_restart_ends_no_parent_fault(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.go("22:20")
    told = len(night.signals)
    night.restart("23:20", since="22:20")
    night.go("23:59")
    assert len(night.signals) == told
    assert night.camera("cam-1") == "unknown 22:08:00 panel"


DEAD, LIVING = CAMS[:3], [f"cam-{number}" for number in range(4, 10)]


def test_who_outlived_a_fall_speaks_against_it_also_while_the_gateways_start_gives_it_grace(restored):
    night = behind_switch(restored=restored, cameras=[*DEAD, *LIVING])
    night.beat("22:01", "22:05", *DEAD, *LIVING)
    night.beat("22:06", "22:30", *LIVING)
    night.restart("22:31")
    night.beat("22:31:10", "23:40:10", *LIVING)
    night.restart("23:41")
    assert night.camera("cam-4") == "unknown 23:41:00 gateway_down"
    assert night.camera("cam-1").startswith("offline"), "its grace was given after the first start"
    night.beat("23:41:10", "23:50:10", *LIVING)
    assert night.alerts() == [f"camera_offline:{name}" for name in DEAD]
    assert not [signal for signal in night.signals if signal.rule == "parent_fault"]


def test_a_switch_that_comes_back_twice_has_no_part_in_what_fell_before_and_alone(restored):
    cameras = [camera(name, network="switch") for name in (*DEAD, *LIVING)]
    night = Night(estate(device("switch"), *cameras), restart_always=restored)
    night.beat("22:01", "22:05", "switch", *DEAD, *LIVING)
    night.beat("22:06", "22:30", "switch", *LIVING)
    for down, up, until in (("22:30:30", "22:40", "22:50:10"), ("22:50:30", "23:00", "23:20:10")):
        night.hear(down, status("switch", online=False))
        night.hear(up, status("switch", online=True))
        night.beat(f"{up}:10", until, "switch", *LIVING)
    assert night.alerts() == [f"camera_offline:{name}" for name in DEAD]
    assert not [signal for signal in night.signals if signal.rule == "parent_fault"]


def test_who_falls_together_while_nobody_listens_is_still_one_alert(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS, "far")
    night.restart("22:31")
    night.beat("22:31:10", "22:40:10", "far")
    assert night.alerts() == ["parent_fault:panel"]


def test_a_parent_that_is_itself_offline_has_no_parent_fault(restored):
    site = estate(
        device("nvr", kind="nvr", network="switch"),
        *(camera(name, behind="nvr", channel=name) for name in CAMS),
        parents={"switch": {}},
    )
    night = Night(site, restart_always=restored)
    for minute in range(1, 6):
        for second, name in enumerate(CAMS):
            night.hear(f"22:{minute:02}:{second:02}", heartbeat("nvr", channel=name))
        night.hear(f"22:{minute:02}:30", heartbeat("nvr"))
    night.go("22:30")
    assert night.alerts() == ["device_offline:nvr"]
    assert night.camera("cam-1").endswith("nvr")


def test_a_switch_that_returns_is_at_fault_for_what_fell_together_while_it_was_away(restored):
    cameras = [camera(name, network="switch") for name in CAMS[:3]]
    night = Night(estate(device("switch"), *cameras), restart_always=restored)
    night.beat("22:01", "22:05", "switch", *CAMS[:3])
    night.beat("22:06", "22:10", *CAMS[:3])
    night.go("22:13:30")
    assert night.camera("cam-1") == "offline 22:13:00", "it outlived the switch, and fell by itself"
    night.beat("22:14", "22:30", "switch")
    assert night.camera("cam-1") == "unknown 22:14:00 switch"
    assert night.alerts() == ["parent_fault:switch"]
    assert night.raised("parent_fault:switch") == "22:10:00"
    assert [signal.rule for signal in night.signals if signal.action == "raise"] == ["device_offline", "parent_fault"]


@pytest.mark.parametrize("every", [MINUTE, 5 * MINUTE])
def test_a_recorder_that_dies_accuses_no_switch_beside_it(restored, every):
    cameras = [camera(name, behind="nvr", channel=name, network="poe", expect_every=every) for name in CAMS]
    site = estate(device("nvr", kind="nvr"), *cameras, parents={"poe": {}})
    night = Night(site, restart_always=restored)
    for minute in range(1, 6):
        night.hear(f"22:{minute:02}", *(heartbeat("nvr", channel=name) for name in CAMS), heartbeat("nvr"))
    night.go("22:50")
    assert night.alerts() == ["device_offline:nvr"]
    assert not [signal for signal in night.signals if signal.rule == "parent_fault"]
    assert night.camera("cam-1").endswith("nvr")


def test_a_recorder_that_died_long_before_excuses_no_switch(restored):
    cameras = [camera(name, behind="nvr", network="poe") for name in CAMS]
    site = estate(device("nvr", kind="nvr"), *cameras, parents={"poe": {}})
    night = Night(site, restart_always=restored)
    night.beat("22:01", "22:05", "nvr", *CAMS)
    night.beat("22:06", "22:20", *CAMS)
    night.go("22:50")
    assert night.alerts() == ["device_offline:nvr", "parent_fault:poe"]


def test_what_one_fault_explains_is_not_laid_to_a_switch_that_returns(restored):
    cameras = [camera(name, network="switch", power="panel") for name in CAMS]
    night = Night(estate(device("switch"), *cameras, parents={"panel": {}}), restart_always=restored)
    night.beat("22:01", "22:02", "switch", *CAMS)
    night.beat("22:03", "22:05", *CAMS)
    night.go("22:19:30")
    assert night.alerts() == ["device_offline:switch", "parent_fault:panel"]
    night.beat("22:20", "22:30", "switch")
    night.beat("22:31", "22:40", "switch", "cam-1")
    assert night.alerts() == ["parent_fault:panel"], "one cause, one alert"
    assert "parent_fault:switch" not in {f"{each.rule}:{each.subject}" for each in night.signals}
    assert night.camera("cam-2") == "unknown 22:05:00 panel"


def test_a_recorder_that_falls_with_others_is_the_switchs_fault(restored):
    site = estate(
        device("nvr", kind="nvr", network="switch"),
        *(camera(name, behind="nvr", channel=name) for name in CAMS[:2]),
        camera("own", network="switch"),
        parents={"switch": {}},
    )
    night = Night(site, restart_always=restored)
    for minute in range(1, 6):
        night.hear(f"22:{minute:02}", *(heartbeat("nvr", channel=name) for name in CAMS[:2]), heartbeat("own"))
    night.go("22:30")
    assert night.alerts() == ["parent_fault:switch"]


def test_a_higher_parent_takes_over_from_a_lower_one(restored):
    east, west = [f"east-{number}" for number in range(3)], [f"west-{number}" for number in range(3)]
    night = Night(
        estate(
            *(camera(name, network="east") for name in east),
            *(camera(name, network="west") for name in west),
            parents={"panel": {}, "east": {"power": "panel"}, "west": {"power": "panel"}},
        ),
        restart_always=restored,
    )
    night.beat("22:01", "22:05", *east, *west)
    night.beat("22:06", "22:06", *west)
    night.go("22:08:30")
    assert night.engine.devices.down_cause("east-0") == "east"
    night.go("22:30")
    assert night.alerts() == ["parent_fault:panel"]
    assert night.raised("parent_fault:panel") == "22:05:00"
    assert [signal.subject for signal in night.signals if signal.action == "raise"] == ["panel"]


def test_5000_devices_behind_one_switch_are_one_alert():
    names = [f"cam-{number:04}" for number in range(5000)]
    night = behind_switch(restored=False, cameras=names)
    start = clock("22:01")
    for number, name in enumerate(names):
        night.hear(start + number * 10_000, heartbeat(name))
    night.go("22:30")
    assert night.alerts() == ["parent_fault:panel"]
    assert len(night.signals) == 1
    assert night.standing["parent_fault:panel"].details["count"] == 5000


def test_the_window_is_as_long_as_the_longest_of_those_in_it_allows():
    short, long = 90 * SECOND, 15 * MINUTE
    signs = {"a": (0, short), "b": (80 * SECOND, short), "c": (100 * SECOND, short)}
    assert together(signs) == ["b", "c"]
    assert together(signs | {"lamp": (10 * MINUTE, long)}) == ["a", "b", "c", "lamp"]
    assert together(signs | {"lamp": (16 * MINUTE, long)}) == ["b", "c", "lamp"]
    assert together({}) == []


class DarkCircuits:
    """Circuits as a test says they are."""

    def __init__(self) -> None:
        self.dark: dict[str, Instant] = {}
        self.known = True
        self.told: dict[str, str] = {}

    def circuit_dark_since(self, circuit_id: str) -> Instant | None:
        return self.dark.get(circuit_id)

    def circuit_last_sign(self, circuit_id: str) -> Instant | None:
        return self.dark.get(circuit_id)

    def circuit_known(self, circuit_id: str) -> bool:
        return self.known

    def suppress(self, circuit_ids: Iterable[str], caused_by: str, now: Instant) -> None:
        self.told |= dict.fromkeys(circuit_ids, caused_by)

    def unsuppress(self, circuit_ids: Iterable[str], now: Instant) -> None:
        for each in circuit_ids:
            del self.told[each]


class Panel:
    """A panel with three circuits and two cameras, judged without the engine."""

    def __init__(self) -> None:
        site = estate(
            camera("a", power="panel"),
            camera("b", power="panel"),
            parents={"panel": {}},
            circuits={"c-1": "panel", "c-2": "panel", "c-3": "panel"},
        )
        self.found = Found()
        self.lighting = DarkCircuits()
        self.devices = Devices(site, self.found, EVENING)
        self.causes = Causes(site, self.found, self.devices, self.lighting, EVENING)

    def step(self, at: str, *observations, dark: Iterable[str] = (), lit: Iterable[str] = ()) -> None:
        now = clock(at)
        self.go(now)
        for each in observations:
            self.devices.apply(each, now, now)
        self.lighting.dark |= dict.fromkeys(dark, now)
        for each in lit:
            del self.lighting.dark[each]
        self._settle(now, frozenset(["c-1", "c-2", "c-3"]))

    def go(self, now: Instant) -> None:
        modules = (self.devices, self.causes)
        while (due := min((at for each in modules if (at := each.deadline()) is not None), default=now + 1)) <= now:
            for each in modules:
                each.advance(due)
            self._settle(due, frozenset())

    def _settle(self, now: Instant, circuits: frozenset[str]) -> None:
        while self.devices.changed or circuits:
            changed = frozenset(self.devices.changed)
            self.devices.changed.clear()
            self.causes.look(changed, circuits, now)
            circuits = frozenset()

    def alerts(self) -> list[str]:
        standing = set()
        for signal in self.found.signals:
            name = f"{signal.rule}:{signal.subject}"
            standing = standing | {name} if signal.action in ("raise", "update") else standing - {name}
        return sorted(standing)


def test_two_circuits_of_three_are_their_panels_fault_and_merged_into_it():
    panel = Panel()
    panel.step("22:01", dark=["c-1"])
    panel.go(clock("22:10"))
    assert panel.alerts() == []
    panel.step("22:10", dark=["c-2"])
    panel.go(clock("22:12:59"))
    assert panel.lighting.told == {}
    panel.go(clock("22:13"))
    assert panel.alerts() == ["parent_fault:panel"]
    assert panel.lighting.told == dict.fromkeys(["c-1", "c-2", "c-3"], "parent_fault:panel")
    panel.step("22:30", lit=["c-1"])
    assert panel.alerts() == []
    assert panel.lighting.told == {}


def test_one_circuit_of_two_known_is_too_few():
    panel = Panel()
    panel.step("22:01", dark=["c-1"])
    panel.go(clock("23:00"))
    assert panel.alerts() == []


def test_a_circuit_and_two_cameras_are_one_cause_across_trades():
    panel = Panel()
    panel.lighting.known = False
    panel.step("22:01", heartbeat("a"), heartbeat("b"))
    panel.step("22:03", dark=["c-1"])
    panel.go(clock("22:30"))
    assert panel.alerts() == ["parent_fault:panel"]
    assert panel.devices.down_cause("a") == "panel"


def test_a_hold_that_ends_while_the_gateway_is_down_counts_again_from_its_start(restored):
    night = behind_switch(restored=restored)
    night.beat("22:01", "22:05", *CAMS)
    night.go("22:09")
    night.restart("23:00", since="22:09")
    night.go("23:02:59")
    assert night.alerts() == []
    night.go("23:03")
    assert night.alerts() == ["parent_fault:panel"]
