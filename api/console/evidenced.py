"""What a verdict or an alert rests on, in words: evidence is named by keys (evidence.md), people know rounds, checkpoints, readers and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

from api.console.languages import Language, say, table, word
from api.console.names import checkpoint_name
from gateway.alerts import wording
from gateway.explain.explanation import Explanation
from gateway.instants import moment
from gateway.rules.findings import Round
from gateway.site.model import Site

_VISIT = "visit:"


class Evidenced(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence. `href`: its page, if it has one; `key`: what histories call it."""

    words: str
    href: str | None
    key: str


def times_of(why: Explanation | None) -> dict[str, datetime]:
    """When the observations of a round's explanation were, by their keys, as judged."""
    parts = () if why is None else why.parts
    return {item.key: item.judged_at or item.at for part in parts for item in part.evidence if item.key}


def evidenced(
    site: Site, key: str, language: Language, of: Round | None = None, times: Mapping[str, datetime] | None = None
) -> Evidenced:
    """One key in words.

    Args:
        site: whose.
        key: `visit:ROUND#POSITION`, or an observation's `DEVICE/BOOT/NUMBER` or `DEVICE/KIND/INSTANT`.
        language: the reader's.
        of: the round that it is about, if it is.
        times: as `times_of`, for observations whose key does not say when they were.
    """
    if key.startswith(_VISIT):
        return _visit(site, key, language, of)
    device, middle, last = key.rsplit("/", 2) if key.count("/") > 1 else ("", "", "")
    if not last.isdecimal():
        return Evidenced(words=key, href=None, key=key)
    name, numbered = wording.name(site, device, language), f"observation.{middle}" not in table(language)
    at = (times or {}).get(key) if numbered else moment(int(last), site.zone_info)
    what = say(language, "evidence.record", number=last) if numbered else word(language, "observation", middle)
    words = " · ".join([name, what] if at is None else [f"{at.astimezone(site.zone_info):%m-%d %H:%M:%S}", name, what])
    return Evidenced(
        words=words, href=f"/devices/{quote(device, safe='')}" if device in site.devices else None, key=key
    )


def _visit(site: Site, key: str, language: Language, of: Round | None) -> Evidenced:
    round_id, _, position = key.removeprefix(_VISIT).rpartition("#")
    visits = of.visits if of is not None and of.id == round_id else ()
    checkpoint = next((visit.checkpoint for visit in visits if str(visit.position) == position), None)
    where = f" {checkpoint_name(site, checkpoint)}" if checkpoint else ""
    visit = say(language, "evidence.visit", position=position)
    words = f"{wording.name(site, round_id, language)} · {visit}{where}"
    return Evidenced(words=words, href=f"/rounds/{quote(round_id, safe='')}#visit-{position}", key=key)
