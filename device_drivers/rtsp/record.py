"""The record of RTSP cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from device_drivers.camera_settings import Number, check_settings, number
from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.conversation import LinePoller
    from device_drivers.rtsp.decoder import RtspDecoder
    from device_drivers.rtsp.poller import RtspAddress

_NUMBERS = {"every_s": Number(60, 60, 3600)}
_KEYS = ("rtsp", "user", "password", "basic")
_EXAMPLE = "the address of a stream, for example `rtsp://10.0.0.5:554/Streaming/Channels/101`"
_WORDS = {"true": True, "false": False}
_REFERENCE = ("env:", "file:")


def _address(settings: DeviceSettings) -> RtspAddress:
    from device_drivers.rtsp.poller import RtspAddress  # noqa: PLC0415  start stays quick without such devices

    link = settings.link
    text = link.get("rtsp", "")
    try:
        parts = urlsplit(text)
        port = parts.port or 554
    except ValueError:
        raise SettingsError("link.rtsp", _EXAMPLE) from None
    if parts.scheme != "rtsp" or not parts.hostname or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError("link.rtsp", _EXAMPLE)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    query = f"?{parts.query}" if parts.query else ""
    user = link.get("user", unquote(parts.username or ""))
    password = link.get("password", unquote(parts.password or ""))
    return RtspAddress(
        parts.hostname,
        port,
        f"rtsp://{host}:{port}{parts.path or '/'}{query}",
        (user, password) if user else None,
        _WORDS.get(link.get("basic", "false").lower(), False),
    )


def _check(settings: DeviceSettings) -> None:
    for key in settings.link:
        if key not in _KEYS:
            raise SettingsError(f"link.{key}", f"one of {', '.join(_KEYS)}")
    text = settings.link.get("rtsp", "")
    if not text:
        raise SettingsError("link.rtsp", _EXAMPLE)
    if not text.startswith(_REFERENCE):
        _address(settings)
    if "password" in settings.link and not settings.link.get("user"):
        raise SettingsError("link.user", "the user that the password is for")
    if settings.link.get("basic", "false").lower() not in _WORDS:
        raise SettingsError("link.basic", "true or false")
    check_settings(settings, _NUMBERS, "describe")
    if not isinstance(settings.settings.get("describe", True), bool):
        raise SettingsError("settings.describe", "true, or false to ask for OPTIONS alone")


def _decoder(settings: DeviceSettings) -> RtspDecoder:
    from device_drivers.rtsp.decoder import RtspDecoder  # noqa: PLC0415  likewise

    return RtspDecoder(settings.id)


def _poller(settings: DeviceSettings) -> LinePoller:
    from secrets import token_hex  # noqa: PLC0415  likewise

    from device_drivers.rtsp.poller import RtspPoller  # noqa: PLC0415

    return RtspPoller(
        settings.id,
        _address(settings),
        describes=settings.settings.get("describe", True),
        every_s=number(settings, "every_s", _NUMBERS["every_s"]),
        cnonce=lambda: token_hex(8),
    )


DRIVERS = (
    Driver(
        name="rtsp",
        transport="http",
        summary="cameras of any maker by RTSP: whether the service lives, never whether there is a picture",
        guarantee="A probe a minute: what happens between two is not seen. It proves that the service answers; that a stream is "
        "described proves no picture, and no video is fetched.",
        default_kind="camera",
        own_clock=False,
        expect_every_s=60,
        stream_decoder=_decoder,
        line_poller=_poller,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="RTSP camera (Uniview, Tiandy, white label)",
                driver="rtsp",
                kind="camera",
                capabilities=("reachable",),
            ),
        ),
    ),
)
