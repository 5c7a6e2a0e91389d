"""A night as files: the site, the evidence that `lamplighter replay` reads, and the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from device_drivers.observations import spelled_out
from device_drivers.simulation.nights import Lived
from gateway.instants import moment
from tests.nights.cases import SORTS, Case, Line, site_text
from tests.nights.score import Accusation


def evidence_of(case: Case, lines: Sequence[Line]) -> list[bytes]:
    """The log as lines of an evidence file; the last says how long nothing more happened."""
    zone = case.site.zone_info
    written: list[dict[str, Any]] = [{"kind": "advance", "at": moment(case.start, zone).isoformat()}]
    for line in lines:
        at = moment(line.at, zone).isoformat()
        if line.heard is None:
            written.append({"kind": "restart", "at": at})
        else:
            written.append(spelled_out(line.heard) | {"received": at})
    written.append({"kind": "advance", "at": moment(case.judged_to, zone).isoformat()})
    return [msgspec.json.encode(each) for each in written]


def write(case: Case, night: Lived, lines: Sequence[Line], accusations: Sequence[Accusation], folder: Path) -> None:
    """Write `site.yaml`, `evidence.jsonl` and `truth.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    zone = case.site.timezone
    (folder / "site.yaml").write_text(site_text(case.sort, zone, case.night.external), encoding="utf-8")
    (folder / "evidence.jsonl").write_bytes(b"\n".join(evidence_of(case, lines)) + b"\n")
    truth = {
        "accused": [
            {"what": each.what, "subject": each.subject, "at": moment(each.at, case.site.zone_info)}
            for each in accusations
        ],
        "night": case.night,
        "numberless": SORTS[case.sort].plain,
        "mishaps": night.world.truth.mishaps(),
        "tapped": [tap._asdict() for tap in night.world.tapped],
    }
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(truth), indent=2) + b"\n")
