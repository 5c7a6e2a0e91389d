"""What a mapping may give: observation kinds, their fields, and the units that devices count them in. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from device_drivers import observations as seen

Sort = Literal["number", "flag", "text", "tag", "count", "status"]


class Field(NamedTuple):
    """A field that a value of the device becomes.

    Args:
        sort: what the value must be.
        units: for numbers, the units a device may count in, and the factor to the field's own.
        least / most: for numbers, what is beyond is set to it (a level of 254/253).
        below_none: for numbers, what is below 0 is a failed reading and no value.
    """

    sort: Sort
    units: Mapping[str, float] = {}
    least: float | None = None
    most: float | None = None
    below_none: bool = False


class Kind(NamedTuple):
    """An observation kind.

    Args:
        make: its type.
        main: the field meant where only the kind is named.
        fields: those that a device's values become.
        fixed: those that the mapping states itself; a tuple lists the words allowed, `str` text, `float` a number above 0.
        needs: the fields without which there is no observation.
        event: it happens once; retained, it is old news (protocols R2).
    """

    make: type[Any]
    main: str
    fields: Mapping[str, Field]
    fixed: Mapping[str, type[Any] | tuple[str, ...]] = {}
    needs: tuple[str, ...] = ()
    event: bool = False


_FLAG = Field("flag")
_TEXT = Field("text")

KINDS: Mapping[str, Kind] = {
    "tag_read": Kind(
        seen.TagRead,
        "tag",
        {"tag": Field("tag"), "person": _TEXT, "counter": Field("count")},
        {"method": ("rfid", "nfc", "sun", "qr", "wand", "manual")},
        ("tag",),
        event=True,
    ),
    "reader_heartbeat": Kind(
        seen.ReaderHeartbeat, "battery", {"battery": Field("number", {"%": 1, "1": 100})}, needs=("battery",)
    ),
    "incident": Kind(seen.Incident, "text", {"text": _TEXT, "code": _TEXT}, {"code": str}, event=True),
    "panic": Kind(seen.Panic, "active", {"active": _FLAG}, needs=("active",), event=True),
    "light_level": Kind(
        seen.LightLevel, "lux", {"lux": Field("number", {"lx": 1, "klx": 1000}, below_none=True)}, needs=("lux",)
    ),
    "motion": Kind(seen.Motion, "active", {"active": _FLAG}, needs=("active",), event=True),
    "lamp_state": Kind(
        seen.LampState,
        "on",
        {"on": _FLAG, "level": Field("number", {"1": 1, "%": 0.01}, 0, 1), "commanded": _FLAG},
        {"lamp": str},
    ),
    "lamp_fault": Kind(
        seen.LampFault,
        "active",
        {"active": _FLAG},
        {"fault": str, "lamp": str, "expires_s": float},
        ("active", "fault"),
    ),
    "power": Kind(
        seen.Power,
        "watts",
        {
            "watts": Field("number", {"W": 1, "kW": 1000, "mW": 0.001}),
            "volts": Field("number", {"V": 1, "mV": 0.001, "kV": 1000}),
            "amps": Field("number", {"A": 1, "mA": 0.001}),
            "power_factor": Field("number", {"1": 1, "%": 0.01}),
            "energy_wh": Field("number", {"W.h": 1, "Wh": 1, "kW.h": 1000, "kWh": 1000, "MWh": 1e6, "W.min": 1 / 60}),
        },
        {"channel": object},
    ),
    "device_status": Kind(
        seen.DeviceStatus, "online", {"online": _FLAG}, {"reason": str, "channel": object}, ("online",)
    ),
    "camera_heartbeat": Kind(
        seen.CameraHeartbeat, "status", {"status": Field("status")}, {"channel": object}, ("status",)
    ),
    "video_state": Kind(
        seen.VideoState,
        "active",
        {"active": _FLAG},
        {
            "state": ("ok", "loss", "blind", "frozen", "moved", "defocused"),
            "channel": object,
            "expires_s": float,
        },
        ("active", "state"),
    ),
    "camera_stats": Kind(
        seen.CameraStats,
        "fps",
        {"fps": Field("number", {"1/s": 1}, 0), "expected_fps": Field("number", {"1/s": 1}, 0)},
        {"channel": object},
        ("fps",),
    ),
    "recording_state": Kind(
        seen.RecordingState, "recording", {"recording": _FLAG}, {"channel": object}, ("recording",)
    ),
    "storage_fault": Kind(
        seen.StorageFault,
        "active",
        {"active": _FLAG},
        {"what": ("disk_full", "disk_error", "raid"), "channel": object},
        ("active", "what"),
    ),
    "reachable": Kind(
        seen.Reachable, "ok", {"ok": _FLAG}, {"level": ("network", "service"), "channel": object}, ("ok",)
    ),
    "measurement": Kind(
        seen.Measurement,
        "value",
        {"value": Field("number")},
        {"quantity": str, "unit": str, "channel": object},
        ("value",),
    ),
}
"""By the name in `to`. `object` among the fixed ones is a channel: a number or a text."""

FLAGS: Mapping[str, bool] = {
    "true": True,
    "false": False,
    "1": True,
    "0": False,
    "on": True,
    "off": False,
    "ON": True,
    "OFF": False,
    "On": True,
    "Off": False,
    "True": True,
    "False": False,
}
"""What a flag may look like unless `values` says it; other words (OPEN, yes) mean different things to different devices."""
