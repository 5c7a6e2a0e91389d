"""InfluxDB is away for a day, refuses, is slow, is killed: nothing is lost, poison is set aside with the reason, nobody waits for it."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import msgspec
import pytest

from gateway.journal.rows import LogRow
from gateway.outbox.measurements import Points
from gateway.site.load import load_site
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.usage import peak_mib
from tests.faults.estate import BUTTON, CAMERAS, LAMPS, READERS, SECRET, TAG, Devices, site
from tests.faults.ledger import Key, Ledger
from tests.faults.proxy import BLACK_HOLE, FAIR, Weather, proxied
from tests.faults.receivers import Receivers
from tests.faults.test_disk import full_disk
from tests.faults.victim import Fault
from tests.outbox.influxd import TOKEN, Influxd, program
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.influxdb, pytest.mark.slow]

DAY = timedelta(hours=24)
EVERY = timedelta(minutes=1)
MOST_MIB = 250
CONTACT = "hook"
INFLUX = "points written"


def until(condition: Callable[[], bool], what: str, longest_s: float = 60.0) -> float:
    """Wait for it; the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < longest_s, f"{what}: not within {longest_s:g} s"
        time.sleep(0.02)
    return time.monotonic() - began


class Answer(NamedTuple):
    """Instead of InfluxDB's. `status` 0: its own, after `slow_s`."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    slow_s: float = 0.0


class Front:
    """Stands before the real InfluxDB: passes requests on, but answers the next ones itself as `instead` says, one after the other.

    `largest`: bodies beyond it are answered with 413, as reverse proxies do.
    """

    def __init__(self, port: int) -> None:
        self.instead: deque[Answer] = deque()
        self.largest = 0
        self.answered: list[tuple[float, int, int]] = []
        """(when, status, bytes of the body)."""
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = front.instead.popleft() if front.instead else Answer(0)
                time.sleep(answer.slow_s)
                status, headers, text = answer.status, answer.headers, b""
                if not status and front.largest and len(body) > front.largest:
                    status = 413
                if not status:
                    far = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    far.request("POST", self.path, body, dict(self.headers))
                    got = far.getresponse()
                    status, text = got.status, got.read()
                    headers = tuple((n, v) for n, v in got.getheaders() if n.lower() == "content-type")
                    far.close()
                front.answered.append((time.monotonic(), status, len(body)))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="front", daemon=True)

    def statuses(self) -> list[int]:
        return [status for _, status, _ in self.answered]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Night:
    """A gateway whose telemetry goes to the real InfluxDB, with devices and somebody who is told."""

    def __init__(  # noqa: PLR0917
        self,
        gateway: GatewayProcess,
        devices: Devices,
        receivers: Receivers,
        server: Influxd,
        bucket: str,
        broker: Mosquitto,
    ) -> None:
        self.gateway = gateway
        self.devices = devices
        self.receivers = receivers
        self.server = server
        self.bucket = bucket
        self.broker = broker
        self.environment: dict[str, str] = {}
        self._callers = deque((BUTTON, *CAMERAS, *READERS))

    def problems(self) -> str:
        """What /readyz says to who may see it."""
        return self.http.get("/readyz").text

    def says(self, what: str) -> bool:
        return what in self.problems()

    def cursor(self) -> int:
        rows = self.gateway.query("SELECT seq FROM cursor WHERE name = 'influxdb'")
        return int(rows[0][0]) if rows else 0

    def newest(self) -> int:
        return int(self.gateway.query("SELECT max(seq) FROM log")[0][0])

    def behind(self) -> int:
        return int(self.gateway.query(f"SELECT count(*) FROM log WHERE seq > {self.cursor()}")[0][0])

    def caught_up(self, longest_s: float = 60.0) -> float:
        """Until InfluxDB has all that was said so far."""
        self.devices.settled()
        ours = "SELECT device, boot, n FROM log WHERE boot = 'devices'"
        until(lambda: self.devices.ledger.sent <= {Key(*row) for row in self.gateway.query(ours)}, "all is stored")
        newest = self.newest()
        return until(lambda: self.cursor() >= newest, "InfluxDB has everything", longest_s)

    def dead(self) -> list[tuple[str, str]]:
        """Dead letters: (reason, body)."""
        return [
            (reason, body.decode())
            for reason, body in self.gateway.query("SELECT reason, body FROM dead_letter ORDER BY log")
        ]

    def expected(self) -> Counter[tuple[str, str]]:
        """Of each measurement and field the number of points that the log makes, without the dead ones."""
        model, _ = load_site(self.gateway.site_file, environ=SECRET | {"TOKEN": "t", "HOOK_URL": "http://127.0.0.1:9/"})
        points, found = Points(model), set()
        rows = self.gateway.query(
            "SELECT seq, received, device, kind, at, boot, n, body FROM log "
            f"WHERE seq <= {self.cursor()} AND seq NOT IN (SELECT log FROM dead_letter)"
        )
        for row in rows:
            point = points.point(LogRow(*row))
            if point is not None:
                found |= {(point.measurement, name, point.tags, point.time_ns) for name, _ in point.fields}
        return Counter((measurement, name) for measurement, name, _, _ in found)

    def counted(self) -> Counter[tuple[str, str]]:
        """The same, as InfluxDB counts."""
        flux = (
            f'from(bucket: "{self.bucket}") |> range(start: -30d, stop: 1d) '
            "|> filter(fn: (r) => not exists r.before) |> count() |> toFloat() "
            '|> group(columns: ["_measurement", "_field"]) |> sum()'
        )
        rows = self.server.query(flux)
        return Counter({(row["_measurement"], row["_field"]): round(float(row["_value"])) for row in rows})

    def ahead(self) -> int:
        """Points that InfluxDB has and the cursor says nothing of yet."""
        return sum((self.counted() - self.expected()).values())

    def exactly(self) -> None:
        """Nothing is lost, nothing is twice."""
        assert self.counted() == self.expected()

    def told_of_a_panic(self) -> float:
        """Seconds from pressing the button until the receiver has the notice."""
        device = self._callers.popleft()  # another each time: nobody is told again of a call that stands
        began = time.monotonic()
        self.devices.say(device, "panic", active=True)
        self.receivers.wait(
            lambda: any(device in key for told in self.receivers.taken(CONTACT) for key in told.notices),
            f"told of {device}",
        )
        return time.monotonic() - began

    def tap_heard(self, events: deque[tuple[float, str]]) -> float:
        """Seconds from a tap until its event."""
        began = time.monotonic()
        key = self.devices.say(READERS[0], "tag_read", tag=TAG)
        seen = f'"boot":"{key.boot}","seq":{key.seq}'
        until(lambda: any(seen in data for _, data in list(events)), "the tap's event", 20)
        return next(at for at, data in list(events) if seen in data) - began

    http: httpx.Client
    events: deque[tuple[float, str]]


@contextlib.contextmanager
def night(  # noqa: PLR0917
    folder: Path, server: Influxd, bucket: str, url: str, token: str = TOKEN, fault: Fault | None = None
) -> Iterator[Night]:
    ledger = Ledger()
    with Mosquitto(folder, autosave=1_000_000) as broker, Receivers() as receivers:
        influx = {"url": url, "org": "watch", "bucket": bucket, "token": "env:TOKEN"}
        described = site(
            {"host": broker.host, "port": broker.port},
            contacts=(CONTACT,),
            storage={"telemetry": {"influxdb": influx}},
        )
        described["alerts"]["contacts"] = {CONTACT: {"webhook": {"url": "env:HOOK_URL", "secret": "env:FAULTS_SECRET"}}}
        with (
            GatewayProcess(folder, described, program="tests.faults.victim") as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            environment = SECRET | {"TOKEN": token, "HOOK_URL": receivers.url(CONTACT)}
            gateway.start(**environment, **(fault or Fault()).environment())
            gateway.until_ready()
            here = Night(gateway, devices, receivers, server, bucket, broker)
            here.environment = environment
            with httpx.Client(base_url=gateway.url, headers={"Origin": gateway.url}, timeout=20) as client:
                here.http = client
                setup = gateway.log.split("/setup?token=")[1].split()[0]
                password = "a-long-faults-password-7"
                fields = {"token": setup, "name": "faults", "password": password, "again": password}
                assert client.post("/setup", data=fields).status_code == 303
                here.events = deque(maxlen=2000)
                listener = threading.Thread(target=_listen, args=(client, here.events), daemon=True)
                listener.start()
                for name in (*READERS, *(f"lux-{lamp}" for lamp in LAMPS), *CAMERAS):
                    devices.say(name, "measurement", quantity="uptime", value=1.0)
                devices.settled()
                yield here
                assert gateway.process is not None
                assert peak_mib(gateway.process.pid) < MOST_MIB
                assert gateway.stop() == 0, gateway.log
                listener.join(10)
            assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []
    assert "Traceback" not in gateway.log


def _listen(client: httpx.Client, events: deque[tuple[float, str]]) -> None:
    with contextlib.suppress(httpx.HTTPError), client.stream("GET", "/api/v1/events") as answer:
        for line in answer.iter_lines():
            events.append((time.monotonic(), line))


def a_day() -> list[tuple[str, bytes]]:
    """What the estate's ten devices say in a day, each once a minute."""
    until_ = datetime.now(UTC)
    found = []
    for number in range(int(DAY / EVERY)):
        at = until_ - DAY + number * EVERY
        for place, name in enumerate((*READERS, *(f"lux-{lamp}" for lamp in LAMPS), *CAMERAS)):
            body: dict[str, Any] = {"at": at + timedelta(milliseconds=place), "boot": "day", "seq": number + 1}
            if name in READERS:
                body |= {"kind": "reader_heartbeat", "last_seq": number + 1}
            elif name in CAMERAS:
                body |= {"kind": "camera_heartbeat", "status": "ok"}
            else:
                body |= {"kind": "light_level", "lux": 50.0 + number % 7}
            found.append((f"lamplighter/s/{name}/up", msgspec.json.encode(body)))
    return found


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    program()
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


def test_a_day_without_influxdb_is_caught_up_while_calls_and_taps_go_before_it(
    tmp_path: Path, influxd: Influxd
) -> None:
    """The backlog of a day is written at once (24 h of ten devices' minutes); it is killed once more in the middle of catching up."""
    influxd.bucket("day")
    with night(tmp_path, influxd, "day", influxd.url) as here:
        here.caught_up()
        influxd.stop()
        with Publisher(here.broker.port) as publisher:
            said = publisher.publish(a_day())
        until(
            lambda: here.gateway.query("SELECT count(*) FROM log WHERE boot = 'day'") == [(said,)], "the day is stored"
        )
        assert here.behind() >= said
        influxd.start()
        until(lambda: here.behind() < said, "it is catching up", 70)
        influxd.kill()
        killed = here.behind()
        influxd.start()
        until(lambda: here.behind() < killed, "it is catching up again", 70)
        first = here.behind()
        told, heard = here.told_of_a_panic(), here.tap_heard(here.events)
        took = here.caught_up(90)
        print(
            f"killed with {killed:,} rows behind; with {first:,}: told of a call after {told:.2f} s, a tap heard after {heard:.2f} s; all there after {took:.1f} s"
        )
        assert killed > 0
        assert told < 2
        assert heard < 1
        here.exactly()
        assert here.dead() == []


def test_what_influxdb_refuses_is_kept_or_set_aside_by_what_it_means(tmp_path: Path, influxd: Influxd) -> None:
    """413 is split, 422 of single points is set aside, 429 and 503 are waited out, slow is only slow."""
    bucket = influxd.bucket("refusals", retain_s=10 * 24 * 3600)
    influxd.write(bucket, f'power,before=yes watts="a text" {time.time_ns()}')
    with Front(influxd.port) as front, night(tmp_path, influxd, "refusals", front.url) as here:
        here.caught_up()
        front.largest = 700
        for number in range(60):
            here.devices.a_bit_of_everything(number)
        here.caught_up()
        assert 413 in front.statuses()
        front.largest = 0
        old = datetime.now(UTC) - timedelta(days=30)
        here.devices.say("lux-lamp-0", "light_level", at=old, lux=1.0)
        here.devices.say("lux-lamp-1", "power", watts=7.5)
        for number in range(30):
            here.devices.a_bit_of_everything(number)
        here.devices.settled()
        until(lambda: len(here.dead()) == 2, "both poison points are set aside", 20)
        (first, _), (second, _) = here.dead()
        assert "(422)" in first
        assert "(422)" in second
        here.caught_up()
        before = len(front.answered)
        front.instead += [Answer(429, (("Retry-After", "2"),)), Answer(503), Answer(0, slow_s=2.0)]
        here.devices.a_bit_of_everything(1)
        assert here.tap_heard(here.events) < 1
        until(lambda: not front.instead, "it is tried again")
        (limited_at, limited, _), (again_at, broken, _) = front.answered[before : before + 2]
        assert (limited, broken) == (429, 503)
        assert again_at - limited_at >= 2
        here.caught_up()
        here.exactly()
        assert len(here.dead()) == 2


class Grant:
    """A token that may write, and may be revoked."""

    def __init__(self, server: Influxd) -> None:
        self._url = f"{server.url}/api/v2/authorizations"
        self._headers = {"Authorization": f"Token {TOKEN}"}
        org = httpx.get(f"{server.url}/api/v2/orgs", headers=self._headers).json()["orgs"][0]["id"]
        write = {"action": "write", "resource": {"type": "buckets", "orgID": org}}
        made = httpx.post(self._url, headers=self._headers, json={"orgID": org, "permissions": [write]})
        self.token: str = made.raise_for_status().json()["token"]
        self._id: str = made.json()["id"]

    def revoke(self) -> None:
        httpx.delete(f"{self._url}/{self._id}", headers=self._headers).raise_for_status()


@pytest.mark.nightly
def test_a_revoked_token_is_said_and_a_kill_between_the_write_and_the_cursor_writes_the_same_points_again(
    tmp_path: Path, influxd: Influxd
) -> None:
    """The token is revoked under load; the gateway gets a new one, and is killed after InfluxDB's answer, before its cursor."""
    influxd.bucket("revoked")
    grant = Grant(influxd)
    with night(tmp_path, influxd, "revoked", influxd.url, grant.token) as here:
        here.caught_up()
        grant.revoke()
        for number in range(100):
            here.devices.a_bit_of_everything(number)
        until(lambda: "(401)" in here.problems(), "it is said that the token is refused", 15)
        assert here.told_of_a_panic() < 2
        assert here.dead() == []
        assert here.gateway.stop() == 0
        here.environment["TOKEN"] = Grant(influxd).token
        for _ in range(int(os.environ.get("LAMPLIGHTER_FAULTS", "0")) // 100 + 1):
            for number in range(100):
                here.devices.a_bit_of_everything(number)
            before = here.cursor()
            born = here.gateway.spawn(**here.environment, **Fault(step=INFLUX).environment())
            assert born.wait(20) == -signal.SIGKILL
            assert here.cursor() == before
            assert here.ahead() > 0
            assert here.devices.ledger.broken(here.gateway.data / "journal.db") == []
        here.gateway.start(**here.environment)
        assert here.told_of_a_panic() < 15  # its broker is met first
        here.caught_up()
        here.exactly()
        assert here.dead() == []


WEATHERS = {
    "the answer is cut": (Weather(cut_down_after=20), "cannot be reached"),
    "black hole": (BLACK_HOLE, "does not answer"),
    "the request is cut": (Weather(cut_after=700), "cannot be reached"),
}


@pytest.mark.nightly
def test_what_the_network_does_to_a_write_costs_no_point_and_doubles_none(tmp_path: Path, influxd: Influxd) -> None:
    """A write whose answer was cut off is there already, and is written again; nobody who calls waits for it."""
    influxd.bucket("network")
    fault = Fault(patience_s=1.0)
    with (
        proxied("127.0.0.1", influxd.port) as proxy,
        night(tmp_path, influxd, "network", f"http://127.0.0.1:{proxy.port}", fault=fault) as here,
    ):
        here.caught_up()
        for what, (weather, said) in WEATHERS.items():
            proxy.weather = weather
            for number in range(50):
                here.devices.a_bit_of_everything(number)
            until(partial(here.says, said), f"{what}: it is said", 15)
            if what == "the answer is cut":
                assert here.ahead() > 0
            if what == "black hole":
                assert here.told_of_a_panic() < 2
            proxy.weather = FAIR
            here.caught_up()
        here.exactly()
        assert here.dead() == []


@contextlib.contextmanager
def influxd_on_a_disk_that_fills(folder: Path) -> Iterator[tuple[Influxd, Callable[[], None], Callable[[], None]]]:
    """A server, what fills its disk, and what makes room: a tmpfs of its own, or, where none may be mounted, files that may not grow."""
    try:
        with full_disk(folder) as (data, fill, free), Influxd(data) as server:
            yield server, fill, free
    except PermissionError:
        data = folder / "influxd"
        data.mkdir()
        with Influxd(data) as server:
            assert server._process is not None
            pid, unlimited = server._process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            yield (
                server,
                lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY)) and None,
                lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited) and None,
            )


@pytest.mark.nightly
def test_influxdb_whose_disk_is_full_gets_everything_once_there_is_room(tmp_path: Path) -> None:
    program()
    (tmp_path / "disk").mkdir()
    (tmp_path / "gateway").mkdir()
    with influxd_on_a_disk_that_fills(tmp_path / "disk") as (server, fill, free):
        server.bucket("full")
        with night(tmp_path / "gateway", server, "full", server.url) as here:
            here.caught_up()
            fill()

            def refused() -> bool:  # it writes into what it has already, until that is full
                here.devices.a_bit_of_everything(int(time.monotonic() * 1000))
                return "InfluxDB" in here.problems()

            until(refused, "it is said that InfluxDB takes nothing")
            print(here.problems())
            for number in range(50):
                here.devices.a_bit_of_everything(number)
            assert here.told_of_a_panic() < 2
            assert here.tap_heard(here.events) < 1
            assert here.behind() > 0
            free()
            here.caught_up()
            here.exactly()
            assert here.dead() == []
