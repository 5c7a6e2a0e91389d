"""What a row of the audit history says of itself, in words: our own codes and sentences; what a person wrote stays as it is."""

from __future__ import annotations

import re

from api.console.languages import Language, say, word

_ROWS = re.compile(r"(\d+) rows from before the chain were taken in")
_ROLES = frozenset({"account.add", "account.role"})


def audited(language: Language, action: str, detail: str) -> str:
    """A row's detail in `language`."""
    if action in _ROLES:
        return word(language, "role", detail)
    if found := _ROWS.fullmatch(detail):
        return say(language, "audit.rows_before", count=found[1])
    return word(language, "audit_detail", detail)
