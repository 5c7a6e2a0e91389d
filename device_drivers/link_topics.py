"""The topics in a device's `link`, and the keys in its `settings`, checked the same way by all MQTT drivers."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError


def check_topic(settings: DeviceSettings, example: str, *, key: str = "mqtt") -> str:
    """The topic under a key of `link`.

    Raises:
        SettingsError: none, or one with wildcards or a slash at its end.
    """
    topic = settings.link.get(key, "")
    if not topic or "+" in topic or "#" in topic or topic.endswith("/") or "\0" in topic:
        raise SettingsError(f"link.{key}", f"a topic without wildcards, for example `{example}`")
    return topic


def check_known(settings: DeviceSettings, known: Sequence[str]) -> None:
    """No settings but the known ones.

    Raises:
        SettingsError: names the first other.
    """
    for key in settings.settings:
        if key not in known:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(known)}" if known else "no settings")


def check_word(settings: DeviceSettings, key: str, example: str) -> str | None:
    """A setting that is text; None if it is not there.

    Raises:
        SettingsError: something else.
    """
    value = settings.settings.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise SettingsError(f"settings.{key}", f"text, for example `{example}`")
    return value
