"""Dahua's event stream: under damage, and as a conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as example
from hypothesis import settings
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Fetched, Give, Stream
from device_drivers.dahua.decoder import read_event
from device_drivers.dahua.device import HEARTBEAT, event, part
from device_drivers.dahua.poller import read_channels
from device_drivers.driver import DeviceSettings
from device_drivers.errors import DecodeError
from device_drivers.multipart import MOST_PART
from device_drivers.observations import Motion, VideoState
from tests.drivers.streams import NOW, cut, damaged, observations, outcome

ENTRY = DeviceSettings(id="cam", kind="camera", link={"http": "10.0.0.6", "user": "u", "password": "p"})
DATA = '{\n   "Name" : "a;b=}{\\"c",\n   "Points" : [ [ 1, 2 ], [ 3, 4 ] ]\n}'
PARTS = [
    part(HEARTBEAT),
    part(event("VideoLoss", "Start", 4)),
    part(event("VideoLoss", "Stop", 4)),
    part(event("CrossLineDetection", "Start", 0, DATA)),
    part(event("VideoMotion", "Pulse", 1, "key=value")),
    event("VideoBlind", "Start", 0) + b"\r\n",
    b"\r\n--myboundary--\r\n",
]


def decoder() -> Any:
    make = DRIVERS["dahua"].stream_decoder
    assert make is not None
    return make(ENTRY)


@example(stream=damaged(PARTS), places=st.lists(st.integers(0, 5000), max_size=8))
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, places: list[int]) -> None:
    assert outcome(decoder, cut(stream, places)) == outcome(decoder, [stream])


@settings(max_examples=40)
@example(stream=damaged(PARTS))
def test_byte_by_byte_it_is_the_same(stream: bytes) -> None:
    assert outcome(decoder, [bytes([byte]) for byte in stream]) == outcome(decoder, [stream])


@example(noise=st.binary(max_size=300))
def test_the_next_good_event_is_read_after_any_noise(noise: bytes) -> None:
    camera = decoder()
    camera.feed(noise, NOW)
    found = camera.feed(b"\r\n" + part(event("VideoLoss", "Start", 6)) * 2, NOW)
    assert VideoState(device="cam", at=NOW, state="loss", channel=7) in observations(found)


@settings(max_examples=20)
@example(
    piece=st.sampled_from([b"a", b"--", b"Code=", b'Code=A;action=Start;index=0;data={"', b"[", b"\xff\xd8", b"H"])
)
def test_the_buffer_stays_small_whatever_is_poured_in(piece: bytes) -> None:
    camera = decoder()
    for _ in range(20):
        camera.feed(piece * 4000, NOW)
        assert len(camera._parts.rest) <= MOST_PART + len(piece) * 4000


def test_data_nested_without_end_harms_nothing() -> None:
    camera = decoder()
    camera.feed(b"Code=VideoLoss;action=Start;index=0;data=" + b"[" * 60_000, NOW)
    found = camera.feed(b"\r\n" + part(HEARTBEAT), NOW)
    assert VideoState(device="cam", at=NOW, state="loss", channel=1) in observations(found)


@example(data=st.binary(max_size=120))
def test_an_event_is_read_or_refused(data: bytes) -> None:
    for piece in (data, b"Code=" + data, b"Code=VideoLoss;action=Start;index=" + data):
        try:
            code, action, channel = read_event(piece)
        except DecodeError as error:
            assert error.reason  # noqa: PT017  what is refused is told why
        else:
            assert code
            assert action
            assert channel is None or channel >= 1


@pytest.mark.parametrize("index", ["99999999999999999999", "-1", "1.5", "٣", "4096", ""])
def test_an_index_that_is_none_is_refused(index: str) -> None:
    with pytest.raises(DecodeError):
        read_event(f"Code=VideoLoss;action=Start;index={index}".encode())


def test_a_pulse_of_motion_ends_by_itself_and_a_start_does_not() -> None:
    camera = decoder()
    camera.feed(part(event("VideoMotion", "Start", 0)), NOW)
    assert Motion(device="cam", at=NOW + timedelta(minutes=5), active=False) not in observations(
        camera.feed(part(HEARTBEAT), NOW + timedelta(minutes=5))
    )
    camera = decoder()
    camera.feed(part(event("VideoMotion", "Pulse", 0)), NOW)
    assert Motion(device="cam", at=NOW + timedelta(minutes=5), active=False) in observations(
        camera.feed(part(HEARTBEAT), NOW + timedelta(minutes=5))
    )


def poller(**settings: Any) -> Any:
    make = DRIVERS["dahua"].web_poller
    assert make is not None
    return make(DeviceSettings(id="cam", kind=settings.pop("kind", "camera"), link=ENTRY.link, settings=settings))


def got(body: bytes, status: int = 200) -> Fetched:
    return Fetched(status, {}, body, NOW)


def given(step: object) -> list[object]:
    assert isinstance(step, Give)
    return observations(list(step.found))


def test_the_stream_is_asked_for_with_codes_and_heartbeat_and_given_up_after_three() -> None:
    camera = poller(codes="VideoLoss,VideoBlind", heartbeat_s=10)
    conversation = camera.round()
    conversation.send(None)
    step = conversation.send(got(b"", 501))  # a device that does not know the question
    assert isinstance(step, Stream)
    assert step.path == "/cgi-bin/eventManager.cgi?action=attach&codes=[VideoLoss,VideoBlind]&heartbeat=10"
    assert step.idle_s == 30
    assert (camera.base, camera.login) == ("http://10.0.0.6", ("u", "p"))


def loss(channel: int, active: bool = True, state: Any = "loss") -> VideoState:
    return VideoState(device="cam", at=NOW, state=state, active=active, channel=channel)


def test_what_began_or_ended_without_a_stream_is_asked_for() -> None:
    recorder = poller(kind="nvr", channels=3)
    conversation = recorder.round()
    assert conversation.send(None).path.endswith("getEventIndexes&code=VideoLoss")
    # At the start nothing is known of any channel.
    assert given(conversation.send(got(b"channels[0]=1\r\nchannels[1]=4\r\n"))) == [
        loss(1, False),
        loss(2),
        loss(3, False),
        loss(5),
    ]
    assert conversation.send(None).path.endswith("code=VideoBlind")
    assert given(conversation.send(got(b"Error: No Events\r\n"))) == [
        loss(channel, False, "blind") for channel in (1, 2, 3)
    ]
    stream = conversation.send(None)
    assert isinstance(stream, Stream)
    stream.decoder.feed(part(event("VideoLoss", "Start", 0)) + part(event("VideoLoss", "Stop", 4)), NOW)
    stream.decoder.reset()
    conversation = recorder.round()
    conversation.send(None)
    # Only what stood is spoken of again: on channel 1 it ended meanwhile.
    assert given(conversation.send(got(b"channels[0]=1\n"))) == [loss(1, False), loss(2)]


@pytest.mark.parametrize("body", [b"", b"<html>", b"channels[0]=x", b"channels[0]=99999", b"\xff=1"])
def test_an_answer_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_channels(body)
