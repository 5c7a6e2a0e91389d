"""`lamplighter simulate`: only the simulated devices, against any broker; also a load generator."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiomqtt

from api.commands.run import log_to_terminal, until_stopped
from api.simulated import estate_of, walks_of
from device_drivers.errors import LamplighterError
from device_drivers.simulation.live import Broker, speak
from device_drivers.simulation.world import World
from device_drivers.zigbee2mqtt import device as zigbee2mqtt
from gateway.instants import DAY, instant
from gateway.runtime import utc_now
from gateway.site.load import load_site
from gateway.site.model import Site
from gateway.site.plans import plan_rounds

_TICK_S = 0.02
"""Load is published in bursts this far apart."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="whose devices to play")
    parser.add_argument("--broker", required=True, metavar="URL", help="mqtt://[user@]host[:port]")
    parser.add_argument(
        "--rate", type=float, metavar="N", help="publish N messages a second instead of living in real time"
    )
    parser.add_argument("--for", dest="length_s", type=float, metavar="S", help="stop after S seconds [never]")
    parser.add_argument("--seed", type=int, default=1, help="of all chance [1]")
    parser.epilog = "The broker's password is read from the environment variable LAMPLIGHTER_MQTT_PASSWORD."


def run(parsed: argparse.Namespace) -> int:
    log_to_terminal(30)
    if parsed.rate is not None and not 0 < parsed.rate <= 1_000_000:
        raise LamplighterError(f"--rate {parsed.rate:g}: expected a number of messages a second above 0")
    site, _ = load_site(parsed.site, secrets=False)
    broker = broker_of(parsed.broker)
    return asyncio.run(_simulate(site, broker, parsed.rate, parsed.length_s, parsed.seed))


def broker_of(url: str) -> Broker:
    """The broker that an address names.

    Raises:
        LamplighterError: not an address of the form mqtt://[user@]host[:port].
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 1883
    except ValueError as error:
        raise LamplighterError(f"--broker {url}: {error}; expected mqtt://[user@]host[:port]") from error
    if parts.scheme != "mqtt" or not parts.hostname:
        raise LamplighterError(f"--broker {url}: expected mqtt://[user@]host[:port]")
    user = unquote(parts.username) if parts.username else None
    return Broker(parts.hostname, port, user, os.environ.get("LAMPLIGHTER_MQTT_PASSWORD"))


async def _simulate(site: Site, broker: Broker, rate: float | None, length_s: float | None, seed: int) -> int:
    now = utc_now()
    world = World(estate_of(site), now, seed)
    if rate is None:
        world.walk(walks_of(site, plan_rounds(site, instant(now), instant(now) + 7 * DAY)))
        _say_what_plays(world)
        await _reach(broker)
        work = speak(world, broker, {})
    else:
        work = _load(world, broker, rate)

    async def bounded() -> None:
        try:
            async with asyncio.timeout(length_s):
                await work
        except TimeoutError:
            return

    return await until_stopped(bounded())


def _say_what_plays(world: World) -> None:
    """How much of the site is played.

    Raises:
        LamplighterError: nothing of it can be.
    """
    estate = world.estate
    counts = {
        "readers": len(estate.readers),
        "wands": len(estate.wands),
        "light sensors": len(estate.light_sensors),
        "plugs": len(estate.plugs),
        "recorders": len(estate.recorders),
    }
    played = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if not played:
        raise LamplighterError(
            "the site has nothing that can be simulated: native readers and wands, Zigbee2MQTT sensors and plugs, Frigate recorders"
        )
    print(f"plays {played}; stop with Ctrl-C", file=sys.stderr)


async def _reach(broker: Broker) -> None:
    """See that the broker takes us, before all devices try.

    Raises:
        LamplighterError: it does not.
    """
    try:
        async with broker.session("probe"):
            return
    except aiomqtt.MqttError as error:
        raise LamplighterError(
            f"mqtt://{broker.host}:{broker.port}: {error}; is the broker running there, and are user and password right?"
        ) from error


async def _load(world: World, broker: Broker, rate: float) -> None:
    """Publish at `rate`, at QoS 1, from all of the estate's sensors and readers in turn; says each second how many."""
    sent = 0
    sayings = _sayings(world)
    try:
        async with broker.session("load") as client:
            client.pending_calls_threshold = 1_000_000
            loop = asyncio.get_running_loop()
            began = told = loop.time()
            while True:
                wanted = int((loop.time() - began) * rate) - sent
                for _ in range(wanted):
                    topic, payload = next(sayings)
                    await client.publish(topic, payload, qos=1)
                    sent += 1
                if loop.time() - told >= 1:
                    told = loop.time()
                    print(
                        f"\r{sent} messages, {sent / (told - began):.0f} a second", end="", file=sys.stderr, flush=True
                    )
                await asyncio.sleep(_TICK_S)
    except aiomqtt.MqttError as error:
        raise LamplighterError(f"mqtt://{broker.host}:{broker.port}: {error}; is the broker running there?") from error
    finally:
        print(f"\n{sent} messages published", file=sys.stderr)


def _sayings(world: World) -> Iterator[tuple[str, bytes]]:
    """Reports without end: every native reader and every light sensor in turn."""
    estate = world.estate
    readers = [reader for reader in estate.readers if not reader.serial and reader.numbered]
    sensors = [sensor.topic for sensor in estate.light_sensors if sensor.topic is not None]
    if not readers and not sensors:
        raise LamplighterError(
            "the site has nothing that the load generator can play (native readers, Zigbee2MQTT sensors)"
        )
    for turn in count():
        for reader in readers:
            recorder = world.recorders[reader.id]
            yield recorder.topic, recorder.heartbeat(utc_now())
        for position, topic in enumerate(sensors):
            message = zigbee2mqtt.light(topic, 40 + (turn + position) % 90)
            yield message.topic, message.payload
