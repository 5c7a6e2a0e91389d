"""What networks do between gateway and broker: late, cut in the middle, byte by byte, swallowed, refused. Nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from device_drivers.catalogue import DRIVERS
from gateway.links.backoff import Backoff
from gateway.links.broker_session import BrokerSession
from gateway.links.mqtt import SESSIONS
from gateway.routing import Router
from gateway.rules.lineage import BROKER
from gateway.runtime import Gateway
from gateway.site.load import load_site
from gateway.site.model import Mqtt
from tests.faults.estate import Devices, site
from tests.faults.ledger import Ledger, judged_otherwise
from tests.faults.proxy import BLACK_HOLE, FAIR, Proxy, Weather
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow]

SEED = 20261128
CUTS = int(os.environ.get("LAMPLIGHTER_FAULTS", "8"))
LONGEST_BACKOFF_S = 0.3
KEEP_ALIVE_S = 2


async def until(condition: Callable[[], bool], what: str, longest_s: float = 30.0) -> float:
    """Wait for it; the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < longest_s, f"{what}: not within {longest_s:g} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


class Scene:
    """A gateway in this process, whose session goes through the proxy; devices that speak to the broker itself."""

    def __init__(self, gateway: Gateway, link: BrokerSession, proxy: Proxy, devices: Devices, ledger: Ledger) -> None:
        self.gateway = gateway
        self.link = link
        self.proxy = proxy
        self.devices = devices
        self.ledger = ledger
        self._said = 0

    def speak(self, count: int) -> None:
        for _ in range(count):
            self.devices.a_bit_of_everything(self._said)
            self._said += 1

    async def up(self, within_s: float) -> float:
        return await until(lambda: self.link.state.up, "the link is up again by itself", within_s)

    async def caught_up(self) -> None:
        await asyncio.to_thread(self.devices.settled)
        counters = self.gateway.intake.counters
        wanted = len(self.ledger.sent)
        await until(lambda: counters.observations - counters.repeats >= wanted, "all that was sent is taken", 60)
        await self.gateway.intake.drained()


@asynccontextmanager
async def scene(folder: Path, session: str) -> AsyncIterator[Scene]:
    ledger = Ledger()
    with Mosquitto(folder, autosave=1_000_000) as broker:
        async with Proxy(broker.host, broker.port) as proxy:
            settings = {"host": proxy.host, "port": proxy.port, "session": session}
            process = GatewayProcess(folder, site(settings))  # writes the site file; it is not started
            model, _ = load_site(process.site_file)
            async with Gateway(model, process.data) as gateway:
                link = SESSIONS[session](
                    Mqtt(embedded=False, host=proxy.host, port=proxy.port),
                    client_id="lamplighter-s",
                    filters=Router(model, DRIVERS).filters,
                    receiver=gateway.intake,
                    devices=(BROKER,),
                    backoff=Backoff(first_s=0.05, longest_s=LONGEST_BACKOFF_S),
                    keep_alive_s=KEEP_ALIVE_S,
                )
                gateway.intake.send = link.send
                work = asyncio.create_task(gateway.run([link]))
                try:
                    await until(lambda: link.state.up, "up at first")
                    with Devices(ledger, broker.host, broker.port) as devices:
                        here = Scene(gateway, link, proxy, devices, ledger)
                        yield here
                        proxy.weather = FAIR
                        await here.caught_up()
                finally:
                    work.cancel()
                    await asyncio.wait((work,))
    assert ledger.broken(process.data / "journal.db", caught_up=True) == []
    assert judged_otherwise(process.data / "journal.db", process.site_file) == []


@pytest.fixture(params=["mqtt5", pytest.param("paho", marks=pytest.mark.nightly)])
def session(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.timeout(120 + 3 * CUTS)
async def test_connections_cut_in_the_middle_of_packets_lose_and_repeat_nothing(tmp_path: Path, session: str) -> None:
    print(f"seed {SEED}, {CUTS} cuts")
    chance = random.Random(SEED)
    async with scene(tmp_path, session) as here:
        back: list[float] = []
        for _ in range(CUTS):
            up = chance.random() < 0.5
            at = chance.randrange(1, 250 if up else 6000)
            connections = here.proxy.connections
            # counted from the next connection on: a cut may fall into CONNECT, SUBSCRIBE, PUBACK or a message
            here.proxy.weather = Weather(cut_after=at) if up else Weather(cut_down_after=at)
            here.proxy.reset()
            here.speak(60)
            await until(lambda before=connections: here.proxy.connections > before + 1, f"cut at {at}", 40)
            here.proxy.weather = FAIR
            back.append(await here.up(10))
        print(
            f"{session}: up again after at most {max(back):.2f} s; {here.gateway.intake.counters.repeats} repeats known"
        )
        assert here.link.epoch > 2 * CUTS


async def test_a_slow_network_and_single_bytes_only_take_longer(tmp_path: Path, session: str) -> None:
    async with scene(tmp_path, session) as here:
        here.proxy.weather = Weather(delay_s=0.2)
        here.speak(200)
        await here.caught_up()
        here.proxy.weather = Weather(delay_s=1.0)
        here.speak(20)
        await here.caught_up()
        here.proxy.weather = Weather(piece=1)
        here.speak(20)
        await here.caught_up()
        assert here.link.epoch == 1, "none of this is a reason to hang up"


async def test_a_black_hole_is_noticed_within_the_keep_alive_and_left(tmp_path: Path, session: str) -> None:
    """What was acknowledged into the hole comes again over the next connection, and is a repeat."""
    async with scene(tmp_path, session) as here:
        here.speak(50)
        await here.caught_up()
        for weather in (BLACK_HOLE, Weather(swallow_up=True), Weather(swallow_down=True)):
            here.proxy.weather = weather
            here.speak(50)
            took = await until(lambda: not here.link.state.up, "the silence is noticed", 2 * KEEP_ALIVE_S + 1)
            state = here.link.state
            assert not here.gateway.health().ready
            assert state.reason
            assert any(state.reason in problem for problem in here.gateway.health().problems)
            here.proxy.weather = FAIR
            here.proxy.reset()
            back = await here.up(12)
            print(f"{session}: {weather} noticed after {took:.1f} s ({state.reason}), up again {back:.1f} s later")
            await here.caught_up()


async def test_a_refused_connection_is_tried_until_it_is_taken(tmp_path: Path, session: str) -> None:
    async with scene(tmp_path, session) as here:
        here.proxy.weather = Weather(refuse=True)
        here.proxy.reset()
        await until(lambda: not here.link.state.up, "the loss is told")
        connections = here.proxy.connections
        here.speak(50)
        await until(lambda: here.proxy.connections >= connections + 5, "it is tried again and again")
        here.proxy.weather = FAIR
        assert await here.up(LONGEST_BACKOFF_S + 1.0) < LONGEST_BACKOFF_S + 1.0
