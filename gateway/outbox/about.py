"""What a notice is about: the alert as it was when the notice arose, read from the journal's row of that transition."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.site.model import Severity


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The alert as far as a notice tells of it; its other fields are left out."""

    id: str
    rule: str
    subject: str
    severity: Severity
    state: str
    raised: datetime
    detected: datetime
    updated: datetime
    message: str
    place: str | None = None
    caused_by: str | None = None
    details: dict[str, str | int | float | list[str]] = {}


class _Row(msgspec.Struct, frozen=True):
    alert: About


_row = msgspec.json.Decoder(_Row)


def about(transition: bytes) -> About:
    """The alert of a row of the journal's `alert_transition`."""
    return _row.decode(transition).alert
