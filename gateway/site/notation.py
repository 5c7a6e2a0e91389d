"""What is wrong with a text that YAML does not understand, in the words of who writes it: where it is, and what to change there.

YAML says where it stopped; what is to be mended is mostly the column in which a line begins, and often stands before.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple

import yaml

from gateway.site.lookalikes import LOOKALIKES, remark

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|(?:^|\s)#.*')
_GLUED = re.compile(r"^\s*(?:- +)?[{\[]?\s*([\w.\-]+):(?=[^\s:/])")
_INDENTATION = re.compile(r"(?P<blanks>[ \t]*)(?P<odd>[^\S \t\n]*)")
_INDICATORS = "@`%*&!|>"
_OPENERS = {"flow mapping": ("{", "}"), "flow sequence": ("[", "]")}
_SHOWN = 40


class Diagnosis(NamedTuple):
    """What to change, and the 1-based line where; None: nobody knows the line."""

    line: int | None
    message: str


class _Place(NamedTuple):
    """0-based, as YAML counts."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line + 1}, column {self.column + 1}"


class _Block(NamedTuple):
    """A list or mapping without brackets that is open, and where it began."""

    began: _Place
    is_list: bool


def diagnose(text: str, error: yaml.MarkedYAMLError, loader: type[Any]) -> Diagnosis:
    """Explain why `text` is no YAML.

    Args:
        text: the whole text.
        error: what YAML said.
        loader: what read it; its tokens are looked at again.
    """
    return _Case(text, error, loader).diagnosis()


class _Case:
    """One text that was not understood."""

    def __init__(self, text: str, error: yaml.MarkedYAMLError, loader: type[Any]) -> None:
        self._lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
        self._context = str(error.context or "")
        self._problem = str(error.problem or "")
        self._began = _place(error.context_mark)
        self._broke = _place(error.problem_mark) or self._began
        self._tokens = _tokens(text, loader)

    def diagnosis(self) -> Diagnosis:
        """The first explanation that fits; what is sure comes before what is likely."""
        for explain in (
            self._indented_with_something_else,
            self._quote_left_open,
            self._sign_of_yaml,
            self._without_colon,
            self._bracket,
            self._full_width,
            self._text_after_quote,
            self._value_with_colon,
            self._column,
        ):
            if (found := explain()) is not None:
                return found
        said = " ".join(part for part in (self._context, self._problem) if part)
        return Diagnosis(
            None if self._broke is None else self._broke.line + 1,
            f"{said}; expected each `{{`, `[` and quote to be closed and entries to be parted by commas, here or on the lines before",
        )

    # -- explanations, each None where it does not fit

    def _indented_with_something_else(self) -> Diagnosis | None:
        for number in self._near():
            found = _INDENTATION.match(self._lines[number])
            if found is None or not self._lines[number].strip():
                continue
            if "\t" in found["blanks"]:
                return _said(number, "is indented with a tab; indent with spaces, not with a tab")
            if found["odd"]:
                return _said(
                    number,
                    f"is indented with signs that only look like blanks; {remark(found['odd']) or 'type blanks'}",
                )
        return None

    def _quote_left_open(self) -> Diagnosis | None:
        """A quote was never closed, or only where the next one was opened."""
        if self._broke is None:
            return None
        if "quoted scalar" in self._context and self._began is not None:
            if "end of stream" in self._problem or self._broke.line > self._began.line:
                return self._open_quote(self._began)
            return _said(
                self._broke.line,
                f'has a quoted text that cannot be read ({self._problem}); inside of "…" a backslash is written twice',
            )
        quoted = [
            token
            for token in self._tokens
            if isinstance(token, yaml.ScalarToken) and token.style in ('"', "'") and _start(token) < self._broke
        ]
        if quoted and quoted[-1].start_mark.line < quoted[-1].end_mark.line == self._broke.line:
            return self._open_quote(_start(quoted[-1]))
        return None

    def _open_quote(self, place: _Place) -> Diagnosis:
        sign = self._lines[place.line][place.column : place.column + 1] or '"'
        return _said(
            place.line,
            f"has a quote {sign} in column {place.column + 1} that is not closed on its line; expected a second {sign}",
        )

    def _sign_of_yaml(self) -> Diagnosis | None:
        """A value begins with what YAML has for itself."""
        place = self._began
        if place is None or not re.search("next token|alias|anchor|tag|block scalar", self._context):
            return None
        sign = self._lines[place.line][place.column : place.column + 1]
        if not sign or sign not in _INDICATORS:
            return None
        return _said(
            place.line, f"has a text that begins with `{sign}` in column {place.column + 1}; expected it in quotes"
        )

    def _without_colon(self) -> Diagnosis | None:
        """What should be a key has no colon after it, or no blank after the colon."""
        if "simple key" in self._context and self._began is not None:
            return self._no_key(self._began.line)
        if "mapping values" in self._problem and self._broke is not None:
            first = self._scalar_before()
            if first is not None and first.line < self._broke.line and _GLUED.match(self._bare(first.line)):
                return self._no_key(first.line)
        return None

    def _no_key(self, line: int) -> Diagnosis:
        written = self._lines[line].strip()
        if glued := _GLUED.match(self._bare(line)):
            return _said(line, f"has no blank after the colon: expected a colon and a space after `{glued[1]}`")
        if told := remark(self._bare(line)):
            return _said(line, f"is no `key: value`; {told}, outside of quotes")
        return _said(line, f"is no `key: value`: expected a colon and a space after `{_short(written)}`")

    def _bracket(self) -> Diagnosis | None:
        kind = next((kind for kind in _OPENERS if kind in self._context), None)
        if kind is None or self._began is None or self._broke is None:
            return None
        opener, closer = _OPENERS[kind]
        found = self._lines[self._broke.line][self._broke.column : self._broke.column + 1] if self._in_text() else ""
        told = self._told_between(self._began.line, self._broke.line)
        if told:
            return _said(self._broke.line, f"is not understood; {told}, outside of quotes")
        if found and found in "}]":
            return _said(
                self._broke.line,
                f"closes with `{found}` in column {self._broke.column + 1} what `{opener}` opened in {self._began}; expected `{closer}`",
            )
        if self._broke.line == self._began.line and found:
            return _said(
                self._broke.line,
                f"is not understood from column {self._broke.column + 1} on; expected a comma between two entries, and quotes around a "
                "value with `: ` in it",
            )
        return _said(
            self._began.line,
            f"has a `{opener}` in column {self._began.column + 1} that is not closed; expected `{closer}` at its end, and commas between "
            "what stands inside",
        )

    def _full_width(self) -> Diagnosis | None:
        """A full-width sign stands where one of YAML's own was meant: at the beginning, or where it stopped."""
        if self._broke is None or not self._in_text():
            return None
        bare = self._bare(self._broke.line)
        begins = bare.lstrip()[:1] in LOOKALIKES if bare.strip() else False
        before = bare[: self._broke.column]
        keyed = re.match(r"\s*(?:- +)?[\w.\-]+[：]", bare) is not None
        bracketed = (
            re.search(r"[｛｝［］【】，“”]", before) is not None
            and re.search(r"[｛｝［］【】{}\[\]“”]", bare) is not None
        )
        if not (begins or keyed or bracketed):
            return None
        return _said(self._broke.line, f"is not understood; {remark(bare)}, outside of quotes")

    def _text_after_quote(self) -> Diagnosis | None:
        if self._broke is None or not self._in_text():
            return None
        before = self._lines[self._broke.line][: self._broke.column].rstrip()
        found = self._lines[self._broke.line][self._broke.column :].strip()
        if not before:
            return None
        if found[0] in "}]":
            return _said(
                self._broke.line,
                f"has a `{found[0]}` in column {self._broke.column + 1} that closes nothing; expected as many opening as closing ones",
            )
        if before[-1] in "\"'" and found[0] not in ":,":
            return _said(
                self._broke.line,
                f"has `{_short(found)}` in column {self._broke.column + 1}, after a closed quote; expected nothing more, or all of it in the quotes",
            )
        return None

    def _value_with_colon(self) -> Diagnosis | None:
        """`name: a: b`: the second colon makes no value of a value."""
        if self._broke is None or "mapping values" not in self._problem:
            return None
        first = self._scalar_before()
        if first is not None and first.line < self._broke.line:
            return self._too_deep(first)
        return _said(
            self._broke.line,
            f"has a second `: ` in column {self._broke.column + 1}; expected a value with `: ` in it to stand in quotes",
        )

    def _too_deep(self, value: _Place) -> Diagnosis:
        """A line that is indented further than the one before it, which has its value already."""
        assert self._broke is not None
        own, above = self._indented(self._broke.line), self._indented(value.line)
        key = self._key_column(value.line)
        return _said(
            self._broke.line,
            f"begins in column {own + 1}, but line {value.line + 1}, which has a value already, in column {above + 1}; keys of one mapping "
            f"begin in the same column: expected column {key + 1}, as `{self._shown_at(value.line)}` in line {value.line + 1}",
        )

    def _column(self) -> Diagnosis | None:
        """A line begins in a column in which nothing that is open begins."""
        place = self._broke
        if place is None or not self._in_text() or place.column != self._indented(place.line):
            return None
        line = self._lines[place.line].strip()
        if line.startswith("---"):
            return None
        if re.match(r"-(?=\S)", line):
            return _said(place.line, f"has no blank after its dash; expected `- {_short(line[1:])}`")
        blocks = self._open_before(place)
        if not blocks:
            return None
        is_entry = line.startswith("- ") or line == "-"
        if is_entry and not any(block.is_list and block.began.column >= place.column for block in blocks):
            deeper = next((block for block in blocks if not block.is_list and block.began.column >= place.column), None)
            if deeper is not None and not any(block.is_list for block in blocks):
                return _said(
                    deeper.began.line,
                    f"begins in column {deeper.began.column + 1} without `- `, but line {place.line + 1}, column {place.column + 1}, goes on "
                    f"with an entry of a list; expected a dash before the first key of each entry: `- {self._shown_at(deeper.began.line)}`",
                )
        outer = blocks[0]
        if place.column < outer.began.column:
            return _said(
                outer.began.line,
                f"begins in column {outer.began.column + 1}, but line {place.line + 1} in column {place.column + 1}; sections begin in "
                "column 1, keys of one mapping in the same column",
            )
        fits = [block for block in blocks if block.is_list == is_entry]
        without_dash = next((b for b in blocks if b.is_list and not is_entry and b.began.column == place.column), None)
        below = [block for block in fits if block.began.column < place.column]
        above = [block for block in fits if block.began.column >= place.column and block.began.column != place.column]
        near = [*above[:1], *below[-1:]]
        expected = " or ".join(
            f"column {block.began.column + 1}, as `{self._shown_at(block.began.line, block.began.column)}` in line {block.began.line + 1}"
            for block in near
        )
        what = "entries of one list" if is_entry else "keys of one mapping"
        found = f"begins in column {place.column + 1}, in which no entry and no key above it begins"
        if without_dash is not None:
            found = f"begins in column {place.column + 1} like the entries of the list in line {without_dash.began.line + 1}, but without `- `"
            if self._shown_at(place.line) == self._shown_at(without_dash.began.line):
                found += f"; a new entry is `- {_short(line)}`"
        return _said(place.line, f"{found}; {what} begin in the same column: expected {expected or 'another column'}")

    # -- what the text looks like

    def _near(self) -> list[int]:
        """The line where it stopped, and the two before it; the nearest first."""
        if self._broke is None:
            return []
        last = min(self._broke.line, len(self._lines) - 1)
        return list(range(last, max(last - 3, -1), -1))

    def _in_text(self) -> bool:
        return (
            self._broke is not None
            and self._broke.line < len(self._lines)
            and bool(self._lines[self._broke.line][self._broke.column :].strip())
        )

    def _bare(self, line: int) -> str:
        """A line without what stands in quotes and in comments; columns stay."""
        return _QUOTED.sub(lambda found: " " * len(found[0]), self._lines[line])

    def _told_between(self, first: int, last: int) -> str:
        """Full-width signs that part or close something, in lines of a bracket."""
        signs = "".join(self._bare(line) for line in range(first, min(last + 1, len(self._lines))))
        return remark("".join(re.findall("[，：、｛｝［］【】“”]", signs)))

    def _indented(self, line: int) -> int:
        return len(self._lines[line]) - len(self._lines[line].lstrip(" "))

    def _key_column(self, line: int) -> int:
        """The column of the first key of a line, behind the dashes of its entries."""
        found = re.match(r" *(?:- +)*", self._lines[line])
        return found.end() if found else 0

    def _shown_at(self, line: int, column: int | None = None) -> str:
        """The beginning of a line, from a column on (its first key, behind dashes), without its value."""
        start = self._key_column(line) if column is None else column
        written = self._lines[line][start:].strip()
        key = re.match(r"(?:- +)?[\w.\-/]+:", written)
        return key[0] if key else _short(written)

    def _scalar_before(self) -> _Place | None:
        """Where the unquoted text began in which YAML found another key."""
        assert self._broke is not None
        for token in reversed(self._tokens):
            if isinstance(token, yaml.ScalarToken):
                return _start(token)
        return None

    def _open_before(self, place: _Place) -> list[_Block]:
        """The blocks that were open on the line before `place`, the outermost first."""
        blocks: list[_Block] = []
        for token in self._tokens:
            began = _start(token)
            if began >= place:
                break
            if isinstance(token, yaml.BlockSequenceStartToken):
                blocks.append(_Block(began, is_list=True))
            elif isinstance(token, yaml.BlockMappingStartToken):
                blocks.append(_Block(began, is_list=False))
            elif isinstance(token, yaml.BlockEndToken) and blocks:
                blocks.pop()
        return blocks


def _said(line: int, message: str) -> Diagnosis:
    """Of a line, 0-based."""
    return Diagnosis(line + 1, f"the line {message}")


def _place(mark: Any) -> _Place | None:
    return None if mark is None else _Place(mark.line, mark.column)


def _start(token: Any) -> _Place:
    return _Place(token.start_mark.line, token.start_mark.column)


def _tokens(text: str, loader: type[Any]) -> list[Any]:
    """The tokens up to where YAML stopped reading them."""
    found: list[Any] = []
    with suppress(yaml.YAMLError):
        found.extend(yaml.scan(text, Loader=loader))
    return found


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
