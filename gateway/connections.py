"""The links that a site asks for: its broker session and its serial ports."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.links.link import Link, MqttLink, Receiver
from gateway.links.mqtt import mqtt_link
from gateway.links.serial_link import SerialLink
from gateway.routing import Router
from gateway.rules.lineage import BROKER
from gateway.site.model import Mqtt, Site


def broker_session(
    site: Site, settings: Mqtt, router: Router, receiver: Receiver, *, had_session: bool, name: str = "lamplighter"
) -> MqttLink:
    """The session with the site's broker, subscribed to what its devices say; not connected yet."""
    return mqtt_link(
        settings,
        client_id=f"{name}-{site.id}",
        filters=router.filters,
        receiver=receiver,
        devices=(BROKER,),
        had_session=had_session,
    )


def serial_ports(router: Router, receiver: Receiver) -> Sequence[Link]:
    """A link for each device on a serial line; not opened yet."""
    return [SerialLink(device, receiver) for device, _ in router.streams.values()]
