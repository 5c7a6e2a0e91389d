"""YAML with the line of every node: plain values out, or every mistake of the notation with its line.

Scalars are read as the YAML 1.2 core schema does, so `on` and `off` are words and `22:00` is text; no tag (`!…`)
makes anything but text, lists, mappings and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from gateway.errors import ConfigError, Problem
from gateway.site.notation import diagnose

MAX_BYTES = 16 * 1024 * 1024
"""A site of 10,000 devices, each with a lamp, is about 4 MB."""

MAX_NODES = 1_000_000
"""Counted after aliases are followed, so that few lines cannot become many."""

MAX_DEPTH = 32
"""The site file's own deepest path is 8 levels."""

Path = tuple[str | int, ...]
"""Keys and indices from the top."""

WHOLE_FILE = "(file)"
"""The path of a problem that concerns the file as a whole."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"
_CONTAINERS = frozenset({"tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)


class _Notation(_LOADER):  # type: ignore[misc]
    """Leaves every unquoted scalar as text; what it means is decided below."""

    yaml_implicit_resolvers: Mapping[str, Any] = {}


class Document(NamedTuple):
    """What a YAML file holds.

    Args:
        value: mappings with text keys, lists, text, whole numbers, numbers, booleans, None.
        lines: the 1-based line of the key or list item at each path.
        plain: the text of unquoted numbers as written.
        problems: keys given twice, keys that are no text, unknown tags; the value is what can be read regardless.
    """

    value: Any
    lines: Mapping[Path, int]
    plain: Mapping[Path, str]
    problems: list[tuple[Path, int, str]]

    def line(self, path: Path) -> int | None:
        """The line of the node at `path`, or of the nearest one above it."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return None


def read_document(data: bytes, file: str) -> Document:
    """Read one YAML document.

    Args:
        data: the file's bytes.
        file: its name, for messages.

    Raises:
        ConfigError: not UTF-8, not YAML, too large, too deep, empty.
    """
    if len(data) > MAX_BYTES:
        raise _refused(file, None, f"is {len(data)} bytes long; a site file has at most {MAX_BYTES}")
    text = _text(data, file)
    try:
        _bound_depth(text, file)
        root = yaml.compose(text, Loader=_Notation)
    except yaml.MarkedYAMLError as error:
        line, message = diagnose(text, error, _Notation)
        raise _refused(file, line, f"is not YAML: {message}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _refused(
            file, line, f"is not YAML: the character U+{_code(error.character):04X} is not allowed"
        ) from error
    if root is None:
        raise _refused(file, None, "is empty; expected at least the section `site`")
    return _Reader(file).read(root)


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused(
            file, line, f"is not UTF-8: byte {data[error.start]:02X} cannot be read; save it as UTF-8"
        ) from error


def _bound_depth(text: str, file: str) -> None:
    """Composing recurses, so the depth is looked at first, flatly."""
    depth = 0
    for event in yaml.parse(text, Loader=_Notation):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else None
                raise _refused(file, line, f"is nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _code(character: Any) -> int:
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


def _refused(file: str, line: int | None, message: str) -> ConfigError:
    return ConfigError([Problem(file, line, WHOLE_FILE, message)])


class _Reader:
    """Turns nodes into values and notes where each stood."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0
        self._open: set[int] = set()
        self._lines: dict[Path, int] = {}
        self._plain: dict[Path, str] = {}
        self._problems: list[tuple[Path, int, str]] = []

    def read(self, root: yaml.Node) -> Document:
        self._lines[()] = root.start_mark.line + 1
        return Document(self._value(root, ()), self._lines, self._plain, self._problems)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refused(self._file, line, f"holds more than {MAX_NODES} values, aliases followed")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _CONTAINERS:
            self._problems.append((path, line, f"found the tag {_short(node.tag)}; expected none"))
        if id(node) in self._open:
            self._problems.append((path, line, "found an alias inside of what it names; expected no such circle"))
            return None
        self._open.add(id(node))
        value = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        self._open.remove(id(node))
        return value

    def _list(self, node: yaml.Node, path: Path) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            at = (*path, index)
            self._lines[at] = item.start_mark.line + 1
            values.append(self._value(item, at))
        return values

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._problems.append((path, line, "found a key that is a list or a mapping; expected a word"))
            elif key.value == "<<" and not key.style:
                merged += item.value if isinstance(item, yaml.SequenceNode) else [item]
            elif key.value in values:
                at = (*path, key.value)
                first = self._lines[at]
                entry = f"; if a new entry begins here, put `- ` before `{key.value}`" if _in_list(path) else ""
                self._problems.append((at, line, f"found a second time; it stands in line {first} already{entry}"))
            else:
                self._lines[*path, key.value] = line
                values[key.value] = self._value(item, (*path, key.value))
        for item in merged:
            self._merge(item, values, path)
        return values

    def _merge(self, node: yaml.Node, values: dict[str, Any], path: Path) -> None:
        """`<<: *name`: the keys of the named mapping that are not given here."""
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode) or id(node) in self._open:
            self._problems.append((path, line, "found `<<` with something else; expected an alias of a mapping"))
            return
        self._open.add(id(node))
        for key, item in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value not in values and key.value != "<<":
                self._lines[*path, key.value] = key.start_mark.line + 1
                values[key.value] = self._value(item, (*path, key.value))
        self._open.remove(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text: str = node.value
        if node.tag != _TEXT:
            line = node.start_mark.line + 1
            self._problems.append((path, line, f"found the tag {_short(node.tag)}; expected none"))
            return text
        if node.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.fullmatch(text):
            self._plain[path] = text
            return int(text)
        if _NUMBER.fullmatch(text):
            self._plain[path] = text
            return float(text)
        return text


def _in_list(path: Path) -> bool:
    return bool(path) and isinstance(path[-1], int)


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")[:80]
