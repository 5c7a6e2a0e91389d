"""DALI: messages of the converter under damage, and asking gears without a port."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.dali import gear as dali
from device_drivers.dali.decoder import dali_decoder
from device_drivers.dali.device import NO_POWER, Converter, Gear, level, status
from device_drivers.dali.message import (
    ANSWERED,
    EVENT,
    EXCHANGES,
    LONGEST,
    SEND,
    UNANSWERED,
    exchange,
    make_message,
    message_length,
    read_message,
    send,
)
from device_drivers.dali.poller import DaliPoller
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import SettingsError
from device_drivers.observations import LampFault, LampState
from tests.drivers.line import talk

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
LIT = status(12, 0x04)
ON = LampState(device="lamp", at=NOW, on=True)

DATA = st.one_of(
    st.binary(min_size=2, max_size=13),
    st.builds(lambda kind, rest: bytes((kind, *rest)), st.sampled_from(EXCHANGES), st.binary(min_size=1, max_size=12)),
)
MESSAGES = st.builds(make_message, DATA)
ANSWERS = st.builds(
    lambda make, address, answer: make(address, answer),
    st.sampled_from([status, level]),
    st.integers(0, dali.HIGHEST_ADDRESS),
    st.integers(0, 255),
)


def observations(found: list[Reading | Reject]) -> list[Any]:
    return [item.observation for item in found if isinstance(item, Reading)]


# -- messages


@given(stream=st.lists(st.one_of(MESSAGES, ANSWERS, st.binary(max_size=40)), max_size=8).map(b"".join), data=st.data())
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, data: st.DataObject):
    whole, cut = dali_decoder("lamp"), dali_decoder("lamp")
    expected = whole.feed(stream, NOW) + whole.reset()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    found: list[Reading | Reject] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += cut.feed(stream[start:end], NOW)
    assert found + cut.reset() == expected


@given(noise=st.one_of(st.binary(max_size=300), st.text("\x01\x1701AF", max_size=300).map(str.encode)))
def test_the_next_good_message_after_a_pause_is_read_whatever_came_before(noise: bytes):
    one = dali_decoder("lamp", address=12)
    one.feed(noise, NOW)
    assert one._hunter.held <= 2 * LONGEST
    assert observations(one.feed(LIT, LATER))[-1:] == [LampState(device="lamp", at=LATER, on=True)]


@given(noise=st.text("\x01\x1701AFg", max_size=200).map(str.encode))
def test_a_message_is_read_behind_noise_without_a_pause(noise: bytes):
    one = dali_decoder("lamp", address=12)
    assert observations(one.feed(noise + LIT, NOW))[-1:] == [ON]


@given(position=st.integers(0, len(LIT) - 1), value=st.integers(0, 255))
def test_one_damaged_byte_never_gives_another_lamp_or_state(position: int, value: int):
    damaged = bytearray(LIT)
    damaged[position] = value
    one = dali_decoder("lamp")
    found = observations(one.feed(bytes(damaged), NOW) + one.reset())
    assert found == ([LampState(device="lamp", at=NOW, lamp="lamp/12", on=True)] if bytes(damaged) == LIT else [])


@given(data=DATA)
def test_a_message_that_is_made_reads_back(data: bytes):
    octets = make_message(data)
    assert message_length(octets, 0) == len(octets)
    assert read_message(octets) == data


@given(data=DATA)
def test_what_passed_on_the_bus_is_taken_apart_or_refused(data: bytes):
    try:
        heard = exchange(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017  what is refused is told why
        return
    if heard is not None:
        assert len(heard.frame) == (heard.bits + 7) // 8


def test_the_manuals_examples_are_what_is_made():
    assert make_message(b"\x01\x00\x10\xff\x10") == b"\x01010010FF10DF\x17"
    assert send(b"\x03\x90") == b"\x010B051003900" + b"04C\x17"


# -- gears


@pytest.mark.parametrize("frame", ["FF90", "FE80", "8190", "8590", "C101", "A300", "1880"])
def test_groups_all_levels_and_special_commands_ask_no_single_gear(frame: str):
    assert dali.asked(bytes.fromhex(frame)) is None


@given(address=st.integers(0, 63), query=st.integers(0, 255))
def test_a_question_names_its_gear(address: int, query: int):
    assert dali.asked(dali.question(address, query)) == (address, query)


@given(first=st.sampled_from([None, 0x00, 0x01, 0x02, 0x03]), second=st.sampled_from([None, 0x00, 0x01, 0x04, 0x08]))
def test_a_missing_answer_never_ends_a_fault(first: int | None, second: int | None):
    for fault, active in dali.faults(first, second, emergency=True).items():
        if active is False:
            assert second is not None
            assert first is not None or fault == "emergency_battery"


# -- asking


def a_poller(**more: Any) -> DaliPoller:
    return DaliPoller("lamp", "/dev/ttyUSB0", **{"address": 12, **more})


def bus(**gears: Gear) -> Converter:
    return Converter({int(name[1:]): gear for name, gear in gears.items()})


def state(on: bool | None = True, level: float | None = 1.0) -> LampState:
    return LampState(device="lamp", at=NOW, on=on, level=level)


def fault(name: str, active: bool = True) -> LampFault:
    return LampFault(device="lamp", at=NOW, fault=name, active=active)


WELL = [fault("control_gear_failure", False), fault("lamp_failure", False)]


def test_a_round_gives_state_and_level_and_that_all_is_well_once():
    poller, line = a_poller(), bus(g12=Gear(on=True, level=127))
    first, second = talk(poller, line.answers), talk(poller, line.answers)
    assert first.seen == [state(level=0.5), *WELL]
    assert second.seen == [state(level=0.5)]
    assert first.reasons == second.reasons == []


def test_off_is_said_by_the_gear_alone():
    assert talk(a_poller(), bus(g12=Gear(on=False, level=0)).answers).seen[0] == state(on=False, level=0.0)


def test_only_questions_are_sent_at_the_lowest_priority():
    for emergency in (False, True):
        sent = b"".join(talk(a_poller(emergency=emergency), bus(g12=Gear(on=True, failures=0)).answers).sent)
        messages = [read_message(b"\x01" + each) for each in sent.split(b"\x01")[1:]]
        assert {(data[0], data[1], data[2]) for data in messages} == {(SEND, 5, 16)}
        frames = [data[3:5].hex() for data in messages]
        assert frames == ["1990", "19a0", *(["c101", "19fc"] if emergency else [])]
        assert [data[5] for data in messages] == [0, 0, *([2, 0] if emergency else [])]


def test_faults_are_told_while_they_stand_and_their_end_once():
    poller, line = a_poller(), bus(g12=Gear(on=False, level=254, lamp_failure=True))
    standing = [state(on=False), fault("lamp_failure")]
    assert talk(poller, line.answers).seen == [
        state(on=False),
        fault("control_gear_failure", False),
        fault("lamp_failure"),
    ]
    assert talk(poller, line.answers).seen == standing
    line.gears[12] = Gear(on=True)
    assert talk(poller, line.answers).seen == [state(), fault("lamp_failure", False)]
    assert talk(poller, line.answers).seen == [state()]


def test_after_the_line_was_cut_the_ends_of_faults_are_told_again():
    poller, line = a_poller(), bus(g12=Gear(on=True))
    talk(poller, line.answers)
    assert poller.lost() == ()
    assert talk(poller, line.answers).seen == [state(), *WELL]


def test_level_255_is_no_level():
    assert talk(a_poller(), bus(g12=Gear(on=True, level=255)).answers).seen[0] == state(level=None)


def test_a_gear_that_is_silent_gives_nothing_and_is_then_asked_once_a_round():
    poller, line = a_poller(), bus(g13=Gear(on=False))
    first, second = talk(poller, line.answers), talk(poller, line.answers)
    assert (len(first.sent), len(second.sent)) == (2, 1)
    assert first.found == second.found == []
    assert first.whole == [True, True]  # the converter lives: the line is not held up
    line.gears[12] = Gear(on=True)
    assert talk(poller, line.answers).seen == [state(), *WELL]


def test_a_converter_that_is_silent_gives_nothing():
    result = talk(a_poller(), lambda _: b"")
    assert result.found == []
    assert result.whole == [False, False]


def test_a_fault_stands_while_the_gear_is_silent():
    poller, line = a_poller(), bus(g12=Gear(on=True, lamp_failure=True))
    talk(poller, line.answers)
    line.gears.clear()
    assert talk(poller, line.answers).found == []
    line.gears[12] = Gear(on=True)
    assert talk(poller, line.answers).seen == [state(), fault("lamp_failure", False)]


def test_what_other_masters_do_is_passed_over():
    line = bus(g12=Gear(on=True), g7=Gear(on=False, level=0, lamp_failure=True))

    def busy(request: bytes) -> bytes:
        others = [b"\xfe\x80", b"\x19\x00", b"\x0f\x90", b"\x0f\xa0", b"\x0f\x92", b"\xa1\xe0\x02"]
        before = b"".join(line.other_master(frame) for frame in others)
        return before + make_message(bytes((EVENT, 0))) + line.answers(request) + before

    assert talk(a_poller(), busy).seen == [state(), *WELL]


def test_the_same_question_of_another_master_is_not_our_answer():
    line = bus(g12=Gear(on=True))
    heard = line.other_master(dali.question(12, dali.STATUS))
    assert talk(a_poller(), lambda _: heard).found == []


def test_a_late_answer_to_something_else_is_not_taken():
    late = level(12, 0) + status(11, 0x00) + make_message(bytes((UNANSWERED, 16, 0x17, 0xA0)))
    assert talk(a_poller(), bus(g12=Gear(on=True)).answers, late=late).seen == [state(), *WELL]


def test_one_spoilt_answer_is_asked_for_again():
    line, spoilt = bus(g12=Gear(on=True)), [True]

    def once(request: bytes) -> bytes:
        answer = bytearray(line.answers(request))
        if spoilt and spoilt.pop():
            answer[-2] ^= 1
        return bytes(answer)

    result = talk(a_poller(), once)
    assert result.seen == [state(), *WELL]
    (reason,) = result.reasons
    assert "checksum" in reason


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda line: line.gears.update({12: Gear(on=True, twin=True)}), "two gears with this address"),
        (lambda line: setattr(line, "powered", False), "the bus has no power"),
    ],
)
def test_trouble_gives_no_lamp_and_is_told_once_until_it_answers_again(spoil: Callable[[Converter], None], words: str):
    poller, line = a_poller(), bus(g12=Gear(on=True))
    for _ in range(2):
        line.powered, line.gears[12] = True, Gear(on=True)
        talk(poller, line.answers)
        spoil(line)
        first, second = talk(poller, line.answers), talk(poller, line.answers)
        assert first.seen == second.seen == []
        (reason,) = first.reasons
        assert words in reason
        assert second.reasons == []


def test_a_status_that_no_gear_with_an_address_can_give_is_no_state_and_told_once():
    poller = a_poller()
    for wanted in (1, 0):
        result = talk(poller, lambda request: status(12, 0x44) if b"1990" in request else level(12, 254))
        assert result.seen == []
        assert len(result.reasons) == wanted
    assert talk(poller, bus(g12=Gear(on=True)).answers).seen == [state(), *WELL]


def test_a_level_that_cannot_be_read_leaves_the_state():
    result = talk(
        a_poller(),
        lambda request: LIT if b"1990" in request else make_message(bytes((ANSWERED, 16, 0x19, 0xA0, 0))),
    )
    assert result.seen == [state(level=None), *WELL]
    assert len(result.reasons) == 1


@pytest.mark.parametrize(
    ("failures", "wanted"),
    [
        (0x00, []),
        (0x01, ["control_gear_failure"]),
        (0x08, ["lamp_failure"]),
        *((1 << bit, ["emergency_battery"]) for bit in (1, 2, 4, 5, 6, 7)),
    ],
)
def test_emergency_gear_tells_of_its_battery(failures: int, wanted: list[str]):
    result = talk(a_poller(emergency=True), bus(g12=Gear(on=True, failures=failures)).answers)
    told = [item for item in result.seen if isinstance(item, LampFault)]
    assert [item.fault for item in told if item.active] == wanted
    assert len(told) == 3


def test_emergency_gear_without_an_answer_about_its_battery_is_told_once_and_ends_no_fault():
    poller, line = a_poller(emergency=True), bus(g12=Gear(on=True, failures=0x0C, lamp_failure=True))
    talk(poller, line.answers)
    line.gears[12] = Gear(on=True)
    first, second = talk(poller, line.answers), talk(poller, line.answers)
    assert first.seen == second.seen == [state()]
    assert first.reasons == ["gear 12, failures of emergency gear: none, though `emergency: true`"]
    assert second.reasons == []


def test_the_lamp_may_have_an_entry_of_its_own():
    seen = talk(a_poller(lamp="lamp-garage-1"), bus(g12=Gear(on=True, gear_failure=True)).answers).seen
    assert {item.lamp for item in seen if isinstance(item, LampState | LampFault)} == {"lamp-garage-1"}


@given(
    replies=st.lists(st.one_of(st.binary(max_size=200), MESSAGES, ANSWERS, st.just(status(12, 7))), max_size=8),
    emergency=st.booleans(),
)
def test_whatever_answers_a_round_ends(replies: list[bytes], emergency: bool):
    left = list(replies)
    poller = a_poller(emergency=emergency)
    for _ in range(3):
        talk(poller, lambda _: left.pop() if left else b"")
    assert len(poller._complaints) <= 3


@given(stream=st.lists(st.one_of(MESSAGES, st.just(send(b"\x19\x90")), st.binary(max_size=20))).map(b"".join))
def test_a_converter_bears_whatever_it_is_sent(stream: bytes):
    line = bus(g12=Gear(on=True))
    answers = line.answers(stream) + line.answers(b"\x17" + send(b"\x19\x90"))
    assert answers.endswith(LIT)


def test_a_converter_without_power_on_its_bus_says_so():
    line = bus(g12=Gear(on=True))
    line.powered = False
    assert line.answers(send(b"\x19\x90")) == make_message(bytes((EVENT, NO_POWER)))
    assert line.answers(make_message(b"\x06\x03")) == make_message(b"\x07\x03\x00\x01")


# -- entries

SERIAL = {"serial": "/dev/ttyUSB0", "baud": "19200", "parity": "E"}


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.serial"),
        ({"link": {"serial": "/dev/ttyUSB0"}, "settings": {"address": 1}}, "link.baud"),
        ({"link": SERIAL}, "settings.address"),
        ({"link": SERIAL, "settings": {"address": 64}}, "settings.address"),
        ({"link": SERIAL, "settings": {"address": "5"}}, "settings.address"),
        ({"link": SERIAL, "settings": {"address": True}}, "settings.address"),
        ({"link": SERIAL, "settings": {"address": 1, "converter": "sci2"}}, "settings.converter"),
        ({"link": SERIAL, "settings": {"address": 1, "lamp": 7}}, "settings.lamp"),
        ({"link": SERIAL, "settings": {"address": 1, "emergency": "yes"}}, "settings.emergency"),
        ({"link": SERIAL, "settings": {"address": 1, "every_s": 1}}, "settings.every_s"),
        ({"link": SERIAL, "settings": {"address": 1, "timeout_ms": 1.5}}, "settings.timeout_ms"),
        ({"link": SERIAL, "settings": {"address": 1, "group": 3}}, "settings.group"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["dali"].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key


@pytest.mark.parametrize(("line", "hangs_up"), [("/dev/ttyUSB0", False), ("socket://10.0.0.9:23", True)])
def test_only_a_connection_is_closed_after_each_round(line: str, hangs_up: bool):
    make = DRIVERS["dali"].line_poller
    assert make is not None
    assert make(DeviceSettings(id="lamp", link={"serial": line}, settings={"address": 0})).hangs_up is hangs_up
