"""iButtons: ROMs under damage, and polling an adapter whose contact bounces, is shorted, or has no power."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reject, StreamDecoder
from device_drivers.errors import SettingsError
from device_drivers.ibutton.decoder import LONGEST_LINE
from device_drivers.ibutton.device import Adapter, probe_line, rom_of
from device_drivers.ibutton.poller import IbuttonPoller
from device_drivers.ibutton.rom import crc8, trouble
from device_drivers.observations import DeviceStatus, TagRead
from tests.drivers.line import NOW, talk
from tests.drivers.streams import cut, damaged, outcome

ROM = bytes.fromhex("016060CF030000A8")
GOOD = {
    "ibutton": [ROM, rom_of(7), b"\xcd\x33", b"\xcf"],
    "ibutton_probe": [probe_line(ROM), probe_line(rom_of(7)), b"\r\n"],
}
ONLINE = DeviceStatus(device="rdr", at=NOW, online=True)
TAP = TagRead(device="rdr", at=NOW, tag="016060CF030000A8")


def decoder(driver: str) -> StreamDecoder:
    make = DRIVERS[driver].stream_decoder
    assert make is not None
    return make(DeviceSettings(id="rdr", link={"serial": "-"}))


@pytest.mark.parametrize("driver", GOOD)
@given(data=st.data())
def test_however_a_damaged_stream_is_cut_it_says_the_same_and_never_raises(driver: str, data: st.DataObject):
    stream = data.draw(damaged(GOOD[driver]) | st.binary(max_size=200))
    places = data.draw(st.lists(st.integers(0, 300), max_size=6))
    whole = outcome(lambda: decoder(driver), [stream])
    assert outcome(lambda: decoder(driver), cut(stream, places)) == whole
    assert outcome(lambda: decoder(driver), [bytes([byte]) for byte in stream]) == whole


@given(serial=st.integers(1, 2**48 - 1), family=st.integers(1, 255))
def test_a_rom_has_no_residue_and_one_wrong_bit_never_passes(serial: int, family: int):
    rom = rom_of(serial, family)
    assert crc8(rom) == 0
    assert trouble(rom) == ""
    for bit in range(64):
        wrong = bytearray(rom)
        wrong[bit // 8] ^= 1 << bit % 8
        assert trouble(bytes(wrong))


@given(pieces=st.lists(st.binary(max_size=200), max_size=10))
def test_no_more_than_a_line_is_kept(pieces: list[bytes]):
    stream: Any = decoder("ibutton_probe")
    for piece in pieces:
        stream.feed(piece, NOW)
        assert len(stream._rest) < LONGEST_LINE


@pytest.mark.parametrize(("order", "line"), [("rom", ROM[::-1]), ("printed", ROM)])
def test_a_rom_that_is_right_backwards_is_refused_with_the_setting_that_reads_it(order: str, line: bytes):
    make = DRIVERS["ibutton_probe"].stream_decoder
    assert make is not None
    stream = make(DeviceSettings(id="rdr", link={"serial": "-"}, settings={"order": order}))
    (found,) = stream.feed(line.hex().encode() + b"\r\n", NOW)
    assert isinstance(found, Reject)
    other = "printed" if order == "rom" else "rom"
    assert f"; backwards it is a ROM: `order: {other}` in the reader's settings" in found.reason


def test_an_adapter_without_speed_is_measured_and_asked_in_one_round():
    adapter = Adapter(ROM)
    assert talk(IbuttonPoller("rdr", "-"), adapter.answers).seen == [ONLINE, TAP]
    assert not adapter.data_mode


def test_a_button_is_read_once_while_it_stays_and_nobody_is_a_sign_of_life():
    adapter, poller = Adapter(), IbuttonPoller("rdr", "-")
    assert talk(poller, adapter.answers).seen == [ONLINE]
    adapter.rom = ROM
    assert [talk(poller, adapter.answers).seen for _ in range(3)] == [[TAP], [], []]


def test_an_adapter_that_was_left_in_data_mode_is_brought_back():
    adapter, poller = Adapter(ROM), IbuttonPoller("rdr", "-")
    adapter.measured = adapter.data_mode = True
    assert talk(poller, adapter.answers).seen == []
    assert talk(poller, adapter.answers).seen == [ONLINE, TAP]


def test_a_damaged_rom_is_rejected_once_and_read_when_it_is_right():
    adapter, poller = Adapter(bytes.fromhex("016060CF030000A9")), IbuttonPoller("rdr", "-")
    rounds = [talk(poller, adapter.answers) for _ in range(3)]
    assert [heard.reasons for heard in rounds] == [["CRC A9, expected A8"], [], []]
    adapter.rom = ROM
    assert talk(poller, adapter.answers).seen == [TAP]


def test_a_line_that_stays_shorted_is_offline_and_a_moment_is_not():
    adapter, poller = Adapter(), IbuttonPoller("rdr", "-")
    talk(poller, adapter.answers)
    adapter.shorted = True
    seen = [talk(poller, adapter.answers).seen for _ in range(60)]
    assert seen[:49] == [[]] * 49
    assert seen[49] == [DeviceStatus(device="rdr", at=NOW, online=False, reason="the 1-Wire line is shorted")]
    assert seen[50:] == [[]] * 10
    adapter.shorted = False
    assert talk(poller, adapter.answers).seen == [ONLINE]


def test_an_adapter_that_is_gone_is_offline_after_three_rounds_and_told_once():
    poller = IbuttonPoller("rdr", "-")
    talk(poller, Adapter().answers)
    seen = [talk(poller, lambda _: b"").seen for _ in range(5)]
    assert seen == [[], [], [DeviceStatus(device="rdr", at=NOW, online=False, reason="no answer")], [], []]
    assert talk(poller, Adapter().answers).seen == [ONLINE]


@given(answers=st.lists(st.binary(max_size=12), max_size=8))
def test_whatever_an_adapter_says_no_tag_comes_of_it_but_a_whole_rom(answers: list[bytes]):
    poller, queue = IbuttonPoller("rdr", "-"), list(answers)
    for _ in range(4):
        heard = talk(poller, lambda _: queue.pop() if queue else b"")
        assert all(not trouble(bytes.fromhex(seen.tag)) for seen in heard.seen if isinstance(seen, TagRead))


@pytest.mark.parametrize(
    ("driver", "entry", "key"),
    [
        ("ibutton", {}, "link.serial"),
        ("ibutton", {"link": {"serial": "/dev/x"}, "settings": {"every_ms": 1}}, "settings.every_ms"),
        ("ibutton_probe", {"link": {"serial": "/dev/x"}, "settings": {"order": "lsb"}}, "settings.order"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(driver: str, entry: dict[str, Any], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS[driver].check(DeviceSettings(**{"id": "rdr", **entry}))
    assert refused.value.key == key
