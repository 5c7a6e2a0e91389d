"""The book of duty checks: weeks are planned and committed to, checkers told, checks judged and judged again.

Pure: the rules are asked what they know of a post, time is an argument. Nothing of what is still to come leaves the book but the hash of a
week's plan and the word to the checker himself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from device_drivers.observations import TagRead
from gateway.alerts.alert import AlertTransition, Notice
from gateway.alerts.lifecycle import Refused
from gateway.books import BookChanges, BookOperation, Entry
from gateway.duty_checks.check import DECIDED, FINDINGS, DutyCheckItem, DutyFinding, Photo, WeekPlan
from gateway.duty_checks.outcome import Asked, Outcome, judge
from gateway.duty_checks.plan import (
    Planned,
    commitment,
    fingerprint,
    monday_of,
    night_of,
    opened,
    plan_week,
    week_of,
    window,
)
from gateway.duty_checks.post import look
from gateway.duty_checks.wording import telling
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant, instant, moment
from gateway.rules.engine import Engine
from gateway.rules.findings import Signal
from gateway.site.clocks import wall_time
from gateway.site.model import DutyCheck, Site
from gateway.site.shifts import DatedShift, on_shift

RULE = "duty_check_missed"
CLOCK = "clock"
_START = time(0)

AHEAD: Duration = 12 * HOUR
"""So long before it begins a week's plan is committed to."""
KEPT: Duration = 8 * DAY
"""How long a check is judged again and findings are taken: evidence may be 7 days late (rounds.md)."""
AGAIN: Duration = HOUR
AWAITED: Duration = 5 * MINUTE
"""How often a decided check, and one whose evidence is awaited, is looked at without a tap."""
SETTLES: Duration = SECOND
"""A tap is looked at so long after it came: by then the rules have judged it with what came beside it."""
BEFORE_EXTRA: Duration = 15 * MINUTE
"""A checker who begins an extra check may have tapped so long before."""
DEADLINE: Duration = 30 * MINUTE
DEADLINE_WALL: Duration = 24 * HOUR
"""Evidence is awaited so long: of a fixed reader, and where a wand or a phone may still be handed in (as rounds.md)."""
MOST_CHECKS = 500
MOST_EXTRA = 50
MOST_FINDINGS = 20
WORDS_LONGEST = 500


class Week(msgspec.Struct):
    """A committed plan: its moments still to come stay in here."""

    plan: WeekPlan
    monday: date
    coming: list[Planned]
    moments: tuple[Planned, ...]
    reveal_at: Instant


class Running(msgspec.Struct):
    """A check that has begun. A tap dated in [first, last] may change it; after `until` it stands.

    `shifts`: that ran at its moment, as the calendar had them then; None: not known here.
    """

    item: DutyCheckItem
    look_at: Instant
    first: Instant
    last: Instant
    until: Instant
    shifts: tuple[DatedShift, ...] | None = None


class DutyChecks:
    """The duty checks of one site.

    Args:
        engine: the rules, asked for what they know of posts; nothing in it is changed.
        started: the gateway's first start.
    """

    def __init__(self, site: Site, engine: Engine, started: Instant) -> None:
        self.site = site
        self._engine = engine
        self._zone = site.zone_info
        self._changes = BookChanges()
        self._weeks: dict[str, Week] = {}
        self._told: dict[str, bool] = {}
        """Moments (check@instant) whose time to tell is past, and whether the checker was told in time."""
        self._checks: dict[str, Running] = {}
        self._plan_at = started
        self._due = started if site.duty_checks else None
        self._readers = frozenset(place.reader for place in site.checkpoints.values() if place.reader is not None)

    # What comes in

    def told(self, transition: AlertTransition) -> None:
        """Alerts change no check."""

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:
        """A tap at a post, or by a portable reader, may change what was judged."""
        device = self.site.devices.get(tap.device)
        if not self._checks or (device is not None and not device.portable and device.id not in self._readers):
            return False
        sooner = False
        for running in self._checks.values():
            if running.first <= at <= running.last and running.look_at > received + SETTLES:
                running.look_at = received + SETTLES
                self._due = min(self._plan_at if self._due is None else self._due, running.look_at)
                sooner = True
        return sooner

    def operate(self, operation: BookOperation) -> DutyCheckItem:
        """`extra`: a check is begun by hand; `finding`: the checker found something; `withdraw`: a finding no longer counts.

        Raises:
            Refused: nothing changed.
        """
        match operation.action:
            case "extra":
                return self._extra(operation)
            case "finding":
                return self._find(operation)
            case "withdraw":
                return self._withdraw(operation)
            case _:
                raise Refused(f"duty checks know no action {operation.action!r}")

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""
        self._pass(now, None)

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """What was to be told meanwhile is told now, if the check is still to come; else its checker was not told."""
        self._pass(now, down_from)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return self._due

    def drain(self) -> BookChanges:
        """What changed since the last call."""
        changes, self._changes = self._changes, BookChanges()
        return changes

    # What is asked

    def checks(self) -> list[DutyCheckItem]:
        """Checks in memory whose moment has come, by time."""
        return sorted((each.item for each in self._checks.values()), key=lambda item: (item.at, item.id))

    # Time

    def _pass(self, now: Instant, down_from: Instant | None) -> None:
        while self._due is not None and self._due <= now:
            due = self._due
            if self._plan_at <= due:
                self._plan(max(due, self._engine.now if down_from is None else now))
            for name in sorted(self._weeks):
                self._time_of_week(self._weeks[name], due, now, down=down_from is not None)
            for name in sorted(self._checks):
                running = self._checks[name]
                if running.look_at <= due:
                    self._look(running, due if down_from is None else now)
            self._arm()

    def _arm(self) -> None:
        if not self.site.duty_checks:
            self._due = None
            return
        due = self._plan_at
        for week in self._weeks.values():
            check = self.site.duty_checks[week.plan.check]
            due = min(due, week.reveal_at)
            for planned in week.coming:
                told = f"{week.plan.check}@{planned.at}" in self._told
                due = min(due, planned.at if told else planned.at - check.told)
        for running in self._checks.values():
            due = min(due, running.look_at)
        self._due = due

    def _plan(self, now: Instant) -> None:
        """Commit to this week's plan, where that is not done, and to the next one's from some hours before it on."""
        soon = moment(now + AHEAD, self._zone).date()
        for monday in sorted({monday_of(moment(now, self._zone).date()), monday_of(soon)}):
            for check in self.site.duty_checks.values():
                self._commit(check, monday, now)
        following = monday_of(soon) + timedelta(days=7)
        self._plan_at = _midnight(following, self.site) - AHEAD

    def _commit(self, check: DutyCheck, monday: date, now: Instant) -> None:
        seed, week = self.site.jitter_seed, week_of(monday)
        name = f"plan:{check.id}:{week}"
        if seed is None or name in self._weeks:
            return
        moments = plan_week(self.site, check, monday, seed)
        coming = [each for each in moments if each.at - check.told > now]
        if not coming:
            return
        plan = WeekPlan(
            id=name,
            check=check.id,
            week=week,
            state="committed",
            per_week=check.per_week,
            owed=len(coming),
            published=moment(now, self._zone),
            commitment=commitment(opened(self.site, check, monday, moments, seed)),
            seed=fingerprint(self.site, seed),
        )
        reveal = window(self.site, check, monday + timedelta(days=6))[1]
        self._weeks[name] = Week(plan=plan, monday=monday, coming=coming, moments=moments, reveal_at=reveal)
        self._enter_plan(self._weeks[name], now, "committed")

    def _time_of_week(self, week: Week, due: Instant, now: Instant, *, down: bool) -> None:
        check = self.site.duty_checks[week.plan.check]
        for planned in list(week.coming):
            key = f"{check.id}@{planned.at}"
            if key not in self._told and planned.at - check.told <= due:
                in_time = not down or now <= planned.at
                self._told[key] = in_time
                if in_time:
                    self._tell(check, planned, now if down else due)
            if planned.at <= due:
                week.coming.remove(planned)
                self._begin(check, planned, told=self._told.pop(key, False), now=planned.at)
        if week.reveal_at <= due:
            del self._weeks[week.plan.id]
            if self.site.jitter_seed is not None:
                value = opened(self.site, check, week.monday, week.moments, self.site.jitter_seed)
                if commitment(value) == week.plan.commitment:
                    week.plan = replace(week.plan, opened=value)
            week.plan = replace(week.plan, state="revealed")
            self._enter_plan(week, week.reveal_at, "revealed")

    def _tell(self, check: DutyCheck, planned: Planned, now: Instant) -> None:
        """Tell every checker of it at his own contact; nobody else hears of it."""
        contacts = dict.fromkeys(
            contact for each in check.checkers if (contact := self.site.people[each].contact) is not None
        )
        for contact in contacts:
            title, body = telling(self.site, check, planned, contact)
            key = f"duty_check/{check.id}@{planned.at}/{contact}"
            self._changes.notices.append(
                Notice(
                    key=key,
                    at=now,
                    contact=contact,
                    alert=f"duty_check/{check.id}",
                    kind="raised",
                    due=now,
                    title=title,
                    body=body,
                )
            )

    def _begin(self, check: DutyCheck, planned: Planned, *, told: bool, now: Instant) -> None:
        item = self._item(check, "planned", planned.post, planned.at, planned.at - check.told, told=told)
        self._take(item, now, CLOCK, "due")

    def _item(
        self, check: DutyCheck, kind: Any, post: str, at: Instant, opens: Instant, *, told: bool
    ) -> DutyCheckItem:
        local = moment(at, self._zone)
        name = f"{check.id}@{local.isoformat(timespec='seconds' if local.second else 'minutes')}"
        while name in self._checks:
            name += "+"
        return DutyCheckItem(
            id=name,
            check=check.id,
            kind=kind,
            week=week_of(night_of(self.site, check, at)),
            post=post,
            at=local,
            opens=moment(opens, self._zone),
            closes=moment(at + check.checker_within, self._zone),
            state="due",
            revision=0,
            told=told,
            on_duty=self._on_duty(on_shift(self.site, at)),
        )

    def _on_duty(self, shifts: Iterable[DatedShift]) -> tuple[str, ...]:
        """Who is really on these shifts, by what people have agreed so far."""
        stand_ins = self._engine.rounds.stand_ins
        return tuple(dict.fromkeys(person for shift in shifts for person in stand_ins.people(shift)))

    def _take(self, item: DutyCheckItem, now: Instant, by: str, action: str) -> None:
        closes = instant(item.closes)
        if len(self._checks) >= MOST_CHECKS:
            oldest = min(self._checks, key=lambda name: (self._checks[name].item.at, name))
            del self._checks[oldest]
        self._checks[item.id] = Running(
            item=item,
            look_at=now + SETTLES,
            first=instant(item.opens) - HOUR,
            last=closes + HOUR,
            until=closes + KEPT,
            shifts=tuple(on_shift(self.site, instant(item.at))),
        )
        self._enter(item, now, by, action, "")
        self._arm()

    # Judging

    def _look(self, running: Running, now: Instant) -> None:
        item = running.item
        if now >= running.until:
            del self._checks[item.id]
            return
        check = self.site.duty_checks[item.check]
        opens, closes = instant(item.opens), instant(item.closes)
        on_duty = item.on_duty if running.shifts is None else self._on_duty(running.shifts)
        guards = frozenset(one.id for one in self.site.people.values() if "guard" in one.roles)
        wall = bool(self.site.checkpoints[item.post].tags)
        asked = Asked(
            opens=opens,
            closes=closes,
            guard_within=check.guard_within,
            deadline=closes + check.guard_within + (DEADLINE_WALL if wall else DEADLINE),
            checkers=frozenset(check.checkers),
            guards=guards | set(on_duty),
            on_shift=guards & set(on_duty) - set(check.checkers),
            told=item.told,
            extra=item.kind == "extra",
        )
        seen = look(self.site, self._engine, item.post, opens - MINUTE, closes + check.guard_within)
        self._found(running, judge(asked, seen, now), on_duty, now)
        running.look_at = self._next_look(running, asked, now)

    @staticmethod
    def _next_look(running: Running, asked: Asked, now: Instant) -> Instant:
        item = running.item
        ends = [asked.closes + 1, asked.closes + asked.guard_within + 1, asked.deadline + 1, running.until]
        ends.append(now + (AGAIN if item.state in DECIDED or now <= asked.closes else AWAITED))
        return min(each for each in ends if each > now)

    def _found(self, running: Running, outcome: Outcome, on_duty: tuple[str, ...], now: Instant) -> None:
        before = running.item
        zone = self._zone
        at = {
            name: None if (value := getattr(outcome, name)) is None else moment(value, zone)
            for name in ("checker_at", "guard_at")
        }
        spans = (None, None) if outcome.complete is None else tuple(moment(each, zone) for each in outcome.complete)
        after = replace(
            before,
            state=outcome.state,
            cause=outcome.cause,
            checker=outcome.checker,
            guard=outcome.guard,
            elsewhere=outcome.elsewhere,
            on_duty=on_duty,
            off_shift=outcome.guard is not None and bool(on_duty) and outcome.guard not in on_duty,
            evidence=outcome.evidence,
            complete_from=spans[0],
            complete_to=spans[1],
            **at,
        )
        if after == before:
            return
        if after.state != before.state and (after.state in DECIDED or before.state in DECIDED):
            after = replace(after, revision=before.revision + 1)
        running.item = after
        self._enter(after, now, CLOCK, after.state, after.cause or "")
        if after.state == before.state:
            return
        if after.state == "checker_missed":
            self._signal(after, "raise", now)
        elif before.state == "checker_missed":
            self._signal(after, "retract", now)

    def _signal(self, item: DutyCheckItem, action: Any, now: Instant) -> None:
        self._changes.signals.append(
            Signal(
                rule=RULE,
                subject=item.id,
                action=action,
                at=now,
                raised=instant(item.closes) if action == "raise" else None,
                why="" if action == "raise" else "rejudged",
                details={"post": [item.post], "checkers": list(self.site.duty_checks[item.check].checkers)},
                place=self.site.checkpoints[item.post].place,
            )
        )

    # People

    def _extra(self, operation: BookOperation) -> DutyCheckItem:
        details = _details(operation, Extra)
        check = self.site.duty_checks.get(details.check)
        if check is None:
            raise Refused(f"there is no duty check {details.check!r}", "unknown")
        if details.post not in self.site.checkpoints:
            raise Refused(f"there is no post {details.post!r}", "unknown")
        open_ones = sum(each.item.kind == "extra" and each.item.state not in DECIDED for each in self._checks.values())
        if open_ones >= MOST_EXTRA:
            raise Refused(f"{MOST_EXTRA} extra checks are open already")
        at = operation.at
        item = self._item(check, "extra", details.post, at, at - BEFORE_EXTRA, told=True)
        self._take(item, at, operation.by, "extra")
        return item

    def _running(self, operation: BookOperation) -> Running:
        running = self._checks.get(operation.subject or "")
        if running is None:
            raise Refused(f"there is no duty check {operation.subject!r} that still takes findings", "unknown")
        return running

    def _find(self, operation: BookOperation) -> DutyCheckItem:
        running = self._running(operation)
        said = _details(operation, Found)
        item = running.item
        known = said.code in FINDINGS or said.code in self.site.duty_checks[item.check].findings
        if not known and not operation.accepted:
            raise Refused(f"{said.code!r} is no finding of this site")
        if said.person is not None and said.person not in self.site.people and not operation.accepted:
            raise Refused(f"there is no person {said.person!r}", "unknown")
        if len(said.words) > WORDS_LONGEST:
            raise Refused(f"at most {WORDS_LONGEST} characters are taken")
        if said.code == "other" and not said.words.strip():
            raise Refused("what was found needs words")
        if len(item.findings) >= MOST_FINDINGS:
            raise Refused(f"a check takes at most {MOST_FINDINGS} findings")
        finding = DutyFinding(
            number=len(item.findings) + 1,
            code=said.code,
            at=moment(operation.at, self._zone),
            by=operation.by,
            person=said.person,
            words=said.words.strip(),
            photo=said.photo,
        )
        return self._change(running, operation, findings=(*item.findings, finding))

    def _withdraw(self, operation: BookOperation) -> DutyCheckItem:
        running = self._running(operation)
        number = _details(operation, Number).number
        why = operation.why.strip()
        findings = running.item.findings
        if not 1 <= number <= len(findings) or findings[number - 1].withdrawn is not None:
            raise Refused(f"there is no finding {number} that stands", "unknown")
        if not why or len(why) > WORDS_LONGEST:
            raise Refused(f"a finding is withdrawn for a reason, of at most {WORDS_LONGEST} characters")
        changed = tuple(replace(each, withdrawn=why) if each.number == number else each for each in findings)
        return self._change(running, operation, findings=changed)

    def _change(self, running: Running, operation: BookOperation, **fields: Any) -> DutyCheckItem:
        running.item = replace(running.item, **fields)
        self._enter(running.item, operation.at, operation.by, operation.action, operation.why)
        return running.item

    # Entries

    def _enter(self, item: DutyCheckItem, at: Instant, by: str, action: str, why: str) -> None:
        self._changes.entries.append(
            Entry(
                at=at, book="duty_check", id=item.id, state=item.state, start=instant(item.at), by=by, action=action,
                why=why, item=item,
            )
        )  # fmt: skip

    def _enter_plan(self, week: Week, at: Instant, action: str) -> None:
        self._changes.entries.append(
            Entry(
                at=at, book="duty_check", id=week.plan.id, state=week.plan.state, start=_midnight(week.monday, self.site),
                by=CLOCK, action=action, why="", item=week.plan,
            )
        )  # fmt: skip

    # Kept across restarts

    def snapshot(self) -> Any:
        return msgspec.to_builtins(
            {
                "weeks": list(self._weeks.values()),
                "told": self._told,
                "checks": list(self._checks.values()),
                "plan_at": self._plan_at,
            }
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. A check or post that the site no longer has is dropped; its alert ends as `removed`."""
        weeks = msgspec.convert(state["weeks"], list[Week])
        known = self.site.duty_checks
        self._weeks = {each.plan.id: each for each in weeks if each.plan.check in known}
        for week in self._weeks.values():
            coming = [each for each in week.coming if each.post in self.site.checkpoints]
            week.plan = replace(week.plan, owed=week.plan.owed - len(week.coming) + len(coming))
            week.coming = coming
        moments = {f"{week.plan.check}@{each.at}" for week in self._weeks.values() for each in week.coming}
        self._told = {key: value for key, value in state["told"].items() if key in moments}
        self._checks = {}
        for running in msgspec.convert(state["checks"], list[Running]):
            item = running.item
            if item.check in known and item.post in self.site.checkpoints:
                self._checks[item.id] = running
            elif item.state == "checker_missed":
                self._changes.signals.append(
                    Signal(rule=RULE, subject=item.id, action="resolve", at=self._engine.now, why="removed")
                )
        self._plan_at = state["plan_at"]
        if not {each.plan.check for each in self._weeks.values()} >= known.keys():
            self._plan_at = min(self._plan_at, self._engine.now)
        self._arm()


class Extra(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Details of `extra`."""

    check: str
    post: str


class Found(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Details of `finding`."""

    code: str
    person: str | None = None
    words: str = ""
    photo: Photo | None = None


class Number(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Details of `withdraw`."""

    number: int


def _details(operation: BookOperation, shape: type[Any]) -> Any:
    try:
        return msgspec.convert(dict(operation.details), shape)
    except msgspec.ValidationError as error:
        raise Refused(f"details: {error}") from error


def _midnight(day: date, site: Site) -> Instant:
    return wall_time(day, _START, site.zone_info).first
