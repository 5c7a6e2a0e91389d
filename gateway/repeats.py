"""Recognising repeats: a redelivered, re-sent or re-downloaded record is one observation (evidence.md, key of repetition).

The key of a record is (device, boot, seq), without `seq` (device, kind, at, content). What is newer than all that its
device has said is new without a look-up; the rest is compared with what was heard lately, then with the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from gateway.instants import Instant
from gateway.journal.rows import LogRow

Answer = Literal["new", "repeat", "conflict"]

_LATELY = 1 << 13
"""Keys that make a generation; two are remembered: what is not in the journal yet, and the newest of what is."""

_AHEAD = 4096
"""Records held beyond a missing one, a boot; further ones leave the acknowledged point where it is."""

_BOOTS = 4
"""Boots remembered a device; older ones are looked up."""


class Run:
    """The records of one boot of one device: which is the highest, and up to which none is missing."""

    __slots__ = ("ahead", "complete", "top")

    def __init__(self, first: int) -> None:
        self.top = first
        self.complete = first
        self.ahead: set[int] = set()

    def add(self, n: int) -> None:
        self.top = max(self.top, n)
        if n == self.complete + 1:
            self.complete = n
            while self.complete + 1 in self.ahead:
                self.complete += 1
                self.ahead.discard(self.complete)
        elif n > self.complete and len(self.ahead) < _AHEAD:
            self.ahead.add(n)


class Repeats:
    """Tells new records from repeats, over all devices.

    Args:
        find: the journal's rows of (device, order), order being `seq` or else `at`; asked only for what is old.
        whole: nothing was heard before, or all of it will be told by `restore` and the tail; False: a device or boot that
            is not known here may stand in the journal all the same.
    """

    def __init__(self, find: Callable[[str, int], Sequence[LogRow]], *, whole: bool) -> None:
        self._find = find
        self._whole = whole
        self._runs: dict[str, dict[str, Run]] = {}
        self._last: dict[str, tuple[Instant, list[tuple[str, int]], bool]] = {}
        self._young: dict[tuple[Any, ...], int] = {}
        self._old: dict[tuple[Any, ...], int] = {}

    def numbered(self, device: str, boot: str, n: int, body: bytes) -> Answer:
        """Take a record with a sequence number. `conflict`: the key is known with another content."""
        runs = self._runs.get(device)
        if runs is None:
            runs = self._runs[device] = {}
        run = runs.get(boot)
        key = (device, boot, n)
        content = hash(body)
        if run is not None and n > run.top:
            if n == run.complete + 1 and not run.ahead:
                run.complete = run.top = n
            else:
                run.add(n)
            self._young[key] = content
            return "new"
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
        if known is None and not (run is None and self._whole and len(runs) < _BOOTS):
            known = next((hash(row.body) for row in self._find(device, n) if row.n == n and row.boot == boot), None)
        if run is None:
            runs[boot] = Run(n)
            if len(runs) > _BOOTS:
                del runs[next(iter(runs))]
        else:
            run.add(n)
        if known is None:
            self._young[key] = content
            return "new"
        return "repeat" if known == content else "conflict"

    def unnumbered(self, device: str, kind: str, at: Instant, body: bytes) -> Answer:
        """Take a record without a sequence number."""
        content = (kind, hash(body))
        last = self._last.get(device)
        if last is None or at > last[0]:
            if last is None and not self._whole and self._stored(device, kind, at, body):
                return "repeat"
            if last is not None:
                for before in last[1]:
                    self._young[device, last[0], *before] = 0
            self._last[device] = (at, [content], last is not None or self._whole)
            return "new"
        if at == last[0]:
            if content in last[1] or (not last[2] and self._stored(device, kind, at, body)):
                return "repeat"
            last[1].append(content)
            return "new"
        key = (device, at, *content)
        if key in self._young or key in self._old or self._stored(device, kind, at, body):
            return "repeat"
        self._young[key] = 0
        return "new"

    def handed_over(self) -> None:
        """All that was taken so far is being written, and all taken before the previous call is in the journal."""
        if len(self._young) >= _LATELY:
            self._old, self._young = self._young, {}

    def learn(self, row: LogRow) -> None:
        """Take a row of the journal's tail after a restart: it is known to be no repeat."""
        if row.n is None:
            last = self._last.get(row.device)
            content = (row.kind, hash(row.body))
            if last is None or row.at > last[0]:
                self._last[row.device] = (row.at, [content], last is not None or self._whole)
            elif row.at == last[0]:
                last[1].append(content)
            return
        boot = row.boot or ""
        runs = self._runs.setdefault(row.device, {})
        if boot in runs:
            runs[boot].add(row.n)
        else:
            runs[boot] = Run(row.n)
            if len(runs) > _BOOTS:
                del runs[next(iter(runs))]
        self._young[row.device, boot, row.n] = hash(row.body)
        self.handed_over()

    def complete(self, device: str, boot: str) -> int | None:
        """The highest sequence number of this boot up to which none is missing since the first one heard."""
        run = self._runs.get(device, {}).get(boot)
        return None if run is None else run.complete

    def devices(self) -> Iterable[str]:
        """Devices that number their records."""
        return self._runs

    def newest_boot(self, device: str) -> str | None:
        """The boot heard last of a device that numbers its records."""
        return next(reversed(self._runs.get(device, {})), None)

    def _stored(self, device: str, kind: str, at: Instant, body: bytes) -> bool:
        return any(row.n is None and row.kind == kind and row.body == body for row in self._find(device, at))

    def snapshot(self) -> dict[str, Any]:
        """What is needed to go on without the memory of single keys."""
        return {
            "runs": {
                device: [[boot, run.top, run.complete, sorted(run.ahead)] for boot, run in runs.items()]
                for device, runs in self._runs.items()
            },
            "last": {device: at for device, (at, _, _) in self._last.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        for device, runs in state["runs"].items():
            for boot, top, complete, ahead in runs:
                run = self._runs.setdefault(device, {})[boot] = Run(complete)
                run.top = top
                run.ahead = set(ahead)
        self._last = {device: (at, [], False) for device, at in state["last"].items()}
