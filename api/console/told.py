"""What a row of an attempt to tell somebody says, in words: the gateway's own sentences in the reader's language, a receiver's as they are."""

from __future__ import annotations

import re

from api.console.languages import Language, say

_GIVEN_UP = "; given up after 24 h"
_SENTENCES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("said.console", re.compile(r"shown on the console")),
    ("said.accepted", re.compile(r"accepted(?: \((?P<status>\d+)\))?")),
    ("said.silent", re.compile(r"no answer within (?P<seconds>[\d.]+) s")),
    ("said.redirect", re.compile(r"the receiver answers (?P<status>\d+), a redirect, which is not followed")),
    ("said.refused", re.compile(r"the receiver answers (?P<status>\d+)(?:: (?P<words>.*))?", re.DOTALL)),
    ("said.unreachable", re.compile(r"cannot be reached \((?P<words>.*)\)")),
    ("said.hangs", re.compile(r"the attempt before still hangs at the receiver")),
    ("said.gone", re.compile(r"the site file has no such contact any more")),
    ("said.address", re.compile(r"the (?:webhook|contact)'s URL is .*; see `alerts\.contacts` in the site file")),
)
"""Text keys, and the sentences of `gateway.outbox` that they stand for."""


def said(language: Language, detail: str) -> str:
    """One attempt's detail in `language`."""
    sentence, given_up = detail.removesuffix(_GIVEN_UP), detail.endswith(_GIVEN_UP)
    for key, pattern in _SENTENCES:
        if found := pattern.fullmatch(sentence):
            values = {name: value or "" for name, value in found.groupdict().items()}
            sentence = say(language, key, **values).rstrip(" :：")
            break
    return f"{sentence} · {say(language, 'said.given_up')}" if given_up else sentence
