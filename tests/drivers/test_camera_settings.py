"""What the drivers of network cameras refuse in a device's entry, and how addresses are read."""

from __future__ import annotations

from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError
from device_drivers.web_address import web_address

HTTP = {"http": "http://10.0.0.5"}
WEB = ("hikvision", "dahua", "onvif", "mediamtx")


@pytest.mark.parametrize("driver", WEB)
@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "link.http"),
        ({"link": {"http": "ftp://10.0.0.5"}}, "link.http"),
        ({"link": {"http": "http://10.0.0.5:99999"}}, "link.http"),
        ({"link": {"http": "http://"}}, "link.http"),
        ({"link": {"http": "http://10.0.0.5/?a=b"}}, "link.http"),
        ({"link": {**HTTP, "serial": "x"}}, "link.serial"),
        ({"link": {**HTTP, "password": "env:P"}}, "link.user"),
        ({"link": {**HTTP, "basic": "perhaps"}}, "link.basic"),
        ({"link": {**HTTP, "certificate": "12:34"}}, "link.certificate"),
        ({"link": HTTP, "settings": {"x": 1}}, "settings.x"),
        ({"channel": 4}, "behind"),
        ({"channel": 4, "behind": "nvr", "settings": {"x": 1}}, "settings.x"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(driver: str, entry: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(id="d", **entry))
    assert refused.value.key == key
    assert refused.value.expected


@pytest.mark.parametrize(
    ("driver", "settings"),
    [
        ("hikvision", {"path": "alertStream"}),
        ("hikvision", {"channel_offset": -1}),
        ("hikvision", {"idle_s": True}),
        ("hikvision", {"expires_s": float("nan")}),
        ("hikvision", {"motion_quiet_s": "10"}),
        ("dahua", {"heartbeat_s": 61}),
        ("dahua", {"codes": "VideoLoss;x"}),
        ("dahua", {"codes": ["VideoLoss"]}),
        ("onvif", {"auth": "basic"}),
        ("onvif", {"events": "yes"}),
        ("onvif", {"path": 1}),
        ("onvif", {"channels": ["a"]}),
        ("mediamtx", {"source": "hooks"}),
        ("mediamtx", {"on_demand": 1}),
    ],
)
def test_a_wrong_setting_is_refused(driver: str, settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(id="d", link=HTTP, settings=settings))
    assert refused.value.key == f"settings.{next(iter(settings))}"


@pytest.mark.parametrize(
    ("link", "settings", "key"),
    [
        ({}, {}, "link.rtsp"),
        ({"rtsp": "http://10.0.0.5"}, {}, "link.rtsp"),
        ({"rtsp": "rtsp://10.0.0.5/a b"}, {}, "link.rtsp"),
        ({"rtsp": "rtsp://10.0.0.5/\r\nX: y"}, {}, "link.rtsp"),
        ({"rtsp": "rtsp://10.0.0.5:x/"}, {}, "link.rtsp"),
        ({"rtsp": "rtsp://10.0.0.5", "password": "env:P"}, {}, "link.user"),
        ({"rtsp": "rtsp://10.0.0.5"}, {"every_s": 10}, "settings.every_s"),
        ({"rtsp": "rtsp://10.0.0.5"}, {"describe": "no"}, "settings.describe"),
    ],
)
def test_a_wrong_rtsp_entry_is_refused(link: dict[str, str], settings: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        DRIVERS["rtsp"].check(DeviceSettings(id="d", link=link, settings=settings))
    assert refused.value.key == key


@pytest.mark.parametrize("driver", WEB)
def test_channels_and_secrets_kept_elsewhere_are_accepted(driver: str) -> None:
    DRIVERS[driver].check(DeviceSettings(id="d", channel=4, behind="nvr"))
    DRIVERS[driver].check(DeviceSettings(id="d", link={"http": "env:CAM_URL"}))
    DRIVERS[driver].check(DeviceSettings(id="d", link={**HTTP, "user": "watch", "password": "file:/run/p"}))


@pytest.mark.parametrize(
    ("link", "base", "login"),
    [
        ({"http": "10.0.0.5"}, "http://10.0.0.5", None),
        ({"http": "https://cam.local:8443/sub/"}, "https://cam.local:8443/sub", None),
        ({"http": "http://[fe80::1]:81"}, "http://[fe80::1]:81", None),
        ({"http": "http://anna:a%40b@10.0.0.5"}, "http://10.0.0.5", ("anna", "a@b")),
        ({"http": "http://anna:x@10.0.0.5", "user": "watch", "password": "p"}, "http://10.0.0.5", ("watch", "p")),
    ],
)
def test_addresses_are_read(link: dict[str, str], base: str, login: tuple[str, str] | None) -> None:
    address = web_address(DeviceSettings(id="d", link=link))
    assert (address.base, address.login) == (base, login)
