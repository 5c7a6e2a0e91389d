"""One reader as the control panel hears it: cards, keys, and whether it is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from device_drivers.driver import Reading, Reject
from device_drivers.observations import DeviceStatus, ReaderHeartbeat
from device_drivers.osdp.cards import MOST_BITS, Cards

_PLAIN = "a card or key in plain text, without a secure channel"


class OsdpReader:
    """A `PanelReader`. `key` None: no secure channel, as the site's entry says outright (`secure: false`)."""

    def __init__(self, device: str, cards: Cards, *, line: str, address: int, key: bytes | None, install: bool) -> None:
        self.line = line
        self.address = address
        self.key = key
        self.install = install
        self._device = device
        self._cards = cards

    def card(self, bits: int, data: bytes, received: datetime, *, secure: bool) -> Sequence[Reading | Reject]:
        """A card was read."""
        if self.key is not None and not secure:
            return (Reject(data, _PLAIN),)
        if not 1 <= bits <= MOST_BITS or len(data) != (bits + 7) // 8:
            return (Reject(data, f"a card of {bits} bits in {len(data)} byte(s)"),)
        return (self._cards.card(bits, data, received),)

    def keys(self, keys: bytes, received: datetime, *, secure: bool) -> Sequence[Reading | Reject]:
        """Keys were pressed."""
        if self.key is not None and not secure:
            return (Reject(b"", _PLAIN),)
        return self._cards.keys(keys, received)

    def alive(self, received: datetime) -> Sequence[Reading | Reject]:
        """It answers, as before."""
        return (Reading(ReaderHeartbeat(device=self._device, at=received)),)

    def online(self, received: datetime, *, secure: bool) -> Sequence[Reading | Reject]:
        """It answers again; `secure`: in a secure channel."""
        if self.key is not None and not secure:
            status = DeviceStatus(
                device=self._device, at=received, online=False, reason="no secure channel: wrong key?"
            )
            return (Reading(status),)
        status = DeviceStatus(device=self._device, at=received, online=True)
        return (Reading(status), Reading(ReaderHeartbeat(device=self._device, at=received)))

    def offline(self, received: datetime) -> Sequence[Reading | Reject]:
        """It does not answer, or refuses the channel."""
        self._cards.forget()
        reason = "no answer" if self.key is None else "no answer, or another key"
        return (Reading(DeviceStatus(device=self._device, at=received, online=False, reason=reason)),)

    def lost(self) -> None:
        """The line was cut."""
        self._cards.forget()
