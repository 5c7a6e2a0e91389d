"""One EventNotificationAlert: the fields that matter, from XML as devices really write it, or JSON.

Namespaces differ (five are seen, or none), ampersands stand unescaped, tags stay open. So the fields are looked for as plain
text first, which reads all of these; XML proper (prefixes, entities) goes through a parser that refuses entity bombs.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError

import msgspec

from device_drivers.errors import DecodeError

ROOT = b"EventNotificationAlert"
_FIELDS = (b"eventType", b"eventState", b"channelID", b"dynChannelID", b"videoInputChannelID")
_TAGS = tuple((name.decode(), b"<" + name + b">", b"</" + name + b">") for name in _FIELDS)
_LONGEST = 128
"""Bytes of a field's text."""

_NUMBER = re.compile(r"[+-]?\d{1,9}")
_EVENT_FIELDS = {name.decode() for name in _FIELDS}
_LOOSE = {
    name: re.compile(rb"<(?:[\w.-]{1,64}:)?" + name.encode() + rb"(?:\s[^<>]{0,256})?>\s*([^<]{0,128})")
    for name in ("eventType", "eventState", "channelID", "dynChannelID")
}


_LASTS = "duration"
"""The event type of a report that something lasts; what it is, `relationEvent` in its list says."""

_RELATION = re.compile(rb"<(?:[\w.-]{1,64}:)?relationEvent(?:\s[^<>]{0,256})?>\s*([A-Za-z0-9_]{1,64})\s*<")


class Alert(NamedTuple):
    """What a device reports. `events` are in lower case, mostly one; `channel` None: not said."""

    events: tuple[str, ...]
    active: bool
    channel: int | None


_STATES = {"active": True, "inactive": False}
_STATES_AS_SENT = {word.encode(): active for word, active in _STATES.items()}


def read_alert(document: bytes) -> Alert:
    """Read one document.

    Raises:
        DecodeError: no alert, an entity bomb, a field that is missing or no number.
    """
    if (usual := _usual(document)) is not None:
        return usual
    if document[:1] == b"{":
        return _alert(_json(document))
    if ROOT not in document:
        raise DecodeError(f"no {ROOT.decode()}")
    odd = b"<!" in document
    if odd and (b"<!DOCTYPE" in document or b"<!ENTITY" in document):
        raise DecodeError("XML with a document type or entities: refused, a device needs none")
    fields = {} if odd else _plain(document)
    if "eventType" not in fields or "eventState" not in fields:
        fields = _parsed(document) or _loose(document)
    alert = _alert(fields)
    return alert._replace(events=_lasting(document) or alert.events) if alert.events == (_LASTS,) else alert


def _usual(document: bytes) -> Alert | None:
    """The fields where they are written as nearly always; None: look closer."""
    find = document.find
    event_at, event_end = find(b"<eventType>"), find(b"</eventType>")
    state_at, state_end = find(b"<eventState>"), find(b"</eventState>")
    channel_at, channel_end = find(b"<channelID>"), find(b"</channelID>")
    if event_at < 0 or state_at < 0 or channel_at < 0:
        return None
    event = document[event_at + 11 : max(event_end, 0)]
    active = _STATES_AS_SENT.get(document[state_at + 12 : max(state_end, 0)])
    number = document[channel_at + 11 : max(channel_end, 0)]
    if active is None or not event.isalnum() or not number.isdigit() or len(number) > 9:
        return None
    if b"<!" in document or ROOT not in document or (name := event.decode().lower()) == _LASTS:
        return None
    return Alert((name,), active, int(number))


def _lasting(document: bytes) -> tuple[str, ...]:
    """What a report of the type `duration` says that lasts, each once."""
    return tuple(dict.fromkeys(name.decode().lower() for name in _RELATION.findall(document)))


def _plain(document: bytes) -> dict[str, str]:
    """Fields as they are usually written: a tag without prefix, its text without entities. {}: one is not written so."""
    found: dict[str, str] = {}
    for name, opening, closing in _TAGS:
        start = document.find(opening)
        if start < 0:
            continue
        start += len(opening)
        end = document.find(closing, start, start + _LONGEST)
        value = document[start:end]
        if end < 0 or b"<" in value or b"&" in value:
            return {}
        found[name] = value.decode("utf-8", "replace").strip()
        if name == "channelID":
            break  # the other ways to say it count only without it
    return found


def _parsed(document: bytes) -> dict[str, str] | None:
    """Fields by an XML parser; None if it is not well-formed."""
    from defusedxml import DefusedXmlException  # noqa: PLC0415  needed by few documents only
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DecodeError("XML with a document type or entities: refused, a device needs none") from error
    except (ParseError, ValueError, LookupError):
        return None
    found: dict[str, str] = {}
    for element in root:
        name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        if name in _EVENT_FIELDS and name not in found:
            found[name] = (element.text or "").strip()
    return found


def _loose(document: bytes) -> dict[str, str]:
    """The four fields from XML that is broken: unescaped `&`, tags that stay open (cameras.md, hikvision)."""
    found = {}
    for name, pattern in _LOOSE.items():
        match = pattern.search(document)
        # A text that runs into the end of the document was cut off; it is not believed.
        if match is not None and match.end() < len(document):
            found[name] = match[1].decode("utf-8", "replace").strip()
    return found


def _json(document: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(document)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"JSON: {error}") from error
    if isinstance(body, dict) and isinstance(body.get(ROOT.decode()), dict):
        body = body[ROOT.decode()]
    if not isinstance(body, dict):
        raise DecodeError("JSON that is no object")
    return {name: str(body[name]) for name in _EVENT_FIELDS if isinstance(body.get(name), str | int)}


def _alert(fields: dict[str, str]) -> Alert:
    event = fields.get("eventType", "").lower()
    if not event:
        raise DecodeError("no eventType")
    word = fields.get("eventState", "").lower()
    if word not in _STATES:
        raise DecodeError(f"eventState {word[:80]!r}, expected active or inactive" if word else "no eventState")
    channel = _number(fields, "channelID")
    if channel is None:
        channel = _number(fields, "dynChannelID")
    if channel is None:
        channel = _number(fields, "videoInputChannelID")
    return Alert((event,), _STATES[word], channel)


def _number(fields: dict[str, str], name: str) -> int | None:
    text = fields.get(name, "")
    if not text:
        return None
    if text.isdecimal() and text.isascii() and len(text) < 10:
        return int(text)
    if not _NUMBER.fullmatch(text) or not text.isascii():
        raise DecodeError(f"{name} {text[:80]!r} is no number")
    if (number := int(text)) < 0:
        raise DecodeError(f"{name} {number} is less than 0")
    return number
