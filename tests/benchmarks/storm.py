"""How soon a person is told when everything behind one switch falls: `python -m tests.benchmarks.storm`.

A real gateway and Mosquitto; thousands of devices say that they are online, then the broker says of all of them within ten seconds
that they are gone. Measured is the time from the cause's alert until its first notice arrives at an HTTP receiver, then that
nothing else was told. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from device_drivers.native.topics import up
from gateway.instants import SECOND
from tests.benchmarks.contenders import broker
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.usage import cpu_s, peak_mib
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

SITE = "storm"
DEVICES = 5000
STAY_AWAY = 3
"""So many say nothing when the others are back."""
WITHIN_S = 10.0
"""In this time all fall."""
FIRST_S = 2.0
"""Target: from the cause's alert to its first notice."""
MOST_NOTICES = 3
"""Target: notices of the fall."""
HOLD_S = 15
"""The site's `hold`: longer than the fall takes, as always, but not its usual three minutes."""
ROUNDS_BACK = 11
"""After the return the others go on speaking, every ten seconds, until what stayed away must have been noticed."""
PATIENCE_S = 90.0


class Told(NamedTuple):
    """A message that arrived, and when."""

    at: float
    title: str
    notices: tuple[str, ...]


@contextmanager
def receiver() -> Iterator[tuple[int, list[Told]]]:
    """Takes everything; gives its port and what came."""
    told: list[Told] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = time.time()
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append(Told(at, said["title"], tuple(said["notices"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], told
    finally:
        server.shutdown()
        server.server_close()


def site(running: Mosquitto, port: int, devices: int) -> dict[str, Any]:
    """A hall full of sensors behind one switch; the control room is told."""
    names = [f"dev-{number}" for number in range(devices)]
    common = {"driver": "native", "kind": "sensor", "place": "hall", "network": "switch", "expect_every": "30s"}
    return {
        "site": {"id": SITE, "timezone": "UTC", "language": "en"},
        "places": [{"id": "hall"}],
        "devices": [{"id": name, **common} for name in names],
        "parents": {"switch": {}},
        "hold": f"{HOLD_S}s",
        "alerts": {
            "policies": {"default": [{"after": "0s", "notify": ["room"]}]},
            "contacts": {"room": {"url": "env:ROOM_URL"}},
        },
        "mqtt": {"host": running.host, "port": running.port, "session": "mqtt5"},
    }


def say(names: Iterable[str], seq: int, *, online: bool) -> Iterator[tuple[str, bytes]]:
    """Each says once how it is, or the broker does for it."""
    for name in names:
        body = {"kind": "device_status", "at": datetime.now(UTC).isoformat(), "boot": "b", "seq": seq, "online": online}
        yield up(SITE, name), json.dumps(body).encode()


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for it, not for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE_S:g} s in vain until {what}")
        time.sleep(0.02)


def storm(folder: Path, devices: int) -> int:
    """One fall and return; 0: all targets reached."""
    names = [f"dev-{number}" for number in range(devices)]
    with broker(folder) as running, receiver() as (port, told):
        with GatewayProcess(folder / "gateway", site(running, port, devices)) as gateway:
            gateway.start(ROOM_URL=f"json://127.0.0.1:{port}/room")
            with Publisher(running.port) as publisher:
                publisher.publish(say(names, 1, online=True))
                until(lambda: _heard(gateway) == devices, "all were heard")
                assert gateway.process is not None
                used = cpu_s(gateway.process.pid)
                began = time.monotonic()
                step = max(1, devices // 100)
                for first in range(0, devices, step):
                    publisher.publish(say(names[first : first + step], 2, online=False))
                    time.sleep(max(0.0, began + WITHIN_S * 0.95 * (first + step) / devices - time.monotonic()))
                fell_s = time.monotonic() - began
                until(lambda: told, "the first notice came")
                used = cpu_s(gateway.process.pid) - used
                time.sleep(HOLD_S)
                fallen = list(told)
                raised = _raised(gateway)
                for seq in range(3, 3 + ROUNDS_BACK):
                    publisher.publish(say(names[STAY_AWAY:], seq, online=True))
                    time.sleep(10)
                until(lambda: len(_raised(gateway)) == 1 + STAY_AWAY, "what stayed away was alerted by itself")
                anew = _raised(gateway)[1:]
                peak = peak_mib(gateway.process.pid)
            status = gateway.stop()
        assert status == 0, gateway.log
    first_s = fallen[0].at - raised[0][1]
    print(f"{devices:,} devices behind one switch gone within {fell_s:.1f} s, hold {HOLD_S} s")
    print(f"alerts                          {len(raised):>8}   {', '.join(alert for alert, _ in raised[:3])}")
    print(f"notices                         {len(fallen):>8}   at most {MOST_NOTICES}")
    print(f"alert to first notice received  {first_s:>8.2f} s at most {FIRST_S:g} s")
    print(
        f"processor time of the fall      {used:>8.2f} s, {1e6 * used / devices:.0f} µs a device, until the first notice"
    )
    print(f"most memory of the whole run    {peak:>8.0f} MiB")
    print(f"judged anew after the return    {len(anew):>8}   {', '.join(alert for alert, _ in anew)}")
    kept = len(raised) == 1 and len(fallen) <= MOST_NOTICES and first_s <= FIRST_S
    return 0 if kept and {alert.split("/")[0] for alert, _ in anew} == {"device_offline"} else 1


def _heard(gateway: GatewayProcess) -> int:
    return int(gateway.query("SELECT count(*) FROM log WHERE kind = 'device_status'")[0][0])


def _raised(gateway: GatewayProcess) -> list[tuple[str, float]]:
    """Alerts and when they were raised, in order, in seconds since 1970."""
    rows = gateway.query("SELECT alert, min(at) FROM alert_transition GROUP BY alert ORDER BY min(seq)")
    return [(alert, at / SECOND) for alert, at in rows]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return storm(Path(folder), parsed.devices)


if __name__ == "__main__":
    raise SystemExit(main())
