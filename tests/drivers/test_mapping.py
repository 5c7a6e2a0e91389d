"""The mapping language: what it refuses at start, and what it makes of values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli import main
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Readings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.mapping import numbers
from device_drivers.mapping_targets import KINDS
from device_drivers.observations import LampState, LightLevel, Measurement, Power, TagRead

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ROW = {"path": "lux", "to": "light_level"}
CARD = {"path": "card", "to": "tag_read"}


def entry(*rows: Any, **settings: Any) -> DeviceSettings:
    return DeviceSettings(id="d", link={"mqtt": "a/b"}, settings={"map": list(rows), **settings})


def heard(payload: str, *rows: Any, retained: bool = False, **settings: Any) -> list[Reading]:
    given_entry = entry(*rows, **settings)
    driver = DRIVERS["json_map"]
    driver.check(given_entry)
    assert driver.message_decoder
    return driver.message_decoder("s", given_entry).decode("a/b", payload.encode(), NOW, retained=retained)


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ("lux", "settings.map"),
        ([], "settings.map"),
        ([1], "settings.map.0"),
        ([{"path": "x"}], "settings.map.0.to"),
        ([{"path": "x", "to": "lux"}], "settings.map.0.to"),
        ([{"path": "x", "to": "power.lux"}], "settings.map.0.to"),
        ([{"path": "x", "to": "sync_end"}], "settings.map.0.to"),
        ([ROW, {**ROW, "path": "a..b"}], "settings.map.1.path"),
        ([{**ROW, "path": "a[b]"}], "settings.map.0.path"),
        ([{**ROW, "path": {}}], "settings.map.0.path"),
        ([{**ROW, "unit": "W"}], "settings.map.0.unit"),
        ([{"path": "x", "to": "motion", "unit": "W"}], "settings.map.0.unit"),
        ([{"path": "x", "to": "motion", "scale": 2}], "settings.map.0.scale"),
        ([{**ROW, "scale": 0}], "settings.map.0.scale"),
        ([{**ROW, "scale": float("nan")}], "settings.map.0.scale"),
        ([{**ROW, "offset": True}], "settings.map.0.offset"),
        ([{**ROW, "factor": 2}], "settings.map.0.factor"),
        ([{**ROW, "channel": 2}], "settings.map.0.channel"),
        ([{**ROW, "topic": "state"}], "settings.map.0.topic"),
        ([{**ROW, "form": "decimal"}], "settings.map.0.form"),
        ([{**ROW, "values": []}], "settings.map.0.values"),
        ([{**ROW, "values": {"x": "bright"}}], "settings.map.0.values.x"),
        ([{"path": "x", "to": "motion", "values": {"x": 1}}], "settings.map.0.values.x"),
        ([{"path": "x", "to": "motion", "values": {1: True}}], "settings.map.0.values.1"),
        ([{"path": "x", "to": "tag_read", "values": {"x": "no tag"}}], "settings.map.0.values.x"),
        ([{"path": "x", "to": "tag_read", "method": "uhf"}], "settings.map.0.method"),
        ([{"path": "x", "to": "lamp_fault"}], "settings.map.0.fault"),
        ([{"path": "x", "to": "video_state", "state": "blue"}], "settings.map.0.state"),
        ([{"path": "x", "to": "video_state"}], "settings.map.0.state"),
        ([{"path": ["x"], "to": "measurement"}], "settings.map.0.quantity"),
        ([{**ROW, "when": {}}], "settings.map.0.when"),
        ([{**ROW, "when": {"x": []}}], "settings.map.0.when.x"),
    ],
)
def test_a_wrong_mapping_is_refused_at_start_and_names_its_key(rows: Any, key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["json_map"].check(DeviceSettings(id="d", link={"mqtt": "a/b"}, settings={"map": rows}))
    assert refused.value.key == key
    assert refused.value.expected


@pytest.mark.parametrize(
    ("time", "key"),
    [
        ("ts", "settings.time"),
        ({}, "settings.time.path"),
        ({"path": "t", "form": "min"}, "settings.time.form"),
        ({"path": "t", "zone": "Asia/Shanghai"}, "settings.time.zone"),
        ({"path": "t", "form": "s", "zone": "+08:00"}, "settings.time.zone"),
        ({"path": "t", "of": 1}, "settings.time.of"),
    ],
)
def test_a_wrong_time_is_refused_at_start(time: Any, key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["json_map"].check(entry(ROW, time=time))
    assert refused.value.key == key


@pytest.mark.parametrize(("driver", "source"), [("homie", "property"), ("neuron", "tag"), ("sparkplug", "metric")])
def test_the_other_families_map_by_name(driver: str, source: str):
    link = {"mqtt": "spBv1.0/g/n" if driver == "sparkplug" else "homie/x"}
    row = {source: "a.b/c", "to": "light_level"}
    DRIVERS[driver].check(DeviceSettings(id="d", link=link, settings={"map": [row]}))
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(id="d", link=link, settings={"map": [{**ROW}]}))
    assert refused.value.key == "settings.map.0.path"


def test_check_reports_a_wrong_mapping_with_its_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: {id: s, name: s, timezone: Asia/Shanghai, language: en, latitude: 31.2, longitude: 121.5, holidays: CN}\n"
        "devices:\n"
        "  - id: lux\n"
        "    driver: json_map\n"
        "    link: {mqtt: a/b}\n"
        "    settings:\n"
        "      map:\n"
        "        - {path: ok, to: light_level}\n"
        "        - path: lux\n"
        "          to: light_level\n"
        "          unit: candela\n",
        encoding="utf-8",
    )
    assert main(["check", str(site)]) != 0
    output = "".join(capsys.readouterr())
    assert f"{site}:11" in output
    assert "settings.map.1.unit" in output


def test_every_kind_of_the_table_can_be_mapped():
    stated = {str: "x", float: 60, object: 1}
    for name, kind in KINDS.items():
        assert set(kind.fields) | set(kind.fixed) <= set(kind.make.__struct_fields__), name
        fixed = {
            key: sort[0] if isinstance(sort, tuple) else stated[sort]
            for key, sort in kind.fixed.items()
            if key in kind.needs
        }
        value = {"number": "1", "flag": "true", "text": '"x"', "tag": '"0A"', "count": "1", "status": '"ok"'}
        for field, told in kind.fields.items():
            rows = [{"path": "v", "to": f"{name}.{field}", **fixed}]
            needed = [need for need in kind.needs if need in kind.fields and need != field]
            rows += [{"path": need, "to": f"{name}.{need}", **fixed} for need in needed]
            others = "".join(f',"{need}":{value[kind.fields[need].sort]}' for need in needed)
            found = heard(f'{{"v":{value[told.sort]}{others}}}', *rows)
            assert [type(reading.observation) for reading in found] == [kind.make], (name, field)


@pytest.mark.parametrize(
    ("row", "payload", "wanted"),
    [
        (
            {"path": "e", "to": "power.energy_wh", "unit": "kWh"},
            '{"e":"1.25"}',
            Power(device="d", at=NOW, energy_wh=1250),
        ),
        (
            {"path": "p", "to": "power.power_factor", "unit": "%"},
            '{"p":44}',
            Power(device="d", at=NOW, power_factor=0.44),
        ),
        (
            {"path": "b", "to": "lamp_state.level", "scale": 1 / 254},
            '{"b":255}',
            LampState(device="d", at=NOW, level=1),
        ),
        (
            {"path": "b", "to": "lamp_state.on", "lamp": "x"},
            '{"b":"OFF"}',
            LampState(device="d", at=NOW, on=False, lamp="x"),
        ),
        ({"path": ["a.b", 1], "to": "light_level"}, '{"a.b":[1,2]}', LightLevel(device="d", at=NOW, lux=2)),
        (
            {"path": "a[k=2].v.0", "to": "light_level"},
            '{"a":[{"k":1},{"k":2,"v":[7]}]}',
            LightLevel(device="d", at=NOW, lux=7),
        ),
        ({"path": "a.7", "to": "light_level"}, '{"a":{"7":5}}', LightLevel(device="d", at=NOW, lux=5)),
        ({"path": "t", "to": "measurement"}, '{"t":true}', Measurement(device="d", at=NOW, quantity="t", value=1)),
        (
            {"path": "n", "to": "tag_read", "form": "decimal"},
            '{"n":"0008075634"}',
            TagRead(device="d", at=NOW, tag="007B3972"),
        ),
        (
            {"path": "n", "to": "tag_read", "form": "decimal"},
            '{"n":1099511627775}',
            TagRead(device="d", at=NOW, tag="FFFFFFFFFF"),
        ),
        (
            {"path": "s", "to": "light_level", "values": {"dark": 0, "*": 100}},
            '{"s":"dusk"}',
            LightLevel(device="d", at=NOW, lux=100),
        ),
        ({"to": "light_level"}, " 46 ", LightLevel(device="d", at=NOW, lux=46)),
    ],
)
def test_values_become_what_the_row_says(row: dict[str, Any], payload: str, wanted: Any):
    assert [reading.observation for reading in heard(payload, row)] == [wanted]


@pytest.mark.parametrize(
    "payload", ["{}", '{"lux":null}', '{"lux":"nan"}', '{"lux":""}', '{"other":1}', '{"x":{"lux":1}}']
)
def test_a_missing_value_is_no_observation(payload: str):
    assert heard(payload, ROW) == []


@pytest.mark.parametrize(
    "value", ["true", "[1]", "{}", '"bright"', '"1_0"', '"٤"', "1e300", "18446744073709551616", '"inf"']
)
def test_a_wrong_value_is_refused_not_guessed(value: str):
    with pytest.raises(DecodeError, match="lux"):
        heard(f'{{"lux":{value}}}', ROW)


@pytest.mark.parametrize("damage", ['"battery":"x"', '"lux":"bright"', '"person":{}', '"n":-1', '"on":"STUCK"'])
def test_a_tap_is_kept_beside_a_value_that_cannot_be_read(damage: str):
    rows = [
        {"path": "battery", "to": "reader_heartbeat"},
        ROW,
        {"path": "on", "to": "lamp_state", "values": {"OPEN": False}},
        {"path": "card", "to": "tag_read"},
        {"path": "person", "to": "tag_read.person"},
        {"path": "n", "to": "tag_read.counter"},
    ]
    payload = f'{{{damage},"card":"0A1B"}}'
    found = heard(payload, *rows)
    assert [reading.observation for reading in found] == [TagRead(device="d", at=NOW, tag="0A1B")]
    assert isinstance(found, Readings)
    [reject] = found.rejects
    assert reject.data == payload.encode()
    assert reject.reason.startswith(damage.split('"')[1])


def test_a_retained_tap_is_refused_and_what_stands_beside_it_is_kept():
    found = heard('{"lux":5,"card":"0A1B","t":1795442340}', ROW, CARD, retained=True, time={"path": "t", "form": "s"})
    assert [type(reading.observation) for reading in found] == [LightLevel]
    assert isinstance(found, Readings)
    assert [reject.reason for reject in found.rejects] == ["retained tag_read: old state, not an event"]


@pytest.mark.parametrize(
    ("driver", "link", "topic", "payload", "row"),
    [
        ("neuron", "/neuron/m", "/neuron/m", b'{"node":"m","values":{"bad":"x","lux":7}}', "tag"),
        ("chirpstack", "application/1/device/01", "/event/up", b'{"object":{"bad":"x","lux":7}}', "path"),
        ("homie", "homie/5/d", "/n/lux", b"7", "property"),
        ("openbeken", "d", "/lux/get", b"7", "value"),
    ],
)
def test_every_family_keeps_what_its_mapping_can_read(driver: str, link: str, topic: str, payload: bytes, row: str):
    name = "n/lux" if driver == "homie" else "lux"
    bad = "bad" if b"bad" in payload else name
    rows = [
        {row: bad, "to": "lamp_state", "values": {"ON": True}},
        {row: name, "to": "light_level"},
    ]
    settings = DeviceSettings(id="d", link={"mqtt": link}, settings={"map": rows})
    DRIVERS[driver].check(settings)
    make = DRIVERS[driver].message_decoder
    assert make is not None
    found = make("s", settings).decode(topic if topic == link else link + topic, payload, NOW)
    assert [reading.observation for reading in found] == [LightLevel(device="d", at=NOW, lux=7)]
    assert isinstance(found, Readings)
    assert [bad in reject.reason for reject in found.rejects] == [True]


def test_two_tags_of_one_message_are_two_reads():
    rows = [{"path": "a", "to": "tag_read"}, {"path": "b", "to": "tag_read"}]
    found = [reading.observation for reading in heard('{"a":"01","b":"02"}', *rows)]
    assert found == [TagRead(device="d", at=NOW, tag="01"), TagRead(device="d", at=NOW, tag="02")]


def test_a_person_without_a_tag_is_no_read():
    rows = [{"path": "a", "to": "tag_read"}, {"path": "p", "to": "tag_read.person"}]
    assert heard('{"p":"wang"}', *rows) == []


@pytest.mark.parametrize(
    ("time", "value", "wanted"),
    [
        ({"path": "t"}, '"2026-11-23T21:59:00+08:00"', NOW - timedelta(minutes=1)),
        ({"path": "t"}, '"2026-11-23T21:59:00"', NOW),
        ({"path": "t", "zone": "+08:00"}, '"2026-11-23 21:59:00"', NOW - timedelta(minutes=1)),
        ({"path": "t", "form": "s"}, "1795442340", NOW - timedelta(minutes=1)),
        ({"path": "t", "form": "s"}, "1795442520", NOW),
        ({"path": "t", "form": "s"}, "61", NOW),
        ({"path": "t", "form": "us"}, "1795442340000000", NOW - timedelta(minutes=1)),
        ({"path": "t", "form": "s"}, "1e300", NOW),
        ({"path": "t", "form": "s"}, '"soon"', NOW),
        ({"path": "t"}, '"9999-12-31T23:59:59-14:00"', NOW),
        ({"path": "t"}, '"0001-01-01T00:00:00+14:00"', NOW),
    ],
)
def test_a_device_time_counts_only_if_it_can_be_trusted(time: dict[str, str], value: str, wanted: datetime):
    assert [reading.observation.at for reading in heard(f'{{"lux":1,"t":{value}}}', ROW, time=time)] == [wanted]


def test_what_is_not_mapped_is_bounded():
    document = {f"k{number}": {str(inner): inner for inner in range(100)} for number in range(100)}
    assert len(list(numbers(document))) == 512
    assert list(numbers({"k" * 300: 1, "a": {"b" * 190: {"c" * 50: 1}}, "n": float("nan"), "i": 1 << 70})) == []


def test_numbers_that_are_no_measurement_are_named():
    unread: list[str] = []
    document = {"a": 10**15, "b": [10**15 + 1, float("nan")], "c": -(1 << 63), "d": 1e300}
    assert list(numbers(document, unread=unread)) == [("a", 1e15)]
    assert unread == [
        "b.0: 1000000000000001 is no measurement",
        "c: -9223372036854775808 is no measurement",
        "d: 1e+300 is no measurement",
    ]
    numbers_of_many = {str(number): 1 << 63 for number in range(10_000)}
    many: list[str] = []
    assert list(numbers(numbers_of_many, unread=many)) == []
    assert len(many) == 512


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
def test_numbers_of_any_document_are_finite(document: Any):
    assert all(abs(value) <= 1e15 for _, value in numbers(document))
