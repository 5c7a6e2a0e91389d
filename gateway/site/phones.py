"""Guards' phones as devices of a site: what their decoder is made with."""

from __future__ import annotations

from typing import Any

from device_drivers.driver import DeviceSettings
from gateway.site.model import Site


def phone_settings(site: Site, device: str, person: str | None) -> DeviceSettings:
    """Whose phone it is, and the keys of signed tags that it may read."""
    return DeviceSettings(id=device, settings={"person": person, "sun": sun_keys(site)})


def sun_keys(site: Site) -> list[dict[str, Any]]:
    """Every set of keys that tags of the site may have, once each: of devices with driver `ntag424`, and of `sun` settings."""
    found: list[dict[str, Any]] = []
    for device in site.devices.values():
        given = device.settings if device.driver == "ntag424" else device.settings.get("sun")
        for keys in given if isinstance(given, list) else [given]:
            if keys and dict(keys) not in found:
                found.append(dict(keys))
    return found
