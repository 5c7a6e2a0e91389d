"""The console's texts in each language, as tables; a test holds that none is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, get_args

from fastapi import Request

Language = Literal["zh_CN", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
COOKIE = "lamplighter_language"

HTML_TAGS: dict[Language, str] = {"zh_CN": "zh-CN", "en": "en"}
"""BCP 47 tags."""

_WANTED: dict[Language, str] = {"zh_CN": "zh", "en": "en"}
"""How a browser's wish for the language begins."""


@cache
def table(language: Language) -> Mapping[str, str]:
    """All texts of one language by key."""
    text = (resources.files("api.console.texts") / f"{language}.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
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
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return wish
    wanted = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return next((language for language, tag in _WANTED.items() if wanted.startswith(tag)), default)
