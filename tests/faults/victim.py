"""`python -m tests.faults.victim run …`: the real gateway with one fault in it, as LAMPLIGHTER_FAULT says (JSON of `Fault`).

Nothing in the product knows of this: the steps at which it dies are put around its functions from here.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import apsw
import msgspec

from gateway.journal.writer import Batch, Writer
from tests.faults import disks
from tests.faults.disks import Disk

FAULT = "LAMPLIGHTER_FAULT"


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with this gateway.

    Args:
        step: it dies with SIGKILL at this step (a name of STEPS); "": it does not.
        nth: the how manieth time it comes to that step.
        disk: how its disk fails.
        mutation: a fault that a peer had, put into our code (a name of MUTATIONS in tests/faults/mutations.py).
        patience_s: how long it waits for InfluxDB's answer; 0: as long as it does.
    """

    step: str = ""
    nth: int = 1
    disk: Disk | None = None
    mutation: str = ""
    patience_s: float = 0.0

    def environment(self) -> dict[str, str]:
        """For `GatewayProcess.start`."""
        return {FAULT: msgspec.json.encode(self).decode()}


class Dies:
    """Dies the n-th time; in the journal's thread it lingers first, so that the event loop lets out whatever it says too early."""

    def __init__(self, nth: int) -> None:
        self._left = nth
        self.linger_s = 0.0

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            time.sleep(self.linger_s)
            os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, dies: Dies, *, before: bool) -> None:
    """Die before or after a method did its work."""
    work = getattr(owner, name)
    if inspect.iscoroutinefunction(work):

        @functools.wraps(work)
        async def later(*args: Any, **more: Any) -> Any:
            if before:
                dies()
            result = await work(*args, **more)
            if not before:
                dies()
            return result

        setattr(owner, name, later)
        return

    @functools.wraps(work)
    def now(*args: Any, **more: Any) -> Any:
        if before:
            dies()
        result = work(*args, **more)
        if not before:
            dies()
        return result

    setattr(owner, name, now)


def _at_commit(dies: Dies, *, after: bool) -> None:
    """In any commit of the writing connection, also in those of a start (migrations); or right after one."""
    from gateway.journal import store

    connect = store.connect

    dies.linger_s = 0.1

    def hook() -> bool:
        dies()
        return False

    def wal_hook(connection: apsw.Connection, _database: str, pages: int) -> int:
        dies()
        if pages > 1000:  # what SQLite's own hook does, in whose place this one stands
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return apsw.SQLITE_OK

    def hooked(path: Any) -> apsw.Connection:
        connection = connect(path)
        if after:
            connection.set_wal_hook(wal_hook)
        else:
            connection.set_commit_hook(hook)
        return connection

    store.connect = hooked


def _commit_of(what: Callable[[Batch], bool]) -> Callable[[Dies], None]:
    """In the commit of a batch that has something in it."""

    def put(dies: Dies) -> None:
        write = Writer._write
        dies.linger_s = 0.1

        def hook() -> bool:
            dies()
            return False

        def written(writer: Any, batch: Batch) -> Any:
            writer._connection.set_commit_hook(hook if what(batch) else None)
            return write(writer, batch)

        Writer._write = written  # type: ignore[method-assign]

    return put


def _rows(table: str) -> Callable[[Dies], None]:
    return _commit_of(lambda batch: table in batch.rows)


def _statement(begins: str) -> Callable[[Dies], None]:
    return _commit_of(lambda batch: any(sql.startswith(begins) for sql, _ in batch.statements))


def _method(module: str, owner: str, name: str, *, before: bool) -> Callable[[Dies], None]:
    def put(dies: Dies) -> None:
        __import__(module)
        _around(getattr(sys.modules[module], owner), name, dies, before=before)

    return put


STEPS: dict[str, Callable[[Dies], None]] = {
    "before commit": lambda dies: _at_commit(dies, after=False),
    "committed": lambda dies: _at_commit(dies, after=True),
    "commit of observations": _commit_of(lambda batch: bool(batch.log)),
    "after commit": _method("gateway.journal.writer", "Writer", "_commit", before=False),
    "before acknowledge": _method("gateway.intake", "Intake", "_finish", before=True),
    "after acknowledge": _method("gateway.intake", "Intake", "_finish", before=False),
    "recovered": _method("gateway.runtime", "Gateway", "_open", before=False),
    "snapshot made": _method("gateway.runtime", "Gateway", "_snapshot", before=False),
    "commit of a snapshot": _rows("snapshot"),
    "commit of a message": _statement("UPDATE notice SET message"),
    "before telling": _method("gateway.deliveries", "JournalSource", "begin", before=False),
    "told": _method("gateway.deliveries", "JournalSource", "attempted", before=True),
    "commit of a telling": _statement("INSERT INTO notice_attempt"),
    "telling recorded": _method("gateway.deliveries", "JournalSource", "attempted", before=False),
    "before telemetry": _method("gateway.outbox.local", "LocalStore", "write", before=True),
    "telemetry written": _method("gateway.outbox.local", "LocalStore", "write", before=False),
    "points written": _method("gateway.outbox.influx", "InfluxWriter", "write", before=False),
    "commit of the cursor": _statement("INSERT OR REPLACE INTO cursor"),
    "enrolment judged": _method("gateway.judgement", "Judgement", "resite", before=False),
    "commit of an enrolment": _statement("INSERT INTO enrolment"),
    "enrolled": _method("gateway.runtime", "Gateway", "enrol", before=False),
    "phone heard": _method("gateway.runtime", "Gateway", "hear", before=False),
    "quarantine decoded": _method("gateway.rereading", "Rereader", "_decode", before=False),
    "commit of a rereading": _rows("read_again"),
    "reread": _method("gateway.rereading", "Rereader", "read", before=False),
    "checkpoint signed": _method("gateway.journal.checkpoints", "Checkpoints", "_signed", before=False),
    "commit of a checkpoint": _rows("checkpoint"),
    "checkpoint made": _method("gateway.journal.checkpoints", "Checkpoints", "_make", before=False),
}


def spoil(fault: Fault) -> None:
    """Put the fault into this process."""
    if fault.disk is not None:
        spoil.kept = disks.install(fault.disk)  # type: ignore[attr-defined]
    if fault.step:
        STEPS[fault.step](Dies(fault.nth))
    if fault.mutation:
        from tests.faults.mutations import MUTATIONS

        MUTATIONS[fault.mutation].put()
    if fault.patience_s:
        from gateway.outbox.influx import InfluxWriter

        InfluxWriter.__init__.__defaults__ = (fault.patience_s,)  # type: ignore[misc]


def main() -> int:
    from api.cli import main as run

    spoil(msgspec.json.decode(os.environ.get(FAULT, "{}"), type=Fault))
    return run()


if __name__ == "__main__":
    sys.exit(main())
