"""Judging an evidence file: the same machine as live, with no network and no stored state (spec: evidence.md)."""

from __future__ import annotations

import contextlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from device_drivers.errors import DecodeError
from device_drivers.native.decoder import read_observation
from device_drivers.observations import Observation
from gateway.alerts.alert import Operation
from gateway.alerts.book import Refused
from gateway.instants import DAY, Instant, instant, moment
from gateway.judgement import Judgement
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Site

_LATE = 7 * DAY


class Rejected(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    line: int
    reason: str


class Advance(msgspec.Struct, frozen=True, tag_field="kind", tag="advance", kw_only=True):
    at: datetime


class Restart(msgspec.Struct, frozen=True, tag_field="kind", tag="restart", kw_only=True):
    at: datetime


class Target(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    subject: str


class Operator(msgspec.Struct, frozen=True, tag_field="kind", tag="operator", kw_only=True):
    """A person's action: on an alert (by id or by rule and subject) or on a device."""

    at: datetime
    by: str
    action: Literal["ack", "start", "resolve", "close", "comment", "disable", "enable", "clear"]
    alert: str | Target | None = None
    device: str | None = None
    impairment: str | None = None
    why: str = ""


_OF_DEVICES = frozenset({"disable", "enable", "clear"})
_control = msgspec.json.Decoder(Advance | Restart | Operator)
_kind = msgspec.json.Decoder(msgspec.defstruct("Kind", [("kind", str)]))
_CONTROLS = {"restart": 0, "operator": 2, "advance": 3}
"""Order among lines of one instant: a restart before what is heard at it, an operator and the passing of time after."""
_HEARD = 1


class Line(NamedTuple):
    """One line of the file, in the order of judgement."""

    received: Instant
    rank: int
    at: Instant
    text: bytes
    item: Any


class Evidence(NamedTuple):
    """An evidence file, read: lines in order of judgement, what is wrong listed.

    A repeat or conflict has no `item`: it says nothing, but it was received then.
    """

    lines: list[Line]
    conflicting: list[dict[str, Any]]
    rejected: list[Rejected]


def read_evidence(lines: Iterable[bytes]) -> Evidence:
    """Read evidence lines. Repeats are dropped; of several contents under one key the least (received, text) is kept."""
    rejected: list[Rejected] = []
    controls: list[Line] = []
    heard: dict[tuple[Any, ...], Line] = {}
    others: list[tuple[tuple[Any, ...], Line]] = []
    for number, text in enumerate(lines, start=1):
        stripped = text.removeprefix(BOM_UTF8).strip() if number == 1 else text.strip()
        if not stripped:
            continue
        try:
            line = _line(stripped)
        except (msgspec.MsgspecError, DecodeError, ValueError, OverflowError) as error:
            rejected.append(Rejected(number, str(error)))
            continue
        if line.rank != _HEARD:
            controls.append(line)
            continue
        key = _key(line)
        known = heard.get(key)
        if known is None:
            heard[key] = line
            continue
        heard[key], other = sorted((known, line), key=_least)
        others.append((key, other))
    conflicting = []
    told = {(key, _content(line)) for key, line in heard.items()} if others else set()
    for key, other in sorted(others, key=lambda each: _least(each[1])):
        content = (key, _content(other))
        if content not in told:
            told.add(content)
            device, boot, seq = key
            kept = msgspec.Raw(heard[key].text)
            conflicting.append(
                {"device": device, "boot": boot, "seq": seq, "kept": kept, "other": msgspec.Raw(other.text)}
            )
    repeated = [other._replace(item=None) for _, other in others]
    ordered = sorted([*controls, *heard.values(), *repeated], key=lambda line: line[:4])
    return Evidence(ordered, conflicting, rejected)


def _line(text: bytes) -> Line:
    kind = _kind.decode(text).kind  # type: ignore[attr-defined]
    if kind in _CONTROLS:
        item = _control.decode(text)
        if item.at.tzinfo is None:
            raise ValueError("`at` has no offset")
        if not 1 < item.at.year < 9999:
            raise ValueError(f"`at` is in the year {item.at.year}, which cannot be told in every time zone")
        if isinstance(item, Operator):
            _check_target(item)
        at = instant(item.at)
        return Line(at, _CONTROLS[kind], at, text, item)
    observation = read_observation(text)
    if not observation.device:
        raise ValueError("`device` is missing")
    received = observation.received or observation.at
    return Line(instant(received), _HEARD, instant(observation.at), text, observation)


def _check_target(line: Operator) -> None:
    """An action is on an alert or on a device, never both (evidence.md, Evidence file)."""
    if (line.alert is None) == (line.device is None):
        raise ValueError("an operator line names either `alert` or `device`")
    if (line.action in _OF_DEVICES) != (line.device is not None):
        raise ValueError(f"`{line.action}` needs {'`device`' if line.action in _OF_DEVICES else '`alert`'}")
    if line.action == "clear" and line.impairment is None:
        raise ValueError("`clear` needs `impairment`")


def _least(line: Line) -> tuple[Instant, bytes]:
    """Of several under one key the least counts (rounds.md, Repeats)."""
    return line.received, line.text


def _key(line: Line) -> tuple[Any, ...]:
    observation: Observation = line.item
    if observation.seq is not None:
        return (observation.device, observation.boot, observation.seq)
    return (observation.device, *_content(line))


def _content(line: Line) -> tuple[Observation, bytes]:
    """What it says, unknown fields too, without `received`; a time or number is the same however it is written."""
    observation: Observation = line.item
    known = {"kind", *observation.__struct_fields__}
    unknown = {name: value for name, value in msgspec.json.decode(line.text).items() if name not in known}
    return msgspec.structs.replace(observation, received=None), msgspec.json.encode(unknown, order="sorted")


Explain = Callable[[Judgement, Instant, Instant], Any]
"""Explains what was judged: the judge at the end, from when rounds are printed, and the time at the end."""


def replay(
    site: Site,
    evidence: Evidence,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    explain: Explain | None = None,
) -> dict[str, Any]:
    """Judge evidence; give the document that `lamplighter replay` prints.

    Args:
        site: the checked model.
        evidence: what `read_evidence` gave.
        since: rounds and windows that start earlier are not printed; default: the local midnight of the earliest `at`
            that is at most 7 days before its `received`.
        until: go on to this instant at the end.
        explain: what it gives is added as `explanations`.
    """
    lines = evidence.lines
    heard = [line for line in lines if line.rank == _HEARD]
    first = min((line.received for line in heard or lines), default=until or 0)
    if since is None:
        dated = [line.at for line in heard if line.item is not None and line.at >= line.received - _LATE] or [first]
        since = _midnight(site, min(dated))
    judgement = Judgement(site, first)
    judgement.plan_from(since)
    last_heard = first
    for line in lines:
        match line.item:
            case Advance():
                judgement.advance(line.at)
            case Restart():
                judgement.restarted(max(last_heard, judgement.now), line.at)
            case Operator():
                operate(judgement, line.item)
            case None:
                judgement.advance(line.received)
                last_heard = line.received
            case observation:
                judgement.apply(observation, line.received)
                last_heard = line.received
    now = max([line.received for line in lines] + ([until] if until is not None else []), default=first)
    judgement.advance(now)
    judgement.conclude()
    result = document(judgement, evidence, since, now)
    if explain is not None:
        result["explanations"] = explain(judgement, since, now)
    return result


def operate(judgement: Judgement, line: Operator) -> None:
    """Carry out an operator's line; what the lifecycle refuses changes nothing."""
    with contextlib.suppress(Refused):
        judgement.operate(operation_of(line))


def operation_of(line: Operator) -> Operation | DeviceOperation:
    """The operation that a line of the log or of an evidence file stands for."""
    at = instant(line.at)
    if line.device is not None:
        return DeviceOperation(
            at=at,
            by=line.by,
            action=line.action,  # type: ignore[arg-type]
            device=line.device,
            impairment=line.impairment,
            why=line.why,
        )
    target = line.alert
    if isinstance(target, Target):
        return Operation(at=at, by=line.by, action=line.action, rule=target.rule, subject=target.subject, why=line.why)  # type: ignore[arg-type]
    return Operation(at=at, by=line.by, action=line.action, alert=target, why=line.why)  # type: ignore[arg-type]


def document(judgement: Judgement, evidence: Evidence, since: Instant, now: Instant) -> dict[str, Any]:
    """What is known at `now`, each item as the API gives it, sorted by id."""
    engine = judgement.engine
    rounds = [each for each in engine.rounds.rounds(since) if any(instant(visit.opens) <= now for visit in each.visits)]
    gaps = [each for each in engine.rounds.gaps() if since <= instant(each.window_start) <= now]
    result: dict[str, Any] = {
        "rounds": sorted(rounds, key=lambda each: each.id),
        "gaps": sorted(gaps, key=lambda each: (each.checkpoint, each.window_start)),
        "lamps": engine.lighting.lamps(),
        "circuits": engine.lighting.circuits(),
        "cameras": engine.cameras.cameras(),
        "zones": engine.cameras.zones(),
        "alerts": sorted(judgement.alerts.alerts(), key=lambda each: each.id),
        "unmatched": engine.rounds.unmatched(),
        "conflicting": evidence.conflicting,
    }
    if evidence.rejected:
        result["rejected"] = evidence.rejected
    return result


def _midnight(site: Site, at: Instant) -> Instant:
    day = moment(at, site.zone_info).replace(hour=0, minute=0, second=0, microsecond=0)
    return instant((day + timedelta(0)).astimezone(UTC))
