"""Why a thing was judged as it was, by what was known at an earlier time: the stored evidence is judged again up to then.

Done in a process of its own that ends with the answer: it may look at days of evidence, and the gateway must go on taking taps.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from gateway.again import LATE, StoredLog, everything, judged_again, of_rounds_and_places
from gateway.errors import LamplighterError
from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.circuits import explain_circuit
from gateway.explain.explanation import Explanation
from gateway.explain.lamps import explain_lamp
from gateway.explain.rounds import explain_gap, explain_round
from gateway.instants import DAY, Duration, Instant, parse_instant
from gateway.journal.reader import Reader
from gateway.judgement import Judgement
from gateway.site.model import Site
from gateway.site.plans import plan_windows

Kind = Literal["round", "gap", "lamp", "circuit", "camera", "zone"]

STATE_NEEDED: Duration = 2 * DAY
"""How much of the log before the asked time a lamp's or camera's state rests on: the longest rule looks back 24 h (`sensor_stuck`).
A fault that began earlier is seen since its evidence in these days."""

_NICE = 10


class Asked(NamedTuple):
    """A question about the past. `named`: people may be named in the answer."""

    kind: Kind
    id: str
    known_at: Instant
    named: bool


_EXPLAIN: Mapping[str, Callable[[Judgement, str, Instant], Explanation | None]] = {
    "lamp": explain_lamp,
    "circuit": explain_circuit,
    "camera": explain_camera,
    "zone": explain_zone,
}


def explain_past(site: Site, log: StoredLog, started: Instant, asked: Asked) -> Explanation | None:
    """The explanation by what had been received by `asked.known_at`; None: there was no such thing.

    The plan is that of the site file as it is now.
    """
    if asked.known_at < started:
        return None
    if asked.kind in {"round", "gap"}:
        since = _start(asked.id)
        if since is None:
            return None
        judge = judged_again(
            site,
            log,
            started=started,
            since=since,
            until=min(asked.known_at, since + LATE),
            wanted=everything
            if asked.kind == "gap" and _asked_for(site, asked.id, since)
            else of_rounds_and_places(site),
        )
        explain = explain_round if asked.kind == "round" else explain_gap
        return explain(judge, asked.id, asked.known_at, named=asked.named)
    judge = judged_again(
        site,
        log,
        started=started,
        since=asked.known_at,
        until=asked.known_at,
        wanted=everything,
        evidence=STATE_NEEDED,
    )
    return _EXPLAIN[asked.kind](judge, asked.id, asked.known_at)


def _asked_for(site: Site, gap_id: str, start: Instant) -> bool:
    """Whether a window is none of the checkpoint's own: a patrol, which rests on cameras and lamps wherever they are."""
    checkpoint = gap_id.rpartition("@")[0]
    return all(each.checkpoint != checkpoint for each in plan_windows(site, start, start + 1))


def _start(subject: str) -> Instant | None:
    """The start in the id of a round or window."""
    try:
        return parse_instant(subject.rpartition("@")[2])
    except (ValueError, OverflowError):
        return None


class Past:
    """Answers questions about the past, one at a time.

    Args:
        path: the journal's file.
        site: the checked model.
    """

    def __init__(self, path: Path, site: Site) -> None:
        self._path = path
        self._site = site
        self._one = asyncio.Lock()

    async def explain(self, started: Instant, asked: Asked) -> Explanation | None:
        """See `explain_past`.

        Raises:
            LamplighterError: the process failed; the text has its last line.
        """
        question = pickle.dumps((str(self._path), self._site, started, asked))
        async with self._one:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway.explain.past", stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
            try:
                answer, trouble = await process.communicate(question)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode:
            last = trouble.decode(errors="replace").strip().rpartition("\n")[2]
            raise LamplighterError(f"judging the stored evidence again failed: {last}")
        return msgspec.json.decode(answer, type=Explanation | None)


def main() -> None:
    """Answer the question on standard input, on standard output."""
    os.nice(_NICE)
    path, site, started, asked = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  our own parent wrote it
    reader = Reader(Path(path))
    try:
        sys.stdout.buffer.write(msgspec.json.encode(explain_past(site, reader, started, asked)))
    finally:
        reader.close()


if __name__ == "__main__":
    main()
