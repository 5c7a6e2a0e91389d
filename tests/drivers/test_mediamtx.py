"""MediaMTX: pages under damage, and what they say in turn."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Fetch, Fetched, Give
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.mediamtx.device import listed, metrics
from device_drivers.observations import Reachable, VideoState

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ENTRY = DeviceSettings(id="mtx", kind="nvr", link={"http": "http://10.0.0.50:9998"})
PAGES = [metrics({"a/b": (True, 5), "c": (False, 0)}), listed({"a": (True, 5)})]


def decoder() -> Any:
    make = DRIVERS["mediamtx"].message_decoder
    assert make is not None
    return make("s", ENTRY)


@given(page=st.sampled_from(PAGES), data=st.data())
def test_damaged_pages_are_read_or_refused(page: bytes, data: st.DataObject) -> None:
    damaged = bytearray(page)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 10))] = data.draw(st.binary(max_size=5))
    try:
        decoder().decode("", bytes(damaged), NOW)
    except DecodeError as error:
        assert error.reason  # noqa: PT017  what is refused is told why


@pytest.mark.parametrize(
    "page",
    [
        b"\xff",
        b'paths{name="a",state="ready"} NaN\n',
        b'paths{name="a",state="ready"} 1e400\n',
        b'paths_bytes_received{name="a",state="ready"} 99999999999999999999\n',
        b'{"items":' + b"[" * 200_000,
        b'{"items":[{"name":"a","ready":true,"bytesReceived":-1}]}',
        b'{"items":[{"name":"a","ready":"yes"}]}',
        b"x" * 1_000_000,
        b'paths{name="' + b"\\" * 100_000 + b"} 1",
        'paths{name="a",state="ready"} １\n'.encode(),
        'paths{name="a",state="ready"} ١\n'.encode(),
    ],
    ids=["latin", "nan", "huge", "64-bit", "deep", "negative", "type", "long", "backslashes", "wide", "arabic"],
)
def test_hostile_pages_are_refused(page: bytes) -> None:
    with pytest.raises(DecodeError):
        decoder().decode("", page, NOW)


@pytest.mark.parametrize("line", [b"paths{", b'paths{name="', b'paths{name="a",', b'paths{name="\\'])
def test_a_line_without_its_end_costs_no_more_than_its_length(line: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(DecodeError):
        decoder().decode("", line + b"a" * 200_000, NOW)
    assert time.perf_counter() - began < 2


def test_names_may_hold_anything() -> None:
    page = b'paths{name="tower 1/\\"a\\\\b\\"",state="ready"} 1\n'
    (reading,) = decoder().decode("metrics", page, NOW)
    assert reading.observation.channel == 'tower 1/"a\\b"'


def test_a_state_of_zero_is_no_state() -> None:
    page = b'paths{name="a",state="ready"} 0\npaths{name="a",state="notReady"} 1\n'
    (reading,) = decoder().decode("", page, NOW)
    assert reading.observation == VideoState(device="mtx", at=NOW, state="loss", channel="a")


def test_many_paths_stay_bounded() -> None:
    mtx = decoder()
    for start in range(0, 20_000, 1000):
        mtx.decode("", metrics({f"p{start + n}": (True, 1) for n in range(1000)}), NOW)
    assert len(mtx._octets) <= 4096


def test_a_round_asks_for_the_page_and_says_what_it_proves() -> None:
    make = DRIVERS["mediamtx"].web_poller
    assert make is not None
    poller = make(ENTRY)
    conversation = poller.round()
    step = conversation.send(None)
    assert isinstance(step, Fetch)
    assert step.path == "/metrics"
    given = conversation.send(Fetched(200, {}, metrics({"a": (False, 0)}), NOW))
    assert isinstance(given, Give)
    assert [item.observation for item in given.found if isinstance(item, Reading)] == [
        Reachable(device="mtx", at=NOW, ok=True, level="service"),
        VideoState(device="mtx", at=NOW, state="loss", channel="a"),
    ]
    rejects = []
    for _ in range(3):
        conversation = poller.round()
        conversation.send(None)
        page = metrics({"a": (True, 0)}) + b'paths{name="b",state="warming"} 1\n'
        given = conversation.send(Fetched(200, {}, page, NOW))
        assert isinstance(given, Give)
        assert [item.observation.channel for item in given.found if isinstance(item, Reading)] == [None, "a"]
        rejects += [item.reason for item in given.found if isinstance(item, Reject)]
    assert len(rejects) == 1
    assert "'warming'" in rejects[0]
    rejects = []
    for _ in range(3):
        conversation = poller.round()
        conversation.send(None)
        given = conversation.send(Fetched(404, {}, b"", NOW))
        assert isinstance(given, Give)
        rejects += [item for item in given.found if isinstance(item, Reject)]
    assert [reject.reason for reject in rejects] == ["status 404 instead of the page"]
