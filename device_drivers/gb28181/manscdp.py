"""The XML bodies of GB/T 28181 (MANSCDP): what they state, without saying yet which device of a site it is about.

Bodies call themselves GB2312, GB18030 or nothing, and may be UTF-8 all the same. They are decoded here, their declaration
dropped (expat does not know GB2312), and read by `defusedxml` with no document type allowed: no entity, no bomb. The common
keepalive is recognised as a whole before that, since 1,000 cameras send little else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from device_drivers.errors import DecodeError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST = 256 * 1024
"""Bytes of a body."""

_MOST_ITEMS = 2048
"""Channels that one message may name; a page of a catalogue has a few, a recorder at most 256."""

_ROOTS = frozenset({"notify", "query", "response", "control"})


class Keepalive(NamedTuple):
    """The device lives. `ok`: what it says of itself; `faulty`: ids of channels that it calls faulty."""

    device_id: str
    sn: int | None
    ok: bool
    faulty: tuple[str, ...]


class Alarm(NamedTuple):
    """An alarm about a device or channel; numbers that were not given are None (GB/T 28181-2016, A.2.5)."""

    device_id: str
    sn: int | None
    priority: int | None
    method: int | None
    type: int | None
    event: int | None


class Item(NamedTuple):
    """A channel in a catalogue. `online`: None if not said; `event`: what happened to it, in a notification."""

    device_id: str
    online: bool | None
    event: str


class Catalog(NamedTuple):
    """A page of a catalogue: of `total` channels those in `items` (A.2.6)."""

    device_id: str
    sn: int | None
    total: int | None
    items: tuple[Item, ...]


class Status(NamedTuple):
    """The answer to a query of a device's status (A.2.6); None where it was not said."""

    device_id: str
    sn: int | None
    online: bool | None
    ok: bool | None
    recording: bool | None


class Other(NamedTuple):
    """Something else, understood as a message and without an observation."""

    device_id: str
    sn: int | None
    command: str


Statement = Keepalive | Alarm | Catalog | Status | Other

_KEEPALIVE = re.compile(
    rb"(?:<\?xml[^<>?]{0,100}\?>)?\s*<Notify>\s*<CmdType>Keepalive</CmdType>\s*<SN>([0-9]{1,10})</SN>\s*"
    rb"<DeviceID>([0-9]{20})</DeviceID>\s*<Status>OK</Status>\s*(?:<Info>\s*</Info>\s*|<Info ?/>\s*)?</Notify>\s*"
)
"""The keepalive as nearly all devices write it. A match is well-formed and complete, so nothing else need look at it."""

_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BARE = re.compile(
    r"<(?!/?[A-Za-z_][\w:.-]*(?:\s[^<>]*)?/?>)|&(?!(?:lt|gt|amp|apos|quot|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)"
)
"""A < that begins no tag, an & that begins no entity."""

STATES: Mapping[str, bool] = dict.fromkeys(("OK", "ON", "ONLINE", "TRUE", "1"), True) | dict.fromkeys(
    ("ERROR", "OFF", "OFFLINE", "FALSE", "FAULT", "0"), False
)
"""What devices write for well and not well, where the standard has OK and ERROR, ON and OFF, ONLINE and OFFLINE."""


def read_body(data: bytes) -> Statement:
    """What a body states.

    Raises:
        DecodeError: no XML, not of this protocol, or without the id of the device.
    """
    if (common := _KEEPALIVE.fullmatch(data)) is not None:
        return Keepalive(common[2].decode(), int(common[1]), ok=True, faulty=())
    root = _parse(data)
    name = _name(root)
    if name.lower() not in _ROOTS:
        raise DecodeError(f"XML: found <{name[:40]}>, expected Notify, Query, Response or Control")
    command = _text(root, "cmdtype")
    if not command:
        raise DecodeError("XML: CmdType is missing")
    device_id = read_id(_text(root, "deviceid"))
    sn = _number(_text(root, "sn"))
    match command.lower():
        case "keepalive":
            return Keepalive(device_id, sn, ok=_well(_text(root, "status")) is not False, faulty=_faulty(root))
        case "alarm" if name.lower() == "notify":
            return _alarm(root, device_id, sn)
        case "catalog" if name.lower() in ("response", "notify"):
            return Catalog(device_id, sn, _number(_text(root, "sumnum")), _items(root))
        case "devicestatus" if name.lower() == "response":
            return Status(
                device_id, sn, _well(_text(root, "online")), _well(_text(root, "status")), _well(_text(root, "record"))
            )
    return Other(device_id, sn, command[:40])


def read_id(text: str) -> str:
    """A device's id.

    Raises:
        DecodeError: not 20 decimal digits (GB/T 28181, annex D).
    """
    if not is_id(text):
        raise DecodeError(f"DeviceID {text[:40]!r}, expected 20 digits")
    return text


def is_id(text: object) -> bool:
    """Whether something is a device's id: 20 decimal digits."""
    return isinstance(text, str) and len(text) == 20 and text.isascii() and text.isdecimal()


def text_of(data: bytes) -> str:
    """A body's text: UTF-8 if it is that, else GB18030, which holds GB2312 and GBK; a character cut in two is replaced."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def _parse(data: bytes) -> Element:
    # Here, since starting must stay quick and most gateways have no such device.
    from xml.etree.ElementTree import ParseError  # noqa: PLC0415  for the exception's type only

    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    if len(data) > LONGEST:
        raise DecodeError(f"XML: {len(data)} bytes, more than {LONGEST}")
    text = text_of(data).lstrip("\ufeff \t\r\n")
    if text.startswith("<?xml"):
        end = text.find("?>")
        if end < 0:
            raise DecodeError("XML: the declaration has no end")
        text = text[end + 2 :]
    text = text.strip("\0 \t\r\n")
    try:
        root: Element
        try:
            root = fromstring(text, forbid_dtd=True)
        except ParseError:
            root = fromstring(_mended(text), forbid_dtd=True)
    except DefusedXmlException:
        raise DecodeError("XML: a document type or entity, refused") from None
    except ParseError as error:
        raise DecodeError(f"XML: {error}") from None
    except RecursionError:
        raise DecodeError("XML: nested too deep") from None
    except ValueError as error:
        raise DecodeError(f"XML: {error}") from None
    return root


def _mended(text: str) -> str:
    """The text without what makes it no XML: Hikvision's Address is at times whatever stood in the memory, and names hold & as
    it is. What was no character stays visible, so that a damaged id or word is none.
    """
    return _BARE.sub(lambda found: "&lt;" if found[0] == "<" else "&amp;", _NO_XML.sub("\ufffd", text))


def _name(element: Element) -> str:
    """The local name: some devices put a namespace around everything."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child).lower() == name)


def _text(element: Element, name: str) -> str:
    """The text of the first direct child of that name, "" if there is none: deeper ones are about something else."""
    child = next(_children(element, name), None)
    return "" if child is None else (child.text or "").strip()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _well(text: str) -> bool | None:
    """Whether a word says that all is well; a word that nothing is known of says nothing: who sends it lives all the same."""
    return STATES.get(text.upper())


def _faulty(root: Element) -> tuple[str, ...]:
    ids = [(child.text or "").strip() for info in _children(root, "info") for child in _children(info, "deviceid")]
    if len(ids) > _MOST_ITEMS:
        raise DecodeError(f"XML: more than {_MOST_ITEMS} faulty channels")
    return tuple(each for each in ids if is_id(each))


def _alarm(root: Element, device_id: str, sn: int | None) -> Alarm:
    kind = event = None
    for info in _children(root, "info"):
        kind = _number(_text(info, "alarmtype")) if kind is None else kind
        for more in _children(info, "alarmtypeparam"):
            event = _number(_text(more, "eventtype")) if event is None else event
    if kind is None:  # some put it beside the others
        kind = _number(_text(root, "alarmtype"))
    return Alarm(device_id, sn, _number(_text(root, "alarmpriority")), _number(_text(root, "alarmmethod")), kind, event)


def _items(root: Element) -> tuple[Item, ...]:
    found: list[Item] = []
    for many in _children(root, "devicelist"):
        for each in _children(many, "item"):
            if len(found) >= _MOST_ITEMS:
                raise DecodeError(f"XML: more than {_MOST_ITEMS} channels in one message")
            channel = _text(each, "deviceid")
            if is_id(channel):  # directories and areas have shorter codes
                found.append(Item(channel, _well(_text(each, "status")), _text(each, "event").upper()))
    return tuple(found)
