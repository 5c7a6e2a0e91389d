"""The ledger oracle: what was sent and acknowledged, against what the journal holds after whatever happened.

The invariants (DESIGN.md, "What must always hold"), as `Ledger.broken` names them:

I1  what was acknowledged is stored;
I2  each key is stored once;
I3  the views and verdicts are the judgement of the set of evidence: the log judged from nothing gives the same;
I4  the file is whole after every crash (`integrity_check`, and the chain by `verify`);
I5  every notice was told at least once, under one key; an alert's history is monotone;
I6  nothing is half applied: a tap and its event, an alert's step and its row in the history stand or fall together.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import apsw
import msgspec

from gateway.enrolment import Enrolments
from gateway.instants import seconds
from gateway.journal.reader import Reader
from gateway.journal.store import Store
from gateway.journal.verification import verify
from gateway.recovery import recover
from gateway.site.load import load_site


class Key(NamedTuple):
    """What names one observation for good (evidence.md): a device numbers its own in each of its boots.

    Of a tap without a number: device, "", and its own time in microseconds.
    """

    device: str
    boot: str
    seq: int


_STORED = "SELECT device, coalesce(boot, ''), coalesce(n, at) FROM log WHERE seq > ? AND (n IS NOT NULL OR kind = 'tag_read') ORDER BY seq"


class Ledger:
    """Kept by who sends. Safe to be written by many threads."""

    def __init__(self) -> None:
        self.sent: set[Key] = set()
        self.acknowledged: set[Key] = set()
        """The gateway said that it is on disk: by the device acknowledgement, by PUBACK of its own broker, by an HTTP answer."""
        self.numbered: set[Key] = set()
        """By the device acknowledgement alone. It means all of a boot since the first that the gateway heard of it: what overtook others
        on its way (a client that sends before its CONNACK) does not say that those are there."""
        self.brokered: set[Key] = set()
        """A broker of its own has it: to be stored once the gateway has caught up."""
        self._seen: set[Key] = set()
        self._first: dict[tuple[str, str], int] = {}
        self._waiting: dict[tuple[str, str], deque[Key]] = {}
        """Not acknowledged by number yet, in the order in which they were sent."""
        self._lock = threading.Lock()

    def send(self, key: Key) -> None:
        with self._lock:
            self.sent.add(key)
            self._waiting.setdefault(key[:2], deque()).append(key)

    def acknowledge(self, key: Key) -> None:
        with self._lock:
            self.acknowledged.add(key)

    def acknowledge_up_to(self, key: Key) -> None:
        """The device acknowledgement: all of the boot up to `seq`."""
        with self._lock:
            waiting = self._waiting.get(key[:2], ())
            while waiting and waiting[0].seq <= key.seq:
                self.numbered.add(waiting.popleft())

    def broker(self, key: Key) -> None:
        with self._lock:
            self.brokered.add(key)

    # -- the oracle

    def broken(self, journal: Path, *, caught_up: bool = False) -> list[str]:
        """What does not hold in this journal of a dead (or quiet) gateway; I1, I2, I4 and I6.

        Args:
            journal: the file.
            caught_up: the gateway had the time to take all that its broker holds.
        """
        with closing(read_only(journal)) as connection:
            stored = [Key(*row) for row in connection.execute(_STORED, (0,))]
            return [
                *self._lost(set(stored), self._due(first_of(stored), caught_up=caught_up)),
                *twice(connection),
                *damaged(connection),
                *half_applied(connection),
            ]

    def lost(self, journal: Path, after: int) -> tuple[list[str], int]:
        """I1 of what was acknowledged since the last call: it stands in the rows after `after`. Costs what is new.

        Give as `after` what the last call gave beside what is lost.
        """
        with closing(read_only(journal)) as connection:
            rows = [Key(*row) for row in connection.execute(_STORED, (after,))]
            last: int = connection.execute("SELECT coalesce(max(seq), 0) FROM log").get
        self._first = first_of(rows) | self._first
        self._seen |= set(rows)
        due = self._due(self._first) - self._seen
        return [f"I1 acknowledged and not stored: {key}" for key in sorted(due)[:5]], last

    def _due(self, first: Mapping[tuple[str, str], int], *, caught_up: bool = False) -> set[Key]:
        with self._lock:
            told = {key for key in self.numbered if key.seq >= first.get(key[:2], 0)}
            return self.acknowledged | told | (self.brokered if caught_up else set())

    def _lost(self, stored: set[Key], due: set[Key]) -> Iterable[str]:
        with self._lock:
            known = {key[:2] for key in self.sent}
            strange = {key for key in stored - self.sent if key[:2] in known}
        yield from (f"I1 acknowledged and not stored: {key}" for key in sorted(due - stored)[:5])
        yield from (f"I2 stored and never sent: {key}" for key in sorted(strange)[:5])


def first_of(stored: Iterable[Key]) -> dict[tuple[str, str], int]:
    """The first number that was heard of each boot, of rows in the journal's order."""
    first: dict[tuple[str, str], int] = {}
    for device, boot, seq in stored:
        first.setdefault((device, boot), seq)
    return first


def read_only(journal: Path) -> apsw.Connection:
    """A connection that changes nothing, and checkpoints nothing when it is closed."""
    connection = apsw.Connection(str(journal))
    connection.set_busy_timeout(5000)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def twice(connection: apsw.Connection) -> Iterable[str]:
    """I2: keys that stand twice."""
    sql = "SELECT device, boot, n, count(*) FROM log WHERE n IS NOT NULL GROUP BY device, boot, n HAVING count(*) > 1 LIMIT 5"
    yield from (f"I2 stored {row[3]} times: {row[:3]}" for row in connection.execute(sql))
    sql = "SELECT device, kind, at, body, count(*) FROM log WHERE n IS NULL AND device <> '' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1 LIMIT 5"
    yield from (f"I2 stored {row[4]} times: {row[:3]}" for row in connection.execute(sql))
    sql = "SELECT key, count(*) FROM notice GROUP BY key HAVING count(*) > 1 LIMIT 5"
    yield from (f"I5 a notice stands {row[1]} times: {row[0]}" for row in connection.execute(sql))


def damaged(connection: apsw.Connection) -> Iterable[str]:
    """I4."""
    whole = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if whole != ["ok"]:
        yield f"I4 integrity check: {whole[:3]}"
    yield from (f"I4 the chain: {fault}" for fault in verify(connection).faults[:3])


def half_applied(connection: apsw.Connection) -> Iterable[str]:
    """I6, and the monotone history of I5."""
    taps = connection.execute("SELECT count(*) FROM log WHERE kind = 'tag_read'").get
    told = connection.execute("SELECT count(*) FROM change WHERE kind = 'tap'").get
    if taps != told:
        yield f"I6 {taps} taps, {told} events of taps"
    steps: dict[str, list[Any]] = {}
    for at, alert, body in connection.execute("SELECT at, alert, body FROM alert_transition ORDER BY seq"):
        step = msgspec.json.decode(body)["transition"]
        steps.setdefault(alert, []).append((at, step["from"], step["to"]))
    for alert, history in steps.items():
        if history[0][1] is not None:
            yield f"I5 {alert} does not begin with its beginning"
        for (earlier, _, state), (later, before, _) in pairwise(history):
            if later < earlier:
                yield f"I5 time goes back in the history of {alert}"
            if before != state:
                yield f"I5 {alert}: a step is missing, or is there twice"
    newest = {
        alert: msgspec.json.decode(body)["state"]
        for alert, body in connection.execute("SELECT id, body FROM finding WHERE kind = 'alert'")
    }
    for alert, history in steps.items():
        if newest.get(alert) != history[-1][2]:
            yield f"I6 {alert} is shown as {newest.get(alert)}, its history ends with {history[-1][2]}"


VIEWS = ("round", "gap", "lamp", "circuit", "camera", "zone", "device", "alert")
"""Kinds of views that are made from evidence and what operators did; items of the books have histories of their own."""


_STOPPED = "SELECT coalesce((SELECT max(seq) FROM snapshot) >= (SELECT max(seq) FROM log), 0)"
"""Whether the gateway was stopped: then it has judged what might have waited for more (heartbeats in a row), and a snapshot stands behind all else."""


def judged_otherwise(journal: Path, site_file: Path, *, but: Sequence[str] = ()) -> list[str]:
    """I3: views that judging the whole log from nothing, without any snapshot, makes otherwise than they stand in the journal.

    Args:
        journal: of a gateway that is not running.
        site_file: its site file.
        but: kinds of views that are not compared (`alert` where somebody was enrolled meanwhile: that comes as news only live).
    """
    site, _ = load_site(site_file, secrets=False)
    with TemporaryDirectory(prefix="judged-anew-") as folder:
        for file in journal.parent.glob("journal.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, folder)
        store = Store(Path(folder))
        try:
            stopped = store.writer.execute(_STOPPED).get
            store.writer.execute("DELETE FROM snapshot")
            reader = Reader(store.path)
            try:
                Enrolments(site, *reader.enrolments())
                views = store.writer.execute("SELECT kind, id, body FROM finding ORDER BY kind, id").fetchall()
                advanced = int(store.meta("advanced") or 0)
                at = seconds(advanced)
                judgement = recover(site, store, reader, advanced).judgement
                if stopped:
                    judgement.conclude()
                found = []
                for kind, subject, body in views:
                    if kind not in VIEWS or kind in but:
                        continue
                    anew = judgement.view(kind, subject) if kind != "alert" else judgement.alerts.alert(subject)
                    if anew is None:
                        found.append(f"I3 {kind} {subject}: judged from nothing it is not there")
                    elif differs := _difference(_plain(body, at), _plain(msgspec.json.encode(anew), at)):
                        found.append(f"I3 {kind} {subject}: {differs}")
                return found
            finally:
                reader.close()
        finally:
            store.close()


def _plain(body: bytes, advanced: float) -> Any:
    """A view but for `last_heard` of a device and `updated` of an alert, which stand as they were when something else of it changed last
    (a report that changes nothing that people see makes no row), and the number of a visit's revision, which counts what was told: live a
    verdict is looked at after each batch, from nothing after many. A watermark beyond a visit's window says no more than that all of it is
    known, and while the window is open it is as of the last row."""
    view = msgspec.json.decode(body)
    view.pop("last_heard", None)
    view.pop("updated", None)
    for visit in view.get("visits", ()):
        if isinstance(visit, dict):
            visit.pop("revision", None)
            closes = datetime.fromisoformat(visit["closes"])
            if closes.timestamp() >= advanced:
                visit.pop("watermark", None)
            elif visit.get("watermark") is not None:
                visit["watermark"] = min(datetime.fromisoformat(visit["watermark"]), closes).isoformat()
    return view


def _difference(stands: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    return "; ".join(_differences("", stands, again))[:1500]


def _differences(where: str, stands: Any, again: Any) -> Iterable[str]:
    """What differs, down to the single value."""
    if isinstance(stands, dict) and isinstance(again, dict):
        for key in sorted({*stands, *again}):
            if stands.get(key) != again.get(key):
                yield from _differences(f"{where}.{key}" if where else key, stands.get(key), again.get(key))
    elif isinstance(stands, list) and isinstance(again, list) and len(stands) == len(again):
        for number, (left, right) in enumerate(zip(stands, again, strict=True)):
            if left != right:
                yield from _differences(f"{where}[{number}]", left, right)
    elif not _as_good_as(where, stands, again):
        yield f"{where} is {stands!r}, judged from nothing {again!r}"


SECOND_S = 1.0
"""By so much the corrected time of a tap may depend on which measures of a clock were worked in together (gateway/rules/clocks.py keeps the outer
two of those that agree); no verdict is as fine.
"""


def _as_good_as(where: str, stands: Any, again: Any) -> bool:
    if where.endswith("deviation_s") and stands is not None and again is not None:
        return abs(stands - again) <= SECOND_S
    try:
        apart = abs((datetime.fromisoformat(stands) - datetime.fromisoformat(again)).total_seconds())
    except (TypeError, ValueError):
        return False
    return apart < SECOND_S


def untold(journal: Path, told: Iterable[str], contact: str) -> list[str]:
    """I5: keys of notices to a contact that it never took. Notices that were held back, for good or until later, are not due."""
    with closing(read_only(journal)) as connection:
        due = {
            key
            for (key,) in connection.execute(
                "SELECT key FROM notice WHERE contact = ? AND (held IS NULL OR held IN ('asked', 'behind') AND next_try IS NOT NULL)",
                (contact,),
            )
        }
    return [f"I5 never told: {key}" for key in sorted(due - set(told))]
