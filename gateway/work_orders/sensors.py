"""Whether the sensor that reported a fault can say anything of it now: of a lamp that should be dark nobody sees that it is lit again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.site.model import Site

if TYPE_CHECKING:
    from gateway.rules.engine import Engine

Speaks = Callable[[str, str], bool]
"""Of a rule and its subject: whether its sensor would show now that it was mended."""

_SEEN_LIT = frozenset({"lamp_failure", "dim", "cycling_failure", "no_trigger", "circuit_fault"})
"""Shown mended only while the lamp should burn."""
_SEEN_DARK = frozenset({"day_burner", "schedule_fault"})
"""Shown mended only while it should not."""


def always(_rule: str, _subject: str) -> bool:
    """Every sensor speaks at any time."""
    return True


def of_engine(site: Site, engine: Engine) -> Speaks:
    """What the rules know of a site's sensors now."""
    members: dict[str, list[str]] = {}
    for lamp in site.lamps.values():
        members.setdefault(lamp.id, []).append(lamp.id)
        if lamp.circuit is not None:
            members.setdefault(lamp.circuit, []).append(lamp.id)

    def speaks(rule: str, subject: str) -> bool:
        views = [view for name in members.get(subject, ()) if (view := engine.lighting.lamp(name)) is not None]
        if views and (rule in _SEEN_LIT or rule in _SEEN_DARK):
            wanted = rule in _SEEN_LIT
            return any(view.expected_on is wanted and view.state not in {"unknown", "disabled"} for view in views)
        device = engine.devices.device(subject) if subject in site.devices else None
        return device is None or device.state != "unknown"

    return speaks
