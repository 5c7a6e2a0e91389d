"""Why something was refused, in words: the sentences that the gateway refuses with, in the reader's language.

The gateway and the API say it in English, and histories keep that. The English catalogue `refusals` holds those sentences
with `{name}` where something is filled in, so a sentence is found by its English text and said by the reader's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from api.console.languages import Language, say, table, word
from gateway.alerts.catalogue import CATALOGUE

_PLACE = re.compile(r"\{(\w+)\}")
_GROUPS = {
    "alert_state": "state",
    "order_state": "order.state",
    "appeal_state": "appeal_state",
    "urgency": "order.urgency",
    "role": "role",
    "roles": "role",
    "right": "right",
    "on": "silences.on",
    "contact": "contact",
}
"""Places that are filled with codes, and the groups of their words; several codes stand with commas."""
_SPECIFIC = frozenset({"invalid", "refused"})
"""Kinds of problem of which an English detail says more than our text for the kind."""


def refused(language: Language, sentence: str, named: Callable[[str], str] = str) -> str | None:
    """A sentence in `language`; None: it is none of ours. `named`: a person by id, as the reader may know them."""
    plain = sentence[:1].lower() + sentence[1:].removesuffix(".")
    for key, pattern in _sentences():
        if found := pattern.fullmatch(plain):
            values = {name: _value(language, name, value, named) for name, value in found.groupdict().items()}
            return say(language, key, **values)
    return None


def problem_words(language: Language, status: int, kind: str, detail: str, named: Callable[[str], str] = str) -> str:
    """What a problem says to a person: its own sentence if that is known, else what its kind or status means."""
    if said := refused(language, detail, named):
        return said
    if language == "en" and kind in _SPECIFIC:
        return detail
    texts = table(language)
    general = texts.get(f"problem.{kind}") or texts.get(f"problem.{status}")
    return general or say(language, "problem.other", status=status)


@cache
def _sentences() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Keys with the patterns of their English texts, those that say the most first."""
    texts = [(key, text) for key, text in table("en").items() if key.startswith("refused.")]
    texts.sort(key=lambda each: -len(_PLACE.sub("", each[1])))
    return tuple((key, _pattern(text)) for key, text in texts)


def _pattern(text: str) -> re.Pattern[str]:
    parts = _PLACE.split(text)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)), re.DOTALL
    )


def _value(language: Language, name: str, value: str, named: Callable[[str], str]) -> str:
    if group := _GROUPS.get(name):
        return say(language, "list.comma").join(word(language, group, code) for code in value.split(", "))
    if name == "rule" and (rule := CATALOGUE.get(value)):
        return rule.title_zh if language == "zh_CN" else rule.title_en
    return named(value) if name == "person" else value
