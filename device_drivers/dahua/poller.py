"""How a Dahua device is asked: which channels have no picture now, then its endless stream of events."""

from __future__ import annotations

from device_drivers.conversation import Fetch, Give, WebConversation
from device_drivers.dahua.decoder import DahuaDecoder
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.event_stream import EventStreamPoller
from device_drivers.web_address import WebAddress

STATES = ("VideoLoss", "VideoBlind")
"""Codes that hold until their `Stop`, which may fall into a time without a stream; so they are asked for before each."""

_QUESTION = "/cgi-bin/eventManager.cgi?action=getEventIndexes&code="
_NONE = "No Events"
_MOST_CHANNELS = 1024


class DahuaPoller(EventStreamPoller):
    """Asks for the states, then listens.

    Args:
        channels: of the device: those that are not named by an answer have their picture.
    """

    def __init__(
        self,
        device: str,
        address: WebAddress,
        *,
        path: str,
        probe: str,
        idle_s: float,
        decoder: DahuaDecoder,
        channels: int,
    ) -> None:
        super().__init__(device, address, paths=(path,), probe=probe, idle_s=idle_s, decoder=lambda: decoder)
        self._events = decoder
        # What stood before the gateway's start is not known: at first every channel is spoken of.
        self._standing = {code: set(range(1, channels + 1)) for code in STATES}

    def round(self) -> WebConversation:
        """States, then the stream until it ends."""
        for code, before in self._standing.items():
            answered = yield Fetch("GET", _QUESTION + code)
            assert answered is not None
            if answered.status != 200:
                break  # refused, or not there: the stream will say so; or it knows no such question
            try:
                now = read_channels(answered.body)
            except DecodeError as error:
                yield Give([Reject(answered.body[:1024], error.reason)])
                continue
            found: list[Reading] = []
            for channel in sorted(before | now):
                self._events.state(code, channel, channel in now, answered.received, found)
            before.clear()
            before.update(now)
            yield Give(found)
        self._events.begun = self._standing
        yield from super().round()


def read_channels(body: bytes) -> set[int]:
    """The channels in an answer to getEventIndexes: `channels[0]=4` is channel 5.

    Raises:
        DecodeError: neither channels nor "No Events".
    """
    text = body.decode("latin-1").strip()
    if _NONE in text[:200]:
        return set()
    found: set[int] = set()
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or not name.startswith("channels["):
            raise DecodeError(f"event indexes: {line[:80]!r}, expected channels[N]=INDEX or No Events")
        if not value.isdecimal() or not value.isascii() or len(value) > 4 or int(value) >= _MOST_CHANNELS:
            raise DecodeError(f"event indexes: index {value[:80]!r}")
        found.add(int(value) + 1)
    if not found:
        raise DecodeError("event indexes: an empty answer")
    return found
