"""RTSP: responses under damage, and the probe as a conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Answer, Give, Send
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import Reachable
from device_drivers.rtsp.device import described, options, response, unauthorized
from device_drivers.rtsp.response import read_response, response_end
from tests.drivers.streams import NOW, cut, damaged, observations, outcome

LINK = {"rtsp": "rtsp://anna:x%40y@10.0.0.41/ch1?sub=1", "user": "watch", "password": "geheim"}
DIGEST = 'Digest realm="IP Camera(D1508)", nonce="abc", stale="FALSE"'
PARTS = [
    options(1),
    described(2),
    unauthorized(3, DIGEST, 'Basic realm="r"'),
    b"noise\r\n",
    options(4).replace(b"\r", b""),
]


def decoder() -> Any:
    make = DRIVERS["rtsp"].stream_decoder
    assert make is not None
    return make(DeviceSettings(id="cam"))


def poller(link: dict[str, str] | None = None, **settings: Any) -> Any:
    make = DRIVERS["rtsp"].line_poller
    assert make is not None
    return make(DeviceSettings(id="cam", link=link or LINK, settings=settings))


@given(stream=damaged(PARTS), places=st.lists(st.integers(0, 2000), max_size=8))
def test_the_outcome_does_not_depend_on_how_bytes_arrive(stream: bytes, places: list[int]) -> None:
    assert outcome(decoder, cut(stream, places)) == outcome(decoder, [stream])


@given(noise=st.binary(max_size=200))
def test_the_next_good_response_is_read_after_any_noise(noise: bytes) -> None:
    camera = decoder()
    camera.feed(noise + b"\r\n", NOW)
    found = camera.feed(options(1) + options(2), NOW)
    assert Reachable(device="cam", at=NOW, ok=True, level="service") in observations(found)


@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"RTSP/1.0 200 OK\r\n", b"RTSP/1.0 "]))
def test_a_response_is_read_or_refused(data: bytes, head: bytes) -> None:
    end = response_end(head + data)
    assert 0 <= end <= len(head + data)
    try:
        assert 100 <= read_response(head + data).status <= 599
    except DecodeError as error:
        assert error.reason  # noqa: PT017  what is refused is told why


def test_the_buffer_stays_small_whatever_is_poured_in() -> None:
    for piece in (
        b"RTSP/1.0 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        b"a",
        b"RTSP",
        b"\n",
        b"RTSP/1.0 200 OK\r\nA: ",
    ):
        camera = decoder()
        for _ in range(200):
            camera.feed(piece * 100, NOW)
            assert len(camera._rest) <= 200_000


# -- the probe


class Camera:
    """Answers to what is sent; keeps it."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []

    def probe(self, poller: Any, at: Any = NOW) -> list[Reading | Reject]:
        conversation = poller.round()
        found: list[Reading | Reject] = []
        step = conversation.send(None)
        while True:
            answer = None
            if isinstance(step, Send):
                self.sent.append(step.data.decode())
                data = self.answers.pop(0) if self.answers else b""
                answer = Answer(data, at, step.ends(data) > 0)
            else:
                assert isinstance(step, Give)
                found += step.found
            try:
                step = conversation.send(answer)
            except StopIteration:
                return found


SERVICE = Reachable(device="cam", at=NOW, ok=True, level="service")
NETWORK = Reachable(device="cam", at=NOW, ok=True)


def test_a_log_in_is_answered_by_digest_and_never_by_basic() -> None:
    camera = Camera(options(1), unauthorized(2, 'Basic realm="r"', DIGEST), described(3))
    assert observations(camera.probe(poller())) == [SERVICE]
    assert [line.split()[0] for line in camera.sent] == ["OPTIONS", "DESCRIBE", "DESCRIBE"]
    assert 'Authorization: Digest username="watch", realm="IP Camera(D1508)"' in camera.sent[2]
    assert 'uri="rtsp://10.0.0.41:554/ch1?sub=1"' in camera.sent[2]
    assert "geheim" not in "".join(camera.sent)
    assert "anna" not in "".join(camera.sent)


def test_a_password_in_clear_text_is_not_sent_unless_told() -> None:
    camera = Camera(options(1), unauthorized(2, 'Basic realm="r"'))
    service, complaint = camera.probe(poller())
    assert observations([service]) == [SERVICE]
    assert isinstance(complaint, Reject)
    assert "clear text" in complaint.reason
    assert "Authorization" not in "".join(camera.sent)
    camera = Camera(options(1), unauthorized(2, 'Basic realm="r"'), described(3))
    camera.probe(poller({**LINK, "basic": "true"}))
    assert "Authorization: Basic d2F0Y2g6Z2VoZWlt" in camera.sent[2]


def test_a_refused_password_is_not_tried_again_inside_the_wait() -> None:
    probing = poller()
    attempts = []
    for minute in range(40):
        camera = Camera(options(1), *[unauthorized(2, DIGEST)] * 3)
        camera.probe(probing, NOW + timedelta(minutes=minute))
        attempts += [minute] * sum("Authorization" in sent for sent in camera.sent)
    assert attempts == [0, 5, 15, 35]


def test_a_stale_nonce_is_no_refusal() -> None:
    camera = Camera(options(1), unauthorized(2, DIGEST), unauthorized(3, DIGEST.replace("FALSE", "TRUE")), described(4))
    assert observations(camera.probe(poller())) == [SERVICE]
    assert len(camera.sent) == 4


@pytest.mark.parametrize(
    ("answers", "wanted", "reason"),
    [
        ([response(404, "Not Found", 2)], SERVICE, "path"),
        ([response(453, "Not Enough Bandwidth", 2)], SERVICE, "sessions"),
        ([response(503, "Service Unavailable", 2)], SERVICE, "overloaded"),
        ([b""], NETWORK, ""),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], NETWORK, "HTTP"),
    ],
    ids=["404", "453", "503", "silent", "http"],
)
def test_what_each_answer_proves(answers: list[bytes], wanted: Reachable, reason: str) -> None:
    first = [] if wanted is NETWORK else [options(1)]
    found = Camera(*first, *answers).probe(poller())
    assert observations(found) == [wanted]
    assert reason in "".join(item.reason for item in found if isinstance(item, Reject))


def test_a_complaint_is_told_once() -> None:
    probing = poller()
    missing = (options(1), response(404, "Not Found", 2))
    told = [len(Camera(*missing).probe(probing)) for _ in range(3)]
    assert told == [2, 1, 1]
    Camera(options(1), described(2)).probe(probing)
    assert len(Camera(*missing).probe(probing)) == 2


def test_no_connection_proves_what_it_proves() -> None:
    probing = poller()
    assert (probing.line, probing.hangs_up, probing.every_s) == ("socket://10.0.0.41:554", True, 60)
    assert observations(probing.unreached(NOW, False)) == [Reachable(device="cam", at=NOW, ok=False)]
    assert observations(probing.unreached(NOW, True)) == [NETWORK]
