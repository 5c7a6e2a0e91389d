"""Recognising repeats: a redelivered, re-sent or re-downloaded record is one observation (evidence.md, key of repetition).

The key of a record is (device, boot, seq), without `seq` (device, kind, at, content). What is newer than all that its
device has said is new without a look-up; the rest is compared with what was heard lately, then with the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from gateway.instants import DAY, Duration, Instant
from gateway.journal.rows import LogRow

Answer = Literal["new", "repeat", "conflict"]

_LATELY = 1 << 13
"""Records that make a generation; two are remembered: what is not in the journal yet, and the newest of what is."""

_AHEAD = 4096
"""Records held beyond a missing one, a boot; further ones leave the acknowledged point where it is."""

_DROPPED = -1
"""Among the records held beyond a missing one: not all of them are held."""
_FORGOTTEN = -2
"""Likewise: of a boot that was forgotten, and came again; any of its records may have been heard before."""

_COUNT_FROM = 1
"""A boot's count begins with 0 or 1 (evidence.md): before it there is nothing."""

_LEAP: Duration = DAY
"""A record dated further after its receipt is of a clock that is far ahead: others of its device need not lie after it."""

STRANGERS = 10_000
"""Devices remembered that are not the site's."""

_BOOTS = 4
"""Boots remembered a device; older ones are looked up."""


class Run:
    """The records of one boot of one device: which is the highest, and up to which none is missing from `first` on.

    `due`: its device is to be told how far its record is safe. `proven`: what was recorded before `first`, if anything, is here or was
    let go by its device: one of its records came in turn, behind all that waited for us. Of a boot that is known by a copy that
    overtook, or from the journal's tail, that is not known; its device is told nothing.
    """

    __slots__ = ("ahead", "boot", "complete", "device", "due", "first", "proven", "top")

    def __init__(self, device: str, boot: str, first: int, *, proven: bool) -> None:
        self.device = device
        self.boot = boot
        self.first = self.top = self.complete = first
        self.ahead: set[int] = set()
        self.due = False
        self.proven = proven or first <= _COUNT_FROM

    def add(self, n: int) -> None:
        self.top = max(self.top, n)
        if n == self.complete + 1:
            self.complete = n
            while self.complete + 1 in self.ahead:
                self.complete += 1
                self.ahead.discard(self.complete)
        elif n > self.complete:
            self.ahead.add(n if len(self.ahead) < _AHEAD else _DROPPED)

    def prove(self, n: int) -> None:
        """Record `n` came in turn: up to where none is missing counts from there on."""
        self.proven = True
        if n >= self.first:
            return
        beyond = range(self.first, self.complete + 1)
        if len(beyond) + len(self.ahead) < _AHEAD:
            self.ahead.update(beyond)
        self.ahead.add(_DROPPED)  # those between may have been heard as well: below its first a run holds none
        self.first, self.complete = n, n - 1

    def misses(self, n: int) -> bool:
        """Whether it is certain that this record was never heard."""
        return n > self.complete and self.ahead.isdisjoint((n, _DROPPED, _FORGOTTEN))


class Last:
    """The newest records without a number of one device: all of one time.

    `whole`: they are all that were ever heard of that time; else the journal may hold more.
    """

    __slots__ = ("at", "contents", "whole")

    def __init__(self, at: Instant, contents: list[tuple[str, bytes]], *, whole: bool) -> None:
        self.at = at
        self.contents = contents
        self.whole = whole

    def take(self, at: Instant, kind: str, body: bytes) -> None:
        """A record of a later time."""
        self.at, self.contents, self.whole = at, [(kind, body)], True


class Ahead:
    """What a device has dated far ahead of its receipt: from the least of these times to the greatest, whose records are `last`.

    Without it a clock that was wrong once would have every later record looked for in the journal.
    """

    __slots__ = ("begins", "last")

    def __init__(self, begins: Instant, last: Last) -> None:
        self.begins = begins
        self.last = last


class Generation:
    """Records taken one after the other; found by device and order, through an index made only when it is asked."""

    __slots__ = ("_index", "_indexed", "records")

    def __init__(self) -> None:
        self.records: list[tuple[str, int, str | None, str, bytes]] = []
        """(device, order, boot (None: without number), kind, body)."""
        self._index: dict[tuple[str, int], list[tuple[str | None, str, bytes]]] = {}
        self._indexed = 0

    def find(self, device: str, order: int) -> Sequence[tuple[str | None, str, bytes]]:
        for position in range(self._indexed, len(self.records)):
            owner, place, *rest = self.records[position]
            self._index.setdefault((owner, place), []).append(tuple(rest))  # type: ignore[arg-type]
        self._indexed = len(self.records)
        return self._index.get((device, order), ())


class Repeats:
    """Tells new records from repeats, over all devices.

    Args:
        find: the journal's rows of (device, order), order being `seq` or else `at`; asked only for what is old.
        whole: nothing was heard before, or all of it will be told by `restore` and the tail; False: a device or boot that
            is not known here may stand in the journal all the same.
        of_site: whether a device is the site's; of others only the last STRANGERS are remembered, since anybody may give them names.
            What one of them says that was forgotten may be stored twice.
    """

    def __init__(
        self,
        find: Callable[[str, int], Sequence[LogRow]],
        *,
        whole: bool,
        of_site: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._find = find
        self._whole = whole
        self._of_site = of_site
        self._strangers: dict[str, None] = {}
        self._forgot = False
        """Strangers were forgotten: one that is not known here may stand in the journal."""
        self._newest: dict[str, Run] = {}
        self._earlier: dict[str, list[Run]] = {}
        self._last: dict[str, Last] = {}
        self._ahead: dict[str, Ahead] = {}
        self._young = Generation()
        self._old = Generation()
        self._due: list[Run] = []

    def numbered(self, device: str, boot: str, n: int, body: bytes, *, overtakes: bool = False) -> Answer:
        """Take a record with a sequence number. `conflict`: the key is known with another content.

        Args:
            overtakes: it did not come in turn: earlier records of its boot may still be on their way.
        """
        run = self._newest.get(device)
        if run is None or run.boot != boot:
            known = self._earlier.get(device, ())
            run = next((each for each in known if each.boot == boot), None)
        if run is not None and (run.proven or (n > run.top and not overtakes)):
            run.proven = True
            if not run.due:
                run.due = True
                self._due.append(run)
            if n > run.top and (not run.ahead or _FORGOTTEN not in run.ahead):
                if n == run.complete + 1 and not run.ahead:
                    run.complete = run.top = n
                else:
                    run.add(n)
                self._young.records.append((device, n, boot, "", body))
                return "new"
        return self._late(run, device, boot, n, body, overtakes=overtakes)

    def passed(self, device: str, boot: str, n: int) -> bool:
        """Whether this record, or a later one of its boot, has come."""
        runs = (self._newest.get(device), *self._earlier.get(device, ()))
        return any(run is not None and run.boot == boot and n <= run.top for run in runs)

    def _late(self, run: Run | None, device: str, boot: str, n: int, body: bytes, *, overtakes: bool) -> Answer:
        """A record of a boot not heard before, or one that does not come after all others of its boot."""
        kept = None
        if run is not None:
            asked = not run.misses(n)
        else:
            asked = not self._is_whole(device) or len(self._earlier.get(device, ())) >= _BOOTS - 1
        if asked:
            kept = self.stored(device, boot, n)
        if run is None:
            run = self._begin(device, boot, n, proven=not overtakes)
            if kept is not None:
                run.ahead.add(_FORGOTTEN)
        else:
            if not run.proven and not overtakes:
                run.prove(n)
            run.add(n)
        if run.proven and not run.due:
            run.due = True
            self._due.append(run)
        if kept is None:
            self._young.records.append((device, n, boot, "", body))
            return "new"
        return "repeat" if kept == body else "conflict"

    def stored(self, device: str, boot: str, n: int) -> bytes | None:
        """What was heard under a number, if it is remembered or stands in the journal."""
        kept = next((content for named, _, content in self._lately(device, n) if named == boot), None)
        if kept is None:
            kept = next((row.body for row in self._find(device, n) if row.n == n and row.boot == boot), None)
        return kept

    def _begin(self, device: str, boot: str, n: int, *, proven: bool) -> Run:
        before = self._newest.get(device)
        if before is not None:
            earlier = self._earlier.setdefault(device, [])
            earlier.append(before)
            del earlier[: -(_BOOTS - 1)]
        else:
            self._meet(device)
        run = self._newest[device] = Run(device, boot, n, proven=proven)
        return run

    def unnumbered(self, device: str, kind: str, at: Instant, body: bytes, received: Instant) -> Answer:
        """Take a record without a sequence number."""
        last = self._last.get(device)
        if at > received + _LEAP or (self._ahead and device in self._ahead):
            known = self._known_beside_ahead(device, kind, at, body, received)
        elif last is not None and at > last.at:
            last.take(at, kind, body)
            known = False
        elif last is None:
            whole = self._is_whole(device)
            known = not whole and self._stored(device, kind, at, body)
            if not known:
                self._meet(device)
                self._last[device] = Last(at, [(kind, body)], whole=whole)
        elif at == last.at:
            known = self._known_of(last, device, kind, body)
        else:
            known = (None, kind, body) in self._lately(device, at) or self._stored(device, kind, at, body)
        if known:
            return "repeat"
        self._young.records.append((device, at, None, kind, body))
        return "new"

    def _is_whole(self, device: str) -> bool:
        """Whether a device that is not known here was never heard."""
        return self._whole and not (self._forgot and not self._of_site(device))

    def _meet(self, device: str) -> None:
        """A device is heard for the first time, as far as is known here."""
        if device in self._strangers or self._of_site(device):
            return
        self._strangers[device] = None
        if len(self._strangers) > STRANGERS:
            self._forgot = True
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            for known in (self._newest, self._earlier, self._last, self._ahead):
                known.pop(oldest, None)

    def _known_of(self, last: Last, device: str, kind: str, body: bytes) -> bool:
        """Whether a record of the newest time is known; if not it is kept with it."""
        if (kind, body) in last.contents or (not last.whole and self._stored(device, kind, last.at, body)):
            return True
        last.contents.append((kind, body))
        return False

    def _known_beside_ahead(self, device: str, kind: str, at: Instant, body: bytes, received: Instant) -> bool:
        """Whether a record is known of a device whose clock is, or was, far ahead: what it dates rightly does not lie before all else then."""
        last, ahead = self._last.get(device), self._ahead.get(device)
        newer = last is None or at > last.at
        if ahead is None:
            if newer:
                whole = last is not None or self._is_whole(device)
                if not whole and self._stored(device, kind, at, body):
                    return True
                self._meet(device)
                self._ahead[device] = Ahead(at, Last(at, [(kind, body)], whole=whole))
                return False
        elif at > ahead.last.at:
            if at > received + _LEAP:
                ahead.last.take(at, kind, body)
            else:  # its time has come
                self._last[device] = Last(at, [(kind, body)], whole=True)
                del self._ahead[device]
            return False
        elif at == ahead.last.at:
            return self._known_of(ahead.last, device, kind, body)
        elif newer and at < ahead.begins and (last is not None or self._whole):
            if at > received + _LEAP:
                ahead.begins = at
            elif last is None:
                self._last[device] = Last(at, [(kind, body)], whole=True)
            else:
                last.take(at, kind, body)
            return False
        if last is not None and at == last.at:
            return self._known_of(last, device, kind, body)
        known = (None, kind, body) in self._lately(device, at) or self._stored(device, kind, at, body)
        if not known and last is None and at <= received + _LEAP:
            self._last[device] = Last(at, [(kind, body)], whole=False)
        return known

    def handed_over(self) -> None:
        """All that was taken so far is being written, and all taken before the previous call is in the journal."""
        if len(self._young.records) >= _LATELY:
            self._old, self._young = self._young, Generation()

    def learn(self, row: LogRow) -> None:
        """Take a row of the journal's tail after a restart: it is known to be no repeat."""
        if row.n is None:
            self._meet(row.device)
            last = self._last.get(row.device)
            content = (row.kind, row.body)
            if row.at > row.received + _LEAP or row.device in self._ahead:
                self._learn_beside_ahead(row, last)
            elif last is None or row.at > last.at:
                self._last[row.device] = Last(row.at, [content], whole=last is not None or self._whole)
            elif row.at == last.at:
                last.contents.append(content)
            return
        boot = row.boot or ""
        run = self._newest.get(row.device)
        if run is None or run.boot != boot:
            run = next((each for each in self._earlier.get(row.device, ()) if each.boot == boot), None)
        if run is None:
            self._begin(row.device, boot, row.n, proven=False)
        else:
            run.add(row.n)

    def _learn_beside_ahead(self, row: LogRow, last: Last | None) -> None:
        """Of a row of the tail only that it is there is kept: the least and greatest times of either kind."""
        ahead = self._ahead.get(row.device)
        if row.at > row.received + _LEAP:
            if ahead is None:
                self._ahead[row.device] = Ahead(row.at, Last(row.at, [], whole=False))
            else:
                ahead.begins = min(ahead.begins, row.at)
                ahead.last.at = max(ahead.last.at, row.at)
                ahead.last.whole = False
                ahead.last.contents.clear()
            return
        if ahead is not None and row.at > ahead.last.at:
            del self._ahead[row.device]
        if last is None or row.at > last.at:
            self._last[row.device] = Last(row.at, [], whole=False)
        elif row.at == last.at:
            last.contents.append((row.kind, row.body))

    def due(self) -> int:
        """How many boots have records of which their devices are to be told."""
        return len(self._due)

    def take_due(self) -> list[tuple[str, str, int]]:
        """Up to where the record of each boot that is due is here: (device, boot, the highest number before a missing one)."""
        due, self._due = self._due, []
        for run in due:
            run.due = False
        return [(run.device, run.boot, run.complete) for run in due]

    def tell_all(self) -> None:
        """All devices that number their records are to be told how far the newest is safe."""
        for run in self._newest.values():
            if run.proven and not run.due:
                run.due = True
                self._due.append(run)

    def _lately(self, device: str, order: int) -> list[tuple[str | None, str, bytes]]:
        return [*self._young.find(device, order), *self._old.find(device, order)]

    def _stored(self, device: str, kind: str, at: Instant, body: bytes) -> bool:
        return any(row.n is None and row.kind == kind and row.body == body for row in self._find(device, at))

    def snapshot(self) -> dict[str, Any]:
        """What is needed to go on without the memory of single keys."""
        return {
            "runs": {
                device: [
                    [run.boot, run.top, run.complete, sorted(run.ahead), run.first, run.proven]
                    for run in (*self._earlier.get(device, ()), newest)
                ]
                for device, newest in self._newest.items()
            },
            "last": {device: last.at for device, last in self._last.items()},
            "forgot": self._forgot,
            "ahead": {device: [ahead.begins, ahead.last.at] for device, ahead in self._ahead.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        self._forgot = state.get("forgot", False)
        for device, runs in state["runs"].items():
            for boot, top, complete, ahead, *rest in runs:
                first, proven = rest or (complete, True)  # older snapshots have neither
                run = self._begin(device, boot, first, proven=proven)
                run.top, run.complete = top, complete
                run.ahead = set(ahead)
        for device, at in state["last"].items():
            self._meet(device)
            self._last[device] = Last(at, [], whole=False)
        for device, (begins, at) in state.get("ahead", {}).items():
            self._meet(device)
            self._ahead[device] = Ahead(begins, Last(at, [], whole=False))
