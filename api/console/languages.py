"""The console's texts in each language: gettext catalogues, one a group of pages and language; a test holds that none is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, get_args

from babel.messages.pofile import read_po
from fastapi import Request

Language = Literal["zh_CN", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
COOKIE = "lamplighter_language"

HTML_TAGS: dict[Language, str] = {"zh_CN": "zh-CN", "en": "en"}
"""BCP 47 tags."""

_WANTED: dict[Language, str] = {"zh_CN": "zh", "en": "en"}
"""How a wish for the language begins."""


@cache
def table(language: Language) -> Mapping[str, str]:
    """All texts of one language by key.

    Raises:
        ValueError: a key stands in two catalogues.
    """
    found: dict[str, str] = {}
    ending = f".{language}.po"
    folder = resources.files("api.console.texts")
    for file in sorted((each for each in folder.iterdir() if each.name.endswith(ending)), key=lambda each: each.name):
        with file.open("rb") as opened:
            for message in read_po(opened, locale=language):
                if message.id:
                    if message.id in found:
                        raise ValueError(f"{file.name}: the text {message.id!r} stands in another catalogue too")
                    found[str(message.id)] = str(message.string)
    return found


def say(language: Language, key: str, **values: object) -> str:
    """One text with its values filled in.

    Raises:
        KeyError: there is no such text: a mistake of ours, found by the tests.
    """
    text = table(language)[key]
    return text.format(**values) if values else text


def word(language: Language, group: str, code: str) -> str:
    """The word for a code that devices or rules may have invented: the code itself where we have none."""
    return table(language).get(f"{group}.{code}", code)


def chosen(request: Request, default: Language) -> Language:
    """The language of a request: asked for in the address, kept in the cookie, wanted by the browser, or the site's."""
    wanted = request.headers.get("accept-language", "").split(",")[0]
    wishes = (request.query_params.get("lang"), request.cookies.get(COOKIE), wanted)
    return next((language for wish in wishes if (language := meant(wish))), default)


def meant(wish: str | None) -> Language | None:
    """The language that a wish names, with or without its country: `zh`, `zh-CN`, `zh_CN`."""
    first = re.split("[-_;]", (wish or "").strip().lower())[0]
    return next((language for language, tag in _WANTED.items() if tag == first), None)
