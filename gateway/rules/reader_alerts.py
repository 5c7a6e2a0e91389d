"""Silent readers below something that is down (spec: cameras.md, Any device; alerts.md, Inhibition).

The rounds say when a reader is silent; they know nothing of parents. What hangs below a fallen parent, or whose own link
is down, is told by that alert: here `reader_offline` is kept back meanwhile, and merged if it was told already. A reader
with a parent waits for `hold`, so that the parent gets the chance to be found. A fixed reader that is out of service is not told of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.rules.devices import Devices
from gateway.rules.findings import Found, Signal
from gateway.rules.life import Life
from gateway.rules.timers import Timers
from gateway.site.model import Site

RULE = "reader_offline"


class ReaderAlerts:
    """Lets `reader_offline` through, keeps it back, or merges it."""

    def __init__(self, site: Site, found: Found, devices: Devices) -> None:
        self._site = site
        self._found = found
        self._devices = devices
        self._signals = found.signals
        self._read = 0
        self._told: dict[str, Signal] = {}
        self._kept: dict[str, Signal] = {}
        self._timers: Timers[str] = Timers()

    def look(self, changed: frozenset[str], now: Instant) -> None:
        """Take what the rounds said since the last call; weigh again the readers among `changed`."""
        self._read_on()
        for reader in sorted(changed & (self._told.keys() | self._kept.keys())):
            self._weigh(reader, now)
        self._read = len(self._signals)

    def _read_on(self) -> None:
        """Sort what was said since the last call into what goes on and what is kept back."""
        if self._signals is not self._found.signals:
            self._signals, self._read = self._found.signals, 0
        if self._read < len(self._signals):
            self._signals[self._read :] = [each for each in self._signals[self._read :] if self._passes(each)]
            self._read = len(self._signals)

    def _passes(self, signal: Signal) -> bool:
        """Whether a signal goes on to the alerts room."""
        reader = signal.subject
        if signal.rule != RULE:
            return True
        if signal.action == "raise":
            life = self._devices.life(reader)
            if life is None or life.device.portable or not (_idle(life) or life.device.parents or _explained(life)):
                self._told[reader] = signal
                return True
            self._kept[reader] = signal
            self._timers.set(reader, None if _idle(life) else max(signal.at, life.since + self._site.hold))
            return False
        if self._kept.pop(reader, None) is not None:
            self._timers.set(reader, None)
            return False
        if signal.action != "update":
            self._told.pop(reader, None)
        return True

    def _weigh(self, reader: str, now: Instant) -> None:
        life = self._devices.life(reader)
        if life is None:
            return
        told = self._told.get(reader)
        if told is not None:
            into = self._devices.told(life.suppressor if life.suppressor is not None else reader)
            if _idle(life):
                self._kept[reader] = self._told.pop(reader)
                self._signals.append(Signal(rule=RULE, subject=reader, action="resolve", at=now, why="disabled"))
            elif _explained(life) and into is not None:
                self._kept[reader] = self._told.pop(reader)
                self._signals.append(
                    Signal(rule=RULE, subject=reader, action="merge", at=now, why="merged", caused_by=into)
                )
        elif not _explained(life) and life.state == "offline" and self._timers.get(reader) is None:
            self._told[reader] = self._kept.pop(reader)
            self._signals.append(msgspec.structs.replace(self._told[reader], at=now))

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""
        self._read_on()
        for reader in sorted(key for _, key in self._timers.due(now)):
            self._weigh(reader, now)
        self._read = len(self._signals)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return self._timers.next()

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """A start changes nothing of what is told."""

    def snapshot(self) -> Any:
        def plain(signals: dict[str, Signal]) -> Any:
            return {reader: msgspec.to_builtins(signal) for reader, signal in signals.items()}

        timers = {reader: self._timers.get(reader) for reader in self._kept}
        return {"told": plain(self._told), "kept": plain(self._kept), "timers": timers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. What a new site file takes out of service is told of no longer."""

        def signals(plain: Mapping[str, Any]) -> dict[str, Signal]:
            known = {reader: signal for reader, signal in plain.items() if reader in self._site.devices}
            return msgspec.convert(known, dict[str, Signal])

        self._told, self._kept = signals(state["told"]), signals(state["kept"])
        self._timers = Timers()
        for reader, due in state["timers"].items():
            if reader in self._kept:
                self._timers.set(reader, due)
        self._read_on()
        for reader in sorted(self._told):
            if (life := self._devices.life(reader)) is not None and _idle(life):
                self._weigh(reader, self._devices.judged_at)
        self._read = len(self._signals)


def _idle(life: Life) -> bool:
    """A fixed reader out of service. A wand owes what it has recorded all the same."""
    return not life.enabled and not life.device.portable


def _explained(life: Life) -> bool:
    return life.suppressor is not None or life.link_down is not None
