"""Key presses of one reader to tag reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.hid_wedge.events import (
    CHARACTERS,
    ENDS,
    EV_KEY,
    EV_SYN,
    PASSED_OVER,
    PRESSED,
    SIZE,
    SYN_DROPPED,
    event_length,
    read_event,
    why_not,
)
from device_drivers.hid_wedge.numbers import Number, tag_of
from device_drivers.hunt import Hunter
from device_drivers.observations import TagRead
from device_drivers.presence import Presence

Ends = Literal["enter", "pause"]

MOST_KEYS = 64
"""Keys of one card: 32 bytes in hexadecimal."""

_LONGEST_JUNK = 4 * SIZE

_LONG_AGO = timedelta(seconds=60)
"""Keys that came so long ago belong to nothing any more, whatever the kernel's times say (they are its wall clock)."""


class HidWedgeDecoder:
    """One reader's input events.

    Args:
        device: the reader's id.
        number: what is typed, as in `numbers.tag_of`.
        ends: a card ends with Enter or Tab, or (readers that send none) with a pause.
        pause: between two keys of one card; after a longer one another card begins.
        gone_after: the same card typed again within this is the same presentation.
    """

    def __init__(
        self,
        device: str,
        *,
        number: Number = "decimal",
        ends: Ends = "enter",
        pause: timedelta = timedelta(milliseconds=500),
        gone_after: timedelta = timedelta(seconds=2),
    ) -> None:
        self._device = device
        self._number: Number = number
        self._ends = ends
        self._pause = pause
        self._pause_us = pause // timedelta(microseconds=1)
        self._hunter = Hunter(event_length, why_not, _LONGEST_JUNK)
        self._presence = Presence(gone_after)
        self._typed: list[str] = []
        self._wrong = ""  # why what is being typed is no card
        self._key_us = 0  # the kernel's time of the latest key
        self._latest: datetime | None = None  # when it was received

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes; none: time has passed (a card that a pause ends is complete). Never raises; bounded."""
        found: list[Reading | Reject] = []
        if not data:
            if self._latest is not None and not timedelta(0) <= received - self._latest <= self._pause:
                self._paused(found)
            return found
        if self._latest is not None and not timedelta(0) <= received - self._latest <= _LONG_AGO:
            self._paused(found)
        for piece in self._hunter.feed(data):
            if isinstance(piece, Reject):
                self._spoil("bytes were missing or damaged")
                found.append(piece)
            else:
                self._event(piece, received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The reader was pulled: a card that a pause would have ended is complete, any other is given up."""
        found: list[Reading | Reject] = []
        for piece in self._hunter.flush():
            if isinstance(piece, Reject):
                self._spoil("bytes were missing or damaged")
                found.append(piece)
            elif self._latest is not None:
                self._event(piece, self._latest, found)
        self._paused(found)
        self._presence.clear()
        self._latest = None
        return found

    def _event(self, octets: bytes, received: datetime, found: list[Reading | Reject]) -> None:
        event = read_event(octets)
        if event.type == EV_SYN and event.code == SYN_DROPPED:
            self._spoil("the system lost keys")
            self._key_us = event.at_us
        if event.type != EV_KEY or event.value != PRESSED or event.code in PASSED_OVER:
            return
        if event.at_us - self._key_us > self._pause_us:  # a clock set back is no pause
            self._paused(found)
        self._key_us, self._latest = event.at_us, received
        if event.code in ENDS:
            self._complete(received, found)
        elif (character := CHARACTERS.get(event.code)) is None:
            self._spoil(f"a key that no card has (code {event.code})")
        elif len(self._typed) >= MOST_KEYS:
            self._spoil(f"more than {MOST_KEYS} keys")
        else:
            self._typed.append(character)

    def _spoil(self, why: str) -> None:
        self._wrong = self._wrong or why

    def _paused(self, found: list[Reading | Reject]) -> None:
        """No key came for a while."""
        if not self._typed:
            self._wrong = ""
        elif self._ends == "pause":
            assert self._latest is not None
            self._complete(self._latest, found)
        else:
            self._spoil("no Enter after it (`ends: pause` for readers that send none)")
            self._complete(self._latest, found)

    def _complete(self, at: datetime | None, found: list[Reading | Reject]) -> None:
        text, wrong = "".join(self._typed), self._wrong
        self._typed.clear()
        self._wrong = ""
        if not text and not wrong:
            return  # Enter alone, or Enter and Tab
        try:
            if wrong or at is None:
                raise DecodeError(wrong)
            tag = tag_of(text, self._number)
        except DecodeError as error:
            found.append(Reject(text.encode(), error.reason))
            return
        if self._presence.arrives(tag, at):
            found.append(Reading(TagRead(device=self._device, at=at, tag=tag)))
