"""A storm: what hangs below one switch falls within seconds. One alert tells of it, and afterwards each thing is judged anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC

import pytest

from device_drivers.observations import DeviceStatus
from gateway.alerts.alert import AlertTransition, Notice
from gateway.instants import HOUR, MINUTE, SECOND, Instant, instant, moment
from gateway.judgement import Judgement
from gateway.site.model import Alerting, Contact, Device, Parent, Place, Site, Step
from tests.alerts.watch import T0

DEVICES = 5000
STAY_AWAY = 3
"""So many are broken for good by what felled the switch."""
FALL: Instant = T0
RETURN: Instant = T0 + 20 * MINUTE
WITHIN = 10 * SECOND

SITE = Site(
    id="s",
    name="s",
    timezone="UTC",
    language="en",
    latitude=31.2,
    longitude=121.5,
    places={"hall": Place(id="hall", name="hall")},
    devices={
        name: Device(
            id=name, kind="sensor", driver="native", place="hall", network="switch", expect_every=MINUTE, sends_seq=True
        )
        for name in (f"dev-{number}" for number in range(DEVICES))
    },
    parents={"switch": Parent(id="switch")},
    alerting=Alerting(
        policies={
            "default": (
                Step(after=0, notify=("room",)),
                Step(after=10 * MINUTE, notify=("captain",)),
                Step(after=HOUR, notify=("manager",)),
            )
        },
        contacts={name: Contact(id=name, console=True) for name in ("room", "captain", "manager")},
    ),
)


class Night:
    """The judge of SITE; `rows` and `notices` gather what came out."""

    def __init__(self) -> None:
        self.judge = Judgement(SITE, FALL - HOUR)
        self.rows: list[AlertTransition] = []
        self.notices: list[Notice] = []
        self._said = 0

    def say(self, names: Iterable[str], since: Instant, *, online: bool = True) -> None:
        """Each says once whether it is online, one after the other within WITHIN."""
        for number, name in enumerate(names):
            at = since + number * WITHIN // DEVICES
            self._said += 1
            status = DeviceStatus(device=name, at=moment(at, UTC), boot="b", seq=self._said, online=online)
            self.judge.apply(status, at)
        self._gather()

    def until(self, end: Instant) -> None:
        self.judge.advance(end)
        self._gather()

    def states(self) -> Counter[tuple[str, str | None]]:
        views = (self.judge.engine.devices.device(name) for name in SITE.devices)
        return Counter((view.state, view.cause) for view in views if view is not None)

    def _gather(self) -> None:
        found = self.judge.drain()
        self.rows += found.transitions
        self.notices += found.notices


@pytest.fixture(params=["their last wills", "silence"])
def fallen(request: pytest.FixtureRequest) -> Night:
    """All were heard, then all are gone: the broker says so, or nothing is heard any more."""
    night = Night()
    for minutes in (2, 1):
        night.say(SITE.devices, FALL - minutes * MINUTE)
    if request.param == "their last wills":
        night.say(SITE.devices, FALL, online=False)
    night.until(RETURN)
    return night


def test_a_storm_is_one_alert_at_most_three_notices_and_the_first_is_due_at_once(fallen: Night) -> None:
    assert {row.alert.id for row in fallen.rows} == {"parent_fault/switch/1"}
    assert [(notice.contact, notice.kind) for notice in fallen.notices] == [
        ("room", "raised"),
        ("captain", "escalated"),
    ]
    raised = instant(fallen.rows[0].transition.at)
    assert fallen.notices[0].due == raised
    assert fallen.states() == {("unknown", "switch"): DEVICES}, "all others are suppressed, and say by what"


def test_after_a_storm_each_is_judged_anew_on_what_it_says_then(fallen: Night) -> None:
    before = len(fallen.notices)
    broken, mended = list(SITE.devices)[:STAY_AWAY], list(SITE.devices)[STAY_AWAY:]
    for minutes in range(9):
        fallen.say(mended, RETURN + minutes * MINUTE)
    fallen.until(RETURN + 9 * MINUTE)
    assert fallen.states() == {("ok", None): DEVICES - STAY_AWAY, ("offline", None): STAY_AWAY}
    active = {alert.id for alert in fallen.judge.alerts.alerts(active=True)}
    assert active == {f"device_offline/{name}/1" for name in broken}
    told = fallen.notices[before:]
    assert Counter((notice.kind, notice.contact) for notice in told) == {
        ("resolved", "room"): 1, ("resolved", "captain"): 1, ("raised", "room"): STAY_AWAY,
    }  # fmt: skip
    assert len({notice.due for notice in told if notice.kind == "raised"}) == 1, "what stays away is one message"


def test_whoever_comes_back_later_than_most_is_not_accused_meanwhile(fallen: Night) -> None:
    names = list(SITE.devices)
    early, late = names[: DEVICES * 4 // 5], names[DEVICES * 4 // 5 :]
    fallen.say(early, RETURN)
    fallen.until(RETURN + MINUTE)
    assert not [alert for alert in fallen.judge.alerts.alerts(active=True) if alert.state != "resolved"], (
        "the switch is back"
    )
    assert fallen.states() == {("ok", None): len(early), ("unknown", "rejudging"): len(late)}, (
        "of the others nothing new is known"
    )
    fallen.say(early, RETURN + MINUTE)
    fallen.say(late, RETURN + 100 * SECOND)
    fallen.until(RETURN + 2 * MINUTE)
    assert {row.alert.id for row in fallen.rows} == {"parent_fault/switch/1"}
    assert fallen.states() == {("ok", None): DEVICES}
