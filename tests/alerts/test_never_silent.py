"""An alert is never silent: whatever happens, at every instant of each active alert one of these is true and it says which.

Told at its level with a next step planned; acknowledged for less than half an hour; worked on; kept silent by something that still
stands; exhausted; or of a rule for which the site has no policy. A machine of Hypothesis does everything that people, rules, time,
outages and new processes do, beside a model that knows only what was asked for.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.alerts.alert import Alert, AlertTransition, Notice
from gateway.alerts.lifecycle import ACTIVE, TABLE, Refused
from gateway.instants import HOUR, MINUTE, Instant, instant, moment
from tests.alerts.estate import ESTATE, Post
from tests.alerts.watch import T0

ALERTS = st.sampled_from(
    [
        ("lamp_failure", "lamp-1"),
        ("lamp_failure", "lamp-2"),
        ("camera_offline", "cam-1"),  # its policy tells the captain on duty
        ("zone_blind", "z-garage"),  # its policy tells only people on duty
        ("reader_offline", "rdr-1"),  # its policy does not exist
        ("device_offline", "nvr-1"),
        ("panic", "wand-1"),
        ("gateway_restarting", "riverside"),
    ]
)
MEANT = {
    ("lamp", "lamp-1"): {"lamp-1"},
    ("place", "tower-1"): {"lamp-1", "lamp-2"},
    ("place", "garage"): {"cam-1", "z-garage", "rdr-1"},
    ("zone", "z-garage"): {"z-garage"},
    ("device", "nvr-1"): {"nvr-1"},
    ("device", "wand-1"): set[str](),  # a call for help
    ("parent", "panel-1"): set[str](),
}
"""What a silence means, by hand; and what planned work reaches besides."""
FED = {("device", "nvr-1"): {"cam-1"}, ("parent", "panel-1"): {"lamp-1", "nvr-1", "cam-1"}}

MINUTES = st.sampled_from([0, 0, 0.1, 1, 5, 10, 11, 31, 70, 600])
LENGTHS = st.sampled_from([1, 10, 30, 90, 700])
CAPTAINS = ("c-li", "c-chen")
CONTACTS = {"c-li": "li", "c-chen": "chen", "g-sun": "sun"}
NO_POLICY = {"reader_offline"}


class Quiet(NamedTuple):
    """A silence or window of the model; instants."""

    id: str
    target: tuple[str, str]
    work: bool
    since: Instant
    until: Instant

    def means(self, subject: str, at: Instant) -> bool:
        reached = MEANT[self.target] | (FED.get(self.target, set()) if self.work else set())
        return self.since <= at < self.until and subject in reached


class Watchful(RuleBasedStateMachine):
    """What may happen, and what must hold after each of it."""

    def __init__(self) -> None:
        super().__init__()
        self.post = Post()
        self.quiets: dict[str, Quiet] = {}
        self.captain: dict[date, str | None] = {}
        self.seen = 0
        self.back = T0

    # What happens

    @rule(after=MINUTES)
    def wait(self, after: float) -> None:
        self.post.at(self.post.minute + after)

    @rule(after=MINUTES)
    def be_down(self, after: float) -> None:
        self.post.down_until(self.post.minute + after)
        self.back = self.post.now

    @rule()
    def be_born_again(self) -> None:
        self.post.reborn()

    @rule(alert=ALERTS)
    def raise_(self, alert: tuple[str, str]) -> None:
        self._signal(alert, "raise")

    @rule()
    def raise_the_child_of_a_cause(self) -> None:
        self._signal(("camera_offline", "cam-1"), "raise", caused_by="device_offline:nvr-1")

    @rule(alert=ALERTS, action=st.sampled_from(["update", "resolve", "retract"]))
    def end(self, alert: tuple[str, str], action: str) -> None:
        self._signal(alert, action)

    @rule(alert=ALERTS, after=st.sampled_from([0, 1, 5]), silenced=st.booleans())
    def end_and_come_back(self, alert: tuple[str, str], after: float, silenced: bool) -> None:
        self._signal(alert, "resolve")
        mine = [thing for thing, meant in sorted(MEANT.items()) if alert[1] in meant]
        if silenced and mine:
            self.keep_silent(mine[0], work=False, ahead=0, length=90)
        self.post.at(self.post.minute + after)
        self._signal(alert, "raise")

    @rule()
    def merge(self) -> None:
        self._signal(("camera_offline", "cam-1"), "merge", caused_by="device_offline:nvr-1")

    def _signal(self, alert: tuple[str, str], action: str, **more: Any) -> None:
        self.post.signal(action, rule=alert[0], subject=alert[1], **more)

    @rule(alert=ALERTS, action=st.sampled_from(["ack", "ack", "start", "resolve", "close", "comment"]))
    def act(self, alert: tuple[str, str], action: Any) -> None:
        for known in self.post.book.alerts():
            if (known.rule, known.subject) != alert:
                continue
            before = self.post.book.snapshot()
            legal = any((row.before, row.trigger) == (known.state, action) for row in TABLE)
            try:
                self.post.act(action, known.id, why="because")
            except Refused:
                assert not legal
                assert self.post.book.snapshot() == before
            else:
                assert legal

    @rule(thing=st.sampled_from(sorted(MEANT)), work=st.booleans(), ahead=MINUTES, length=LENGTHS)
    def keep_silent(self, thing: tuple[str, str], work: bool, ahead: float, length: float) -> None:
        now = self.post.minute
        since = now + ahead if work else now
        more = {"since": since} if work else {}
        kind = "maintenance" if work else "silence"
        name = self.post.quiet(kind, *thing, until=since + length, **more)
        begins, ends = (T0 + round(minute * MINUTE) for minute in (since, since + length))
        self.quiets[name] = Quiet(name, thing, work, begins, ends)

    @rule(which=st.integers(0, 5))
    def end_by_hand(self, which: int) -> None:
        standing = [quiet for quiet in self.quiets.values() if quiet.until > self.post.now]
        if standing:
            quiet = standing[which % len(standing)]
            self.post.end(quiet.id)
            self.quiets[quiet.id] = quiet._replace(until=self.post.now)

    @rule(instead=st.sampled_from(["g-sun", None]))
    def stand_in(self, instead: str | None) -> None:
        night = self._night(self.post.now)
        captain = self._captain(self.post.now)
        if night is not None and captain is not None and captain != instead:
            self.post.swap(captain, instead, str(night))
            self.captain[night] = instead

    # What must hold

    @invariant()
    def no_alert_is_silent(self) -> None:
        for alert in self.post.book.alerts(active=True):
            assert self._why_not_silent(alert), alert

    def _why_not_silent(self, alert: Alert) -> bool:
        covered = self._covered(alert, self.post.now)
        reason = alert.suppressed
        if reason is not None:
            if reason.startswith(("silence/", "maintenance/")):
                work = {quiet.id for quiet in covered if quiet.work}
                return reason in (work or {quiet.id for quiet in covered})
            return self._inhibits(reason, alert)
        assert not covered, "a silence means it, and it does not say so"
        if alert.state == "in_progress":
            return True
        if alert.state == "acknowledged":
            return self.post.now - instant(alert.history[-1].at) < 30 * MINUTE or self._acked_since(alert)
        if alert.exhausted or alert.rule in NO_POLICY:
            return alert.next_step is None
        return alert.next_step is not None and instant(alert.next_step) > self.post.now and self._told(alert)

    def _acked_since(self, alert: Alert) -> bool:
        acks = [row.at for row in alert.history if row.after == "acknowledged" != row.before]
        return self.post.now - instant(acks[-1]) < 30 * MINUTE

    def _told(self, alert: Alert) -> bool:
        """Its level was reached by a step that told somebody, or says that nobody was on duty."""
        steps = [row.why for row in self._rows(alert) if row.why.startswith(f"step {alert.level}")]
        silent = [why for why in steps if ": " not in why.partition("(")[0]]
        return alert.level == 0 or (
            bool(steps) and all("nobody on duty" in why or "no contact" in why for why in silent)
        )

    def _rows(self, alert: Alert) -> list[Any]:
        rows = [row.transition for row in self.post.rows if row.alert.id == alert.id]
        opened = max(index for index, row in enumerate(rows) if row.before in {None, "resolved"})
        return rows[opened:]

    def _covered(self, alert: Alert, at: Instant) -> list[Quiet]:
        return [quiet for quiet in self.quiets.values() if quiet.means(alert.subject, at) and alert.rule != "panic"]

    def _inhibits(self, reason: str, alert: Alert) -> bool:
        """The cause is an alert that stands, or may still come within 10 min of being named, or of the gateway's return."""
        cause = self.post.book.alert(reason)
        if cause is not None and (cause.state in ACTIVE or cause.state == "resolved"):
            return True
        since = max(self.back, *(instant(row.at) for row in self._rows(alert)))
        return self.post.now - since < 10 * MINUTE

    @invariant()
    def nothing_is_told_in_a_silence(self) -> None:
        news, self.seen = self.post.rows[self.seen :], len(self.post.rows)
        for row in news:
            if row.transition.why.startswith(("step", "reminder")):
                at = instant(row.transition.at)
                assert not self._covered(row.alert, at), row
                self._check_duty(row, at)

    def _check_duty(self, row: AlertTransition, at: Instant) -> None:
        if "duty:captain" not in row.transition.why:
            return
        captain = self._captain(at)
        note = "nobody on duty" if captain is None else captain
        assert f"duty:captain {note}" in row.transition.why, (row.transition, captain)

    def _captain(self, at: Instant) -> str | None:
        night = self._night(at)
        if night is None:
            return None
        return self.captain.get(night, CAPTAINS[(night - date(2026, 11, 22)).days % 2])

    @staticmethod
    def _night(at: Instant) -> date | None:
        local = moment(at, ESTATE.zone_info)
        if local.hour >= 20:
            return local.date()
        return (local - timedelta(days=1)).date() if local.hour < 8 else None

    @invariant()
    def windows_are_as_they_were_asked_for(self) -> None:
        now = self.post.now
        standing = {item.id: item.state for item in self.post.book.silences.standing()}
        assert standing == {
            quiet.id: "active" if quiet.since <= now else "planned"
            for quiet in self.quiets.values()
            if quiet.until > now
        }

    @invariant()
    def ends_reach_exactly_those_who_were_told(self) -> None:
        ever: dict[str, set[str]] = {}
        since: dict[str, set[str]] = {}
        for (alert, _, kind), contacts in _tellings(self.post.notices).items():
            if kind in {"raised", "escalated", "reminder"}:
                ever.setdefault(alert, set()).update(contacts)
                since.setdefault(alert, set()).update(contacts)
            elif kind == "retracted":
                assert contacts == ever[alert]
            else:
                assert contacts == since.pop(alert)
        for alert in self.post.book.alerts():
            if alert.state == "resolved":
                assert not since.get(alert.id), f"{alert.id}: not all were told of its end"
            if alert.state == "retracted" and alert.id in ever:
                assert any(notice.kind == "retracted" for notice in self.post.notices if notice.alert == alert.id)

    @invariant()
    def nobody_is_asked_to_wait_for_a_time_that_has_passed(self) -> None:
        deadline = self.post.book.deadline()
        assert deadline is None or deadline > self.post.now

    def teardown(self) -> None:
        """Left alone for a month, every alert is exhausted, ended, worked on, or held by what still stands."""
        self.post.at(self.post.minute + 40 * 24 * 60)
        self.no_alert_is_silent()
        assert self.post.book.silences.standing() == []
        for alert in self.post.book.alerts(active=True):
            assert alert.state != "acknowledged"
            if alert.state == "open" and alert.suppressed is None:
                assert alert.exhausted or alert.rule in NO_POLICY
        assert self.post.now > T0 + HOUR


def _tellings(notices: list[Notice]) -> dict[tuple[str, str, str], set[str]]:
    """Contacts by (alert, number of telling, kind), in order of time."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for notice in notices:
        number = notice.key.removesuffix(f"/{notice.contact}").rpartition("/")[2]
        found.setdefault((notice.alert, number, notice.kind), set()).add(notice.contact)
    return found


TestAnAlertIsNeverSilent = Watchful.TestCase
TestAnAlertIsNeverSilent.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
