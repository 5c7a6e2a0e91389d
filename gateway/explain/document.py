"""The explanations of everything that `replay` prints."""

from __future__ import annotations

from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.circuits import explain_circuit
from gateway.explain.explanation import Explanation
from gateway.explain.lamps import explain_lamp
from gateway.explain.rounds import explain_gap, explain_round
from gateway.instants import Instant, instant
from gateway.judgement import Judgement


def explanations(judgement: Judgement, since: Instant, now: Instant) -> list[Explanation]:
    """Of the rounds and gaps that start from `since` on and have opened by `now`, then of lights and cameras; by id.

    Args:
        judgement: the judge at the end; it stays as it is.
        since: rounds and windows that start earlier are left out.
        now: at which it is told.
    """
    rounds = judgement.engine.rounds
    shown = [each for each in rounds.rounds(since) if any(instant(visit.opens) <= now for visit in each.visits)]
    windows = [each for each in rounds.gaps() if since <= instant(each.window_start) <= now]
    found = [explain_round(judgement, key, now) for key in sorted(each.id for each in shown)]
    found += [explain_gap(judgement, key, now) for key in sorted(rounds.gap_id(each) for each in windows)]
    site = judgement.site
    found += [explain_lamp(judgement, key, now) for key in sorted(site.lamps)]
    found += [explain_circuit(judgement, key, now) for key in sorted(site.circuits)]
    found += [explain_camera(judgement, key, now) for key in sorted(site.devices)]
    found += [explain_zone(judgement, key, now) for key in sorted(site.zones)]
    return [each for each in found if each is not None]
