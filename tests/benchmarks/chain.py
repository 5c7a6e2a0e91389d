"""What the chain costs: a row of it, evidence that has no such row, a root, a check of the whole.

`python -m tests.benchmarks.chain`; processor time, through the journal's real writer. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.journal import writer as writing
from gateway.journal.chain import extend
from gateway.journal.merkle import Tree
from gateway.journal.store import Store, connect_snapshot
from gateway.journal.verification import verify
from gateway.journal.writer import Batch, Writer

BODY = (
    b'{"round":"night@2026-11-22T23:00+08:00","position":3,"revision":1,"verdict":"missed","evidence":[4711,4712]}' * 3
)
SIZES = (1, 10, 100)
"""Chained rows a batch: a quiet hour, a round that ends, a storm."""
MOST_US = 30.0
"""Target: processor time for one row of the chain in a batch of ten."""
MOST_EVIDENCE = 1.02
"""Target: batches without such rows, with the chain to without."""


def evidence(seq: int, rows: int) -> Batch:
    """A batch of nothing but observations."""
    batch = Batch()
    batch.log = [(seq + n, seq, "lux-1", "light_level", seq, "b", seq + n, BODY[:100], None) for n in range(rows)]
    return batch


def verdicts(seq: int, rows: int) -> Batch:
    """A batch with revisions of verdicts beside an observation."""
    batch = evidence(seq, 1)
    batch.rows["visit_revision"] = [(seq + 1 + n, seq, "night@1", n, 1, "missed", BODY) for n in range(rows)]
    return batch


@contextmanager
def chain(*, on: bool) -> Iterator[None]:
    """Rows become leaves, or do not."""
    writing.extend = extend if on else lambda *_: 0  # type: ignore[assignment,attr-defined]
    try:
        yield
    finally:
        writing.extend = extend  # type: ignore[attr-defined]


async def cost(make: Callable[[int, int], Batch], batches: int, rows: int) -> float:
    """Processor time of the whole process for `batches` through the writer, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        writer = Writer(store.writer)
        all_of_them = [make(1000 + number * 1000, rows) for number in range(batches)]
        await writer.submit(make(0, rows))
        began = time.process_time()
        for batch in all_of_them:
            await writer.submit(batch)
        spent = time.process_time() - began
        await asyncio.to_thread(writer.close)
        store.close()
    return spent


def compared(make: Callable[[int, int], Batch], batches: int, rows: int, best_of: int) -> tuple[float, float]:
    """The least of several runs with the chain and without, taken by turns."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(best_of):
        for on in (True, False):
            with chain(on=on):
                found[on].append(asyncio.run(cost(make, batches, rows)))
    return min(found[True]), min(found[False])


def whole(rows: int) -> dict[str, Any]:
    """A check of a journal with so many rows, a root of it, and what a leaf takes on disk."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run = store.writer.execute
        with store.writer:
            values = ((seq, seq, "night@1", seq % 20, 1, "missed", BODY) for seq in range(1, rows + 1))
            store.writer.executemany("INSERT INTO visit_revision VALUES (?,?,?,?,?,?,?)", values)
        bare = run("PRAGMA page_count").get
        began = time.process_time()
        with store.writer:
            extend(store.writer)
        taken_in = time.process_time() - began
        grown = run("PRAGMA page_count").get
        size, peaks = run("SELECT size, peaks FROM chain").fetchall()[0]
        began = time.process_time()
        for _ in range(1000):
            Tree.unpack(size, peaks).root()  # type: ignore[arg-type]
        root = (time.process_time() - began) / 1000
        store.close()
        journal = connect_snapshot(Path(folder) / "journal.db")
        began = time.process_time()
        found = verify(journal)
        checked = time.process_time() - began
        journal.close()
        assert found.intact, found.first
    assert isinstance(bare, int)
    assert isinstance(grown, int)
    return {"taken in": taken_in, "root": root, "checked": checked, "bytes": (grown - bare) * 4096 / rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--best-of", type=int, default=3)
    parser.add_argument("--rows", type=int, default=300_000, help="of the journal that is checked")
    parsed = parser.parse_args()
    missed = []
    for rows in SIZES:
        with_chain, without = compared(verdicts, 1500 if rows < 100 else 300, rows, parsed.best_of)
        each = (with_chain - without) / ((1500 if rows < 100 else 300) * rows) * 1e6
        print(
            f"{rows:>4} rows of the chain a batch: {each:5.1f} µs CPU a row more ({with_chain / without:.2f} of without)"
        )
        if rows == 10 and each > MOST_US:
            missed.append(f"a row costs {each:.1f} µs, {MOST_US} at most")
    with_chain, without = compared(evidence, 1500, 250, parsed.best_of)
    print(f" 250 rows of evidence a batch: {with_chain / without:.3f} of without")
    if with_chain / without > MOST_EVIDENCE:
        missed.append(f"evidence costs {with_chain / without:.3f} of without, {MOST_EVIDENCE} at most")
    found = whole(parsed.rows)
    print(f"root of {parsed.rows:,}: {found['root'] * 1e6:.1f} µs; a leaf takes {found['bytes']:.0f} bytes on disk")
    print(f"taken in at once: {found['taken in'] / parsed.rows * 1e6:.1f} µs a row")
    print(f"checked: {found['checked'] / parsed.rows * 1e6:.1f} µs a row, {parsed.rows / found['checked']:,.0f} rows/s")
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
