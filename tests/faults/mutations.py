"""Faults that peers had, each as a small mutation of our code, with the tests of our suite that must catch it.

`MUTATIONS[name].put()` puts one into an interpreter before anything of ours has started in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple


class Mutation(NamedTuple):
    """One fault.

    Args:
        fault: what a peer did, and what came of it.
        put: puts it into our code.
        caught_by: node ids of tests each of which must fail with it.
    """

    fault: str
    put: Callable[[], None]
    caught_by: tuple[str, ...]


def _acknowledge_before_persist() -> None:
    from gateway.intake import Intake

    hand_over = Intake._hand_over

    def hasty(intake: Intake) -> None:
        for link, tokens in intake._tokens.items():
            if tokens:
                link.acknowledge(tokens)
        intake._tokens = {}
        hand_over(intake)

    Intake._hand_over = hasty  # type: ignore[method-assign]


def _stale_acknowledgement() -> None:
    from gateway.links.link import Token
    from gateway.links.receipts import Receipts

    settle = Receipts.settle

    def settled(receipts: Receipts, tokens: Sequence[Token]) -> list[int]:
        return settle(receipts, [token._replace(epoch=receipts.epoch) for token in tokens])

    Receipts.settle = settled  # type: ignore[method-assign]


def _clean_start() -> None:
    import mqtt5
    from paho.mqtt import client as paho

    init, connect = paho.Client.__init__, mqtt5.ConnectPacket

    def clean(client: paho.Client, *args: Any, **more: Any) -> None:
        if more.get("manual_ack"):
            more["clean_session"] = True
        init(client, *args, **more)

    def packet(*args: Any, **more: Any) -> Any:
        return connect(*args, **more | {"clean_start": True})

    paho.Client.__init__ = clean  # type: ignore[method-assign]
    mqtt5.ConnectPacket = packet  # type: ignore[assignment, misc]


def _false_offline() -> None:
    from gateway.rules.devices import Devices

    Devices.restarted = lambda *_: None  # type: ignore[method-assign]


def _clocks(wall_time: Callable[[date, time, tzinfo], Any]) -> None:
    from gateway.site import clocks, plans

    clocks.wall_time = plans.wall_time = wall_time  # type: ignore[assignment]


def _dst_hole() -> None:
    from gateway.site import clocks

    right = clocks.wall_time

    def hole(day: date, clock: time, zone: tzinfo) -> Any:
        found = right(day, clock, zone)
        return found if found.exists else found._replace(first=found.first - 3600 * 10**6)

    _clocks(hole)


def _naive_local_time() -> None:
    from gateway.instants import instant
    from gateway.site import clocks

    def naive(day: date, clock: time, zone: tzinfo) -> Any:
        offset = datetime(day.year, 1, 1, tzinfo=zone).utcoffset() or timedelta()
        return clocks.WallTime(instant(datetime.combine(day, clock, tzinfo=UTC) - offset), None, True)

    _clocks(naive)


def _boundary_tap() -> None:
    from gateway.rules import visits

    init = visits.VisitState.__init__

    def half_open(visit: Any, *args: Any, **more: Any) -> None:
        init(visit, *args, **more)
        visit.closes -= 1

    visits.VisitState.__init__ = half_open  # type: ignore[method-assign]


def _alert_lost() -> None:
    from gateway.alerts.book import AlertBook

    AlertBook.restore = lambda *_: None  # type: ignore[method-assign]


def _storm_by_parent() -> None:
    from gateway.rules.falls import Falls

    Falls.above = lambda *_: None  # type: ignore[method-assign]


def _repeat_stored_twice() -> None:
    from gateway.repeats import Repeats

    init = Repeats.__init__

    def forgetful(repeats: Repeats, find: Any, *, whole: bool) -> None:
        assert whole in {True, False}
        init(repeats, lambda *_: [], whole=True)

    Repeats.__init__ = forgetful  # type: ignore[method-assign]
    Repeats.restore = lambda *_: None  # type: ignore[method-assign]
    Repeats.learn = lambda *_: None  # type: ignore[method-assign]


def _another_key() -> None:
    from gateway.outbox import notices

    compose = notices.compose

    def anew(*args: Any, **more: Any) -> Any:
        made = compose(*args, **more)
        return made._replace(key=secrets.token_hex(8))

    notices.compose = anew


def _outbox_after_commit() -> None:
    from gateway.journal.writer import Batch, Writer

    write = Writer._write

    def apart(writer: Writer, batch: Batch) -> list[Any]:
        later = Batch()
        later.rows = {table: batch.rows.pop(table) for table in ("notice",) if table in batch.rows}
        changes = write(writer, batch)
        if later.rows:
            write(writer, later)
        return changes

    Writer._write = apart  # type: ignore[method-assign]


def _silence_is_absence() -> None:
    from gateway.rules.intervals import BEGINNING, END
    from gateway.rules.records import Record

    Record.complete = lambda _: [(BEGINNING, END)]  # type: ignore[method-assign]


def _overflow_drops() -> None:
    from gateway import intake

    def gathered(one: intake.Intake, _link: Any) -> None:
        del one.batch.log[intake._FULL :]
        one._schedule()

    intake.Intake._gathered = gathered  # type: ignore[method-assign]


def _poison_vanishes() -> None:
    from gateway.intake import Intake

    Intake._quarantine = lambda *_, **__: None  # type: ignore[method-assign]


def _retained_is_event() -> None:
    from device_drivers.native import decoder

    decoder._EVENTS = ()  # type: ignore[assignment]


MUTATIONS: dict[str, Mutation] = {
    "acknowledge before persist": Mutation(
        "messages are acknowledged when they are read, not when they are on disk: a kill loses what is in between",
        _acknowledge_before_persist,
        ("tests/intake/test_intake.py::test_nothing_is_acknowledged_before_it_is_on_disk",),
    ),
    "stale acknowledgement": Mutation(
        "after a reconnect an acknowledgement of the connection before is sent: the packet id is another message's now, which is lost",
        _stale_acknowledgement,
        ("tests/links/test_receipts.py::test_a_token_of_another_connection_settles_nothing",),
    ),
    "clean start": Mutation(
        "the client connects with a clean session at each boot: what the broker kept meanwhile is thrown away",
        _clean_start,
        (
            "tests/links/test_mqtt_conformance.py::test_a_message_published_while_we_were_away_arrives[mqtt5]",
            "tests/links/test_mqtt_conformance.py::test_a_message_published_while_we_were_away_arrives[paho]",
        ),
    ),
    "false offline": Mutation(
        "after a restart every device that was not heard while the gateway was down is offline",
        _false_offline,
        ("tests/rules/test_devices_life.py::test_after_a_start_a_device_has_one_timeout_of_grace",),
    ),
    "DST hole": Mutation(
        "a round that starts in the hour that the clock jumps over falls an hour early",
        _dst_hole,
        ("tests/site/test_plans.py::test_a_missing_start_moves_forward_by_the_gap",),
    ),
    "naive local time": Mutation(
        "times are local without a zone: half of the year all is an hour off, and the doubled hour is one",
        _naive_local_time,
        (
            "tests/site/test_plans.py::test_a_night_of_23_hours_has_a_round_fewer_and_one_of_25_a_round_more",
            "tests/site/test_plans.py::test_a_double_start_is_the_first_or_both",
        ),
    ),
    "boundary tap lost": Mutation(
        "a tap on the last instant of a visit does not count",
        _boundary_tap,
        ("tests/rules/test_rounds_taps.py::test_boundaries_of_a_visit_with_a_due_time",),
    ),
    "alert lost at restart": Mutation(
        "alerts live in memory: a restart forgets who was told of what",
        _alert_lost,
        (
            "tests/alerts/test_alerts_escalation.py::test_a_restart_of_the_process_alone_repeats_no_notice",
            "tests/alerts/test_alerts_reminders.py::test_a_restart_of_the_process_repeats_no_reminder",
        ),
    ),
    "storm by parent": Mutation(
        "a recorder that falls is an alert for each of its cameras",
        _storm_by_parent,
        ("tests/rules/test_devices_parents.py::test_a_recorder_that_falls_is_one_alert",),
    ),
    "repeat stored twice": Mutation(
        "what was heard is known in memory only: what a device sends again after a restart stands twice",
        _repeat_stored_twice,
        ("tests/intake/test_intake.py::test_after_a_restart_a_repeat_is_still_a_repeat",),
    ),
    "another key": Mutation(
        "each try of a notice has a key of its own: who was told twice cannot know it",
        _another_key,
        ("tests/outbox/test_outbox_notices.py::test_a_refused_message_is_sent_again_with_the_same_key",),
    ),
    "outbox after the commit": Mutation(
        "what is to be told is written after the alert's own transaction: a kill between them tells nobody",
        _outbox_after_commit,
        ("tests/journal/test_writer.py::test_a_batch_is_one_transaction",),
    ),
    "silence is absence": Mutation(
        "no tap was heard, so there was none: a reader that is dead or late accuses the guard",
        _silence_is_absence,
        ("tests/rules/test_rounds_completeness.py::test_before_the_first_report_nothing_is_complete",),
    ),
    "overflow drops": Mutation(
        "when the queue is full the newest messages are dropped, and acknowledged",
        _overflow_drops,
        ("tests/intake/test_intake.py::test_a_flood_pauses_the_link_and_goes_on_when_written",),
    ),
    "poison vanishes": Mutation(
        "what cannot be read is acknowledged and logged: the evidence in it is gone",
        _poison_vanishes,
        ("tests/intake/test_intake.py::test_what_cannot_be_read_is_quarantined_with_the_reason_and_acknowledged",),
    ),
    "retained is an event": Mutation(
        "a retained message is taken for news: each reconnect is a tap, or a call for help",
        _retained_is_event,
        ("tests/intake/test_intake.py::test_what_cannot_be_read_is_quarantined_with_the_reason_and_acknowledged",),
    ),
}
