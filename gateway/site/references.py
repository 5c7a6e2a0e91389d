"""What entries of the site file say of each other: unknown and doubly used ids, circles, and what a section demands.

All checks begin here, in their order; those of large sections have files of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from device_drivers.catalogue import DRIVERS
from gateway.scores.table import KINDS as SCORED
from gateway.scores.table import known
from gateway.site import schema
from gateway.site.assembly import device_kind, is_embedded, shown_by
from gateway.site.checks import Checks
from gateway.site.duties import check_duties
from gateway.site.lamps import check_lamps
from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.positions import Path
from gateway.site.sections import Draft, Placed
from gateway.site.tags import CARD_BYTES, MIN_COMMON_BYTES
from gateway.site.telling import check_telling
from gateway.site.walks import check_walks
from gateway.site.wiring import check_wiring

ROLES = ("guard", "captain", "maintenance", "operator", "manager", "admin", "viewer", "cleaner", "resident")
"""Roles that rules or accounts know, or that a property commonly enrols."""


def check_references(draft: Draft, mistakes: Mistakes) -> None:
    """Check a draft; every mistake goes to `mistakes`."""
    mentions = Mentions(draft, mistakes)
    checks = _References(draft, mentions, mistakes)
    checks.ids()
    checks.places()
    checks.people()
    checks.tags()
    check_wiring(draft, mentions, mistakes)
    check_walks(draft, mentions, mistakes)
    check_lamps(draft, mentions, mistakes)
    checks.zones()
    checks.plans()
    check_duties(draft, mentions, mistakes)
    checks.scores()
    check_telling(draft, mentions, mistakes)
    checks.mqtt()
    checks.watchdog()
    checks.services()


class _References(Checks):
    def ids(self) -> None:
        for section in schema.LISTS:
            placed: Iterable[Placed[schema.Entry]] = getattr(self._draft, section)
            for entry, path, _ in placed:
                if (name := getattr(entry, "id", None)) is not None:
                    self._mentions.once((*path, "id"), f"an id of `{section}`", name)
                    self._mistakes.doubtful((*path, "id"), name)
        for name, (_, path, _) in self._draft.parents.items():
            if name in self._draft.names["devices"]:
                self._mistakes.error(
                    path, f"found {name!r}, which is a device too; give what feeds it in its entry under `devices`"
                )

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
                self._mentions.contact((*path, "contact"), entry.contact)

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
                said = str(self._mistakes.written(at)).lower().startswith(("hex:", "dec:"))
                if len(tag) // 2 not in CARD_BYTES and not said:
                    self._mistakes.warning(
                        at,
                        f"found a number of {len(tag) // 2} bytes; cards have {', '.join(map(str, CARD_BYTES))} of them. If it is right, "
                        f"write hex:{tag}",
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

    def zones(self) -> None:
        for entry, path, damaged in self._draft.zones:
            self._mentions.refer((*path, "place"), entry.place, "places", "a place")
            for index, camera in enumerate(entry.cameras):
                at = (*path, "cameras", index)
                if self._mentions.refer(at, camera, "devices", "a camera") and camera in self._mentions.devices:
                    kind = device_kind(self._mentions.devices[camera].entry)
                    if kind != "camera":
                        self._mistakes.error(at, f"found {camera!r}, a {kind}; expected a camera (`kind: camera`)")
            self._mentions.each_once((*path, "cameras"), entry.cameras, "camera")
            if "cameras" not in damaged and entry.need > len(entry.cameras):
                self._mistakes.error(
                    (*path, "need"),
                    f"found {entry.need}; expected at most {len(entry.cameras)}, the number of its cameras",
                )

    def plans(self) -> None:
        for entry, path, damaged in self._draft.plans:
            self._mentions.refer((*path, "place"), entry.place, "places", "a place")
            self._mentions.once((*path, "place"), "a place with a plan", entry.place)
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
        known = self._mentions.refer((*at, kind), name, section, f"a {kind}")
        placed = self._mentions.devices.get(name) if known and kind == "camera" else None
        if placed is not None and (own := device_kind(placed.entry)) != "camera":
            self._mistakes.error((*at, kind), f"found {name!r}, a {own}; expected a camera (`kind: camera`)")
        if (first := before.setdefault((kind, name), at)) != at:
            self._mistakes.error((*at, kind), f"found {name!r} a second time; {self._mistakes.place(first)} shows it")
        if kind != "place" and shape.polygon is not None:
            self._mistakes.error((*at, "polygon"), f"found with a {kind}; expected `at`: only places have an outline")
        elif (shape.at is None) == (shape.polygon is None):
            either = "`at` or `polygon`" if kind == "place" else "`at`"
            self._mistakes.error(at, f"found {'neither' if shape.at is None else 'both'}; expected {either}")

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
                self._mentions.once((*path, table, index, "id"), f"an id of `scores.{table}`", item.id)
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


def _digits(written: Any) -> str | None:
    """The digits of what is written with nothing but digits and blanks."""
    digits = "".join(written.split()) if isinstance(written, str) else ""
    return digits if digits.isdecimal() else None
