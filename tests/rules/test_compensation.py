"""Compensating patrols (cameras.md, Protection): who is asked to walk where, from when to when, and what is held against nobody."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, Self

import msgspec
import pytest

from device_drivers import observations as seen
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, instant, moment
from gateway.judgement import Judgement
from gateway.rules.findings import Gap
from gateway.site.model import (
    Alerting,
    Checkpoint,
    Circuit,
    Contact,
    Device,
    Expected,
    Lamp,
    MaxGap,
    Parent,
    Person,
    Place,
    Route,
    Site,
    Step,
    Visit,
    Zone,
)

NIGHT = instant(datetime(2026, 11, 22, 22, 0, tzinfo=UTC))
CARD = "007B3972"
PLACES = ("garage", "garage/a", "garage/b", "gate", "yard")
CHECKPOINTS = {"cp-a": "garage/a", "cp-b": "garage/b", "cp-gate": "gate"}
LAMPS = ("lamp-1", "lamp-2", "lamp-3")
OWN = MaxGap(since=time(22), until=time(6), at_most=2 * HOUR)


def clock(text: str) -> Instant:
    """ "22:10" or "22:10:05" of the evening; hours before noon are of the next day; "+1 18:00" is of a day later."""
    days, _, rest = text.rpartition(" ")
    hour, minute, second = (int(part) for part in f"{rest}:00".split(":")[:3])
    return NIGHT + (int(days or 0) + (hour < 12)) * DAY + (hour - 22) * HOUR + minute * MINUTE + second * SECOND


def estate(**said: Any) -> Site:
    """Zones: `garage` and `annex` at the garage, `yard` where no checkpoint is. Lamps of `c-1`, and `c-2` of the same panel, at garage/a."""
    own = said.pop("own", {})
    expected = Expected(**said.pop("expected", {"mode": "always"}))
    cameras = {
        name: Device(id=name, driver="native", kind="camera", expect_every=MINUTE)
        for name in ("cam-1", "cam-2", "cam-3")
    }
    readers = {
        f"rdr-{name}": Device(id=f"rdr-{name}", driver="native", kind="reader", expect_every=MINUTE)
        for name in CHECKPOINTS
    }
    lights = {
        f"lux-{name}": Device(id=f"lux-{name}", driver="native", kind="lux_sensor", expect_every=MINUTE)
        for name in LAMPS
    }
    return Site(
        **{
            "id": "s",
            "name": "s",
            "timezone": "UTC",
            "latitude": 31.2,
            "longitude": 121.5,
            "places": {name: Place(id=name, name=name) for name in PLACES},
            "people": {
                "wang": Person(id="wang", name="wang", roles=("guard",), tags=(CARD,)),
                "liu": Person(id="liu", name="liu", roles=("maintenance",), tags=("00AABBCC",)),
            },
            "devices": cameras | readers | lights,
            "checkpoints": {
                name: Checkpoint(id=name, place=place, reader=f"rdr-{name}", max_gap=own.get(name))
                for name, place in CHECKPOINTS.items()
            },
            "routes": {"night": Route(id="night", visits=tuple(Visit(checkpoint=name) for name in CHECKPOINTS))},
            "zones": {
                "garage": Zone(id="garage", place="garage", cameras=("cam-1",)),
                "annex": Zone(id="annex", place="garage/a", cameras=("cam-2",)),
                "yard": Zone(id="yard", place="yard", cameras=("cam-3",)),
            },
            "circuits": {"c-1": Circuit(id="c-1", panel="panel")},
            "parents": {"panel": Parent(id="panel")},
            "lamps": {
                name: Lamp(id=name, place="garage/a", circuit="c-1", seen_by=(f"lux-{name}",), expected=expected)
                for name in LAMPS
            },
            "alerting": Alerting(
                policies={"default": (Step(after=0, notify=("guards",)),)},
                contacts={"guards": Contact(id="guards", console=True)},
            ),
        }
        | said
    )  # fmt: skip


class Garage:
    """A night in which everything speaks each minute; what is said of cameras, lamps and taps is told by the test."""

    def __init__(self, site: Site | None = None, started: str = "21:00", *, reborn: bool = False) -> None:
        self.site = site or estate()
        self.judgement = Judgement(self.site, clock(started))
        self.now = clock(started)
        self.quiet: set[str] = set()
        self.lit = dict.fromkeys(LAMPS, True)
        self.notices: list[Any] = []
        self.reborn_always = reborn
        self.step = MINUTE

    def to(self, text: str) -> Self:
        """Each `step` up to then everybody is heard, the quiet ones apart."""
        return self.to_instant(clock(text))

    def to_instant(self, until: Instant) -> Self:
        while self.now + self.step <= until:
            self.now += self.step
            for name, device in self.site.devices.items():
                if name in self.quiet:
                    continue
                match device.kind:
                    case "camera":
                        self._feed(seen.CameraHeartbeat, name)
                    case "reader":
                        self._feed(seen.ReaderHeartbeat, name)
                    case "lux_sensor":
                        self._feed(seen.LightLevel, name, lux=80.0 if self.lit[name.removeprefix("lux-")] else 0.5)
            if self.reborn_always:
                self.restarted()
        self.judgement.advance(until)
        self.now = until
        return self._gather()

    def _feed(self, kind: Any, device: str, at: Instant | None = None, **said: Any) -> None:
        stamp = self.now if at is None else at
        self.judgement.apply(kind(device=device, at=moment(stamp, UTC), **said), self.now)

    def blind(self, camera: str = "cam-1", *, active: bool = True, at: str | None = None) -> Self:
        self._feed(seen.VideoState, camera, None if at is None else clock(at), state="blind", active=active)
        return self._gather()

    def lost(self, camera: str = "cam-1", *, back: bool = False) -> Self:
        """The link to a camera falls, and nothing is heard of it."""
        (self.quiet.discard if back else self.quiet.add)(camera)
        self._feed(seen.LinkStatus, camera, up=back)
        return self._gather()

    def dark(self, *, lit: bool = False, lamps: tuple[str, ...] = LAMPS) -> Self:
        self.lit |= dict.fromkeys(lamps, lit)
        return self

    def tap(self, checkpoint: str = "cp-a", at: str | None = None, tag: str = CARD) -> Self:
        self._feed(seen.TagRead, f"rdr-{checkpoint}", None if at is None else clock(at), tag=tag)
        return self._gather()

    def restarted(self, site: Site | None = None) -> Self:
        """The process stops and starts again from its snapshot."""
        self._gather()
        state = self.judgement.snapshot()
        self.site = site or self.site
        self.judgement = Judgement(self.site, clock("21:00"))
        self.judgement.restore(state)
        return self._gather()

    def down_until(self, text: str) -> Self:
        """The gateway is down from now on."""
        return self.down_until_instant(clock(text))

    def down_until_instant(self, until: Instant) -> Self:
        down_from, self.now = self.now, until
        self.judgement.restarted(down_from, self.now)
        return self._gather()

    def _gather(self) -> Self:
        self.notices += self.judgement.drain().notices
        return self

    def asked(self) -> list[str]:
        """The checkpoints with a compensating patrol that stands."""
        return sorted(
            alert.subject for alert in self.judgement.alerts.alerts(active=True) if alert.rule == "compensating_patrol"
        )

    def alert(self, subject: str = "cp-a", rule: str = "compensating_patrol") -> Any:
        return next(each for each in self.judgement.alerts.alerts() if (each.rule, each.subject) == (rule, subject))

    def exceeded(self) -> list[tuple[str, str]]:
        """(subject, state) of every `gap_exceeded`, retracted ones too."""
        return sorted(
            (each.subject, each.state) for each in self.judgement.alerts.alerts() if each.rule == "gap_exceeded"
        )

    def windows(self, checkpoint: str = "cp-a") -> list[Gap]:
        return [gap for gap in self.judgement.engine.rounds.gaps() if gap.checkpoint == checkpoint]


def hours(gap: Gap) -> tuple[str, str | None]:
    return f"{gap.window_start:%H:%M:%S}", None if gap.window_end is None else f"{gap.window_end:%H:%M:%S}"


# -- when, where, to whom ----------------------------------------------------------------------------------------------


def test_a_zone_told_blind_asks_for_a_patrol_at_once_at_every_checkpoint_in_its_place() -> None:
    garage = Garage().to("22:10").blind().to("22:12:59")
    assert garage.asked() == []
    garage.to("22:13")
    assert garage.asked() == ["cp-a", "cp-b"]
    assert [hours(each) for each in garage.windows("cp-b")] == [("22:13:00", None)]
    assert garage.windows("cp-gate") == []


def test_it_is_told_to_the_contacts_of_its_policy_and_says_where_how_often_and_why() -> None:
    garage = Garage().to("22:10").blind().to("22:13")
    alert = garage.alert()
    assert (alert.severity, alert.place, alert.details["zones"]) == ("minor", "garage/a", ["garage"])
    assert (alert.details["at_most"], f"{alert.raised:%H:%M:%S}") == (1800, "22:13:00")
    assert [notice.contact for notice in garage.notices if notice.alert == alert.id] == ["guards"]
    assert "cp-a" in alert.message
    assert "30分" in alert.message
    assert "盲区：garage" in alert.message


def test_a_blip_shorter_than_the_hold_sends_nobody() -> None:
    garage = Garage().to("22:10").blind().to("22:12").blind(active=False).to("23:30")
    assert garage.windows() == []
    assert garage.notices == []


def test_a_zone_that_is_unknown_asks_for_nothing() -> None:
    garage = Garage().to("22:10").lost()
    garage.to("23:30")
    view = garage.judgement.engine.cameras.zone("garage")
    assert view is not None
    assert view.state == "unknown"
    assert garage.asked() == []


def test_a_place_without_a_checkpoint_asks_for_nothing() -> None:
    assert Garage().to("22:10").blind("cam-3").to("23:30").asked() == []


def test_a_checkpoint_above_the_blind_place_is_not_in_it() -> None:
    assert Garage().to("22:10").blind("cam-2").to("22:20").asked() == ["cp-a"]


def test_a_dark_circuit_asks_for_a_patrol_where_its_lamps_are() -> None:
    garage = Garage().to("22:10").dark().to("22:40")
    dark = garage.alert("c-1", "circuit_fault")
    assert garage.asked() == ["cp-a"]
    assert garage.alert().details["circuits"] == ["c-1"]
    assert garage.alert().detected == dark.detected


def test_one_lamp_out_is_no_dark_circuit() -> None:
    assert Garage().to("22:10").dark(lamps=("lamp-1",)).to("23:30").asked() == []


def test_it_can_be_off_or_have_another_limit() -> None:
    assert Garage(estate(compensation=None)).to("22:10").blind().dark().to("23:30").asked() == []
    garage = Garage(estate(compensation=20 * MINUTE)).to("22:10").blind().to("22:33")
    assert garage.exceeded() == []
    assert garage.to("22:35").exceeded()[0] == ("cp-a@2026-11-22T22:13:00+00:00", "open")


# -- what is judged ----------------------------------------------------------------------------------------------------


def test_nobody_is_charged_for_the_time_before_he_was_told() -> None:
    garage = Garage().to("22:00").tap().to("22:10").blind().to("22:43")
    assert garage.exceeded() == []
    garage.to("22:44")
    assert garage.exceeded() == [(f"{name}@2026-11-22T22:13:00+00:00", "open") for name in ("cp-a", "cp-b")]
    [window] = garage.windows()
    assert [(f"{each.since:%H:%M}", each.open) for each in window.exceedances] == [("22:13", True)]


def test_a_walk_every_half_hour_is_what_was_asked_for() -> None:
    garage = Garage().to("22:10").blind()
    for at in ("22:40", "23:10", "23:40"):
        garage.to(at).tap("cp-a").tap("cp-b")
    garage.to("00:05").blind(active=False).to("02:00")
    assert garage.exceeded() == []
    assert [each.largest_s for each in garage.windows()] == [1800]


def test_a_tap_by_somebody_who_may_not_serve_ends_no_stretch() -> None:
    garage = Garage().to("22:10").blind().to("22:40").tap("cp-a", tag="00AABBCC").tap("cp-b").to("22:45")
    assert garage.exceeded() == [("cp-a@2026-11-22T22:13:00+00:00", "open")]


def test_a_silent_reader_accuses_nobody() -> None:
    garage = Garage().to("22:10").blind().to("22:20")
    garage.quiet.add("rdr-cp-a")
    garage.to("23:59")
    assert [subject for subject, _ in garage.exceeded()] == ["cp-b@2026-11-22T22:13:00+00:00"]


def test_a_checkpoint_of_no_route_is_asked_for_and_judged_by_nobody() -> None:
    garage = Garage(estate(routes={})).to("22:10").blind().to("23:59")
    assert garage.asked() == ["cp-a", "cp-b"]
    assert garage.exceeded() == []


def test_a_tap_that_arrives_late_takes_the_charge_back() -> None:
    garage = Garage().to("22:10").blind().to("22:50")
    assert garage.exceeded()[0] == ("cp-a@2026-11-22T22:13:00+00:00", "open")
    garage.tap(at="22:35").to("22:51")
    assert garage.exceeded()[0] == ("cp-a@2026-11-22T22:13:00+00:00", "retracted")


# -- until the sensor proves the repair --------------------------------------------------------------------------------


def test_once_it_is_seen_again_the_window_ends_and_the_alert_is_resolved() -> None:
    garage = Garage().to("22:10").blind().to("22:30").blind(active=False).to("23:59")
    assert garage.asked() == []
    assert [hours(each) for each in garage.windows()] == [("22:13:00", "22:30:00")]
    assert (garage.alert().state, garage.exceeded()) == ("closed", [])
    assert [notice.kind for notice in garage.notices if notice.alert == garage.alert().id] == ["raised", "resolved"]


def test_a_window_that_ends_is_judged_as_of_the_repair_not_as_of_when_a_reader_was_heard_last() -> None:
    garage = Garage().to("22:10").dark().to("23:20")
    garage.dark(lit=True).now = soon = clock("23:20") + SECOND // 2
    for name in LAMPS[:2]:
        garage._feed(seen.LightLevel, f"lux-{name}", lux=80.0)
    assert garage.asked() == []
    due = garage.judgement.engine.rounds.deadline()
    assert due is not None
    assert due > soon


def test_what_was_exceeded_before_the_repair_stays() -> None:
    garage = Garage().to("22:10").blind().to("22:50").blind(active=False).to("23:59")
    [window] = garage.windows()
    assert [(f"{each.since:%H:%M}", f"{each.until:%H:%M}", each.open) for each in window.exceedances] == [
        ("22:13", "22:50", False)
    ]
    assert garage.alert("cp-a@2026-11-22T22:13:00+00:00", "gap_exceeded").state == "closed"


def test_a_camera_that_nobody_knows_anything_of_any_more_proves_no_repair() -> None:
    garage = Garage().to("22:10").blind().to("22:20").lost().to("22:40")
    view = garage.judgement.engine.cameras.zone("garage")
    assert view is not None
    assert (view.state, garage.asked()) == ("unknown", ["cp-a", "cp-b"])
    garage.lost(back=True).to("22:41").blind(active=False).to("22:42")
    assert garage.asked() == []


def test_lamps_that_burn_again_end_it_at_the_time_of_the_proof() -> None:
    garage = Garage().to("22:10").dark().to("22:40").dark(lit=True).to("22:45")
    assert garage.asked() == []
    assert garage.windows()[0].window_end == moment(clock("22:41"), UTC)


def test_proof_that_arrives_late_ends_it_when_the_lamps_were_lit() -> None:
    garage = Garage().to("22:10").dark().to("22:30")
    garage.quiet |= {f"lux-{name}" for name in LAMPS}
    garage.to("23:10")
    assert [subject for subject, _ in garage.exceeded()] == ["cp-a@2026-11-22T22:21:00+00:00"]
    for name in LAMPS:
        garage._feed(seen.LightLevel, f"lux-{name}", clock("22:45"), lux=80.0)
    garage.to("23:11")
    assert garage.windows()[0].window_end == moment(clock("22:45"), UTC)
    assert garage.exceeded() == [("cp-a@2026-11-22T22:21:00+00:00", "retracted")]


def test_several_causes_are_one_patrol_until_the_last_is_mended() -> None:
    garage = Garage().to("22:10").blind().to("22:15").blind("cam-2").to("22:30")
    assert garage.alert().details["zones"] == ["annex", "garage"]
    garage.dark().to("22:50").blind(active=False).to("22:55")
    assert garage.asked() == ["cp-a"]
    assert garage.alert().details["circuits"] == ["c-1"]
    garage.blind("cam-2", active=False).to("23:00")
    assert garage.asked() == ["cp-a"]
    garage.dark(lit=True).to("23:10")
    assert garage.asked() == []
    assert [hours(each) for each in garage.windows()] == [("22:13:00", "23:01:00")]
    kinds = [notice.kind for notice in garage.notices if notice.alert == garage.alert().id]
    assert (kinds.count("raised"), kinds.count("resolved")) == (1, 1)


def test_blind_again_is_asked_for_again_and_judged_from_then_on() -> None:
    garage = Garage().to("22:10").blind().to("22:30").blind(active=False).to("23:00").blind().to("23:10")
    assert garage.asked() == ["cp-a", "cp-b"]
    assert [hours(each) for each in garage.windows()] == [("22:13:00", "22:30:00"), ("23:03:00", None)]
    assert garage.to("23:32").exceeded() == []


def test_lamps_that_are_not_due_to_burn_ask_for_nothing_until_dusk() -> None:
    night = estate(expected={"mode": "times", "on": time(18), "off": time(23)})
    garage = Garage(night).to("22:10").dark().to("22:50")
    assert garage.asked() == ["cp-a"]
    garage.tap().to("23:05")
    assert garage.asked() == []
    assert [hours(each) for each in garage.windows()] == [("22:21:00", "23:00:00")]
    garage.to("+1 17:59")
    assert garage.asked() == []
    garage.to("+1 18:01")
    assert garage.asked() == ["cp-a"]
    assert garage.alert().occurrence == 2


def test_a_panel_that_takes_over_the_telling_ends_no_patrol_and_its_end_proves_nothing_by_itself() -> None:
    lamps = {
        name: Lamp(
            id=name, place="garage/a", circuit=circuit, seen_by=(f"lux-{name}",), expected=Expected(mode="always")
        )
        for circuit, group in (("c-1", LAMPS), ("c-2", ("lamp-4", "lamp-5", "lamp-6")))
        for name in group
    }
    site = estate()
    lights = {
        f"lux-{name}": Device(id=f"lux-{name}", driver="native", kind="lux_sensor", expect_every=MINUTE)
        for name in lamps
    }
    circuits = {name: Circuit(id=name, panel="panel") for name in ("c-1", "c-2")}
    site = msgspec.structs.replace(site, lamps=lamps, circuits=circuits, devices={**site.devices, **lights})
    garage = Garage(site)
    garage.lit |= dict.fromkeys(lamps, True)
    garage.to("22:10").dark(lamps=tuple(lamps)).to("22:40")
    assert garage.alert("panel", "parent_fault").state == "open"
    assert (garage.asked(), garage.alert().details["circuits"]) == (["cp-a"], ["c-1", "c-2"])
    garage.quiet |= {f"lux-{name}" for name in ("lamp-4", "lamp-5", "lamp-6")}
    garage.dark(lit=True, lamps=LAMPS).to("22:42")
    assert garage.alert("panel", "parent_fault").state == "resolved"
    assert garage.alert().details["circuits"] == ["c-2"]
    garage.quiet.clear()
    garage.dark(lit=True, lamps=tuple(lamps)).to("22:45")
    assert garage.asked() == []


def test_a_patrol_that_goes_on_for_weeks_charges_nobody_who_walked_it() -> None:
    site = estate(zones={"annex": Zone(id="annex", place="garage/a", cameras=("cam-2",))})
    garage = Garage(site).to("22:10").blind("cam-2").to("22:13")
    keep = ("rdr-cp-a", "cam-2")
    garage.quiet |= site.devices.keys() - set(keep)
    garage.step = 3 * MINUTE
    while garage.now < clock("+12 22:00"):
        garage.to_instant(garage.now + 27 * MINUTE).tap()
    assert garage.exceeded() == []
    assert (garage.asked(), garage.alert().occurrence) == (["cp-a"], 1)
    assert 8 <= len(garage.windows()) <= 10
    garage.to_instant(garage.now + 45 * MINUTE)
    assert [state for _, state in garage.exceeded()] == ["open"]


def test_a_window_is_cut_each_day_and_a_stretch_with_it() -> None:
    garage = Garage().to("22:10").blind("cam-2").to("+1 21:50").tap().to("+1 22:20")
    assert [hours(each) for each in garage.windows()] == [("22:13:00", "22:13:00"), ("22:13:00", None)]
    assert [each for each in garage.exceeded() if "T21:50" in each[0]] == []
    garage.to("+1 22:44")
    assert garage.exceeded()[-1] == ("cp-a@2026-11-23T22:13:00+00:00", "open")


# -- beside the checkpoint's own limit -------------------------------------------------------------------------------


def test_it_is_a_window_beside_the_checkpoints_own_and_each_has_its_own_alert() -> None:
    garage = Garage(estate(own={"cp-a": OWN})).to("22:10").blind().to("23:00").tap().to("01:30")
    assert [hours(each) for each in garage.windows()] == [("22:00:00", "06:00:00"), ("22:13:00", None)]
    assert [each for each in garage.exceeded() if each[0].startswith("cp-a")] == [
        ("cp-a@2026-11-22T22:13:00+00:00", "closed"),
        ("cp-a@2026-11-22T23:00:00+00:00", "open"),
        ("cp-a@2026-11-22T23:00:00.000001+00:00", "open"),
    ]


def test_an_own_limit_that_is_as_strict_says_it_alone() -> None:
    strict = MaxGap(since=time(22), until=time(23), at_most=25 * MINUTE)
    garage = Garage(estate(own={"cp-a": strict})).to("22:10").blind().to("22:30").tap().to("23:29")
    assert [each for each in garage.exceeded() if each[0].startswith("cp-a")] == [
        ("cp-a@2026-11-22T22:00:00+00:00", "closed"),
        ("cp-a@2026-11-22T22:30:00+00:00", "closed"),
    ]
    garage.to("23:32")
    assert [each for each in garage.exceeded() if each[0].startswith("cp-a")] == [
        ("cp-a@2026-11-22T22:00:00+00:00", "closed"),
        ("cp-a@2026-11-22T22:30:00+00:00", "closed"),
        ("cp-a@2026-11-22T23:00:00+00:00", "open"),
    ]


def test_a_patrol_that_begins_with_the_own_window_takes_nothing_from_it() -> None:
    garage = Garage(estate(own={"cp-a": OWN})).to("21:57").blind().to("22:05")
    assert [gap.window_end is None for gap in garage.windows()] == [False, True]


# -- restarts ----------------------------------------------------------------------------------------------------------


def everything(garage: Garage) -> Any:
    return (
        garage.asked(),
        garage.exceeded(),
        garage.windows(),
        garage.windows("cp-b"),
        [each.key for each in garage.notices],
    )


def story(garage: Garage) -> Garage:
    garage.to("22:10").blind().to("22:30").dark().to("22:50").tap().to("23:15").blind(active=False).to("23:20")
    return garage.tap("cp-b").dark(lit=True).to("23:50").blind().to("00:50")


def test_a_restart_at_any_point_changes_nothing_and_repeats_nothing() -> None:
    assert everything(story(Garage(reborn=True))) == everything(story(Garage()))


def test_while_the_gateway_is_down_nothing_is_repaired_and_nobody_is_charged() -> None:
    garage = Garage().to("22:10").blind().to("22:20").down_until("23:20").to("23:40")
    assert garage.asked() == ["cp-a", "cp-b"]
    assert garage.exceeded() == []
    assert garage.to("23:55").exceeded()[0][0] == "cp-a@2026-11-22T23:21:00+00:00"


@pytest.mark.parametrize("gone", [{"compensation": None}, {"checkpoints": {}, "routes": {}}, {"zones": {}}])
def test_what_the_site_file_no_longer_asks_for_is_ended(gone: dict[str, Any]) -> None:
    garage = Garage().to("22:10").blind().to("22:20").restarted(msgspec.structs.replace(estate(), **gone)).to("23:50")
    assert garage.asked() == []
    assert garage.exceeded() == []
    assert garage.alert().state == "closed"


def test_another_limit_in_the_site_file_does_not_change_what_was_told() -> None:
    garage = Garage().to("22:10").blind().to("22:20").restarted(estate(compensation=5 * MINUTE)).to("22:43")
    assert garage.exceeded() == []
    assert garage.alert().details["at_most"] == 1800
