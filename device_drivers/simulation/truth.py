"""What is really so on the simulated estate: what burns, what sees, who walks how. The judge never sees this."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import astral
import astral.sun
import msgspec

from device_drivers.simulation.estate import Estate, Lamp


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """How a guard walks one round: `late_s` later than meant, leaving out `skips`; `sleeps`: not at all."""

    sleeps: bool = False
    late_s: float = 0.0
    skips: tuple[str, ...] = ()


class Truth:
    """The present state of everything that can fail.

    Args:
        estate: what stands there.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._lamps = {lamp.id: lamp for lamp in estate.lamps}
        self._nights: dict[date, tuple[datetime, datetime]] = {}
        self.dead_lamps: set[str] = set()
        self.dead_circuits: set[str] = set()
        self.dead_cameras: set[str] = set()
        self.dead_recorders: set[str] = set()
        self.conduct: dict[str, Conduct] = {}
        """By the walk's id; others are walked as meant."""
        self.docked: dict[str, bool] = {}
        """Whether a wand is docked in the morning as it should; not named: it is."""

    def burns(self, lamp_id: str, now: datetime) -> bool:
        """Whether a lamp gives light."""
        lamp = self._lamps[lamp_id]
        broken = lamp_id in self.dead_lamps or lamp.circuit in self.dead_circuits
        return not broken and self.switched_on(lamp, now)

    def switched_on(self, lamp: Lamp, now: datetime) -> bool:
        """Whether it is told to burn."""
        if lamp.mode == "always":
            return True
        if lamp.mode == "times":
            second = now.hour * 3600 + now.minute * 60 + now.second
            if lamp.on_s <= lamp.off_s:
                return lamp.on_s <= second < lamp.off_s
            return second >= lamp.on_s or second < lamp.off_s
        day = now.date()
        return any(dusk <= now < dawn for dusk, dawn in (self._night(day - timedelta(1)), self._night(day)))

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
