"""`python -m tests.faults.victim run …`: the real gateway with one fault in it, as LAMPLIGHTER_FAULT says (JSON of `Fault`).

Nothing in the product knows of this: the steps at which it dies are put around its functions from here.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import apsw
import msgspec

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
    """

    step: str = ""
    nth: int = 1
    disk: Disk | None = None
    mutation: str = ""

    def environment(self) -> dict[str, str]:
        """For `GatewayProcess.start`."""
        return {FAULT: msgspec.json.encode(self).decode()}


class Dies:
    """Dies the n-th time."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
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


def _before_commit(dies: Dies) -> None:
    from gateway.journal import store

    connect = store.connect

    def hooked(path: Any) -> apsw.Connection:
        connection = connect(path)

        def hook() -> bool:
            dies()
            return False

        connection.set_commit_hook(hook)
        return connection

    store.connect = hooked


def _method(module: str, owner: str, name: str, *, before: bool) -> Callable[[Dies], None]:
    def put(dies: Dies) -> None:
        __import__(module)
        _around(getattr(sys.modules[module], owner), name, dies, before=before)

    return put


STEPS: dict[str, Callable[[Dies], None]] = {
    "before commit": _before_commit,
    "after commit": _method("gateway.journal.writer", "Writer", "_commit", before=False),
    "before acknowledge": _method("gateway.intake", "Intake", "_finish", before=True),
    "after acknowledge": _method("gateway.intake", "Intake", "_finish", before=False),
    "snapshot made": _method("gateway.runtime", "Gateway", "_snapshot", before=False),
    "before telling": _method("gateway.deliveries", "JournalSource", "begin", before=False),
    "told": _method("gateway.deliveries", "JournalSource", "attempted", before=True),
    "telling recorded": _method("gateway.deliveries", "JournalSource", "attempted", before=False),
    "before telemetry": _method("gateway.outbox.local", "LocalStore", "write", before=True),
    "telemetry written": _method("gateway.outbox.local", "LocalStore", "write", before=False),
    "enrolment judged": _method("gateway.judgement", "Judgement", "resite", before=False),
    "enrolled": _method("gateway.runtime", "Gateway", "enrol", before=False),
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


def main() -> int:
    from api.cli import main as run

    spoil(msgspec.json.decode(os.environ.get(FAULT, "{}"), type=Fault))
    return run()


if __name__ == "__main__":
    sys.exit(main())
