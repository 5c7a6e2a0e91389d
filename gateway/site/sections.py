"""From the file's plain values to checked entries, section by section; what is wrong is noted, the rest is read on.

An entry with mistakes is read again without the keys that hold them, so that what it says of others is still checked and
all mistakes are told at once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.instants import MINUTE, Duration
from gateway.site import schema
from gateway.site.durations import parse_duration
from gateway.site.mistakes import Mistakes, shown
from gateway.site.positions import Document, Path

_MAX_RETRIES = 16

EntryType = TypeVar("EntryType", bound=schema.Entry)


class Placed(NamedTuple, Generic[EntryType]):
    """One entry and where it stands. `damaged`: its keys (dotted where deeper) that were wrong and are therefore not in it."""

    entry: EntryType
    path: Path
    damaged: frozenset[str] = frozenset()


class Draft(NamedTuple):
    """The file's entries, in its order. `names`: every id given in a section, also of entries that could not be read."""

    site: Placed[schema.SiteEntry] | None
    places: list[Placed[schema.PlaceEntry]]
    people: list[Placed[schema.PersonEntry]]
    devices: list[Placed[schema.DeviceEntry]]
    checkpoints: list[Placed[schema.CheckpointEntry]]
    routes: list[Placed[schema.RouteEntry]]
    rounds: list[Placed[schema.RoundEntry]]
    circuits: list[Placed[schema.CircuitEntry]]
    lamps: list[Placed[schema.LampEntry]]
    zones: list[Placed[schema.ZoneEntry]]
    shifts: list[Placed[schema.ShiftEntry]]
    duty_checks: list[Placed[schema.DutyCheckEntry]]
    plans: list[Placed[schema.PlanEntry]]
    parents: dict[str, Placed[schema.ParentEntry]]
    hold: Duration
    compensation: Placed[schema.CompensationEntry]
    alerts: Placed[schema.AlertsEntry]
    work_orders: Placed[schema.WorkOrdersEntry]
    scores: Placed[schema.ScoresEntry]
    reports: Placed[schema.ReportsEntry]
    storage: Placed[schema.StorageEntry]
    chain: Placed[schema.ChainEntry]
    watchdog: Placed[schema.WatchdogEntry]
    mqtt: Placed[schema.MqttEntry]
    services: Placed[schema.ServicesEntry]
    names: Mapping[str, frozenset[str]]


def read_sections(document: Document, mistakes: Mistakes) -> Draft:
    """Read all sections of a document; every mistake goes to `mistakes`."""
    for path, line, message in document.problems:
        mistakes.error(path, message, line=line)
    if isinstance(document.value, Mapping):
        top = document.value
    else:
        mistakes.error((), f"found {shown(document.value)}; expected a mapping with the section `site`")
        top = {}
    for name in top:
        if name not in schema.SECTIONS:
            known = ", ".join(schema.SECTIONS)
            mistakes.error(
                (name,), f"unknown section{mistakes.nearest(name, schema.SECTIONS)}; expected one of {known}"
            )
    reader = _Sections(top, document, mistakes)
    lists = {name: reader.list(name) for name in schema.LISTS}
    singles = {name: reader.single(name) for name in schema.SINGLES}
    return Draft(
        parents=reader.parents(),
        hold=reader.hold(),
        names={name: reader.names(name) for name in (*schema.LISTS, *schema.MAPPINGS)},
        **cast("Any", lists),
        **cast("Any", singles),
    )


class _Sections:
    def __init__(self, top: Mapping[str, Any], document: Document, mistakes: Mistakes) -> None:
        self._top = top
        self._document = document
        self._mistakes = mistakes

    def list(self, section: str) -> list[Placed[Any]]:
        value = self._top.get(section)
        if value is None:
            return []
        if not isinstance(value, list):
            self._mistakes.error((section,), f"found {shown(value)}; expected a list of entries, each after a `-`")
            return []
        model = schema.LISTS[section]
        placed = (self._entry(model, item, (section, index)) for index, item in enumerate(value))
        return [one for one in placed if one is not None]

    def single(self, section: str) -> Placed[Any] | None:
        model = schema.SINGLES[section]
        value = self._top.get(section)
        if value is None and section == "site":
            self._mistakes.error((), "the section `site` is missing; expected at least `site: {id: …, timezone: …}`")
            return None
        if section == "compensation" and value == schema.OFF:
            value = {"max_gap": schema.OFF}
        entry = self._entry(model, {} if value is None else value, (section,))
        if entry is None and section != "site":
            return Placed(model.model_validate({}), (section,))
        return entry

    def parents(self) -> dict[str, Placed[schema.ParentEntry]]:
        value = self._top.get("parents")
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._mistakes.error(
                ("parents",), f"found {shown(value)}; expected a mapping such as `{{switch-b1: {{power: panel-t1}}}}`"
            )
            return {}
        placed = {
            name: self._entry(schema.ParentEntry, {} if item is None else item, ("parents", name))
            for name, item in value.items()
        }
        return {name: one for name, one in placed.items() if one is not None}

    def hold(self) -> Duration:
        value = self._top.get("hold", "3m")
        try:
            if isinstance(value, str) and (hold := parse_duration(value)) >= 0:
                return hold
        except ValueError:
            pass
        self._mistakes.error(("hold",), f"found {shown(value)}; expected {schema.VALUES['hold']}")
        return 3 * MINUTE

    def names(self, section: str) -> frozenset[str]:
        value = self._top.get(section)
        if isinstance(value, Mapping):
            return frozenset(value)
        ids = (item.get("id") for item in value or () if isinstance(item, Mapping)) if isinstance(value, list) else ()
        return frozenset(name for name in ids if isinstance(name, str))

    def _entry(self, model: type[EntryType], value: Any, path: Path) -> Placed[EntryType] | None:
        if not isinstance(value, Mapping):
            shape = schema.EXPECTED.get(str(path[0])) if len(path) == 1 else None
            self._mistakes.error(path, f"found {shown(value)}; expected {shape or 'a mapping such as `{id: …}`'}")
            return None
        damaged: set[str] = set()
        taken_out: list[list[str | int]] = []
        for _ in range(_MAX_RETRIES):
            try:
                return Placed(model.model_validate(value), path, frozenset(damaged))
            except ValidationError as error:
                details = error.errors(include_url=False)
            for detail in details:
                if not _follows(detail, taken_out):
                    self._tell(model, detail, path)
            value = copy.deepcopy(dict(value))
            for detail in details:
                where = _culprit(detail)
                if not where:
                    return None
                taken_out.append(where)
                _take_out(value, where, stand_in=detail["type"] != "extra_forbidden")
                if detail["type"] != "extra_forbidden":
                    damaged.add(".".join(str(key) for key in where))
        return None

    def _tell(self, model: type[BaseModel], detail: ErrorDetails, path: Path) -> None:
        where = tuple(key for key in detail["loc"] if key != "[key]")
        kind, key = detail["type"], str(where[-1]) if where else ""
        if kind == "missing":
            expected = schema.EXPECTED.get(key, "a value")
            self._mistakes.error((*path, *where[:-1]), f"`{key}` is missing; expected {expected}")
        elif kind == "extra_forbidden":
            known = sorted(_keys(_model_at(model, where[:-1])))
            joined = re.match(r"(\w+)[:：]", key)
            hint = f"a colon and a space after `{joined[1]}`" if joined else f"one of {', '.join(known)}"
            near = "" if joined else _elsewhere(model, where) or self._mistakes.nearest(key, known)
            self._mistakes.error((*path, *where), f"unknown key{near}; expected {hint}")
        elif kind == schema.SECRET:
            self._mistakes.error((*path, *where), detail["msg"])
        else:
            found = self._document.plain.get((*path, *where)) or shown(detail["input"])
            shape = schema.EXPECTED.get(key) if kind in _SHAPES else None
            expectation = f"expected {shape}" if shape else _expectation(detail)
            if detail["input"] is None and kind in _SHAPES:
                expectation += f"; on lines of its own it is indented further than `{key}`"
            self._mistakes.error((*path, *where), f"found {found}; {expectation}")


_SHAPES = ("dict_type", "list_type", "model_type", "model_attributes_type")
"""Something of another shape was written: an example says more than the shape's name."""

_EXPECTATIONS: Mapping[str, str] = {
    "string_type": "expected text (in quotes where it looks like a number)",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "greater_than": "expected more than {gt:g}",
    "greater_than_equal": "expected at least {ge:g}",
    "less_than_equal": "expected at most {le:g}",
    "too_short": "expected at least {min_length} of them",
    "too_long": "expected at most {max_length} of them",
    "string_too_short": "expected text that is not empty",
    "string_too_long": "expected at most {max_length} characters",
    "literal_error": "expected {expected}",
    "finite_number": "expected a finite number",
}
"""pydantic's kinds of mistakes, in this project's words."""


def _expectation(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    words = _EXPECTATIONS.get(detail["type"])
    return words.format(**context) if words else detail["msg"]


def _model_at(model: type[BaseModel], where: tuple[str | int, ...]) -> type[BaseModel]:
    """The model of the mapping at `where` inside an entry of `model`."""
    for key in where:
        by_name = {field.alias or name: field for name, field in model.model_fields.items()}
        if isinstance(key, str) and key in by_name:
            model = next(_models(by_name[key].annotation), model)
    return model


def _elsewhere(model: type[BaseModel], where: tuple[str | int, ...]) -> str:
    """Where a key that is not known here is known: beside what it stands in, or as a section. That is a slip of indentation."""
    key = where[-1]
    for above in range(len(where) - 2, -1, -1):
        if isinstance(where[above], str) and key in _keys(_model_at(model, where[:above])):
            return f" here; it is a key beside `{where[above]}`: begin it in the same column"
    return " here; it is a section, which begins in column 1" if key in schema.SECTIONS else ""


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


_STAND_INS: Mapping[str, Any] = {
    "after": "0s",
    "at_most": "1d",
    "cameras": [],
    "checkers": ["-"],
    "expected": {"mode": "always"},
    "lasts": "1m",
    "mode": "always",
    "notify": [],
    "posts": ["-"],
    "rotation": [[]],
    "timezone": "UTC",
    "visits": [],
    "weight": 1,
    "within": "00:00-00:00",
}
"""What stands for a required key that is wrong, so that the rest of its entry can be read."""


def _culprit(detail: ErrorDetails) -> list[str | int]:
    """The key to take out so that an entry can be read without a mistake; empty if it cannot do without it."""
    where = [key for key in detail["loc"] if key != "[key]"]
    if detail["type"] == "missing" and where[-1] not in _STAND_INS:
        where.pop()
    while where and isinstance(where[-1], int):
        where.pop()
    return where


def _follows(detail: ErrorDetails, taken_out: list[list[str | int]]) -> bool:
    """Whether a mistake is only the consequence of what was taken out."""
    where = list(detail["loc"])
    return any(where == one[: len(where)] for one in taken_out)


def _take_out(entry: dict[str, Any], where: list[str | int], *, stand_in: bool) -> None:
    holder: Any = entry
    for key in where[:-1]:
        holder = _step(holder, key)
    last = str(where[-1])
    if isinstance(holder, dict):
        holder.pop(last, None)
        if stand_in and last in _STAND_INS:
            holder[last] = copy.deepcopy(_STAND_INS[last])


def _step(holder: Any, key: str | int) -> Any:
    match holder, key:
        case dict(), str():
            return holder.get(key)
        case list(), int() if key < len(holder):
            return holder[key]
        case _:
            return None
