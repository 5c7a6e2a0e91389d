"""The site file's own structure: one pydantic model an entry, as spec/site.md writes it; references are still text.

Unknown keys are errors. Only the shape is checked here; what entries say of each other is checked in `references.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from gateway.instants import DAY, HOUR, MINUTE, SECOND
from gateway.site.durations import parse_clock, parse_days, parse_duration, parse_end, parse_rate, parse_span
from gateway.site.model import Daylight, Severity
from gateway.site.public_holidays import is_calendar
from gateway.site.secrets import is_reference
from gateway.site.tags import parse_tag

_ID = re.compile(r"[\w.\-]{1,64}")
_PLACE_ID = re.compile(r"[\w.\-]{1,64}(/[\w.\-]{1,64}){0,15}")
_CONSOLE_URL = re.compile(
    r"https?://[\w.\-]+(:\d{1,5})?(/[\w.\-~/]*)?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?(/[\w.\-~/]*)?", re.ASCII
)
_LOGIN_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]*@")
_SECRET_KEY = re.compile(r"(^|_)(password|passwd|passphrase|secret|token|psk|scbk)$|_keys?$|^keys$", re.IGNORECASE)

SECRET = "secret"  # noqa: S105  the name of a kind of mistake
"""Kind of a mistake whose value must not be shown."""


def is_secret_key(key: str) -> bool:
    """Whether a key of a device's `link` or `settings` names a secret, by its last word (`password`, `sdm_token` …)."""
    return _SECRET_KEY.search(key) is not None


def _text(parse: Callable[[str], Any], expected: str) -> BeforeValidator:
    """Reads text with `parse`; anything but text is refused with what was expected."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"expected {expected}")  # noqa: TRY004  pydantic takes ValueError
        return parse(value)

    return BeforeValidator(read)


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"expected {expected}")
        return value

    return check


_TOLD = re.compile(r"(duty:)?[\w.\-]{1,64}")
_A_TOLD = "the id of a contact, or whoever is on duty, such as `duty:captain`"
_AN_ID = "an id: up to 64 letters, digits, `.`, `_` and `-`; one of digits alone in quotes"
_A_PLACE_ID = "a place's id: a path of ids such as `tower-1/f03`; one of digits alone in quotes"
_A_DURATION = "a duration such as `90s`, `5m`, `2h` or `1d`"
_A_CLOCK = 'a clock time in quotes such as "22:00"'
_A_SPAN = 'two clock times in quotes such as "22:00-06:00"'
_A_RATE = "so many messages an hour, such as `10/h`"
_A_CONSOLE = "the address of the console as people open it, such as `https://watch.example`"


def _at_least(least: int, text: str) -> AfterValidator:
    def check(value: int) -> int:
        if value < least:
            raise ValueError(f"expected a duration of at least {text}")
        return value

    return AfterValidator(check)


Id = Annotated[str, _text(_matching(_ID, _AN_ID), _AN_ID)]
Told = Annotated[str, _text(_matching(_TOLD, _A_TOLD), _A_TOLD)]
PlaceId = Annotated[str, _text(_matching(_PLACE_ID, _A_PLACE_ID), _A_PLACE_ID)]
Signed = Annotated[int, _text(parse_duration, _A_DURATION)]
Span = Annotated[int, _text(parse_duration, _A_DURATION), _at_least(0, "0s")]
LongSpan = Annotated[int, _text(parse_duration, _A_DURATION), _at_least(SECOND, "1s")]
Step60 = Annotated[int, _text(parse_duration, _A_DURATION), _at_least(MINUTE, "1m")]
Clock = Annotated[time, _text(parse_clock, _A_CLOCK)]
End = Annotated[time, _text(parse_end, _A_CLOCK)]
Tag = Annotated[str, _text(parse_tag, "a tag in quotes")]


def _lasting(value: int) -> int:
    if not 0 < value <= DAY:
        raise ValueError("expected a duration of more than 0s and at most 24h")
    return value


def _days(value: Any) -> frozenset[int]:
    if isinstance(value, list) and value and all(isinstance(day, str) for day in value):
        return frozenset().union(*(parse_days(day) for day in value))
    if isinstance(value, str):
        return parse_days(value)
    raise ValueError("expected weekdays such as `mon-fri` or `[sat, sun]`")


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("expected a date such as 2026-01-31") from None


def _whole_days(value: int) -> int:
    if not 0 < value <= 366 * DAY or value % DAY:
        raise ValueError("expected whole days such as `1d` or `7d`")
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        raise ValueError("expected a time zone of the IANA list such as `Asia/Shanghai`") from None
    return value


def _calendar(value: str) -> str:
    if not is_calendar(value):
        raise ValueError("expected a country such as `CN`, or a country and region such as `DE-BE`")
    return value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _nothing_is_empty(value: Any) -> Any:
    return {} if value is None else value


def _channel(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "":
        raise ValueError("expected a channel: a whole number or a name")
    return value


def _reference(value: Any) -> str:
    if not isinstance(value, str) or not is_reference(value):
        raise PydanticCustomError(SECRET, "expected `env:NAME` or `file:PATH`; a secret never stands in the site file")
    return value


def _scalar_text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise ValueError("expected text or a number")


def _no_literal_secret(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuses secrets in what goes to a driver, by the name of their key or by their place in a URL, at any depth."""
    for key, value in values.items():
        for text, secret in _leaves(value, secret=is_secret_key(key)):
            if secret and not is_reference(text):
                raise PydanticCustomError(
                    SECRET,
                    "`{key}`: expected `env:NAME` or `file:PATH`; a secret never stands in the site file",
                    {"key": key},
                )
            if _LOGIN_IN_URL.search(text):
                raise PydanticCustomError(
                    SECRET,
                    "`{key}`: found a password inside a URL; expected `env:NAME` or `file:PATH` holding the whole URL",
                    {"key": key},
                )
    return values


def _leaves(value: Any, *, secret: bool) -> Iterator[tuple[str, bool]]:
    """All texts and numbers inside a value, and whether a key above them names a secret."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _leaves(inner, secret=secret or is_secret_key(str(key)))
        case list():
            for inner in value:
                yield from _leaves(inner, secret=secret)
        case None | bool():
            return
        case _:
            yield str(value), secret


Secret = Annotated[str, BeforeValidator(_reference)]
Link = Annotated[dict[str, Annotated[str, BeforeValidator(_scalar_text)]], AfterValidator(_no_literal_secret)]
DriverSettings = Annotated[dict[str, Any], AfterValidator(_no_literal_secret)]
Channel = Annotated[int | str, BeforeValidator(_channel)]
Day = Annotated[date, BeforeValidator(_day)]


class Entry(BaseModel):
    """Common to all entries: unknown keys are errors, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False, allow_inf_nan=False)


class SiteEntry(Entry):
    id: Id
    name: str | None = None
    timezone: Annotated[str, AfterValidator(_timezone)]
    language: Literal["zh_CN", "en"] = "zh_CN"
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    holidays: Annotated[str, AfterValidator(_calendar)] | None = None
    jitter_seed: Secret | None = None
    console_url: Annotated[str, AfterValidator(_matching(_CONSOLE_URL, _A_CONSOLE))] | None = None


class PlaceEntry(Entry):
    id: PlaceId
    name: str | None = None
    class_: Literal["key", "normal"] | None = Field(None, alias="class")
    daylight: Daylight | None = None


class PersonEntry(Entry):
    id: Id
    name: str | None = None
    roles: list[str] = []
    tags: list[Tag] = []
    contact: Id | None = None


class ShiftEntry(Entry):
    id: Id
    name: str | None = None
    from_: Clock = Field(alias="from")
    to: End
    days: Annotated[frozenset[int], BeforeValidator(_days)] = frozenset(range(7))
    rotation: Annotated[list[list[Id]], Field(min_length=1, max_length=100)]
    since: Day
    turn: Annotated[int, _text(parse_duration, _A_DURATION), AfterValidator(_whole_days)] = DAY
    captain: Annotated[list[Id], BeforeValidator(_one_or_more)] = []
    exceptions: dict[Day, list[Id]] = {}


class DeviceEntry(Entry):
    id: Id
    driver: str
    kind: str | None = None
    place: PlaceId | None = None
    portable: bool | None = None
    enabled: bool = True
    link: Link = {}
    settings: DriverSettings = {}
    channel: Channel | None = None
    device_id: str | None = None
    behind: Id | None = None
    network: Id | None = None
    power: Id | None = None
    expect_every: LongSpan | None = None
    assume_alive: bool = True


class ParentEntry(Entry):
    name: str | None = None
    behind: Id | None = None
    network: Id | None = None
    power: Id | None = None


class MaxGapEntry(Entry):
    within: Annotated[tuple[time, time], _text(parse_span, 'two clock times in quotes such as "22:00-06:00"')]
    at_most: LongSpan


class CheckpointEntry(Entry):
    id: Id
    place: PlaceId
    reader: Id | None = None
    tags: list[Tag] = []
    max_gap: MaxGapEntry | None = None
    two_person: bool = False
    two_person_within: Span = 2 * MINUTE
    min_leg: dict[str, Span] = {}


class VisitEntry(Entry):
    checkpoint: Id
    after: Span | None = None
    optional: bool = False


class RouteEntry(Entry):
    id: Id
    name: str | None = None
    order: Literal["any", "listed"] = "any"
    visits: list[VisitEntry]
    tolerance: Span = 5 * MINUTE
    band: Span = 5 * MINUTE
    guards: list[Id] = []
    accept_others: bool = True
    readers: list[Id] | None = None
    evidence_deadline: Span | None = None
    dst_gap: Literal["shift_forward", "skip"] = "shift_forward"
    dst_overlap: Literal["first", "both"] = "first"


def _whole_minutes(value: int) -> int:
    if value % MINUTE:
        raise ValueError("expected whole minutes such as `10m`")
    return value


class ValidEntry(Entry):
    since: Day | None = None
    until: Day | None = None


class RoundEntry(Entry):
    route: Id
    days: Annotated[frozenset[int], BeforeValidator(_days)] = frozenset(range(7))
    from_: Clock | None = Field(None, alias="from")
    to: End | None = None
    every: Step60 | None = None
    starts: Annotated[list[Clock], Field(min_length=1, max_length=96)] | None = None
    lasts: Annotated[int, _text(parse_duration, _A_DURATION), AfterValidator(_lasting)]
    holidays: Literal["also", "only", "never"] = "also"
    valid: ValidEntry = ValidEntry()
    jitter: Annotated[int, _text(parse_duration, _A_DURATION), _at_least(0, "0s"), AfterValidator(_whole_minutes)] = 0


class CircuitEntry(Entry):
    id: Id
    name: str | None = None
    panel: Id | None = None


class ExpectedEntry(Entry):
    mode: Literal["dusk_to_dawn", "times", "always", "motion", "commanded"]
    offset: Signed | None = None
    on: Clock | None = None
    off: End | None = None
    hold: LongSpan | None = None


class LitEntry(Entry):
    lux: Annotated[float, Field(gt=0)] = 20.0
    watts: Annotated[float, Field(gt=0)] = 5.0


class LampEntry(Entry):
    id: Id
    place: PlaceId
    circuit: Id | None = None
    seen_by: Annotated[list[Id], BeforeValidator(_one_or_more)] = []
    fed_by: str | None = None
    expected: ExpectedEntry
    lit: LitEntry = LitEntry()
    confirm: Span = 10 * MINUTE
    edge: Span = 20 * MINUTE


class ZoneEntry(Entry):
    id: Id
    place: PlaceId
    cameras: list[Id]
    need: Annotated[int, Field(ge=1)] = 1


def _spot(value: Any) -> tuple[float, float]:
    if isinstance(value, list) and len(value) == 2 and all(type(part) in {int, float} for part in value):
        return float(value[0]), float(value[1])
    raise ValueError(f"expected {_A_SPOT}")


def _outline(value: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list) or not 3 <= len(value) <= 200:
        raise ValueError("expected 3 to 200 corners such as `[[40, 40], [480, 40], [480, 360]]`")
    return tuple(_spot(corner) for corner in value)


_A_SPOT = "two numbers in the image's coordinates, such as `[120, 80]`"
Spot = Annotated[tuple[float, float], BeforeValidator(_spot)]
Outline = Annotated[tuple[tuple[float, float], ...], BeforeValidator(_outline)]


class ShapeEntry(Entry):
    """What is where on a plan: one of `place`, `checkpoint`, `lamp`, `camera`."""

    place: PlaceId | None = None
    checkpoint: Id | None = None
    lamp: Id | None = None
    camera: Id | None = None
    at: Spot | None = None
    polygon: Outline | None = None


class PlanEntry(Entry):
    """A floor's plan. `image` is named from the site file's folder."""

    place: PlaceId
    image: str
    shapes: list[ShapeEntry] = []


OFF = "off"
_COMPENSATION = "`off`, or a mapping such as `{max_gap: 30m}`"


def _limit_or_off(value: Any) -> Any:
    if value == OFF:
        return None
    if isinstance(value, str) and (limit := parse_duration(value)) >= MINUTE:
        return limit
    raise ValueError("expected `off`, or a duration of at least 1m")


class CompensationEntry(Entry):
    """How often a place that turned blind or dark is to be walked. `compensation: off` is `{max_gap: off}`."""

    max_gap: Annotated[int | None, BeforeValidator(_limit_or_off)] = 30 * MINUTE


class DutyCheckEntry(Entry):
    id: Id
    checkers: Annotated[list[Id], BeforeValidator(_one_or_more), Field(min_length=1, max_length=32)]
    posts: Annotated[list[Id], BeforeValidator(_one_or_more), Field(min_length=1, max_length=64)]
    per_week: Annotated[int, Field(ge=1, le=7)] = 1
    window: Annotated[tuple[time, time], _text(parse_span, 'two clock times in quotes such as "22:00-06:00"')] = (
        time(22),
        time(6),
    )
    told: Span = 10 * MINUTE
    checker_within: Step60 = 30 * MINUTE
    guard_within: Step60 = 5 * MINUTE
    apart: Span = 6 * HOUR
    findings: Annotated[dict[Id, str], Field(max_length=64)] = {}


Points = Annotated[float, Field(gt=0, le=100)]


class ScoreItemEntry(Entry):
    id: Id
    name: str | None = None
    weight: Points
    deduct: Annotated[dict[Id, Points], Field(max_length=64)] = {}
    target: Points | None = None


class ScoresEntry(Entry):
    daily: Annotated[int, Field(ge=0, le=100)] = 60
    year_end: Annotated[int, Field(ge=0, le=100)] = 40
    pass_mark: Annotated[int, Field(ge=0, le=100)] = 60
    items: Annotated[list[ScoreItemEntry], Field(max_length=64)] = []
    year_end_items: Annotated[list[ScoreItemEntry], Field(max_length=64)] = []


class StepEntry(Entry):
    after: Span
    notify: list[Told]


class WebhookEntry(Entry):
    url: Secret
    secret: Secret
    second_secret: Secret | None = None


class ContactEntry(Entry):
    console: bool = False
    url: Secret | None = None
    webhook: WebhookEntry | None = None
    language: Literal["zh_CN", "en"] | None = None
    quiet: Annotated[tuple[time, time], _text(parse_span, _A_SPAN)] | None = None
    at_most: Annotated[int, _text(parse_rate, _A_RATE)] | None = None


class RuleEntry(Entry):
    severity: Severity | None = None
    policy: Id | None = None
    work_order: Literal["emergency", "ordinary", "none"] | None = None


class AlertsEntry(Entry):
    policies: dict[str, Annotated[list[StepEntry], Field(min_length=1)]] = {}
    contacts: dict[str, ContactEntry] = {}
    rules: dict[str, RuleEntry] = {}


class EmergencyEntry(Entry):
    arrive_within: LongSpan = 30 * MINUTE


class OrdinaryEntry(Entry):
    repair_within: LongSpan = 24 * HOUR


class WorkOrdersEntry(Entry):
    emergency: EmergencyEntry = EmergencyEntry()
    ordinary: OrdinaryEntry = OrdinaryEntry()
    rework_within: LongSpan = 7 * DAY
    follow_up_after: LongSpan = DAY
    contradicted_after: LongSpan = 30 * MINUTE
    tap_tolerance: Span = 10 * MINUTE


class ReportsEntry(Entry):
    """Who is told of each kind of report when it is made."""

    shift: list[Id] = []
    day: list[Id] = []
    week: list[Id] = []
    month: list[Id] = []


class InfluxEntry(Entry):
    url: str
    org: str
    bucket: str
    token: Secret


class TelemetryEntry(Entry):
    influxdb: InfluxEntry | None = None


def _telemetry(value: Any) -> Any:
    if value == "local":
        return {}
    if isinstance(value, Mapping) and value:
        return value
    raise ValueError("expected `local` or `{influxdb: {url: …, org: …, bucket: …, token: env:NAME}}`")


EVIDENCE_AT_LEAST = 90 * DAY
"""Property-patrol practice (DB11/T 2552) keeps patrol and alarm records at least 90 days (site.md)."""


def _kept_long_enough(value: int) -> int:
    if value < EVIDENCE_AT_LEAST:
        raise ValueError("expected at least 90d: patrol and alarm records are kept that long (DB11/T 2552)")
    return value


class RetainEntry(Entry):
    telemetry: LongSpan = 30 * DAY
    evidence: Annotated[int, _text(parse_duration, _A_DURATION), AfterValidator(_kept_long_enough)] = 365 * DAY


class StorageEntry(Entry):
    telemetry: Annotated[TelemetryEntry, BeforeValidator(_telemetry)] = TelemetryEntry()
    retain: RetainEntry = RetainEntry()


class ChainEntry(Entry):
    """When the journal's chain is signed, where its checkpoints are written down, where the key is. Paths: from the data folder on."""

    at: Annotated[list[Clock] | None, Field(min_length=1, max_length=96)] = None
    to: Annotated[str, Field(min_length=1)] | None = None
    key: Annotated[str, Field(min_length=1)] | None = None
    signer: Annotated[str, Field(min_length=1)] | None = None


_TOPIC = re.compile(r"[^+#\x00$][^+#\x00]{0,199}")
_A_TOPIC = "a topic without `+` and `#`, such as `site/watchdog`"


def _ping_every(value: int) -> int:
    if not 10 * SECOND <= value <= HOUR:
        raise ValueError("expected a duration from 10s to 1h")
    return value


class WatchdogEntry(Entry):
    """Where the gateway says that it lives, for whoever is to notice when it does not."""

    url: Secret | None = None
    topic: Annotated[str, _text(_matching(_TOPIC, _A_TOPIC), _A_TOPIC)] | None = None
    every: Annotated[int, _text(parse_duration, _A_DURATION), AfterValidator(_ping_every)] = MINUTE


class TlsEntry(Entry):
    """PEM files: of the authorities to trust (none: the system's), and of the gateway's own certificate and key."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def _tls(value: Any) -> Any:
    return {} if value is True else None if value is False else value


class MqttEntry(Entry):
    broker: Literal["embedded"] | None = None
    host: Annotated[str, Field(min_length=1)] | None = None
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    session: Literal["mqtt5", "paho"] | None = None
    client_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    username: str | None = None
    password: Secret | None = None
    tls: Annotated[TlsEntry | None, BeforeValidator(_tls)] = None


_SIP_ID = re.compile(r"[0-9]{20}")
_A_SIP_ID = '20 digits in quotes, such as "34020000002000000001"'
Port = Annotated[int, Field(ge=0, le=65535)]


class SipServiceEntry(Entry):
    """Where devices of `gb28181` register: SIP over UDP and TCP. `realm`: the first ten digits of `id` unless given."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104  devices on the site's network call it
    port: Port = 5060
    id: Annotated[str, _text(_matching(_SIP_ID, _A_SIP_ID), _A_SIP_ID)] = "34020000002000000001"
    realm: Annotated[str, Field(min_length=1, max_length=64, pattern=r'^[^"\\\s]+$')] | None = None
    password: Secret | None = None


class WebServiceEntry(Entry):
    """Where devices of `gat1400` register: HTTP. `username`: the only one accepted; None: any with the password."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104  likewise
    port: Port = 8181
    username: str | None = None
    password: Secret | None = None


class ServicesEntry(Entry):
    """What devices call that are not asked, by driver."""

    gb28181: SipServiceEntry = SipServiceEntry()
    gat1400: WebServiceEntry = WebServiceEntry()


LISTS: Mapping[str, type[Entry]] = {
    "places": PlaceEntry,
    "people": PersonEntry,
    "devices": DeviceEntry,
    "checkpoints": CheckpointEntry,
    "routes": RouteEntry,
    "rounds": RoundEntry,
    "circuits": CircuitEntry,
    "lamps": LampEntry,
    "zones": ZoneEntry,
    "shifts": ShiftEntry,
    "duty_checks": DutyCheckEntry,
    "plans": PlanEntry,
}
"""Sections that are lists of entries."""

MAPPINGS: Mapping[str, type[Entry]] = {"parents": ParentEntry}
"""Sections that are mappings from an id to an entry."""

SINGLES: Mapping[str, type[Entry]] = {
    "site": SiteEntry,
    "compensation": CompensationEntry,
    "alerts": AlertsEntry,
    "work_orders": WorkOrdersEntry,
    "scores": ScoresEntry,
    "reports": ReportsEntry,
    "storage": StorageEntry,
    "chain": ChainEntry,
    "watchdog": WatchdogEntry,
    "mqtt": MqttEntry,
    "services": ServicesEntry,
}
"""Sections that are one entry."""

VALUES: Mapping[str, str] = {"hold": _A_DURATION}
"""Sections that are one duration."""

SECTIONS: tuple[str, ...] = (*SINGLES, *LISTS, *MAPPINGS, *VALUES)

EXPECTED: Mapping[str, str] = {
    "after": _A_DURATION,
    "at_most": _A_DURATION,
    "bucket": "the name of an InfluxDB bucket",
    "cameras": "a list of ids of cameras",
    "checkers": "ids of people who check",
    "checkpoint": "the id of a checkpoint",
    "compensation": _COMPENSATION,
    "driver": "the name of a driver (`lamplighter drivers` lists them)",
    "expected": "when the lamp should burn, such as `{mode: dusk_to_dawn}`",
    "id": _AN_ID,
    "image": "the plan's file, .svg or .png, such as `plans/f03.svg`",
    "lasts": _A_DURATION,
    "link": "where it is heard, such as `{serial: /dev/ttyUSB0}` or `{mqtt: zigbee2mqtt/NAME}`",
    "mode": "dusk_to_dawn, times, always, motion or commanded",
    "notify": "a list of ids of contacts",
    "rotation": "groups of people in turn, such as `[[g-wang, c-li], [g-zhao]]`",
    "since": "a date such as 2026-01-31",
    "org": "the name of an InfluxDB organisation",
    "place": "the id of a place",
    "posts": "ids of checkpoints",
    "gat1400": "a mapping such as `{port: 8181, password: env:VIID_PASSWORD}`",
    "gb28181": "a mapping such as `{port: 5060, password: env:SIP_PASSWORD}`",
    "route": "the id of a route",
    "shapes": "a list such as `[{lamp: lamp-1, at: [120, 80]}]`",
    "tags": 'a list such as `["0008075634"]`',
    "timezone": "a time zone of the IANA list such as `Asia/Shanghai`",
    "token": "`env:NAME` or `file:PATH`",
    "url": "a URL",
    "weight": "points, such as `20`",
    "visits": "a list such as `[{checkpoint: cp-garage, after: 5m}]`",
    "within": 'two clock times in quotes such as "22:00-06:00"',
}
"""What a missing key should have held."""
