"""Coming back after a stop: newest snapshot, then the tail of the log, then silence about what had been told already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from device_drivers.observations import read
from gateway.alerts.alert import Alert
from gateway.alerts.duty import Swap
from gateway.alerts.succession import Newest, Standing, Told
from gateway.clock import Doubt
from gateway.collecting import uncollected
from gateway.instants import Instant, parse_instant
from gateway.journal.reader import Reader
from gateway.journal.rows import EntryRow, LogRow, SnapshotRow
from gateway.journal.store import Store
from gateway.journal.writer import Batch
from gateway.judgement import Judgement, Outcome
from gateway.repeats import Repeats
from gateway.replay import Operator, operate
from gateway.rules.rounds import EVIDENCE_KEPT, KEPT
from gateway.rules.witnesses import RECENTLY
from gateway.site.model import Site
from gateway.work_orders.book import Origin, WorkOrders
from gateway.work_orders.order import Order

_log = logging.getLogger(__name__)

FORMAT = "3"
"""Of the state inside a snapshot. Another one is not read: the state is built anew from the log."""

EVIDENCE_NEEDED = KEPT + EVIDENCE_KEPT + RECENTLY
"""How much of the log the rules may need: rounds in memory, their evidence, and who served their routes in the week before."""


class _Begun(msgspec.Struct, frozen=True):
    """Of a work order in the journal, how it came about."""

    alerts: tuple[str, ...] = ()
    personal: str | None = None


class _OrderEntry(msgspec.Struct, frozen=True):
    action: str
    item: msgspec.Raw


_operator = msgspec.json.Decoder(Operator).decode
_order_entry = msgspec.json.Decoder(_OrderEntry).decode
_begun = msgspec.json.Decoder(_Begun).decode
_set = msgspec.structs.force_setattr


class Down(msgspec.Struct, frozen=True, tag_field="kind", tag="restart", kw_only=True, omit_defaults=True):
    """The log's row of a start: the gateway was down from `since` until the row's time.

    With `clock` it was up: its clock was set at the row's time, or is doubted.
    """

    since: Instant
    clock: Doubt | None = None


class RejudgedRow(msgspec.Struct, frozen=True, tag_field="kind", tag="rejudge", kw_only=True):
    """The log's row of a rejudging: these rounds in memory were planned anew by the site file of that time."""

    by: str
    rounds: tuple[str, ...]


class _SwapEntry(msgspec.Struct, frozen=True):
    """Of an entry of the duty calendar the swap as it was after it."""

    item: Swap


class Recovered(NamedTuple):
    """The state to go on from."""

    judgement: Judgement
    repeats: Repeats
    first_start: bool
    replayed: int
    """Log rows judged again."""


_HEAD = b"\x82" + msgspec.msgpack.encode("judgement") + b"\xc6" + bytes(4)
"""A map of two, the first key, and what it is of: so many bytes (four of them say how many)."""


def recover(site: Site, store: Store, reader: Reader, now: Instant) -> Recovered:
    """Bring rules, alerts and the memory of repeats to where they were.

    What they find on the way was told before; but what another site file makes of the evidence (a tag that is enrolled now, a device
    that is gone) is news, and told: also of the evidence since the snapshot, of which people were told by the site file of then.
    """
    started = store.meta("started")
    if started is None:
        return Recovered(
            Judgement(site, now), Repeats(reader.find, whole=True, of_site=_of(site)), first_start=True, replayed=0
        )
    snapshot = reader.snapshot()
    advanced = int(store.meta("advanced") or started)
    after = 0
    news: Outcome | None = None
    books: tuple[int, Instant, bytes] | None = None
    told: Told | None = None
    succeeded = True
    entered: dict[str, msgspec.Raw] = {}
    taken = None if snapshot is None or snapshot.format != FORMAT else _taken_up(site, int(started), snapshot, reader)
    if snapshot is not None and taken is not None:
        judgement, repeats = taken
        after = snapshot.seq
        entered = _number_alike(_orders(judgement), reader, after)
        if snapshot.site != site.digest:
            news = judgement.drain()
    else:
        since = max(int(started), advanced - EVIDENCE_NEEDED)
        judgement, repeats = Judgement(site, since), Repeats(reader.find, whole=False, of_site=_of(site))
        after = reader.seq_before(since)
        if snapshot is None and since == int(started):
            entered = _number_alike(_orders(judgement), reader, after)
        if snapshot is not None:
            # Work orders may be open for longer than evidence is judged again: the books are taken from the snapshot of another version.
            books = (snapshot.seq, snapshot.at, msgspec.msgpack.decode(snapshot.state)["judgement"])
            entered = _number_alike(_orders(judgement), reader, snapshot.seq)
            judgement.set_books_aside()
        judgement.take_swaps(swaps_before(reader, since))
        if snapshot is not None or since > int(started):
            told, succeeded = told_of(reader), False
    replayed, began = 0, after
    while rows := reader.log_after(after):
        for row in rows:
            if books is not None and told is not None and row.seq > books[0]:
                judgement.advance(max(books[1], judgement.now))
                succeeded = judgement.take_books(books[2], told)
                books = None
            feed(judgement, repeats, row)
        after = rows[-1].seq
        replayed += len(rows)
        judgement.drain()
    if books is not None and told is not None:
        judgement.advance(max(books[1], judgement.now))
        succeeded = judgement.take_books(books[2], told)
    judgement.advance(max(advanced, judgement.now))
    if told is not None and not succeeded:
        judgement.take_alerts(told)
    judgement.drain()
    _take_up(_orders(judgement), entered)
    if (newest := reader.newest_order()) is not None:
        _orders(judgement).count_on(newest)
    revisions = reader.last_revisions(began if taken is not None else 0)
    judgement.engine.rounds.told(revisions, anew=told is not None or news is not None)
    if told is not None:
        judgement.tell_unheard_of(told)
        standing = [alert for alert in judgement.alerts.alerts() if alert.state != "retracted"]
        judgement.engine.rounds.stands((alert.rule, alert.subject) for alert in standing)
        news = judgement.drain()
    elif news is not None:
        told_since = {(round_id, position) for round_id, position, _, _ in revisions}
        news.revisions = [each for each in news.revisions if (each.round, each.position) not in told_since]
        judgement.tell_otherwise(told_of(reader, closed_after=began), news)
        news = news.followed_by(judgement.drain())
    if news is not None:
        judgement.put_back(news)
    return Recovered(judgement, repeats, first_start=False, replayed=replayed)


def _orders(judgement: Judgement) -> WorkOrders:
    orders = judgement.books["work_order"]
    assert isinstance(orders, WorkOrders)
    return orders


def _number_alike(orders: WorkOrders, reader: Reader, after: int) -> dict[str, msgspec.Raw]:
    """Have orders that come about again after a row of the log keep their numbers; gives them as they were last."""
    numbers: dict[Origin, list[str]] = {}
    last: dict[str, msgspec.Raw] = {}
    for number, body in reader.orders_after(after):
        entry = _order_entry(body)
        if entry.action in {"raise", "open", "report"}:
            begun = _begun(entry.item)
            about = begun.personal if entry.action == "report" else next(iter(begun.alerts), None)
            numbers.setdefault((entry.action, about or ""), []).append(number)
        last[number] = entry.item
    orders.number_alike(numbers)
    return last


def _take_up(orders: WorkOrders, last: Mapping[str, msgspec.Raw]) -> None:
    """Orders that have not come about again stand as the journal has them: somebody has to be able to end them."""
    for number in orders.not_again():
        try:
            orders.take_up(msgspec.json.decode(last[number], type=Order))
        except msgspec.MsgspecError as error:
            _log.warning("a work order of another version stands in the journal alone (%s)", error)


def _of(site: Site) -> Callable[[str], bool]:
    return lambda device: device in site.devices


class Entries(Protocol):
    """What is asked of the journal's books."""

    def entries_before(self, book: str, until: Instant) -> list[EntryRow]: ...


def swaps_before(journal: Entries, until: Instant) -> list[Swap]:
    """Swaps as they were at an instant from which on the log will be heard, in the order in which they were agreed, maybe weeks before."""
    found: dict[str, Swap] = {}
    for row in journal.entries_before("duty", until):
        found[row.id] = msgspec.json.decode(row.body, type=_SwapEntry).item
    return list(found.values())


def told_of(reader: Reader, *, closed_after: int | None = None) -> Told:
    """What the journal has of alerts; among those that stand also those of rounds that people closed after a row of the log."""
    newest: dict[str, Newest] = {}
    for subject, state, updated in reader.alerts():
        name, _, number = subject.rpartition("/")
        if name not in newest or newest[name].number < int(number):
            newest[name] = Newest(int(number), state, parse_instant(updated))  # type: ignore[arg-type]
    standing = []
    for body, contacts in reader.standing_alerts(closed_after=closed_after):
        try:
            alert = msgspec.json.decode(body, type=Alert)
        except msgspec.MsgspecError as error:
            _log.warning("an alert of another version stands in the journal alone (%s)", error)
            continue
        standing.append(Standing(alert, tuple(dict.fromkeys(contacts)), len(contacts)))
    return Told(newest, standing)


def _taken_up(site: Site, started: Instant, snapshot: SnapshotRow, reader: Reader) -> tuple[Judgement, Repeats] | None:
    """The state of a snapshot; None: it is not as this version makes it."""
    judgement, repeats = Judgement(site, started), Repeats(reader.find, whole=True, of_site=_of(site))
    try:
        state = msgspec.msgpack.decode(snapshot.state)
        judgement.restore(state["judgement"])
        repeats.restore(state["repeats"])
    except (LookupError, TypeError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        _log.warning("the stored state is of another version (%r); it is made anew from the evidence", error)
        return None
    return judgement, repeats


def feed(judgement: Judgement, repeats: Repeats, row: LogRow) -> None:
    """Judge one row of the log again."""
    match row.kind:
        case "restart":
            down = msgspec.json.decode(row.body, type=Down)
            judgement.advance(max(down.since, judgement.now))  # what fell due before the stop was told then
            judgement.restarted(down.since, row.received, down.clock)
        case "operator":
            operate(judgement, _operator(row.body), accepted=True)
        case "rejudge":
            judgement.rejudge(msgspec.json.decode(row.body, type=RejudgedRow).rounds, row.received)
        case _:
            observation = read(row.body)
            if observation.device != row.device:
                _set(observation, "device", row.device)
            repeats.learn(row)
            try:
                if row.heard is None:
                    judgement.apply(observation, row.received)
                else:
                    judgement.apply_late(observation, row.received, row.heard)
            except Exception:  # noqa: BLE001 as at the intake: what cannot be judged must not keep the gateway from starting
                _log.exception("judging %s of %s failed again; the observation is kept", row.kind, row.device)


def state_of(judgement: Judgement, repeats: Repeats) -> bytearray:
    """What a snapshot holds: a map (msgpack) of `judgement`, a state in itself, and `repeats`; made in one piece, as it is large."""
    with uncollected():
        encoder = msgspec.msgpack.Encoder()
        state = bytearray(_HEAD)
        encoder.encode_into(judgement.state(), state, len(_HEAD))
        state[len(_HEAD) - 4 : len(_HEAD)] = (len(state) - len(_HEAD)).to_bytes(4, "big")
        encoder.encode_into("repeats", state, -1)
        encoder.encode_into(repeats.snapshot(), state, -1)
        return state


def first_rows(batch: Batch, now: Instant) -> None:
    """What the very first start writes."""
    batch.statements.append(("INSERT OR IGNORE INTO meta VALUES ('started', ?)", (now,)))
