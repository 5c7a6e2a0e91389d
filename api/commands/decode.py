"""`lamplighter decode`: one driver on given bytes; observations as JSON lines, what was wrong on standard error."""

from __future__ import annotations

import argparse
import difflib
import sys
from binascii import unhexlify
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Driver, Reading, Readings, Reject
from device_drivers.errors import DecodeError, LamplighterError, SettingsError
from device_drivers.observations import spelled_out

_KEY_DIGITS = 20
_HEX = frozenset("0123456789abcdefABCDEF")
_SEPARATORS = str.maketrans("", "", " :-\t\r\n")


class WrongUseError(LamplighterError):
    """The command was called in a way that cannot work; its text says what to write instead."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("driver", type=_driver, metavar="DRIVER", help=", ".join(sorted(DRIVERS)))
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--hex", nargs="+", action="extend", metavar="H", help="bytes in hexadecimal; each H is fed in turn"
    )
    source.add_argument("--file", type=Path, metavar="F", help="a file with the bytes")
    source.add_argument("--payload", metavar="P", help="the message as text")
    parser.add_argument("--topic", metavar="T", help="the topic the message came on (MQTT drivers)")
    parser.add_argument("--retained", action="store_true", help="the broker had kept the message (MQTT drivers)")
    parser.add_argument("--device", metavar="ID", help="the device's id [from the topic, or the driver's name]")
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the driver, as in the site file (checksum=sum)",
    )
    parser.add_argument(
        "--received", type=_time, metavar="T", help="when the bytes arrived, RFC 3339 with offset [now]"
    )


def run(arguments: argparse.Namespace) -> int:
    """Decode and print. Exit status: 0 all read, 1 some pieces rejected, 2 nothing read or wrong use."""
    driver: Driver = arguments.driver
    received = arguments.received or datetime.now(UTC)
    chunks = _chunks(arguments)
    if driver.stream_decoder is not None:
        results = _stream(driver, arguments, chunks, received)
    elif driver.file_decoder is not None:
        results = _files(driver, arguments, chunks, received)
    else:
        results = _messages(driver, arguments, chunks, received)
    readings = [result for result in results if isinstance(result, Reading)]
    rejects = [result for result in results if isinstance(result, Reject)]
    for reading in readings:
        sys.stdout.write(_line(reading) + "\n")
    for reject in rejects:
        print(f"lamplighter decode: {reject.reason}: {_shown(reject.data)}", file=sys.stderr)
    if not rejects:
        return 0
    return 1 if readings else 2


def _stream(
    driver: Driver, arguments: argparse.Namespace, chunks: Sequence[bytes], received: datetime
) -> list[Reading | Reject]:
    if arguments.topic is not None or arguments.retained:
        raise WrongUseError(f"{driver.name} reads a byte stream: no --topic and no --retained")
    settings = _settings(driver, DeviceSettings(id=driver.name, link={"serial": "-"}), arguments)
    assert driver.stream_decoder is not None
    decoder = driver.stream_decoder(settings)
    results = [result for chunk in chunks for result in decoder.feed(chunk, received)]
    return results + decoder.reset()


def _files(
    driver: Driver, arguments: argparse.Namespace, chunks: Sequence[bytes], received: datetime
) -> list[Reading | Reject]:
    if arguments.topic is not None or arguments.retained:
        raise WrongUseError(f"{driver.name} reads files: no --topic and no --retained")
    settings = _settings(driver, DeviceSettings(id=driver.name), arguments)
    assert driver.file_decoder is not None
    decoder = driver.file_decoder(settings)
    name = arguments.file.name if arguments.file is not None else ""
    results: list[Reading | Reject] = []
    for chunk in chunks:
        try:
            results += decoder.read(chunk, name, received).found
        except DecodeError as error:
            results.append(Reject(chunk if error.data is None else error.data, error.reason))
    return results


def _messages(
    driver: Driver, arguments: argparse.Namespace, chunks: Sequence[bytes], received: datetime
) -> list[Reading | Reject]:
    if driver.listener is None or driver.message_decoder is None:
        raise WrongUseError(f"{driver.name} reads neither a stream nor messages")
    topic = arguments.topic or ""
    try:
        site, settings = driver.listener(topic)
    except DecodeError as error:
        if arguments.topic is None and driver.transport == "mqtt":
            raise WrongUseError(f"{driver.name} reads MQTT messages: say --topic") from error
        raise
    settings = _settings(driver, settings, arguments)
    decoder = driver.message_decoder(site, settings)
    results: list[Reading | Reject] = []
    for chunk in chunks:
        try:
            found = decoder.decode(topic, chunk, received, retained=arguments.retained)
        except DecodeError as error:
            results.append(Reject(chunk if error.data is None else error.data, error.reason))
        else:
            results += found
            results += found.rejects if isinstance(found, Readings) else ()
    return results


def _chunks(arguments: argparse.Namespace) -> list[bytes]:
    if arguments.payload is not None:
        return [arguments.payload.encode("utf-8", "surrogateescape")]
    if arguments.file is not None:
        try:
            return [arguments.file.read_bytes()]
        except OSError as error:
            raise WrongUseError(f"--file {arguments.file}: {error.strerror}") from error
    try:
        return [unhexlify(text.removeprefix("0x").translate(_SEPARATORS)) for text in arguments.hex]
    except ValueError as error:
        raise WrongUseError(f"--hex: expected pairs of hexadecimal digits ({error})") from error


def _settings(driver: Driver, settings: DeviceSettings, arguments: argparse.Namespace) -> DeviceSettings:
    """The entry, checked, with the id and the settings of the command line; numbers, lists and mappings as JSON.

    A number that the driver does not take is the text that was typed: an address, say.

    Raises:
        SettingsError: the driver cannot use them.
    """
    values: dict[str, Any] = {}
    typed: dict[str, str] = {}
    for word in arguments.settings:
        key, equals, text = word.partition("=")
        if not equals:
            raise WrongUseError(f"--set {word}: expected KEY=VALUE")
        typed[key] = text
        try:
            values[key] = text if _is_key(text) else msgspec.json.decode(text)
        except msgspec.DecodeError:
            values[key] = text
    named = arguments.device or settings.id
    while True:
        entry = msgspec.structs.replace(settings, id=named, settings={**settings.settings, **values})
        if driver.stream_decoder is not None and driver.transport != "serial":
            return entry
        try:
            driver.check(entry)
        except SettingsError as error:
            key = error.key.removeprefix("settings.")
            if type(values.get(key)) not in (int, float):
                raise
            values[key] = typed[key]
        else:
            return entry


def _is_key(text: str) -> bool:
    """Whether a word is a key in hexadecimal, though it may look like a number (32 decimal digits, or with one `e`)."""
    return len(text) >= _KEY_DIGITS and _HEX.issuperset(text)


def _line(reading: Reading) -> str:
    """One observation as a JSON line; a native one with the unknown fields that its device sent."""
    fields = spelled_out(reading.observation)
    if reading.body is not None:
        sent = msgspec.json.decode(reading.body)
        sent.pop("received", None)
        fields |= {name: value for name, value in sent.items() if name not in fields}
    return msgspec.json.encode(fields).decode()


def _shown(data: bytes) -> str:
    """The bytes as text where they are text, else in hexadecimal; at most 64 of them."""
    piece = data[:64]
    text = piece.decode() if piece.isascii() else ""
    return (text if text and text.isprintable() else piece.hex(" ")) + (" …" if len(data) > len(piece) else "")


def _driver(name: str) -> Driver:
    if name in DRIVERS:
        return DRIVERS[name]
    near = difflib.get_close_matches(name, DRIVERS, 1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise argparse.ArgumentTypeError(f"no driver {name!r}{meant}; `lamplighter drivers` lists them")


def _time(text: str) -> datetime:
    value = datetime.fromisoformat(text.upper())
    if value.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset; write for example {value.isoformat()}+08:00")
    return value
