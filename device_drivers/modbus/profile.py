"""What a profile file says: one device model's registers, and what each of them means.

The fields of these structures are the keys of the files in `profiles/`; README.md explains them to who adds a device.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from device_drivers.driver import DeviceKind

FOLDER = Path(__file__).parent / "profiles"

Gives = Literal[
    "lux", "volts", "amps", "watts", "power_factor", "energy_wh", "lamp", "motion", "measurement", "trouble"
]
"""What a value becomes. `lamp`: whether a lamp is on; `trouble`: bits that say the read's other values are no good."""

KIND_GIVEN: dict[Gives, str | None] = {
    "lux": "light_level",
    "volts": "power",
    "amps": "power",
    "watts": "power",
    "power_factor": "power",
    "energy_wh": "power",
    "lamp": "lamp_state",
    "motion": "motion",
    "measurement": "measurement",
    "trouble": None,
}
"""The observation's kind."""

SANE: dict[Gives, tuple[float, float]] = {
    "lux": (0, 250_000),
    "volts": (0, 1_000_000),
    "amps": (-100_000, 100_000),
    "watts": (-1e9, 1e9),
    "power_factor": (-1, 1),
    "energy_wh": (0, 1e15),
}
"""What is believed of a value; beyond it the profile is wrong (word order, scale), not the world. Full sun is 130,000 lux."""

WORDS: dict[str, int] = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "u64": 4, "s64": 4, "float32": 2, "float64": 4}
"""Registers that a value of each type takes."""

MOST = {1: 2000, 2: 2000, 3: 125, 4: 125}
"""Coils or registers that one read of each function may ask for (Modbus Application Protocol V1.1b3 §6.1-6.4)."""

Register = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class ProfileError(ValueError):
    """A profile that cannot be used; its text says which key, and what would do."""


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value inside a read.

    Args:
        register: its first register (or coil), as in the request: counted from 0.
        type: how its registers are read; of a coil it does not matter.
        words: which register of several comes first.
        scale: what the raw number is multiplied by; `energy_wh` of a meter that counts kWh has 1000.
        gives: what it becomes.
        quantity: of a measurement, its name.
        unit: of a measurement, in UCUM.
        channel: of a meter with several phases, or a relay board: its number as printed on the device.
        repeat: so many values of this form follow each other, channel counting up.
        mask: only these bits count: 1 if any is set, else 0.
        nothing: raw numbers that mean "no value".
        least, most: beyond these it is not believed.
    """

    register: Register
    gives: Gives
    type: Literal["u16", "s16", "u32", "s32", "u64", "s64", "float32", "float64"] = "u16"
    words: Literal["high_first", "low_first"] = "high_first"
    scale: float = 1
    quantity: str = ""
    unit: str = "1"
    channel: int | str | None = None
    repeat: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    mask: int | None = None
    nothing: tuple[int, ...] = ()
    least: float | None = None
    most: float | None = None


class Read(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request, and what stands in its reply.

    Args:
        function: 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers.
        register, count: what is asked for; without them, what the values need.
        poll: False: never asked, only understood when another master has asked (`decode`).
    """

    values: tuple[Value, ...]
    function: Literal[1, 2, 3, 4] = 3
    register: Register | None = None
    count: int | None = None
    poll: bool = True


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device model, or several with the same registers.

    Args:
        vendor, models: as printed on the devices.
        driver: the driver under which they are listed.
        kind: what they are.
        source: where the numbers are from.
        note: what whoever installs it should know: the line's settings as delivered, for example.
        address: the address as delivered.
        every_s: how often it is asked.
        reads: what is asked.
    """

    vendor: str
    models: tuple[str, ...]
    driver: Literal["modbus_rtu", "modbus_tcp", "modbus_lux", "modbus_relay", "modbus_eastron_sdm", "modbus_pzem004t"]
    kind: DeviceKind
    reads: tuple[Read, ...]
    source: str
    note: str = ""
    address: Annotated[int, msgspec.Meta(ge=1, le=255)] = 1
    every_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The kinds of observation it gives."""
        kinds = [KIND_GIVEN[value.gives] for read in self.reads for value in read.values]
        return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))


def span(read: Read) -> tuple[int, int]:
    """First register and count of a read."""
    first = min(value.register for value in read.values) if read.register is None else read.register
    end = max(value.register + width(read, value) * value.repeat for value in read.values)
    return first, end - first if read.count is None else read.count


def width(read: Read, value: Value) -> int:
    """Registers (or coils) that one value takes."""
    return 1 if read.function <= 2 else WORDS[value.type]


def singles(read: Read) -> list[Value]:
    """The values of a read one by one: what repeats, spelled out."""
    found = []
    for value in read.values:
        for number in range(value.repeat):
            channel = value.channel
            if isinstance(channel, int):
                channel += number
            elif value.repeat > 1:
                channel = f"{channel or ''}{number + 1}"
            register = value.register + number * width(read, value)
            found.append(msgspec.structs.replace(value, register=register, channel=channel, repeat=1))
    return found


def part(profile: Profile, function: int, register: int, count: int) -> Read | None:
    """What a request that the profile does not make would bring of its values; None: nothing."""
    values = tuple(
        value
        for read in profile.reads
        if read.function == function and read.poll
        for value in singles(read)
        if register <= value.register and value.register + width(read, value) <= register + count
    )
    return Read(function=function, register=register, count=count, values=values) if values else None  # type: ignore[arg-type]


def coil_channels(profile: Profile) -> dict[int, int | str]:
    """The channel that each coil switches, of a relay board."""
    return {
        value.register: value.channel
        for read in profile.reads
        if read.function == 1
        for value in singles(read)
        if value.gives == "lamp" and value.channel is not None
    }


def is_named_by_length(profile: Profile, read: Read) -> bool:
    """Whether a reply as long as this read's can be nothing else that this profile's device is asked for: no other read,
    and no other run of its registers.
    """
    count = span(read)[1]
    reads = [other for other in profile.reads if other.function == read.function]
    if read.function <= 2:
        return sum((span(other)[1] + 7) // 8 == (count + 7) // 8 for other in reads) == 1
    runs = set()
    for other in reads:
        edges = [(value.register, value.register + width(other, value)) for value in singles(other)]
        runs |= {(first, end) for first, _ in edges for _, end in edges if end - first == count}
        if span(other)[1] == count:
            runs.add((span(other)[0], span(other)[0] + count))
    return len(runs) == 1


def understand(record: Any) -> Profile:
    """The profile that a mapping describes.

    Raises:
        ProfileError: it is none.
    """
    try:
        profile = msgspec.convert(record, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(str(error)) from None
    if not profile.reads or not profile.models:
        raise ProfileError("`reads` and `models` name at least one each")
    for read in profile.reads:
        _check(read)
    return profile


def _check(read: Read) -> None:
    if not read.values:
        raise ProfileError("a read without `values`")
    first, count = span(read)
    if not 1 <= count <= MOST[read.function] or first + count > 65_536:
        raise ProfileError(f"a read of {count} from {first}: one may ask for 1 to {MOST[read.function]}")
    for value in read.values:
        if value.register < first or value.register + width(read, value) * value.repeat > first + count:
            raise ProfileError(f"register {value.register} lies outside its read of {count} from {first}")
        if value.gives == "measurement" and not value.quantity:
            raise ProfileError(f"register {value.register}: a measurement has a `quantity`")
        if value.gives == "trouble" and value.mask is None:
            raise ProfileError(f"register {value.register}: `trouble` has a `mask`")
        if value.mask is not None and value.type.startswith("float"):
            raise ProfileError(f"register {value.register}: a float has no bits for a `mask`")


@cache
def shipped() -> dict[str, Profile]:
    """The profiles of the folder, by the names of their files.

    Raises:
        ProfileError: a file is none; the text names it.
    """
    profiles = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        try:
            profiles[path.stem] = understand(msgspec.yaml.decode(path.read_bytes()))
        except (ProfileError, msgspec.DecodeError) as error:
            raise ProfileError(f"{path.name}: {error}") from None
    return profiles
