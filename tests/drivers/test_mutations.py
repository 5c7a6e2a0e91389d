"""Damaged bytes, by the ten thousand for each driver: nothing but a refusal, bounded memory, and the next good frame is read.

`LAMPLIGHTER_MUTATIONS` says how many for each driver (`make mutations`: a million). The damage is the same in every run; each failure
names its number, and `mutation(cases, number)` makes the bytes again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Driver, Reading, Reject, StreamDecoder
from device_drivers.errors import DecodeError
from tests.drivers.test_cases import CASES, ENTRIES, SITE, START, data, load

MUTATIONS = int(os.environ.get("LAMPLIGHTER_MUTATIONS", "10000"))
LARGEST_STATE = 1_000_000
"""Bytes that a decoder may hold, whatever was poured in."""
LATER = timedelta(hours=1)
"""After this a tag that was present is presented anew, and what a device repeats counts again."""

LINES = [driver for driver in DRIVERS.values() if driver.stream_decoder is not None]
MESSAGES = [driver for driver in DRIVERS.values() if driver.message_decoder is not None]


def cases_of(driver: Driver) -> list[dict[str, Any]]:
    return [case for path in CASES if (case := load(path))["driver"] == driver.name]


def entry(driver: Driver, case: dict[str, Any]) -> DeviceSettings:
    return DeviceSettings(**{**ENTRIES[driver.name], **case.get("device", {})})


def mutation(feeds: list[bytes], number: int) -> bytes:
    """One recorded feed, damaged in one to four places."""
    random = Random(number)
    octets = bytearray(random.choice(feeds))
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(octets))
        match random.randrange(7):
            case 0 if octets:
                octets[at % len(octets)] ^= 1 << random.randrange(8)
            case 1 if octets:
                octets[at % len(octets)] = random.choice(b'\x00\x02\x03\x16\x53\x68\x7e\x7f\xfe\xff\n"{[<')
            case 2:
                del octets[at : at + random.randint(1, 9)]
            case 3:
                octets[at:at] = random.randbytes(random.randint(1, 9))
            case 4:
                octets[at:at] = random.choice(feeds)[: random.randint(0, 40)]
            case 5:
                octets[at:at] = octets[at : at + random.randint(1, 40)]
            case _:
                octets = octets[:at]
    return bytes(octets)


def pieces(octets: bytes, number: int) -> Iterator[bytes]:
    random = Random(number)
    at = 0
    while at < len(octets):
        size = random.choice((1, 3, 17, len(octets)))
        yield octets[at : at + size]
        at += size


def size_of(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of an object and of all it holds, tables of modules aside."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, (type, str)) or callable(thing):
        return 0
    seen.add(id(thing))
    held: list[object] = []
    if isinstance(thing, dict):
        held += [*thing.keys(), *thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        held += thing
    held += [value for name in _slots(thing) if (value := getattr(thing, name, None)) is not None]
    held += getattr(thing, "__dict__", {}).values()
    return sys.getsizeof(thing) + sum(size_of(each, seen) for each in held)


def _slots(thing: object) -> list[str]:
    names: list[str] = []
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    return names


@pytest.mark.parametrize("driver", LINES, ids=lambda driver: driver.name)
def test_a_damaged_stream_is_refused_and_the_next_good_frame_is_read(driver: Driver):
    cases = cases_of(driver)
    feeds = [octets for case in cases for step in case["feed"] if (octets := data(step))]
    usual = [case for case in cases if case["shape"] == "good" and case.get("observations")]
    usual = [case for case in usual if case.get("device") == usual[0].get("device")]
    assert driver.stream_decoder is not None
    decoder = driver.stream_decoder(entry(driver, usual[0]))
    now = START
    for number in range(MUTATIONS):
        for piece in pieces(mutation(feeds, number), number):
            for found in decoder.feed(piece, now):
                assert isinstance(found, (Reading, Reject)), number
        if number % 500 == 499:
            assert size_of(decoder) < LARGEST_STATE, number
            heard = 0
            for case in 3 * usual:  # the first may be swallowed by a damaged frame that claimed to be longer
                now += LATER
                heard += readings(decoder, case, now)
            assert heard, number
            now += LATER
    decoder.reset()


def readings(decoder: StreamDecoder, case: dict[str, Any], now: datetime) -> int:
    return sum(isinstance(found, Reading) for step in case["feed"] for found in decoder.feed(data(step), now))


@pytest.mark.parametrize("driver", MESSAGES, ids=lambda driver: driver.name)
def test_a_damaged_message_is_read_or_refused(driver: Driver):
    cases = cases_of(driver)
    steps = [(case, step) for case in cases for step in case["feed"]]
    assert driver.message_decoder is not None
    decoders = {id(case): driver.message_decoder(SITE, entry(driver, case)) for case in cases}
    feeds = [data(step) for _, step in steps]
    reasons: set[str] = set()
    for number in range(MUTATIONS):
        case, step = steps[number % len(steps)]
        decoder = decoders[id(case)]
        try:
            decoder.decode(step.get("topic", ""), mutation(feeds, number), START, retained=step.get("retained", False))
        except DecodeError as error:
            reasons.add(error.reason)
    assert reasons
    assert "" not in reasons
    assert size_of(decoders) < LARGEST_STATE * max(1, len(decoders) // 10)
