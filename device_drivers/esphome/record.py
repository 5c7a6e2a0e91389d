"""The record of devices with the ESPHome firmware."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError
from device_drivers.esphome.decoder import EsphomeDecoder, base_of
from device_drivers.link_topics import check_known, check_topic
from device_drivers.mapping import Map, read_rows
from device_drivers.outputs import check_lamps


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    return (f"{settings.link.get('mqtt', '')}/#",)


def _decoder(site: str, settings: DeviceSettings) -> EsphomeDecoder:  # noqa: ARG001
    rows = read_rows(settings, source="entity")
    return EsphomeDecoder(
        settings.id,
        settings.link.get("mqtt", ""),
        lamps=settings.settings.get("lamps"),
        mapping=None if rows is None else Map(settings.id, rows),
        mapped=frozenset(str(step) for row in rows or () for step in row.steps),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    base = base_of(topic)
    if base is None:
        raise DecodeError(f"topic {topic!r}: expected PREFIX/status or PREFIX/COMPONENT/OBJECT_ID/state")
    return "", DeviceSettings(id=base, link={"mqtt": base})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "hall-node")
    check_known(settings, ("lamps", "map"))
    check_lamps(settings)
    read_rows(settings, source="entity")


def _model(model: str, kind: DeviceKind, *capabilities: str, note: str) -> Model:
    return Model(
        vendor="ESPHome",
        model=model,
        driver="esphome",
        kind=kind,
        capabilities=(*capabilities, "measurement", "device_status"),
        note=note,
    )


DRIVERS = (
    Driver(
        name="esphome",
        transport="mqtt",
        summary="sensors, relays and readers with the ESPHome firmware",
        guarantee="What the device publishes is safe once the broker has it (states are sent at QoS 0 unless `qos: 1` is set "
        "on a component); what happens while it is off the network is lost.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            _model("sensor node", "sensor", "light_level", "motion", "power", note="settings.map"),
            _model("relay or light", "relay", "lamp_state", note="settings.lamps"),
            _model(
                "card reader (PN532, RDM6300, RC522)", "reader", "tag_read", note="settings.map, on_tag in its YAML"
            ),
        ),
    ),
)
