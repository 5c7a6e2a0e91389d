"""Re-judging a stored period by the site file as it is now: what would change, and, when told, the new revisions.

A round that is still in memory is planned anew and judged by the living judge, which retracts what it disproves. Of older rounds the
verdicts are found by judging the stored evidence again; they are appended as revisions, and whoever was told of a fault that never
was is told so. Nothing is rewritten. Rounds that were not planned then, or are not any more, are named and left as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from gateway.alerts import wording
from gateway.alerts.alert import Alert, AlertState, AlertTransition, Transition
from gateway.alerts.catalogue import accused, rule_of
from gateway.instants import Instant, instant, moment
from gateway.intake import Intake
from gateway.journal.reader import Reader
from gateway.judgement import Judgement
from gateway.recovery import RejudgedRow
from gateway.rules.findings import Round, Signal, Visit, VisitRevision
from gateway.rules.round_alerts import ENDED
from gateway.site.model import Site

REASON = "rejudged"

_RANK = {"on_time": 0, "early": 1, "late": 1, "skipped": 1, "unverifiable": 2, "missed": 3}
"""How bad a verdict is for the guard; `pending` is none."""


class VisitChange(msgspec.Struct, frozen=True, kw_only=True):
    """One visit whose verdict would be another."""

    checkpoint: str
    position: int
    before: str
    after: str
    cause_before: str | None
    cause_after: str | None
    worse: bool


class RoundChange(msgspec.Struct, frozen=True, kw_only=True):
    """One round with visits that would be judged otherwise. `worse`: one of them would be worse for the guard."""

    id: str
    before: str
    after: str
    worse: bool
    visits: tuple[VisitChange, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What judging a period again would change.

    Args:
        rounds: that would be judged otherwise, by start.
        same: how many would not.
        unplanned: rounds that the site file plans now, and did not then; nobody is accused of these.
        dropped: rounds that were planned then and are not any more; their verdicts stay.
        other_plan: rounds whose checkpoints are others now; their verdicts stay.
    """

    since: datetime
    until: datetime
    rounds: tuple[RoundChange, ...]
    same: int
    unplanned: tuple[str, ...]
    dropped: tuple[str, ...]
    other_plan: tuple[str, ...]


class Written(NamedTuple):
    """What was written: how many rounds, how many alerts were retracted, how many rounds were left since they would be worse.

    Of rounds in memory one may rest on a tap that a round which is left keeps: it is left, too.
    """

    rounds: int
    retracted: int
    withheld: int


async def stored_rounds(reader: Reader, since: Instant, until: Instant) -> list[Round]:
    """Rounds with start in [since, until) as the journal has them."""
    return [msgspec.json.decode(body, type=Round) async for _, body in reader.all_findings("round", since, until)]


def compare(site: Site, stored: Sequence[Round], judged: Sequence[Round], since: Instant, until: Instant) -> Comparison:
    """Stored verdicts beside those of today's site file. What either still waits for is no change."""
    now = {each.id: each for each in judged}
    rounds: list[RoundChange] = []
    dropped, other_plan = [], []
    same = 0
    for before in stored:
        after = now.pop(before.id, None)
        if after is None:
            dropped.append(before.id)
        elif [each.checkpoint for each in before.visits] != [each.checkpoint for each in after.visits]:
            other_plan.append(before.id)
        elif changes := tuple(_changes(before, after)):
            worse = any(each.worse for each in changes)
            rounds.append(
                RoundChange(id=before.id, before=before.verdict, after=after.verdict, worse=worse, visits=changes)
            )
        else:
            same += 1
    return Comparison(
        since=moment(since, site.zone_info),
        until=moment(until, site.zone_info),
        rounds=tuple(rounds),
        same=same,
        unplanned=tuple(sorted(now)),
        dropped=tuple(dropped),
        other_plan=tuple(other_plan),
    )


def _changes(before: Round, after: Round) -> list[VisitChange]:
    return [
        VisitChange(
            checkpoint=old.checkpoint,
            position=old.position,
            before=old.verdict,
            after=new.verdict,
            cause_before=old.cause,
            cause_after=new.cause,
            worse=_RANK[new.verdict] > _RANK[old.verdict],
        )
        for old, new in zip(before.visits, after.visits, strict=True)
        if old.verdict != new.verdict and "pending" not in {old.verdict, new.verdict}
    ]


class Rewriting(NamedTuple):
    """What writing needs: the gateway's own way into the journal, the judge that judged again, and what was told wrongly before."""

    intake: Intake
    reader: Reader
    living: Judgement
    again: Judgement
    by: str
    told: frozenset[str]


async def write(rewriting: Rewriting, comparison: Comparison, *, also_worse: bool) -> Written:
    """Append the new revisions; returns after the commit.

    Args:
        rewriting: the way in.
        comparison: what `compare` found.
        also_worse: also what is worse for a guard; else such a round is left whole as it was.
    """
    accepted = [each for each in comparison.rounds if also_worse or not each.worse]
    now = rewriting.intake.not_before(instant(rewriting.intake.clock()))
    rewriting.living.advance(now)  # which lets go of what is too old
    living = rewriting.living.engine.rounds
    inside = [each.id for each in accepted if living.state(each.id) is not None]
    if inside:
        body = msgspec.json.encode(RejudgedRow(by=rewriting.by, rounds=tuple(inside)))
        rewriting.intake.record("rejudge", body, now)
        rewriting.living.rejudge(inside, now)
    for change in accepted:
        if change.id not in inside:
            await _append(rewriting, change, now)
    await rewriting.intake.wake()
    told = await told_wrongly(rewriting.reader, [each.id for each in accepted], rewriting.again)
    rounds = sum(each.id not in inside or _stands(living.round(each.id), each) for each in accepted)
    return Written(rounds, len(rewriting.told - told), len(comparison.rounds) - rounds)


def _stands(judged: Round | None, change: RoundChange) -> bool:
    """Whether a round in memory is judged as it was to be."""
    return judged is not None and all(judged.visits[each.position - 1].verdict == each.after for each in change.visits)


async def told_wrongly(reader: Reader, rounds: Sequence[str], again: Judgement) -> frozenset[str]:
    """Ids of alerts about these rounds that stand in the journal, and that their verdicts disprove."""
    found: set[str] = set()
    for round_id in rounds:
        after = again.engine.rounds.round(round_id)
        standing = None if after is None else ENDED.get(after.verdict)
        for alert in await _alerts_of(reader, round_id):
            if alert.rule != standing and alert.state != "retracted" and not _disproved(alert):
                found.add(alert.id)
    return frozenset(found)


async def _alerts_of(reader: Reader, round_id: str) -> list[Alert]:
    found: list[Alert] = []
    for rule in ENDED.values():
        ends = (f"{rule}/{round_id}/", f"{rule}/{round_id}0")  # all occurrences: `0` follows `/`
        rows = await reader.query("SELECT body FROM finding WHERE kind = 'alert' AND id >= ? AND id < ?", ends)
        found += [msgspec.json.decode(body, type=Alert) for (body,) in rows]
    return found


async def _append(rewriting: Rewriting, change: RoundChange, now: Instant) -> None:
    """The revisions of one round that memory no longer holds."""
    intake, site = rewriting.intake, rewriting.again.site
    after = rewriting.again.engine.rounds.round(change.id)
    stored = await rewriting.reader.finding("round", change.id)
    if after is None or stored is None:
        return
    before = msgspec.json.decode(stored, type=Round)
    changed = {each.position for each in change.visits}
    visits: list[Visit] = []
    for old, new in zip(before.visits, after.visits, strict=True):
        if new.position not in changed:
            visits.append(msgspec.structs.replace(new, verdict=old.verdict, revision=old.revision, cause=old.cause))
            continue
        visit = msgspec.structs.replace(new, revision=old.revision + 1)
        visits.append(visit)
        revision = VisitRevision(
            round=before.id,
            position=new.position,
            checkpoint=new.checkpoint,
            revision=visit.revision,
            at=moment(now, site.zone_info),
            before=old.verdict,
            verdict=visit.verdict,
            reason=REASON,
            visit=visit,
        )
        what = (before.id, new.position, visit.revision, visit.verdict, msgspec.json.encode(revision))
        intake.append("visit_revision", now, *what)
    whole = msgspec.structs.replace(after, visits=tuple(visits), revision=before.revision + 1)
    body = msgspec.json.encode(whole)
    seq = intake.append("change", now, "round", before.id, body)
    intake.batch.add("finding", ("round", before.id, instant(whole.start), seq, body))
    await _retract(rewriting, whole, now)


async def _retract(rewriting: Rewriting, judged: Round, now: Instant) -> None:
    """Take back what was told of a round and is no longer so, and tell those who were told."""
    for alert in await _alerts_of(rewriting.reader, judged.id):
        if alert.state == "retracted" or _disproved(alert):
            continue
        if alert.rule == ENDED.get(judged.verdict):
            await _correct(rewriting, alert, judged, now)
        elif rewriting.living.alerts.alert(alert.id) is not None:
            rewriting.living.signal(
                Signal(rule=alert.rule, subject=alert.subject, action="retract", at=now, why=REASON)
            )
        else:
            await _retract_old(rewriting, alert, now)


def _disproved(alert: Alert) -> bool:
    return any(each.why == REASON for each in alert.history)


async def _correct(rewriting: Rewriting, alert: Alert, judged: Round, now: Instant) -> None:
    """Of an alert that stands, take back the visits that it named as missed and that no longer are."""
    key = rule_of(alert.rule).accuses
    missed = [each.checkpoint for each in judged.visits if each.verdict == "missed"]
    withdrawn = tuple((Counter(accused(alert.rule, alert.details)) - Counter(missed)).elements())
    if key is None or not withdrawn:
        return
    details = {**alert.details, key: missed}
    if rewriting.living.alerts.alert(alert.id) is not None:
        rewriting.living.signal(
            Signal(rule=alert.rule, subject=alert.subject, action="update", at=now, details=details)
        )
        return
    site = rewriting.again.site
    message = wording.message(site, alert.rule, alert.subject, details, site.language)
    alert = msgspec.structs.replace(alert, details=details, message=message)
    name = f"{wording.CORRECTED}/{judged.revision}"
    await _append_alert(rewriting, alert, _Said(alert.state, wording.CORRECTED, "corrected", name, withdrawn), now)


async def _retract_old(rewriting: Rewriting, alert: Alert, now: Instant) -> None:
    """An alert that the book no longer holds: a closed one stays closed, as alerts.md has it, and says that it never was."""
    state: AlertState = "closed" if alert.state == "closed" else "retracted"
    await _append_alert(rewriting, alert, _Said(state, REASON, "retracted", REASON), now)


class _Said(NamedTuple):
    """What is said of an alert that the book no longer holds. `name` is of the notice: once said is said."""

    state: AlertState
    why: str
    kind: wording.NoticeKind
    name: str
    withdrawn: tuple[str, ...] = ()


async def _append_alert(rewriting: Rewriting, alert: Alert, said: _Said, now: Instant) -> None:
    """A row of the alert, and a notice to all who were told of it."""
    site, intake = rewriting.again.site, rewriting.intake
    at = moment(now, site.zone_info)
    transition = Transition(at=at, before=alert.state, after=said.state, by=rewriting.by, why=said.why)
    alert = msgspec.structs.replace(alert, state=said.state, updated=at, history=(*alert.history, transition))
    body = msgspec.json.encode(AlertTransition(alert=alert, transition=transition))
    seq = intake.append("alert_transition", now, alert.id, said.state, body)
    intake.batch.add("finding", ("alert", alert.id, instant(alert.raised), seq, msgspec.json.encode(alert)))
    told = await rewriting.reader.query("SELECT DISTINCT contact FROM notice WHERE alert = ? ORDER BY 1", (alert.id,))
    for (contact,) in told:
        language = wording.language_of(site, contact)
        title = wording.notice_title(site, alert, said.kind, language)
        text = wording.notice_body(site, alert, said.kind, language, said.withdrawn)
        key = f"{alert.id}/{said.name}/{contact}"
        intake.append("notice", key, now, contact, alert.id, said.kind, title, text, now)


def document(comparison: Comparison, written: Written | None) -> Mapping[str, Any]:
    """All of it as JSON."""
    found: dict[str, Any] = msgspec.to_builtins(comparison)
    if written is not None:
        found["written"] = written._asdict()
    return found
