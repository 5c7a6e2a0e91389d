"""What a row of an alert's history says, in words: codes, escalation steps, reminders, silences."""

from __future__ import annotations

import re

from api.console.languages import Language, say, word

_STEP = re.compile(r"step (\d+)(?:, repeat (\d+))?(?:: (.*?))?(?: \((duty:.*)\))?")
_REMINDER = re.compile(r"reminder after (\w+): (.*)")
_QUIET = re.compile(r"(silence|maintenance)/(\d+): (.*)", re.DOTALL)
_NOBODY, _NO_CONTACT = "nobody on duty", "no contact: "


def reason(language: Language, why: str) -> str:
    """One reason in `language`; what a person wrote stays as it is."""
    if found := _STEP.fullmatch(why):
        return _step(language, *found.groups())
    if found := _REMINDER.fullmatch(why):
        return say(language, "history.reminder", after=found[1], contacts=found[2])
    if found := _QUIET.fullmatch(why):
        return f"{word(language, 'quiet', found[1])} {found[2]}: {found[3]}"
    return word(language, "why", why)


def _step(language: Language, level: str, repeat: str | None, contacts: str | None, duty: str | None) -> str:
    parts = [say(language, "history.step", level=level)]
    if repeat is not None:
        parts.append(say(language, "history.repeat", repeat=repeat))
    if contacts is not None:
        parts.append(say(language, "history.told", contacts=contacts))
    parts += [_duty(language, part) for part in (duty or "").split("; ") if part]
    return " · ".join(parts)


def _duty(language: Language, part: str) -> str:
    who, _, people = part.removeprefix("duty:").partition(" ")
    role = word(language, "role", who)
    if people == _NOBODY:
        return say(language, "history.nobody_on_duty", role=role)
    if people.startswith(_NO_CONTACT):
        return say(language, "history.no_contact", role=role, people=people.removeprefix(_NO_CONTACT))
    return say(language, "history.on_duty", role=role, people=people)
