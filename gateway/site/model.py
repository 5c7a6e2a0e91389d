"""The checked, immutable model of one site: what the loader gives and every other room reads.

All references have been resolved and checked by the loader; durations are microseconds; tags are upper-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.instants import HOUR, MINUTE, SECOND, Duration, Instant

Daylight = Literal["indoor", "window", "outdoor"]
Severity = Literal["critical", "major", "minor", "warning"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the place tree. `daylight` and `key` are already inherited from the parents."""

    id: str
    name: str
    key: bool = False
    daylight: Daylight = "indoor"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    contact: str | None = None
    """The contact at which this person is told what concerns whoever is on duty."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that speaks. `kind` is from the site file or the driver's record.

    `expect_every` is None where silence proves nothing (no key in the file, none in the driver's record); cameras and
    fixed readers have 60 s unless told otherwise. `own_clock`, `transmits_only` and `sends_seq` come from the driver.
    `external_broker`: it speaks over an external MQTT broker at QoS 1, whose session keeps what is sent meanwhile.
    """

    id: str
    driver: str
    kind: str
    place: str | None = None
    portable: bool = False
    enabled: bool = True
    link: Mapping[str, str] = {}
    settings: Mapping[str, Any] = {}
    channel: int | str | None = None
    device_id: str | None = None
    behind: str | None = None
    network: str | None = None
    power: str | None = None
    expect_every: Duration | None = None
    assume_alive: bool = True
    own_clock: bool = True
    transmits_only: bool = False
    sends_seq: bool = False
    external_broker: bool = False

    @property
    def parents(self) -> tuple[str, ...]:
        """Direct parents in the order in which one must be named: behind, network, power."""
        return tuple(parent for parent in (self.behind, self.network, self.power) if parent)


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that cannot speak (panel, switch, riser) and what feeds it."""

    id: str
    name: str = ""
    behind: str | None = None
    network: str | None = None
    power: str | None = None

    @property
    def called(self) -> str:
        return self.name or self.id

    @property
    def parents(self) -> tuple[str, ...]:
        return tuple(parent for parent in (self.behind, self.network, self.power) if parent)


class MaxGap(msgspec.Struct, frozen=True, kw_only=True):
    """The longest time a checkpoint may go without a tap inside a daily window; `until` not later than `since`: next day."""

    since: time
    until: time
    at_most: Duration


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place a guard must prove. A fixed `reader` reads people's tags, wall `tags` are read by portables; one or both."""

    id: str
    place: str
    reader: str | None = None
    tags: tuple[str, ...] = ()
    max_gap: MaxGap | None = None
    two_person: bool = False
    two_person_within: Duration = 2 * MINUTE
    min_leg: Mapping[str, Duration] = {}
    """Least honest walking time from other checkpoints; the loader has made it symmetric."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One stop of a route. `after` None: due any time in the round's window."""

    checkpoint: str
    after: Duration | None = None
    optional: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str = ""
    visits: tuple[Visit, ...]
    order: Literal["any", "listed"] = "any"
    tolerance: Duration = 5 * MINUTE
    band: Duration = 5 * MINUTE
    guards: tuple[str, ...] = ()
    accept_others: bool = True
    readers: tuple[str, ...] = ()
    evidence_deadline: Duration | None = None
    """None: 30 min, 24 h for a visit whose checkpoint has wall tags."""
    dst_gap: Literal["shift_forward", "skip"] = "shift_forward"
    dst_overlap: Literal["first", "both"] = "first"


class RoundRule(msgspec.Struct, frozen=True, kw_only=True):
    """One `rounds` entry: either a shift (`since`, `until`, `every`) or clock times (`starts`).

    `days`: weekdays 0 (Monday) … 6. `valid_since` and `valid_until` bound the date, both inclusive. `jitter`: starts are
    put off by up to so much, in whole minutes, each by another span that only `Site.jitter_seed` tells; 0: by nothing.
    """

    route: str
    days: frozenset[int]
    lasts: Duration
    since: time | None = None
    until: time | None = None
    every: Duration | None = None
    starts: tuple[time, ...] = ()
    holidays: Literal["also", "only", "never"] = "also"
    valid_since: date | None = None
    valid_until: date | None = None
    jitter: Duration = 0
    line: int = 0
    """Line in the site file, for messages."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """When a lamp should burn."""

    mode: Literal["dusk_to_dawn", "times", "always", "motion", "commanded"]
    offset: Duration = 0
    on: time | None = None
    off: time | None = None
    hold: Duration = 60 * SECOND


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    """`fed_by` is (device, channel or None). A lamp may be a device itself (same id) that reports its own state."""

    id: str
    place: str
    circuit: str | None = None
    seen_by: tuple[str, ...] = ()
    fed_by: tuple[str, int | str | None] | None = None
    expected: Expected
    lit_lux: float = 20.0
    lit_watts: float = 5.0
    confirm: Duration = 10 * MINUTE
    edge: Duration = 20 * MINUTE


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str = ""
    panel: str | None = None

    @property
    def called(self) -> str:
        return self.name or self.id


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    place: str
    cameras: tuple[str, ...]
    need: int = 1


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What is where on a plan: one point, or the corners of a place's outline, in the image's coordinates."""

    kind: Literal["place", "checkpoint", "lamp", "camera"]
    id: str
    points: tuple[tuple[float, float], ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A floor's plan. `image`: the file's path; its coordinates begin at (`left`, `top`) and are `width` and `height` long."""

    place: str
    image: str
    media_type: str
    left: float
    top: float
    width: float
    height: float
    shapes: tuple[Shape, ...] = ()


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the duty calendar: when it runs, and who is on it by turns (`gateway.site.shifts` says who at an instant).

    `name`: as people call it; empty: by its id. `until` not later than `since`: it ends the next day. `rotation`: groups of people, in turn from `first` on, each for `turn_days`
    calendar days. `captains`: who leads it when on it. `exceptions`: by the date on which it begins, who is on it instead.
    """

    id: str
    name: str = ""
    since: time
    until: time
    rotation: tuple[tuple[str, ...], ...]
    first: date
    turn_days: int = 1
    days: frozenset[int] = frozenset(range(7))
    captains: tuple[str, ...] = ()
    exceptions: Mapping[date, tuple[str, ...]] = {}


class DutyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How often posts are checked at random moments, and by whom (alerts.md, Duty checks).

    The window begins each day at `since`; `until` not later than it is the next day's. A checker is told `told` before the moment, and may
    come until `checker_within` after it; the guard answers within `guard_within` of him. `apart`: least time between two checks of a week.
    `findings`: what may be found besides `gateway.duty_checks.check.FINDINGS`, by code.
    """

    id: str
    checkers: tuple[str, ...]
    posts: tuple[str, ...]
    per_week: int = 1
    since: time = time(22)
    until: time = time(6)
    told: Duration = 10 * MINUTE
    checker_within: Duration = 30 * MINUTE
    guard_within: Duration = 5 * MINUTE
    apart: Duration = 6 * HOUR
    findings: Mapping[str, str] = {}


class ScoreItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of an assessment; points in thousandths.

    `weight`: what it holds and at most loses. `points`: what each kind of deduction costs (`gateway.scores.table`). `target`: thousandths of a
    percent, of items that are measured against a rate.
    """

    id: str
    name: str
    weight: int
    points: Mapping[str, int] = {}
    target: int | None = None


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How the property is assessed: shares of the daily inspections and the year-end assessment in percent; empty tables: the usual ones."""

    daily: int = 60
    year_end: int = 40
    pass_mark: int = 60
    items: tuple[ScoreItem, ...] = ()
    year_end_items: tuple[ScoreItem, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One escalation step: `after` from the alert's opening, contacts to tell; `duty:ROLE`: those of the people on duty then."""

    after: Duration
    notify: tuple[str, ...]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where signed JSON is posted to; all three are read from their secrets, never logged, never shown.

    `second_secret`: while the receiver changes from one secret to the other, messages are signed with both.
    """

    url: str
    secret: str
    second_secret: str | None = None


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is an Apprise URL already read from its secret (env:NAME, file:PATH); never logged, never shown.

    `language` None: the site's. `quiet`: between these clock times notices of minor and warning alerts wait. `at_most`: so many
    messages an hour but for critical ones.
    """

    id: str
    console: bool = False
    url: str | None = None
    webhook: Webhook | None = None
    language: Literal["zh_CN", "en"] | None = None
    quiet: tuple[time, time] | None = None
    at_most: int | None = None


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the site says of one rule; None: the catalogue's default."""

    severity: Severity | None = None
    policy: str | None = None
    work_order: Literal["emergency", "ordinary", "none"] | None = None


class Alerting(msgspec.Struct, frozen=True, kw_only=True):
    policies: Mapping[str, tuple[Step, ...]] = {}
    contacts: Mapping[str, Contact] = {}
    rules: Mapping[str, AlertRule] = {}


class WorkOrders(msgspec.Struct, frozen=True, kw_only=True):
    """`follow_up_after`: a resident is asked so long after the repair. `contradicted_after`: a stated repair whose sensor still
    reports the fault so long after it is shown as contradicted. `tap_tolerance`: a tap proves an arrival said to have been up to
    so long before it.
    """

    emergency_arrive_within: Duration = 30 * MINUTE
    ordinary_repair_within: Duration = 24 * HOUR
    rework_within: Duration = 7 * 24 * HOUR
    follow_up_after: Duration = 24 * HOUR
    contradicted_after: Duration = 30 * MINUTE
    tap_tolerance: Duration = 10 * MINUTE


class Influx(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    org: str
    bucket: str
    token: str


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """`influx` None: the local store. Retention in microseconds; evidence at least 90 days."""

    influx: Influx | None = None
    retain_telemetry: Duration = 30 * 24 * HOUR
    retain_evidence: Duration = 365 * 24 * HOUR


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Checkpoints of the journal's chain: clock times at which one is signed, a file that each is appended to, the private key's file.

    Paths that are not absolute are taken from the data folder on. `key` None: made there. `signer`: the socket of the process that has the
    key instead.
    """

    at: tuple[time, ...] = ()
    to: str | None = None
    key: str | None = None
    signer: str | None = None


class Watchdog(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway says that it lives. `url`: a GET, read from its secret; `topic`: a message over the site's broker. Neither: nowhere."""

    url: str | None = None
    topic: str | None = None
    every: Duration = MINUTE


class Mqtt(msgspec.Struct, frozen=True, kw_only=True):
    """The broker. `embedded`: started by the gateway itself on `host`:`port` (port 0: a free one)."""

    embedded: bool = True
    host: str = "127.0.0.1"
    port: int = 1883
    session: Literal["mqtt5", "paho"] = "paho"
    """Default: paho for the embedded broker, mqtt5 for an external one."""
    client_id: str = ""
    username: str | None = None
    password: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls: bool = False


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Where the devices of one driver call the gateway. `settings` are the driver's: `id`, `realm`, `username`, `password`."""

    host: str
    port: int
    settings: Mapping[str, Any] = {}


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One site. Mappings keep the order of the file."""

    id: str
    name: str
    timezone: str
    language: Literal["zh_CN", "en"] = "zh_CN"
    latitude: float
    longitude: float
    holidays: str | None = None
    places: Mapping[str, Place] = {}
    people: Mapping[str, Person] = {}
    devices: Mapping[str, Device] = {}
    checkpoints: Mapping[str, Checkpoint] = {}
    routes: Mapping[str, Route] = {}
    rounds: tuple[RoundRule, ...] = ()
    circuits: Mapping[str, Circuit] = {}
    lamps: Mapping[str, Lamp] = {}
    zones: Mapping[str, Zone] = {}
    parents: Mapping[str, Parent] = {}
    shifts: Mapping[str, Shift] = {}
    duty_checks: Mapping[str, DutyCheck] = {}
    plans: Mapping[str, Plan] = {}
    """By the place whose floor they show."""
    hold: Duration = 3 * MINUTE
    compensation: Duration | None = 30 * MINUTE
    """The `max_gap` of a checkpoint in a place that turned blind or dark (cameras.md, Protection); None: off."""
    jitter_seed: str | None = None
    """What random starts are derived from, read from its secret; None: not given, or not there for `check` and `plan`."""
    console_url: str | None = None
    """Where people open the console, without a slash at its end; None: notices carry no link."""
    alerting: Alerting = Alerting()
    work_orders: WorkOrders = WorkOrders()
    scores: Scores = Scores()
    reports: Mapping[str, tuple[str, ...]] = {}
    """Contacts who are told of each kind of report (shift, day, week, month) when it is made."""
    storage: Storage = Storage()
    chain: Chain = Chain()
    watchdog: Watchdog = Watchdog()
    mqtt: Mqtt = Mqtt()
    services: Mapping[str, Service] = {}
    """By driver; a driver that is not here has no devices that call us."""
    digest: str = ""
    """SHA-256 of the file's text: which site definition a snapshot was made under."""

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class DatedRound(msgspec.Struct, frozen=True, kw_only=True):
    """One dated walk of a route, as the plan gives it. `id` is `route@start` with local start and UTC offset.

    `shift`: how much later it starts than it would without `jitter`.
    """

    id: str
    route: str
    date: date
    start: Instant
    end: Instant
    shift: Duration = 0


class DatedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One dated window of a checkpoint's `max_gap`."""

    checkpoint: str
    date: date
    start: Instant
    end: Instant
