"""GB/T 28181 without sockets: damage, glue, encodings, secrets, and what must stay bounded."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import device_drivers
from device_drivers.catalogue import DRIVERS
from device_drivers.complaints import Complaints
from device_drivers.conversation import Served
from device_drivers.digest import NONCE_LASTS_S, Challenger, parameters, response
from device_drivers.driver import DeviceSettings, Reading, Readings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.gb28181.decoder import Gb28181Decoder
from device_drivers.gb28181.device import Channel, Device
from device_drivers.gb28181.manscdp import read_body
from device_drivers.gb28181.meaning import ALARMS
from device_drivers.gb28181.registrar import Registrar
from device_drivers.gb28181.sip import (
    LONGEST_BODY,
    LONGEST_HEAD,
    Message,
    SipStream,
    answer,
    parameter,
    read_message,
    user,
)
from device_drivers.observations import CameraHeartbeat, StorageFault, VideoState

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
PEER = ("10.0.0.7", 5060)
NVR, CAMERA = "34020000001180000001", "34020000001320000007"
CASES = sorted((Path(device_drivers.__file__).parent / "gb28181" / "cases").glob("*.yaml"))
PIECES = [
    bytes.fromhex(step["hex"]) if "hex" in step else step["payload"].encode()
    for path in CASES
    for step in yaml.safe_load(path.read_text(encoding="utf-8"))["feed"]
]
DEVICES = [
    DeviceSettings(id="nvr-1", kind="nvr", device_id=NVR),
    DeviceSettings(id="cam-1", kind="camera", channel=1, behind="nvr-1"),
    DeviceSettings(id="cam-gate", kind="camera", device_id=CAMERA),
]


def damaged(data: st.DataObject, piece: bytes) -> bytes:
    changed = bytearray(piece)
    for _ in range(data.draw(st.integers(0, 6))):
        position = data.draw(st.integers(0, len(changed)))
        changed[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    return bytes(changed)


@given(piece=st.sampled_from(PIECES), data=st.data())
def test_damaged_messages_are_read_or_refused(piece: bytes, data: st.DataObject):
    with suppress(DecodeError):
        Gb28181Decoder().decode("", damaged(data, piece), NOW)


GOOD = (CASES[0].parent / "glued-two-keepalives.yaml").read_text(encoding="utf-8")
DAHUA, HIKVISION = bytes.fromhex(yaml.safe_load(GOOD)["feed"][0]["hex"]).split(b"\r\n\r\nMESSAGE ")
HIKVISION = b"MESSAGE " + HIKVISION


@pytest.mark.parametrize(
    ("before", "behind", "reason"),
    [
        (b"noise\r\n", b"", "start line 'noise'"),
        (b"", b"noise", "head has no end"),
        (DAHUA.replace(b"</Notify>", b"</Notice>"), b"", "XML"),
        (b"", DAHUA.replace(b"</Notify>", b"</Notice>"), "XML"),
        (DAHUA.replace(b"Length:   178", b"Length: 300"), b"", "XML"),
        (DAHUA.replace(b"Length:   178", b"Length: 9999"), b"", "Content-Length says 9999"),
        (DAHUA[:-60], b"", "XML"),
        (b"", DAHUA[:-60], "Content-Length says 178"),
    ],
)
def test_what_is_glued_to_a_message_and_cannot_be_read_does_not_cost_it(before: bytes, behind: bytes, reason: str):
    piece = before + HIKVISION + behind
    found = Gb28181Decoder().decode("", piece, NOW)
    assert [reading.observation for reading in found] == [CameraHeartbeat(device="64000000002000000001", at=NOW)]
    assert isinstance(found, Readings)
    [reject] = found.rejects
    assert reject.data == piece
    assert reason in reject.reason


@given(junk=st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused(junk: bytes):
    for before in (b"", b"<", b"<?xml?>", b"MESSAGE sip:x SIP/2.0\r\n"):
        with suppress(DecodeError):
            Gb28181Decoder().decode("", before + junk, NOW)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=4), data=st.data())
def test_the_registrar_never_raises_and_speaks_sip(pieces: list[bytes], data: st.DataObject):
    registrar = Registrar(DEVICES, {})
    caller = registrar.connection(PEER)
    served: list[Served] = []
    for piece in pieces:
        changed = damaged(data, piece)
        served.append(registrar.datagram(changed, PEER, NOW))
        served += caller.feed(changed, NOW)
    served += caller.lost(NOW)
    for each in served:
        for text in each.answers:
            message, end = read_message(text)
            assert end == len(text)
            assert message.method or message.uri in ("200", "400", "403", "405", "415")
        for found in each.found:
            assert found if isinstance(found, Reading) else found.reason


@given(
    pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=5),
    cuts=st.lists(st.integers(1, 400), max_size=30),
)
def test_a_stream_says_the_same_however_it_is_cut(pieces: list[bytes], cuts: list[int]):
    data = b"".join(pieces)

    def heard(parts: list[bytes]) -> list[object]:
        stream = SipStream()
        return [each for part in parts for each in stream.feed(part)] + stream.end()

    parts, rest = [], data
    for cut in cuts:
        parts.append(rest[:cut])
        rest = rest[cut:]
    assert heard([*parts, rest]) == heard([data]) == heard([bytes([byte]) for byte in data])


def test_a_stream_reads_the_next_good_message_after_noise():
    device = Device(CAMERA)
    good = device.keepalive()
    for noise in (
        b"\xff\x00noise\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        good.replace(b"Content-Length:   ", b"X: "),
    ):
        stream = SipStream()
        found = stream.feed(noise + good + good)
        assert [isinstance(each, Message) for each in found] == [False, True, True]


def test_a_message_cut_off_in_its_head_does_not_swallow_the_next():
    device = Device(CAMERA)
    stream = SipStream()
    found = stream.feed(device.keepalive()[:150].rpartition(b"\r\n")[0] + b"\r\n" + device.keepalive())
    assert [isinstance(each, Message) for each in found] == [False, True]


def test_who_sends_nothing_but_noise_is_given_up():
    stream = SipStream()
    stream.feed(b"a SIP/2.0\r\nb\r\n\r\n" * 40)
    assert stream.unfinished
    assert stream.feed(Device(CAMERA).keepalive()) == []


@pytest.mark.parametrize(
    "flood", [b"A" * 4096, b"MESSAGE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 700, b"\n" * 4096, b"a SIP/2.0\r\n" * 400]
)
def test_a_stream_stays_bounded(flood: bytes):
    stream = SipStream()
    for _ in range(300):
        stream.feed(flood)
        assert len(stream._rest) <= LONGEST_HEAD + LONGEST_BODY + len(flood)
    assert len(stream.end()) <= 2


@pytest.mark.parametrize(
    "bomb",
    [
        b'<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><Notify>&b;</Notify>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Notify/>',
        b"<!DOCTYPE a><Notify/>",
        b"<Notify>" * 100_000,
        b"<Notify>" + b"<a>" * 30_000 + b"</a>" * 30_000 + b"</Notify>",
        b"<Notify><CmdType>Keepalive</CmdType><SN>" + b"9" * 100_000 + b"</SN></Notify>",
        b"<Notify " + b'a="b" ' * 20_000 + b"/>",
        b'<?xml version="1.0" encoding="UTF-16"?>' + "<Notify/>".encode("utf-16"),
        b"<Notify>\xff\xfe\x00</Notify>",
        b"<Notify/>" + b" " * (300 * 1024),
        b"<?xml",
        b"<\x00",
        b"",
    ],
    ids=range(13),
)
def test_bombs_are_refused(bomb: bytes):
    with pytest.raises(DecodeError):
        read_body(bomb)


@pytest.mark.parametrize("declared", ["GB2312", "gb18030", "GBK", "UTF-8", "utf-8", "windows-1252", "nonsense", None])
@pytest.mark.parametrize("used", ["gb18030", "utf-8"])
def test_what_a_body_calls_its_encoding_does_not_matter(declared: str | None, used: str):
    declaration = "" if declared is None else f'<?xml version="1.0" encoding="{declared}"?>'
    item = f"<Item><DeviceID>34020000001320000001</DeviceID><Name>车库一号</Name><Status>ON</Status></Item>"  # noqa: F541
    text = f"{declaration}<Response><CmdType>Catalog</CmdType><DeviceID>{NVR}</DeviceID><DeviceList>{item}</DeviceList></Response>"
    [found] = Gb28181Decoder().decode("", text.encode(used), NOW)
    assert (found.observation.device, found.observation.channel) == (NVR, "34020000001320000001")


@pytest.mark.parametrize("lasts", [60.0, 600.0])
def test_an_alarm_about_the_picture_ends_by_itself(lasts: float):
    registrar = Registrar(
        [DeviceSettings(id="c", kind="camera", device_id=CAMERA, settings={"alarm_lasts_s": lasts})], {}
    )
    [reading] = registrar.datagram(Device(CAMERA).alarm(5, 13), PEER, NOW).found
    assert isinstance(reading, Reading)
    assert isinstance(reading.observation, VideoState)
    assert (reading.observation.state, reading.observation.expires_s) == ("blind", lasts)


@pytest.mark.parametrize("kind", list(ALARMS))
def test_every_alarm_of_the_table_becomes_an_observation(kind: tuple[int, int]):
    registrar = Registrar(DEVICES, {})
    [reading] = registrar.datagram(Device(NVR).alarm(*kind, channel="34020000001320000001"), PEER, NOW).found
    assert isinstance(reading, Reading)
    assert reading.observation.device in ("nvr-1", "cam-1")
    if isinstance(reading.observation, (VideoState, StorageFault)):
        assert reading.observation.channel == 1


def test_what_a_single_camera_says_of_its_video_channel_is_about_itself():
    registrar, device = Registrar(DEVICES, {}), Device(CAMERA)
    [reading] = registrar.datagram(device.alarm(2, 1, channel="34020000001310000001"), PEER, NOW).found
    assert isinstance(reading, Reading)
    assert (reading.observation.device, reading.observation.channel) == ("cam-gate", None)
    assert registrar.datagram(device.alarm(2, 1, channel="34020000001340000001"), PEER, NOW).found == []
    [beat] = registrar.datagram(device.keepalive(faulty=["34020000001310000001"]), PEER, NOW).found
    assert isinstance(beat, Reading)
    assert beat.observation.status == "fault"


def test_two_recorders_may_have_channels_of_the_same_id():
    other = "34020000001180000002"
    devices = [
        *DEVICES,
        DeviceSettings(id="nvr-2", kind="nvr", device_id=other),
        DeviceSettings(id="cam-2", kind="camera", channel="34020000001320000001", behind="nvr-2"),
    ]
    registrar = Registrar(devices, {})
    said = []
    for device_id in (NVR, other):
        for page in Device(device_id).catalog([Channel("34020000001320000001")]):
            said += registrar.datagram(page, PEER, NOW).found
    assert [(each.observation.device, each.observation.channel) for each in said] == [
        ("nvr-1", 1),
        ("nvr-2", "34020000001320000001"),
    ]


def test_the_catalogue_is_asked_for_in_step_with_the_keepalives():
    registrar = Registrar(DEVICES, {})
    device = Device(NVR)
    asked = [
        len(registrar.datagram(device.keepalive(), PEER, NOW + timedelta(seconds=second)).answers) - 1
        for second in (0, 30, 60, 90, 120, 121)
    ]
    assert asked == [1, 0, 1, 0, 1, 0]


def test_a_request_that_comes_again_gets_the_same_challenge():
    registrar = Registrar(DEVICES, {"password": "secret"})
    register = (
        f"REGISTER sip:{NVR}@3402000000 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1\r\n"
        f"From: <sip:{NVR}@3402000000>;tag=1\r\nTo: <sip:{NVR}@3402000000>\r\nCall-ID: a\r\nCSeq: {{}} REGISTER\r\n"
        "{}Content-Length: 0\r\n\r\n"
    )
    first = registrar.datagram(register.format(1, "").encode(), PEER, NOW).answers
    again = registrar.datagram(register.format(1, "").encode(), PEER, NOW + timedelta(seconds=1)).answers
    other = registrar.datagram(register.format(2, "").encode(), PEER, NOW + timedelta(seconds=1)).answers
    assert first[0].startswith(b"SIP/2.0 401")
    assert again == first != other
    given = parameters(first[0].decode().partition("WWW-Authenticate: ")[2].partition("\r\n")[0]) | {
        "username": NVR,
        "uri": "sip:x",
    }
    given["response"] = response(given, "REGISTER", "secret")
    proof = "Authorization: Digest " + ", ".join(f'{name}="{value}"' for name, value in given.items()) + "\r\n"
    proved = registrar.datagram(register.format(1, proof).encode(), PEER, NOW + timedelta(seconds=2)).answers
    assert proved[0].startswith(b"SIP/2.0 200"), "though it counts nothing up"


def test_identifiers_that_never_change_lose_at_most_half_a_minute():
    registrar = Registrar(DEVICES, {})
    same = Device(CAMERA).keepalive()
    found = [len(registrar.datagram(same, PEER, NOW + timedelta(seconds=60 * beat)).found) for beat in range(5)]
    assert found == [1, 1, 1, 1, 1]


def test_a_message_from_a_channels_address_is_its_recorders():
    registrar = Registrar(DEVICES, {})
    registrar.datagram(Device(NVR).keepalive(), PEER, NOW)
    stray = Device("34020000001320000001").alarm(5, 2)
    [reading] = registrar.datagram(stray, PEER, NOW).found
    assert isinstance(reading, Reading)
    assert reading.observation.device == "cam-1"


def test_strangers_do_not_fill_the_memory():
    registrar = Registrar(DEVICES, {"password": "x"})
    device = Device(CAMERA)
    tracemalloc.start()
    try:
        for number in range(3000):
            peer = (f"10.0.{number % 250}.{number // 250}", 5060)
            registrar.datagram(
                Device(f"3402000000132{number:07d}").register(), peer, NOW + timedelta(seconds=10 * number)
            )
            registrar.datagram(device.register(), peer, NOW)
            if number == 1500:
                gc.collect()  # what waits for the collector is not kept
                before = tracemalloc.get_traced_memory()[0]
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()


def test_one_complaint_is_kept_once_in_ten_minutes_and_few_in_a_minute():
    complaints = Complaints()
    assert complaints.keep("a", "x", NOW) == "x"
    assert complaints.keep("a", "x", NOW + timedelta(minutes=9)) is None
    assert complaints.keep("a", "x", NOW + timedelta(minutes=10)) == "x"
    later = NOW + timedelta(hours=1)
    kept = [complaints.keep(str(number), "y", later) for number in range(100)]
    assert sum(each is not None for each in kept) == 10
    told = complaints.keep("z", "y", later + timedelta(minutes=1))
    assert told is not None
    assert "90 other complaints" in told


@pytest.mark.parametrize("qop", [False, True])
def test_a_challenge_is_answered_only_with_the_password(qop: bool):
    challenger = Challenger("3402000000", b"secret", qop=qop)
    asked = parameters(challenger.challenge("10.0.0.7", NOW))

    def proof(password: str, **changed: str) -> str:
        given = {"username": CAMERA, "realm": asked["realm"], "nonce": asked["nonce"], "uri": "sip:x"}
        if qop:
            given |= {"qop": "auth", "nc": "00000001", "cnonce": "abc"}
        given |= changed
        given["response"] = response(given, "REGISTER", password)
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in given.items())

    def judged(text: str, caller: str = "10.0.0.7", after_s: float = 0) -> str:
        return challenger.judge(text, "REGISTER", "right", caller, NOW + timedelta(seconds=after_s))

    assert judged(proof("right")) == "right"
    assert judged(proof("right"), after_s=NONCE_LASTS_S) == "right"
    assert judged(proof("right"), after_s=NONCE_LASTS_S + 1) == "stale"
    assert judged(proof("right"), caller="10.0.0.8") == "stale"
    assert judged(proof("right", nonce="0" * 40)) == "stale"
    assert judged(proof("wrong")) == "wrong"
    assert judged(proof("right", realm="other")) == "foreign"
    assert judged("Basic cmlnaHQ6cmlnaHQ=") == "foreign"
    assert judged(proof("right") + ", algorithm=SHA-256") == "foreign"


@pytest.mark.parametrize(
    ("authorization", "complaints"),
    [
        ('Capability algorithm="A:SHA1;S:DES/ECB/PKCS5"', 0),  # an offer of the strengthened edition
        ('Digest username="x", realm="other", nonce="1", uri="sip:x", response="0"', 1),  # from an earlier server
    ],
)
def test_who_answers_another_challenge_is_asked_ours(authorization: str, complaints: int):
    registrar = Registrar(DEVICES, {"password": "p"})
    data = (
        Device(CAMERA).register().replace(b"Max-Forwards", f"Authorization: {authorization}\r\nMax-Forwards".encode())
    )
    served = registrar.datagram(data, PEER, NOW)
    assert read_message(served.answers[0])[0].uri == "401"
    assert len(served.found) == complaints


def test_a_query_over_ipv6_names_the_device_in_brackets():
    registrar = Registrar(DEVICES, {})
    served = registrar.datagram(Device(NVR).register(), ("fe80::7", 5060), NOW)
    assert read_message(served.answers[1])[0].uri == f"sip:{NVR}@[fe80::7]:5060"


def test_the_digest_is_that_of_rfc_2617():
    given = parameters(
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert response(given, "GET", "Circle Of Life") == "6629fae49393a05397450978507c4ef1"


@given(text=st.text(max_size=200))
def test_any_authorization_is_judged(text: str):
    Challenger("r", b"s").judge("Digest " + text, "REGISTER", "p", "h", NOW)


def test_addresses_and_vias_are_read_as_they_stand():
    assert user('"门口" <sip:34020000001320000001@192.168.1.107:5060>;tag=1') == CAMERA[:-1] + "1"
    assert user("sip:34020000001320000001@x") == "34020000001320000001"
    assert user("<sip:192.168.1.107>") == ""
    message, _ = read_message(Device(CAMERA, address=("192.168.1.107", 5060)).keepalive())
    told = read_message(answer(message, 200, ("10.9.8.7", 40_001), "t"))[0]
    assert parameter(told.vias[0], "rport") == "40001"
    assert parameter(told.vias[0], "received") == "10.9.8.7"
    assert parameter(told.headers["to"], "tag") == "t"


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "device_id"),
        ({"device_id": "3402"}, "device_id"),
        ({"device_id": NVR, "link": {"sip": "x"}}, "link"),
        ({"device_id": NVR, "settings": {"user": "x"}}, "settings.user"),
        ({"device_id": NVR, "settings": {"catalog_every_s": -1}}, "settings.catalog_every_s"),
        ({"device_id": NVR, "settings": {"alarm_lasts_s": True}}, "settings.alarm_lasts_s"),
        ({"device_id": NVR, "settings": {"password": 1234}}, "settings.password"),
        ({"channel": 0, "behind": "nvr"}, "channel"),
        ({"channel": "1", "behind": "nvr"}, "channel"),
        ({"channel": 1}, "behind"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, object], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["gb28181"].check(DeviceSettings(**{"id": "d", **entry}))  # type: ignore[arg-type]
    assert refused.value.key == key
