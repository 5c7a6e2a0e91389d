"""Bodies of 10 MB, slow callers and very many of them: what they take up is bounded, and everybody else is still answered.

The crowd comes from 127.0.0.2 and up, the others from 127.0.0.1. `LAMPLIGHTER_FAULTS` set: the crowd holds on for a minute.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count, cycle
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec
import pytest

from api.crowd import Limits
from gateway.links.web_server_link import Limits as LinkLimits
from tests.api.test_tls import issue
from tests.faults.estate import SECRET, Devices
from tests.faults.ledger import Ledger
from tests.faults.senders import FACE, TOKEN, admit, site
from tests.support.gateway_process import UNVERIFIED, GatewayProcess
from tests.support.mosquitto import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NIGHTLY = int(os.environ.get("LAMPLIGHTER_FAULTS", "0")) >= 100
HOLDS_S = 60.0 if NIGHTLY else 8.0
"""How long a crowd stays at its work: others ask often enough beside it for one in ten of them to be some."""
SLOW = 1600
"""Slow callers: more than there is room for."""
CONNECTIONS = 10_000
BODY = 10_000_000
SOON_S = 1.0
"""Within this the others are answered, all but one in ten: those within `LATEST_S`. The crowd's own work is done by the same machine."""
LATEST_S = 5.0
MOST_MORE_KIB = 96 * 1024
"""Memory beyond that before the crowd came."""
MOST_MORE_TLS_KIB = 192 * 1024
"""Likewise over TLS: each connection has OpenSSL's state as well."""
HOSTS = [f"127.0.0.{number}" for number in range(2, 42)]
ROOT = Path(__file__).parents[2]
COOKIE = f"Cookie: lamplighter={TOKEN}; __Host-lamplighter={TOKEN}"
"""Over TLS it has another name."""
_BOOTS = count(1)


class Gateway(NamedTuple):
    process: GatewayProcess
    port: int
    face_port: int
    mqtt_port: int
    tls: bool = False

    def connect(self, longest_s: float) -> socket.socket:
        """A connection to the console."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=longest_s)
        return UNVERIFIED.wrap_socket(line) if self.tls else line

    def status(self, name: str) -> int:
        """A number of `/proc/PID/status`."""
        running = self.process.process
        assert running is not None
        lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))

    def descriptors(self) -> int:
        running = self.process.process
        assert running is not None
        return len(list(Path(f"/proc/{running.pid}/fd").iterdir()))


class OverTls(GatewayProcess):
    """With a certificate that it vouches for itself."""

    def words(self) -> list[str]:
        chain, key = self.data.parent / "chain.pem", self.data.parent / "key.pem"
        if not chain.exists():
            issue(self.data.parent)
        return [*super().words(), "--tls-cert", str(chain), "--tls-key", str(key)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with at_work(tmp_path_factory.mktemp("crowds"), GatewayProcess) as found:
        yield found


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with at_work(tmp_path_factory.mktemp("crowds-tls"), OverTls) as found:
        yield found


@contextmanager
def at_work(folder: Path, kind: type[GatewayProcess]) -> Iterator[Gateway]:
    secret = "env:FAULTS_SECRET"
    mqtt_port, face_port = free_port(), free_port()
    made = site({"broker": "embedded", "port": mqtt_port, "username": secret, "password": secret})
    face = {"id": "face", "kind": "camera", "driver": "gat1400", "device_id": FACE, "place": "gate"}
    made["devices"].append(face)
    made["services"] = {"gat1400": {"host": "127.0.0.1", "port": face_port, "username": "estate", "password": secret}}
    with kind(folder, made) as process:
        process.start(**SECRET)
        assert process.stop() == 0
        admit(process.data)
        process.start(**SECRET)
        yield Gateway(process, int(process.url.rpartition(":")[2]), face_port, mqtt_port, kind is OverTls)


def asked(connect: Callable[[float], socket.socket], path: str, *, longest_s: float = 10.0) -> tuple[int, float]:
    """Status and seconds of a request on a connection of its own, by somebody who is logged in."""
    begun = time.monotonic()
    with connect(longest_s) as line:
        head = f"GET {path} HTTP/1.1\r\nHost: here\r\n{COOKIE}\r\nConnection: close\r\n\r\n"
        line.sendall(head.encode())
        said = b""
        while piece := line.recv(65536):
            said += piece
    return int(said.split()[1]), time.monotonic() - begun


class Others:
    """Whoever is at the gateway beside a crowd: a browser that asks again and again, a page that listens, devices that tell.

    Between: `taken` are the seconds of each request, `heard` those from a call for help to the listener's event.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ended = threading.Event()
        self._failed: list[BaseException] = []
        self._event = threading.Event()
        self.taken: list[float] = []
        self.heard: list[float] = []
        self.ledger = Ledger()
        self.devices = Devices(
            self.ledger,
            "127.0.0.1",
            gateway.mqtt_port,
            user="secret",
            password="secret",
            own_broker=True,
            name=f"crowds-{next(_BOOTS)}",
        )
        self._listening = gateway.connect(20)
        self._listening.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: here\r\n{COOKIE}\r\n\r\n".encode())
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._ask, self._listen, self._tell)
        ]

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 told at the end
            if not self._ended.is_set():
                self._failed.append(error)

    def _ask(self) -> None:
        for path in cycle(("/healthz", "/login?lang=en")):
            if self._ended.wait(0.1):
                return
            status, seconds = asked(self._gateway.connect, path)
            assert status in {200, 303}, f"{path}: {status}"
            self.taken.append(seconds)

    def _listen(self) -> None:
        while said := self._listening.recv(65536):
            if b"event: alert" in said or b"event: observation" in said or b"event: tap" in said:
                self._event.set()
        raise AssertionError("the listener's stream ended")

    def _tell(self) -> None:
        number = 0
        while not self._ended.wait(0.2):
            number += 1
            self._event.clear()
            begun = time.monotonic()
            self.devices.a_bit_of_everything(number * 5)
            assert self._event.wait(10), "the listener heard nothing of a tap"
            self.heard.append(time.monotonic() - begun)

    def __enter__(self) -> Self:
        self.devices.__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        self._listening.close()
        try:
            if error is None:
                if self._failed:
                    raise self._failed[0]
                self.devices.settled()
        finally:
            self.devices.__exit__(kind, error, trace)

    def were_served(self, what: str) -> None:
        """Look at what was measured."""
        print(
            f"{what}: {len(self.taken)} requests, median {statistics.median(self.taken) * 1000:.0f} ms, "
            f"longest {max(self.taken) * 1000:.0f} ms; {len(self.heard)} taps heard, longest {max(self.heard) * 1000:.0f} ms"
        )
        assert len(self.taken) >= HOLDS_S, "the others hardly came to ask"
        assert len(self.heard) >= HOLDS_S, "the others hardly heard anything"
        for measured in (self.taken, self.heard):
            assert sorted(measured)[len(measured) * 9 // 10] <= SOON_S
            assert max(measured) <= LATEST_S


class Bounds:
    """Memory and descriptors of the gateway while something goes on, and that they come back."""

    def __init__(self, gateway: Gateway, most_descriptors: int) -> None:
        self._gateway = gateway
        self._most = most_descriptors
        self._before = gateway.status("VmRSS"), gateway.descriptors()
        self._memory, self._descriptors = self._before

    def look(self) -> None:
        self._memory = max(self._memory, self._gateway.status("VmRSS"))
        self._descriptors = max(self._descriptors, self._gateway.descriptors())

    def kept(self, what: str) -> None:
        """Nothing grew beyond its bounds, and the descriptors are free again."""
        self.look()
        memory = self._memory - self._before[0]
        print(f"{what}: {memory} KiB more at most, {self._descriptors - self._before[1]} descriptors more at most")
        assert memory <= (MOST_MORE_TLS_KIB if self._gateway.tls else MOST_MORE_KIB)
        assert self._descriptors - self._before[1] <= self._most
        deadline = time.monotonic() + 20
        while self._gateway.descriptors() > self._before[1] + 10:
            assert time.monotonic() < deadline, "connections that have ended still hold descriptors"
            time.sleep(0.05)


# Bodies


def routes() -> list[tuple[str, str]]:
    """Every route that acts: those of the API's document, and the forms of the log-in."""
    document = msgspec.json.decode((ROOT / "api/openapi.json").read_bytes())
    found = [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in document["paths"].items()
        for method in methods
        if method in {"post", "put", "patch", "delete"}
    ]
    forms = ("/login/password", "/login/pin", "/login/link", "/setup", "/logout")
    return found + [("POST", path) for path in forms]


async def poured(port: int, head: str, *, chunked: bool) -> tuple[int, int]:
    """The status that answers a head and 10 MB after it, and how many of the bytes were taken until the connection ended."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, ("127.0.0.1", port))
    piece = b"x" * 50_000
    piece = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    said = b""

    async def hear() -> None:
        nonlocal said
        with suppress(OSError):
            while heard := await loop.sock_recv(line, 65536):
                said += heard

    hearing = asyncio.create_task(hear())
    taken = 0
    try:
        await loop.sock_sendall(line, head.encode())
        while taken < BODY and not hearing.done():
            await loop.sock_sendall(line, piece)
            taken += 50_000
    except OSError:
        pass
    await asyncio.wait({hearing}, timeout=2)
    hearing.cancel()
    await asyncio.wait({hearing})
    line.close()
    return (int(said.split()[1]) if said else 0), taken


@pytest.mark.parametrize("chunked", [False, True], ids=["its length is told", "in chunks"])
@pytest.mark.parametrize("known", [True, False], ids=["logged in", "a stranger"])
async def test_a_body_of_10_mb_is_refused_before_it_is_read(gateway: Gateway, known: bool, chunked: bool) -> None:
    bounds = Bounds(gateway, 100)
    most = 0
    for method, path in routes():
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {BODY}"
        head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nOrigin: http://here\r\nContent-Type: application/json\r\n{length}\r\n"
        cookie = f"{COOKIE}\r\n" if known and path != "/logout" else ""
        status, taken = await poured(gateway.port, f"{head}{cookie}\r\n", chunked=chunked)
        # chunks may be answered by who needs no body, before they are looked at
        assert 200 <= status < 500 if chunked else status == 413, (method, path, status)
        most = max(most, taken)
        bounds.look()
        assert taken < BODY, f"{method} {path}: all was taken"
    print(f"{len(routes())} routes, at most {most} bytes taken")
    bounds.kept("10 MB to each route")
    assert asked(gateway.connect, "/api/v1/site")[0] == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["its length is told", "in chunks"])
async def test_devices_that_call_are_refused_10_mb_too(gateway: Gateway, chunked: bool) -> None:
    bounds = Bounds(gateway, 100)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {BODY}"
    for _ in range(20):
        head = f"POST /VIID/Faces HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        status, taken = await poured(gateway.face_port, head, chunked=chunked)
        assert 400 <= status < 500
        assert taken < BODY
        bounds.look()
    bounds.kept("10 MB to the service of cameras")


# Slow ones, and many


class Crowd:
    """Connections from many addresses, each saying its piece one byte a second; who is thrown out comes again."""

    def __init__(self, port: int, says: bytes, after: bytes = b"") -> None:
        self._port = port
        self._says = says
        self._after = after
        self.opened = self.ended = 0

    async def _one(self, host: str, after_s: float, until: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(after_s)
        while loop.time() < until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(host, 0))
            except OSError:
                await asyncio.sleep(0.5)
                continue
            self.opened += 1
            try:
                writer.write(self._after)
                for octet in self._says:
                    if loop.time() >= until or reader.at_eof():
                        break
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(min(1.0, max(0.0, until - loop.time())))
            except OSError:
                pass
            self.ended += 1
            writer.transport.abort()
            await asyncio.sleep(min(2.0, max(0.0, until - loop.time())))

    async def for_a_while(self, how_many: int, look: Any) -> None:
        until = asyncio.get_running_loop().time() + HOLDS_S + 2
        every = [asyncio.create_task(self._one(HOSTS[number % 6], number / 800, until)) for number in range(how_many)]
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.2)
            look()
        await asyncio.gather(*every)


HEAD = b"POST /login/password HTTP/1.1\r\nHost: here\r\nX-Slow: " + b"a" * 4000
BODY_OF = b"POST /login/password HTTP/1.1\r\nHost: here\r\nOrigin: http://here\r\nContent-Length: 60000\r\n\r\n"


@pytest.mark.alone
@pytest.mark.parametrize(("says", "after"), [(HEAD, b""), (b"b" * 4000, BODY_OF)], ids=["heads", "bodies"])
async def test_slow_callers_lock_nobody_out(gateway: Gateway, says: bytes, after: bytes) -> None:
    bounds = Bounds(gateway, Limits().connections + 200)
    crowd = Crowd(gateway.port, says, after)
    with Others(gateway) as others:
        await crowd.for_a_while(SLOW, bounds.look)
    others.were_served(f"{SLOW} slow callers, {crowd.opened} connections")
    bounds.kept("slow callers")
    assert "Traceback" not in gateway.process.log, "whoever goes away in the middle of a body fills the log"


def hello() -> bytes:
    """How a handshake begins."""
    out = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        UNVERIFIED.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


@pytest.mark.nightly
@pytest.mark.alone
@pytest.mark.parametrize(
    ("says", "after"), [(hello(), b""), (b"\x16" * 60, hello())], ids=["handshakes", "after the hello"]
)
async def test_slow_callers_over_tls_lock_nobody_out(over_tls: Gateway, says: bytes, after: bytes) -> None:
    bounds = Bounds(over_tls, Limits().connections + 200)
    crowd = Crowd(over_tls.port, says, after)
    with Others(over_tls) as others:
        await crowd.for_a_while(SLOW, bounds.look)
    others.were_served(f"{SLOW} slow handshakes, {crowd.opened} connections")
    bounds.kept("slow handshakes")
    assert "Traceback" not in over_tls.process.log


@pytest.mark.alone
async def test_slow_callers_of_the_service_for_cameras_lock_nobody_out(gateway: Gateway) -> None:
    bounds = Bounds(gateway, LinkLimits().connections + 200)
    crowd = Crowd(gateway.face_port, HEAD.replace(b"/login/password", b"/VIID/System/Keepalive"))
    with Others(gateway) as others:
        working = asyncio.create_task(crowd.for_a_while(SLOW, bounds.look))
        await asyncio.sleep(HOLDS_S / 2)
        there = ("127.0.0.1", gateway.face_port)
        status, seconds = await asyncio.to_thread(
            asked, lambda longest_s: socket.create_connection(there, longest_s), "/VIID/System/Time"
        )
        await working
    assert status < 500
    assert seconds <= SOON_S
    others.were_served(f"{SLOW} slow cameras")
    bounds.kept("slow cameras")


@pytest.mark.alone
async def test_ten_thousand_connections_take_up_what_is_allowed_and_no_more(gateway: Gateway) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = CONNECTIONS + 1000
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))
    how_many = min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000)
    bounds = Bounds(gateway, Limits().connections + 200)
    lines: list[socket.socket] = []
    try:
        with Others(gateway) as others:
            begun = time.monotonic()
            for number in range(how_many):
                line = socket.socket()
                lines.append(line)
                line.bind((HOSTS[number % len(HOSTS)], 0))
                line.setblocking(False)
                with suppress(BlockingIOError):
                    line.connect(("127.0.0.1", gateway.port))
                if number % 50 == 49:
                    bounds.look()
                    await asyncio.sleep(0.01)
            took = time.monotonic() - begun
            while time.monotonic() - begun < max(HOLDS_S, took + 1):
                bounds.look()
                await asyncio.sleep(0.1)
        others.were_served(f"{how_many} connections in {took:.1f} s")
    finally:
        for line in lines:
            line.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    bounds.kept(f"{how_many} connections")
    assert asked(gateway.connect, "/api/v1/site")[0] == 200
