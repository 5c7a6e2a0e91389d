"""The link to a device that is asked over HTTP, against a real web server on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from device_drivers.conversation import Fetch, Fetched, Give, Rest, Stream, WebConversation
from device_drivers.driver import Reading, Reject
from device_drivers.observations import Reachable
from gateway.links import web_link
from gateway.links.backoff import Backoff
from gateway.links.web_client import WebClient
from gateway.links.web_link import MOST_BODY, WebLink
from tests.links.recorder import Recorder, running
from tests.links.scripted_camera import ScriptedCamera, page, serving

Round = Callable[[], WebConversation]


class Poller:
    """Asks as the test's generator says, and keeps the answers."""

    def __init__(self, base: str, steps: Callable[[Poller], WebConversation], **options: object) -> None:
        self.base = base
        self.login: tuple[str, str] | None = ("watch", "geheim")
        self.basic = False
        self.certificate = ""
        self.every_s = 0.05
        self.answers: list[Fetched] = []
        self._steps = steps
        for name, value in options.items():
            setattr(self, name, value)

    def round(self) -> WebConversation:
        return self._steps(self)


def asks(*steps: Fetch | Stream | Rest | Give) -> Callable[[Poller], WebConversation]:
    def conversation(poller: Poller) -> WebConversation:
        for step in steps:
            answered = yield step
            if answered is not None:
                poller.answers.append(answered)

    return conversation


class Lines:
    """Decoder of a stream: every line is a reject, so that the test sees it."""

    def __init__(self) -> None:
        self.rest = b""
        self.resets = 0

    def feed(self, data: bytes, received: dt.datetime) -> list[Reading | Reject]:
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [Reject(line, "line") for line in lines]

    def reset(self) -> list[Reading | Reject]:
        self.resets += 1
        rest, self.rest = self.rest, b""
        return [Reject(rest, "cut")] if rest else []


@asynccontextmanager
async def linked(poller: Poller, told: Recorder | None = None) -> AsyncIterator[tuple[WebLink, Recorder]]:
    """A running link to the poller's device."""
    told = told or Recorder()
    client = WebClient()
    backoff = Backoff(first_s=0.05, longest_s=0.1)
    link = WebLink("cam", poller, client, told, backoff=backoff, chance=lambda: 0.0)
    try:
        async with running(link):
            yield link, told
    finally:
        await client.close()


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  what is waited for is in another's hands
            await asyncio.sleep(0.01)


def lines(told: Recorder) -> list[bytes]:
    return [reading.data for _, reading in told.readings if isinstance(reading, Reject)]


# -- log-ins


@pytest.mark.parametrize(
    "offers",
    [
        ('Digest realm="r", nonce="{nonce}"',),
        ('Digest realm="r", qop="auth,auth-int", nonce="{nonce}", opaque="o", algorithm=MD5',),
        ('Digest realm="r", qop="auth", nonce="{nonce}", algorithm=SHA-256',),
        ('Basic realm="r"', 'Digest realm="a \\"r\\", b", qop="auth", nonce="{nonce}"'),
        ('Basic realm="r", Digest realm="r", qop="auth", nonce="{nonce}"',),
        (
            'Digest realm="r", nonce="{nonce}", algorithm=SHA-512-256',
            'Digest realm="r", nonce="{nonce}", algorithm=MD5',
        ),
    ],
    ids=["old", "qop", "sha-256", "two-lines", "one-line", "unknown-algorithm"],
)
async def test_a_digest_log_in_is_accepted(offers: tuple[str, ...]) -> None:
    if '\\"' in offers[-1]:
        offers = (offers[0], 'Digest realm="a, b", qop="auth", nonce="{nonce}"')
    async with serving(ScriptedCamera({"/x": page("hello")}, password="geheim", offers=offers)) as camera:
        poller = Poller(camera.url, asks(Fetch("GET", "/x?codes=[All]&n=1")))
        async with linked(poller) as (link, told):
            await until(lambda: len(poller.answers) >= 2)
            assert [answer.status for answer in poller.answers[:2]] == [200, 200]
            assert poller.answers[0].body == b"hello"
            assert link.state.up
        assert set(camera.logins) == {"right"}
        assert told.states[-1].counts is False


async def test_a_password_is_never_sent_in_clear_text_unless_told() -> None:
    async with serving(ScriptedCamera({}, password="geheim", offers=('Basic realm="r"',))) as camera:
        poller = Poller(camera.url, asks(Fetch("GET", "/x")))
        async with linked(poller) as (link, _):
            await until(lambda: len(poller.answers) >= 3)
            assert "clear text" in link.state.reason
            assert "basic" in link.state.hint
        assert camera.logins == []
        assert poller.answers[0].status == 401
        poller = Poller(camera.url, asks(Fetch("GET", "/x")), basic=True)
        async with linked(poller):
            await until(lambda: bool(poller.answers))
        assert camera.logins[0] == "basic"


async def test_a_refused_password_is_not_tried_again_inside_the_wait(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(ScriptedCamera({"/x": page("")}, password="other")) as camera:
        poller = Poller(camera.url, asks(Fetch("GET", "/x"), Fetch("GET", "/x")), every_s=0.01)
        async with linked(poller) as (link, told):
            await until(lambda: len(poller.answers) >= 20)
            assert link.state.reason == "the log-in was refused"
            assert "5 min" in link.state.hint
        assert camera.logins == ["wrong"]
        assert {answer.status for answer in poller.answers} == {401}
        assert all(answer.connected for answer in poller.answers)
        assert len(told.states) == 1
        assert len([record for record in caplog.records if "refused" in record.message]) == 1
    assert "geheim" not in caplog.text
    assert "watch" not in caplog.text


async def test_the_wait_after_a_refusal_doubles_up_to_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_link, "LOCKED_FIRST_S", 0.2)
    monkeypatch.setattr(web_link, "LOCKED_LONGEST_S", 0.8)
    loop = asyncio.get_running_loop()
    times: list[float] = []
    camera = ScriptedCamera({"/x": page("")}, password="other")
    judge = camera._judge

    def timed(request: web.Request) -> str:
        verdict = judge(request)
        if verdict == "wrong":
            times.append(loop.time())
        return verdict

    camera._judge = timed  # type: ignore[method-assign]
    async with serving(camera):
        poller = Poller(camera.url, asks(Fetch("GET", "/x")), every_s=0.01)
        async with linked(poller):
            await until(lambda: len(times) >= 5)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[0] >= 0.2
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8
    assert 0.8 <= waits[3] < 1.4


async def test_a_right_password_ends_the_waits_and_a_stale_nonce_is_no_refusal() -> None:
    async with serving(ScriptedCamera({"/x": page("in")}, password="geheim")) as camera:
        camera.stale_once = True
        poller = Poller(camera.url, asks(Fetch("GET", "/x")))
        async with linked(poller) as (link, _):
            await until(lambda: bool(poller.answers))
            assert poller.answers[0].status == 200
            assert link.state.up
            assert link._locked_s == web_link.LOCKED_FIRST_S
    assert camera.logins[:2] == ["right", "right"]


async def test_a_log_in_goes_to_no_other_host() -> None:
    async with serving(ScriptedCamera({"/x": page("")}, password="geheim")) as other:
        poller = Poller("http://127.0.0.1:9", asks(Fetch("GET", f"{other.url}/x")))
        async with linked(poller):
            await until(lambda: bool(poller.answers))
    assert poller.answers[0].status == 401
    assert other.logins == []


async def test_a_redirect_is_not_followed() -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://127.0.0.1:9/elsewhere")

    async with serving(ScriptedCamera({"/x": away})) as camera:
        poller = Poller(camera.url, asks(Stream("GET", "/x", Lines(), 1.0)))
        async with linked(poller) as (link, _):
            await until(lambda: bool(poller.answers))
            assert poller.answers[0].status == 302
            assert "another address" in link.state.reason


async def test_a_log_in_in_the_address_is_neither_used_nor_shown() -> None:
    async with serving(ScriptedCamera({"/x": page("")})) as camera:
        base = camera.url.replace("://", "://anna:hunter2@")
        poller = Poller(base, asks(Fetch("GET", "/x?token=verysecret")))
        async with linked(poller) as (link, told):
            await until(lambda: bool(poller.answers))
            assert link.name == f"cam {camera.url}"
        assert camera.logins == []
        assert "hunter2" not in repr(told.states)
        assert "verysecret" not in repr(told.states)


# -- requests


async def test_what_is_sent_is_what_the_driver_said() -> None:
    got: list[tuple[str, str | None, bytes]] = []

    async def take(request: web.Request) -> web.StreamResponse:
        got.append((request.method, request.headers.get("Content-Type"), await request.read()))
        return web.Response(status=500, text="<fault/>", headers={"X-Mark": "1"})

    async with serving(ScriptedCamera({"/deep/x": take})) as camera:
        step = Fetch("POST", "x", {"Content-Type": "application/soap+xml"}, b"<e/>")
        poller = Poller(f"{camera.url}/deep/", asks(step))
        async with linked(poller) as (link, _):
            await until(lambda: bool(poller.answers))
            assert link.state.up  # any HTTP answer shows that the service lives
    answer = poller.answers[0]
    assert (answer.status, answer.body, answer.headers["x-mark"]) == (500, b"<fault/>", "1")
    assert answer.received.tzinfo is not None
    assert got[0] == ("POST", "application/soap+xml", b"<e/>")


async def test_a_long_answer_is_given_up() -> None:
    async with serving(ScriptedCamera({"/x": page("x" * (MOST_BODY + 1)), "/y": page("y" * MOST_BODY)})) as camera:
        poller = Poller(camera.url, asks(Fetch("GET", "/x"), Fetch("GET", "/y")))
        async with linked(poller):
            await until(lambda: len(poller.answers) >= 2)
    long, fits = poller.answers[:2]
    assert (long.status, long.body) == (200, b"")
    assert "longer" in long.error
    assert (len(fits.body), fits.error) == (MOST_BODY, "")


async def test_refused_silent_and_rude_devices_are_told_apart() -> None:
    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ftp ready\r\n")
        await writer.drain()
        writer.close()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    found: dict[str, tuple[int, bool, str]] = {}
    for name, serve in (("rude", rude), ("silent", silent), ("hangs_up", hangs_up), ("refused", None)):
        server = await asyncio.start_server(serve or silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if serve is None:
            server.close()
            await server.wait_closed()
        poller = Poller(f"http://127.0.0.1:{port}", asks(Fetch("GET", "/", within_s=0.3)))
        async with linked(poller) as (link, _):
            await until(lambda poller=poller: bool(poller.answers))
            await asyncio.sleep(0)
            assert not link.state.up
            found[name] = (poller.answers[0].status, poller.answers[0].connected, link.state.reason)
        server.close()
    assert {name: (status, connected) for name, (status, connected, _) in found.items()} == {
        "rude": (0, True),
        "silent": (0, True),
        "hangs_up": (0, True),
        "refused": (0, True),
    }
    assert "HTTP" in found["rude"][2]
    assert "in time" in found["silent"][2]
    assert "cut" in found["hangs_up"][2]
    assert "refused" in found["refused"][2]


async def test_a_host_that_is_not_there_did_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    client = WebClient()

    async def nobody(*_: object, **__: object) -> None:
        raise OSError(113, "No route to host")

    poller = Poller("http://10.255.255.1", asks(Fetch("GET", "/")))
    told = Recorder()
    link = WebLink("cam", poller, client, told, backoff=Backoff(first_s=0.05), chance=lambda: 0.0)
    try:
        monkeypatch.setattr(client.session, "_request", nobody)
        async with running(link):
            await until(lambda: bool(poller.answers))
    finally:
        await client.close()
    assert (poller.answers[0].status, poller.answers[0].connected) == (0, False)
    assert told.states[-1].reason == "it does not answer"
    assert set(told.devices) == {()}  # a camera that is off is no link of ours that is down


async def test_our_own_network_down_proves_nothing_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ScriptedCamera({"/": page("")})) as camera:
        client = WebClient()
        whole = client.session._request
        cut = True

        async def request(*words: object, **options: object) -> object:
            if cut:
                raise OSError(101, "Network is unreachable")
            return await whole(*words, **options)

        poller = Poller(camera.url, asks(Fetch("GET", "/")))
        told = Recorder()
        link = WebLink("cam", poller, client, told, backoff=Backoff(first_s=0.05, longest_s=0.1), chance=lambda: 0.0)
        try:
            monkeypatch.setattr(client.session, "_request", request)
            async with running(link):
                await until(lambda: len(poller.answers) >= 2)
                cut = False
                await until(lambda: link.state.up)
        finally:
            await client.close()
    about = [state.up for state, devices in zip(told.states, told.devices, strict=True) if devices == ("cam",)]
    assert about == [False, True]


async def test_https_wants_a_known_certificate_its_fingerprint_or_to_be_told(tmp_path: Path) -> None:
    context, fingerprint = self_signed(tmp_path)
    async with serving(ScriptedCamera({"/": page("in")}), tls=context) as camera:
        statuses = []
        for word in ("", "any", fingerprint, "00" * 32):
            poller = Poller(camera.url, asks(Fetch("GET", "/")), certificate=word)
            async with linked(poller) as (link, _):
                await until(lambda poller=poller: bool(poller.answers))
                statuses.append(poller.answers[0].status)
                if not poller.answers[0].status:
                    assert "certificate" in link.state.reason
                    assert poller.answers[0].connected
    assert statuses == [0, 200, 200, 0]


def self_signed(folder: Path) -> tuple[ssl.SSLContext, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "camera.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, certificate.fingerprint(hashes.SHA256()).hex(":")


# -- streams


def says(*pieces: bytes, hold: bool = True) -> Callable[[web.Request], object]:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "multipart/mixed; boundary=boundary"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if hold:
            await asyncio.sleep(60)
        return response

    return answer


async def test_a_stream_is_handed_over_as_it_comes_and_begun_again_when_it_ends() -> None:
    decoder = Lines()
    handler = says(b"one\ntwo\nbroken", hold=False)
    async with serving(ScriptedCamera({"/s": handler}, password="geheim")) as camera:
        poller = Poller(camera.url, asks(Stream("GET", "/s", decoder, 5.0)))
        async with linked(poller) as (_, told):
            await until(lambda: len(poller.answers) >= 2)
    assert lines(told)[:6] == [b"one", b"two", b"broken", b"one", b"two", b"broken"]
    assert poller.answers[0].status == 200
    assert poller.answers[0].error
    assert [state.up for state in told.states[:3]] == [True, False, True]
    assert {source for source, _ in told.readings} == {"cam"}


async def test_a_silent_stream_is_given_up() -> None:
    async with serving(ScriptedCamera({"/s": says(b"hello\n")})) as camera:
        poller = Poller(camera.url, asks(Stream("GET", "/s", Lines(), 0.2)))
        async with linked(poller) as (link, told):
            await until(lambda: bool(poller.answers))
            assert "nothing came" in poller.answers[0].error
            await until(lambda: lines(told).count(b"hello") >= 2)
            assert link.state.name.startswith("cam ")


async def test_a_stream_reset_in_the_middle_is_told_as_cut() -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(ScriptedCamera({"/s": breaks})) as camera:
        poller = Poller(camera.url, asks(Stream("GET", "/s", Lines(), 5.0)))
        async with linked(poller) as (_, told):
            await until(lambda: bool(poller.answers))
    assert poller.answers[0].error == "the connection was cut"
    assert poller.answers[0].connected
    assert b"half" in lines(told)


async def test_a_paused_link_reads_nothing_and_is_not_idle() -> None:
    gate = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await gate.wait()
        await response.write(b"two\n")
        await asyncio.sleep(60)
        return response

    async with serving(ScriptedCamera({"/s": slow})) as camera:
        poller = Poller(camera.url, asks(Stream("GET", "/s", Lines(), 0.5)))
        async with linked(poller) as (link, told):
            await told.until(lambda: lines(told) == [b"one"])
            link.pause()
            gate.set()
            await asyncio.sleep(0.2)
            # The read that was waiting when the pause came may still bring one piece, nothing after it.
            assert len(lines(told)) <= 2
            await asyncio.sleep(0.6)
            assert not poller.answers
            link.resume()
            await told.until(lambda: lines(told) == [b"one", b"two"])


# -- rounds


async def test_what_is_given_is_handed_over_and_made_safe_when_asked() -> None:
    now = dt.datetime.now(dt.UTC)
    seen = Reading(Reachable(device="cam", at=now, ok=True))
    poller = Poller("http://127.0.0.1:9", asks(Give([seen]), Rest(0.01), Give([seen], safe=True)), every_s=60)
    async with linked(poller) as (_, told):
        await until(lambda: told.asked_safe == 1)
    assert told.readings == [("cam", seen), ("cam", seen)]


async def test_rounds_keep_their_pace() -> None:
    async with serving(ScriptedCamera({"/x": page("")})) as camera:
        poller = Poller(camera.url, asks(Fetch("GET", "/x")), every_s=0.2)
        async with linked(poller):
            await asyncio.sleep(1.1)
        assert 4 <= len(poller.answers) <= 7


async def test_many_links_share_one_session() -> None:
    async with serving(ScriptedCamera({"/x": page("")})) as camera:
        client = WebClient(300)
        told = Recorder()
        pollers = [Poller(camera.url, asks(Fetch("GET", "/x")), every_s=60) for _ in range(300)]
        links = [
            WebLink(f"cam-{number}", poller, client, told, chance=lambda: 0.0) for number, poller in enumerate(pollers)
        ]
        tasks = [asyncio.create_task(link.run()) for link in links]
        await until(lambda: all(poller.answers for poller in pollers), 30)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await client.close()
    assert all(poller.answers[0].status == 200 for poller in pollers)
