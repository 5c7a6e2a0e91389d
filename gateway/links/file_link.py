"""Takes the files that people bring from the folder of imports, one by one, as a link takes messages from a broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from device_drivers.conversation import Sheet
from device_drivers.driver import Reading, Reject
from device_drivers.errors import LamplighterError
from gateway.errors import JournalError
from gateway.imports import REASONS, ImportFolder, Order, Outcome
from gateway.links.link import LinkState, Receiver, Token
from gateway.links.standing import Clock, Standing, utc_now

LOOK_EVERY_S = 0.5
"""How often the folder is looked into; a person waits before the command."""

AT_ONCE = 500
"""Observations handed over in one go; the next follow when these are on disk, so that taps of others are not held up."""

Read = Callable[[Order, bytes, datetime], Sheet]

_log = logging.getLogger(__name__)


class FileLink:
    """A `Link` for files.

    Args:
        folder: where they wait.
        read: reads one for the site; called in a thread.
        receiver: gets what is found.
        repeats: how many observations the receiver has recognised as repeats so far.
        clock: the wall clock, for `received`.
    """

    def __init__(
        self,
        folder: ImportFolder,
        read: Read,
        receiver: Receiver,
        *,
        repeats: Callable[[], int],
        clock: Clock = utc_now,
    ) -> None:
        self.name = "imports"
        self._folder = folder
        self._read = read
        self._receiver = receiver
        self._repeats = repeats
        self._clock = clock
        self._standing = Standing(self, receiver, (), clock)

    @property
    def state(self) -> LinkState:
        """How the link is now."""
        return self._standing.state

    async def run(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            try:
                await self.take_waiting()
                self._standing.up()
            except OSError as error:
                self._standing.down(
                    f"{self._folder.path}: {error.strerror}", "make the folder writable, or free some space"
                )
            await asyncio.sleep(LOOK_EVERY_S)

    async def take_waiting(self) -> None:
        """Take all that waits now.

        Raises:
            OSError: the folder cannot be written.
            JournalError: nothing more can be kept.
        """
        for order in self._folder.waiting():
            outcome = await self._take(order)
            self._folder.settle(outcome)
            said = f"{outcome.new} new, {outcome.repeats} known, {outcome.rejected} rejected"
            _log.info("import of %s: %s", order.name, said if outcome.state == "done" else f"refused: {outcome.reason}")

    async def _take(self, order: Order) -> Outcome:
        received = self._clock()
        try:
            data = await asyncio.to_thread(self._folder.data, order)
            sheet = await asyncio.to_thread(self._read, order, data, received)
        except JournalError:
            raise
        except LamplighterError as error:
            return Outcome(order=order, state="refused", received=received, reason=str(error))
        except Exception as error:  # noqa: BLE001 a file must not stop the others; told as refused, and logged
            _log.exception("reading %s failed, a fault of this program", order.name)
            reason = f"{type(error).__name__}: {error}; a fault of this program, see its log"
            return Outcome(order=order, state="refused", received=received, reason=reason)
        rejects = [item for item in sheet.found if isinstance(item, Reject)]
        readings = [item for item in sheet.found if isinstance(item, Reading)]
        repeats = await self._hand_over(order, readings, received)
        if self._folder.before(order) is None:  # the same file twice adds nothing, to quarantine neither
            await self._hand_over(order, rejects, received)
        return Outcome(
            order=order,
            state="done",
            received=received,
            new=len(readings) - repeats,
            repeats=repeats,
            rejected=len(rejects),
            reasons=tuple(reject.reason for reject in rejects[:REASONS]),
            notes=tuple(sheet.notes),
        )

    async def _hand_over(self, order: Order, found: Sequence[Reading | Reject], received: datetime) -> int:
        """Give all of it; how many were repeats. Done when it is on disk."""
        repeats = 0
        for start in range(0, len(found), AT_ONCE):
            before = self._repeats()
            self._receiver.found(self, order.name, found[start : start + AT_ONCE], received)
            repeats += self._repeats() - before
            await self._receiver.safe()
        return repeats

    def pause(self) -> None:
        """Nothing: the next are handed over only when those before are on disk."""

    def resume(self) -> None:
        """Nothing, likewise."""

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a file is settled when it is on disk."""
