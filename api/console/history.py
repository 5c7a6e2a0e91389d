"""What a row of an alert's history says, in words: codes, escalation steps, reminders, silences."""

from __future__ import annotations

import re
from collections.abc import Callable

from api.console.languages import Language, say, word
from gateway.alerts.catalogue import CATALOGUE

_STEP = re.compile(r"step (\d+)(?:, repeat (\d+))?(?:: (.*?))?(?: \((duty:.*)\))?")
_REMINDER = re.compile(r"reminder after (\w+): (.*)")
_QUIET = re.compile(r"(silence|maintenance)/(\d+): (.*)", re.DOTALL)
_NOBODY, _NO_CONTACT = "nobody on duty", "no contact: "


def reason(language: Language, why: str, named: Callable[[str], str] = str) -> str:
    """One reason in `language`; what a person wrote stays as it is. `named`: a person by id, as the reader may know them."""
    if rule := CATALOGUE.get(why):
        return rule.title_zh if language == "zh_CN" else rule.title_en
    if found := _STEP.fullmatch(why):
        return _step(language, named, *found.groups())
    if found := _REMINDER.fullmatch(why):
        return say(language, "history.reminder", after=found[1], contacts=_contacts(language, found[2]))
    if found := _QUIET.fullmatch(why):
        return f"{word(language, 'quiet', found[1])} {found[2]}: {found[3]}"
    return word(language, "why", why)


def _step(  # noqa: PLR0917
    language: Language,
    named: Callable[[str], str],
    level: str,
    repeat: str | None,
    contacts: str | None,
    duty: str | None,
) -> str:
    parts = [say(language, "history.step", level=level)]
    if repeat is not None:
        parts.append(say(language, "history.repeat", repeat=repeat))
    if contacts is not None:
        parts.append(say(language, "history.told", contacts=_contacts(language, contacts)))
    parts += [_duty(language, named, part) for part in (duty or "").split("; ") if part]
    return " · ".join(parts)


def _duty(language: Language, named: Callable[[str], str], part: str) -> str:
    who, _, people = part.removeprefix("duty:").partition(" ")
    role = word(language, "role", who)
    if people == _NOBODY:
        return say(language, "history.nobody_on_duty", role=role)
    silent = people.startswith(_NO_CONTACT)
    names = ", ".join(map(named, people.removeprefix(_NO_CONTACT).split(", ")))
    return say(language, "history.no_contact" if silent else "history.on_duty", role=role, people=names)


def _contacts(language: Language, contacts: str) -> str:
    return ", ".join(word(language, "contact", each) for each in contacts.split(", "))
