"""What a driver is: a record of facts, and a decoder without I/O.

A decoder takes bytes and the time at which they arrived; it gives readings, or says why the bytes are wrong. It knows
no site, no clock and no storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from device_drivers.observations import Observation

DeviceKind = Literal[
    "reader",
    "lamp",
    "lux_sensor",
    "motion_sensor",
    "meter",
    "relay",
    "camera",
    "nvr",
    "bridge",
    "wand",
    "phone",
    "sensor",
]


class Reading(NamedTuple):
    """One observation and, where the device itself speaks observations, its JSON exactly as sent (None: encode it)."""

    observation: Observation
    body: bytes | None = None


class Reject(NamedTuple):
    """Bytes of a stream that could not be read, and why. They go to quarantine."""

    data: bytes
    reason: str


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the site file says of one device, as far as its driver may know.

    `link` is the device's `link` mapping, `settings` its driver's own settings, already checked by `Driver.check`.
    """

    id: str
    kind: str | None = None
    channel: int | str | None = None
    link: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}


class MessageDecoder(Protocol):
    """Decodes messages that arrive whole (MQTT, HTTP)."""

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message.

        Args:
            topic: the topic as received; names may contain `/`.
            payload: the bytes as received, at most as long as the link allows.
            received: when the gateway received it; `at` of devices without a clock.
            retained: the broker sent old state. An event (a tag read, motion, panic) in it must raise DecodeError.

        Raises:
            DecodeError: the message is not what the protocol says.
        """
        ...


class StreamDecoder(Protocol):
    """Decodes a byte stream (serial, TCP) that arrives cut or glued."""

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes; give what they completed. Never raises; buffers are bounded; resynchronises."""
        ...

    def reset(self) -> list[Reading | Reject]:
        """The stream was cut (unplugged): give up the unfinished frame as a Reject, if there is one."""
        ...


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One device model as data: what is printed in the table of supported devices."""

    vendor: str
    model: str
    driver: str
    kind: DeviceKind
    capabilities: tuple[str, ...]
    """The observation kinds it gives."""
    profile: str | None = None
    note: str = ""


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """One device family.

    Args:
        name: as written in the site file.
        transport: how its bytes travel.
        summary: one line for `lamplighter drivers`.
        guarantee: what is lost when, in one sentence.
        own_clock: the device gives its own times; False: `at` is the gateway's receive time.
        transmits_only: it cannot be asked and sends no heartbeat, so its silence is an assumption.
        sends_seq: its records carry boot and seq.
        default_kind: the kind of a device whose entry names none.
        expect_every_s: how often a device of this family speaks unasked, None if never promised.
        topics: MQTT only: the topic filters of one device, from (site id, settings); `+` and `#` allowed.
        message_decoder / stream_decoder: makes the decoder of one device (for `native`: of the whole site).
        listener: MQTT only: (site id, entry) of a device that would hear `topic`, for `decode`, where no site file
            names one. Raises DecodeError if no device of this family has such a topic.
        check: raises SettingsError if the device's link or settings cannot be used.
        models: the device models known to work.
    """

    name: str
    transport: Literal["mqtt", "serial", "file", "http", "sip"]
    summary: str
    guarantee: str
    default_kind: DeviceKind
    own_clock: bool
    transmits_only: bool = False
    sends_seq: bool = False
    expect_every_s: float | None = None
    topics: Callable[[str, DeviceSettings], Sequence[str]] | None = None
    message_decoder: Callable[[str, DeviceSettings], MessageDecoder] | None = None
    stream_decoder: Callable[[DeviceSettings], StreamDecoder] | None = None
    listener: Callable[[str], tuple[str, DeviceSettings]] | None = None
    check: Callable[[DeviceSettings], None]
    models: tuple[Model, ...] = ()
