"""Sparkplug B: the wire format, the datatypes, and the life of a node."""

from __future__ import annotations

import json
import os
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder, Readings
from device_drivers.errors import DecodeError
from device_drivers.observations import DeviceStatus, LightLevel, Measurement
from device_drivers.sparkplug.datatypes import Datatype, read_array, read_integer
from device_drivers.sparkplug.device import EdgeNode, Message, Sample
from device_drivers.sparkplug.payload import read_payload, read_value, rebirth
from device_drivers.sparkplug.wire import fields, varint, write_bytes, write_number, write_varint

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")
ARRAYS = [
    each
    for each in (json.loads(Path(VECTORS).read_text(encoding="utf-8")) if VECTORS else [])
    if each["format"] == "sparkplug_b_array"
]
NAMES = {datatype.name.replace("_", "").lower(): datatype for datatype in Datatype}


def node(**settings: Any) -> MessageDecoder:
    make = DRIVERS["sparkplug"].message_decoder
    assert make is not None
    return make("s", DeviceSettings(id="n", link={"mqtt": "spBv1.0/g/n"}, settings=settings))


def device(**settings: Any) -> MessageDecoder:
    make = DRIVERS["sparkplug"].message_decoder
    assert make is not None
    return make("s", DeviceSettings(id="d", link={"mqtt": "spBv1.0/g/n/d"}, settings=settings))


def told(decoder: MessageDecoder, message: Message, at: datetime = NOW) -> Readings:
    found = decoder.decode(message.topic, message.payload, at)
    return found if isinstance(found, Readings) else Readings(found)


def asked(found: Readings) -> bool:
    for topic, payload in found.publish:
        assert topic == "spBv1.0/g/NCMD/n"
        metric = read_payload(payload).metrics[0]
        assert (metric.name, read_value(payload, metric, metric.datatype)) == ("Node Control/Rebirth", True)
    return bool(found.publish)


@pytest.mark.parametrize("vector", ARRAYS, ids=lambda each: each["id"])
def test_the_arrays_of_the_specification_are_read_little_endian_only(vector: dict[str, Any]):
    data = bytes.fromhex(vector["input_hex"])
    expected = vector["expected"]
    datatype = NAMES[expected["type"].lower()]
    if vector["kind"] == "positive":
        assert read_array(data, datatype) == pytest.approx(expected["values"])
        return
    printed = next(value for key, value in expected.items() if key.startswith("values"))
    try:
        found = read_array(data, datatype)
    except DecodeError:
        return
    assert found != pytest.approx(printed)  # read as what the bytes say, never as what is printed beside them


@pytest.mark.parametrize(
    ("datatype", "data", "values"),
    [
        (Datatype.INT8_ARRAY, "e97b", [-23, 123]),
        (Datatype.INT16_ARRAY, "d08ae67f", [-30000, 32742]),
        (Datatype.INT32_ARRAY, "fdffffff", [-3]),
        (Datatype.UINT8_ARRAY, "17fa", [23, 250]),
        (Datatype.UINT32_ARRAY, "34000000ffffffff", [52, 4294967295]),
        (Datatype.FLOAT_ARRAY, "0000c03f", [1.5]),
        (Datatype.DOUBLE_ARRAY, "000000000000f83f", [1.5]),
        (Datatype.BOOLEAN_ARRAY, "0c00000034d0", [bool(int(bit)) for bit in "001101001101"]),
        (Datatype.BOOLEAN_ARRAY, "00000000", []),
        (Datatype.DATETIME_ARRAY, "c7d0907524010000", [1256102875335]),
        (Datatype.STRING_ARRAY, "00", [""]),
        (Datatype.STRING_ARRAY, "", []),
        (Datatype.INT64_ARRAY, "", []),
    ],
)
def test_an_array_is_its_values(datatype: Datatype, data: str, values: list[Any]):
    assert read_array(bytes.fromhex(data), datatype) == values


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        (Datatype.INT16_ARRAY, "d08ae6"),
        (Datatype.DATETIME_ARRAY, "c7d090752401b8bab8978101"),
        (Datatype.BOOLEAN_ARRAY, "0c0000"),
        (Datatype.BOOLEAN_ARRAY, "ffffffff34d0"),
        (Datatype.BOOLEAN_ARRAY, "0c00000034d000"),
        (Datatype.STRING_ARRAY, "414243"),
        (Datatype.STRING_ARRAY, "ff00"),
        (Datatype.FLOAT, "0000c03f"),
    ],
)
def test_a_broken_array_is_refused(datatype: Datatype, data: str):
    with pytest.raises(DecodeError):
        read_array(bytes.fromhex(data), datatype)


@pytest.mark.parametrize(
    ("datatype", "bits", "value"),
    [
        (Datatype.INT8, 0xFD, -3),
        (Datatype.INT8, 0xFFFFFFFD, -3),
        (Datatype.INT32, 0xFFFFFFFF, -1),
        (Datatype.INT64, (1 << 64) - 5, -5),
        (Datatype.INT32, (1 << 64) - 5, -5),
        (Datatype.UINT64, (1 << 64) - 1, (1 << 64) - 1),
        (Datatype.INT8, 200, -56),
        (Datatype.INT8, 300, None),
        (Datatype.UINT8, 256, None),
        (Datatype.UINT16, 1 << 16, None),
    ],
)
def test_a_whole_number_has_the_range_of_its_datatype(datatype: Datatype, bits: int, value: int | None):
    if value is not None:
        assert read_integer(bits, datatype) == value
        return
    with pytest.raises(DecodeError, match=datatype.name):
        read_integer(bits, datatype)


@given(st.integers(0, (1 << 64) - 1))
def test_a_number_written_is_read(number: int):
    data = write_varint(number)
    assert varint(data, 0, len(data)) == (number, len(data))
    assert fields(write_number(5, number), 0, len(data) + 1) == [(5, 0, number, 0, 0)]


@pytest.mark.parametrize(
    "data", ["08", "0880", "08ffffffffffffffffff7f", "08" + "80" * 11, "00", "0b", "0f", "12", "1205", "09", "0d00"]
)
def test_broken_fields_are_refused(data: str):
    with pytest.raises(DecodeError):
        fields(bytes.fromhex(data), 0, len(data) // 2)


def test_a_number_does_not_borrow_bytes_from_behind_its_message():
    with pytest.raises(DecodeError):
        fields(bytes.fromhex("0880808001"), 0, 3)


def test_a_gap_in_the_sequence_asks_for_a_rebirth_once_in_a_while():
    edge, decoder = EdgeNode("g", "n"), node()
    assert not asked(told(decoder, edge.birth(NOW)))
    for _ in range(300):  # the number wraps at 256
        assert not asked(told(decoder, edge.data(NOW, [])))
    edge.data(NOW, [])
    assert asked(told(decoder, edge.data(NOW, [])))
    edge.data(NOW, [])
    assert not asked(told(decoder, edge.data(NOW, []), NOW + timedelta(seconds=29)))
    edge.data(NOW, [])
    assert asked(told(decoder, edge.data(NOW, []), NOW + timedelta(seconds=31)))


def test_messages_of_a_nodes_devices_count():
    edge, decoder = EdgeNode("g", "n"), node()
    told(decoder, edge.birth(NOW))
    assert not asked(told(decoder, edge.device_birth("d", NOW, [])))
    assert not asked(told(decoder, edge.data(NOW, [])))
    edge.device_data("d", NOW, [])
    assert asked(told(decoder, edge.data(NOW, [])))


def test_values_by_an_unknown_alias_are_kept_and_asked_for():
    edge, decoder = EdgeNode("g", "n"), device()
    edge.birth(NOW)
    found = told(decoder, edge.device_data("d", NOW, [Sample("", Datatype.INT32, 5, alias=7)]))
    assert list(found) == []
    assert "alias 7" in found.rejects[0].reason
    assert asked(found)
    told(decoder, edge.device_birth("d", NOW, [Sample("x", Datatype.INT32, 4, alias=7)]))
    found = told(decoder, edge.device_data("d", NOW, [Sample("", Datatype.INT32, 5, alias=7)]))
    assert [reading.observation for reading in found] == [Measurement(device="d", at=NOW, quantity="x", value=5)]


def test_a_new_life_of_the_node_forgets_the_aliases_of_its_devices():
    edge, decoder = EdgeNode("g", "n"), device()
    told(decoder, edge.birth(NOW))
    told(decoder, edge.device_birth("d", NOW, [Sample("x", Datatype.INT32, 4, alias=7)]))
    told(decoder, edge.birth(NOW))
    assert told(decoder, edge.device_data("d", NOW, [Sample("", Datatype.INT32, 5, alias=7)])).rejects


def test_only_the_death_of_this_life_takes_a_device_off_line():
    decoder = device()
    told(decoder, EdgeNode("g", "n", bd_seq=4).birth(NOW))
    assert told(decoder, EdgeNode("g", "n", bd_seq=3).death()) == []
    found = told(decoder, EdgeNode("g", "n", bd_seq=4).death())
    assert [reading.observation for reading in found] == [
        DeviceStatus(device="d", at=NOW, online=False, reason="node_death")
    ]


def test_metrics_about_the_node_itself_are_no_observations_by_alias_either():
    edge, decoder = EdgeNode("g", "n"), node()
    told(decoder, edge.birth(NOW, [Sample("Node Control/Reboot", Datatype.BOOLEAN, False, alias=1)]))
    found = told(decoder, edge.data(NOW, [Sample("", Datatype.BOOLEAN, True, alias=1)]))
    assert (list(found), list(found.rejects), asked(found)) == ([], [], False)


def test_historical_values_count_at_their_own_times():
    edge, decoder = EdgeNode("g", "n"), node(map=[{"metric": "lux", "to": "light_level"}])
    told(decoder, edge.birth(NOW))
    before = NOW - timedelta(hours=1)
    samples = [Sample("lux", Datatype.FLOAT, 1.0, at=before, historical=True), Sample("lux", Datatype.FLOAT, 2.0)]
    found = [reading.observation for reading in told(decoder, edge.data(NOW, samples))]
    assert found == [LightLevel(device="n", at=before, lux=1), LightLevel(device="n", at=NOW, lux=2)]


def test_whole_numbers_that_no_measurement_holds_are_named_and_the_others_count():
    edge, decoder = EdgeNode("g", "n"), node()
    told(decoder, edge.birth(NOW))
    samples = [
        Sample("near", Datatype.INT64, -(10**15)),
        Sample("far", Datatype.INT64, -4270929666821191986),
        Sample(
            "list", Datatype.UINT64_ARRAY, (52).to_bytes(8, "little") + (16444743074749521625).to_bytes(8, "little")
        ),
    ]
    found = told(decoder, edge.data(NOW, samples))
    assert [(each.observation.quantity, each.observation.value) for each in found] == [("near", -1e15), ("list.0", 52)]
    (reject,) = found.rejects
    assert reject.reason == (
        "far: -4270929666821191986 is no measurement; list.1: 16444743074749521625 is no measurement"
    )


def test_a_mapped_whole_number_keeps_all_its_digits():
    edge, decoder = EdgeNode("g", "n"), node(map=[{"metric": "card", "to": "tag_read", "form": "decimal"}])
    told(decoder, edge.birth(NOW))
    found = told(decoder, edge.data(NOW, [Sample("card", Datatype.UINT64, 0x04A1B2C3D4E5F6)]))
    assert [each.observation.tag for each in found] == ["04A1B2C3D4E5F6"]


def test_an_array_of_times_of_a_wrong_length_is_named_and_costs_neither_the_other_values_nor_the_birth():
    for mapping in ({}, {"map": [{"metric": "x", "to": "measurement"}, {"metric": "times", "to": "measurement"}]}):
        edge, decoder = EdgeNode("g", "n"), node(**mapping)
        broken = Sample("times", Datatype.DATETIME_ARRAY, bytes.fromhex("c7d090752401b8bab8978101"), alias=1)
        samples = [broken, Sample("x", Datatype.INT32, 4, alias=2)]
        for message in (edge.birth(NOW, samples), edge.data(NOW, [each._replace(name="") for each in samples])):
            found = told(decoder, message)
            assert Measurement(device="n", at=NOW, quantity="x", value=4) in [each.observation for each in found]
            (reject,) = found.rejects
            assert "DATETIME_ARRAY: 12 bytes, expected a multiple of 8" in reject.reason
        assert not asked(told(decoder, edge.data(NOW, [Sample("", Datatype.INT32, 5, alias=2)])))
    whole = Sample("times", Datatype.DATETIME_ARRAY, bytes.fromhex("c7d0907524010000"))
    found = told(node(), EdgeNode("g", "n").birth(NOW, [whole]))
    assert (len(found), list(found.rejects)) == (1, [])


def test_a_value_that_the_mapping_does_not_know_costs_neither_the_other_values_nor_the_birth():
    edge = EdgeNode("g", "n")
    decoder = node(
        map=[{"metric": "on", "to": "lamp_state", "values": {"ON": True}}, {"metric": "lux", "to": "light_level"}]
    )
    on, lux = Sample("on", Datatype.STRING, "STUCK"), Sample("lux", Datatype.INT32, 5)
    birth = told(decoder, edge.birth(NOW, [on, lux]))
    assert [type(reading.observation) for reading in birth] == [DeviceStatus, LightLevel]
    assert "on" in birth.rejects[0].reason
    data = told(decoder, edge.data(NOW, [Sample("lux", Datatype.INT32, 6)]))
    assert [reading.observation for reading in data] == [LightLevel(device="n", at=NOW, lux=6)]
    assert not asked(data)


def test_a_message_of_nothing_but_a_broken_value_still_asks_for_what_is_missing():
    edge, decoder = EdgeNode("g", "n"), node()
    edge.birth(NOW)
    found = told(decoder, edge.data(NOW, [Sample("times", Datatype.DATETIME_ARRAY, bytes(3))]))
    assert (list(found), len(found.rejects), asked(found)) == ([], 1, True)


@pytest.mark.parametrize("unpacked", [1 << 20, (1 << 20) + 1])
def test_a_small_message_that_unpacks_to_much_is_refused(unpacked: int):
    packed = zlib.compress(write_bytes(9, bytes(unpacked - 4)))
    payload = write_bytes(4, b"SPBV1.0_COMPRESSED") + write_bytes(5, packed)
    if unpacked > 1 << 20:
        with pytest.raises(DecodeError, match="compressed"):
            read_payload(payload)
    else:
        assert len(read_payload(payload).data) == unpacked


def test_our_own_command_is_heard_without_effect():
    assert node().decode("spBv1.0/g/NCMD/n", rebirth(1), NOW) == []


@given(st.data())
def test_damaged_births_and_data_are_read_or_refused(data: st.DataObject):
    edge = EdgeNode("g", "n")
    samples = [
        Sample("a", Datatype.INT8, -1, alias=1),
        Sample("b", Datatype.STRING_ARRAY, b"x\0", alias=2, at=NOW),
        Sample("c", Datatype.DOUBLE, 1.0, alias=3, quality=192),
    ]
    decoder = node()
    for message in (
        edge.birth(NOW, samples),
        edge.data(NOW, samples),
        edge.device_birth("d", NOW, samples),
        edge.death(),
    ):
        damaged = bytearray(message.payload)
        for _ in range(data.draw(st.integers(0, 3))):
            position = data.draw(st.integers(0, len(damaged)))
            damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        try:
            decoder.decode(message.topic, bytes(damaged), NOW)
        except DecodeError as error:
            assert error.reason  # noqa: PT017


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(payload: bytes):
    for sort in ("NBIRTH", "NDATA", "NDEATH"):
        try:
            node().decode(f"spBv1.0/g/{sort}/n", payload, NOW)
        except DecodeError as error:
            assert error.reason  # noqa: PT017
