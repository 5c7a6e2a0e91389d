"""The address under which the console shows what a notice is about."""

from __future__ import annotations

from urllib.parse import quote

from gateway.outbox.source import DueNotice

_SAFE = "/@:"


def link(console_url: str | None, notice: DueNotice) -> str | None:
    """Where the console shows what a notice is about; None: nowhere, or the site does not say where its console is."""
    if console_url is None:
        return None
    if notice.about is not None:
        return f"{console_url}/alerts/{quote(notice.alert, safe=_SAFE)}"
    if notice.kind == "report":
        return f"{console_url}/reports/{quote(notice.alert.removeprefix('report/'), safe=_SAFE)}"
    return None
