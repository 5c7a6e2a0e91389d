"""SOAP 1.2 as ONVIF needs it: envelopes to send, with a WS-UsernameToken, and what comes back, by local names.

Devices differ in prefixes and namespaces (published samples even say `https:`), so only local names count. A document type or
entities are refused before any parser sees them; the text is decoded first, so that no encoding hides them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from hashlib import sha1
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring
from xml.parsers.expat import ExpatError, ParserCreate, errors
from xml.sax.saxutils import escape

from device_drivers.errors import DecodeError

_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

HEADERS = {"Content-Type": "application/soap+xml; charset=utf-8"}

_DECLARED = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.-]{1,40})["'][^>]{0,200}\?>"""
)
_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,400}\?>")
_ENCODINGS = {"gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "iso-8859-1": "latin-1"}
_UNBOUND = errors.codes[errors.XML_ERROR_UNBOUND_PREFIX]
_ROOT = re.compile(r"\s*<[^\s>/]+")
_PREFIX = re.compile(r"[<\s]([A-Za-z_][\w.-]*):")
_MOST_PREFIXES = 64
_MOST_REFERENCE = 4096
"""Bytes of a subscription's reference parameters that are sent back."""


class Envelope(NamedTuple):
    """What a message holds: the name of the first element in its body, that element, and the header."""

    name: str
    content: Element
    header: Element | None


def read_envelope(data: bytes) -> Envelope:
    """Take an envelope apart.

    Raises:
        DecodeError: not XML, entities, no envelope, or nothing in its body.
    """
    root = read_xml(data)
    if local(root) != "Envelope":
        raise DecodeError(f"{local(root)[:80]!r}, expected a SOAP envelope")
    body = child(root, "Body")
    if body is None or not len(body):
        raise DecodeError("an envelope with nothing in its body")
    return Envelope(local(body[0]), body[0], child(root, "Header"))


def is_quiet(data: bytes) -> bool:
    """Whether an answer to PullMessages holds no events, as most do; False too where only `read_envelope` can say.

    The whole text is parsed, but no elements are made of it.
    """
    if b"<!" in data or b"NotificationMessage" in data or data.count(b"Body") != 2 or not data.isascii():
        return False
    names: list[str] = []  # of each element twice, where it begins and where it ends
    parser = ParserCreate("utf-8", "}")
    parser.StartElementHandler = lambda name, _: names.append(name)
    parser.EndElementHandler = names.append
    try:
        parser.Parse(data, True)
    except ExpatError:
        return False
    if len(names) < 6:
        return False
    answer, body, envelope = names[-3:]
    return (
        envelope.endswith("}Envelope")
        and body.endswith("}Body")
        and answer.endswith("}PullMessagesResponse")
        and names.count(answer) == names.count(body) == 2
        and names[names.index(body) + 1] == answer
    )


def read_xml(data: bytes) -> Element:
    """The root of a document. Raises DecodeError."""
    declared = _DECLARED.match(data, 0, 512)
    encoding = "utf-8" if declared is None else _ENCODINGS.get(declared[1].decode().lower(), "utf-8")
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DecodeError(f"text that is not {encoding}") from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DecodeError("XML with a document type or entities: refused, a device needs none")
    declaration = _DECLARATION.match(text)
    document = text if declaration is None else text[declaration.end() :]
    try:
        try:
            return fromstring(document)  # noqa: S314  no entities, see above
        except ParseError as error:
            if error.code != _UNBOUND:
                raise
            return fromstring(_with_prefixes(document))  # noqa: S314  likewise
    except (ParseError, ValueError) as error:
        raise DecodeError(f"not XML: {error}") from error


def _with_prefixes(document: str) -> str:
    """The document with every prefix declared at its root: some cameras use `wsa` or `wsnt` and declare them nowhere."""
    root = _ROOT.match(document)
    prefixes = dict.fromkeys(_PREFIX.findall(document))
    if root is None or len(prefixes) > _MOST_PREFIXES:
        return document
    begins = document[: document.find(">") + 1]
    declared = "".join(
        f' xmlns:{each}="{each}"' for each in prefixes if f"xmlns:{each}=" not in begins and each[:3] != "xml"
    )
    return document[: root.end()] + declared + document[root.end() :]


def local(element: Element) -> str:
    """An element's name without namespace. The parser keeps neither comments nor instructions, so each has one."""
    return element.tag.rpartition("}")[2]


def child(element: Element, name: str) -> Element | None:
    """The first direct child of that local name."""
    for each in element:
        if each.tag.rpartition("}")[2] == name:
            return each
    return None


def children(element: Element, name: str) -> list[Element]:
    """The direct children of that local name."""
    return [each for each in element if each.tag.rpartition("}")[2] == name]


def below(element: Element, *path: str) -> Element | None:
    """The element at the end of a path of local names."""
    found: Element | None = element
    for name in path:
        if found is None:
            return None
        found = child(found, name)
    return found


def text(element: Element | None) -> str:
    """An element's text without white space around it."""
    return "" if element is None else (element.text or "").strip()


def fault(content: Element) -> str:
    """The innermost code of a fault, without its prefix: `NotAuthorized`."""
    codes = [text(each).rpartition(":")[2] for each in content.iter() if local(each) == "Value"]
    return next((code for code in reversed(codes) if code), text(child(content, "faultcode")).rpartition(":")[2])


class Token(NamedTuple):
    """What a WS-UsernameToken is made of; `nonce` is random and used once, `created` in the device's own time."""

    user: str
    password: str
    nonce: bytes
    created: datetime


def request(body: str, *, token: Token | None = None, action: str = "", to: str = "", reference: str = "") -> bytes:
    """An envelope around `body`; with action and address where a subscription needs them (WS-Addressing)."""
    header = "" if token is None else _security(token)
    if action:
        header += f'<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">{action}</a:Action>'
    if to:
        header += f'<a:To xmlns:a="http://www.w3.org/2005/08/addressing">{escape(to)}</a:To>'
    header += reference
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_ENVELOPE}">'
        f"{f'<s:Header>{header}</s:Header>' if header else ''}<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def reference_parameters(content: Element) -> str:
    """What a subscription wants to have sent back with each request; "" if it is too long to be meant."""
    found = below(content, "SubscriptionReference", "ReferenceParameters")
    written = "" if found is None else "".join(tostring(each, encoding="unicode") for each in found)
    return written if len(written) <= _MOST_REFERENCE else ""


def _security(token: Token) -> str:
    """Password_Digest = Base64(SHA-1(nonce + created + password)) (WS-Security UsernameToken Profile 1.0)."""
    created = token.created.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    digest = sha1(token.nonce + created.encode() + token.password.encode(), usedforsecurity=False).digest()
    return (
        f'<w:Security xmlns:w="{_SECURITY}" xmlns:u="{_UTILITY}"><w:UsernameToken>'
        f"<w:Username>{escape(token.user)}</w:Username>"
        f'<w:Password Type="{_DIGEST}">{b64encode(digest).decode()}</w:Password>'
        f'<w:Nonce EncodingType="{_BASE64}">{b64encode(token.nonce).decode()}</w:Nonce>'
        f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )
