"""How long figures over a period take: a journal with a past, asked through the API.

1,000 lamps on 200 places in circuits of ten, each place with a zone of two cameras and a checkpoint tapped each hour. Each
lamp fails and recovers every third night and is unknown for an hour every second one; each camera is lost and comes back
three times a day; the gateway starts once a day. A quarter of that is in the journal.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time as wall
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from api.access.invitations import Invitations
from api.app import create_app
from gateway.figures.history import Walked, seat_of
from gateway.instants import DAY, HOUR, MINUTE, Instant, instant, moment
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Writer
from gateway.runtime import Gateway
from gateway.site.model import (
    Checkpoint,
    Circuit,
    Device,
    Expected,
    Lamp,
    Mqtt,
    Place,
    RoundRule,
    Route,
    Site,
    Visit,
    Zone,
)

LAMPS, PLACES, DAYS = 1000, 200, 93
TARGET_S = 1.0
BASE = "http://127.0.0.1"


def estate() -> Site:
    places = {f"t{n // 20}/f{n % 20:02}": n for n in range(PLACES)}
    names = list(places)
    route = Route(id="night", visits=tuple(Visit(checkpoint=f"cp-{n}") for n in range(PLACES)))
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={name: Place(id=name, name=name) for name in names},
        devices={
            **{f"lux-{n}": Device(id=f"lux-{n}", driver="native", kind="lux_sensor") for n in range(LAMPS)},
            **{
                f"cam-{n}": Device(
                    id=f"cam-{n}", driver="native", kind="camera", place=names[n // 2], expect_every=MINUTE
                )
                for n in range(2 * PLACES)
            },
            **{
                f"rdr-{n}": Device(id=f"rdr-{n}", driver="native", kind="reader", expect_every=MINUTE)
                for n in range(PLACES)
            },
        },
        checkpoints={f"cp-{n}": Checkpoint(id=f"cp-{n}", place=names[n], reader=f"rdr-{n}") for n in range(PLACES)},
        routes={"night": route},
        rounds=(
            RoundRule(
                route="night", days=frozenset(range(7)), since=time(20), until=time(6), every=HOUR, lasts=50 * MINUTE
            ),
        ),
        circuits={f"c-{n}": Circuit(id=f"c-{n}") for n in range(LAMPS // 10)},
        lamps={
            f"lamp-{n}": Lamp(
                id=f"lamp-{n}",
                place=names[n % PLACES],
                circuit=f"c-{n // 10}",
                seen_by=(f"lux-{n}",),
                expected=Expected(mode="dusk_to_dawn"),
            )
            for n in range(LAMPS)
        },
        zones={
            f"z-{n}": Zone(id=f"z-{n}", place=names[n], cameras=(f"cam-{2 * n}", f"cam-{2 * n + 1}"), need=2)
            for n in range(PLACES)
        },
        mqtt=Mqtt(embedded=True, port=0),
    )


def past(site: Site, started: Instant) -> list[tuple[Any, ...]]:
    """Conditions of all days, as the judge would have told them."""
    rows: list[tuple[Any, ...]] = [(started, started, "gateway", "", "up", "")]
    for lamp in site.lamps.values():
        rows.append((started, started, "seat", lamp.id, lamp.expected.mode, seat_of(lamp)))
        rows.append((started, started, "lamp", lamp.id, "unknown", "never_heard"))
    for number in range(DAYS):
        day = started + number * DAY
        rows += [(day + HOUR, day + HOUR - MINUTE, "gateway", "", "down", "")]
        rows += [(day + HOUR, day + HOUR, "gateway", "", "up", "")]
        for n, lamp in enumerate(site.lamps):
            at = day + HOUR + n * MINUTE // 10
            told = [(at, at, "ok"), (day + 23 * HOUR, day + 23 * HOUR, "off_duty")]
            if (n + number) % 3 == 0:
                told += [(at + 3 * HOUR, at + 3 * HOUR - 10 * MINUTE, "faulty"), (at + 6 * HOUR, at + 6 * HOUR, "ok")]
            if (n + number) % 2 == 0:
                told += [(at + 8 * HOUR, at + 8 * HOUR, "unknown"), (at + 9 * HOUR, at + 9 * HOUR, "ok")]
            rows += [(found, since, "lamp", lamp, state, "") for found, since, state in told]
        for n in range(PLACES):
            for hour in (2, 9, 17):
                at = day + hour * HOUR + n * MINUTE // 5
                for offset, sight, zone in ((0, "lost", "degraded"), (30 * MINUTE, "seeing", "covered")):
                    rows.append((at + offset, at + offset, "camera", f"cam-{2 * n}", sight, ""))
                    rows.append((at + offset, at + offset, "zone", f"z-{n}", zone, ""))
            taps = tuple(day + hour * HOUR + n * MINUTE // 10 for hour in range(20))
            walked = Walked(taps=taps, complete=((day, day + DAY),))
            utc = day - day % DAY
            rows.append((day + 9 * DAY, utc, "walk", f"cp-{n}", "", msgspec.json.encode(walked).decode()))
    rows = [row for row in rows if row[0] < started + DAYS * DAY]
    return sorted(rows, key=lambda row: row[0])


async def fill(data: Path, site: Site, now: Instant) -> int:
    started = now - DAYS * DAY
    store = Store(data)
    writer = Writer(store.writer)
    await writer.execute([("INSERT INTO meta VALUES ('started', ?)", (started,))])
    rows = past(site, started)
    for first in range(0, len(rows), 50_000):
        batch = Batch()
        batch.rows["condition"] = [(first + n + 1, *row) for n, row in enumerate(rows[first : first + 50_000])]
        batch.advanced = now
        await writer.submit(batch)
    writer.close()
    store.close()
    return len(rows)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--best-of", type=int, default=3)
    best_of: int = parser.parse_args().best_of
    site, now, late = estate(), instant(datetime.now(UTC)), 0
    with tempfile.TemporaryDirectory() as folder:
        rows = await fill(Path(folder), site, now)
        print(f"{rows:,} rows, {(Path(folder) / 'journal.db').stat().st_size / 2**20:.0f} MiB")
        began = wall.perf_counter()
        async with Gateway(site, Path(folder)) as gateway:
            print(f"start: {wall.perf_counter() - began:.2f} s")
            invitations = Invitations()
            app = create_app(gateway, invitations=invitations)
            headers = {"Origin": BASE}
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url=BASE, headers=headers
            ) as client:
                token = invitations.login("bench", "admin", gateway.now())
                await client.get("/login/once", params={"token": token})
                for path, days, more in (
                    ("protection", 7, {}),
                    ("protection", 7, {"place": "t0/f00"}),
                    ("protection", 35, {}),
                    ("lamps/intact", 7, {"by": "site"}),
                    ("lamps/intact", 7, {"by": "lamp", "limit": 1000}),
                    ("lamps/intact", 31, {"by": "floor"}),
                    ("lamps/intact", 93, {"by": "building"}),
                    ("cameras/intact", 31, {"by": "place"}),
                    ("zones/minutes", 31, {}),
                    ("checkpoints/predictability", 14, {}),
                ):
                    until = now - (9 * DAY if days <= 35 else 0)
                    asked = {
                        "since": moment(until - days * DAY, UTC).isoformat(),
                        "until": moment(until, UTC).isoformat(),
                    }
                    asked = (asked if "checkpoints" not in path else {}) | more
                    took, used, size = 1e9, 1e9, 0
                    for _ in range(best_of):
                        began, worked = wall.perf_counter(), wall.process_time()
                        answer = await client.get(f"/api/v1/{path}", params=asked)
                        took, used = min(took, wall.perf_counter() - began), min(used, wall.process_time() - worked)
                        size = len(answer.content)
                        assert answer.status_code == 200, answer.text
                    slow = days <= 7 and used > TARGET_S
                    late += slow
                    print(
                        f"{path:28} {days:3} days {more!s:32} {used:6.2f} s CPU {took:6.2f} s {size / 1024:8.0f} KiB{' TOO SLOW' * slow}"
                    )
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
