"""The record of Sparkplug B nodes and devices."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.link_topics import check_known, check_topic
from device_drivers.mapping import Map, read_rows
from device_drivers.sparkplug.decoder import Address, SparkplugDecoder, split_topic
from device_drivers.sparkplug.host import HostDecoder

_EXAMPLE = "spBv1.0/GROUP/NODE` or `spBv1.0/GROUP/NODE/DEVICE"


def _address(settings: DeviceSettings) -> Address | None:
    match settings.link.get("mqtt", "").split("/"):
        case [namespace, group, node] if namespace and group and node:
            return Address(namespace, group, node, "")
        case [namespace, group, node, device] if namespace and group and node and device:
            return Address(namespace, group, node, device)
    return None


def _is_host(settings: DeviceSettings) -> bool:
    levels = settings.link.get("mqtt", "").split("/")
    return len(levels) == 3 and levels[1] == "STATE" and all(levels)


def _watches(settings: DeviceSettings, address: Address) -> bool:
    return bool(settings.settings.get("watch_seq", not address.device))


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    if _is_host(settings):
        return (settings.link["mqtt"],)
    address = _address(settings)
    if address is None:
        return ()
    node = f"{address.namespace}/{address.group}/+/{address.node}"
    return (f"{node}/#",) if _watches(settings, address) else (node, f"{node}/{address.device}")


def _decoder(site: str, settings: DeviceSettings) -> SparkplugDecoder | HostDecoder:  # noqa: ARG001
    if _is_host(settings):
        return HostDecoder(settings.id, settings.link["mqtt"])
    address = _address(settings) or Address("", "", "", "")
    rows = read_rows(settings, source="metric")
    mapping = None if rows is None else Map(settings.id, rows)
    return SparkplugDecoder(settings.id, address, mapping, watch=_watches(settings, address))


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    host = DeviceSettings(id=topic.rpartition("/")[2], kind="bridge", link={"mqtt": topic})
    if _is_host(host):
        return "", host
    address = split_topic(topic)
    return "", DeviceSettings(id=address.device or address.node, link={"mqtt": "/".join(filter(None, address))})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, _EXAMPLE)
    if _is_host(settings):
        check_known(settings, ())
        return
    address = _address(settings)
    if address is None:
        raise SettingsError("link.mqtt", f"`{_EXAMPLE}`")
    check_known(settings, ("map", "watch_seq"))
    watch = settings.settings.get("watch_seq", True)
    if type(watch) is not bool or (not address.device and not watch):
        raise SettingsError("settings.watch_seq", "true, or, for a device behind a node, false")
    read_rows(settings, source="metric")


DRIVERS = (
    Driver(
        name="sparkplug",
        transport="mqtt",
        summary="edge nodes and devices that speak Sparkplug B",
        guarantee="Sparkplug sends births and data at QoS 0: what is published while the gateway is away is lost; a gap in the "
        "node's sequence makes the gateway ask for a rebirth, which brings the present values, not the missed ones.",
        default_kind="sensor",
        own_clock=True,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="Sparkplug B edge node",
                driver="sparkplug",
                kind="bridge",
                capabilities=("device_status", "measurement"),
                note="link: {mqtt: spBv1.0/GROUP/NODE}",
            ),
            Model(
                vendor="any",
                model="device behind a Sparkplug B edge node",
                driver="sparkplug",
                kind="sensor",
                capabilities=("device_status", "light_level", "lamp_state", "power", "measurement"),
                note="settings.map",
            ),
            Model(
                vendor="any",
                model="Sparkplug B host application",
                driver="sparkplug",
                kind="bridge",
                capabilities=("device_status",),
                note="link: {mqtt: spBv1.0/STATE/HOST}",
            ),
        ),
    ),
)
