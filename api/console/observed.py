"""What a device said, in words: as its page lists it, one row for all that it said at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec

from api.console.languages import Language, table, word
from api.console.names import checkpoint_name, person_name
from gateway.alerts.wording import duration, link_words
from gateway.site.model import Site

_KNOWN = frozenset({"row", "kind", "device", "at", "received", "read", "boot", "seq"})
"""Who and when: it stands beside what was said."""
_UNITS = {"lux": "lx", "watts": "W", "volts": "V", "amps": "A", "energy_wh": "Wh", "battery": "%"}
_WRITTEN = {"1": "", "dB[mW]": "dBm", "Cel": "°C"}
"""Units of measurements (UCUM) that people write otherwise."""
_CODES = {"fault": "fault", "state": "impairment"}
"""Fields whose values have words of their own."""
_PLAIN = frozenset({"lux", "state"})
"""Fields of which the kind of the observation says already what they are."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came at one moment. `parts`: of each observation its kind and what it says; `read`: when its bytes could be read at last."""

    received: datetime
    at: datetime
    read: datetime | None
    parts: Sequence[tuple[str, str]]


def said_by(
    site: Site, observations: Sequence[Mapping[str, Any]], language: Language, *, named: bool
) -> Sequence[Said]:
    """Observations of one device, in the order given, as rows.

    Args:
        site: whose.
        observations: each as `observation_shape` gives it.
        language: the reader's.
        named: people by name; else by id.
    """
    words = _Words(site, language, named)
    return [
        Said(received=received, at=at, read=read, parts=[words.of(each) for each in together])
        for (received, at, read), together in groupby(
            observations, key=lambda each: (each["received"], each["at"], each.get("read"))
        )
    ]


class _Words:
    def __init__(self, site: Site, language: Language, named: bool) -> None:
        self._site = site
        self._language = language
        self._named = named

    def of(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """The kind of an observation, and what it says."""
        if said["kind"] == "measurement":
            unit = str(said.get("unit", ""))
            channel = self._field("channel", said["channel"]) if said.get("channel") is not None else ""
            value = _number(said["value"], _WRITTEN.get(unit, unit))
            return word(self._language, "vital", said["quantity"]), " · ".join(filter(None, [value, channel]))
        parts = (self._field(name, value) for name, value in said.items() if name not in _KNOWN)
        return word(self._language, "observation", said["kind"]), " · ".join(filter(None, parts))

    def _field(self, name: str, value: Any) -> str:
        code = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        texts = table(self._language)
        if value is None or f"said.{name}.{code}" in texts:
            return "" if value is None else texts[f"said.{name}.{code}"]
        label = word(self._language, "said", name)
        return " ".join(filter(None, ["" if name in _PLAIN else label, self._value(name, value)]))

    def _value(self, name: str, value: Any) -> str:
        match value:
            case bool():
                return "✓" if value else "✗"
            case int() | float() if name == "expires_s":
                return duration(value, self._language)
            case int() | float():
                return f"{value:.0%}" if name == "level" else _number(value, _UNITS.get(name, ""))
            case str() if name == "reason":
                return link_words(value, self._language)
            case str() if name == "person":
                return person_name(self._site, value, named=self._named) or value
            case str() if name == "checkpoint":
                return checkpoint_name(self._site, value)
            case str() if name in _CODES:
                return word(self._language, _CODES[name], value)
            case str():
                return self._time(value)
            case _:
                return msgspec.json.encode(value).decode()

    def _time(self, text: str) -> str:
        """A time on the site's clock; any other text as it is."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        return f"{at.astimezone(self._site.zone_info):%m-%d %H:%M:%S}" if at.tzinfo else text


def _number(value: float, unit: str) -> str:
    return f"{value:g} {unit}".rstrip() if isinstance(value, float) else f"{value} {unit}".rstrip()
