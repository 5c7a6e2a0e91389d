"""Answers of one ONVIF device, as they stand on the wire, to observations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from device_drivers.camera_signs import BEAT, CameraSigns, Meaning
from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.observations import Channel, Measurement, Reachable
from device_drivers.onvif.clock import read_clock
from device_drivers.onvif.discovery import ANSWERS, MESSAGES, announcement
from device_drivers.onvif.events import Event, read_events
from device_drivers.onvif.soap import Envelope, is_quiet, read_envelope

_SILENT = (
    "CreatePullPointSubscriptionResponse",
    "RenewResponse",
    "UnsubscribeResponse",
    "SetSynchronizationPointResponse",
    "GetCapabilitiesResponse",
    "GetServicesResponse",
)
"""Answers that only the conversation needs."""

_TIMES = re.compile(rb"Time>[0-9TZ:.+-]{1,40}</")
"""The text of CurrentTime and TerminationTime."""
_LONGEST_KEPT = 4096
_MOST_STATES = 4096
"""States of pictures whose topics are remembered: 1,000 channels with some states each."""


class OnvifDecoder:
    """One device.

    Args:
        device: its id.
        signs: makes observations of its events, in measure.
        recorder: events name the channel; else all are of the device itself.
        channels: a channel for each video source's token; a token that is not here is the channel itself.
    """

    def __init__(
        self,
        device: str,
        signs: CameraSigns,
        *,
        recorder: bool = False,
        channels: Mapping[str, Channel] | None = None,
    ) -> None:
        self._device = device
        self._signs = signs
        self._recorder = recorder
        self._channels = channels or {}
        # By state and channel: the topics that tell of it.
        self._standing: dict[tuple[str, Channel | None], set[str]] = {}
        self._quiet = b""  # the latest answer without events, its times left out

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one answer or announcement. `topic`: the name it must have (`ProbeMatches`), or "". `at` is `received`.

        Raises:
            DecodeError: not SOAP, not what was asked for, or a time that there is not.
        """
        if retained:
            raise DecodeError("a retained answer: nothing is retained over HTTP")
        if topic in ("PullMessages", "PullMessagesResponse", "") and self.is_quiet(payload):
            return self.quiet(received)
        envelope = read_envelope(payload)
        if (
            topic
            and envelope.name.removesuffix("Response") != topic.removesuffix("Response")
            and envelope.name != "Fault"
        ):
            raise DecodeError(f"{envelope.name[:80]!r} where {topic[:80]} was asked for")
        return self.read(envelope, payload, received)

    def read(self, envelope: Envelope, payload: bytes, received: datetime) -> list[Reading]:
        """As `decode`, of a payload whose envelope was taken apart."""
        name, content, _ = envelope
        if name == "GetSystemDateAndTimeResponse":
            found = [self._lives(received)]
            if (clock := read_clock(content)) is not None:
                offset = round((clock - received).total_seconds())
                found.append(
                    Reading(
                        Measurement(
                            device=self._device, at=received, quantity="clock_offset", value=float(offset), unit="s"
                        )
                    )
                )
            return found
        if name in ("PullMessagesResponse", "Notify"):
            events, unread = read_events(content)
            return beside_unread(self._events(events, received) if events or not unread else [], payload, unread)
        if name == "Fault":  # whoever refuses, lives
            return [self._lives(received)]
        if name in MESSAGES:
            announced = announcement(envelope)
            if announced.action in ANSWERS:
                return [Reading(Reachable(device=self._device, at=received, ok=True))]
            return []
        if name in _SILENT:
            return []
        raise DecodeError(f"an answer of an unknown kind: {name[:80]!r}")

    def is_quiet(self, answer: bytes) -> bool:
        """Whether an answer to PullMessages holds no events. One that differs from the latest such in its times alone is not
        parsed again: digits for digits between the same two tags can make no other XML of it (`is_quiet` of soap.py allows no
        comments and the like).
        """
        shape = _TIMES.sub(b"Time></", answer)
        if shape == self._quiet:
            return bool(shape)
        if not is_quiet(answer):
            return False
        self._quiet = shape if len(shape) <= _LONGEST_KEPT else b""
        return True

    def quiet(self, received: datetime) -> list[Reading]:
        """What an answer without events says: the service lives, and motion may have ended."""
        return self._events([], received)

    def _lives(self, at: datetime) -> Reading:
        return Reading(Reachable(device=self._device, at=at, ok=True, level="service"))

    def _events(self, events: list[Event], at: datetime) -> list[Reading]:
        found: list[Reading] = []
        self._signs.pass_time(found, at)
        for event in events:
            if event.operation == "Deleted":
                continue
            meaning = event.meaning
            channel = self._channel(event.source)
            missed_end = event.active is False and self._signs.is_moving(channel)
            if event.operation == "Initialized" and meaning.what == "motion" and not missed_end:
                continue  # state of before, no event (cameras.md, onvif)
            if event.active is None and meaning.what != "beat" and not event.just_happens:
                continue  # neither true nor false is not known (R4)
            if meaning.what == "picture" and self._stands_elsewhere(meaning, channel, event):
                meaning = BEAT
            active, brief = event.active is not False, event.active is None
            self._signs.report(found, meaning, channel, active, at, brief=brief, by=event.topic)
        if not found:
            self._signs.beat(found, None, at)
        return found

    def _stands_elsewhere(self, meaning: Meaning, channel: Channel | None, event: Event) -> bool:
        """Whether a topic says that all is well while another one still tells of the same state: a camera has several for one."""
        key = (meaning.word, channel)
        if event.active:
            if len(self._standing) >= _MOST_STATES:
                self._standing.clear()
            self._standing.setdefault(key, set()).add(event.topic)
            return False
        topics = self._standing.get(key, set())
        topics.discard(event.topic)
        return bool(topics)

    def _channel(self, token: str) -> Channel | None:
        if not token or not self._recorder:
            return self._channels.get(token)
        return self._channels.get(token, token[:64])
