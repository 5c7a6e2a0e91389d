"""What is wrong with a camera that speaks, as a table (spec: cameras.md, Cameras)."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from gateway.instants import Instant


class Kind(NamedTuple):
    """One row: whether it takes the camera's cover, and whether it is a kind of silence (an alert of absence)."""

    cover_lost: bool
    absence: bool = False


KINDS: dict[str, Kind] = {
    "service_dead": Kind(cover_lost=True, absence=True),
    "unreachable": Kind(cover_lost=False, absence=True),
    "loss": Kind(cover_lost=True),
    "blind": Kind(cover_lost=True),
    "frozen": Kind(cover_lost=True),
    "moved": Kind(cover_lost=True),
    "defocused": Kind(cover_lost=False),
    "not_recording": Kind(cover_lost=False),
    "storage_fault": Kind(cover_lost=False),
    "reported_fault": Kind(cover_lost=False),
}
"""In the order in which they are listed."""

OF_THE_PICTURE = ("loss", "blind", "frozen", "moved", "defocused")
"""What `video_state` says, and `state: ok` ends."""

ZEROS = 2
"""So many successive stats without a frame are a loss."""


class Said(msgspec.Struct, array_like=True, frozen=True):
    """A report as evidence: who said what, at its own time and at the gateway's, and the value that matters."""

    device: str
    kind: str
    at: Instant
    received: Instant
    value: dict[str, str | int | float | bool]


class Impairment(msgspec.Struct, kw_only=True):
    """One that stands: since when by the evidence, and when it ends if it is not repeated.

    `said`: the report that began it (None: silence did); `again`: its last repeat.
    """

    begun: Instant
    expires: Instant | None = None
    lasts: int | None = None
    """`expires_s` of its last report, in microseconds."""
    said: Said | None = None
    again: Said | None = None


class Impairments:
    """Those of one camera.

    Attributes:
        standing: by name.
        ended_by: how the last one ended: `cleared`, `timeout` (not repeated in time) or `operator`.
    """

    def __init__(self) -> None:
        self.standing: dict[str, Impairment] = {}
        self.ended_by = "cleared"
        self._zeros = 0
        self._zero_since: Instant | None = None
        self._zero_said: Said | None = None
        self._taken: Instant | None = None
        self._storage: set[str] = set()

    def names(self) -> tuple[str, ...]:
        """Those that stand, in the order of the table."""
        return tuple(name for name in KINDS if name in self.standing) if self.standing else ()

    @property
    def cover_lost(self) -> bool:
        return any(KINDS[name].cover_lost for name in self.standing)

    def begin(
        self,
        name: str,
        begun: Instant,
        said: Said | None = None,
        *,
        expires: Instant | None = None,
        lasts: int | None = None,
    ) -> None:
        """It stands, or is repeated: its beginning stays, its expiry moves."""
        known = self.standing.get(name)
        if known is None:
            self.standing[name] = Impairment(begun=begun, expires=expires, lasts=lasts, said=said)
        else:
            known.expires, known.lasts = expires, lasts
            known.again = said

    def end(self, name: str, by: str = "cleared") -> None:
        if self.standing.pop(name, None) is not None:
            self.ended_by = by
        if name == "loss":
            self._zeros, self._zero_since, self._zero_said = 0, None, None

    def frames(self, fps: float, device: str, taken: Instant, at: Instant) -> None:
        """Frames that arrive show that there is a picture, and nothing of what is on it.

        `taken`, the camera's own time of the count, tells a repeat from a second count without a frame.
        """
        if taken == self._taken:
            return
        self._taken = taken
        if fps > 0:
            self.end("loss")
            return
        self._zeros += 1
        said = Said(device, "camera_stats", taken, at, {"fps": fps})
        if self._zero_since is None:
            self._zero_since, self._zero_said = at, said
        if self._zeros == ZEROS:
            self.begin("loss", self._zero_since, self._zero_said)
        if self._zeros >= ZEROS:
            self.begin("loss", self._zero_since, said)

    def storage(self, what: str, active: bool, said: Said) -> None:
        """A storage fault lasts until the last of its kinds has ended."""
        (self._storage.add if active else self._storage.discard)(what)
        if active:
            self.begin("storage_fault", said.received, said)
        elif not self._storage:
            self.end("storage_fault")

    @property
    def storage_kinds(self) -> tuple[str, ...]:
        """The kinds of storage fault that last."""
        return tuple(sorted(self._storage))

    def clear(self, name: str) -> None:
        """An operator ends it."""
        if name == "storage_fault":
            self._storage.clear()
        self.end(name, "operator")

    def expiry(self) -> Instant | None:
        """When the next one ends if it is not repeated."""
        return min((each.expires for each in self.standing.values() if each.expires is not None), default=None)

    def expire(self, now: Instant) -> None:
        """End those not repeated in time; a loss that the frames still show stays."""
        for name, each in list(self.standing.items()):
            if each.expires is not None and each.expires <= now:
                if name == "loss" and self._zeros >= ZEROS:
                    each.expires = None
                else:
                    self.end(name, "timeout")

    def resume(self, now: Instant) -> None:
        """The gateway was down: a repeat that fell due meanwhile could not be heard, and is waited for once more."""
        for each in self.standing.values():
            if each.expires is not None and each.lasts is not None and each.expires <= now:
                each.expires = now + each.lasts

    def snapshot(self) -> list[Any]:
        return [
            msgspec.to_builtins(self.standing),
            self.ended_by,
            self._zeros,
            self._zero_since,
            self._taken,
            sorted(self._storage),
            msgspec.to_builtins(self._zero_said),
        ]

    def restore(self, state: list[Any]) -> None:
        standing, self.ended_by, self._zeros, self._zero_since, self._taken, storage, said = state
        self._storage = set(storage)
        self._zero_said = msgspec.convert(said, Said | None)
        known = msgspec.convert(standing, dict[str, Impairment])
        self.standing = {name: each for name, each in known.items() if name in KINDS}
