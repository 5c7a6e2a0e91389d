"""What it means when a port cannot be opened for devices that call us: reason and hint."""

from __future__ import annotations

import errno
import socket

from gateway.errors import LinkError

WORDS: dict[int, tuple[str, str]] = {
    errno.EADDRINUSE: (
        "the port is taken",
        "another program listens there (`ss -lntup` names it): stop it, or set another port under `services`",
    ),
    errno.EACCES: (
        "permission denied",
        "ports below 1024 are for the system: set a higher one under `services`, and in the devices",
    ),
    errno.EADDRNOTAVAIL: (
        "this machine has no such address",
        "set `host` under `services` to one of its addresses, or to 0.0.0.0 for all",
    ),
}
"""By the error number of the operating system."""


def unopened(link: str, error: OSError | UnicodeError) -> LinkError:
    """The LinkError for a port that could not be opened; a UnicodeError is a host that cannot be a name."""
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return LinkError(link, "the host is not known", "set `host` under `services` to an address of this machine")
    if error.errno in WORDS:
        return LinkError(link, *WORDS[error.errno])
    return LinkError(link, f"cannot listen: {error.strerror or error}", "check `host` and `port` under `services`")
