"""FCARD wands: frames under damage, and emptying one without ever losing a record or claiming what is not proven."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Answer, Give, ProbePoller, Send
from device_drivers.driver import DeviceSettings, Reading, StreamDecoder
from device_drivers.errors import SettingsError
from device_drivers.fcard_wand.device import Wand
from device_drivers.fcard_wand.frame import LONGEST, Cutter, Frame, make_frame, read_frame
from device_drivers.fcard_wand.poller import FcardPoller
from device_drivers.fcard_wand.records import (
    Card,
    Counters,
    card_data,
    counters_data,
    read_cards,
    read_counters,
    read_time,
    time_data,
)
from device_drivers.observations import Incident, ReaderHeartbeat, SyncEnd, TagRead
from tests.drivers.line import NOW, Talk, talk
from tests.drivers.streams import cut, damaged, outcome

ZONE = ZoneInfo("Asia/Shanghai")
DUSK = datetime(2026, 11, 22, 22, 0, tzinfo=ZONE)
MORNING = datetime(2026, 11, 23, 7, 0, tzinfo=ZONE)
CLEAR = {(4, 2), (4, 3)}
READ_ONLY = {(2, 1), (4, 1), (4, 6)}


def a_packet(*cards: Card) -> bytes:
    return make_frame(0, 0x1000, 0x34, 6, len(cards).to_bytes(4, "big") + b"".join(map(card_data, cards)))


PACKET = a_packet(Card(1, 7, DUSK, guard=False, tag="7E7F01"), Card(2, 0, MORNING, guard=True, tag="0A0B0C"))


def decoder() -> StreamDecoder:
    make = DRIVERS["fcard_wand"].stream_decoder
    assert make is not None
    return make(DeviceSettings(id="wand", link={"serial": "-"}))


def a_wand(taps: int, size: int = 1000) -> Wand:
    wand = Wand(MORNING, size)
    for number in range(1, taps + 1):
        wand.tap(f"{number:06X}", DUSK + timedelta(minutes=number))
    return wand


def a_poller(**more: Any) -> FcardPoller:
    return FcardPoller("wand", "-", ZONE, **more)


def tags(heard: Talk) -> list[str]:
    return [seen.tag for seen in heard.seen if isinstance(seen, TagRead)]


def ends(heard: Talk) -> list[datetime]:
    return [seen.complete_to for seen in heard.seen if isinstance(seen, SyncEnd)]


# -- frames and records


@given(
    stream=damaged([PACKET, make_frame(0, 1, 0x32, 1, time_data(DUSK)), make_frame(0, 2, 0x21, 1)])
    | st.binary(max_size=1500),
    places=st.lists(st.integers(0, 1500), max_size=6),
)
def test_however_a_damaged_stream_is_cut_it_says_the_same_and_never_raises(stream: bytes, places: list[int]):
    whole = outcome(decoder, [stream])
    assert outcome(decoder, cut(stream, places)) == whole
    assert outcome(decoder, [bytes([byte]) for byte in stream]) == whole


@given(noise=st.binary(max_size=300))
def test_records_after_noise_and_a_pause_are_read(noise: bytes):
    stream = decoder()
    stream.feed(noise, NOW)
    found = stream.feed(PACKET, NOW + timedelta(seconds=3))
    assert [item.observation.tag for item in found if isinstance(item, Reading)] == ["7E7F01", "0A0B0C"]


@given(pieces=st.lists(st.binary(max_size=900), max_size=8))
def test_no_more_than_a_frame_is_kept(pieces: list[bytes]):
    cutter = Cutter()
    for piece in pieces:
        cutter.feed(piece)
        assert len(cutter._rest) < LONGEST


@given(
    frame=st.builds(
        Frame,
        st.integers(0, 255),
        st.integers(0, 0xFFFF),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=255),
    )
)
def test_any_frame_comes_back_as_it_was_made(frame: Frame):
    made = make_frame(*frame)
    assert made.count(b"\x7e") == 2
    assert read_frame(made[1:-1]) == frame
    assert Cutter().feed(made) == [frame]


@given(
    at=st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
    staff=st.integers(0, 0xFFFE),
    number=st.integers(0, 0xFFFFFF),
)
def test_any_record_and_any_time_comes_back_as_it_was_made(at: datetime, staff: int, number: int):
    at = at.replace(microsecond=0, tzinfo=ZONE)
    card = Card(1, staff, at, guard=False, tag=f"{number:06X}")
    assert read_cards(b"\0\0\0\1" + card_data(card), ZONE) == [card]
    assert read_time(time_data(at), ZONE) == at


@given(
    size=st.integers(1, 10_000), written=st.integers(0, 10_000), read=st.integers(0, 10_000), overflowed=st.booleans()
)
def test_counters_come_back_and_never_count_more_than_the_store_holds(
    size: int, written: int, read: int, overflowed: bool
):
    counters = Counters(size, written % (size + 1), read % (size + 1), overflowed)
    assert read_counters(counters_data(counters)) == counters
    assert 0 <= counters.waiting <= size


# -- emptying a wand


def test_a_wand_is_emptied_its_clock_measured_and_the_hand_over_ended():
    wand, poller = a_wand(200), a_poller()
    heard = talk(poller, wand.answers)
    assert tags(heard) == [f"{number:06X}" for number in range(1, 201)]
    assert heard.seen[0] == ReaderHeartbeat(device="wand", at=MORNING, device_now=MORNING)
    assert heard.seen[-1] == SyncEnd(device="wand", at=MORNING, complete_to=MORNING)
    assert wand.counters == Counters(1000, 200, 200, overflowed=False)
    assert not heard.reasons


def test_a_docked_wand_repeats_its_end_and_is_not_read_again():
    wand, poller = a_wand(3), a_poller()
    talk(poller, wand.answers)
    wand.asked.clear()
    wand.now += timedelta(seconds=30)
    heard = talk(poller, wand.answers)
    assert (tags(heard), ends(heard)) == ([], [wand.now])
    assert wand.asked == [(2, 1), (4, 1)]


def test_nothing_is_moved_before_what_was_read_is_on_disk_and_nothing_is_ever_cleared():
    wand, poller = a_wand(130), a_poller()
    conversation = poller.round()
    answer: Answer | None = None
    unsafe: set[str] = set()
    safe: set[str] = set()
    while True:
        try:
            step = conversation.send(answer)
        except StopIteration:
            break
        answer = None
        if isinstance(step, Give):
            read = {
                item.observation.tag
                for item in step.found
                if isinstance(item, Reading) and isinstance(item.observation, TagRead)
            }
            assert step.safe or not read
            safe |= read
        else:
            assert isinstance(step, Send)
            before = len(wand.asked)
            data = wand.answers(step.data)
            if (4, 4) in wand.asked[before:]:
                assert len(safe) == 130
                unsafe.add("moved")
            answer = Answer(data, NOW, whole=step.ends(data) == len(data))
            assert answer.whole
    assert unsafe == {"moved"}
    assert not CLEAR & set(wand.asked)


@pytest.mark.parametrize("steps", range(1, 12))
def test_a_wand_taken_out_at_any_step_is_asked_for_the_same_records_again(steps: int):
    wand, poller = a_wand(100), a_poller()
    conversation = poller.round()
    answer: Answer | None = None
    told: list[str] = []
    for _ in range(steps):
        try:
            step = conversation.send(answer)
        except StopIteration:
            break
        answer = None
        if isinstance(step, Give):
            told += [
                i.observation.tag for i in step.found if isinstance(i, Reading) and isinstance(i.observation, TagRead)
            ]
        elif isinstance(step, Send):
            data = wand.answers(step.data)
            answer = Answer(data, NOW, whole=True)
    conversation.close()
    poller.lost()
    moved_to = wand.counters.read
    assert told[:moved_to] == [f"{number:06X}" for number in range(1, moved_to + 1)]
    heard = talk(poller, wand.answers)
    assert set(told) | set(tags(heard)) == {f"{number:06X}" for number in range(1, 101)}
    assert ends(heard) == [MORNING]


def test_records_behind_the_end_of_the_store_are_read_from_its_beginning():
    wand, poller = a_wand(95, size=100), a_poller()
    talk(poller, wand.answers)
    for number in range(96, 140):
        wand.tap(f"{number:06X}", DUSK + timedelta(minutes=number))
    heard = talk(poller, wand.answers)
    assert tags(heard) == [f"{number:06X}" for number in range(96, 140)]
    assert wand.counters == Counters(100, 39, 39, overflowed=False)


def test_records_lost_on_the_way_are_asked_for_again():
    wand, poller = a_wand(60), a_poller()
    wand.lost_once = {5, 6, 40}
    heard = talk(poller, wand.answers)
    assert set(tags(heard)) == {f"{number:06X}" for number in range(1, 61)}
    assert ends(heard) == [MORNING]


def test_a_record_that_is_never_sent_ends_no_hand_over_until_it_comes():
    wand, poller = a_wand(10), a_poller()
    kept = wand.store.pop(4)
    heard = talk(poller, wand.answers)
    assert len(tags(heard)) == 9
    assert heard.reasons == ["record 4 was not sent"]
    assert ends(heard) == []
    assert wand.counters.read == 3
    wand.store[4] = kept
    heard = talk(poller, wand.answers)
    assert tags(heard)[0] == "000004"
    assert ends(heard) == [MORNING]
    assert wand.counters.read == 10


def test_an_unreadable_record_is_told_once_and_holds_the_hand_over():
    wand, poller = a_wand(10), a_poller()
    wand.store[4] = wand.store[4][:7] + b"\x0d" + wand.store[4][8:]
    rounds = [talk(poller, wand.answers) for _ in range(3)]
    assert [len(tags(heard)) for heard in rounds] == [9, 0, 0]
    assert ["is no time" in reason for heard in rounds for reason in heard.reasons] == [True]
    assert [ends(heard) for heard in rounds] == [[], [], []]
    assert wand.counters.read == 3


def test_with_pass_an_unreadable_record_is_left_behind():
    wand, poller = a_wand(10), a_poller(incomplete="pass")
    wand.store[4] = wand.store[4][:7] + b"\x0d" + wand.store[4][8:]
    heard = talk(poller, wand.answers)
    assert ends(heard) == [MORNING]
    assert wand.counters.read == 10


def test_an_overflow_is_told_and_ends_no_hand_over():
    wand, poller = a_wand(130, size=100), a_poller()
    assert wand.counters.overflowed
    heard = talk(poller, wand.answers)
    assert tags(heard) == [f"{number:06X}" for number in range(31, 131)]
    assert [seen.code for seen in heard.seen if isinstance(seen, Incident)] == ["wand_overflow"]
    assert ends(heard) == []
    assert wand.counters.overflowed
    passing = a_poller(incomplete="pass")
    assert ends(talk(passing, wand.answers)) == [MORNING]
    assert wand.counters == Counters(100, 30, 30, overflowed=False)


def test_a_clock_that_shows_no_time_ends_no_hand_over_but_the_records_count():
    wand, poller = a_wand(2), a_poller()
    real = wand.answers

    def answers(asked: bytes) -> bytes:
        (frame,) = Cutter().feed(asked)
        assert isinstance(frame, Frame)
        if frame.what == (2, 1):
            return make_frame(0, frame.code, 0x32, 1, b"\xff" * 6)
        return real(asked)

    heard = talk(poller, answers)
    assert len(tags(heard)) == 2
    assert ends(heard) == []
    assert heard.reasons == ["a clock that shows ffffffffffff, expected six bytes BCD"]


def test_a_reply_to_another_question_and_an_echo_are_passed_over():
    wand = a_wand(3)
    stale = make_frame(0, 0x9999, 0x34, 1, counters_data(Counters(1000, 0, 0, overflowed=False)))
    heard = talk(a_poller(), lambda asked: asked + stale + wand.answers(asked))
    assert len(tags(heard)) == 3


def test_a_wand_that_does_not_answer_is_asked_once_a_round():
    wand = a_wand(3)
    wand.deaf = True
    heard = talk(a_poller(), wand.answers)
    assert (heard.seen, len(heard.sent), heard.whole) == ([], 1, [False])


@given(answers=st.lists(st.binary(max_size=60), max_size=12))
def test_whatever_comes_back_nothing_but_reading_is_asked_unless_records_were_read(answers: list[bytes]):
    poller, queue, asked = a_poller(), list(answers), Wand(MORNING)

    def line(data: bytes) -> bytes:
        asked.answers(data)
        return queue.pop() if queue else b""

    for _ in range(3):
        heard = talk(poller, line)
        assert ends(heard) == []
    assert set(asked.asked) <= READ_ONLY


def test_another_wand_in_the_dock_is_left_as_it_is_and_told_once():
    wand, poller = Wand(MORNING, number=9), a_poller(number=7)
    wand.tap("0A0B0C", DUSK)
    rounds = [talk(poller, wand.answers) for _ in range(2)]
    assert [heard.reasons for heard in rounds] == [["wand 09 (hexadecimal) is in the dock, not 07"], []]
    assert set(wand.asked) == {(1, 1)}
    wand.number = 7
    assert tags(talk(poller, wand.answers)) == ["0A0B0C"]


def test_a_wand_that_is_with_its_guard_is_no_fault():
    poller = a_poller()
    assert isinstance(poller, ProbePoller)
    assert poller.unreached(NOW, connected=False) == ()


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"link": {"serial": "/dev/x", "baud": "115200"}}, "settings.timezone"),
        ({"link": {"serial": "/dev/x"}, "settings": {"timezone": "Asia/Shanghai"}}, "link.baud"),
        ({"settings": {"timezone": "Mars/Olympus"}}, "settings.timezone"),
        ({"settings": {"timezone": 8}}, "settings.timezone"),
        ({"settings": {"timezone": "Asia/Shanghai", "people": {"x": "guard-li"}}}, "settings.people"),
        ({"settings": {"timezone": "Asia/Shanghai", "people": ["guard-li"]}}, "settings.people"),
        ({"settings": {"timezone": "Asia/Shanghai", "incomplete": "no"}}, "settings.incomplete"),
        ({"settings": {"timezone": "Asia/Shanghai", "clear": True}}, "settings.clear"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["fcard_wand"].check(
            DeviceSettings(**{"id": "wand", "link": {"serial": "/dev/x", "baud": "115200"}, **entry})
        )
    assert refused.value.key == key
