"""Opening a serial port: a device file, or a URL of pyserial for a port on another machine, and what its errors mean."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import serial

from gateway.errors import LinkError

READ_TIMEOUT_S = 0.2
"""For ports without a descriptor, whose reader must look up now and then whether it shall stop."""

WRITE_TIMEOUT_S = 5.0

_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""A converter that lost its power is noticed after a minute (seconds, seconds, probes)."""

_GONE = ("the port is gone", "plug the adapter in again; it is opened as soon as it is back")
_BUSY = ("another program uses the port", "stop it: `fuser PORT` names it; ModemManager often is the one")

WORDS: dict[int, tuple[str, str]] = {
    errno.ENOENT: ("no such port", "is the adapter plugged in? `ls /dev/serial/by-id` lists the ports"),
    errno.EACCES: (
        "permission denied",
        "add the gateway's user to the group dialout (`sudo usermod -aG dialout USER`) and start it anew",
    ),
    errno.EPERM: ("permission denied", "pass the port into the container (`devices:` in the compose file)"),
    errno.EBUSY: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.EIO: _GONE,
    errno.ENODEV: _GONE,
    errno.ENXIO: _GONE,
    errno.ENOTTY: ("not a serial port", "check link.serial"),
    errno.ECONNREFUSED: ("connection refused", "is the converter on, and is the port number right?"),
}
"""What an error number of the operating system means for a serial port: reason and hint."""

OURS = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE})
"""Errors that lie with this machine: they prove nothing of the device behind the port."""


def is_file(url: str) -> bool:
    """A port of this machine, not one behind a URL."""
    return "://" not in url


def open_port(url: str, settings: Mapping[str, str]) -> Any:
    """Open a port, locked for us alone. Blocks for up to five seconds when it is on another machine.

    Args:
        url: device file, `socket://host:port` or `rfc2217://host:port`.
        settings: `baud` [9600], `bits` [8], `parity` N, E, O, M or S [N], `stop` [1].

    Raises:
        LinkError: why it could not be opened.
    """
    own: dict[str, Any] = {"exclusive": True, "write_timeout": WRITE_TIMEOUT_S} if is_file(url) else {}
    try:
        port = serial.serial_for_url(
            url,
            baudrate=int(settings.get("baud", 9600)),
            bytesize=int(settings.get("bits", 8)),
            parity=str(settings.get("parity", "N")).upper(),
            stopbits=float(settings.get("stop", 1)),
            timeout=READ_TIMEOUT_S,
            **own,
        )
    except ValueError as error:
        raise LinkError(url, str(error), "check link.serial, baud, bits, parity and stop of the device") from error
    except OSError as error:
        raise trouble(url, error) from error
    if url.startswith("socket://"):
        _keep_alive(port.fileno())
    return port


def error_number(error: OSError) -> int | None:
    """The operating system's number for it, also where pyserial has put the cause into words only; None: there is none."""
    if error.errno is not None:
        return error.errno
    cause = error.__context__
    return cause.errno if isinstance(cause, OSError) else None


def trouble(url: str, error: OSError) -> LinkError:
    """The LinkError for a port that could not be opened or read."""
    number = error_number(error)
    if number in WORDS:
        return LinkError(url, *WORDS[number])
    return LinkError(url, str(error), "check link.serial and the network" if not is_file(url) else "check link.serial")


def _keep_alive(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            with suppress(AttributeError):  # not every system has them
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
