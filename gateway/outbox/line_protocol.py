"""InfluxDB line protocol (docs: InfluxDB v2, Line protocol): one point, one line."""

from __future__ import annotations

from functools import lru_cache

from gateway.outbox.measurements import Point, Value

_NAME = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\ ", "\r": r"\ ", "\t": r"\ "})
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ "})
_TEXT = str.maketrans({'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": ""})


def line(point: Point) -> bytes:
    """The line of a point, without the line end."""
    fields = ",".join(f"{name.translate(_NAME)}={_field(value)}" for name, value in point.fields)
    return f"{_series(point.measurement, point.tags)} {fields} {point.time_ns}".encode()


@lru_cache(16_384)
def _series(measurement: str, tags: tuple[tuple[str, str], ...]) -> str:
    """Measurement and tags; a site has few of them, and says each many times."""
    return measurement.translate(_MEASUREMENT) + "".join(
        f",{name.translate(_NAME)}={_tag(value)}" for name, value in tags
    )


def _tag(value: str) -> str:
    escaped = value.translate(_NAME)
    # A backslash at the end would escape the comma that follows.
    return escaped + r"\ " if escaped.endswith("\\") else escaped


def _field(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i"
        case float():
            return repr(value)
        case str():
            return f'"{value.translate(_TEXT)}"'
