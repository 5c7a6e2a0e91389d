"""What entries of the site file say of each other: unknown and doubly used ids, circles, and what a section demands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import time
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, get_args

from device_drivers.announced import ANNOUNCED
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceKind, DeviceSettings, Driver
from device_drivers.errors import SettingsError
from gateway.alerts.catalogue import CATALOGUE
from gateway.duty_checks.check import FINDINGS
from gateway.instants import DAY, HOUR, MINUTE, Duration
from gateway.scores.table import KINDS as SCORED
from gateway.scores.table import known
from gateway.site import schema
from gateway.site.assembly import device_kind, facts, feed, is_embedded, is_portable, shown_by
from gateway.site.durations import written
from gateway.site.mistakes import Mistakes, shown
from gateway.site.positions import Path
from gateway.site.sections import Draft, Placed
from gateway.site.tags import MIN_COMMON_BYTES

ROLES = ("guard", "captain", "maintenance", "operator", "manager", "admin", "viewer", "cleaner", "resident")
"""Roles that rules or accounts know, or that a property commonly enrols."""

DUTY = "duty:"
ON_DUTY = ("captain", "manager", "maintenance", "operator")
"""Who of those on duty a policy may tell: `duty:captain` …"""

KINDS: tuple[str, ...] = get_args(DeviceKind)

NEVER_LIGHT = frozenset({"camera", "nvr", "reader", "wand", "phone", "bridge"})
"""Kinds that cannot prove anything about a lamp."""

PORT = {"baud": "9600", "bits": "8", "parity": "N", "stop": "1"}
"""The settings of a serial port, and what they are if an entry names none (gateway/links/serial_port.py)."""

MODE_KEYS = {
    "dusk_to_dawn": ({"offset"}, set[str]()),
    "times": ({"on", "off"}, {"on", "off"}),
    "always": (set(), set()),
    "motion": ({"hold"}, set()),
    "commanded": (set(), set()),
}
"""Of each mode of `expected`: the keys it takes, and those it needs."""


def _digits(written: Any) -> str | None:
    """The digits of what is written with nothing but digits and blanks."""
    digits = "".join(written.split()) if isinstance(written, str) else ""
    return digits if digits.isdecimal() else None


def check_references(draft: Draft, mistakes: Mistakes) -> None:
    """Check a draft; every mistake goes to `mistakes`."""
    checks = _References(draft, mistakes)
    checks.ids()
    checks.places()
    checks.people()
    checks.tags()
    checks.devices()
    checks.families()
    checks.parents()
    checks.checkpoints()
    checks.routes()
    checks.rounds()
    checks.lamps()
    checks.zones()
    checks.plans()
    checks.shifts()
    checks.duty_checks()
    checks.scores()
    checks.alerts()
    checks.reports()
    checks.mqtt()
    checks.watchdog()
    checks.services()


class _References:
    def __init__(self, draft: Draft, mistakes: Mistakes) -> None:
        self._draft = draft
        self._mistakes = mistakes
        self._devices = {placed.entry.id: placed for placed in draft.devices}
        self._checkpoints = {placed.entry.id: placed for placed in draft.checkpoints}
        self._feeders = draft.names["devices"] | draft.names["parents"]
        self._used: dict[tuple[str, object], Path] = {}

    # -- what all sections share -------------------------------------------------------------------------------------

    def _refer(self, path: Path, name: str | None, section: str, what: str) -> bool:
        """Whether `name` is an id of `section`; if not, it is a mistake."""
        names = self._feeders if section == "feeders" else self._draft.names[section]
        if name is None or name in names:
            return name is not None
        self._mistakes.error(path, f"found {name!r}; expected the id of {what}{self._mistakes.nearest(name, names)}")
        return False

    def _once(self, path: Path, what: str, value: object) -> None:
        """Notes a use; a second use of the same is a mistake."""
        first = self._used.setdefault((what, value), path)
        if first != path:
            self._mistakes.error(
                path, f"found {shown(value)} a second time; {what} is used by {self._mistakes.place(first)} already"
            )

    def _each_once(self, path: Path, names: Sequence[str], what: str) -> None:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self._mistakes.error((*path, index), f"found {name!r} a second time; expected each {what} once")
            seen.add(name)

    def ids(self) -> None:
        for section in schema.LISTS:
            placed: Iterable[Placed[schema.Entry]] = getattr(self._draft, section)
            for entry, path, _ in placed:
                if (name := getattr(entry, "id", None)) is not None:
                    self._once((*path, "id"), f"an id of `{section}`", name)
        for name, (_, path, _) in self._draft.parents.items():
            if name in self._draft.names["devices"]:
                self._mistakes.error(
                    path, f"found {name!r}, which is a device too; give what feeds it in its entry under `devices`"
                )

    # -- places, people, tags ----------------------------------------------------------------------------------------

    def places(self) -> None:
        for entry, path, _ in self._draft.places:
            above = entry.id.rpartition("/")[0]
            if above and above not in self._draft.names["places"]:
                self._mistakes.warning((*path, "id"), f"the place above it, {above!r}, is not listed")

    def people(self) -> None:
        for entry, path, _ in self._draft.people:
            for index, role in enumerate(entry.roles):
                if role not in ROLES:
                    self._mistakes.warning(
                        (*path, "roles", index),
                        f"found {role!r}, a role that nothing asks for{self._mistakes.nearest(role, ROLES)}",
                    )
            if entry.contact is not None:
                self._contact((*path, "contact"), entry.contact)

    def tags(self) -> None:
        """One tag has one owner; of two of which one is the end of the other, short reads are nobody's."""
        owners: list[Placed[Any]] = [*self._draft.people, *self._draft.checkpoints]
        enrolled: dict[str, Path] = {}
        for entry, path, _ in owners:
            for index, tag in enumerate(entry.tags):
                at = (*path, "tags", index)
                if tag == _digits(self._mistakes.written(at)):
                    self._mistakes.warning(
                        at,
                        f"found only digits, which stand for hexadecimal {tag} (write hex:{tag}); a number printed on a "
                        'card has 10 digits in one piece, such as "0008075634"',
                    )
                if (first := enrolled.setdefault(tag, at)) != at:
                    self._mistakes.error(
                        at, f"found tag {tag} a second time; it is enrolled at {self._mistakes.place(first)} already"
                    )
        for tag, at in enrolled.items():
            ends = (tag[cut:] for cut in range(2, len(tag) - 2 * MIN_COMMON_BYTES + 1, 2))
            for end in ends:
                if end in enrolled:
                    self._mistakes.warning(
                        at,
                        f"tag {tag} ends with {end}, which is enrolled at {self._mistakes.place(enrolled[end])}: "
                        "a reader that gives another length cannot tell them apart",
                    )

    # -- devices and what feeds them ---------------------------------------------------------------------------------

    def devices(self) -> None:
        lines: dict[str, tuple[schema.DeviceEntry, Path]] = {}
        for entry, path, damaged in self._draft.devices:
            if entry.kind is not None and entry.kind not in KINDS:
                self._mistakes.warning(
                    (*path, "kind"),
                    f"found {entry.kind!r}, a kind that nothing knows{self._mistakes.nearest(entry.kind, KINDS)}; the known "
                    f"ones are {', '.join(KINDS)}",
                )
            self._refer((*path, "place"), entry.place, "places", "a place")
            self._feeds(entry, path)
            if entry.portable and device_kind(entry) not in {"reader", "wand", "phone"}:
                self._mistakes.error(
                    (*path, "portable"), f"found true for a {device_kind(entry)}; expected only readers to be portable"
                )
            if entry.behind is not None and entry.channel is not None:
                self._once((*path, "channel"), f"a channel of {entry.behind}", entry.channel)
            if entry.device_id is not None:
                self._once((*path, "device_id"), f"a `device_id` of {entry.driver}", entry.device_id)
            self._driver(entry, path, damaged)
            line = entry.link.get("serial")
            if line is not None and "link" not in damaged and entry.enabled:
                self._line((*path, "link", "serial"), entry, *lines.setdefault(line, (entry, path)))

    def _line(self, at: Path, entry: schema.DeviceEntry, first: schema.DeviceEntry, path: Path) -> None:
        """A serial line is opened once: only devices that are asked there share it, at one speed."""
        if entry is first or entry.driver not in DRIVERS or first.driver not in DRIVERS:
            return
        place = self._mistakes.place(path)
        if _way(DRIVERS[entry.driver]) != _way(DRIVERS[first.driver]) or not _way(DRIVERS[entry.driver]):
            self._mistakes.error(
                at,
                f"found the line of {first.id} ({place}) a second time; only devices that are asked can share a line",
            )
            return
        for key, usual in PORT.items():
            wanted, found = (str(each.link.get(key, usual)).upper() for each in (first, entry))
            if wanted != found:
                self._mistakes.error(
                    at,
                    f"found {key} {found} on the line of {first.id} ({place}), which has {wanted}; expected the same",
                )

    def _feeds(self, entry: schema.DeviceEntry | schema.ParentEntry, path: Path) -> None:
        for key in ("behind", "network", "power"):
            self._refer((*path, key), getattr(entry, key), "feeders", "a device or of an entry of `parents`")

    def _driver(self, entry: schema.DeviceEntry, path: Path, damaged: frozenset[str]) -> None:
        if facts(entry.driver) is None:
            known = sorted({*DRIVERS, *ANNOUNCED})
            self._mistakes.error(
                (*path, "driver"),
                f"found {entry.driver!r}{self._mistakes.nearest(entry.driver, known)}; expected one of {', '.join(known)}",
            )
            return
        if entry.driver not in DRIVERS or damaged & {"link", "settings", "channel", "kind", "device_id", "behind"}:
            return
        settings = DeviceSettings(
            id=entry.id,
            kind=device_kind(entry),
            channel=entry.channel,
            device_id=entry.device_id,
            behind=entry.behind,
            link=entry.link,
            settings=entry.settings,
        )
        try:
            DRIVERS[entry.driver].check(settings)
        except SettingsError as error:
            at = (*path, *(int(part) if part.isdecimal() else part for part in error.key.split(".")))
            message = f"`{error.key}`: expected {error.expected}"
            if getattr(entry, error.key.partition(".")[0], None):
                self._mistakes.error(at, message)
            else:
                self._mistakes.warning(at, f"{message}; without it nothing is heard from the device itself")

    def families(self) -> None:
        """One warning for each family whose driver is not built yet."""
        first: dict[str, Path] = {}
        for entry, path, _ in self._draft.devices:
            if entry.driver in ANNOUNCED and entry.driver not in DRIVERS:
                first.setdefault(entry.driver, path)
        for driver, path in first.items():
            self._mistakes.warning(
                (*path, "driver"),
                f"the driver {driver!r} is not built into this version: its devices are heard only through `native` "
                "messages and evidence files",
            )

    def parents(self) -> None:
        """What feeds what has no circle."""
        edges: dict[str, list[str]] = {}
        paths: dict[str, Path] = {}
        for parent in self._draft.parents.values():
            self._feeds(parent.entry, parent.path)
        fed: list[tuple[str, Placed[Any]]] = [*self._draft.parents.items()]
        fed += ((device.entry.id, device) for device in self._draft.devices)
        for name, (entry, path, _) in fed:
            edges[name] = [above for above in (entry.behind, entry.network, entry.power) if above]
            paths[name] = path
        for circle in _circles(edges):
            self._mistakes.error(
                paths[circle[0]], f"feeds itself: {' → '.join([*circle, circle[0]])}; expected no circle"
            )

    # -- rounds ------------------------------------------------------------------------------------------------------

    def checkpoints(self) -> None:
        for entry, path, damaged in self._draft.checkpoints:
            self._refer((*path, "place"), entry.place, "places", "a place")
            if not damaged & {"reader", "tags"}:
                self._proof_of(entry, path)
            self._legs(entry, path)

    def _proof_of(self, entry: schema.CheckpointEntry, path: Path) -> None:
        if entry.reader is None:
            if not entry.tags:
                self._mistakes.error(path, "has neither `reader` nor `tags`; expected a fixed reader or wall tags")
            return
        at = (*path, "reader")
        if not self._refer(at, entry.reader, "devices", "a fixed reader") or entry.reader not in self._devices:
            return
        self._once(at, "a checkpoint's reader", entry.reader)
        reader = self._devices[entry.reader].entry
        if device_kind(reader) != "reader" or is_portable(reader):
            what = f"a portable {device_kind(reader)}" if is_portable(reader) else f"a {device_kind(reader)}"
            self._mistakes.error(at, f"found {entry.reader!r}, {what}; expected a fixed reader")

    def _legs(self, entry: schema.CheckpointEntry, path: Path) -> None:
        for other, leg in entry.min_leg.items():
            at = (*path, "min_leg", other)
            if other == entry.id:
                self._mistakes.error(at, "found the checkpoint itself; expected another one")
            elif self._refer(at, other, "checkpoints", "a checkpoint") and other in self._checkpoints:
                back = self._checkpoints[other].entry.min_leg.get(entry.id, leg)
                if back != leg:
                    self._mistakes.error(
                        at,
                        f"found {written(leg)}, but {written(back)} for the way back; it holds both ways, say it once",
                    )

    def routes(self) -> None:
        for entry, path, damaged in self._draft.routes:
            if "visits" not in damaged:
                self._visits(entry, path)
            for index, guard in enumerate(entry.guards):
                self._refer((*path, "guards", index), guard, "people", "a person")
            self._each_once((*path, "guards"), entry.guards, "person")
            if not entry.accept_others and not entry.guards and "guards" not in damaged:
                self._mistakes.error(
                    (*path, "accept_others"), "found false without `guards`; expected `guards` to name who may walk it"
                )
            self._readers(entry, path, damaged)

    def _visits(self, entry: schema.RouteEntry, path: Path) -> None:
        if all(visit.optional for visit in entry.visits):
            self._mistakes.error(
                (*path, "visits"),
                "is empty; expected at least one visit"
                if not entry.visits
                else "expected a visit that is not optional",
            )
        stands = [visit.checkpoint for visit in entry.visits]
        for index, visit in enumerate(entry.visits):
            at = (*path, "visits", index)
            self._refer((*at, "checkpoint"), visit.checkpoint, "checkpoints", "a checkpoint")
            if visit.after is None and stands.count(visit.checkpoint) > 1:
                self._mistakes.error(
                    at,
                    f"`after` is missing; expected it at each visit of {visit.checkpoint!r}, which stands here several times",
                )

    def _readers(self, entry: schema.RouteEntry, path: Path, damaged: frozenset[str]) -> None:
        readers = entry.readers or []
        self._each_once((*path, "readers"), readers, "reader")
        for index, reader in enumerate(readers):
            at = (*path, "readers", index)
            if self._refer(at, reader, "devices", "a portable reader") and reader in self._devices:
                device = self._devices[reader].entry
                if not is_portable(device):
                    self._mistakes.error(at, f"found {reader!r}, which is not portable; expected a portable reader")
        wall = [visit.checkpoint for visit in entry.visits if self._is_wall(visit.checkpoint)]
        if wall and entry.readers is None and "readers" not in damaged:
            self._mistakes.error(
                path,
                f"`readers` is missing; expected the portable readers that carry this route, since {wall[0]!r} has wall "
                "tags (`readers: []` if only phones do)",
            )

    def _is_wall(self, checkpoint: str) -> bool:
        placed = self._checkpoints.get(checkpoint)
        return placed is not None and bool(placed.entry.tags)

    def rounds(self) -> None:
        for entry, path, damaged in self._draft.rounds:
            self._refer((*path, "route"), entry.route, "routes", "a route")
            if not damaged & {"from", "to", "every", "starts"}:
                self._starts(entry, path)
                if entry.jitter and not damaged & {"jitter", "lasts"}:
                    self._jitter(entry, (*path, "jitter"))
            calendar = self._draft.site is None or self._draft.site.entry.holidays or self._draft.site.damaged
            if entry.holidays != "also" and not calendar:
                self._mistakes.error(
                    (*path, "holidays"),
                    f"found {entry.holidays!r}; expected `site.holidays` to name the calendar for it",
                )
            since, until = entry.valid.since, entry.valid.until
            if since is not None and until is not None and until < since:
                self._mistakes.error((*path, "valid", "until"), f"found {until}; expected {since} or later")

    def _starts(self, entry: schema.RoundEntry, path: Path) -> None:
        given = {"from": entry.from_, "to": entry.to, "every": entry.every}
        missing = [key for key, value in given.items() if value is None]
        if entry.starts is not None:
            if len(missing) < len(given):
                self._mistakes.error(
                    (*path, "starts"), "found beside `from`, `to` or `every`; expected either a shift or `starts`"
                )
        elif missing:
            self._mistakes.error(
                path,
                f"{', '.join(f'`{key}`' for key in missing)} missing; expected `from`, `to` and `every`, or `starts`",
            )

    def _jitter(self, entry: schema.RoundEntry, at: Path) -> None:
        """Random starts need a seed, and room: a round ends before the next one begins, however late it starts."""
        site = self._draft.site
        if site is not None and site.entry.jitter_seed is None and "jitter_seed" not in site.damaged:
            self._mistakes.error(at, "found without `site.jitter_seed`; expected `jitter_seed: env:NAME` there")
        nearest = entry.every if entry.every is not None else _nearest(entry.starts or [])
        room = max(0, nearest - entry.lasts) // MINUTE * MINUTE
        if entry.jitter > room:
            self._mistakes.error(
                at,
                f"found {written(entry.jitter)}; expected at most {written(room)}, as a round lasts {written(entry.lasts)} "
                f"and the next one may begin {written(nearest)} after it",
            )

    # -- lamps and zones ---------------------------------------------------------------------------------------------

    def lamps(self) -> None:
        for circuit, path, _ in self._draft.circuits:
            self._refer((*path, "panel"), circuit.panel, "feeders", "a device or of an entry of `parents`")
        for entry, path, damaged in self._draft.lamps:
            self._refer((*path, "place"), entry.place, "places", "a place")
            self._refer((*path, "circuit"), entry.circuit, "circuits", "a circuit")
            for index, sensor in enumerate(entry.seen_by):
                self._prover((*path, "seen_by", index), sensor, "a light sensor")
            self._each_once((*path, "seen_by"), entry.seen_by, "sensor")
            if entry.fed_by is not None:
                self._feed(entry.fed_by, (*path, "fed_by"))
            if "expected" not in damaged:
                self._expected(entry.expected, (*path, "expected"))
        site = self._draft.site
        if self._draft.lamps and site is not None:
            for key in ("latitude", "longitude"):
                if getattr(site.entry, key) is None and key not in site.damaged:
                    self._mistakes.error(
                        site.path, f"`{key}` is missing; expected it in degrees, lamps are judged by the sun"
                    )

    def _prover(self, path: Path, device: str, what: str) -> None:
        if self._refer(path, device, "devices", what) and device in self._devices:
            kind = device_kind(self._devices[device].entry)
            if kind in NEVER_LIGHT:
                self._mistakes.error(path, f"found {device!r}, a {kind}; expected {what}")

    def _feed(self, text: str, path: Path) -> None:
        device, _ = named = feed(text)
        self._prover(path, device, "a power-measuring device, with its channel as in `meter-1/2`")
        self._once(path, "power that feeds one lamp", "/".join(str(part) for part in named if part is not None))

    def _expected(self, entry: schema.ExpectedEntry, path: Path) -> None:
        takes, needs = MODE_KEYS[entry.mode]
        given = entry.model_fields_set - {"mode"}
        for key in sorted(needs - given):
            self._mistakes.error(path, f"`{key}` is missing; expected a clock time, since `mode` is {entry.mode}")
        for key in sorted(given - takes):
            self._mistakes.error((*path, key), f"found with `mode: {entry.mode}`, which does not take it")

    def zones(self) -> None:
        for entry, path, damaged in self._draft.zones:
            self._refer((*path, "place"), entry.place, "places", "a place")
            for index, camera in enumerate(entry.cameras):
                at = (*path, "cameras", index)
                if self._refer(at, camera, "devices", "a camera") and camera in self._devices:
                    kind = device_kind(self._devices[camera].entry)
                    if kind != "camera":
                        self._mistakes.error(at, f"found {camera!r}, a {kind}; expected a camera (`kind: camera`)")
            self._each_once((*path, "cameras"), entry.cameras, "camera")
            if "cameras" not in damaged and entry.need > len(entry.cameras):
                self._mistakes.error(
                    (*path, "need"),
                    f"found {entry.need}; expected at most {len(entry.cameras)}, the number of its cameras",
                )

    # -- floor plans -------------------------------------------------------------------------------------------------

    def plans(self) -> None:
        for entry, path, damaged in self._draft.plans:
            self._refer((*path, "place"), entry.place, "places", "a place")
            self._once((*path, "place"), "a place with a plan", entry.place)
            if any(key.startswith("shapes") for key in damaged):
                continue
            shown_before: dict[tuple[str, str], Path] = {}
            for index, shape in enumerate(entry.shapes):
                self._shape((*path, "shapes", index), shape, shown_before)

    def _shape(self, at: Path, shape: schema.ShapeEntry, before: dict[tuple[str, str], Path]) -> None:
        named = shown_by(shape)
        if len(named) != 1:
            found = " and ".join(f"`{kind}`" for kind, _ in named) or "none of them"
            self._mistakes.error(at, f"found {found}; expected one of `place`, `checkpoint`, `lamp`, `camera`")
            return
        ((kind, name),) = named
        section = {"place": "places", "checkpoint": "checkpoints", "lamp": "lamps", "camera": "devices"}[kind]
        known = self._refer((*at, kind), name, section, f"a {kind}")
        placed = self._devices.get(name) if known and kind == "camera" else None
        if placed is not None and (own := device_kind(placed.entry)) != "camera":
            self._mistakes.error((*at, kind), f"found {name!r}, a {own}; expected a camera (`kind: camera`)")
        if (first := before.setdefault((kind, name), at)) != at:
            self._mistakes.error((*at, kind), f"found {name!r} a second time; {self._mistakes.place(first)} shows it")
        if kind != "place" and shape.polygon is not None:
            self._mistakes.error((*at, "polygon"), f"found with a {kind}; expected `at`: only places have an outline")
        elif (shape.at is None) == (shape.polygon is None):
            either = "`at` or `polygon`" if kind == "place" else "`at`"
            self._mistakes.error(at, f"found {'neither' if shape.at is None else 'both'}; expected {either}")

    # -- shifts ------------------------------------------------------------------------------------------------------

    def shifts(self) -> None:
        for entry, path, damaged in self._draft.shifts:
            for key in ("rotation", "captain", "exceptions"):
                if key not in damaged:
                    for at, person in _named(getattr(entry, key), (*path, key)):
                        self._refer(at, person, "people", "a person")
            listed = {person for group in (*entry.rotation, *entry.exceptions.values()) for person in group}
            if not damaged & {"rotation", "exceptions"}:
                for index, captain in enumerate(entry.captain):
                    if captain not in listed and captain in self._draft.names["people"]:
                        self._mistakes.error(
                            (*path, "captain", index), f"found {captain!r}, who is never on this shift"
                        )

    def duty_checks(self) -> None:
        for entry, path, damaged in self._draft.duty_checks:
            for key, section, what in (("checkers", "people", "a person"), ("posts", "checkpoints", "a checkpoint")):
                if key not in damaged:
                    for index, name in enumerate(getattr(entry, key)):
                        self._refer((*path, key, index), name, section, what)
                    self._each_once((*path, key), getattr(entry, key), what)
            reached = {person.id for person, *_ in self._draft.people if person.contact is not None}
            if "checkers" not in damaged and not reached & set(entry.checkers):
                self._mistakes.warning(
                    path, "nobody of its `checkers` has a `contact` in `people`: no one is told before a check is due"
                )
            site = self._draft.site
            if site is not None and site.entry.jitter_seed is None and "jitter_seed" not in site.damaged:
                self._mistakes.error(path, "found without `site.jitter_seed`; expected `jitter_seed: env:NAME` there")
            since, until = (each.hour * HOUR + each.minute * MINUTE for each in entry.window)
            length = until - since if until > since else until + DAY - since
            needs = entry.told + entry.checker_within + entry.guard_within
            if needs + HOUR >= length and not damaged & {"window", "told", "checker_within", "guard_within"}:
                self._mistakes.error(
                    (*path, "window"),
                    f"found one of {written(length)}; expected more than {written(needs + HOUR)}, as telling the checker, his coming and "
                    "the guard's answer lie inside it, and the moment must not be guessed",
                )
            if entry.apart > 12 * HOUR and "apart" not in damaged:
                self._mistakes.error((*path, "apart"), f"found {written(entry.apart)}; expected at most 12h")
            for code in entry.findings:
                if code in FINDINGS:
                    self._mistakes.error(
                        (*path, "findings", code), "found a finding that is known already; expected another code"
                    )

    def scores(self) -> None:
        entry, path, damaged = self._draft.scores
        if entry.daily + entry.year_end != 100 and not damaged & {"daily", "year_end"}:
            self._mistakes.error(
                path, f"found {entry.daily} and {entry.year_end}; expected `daily` and `year_end` to make 100"
            )
        for table in ("items", "year_end_items"):
            items: list[schema.ScoreItemEntry] = getattr(entry, table)
            if not items or table in damaged:
                continue
            total = sum(round(item.weight * 1000) for item in items)
            if total != 100_000:
                self._mistakes.error((*path, table), f"found weights that make {total / 1000:g}; expected 100")
            for index, item in enumerate(items):
                self._once((*path, table, index, "id"), f"an id of `scores.{table}`", item.id)
                for kind in item.deduct:
                    if not known(kind) or (table == "year_end_items" and kind != "manual"):
                        kinds = tuple(SCORED) if table == "items" else ("manual",)
                        self._mistakes.error(
                            (*path, table, index, "deduct", kind),
                            f"found a kind of deduction that nothing gives{self._mistakes.nearest(kind, kinds)}; "
                            f"expected one of {', '.join(kinds)}",
                        )
                rated = {"lights_below", "cameras_below"} & set(item.deduct)
                if (item.target is None) != (not rated):
                    self._mistakes.error(
                        (*path, table, index),
                        "expected `target` (percent) with `lights_below` or `cameras_below`, and only there",
                    )

    def _duty(self, path: Path, role: str) -> None:
        """Of those on duty only who leads or mends may be told: a guard is not told of what is judged of him."""
        if role not in ON_DUTY:
            self._mistakes.error(
                path,
                f"found `duty:{role}`; expected `duty:` and one of {', '.join(ON_DUTY)}{self._mistakes.nearest(role, ON_DUTY)}",
            )
        elif not self._draft.names["shifts"]:
            self._mistakes.error(path, f"found `duty:{role}`, but there are no `shifts`; expected some")

    def _contact(self, path: Path, name: str) -> None:
        entry, _, damaged = self._draft.alerts
        if name not in entry.contacts and "contacts" not in damaged:
            self._mistakes.error(
                path, f"found {name!r}; expected the id of a contact{self._mistakes.nearest(name, entry.contacts)}"
            )

    def reports(self) -> None:
        entry, path, damaged = self._draft.reports
        for kind, names in entry:
            if kind not in damaged:
                for place, name in enumerate(names):
                    self._contact((*path, kind, place), name)
                self._each_once((*path, kind), names, "contact")
        if entry.shift and not self._draft.names["shifts"]:
            self._mistakes.error((*path, "shift"), "there are no `shifts`; expected some, or no `shift` here")

    # -- alerts, MQTT ------------------------------------------------------------------------------------------------

    def alerts(self) -> None:
        entry, path, damaged = self._draft.alerts
        for name, contact in entry.contacts.items():
            at = (*path, "contacts", name)
            reached = contact.console or contact.url is not None or contact.webhook is not None
            if not reached and f"contacts.{name}.url" not in damaged and f"contacts.{name}.webhook" not in damaged:
                self._mistakes.error(
                    at, "reaches nobody; expected `console: true`, `url: env:NAME` or `webhook: {url: …, secret: …}`"
                )
            if contact.url is not None and contact.webhook is not None:
                self._mistakes.error(at, "found with `url` and `webhook`; expected one of them, and a second contact")
            if contact.quiet is not None and contact.quiet[0] == contact.quiet[1]:
                self._mistakes.error((*at, "quiet"), "begins when it ends; expected two different clock times")
        for name, steps in entry.policies.items():
            for index, step in enumerate(steps):
                at = (*path, "policies", name, index)
                if index and step.after < steps[index - 1].after:
                    self._mistakes.error(
                        (*at, "after"), f"found {written(step.after)}; expected steps in order of time"
                    )
                for place, told in enumerate(step.notify):
                    if told.startswith(DUTY):
                        self._duty((*at, "notify", place), told.removeprefix(DUTY))
                    else:
                        self._contact((*at, "notify", place), told)
                self._each_once((*at, "notify"), step.notify, "contact")
            if steps and all(told.startswith(DUTY) for step in steps for told in step.notify):
                self._mistakes.warning(
                    (*path, "policies", name),
                    "tells only whoever is on duty: when nobody is, nobody hears of it; expected a contact in its last step",
                )
        for name, rule in entry.rules.items():
            at = (*path, "rules", name)
            if name not in CATALOGUE:
                self._mistakes.warning(at, f"no rule of this name is known{self._mistakes.nearest(name, CATALOGUE)}")
            if rule.policy is not None and rule.policy not in entry.policies and "policies" not in damaged:
                self._mistakes.error(
                    (*at, "policy"),
                    f"found {rule.policy!r}; expected a policy{self._mistakes.nearest(rule.policy, entry.policies)}",
                )
        if entry.policies and "default" not in entry.policies and "policies" not in damaged:
            self._mistakes.warning(
                (*path, "policies"), "there is no policy `default`: alerts whose rule names none are told to nobody"
            )

    def mqtt(self) -> None:
        entry, path, damaged = self._draft.mqtt
        if damaged:
            return
        if is_embedded(entry):
            if entry.session == "mqtt5":
                self._mistakes.error(
                    (*path, "session"),
                    "found 'mqtt5' with the embedded broker, which speaks MQTT 3.1.1; expected 'paho'",
                )
            if entry.tls is not None:
                self._mistakes.error(
                    (*path, "tls"), "found with the embedded broker, which has no TLS; expected a `host`"
                )
        elif entry.port == 0:
            self._mistakes.error(
                (*path, "port"), "found 0 with a broker elsewhere; expected its port, usually 1883 or 8883"
            )
        if entry.password is not None and entry.username is None:
            self._mistakes.error((*path, "password"), "found without `username`; expected both")

    def watchdog(self) -> None:
        """A ping that the gateway hears itself would be a device's message that nobody can read."""
        entry, path, damaged = self._draft.watchdog
        if entry.model_fields_set and entry.url is None and entry.topic is None and not damaged:
            self._mistakes.error(path, "tells nobody; expected `url: env:NAME`, `topic: NAME` or both")
        if entry.topic is None:
            return
        levels = entry.topic.split("/")
        if levels[0] == "lamplighter" and levels[-1] == "up":
            self._mistakes.error((*path, "topic"), f"found {entry.topic!r}, on which devices speak; expected another")
        for placed in self._draft.devices:
            link = placed.entry.link.get("mqtt")
            if link and f"{entry.topic}/".startswith(f"{link}/"):
                self._mistakes.error(
                    (*path, "topic"), f"found {entry.topic!r}, on which {placed.entry.id!r} speaks; expected another"
                )

    def services(self) -> None:
        """Devices that call us prove who they are by a password, if one is set."""
        entry, path, damaged = self._draft.services
        for driver in type(entry).model_fields:
            callers = [placed for placed in self._draft.devices if placed.entry.driver == driver]
            bare = [placed for placed in callers if placed.entry.device_id and "password" not in placed.entry.settings]
            if (
                bare
                and driver in DRIVERS
                and getattr(entry, driver).password is None
                and f"{driver}.password" not in damaged
            ):
                self._mistakes.warning(
                    (*path, driver),
                    f"has no `password`: {bare[0].entry.id!r} and whoever uses its `device_id` are believed; expected "
                    "`password: env:NAME`",
                )


_MAX_CIRCLES = 20


def _nearest(starts: Sequence[time]) -> Duration:
    """The least distance of successive clock times; of a list that goes on within one day also to its first on the next."""
    at = [(clock.hour * 60 + clock.minute) * MINUTE for clock in starts]
    steps = [(later - earlier - 1) % DAY + 1 for earlier, later in pairwise(at)]
    round_the_clock = DAY - sum(steps)
    return min([*steps, round_the_clock if round_the_clock > 0 else DAY])


def _way(driver: Driver) -> str:
    """How devices of a driver share a line; "": they cannot."""
    if driver.line_poller is not None:
        return "asked"
    return "panel" if driver.panel_reader is not None else ""


def _named(value: Any, path: Path) -> Iterable[tuple[Path, str]]:
    """All ids inside lists and mappings, and where each stands."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, inner in value.items():
                yield from _named(inner, (*path, str(key)))
        case _:
            for index, inner in enumerate(value):
                yield from _named(inner, (*path, index))


def _circles(edges: dict[str, list[str]]) -> list[list[str]]:
    """Circles among `edges`, each told once, at most twenty."""
    rest = {name: [above for above in aboves if above in edges] for name, aboves in edges.items()}
    circles: list[list[str]] = []
    while len(circles) < _MAX_CIRCLES:
        try:
            TopologicalSorter(rest).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][:-1][::-1]
            first = min(range(len(circle)), key=lambda index: list(edges).index(circle[index]))
            circles.append(circle[first:] + circle[:first])
            for name in circle:
                rest[name] = []
        else:
            break
    return circles
