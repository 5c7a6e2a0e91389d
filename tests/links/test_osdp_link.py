"""The gateway as control panel of real OSDP readers (libosdp's device side), over pseudo-terminals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading
from device_drivers.observations import DeviceStatus, Incident, Observation, ReaderHeartbeat, TagRead
from gateway.connections import panel_lines, polled_lines, serial_ports
from gateway.links import osdp_link, serial_link
from gateway.links.backoff import Backoff
from gateway.links.hid_link import HidLink
from gateway.links.osdp_link import OsdpLink
from gateway.routing import Router
from gateway.site.load import load_site
from tests.links.osdp_device import KEY, Line, Wire, a_line, a_reader, press, tap
from tests.links.recorder import Recorder, running

pytestmark = pytest.mark.usefixtures("impatient")
CARD = bytes.fromhex("04A1B2C3")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader comes up within 0.2 s here."""
    monkeypatch.setattr(osdp_link, "TRY_S", 1.0)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Line, Wire]]:
    with a_line(tmp_path) as both:
        yield both


def a_link(line: Line, told: Recorder, *entries: dict[str, Any]) -> OsdpLink:
    driver = DRIVERS["osdp"]
    assert driver.panel_reader is not None
    readers = []
    for number, settings in enumerate(entries):
        given = DeviceSettings(id=f"rdr-{number}", link={"serial": str(line.path)}, settings=settings)
        driver.check(given)
        readers.append((given.id, driver.panel_reader(given)))
    return OsdpLink(str(line.path), {}, readers, told, backoff=Backoff(first_s=0.02, longest_s=0.05))


def seen(told: Recorder) -> list[Observation]:
    return [item.observation for _, item in told.readings if isinstance(item, Reading)]


def tags(told: Recorder) -> list[str]:
    return [each.tag for each in seen(told) if isinstance(each, TagRead)]


def statuses(told: Recorder, device: str = "rdr-0") -> list[bool]:
    return [each.online for each in seen(told) if isinstance(each, DeviceStatus) and each.device == device]


async def until(told: Recorder, wanted: Any, timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not wanted():  # noqa: ASYNC110  a bounded poll of what a thread tells
            await asyncio.sleep(0.01)
    assert told


SECURE = {"scbk": KEY.hex()}


async def test_a_card_is_read_in_a_secure_channel(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire) as device:
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: statuses(told) == [True])
            tap(device, 32, CARD)
            await until(told, lambda: tags(told))
    assert tags(told) == ["04A1B2C3"]
    assert isinstance(seen(told)[1], ReaderHeartbeat)
    assert CARD not in wire.heard


async def test_each_of_two_taps_of_one_card_is_read(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire) as device:
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: statuses(told) == [True])
            tap(device, 32, CARD)
            tap(device, 32, CARD)
            await until(told, lambda: len(tags(told)) == 2)


async def test_typed_keys_become_an_incident_where_a_setting_says_so(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire) as device:
        async with running(a_link(port, told, {**SECURE, "keypad": "incident"})):
            await until(told, lambda: statuses(told) == [True])
            press(device, b"1")
            press(device, b"2\x7f")
            await until(told, lambda: any(isinstance(each, Incident) for each in seen(told)))
    assert [each.code for each in seen(told) if isinstance(each, Incident)] == ["12"]


async def test_a_reader_with_another_key_is_offline_and_its_cards_are_not_taken(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire, key=bytes(16)):
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: statuses(told) == [False])
    assert not tags(told)


async def test_a_reader_with_the_default_key_is_refused_but_in_install_mode(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire, key=None, install=True):
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: statuses(told) == [False])


async def test_in_install_mode_a_reader_is_given_its_key(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire, key=None, install=True) as device:
        async with running(a_link(port, told, {**SECURE, "install_mode": True})):
            await until(told, lambda: statuses(told)[-1:] == [True])
            tap(device, 32, CARD)
            await until(told, lambda: tags(told))
    assert tags(told) == ["04A1B2C3"]


async def test_a_reader_without_a_secure_channel_is_heard_only_where_the_entry_says_so(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire, key=None) as device:
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: statuses(told) == [False])
        async with running(a_link(port, told, {"secure": False})):
            await until(told, lambda: statuses(told)[-1:] == [True])
            tap(device, 32, CARD)
            await until(told, lambda: tags(told))


async def test_a_reader_that_lost_its_power_is_offline_and_heard_again_soon(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire) as device:
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: statuses(told) == [True])
            wire.cut = True
            await until(told, lambda: statuses(told) == [True, False], 20)
            wire.cut = False
            await until(told, lambda: statuses(told) == [True, False, True], 20)
            tap(device, 32, CARD)
            await until(told, lambda: tags(told))


async def test_a_dead_reader_does_not_keep_its_neighbour_from_being_heard(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire, address=1) as device:
        async with running(a_link(port, told, {**SECURE, "address": 0}, {**SECURE, "address": 1})):
            await until(told, lambda: statuses(told, "rdr-1") == [True] and statuses(told, "rdr-0") == [False])
            tap(device, 32, CARD)
            await until(told, lambda: tags(told), 3)


async def test_what_is_read_during_a_pause_is_handed_over_after_it(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    with a_reader(wire) as device:
        link = a_link(port, told, SECURE)
        async with running(link):
            await until(told, lambda: statuses(told) == [True])
            link.pause()
            tap(device, 32, CARD)
            await until(told, lambda: link._held)
            assert not tags(told)
            link.resume()
            assert tags(told) == ["04A1B2C3"]


async def test_a_reader_that_goes_on_answering_is_told_to_live(
    line: tuple[Line, Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osdp_link, "ALIVE_EVERY_S", 0.1)
    monkeypatch.setattr(serial_link, "LOOK_EVERY_S", 0.05)
    port, wire = line
    told = Recorder()
    with a_reader(wire):
        async with running(a_link(port, told, SECURE)):
            await until(told, lambda: sum(isinstance(each, ReaderHeartbeat) for each in seen(told)) >= 3)


async def test_an_adapter_that_is_pulled_leaves_the_reader_unknown_and_is_found_again(tmp_path: Path) -> None:
    port = Line(tmp_path)
    told = Recorder()
    async with running(a_link(port, told, SECURE)):
        await told.until_down()
        with a_reader(port.plug()):
            await until(told, lambda: statuses(told) == [True])
        port.pull()
        await told.until_down()
        assert statuses(told) == [True]
        with a_reader(port.plug()) as device:
            await until(told, lambda: statuses(told) == [True, True])
            tap(device, 32, CARD)
            await until(told, lambda: tags(told))
    port.pull()


async def test_two_readers_with_one_address_are_told_and_nothing_is_polled(line: tuple[Line, Wire]) -> None:
    port, wire = line
    told = Recorder()
    link = a_link(port, told, SECURE, SECURE)
    async with running(link):
        await told.until_down()
        assert "address 0" in link.state.reason
    assert not wire.heard


async def test_a_key_stands_in_no_message(line: tuple[Line, Wire], caplog: pytest.LogCaptureFixture) -> None:
    port, wire = line
    told = Recorder()
    link = a_link(port, told, SECURE)
    with a_reader(wire, key=bytes(16)):
        async with running(link):
            await until(told, lambda: statuses(told) == [False])
    said = caplog.text + repr(told.states) + repr(told.readings) + repr(link._readers)
    assert KEY.hex() not in said.lower()
    assert repr(KEY) not in said


async def test_the_site_files_readers_are_heard_each_line_by_one_link(line: tuple[Line, Wire], tmp_path: Path) -> None:
    port, wire = line
    (tmp_path / "lobby.scbk").write_text(KEY.hex() + "\n", encoding="ascii")
    (tmp_path / "site.yaml").write_text(
        f"""
site: {{id: s, name: s, timezone: Asia/Shanghai, language: en, latitude: 31.2, longitude: 121.5, holidays: CN}}
devices:
  - {{id: rdr-0, driver: osdp, link: {{serial: {port.path}}}, settings: {{scbk: "file:lobby.scbk"}}}}
  - {{id: rdr-1, driver: osdp, link: {{serial: {port.path}}}, settings: {{address: 1, secure: false}}}}
  - {{id: rdr-2, driver: hid_wedge, link: {{input: /dev/input/by-path/usb-0:2-event-kbd}}}}
""",
        encoding="utf-8",
    )
    router = Router(load_site(tmp_path / "site.yaml")[0], DRIVERS)
    told = Recorder()
    assert [type(link) for link in serial_ports(router, told)] == [HidLink]
    assert not polled_lines(router, told)
    [link] = panel_lines(router, told)
    with a_reader(wire) as device:
        async with running(link):
            await until(told, lambda: statuses(told) == [True])
            tap(device, 32, CARD)
            await until(told, lambda: tags(told))


def test_a_site_may_be_looked_at_without_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        """
site: {id: s, name: s, timezone: Asia/Shanghai, language: en, latitude: 31.2, longitude: 121.5, holidays: CN}
devices:
  - {id: rdr-0, driver: osdp, link: {serial: /dev/ttyUSB0}, settings: {scbk: "env:NOT_SET_HERE"}}
""",
        encoding="utf-8",
    )
    site, _ = load_site(tmp_path / "site.yaml", secrets=False)
    assert [device.id for device, _ in Router(site, DRIVERS).panels] == ["rdr-0"]
