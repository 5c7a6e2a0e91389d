"""What the API shows besides the findings and alerts themselves, which are shown as the rules give them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.links.link import LinkState
from gateway.site.model import Daylight


class CheckpointShape(msgspec.Struct, frozen=True, kw_only=True):
    """A place a guard must prove."""

    id: str
    place: str
    reader: str | None
    two_person: bool


class RouteShape(msgspec.Struct, frozen=True, kw_only=True):
    """Checkpoints to visit, in the route's order. `name`: as people call it; its id where it has none."""

    id: str
    name: str
    checkpoints: Sequence[str]
    order: str
    tolerance_s: float
    band_s: float


class LampShape(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lamp is and what feeds it; its state is in `lamps`."""

    id: str
    place: str
    circuit: str | None


class ZoneShape(msgspec.Struct, frozen=True, kw_only=True):
    """What a zone is made of; its state is in `zones`."""

    id: str
    place: str
    cameras: Sequence[str]
    need: int


class SiteShape(msgspec.Struct, frozen=True, kw_only=True):
    """The site as it is defined."""

    id: str
    name: str
    timezone: str
    language: str
    checkpoints: Sequence[CheckpointShape]
    routes: Sequence[RouteShape]
    circuits: Sequence[str]
    lamps: Sequence[LampShape]
    zones: Sequence[ZoneShape]


class PlaceShape(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the place tree; the parent is the id without its last part."""

    id: str
    name: str
    key: bool
    daylight: Daylight


class PlanSpot(msgspec.Struct, frozen=True, kw_only=True):
    """What is where on a plan: one point, or the corners of a place's outline, as [x, y] in the image's coordinates."""

    kind: str
    id: str
    points: Sequence[Sequence[float]]


class PlanShape(msgspec.Struct, frozen=True, kw_only=True):
    """A floor's plan. `image`: its address; its coordinates begin at (`left`, `top`) and are `width` and `height` long."""

    place: str
    image: str
    left: float
    top: float
    width: float
    height: float
    shapes: Sequence[PlanSpot]


class PersonShape(msgspec.Struct, frozen=True, kw_only=True):
    """A person. `name` is null for roles that need no names, `tags` for all but administrators."""

    id: str
    name: str | None
    roles: Sequence[str]
    tags: Sequence[str] | None


class DeviceShape(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that speaks, and whether it does."""

    id: str
    driver: str
    kind: str
    place: str | None
    parents: Sequence[str]
    state: str
    cause: str | None
    since: datetime | None
    last_heard: datetime | None


class AgainShape(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading a row of the quarantine again: `read`, `repeated` (all of it was here already) or `unreadable`."""

    at: datetime
    by: str
    outcome: str
    observations: int
    reason: str


class QuarantineShape(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that could not be read. `payload` is Base64 of at most 4096 of them; `text` the same if it is UTF-8.

    `retained`: the broker said that it was old state. `again`: the last time that somebody had it read again.
    """

    row: int
    received: datetime
    source: str
    topic: str | None
    reason: str
    bytes: int
    payload: str
    text: str | None
    retained: bool
    again: AgainShape | None


class QuarantineGroup(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the newest rows came from one source and could not be read for one reason."""

    source: str
    reason: str
    count: int
    last: datetime


class RereadWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of the quarantine to be read again. `also_worse`: also if a visit would be missed by it (managers)."""

    rows: list[int]
    also_worse: bool = False


class AlertAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says with an action. `resolve`, `close` and `comment` need a `why`."""

    why: str = ""


class DeviceAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator says of a device. `clear` names the `impairment` that has ended."""

    why: str
    impairment: str | None = None


class CheckpointNote(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's chain up to `size` rows. `root`: in Base64; `note`: the signed text to print, send and keep elsewhere."""

    at: datetime
    size: int
    root: str
    reason: str
    note: str


class ChainShape(msgspec.Struct, frozen=True, kw_only=True):
    """The key that signs checkpoints, as C2SP's verifier key, and the newest of them."""

    public_key: str
    latest: CheckpointNote | None


class AccountShape(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a number in histories. `called` null: the person was erased."""

    id: str
    called: str | None


class ReadyShape(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gateway takes and keeps evidence, and what is wrong."""

    ready: bool
    problems: Sequence[str]
    links: Sequence[LinkState]


class ProblemShape(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457 problem details. `detail` is English; `says` is what the console shows, in the language the request wants."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    says: str | None = None
    errors: list[dict[str, Any]] | None = None
