"""The mapping language: which value of a device becomes which observation, said in its entry of the site file.

A mapping is a list of rows under `settings.map`. It is compiled once, at start, and every mistake in it is a
`SettingsError` that names its key; a value that is absent when a message comes is no observation. The same language maps
JSON documents (`path`), properties, tags and metrics (by their names).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple

from device_drivers.driver import DeviceSettings, Reading
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.json_values import LARGEST, instant, number, shown, trusted, word
from device_drivers.mapping_targets import FLAGS, KINDS, Field, Kind
from device_drivers.observations import DeviceStatus, Measurement, Observation
from device_drivers.tag import normal_tag

_MOST_ROWS = 500
"""Rows of a mapping; a device with more values is several devices."""
_MOST_VALUES = 512
"""Measurements taken from one message where there is no mapping."""
_LONGEST_NAME = 200
"""Characters of the name of such a measurement; what is longer is passed over."""
_LONGEST_TEXT = 4096
"""Characters of a person, a code or a text."""

_ANY = "*"
"""In `values`: every value that is not named."""

_ROW_KEYS = ("to", "topic", "values", "scale", "offset", "unit", "form", "when")
_TAG_FORMS = ("hex", "decimal")
_TIME_KEYS = ("form", "zone")
_FORMS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class _Missing:
    """There is no such value."""


_MISSING = _Missing()


class Where(NamedTuple):
    """A step into a list: the first object in it whose `key` is `value`."""

    key: str
    value: str


class Index(NamedTuple):
    """A step into a list by number, or into an object by the same digits."""

    position: int
    key: str


Step = str | Index | Where
_Read = Callable[[Any], Any]


class Row(NamedTuple):
    """One row, compiled.

    Args:
        topic: the key of the device's `link` whose messages it reads.
        steps: where its value stands.
        name / kind / field: what it becomes.
        fixed: fields that the row states itself.
        read: from the value to the field's; None: no value.
        when: (steps, words): the row counts only where each place holds one of the words.
    """

    topic: str
    steps: tuple[Step, ...]
    name: str
    kind: Kind
    field: str
    fixed: tuple[tuple[str, Any], ...]
    read: _Read
    when: tuple[tuple[tuple[Step, ...], frozenset[str]], ...]


class Clock(NamedTuple):
    """Where the device's own time stands, and how it is written."""

    steps: tuple[Step, ...]
    form: str
    zone: timezone | None

    def read(self, document: Any, received: datetime) -> datetime | None:
        """The device's time; None if it is absent or cannot be trusted."""
        value = value_at(document, self.steps)
        if self.form == "iso":
            if type(value) is not str or len(value) > 64:
                return None
            try:
                time = datetime.fromisoformat(value)
            except ValueError:
                return None
            return trusted(time.replace(tzinfo=self.zone) if time.tzinfo is None else time, received)
        if type(value) is str and len(value) <= 32 and value.isascii() and value.strip().isdigit():
            value = int(value)
        if type(value) is not int and type(value) is not float:
            return None
        try:
            return instant(value * _FORMS[self.form], received)
        except OverflowError:  # a whole number that no float holds
            return None


class _Group(NamedTuple):
    """Rows that make one observation."""

    make: Callable[..., Observation]
    name: str
    fixed: dict[str, Any]
    rows: tuple[Row, ...]
    needs: frozenset[str]
    event: bool


class Map:
    """A device's mapping of one topic, ready to be used.

    Args:
        device: whose observations they are.
        rows: of this topic.
        clock: where the device's own time stands.
    """

    def __init__(self, device: str, rows: Sequence[Row], clock: Clock | None = None) -> None:
        self._device = device
        self._groups = tuple(_groups(rows))
        self._clock = clock
        self.whole = all(not row.steps for row in rows)
        """The payload itself is the value: plain text, not JSON."""

    def observations(
        self, document: Any, received: datetime, *, unread: list[str], retained: bool = False
    ) -> list[Reading]:
        """What the document says. Retained values of unknown age say nothing, except that a device is off line.

        Args:
            unread: is told each value that is not what the mapping expects, and each event that is retained; the others count.
        """
        at = None if self._clock is None else self._clock.read(document, received)
        time = received if at is None else at
        return self.at(document, time, unread=unread, aged=retained and at is None, retained=retained)

    def at(
        self,
        document: Any,
        at: datetime,
        *,
        unread: list[str],
        aged: bool = False,
        retained: bool = False,
        events: bool = True,
    ) -> list[Reading]:
        """The same where the time is known from elsewhere.

        Args:
            aged: of what age the values are is not known.
            events: False: the values are told again, not new; an event among them is passed over.
        """
        found: list[Reading] = []
        device = self._device
        for make, name, fixed, rows, needs, event in self._groups:
            if event and not events:
                continue
            fields: dict[str, Any] | None = None
            for row in rows:
                value = value_at(document, row.steps)
                if value is None or value is _MISSING or (row.when and not _applies(document, row.when)):
                    continue
                try:
                    value = row.read(value)
                except DecodeError as error:
                    unread.append(error.reason)
                    continue
                if value is not None:
                    if fields is None:
                        fields = dict(fixed)
                    fields[row.field] = value
            if fields is None or not needs <= fields.keys():
                continue
            if retained and event:
                unread.append(f"retained {name}: old state, not an event")
                continue
            observation = make(device=device, at=at, **fields)
            if aged and not (isinstance(observation, DeviceStatus) and not observation.online):
                continue
            found.append(Reading(observation))
        return found


def read_rows(
    settings: DeviceSettings, *, source: str = "path", topics: Sequence[str] = ("mqtt",)
) -> tuple[Row, ...] | None:
    """The rows of `settings.map`; None if there is no mapping.

    Args:
        source: the key that says where a row's value stands: `path` is a way into a JSON document, anything else (`metric`,
            `tag`) a name as it stands.
        topics: the keys of `link` that a row may name as its `topic`.

    Raises:
        SettingsError: names the key that cannot be used.
    """
    given = settings.settings.get("map")
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or not given:
        raise SettingsError("settings.map", f"a list of rows, for example `- {{{source}: lux, to: light_level}}`")
    if len(given) > _MOST_ROWS:
        raise SettingsError("settings.map", f"at most {_MOST_ROWS} rows")
    return tuple(_row(row, f"settings.map.{place}", source, topics) for place, row in enumerate(given))


def read_clock(settings: DeviceSettings) -> Clock | None:
    """Where the device's own time stands (`settings.time`); None if it is not said.

    Raises:
        SettingsError: names the key that cannot be used.
    """
    given = settings.settings.get("time")
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise SettingsError("settings.time", "where the time stands, for example `{path: ts, form: ms}`")
    for key in given:
        if key != "path" and key not in _TIME_KEYS:
            raise SettingsError(f"settings.time.{key}", f"one of path, {', '.join(_TIME_KEYS)}")
    if "path" not in given:
        raise SettingsError("settings.time.path", "where the time stands, for example `ts`")
    form = given.get("form", "iso")
    if form != "iso" and form not in _FORMS:
        raise SettingsError("settings.time.form", f"iso, or the unit since 1970: {', '.join(_FORMS)}")
    zone = given.get("zone")
    if zone is not None:
        if form != "iso":
            raise SettingsError("settings.time.zone", "none: a count since 1970 has no zone")
        zone = _zone(zone)
    return Clock(read_path(given["path"], "settings.time.path"), form, zone)


def read_path(given: Any, where: str) -> tuple[Step, ...]:
    """A way into a JSON document: `a.b.0.c`, `list[name=lux].value`, or a list of names where one holds a dot.

    Raises:
        SettingsError: at `where`.
    """
    if isinstance(given, str):
        return tuple(_steps(given, where))
    if isinstance(given, (list, tuple)) and given and all(isinstance(step, (str, int)) for step in given):
        return tuple(Index(step, str(step)) if isinstance(step, int) else step for step in given)
    raise SettingsError(where, "a path such as `sensors.0.lux`, or a list of its steps")


def value_at(document: Any, steps: Sequence[Step]) -> Any:
    """The value at the end of the steps, or a mark that there is none."""
    for step in steps:
        if type(step) is str:
            if type(document) is not dict or step not in document:
                return _MISSING
            document = document[step]
        elif isinstance(step, Index):
            if type(document) is list and step.position < len(document):
                document = document[step.position]
            elif type(document) is dict and step.key in document:
                document = document[step.key]
            else:
                return _MISSING
        else:
            assert isinstance(step, Where)
            if type(document) is not list:
                return _MISSING
            for item in document:
                if type(item) is dict and word(item.get(step.key)) == step.value:
                    document = item
                    break
            else:
                return _MISSING
    return document


def measurements(document: Any, device: str, at: datetime, name: str = "value", *, unread: list[str]) -> list[Reading]:
    """All numbers and flags of a document as measurements named by their paths: what a device says without a mapping.

    Args:
        name: of a document that is itself a number or flag.
        unread: is told the numbers that are no measurement.
    """
    return [
        Reading(Measurement(device=device, at=at, quantity=quantity, value=value))
        for quantity, value in numbers(document, name, unread=unread)
    ]


def numbers(document: Any, name: str = "value", *, unread: list[str] | None = None) -> Iterator[tuple[str, float]]:
    """(path, number) of at most 512 numbers and flags of a document, in its order.

    Those beyond 1e15 are no values (a whole number beyond 2^53 could not even keep its digits): `unread` is told them.
    """
    stack: list[tuple[str, Any]] = [("", document)]
    left = _MOST_VALUES
    while stack and left:
        path, value = stack.pop()
        kind = type(value)
        if kind is int or kind is float or kind is bool:
            if -LARGEST <= value <= LARGEST:
                left -= 1
                yield path or name, float(value)
            elif value == value and unread is not None and len(unread) < _MOST_VALUES:  # noqa: PLR0124  not-a-number is none
                unread.append(f"{(path or name)[:80]}: {str(value)[:40]} is no measurement")
        elif kind is dict:
            inner = [
                (f"{path}.{key}" if path else key, item) for key, item in value.items() if len(key) < _LONGEST_NAME
            ]
            stack.extend(reversed([pair for pair in inner if len(pair[0]) <= _LONGEST_NAME]))
        elif kind is list and len(path) < _LONGEST_NAME:
            stack.extend(
                (f"{path}.{place}" if path else str(place), value[place]) for place in reversed(range(len(value)))
            )


# -- compiling


def _groups(rows: Sequence[Row]) -> Iterator[_Group]:
    """Rows of the same kind and the same fixed fields make one observation; a field given twice begins another."""
    open_groups: dict[tuple[Any, ...], list[Row]] = {}
    order: list[list[Row]] = []
    for row in rows:
        key = (row.name, row.fixed)
        group = open_groups.get(key)
        if group is None or any(row.field == other.field for other in group):
            group = open_groups[key] = []
            order.append(group)
        group.append(row)
    for group in order:
        first = group[0]
        yield _Group(
            first.kind.make, first.name, dict(first.fixed), tuple(group), frozenset(first.kind.needs), first.kind.event
        )


def _row(given: Any, where: str, source: str, topics: Sequence[str]) -> Row:
    if not isinstance(given, Mapping):
        raise SettingsError(where, f"a row such as `{{{source}: lux, to: light_level}}`")
    kind_name, kind, field = _target(given.get("to"), f"{where}.to")
    for key in given:
        if key != source and key not in _ROW_KEYS and key not in kind.fixed:
            known = (source, *_ROW_KEYS, *kind.fixed)
            raise SettingsError(f"{where}.{key}", f"one of {', '.join(dict.fromkeys(known))} for {kind_name}")
    topic = given.get("topic", "mqtt")
    if topic not in topics:
        raise SettingsError(f"{where}.topic", f"a key of the device's `link`: {', '.join(topics)}")
    steps = _source(given, where, source)
    fixed = _fixed(given, where, kind)
    if kind_name == "measurement" and "quantity" not in fixed:
        name = given.get(source)
        if not isinstance(name, str) or not name:
            raise SettingsError(f"{where}.quantity", "what is measured, for example `quantity: temperature`")
        fixed["quantity"] = name
    for name in kind.needs:
        if name not in kind.fields and name not in fixed:
            raise SettingsError(f"{where}.{name}", _wanted(kind.fixed[name]))
    taken = _Taken(f"{kind_name}.{field}", kind.fields[field], ".".join(map(_step_name, steps)) or "the payload")
    read = _reader(given, where, taken, has_unit="unit" in fixed)
    return Row(
        topic,
        steps,
        kind_name,
        kind,
        field,
        tuple(sorted(fixed.items())),
        read,
        _when(given.get("when"), where, source),
    )


def _target(given: Any, where: str) -> tuple[str, Kind, str]:
    name, _, field = given.partition(".") if isinstance(given, str) else ("", "", "")
    kind = KINDS.get(name)
    if kind is None:
        raise SettingsError(
            where, f"an observation kind, one of {', '.join(KINDS)}, with `.FIELD` for other than its main field"
        )
    if field and field not in kind.fields:
        raise SettingsError(where, f"one of {', '.join(f'{name}.{known}' for known in kind.fields)}")
    return name, kind, field or kind.main


def _source(given: Mapping[str, Any], where: str, source: str) -> tuple[Step, ...]:
    value = given.get(source)
    if source == "path":
        return () if value is None else read_path(value, f"{where}.path")
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where}.{source}", f"the {source}'s name")
    return (value,)


def _steps(path: str, where: str) -> Iterator[Step]:
    for part in path.split("."):
        name, bracket, rest = part.partition("[")
        if name:
            yield Index(int(name), name) if name.isascii() and name.isdigit() and len(name) < 8 else name
        if bracket:
            key, equals, value = rest.removesuffix("]").partition("=")
            if not rest.endswith("]") or not equals or not key:
                raise SettingsError(where, "`[name=lux]` to find an object in a list by one of its values")
            yield Where(key, value)
        elif not name:
            raise SettingsError(where, "a path such as `sensors.0.lux`, without empty steps")


def _fixed(given: Mapping[str, Any], where: str, kind: Kind) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    for name, sort in kind.fixed.items():
        value = given.get(name)
        if value is None or (name == "unit" and name not in kind.make.__struct_fields__):
            continue
        if isinstance(sort, tuple):
            right = value in sort
        elif sort is str:
            right = isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT
        elif sort is float:
            right = type(value) in (int, float) and 0 < value < LARGEST
        else:
            right = isinstance(value, str) or type(value) is int
        if not right:
            raise SettingsError(f"{where}.{name}", _wanted(sort))
        fixed[name] = value
    return fixed


def _wanted(sort: type[Any] | tuple[str, ...]) -> str:
    if isinstance(sort, tuple):
        return f"one of {', '.join(sort)}"
    return {str: "text", float: "seconds above 0"}.get(sort, "a channel's number or name")


def _when(given: Any, where: str, source: str) -> tuple[tuple[tuple[Step, ...], frozenset[str]], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping) or not given:
        raise SettingsError(f"{where}.when", "places and the values they must hold, for example `{type: scan}`")
    conditions = []
    for place, value in given.items():
        words = [word(item) for item in (value if isinstance(value, (list, tuple)) else [value])]
        if not words or any(item is None for item in words):
            raise SettingsError(f"{where}.when.{place}", "a value, or a list of values")
        steps = read_path(place, f"{where}.when.{place}") if source == "path" else (place,)
        conditions.append((steps, frozenset(item for item in words if item is not None)))
    return tuple(conditions)


def _applies(document: Any, when: Sequence[tuple[Sequence[Step], frozenset[str]]]) -> bool:
    return all(word(value_at(document, steps)) in words for steps, words in when)


def _zone(given: Any) -> timezone:
    try:
        time = datetime.fromisoformat(f"2026-01-01T00:00:00{given}")
    except ValueError:
        time = datetime(2026, 1, 1)  # noqa: DTZ001  refused below
    offset = time.utcoffset()
    if offset is None or abs(offset) > timedelta(hours=14):
        raise SettingsError("settings.time.zone", 'the offset of times without one, in quotes, for example "+08:00"')
    return timezone(offset)


# -- reading values


class _Taken(NamedTuple):
    """What a value becomes (`light_level.lux`), and how it is called in messages."""

    target: str
    field: Field
    name: str


def _reader(given: Mapping[str, Any], where: str, taken: _Taken, *, has_unit: bool) -> _Read:
    target, field, _ = taken
    for key in ("scale", "offset"):
        if key in given and field.sort != "number":
            raise SettingsError(f"{where}.{key}", f"none: {target} is no number")
    scale = _factor(given, f"{where}.scale", "scale", 1.0)
    offset = _factor(given, f"{where}.offset", "offset", 0.0)
    if scale == 0:
        raise SettingsError(f"{where}.scale", "a number other than 0")
    unit = given.get("unit")
    if unit is not None and not has_unit:
        if not isinstance(unit, str) or unit not in field.units:
            known = ", ".join(field.units)
            raise SettingsError(f"{where}.unit", f"one of {known}" if known else f"none: {target} has no unit")
        scale, offset = scale * field.units[unit], offset * field.units[unit]
    form = given.get("form", "hex")
    if form not in _TAG_FORMS or ("form" in given and field.sort != "tag"):
        raise SettingsError(f"{where}.form", f"one of {', '.join(_TAG_FORMS)}, for a tag")
    plain = _decimal_tag_reader(taken.name) if form == "decimal" else _plain(taken, scale, offset)
    values = given.get("values")
    return plain if values is None else _table(values, f"{where}.values", taken, plain)


def _step_name(step: Step) -> str:
    match step:
        case Index(_, key):
            return key
        case Where(key, value):
            return f"[{key}={value}]"
    return step


def _factor(given: Mapping[str, Any], where: str, key: str, default: float) -> float:
    value = given.get(key, default)
    if type(value) not in (int, float) or not -LARGEST <= value <= LARGEST:
        raise SettingsError(where, "a number")
    return float(value)


def _plain(taken: _Taken, scale: float, offset: float) -> _Read:
    name = taken.name
    match taken.field.sort:
        case "number":
            return _number_reader(taken, scale, offset)
        case "flag":
            return lambda value: _flag(value, name)
        case "tag":
            return lambda value: _tag(value, name)
        case "count":
            return lambda value: _count(value, name)
        case "status":
            return lambda value: _status(value, name)
        case "text":
            return lambda value: _text(value, name)


def _number_reader(taken: _Taken, scale: float, offset: float) -> _Read:
    target, field, name = taken
    flags = target == "measurement.value"
    least, most, below_none = field.least, field.most, field.below_none
    plain = scale == 1 and offset == 0

    def read(value: Any) -> float | None:
        if flags and type(value) is bool:
            value = int(value)
        elif flags and type(value) is str and value in FLAGS:
            value = int(FLAGS[value])
        found = number(value, name)
        if found is None:
            return None
        if not plain:
            found = float(f"{found * scale + offset:.12g}")  # 613 · 0.1 − 40 is 21.3
        if below_none and found < 0:
            return None
        if least is not None and found < least:
            return least
        return most if most is not None and found > most else found

    return read


def _table(values: Any, where: str, taken: _Taken, plain: _Read) -> _Read:
    if not isinstance(values, Mapping) or not values:
        raise SettingsError(where, 'what each value means, for example `{"OPEN": true, "CLOSED": false}`')
    target, field, name = taken
    table: dict[str, Any] = {}
    for key, meaning in values.items():
        if not isinstance(key, str):
            raise SettingsError(f"{where}.{key}", "values in quotes")
        try:
            table[key] = None if meaning is None else _meaning(meaning, field, plain)
        except DecodeError:
            wanted = f"{_MEANINGS[field.sort]} for {target}, or null for no observation"
            raise SettingsError(f"{where}.{key}", wanted) from None
    otherwise = table.pop(_ANY, _MISSING)

    def read(value: Any) -> Any:
        text = word(value)
        if text is None:
            raise DecodeError(f"{name}: {shown(value)}, expected one of {', '.join(table)[:200]}")
        found = table.get(text, otherwise)
        if found is _MISSING:
            raise DecodeError(f"{name}: {shown(value)}, expected one of {', '.join(table)[:200]}")
        return found

    return read


def _meaning(meaning: Any, field: Field, plain: _Read) -> Any:
    """What a value is said to mean; a number is in the field's own unit, neither scaled nor converted."""
    if field.sort == "flag":
        if type(meaning) is not bool:
            raise DecodeError("no flag")
        return meaning
    if field.sort == "number":
        if type(meaning) is bool or (found := number(meaning, "")) is None:
            raise DecodeError("no number")
        return found
    found = plain(meaning)
    if found is None:
        raise DecodeError("no value")
    return found


_MEANINGS = {
    "flag": "true or false",
    "number": "a number",
    "text": "text",
    "tag": "a tag",
    "count": "a count",
    "status": "ok or fault",
}


def _flag(value: Any, name: str) -> bool:
    if type(value) is bool:
        return value
    text = word(value)
    found = None if text is None else FLAGS.get(text)
    if found is None:
        raise DecodeError(f"{name}: {shown(value)}, expected true or false (`values` says what else means them)")
    return found


def _tag(value: Any, name: str) -> str | None:
    """A tag as text. A number is refused: whether it is decimal or hexadecimal, and how long, nobody knows."""
    if type(value) is not str:
        raise DecodeError(f"{name}: {shown(value)}, expected a tag as text")
    text = value.strip()
    return normal_tag(text) if text else None


def _decimal_tag_reader(name: str) -> _Read:
    """A tag that the device gives as a decimal number: its bytes, at least 4 (as 125 kHz cards have them printed)."""

    def read(value: Any) -> str | None:
        text = word(value)
        if text is None or len(text) > 20 or not text.isascii() or not text.strip().isdigit():
            raise DecodeError(f"{name}: {shown(value)}, expected a tag as a decimal number")
        found = int(text)
        return f"{found:0{max(8, (found.bit_length() + 7) // 8 * 2)}X}" if found else None

    return read


def _count(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise DecodeError(f"{name}: {shown(value)}, expected a count")
    return value


def _status(value: Any, name: str) -> Literal["ok", "fault"]:
    if value == "ok":
        return "ok"
    if value == "fault":
        return "fault"
    raise DecodeError(f"{name}: {shown(value)}, expected ok or fault")


def _text(value: Any, name: str) -> str | None:
    text = word(value)
    if text is None or len(text) > _LONGEST_TEXT:
        raise DecodeError(f"{name}: {shown(value)}, expected text")
    return text or None
