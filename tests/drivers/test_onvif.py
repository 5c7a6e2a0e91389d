"""ONVIF: the public event vectors, messages under damage, and the conversation of probe and PullPoint."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Fetch, Fetched, Give
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import CameraHeartbeat, Measurement, Motion, Reachable, VideoState
from device_drivers.onvif import device
from device_drivers.onvif.discovery import read_announcement
from device_drivers.onvif.events import TOPICS, read_events
from device_drivers.onvif.soap import is_quiet, read_envelope

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ENTRY = DeviceSettings(id="cam", kind="camera", link={"http": "http://10.0.0.7", "user": "watch", "password": "geheim"})
VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")
MOTION = device.Notification(
    "tns1:RuleEngine/CellMotionDetector/Motion", {"VideoSourceConfigurationToken": "v"}, {"IsMotion": "true"}
)
LOSS = device.Notification("tns1:VideoSource/SignalLoss", {"VideoSourceToken": "v"}, {"State": "true"}, "Initialized")
MESSAGES = [
    device.clock(NOW),
    device.fault("NotAuthorized"),
    device.messages([MOTION, LOSS]),
    device.messages([]),
    device.subscription("http://10.0.0.7/onvif/sub?id=1"),
    device.capabilities("http://10.0.0.7/onvif/events"),
    device.probe_match("urn:uuid:1", "http://10.0.0.7/"),
]


def decoder(entry: DeviceSettings = ENTRY) -> Any:
    make = DRIVERS["onvif"].message_decoder
    assert make is not None
    return make("s", entry)


def poller(**settings: Any) -> Any:
    make = DRIVERS["onvif"].web_poller
    assert make is not None
    return make(DeviceSettings(id="cam", kind="camera", link=ENTRY.link, settings=settings))


def heard(payload: bytes, entry: DeviceSettings = ENTRY, topic: str = "") -> list[object]:
    return [reading.observation for reading in decoder(entry).decode(topic, payload, NOW)]


# -- messages


@pytest.mark.skipif(not VECTORS, reason="LAMPLIGHTER_TEST_VECTORS names no vectors.json")
def test_the_public_event_vectors_are_understood() -> None:
    seen = 0
    for vector in json.loads(Path(VECTORS or "").read_text(encoding="utf-8")):
        if vector["format"] != "onvif_event":
            continue
        notification = device.Notification(
            vector["onvif_topic"],
            vector["source_items"],
            vector["data_items"],
            vector["property_operation"],
            vector["utc_time"],
        )
        payload = device.messages([notification])
        (event,), _ = read_events(read_envelope(payload).content)
        assert event.topic in TOPICS
        value = vector["expected"]["value"]
        assert event.active is (value if isinstance(value, bool) else None)
        wanted = [Motion(device="cam", at=NOW, active=bool(value))]
        if vector["property_operation"] == "Initialized":
            wanted = [CameraHeartbeat(device="cam", at=NOW)]  # type: ignore[list-item]
        assert heard(payload) == wanted
        seen += 1
    assert seen


@given(message=st.sampled_from(MESSAGES), data=st.data(), topic=st.sampled_from(["", "PullMessages", "ProbeMatches"]))
def test_damaged_messages_are_read_or_refused(message: bytes, data: st.DataObject, topic: str) -> None:
    damaged = bytearray(message)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    try:
        decoder().decode(topic, bytes(damaged), NOW)
    except DecodeError as error:
        assert error.reason  # noqa: PT017  what is refused is told why


QUIET = device.messages([])
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
PIECES = re.findall(rb"<[^>]*>", QUIET)


PUT = st.one_of(
    st.sampled_from(
        [*PIECES, b"<a>", b"</a>", b"<a/>", b"&lt;", b"&a;", b"<!--", b"<?a Time>1</?>", b"Time>", b"7", b"-"]
    ),
    st.binary(max_size=3),
)


@given(data=st.data())
def test_an_answer_that_seems_to_hold_no_events_says_the_same_when_it_is_read_whole(data: st.DataObject) -> None:
    one = decoder()
    answers = [QUIET]
    for _ in range(3):  # each damaged anew, after what was remembered of those before it
        damaged = data.draw(st.sampled_from(answers))
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(damaged)))
            damaged = damaged[:at] + data.draw(PUT) + damaged[at + data.draw(st.sampled_from([0, 0, 0, 1, 9])) :]
        answers.append(damaged)
        if is_quiet(damaged) or one.is_quiet(damaged):
            assert is_quiet(damaged)
            whole = read_envelope(damaged)
            assert whole.name == "PullMessagesResponse"
            assert read_events(whole.content) == ([], [])


def test_answers_that_differ_in_their_times_alone_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def parse(answer: bytes) -> bool:
        parsed.append(answer)
        return is_quiet(answer)

    monkeypatch.setattr("device_drivers.onvif.decoder.is_quiet", parse)
    one = decoder()
    for second in range(3):
        answer = device.messages([], NOW + timedelta(seconds=20 * second))
        assert bool(one.decode("PullMessages", answer, NOW + timedelta(seconds=20 * second)))
    assert len(parsed) == 1
    assert not one.is_quiet(b"")
    assert not one.is_quiet(device.messages([MOTION]))
    assert one.is_quiet(device.messages([], LONG_AGO))


NO_ENTITY = b'<!DOCTYPE a [<!ENTITY b "x">]>'


@pytest.mark.parametrize(
    ("answer", "quiet"),
    [
        (QUIET, True),
        (QUIET.replace(b"SOAP-ENV", b"s").replace(b"tev:", b"e:").replace(b":tev", b":e"), True),
        (QUIET.replace(b"SOAP-ENV:Header></", b"SOAP-ENV:Header><m xmlns='urn:m'>urn:uuid:1</m></"), True),
        (device.messages([MOTION]), False),
        (device.fault("NotAuthorized"), False),
        (device.subscription("http://10.0.0.7/"), False),
        (QUIET.replace(b"<SOAP-ENV:Envelope", NO_ENTITY + b"<SOAP-ENV:Envelope"), False),
        (QUIET.replace(b"2026-11-23T14:00:00Z", b"&b;"), False),
        (QUIET[:-1], False),
        (b"", False),
        (b"<Envelope/>", False),
        (re.sub(rb"(<tev:Pull.*tev:PullMessagesResponse>)(</SOAP-ENV:Body>)", rb"</SOAP-ENV:Body>\1", QUIET), False),
        (QUIET.replace(b"</SOAP-ENV:Body>", b"<a/></SOAP-ENV:Body>"), False),
    ],
)
def test_only_a_whole_answer_without_events_is_quiet(answer: bytes, quiet: bool) -> None:
    assert is_quiet(answer) is quiet


def test_a_bomb_among_answers_without_events_is_refused() -> None:
    bomb = QUIET.replace(b"<SOAP-ENV:Envelope", NO_ENTITY + b"<SOAP-ENV:Envelope").replace(
        b"2026-11-23T14:00:00Z", b"&b;"
    )
    one = decoder()
    assert one.decode("PullMessages", QUIET, NOW)
    with pytest.raises(DecodeError, match="document type"):
        one.decode("PullMessages", bomb, NOW)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe<\x00",
        b"<a/>",
        b"<a:b/>",
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="cp037"?><a/>' + b"\x4c\x5a",
        b"<Envelope><Body/></Envelope>",
        b"<Envelope><Body>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</Body></Envelope>",
        device.messages([MOTION] * 1100),
        device.clock(NOW).replace(b"<tt:Year>2026", b"<tt:Year>99999999999999999999"),
        device.clock(NOW).replace(b"<tt:Year>2026", b"<tt:Year>0"),
        device.clock(NOW).replace(b"<tt:Hour>14", b"<tt:Hour>NaN"),
    ],
    ids=[
        "empty",
        "utf-16",
        "no-soap",
        "prefix",
        "hidden-entity",
        "ebcdic",
        "no-body",
        "deep",
        "many",
        "huge",
        "zero",
        "nan",
    ],
)
def test_hostile_messages_are_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        decoder().decode("", payload, NOW)


def test_a_gb2312_answer_is_read() -> None:
    payload = device.messages([MOTION]).replace(b"UTF-8", b"GB2312").replace(b'"v"', '"大门"'.encode("gb2312"))
    assert heard(payload) == [Motion(device="cam", at=NOW)]


def test_a_recorders_channels_are_its_sources() -> None:
    entry = DeviceSettings(id="nvr", kind="nvr", link=ENTRY.link)
    assert heard(device.messages([LOSS]), entry) == [VideoState(device="nvr", at=NOW, state="loss", channel="v")]
    assert heard(device.messages([MOTION]), entry) == [CameraHeartbeat(device="nvr", at=NOW, channel="v")]


def test_a_restart_shows_in_the_announcement() -> None:
    found = read_announcement(device.probe_match("urn:uuid:1", "http://10.0.0.7/ http://[fe80::1]/", instance=7))
    assert (found.action, found.instance, found.message) == ("ProbeMatches", 7, 1)
    assert found.found[0].addresses == ("http://10.0.0.7/", "http://[fe80::1]/")
    assert found.found[0].scope("name") == "Gate East"


# -- the conversation


def got(body: bytes, status: int = 200, *, after_s: float = 0, connected: bool = True) -> Fetched:
    return Fetched(status, {}, body, NOW + timedelta(seconds=after_s), "", connected)


def told(step: object) -> list[object]:
    assert isinstance(step, Give)
    return [item.observation if isinstance(item, Reading) else item for item in step.found]


def asked(step: object) -> str:
    assert isinstance(step, Fetch)
    assert step.method == "POST"
    return step.body.decode()


def test_a_probe_then_a_subscription_that_is_kept() -> None:
    conversation = poller().round()
    question = asked(conversation.send(None))
    assert "GetSystemDateAndTime" in question
    assert "Security" not in question  # it needs no log-in
    skewed = NOW + timedelta(hours=2)
    assert told(conversation.send(got(device.clock(skewed)))) == [
        Reachable(device="cam", at=NOW, ok=True, level="service"),
        Measurement(device="cam", at=NOW, quantity="clock_offset", value=7200, unit="s"),
    ]
    question = asked(conversation.send(None))
    assert "GetCapabilities" in question
    check_token(question, skewed)
    step = conversation.send(got(device.capabilities("http://192.168.1.64:8000/onvif/events")))
    assert step.path == "/onvif/events"  # the address behind NAT is not believed
    assert "CreatePullPointSubscription" in asked(step)
    reference = '<x:Id xmlns:x="urn:x">42</x:Id>'
    step = conversation.send(got(device.subscription("http://192.168.1.64/onvif/sub?id=1", reference)))
    assert step.path == "/onvif/sub?id=1"
    assert "PullMessages" in asked(step)
    assert ">42<" in asked(step)
    assert step.within_s > 30
    assert told(conversation.send(got(device.messages([MOTION]), after_s=1))) == [
        Motion(device="cam", at=NOW + timedelta(seconds=1))
    ]
    assert "PullMessages" in asked(conversation.send(None))
    conversation.send(got(device.messages([]), after_s=100))
    assert "Renew" in asked(conversation.send(None))
    assert "PullMessages" in asked(conversation.send(got(device.acknowledged("RenewResponse"), after_s=101)))


def test_a_notification_that_cannot_be_read_goes_to_quarantine_and_what_stands_beside_it_counts() -> None:
    conversation = poller().round()
    conversation.send(None)
    conversation.send(got(device.clock(NOW)))
    conversation.send(None)
    conversation.send(got(device.capabilities("http://10.0.0.7/onvif/events")))
    conversation.send(got(device.subscription("http://10.0.0.7/onvif/sub")))
    answer = device.messages([MOTION._replace(topic=""), MOTION])
    motion, reject = told(conversation.send(got(answer)))
    assert motion == Motion(device="cam", at=NOW)
    assert reject == Reject(answer, "a notification without a topic")


def check_token(question: str, created: datetime) -> None:
    find = lambda name: re.search(rf"<\w:{name}(?: [^>]*)?>([^<]*)<", question)[1]  # type: ignore[index]  # noqa: E731
    assert find("Username") == "watch"
    assert find("Created") == created.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    nonce = base64.b64decode(find("Nonce"))
    digest = hashlib.sha1(nonce + find("Created").encode() + b"geheim").digest()
    assert find("Password") == base64.b64encode(digest).decode()
    assert "geheim" not in question


def test_a_refused_log_in_is_not_tried_again_inside_the_wait() -> None:
    camera = poller()
    after_s = 0.0
    attempts = []
    for _ in range(60):
        conversation = camera.round()
        step = conversation.send(None)
        while True:
            if isinstance(step, Fetch):
                if b"UsernameToken" in step.body:
                    attempts.append(after_s)
                    answer = got(device.fault("NotAuthorized"), 400, after_s=after_s)
                else:
                    answer = got(device.clock(NOW), after_s=after_s)
            else:
                answer = None
            try:
                step = conversation.send(answer)
            except StopIteration:
                break
        after_s += 60
    assert attempts == [0, 300, 900, 2100]


def test_a_refusal_is_told_with_what_to_do_and_proves_the_service() -> None:
    conversation = poller().round()
    conversation.send(None)
    conversation.send(got(device.clock(NOW)))
    conversation.send(None)
    reachable, reject = told(conversation.send(got(device.fault("NotAuthorized"), 400)))
    assert reachable == Reachable(device="cam", at=NOW, ok=True, level="service")
    assert isinstance(reject, Reject)
    assert "auth: digest" in reject.reason
    with pytest.raises(StopIteration):
        conversation.send(None)


def test_with_digest_the_link_logs_in_and_no_token_is_sent() -> None:
    camera = poller(auth="digest")
    assert camera.login == ("watch", "geheim")
    assert poller().login is None
    conversation = camera.round()
    conversation.send(None)
    conversation.send(got(device.clock(NOW)))
    assert "UsernameToken" not in asked(conversation.send(None))


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (got(b"", 401), [Reachable(device="cam", at=NOW, ok=True, level="service")]),
        (got(device.fault("ActionNotSupported"), 500), [Reachable(device="cam", at=NOW, ok=True, level="service")]),
        (got(b"", 0), [Reachable(device="cam", at=NOW, ok=True)]),
        (got(b"", 0, connected=False), [Reachable(device="cam", at=NOW, ok=False)]),
    ],
    ids=["401", "fault", "no-answer", "no-connection"],
)
def test_three_levels_of_proof_are_never_mixed(answered: Fetched, wanted: list[object]) -> None:
    conversation = poller(events=False).round()
    conversation.send(None)
    assert told(conversation.send(answered)) == wanted
    with pytest.raises(StopIteration):
        conversation.send(None)


def test_a_clock_that_cannot_be_read_is_kept_and_the_device_lives() -> None:
    conversation = poller(events=False).round()
    conversation.send(None)
    body = device.clock(NOW).replace(b"<tt:Month>11", b"<tt:Month>13")
    reachable, reject = told(conversation.send(got(body)))
    assert reachable == Reachable(device="cam", at=NOW, ok=True, level="service")
    assert isinstance(reject, Reject)
    assert "month" in reject.reason
