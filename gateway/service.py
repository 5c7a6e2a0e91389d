"""A whole gateway at work: broker, links, judge and deliveries, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from gateway.connections import (
    broker_copies,
    broker_ear,
    broker_session,
    called_links,
    file_imports,
    panel_lines,
    polled_lines,
    serial_ports,
    web_links,
)
from gateway.instants import SECOND
from gateway.links.link import Link, MqttLink
from gateway.outbox.local import LocalStore
from gateway.outbox.notices import NoticeWorker
from gateway.outbox.notifiers import notifiers
from gateway.outbox.telemetry import TelemetryWorker, TelemetryWriter
from gateway.outbox.watchdog import Ping, Watchdog, topic_ping, web_ping
from gateway.runtime import Gateway
from gateway.site.model import Mqtt, Site
from gateway.strays import Strays
from gateway.whole_file import write_whole

_log = logging.getLogger(__name__)

PASSWORD_FILE = "mqtt-password"  # noqa: S105  the name of a file in the data folder
_USER = "lamplighter"

Work = Callable[[], Awaitable[None]]


class Service:
    """What runs beside the journal and the judge. `broker` is where devices connect."""

    def __init__(
        self, gateway: Gateway, broker: Mqtt, mqtt: MqttLink, links: list[Link], tasks: dict[str, Work]
    ) -> None:
        self.gateway = gateway
        self.broker = broker
        self.mqtt = mqtt
        self._links = links
        self._tasks = tasks

    async def run(self, **more: Work) -> None:
        """Keep everything going, and `more` with it, until cancelled.

        Raises:
            JournalError: the disk failed.
        """
        await self.gateway.run(self._links, {**self._tasks, **more})


@asynccontextmanager
async def open_service(site: Site, data: Path, gateway: Gateway) -> AsyncIterator[Service]:
    """Start the embedded broker, if the site asks for it, and make everything ready to run.

    Raises:
        LinkError: the embedded broker's port is taken.
    """
    async with AsyncExitStack() as stack:
        broker = site.mqtt
        if broker.embedded:
            from gateway.links.embedded_broker import EmbeddedBroker  # noqa: PLC0415  amqtt: memory that only its users pay

            broker = _embedded(site, data)
            running = await stack.enter_async_context(
                EmbeddedBroker(broker.host, broker.port, broker.username or "", broker.password or "", broker.client_id)
            )
            broker = msgspec.structs.replace(broker, port=running.port)
        intake = gateway.intake
        known = await _knows_session(gateway, broker)
        mqtt = broker_session(site, broker, intake.router, intake, gateway.clock, had_session=known)
        intake.send = mqtt.send
        writer = _telemetry_writer(site, data, gateway)
        stack.push_async_callback(writer.close)
        news, notices = asyncio.Event(), asyncio.Event()
        gateway.wake_deliveries += [news.set, notices.set]
        telemetry = TelemetryWorker(gateway.source, writer, site, now=gateway.now, wake=news)
        teller = NoticeWorker(gateway.source, notifiers(site, gateway.now), site, now=gateway.now, wake=notices)
        watchdogs = _watchdogs(site, gateway, mqtt)
        gateway.deliveries = {"telemetry": telemetry, "notices": teller, **watchdogs}
        links: list[Link] = [
            mqtt,
            *broker_copies(site, broker, intake, gateway.clock),
            *serial_ports(intake.router, intake, gateway.clock),
            *polled_lines(intake.router, intake, gateway.clock),
            *panel_lines(intake.router, intake, gateway.clock),
            *web_links(intake.router, intake, gateway.clock, stack),
            *called_links(site, intake.router, intake, gateway.clock),
            file_imports(site, data, intake),
        ]
        strays = Strays(
            site,
            intake.router,
            connect=lambda receiver: broker_ear(site, broker, receiver, gateway.clock),
            heard=gateway.heard,
            ready=lambda: mqtt.state.up,
            tell=gateway.problem,
            safe=intake.safe,
        )
        retention = gateway.retention((writer.name,))
        yield Service(
            gateway,
            broker,
            mqtt,
            links,
            {
                "telemetry": telemetry.run,
                "notices": teller.run,
                "checkpoints": gateway.checkpoints.run,
                "retention": retention.run,
                "strays": strays.run,
                **{name: watchdog.run for name, watchdog in watchdogs.items()},
            },
        )


def _watchdogs(site: Site, gateway: Gateway, mqtt: MqttLink) -> dict[str, Watchdog]:
    """One a watcher outside, so that none of them holds up the other."""
    wanted, every_s = site.watchdog, site.watchdog.every / SECOND
    pings: dict[str, Ping] = {}
    if wanted.url is not None:
        pings["watchdog_url"] = web_ping(wanted.url)
    if wanted.topic is not None:
        pings["watchdog_topic"] = topic_ping(mqtt.publish, wanted.topic, site.id, every_s, gateway.now)
    return {name: Watchdog(ping, lambda: gateway.health().ready, every_s) for name, ping in pings.items()}


def _telemetry_writer(site: Site, data: Path, gateway: Gateway) -> TelemetryWriter:
    if site.storage.influx is None:
        gateway.telemetry = LocalStore(data / "telemetry.db", site.storage.retain_telemetry, gateway.lived)
        return gateway.telemetry
    from gateway.outbox.influx import InfluxWriter  # noqa: PLC0415  half a second of start that only its users pay

    return InfluxWriter(site.storage.influx)


def _embedded(site: Site, data: Path) -> Mqtt:
    """The embedded broker's log-in: from the site file, else made once and kept in the data folder; and who keeps what it takes."""
    broker = site.mqtt
    path = data / PASSWORD_FILE
    password = broker.password
    if password is None:
        password = _kept_password(path)
        if not password:
            password = secrets.token_urlsafe(18)
            write_whole(path, password.encode(), mode=0o600)
    return msgspec.structs.replace(
        broker,
        username=broker.username or _USER,
        password=password,
        session="paho",
        client_id=broker.client_id or f"{_USER}-{site.id}",
    )


def _kept_password(path: Path) -> str:
    """What the file holds; nothing if there is none, or it cannot be read."""
    if not path.exists():
        return ""
    kept = path.read_bytes().decode("ascii", "replace").strip()
    if not kept or not kept.isprintable() or not kept.isascii():
        _log.warning("%s held no password; a new one is made: set it in what connects to the embedded broker", path)
        return ""
    return kept


async def _knows_session(gateway: Gateway, broker: Mqtt) -> bool:
    """Whether an earlier run had a session at this broker; notes that this one will. An embedded one forgets at its end."""
    if broker.embedded:
        return False
    key = f"session {broker.host}:{broker.port}"
    known = await gateway.query("SELECT 1 FROM meta WHERE key = ?", (key,))
    # With the first batch, which is on disk before anything of the session is acknowledged; a full disk does not hold up the start.
    gateway.intake.batch.statements.append(("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, gateway.now())))
    return bool(known)
