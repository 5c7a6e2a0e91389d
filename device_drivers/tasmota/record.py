"""The record of devices with the Tasmota firmware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.link_topics import check_known, check_topic
from device_drivers.rdm6300.frame import Checksum
from device_drivers.tasmota.bridge import Behind, SerialBridge
from device_drivers.tasmota.decoder import TasmotaDecoder
from device_drivers.tasmota.fields import InputMeaning
from device_drivers.tasmota.telemetry import Outputs
from device_drivers.tasmota.topics import DISCOVERY, PREFIX, Topics

_WORDS: Mapping[str, str] = {"on": "ON", "off": "OFF", "online": "Online", "offline": "Offline"}
_PREFIXES = ("tele", "stat", "cmnd")
_MOST_CONFIRM_FRAMES = 4
"""As for the driver rdm6300."""


def _layout(settings: DeviceSettings) -> Topics:
    link = settings.link
    return Topics(link.get("mqtt", ""), settings.settings.get("prefixes", {}), link.get("discovery", ""))


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    return _layout(settings).filters


def _decoder(site: str, settings: DeviceSettings) -> TasmotaDecoder:  # noqa: ARG001
    given = settings.settings
    words = {**_WORDS, **given.get("words", {})}
    behind = given.get("serial", "rdm6300" if settings.kind == "reader" else "text")
    # What looks like a card to whoever does not know what is behind the bridge may have any checksum.
    checksum = given.get("checksum", "none" if behind == "any" else "xor")
    return TasmotaDecoder(
        settings.id,
        _layout(settings),
        outputs=Outputs(settings.id, _by_text(given.get("lamps", {})), words["on"], words["off"]),
        bridge=SerialBridge(settings.id, behind, checksum, given.get("confirm_frames", 1)),
        inputs=given.get("inputs", {}),
        words=words,
    )


def _by_text(given: Mapping[Any, str]) -> dict[str, str]:
    return {str(key): value for key, value in given.items()}


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    if topic.startswith(DISCOVERY):
        mac, _, last = topic.removeprefix(DISCOVERY).partition("/")
        if mac and last in ("config", "sensors"):
            return "", DeviceSettings(id=mac, link={"mqtt": mac, "discovery": f"{DISCOVERY}{mac}"})
    levels = topic.split("/")
    for place, level in enumerate(levels[:-1]):
        if level in _PREFIXES and len(levels) > 2 and all(levels):
            name = "/".join(levels[:place] + levels[place + 1 : -1])
            pattern = "/".join([*levels[:place], PREFIX, *levels[place + 1 : -1]])
            return "", DeviceSettings(id=name, link={"mqtt": pattern}, settings={"serial": "any"})
    raise DecodeError(f"topic {topic!r}: expected tele/NAME/SENSOR, stat/NAME/RESULT, or another FullTopic of Tasmota")


def _check(settings: DeviceSettings) -> None:
    topic = check_topic(settings, "lamp-hall")
    if "%" in topic.replace(PREFIX, "", 1):
        raise SettingsError(
            "link.mqtt", f"FullTopic with the device's own topic in it, for example `lamp-hall/{PREFIX}`"
        )
    if "discovery" in settings.link:
        check_topic(settings, f"{DISCOVERY}D8F15BCAFE01", key="discovery")
    check_known(settings, ("lamps", "inputs", "serial", "checksum", "confirm_frames", "words", "prefixes"))
    given = settings.settings
    _check_words(settings, "lamps", "a lamp's id for each output, for example `{1: lamp-a, 2: lamp-b}`")
    _check_words(settings, "words", "the device's own words, for example `{on: AN, off: AUS}`", tuple(_WORDS))
    _check_words(settings, "prefixes", "the device's own prefixes, for example `{tele: telemetry}`", _PREFIXES)
    _check_words(settings, "inputs", "what a switch or button is, for example `{Switch1: motion, Button2: panic}`")
    for name, meaning in given.get("inputs", {}).items():
        if meaning not in get_args(InputMeaning):
            raise SettingsError(f"settings.inputs.{name}", f"one of {', '.join(get_args(InputMeaning))}")
    if given.get("serial", "text") not in get_args(Behind):
        raise SettingsError("settings.serial", f"one of {', '.join(get_args(Behind))}")
    if given.get("checksum", "xor") not in get_args(Checksum):
        raise SettingsError("settings.checksum", f"one of {', '.join(get_args(Checksum))}")
    frames = given.get("confirm_frames", 1)
    if type(frames) is not int or not 1 <= frames <= _MOST_CONFIRM_FRAMES:
        raise SettingsError("settings.confirm_frames", f"a whole number from 1 to {_MOST_CONFIRM_FRAMES}")


def _check_words(settings: DeviceSettings, key: str, wanted: str, known: Sequence[str] = ()) -> None:
    given = settings.settings.get(key, {})
    if not isinstance(given, Mapping) or not all(isinstance(word, str) and word for word in given.values()):
        raise SettingsError(f"settings.{key}", wanted)
    for name in given:
        if known and name not in known:
            raise SettingsError(f"settings.{key}.{name}", f"one of {', '.join(known)}")


def _model(vendor: str, model: str, kind: DeviceKind, *capabilities: str, note: str = "") -> Model:
    return Model(
        vendor=vendor,
        model=model,
        driver="tasmota",
        kind=kind,
        capabilities=(*capabilities, "device_status", "measurement"),
        note=note,
    )


DRIVERS = (
    Driver(
        name="tasmota",
        transport="mqtt",
        summary="relays, meters, light sensors and card readers with the Tasmota firmware",
        guarantee="Tasmota publishes at QoS 0 and keeps nothing: what it says while the broker or the gateway's session is away "
        "is lost; visits of that time are unverifiable, never missed.",
        default_kind="sensor",
        own_clock=False,
        expect_every_s=300,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            _model("Sonoff", "POW with Tasmota", "meter", "power", "lamp_state"),
            _model("any", "relay or lamp with Tasmota", "relay", "lamp_state", note="settings.lamps"),
            _model("any", "light sensor with Tasmota (BH1750, TSL2561, analog)", "lux_sensor", "light_level"),
            _model(
                "any",
                "motion sensor or button with Tasmota",
                "motion_sensor",
                "motion",
                "panic",
                note="settings.inputs",
            ),
            _model("any", "PN532, RC522, RDM6300 or Wiegand reader with Tasmota", "reader", "tag_read"),
            _model("any", "RDM6300 reader on Tasmota's serial bridge", "reader", "tag_read", note="settings.checksum"),
        ),
    ),
)
