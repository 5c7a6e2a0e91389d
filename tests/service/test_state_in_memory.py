"""What stands in memory while a state is stored, or a long file judged."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, timedelta
from unittest.mock import patch

import msgspec

from device_drivers.observations import ReaderHeartbeat
from gateway.instants import DAY, MINUTE, SECOND, moment
from gateway.judgement import Judgement
from gateway.recovery import state_of
from gateway.repeats import Repeats
from gateway.replay import replay_lines
from tests.rules.walk import clock, estate


def test_a_state_stands_in_memory_once_while_it_is_made() -> None:
    judgement, repeats = Judgement(estate(), clock("21:00")), Repeats(lambda _device, _order: [], whole=True)
    for number in range(60_000):
        at = clock("21:30") + number * SECOND
        stamp = moment(at, UTC)
        judgement.apply(ReaderHeartbeat(device="rdr-gate", at=stamp, boot="b", last_seq=0, device_now=stamp), at)
    judgement.drain()
    state_of(judgement, repeats)
    gc.collect()
    tracemalloc.start()
    try:
        state = state_of(judgement, repeats)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(state) > 1_000_000
    assert peak < 2 * len(state)
    whole = msgspec.msgpack.decode(state)
    assert msgspec.msgpack.decode(whole["judgement"]).keys() == judgement.state().keys()


def test_what_a_gateway_would_write_is_let_go_while_a_file_is_judged() -> None:
    kept: list[int] = []
    discard = Judgement.discard

    def counting(self: Judgement) -> None:
        kept.append(len(self._revisions))
        discard(self)

    def lines() -> list[bytes]:
        first = moment(clock("21:00"), UTC)
        every = timedelta(microseconds=MINUTE)
        beats = (first + number * every for number in range(10 * DAY // MINUTE))
        return [
            b'{"device":"rdr-gate","kind":"reader_heartbeat","at":"%b"}\n' % at.isoformat().encode() for at in beats
        ]

    with patch.object(Judgement, "discard", counting):
        found = replay_lines(estate(), lines()).document
    assert sum(kept) >= 8
    assert max(kept) * 3 < len([visit for each in found["rounds"] for visit in each.visits])
