"""Readers and a wand that are asked on lines, through a whole gateway: from their bytes to the journal."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from device_drivers.fcard_wand.device import Wand
from device_drivers.gwiot.device import reader_answer
from gateway.service import Service
from gateway.site.model import Device
from tests.service.test_service import running, site

ZONE = ZoneInfo("Asia/Shanghai")


@contextmanager
def a_line(answers: Callable[[bytes], bytes]) -> Iterator[str]:
    """The name of a port at whose other end devices answer."""
    near, far = pty.openpty()
    tty.setraw(far)
    loop = asyncio.get_running_loop()
    loop.add_reader(near, lambda: os.write(near, b"\xff" + answers(os.read(near, 4096))))  # noise before each answer
    try:
        yield os.ttyname(far)
    finally:
        loop.remove_reader(near)
        os.close(near)
        os.close(far)


async def bodies(service: Service, kind: str, count: int) -> list[dict[str, Any]]:
    """The journal's observations of a kind, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            rows = await service.gateway.query("SELECT body FROM log WHERE kind = ? ORDER BY seq", (kind,))
            if len(rows) >= count:
                return [msgspec.json.decode(row[0]) for row in rows]
            await asyncio.sleep(0.02)


async def test_two_polled_readers_on_one_line_and_a_wand_in_its_dock_reach_the_journal(tmp_path: Path) -> None:
    def readers(data: bytes) -> bytes:
        return reader_answer(data, {0x10: b"\1\1\1\1"}, 1) + reader_answer(data, {0x15: b"\2\2\2\2\2"}, 2)

    now = datetime.now(UTC).astimezone(ZONE).replace(microsecond=0)
    wand = Wand(now)
    for tap in range(1, 4):
        wand.tap(f"0A000{tap}", now - timedelta(minutes=10 - tap))
    with a_line(readers) as line, a_line(wand.answers) as dock:
        known = site()
        link = {"serial": line, "baud": "115200"}
        devices = {
            f"rdr-{n}": Device(
                id=f"rdr-{n}", driver="gwiot_7941w", kind="reader", link=link, settings={"address": n}, own_clock=False
            )
            for n in (1, 2)
        }
        devices["wand"] = Device(
            id="wand",
            driver="fcard_wand",
            kind="wand",
            portable=True,
            link={"serial": dock, "baud": "115200"},
            settings={"timezone": "Asia/Shanghai"},
        )
        lined = msgspec.structs.replace(known, devices={**known.devices, **devices})
        async with running(lined, tmp_path) as service:
            taps = await bodies(service, "tag_read", 5)
            lives = await bodies(service, "device_status", 2)
            (end, *_) = await bodies(service, "sync_end", 1)
            links = await bodies(service, "link", 2)
            rows = await service.gateway.query("SELECT COUNT(*) FROM quarantine", ())
    assert {(tap["device"], tap["tag"]) for tap in taps} == {
        ("rdr-1", "01010101"),
        ("rdr-2", "0202020202"),
        ("wand", "0A0001"),
        ("wand", "0A0002"),
        ("wand", "0A0003"),
    }
    assert {(life["device"], life["online"]) for life in lives} == {("rdr-1", True), ("rdr-2", True)}
    assert datetime.fromisoformat(end["complete_to"]) == now
    assert {each["device"] for each in links if each["up"]} >= {"rdr-1", "rdr-2"}
    assert "wand" not in {each["device"] for each in links}
    assert wand.counters.read == 3
    assert rows == [(0,)]
