"""Where a device is asked over HTTP, and how one logs in there: `link: {http, user, password, basic, certificate}`."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError

KEYS = ("http", "user", "password", "basic", "certificate")
_REFERENCE = ("env:", "file:")
_WORDS = {"true": True, "false": False}
_FINGERPRINT = re.compile(r"([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")
_EXAMPLE = "the device's address, for example `http://10.0.0.5` or `https://10.0.0.5:8443`"


class WebAddress(NamedTuple):
    """The fields that `conversation.WebPoller` wants of these names."""

    base: str
    login: tuple[str, str] | None
    basic: bool
    certificate: str


def web_address(settings: DeviceSettings) -> WebAddress:
    """The address in a device's `link`; a log-in inside the URL is taken out of it.

    Raises:
        SettingsError: there is none, or it cannot be used.
    """
    link = settings.link
    text = link.get("http", "")
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError("link.http", _EXAMPLE) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError("link.http", _EXAMPLE)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    base = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"
    user = link.get("user", unquote(parts.username or ""))
    password = link.get("password", unquote(parts.password or ""))
    return WebAddress(
        base,
        (user, password) if user else None,
        _WORDS.get(link.get("basic", "false").lower(), False),
        link.get("certificate", ""),
    )


def check_web_link(settings: DeviceSettings) -> None:
    """Raises SettingsError if the device's `link` is no usable address; secrets may still stand there as references."""
    for key in settings.link:
        if key not in KEYS:
            raise SettingsError(f"link.{key}", f"one of {', '.join(KEYS)}")
    text = settings.link.get("http", "")
    if not text:
        raise SettingsError("link.http", _EXAMPLE)
    if not text.startswith(_REFERENCE):
        web_address(settings)
    if "password" in settings.link and not settings.link.get("user"):
        raise SettingsError("link.user", "the user that the password is for")
    if settings.link.get("basic", "false").lower() not in _WORDS:
        raise SettingsError("link.basic", "true or false")
    certificate = settings.link.get("certificate", "")
    if certificate not in ("", "any") and not _FINGERPRINT.fullmatch(certificate):
        raise SettingsError("link.certificate", "`any`, or the certificate's SHA-256 fingerprint in hexadecimal")


def is_channel(settings: DeviceSettings) -> bool:
    """Whether the entry is a camera that is heard through its recorder: `behind` and `channel`, and no `link` of its own."""
    return settings.channel is not None and not settings.link
