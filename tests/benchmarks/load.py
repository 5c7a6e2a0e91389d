"""What the benchmarks measure with: a site of any size, and what its devices say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from device_drivers.native.topics import up

SITE = "bench"

MIXES: dict[str, tuple[str, ...]] = {
    "mixed": tuple("tap" if k == 250 else "heartbeat" if k % 10 == 9 else "light" for k in range(500)),
    "light": ("light",),
    "heartbeats": ("heartbeat",),
}
"""Kinds in turn: light_level with boot and seq, reader_heartbeat with device_now and last_seq, tag_read with boot and seq.

mixed is what this site says in an hour, if each device speaks once a minute and every round is walked: 90 % light levels,
10 % heartbeats, 0.2 % taps.
"""

_GUARDS = 20
_VISITS_A_ROUTE = 10
_LAMPS_A_CIRCUIT = 10


class Estate:
    """One site: of ten devices nine are light sensors, each with its lamp in a circuit of ten, and one is a fixed reader at a
    checkpoint. Ten checkpoints are a route, walked each hour.

    Args:
        devices: how many, readers included.
    """

    def __init__(self, devices: int) -> None:
        self.readers = [f"rdr-{n}" for n in range(max(1, devices // 10))]
        self.sensors = [f"lux-{n}" for n in range(devices - len(self.readers))]
        self._said = dict.fromkeys((*self.readers, *self.sensors), 0)
        self._turns = {"light": 0, "heartbeat": 0, "tap": 0}

    @property
    def devices(self) -> list[str]:
        return [*self.readers, *self.sensors]

    def site(self, host: str, port: int) -> dict[str, Any]:
        """The site file, with this broker."""
        routes = range(0, len(self.readers), _VISITS_A_ROUTE)
        sources = [{"kind": "reader", "id": name} for name in self.readers]
        sources += [{"kind": "lux_sensor", "id": name} for name in self.sensors]
        return {
            "site": {"id": SITE, "name": SITE, "timezone": "UTC", "latitude": 31.2, "longitude": 121.5},
            "places": [{"id": "p", "name": "p"}],
            "people": [{"id": f"g-{n}", "name": f"G{n}", "roles": ["guard"], "tags": [tag(n)]} for n in range(_GUARDS)],
            "devices": [{**source, "driver": "native", "place": "p", "expect_every": "60s"} for source in sources],
            "checkpoints": [{"id": f"cp-{name}", "place": "p", "reader": name} for name in self.readers],
            "routes": [
                {
                    "id": f"r-{first}",
                    "visits": [{"checkpoint": f"cp-{name}"} for name in self.readers[first : first + _VISITS_A_ROUTE]],
                }
                for first in routes
            ],
            "rounds": [
                {
                    "route": f"r-{first}",
                    "days": "mon-sun",
                    "from": "00:00",
                    "to": "23:00",
                    "every": "1h",
                    "lasts": "40m",
                }
                for first in routes
            ],
            "circuits": [{"id": f"c-{n}"} for n in range(-(-len(self.sensors) // _LAMPS_A_CIRCUIT))],
            "lamps": [
                {
                    "id": f"lamp-{n}",
                    "place": "p",
                    "seen_by": name,
                    "circuit": f"c-{n // _LAMPS_A_CIRCUIT}",
                    "expected": {"mode": "always"},
                }
                for n, name in enumerate(self.sensors)
            ],
            "alerts": {
                "policies": {"default": [{"after": "0s", "notify": ["room"]}]},
                "contacts": {"room": {"console": True}},
            },
            "mqtt": {"host": host, "port": port, "session": "mqtt5"},
        }

    def once_each(self, at: datetime) -> Iterator[tuple[str, bytes]]:
        """One message of each device: topic and payload."""
        kinds = ["heartbeat"] * len(self.readers) + ["light"] * len(self.sensors)
        for number, kind in enumerate(kinds):
            yield self.message(kind, at + timedelta(microseconds=number))

    def messages(self, mix: str, count: int, since: datetime, until: datetime) -> Iterator[tuple[str, bytes]]:
        """`count` messages of a mix, their times spread evenly, so that no two are the same point of time."""
        kinds = MIXES[mix]
        apart = (until - since) / count
        for number in range(count):
            yield self.message(kinds[number % len(kinds)], since + number * apart)

    def message(self, kind: str, at: datetime) -> tuple[str, bytes]:
        """The next message of a kind: its devices take turns."""
        turn = self._turns[kind]
        self._turns[kind] += 1
        names = self.sensors if kind == "light" else self.readers
        device = names[turn % len(names)]
        return up(SITE, device), _BODIES[kind](self, device, turn, at.isoformat(timespec="microseconds").encode())

    def next_seq(self, device: str) -> int:
        self._said[device] += 1
        return self._said[device]

    def last_seq(self, device: str) -> int:
        return self._said[device]


def tag(number: int) -> str:
    """The card of a guard."""
    return f"{0x7B3900 + number:010X}"


def _light(estate: Estate, device: str, turn: int, at: bytes) -> bytes:
    lux = 50.5 + turn % 7
    return b'{"kind":"light_level","at":"%b","boot":"b1","seq":%d,"lux":%b}' % (
        at,
        estate.next_seq(device),
        str(lux).encode(),
    )


def _heartbeat(estate: Estate, device: str, turn: int, at: bytes) -> bytes:
    body = b'{"kind":"reader_heartbeat","at":"%b","boot":"b1","last_seq":%d,"device_now":"%b"}'
    return body % (at, estate.last_seq(device), at)


def _tap(estate: Estate, device: str, turn: int, at: bytes) -> bytes:
    body = b'{"kind":"tag_read","at":"%b","boot":"b1","seq":%d,"tag":"%b"}'
    return body % (at, estate.next_seq(device), tag(turn % _GUARDS).encode())


_BODIES: dict[str, Callable[[Estate, str, int, bytes], bytes]] = {
    "light": _light,
    "heartbeat": _heartbeat,
    "tap": _tap,
}
