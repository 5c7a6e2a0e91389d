"""The record of NTAG 424 DNA tags, as heard through what passes their URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.ntag424.settings import demand_keys, settings_of

if TYPE_CHECKING:
    from device_drivers.driver import MessageDecoder


def _check(settings: DeviceSettings) -> None:
    demand_keys(settings_of(settings.settings))


def _decoder(_site: str, settings: DeviceSettings) -> MessageDecoder:
    from device_drivers.ntag424.decoder import Ntag424Decoder  # noqa: PLC0415  starts without the cipher library

    return Ntag424Decoder(settings.id, settings_of(settings.settings))


def _topics(_site: str, settings: DeviceSettings) -> tuple[str, ...]:
    topic = settings.link.get("mqtt", "")
    return (topic,) if topic else ()


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    """Any topic; no topic, too: the URL is all there is. Its keys are wherever the site keeps them."""
    link = {"mqtt": topic} if topic else {}
    return "", DeviceSettings(id=topic or "ntag424", link=link, settings={"file_key": "env:SDM_FILE_KEY"})


DRIVERS = (
    Driver(
        name="ntag424",
        transport="mqtt",
        summary="signed taps of NTAG 424 DNA tags (SUN), as URLs from readers and phones",
        guarantee=(
            "As safe as what passes the URL on: at QoS 1 it is acknowledged once on disk. A URL is one tap; a copy of it is recognised "
            "by its counter."
        ),
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
                model="NTAG 424 DNA",
                driver="ntag424",
                kind="phone",
                capabilities=("tag_read",),
                note="settings.file_key and meta_key, or master_key",
            ),
            Model(
                vendor="NXP", model="NTAG 424 DNA TagTamper", driver="ntag424", kind="phone", capabilities=("tag_read",)
            ),
        ),
    ),
)
