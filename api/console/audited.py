"""What a row of the audit history says of itself, in words: our own codes and sentences; what a person wrote stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from api.console.evidenced import Evidenced
from api.console.languages import Language, say, table, word
from api.console.refusals import refused
from gateway.alerts import wording
from gateway.alerts.catalogue import CATALOGUE, rule_of
from gateway.site.model import Site

_ROWS = re.compile(r"(\d+) rows from before the chain were taken in")
_ROLES = frozenset({"account.add", "account.role"})
_ALERT = re.compile(rf"({'|'.join(CATALOGUE)})/(.+)/\d+")
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


def acted_on(site: Site, action: str, subject: str, language: Language) -> Evidenced:
    """What a row's action was done to, in words, with its page if that is known."""
    words, href = subject, None
    match action.partition(".")[0]:
        case "alert" if found := _ALERT.fullmatch(subject):
            rule = rule_of(found[1])
            title = rule.title_zh if language == "zh_CN" else rule.title_en
            words, href = f"{title} · {wording.name(site, found[2], language)}", f"/alerts/{quote(subject, safe='')}"
        case "work_order" if subject:
            href = f"/work-orders/{quote(subject, safe='')}"
        case "device" if subject in site.devices:
            words, href = wording.name(site, subject, language), f"/devices/{quote(subject, safe='')}"
    return Evidenced(words=words, href=href, key=subject)


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
