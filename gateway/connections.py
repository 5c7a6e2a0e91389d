"""The links that a site asks for: its broker session, its lines, what is asked or calls over the network, and files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from device_drivers.conversation import LinePoller, PanelReader
from gateway.imports import ImportFolder, read_file, with_hidden
from gateway.intake import Intake
from gateway.links.call_link import CallLink
from gateway.links.file_link import FileLink
from gateway.links.hid_link import HidLink
from gateway.links.line_link import LineLink
from gateway.links.link import Link, MqttLink, Receiver
from gateway.links.mqtt import mqtt_link
from gateway.links.serial_link import SerialLink
from gateway.links.standing import Clock, utc_now
from gateway.overtaking import Overtaking, overtaking_filters
from gateway.routing import Router, settings
from gateway.rules.lineage import BROKER
from gateway.site.model import Device, Mqtt, Site
from gateway.strays import EVERYTHING


def broker_session(
    site: Site,
    settings: Mqtt,
    router: Router,
    receiver: Receiver,
    clock: Clock,
    *,
    had_session: bool,
    name: str = "lamplighter",
) -> MqttLink:
    """The session with the site's broker, subscribed to what its devices say; not connected yet."""
    return mqtt_link(
        settings,
        client_id=f"{name}-{site.id}",
        filters=router.filters,
        receiver=receiver,
        devices=(BROKER,),
        had_session=had_session,
        clock=clock,
    )


def broker_copies(
    site: Site, settings: Mqtt, intake: Intake, clock: Clock, *, name: str = "lamplighter"
) -> Sequence[Link]:
    """A connection beside the session, by which fresh taps and calls for help overtake its queue; not connected yet.

    None with the embedded broker: its devices keep what waits, it has no queue.
    """
    filters = overtaking_filters(site)
    if settings.embedded or not filters:
        return ()
    receiver = Overtaking(site, intake)
    return [
        mqtt_link(settings, client_id=f"{name}-{site.id}", filters=filters, receiver=receiver, kept=False, clock=clock)
    ]


def broker_ear(site: Site, settings: Mqtt, receiver: Receiver, clock: Clock, *, name: str = "lamplighter") -> MqttLink:
    """A connection beside the session that hears everything, of which the broker keeps nothing; not connected yet."""
    return mqtt_link(
        settings,
        client_id=f"{name}-{site.id}",
        filters=EVERYTHING,
        receiver=receiver,
        kept=False,
        ending="-ear",
        clock=clock,
    )


def serial_ports(router: Router, receiver: Receiver, clock: Clock = utc_now) -> Sequence[Link]:
    """A link for each device on a serial line or an input device; not opened yet."""
    return [
        HidLink(device, receiver, clock=clock) if "input" in device.link else SerialLink(device, receiver, clock=clock)
        for device, _ in router.streams.values()
    ]


def polled_lines(router: Router, receiver: Receiver, clock: Clock = utc_now) -> Sequence[Link]:
    """A link for each line with devices that are asked; not opened yet."""
    lines: dict[str, list[tuple[Device, LinePoller]]] = {}
    for device, poller in router.lines:
        lines.setdefault(poller.line, []).append((device, poller))
    return [
        LineLink(line, asked[0][0].link, [(device.id, poller) for device, poller in asked], receiver, clock=clock)
        for line, asked in lines.items()
    ]


def panel_lines(router: Router, receiver: Receiver, clock: Clock = utc_now) -> Sequence[Link]:
    """A link for each line whose control panel we are; not opened yet."""
    if not router.panels:
        return ()
    from gateway.links.osdp_link import OsdpLink  # noqa: PLC0415  libosdp: only its users load it

    lines: dict[str, list[tuple[Device, PanelReader]]] = {}
    for device, reader in router.panels:
        lines.setdefault(reader.line, []).append((device, reader))
    return [
        OsdpLink(line, heard[0][0].link, [(device.id, reader) for device, reader in heard], receiver, clock=clock)
        for line, heard in lines.items()
    ]


def web_links(router: Router, receiver: Receiver, clock: Clock, stack: AsyncExitStack) -> Sequence[Link]:
    """A link for each device that is asked over HTTP; their session is closed with `stack`."""
    if not router.web:
        return ()
    from gateway.links.web_client import WebClient  # noqa: PLC0415  aiohttp: a fifth of a second that only its users pay
    from gateway.links.web_link import WebLink  # noqa: PLC0415

    client = WebClient(len(router.web))
    stack.push_async_callback(client.close)
    return [WebLink(device.id, poller, client, receiver, clock=clock) for device, poller in router.web]


def called_links(site: Site, router: Router, receiver: Receiver, clock: Clock = utc_now) -> Sequence[Link]:
    """A link for each family whose devices call us; not listening yet. Without a device that could call there is none."""
    links: list[Link] = []
    for name, devices in router.served.items():
        ids = [device.id for device in devices if device.device_id]  # a recorder's channels are told of by it
        if not ids:
            continue
        driver, service = router.drivers[name], site.services[name]
        given = [settings(device) for device in devices]
        title = f"{name} {service.host}:{service.port}"
        address = service.host, service.port
        if driver.call_server is not None:
            links.append(
                CallLink(title, address, driver.call_server(given, service.settings), ids, receiver, clock=clock)
            )
        elif driver.web_server is not None:
            from gateway.links.web_server_link import WebServerLink  # noqa: PLC0415  aiohttp, as above

            links.append(
                WebServerLink(title, address, driver.web_server(given, service.settings), ids, receiver, clock=clock)
            )
    return links


def file_imports(site: Site, data: Path, intake: Intake) -> FileLink:
    """What takes the files that people bring into the data folder; not looking yet."""
    drivers = intake.router.drivers
    return FileLink(
        ImportFolder(data),
        lambda order, content, received: with_hidden(read_file(site, drivers, order, content, received)),
        intake,
        repeats=lambda: intake.counters.repeats,
        clock=intake.clock,
    )
