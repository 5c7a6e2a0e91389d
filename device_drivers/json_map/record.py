"""The record of devices that a mapping in the site file describes."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.json_map.decoder import JsonMapDecoder
from device_drivers.link_topics import check_known, check_topic
from device_drivers.mapping import Map, read_clock, read_rows


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    return tuple(dict.fromkeys(settings.link.values()))


def _decoder(site: str, settings: DeviceSettings) -> JsonMapDecoder:  # noqa: ARG001
    rows = read_rows(settings, topics=tuple(settings.link))
    if rows is None:
        return JsonMapDecoder(settings.id, dict.fromkeys(settings.link.values()))
    clock = read_clock(settings)
    topics = {
        topic: [row for row in rows if settings.link[row.topic] == topic]
        for topic in dict.fromkeys(settings.link.values())
    }
    return JsonMapDecoder(settings.id, {topic: Map(settings.id, mine, clock) for topic, mine in topics.items()})


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    if not topic or topic.endswith("/"):
        raise DecodeError(f"topic {topic!r}: expected a topic such as garage/lux")
    return "", DeviceSettings(id=topic, link={"mqtt": topic})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "garage/lux")
    for key in settings.link:
        check_topic(settings, "garage/lux/availability", key=key)
    check_known(settings, ("map", "time"))
    rows = read_rows(settings, topics=tuple(settings.link))
    if read_clock(settings) is not None and rows is None:
        raise SettingsError("settings.map", "a mapping beside `time`")
    for key, topic in settings.link.items():
        if rows is not None and not any(settings.link[row.topic] == topic for row in rows):
            raise SettingsError(f"link.{key}", "a topic that a row of `settings.map` reads")


DRIVERS = (
    Driver(
        name="json_map",
        transport="mqtt",
        summary="any device that publishes JSON or plain text over MQTT, by a mapping in the site file",
        guarantee="What the device publishes is safe once the broker has it at QoS 1; what it does not repeat and sends at "
        "QoS 0 may be lost.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        own_topics=True,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="device that publishes JSON or plain text",
                driver="json_map",
                kind="sensor",
                capabilities=(
                    "light_level",
                    "motion",
                    "lamp_state",
                    "power",
                    "tag_read",
                    "device_status",
                    "measurement",
                ),
                note="settings.map",
            ),
        ),
    ),
)
