"""GA/T 1400 without sockets: damage, deep and huge JSON, and who is believed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import WebRequest, WebServed
from device_drivers.driver import DeviceSettings, Reading
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.gat1400.decoder import Gat1400Decoder
from device_drivers.gat1400.device import Device, Post
from device_drivers.gat1400.server import ViidServer

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
CAMERA = "34020000001190000001"
BEAT = b'{"KeepaliveObject":{"DeviceID":"34020000001190000001","LocalTime":"20220617111932"}}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def server(**service: str) -> ViidServer:
    return ViidServer([DeviceSettings(id="cam-face", kind="camera", device_id=CAMERA)], service)


def ask(to: ViidServer, post: Post, host: str = "10.0.0.7", at: datetime = NOW) -> WebServed:
    headers = {name.lower(): value for name, value in post.headers.items()}
    return to.request(WebRequest("POST", post.path, headers, post.body, (host, 4711), at))


@given(data=st.data())
def test_damaged_messages_are_read_or_refused(data: st.DataObject):
    changed = bytearray(BEAT)
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, len(changed)))
        changed[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with suppress(DecodeError):
        Gat1400Decoder().decode("", bytes(changed), NOW)
    served = server().request(WebRequest("POST", "/VIID/System/Keepalive", {}, bytes(changed), ("h", 1), NOW))
    assert served.status in (200, 400, 403)


@given(value=JSON, method=st.sampled_from(["GET", "POST", "PUT"]), path=st.text(max_size=40))
def test_any_request_is_answered(value: object, method: str, path: str):
    import json

    body = json.dumps({"KeepaliveObject": {"DeviceID": value}}).encode()
    for each in (path, "/VIID/System/Keepalive", "/VIID/System/" + path):
        assert server().request(WebRequest(method, each, {}, body, ("h", 1), NOW)).status >= 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"KeepaliveObject":{"DeviceID":' + b"[" * 990 + b"]" * 990 + b"}}",
        b'{"KeepaliveObject":{"DeviceID":' + b"9" * 6000 + b"}}",
        b'{"KeepaliveObject":{"DeviceID":1e400}}',
        b'{"KeepaliveObject":{"DeviceID":-1}}',
        b'{"KeepaliveObject":{"DeviceID":NaN}}',
        b'{"KeepaliveObject":{"DeviceID":true}}',
        b'{"KeepaliveObject":{"DeviceID":"\xff"}}',
        '{"KeepaliveObject":{"DeviceID":"３４０２００００００１１９０００００１"}}'.encode(),
        b'{"KeepaliveObject":null}',
        b"null",
        b" " * 70_000,
    ],
    ids=range(14),
)
def test_what_no_device_would_send_is_refused(body: bytes):
    with pytest.raises(DecodeError):
        Gat1400Decoder().decode("", body, NOW)


def test_a_keepalive_counts_only_from_where_the_device_registered():
    viid, device = server(password="p"), Device(CAMERA, password="p")
    assert ask(viid, device.keepalive()).status == 401
    challenge = ask(viid, device.register()).headers["WWW-Authenticate"]
    assert ask(viid, device.register(challenge)).status == 200
    assert ask(viid, device.keepalive()).status == 200
    assert ask(viid, device.keepalive(), host="10.0.0.66").status == 401
    assert ask(viid, device.keepalive(), at=NOW + timedelta(days=2)).status == 401


def test_without_a_password_whoever_names_an_id_of_the_site_is_believed():
    [reading] = ask(server(), Device(CAMERA).keepalive()).found
    assert isinstance(reading, Reading)
    assert reading.observation.device == "cam-face"


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "device_id"),
        ({"device_id": "12"}, "device_id"),
        ({"device_id": CAMERA, "link": {"http": "x"}}, "link"),
        ({"device_id": CAMERA, "settings": {"user": "x"}}, "settings.user"),
        ({"device_id": CAMERA, "settings": {"password": 1}}, "settings.password"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(entry: dict[str, object], key: str):
    with pytest.raises(SettingsError) as refused:
        DRIVERS["gat1400"].check(DeviceSettings(**{"id": "d", **entry}))  # type: ignore[arg-type]
    assert refused.value.key == key
