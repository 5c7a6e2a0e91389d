"""DL/T 645: frames under damage, and asking without a port."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.dlt645.decoder import Dlt645Decoder
from device_drivers.dlt645.device import meter_answer
from device_drivers.dlt645.frame import ANYONE, LONGEST, WAKE, bcd, make_frame, read_frame, to_bcd
from device_drivers.dlt645.identifiers import RULES, Edition
from device_drivers.dlt645.poller import Dlt645Poller
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import SettingsError
from device_drivers.observations import Power
from tests.drivers.line import talk

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
METER, OTHER = "201709320072", "071801024091"
VOLTAGE = bytes.fromhex("FEFEFEFE68000000000000689106333434354C56D916")

DIGITS = st.text("0123456789", min_size=12, max_size=12)
FRAMES = st.builds(
    make_frame,
    st.one_of(DIGITS, st.just(ANYONE)),
    st.integers(0, 255),
    st.one_of(st.binary(max_size=20), st.binary(max_size=200)),
)
REPLIES = st.builds(
    lambda address, name, data: make_frame(address, 0x91, bytes.fromhex(name)[::-1] + data),
    DIGITS,
    st.sampled_from(sorted(RULES["2007"].items)),
    st.binary(max_size=14),
)


def observations(found: list[Reading | Reject]) -> list[Any]:
    return [item.observation for item in found if isinstance(item, Reading)]


# -- frames


@given(stream=st.lists(st.one_of(FRAMES, REPLIES, st.binary(max_size=40)), max_size=8).map(b"".join), data=st.data())
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, data: st.DataObject):
    whole, cut = Dlt645Decoder("em"), Dlt645Decoder("em")
    expected = whole.feed(stream, NOW) + whole.reset()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    found: list[Reading | Reject] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += cut.feed(stream[start:end], NOW)
    assert found + cut.reset() == expected


@given(noise=st.binary(max_size=600))
def test_the_next_good_frame_after_a_pause_is_read_whatever_came_before(noise: bytes):
    one = Dlt645Decoder("em")
    one.feed(noise, NOW)
    assert one._hunter.held <= 2 * LONGEST
    assert observations(one.feed(VOLTAGE, LATER))[-1:] == [Power(device="em", at=LATER, volts=231.9)]


@given(noise=st.binary(max_size=600))
def test_nothing_that_arrives_vanishes(noise: bytes):
    one = Dlt645Decoder("em")
    found = one.feed(noise, NOW) + one.reset()
    rejected = b"".join(item.data for item in found if isinstance(item, Reject))
    assert rejected.replace(WAKE, b"") == noise.replace(WAKE, b"") or len(rejected) < len(noise)
    assert one._hunter.held == 0


@given(position=st.integers(4, 21), value=st.integers(0, 255))
def test_one_damaged_byte_never_gives_another_voltage(position: int, value: int):
    damaged = bytearray(VOLTAGE)
    damaged[position] = value
    one = Dlt645Decoder("em")
    found = observations(one.feed(bytes(damaged), NOW) + one.reset())
    assert found == ([Power(device="em", at=NOW, volts=231.9)] if bytes(damaged) == VOLTAGE else [])


@given(address=DIGITS, control=st.integers(0, 255), data=st.binary(max_size=200))
def test_a_frame_that_is_made_reads_back(address: str, control: int, data: bytes):
    assert read_frame(make_frame(address, control, data)) == (address, control, data)


@given(octets=st.integers(1, 6), number=st.integers(-(10**12), 10**12), signed=st.booleans())
def test_numbers_read_back_or_do_not_fit(octets: int, number: int, signed: bool):
    try:
        data = to_bcd(number, octets, signed=signed)
    except ValueError:
        limit = (8 if signed else 10) * 10 ** (2 * octets - 1)
        assert abs(number) >= limit or (number < 0 and not signed)
        return
    assert bcd(data, signed=signed) == number


@pytest.mark.parametrize("octets", [2, 3, 4])
def test_what_is_filled_with_ff_is_no_number(octets: int):
    assert bcd(b"\xff" * octets, signed=True) is None
    assert bcd(b"\xff" * octets, signed=False) is None


# -- asking

DATA: dict[Edition, dict[str, bytes]] = {
    "2007": {
        "00010000": to_bcd(186, 4),
        "02010100": to_bcd(2319, 2),
        "02020100": to_bcd(1500, 3),
        "02030000": to_bcd(3300, 3),
        "02060000": to_bcd(985, 2),
    },
    "1997": {
        "9010": to_bcd(186, 4),
        "B611": to_bcd(232, 2),
        "B621": to_bcd(150, 2),
        "B630": to_bcd(3300, 3),
        "B650": to_bcd(985, 2),
    },
}


def a_meter(address: str = METER, data: dict[str, bytes] | None = None) -> Callable[[bytes], bytes]:
    return lambda request: meter_answer(request, address, DATA["2007"] if data is None else data)


def whole(volts: float = 231.9) -> list[Power]:
    return [Power(device="em", at=NOW, energy_wh=1860, volts=volts, amps=1.5, watts=330, power_factor=0.985)]


def a_poller(**more: Any) -> Dlt645Poller:
    return Dlt645Poller("em", "/dev/ttyUSB0", **{"address": METER, **more})


@pytest.mark.parametrize(("edition", "volts"), [("2007", 231.9), ("1997", 232)])
def test_a_round_gives_one_reading_of_the_meter(edition: Edition, volts: float):
    result = talk(a_poller(edition=edition), a_meter(data=DATA[edition]))
    assert result.seen == whole(volts)
    assert result.reasons == []
    assert all(request.startswith(WAKE * 4 + b"\x68") for request in result.sent)


def test_whoever_is_alone_on_the_line_may_answer():
    assert talk(a_poller(address=None), a_meter(OTHER)).seen == whole()


def test_another_meters_answer_is_not_taken():
    stranger = {name: to_bcd(1, len(data)) for name, data in DATA["2007"].items()}

    def line(request: bytes) -> bytes:
        asked = read_frame(request.lstrip(WAKE))
        return meter_answer(make_frame(OTHER, asked.control, asked.data), OTHER, stranger) + a_meter()(request)

    assert talk(a_poller(), line).seen == whole()


def test_a_late_answer_to_something_else_is_not_taken():
    late = make_frame(METER, 0x91, bytes.fromhex("02010100")[::-1] + to_bcd(9999, 2))
    assert talk(a_poller(), a_meter(), late=late).seen == whole()
    meter = a_meter()
    assert talk(a_poller(), lambda request: late + meter(request)).seen[0].energy_wh == 1860  # type: ignore[union-attr]


def test_an_echo_is_not_the_answer():
    meter = a_meter()
    assert talk(a_poller(), lambda request: request + meter(request)).seen == whole()
    assert talk(a_poller(), lambda request: request).found == []


def test_what_a_meter_does_not_know_is_told_once_and_the_rest_is_read():
    few = {name: data for name, data in DATA["2007"].items() if name != "02060000"}
    poller = a_poller()
    first, second = talk(poller, a_meter(data=few)), talk(poller, a_meter(data=few))
    assert first.reasons == ["02060000: error 02 (no such data)"]
    assert second.reasons == []
    wanted = [Power(device="em", at=NOW, energy_wh=1860, volts=231.9, amps=1.5, watts=330)]
    assert first.seen == second.seen == wanted
    talk(poller, a_meter())
    assert len(talk(poller, a_meter(data=few)).reasons) == 1


def test_absent_values_are_no_values():
    filled = DATA["2007"] | {"02030000": b"\xff" * 3}
    assert talk(a_poller(), a_meter(data=filled)).seen == [
        Power(device="em", at=NOW, energy_wh=1860, volts=231.9, amps=1.5, power_factor=0.985)
    ]


def test_a_silent_meter_is_asked_three_times_then_once_a_round_and_gives_nothing():
    poller = a_poller()
    first, second = talk(poller, lambda _: b""), talk(poller, lambda _: b"")
    assert (len(first.sent), len(second.sent)) == (3, 1)
    assert first.found == second.found == []
    assert talk(poller, a_meter()).seen == whole()


def test_what_was_read_before_the_meter_fell_silent_is_given():
    meter = a_meter()
    left = [1, 1]
    result = talk(a_poller(), lambda request: meter(request) if left and left.pop() else b"")
    assert result.seen == [Power(device="em", at=NOW, energy_wh=1860, volts=231.9)]


def test_a_damaged_answer_is_no_reading_and_told_once():
    poller = a_poller()

    def noisy(request: bytes) -> bytes:
        answer = bytearray(a_meter()(request))
        answer[-2] ^= 0x10
        return bytes(answer)

    (reason,) = talk(poller, noisy).reasons
    assert "checksum" in reason
    assert talk(poller, noisy).found == []


def test_three_phases_are_channels():
    data = {"00010000": to_bcd(186, 4), "02060000": to_bcd(1000, 2)}
    for phase in (1, 2, 3):
        data[f"02010{phase}00"] = to_bcd(2300 + phase, 2)
        data[f"02020{phase}00"] = to_bcd(1000 * phase, 3)
        data[f"02030{phase}00"] = to_bcd(1000 * phase, 3)
    data["02030000"] = to_bcd(6000, 3)
    assert talk(a_poller(phases=3), a_meter(data=data)).seen == [
        Power(device="em", at=NOW, energy_wh=1860, watts=600, power_factor=1),
        *(
            Power(device="em", at=NOW, channel=phase, volts=230 + phase / 10, amps=phase, watts=100 * phase)
            for phase in (1, 2, 3)
        ),
    ]


@given(replies=st.lists(st.one_of(st.binary(max_size=300), FRAMES, REPLIES), max_size=8))
def test_whatever_answers_a_round_ends(replies: list[bytes]):
    left = list(replies)
    poller = a_poller(address=None)
    for _ in range(3):
        talk(poller, lambda _: left.pop() if left else b"")
    assert len(poller._told) < 20


# -- entries

SERIAL = {"serial": "/dev/ttyUSB0"}


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.serial"),
        ({"link": SERIAL, "settings": {"address": 201709320072}}, "settings.address"),
        ({"link": SERIAL, "settings": {"address": "2017093200721"}}, "settings.address"),
        ({"link": SERIAL, "settings": {"address": "AAAA"}}, "settings.address"),
        ({"link": SERIAL, "settings": {"edition": 1997}}, "settings.address"),
        ({"link": SERIAL, "settings": {"edition": 2008}}, "settings.edition"),
        ({"link": SERIAL, "settings": {"phases": 2}}, "settings.phases"),
        ({"link": SERIAL, "settings": {"phases": True}}, "settings.phases"),
        ({"link": SERIAL, "settings": {"every_s": 1}}, "settings.every_s"),
        ({"link": SERIAL, "settings": {"timeout_ms": 1.5}}, "settings.timeout_ms"),
        ({"link": SERIAL, "settings": {"baud": 2400}}, "settings.baud"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["dlt645"].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key


def test_a_short_address_is_filled_with_zeros_in_front():
    make = DRIVERS["dlt645"].line_poller
    assert make is not None
    poller = make(DeviceSettings(id="em", link=SERIAL, settings={"address": "12345"}))
    assert talk(poller, a_meter("000000012345")).seen == whole()
