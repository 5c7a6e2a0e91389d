"""The device's own side: what an ONVIF camera answers, for simulated cameras and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def envelope(body: str, header: str = "") -> bytes:
    """An envelope as most devices write it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="{_SOAP}">'
        f"<SOAP-ENV:Header>{header}</SOAP-ENV:Header><SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def clock(now: datetime) -> bytes:
    """GetSystemDateAndTimeResponse; `now` in UTC."""
    return envelope(
        '<tds:GetSystemDateAndTimeResponse xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
        'xmlns:tt="http://www.onvif.org/ver10/schema"><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>'
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>CST-8:00:00</tt:TZ></tt:TimeZone><tt:UTCDateTime>"
        f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time>"
        f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def fault(code: str) -> bytes:
    """A SOAP fault, `NotAuthorized` say."""
    return envelope(
        "<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value><SOAP-ENV:Subcode><SOAP-ENV:Value "
        f'xmlns:ter="http://www.onvif.org/ver10/error">ter:{code}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code>'
        '<SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">no</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>'
    )


class Notification(NamedTuple):
    """One event; `time` as the device writes it."""

    topic: str
    source: Mapping[str, str]
    data: Mapping[str, str]
    operation: str = "Changed"
    time: str = "2026-11-23T14:00:00Z"


def messages(notifications: Iterable[Notification], now: datetime | None = None) -> bytes:
    """PullMessagesResponse; `now` as the device says it, in UTC."""
    now = now or _NOW
    return envelope(
        '<tev:PullMessagesResponse xmlns:tev="http://www.onvif.org/ver10/events/wsdl" '
        'xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:tt="http://www.onvif.org/ver10/schema" '
        'xmlns:tns1="http://www.onvif.org/ver10/topics">'
        f"<tev:CurrentTime>{now:{_TIME}}</tev:CurrentTime>"
        f"<tev:TerminationTime>{now + timedelta(minutes=3):{_TIME}}</tev:TerminationTime>"
        + "".join(_notification(each) for each in notifications)
        + "</tev:PullMessagesResponse>"
    )


def _notification(event: Notification) -> str:
    return (
        '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"{escape(event.topic)}</wsnt:Topic><wsnt:Message><tt:Message UtcTime={quoteattr(event.time)} "
        f"PropertyOperation={quoteattr(event.operation)}><tt:Source>{_items(event.source)}</tt:Source>"
        f"<tt:Data>{_items(event.data)}</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )


def _items(items: Mapping[str, str]) -> str:
    return "".join(f"<tt:SimpleItem Name={quoteattr(name)} Value={quoteattr(value)}/>" for name, value in items.items())


def subscription(address: str, parameters: str = "") -> bytes:
    """CreatePullPointSubscriptionResponse."""
    reference = f"<wsa5:ReferenceParameters>{parameters}</wsa5:ReferenceParameters>" if parameters else ""
    return envelope(
        '<tev:CreatePullPointSubscriptionResponse xmlns:tev="http://www.onvif.org/ver10/events/wsdl" '
        'xmlns:wsa5="http://www.w3.org/2005/08/addressing"><tev:SubscriptionReference>'
        f"<wsa5:Address>{escape(address)}</wsa5:Address>{reference}</tev:SubscriptionReference>"
        "</tev:CreatePullPointSubscriptionResponse>"
    )


def capabilities(events: str) -> bytes:
    """GetCapabilitiesResponse; `events` is the address of the event service."""
    return envelope(
        '<tds:GetCapabilitiesResponse xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
        'xmlns:tt="http://www.onvif.org/ver10/schema"><tds:Capabilities><tt:Events>'
        f"<tt:XAddr>{escape(events)}</tt:XAddr></tt:Events></tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def acknowledged(name: str) -> bytes:
    """An empty answer, `RenewResponse` say."""
    return envelope(f'<wsnt:{name} xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"/>')


def probe_match(endpoint: str, address: str, *, relates_to: str = "", instance: int = 1) -> bytes:
    """ProbeMatches of one camera."""
    discovery = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
    return envelope(
        f'<d:ProbeMatches xmlns:d="{discovery}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><d:ProbeMatch>'
        f"<a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference>"
        '<d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter</d:Types>'
        "<d:Scopes>onvif://www.onvif.org/hardware/IPC-42 onvif://www.onvif.org/name/Gate%20East</d:Scopes>"
        f"<d:XAddrs>{address}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>",
        f'<a:Action xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">{discovery}/ProbeMatches</a:Action>'
        f'<a:RelatesTo xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">{relates_to}</a:RelatesTo>'
        f'<d:AppSequence xmlns:d="{discovery}" InstanceId="{instance}" MessageNumber="1"/>',
    )
