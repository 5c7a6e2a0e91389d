"""Silences (静默) and maintenance windows (计划检修): whom an alert is not told to, since when, until when, by whom and why.

A silence is a person's word about something that is known or wrong, from now on. A maintenance window is planned work, told
beforehand; it begins and ends by time alone and reaches also what the thing under work feeds. Both keep alerts silent, never
from being found, shown and counted; both end by themselves, at the latest when they were said to.

Pure like the alerts: time is an argument. The `AlertBook` asks whether an alert is silent and wakes it afterwards;
`SilenceBook` is the face of both to the judge.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
from msgspec.structs import replace

from device_drivers.observations import TagRead
from gateway.alerts.alert import Alert, AlertTransition
from gateway.alerts.catalogue import CATALOGUE
from gateway.alerts.lifecycle import Refused
from gateway.alerts.reach import FED, Reach, Target
from gateway.books import BookChanges, BookOperation, Entry
from gateway.instants import DAY, Duration, Instant, instant, moment
from gateway.rules.timers import Timers
from gateway.site.model import Site

if TYPE_CHECKING:
    from gateway.alerts.book import AlertBook

LONGEST: Duration = 30 * DAY
"""No silence or window is longer: what is broken for longer is repaired or taken out of service."""
AHEAD: Duration = 365 * DAY
"""No window is planned for later than this."""
STANDING_LIMIT = 200
"""Silences and windows that stand or are planned; beyond it a further one is refused."""
ENDED_KEPT = 100
"""Of the last ended ones the state is known here, so that ending one twice is told from ending what never was."""
REASON_LONGEST = 500

NEVER_SILENT = frozenset({"panic"})
"""Somebody calls for help: nothing keeps that silent."""

NOT_OF_WORK = frozenset({"incident", "tag_cloned", "compensating_patrol", "duty_check_missed", "work_order_late"})
"""What people report, did or owe: no planned work on things explains it. A silence may name it."""

CLOCK = "clock"
Kind = Literal["silence", "maintenance"]
Scope = Literal["rule", "subject", "place"]
State = Literal["planned", "active", "ended", "cancelled"]


class Silence(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """A silence or a maintenance window as the API shows it.

    Args:
        id: `silence/NUMBER` or `maintenance/NUMBER`; stands in `suppressed` of the alerts it keeps silent.
        on, subject: what it is about; a place with everything in it, planned work with everything that is fed from it.
        rule: only alerts of this rule; None: all.
        since, until: when it begins and when it ends at the latest.
        ended: when it ended, if not by time alone.
        ended_by, ended_why: who ended it, and why.
        alerts: how many alerts it has kept silent so far.
    """

    id: str
    kind: Kind
    state: State
    on: Target
    subject: str
    rule: str | None = None
    since: datetime
    until: datetime
    by: str
    why: str
    ended: datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None
    alerts: int = 0


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """What a person asks for: the `details` of the operation. `since` of a silence is always now."""

    kind: Kind
    on: Target
    subject: str
    rule: str | None = None
    since: datetime | None = None
    until: datetime


class Silences:
    """The silences and windows of one site that stand or are planned."""

    def __init__(self, site: Site) -> None:
        self.reach = Reach(site)
        self.entries: list[Entry] = []
        self._zone = site.zone_info
        self._rules = frozenset((*CATALOGUE, *site.alerting.rules))
        self._standing: dict[str, Silence] = {}
        self._ended: dict[str, State] = {}
        self._numbers: dict[Kind, int] = dict.fromkeys(get_args(Kind), 0)
        self._by_address: dict[str, list[str]] = {}
        self._windows = 0
        """Maintenance windows that have begun: only they ask what feeds a thing."""
        self._timers: Timers[str] = Timers()

    # What is asked

    def standing(self) -> list[Silence]:
        """Those that stand or are planned, in the order in which they were made."""
        return list(self._standing.values())

    def covering(self, rule: str, subject: str, place: str | None) -> str | None:
        """The id of what keeps such an alert silent; None: nothing does.

        Of several, planned work comes first (it is counted apart), then what lasts longest, then what was said first.
        """
        if not self._by_address or rule in NEVER_SILENT:
            return None
        best: Silence | None = None
        for address in self.reach.addresses(rule, subject, place, fed=self._windows > 0):
            for name in self._by_address.get(address, ()):
                found = self._standing[name]
                if _may_mean(found, rule) and (best is None or _outranks(found, best)):
                    best = found
        return None if best is None else best.id

    def means(self, item: Silence, rule: str, subject: str, place: str | None) -> bool:
        """Whether an alert is what `item` is about."""
        if not _may_mean(item, rule):
            return False
        wanted = _addresses(item)
        return any(
            address in wanted for address in self.reach.addresses(rule, subject, place, fed=item.kind == "maintenance")
        )

    def about(self, alert: Alert, scope: Scope) -> dict[str, Any]:
        """What a silence would have to name to mean an alert and what is like it: part of a `Wish`.

        Args:
            alert: the one that disturbs.
            scope: this `rule` at its subject, everything about its `subject`, everything in its `place`.

        Raises:
            Refused: the alert has no such thing.
        """
        addresses = list(self.reach.addresses(alert.rule, alert.subject, alert.place))
        own = [address for address in addresses if not address.startswith(("place:", "site:", FED))]
        places = [address for address in addresses if address.startswith("place:")]
        whole = [address for address in addresses if address == f"site:{alert.subject}" and scope == "rule"]
        found = places if scope == "place" else own or whole
        if not found:
            raise Refused(f"this alert has no {scope} that could be silent", "invalid")
        on, _, subject = found[0].partition(":")
        return {"on": on, "subject": subject, "rule": alert.rule if scope == "rule" else None}

    def counted(self, name: str) -> None:
        """One alert more is kept silent by this one."""
        item = self._standing[name]
        self._standing[name] = replace(item, alerts=item.alerts + 1)

    # What is done

    def operate(self, operation: BookOperation, raised: Container[str] = ()) -> Silence:
        """A person makes one (`create`) or ends one (`end`).

        Args:
            operation: what the person wishes.
            raised: rules of the alerts there are: devices may name faults of their own.

        Raises:
            Refused: nothing changed.
        """
        why = operation.why.strip()
        if not why or len(why) > REASON_LONGEST:
            raise Refused(f"a silence needs a reason, of at most {REASON_LONGEST} characters", "invalid")
        match operation.action:
            case "create":
                return self._create(operation, why, raised)
            case "end":
                return self._end_by_hand(operation, why)
            case other:
                raise Refused(f"a silence knows no {other!r}: expected create or end", "invalid")

    def deadline(self) -> Instant | None:
        return self._timers.next()

    def due(self, now: Instant) -> list[Silence]:
        """Let time pass: those that began or ended up to `now`, as they are then, by the time at which they did, then by id."""
        changed: list[Silence] = []
        while (at := self._timers.next()) is not None and at <= now:
            for name in sorted(name for _, name in self._timers.due(at)):
                item = self._standing[name]
                if item.state == "planned":
                    changed.append(self._keep(replace(item, state="active"), at, CLOCK, "begin", item.why))
                else:
                    changed.append(self._over(item, at, CLOCK, "expire", "expired", "ended"))
        return changed

    def _create(self, operation: BookOperation, why: str, raised: Container[str]) -> Silence:
        try:
            wish = msgspec.convert(dict(operation.details), Wish)
        except msgspec.ValidationError as error:
            raise Refused(f"this is no silence: {error}", "invalid") from error
        if wish.until.tzinfo is None or (wish.since is not None and wish.since.tzinfo is None):
            raise Refused("times need an offset", "invalid")
        at = operation.at
        since = at if wish.since is None or wish.kind == "silence" else max(at, instant(wish.since))
        until = instant(wish.until)
        if (
            wish.rule is not None
            and wish.rule not in self._rules
            and wish.rule not in raised
            and not operation.accepted
        ):
            raise Refused(f"no rule {wish.rule!r} is known", "invalid")
        if not operation.accepted:
            self._check(wish, at, since, until)
        number = self._numbers[wish.kind] + 1
        self._numbers[wish.kind] = number
        item = Silence(
            id=f"{wish.kind}/{number}",
            kind=wish.kind,
            state="planned" if since > at else "active",
            on=wish.on,
            subject=wish.subject,
            rule=wish.rule,
            since=moment(since, self._zone),
            until=moment(until, self._zone),
            by=operation.by,
            why=why,
        )
        return self._keep(item, at, operation.by, "create", why)

    def _check(self, wish: Wish, at: Instant, since: Instant, until: Instant) -> None:
        """Raises `Refused` with what was expected."""
        if not self.reach.knows(wish.on, wish.subject):
            raise Refused(f"the site has no {wish.on} {wish.subject!r}", "invalid")
        if wish.on == "site" and wish.rule is None:
            raise Refused("the whole site is never silent: name a rule", "invalid")
        if wish.rule in NEVER_SILENT:
            raise Refused(f"{wish.rule} is a call for help: nothing keeps it silent", "invalid")
        if until <= since:
            raise Refused("it ends before it begins: expected a later end", "invalid")
        if until - since > LONGEST:
            raise Refused(f"expected at most {LONGEST // DAY} days", "invalid")
        if since - at > AHEAD:
            raise Refused(f"expected a beginning within {AHEAD // DAY} days", "invalid")
        if len(self._standing) >= STANDING_LIMIT:
            raise Refused(f"{STANDING_LIMIT} silences and windows stand already: end some first")

    def _end_by_hand(self, operation: BookOperation, why: str) -> Silence:
        item = self._standing.get(operation.subject or "")
        if item is None:
            over = self._ended.get(operation.subject or "")
            if over is None:
                raise Refused(f"no such silence stands: {operation.subject}", "unknown")
            raise Refused(f"it is {over} already")
        state: State = "cancelled" if item.state == "planned" else "ended"
        item = replace(item, ended=moment(operation.at, self._zone), ended_by=operation.by, ended_why=why)
        return self._over(item, operation.at, operation.by, "cancel" if state == "cancelled" else "end", why, state)

    def _keep(self, item: Silence, at: Instant, by: str, action: str, why: str) -> Silence:
        self._file(item)
        self._enter(item, at, by, action, why)
        return item

    def _file(self, item: Silence) -> None:
        self._standing[item.id] = item
        self._timers.set(item.id, instant(item.since if item.state == "planned" else item.until))
        if item.state == "active":
            self._windows += item.kind == "maintenance"
            for address in _addresses(item):
                self._by_address.setdefault(address, []).append(item.id)

    def _over(self, item: Silence, at: Instant, by: str, action: str, why: str, state: State) -> Silence:  # noqa: PLR0917
        self._windows -= item.kind == "maintenance" and item.state == "active"
        item = replace(item, state=state)
        del self._standing[item.id]
        self._timers.set(item.id, None)
        for address in _addresses(item):
            named = self._by_address.get(address)
            if named is not None and item.id in named:
                named.remove(item.id)
                if not named:
                    del self._by_address[address]
        self._ended[item.id] = state
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]
        self._enter(item, at, by, action, why)
        return item

    def _enter(self, item: Silence, at: Instant, by: str, action: str, why: str) -> None:
        self.entries.append(
            Entry(
                at=at,
                book="silence",
                id=item.id,
                state=item.state,
                start=instant(item.since),
                by=by,
                action=action,
                why=why,
                item=item,
            )
        )

    def snapshot(self) -> Any:
        return {
            "standing": msgspec.json.encode(self.standing()),
            "ended": dict(self._ended),
            "numbers": dict(self._numbers),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. What it says of things the site no longer has simply means nothing."""
        for item in msgspec.json.decode(state["standing"], type=list[Silence]):
            self._file(item)
        self._ended = dict(state["ended"])
        self._numbers = dict(state["numbers"])


class SilenceBook:
    """The book `silence` of the judge: the alerts decide, this hands on."""

    def __init__(self, alerts: AlertBook) -> None:
        self._alerts = alerts

    def told(self, transition: AlertTransition) -> None:
        """Nothing an alert does makes or ends a silence."""

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:  # noqa: ARG002
        """No tap does either."""
        return False

    def operate(self, operation: BookOperation) -> Silence:
        """A person makes or ends one.

        Raises:
            Refused: nothing changed.
        """
        return self._alerts.silence(operation)

    def advance(self, now: Instant) -> None:
        """The alerts have let this time pass already."""

    def deadline(self) -> Instant | None:
        """It is the alerts' own."""
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """Likewise."""

    def drain(self) -> BookChanges:
        """What was made, begun and ended since the last call, in order."""
        entries, self._alerts.silences.entries = self._alerts.silences.entries, []
        return BookChanges(entries=entries)

    def snapshot(self) -> Any:
        """It stands in the alerts' own."""
        return None

    def restore(self, state: Any) -> None:
        """Likewise."""


def _addresses(item: Silence) -> tuple[str, ...]:
    """What `item` answers to; planned work also to what is fed from its subject."""
    own = f"{item.on}:{item.subject}"
    feeds = item.kind == "maintenance" and item.on in {"device", "parent", "circuit"}
    return (own, f"{FED}{item.subject}") if feeds else (own,)


def _may_mean(item: Silence, rule: str) -> bool:
    if rule in NEVER_SILENT or (item.kind == "maintenance" and rule in NOT_OF_WORK):
        return False
    return item.rule in {None, rule}


def _outranks(one: Silence, other: Silence) -> bool:
    if one.kind != other.kind:
        return one.kind == "maintenance"
    if one.until != other.until:
        return one.until > other.until
    return _number(one) < _number(other)


def _number(item: Silence) -> int:
    return int(item.id.rpartition("/")[2])
