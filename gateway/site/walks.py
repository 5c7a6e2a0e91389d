"""What the site file says of rounds: what proves a checkpoint, how a route may be walked, and when its rounds begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from itertools import pairwise

from gateway.instants import DAY, MINUTE, Duration
from gateway.site import schema
from gateway.site.assembly import device_kind, is_portable
from gateway.site.checks import Checks
from gateway.site.durations import written
from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.positions import Path
from gateway.site.sections import Draft


def check_walks(draft: Draft, mentions: Mentions, mistakes: Mistakes) -> None:
    """Check the checkpoints, routes and rounds of a draft; every mistake goes to `mistakes`."""
    checks = _Walks(draft, mentions, mistakes)
    checks.checkpoints()
    checks.routes()
    checks.rounds()


class _Walks(Checks):
    def checkpoints(self) -> None:
        for entry, path, damaged in self._draft.checkpoints:
            self._mentions.refer((*path, "place"), entry.place, "places", "a place")
            if not damaged & {"reader", "tags"}:
                self._proof_of(entry, path)
            self._legs(entry, path)

    def _proof_of(self, entry: schema.CheckpointEntry, path: Path) -> None:
        if entry.reader is None:
            if not entry.tags:
                self._mistakes.error(path, "has neither `reader` nor `tags`; expected a fixed reader or wall tags")
            return
        at = (*path, "reader")
        if (
            not self._mentions.refer(at, entry.reader, "devices", "a fixed reader")
            or entry.reader not in self._mentions.devices
        ):
            return
        self._mentions.once(at, "a checkpoint's reader", entry.reader)
        reader = self._mentions.devices[entry.reader].entry
        if device_kind(reader) != "reader" or is_portable(reader):
            what = f"a portable {device_kind(reader)}" if is_portable(reader) else f"a {device_kind(reader)}"
            self._mistakes.error(at, f"found {entry.reader!r}, {what}; expected a fixed reader")

    def _legs(self, entry: schema.CheckpointEntry, path: Path) -> None:
        for other, leg in entry.min_leg.items():
            at = (*path, "min_leg", other)
            if other == entry.id:
                self._mistakes.error(at, "found the checkpoint itself; expected another one")
            elif self._mentions.refer(at, other, "checkpoints", "a checkpoint") and other in self._mentions.checkpoints:
                back = self._mentions.checkpoints[other].entry.min_leg.get(entry.id, leg)
                if back != leg:
                    self._mistakes.error(
                        at,
                        f"found {written(leg)}, but {written(back)} for the way back; it holds both ways, say it once",
                    )

    def routes(self) -> None:
        for entry, path, damaged in self._draft.routes:
            if "visits" not in damaged:
                self._visits(entry, path)
            for index, guard in enumerate(entry.guards):
                self._mentions.refer((*path, "guards", index), guard, "people", "a person")
            self._mentions.each_once((*path, "guards"), entry.guards, "person")
            if not entry.accept_others and not entry.guards and "guards" not in damaged:
                self._mistakes.error(
                    (*path, "accept_others"), "found false without `guards`; expected `guards` to name who may walk it"
                )
            self._readers(entry, path, damaged)

    def _visits(self, entry: schema.RouteEntry, path: Path) -> None:
        if all(visit.optional for visit in entry.visits):
            self._mistakes.error(
                (*path, "visits"),
                "is empty; expected at least one visit"
                if not entry.visits
                else "expected a visit that is not optional",
            )
        stands = [visit.checkpoint for visit in entry.visits]
        for index, visit in enumerate(entry.visits):
            at = (*path, "visits", index)
            self._mentions.refer((*at, "checkpoint"), visit.checkpoint, "checkpoints", "a checkpoint")
            if visit.after is None and stands.count(visit.checkpoint) > 1:
                self._mistakes.error(
                    at,
                    f"`after` is missing; expected it at each visit of {visit.checkpoint!r}, which stands here several times",
                )

    def _readers(self, entry: schema.RouteEntry, path: Path, damaged: frozenset[str]) -> None:
        readers = entry.readers or []
        self._mentions.each_once((*path, "readers"), readers, "reader")
        for index, reader in enumerate(readers):
            at = (*path, "readers", index)
            if self._mentions.refer(at, reader, "devices", "a portable reader") and reader in self._mentions.devices:
                device = self._mentions.devices[reader].entry
                if not is_portable(device):
                    self._mistakes.error(at, f"found {reader!r}, which is not portable; expected a portable reader")
        wall = [visit.checkpoint for visit in entry.visits if self._is_wall(visit.checkpoint)]
        if wall and entry.readers is None and "readers" not in damaged:
            self._mistakes.error(
                path,
                f"`readers` is missing; expected the portable readers that carry this route, since {wall[0]!r} has wall "
                "tags (`readers: []` if only phones do)",
            )

    def _is_wall(self, checkpoint: str) -> bool:
        placed = self._mentions.checkpoints.get(checkpoint)
        return placed is not None and bool(placed.entry.tags or any(key.startswith("tags") for key in placed.damaged))

    def rounds(self) -> None:
        for entry, path, damaged in self._draft.rounds:
            self._mentions.refer((*path, "route"), entry.route, "routes", "a route")
            if not damaged & {"from", "to", "every", "starts"}:
                self._starts(entry, path)
                if entry.jitter and not damaged & {"jitter", "lasts"}:
                    self._jitter(entry, (*path, "jitter"))
            calendar = self._draft.site is None or self._draft.site.entry.holidays or self._draft.site.damaged
            if entry.holidays != "also" and not calendar:
                self._mistakes.error(
                    (*path, "holidays"),
                    f"found {entry.holidays!r}; expected `site.holidays` to name the calendar for it",
                )
            since, until = entry.valid.since, entry.valid.until
            if since is not None and until is not None and until < since:
                self._mistakes.error((*path, "valid", "until"), f"found {until}; expected {since} or later")

    def _starts(self, entry: schema.RoundEntry, path: Path) -> None:
        given = {"from": entry.from_, "to": entry.to, "every": entry.every}
        missing = [key for key, value in given.items() if value is None]
        if entry.starts is not None:
            if len(missing) < len(given):
                self._mistakes.error(
                    (*path, "starts"), "found beside `from`, `to` or `every`; expected either a shift or `starts`"
                )
        elif missing:
            self._mistakes.error(
                path,
                f"{', '.join(f'`{key}`' for key in missing)} missing; expected `from`, `to` and `every`, or `starts`",
            )

    def _jitter(self, entry: schema.RoundEntry, at: Path) -> None:
        """Random starts need a seed, and room: a round ends before the next one begins, however late it starts."""
        site = self._draft.site
        if site is not None and site.entry.jitter_seed is None and "jitter_seed" not in site.damaged:
            self._mistakes.error(at, "found without `site.jitter_seed`; expected `jitter_seed: env:NAME` there")
        nearest = entry.every if entry.every is not None else _nearest(entry.starts or [])
        room = max(0, nearest - entry.lasts) // MINUTE * MINUTE
        if entry.jitter > room:
            self._mistakes.error(
                at,
                f"found {written(entry.jitter)}; expected at most {written(room)}, as a round lasts {written(entry.lasts)} "
                f"and the next one may begin {written(nearest)} after it",
            )


def _nearest(starts: Sequence[time]) -> Duration:
    """The least distance of successive clock times; of a list that goes on within one day also to its first on the next."""
    at = [(clock.hour * 60 + clock.minute) * MINUTE for clock in starts]
    steps = [(later - earlier - 1) % DAY + 1 for earlier, later in pairwise(at)]
    round_the_clock = DAY - sum(steps)
    return min([*steps, round_the_clock if round_the_clock > 0 else DAY])
