"""When a reader was said to be down, or something it sent could not be read: there its signs of life prove nothing."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.instants import Duration, Instant

UNREAD_SPAN: Duration = 10_000_000
"""Of cuts by unreadable bytes within such a span the first and the last are kept: no visit lies between them."""


class Cuts:
    """True times, sorted. `times` stays one list for good: signs of life look at it."""

    __slots__ = ("_link", "_unread", "times")

    def __init__(self) -> None:
        self.times: list[Instant] = []
        self._link: set[Instant] = set()
        """Those that the gateway's link said, not the reader."""
        self._unread: set[Instant] = set()
        """Those at which something it sent could not be read."""

    def __bool__(self) -> bool:
        return bool(self.times)

    def add(self, at: Instant) -> None:
        """It was down."""
        if at not in self.times[-1:]:
            insort(self.times, at)

    def add_link(self, at: Instant) -> None:
        """Its link was down."""
        self._link.add(at)
        self.add(at)

    def add_unread(self, at: Instant) -> Instant | None:
        """Something could not be read. Of many that lie near each other the first and the last count, so that a line full of noise
        fills no memory; the one that went for it.
        """
        near = [cut for cut in self.times[-2:] if cut in self._unread and 0 <= at - cut < UNREAD_SPAN]
        between = None
        if len(near) == 2:
            self._unread.remove(between := self.times.pop())
        self._unread.add(at)
        self.add(at)
        return between

    def after(self, since: Instant) -> Instant | None:
        """The first from `since` on."""
        index = bisect_left(self.times, since)
        return self.times[index] if index < len(self.times) else None

    def by_link(self, cut: Instant) -> bool:
        """Whether it was the link that was down then."""
        return cut in self._link

    def by_noise(self, cut: Instant) -> bool:
        """Whether something could not be read then."""
        return cut in self._unread

    def noise_between(self, first: Instant, last: Instant) -> bool:
        """Whether anything could not be read in [first, last]."""
        return any(first <= cut <= last for cut in self._unread)

    def forget(self, before: Instant) -> None:
        """Drop those before an instant."""
        self.times[:] = [cut for cut in self.times if cut >= before]
        self._link = {cut for cut in self._link if cut >= before}
        self._unread = {cut for cut in self._unread if cut >= before}

    def snapshot(self) -> dict[str, Sequence[Instant]]:
        return {"cuts": self.times, "link_cuts": sorted(self._link), "unread_cuts": sorted(self._unread)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        self.times.extend(state["cuts"])
        self._link.update(state.get("link_cuts", ()))
        self._unread.update(state.get("unread_cuts", ()))
