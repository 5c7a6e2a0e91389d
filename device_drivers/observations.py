"""Observations: decoded facts from devices, one frozen type a kind.

The same shape stands in the journal, the native MQTT payload, the API and the evidence file.
Times are aware datetimes: `at` is the device's own time, `received` the gateway's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec

Channel = int | str

Aware = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its offset; decoding refuses one without."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A counter that fits the journal's integer column."""


class Fact(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    gc=False,
):
    """What every observation carries. Fields that it does not know are passed over by `read`, not by a plain decoder.

    `device` may be empty in a native payload (the topic names it). `at` is aware. `boot` changes at each restart of
    the device; `seq` rises by one a record within a boot and needs `boot`. (device, boot, seq) is the key of
    repetition; without `seq` it is (device, kind, at, content).
    """

    device: str = ""
    at: Aware
    received: Aware | None = None
    boot: str | None = None
    seq: Count | None = None


class TagRead(Fact, frozen=True, tag="tag_read", kw_only=True):
    """A tag was read. `tag` is upper-case hexadecimal without separators, leading zeros kept."""

    tag: str
    method: Literal["rfid", "nfc", "sun", "qr", "wand", "manual"] = "rfid"
    person: str | None = None
    counter: Count | None = None


class ReaderHeartbeat(Fact, frozen=True, tag="reader_heartbeat", kw_only=True):
    """A reader lives; all its records up to `last_seq` exist. `battery` in percent."""

    last_seq: Count | None = None
    device_now: Aware | None = None
    battery: float | None = None


class SyncEnd(Fact, frozen=True, tag="sync_end", kw_only=True):
    """Everything the reader recorded up to `complete_to` has been handed over."""

    complete_to: Aware
    device_now: Aware | None = None


class Incident(Fact, frozen=True, tag="incident", kw_only=True):
    """A guard reports something seen."""

    code: str | None = None
    text: str | None = None
    checkpoint: str | None = None


class Panic(Fact, frozen=True, tag="panic", kw_only=True):
    """A call for help, pressed or released."""

    active: bool = True


class LightLevel(Fact, frozen=True, tag="light_level", kw_only=True):
    """Illuminance at a sensor."""

    lux: float


class Motion(Fact, frozen=True, tag="motion", kw_only=True):
    """Motion (or its end) seen by a sensor."""

    active: bool = True


class LampState(Fact, frozen=True, tag="lamp_state", kw_only=True):
    """What a lamp or relay says of itself. `level` 0..1; `commanded` is what it was told."""

    lamp: str | None = None
    on: bool | None = None
    level: float | None = None
    commanded: bool | None = None


class Power(Fact, frozen=True, tag="power", kw_only=True):
    """Electrical measurements of one channel of a meter or plug."""

    watts: float | None = None
    volts: float | None = None
    amps: float | None = None
    power_factor: float | None = None
    energy_wh: float | None = None
    channel: Channel | None = None


class LampFault(Fact, frozen=True, tag="lamp_fault", kw_only=True):
    """A fault that a lamp reports of itself, named as in OMA LwM2M object 3416 where it has a name."""

    fault: str
    active: bool = True
    lamp: str | None = None
    expires_s: float | None = None


class DeviceStatus(Fact, frozen=True, tag="device_status", kw_only=True):
    """What a device or its last will says of itself."""

    online: bool
    reason: str | None = None
    channel: Channel | None = None


class CameraHeartbeat(Fact, frozen=True, tag="camera_heartbeat", kw_only=True):
    """A camera's or NVR's service lives."""

    channel: Channel | None = None
    status: Literal["ok", "fault"] = "ok"


class VideoState(Fact, frozen=True, tag="video_state", kw_only=True):
    """What is said of a camera's picture. `expires_s` where the device repeats and never sends an end."""

    state: Literal["ok", "loss", "blind", "frozen", "moved", "defocused"]
    channel: Channel | None = None
    active: bool = True
    expires_s: float | None = None


class CameraStats(Fact, frozen=True, tag="camera_stats", kw_only=True):
    """Frames a second that really arrive."""

    fps: float
    expected_fps: float | None = None
    channel: Channel | None = None


class RecordingState(Fact, frozen=True, tag="recording_state", kw_only=True):
    """Whether a camera is being recorded."""

    recording: bool
    channel: Channel | None = None


class StorageFault(Fact, frozen=True, tag="storage_fault", kw_only=True):
    """A recorder's disk trouble."""

    what: Literal["disk_full", "disk_error", "raid"]
    active: bool = True
    channel: Channel | None = None


class Reachable(Fact, frozen=True, tag="reachable", kw_only=True):
    """The result of a probe at one level."""

    ok: bool
    level: Literal["network", "service"] = "network"
    channel: Channel | None = None


class Measurement(Fact, frozen=True, tag="measurement", kw_only=True):
    """Everything else that is a number with a unit (UCUM)."""

    quantity: str
    value: float
    unit: str = "1"
    channel: Channel | None = None


class LinkStatus(Fact, frozen=True, tag="link", kw_only=True):
    """Written by the gateway: a link or port of `device` is up or down.

    `cut`: something that it sent could not be read, so up to then its record is not whole (a tap may be among it).
    `since`: from when on, where that is known; else since what was read of it before.
    """

    up: bool
    reason: str | None = None
    cut: bool = False
    since: datetime | None = None


Observation = (
    TagRead
    | ReaderHeartbeat
    | SyncEnd
    | Incident
    | Panic
    | LightLevel
    | Motion
    | LampState
    | Power
    | LampFault
    | DeviceStatus
    | CameraHeartbeat
    | VideoState
    | CameraStats
    | RecordingState
    | StorageFault
    | Reachable
    | Measurement
    | LinkStatus
)
"""Any observation; `kind` in JSON tells which."""


_FIELDS: dict[str, frozenset[str]] = {
    str(kind.__struct_config__.tag): frozenset({"kind", *kind.__struct_fields__}) for kind in get_args(Observation)
}

decode: Callable[[bytes], Observation] = msgspec.json.Decoder(Observation).decode
"""Decodes the JSON of an observation that has no unknown fields; nothing in it is passed over unchecked."""


def read(body: bytes) -> Observation:
    """The observation in one JSON object, unknown fields passed over.

    Raises:
        ValueError: not JSON, or not an observation (msgspec.MsgspecError); text that is not UTF-8.
        RecursionError: nested too deeply.
    """
    try:
        return decode(body)
    except msgspec.ValidationError:
        value = msgspec.json.decode(body)
        kind = value.get("kind") if isinstance(value, dict) else None
        fields = _FIELDS.get(kind) if isinstance(kind, str) else None
        if fields is None or fields >= value.keys():
            raise
        known: Observation = msgspec.convert({name: value[name] for name in fields & value.keys()}, Observation)
        return known


def spelled_out(observation: Observation) -> dict[str, Any]:
    """The observation as JSON types with every field that has a value, also one equal to its default (`active`: true)."""
    config = observation.__struct_config__
    fields = {name: getattr(observation, name) for name in observation.__struct_fields__}
    return {"kind": config.tag} | {
        name: msgspec.to_builtins(value) for name, value in fields.items() if value is not None and value != ""
    }
