"""Collects what is wrong with a site file, each with its line, and gives it in the order of the file."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Literal

from gateway.errors import Problem
from gateway.site.lookalikes import plain, remark, slips
from gateway.site.positions import WHOLE_FILE, Document, Path
from gateway.site.schema import is_secret_key

_LONGEST_SHOWN = 60

_PROSE = ("name", "image")
"""Keys of texts in which the signs of another script are meant."""

_MAX_COMPARISONS = 100_000
"""About a second of looking for near words."""


class Mistakes:
    """All problems of one file.

    Args:
        file: as the user named it.
        document: where its nodes stand.
    """

    def __init__(self, file: str, document: Document) -> None:
        self._file = file
        self._document = document
        self._comparisons = 0
        self._found: dict[tuple[Path, str], Problem] = {}
        self._touched: set[Path] = set()

    def error(self, path: Path, message: str, *, line: int | None = None) -> None:
        """Something that refuses the file; the same twice is one. `line`: where it is, if not where `path` stands."""
        self._add(path, message, "error", line)

    def warning(self, path: Path, message: str) -> None:
        """Something that is allowed and probably not meant."""
        self._add(path, message, "warning")

    def doubtful(self, path: Path, value: object) -> None:
        """A warning if a name that must match to the letter has signs that nobody types on purpose; at a place of another mistake none."""
        if isinstance(value, str) and slips(value) and path not in self._touched:
            self.warning(path, f"found {shown(value)}, which is another name than {plain(value)!r}")

    def _add(self, path: Path, message: str, level: Literal["error", "warning"], line: int | None = None) -> None:
        at = line or self._document.line(path)
        if (typed := self._lookalikes(path)) and typed not in message:
            message = f"{message}; {typed}"
        self._touched.add(path)
        self._found.setdefault((path, message), Problem(self._file, at, self._name(path), message, level))

    def _lookalikes(self, path: Path) -> str:
        """What to type instead of the full-width signs in the key or value at `path`; nothing of secrets and of names for people."""
        if not path or path[-1] in _PROSE or any(isinstance(key, str) and is_secret_key(key) for key in path):
            return ""
        value = self.written(path)
        texts = [path[-1], *(value if isinstance(value, list) else [value])]
        return remark("".join(text for text in texts if isinstance(text, str)))

    def _name(self, path: Path) -> str:
        """`("routes", 0, "visits", 2)` as `routes.night.visits[2]`: entries by their id where they have one."""
        text = ""
        value: Any = self._document.value
        for depth, key in enumerate(path):
            value = _step(value, key)
            own = value.get("id") if depth == 1 and isinstance(value, Mapping) else None
            if isinstance(key, int):
                text += f".{own}" if isinstance(own, str) else f"[{key}]"
            else:
                text += f".{key}" if text else key
        return text or WHOLE_FILE

    def nearest(self, word: str, known: Collection[str]) -> str:
        """` (did you mean …?)` if a known word is near, else nothing; also nothing after very many comparisons."""
        self._comparisons += len(known)
        if self._comparisons > _MAX_COMPARISONS:
            return ""
        meant = {plain(one).casefold(): one for one in known}
        near = difflib.get_close_matches(plain(word).casefold(), meant, n=1, cutoff=0.6)
        return f" (did you mean `{meant[near[0]]}`?)" if near else ""

    def written(self, path: Path) -> Any:
        """What the file says at `path`; None: nothing."""
        value: Any = self._document.value
        for key in path:
            value = _step(value, key)
        return value

    def place(self, path: Path) -> str:
        """Where a node stands, for a message about another one."""
        return f"line {self._document.line(path)}"

    def listed(self) -> list[Problem]:
        """All problems in the order of the file."""
        return sorted(self._found.values(), key=lambda problem: (problem.line or 0, problem.level))


def _step(value: Any, key: str | int) -> Any:
    match value, key:
        case Mapping(), str():
            return value.get(key)
        case list(), int() if key < len(value):
            return value[key]
        case _:
            return None


def shown(value: Any) -> str:
    """A value as a message shows it: short, in one line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            text = repr(value)
            return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
