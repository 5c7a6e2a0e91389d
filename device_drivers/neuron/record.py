"""The record of devices behind a Neuron gateway."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError
from device_drivers.link_topics import check_known, check_topic, check_word
from device_drivers.mapping import Map, read_rows
from device_drivers.neuron.decoder import NeuronDecoder


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    return tuple(settings.link[key] for key in ("mqtt", "state") if key in settings.link)


def _decoder(site: str, settings: DeviceSettings) -> NeuronDecoder:  # noqa: ARG001
    rows = read_rows(settings, source="tag")
    return NeuronDecoder(
        settings.id,
        settings.link.get("mqtt", ""),
        settings.link.get("state", ""),
        node=settings.settings.get("node"),
        group=settings.settings.get("group"),
        mapping=None if rows is None else Map(settings.id, rows),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    name = topic.strip("/").rpartition("/")[2]
    if not name:
        raise DecodeError(f"topic {topic!r}: expected Neuron's upload topic, by default /neuron/NAME")
    return "", DeviceSettings(id=name, link={"mqtt": topic})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "/neuron/mqtt")
    if "state" in settings.link:
        check_topic(settings, "/neuron/mqtt/state", key="state")
    check_known(settings, ("node", "group", "map"))
    check_word(settings, "node", "modbus")
    check_word(settings, "group", "grp")
    read_rows(settings, source="tag")


DRIVERS = (
    Driver(
        name="neuron",
        transport="mqtt",
        summary="tags of PLCs, meters and sensors behind an EMQX Neuron gateway",
        guarantee="What Neuron publishes is safe once the broker has it at QoS 1 (set it on Neuron's MQTT node, with its "
        "offline cache); what it could not read is lost.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        own_topics=True,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="EMQX",
                model="tags behind Neuron",
                driver="neuron",
                kind="sensor",
                capabilities=("light_level", "lamp_state", "power", "measurement", "device_status"),
                note="settings.node, settings.map",
            ),
        ),
    ),
)
