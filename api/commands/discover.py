"""`lamplighter discover`: the ONVIF cameras that answer on this network (WS-Discovery)."""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid

import msgspec

from device_drivers.errors import DecodeError, LamplighterError
from device_drivers.onvif.discovery import GROUP, PORT, Found, probe, read_announcement
from gateway.links.discovery import ask_network


class NetworkError(LamplighterError):
    """Nothing could be asked; its text says why."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--seconds", type=_seconds, default=4.0, metavar="S", help="how long to wait for answers [4]")
    parser.add_argument(
        "--address",
        action="append",
        type=_address,
        metavar="HOST[:PORT]",
        help="ask this address instead of all; may be repeated (beyond the own network, or where multicast does not pass)",
    )
    parser.add_argument("--interface", default="", metavar="IP", help="our own address on the network to ask")
    parser.add_argument("--all", action="store_true", help="ask for devices of any kind, not only cameras")
    parser.add_argument("--json", action="store_true", help="one JSON object a device")


def run(arguments: argparse.Namespace) -> int:
    """Ask and print. Exit status: 0 something answered, 1 nothing did, 2 nothing could be asked."""
    message_id = f"urn:uuid:{uuid.uuid4()}"
    question = probe(message_id, "") if arguments.all else probe(message_id)
    targets = arguments.address or [(GROUP, PORT)]
    try:
        heard = asyncio.run(ask_network(question, targets, arguments.seconds, interface=arguments.interface))
    except OSError as error:
        raise NetworkError(
            f"the network cannot be asked: {error.strerror or error}; try --interface or --address"
        ) from error
    found: dict[str, tuple[Found, str]] = {}
    for data, (host, _) in heard:
        try:
            answer = read_announcement(data)
        except DecodeError as error:
            print(f"lamplighter discover: {host}: {_printable(error.reason)}", file=sys.stderr)
            continue
        if answer.action == "ProbeMatches" and answer.relates_to in ("", message_id):
            for each in answer.found:
                found.setdefault(each.endpoint, (each, host))
    for each, host in sorted(found.values(), key=lambda pair: (pair[1], pair[0].endpoint)):
        sys.stdout.write((_json if arguments.json else _line)(each, host) + "\n")
    if not found:
        print("lamplighter discover: nothing answered", file=sys.stderr)
    return 0 if found else 1


def _line(found: Found, host: str) -> str:
    words = [host, found.scope("hardware") or "-", found.scope("name") or "-", " ".join(found.addresses) or "-"]
    return "  ".join(_printable(word) for word in words)


def _json(found: Found, host: str) -> str:
    body = {
        "host": host,
        "endpoint": found.endpoint,
        "name": found.scope("name"),
        "hardware": found.scope("hardware"),
        "types": found.types,
        "addresses": found.addresses,
    }
    return msgspec.json.encode(body).decode()


def _printable(text: str) -> str:
    """What a stranger sent, without what could steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:300])


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 300:
        raise argparse.ArgumentTypeError(f"{text!r}: expected up to 300 seconds")
    return value


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST or HOST:PORT")
    return host, int(port) if port else PORT
