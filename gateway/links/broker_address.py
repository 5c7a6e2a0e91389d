"""Where the broker is and how to reach it, shared by both MQTT sessions: name, TLS, and what its refusals mean."""

from __future__ import annotations

import errno
import socket
import ssl

from gateway.errors import LinkError
from gateway.site.model import Mqtt

CONNECT_TIMEOUT_S = 10.0
"""For TCP, TLS and the broker's answer together."""

SESSION_EXPIRY_S = 30 * 24 * 3600
"""How long the broker shall keep the session of a gateway that is away: longer than any holiday."""

RECEIVE_MAXIMUM = 1000
"""Unacknowledged messages the broker may send (DESIGN.md, MQTT: `max_inflight_messages` 1000)."""

KEEP_ALIVE_S = 30
"""A broken line is noticed after one and a half times this to twice this."""

LARGEST_PACKET = 16 * 1024 * 1024
"""Bytes. What is larger is quarantined with its first 64 KiB instead of being kept in memory."""

Words = tuple[str, str]
"""A reason and a hint."""

# MQTT 5.0 §3.2.2.2 and §3.14.2.1 names; the codes of MQTT 3.1.1 §3.2.2.3 are mapped to these by their session.
REFUSALS: dict[str, Words] = {
    "BAD_USER_NAME_OR_PASSWORD": ("user name or password is wrong", "check mqtt.username and mqtt.password"),
    "NOT_AUTHORIZED": ("the broker does not allow it", "check mqtt.username, mqtt.password and the broker's ACL"),
    "CLIENT_ID_NOT_VALID": ("the broker refuses the client id", "set mqtt.client_id to one that it accepts"),
    "UNSUPPORTED_PROTOCOL_VERSION": ("the broker does not speak MQTT 5", "set mqtt.session to paho (MQTT 3.1.1)"),
    "SERVER_UNAVAILABLE": ("the broker says it is unavailable", "look at the broker's log"),
    "SERVER_BUSY": ("the broker says it is busy", "look at the broker's load"),
    "BANNED": ("the broker has banned this client", "look at the broker's log"),
    "SERVER_SHUTTING_DOWN": ("the broker is shutting down", "it is tried again until the broker is back"),
    "KEEP_ALIVE_TIMEOUT": ("the broker did not hear from us in time", "is this machine overloaded?"),
    "SESSION_TAKEN_OVER": (
        "another client has taken over the session",
        "two gateways use the same client id: stop one or give it its own mqtt.client_id",
    ),
    "QUOTA_EXCEEDED": ("a quota of the broker is exceeded", "look at the broker's limits"),
    "USE_ANOTHER_SERVER": ("the broker says to use another server", "set mqtt.host"),
    "SERVER_MOVED": ("the broker has moved", "set mqtt.host"),
}


def address(settings: Mqtt) -> str:
    """The broker as the user knows it, without secrets."""
    scheme = "mqtts" if uses_tls(settings) else "mqtt"
    return f"{scheme}://{settings.host}:{settings.port}"


def uses_tls(settings: Mqtt) -> bool:
    """TLS was asked for, or a certificate for it named."""
    return settings.tls or settings.tls_ca is not None or settings.tls_cert is not None


def refusal(link: str, name: str, said: str = "") -> LinkError:
    """The error for a broker's refusal.

    Args:
        link: the link's name.
        name: the reason code's name in the MQTT 5 specification, upper case with underscores.
        said: the broker's own words, if any.
    """
    reason, hint = REFUSALS.get(name, (f"the broker says {name.lower().replace('_', ' ')}", "look at the broker's log"))
    return LinkError(link, f"{reason}: {said}" if said else reason, hint)


def unreachable(settings: Mqtt, error: OSError | UnicodeError) -> LinkError:
    """The error for a connection that could not be made or broke; a UnicodeError is a host that cannot be a name."""
    link = address(settings)
    match error:
        case UnicodeError():
            return LinkError(link, f"{settings.host!r} cannot be a host's name", "check mqtt.host")
        case TimeoutError():
            return LinkError(link, "no answer in time", "check mqtt.host, the network and the firewall")
        case socket.gaierror():
            return LinkError(link, f"the name {settings.host} is not known", "check mqtt.host and the name server")
        case ssl.SSLCertVerificationError():
            return LinkError(
                link, f"certificate not accepted: {error.verify_message}", "check mqtt.tls.ca and the machine's clock"
            )
        case ssl.SSLError():
            return LinkError(link, f"TLS failed: {error.reason or error}", "is this the broker's TLS port?")
        case ConnectionRefusedError():
            return LinkError(link, "connection refused", "is the broker running, and is mqtt.port right?")
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
            return LinkError(link, "no route to the broker", "check the network cable and the gateway's address")
        case _:
            return LinkError(link, f"connection failed: {error.strerror or error}", "is the broker running?")


def tls_context(settings: Mqtt) -> ssl.SSLContext | None:
    """The TLS settings, None for a plain connection.

    Raises:
        LinkError: a certificate or key file cannot be read.
    """
    if not uses_tls(settings):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca)
        if settings.tls_cert:
            context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:
        raise LinkError(
            address(settings), f"cannot read a certificate: {error}", "check mqtt.tls.ca, cert and key"
        ) from error
    return context
