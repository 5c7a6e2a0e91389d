"""What each driver refuses in a device's entry."""

from __future__ import annotations

from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError


@pytest.mark.parametrize(
    ("driver", "entry", "key"),
    [
        ("rdm6300", {}, "link.serial"),
        ("rdm6300", {"link": {"serial": "/dev/ttyUSB0"}, "settings": {"checksum": "crc"}}, "settings.checksum"),
        ("rdm6300", {"link": {"serial": "/dev/ttyUSB0"}, "settings": {"confirm_frames": 0}}, "settings.confirm_frames"),
        (
            "rdm6300",
            {"link": {"serial": "/dev/ttyUSB0"}, "settings": {"confirm_frames": True}},
            "settings.confirm_frames",
        ),
        ("rdm6300", {"link": {"serial": "/dev/ttyUSB0"}, "settings": {"baud": 9600}}, "settings.baud"),
        ("id12la", {"link": {"serial": "/dev/ttyUSB0"}, "settings": {"confirm_frames": 2}}, "settings.confirm_frames"),
        ("native", {"link": {"mqtt": "x"}}, "link.mqtt"),
        ("native", {"id": "a/b"}, "id"),
        ("native", {"settings": {"x": 1}}, "settings.x"),
        ("zigbee2mqtt", {}, "link.mqtt"),
        ("zigbee2mqtt", {"link": {"mqtt": "zigbee2mqtt/#"}}, "link.mqtt"),
        ("zigbee2mqtt", {"link": {"mqtt": "z/a"}, "settings": {"illuminance": "klux"}}, "settings.illuminance"),
        ("zigbee2mqtt", {"link": {"mqtt": "z/a"}, "settings": {"lamps": ["a"]}}, "settings.lamps"),
        ("zigbee2mqtt", {"link": {"mqtt": "z/a"}, "settings": {"panic_actions": "hold"}}, "settings.panic_actions"),
        ("zigbee2mqtt", {"link": {"mqtt": "z/a"}, "settings": {"lux": 1}}, "settings.lux"),
        ("frigate", {}, "link.mqtt"),
        ("frigate", {"kind": "camera"}, "channel"),
        ("frigate", {"kind": "camera", "channel": "a", "link": {"mqtt": "frigate"}}, "link"),
        ("frigate", {"link": {"mqtt": "frigate"}, "settings": {"x": 1}}, "settings.x"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(driver: str, entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(**{"id": "d", **entry}))
    assert refused.value.key == key
    assert refused.value.expected
