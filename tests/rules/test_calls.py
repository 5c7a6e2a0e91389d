"""A call for help is told whatever else is going on; so is an incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from device_drivers.observations import Incident, Panic
from gateway.alerts.book import AlertBook
from gateway.instants import instant
from gateway.rules.engine import Engine
from gateway.site.model import Checkpoint, Device, Place, Site

SITE = Site(
    id="s",
    name="s",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    places={"gate": Place(id="gate", name="gate"), "roof": Place(id="roof", name="roof")},
    devices={"btn": Device(id="btn", driver="native", kind="reader", place="gate")},
    checkpoints={"cp-roof": Checkpoint(id="cp-roof", place="roof", tags=("AABBCC",))},
)
AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
NOW = instant(AT)


def signals(*observations: Panic | Incident) -> list[tuple[str, str, str]]:
    engine = Engine(SITE, NOW - 1)
    for turn, each in enumerate(observations):
        engine.apply(each, NOW + turn)
    return [(signal.rule, signal.subject, signal.action) for signal in engine.drain().signals]


def test_each_press_is_told_and_a_release_ends_it() -> None:
    said = signals(Panic(device="btn", at=AT), Panic(device="btn", at=AT), Panic(device="btn", at=AT, active=False))
    assert said == [("panic", "btn", "raise"), ("panic", "btn", "raise"), ("panic", "btn", "resolve")]


def test_a_panic_from_a_device_with_a_lost_clock_is_dated_when_it_came() -> None:
    engine = Engine(SITE, NOW - 1)
    engine.apply(Panic(device="btn", at=datetime(1970, 1, 1, tzinfo=UTC)), NOW)
    (signal,) = engine.drain().signals
    assert signal.raised == NOW


def test_an_incident_names_its_place_and_two_reports_are_two_alerts() -> None:
    engine = Engine(SITE, NOW - 1)
    engine.apply(Incident(device="btn", at=AT, code="water", text="leak", checkpoint="cp-roof"), NOW)
    engine.apply(Incident(device="btn", at=AT.replace(minute=1), code="water"), NOW + 1)
    first, second = engine.drain().signals
    assert first.place == "roof"
    assert first.details == {"code": "water", "text": "leak", "checkpoint": "cp-roof"}
    assert first.subject != second.subject
    assert second.place == "gate"


def test_two_reports_of_one_second_are_two_alerts_and_both_keep_their_words() -> None:
    engine = Engine(SITE, NOW - 1)
    engine.apply(Incident(device="btn", at=AT, boot="b", seq=1, code="smoke", checkpoint="cp-roof"), NOW)
    engine.apply(Incident(device="btn", at=AT, boot="b", seq=2, code="door"), NOW)
    book = AlertBook(SITE, NOW - 1)
    for signal in engine.drain().signals:
        book.signal(signal)
    assert {(each.place, each.details["code"]) for each in book.alerts()} == {("roof", "smoke"), ("gate", "door")}
    assert {"11-23 02:00" in each.message and "~" not in each.message for each in book.alerts()} == {True}


def test_a_call_for_help_from_a_device_that_the_site_does_not_know_is_told_too() -> None:
    assert signals(Panic(device="stranger", at=AT)) == [("panic", "stranger", "raise")]


def test_a_release_ends_no_call_that_was_made_after_it() -> None:
    """A fresh call overtakes older ones that wait, and are heard behind it."""
    early = [
        Panic(device="btn", at=AT - timedelta(minutes=2)),
        Panic(device="btn", at=AT - timedelta(minutes=1), active=False),
    ]
    press = Panic(device="btn", at=AT)
    assert [action for *_, action in signals(press, *early)] == ["raise", "raise"]
    release = Panic(device="btn", at=AT + timedelta(seconds=1), active=False)
    assert [action for *_, action in signals(press, *early, release)] == ["raise", "raise", "resolve"]


def test_when_a_button_was_pressed_outlives_a_restart() -> None:
    engine = Engine(SITE, NOW - 1)
    engine.apply(Panic(device="btn", at=AT), NOW)
    other = Engine(SITE, NOW - 1)
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(engine.snapshot())))
    other.apply(Panic(device="btn", at=AT - timedelta(seconds=1), active=False), NOW + 1)
    assert other.drain().signals == []
