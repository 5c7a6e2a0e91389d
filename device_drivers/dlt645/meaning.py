"""A reply's data to numbers, and numbers to observations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from device_drivers.dlt645.frame import Frame, bcd
from device_drivers.dlt645.identifiers import RULES, Edition, Item
from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.observations import Measurement, Power


class Number(NamedTuple):
    """One value that a meter gave."""

    item: Item
    value: float


_EDITION_OF: dict[int, Edition] = {rules.read: edition for edition, rules in RULES.items()}


def identifier(frame: Frame) -> str | None:
    """The identifier in a reply to a request to read; None if it is none, or too short for one."""
    edition = _EDITION_OF.get(frame.function)
    if edition is None or not frame.is_reply or frame.is_error:
        return None
    octets = RULES[edition].octets
    return frame.data[:octets][::-1].hex().upper() if len(frame.data) >= octets else None


def numbers(frame: Frame) -> list[Number]:
    """The values in a frame: of a reply to a request to read; nothing in any other, or of an identifier that is not known.

    Raises:
        DecodeError: the reply is not as long as its identifier wants, or holds no decimal digits.
    """
    edition = _EDITION_OF.get(frame.function)
    if edition is None or not frame.is_reply or frame.is_error:
        return []
    name = identifier(frame)
    if name is None:
        raise DecodeError(f"{len(frame.data)} bytes in a reply, too few for an identifier")
    rules = RULES[edition]
    items = rules.items.get(name)
    if items is None:
        return []
    data = frame.data[rules.octets :]
    wanted = sum(item.octets for item in items)
    if len(data) != wanted:
        raise DecodeError(f"{name}: {len(data)} bytes of data, expected {wanted}")
    found = []
    for item in items:
        piece, data = data[: item.octets], data[item.octets :]
        try:
            number = bcd(piece, signed=item.signed)
        except ValueError as error:
            raise DecodeError(f"{name}: {error}") from None
        if number is None:  # filled with FF: no such phase, or no value
            continue
        value = number * item.factor / item.parts
        if item.gives == "power_factor" and not -1 <= value <= 1:
            raise DecodeError(f"{name}: power factor {value:g}")
        found.append(Number(item, value))
    return found


def readings(device: str, found: Iterable[Number], at: datetime, *, phases: int = 3) -> list[Reading]:
    """The observations of values read together: one `power` for the whole meter and one for each phase.

    Args:
        device: the device's id.
        found: the values.
        at: when they came.
        phases: 1: the first phase is the meter.
    """
    power: dict[int | None, dict[str, Any]] = {}
    others: list[Reading] = []
    for item, value in found:
        if item.gives == "measurement":
            measured = Measurement(device=device, at=at, quantity=item.quantity, value=value, unit=item.unit)
            others.append(Reading(measured))
            continue
        channel = None if phases == 1 and item.phase == 1 else item.phase
        # Of a meter with one phase the whole stands for the phase: what is read first is kept.
        power.setdefault(channel, {}).setdefault(item.gives, value)
    return [
        *(Reading(Power(device=device, at=at, channel=channel, **fields)) for channel, fields in power.items()),
        *others,
    ]
