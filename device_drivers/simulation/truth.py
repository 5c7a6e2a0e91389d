"""What is really so on the simulated estate: what burns, what sees, who walks how. The judge never sees this."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

import astral
import astral.sun
import msgspec

from device_drivers.simulation.estate import Estate, Lamp

Trouble = Literal[
    "lamp_dead",
    "lamp_stuck_on",
    "lamp_cycling",
    "lamp_dim",
    "lamp_reports",
    "circuit_dead",
    "circuit_stuck_on",
    "panel_dead",
    "sensor_silent",
    "sensor_stuck",
    "camera_dead",
    "camera_hangs",
    "video_lost",
    "painted",
    "frozen",
    "not_recording",
    "recorder_dead",
    "switch_dead",
    "reader_dead",
    "reader_mute",
    "reader_cut",
    "reader_forgets",
    "unplugged",
    "clock_off",
    "clock_drift",
    "clock_lost",
    "gateway_down",
    "link_down",
    "delayed",
    "doubled",
]
"""What can go wrong.

Lamps: broken; stuck on; on and off (every `value` s); dim (`value`: share of its light); reports a broken ballast. Circuits: tripped;
welded contactor. Panels: without current. Sensors: silent; stuck (at `value`). Cameras: without power (`value` 1: its last will says
so); service hangs while the network answers; no picture; painted, frozen (`value` 1: it says so itself); not recorded. Recorders,
switches: fallen. Readers: without power; reads nothing yet seems alive; cut off (keeps what it reads); forgets what it read;
its port is unplugged. Clocks: off by `value` s; drifting `value` s a day; back in the year 2000. The gateway: stopped;
without its broker. Messages of a device (`*`: all): up to `value` s late, in any order; delivered twice with chance `value`.
"""

TROUBLES: tuple[Trouble, ...] = get_args(Trouble)


class Mishap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something goes wrong with `subject`, from `since` until `until` (None: for good), in seconds since 1970, UTC."""

    kind: Trouble
    subject: str
    since: float
    until: float | None = None
    value: float = 0.0

    def covers(self, at: float) -> bool:
        """Whether it is wrong at a moment."""
        return self.since <= at and (self.until is None or at < self.until)

    def touches(self, first: float, last: float) -> bool:
        """Whether it is wrong at some moment between two."""
        return self.since <= last and (self.until is None or self.until > first)


class Conduct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a guard walks one round.

    Args:
        sleeps: not at all.
        late_s: later than meant (negative: earlier).
        skips: checkpoints left out.
        backwards: in reverse.
        guard: who really goes, if not who was sent.
        alone: nobody comes along to where two must tap.
        wand: what is carried, if not what was meant.
        no_login: does not hold the own card to the wand first.
        card: what is held to readers, if not the own card.
    """

    sleeps: bool = False
    late_s: float = 0.0
    skips: tuple[str, ...] = ()
    backwards: bool = False
    guard: str | None = None
    alone: bool = False
    wand: str | None = None
    no_login: bool = False
    card: str | None = None


class Truth:
    """The present state of everything that can fail, and all that ever failed.

    Args:
        estate: what stands there.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._lamps = {lamp.id: lamp for lamp in estate.lamps}
        self._nights: dict[date, tuple[datetime, datetime]] = {}
        self._standing: dict[tuple[Trouble, str], Mishap] = {}
        self.history: list[Mishap] = []
        """What has ended."""
        self.conduct: dict[str, Conduct] = {}
        """By the walk's id; others are walked as meant."""
        self.docked: dict[str, bool] = {}
        """Whether a wand is docked in the morning as it should; not named: it is."""
        self.seen: dict[str, datetime] = {}
        """When somebody last passed, by lamp."""
        self.told: dict[str, bool] = {}
        """What a commanded lamp was told, by lamp."""

    def begin(self, kind: Trouble, subject: str, now: datetime, value: float = 0.0) -> None:
        """Something breaks; what is broken already stays so."""
        begun = Mishap(kind=kind, subject=subject, since=now.timestamp(), value=value)
        self._standing.setdefault((kind, subject), begun)

    def end(self, kind: Trouble, subject: str, now: datetime) -> None:
        """It is mended."""
        if (begun := self._standing.pop((kind, subject), None)) is not None:
            self.history.append(msgspec.structs.replace(begun, until=now.timestamp()))

    def stands(self, kind: Trouble, subject: str | None) -> bool:
        """Whether something is broken now."""
        return (kind, subject) in self._standing

    def standing(self, kind: Trouble, subject: str) -> Mishap | None:
        """What is broken now, and since when."""
        return self._standing.get((kind, subject))

    def mishaps(self) -> list[Mishap]:
        """All that ever failed, also what still does, in order of time."""
        return sorted([*self.history, *self._standing.values()], key=lambda each: (each.since, each.kind, each.subject))

    def burns(self, lamp_id: str, now: datetime) -> bool:
        """Whether a lamp gives light."""
        lamp = self._lamps[lamp_id]
        if (
            self.stands("lamp_dead", lamp_id)
            or self.stands("circuit_dead", lamp.circuit)
            or self.stands("panel_dead", lamp.panel)
        ):
            return False
        if not (
            self.stands("lamp_stuck_on", lamp_id)
            or self.stands("circuit_stuck_on", lamp.circuit)
            or self.switched_on(lamp, now)
        ):
            return False
        flicker = self.standing("lamp_cycling", lamp_id)
        return flicker is None or int((now.timestamp() - flicker.since) / flicker.value) % 2 == 1

    def light(self, lamp_id: str, now: datetime) -> float:
        """How much light a lamp gives, as a share of what it should."""
        if not self.burns(lamp_id, now):
            return 0.0
        dim = self.standing("lamp_dim", lamp_id)
        return 1.0 if dim is None else dim.value

    def switched_on(self, lamp: Lamp, now: datetime) -> bool:
        """Whether it is told to burn."""
        if lamp.mode == "always":
            return True
        if lamp.mode == "motion":
            seen = self.seen.get(lamp.id)
            return seen is not None and now < seen + timedelta(seconds=lamp.hold_s)
        if lamp.mode == "commanded":
            return self.told.get(lamp.id, False)
        if lamp.mode == "times":
            second = now.hour * 3600 + now.minute * 60 + now.second
            if lamp.on_s <= lamp.off_s:
                return lamp.on_s <= second < lamp.off_s
            return second >= lamp.on_s or second < lamp.off_s
        day, offset = now.date(), timedelta(seconds=lamp.offset_s)
        return any(
            dusk + offset <= now < dawn - offset
            for dusk, dawn in (self._night(day - timedelta(1)), self._night(day), self._night(day + timedelta(1)))
        )

    def dark(self, now: datetime) -> bool:
        """Whether the sun is down."""
        day = now.date()
        return any(
            dusk <= now < dawn
            for dusk, dawn in (self._night(day - timedelta(1)), self._night(day), self._night(day + timedelta(1)))
        )

    def _night(self, day: date) -> tuple[datetime, datetime]:
        """From dusk of a UTC day to the next dawn."""
        if day not in self._nights:
            place = astral.Observer(self._estate.latitude, self._estate.longitude)
            dusk = astral.sun.sunset(place, day, tzinfo=UTC)
            dawn = next(
                rise
                for ahead in range(3)
                if (rise := astral.sun.sunrise(place, day + timedelta(ahead), tzinfo=UTC)) > dusk
            )
            self._nights[day] = (dusk, dawn)
        return self._nights[day]
