"""Every transition that a rule brings about names what it rests on: the observation, the visits and their evidence."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.evidence import read_evidence
from gateway.replay import replay
from gateway.site.load import load_site
from tests.alerts.estate import ESTATE
from tests.alerts.watch import Watch

CASES = Path(__file__).parents[1] / "replay" / "cases"


def test_the_history_names_the_observation_that_brought_an_alert_about() -> None:
    line = {"kind": "panic", "device": "wand-1", "at": "2026-11-22T23:00:00+08:00", "received": "2026-11-22T23:00:01+08:00",
            "boot": "b1", "seq": 7, "active": True}  # fmt: skip
    off = line | {"seq": 8, "at": "2026-11-22T23:05:00+08:00", "received": "2026-11-22T23:05:00+08:00", "active": False}
    evidence = read_evidence([json.dumps(one).encode() for one in (line, off)])
    assert evidence.rejected == []
    [alert] = [alert for alert in replay(ESTATE, evidence)["alerts"] if alert.rule == "panic"]
    assert [(row.after, row.evidence) for row in alert.history if row.by == "rule:panic"] == [
        ("open", ("wand-1/b1/7",)),
        ("resolved", ("wand-1/b1/8",)),
    ]
    assert all(row.evidence == () for row in alert.history if row.by != "rule:panic")


def test_a_missed_round_names_its_visits_and_the_retraction_the_tap_that_disproved_it() -> None:
    case = CASES / "rounds-alert-missed-retracted"
    site, _ = load_site(case / "site.yaml", environ={})
    evidence = read_evidence((case / "evidence.jsonl").read_bytes().splitlines())
    [alert] = replay(site, evidence)["alerts"]
    visit = "visit:night@2026-11-23T22:00+08:00#1"
    assert [(row.after, row.evidence) for row in alert.history] == [
        ("open", (visit,)),
        ("retracted", (visit, "wand-2/tag_read/1795443000000000")),
    ]


def test_what_a_person_or_the_clock_does_rests_on_no_evidence_of_the_rules() -> None:
    watch = Watch()
    watch.book.advance(watch.now)
    watch.signal("raise")
    watch.act("ack")
    watch.at(40)
    assert {row.evidence for row in watch.alert().history} == {()}
