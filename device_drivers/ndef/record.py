"""The record of plain NFC tags, as heard through what passes their NDEF messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.ndef.decoder import PARAMETERS
from device_drivers.ntag424.settings import demand_keys, settings_of

if TYPE_CHECKING:
    from device_drivers.driver import MessageDecoder
    from device_drivers.ntag424.decoder import Ntag424Decoder


def _check(settings: DeviceSettings) -> None:
    for key, value in settings.settings.items():
        match key, value:
            case "parameters", list() if value and all(isinstance(name, str) and name for name in value):
                pass
            case "parameters", _:
                raise SettingsError("settings.parameters", "a list of names of parameters, such as `[tag, uid]`")
            case "sun", dict():
                demand_keys(settings_of(value, "settings.sun"), "settings.sun")
            case "sun", _:
                raise SettingsError("settings.sun", "settings as of `ntag424`, such as `{file_key: env:SDM_FILE_KEY}`")
            case _:
                raise SettingsError(f"settings.{key}", "one of parameters, sun")


def _decoder(_site: str, settings: DeviceSettings) -> MessageDecoder:
    from device_drivers.ndef.decoder import NdefDecoder  # noqa: PLC0415

    sun: Ntag424Decoder | None = None
    if (keys := settings.settings.get("sun")) is not None:
        from device_drivers.ntag424.decoder import Ntag424Decoder as Decoder  # noqa: PLC0415  starts without the ciphers

        sun = Decoder(settings.id, settings_of(keys, "settings.sun"))
    return NdefDecoder(settings.id, settings.settings.get("parameters", PARAMETERS), sun)


def _topics(_site: str, settings: DeviceSettings) -> tuple[str, ...]:
    topic = settings.link.get("mqtt", "")
    return (topic,) if topic else ()


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    """Any topic; no topic, too: the message is all there is."""
    return "", DeviceSettings(id=topic or "ndef", link={"mqtt": topic} if topic else {})


DRIVERS = (
    Driver(
        name="ndef",
        transport="mqtt",
        summary="contents of NFC tags (NDEF: URLs and texts) from readers and phones; copies cannot be told",
        guarantee="As safe as what passes the message on: at QoS 1 it is acknowledged once on disk.",
        default_kind="phone",
        own_clock=False,
        topics=_topics,
        own_topics=True,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="NXP",
                model="NTAG 213, 215, 216",
                driver="ndef",
                kind="phone",
                capabilities=("tag_read",),
                note="the URL holds the tag's number, or stands for it",
            ),
            Model(
                vendor="any",
                model="NFC tag with a URL or a text",
                driver="ndef",
                kind="phone",
                capabilities=("tag_read",),
            ),
        ),
    ),
)
