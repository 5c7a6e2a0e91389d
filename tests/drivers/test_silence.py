"""Readers that send by themselves, on a line that falls silent: a tap that waits in a decoder is given then, not with the next one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.observations import TagRead

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SILENT = NOW + timedelta(seconds=2)
EM4100 = bytes.fromhex("020A022E00B6D7B5F203")


def reads(found: list[Reading | Reject]) -> list[tuple[str, datetime]]:
    seen = [item.observation for item in found if isinstance(item, Reading)]
    return [(read.tag, read.at) for read in seen if isinstance(read, TagRead)]


WAITING: list[tuple[str, dict[str, Any], bytes, str]] = [
    ("gwiot_7941", {}, b"\x02\x40" + EM4100, "2E00B6D7B5"),
    ("gwiot_7941", {}, b"\x02\x1f" + EM4100[2:] + EM4100, "2E00B6D7B5"),
    ("wiegand_serial", {}, b"11101010000011011100000010", "D41B81"),
    ("wiegand_serial", {"format": "hex", "bits": 26}, b"D41B81", "D41B81"),
    ("wiegand_serial", {"format": "decimal", "bits": 26}, b"13900673", "D41B81"),
    ("ibutton_probe", {}, b"016060CF030000A8", "016060CF030000A8"),
]
"""Driver, settings, what comes, and the tag in it: a stray beginning of a longer frame before it, or no line end behind it."""


@pytest.mark.parametrize(("driver", "settings", "sent", "tag"), WAITING)
def test_a_tap_that_waits_for_more_bytes_is_given_in_silence_once_with_the_time_it_came(
    driver: str, settings: dict[str, Any], sent: bytes, tag: str
):
    make = DRIVERS[driver].stream_decoder
    assert make is not None
    decoder = make(DeviceSettings(id="rdr", link={"serial": "-"}, settings=settings))
    assert reads(decoder.feed(sent, NOW)) == []
    assert reads(decoder.feed(b"", SILENT)) == [(tag, NOW)]
    assert decoder.feed(b"", SILENT + timedelta(seconds=2)) == []
    assert decoder.reset() == []


PUSHING = sorted(
    name for name, driver in DRIVERS.items() if driver.transport == "serial" and driver.stream_decoder is not None
)


@pytest.mark.parametrize("driver", PUSHING)
def test_silence_before_the_first_byte_says_nothing(driver: str):
    make = DRIVERS[driver].stream_decoder
    assert make is not None
    decoder = make(DeviceSettings(id="rdr", link={"serial": "-"}))
    assert decoder.feed(b"", NOW) == []
    assert decoder.feed(b"", SILENT) == []
    assert decoder.reset() == []
