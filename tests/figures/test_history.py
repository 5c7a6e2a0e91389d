"""What the judge tells of conditions, and what of it is kept for good."""

from __future__ import annotations

from datetime import UTC, time

import msgspec

from device_drivers import observations as seen
from gateway.figures.history import REACH, Walked
from gateway.figures.walks import read
from gateway.instants import DAY, HOUR, MINUTE, moment
from gateway.site.model import Checkpoint, Device, Person, Place, RoundRule, Route, Site, Visit
from tests.figures.kept import Kept, clock, lux
from tests.figures.test_lamp_rates import estate, lit_evening


def walked_site() -> Site:
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"a": Place(id="a", name="a")},
        people={
            "wang": Person(id="wang", name="王强", roles=("guard",), tags=("007B3972",)),
            "liu": Person(id="liu", name="刘师傅", roles=("maintenance",), tags=("00AABBCC",)),
        },
        devices={
            "rdr": Device(id="rdr", driver="native", kind="reader", place="a", expect_every=30 * MINUTE, sends_seq=True)
        },
        checkpoints={"cp": Checkpoint(id="cp", place="a", reader="rdr")},
        routes={"night": Route(id="night", visits=(Visit(checkpoint="cp"),))},
        rounds=(
            RoundRule(
                route="night", days=frozenset(range(7)), since=time(22), until=time(6), every=HOUR, lasts=40 * MINUTE
            ),
        ),
    )


def tap(tag: str = "007B3972") -> seen.TagRead:
    return seen.TagRead(device="rdr", at=moment(0, UTC), tag=tag)


def alive() -> seen.ReaderHeartbeat:
    return seen.ReaderHeartbeat(device="rdr", at=moment(0, UTC))


def walk_on(kept: Kept, days: int, since: int = 0) -> None:
    """The reader speaks twice an hour; each day there is a tap at 23:00."""
    for half in range(since * 48, days * 48):
        at = clock("12:00") + half * 30 * MINUTE
        kept.hear(at, alive())
        if half % 48 == 22:
            kept.hear(at, tap())
        if half % 48 == 24:
            kept.hear(at, tap("00AABBCC"))
    kept.keep()


def test_a_row_is_told_once_for_each_change_and_for_nothing_else() -> None:
    kept = Kept(estate())
    lit_evening(kept, until="23:55")
    kept.keep()
    told = [(row.since, row.state) for row in kept.rows if row.kind == "lamp"]
    assert [state for _, state in told] == ["unknown", "off_duty", "ok"]
    assert told[2][0] == clock("18:00")


def test_a_fault_is_told_when_it_is_found_since_it_began() -> None:
    kept = Kept(estate())
    lit_evening(kept)
    kept.every(5 * MINUTE, "22:00", "22:30", lux("lux-a", 0))
    kept.keep()
    last = kept.rows[-1]
    (lamp,) = [row for row in kept.rows if row.state == "faulty" and row.kind == "lamp"]
    assert (lamp.found, lamp.since, lamp.detail) == (clock("22:10"), clock("22:00"), "lamp_failure")
    assert last.found <= clock("22:30")


def test_a_second_fault_beside_the_first_does_not_make_it_begin_anew() -> None:
    kept = Kept(estate(devices={"a": Device(id="a", driver="native", kind="lamp"), "lux-a": estate().devices["lux-a"]}))
    lit_evening(kept)
    kept.every(5 * MINUTE, "22:00", "22:30", lux("lux-a", 0))
    report = seen.LampFault(device="a", at=moment(0, UTC), fault="control_gear_failure", active=True)
    kept.hear("22:40", report)
    kept.hear("22:50", msgspec.structs.replace(report, fault="relay_failure"))
    kept.keep()
    assert [(row.since, row.state) for row in kept.rows if row.kind == "lamp"][-3:] == [
        (clock("22:00"), "faulty"),
        (clock("22:40"), "faulty"),
        (clock("22:50"), "faulty"),
    ]


def test_no_row_reaches_back_further_than_questions_read() -> None:
    kept = Kept(estate())
    history = kept.judge.history
    history._tell(("lamp", "a"), ("faulty", "dim"), clock("12:00") - 30 * DAY, clock("12:00"))
    kept.keep()
    assert kept.rows[-1].since == clock("12:00") - REACH


def test_a_day_of_walks_is_written_down_once_it_is_eight_days_over_and_says_what_the_rules_said() -> None:
    kept = Kept(walked_site())
    walk_on(kept, 5)
    living = kept.walks("12:00", "+3 12:00")["cp"]
    assert not [row for row in kept.rows if row.kind == "walk"]
    walk_on(kept, 13, since=5)
    settled = [row for row in kept.rows if row.kind == "walk"]
    assert [row.since for row in settled] == [
        clock("12:00") - clock("12:00") % DAY + n * DAY for n in range(len(settled))
    ]
    assert settled[0].found >= settled[0].since + 9 * DAY
    kept_walks = read(settled)["cp"]
    assert [at for at in kept_walks.taps if at < clock("+3 12:00")] == living.taps
    assert len(living.taps) == 3
    assert kept_walks.complete[0][0] == living.complete[0][0]


def test_a_tap_by_someone_who_may_not_serve_there_is_no_walk() -> None:
    kept = Kept(walked_site())
    walk_on(kept, 2)
    assert [moment(at, kept.site.zone_info).hour for at in kept.walks("12:00", "+1 12:00")["cp"].taps] == [23]


def test_after_a_stop_of_three_weeks_the_days_before_it_are_still_written_down() -> None:
    kept = Kept(walked_site())
    walk_on(kept, 5)
    taps = kept.walks("12:00", "+4 12:00")["cp"].taps
    kept.restart("+4 12:00", "+25 12:00")
    kept.go("+25 13:00")
    kept.keep()
    settled = [row for row in kept.rows if row.kind == "walk"]
    assert len({row.since for row in settled}) == len(settled)
    assert set(taps) <= set(read(settled)["cp"].taps)


def test_a_day_written_twice_counts_as_it_was_written_last() -> None:
    kept = Kept(walked_site())
    walk_on(kept, 11)
    (first, *_) = [row for row in kept.rows if row.kind == "walk"]
    changed = msgspec.json.encode(Walked(taps=(first.since + 5,), complete=())).decode()
    assert read([first, first._replace(detail=changed)])["cp"].taps == [first.since + 5]
