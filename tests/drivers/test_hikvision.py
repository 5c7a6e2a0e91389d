"""Hikvision's event stream: under damage, and as a conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Fetch, Fetched, Give, Stream
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.hikvision.alert import read_alert
from device_drivers.hikvision.device import alert, heartbeat, part
from device_drivers.multipart import MOST_PART
from device_drivers.observations import CameraHeartbeat, Motion, Reachable, VideoState
from tests.drivers.streams import NOW, cut, damaged, observations, outcome

ENTRY = DeviceSettings(id="cam", kind="camera", link={"http": "http://10.0.0.5", "user": "u", "password": "p"})
JPEG = part(b"\xff\xd8" + bytes(range(256)) * 2, kind="image/jpeg", length=3)
PARTS = [
    part(heartbeat()),
    part(alert("videoloss", True, channel=34)),
    part(alert("VMD", True), length=7),
    part(alert("shelteralarm", True, namespace=None)),
    alert("videoloss", True, channel=2) + b"\n",
    part(b'{"eventType":"videoloss","eventState":"active","channelID":3}', kind="application/json"),
    JPEG,
    b"\r\n--boundary--\r\n",
]
NAMESPACES = [
    "http://www.hikvision.com/ver10/XMLSchema",
    "http://www.hikvision.com/ver20/XMLSchema",
    "http://www.std-cgi.com/ver20/XMLSchema",
    "http://www.isapi.org/ver20/XMLSchema",
    "urn:psialliance-org",
    None,
]


def decoder(entry: DeviceSettings = ENTRY) -> Any:
    make = DRIVERS["hikvision"].stream_decoder
    assert make is not None
    return make(entry)


def poller(entry: DeviceSettings = ENTRY) -> Any:
    make = DRIVERS["hikvision"].web_poller
    assert make is not None
    return make(entry)


@pytest.mark.parametrize(
    "document", [alert("videoloss", True), b'{"eventType":"videoloss","eventState":"active","channelID":1}']
)
def test_a_byte_order_mark_before_a_report_is_no_report(document: bytes) -> None:
    marked = b"\xef\xbb\xbf" + document
    for stream in (marked, part(marked) + part(marked), part(marked) + b"\xef\xbb"):
        rejected = b"\xef\xbb" if stream.endswith(b"\xef\xbb") else b""
        for arrivals in ([stream], [bytes([octet]) for octet in stream]):
            found = outcome(decoder, arrivals)
            assert [item.observation for item in found if isinstance(item, Reading)] == [
                VideoState(device="cam", at=NOW, state="loss", channel=1, expires_s=None)
            ]
            assert b"".join(item.data for item in found if isinstance(item, Reject)) == rejected


@given(stream=damaged(PARTS), places=st.lists(st.integers(0, 5000), max_size=8))
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, places: list[int]) -> None:
    assert outcome(decoder, cut(stream, places)) == outcome(decoder, [stream])


@settings(max_examples=40)
@given(stream=damaged(PARTS))
def test_byte_by_byte_it_is_the_same(stream: bytes) -> None:
    assert outcome(decoder, [bytes([byte]) for byte in stream]) == outcome(decoder, [stream])


@given(noise=st.binary(max_size=300))
def test_the_next_good_report_is_read_after_any_noise(noise: bytes) -> None:
    camera = decoder()
    camera.feed(noise, NOW)
    # A picture that was begun ends at a boundary, a report at the next report: two are enough.
    found = camera.feed(b"\r\n" + part(alert("videoloss", True, channel=7)) * 2, NOW)
    assert VideoState(device="cam", at=NOW, state="loss", channel=7) in observations(found)


@settings(max_examples=20)
@given(
    piece=st.sampled_from([b"<", b"a", b"-", b"--", b"\xff\xd8", b"{", b"Content-", b"<EventNotificationAlert", b'"'])
)
def test_the_buffer_stays_small_whatever_is_poured_in(piece: bytes) -> None:
    camera = decoder()
    for _ in range(40):
        camera.feed(piece * 4000, NOW)
        assert len(camera._parts.rest) <= MOST_PART + 64_000


@given(document=st.binary(max_size=200) | st.sampled_from(PARTS))
def test_a_document_is_read_or_refused(document: bytes) -> None:
    for data in (document, b"<EventNotificationAlert>" + document, b"{" + document):
        try:
            read_alert(data)
        except DecodeError as error:
            assert error.reason  # noqa: PT017  what is refused is told why


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("time", ["2026-11-23T22:00:00+08:00", "2026-11-23T22:00", "2026-11-23T22:00:00-8:00", "never"])
def test_namespaces_and_odd_times_do_not_matter(namespace: str | None, time: str) -> None:
    found = outcome(decoder, [part(alert("videoloss", True, channel=1, namespace=namespace, time=time))])
    assert observations(found) == [VideoState(device="cam", at=NOW, state="loss", channel=1)]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><EventNotificationAlert/>', "document type"),
        (b"<EventNotificationAlert>" + b"<a>" * 100_000, "eventType"),
        (alert("VMD", True).replace(b"channelID>1<", b"channelID>99999999999999999999<"), "channelID"),
        (alert("VMD", True).replace(b"channelID>1<", b"channelID>-4<"), "channelID"),
        (alert("VMD", True).replace(b"channelID>1<", "channelID>٣<".encode()), "channelID"),
        (b"{" * 200_000, "JSON"),
        (b'{"eventType":"VMD","eventState":"active","channelID":NaN}', "JSON"),
        (b"[]", "no EventNotificationAlert"),
        (b"{}", "no eventType"),
    ],
    ids=["bomb", "deep", "huge", "negative", "arabic", "deep-json", "nan", "array", "empty"],
)
def test_hostile_documents_are_refused(document: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        read_alert(document)


def test_an_entity_hidden_by_its_encoding_is_not_expanded() -> None:
    document = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "x">]><EventNotificationAlert/>'.encode(
        "utf-16"
    )
    with pytest.raises(DecodeError):
        read_alert(document)


@pytest.mark.parametrize(
    ("channel", "offset", "wanted"), [(34, 32, 2), (32, 32, 32), (33, 32, 1), (34, 0, 34), (0, 32, None), (4, 32, 4)]
)
def test_channels_of_a_recorder(channel: int, offset: int, wanted: int | None) -> None:
    entry = DeviceSettings(id="nvr", kind="nvr", link=ENTRY.link, settings={"channel_offset": offset})
    found = outcome(lambda: decoder(entry), [part(alert("videoloss", True, channel=channel))])
    assert observations(found) == [VideoState(device="nvr", at=NOW, state="loss", channel=wanted)]


def test_expiries_are_settings() -> None:
    entry = DeviceSettings(id="cam", link=ENTRY.link, settings={"expires_s": 0, "loss_expires_s": 90})
    found = outcome(lambda: decoder(entry), [part(alert("shelteralarm", True)) + part(alert("videoloss", True))])
    assert [state.expires_s for state in observations(found)] == [None, 90]  # type: ignore[attr-defined]


def test_motion_under_way_ends_after_a_reconnect() -> None:
    camera = decoder()
    camera.feed(part(alert("VMD", True)), NOW)
    camera.reset()
    found = camera.feed(part(heartbeat()), NOW + timedelta(seconds=30))
    assert Motion(device="cam", at=NOW + timedelta(seconds=30), active=False) in observations(found)


def test_a_clock_set_back_silences_nothing() -> None:
    camera = decoder()
    camera.feed(part(heartbeat()), NOW)
    earlier = NOW - timedelta(hours=1)
    assert observations(camera.feed(part(heartbeat()), earlier)) == [CameraHeartbeat(device="cam", at=earlier)]


def test_after_each_connect_a_loss_that_may_have_ended_is_taken_back_once() -> None:
    stream = next(iter([poller().round().send(None)]))
    assert isinstance(stream, Stream)
    idle = part(heartbeat(channel=1))
    ended = VideoState(device="cam", at=NOW, state="loss", active=False, channel=1)
    assert observations(stream.decoder.feed(idle, NOW)) == [CameraHeartbeat(device="cam", at=NOW, channel=1), ended]
    assert observations(stream.decoder.feed(idle, NOW)) == []
    stream.decoder.reset()
    assert ended in observations(stream.decoder.feed(idle, NOW))


# -- the conversation


def answer(status: int, *, connected: bool = True, error: str = "") -> Fetched:
    return Fetched(status, {}, b"", NOW, error, connected)


def told(step: object) -> list[Reading | Reject]:
    assert isinstance(step, Give)
    return list(step.found)


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (answer(401), Reachable(device="cam", at=NOW, ok=True, level="service")),
        (answer(503), Reachable(device="cam", at=NOW, ok=True, level="service")),
        (answer(0, error="refused"), Reachable(device="cam", at=NOW, ok=True)),
        (answer(0, connected=False, error="no route"), Reachable(device="cam", at=NOW, ok=False)),
    ],
    ids=["401", "503", "no-answer", "no-connection"],
)
def test_three_levels_of_proof_are_never_mixed(answered: Fetched, wanted: Reachable) -> None:
    conversation = poller().round()
    assert isinstance(conversation.send(None), Stream)
    assert observations(told(conversation.send(answered))) == [wanted]


def test_a_stream_that_was_silent_proves_nothing_until_the_device_is_asked() -> None:
    conversation = poller().round()
    conversation.send(None)
    probe = conversation.send(answer(200, error="nothing came for 60 s"))
    assert isinstance(probe, Fetch)
    assert observations(told(conversation.send(answer(0, connected=False)))) == [
        Reachable(device="cam", at=NOW, ok=False)
    ]


def test_old_firmware_has_another_path() -> None:
    camera = poller()
    conversation = camera.round()
    first = conversation.send(None)
    conversation.send(answer(404))
    second = camera.round().send(None)
    assert (first.path, second.path) == (
        "/ISAPI/Event/notification/alertStream",
        "/Event/notification/alertStream",
    )
