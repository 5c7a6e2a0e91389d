"""What people say themselves: a call for help, an incident (spec: evidence.md, `panic` and `incident`).

Presence, never absence: nothing holds it back, not even that the site does not know the device. Each press of a button is told, also if the one before has been handled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import DAY, Instant, moment
from gateway.rules.findings import Found, Signal
from gateway.site.model import Site

PRESSED_LIMIT = 10_000
"""Buttons remembered; a device that the site does not know may call, too."""


class Calls:
    """Alerts `panic` (one a device) and `incident` (one a report)."""

    KINDS: ClassVar[frozenset[type]] = frozenset({seen.Panic, seen.Incident})

    def __init__(self, site: Site, found: Found) -> None:
        self._site = site
        self._found = found
        self._pressed: dict[str, Instant] = {}
        """When each button that is pressed was pressed last."""

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:
        """Take one call. Its own time counts unless it is in the future or more than a day old: then the clock is wrong."""
        device = self._site.devices.get(observation.device)
        name, place = observation.device, None if device is None else device.place
        raised = at if received - DAY <= at <= received else received
        match observation:
            case seen.Panic(active=True):
                self._pressed[name] = max(raised, self._pressed.pop(name, raised))
                if len(self._pressed) > PRESSED_LIMIT:
                    del self._pressed[next(iter(self._pressed))]
                self._tell(Signal(rule="panic", subject=name, action="raise", at=received, raised=raised, place=place))
            case seen.Panic() if raised < self._pressed.get(name, raised):
                pass  # of an earlier press: its call was overtaken by a later one
            case seen.Panic():
                self._pressed.pop(name, None)
                self._tell(Signal(rule="panic", subject=name, action="resolve", at=received, why="released"))
            case seen.Incident():
                checkpoint = self._site.checkpoints.get(observation.checkpoint or "")
                said = {"code": observation.code, "text": observation.text, "checkpoint": observation.checkpoint}
                number = "" if observation.seq is None else f"~{observation.seq}"  # a wand's clock has seconds
                self._tell(
                    Signal(
                        rule="incident",
                        subject=f"{name}@{moment(at, self._site.zone_info).isoformat()}{number}",
                        action="raise",
                        at=received,
                        raised=raised,
                        details={key: value for key, value in said.items() if value is not None},
                        place=place if checkpoint is None else checkpoint.place,
                    )
                )
            case _:
                return

    def _tell(self, signal: Signal) -> None:
        self._found.signals.append(signal)

    def advance(self, now: Instant) -> None:
        """Nothing here changes by time."""

    def deadline(self) -> Instant | None:
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """A call is not taken back by a restart."""

    def snapshot(self) -> Any:
        return dict(self._pressed)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        self._pressed = dict(state)
