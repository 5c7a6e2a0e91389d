"""The path of everything that arrives: decode, recognise repeats, judge, commit, and only then acknowledge.

Runs in the event loop. While one batch is being written by the journal's thread, the next one gathers; what has
gathered is handed over as soon as the disk is ready. Nothing here waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

import msgspec

from device_drivers.driver import Reading, Readings, Reject, StreamDecoder
from device_drivers.errors import DecodeError
from device_drivers.observations import LinkStatus, Observation, TagRead
from device_drivers.observations import read as read_observation
from gateway.errors import JournalError
from gateway.events import Event, EventHub
from gateway.instants import SECOND, Instant, instant, moment
from gateway.journal.writer import Batch, Writer
from gateway.judgement import Judgement
from gateway.links.link import Envelope, Link, LinkState, Token, Unreadable
from gateway.repeats import Repeats
from gateway.routing import Router

_log = logging.getLogger(__name__)

_FULL = 8192
"""Rows gathered at which the links are paused: what is unread waits in the kernel and at the broker."""

_LEAST_FULL = 2048
_WRITTEN_IN_S = 0.2
"""On a slow disk or a busy machine fewer rows make a batch, so many as are written in this time: what comes now waits for the batch that is
being written and for its own. Where a commit alone takes long, fewer than _LEAST_FULL would make a backlog longer, and the wait with it.
"""

_ACKS_AT_ONCE = 64
_ACKS_EVERY_S = 0.25
_ACKS_A_SECOND = 2000
"""Native devices are told what is safe at once; when many are due, together and no faster than this: they keep their records
as long as they must, and each message costs the broker as much as one of theirs.
"""

_ASKED_AGAIN_S = (0.0, 5.0, 30.0, 120.0)
"""When, after a broker lost our session, all devices are told up to where their records are safe: most of them were cut off with us and
come back later than we do; what is said at once they do not hear.
"""

_BACKLOG = 256
"""Rows of one hand-over from which on a backlog is being drained: more than come in a commit's time in any quiet hour."""

UNBOUND = "no device of the site is bound to this topic"

_TOPICS_TOLD = 200
"""Of how many topics and readers the log says, once a start, that something is in quarantine: for who sets them up."""

_UNREADABLE = "what it sent could not be read and is in quarantine"
_LOST = "the broker had lost what it sent"
_USED_TWICE = "it gave a number again that it had used"
_CUT_EVERY = SECOND // 2
"""A line full of noise is told of no more often than this."""

_encode = msgspec.json.Encoder().encode

_KINDS: dict[type, str] = {kind: str(kind.__struct_config__.tag) for kind in get_args(Observation)}


class Counters(msgspec.Struct):
    """What the intake has done since start, for /metrics."""

    messages: int = 0
    observations: int = 0
    repeats: int = 0
    conflicts: int = 0
    quarantined: int = 0
    batches: int = 0
    acknowledged: int = 0
    judge_failures: int = 0


class Pending(NamedTuple):
    """What waits for the commit of a batch."""

    tokens: dict[Link, list[Token]]
    safe: list[tuple[str, str, int]]
    events: list[Event]
    waiters: list[asyncio.Future[None]]


class Intake:
    """Takes what the links bring.

    Args:
        judgement: rules and alerts, already brought up to date.
        router: which decoder reads what.
        repeats: what has been heard.
        writer: the journal's writing thread.
        events: where committed changes are told.
        clock: the time now, as an aware datetime in UTC.
        last_seq: the highest sequence number in the journal.
        committed: called after each commit (deliveries look for work).
        failed: called when the journal can no longer be trusted.
    """

    def __init__(
        self,
        judgement: Judgement,
        router: Router,
        repeats: Repeats,
        writer: Writer,
        events: EventHub,
        *,
        clock: Callable[[], datetime],
        last_seq: int,
        committed: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.judgement = judgement
        self.router = router
        self.repeats = repeats
        self.counters = Counters()
        self.writer = writer
        self.events = events
        self.clock = clock
        self.seq = last_seq
        self.committed = committed
        self.failed = failed
        self.snapshot_due: Callable[[], bool] = lambda: False
        """Asked at each hand-over: whether a snapshot is to be stored with the batch."""
        self.snapshot: Callable[[], tuple[str, str, bytes | bytearray]] = lambda: ("", "", b"")
        """Asked then: (format, site digest, state)."""
        self.send: Callable[[str, bytes], None] = lambda _topic, _payload: None
        """Publishes at QoS 0: acknowledgements to native devices, and what a driver asks for."""
        self.batch = Batch()
        self._tokens: dict[Link, list[Token]] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._taps: list[tuple[int, Instant, str, bytes]] = []
        self.draining = False
        """A backlog is being drained: what can wait should."""
        self._full = _FULL
        self._writing = False
        self._broken: BaseException | None = None
        self._scheduled = False
        self._paused: set[Link] = set()
        self._unreadable: set[str] = set()
        self._cut_at: dict[str, Instant] = {}
        self._tell_from = 0.0
        self._telling: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()

    # -- what the links call (links.link.Receiver)

    def messages(self, link: Link, envelopes: Sequence[Envelope | Unreadable]) -> None:
        """Messages arrived, in order."""
        tokens = self._tokens.get(link)
        if tokens is None:
            tokens = self._tokens[link] = []
        reader_of = self.router.reader
        received = envelopes[0].received
        now = self._instant(received)
        for envelope in envelopes:
            if envelope.received is not received:
                received = envelope.received
                now = self._instant(received)
            topic, payload, _, retained, token = envelope
            if type(envelope) is Unreadable:
                self._quarantine(
                    now, link.name, envelope.topic.decode("utf-8", "backslashreplace"), payload, envelope.reason
                )
                tokens.append(envelope.token)
                continue
            read = reader_of(topic)  # type: ignore[arg-type]
            if read is None:
                self._quarantine(now, link.name, topic, payload, UNBOUND, retained=retained)  # type: ignore[arg-type]
            else:
                try:
                    readings = read(payload, received, retained=retained)
                except DecodeError as error:
                    self._quarantine(now, link.name, topic, payload, error.reason, retained=retained)  # type: ignore[arg-type]
                else:
                    self._take(readings, now, payload)
                    if type(readings) is Readings:
                        for answer in readings.publish:
                            self.send(*answer)
                        for reject in readings.rejects:
                            self._quarantine(now, link.name, topic, reject.data, reject.reason, retained=retained)  # type: ignore[arg-type]
            tokens.append(token)
        self.counters.messages += len(envelopes)
        self._gathered(link)

    def chunk(self, link: Link, device: str, data: bytes, received: datetime) -> None:
        """Bytes of a device's stream arrived."""
        self._stream(link, device, self.router.streams[device][1].feed(data, received), self._instant(received))

    def found(self, link: Link, source: str, readings: Sequence[Reading | Reject], received: datetime) -> None:
        """What a driver made of its conversation with devices."""
        self._stream(link, source, readings, self._instant(received))

    def heard(
        self, source: str, readings: Sequence[Reading | Reject], received: datetime, *, overtakes: bool = False
    ) -> list[Reading]:
        """What somebody handed in who waits for `wake`: a guard's phone over the console's own server.

        `overtakes`: earlier records of its device may still wait at a broker. Those that contradict an earlier record are given back.
        """
        now = self._instant(received)
        refused = []
        for item in readings:
            if isinstance(item, Reject):
                self._quarantine(now, source, source, item.data, item.reason)
                continue
            conflicts = self.counters.conflicts
            self._take([item], now, b"", overtakes=overtakes)
            if self.counters.conflicts > conflicts:
                refused.append(item)
        self._schedule()
        return refused

    def late(self, readings: Sequence[Reading], heard: Instant, payload: bytes) -> tuple[int, int]:
        """Take what arrived at `heard` and could not be read until now: how many are new, and how many were here already.

        What contradicts a record that is here counts as here: the earlier one stands, and its device gave a number twice.
        """
        now = self._instant(self.clock())
        taken = 0
        for observation, body in readings:
            at, n, boot = instant(observation.at), observation.seq, observation.boot
            kind = _KINDS[type(observation)]
            text = _encode(observation) if body is None else body
            if n is not None:
                boot = boot or ""
                answer = self.repeats.numbered(observation.device, boot, n, text)
            else:
                answer = self.repeats.unnumbered(observation.device, kind, at, text, now)
            if answer == "conflict":
                self._used_twice(observation, at, now)
            if answer != "new":
                continue
            self.judgement.apply_late(observation, now, heard)
            self.seq += 1
            kept = payload if taken == 0 and body is None else None
            self.batch.log.append((self.seq, now, observation.device, kind, at, boot, n, text, kept))
            self.batch.add("late", (self.seq, heard))
            if type(observation) is TagRead:
                self._taps.append((self.seq, now, observation.device, text))
            taken += 1
        self.counters.observations += taken
        self._schedule()
        return taken, len(readings) - taken

    def safe(self) -> asyncio.Future[None]:
        """Done when all that was handed over so far is on disk."""
        return self.wake()

    def link_changed(self, link: Link, state: LinkState, devices: Sequence[str]) -> None:
        """A link came up or went down."""
        now = self._instant(state.since)
        for device in devices:
            if not state.up and device in self.router.streams:
                decoder: StreamDecoder = self.router.streams[device][1]
                self._stream(link, device, decoder.reset(), now)
            body: dict[str, Any] = {"kind": "link", "device": device, "at": state.since, "up": state.up}
            if state.reason:
                body["reason"] = state.reason
            self.observe(_encode(body), now)
        self._event("link", _encode(state))
        self._gathered(link)

    def session_lost(self, link: Link, reason: str) -> None:
        """The broker had forgotten our session; devices are asked to send again what is not acknowledged."""
        now = self._instant(self.clock())
        body = {"kind": "incident", "device": link.name, "at": self.clock(), "code": "session_lost", "text": reason}
        self.observe(_encode(body), now)
        self._cut(self.router.unkept, now, _LOST)
        for wait_s in _ASKED_AGAIN_S:
            self._loop.call_later(wait_s, self._tell_all)
        self._gathered(link)

    # -- what the runtime calls

    def observe(self, body: bytes, received: Instant) -> None:
        """Take an observation as JSON with its receive time: the gateway's own, or history."""
        observation = read_observation(body)
        self._take([Reading(observation, body)], self.not_before(received), b"")

    def record(self, kind: str, body: bytes, at: Instant) -> None:
        """Add what the gateway or an operator did to the log (kinds restart, operator)."""
        self.seq += 1
        self.batch.log.append((self.seq, at, "", kind, at, None, None, body, None))

    def append(self, table: str, *values: Any) -> int:
        """Add a derived row that the living judge did not find (re-judging the past); its `seq`."""
        self.seq += 1
        self.batch.add(table, (self.seq, *values))
        return self.seq

    def tick(self, now: Instant) -> None:
        """Let time pass; what became due is written."""
        now = self.not_before(now)
        self.judgement.advance(now)
        self.batch.advanced = now
        self._schedule()

    def wake(self) -> asyncio.Future[None]:
        """Hand over what has gathered; done when it is on disk."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(future)
        self._schedule()
        return future

    async def drained(self) -> None:
        """Wait until nothing is gathered or being written."""
        while self._broken is None and (self._scheduled or self._writing or len(self.batch)):
            self._schedule()
            await self._idle.wait()
            await asyncio.sleep(0)

    def not_before(self, now: Instant) -> Instant:
        """`now`, or the last instant judged if the clock stepped back."""
        return max(now, self.judgement.engine.now)

    # -- inside

    def _instant(self, received: datetime) -> Instant:
        return self.not_before(instant(received))

    def _take(
        self, readings: Sequence[Reading], now: Instant, payload: bytes, *, overtakes: bool = False, own: bool = False
    ) -> None:
        """Judge and gather what was read. `overtakes`: see `heard`; `own`: our own word, which nobody repeats."""
        apply = self.judgement.apply
        append = self.batch.log.append
        raw: bytes | None = payload or None
        for observation, body in readings:
            device = observation.device
            n = observation.seq
            at = instant(observation.at)
            kind = _KINDS[type(observation)]
            if body is None:
                text = _encode(observation)
                kept = raw
                raw = None
            else:
                text = body
                kept = None
            if own:
                boot, answer = None, "new"
            elif n is not None:
                boot = observation.boot or ""
                answer = self.repeats.numbered(device, boot, n, text, overtakes=overtakes)
            else:
                boot = observation.boot
                answer = self.repeats.unnumbered(device, kind, at, text, now)
            if answer == "repeat":
                self.counters.repeats += 1
                continue
            if answer == "conflict":
                self.counters.conflicts += 1
                reason = f"another content under the key of an earlier record ({device}, boot {boot}, seq {n})"
                self._quarantine(now, device, str(kind), text, reason)
                self._used_twice(observation, at, now)
                continue
            if self._cut_at:
                self._cut_at.pop(device, None)
            try:
                apply(observation, now, at)
            except Exception:  # noqa: BLE001 a fault of ours must not stop the intake: the evidence is kept, the fault shown
                self.counters.judge_failures += 1
                _log.exception("judging %s of %s failed; the observation is kept", kind, device)
            self.seq = seq = self.seq + 1
            append((seq, now, device, kind, at, boot, n, text, kept))
            if type(observation) is TagRead:
                self._taps.append((seq, now, device, text))
        self.counters.observations += len(readings)

    def _quarantine(
        self, now: Instant, source: str, topic: str, payload: bytes, reason: str, *, retained: bool = False
    ) -> None:
        self.seq += 1
        self.counters.quarantined += 1
        self.batch.add("quarantine", (self.seq, now, source, topic, payload, reason, retained))
        if not retained:
            self._cut(self.router.readers_of(topic), now, _UNREADABLE)
        if topic not in self._unreadable and len(self._unreadable) < _TOPICS_TOLD:
            self._unreadable.add(topic)
            _log.warning("%s: %r is not understood and kept in quarantine: %s (told once)", source, topic, reason)

    def _cut(self, devices: Sequence[str], now: Instant, reason: str) -> None:
        """A tap may be among what could not be read, or is lost: the record of a reader that does not number its taps is not whole then.

        Of what comes with nothing readable between, the first is noted.
        """
        for device in devices:
            if now - self._cut_at.get(device, now - _CUT_EVERY) >= _CUT_EVERY:
                said = LinkStatus(device=device, at=moment(now, UTC), up=True, cut=True, reason=reason)
                self._take([Reading(said, None)], now, b"", own=True)
                self._cut_at[device] = now

    def _used_twice(self, observation: Observation, at: Instant, now: Instant) -> None:
        """A device gave a number again: since it gave it first, its numbers do not show that nothing is missing."""
        assert observation.seq is not None
        first = self.repeats.stored(observation.device, observation.boot or "", observation.seq)
        used = [at] if first is None else [at, instant(read_observation(first).at)]
        since, until = moment(min(used), UTC), moment(max(used) + SECOND, UTC)
        said = LinkStatus(
            device=observation.device,
            boot=observation.boot,
            at=until,
            since=since,
            up=True,
            cut=True,
            reason=_USED_TWICE,
        )
        self._take([Reading(said, None)], now, b"", own=True)

    def _stream(self, link: Link, device: str, found: Sequence[Reading | Reject], now: Instant) -> None:
        for item in found:
            if isinstance(item, Reject):
                self._quarantine(now, link.name, device, item.data, item.reason)
            else:
                self._take([item], now, b"")
        self._gathered(link)

    def _event(self, kind: str, data: bytes) -> None:
        self.seq += 1
        self.batch.add("change", (self.seq, self.judgement.engine.now, kind, "", data))

    @property
    def overfull(self) -> bool:
        """So much has gathered, with every link paused, that what can come again had better wait."""
        return self._waiting() >= 2 * _FULL

    def _waiting(self) -> int:
        return len(self.batch.log) + len(self.batch.rows.get("quarantine", ()))

    def _gathered(self, link: Link) -> None:
        gathered = self._waiting()
        if gathered >= self._full and link not in self._paused:
            self._paused.add(link)
            link.pause()
        self._schedule()

    def _schedule(self) -> None:
        if self._broken is not None:
            self._give_up(self._waiters)
            return
        if not self._writing and not self._scheduled:
            self._scheduled = True
            self._idle.clear()
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._scheduled = False
        if self._broken is not None:
            self._give_up(self._waiters)
            return
        try:
            self.judgement.advance(self.not_before(instant(self.clock())))
            if snapshot := self.snapshot_due():
                self.judgement.conclude()  # a snapshot holds nothing that is still to be told
            events = self._derive()
        except Exception as error:  # noqa: BLE001 what was judged cannot be told: stop, and start from the journal
            _log.exception("what the judge found could not be put into rows")
            self._broken = JournalError(
                f"the judge's findings could not be written ({error!r}); start again from the journal"
            )
            self.failed(self._broken)
            self._give_up(self._waiters)
            return
        batch = self.batch
        self.draining = len(batch.log) >= _BACKLOG
        pending = Pending(self._tokens, self._confirmed(), events, self._waiters)
        self.batch, self._tokens, self._waiters = Batch(), {}, []
        if not len(batch) and batch.advanced is None:
            self._finish(pending)
            self._idle.set()
            return
        batch.advanced = self.judgement.engine.now
        if snapshot:
            batch.add("snapshot", (self.seq, batch.advanced, *self.snapshot()))
            batch.statements.append(
                ("DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT 2)", ())
            )
        self._writing = True
        self.repeats.handed_over()
        rows, began = len(batch.log), self._loop.time()
        self.writer.submit(batch).add_done_callback(lambda done: self._written(done, pending, rows, began))

    def _written(self, done: asyncio.Future[list[Any]], pending: Pending, rows: int, began: float) -> None:
        self._writing = False
        if done.cancelled():
            return
        if rows >= _LEAST_FULL // 2:
            in_time = round(rows * _WRITTEN_IN_S / max(self._loop.time() - began, 0.001))
            self._full = min(max(in_time, self._full // 2, _LEAST_FULL), 2 * self._full, _FULL)
        if (error := done.exception()) is not None:
            self._broken = error
            self.failed(error)
            self._give_up(pending.waiters)
            self._give_up(self._waiters)
            return
        self.counters.batches += 1
        self._finish(pending)
        self.committed()
        if len(self.batch) or self.batch.advanced is not None or self._tokens or self._waiters:
            self._schedule()
        else:
            self.draining = False
            self._idle.set()
        for link in self._paused:
            link.resume()
        self._paused.clear()

    def _give_up(self, waiters: list[asyncio.Future[None]]) -> None:
        """A batch was lost, or its findings: whatever is derived from now on rests on it, so nothing more is handed over until the next start."""
        assert self._broken is not None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(self._broken)
        waiters.clear()
        self._idle.set()

    def _finish(self, pending: Pending) -> None:
        for link, tokens in pending.tokens.items():
            if tokens:
                link.acknowledge(tokens)
                self.counters.acknowledged += len(tokens)
        self.events.publish(pending.events)
        for waiter in pending.waiters:
            if not waiter.done():
                waiter.set_result(None)
        site = self.judgement.site.id
        for device, boot, n in pending.safe:
            self.send(f"lamplighter/{site}/{device}/down/ack", _encode({"boot": boot, "seq": n}))
        if self.repeats.due() and self._telling is None:
            self._telling = self._loop.call_at(self._tell_from, self._tell)

    def _confirmed(self) -> list[tuple[str, str, int]]:
        """Up to where each device's record will be safe once this batch is committed; []: when many are due, told later."""
        due = self.repeats.due()
        if not due or (due > _ACKS_AT_ONCE and self._loop.time() < self._tell_from):
            return []
        self._tell_from = self._loop.time() + max(_ACKS_EVERY_S, due / _ACKS_A_SECOND)
        return self.repeats.take_due()

    def _tell_all(self) -> None:
        self.repeats.tell_all()
        self._schedule()

    def _tell(self) -> None:
        """Devices wait to be told, though nothing new may come that would hand over a batch."""
        self._telling = None
        self._schedule()

    def _derive(self) -> list[Event]:
        """Rows and events of what the judge found since the last hand-over."""
        add = self.batch.add
        events = [Event(row[0], row[2], row[4]) for row in self.batch.rows.get("change", ())]
        for seq, _, device, body in self._taps:
            self.seq += 1
            tap = b'{"seq":%d,"device":%b,"observation":%b}' % (seq, _encode(device), body)
            add("change", (self.seq, self.judgement.engine.now, "tap", device, tap))
            events.append(Event(self.seq, "tap", tap))
        self._taps = []
        outcome = self.judgement.drain()
        for revision in outcome.revisions:
            self.seq += 1
            what = (revision.round, revision.position, revision.revision, revision.verdict, _encode(revision))
            add("visit_revision", (self.seq, instant(revision.at), *what))
        for condition in outcome.conditions:
            self.seq += 1
            add("condition", (self.seq, *condition))
        for change in outcome.transitions:
            self.seq += 1
            body = _encode(change)
            alert = change.alert
            add("alert_transition", (self.seq, instant(change.transition.at), alert.id, alert.state, body))
            add("finding", ("alert", alert.id, instant(alert.raised), self.seq, _encode(alert)))
            events.append(Event(self.seq, "alert", body))
        for entry in outcome.entries:
            self.seq += 1
            body = _encode(entry)
            add("entry", (self.seq, entry.at, entry.book, entry.id, entry.state, body))
            add("finding", (entry.book, entry.id, entry.start, self.seq, _encode(entry.item)))
            events.append(Event(self.seq, entry.book, body))
        for notice in outcome.notices:
            self.seq += 1
            row = (notice.contact, notice.alert, notice.kind, notice.title, notice.body, notice.due)
            add("notice", (self.seq, notice.key, notice.at, *row))
        for kind, subject in outcome.touched:
            view = self.judgement.view(kind, subject)
            if view is None:
                continue
            self.seq += 1
            body = _encode(view)
            add("change", (self.seq, self.judgement.engine.now, kind, subject, body))
            add("finding", (kind, subject, self.judgement.start_of(view), self.seq, body))
            events.append(Event(self.seq, kind, body))
        return events
