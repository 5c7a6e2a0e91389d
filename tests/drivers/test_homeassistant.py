"""Home Assistant's convention: what may come from the bus, and what never may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, MessageDecoder
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.homeassistant import device
from device_drivers.homeassistant.template import MISSING, read_template
from device_drivers.observations import LampState, LightLevel, TagRead

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
LINK = {"mqtt": "garden", "discovery": "homeassistant/+/garden/config"}


def decoder(kind: str | None = None, link: dict[str, str] | None = None, **settings: Any) -> MessageDecoder:
    entry = DeviceSettings(id="d", kind=kind, link=link or LINK, settings=settings)
    DRIVERS["homeassistant"].check(entry)
    make = DRIVERS["homeassistant"].message_decoder
    assert make is not None
    return make("s", entry)


def heard(ears: MessageDecoder, message: device.Message) -> list[Any]:
    return [
        reading.observation for reading in ears.decode(message.topic, message.payload, NOW, retained=message.retained)
    ]


@pytest.mark.parametrize(
    ("template", "payload", "value"),
    [
        ("{{ value }}", b" 46 ", "46"),
        ("{{value_json.a.b}}", b'{"a":{"b":7}}', 7),
        ("{{ value_json['a b'][\"c\"][1] }}", b'{"a b":{"c":[1,2]}}', 2),
        ("{{ value_json }}", b"7", 7),
        ("{{ value_json.a }}", b'{"b":1}', MISSING),
        ("{{ value_json[2] }}", b"[1]", MISSING),
        ("{{ value_json.a.b }}", b'{"a":[1]}', MISSING),
        ("ON", b"whatever", "ON"),
    ],
)
def test_literal_and_path_templates_are_honoured(template: str, payload: bytes, value: Any):
    assert read_template(template).value(payload) == value


@pytest.mark.parametrize(
    "template",
    [
        "{{ value_json.a | int }}",
        "{{ value | float * 2 }}",
        "{% if value %}ON{% endif %}",
        "{{ value_json.a }} lx",
        "{{ value_json.a }}{{ value_json.b }}",
        "{{ states('sensor.x') }}",
        "{{ value_json.__class__() }}",
        "{{ value_json['a\\'] }}",
        "{{ value_json[''] }}",
        "{{ value_json.a. }}",
        "{{ value_json.7 }}",
        "{{ value_json[-1] }}",
        "{{ value_jsonx }}",
        "{{ value_json.a",
        "{# x #}",
        "{{ value_json." + "a" * 300 + " }}",
    ],
)
def test_anything_else_from_the_bus_is_refused_not_evaluated(template: str):
    with pytest.raises(DecodeError, match="honoured"):
        read_template(template)
    ears = decoder()
    with pytest.raises(DecodeError):
        heard(ears, device.config("sensor", "garden", state_topic="garden/x", value_template=template))
    assert heard(ears, device.state("garden/y", "text")) == []


@given(st.text(max_size=60))
def test_any_template_is_honoured_or_refused(text: str):
    for template in (text, f"{{{{ value_json{text} }}}}", f"{{{{ value_json.{text} }}}}"):
        try:
            found = read_template(template)
        except DecodeError:
            continue
        assert found.literal is not None or found.steps is None or found.steps is not None
        assert found.value(b'{"a":1}') is not None


def test_a_scan_before_discovery_is_no_lost_tap():
    ears = decoder(
        "reader", {"mqtt": "gate/tag", "discovery": "homeassistant/tag/gate/config"}, template="value_json.PN532.UID"
    )
    scan = device.state("gate/tag", '{"PN532":{"UID":"E9F35959","DATA":""}}')
    assert heard(ears, scan) == [TagRead(device="d", at=NOW, tag="E9F35959")]
    heard(ears, device.config("tag", "gate", topic="gate/tag"))
    assert heard(ears, scan) == [TagRead(device="d", at=NOW, tag="E9F35959")]


@pytest.mark.parametrize("payload", ['{"a":{"UID":"01"},"b":{"UID":"02"}}', '{"UID":7}', "{}", '{"x":1}', "no tag!"])
def test_a_scan_whose_tag_is_not_certain_is_refused(payload: str):
    with pytest.raises(DecodeError):
        heard(decoder("reader", {"mqtt": "gate/tag"}), device.state("gate/tag", payload))


def test_a_removed_entity_says_nothing_and_a_changed_one_says_the_new():
    ears = decoder()
    heard(ears, device.config("sensor", "garden", state_topic="garden/x", device_class="illuminance"))
    assert heard(ears, device.state("garden/x", "46")) == [LightLevel(device="d", at=NOW, lux=46)]
    heard(ears, device.config("switch", "garden", state_topic="garden/s"))
    heard(ears, device.removed("sensor", "garden"))
    assert heard(ears, device.state("garden/x", "46")) == []
    assert heard(ears, device.state("garden/s", "ON")) == [LampState(device="d", at=NOW, on=True)]


def test_what_discovery_makes_us_remember_is_bounded():
    ears = decoder(link={"mqtt": "garden"})
    for number in range(500):
        heard(ears, device.config("sensor", f"garden{number}", state_topic="garden/x"))
    with pytest.raises(DecodeError, match="entities"):
        heard(ears, device.config("sensor", "one-more", state_topic="garden/x"))


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"link": {}}, "link.mqtt"),
        ({"link": {"mqtt": "garden/#"}}, "link.mqtt"),
        ({"link": {**LINK, "bridge": "a/+"}}, "link.bridge"),
        ({"link": {**LINK, "discovery": "homeassistant/#"}}, "link.discovery"),
        ({"link": {**LINK, "discovery": "homeassistant/+/+/config"}}, "link.discovery"),
        ({"link": LINK, "settings": {"template": "{{ x | y }}"}}, "settings.template"),
        ({"link": LINK, "settings": {"template": 7}}, "settings.template"),
        ({"link": LINK, "settings": {"lamps": ["a"]}}, "settings.lamps"),
        ({"link": LINK, "settings": {"x": 1}}, "settings.x"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["homeassistant"].check(DeviceSettings(id="d", **entry))
    assert refused.value.key == key
