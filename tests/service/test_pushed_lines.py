"""Readers that send by themselves, through a whole gateway: a tap that their line holds back reaches the journal without another."""

from __future__ import annotations

import os
import pty
import tty
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from device_drivers.gwiot.device import push_frame
from gateway.service import Service
from gateway.site.model import Device
from tests.service.test_polled_lines import bodies
from tests.service.test_service import running, site


async def test_a_tap_behind_a_stray_byte_and_one_without_a_line_end_reach_the_journal_in_silence(
    tmp_path: Path,
) -> None:
    gwiot, wiegand = pty.openpty(), pty.openpty()
    for _, far in (gwiot, wiegand):
        tty.setraw(far)
    known = site()
    devices = {
        name: Device(id=name, driver=name, kind="reader", link={"serial": os.ttyname(far)}, own_clock=False)
        for name, (_, far) in (("gwiot_7941", gwiot), ("wiegand_serial", wiegand))
    }
    lined = msgspec.structs.replace(known, devices={**known.devices, **devices})
    try:
        async with running(lined, tmp_path) as service:
            await opened(service)
            os.write(gwiot[0], b"\x02\x40" + push_frame(bytes.fromhex("2E00B6D7B5")))
            os.write(wiegand[0], b"11101010000011011100000010")
            taps = await bodies(service, "tag_read", 2)
            rows = await service.gateway.query("SELECT reason FROM quarantine", ())
    finally:
        for descriptor in (*gwiot, *wiegand):
            os.close(descriptor)
    assert {(tap["device"], tap["tag"]) for tap in taps} == {("gwiot_7941", "2E00B6D7B5"), ("wiegand_serial", "D41B81")}
    assert [row[0] for row in rows] == ["frame cut short: 2 of 64 bytes"]
    for tap in taps:  # `at` is when it came, not when the silence was over
        assert datetime.now(UTC) - datetime.fromisoformat(tap["at"]) > timedelta(seconds=1)


async def opened(service: Service) -> None:
    """Both ports are open."""
    links = await bodies(service, "link", 2)
    assert all(each["up"] for each in links)
