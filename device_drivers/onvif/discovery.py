"""WS-Discovery (WSDD 1.0, April 2005): the question to all devices of a network, and what they answer.

A Bye is advice only: anyone can send it, and devices that lose their power do not. A restart shows as a greater InstanceId.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from device_drivers.errors import DecodeError
from device_drivers.onvif.soap import Envelope, below, child, children, local, read_envelope, text

GROUP, PORT = "239.255.255.250", 3702

_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"

ANSWERS = ("Hello", "ProbeMatches", "ResolveMatches")
"""What a device says of itself because it is there."""
MESSAGES = (*ANSWERS, "Bye", "Probe", "Resolve")

_MATCH = {"ProbeMatches": "ProbeMatch", "ResolveMatches": "ResolveMatch"}
_SCOPE = "onvif://www.onvif.org/"
_MOST = 64
"""Devices in one message that are listed."""


class Found(NamedTuple):
    """A device that answered: its lasting address, kinds, scopes, and where its device service is."""

    endpoint: str
    types: tuple[str, ...]
    scopes: tuple[str, ...]
    addresses: tuple[str, ...]

    def scope(self, name: str) -> str:
        """What the device says of itself under `name`, `hardware` say; "" if nothing."""
        start = f"{_SCOPE}{name}/"
        return next((unquote(each[len(start) :]) for each in self.scopes if each.lower().startswith(start)), "")


class Announcement(NamedTuple):
    """One message. `instance` rises at each restart of the device; None: not said."""

    action: str
    found: tuple[Found, ...]
    instance: int | None
    message: int | None
    relates_to: str


def probe(message_id: str, types: str = "dn:NetworkVideoTransmitter") -> bytes:
    """The question: which devices of these types are there? `message_id` is a new UUID URN."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="{_ADDRESSING}" xmlns:d="{_DISCOVERY}" '
        'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
        f"<a:MessageID>{escape(message_id)}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        f"<a:Action>{_DISCOVERY}/Probe</a:Action></s:Header>"
        f"<s:Body><d:Probe>{f'<d:Types>{escape(types)}</d:Types>' if types else ''}</d:Probe></s:Body></s:Envelope>"
    ).encode()


def read_announcement(data: bytes) -> Announcement:
    """Read one message.

    Raises:
        DecodeError: none of WS-Discovery, an action that is not its body's, or a device without an address.
    """
    return announcement(read_envelope(data))


def announcement(envelope: Envelope) -> Announcement:
    """As `read_announcement`, of an envelope that was taken apart."""
    name, content, header = envelope
    if name not in MESSAGES:
        raise DecodeError(f"{name[:80]!r}, expected one of {', '.join(MESSAGES)}")
    action = text(None if header is None else child(header, "Action"))
    if action.rpartition("/")[2] != name:
        raise DecodeError(f"action {action[:120]!r} over {name}")
    inner = list(children(content, _MATCH[name])) if name in _MATCH else [content]
    if len(inner) > _MOST:
        raise DecodeError(f"more than {_MOST} devices in one message")
    asks = name in ("Probe", "Resolve")
    found = () if asks else tuple(_found(each) for each in inner)
    sequence = None if header is None else child(header, "AppSequence")
    return Announcement(
        name,
        found,
        _number(sequence, "InstanceId"),
        _number(sequence, "MessageNumber"),
        text(None if header is None else child(header, "RelatesTo")),
    )


def _found(element: Element) -> Found:
    endpoint = text(below(element, "EndpointReference", "Address"))
    if not endpoint:
        raise DecodeError(f"{local(element)} without an endpoint's address")
    return Found(
        endpoint,
        tuple(text(child(element, "Types")).split()),
        tuple(text(child(element, "Scopes")).split()),
        tuple(text(child(element, "XAddrs")).split()),
    )


def _number(element: Element | None, name: str) -> int | None:
    value = None if element is None else element.get(name)
    if value is None:
        return None
    value = value.strip()
    if not value.isdecimal() or not value.isascii() or len(value) > 10:
        raise DecodeError(f"{name} {value[:80]!r} is no number")
    return int(value)
