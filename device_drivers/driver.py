"""What a driver is: a record of facts, and a decoder without I/O.

A decoder takes bytes and the time at which they arrived; it gives readings, or says why the bytes are wrong. It knows
no site, no clock and no storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from device_drivers.errors import DecodeError
from device_drivers.observations import Observation

if TYPE_CHECKING:
    from device_drivers.conversation import CallServer, FileDecoder, LinePoller, PanelReader, WebPoller, WebServer

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
    "network_switch",
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


class Readings(list[Reading]):
    """What a message brought, and what is to be published in answer (a rebirth asked for), as (topic, payload) at QoS 0.

    `rejects` are for quarantine: what could not be read, of one of several devices on the same topic or in one of several parts.
    """

    def __init__(
        self,
        readings: Sequence[Reading] = (),
        publish: Sequence[tuple[str, bytes]] = (),
        rejects: Sequence[Reject] = (),
    ) -> None:
        super().__init__(readings)
        self.publish = publish
        self.rejects = rejects


_MOST_TROUBLES = 3
"""Parts of a message that cannot be read and are named; the others are counted."""


def beside_unread(readings: list[Reading], payload: bytes, unread: Sequence[str]) -> list[Reading]:
    """What a message brought beside the parts of it that cannot be read: it is kept as a reject that says why.

    Args:
        unread: what is wrong with each such part; none: all was read.

    Raises:
        DecodeError: nothing of it could be read.
    """
    if not unread:
        return readings
    if not readings:
        raise DecodeError(reason_of(unread))
    known = readings.rejects if isinstance(readings, Readings) else ()
    return Readings(readings, rejects=[*known, Reject(payload, reason_of(unread))])


def reason_of(unread: Sequence[str]) -> str:
    """What is wrong with parts of a message: the first few, and how many more."""
    more = len(unread) - _MOST_TROUBLES
    return "; ".join(unread[:_MOST_TROUBLES]) + (f"; and {more} more" if more > 0 else "")


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the site file says of one device, as far as its driver may know.

    `behind` is the device through which it is heard (a recorder's id); `link` is the device's `link` mapping, `settings` its
    driver's own settings, already checked by `Driver.check`.
    """

    id: str
    kind: str | None = None
    channel: int | str | None = None
    device_id: str | None = None
    behind: str | None = None
    link: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}


class MessageDecoder(Protocol):
    """Decodes messages that arrive whole (MQTT, HTTP). A driver that has to answer returns `Readings`."""

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message.

        Args:
            topic: the topic as received; names may contain `/`. Not MQTT: the name of what was asked, "" if there is one thing.
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
        """Take the next bytes; give what they completed. Never raises; buffers are bounded; resynchronises.

        Without bytes (b"") it is told that the line is silent: what waits since more than its longest pause is to be given now.
        """
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

    Exactly one of `message_decoder`, `stream_decoder` and `file_decoder` is there: it is what `decode` and the recorded cases
    use, so a driver that asks its devices has one, too, that reads frames or answers as they stand on the wire.

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
        own_topics: MQTT only: whoever sets a device up names its topics; they may begin with a slash.
        message_decoder / stream_decoder: makes the decoder of one device (for `native`: of the whole site).
        file_decoder: reads files that people bring.
        listener: of drivers with a message decoder: (site id, entry) of a device that would hear `topic`, for `decode`, where
            no site file names one. Raises DecodeError if no device of this family has such a topic.
        line_poller / web_poller: makes what asks one device, over a line or over HTTP.
        panel_reader: makes what hears one reader of a line whose control panel we are.
        call_server / web_server: makes what serves all devices of the family that call us, from their settings and the
            site file's `services: {NAME: {…}}` of this driver.
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
    own_topics: bool = False
    message_decoder: Callable[[str, DeviceSettings], MessageDecoder] | None = None
    stream_decoder: Callable[[DeviceSettings], StreamDecoder] | None = None
    file_decoder: Callable[[DeviceSettings], FileDecoder] | None = None
    listener: Callable[[str], tuple[str, DeviceSettings]] | None = None
    line_poller: Callable[[DeviceSettings], LinePoller] | None = None
    web_poller: Callable[[DeviceSettings], WebPoller] | None = None
    panel_reader: Callable[[DeviceSettings], PanelReader] | None = None
    call_server: Callable[[Sequence[DeviceSettings], Mapping[str, Any]], CallServer] | None = None
    web_server: Callable[[Sequence[DeviceSettings], Mapping[str, Any]], WebServer] | None = None
    check: Callable[[DeviceSettings], None]
    models: tuple[Model, ...] = ()
