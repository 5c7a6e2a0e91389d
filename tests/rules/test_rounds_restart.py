"""A restart takes everything up again, though the site file may have changed meanwhile."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.instants import HOUR, MINUTE, SECOND, Instant
from gateway.rules.intervals import BEGINNING, END
from gateway.rules.rounds import Rounds
from gateway.site.model import Site
from gateway.site.model import Visit as Stop
from tests.rules.test_rounds_properties import SITE, START, minutes, nights
from tests.rules.walk import GARAGE, GATE, ROOF, Fed, Walk, clock, daily, estate

WALL = {"visits": (Stop(checkpoint=ROOF),)}


def changed(site: Site, **said: Any) -> Site:
    return Site(
        **{name: getattr(site, name) for name in site.__struct_fields__} | {"digest": f"after {site.digest}"} | said
    )


def test_a_device_that_is_gone_leaves_its_reads_with_their_reason() -> None:
    walk = Walk(route=WALL)
    walk.read(ROOF, "22:05", device="wand-2")
    assert walk.verdict() == "on_time"
    devices = {name: device for name, device in walk.site.devices.items() if name != "wand-2"}
    walk.reborn(changed(walk.site, devices=devices))
    assert (walk.verdict(), walk.reasons()) == ("pending", ["unknown_device"])


def test_a_device_enrolled_later_makes_its_past_reads_count() -> None:
    site = estate()
    without = changed(site, devices={name: device for name, device in site.devices.items() if name != "wand-2"})
    walk = Walk(changed(without, routes=estate(route=WALL).routes))
    walk.read(ROOF, "22:05", device="wand-2")
    assert walk.reasons() == ["unknown_device"]
    walk.reborn(estate(route=WALL))
    assert (walk.verdict(), walk.reasons()) == ("on_time", [])


def test_a_route_that_is_gone_keeps_its_open_round_and_plans_no_other() -> None:
    walk = Walk(rounds=(daily("night", "22:00", "23:30"),))
    walk.alive("21:50", "22:10")
    walk.reborn(changed(walk.site, rounds=()))
    walk.alive("22:11", "22:50")
    assert walk.verdict() == "missed"
    assert [view.id for view in walk.rules.rounds()] == ["night@2026-11-22T22:00+08:00"]


def test_a_checkpoint_that_is_gone_leaves_its_visit_unverifiable() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))})
    walk.until("22:10")
    checkpoints = {name: place for name, place in walk.site.checkpoints.items() if name != GARAGE}
    routes = estate().routes
    walk.reborn(changed(walk.site, checkpoints=checkpoints, routes=routes))
    walk.until("23:30")
    assert walk.verdict(2) == "unverifiable"


def test_a_snapshot_is_builtins_and_the_same_again_after_a_restart() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=ROOF))})
    walk.alive("21:50", "22:10", boot="b", last_seq=3)
    walk.tap("wang", "22:06", boot="b", seq=4)
    walk.say(seen.SyncEnd, "wand-1", "22:08", complete_to="22:08", device_now="22:08")
    walk.read(ROOF, "22:07", "22:08:01")
    walk.say(seen.LinkStatus, "rdr-garage", "22:09", up=False)
    before = msgspec.msgpack.encode(walk.rules.snapshot())
    walk.reborn()
    assert msgspec.msgpack.encode(walk.rules.snapshot()) == before


def test_a_restart_raises_nothing_again() -> None:
    walk = Walk()
    walk.alive("21:50", "22:50")
    walk.until("22:50")
    told = walk.signals()
    walk.reborn()
    walk.until("22:52")
    assert walk.signals() == told


def test_the_plan_goes_on_after_a_restart() -> None:
    walk = Walk()
    walk.reborn()
    walk.until("+3 22:30")
    assert walk.rules.round("night@2026-11-26T22:00+08:00") is not None
    assert walk.rules.now == clock("+3 22:30")
    assert clock("22:01") - clock("22:00") == MINUTE


def test_readers_silent_since_one_instant_are_told_of_in_one_order_before_and_after_a_restart() -> None:
    told = []
    for reborn in (False, True):
        walk = Walk()
        walk.beat("21:30", device="rdr-garage")
        walk.beat("21:30:10", device="rdr-gate")
        walk.beat("21:30:10", device="rdr-garage")
        walk.until("21:31")
        if reborn:
            walk.reborn()
        walk.until("21:40")
        told.append([signal.subject for signal in walk.found.signals if signal.rule == "reader_offline"])
    assert told[0] == told[1] == ["rdr-garage", "rdr-gate"]


def test_a_round_served_ahead_of_its_opening_is_not_judged_twice() -> None:
    """A clock measured to be slow puts a tap a moment after it was received, into a round that opens only then."""
    walk = Walk(route=WALL)
    walk.sync("21:40", "21:40:31", device_now="21:40")
    walk.read(ROOF, "21:54:40")
    walk.until("21:54:45")
    assert [revision.verdict for revision in walk.revisions()] == ["early"]
    walk.reborn()
    walk.until("21:56")
    assert ([revision.verdict for revision in walk.revisions()], walk.visit().revision) == (["early"], 1)


def test_a_verdict_that_stood_at_the_snapshot_is_judged_again_when_its_record_changes() -> None:
    walk = Walk()
    walk.alive("21:50", "22:10", boot="b", last_seq=3)
    walk.alive("22:11", "23:30", boot="b", last_seq=4)
    walk.until("23:30")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_gap")
    walk.reborn()
    assert (walk.verdict(), walk.visit().revision) == ("unverifiable", 1)
    walk.say(seen.Motion, "rdr-gate", "22:10:30", "23:31", boot="b", seq=4)
    walk.until("23:32")
    assert (walk.verdict(), walk.visit().revision) == ("missed", 2)


downs = st.lists(st.tuples(minutes(0, 150), st.sampled_from([SECOND, MINUTE, 20 * MINUTE, 2 * HOUR])), max_size=3)


def told(feds: list[Fed], stops: list[tuple[Instant, Instant]]) -> Any:
    """All that was ever found, though the gateway was down at times."""
    walk = Walk(SITE, started="21:00")
    happened = [(received, 0, fed) for fed in feds for received in [fed[2]]]
    happened += [(since + length, 1, since) for since, length in stops]
    for at, _, what in sorted(happened, key=lambda each: each[:2]):
        if isinstance(what, int):
            since = max(what, walk.rules.now)
            if since < at:
                walk.advance(since)
                walk.rules.restarted(since, at)
        elif all(not since < at < since + length for since, length in stops):
            walk.feed(*what)
    walk.advance(START + 26 * HOUR)
    walk.rules.flush(START + 26 * HOUR)
    return walk.rules.rounds(), walk.rules.gaps(), walk.found.revisions, walk.found.signals


@settings(max_examples=150, deadline=None)
@given(nights(), downs)
def test_what_a_time_down_cannot_touch_need_not_be_judged_again(
    feds: list[Fed], stops: list[tuple[Instant, Instant]]
) -> None:
    restarted = Rounds.restarted

    def thorough(self: Rounds, down_from: Instant, now: Instant) -> None:
        restarted(self, down_from, now)
        self._mark_closed(BEGINNING, END)

    with patch.object(Rounds, "restarted", thorough):
        all_again = told(feds, stops)
    assert told(feds, stops) == all_again
