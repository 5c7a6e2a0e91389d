"""Modbus: frames under damage, asking without a port, and the profiles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import device_drivers.modbus
from device_drivers.catalogue import DRIVERS, MODELS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import SettingsError
from device_drivers.modbus import profile as profiles
from device_drivers.modbus import record
from device_drivers.modbus.decoder import ModbusDecoder
from device_drivers.modbus.device import float_words, long_words, slave_answer, table
from device_drivers.modbus.frames import RTU, TCP, Framing, crc, read_request, rtu_frame, tcp_frame
from device_drivers.modbus.poller import LEAST_SILENCE_S, ModbusPoller
from device_drivers.modbus.profile import ProfileError, shipped, understand
from device_drivers.observations import LampState, LightLevel, Measurement, Power
from tests.drivers.line import talk

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
UCUM = {"1", "%", "Cel", "Hz", "V.A", "V", "A", "W", "Wh", "lx", "hPa"}
FOLDER = Path(device_drivers.modbus.__file__).parent
ADDRESSES = st.integers(0, 255)
FRAMINGS = st.sampled_from([RTU, TCP])


def framed(framing: Framing, address: int, pdu: bytes) -> bytes:
    return rtu_frame(address, pdu) if framing is RTU else tcp_frame(address, pdu, 7)


PDUS = st.one_of(
    st.tuples(st.sampled_from([3, 4]), st.lists(st.integers(0, 255), min_size=1, max_size=60)).map(
        lambda pair: bytes((pair[0], 2 * len(pair[1]))) + bytes(2 * len(pair[1]))
    ),
    st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=20)).map(
        lambda pair: bytes((pair[0], len(pair[1]))) + pair[1]
    ),
    st.tuples(st.integers(1, 6), st.binary(min_size=4, max_size=4)).map(lambda pair: bytes((pair[0],)) + pair[1]),
    st.tuples(st.integers(0x81, 0x90), st.integers(1, 11)).map(bytes),
)


def decoder(framing: Framing = RTU, name: str | None = "nhzd210") -> ModbusDecoder:
    return ModbusDecoder("lux", None if name is None else shipped()[name], framing)


def observations(found: list[Reading | Reject]) -> list[Any]:
    return [item.observation for item in found if isinstance(item, Reading)]


# -- frames


@given(framing=FRAMINGS, data=st.data())
def test_the_outcome_does_not_depend_on_how_bytes_arrive(framing: Framing, data: st.DataObject):
    pieces = st.one_of(
        st.builds(framed, st.just(framing), ADDRESSES, PDUS),
        st.binary(max_size=30),
        st.just(read_request(10, 4, 0, 2, None if framing is RTU else 1)),
    )
    stream = b"".join(data.draw(st.lists(pieces, max_size=8)))
    whole, cut = decoder(framing, None), decoder(framing, None)
    expected = whole.feed(stream, NOW) + whole.reset()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    found: list[Reading | Reject] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += cut.feed(stream[start:end], NOW)
    assert found + cut.reset() == expected


@given(framing=FRAMINGS, noise=st.binary(max_size=400))
def test_the_next_good_frame_after_a_pause_is_read_whatever_came_before(framing: Framing, noise: bytes):
    one = decoder(framing)
    before = one.feed(noise, NOW)
    good = framed(framing, 10, bytes.fromhex("0404") + (296).to_bytes(4, "big"))
    assert observations(one.feed(good, LATER))[-1:] == [LightLevel(device="lux", at=LATER, lux=296)]
    assert all(isinstance(item, (Reading, Reject)) for item in before)


@given(framing=FRAMINGS, noise=st.binary(max_size=600), name=st.sampled_from(sorted(shipped())))
def test_nothing_that_comes_raises_or_stays(framing: Framing, noise: bytes, name: str):
    one = decoder(framing, name)
    found = one.feed(noise, NOW)
    assert one._hunter.held <= 2 * framing.longest
    found += one.reset()
    assert one._hunter.held == 0
    if not any(isinstance(item, Reading) for item in found):
        assert len(b"".join(item.data for item in found if isinstance(item, Reject))) <= len(noise)


@given(position=st.integers(0, 8), value=st.integers(0, 255))
def test_one_damaged_byte_never_gives_another_light(position: int, value: int):
    good = bytes.fromhex("0A04040000012840CA")
    damaged = bytearray(good)
    damaged[position] = value
    one = decoder()
    found = one.feed(bytes(damaged), NOW) + one.reset()
    if bytes(damaged) == good:
        assert observations(found) == [LightLevel(device="lux", at=NOW, lux=296)]
    else:
        assert observations(found) == []
        assert found


@given(name=st.sampled_from(sorted(shipped())), data=st.data())
def test_any_reply_to_a_profiles_reads_is_readings_or_doubts(name: str, data: st.DataObject):
    one = decoder(RTU, name)
    for read in shipped()[name].reads:
        first, count = profiles.span(read)
        octets = (count + 7) // 8 if read.function <= 2 else 2 * count
        reply = bytes((read.function, octets)) + data.draw(st.binary(min_size=octets, max_size=octets))
        found = one.feed(read_request(1, read.function, first, count) + rtu_frame(1, reply), NOW) + one.reset()
        for seen in observations(found):
            for field in ("lux", "watts", "volts", "amps", "power_factor", "energy_wh", "value"):
                number = getattr(seen, field, None)
                assert number is None or abs(number) < 1e301


def test_many_requests_of_other_masters_stay_bounded():
    one = decoder(RTU, "eastron_sdm630")
    for register in range(2000):
        one.feed(read_request(1, 4, register, 2), NOW)
        one.feed(rtu_frame(1, b"\x04\x04" + bytes(4)), NOW)
    assert len(one._by_request) <= 256


def test_the_crc_is_that_of_the_standard():
    assert crc(bytes.fromhex("0083 02".replace(" ", ""))) == bytes.fromhex("9131")


# -- asking


def a_slave(tables: dict[int, dict[int, int]], address: int = 1, framing: Framing = RTU) -> Callable[[bytes], bytes]:
    return lambda request: slave_answer(request, address, tables, framing)


def a_poller(name: str, framing: Framing = RTU, **more: Any) -> ModbusPoller:
    return ModbusPoller("d", shipped()[name], "/dev/ttyUSB0", framing, **more)


LUX = {3: table(6, [1234])}
SEEN = [LightLevel(device="d", at=NOW, lux=1234)]


@pytest.mark.parametrize("framing", [RTU, TCP], ids=["rtu", "tcp"])
def test_a_round_asks_for_what_the_profile_says(framing: Framing):
    result = talk(a_poller("cwt_sl", framing), a_slave(LUX, framing=framing))
    assert result.seen == SEEN
    assert result.sent == [read_request(1, 3, 6, 1, None if framing is RTU else 1)]
    assert result.reasons == []


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_profile_can_be_asked(name: str):
    profile = shipped()[name]
    zeros: dict[int, dict[int, int]] = {n: dict.fromkeys(range(1024), 0) for n in (1, 2, 3, 4)}
    result = talk(a_poller(name, address=profile.address), a_slave(zeros, profile.address))
    kinds = {type(seen).__struct_config__.tag for seen in result.seen}
    assert kinds == set(profile.capabilities)
    assert len(result.sent) == sum(read.poll for read in profile.reads)


def test_silence_is_listened_for_before_each_request():
    result = talk(a_poller("eastron_sdm120", baud=2400), a_slave({4: dict.fromkeys(range(1024), 0)}))
    assert result.listened == [max(LEAST_SILENCE_S, 3.5 * 11 / 2400)] * 3


def test_a_silent_slave_is_asked_three_times_then_once_a_round_and_gives_nothing():
    poller = a_poller("cwt_sl")
    first = talk(poller, lambda _: b"")
    second = talk(poller, lambda _: b"")
    assert (len(first.sent), len(second.sent)) == (3, 1)
    assert first.found == second.found == []
    assert talk(poller, a_slave(LUX)).seen == SEEN
    assert len(talk(poller, lambda _: b"").sent) == 3


def test_an_echo_is_not_the_answer():
    slave = a_slave(LUX)
    assert talk(a_poller("cwt_sl"), lambda request: request + slave(request)).seen == SEEN
    only_echo = talk(a_poller("cwt_sl"), lambda request: request)
    assert only_echo.found == []
    assert not any(only_echo.whole)


@given(noise=st.binary(max_size=40))
def test_noise_before_an_answer_is_passed_over(noise: bytes):
    slave = a_slave(LUX)
    assert talk(a_poller("cwt_sl"), lambda request: noise + slave(request)).seen == SEEN


def test_another_slaves_answer_is_not_taken():
    other = a_slave({3: table(6, [9999])}, 2)
    mine = a_slave(LUX)

    def devices(request: bytes) -> bytes:
        return other(read_request(2, 3, 6, 1)) + mine(request)

    assert talk(a_poller("cwt_sl"), devices).seen == SEEN


def test_a_late_answer_is_not_taken_for_the_next():
    stale = rtu_frame(1, bytes.fromhex("0302") + (9).to_bytes(2, "big"))
    assert talk(a_poller("cwt_sl"), a_slave(LUX), late=stale).seen == SEEN


def test_a_late_answer_within_a_round_does_not_name_the_next_registers():
    meter = {4: dict(enumerate(float_words(*[230.0] * 16))) | table(0x46, [0] * 6) | table(0x156, float_words(5.0))}
    asked: list[bytes] = []

    def slow(request: bytes) -> bytes:
        asked.append(request)
        if len(asked) == 1:
            return b""
        answer = slave_answer(request, 1, meter)
        return answer * 2 if len(asked) == 2 else answer  # the late one, and the one now

    result = talk(a_poller("eastron_sdm120"), slow)
    assert result.reasons == [
        "read of 32 from 0 by function 04: power_factor 230 is not believed (-1 to 1): word order, type or scale?"
    ]
    assert result.seen[-1] == Power(device="d", at=NOW, energy_wh=5000)
    assert result.listened[1:3] == [0.5, 0.5]


def test_an_answer_to_another_tcp_transaction_is_not_taken():
    def devices(request: bytes) -> bytes:
        stale = tcp_frame(1, bytes.fromhex("03020009"), 99)
        return stale + slave_answer(request, 1, LUX, TCP)

    assert talk(a_poller("cwt_sl", TCP), devices).seen == SEEN


def test_an_exception_gives_no_value_and_is_told_once_until_the_read_succeeds():
    poller = a_poller("cwt_sl")
    refused = a_slave({3: {}})
    told = talk(poller, refused)
    assert told.reasons == ["read of 1 from 6 by function 03: exception 2 (illegal address)"]
    assert told.seen == []
    assert told.whole == [True]
    assert talk(poller, refused).found == []
    assert talk(poller, a_slave(LUX)).seen == SEEN
    assert len(talk(poller, refused).reasons) == 1


def test_an_exception_of_one_read_does_not_lose_the_others():
    meter = {4: table(0, float_words(*[0.0] * 16)) | table(0x156, float_words(1.5))}
    result = talk(a_poller("eastron_sdm120"), a_slave(meter))
    assert result.seen[-1] == Power(device="d", at=NOW, energy_wh=1500)
    assert len(result.reasons) == 1


@pytest.mark.parametrize("count", [2, 3])
def test_an_answer_of_another_length_gives_no_value(count: int):
    wrong = rtu_frame(1, bytes((3, 2 * count)) + bytes(2 * count))
    result = talk(a_poller("cwt_sl"), lambda _: wrong)
    assert result.seen == []
    assert result.reasons == [f"read of 1 from 6 by function 03: {2 * count} bytes in the reply, expected 2"]


def test_two_slaves_with_one_address_are_told_of_once_a_trouble():
    slave = a_slave(LUX)

    def both(request: bytes) -> bytes:
        answer = slave(request)
        return bytes(mine & other for mine, other in zip(answer, answer[:5] + b"\x55\x12", strict=True))

    poller = a_poller("cwt_sl")
    (reason,) = talk(poller, both).reasons
    assert "two devices with one address" in reason
    assert talk(poller, both).found == []


def test_relays_are_read_back_by_their_lamps():
    poller = a_poller("waveshare_relay_8", lamps={"2": "lamp-b"})
    coils = table(0, [0, 1, 0, 0, 0, 0, 0, 1])
    result = talk(poller, a_slave({1: coils}))
    assert [(seen.lamp, seen.on) for seen in result.seen if isinstance(seen, LampState)][:3] == [
        ("d/1", False),
        ("lamp-b", True),
        ("d/3", False),
    ]
    assert all(request[1] == 1 for request in result.sent)


def test_pzem_counts_its_low_word_first():
    words = [2301, *long_words(70_000, low_first=True), *long_words(123_456, low_first=True)]
    words += [*long_words(1_000_000, low_first=True), 500, 98, 0xFFFF]
    result = talk(a_poller("pzem004t_v3", address=248), a_slave({4: table(0, words)}, 248))
    assert result.seen == [
        Measurement(device="d", at=NOW, quantity="frequency", value=50, unit="Hz"),
        Measurement(device="d", at=NOW, quantity="power_alarm", value=1),
        Power(device="d", at=NOW, volts=230.1, amps=70, watts=12345.6, energy_wh=1_000_000, power_factor=0.98),
    ]


@settings(max_examples=50)
@given(replies=st.lists(st.binary(max_size=300), max_size=6))
def test_whatever_answers_a_round_ends(replies: list[bytes]):
    left = list(replies)
    poller = a_poller("eastron_sdm120")
    for _ in range(3):
        talk(poller, lambda _: left.pop() if left else b"")
    assert len(poller._told) < 20


# -- profiles


def test_every_profile_has_a_case():
    used = set()
    for path in (FOLDER / "cases").glob("*.yaml"):
        case = yaml.safe_load(path.read_text(encoding="utf-8"))
        default = {"modbus_lux": "nhzd210", "modbus_tcp": "waveshare_poe_relay_8", "modbus_rtu": None}
        named = case.get("device", {}).get("settings", {}).get("profile", default.get(case["driver"], case["driver"]))
        used.add({name.name: name.profile for name in record._NAMES}.get(named, named))
    assert set(shipped()) <= used


def test_every_profile_is_listed_with_its_models():
    listed = {(model.profile, model.vendor, model.model) for model in MODELS if model.driver.startswith("modbus")}
    assert listed == {(name, one.vendor, model) for name, one in shipped().items() for model in one.models}


def test_units_of_profiles_are_of_ucum():
    units = {value.unit for one in shipped().values() for read in one.reads for value in read.values}
    assert units <= UCUM


ACME = """
vendor: Acme
models: [LX-3]
driver: modbus_lux
kind: lux_sensor
source: LX-3 manual
reads:
  - values:
      - {register: 0x0006, type: u32, scale: 0.001, gives: lux}
"""


def test_a_new_model_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "acme_lx3.yaml").write_text(ACME, encoding="utf-8")
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    shipped.cache_clear()
    try:
        (model,) = record._models("modbus_lux")
        entry = DeviceSettings(id="d", link={"serial": "/dev/ttyUSB0"}, settings={"profile": "acme_lx3"})
        DRIVERS["modbus_lux"].check(entry)
        make = DRIVERS["modbus_lux"].line_poller
        assert make is not None
        result = talk(make(entry), a_slave({3: table(6, long_words(46_500))}))
    finally:
        shipped.cache_clear()
    assert (model.vendor, model.model, model.kind, model.capabilities) == (
        "Acme",
        "LX-3",
        "lux_sensor",
        ("light_level",),
    )
    assert result.seen == [LightLevel(device="d", at=NOW, lux=46.5)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reads": []}, "at least one"),
        ({"reads": [{"values": []}]}, "without `values`"),
        ({"reads": [{"values": [{"register": 70_000, "gives": "lux"}]}]}, "register"),
        ({"reads": [{"values": [{"register": 1, "gives": "colour"}]}]}, "colour"),
        ({"reads": [{"values": [{"register": 1, "gives": "lux", "skale": 1}]}]}, "skale"),
        ({"reads": [{"values": [{"register": 1, "gives": "measurement"}]}]}, "quantity"),
        ({"reads": [{"values": [{"register": 1, "gives": "trouble"}]}]}, "mask"),
        ({"reads": [{"values": [{"register": 1, "gives": "lux", "type": "float32", "mask": 1}]}]}, "float"),
        ({"reads": [{"register": 5, "count": 1, "values": [{"register": 1, "gives": "lux"}]}]}, "outside"),
        ({"reads": [{"values": [{"register": 0, "gives": "lux"}, {"register": 500, "gives": "lux"}]}]}, "1 to 125"),
        ({"reads": [{"values": [{"register": 65_535, "type": "u32", "gives": "lux"}]}]}, "65535"),
        ({"every_s": 0}, "every_s"),
        ({"driver": "modbus"}, "driver"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why(change: dict[str, Any], words: str):
    with pytest.raises(ProfileError, match=words):
        understand(yaml.safe_load(ACME) | change)


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "acme.yaml").write_text("vendor: [", encoding="utf-8")
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    shipped.cache_clear()
    try:
        with pytest.raises(ProfileError, match=r"acme\.yaml"):
            shipped()
    finally:
        shipped.cache_clear()


# -- entries

SERIAL = {"serial": "/dev/ttyUSB0"}


@pytest.mark.parametrize(
    ("driver", "entry", "key"),
    [
        ("modbus_rtu", {}, "link.serial"),
        ("modbus_rtu", {"link": {"tcp": "h:502"}}, "link.tcp"),
        ("modbus_rtu", {"link": SERIAL}, "settings.profile"),
        ("modbus_lux", {"link": SERIAL}, "settings.profile"),
        ("modbus_lux", {"link": SERIAL, "settings": {"profile": "acme"}}, "settings.profile"),
        ("modbus_lux", {"link": SERIAL, "settings": {"profile": {"vendor": "Acme"}}}, "settings.profile"),
        ("modbus_lux", {"link": SERIAL, "settings": {"profile": 7}}, "settings.profile"),
        ("modbus_tcp", {}, "link.tcp"),
        ("modbus_tcp", {"link": {"tcp": "10.0.0.7"}}, "link.tcp"),
        ("modbus_tcp", {"link": {"tcp": "10.0.0.7:99999"}}, "link.tcp"),
        ("modbus_tcp", {"link": {"tcp": "10.0.0.7:502"}}, "settings.profile"),
        ("modbus_relay", {"link": {**SERIAL, "tcp": "h:502"}}, "link.serial"),
        ("modbus_relay", {"link": SERIAL, "settings": {"address": 0}}, "settings.address"),
        ("modbus_relay", {"link": SERIAL, "settings": {"address": True}}, "settings.address"),
        ("modbus_relay", {"link": SERIAL, "settings": {"address": 256}}, "settings.address"),
        ("modbus_relay", {"link": SERIAL, "settings": {"lamps": ["a"]}}, "settings.lamps"),
        ("modbus_relay", {"link": SERIAL, "settings": {"every_s": 0}}, "settings.every_s"),
        ("modbus_relay", {"link": SERIAL, "settings": {"timeout_ms": 1}}, "settings.timeout_ms"),
        ("modbus_relay", {"link": SERIAL, "settings": {"baud": 9600}}, "settings.baud"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(driver: str, entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key


def test_a_device_over_tcp_is_asked_over_tcp():
    make = DRIVERS["modbus_eastron_sdm"].line_poller
    assert make is not None
    poller = make(DeviceSettings(id="d", link={"tcp": "10.0.0.7:502"}, settings={"address": 3}))
    assert poller.line == "socket://10.0.0.7:502"
    assert talk(poller, lambda _: b"").sent[0] == read_request(3, 4, 0, 32, 1)
