"""Whose word a native payload is: one observation or an array, of the device that its topic names (spec: evidence.md, Native MQTT)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.instants import MINUTE
from gateway.runtime import Gateway
from gateway.site.model import Device
from tests.intake.recording_link import NOW, RecordingLink, envelope
from tests.intake.test_intake import SITE, UP, stored

OTHER = Device(id="lux", driver="native", kind="lux_sensor", place="gate", expect_every=MINUTE)
TWO = msgspec.structs.replace(SITE, devices={**SITE.devices, "lux": OTHER})

TAP = b'{"kind":"tag_read",%s"at":"2026-11-22T23:00:00+08:00","boot":"b1","seq":%d,"tag":"007B3972"}'
LIGHT = b'{"kind":"light_level",%s"at":"2026-11-22T23:00:00+08:00","boot":"b1","seq":%d,"lux":3}'
OWN, NAMELESS, ANOTHERS = b'"device":"rdr-gate",', b"", b'"device":"lux",'

KEPT = "SELECT device, n FROM log WHERE kind <> 'link' ORDER BY seq"


async def taken(folder: Path, *payloads: bytes) -> tuple[list[tuple[object, ...]], list[bytes], int]:
    """What was stored, what was put into quarantine, and how many messages were acknowledged."""
    link = RecordingLink()
    async with Gateway(TWO, folder, clock=lambda: NOW) as gateway:
        gateway.intake.messages(link, [envelope(UP, payload, n) for n, payload in enumerate(payloads, 1)])
        await gateway.intake.drained()
        aside = [bytes(row.payload) for row in await gateway.archive.quarantine(limit=10)]
    rows = [row for row in stored(folder, KEPT) if row[1] is not None]
    return rows, aside, len(link.acknowledged)


@pytest.mark.parametrize("said", [TAP, LIGHT])
async def test_a_payload_that_names_another_device_than_its_topic_is_quarantined(said: bytes, tmp_path: Path) -> None:
    rows, aside, acknowledged = await taken(tmp_path, said % (OWN, 1), said % (ANOTHERS, 2), said % (NAMELESS, 3))
    assert rows == [("rdr-gate", 1), ("rdr-gate", 3)]
    assert aside == [said % (ANOTHERS, 2)]
    assert acknowledged == 3


async def test_an_array_is_its_observations_in_their_order(tmp_path: Path) -> None:
    rows, aside, acknowledged = await taken(tmp_path, b"[%s, %s]" % (TAP % (NAMELESS, 1), LIGHT % (OWN, 2)))
    assert (rows, aside, acknowledged) == ([("rdr-gate", 1), ("rdr-gate", 2)], [], 1)


async def test_an_array_in_which_one_names_another_device_is_quarantined_whole(tmp_path: Path) -> None:
    payload = b"[%s, %s]" % (TAP % (OWN, 1), LIGHT % (ANOTHERS, 2))
    rows, aside, acknowledged = await taken(tmp_path, payload)
    assert (rows, aside, acknowledged) == ([], [payload], 1)
