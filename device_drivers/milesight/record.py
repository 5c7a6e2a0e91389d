"""The record of Milesight devices."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.link_topics import check_known, check_topic
from device_drivers.milesight.codec import SETTINGS, check_codec, codec_of
from device_drivers.milesight.decoder import MilesightDecoder

_EUI_DIGITS = 16


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    topic = settings.link.get("mqtt", "")
    return (topic,) if topic else ()


def _decoder(site: str, settings: DeviceSettings) -> MilesightDecoder:  # noqa: ARG001
    eui = str(settings.settings.get("dev_eui", ""))
    return MilesightDecoder(settings.link.get("mqtt", ""), codec_of(settings), eui)


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    """A device; without a topic the bytes alone are read."""
    name = topic.strip("/").rpartition("/")[2]
    return "", DeviceSettings(id=name or "milesight", link={"mqtt": topic})


def _check(settings: DeviceSettings) -> None:
    if settings.link.get("mqtt") != "":  # "" is `decode` without a topic; a site file's entry has one or no link
        check_topic(settings, "milesight/24E124136B502217")
    check_known(settings, (*SETTINGS, "dev_eui"))
    check_codec(settings)
    eui = settings.settings.get("dev_eui", "0" * _EUI_DIGITS)
    if not isinstance(eui, str) or len(eui) != _EUI_DIGITS or not set(eui) <= set("0123456789abcdefABCDEF"):
        raise SettingsError("settings.dev_eui", "16 hexadecimal digits, in quotes")


def _model(model: str, kind: DeviceKind, *capabilities: str) -> Model:
    return Model(
        vendor="Milesight",
        model=model,
        driver="milesight",
        kind=kind,
        capabilities=capabilities,
        note="or through chirpstack, tts: settings.codec",
    )


DRIVERS = (
    Driver(
        name="milesight",
        transport="mqtt",
        summary="Milesight LoRaWAN devices: raw payloads, or the JSON of a Milesight gateway",
        guarantee="What the gateway publishes is safe once the broker has it at QoS 1; what the radio loses is lost, unless "
        "the device stores its values and sends them again.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            _model("EM500-LGT light sensor", "lux_sensor", "light_level", "measurement"),
            _model("EM300-MCS door contact", "sensor", "measurement"),
            _model("EM300-TH climate sensor", "sensor", "measurement"),
            _model("WS101 button", "sensor", "panic", "measurement"),
            _model("WS202 motion and daylight sensor", "motion_sensor", "motion", "measurement"),
            _model("WS203 occupancy sensor", "motion_sensor", "motion", "measurement"),
            _model("WS301 door contact", "sensor", "measurement"),
            _model("WS303 leak sensor", "sensor", "measurement"),
            _model("WS501, WS502, WS503 wall switch", "relay", "lamp_state"),
            _model("WS515, WS523, WS525 metering socket", "meter", "lamp_state", "power"),
            _model("WS558 light controller, 8 outputs", "relay", "lamp_state", "power"),
        ),
    ),
)
