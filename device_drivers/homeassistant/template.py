"""Templates from the bus: only a literal, `{{ value }}` and `{{ value_json.a.b }}` are honoured. Nothing is ever evaluated."""

from __future__ import annotations

from typing import Any, NamedTuple

from device_drivers.errors import DecodeError
from device_drivers.json_values import read_json, read_text

_LONGEST = 256
"""Characters of a template."""
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class Missing:
    """The payload has no such value."""


MISSING = Missing()


class Template(NamedTuple):
    """Where a value stands in a payload.

    Args:
        steps: keys and indices into its JSON; None: the payload as text.
        literal: the value, whatever the payload.
    """

    steps: tuple[str | int, ...] | None
    literal: str | None = None

    def value(self, payload: bytes) -> Any:
        """The value in a payload, or `MISSING`.

        Raises:
            DecodeError: no text, or no JSON where a path leads into it.
        """
        if self.literal is not None:
            return self.literal
        if self.steps is None:
            return read_text(payload).strip()
        return self.inside(read_json(payload))

    def inside(self, document: Any) -> Any:
        """The value in a document that was read already, or `MISSING`."""
        for step in self.steps or ():
            if isinstance(step, str):
                document = document.get(step, MISSING) if type(document) is dict else MISSING
            else:
                document = document[step] if type(document) is list and step < len(document) else MISSING
            if document is MISSING:
                return MISSING
        return document


WHOLE = Template(None)
"""The payload as text."""


def read_template(text: str) -> Template:
    """A template of the forms that are honoured.

    Raises:
        DecodeError: any other; it is not evaluated.
    """
    stripped = text.strip()
    if len(text) <= _LONGEST:
        if "{" not in text and "}" not in text:
            return Template(None, literal=stripped)
        if stripped.startswith("{{") and stripped.endswith("}}"):
            steps = _steps(stripped[2:-2].strip())
            if steps is not None:
                return steps
    raise DecodeError(f"template {text[:80]!r}: only `{{{{ value }}}}` and `{{{{ value_json.a.b }}}}` are honoured")


def _steps(expression: str) -> Template | None:
    if expression == "value":
        return WHOLE
    if not expression.startswith("value_json"):
        return None
    rest = expression[len("value_json") :]
    steps: list[str | int] = []
    while rest:
        if rest[0] == ".":
            end = next((place for place, sign in enumerate(rest[1:], 1) if sign not in _NAME), len(rest))
            name = rest[1:end]
            if not name or name[0].isdigit():
                return None
            steps.append(name)
        elif rest[0] == "[" and (end := rest.find("]") + 1):
            inside = rest[1 : end - 1]
            if inside.isascii() and inside.isdigit() and len(inside) < 6:
                steps.append(int(inside))
            elif len(inside) > 2 and inside[0] in "'\"" and inside[-1] == inside[0] and inside[0] not in inside[1:-1]:
                if "\\" in inside:
                    return None
                steps.append(inside[1:-1])
            else:
                return None
        else:
            return None
        rest = rest[end:]
    return Template(tuple(steps))
