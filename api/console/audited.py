"""What a row of the audit history says of itself, in words: our own codes and sentences; what a person wrote stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from api.console.languages import Language, say, table, word
from api.console.refusals import refused

_ROWS = re.compile(r"(\d+) rows from before the chain were taken in")
_ROLES = frozenset({"account.add", "account.role"})
_ACTION = re.compile(r"audit\.(\w+)\.[\w.]+")


def audited(
    language: Language, action: str, detail: str, outcome: str = "done", named: Callable[[str], str] = str
) -> str:
    """A row's detail in `language`. `named`: a person by id, as the reader may know them."""
    if outcome == "refused" and (why := refused(language, detail, named)):
        return why
    if action in _ROLES:
        return word(language, "role", detail)
    if found := _ROWS.fullmatch(detail):
        return say(language, "audit.rows_before", count=found[1])
    impairment, colon, why = detail.partition(": ")
    if action == "device.clear" and colon:
        return f"{word(language, 'impairment', impairment)}{say(language, 'sign.of')}{why}"
    return word(language, "audit_detail", detail)


def actions(language: Language) -> list[tuple[str, list[tuple[str, str]]]]:
    """What the history can be narrowed to: each group's name, and its actions with their words; the first stands for all of it."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for key, text in table(language).items():
        if found := _ACTION.fullmatch(key):
            groups.setdefault(found[1], []).append((key.removeprefix("audit."), text))
    named = {group: word(language, "audit_group", group) for group in groups}
    return [
        (named[group], [(f"{group}.", say(language, "audit.all_of", group=named[group])), *those])
        for group, those in groups.items()
    ]
