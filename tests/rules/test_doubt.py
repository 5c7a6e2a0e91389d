"""A clock that stays in doubt is one gap: nothing is judged by it, silence goes on counting, and little is written."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, time
from typing import Any, Self

from gateway.instants import HOUR, MINUTE, moment
from gateway.judgement import Judgement
from gateway.site.model import RoundRule
from tests.rules.test_compensation import OWN, Garage, clock, estate

ROUNDS = (
    RoundRule(route="night", days=frozenset(range(7)), since=time(21), until=time(6), every=HOUR, lasts=30 * MINUTE),
)


class Doubted(Garage):
    """A garage with a round each hour, whose conditions are kept."""

    def __init__(self, *, reborn: bool = False) -> None:
        self.conditions: list[Any] = []
        super().__init__(estate(rounds=ROUNDS, own={"cp-a": OWN}), reborn=reborn)

    def _gather(self) -> Self:
        found = self.judgement.drain()
        self.notices += found.notices
        self.conditions += found.conditions
        return self

    def doubt(self, at: str) -> Self:
        self.to(at)
        self.judgement.restarted(self.now, self.now, "doubted")
        return self._gather()

    def believed(self, at: str) -> Self:
        self.to(at)
        self.judgement.restarted(self.now, self.now, "set")
        return self._gather()

    def rows(self, since: str, until: str) -> Counter[tuple[str, str, str]]:
        low, high = clock(since), clock(until)
        return Counter((row.kind, row.id, row.state) for row in self.conditions if low < row.found <= high)

    def verdicts(self) -> dict[str, str]:
        """Of each round of the night at cp-b, where nobody walks."""
        return {
            f"{each.start:%H:%M}": visit.verdict
            for each in self.judgement.engine.rounds.rounds()
            for visit in each.visits
            if visit.checkpoint == "cp-b" and each.start < moment(clock("06:30"), UTC)
        }

    def lamp(self) -> tuple[str, str | None]:
        lamp = self.judgement.engine.lighting.lamp("lamp-1")
        assert lamp is not None
        return lamp.state, lamp.cause

    def rules(self) -> set[str]:
        return {each.rule for each in self.judgement.alerts.alerts()}


def test_a_doubt_of_hours_is_one_gap_and_no_row_more_than_its_begin_and_end() -> None:
    garage = Doubted().doubt("22:10")
    begun = garage.rows("22:09", "22:10")
    assert begun["gateway", "", "down"] == 1
    assert begun["gateway", "", "up"] == 0
    assert begun["lamp", "lamp-1", "unknown"] == 1
    garage.to("02:10")
    assert [key for key in garage.rows("22:11", "02:10") if key[0] != "walk"] == []
    garage.believed("02:10").to("02:20")
    assert garage.rows("02:09", "02:20")["gateway", "", "up"] == 1
    assert garage.lamp() == ("ok", None)
    assert garage.judgement.engine.rounds.downs == [(clock("22:10"), clock("02:10"))]


def test_nobody_missed_anything_in_it_and_after_it_again() -> None:
    garage = Doubted().doubt("22:10").believed("02:10").to("05:30")
    garage.judgement.advance(clock("+1 11:30"))  # by then what a reader has not handed in is waited for no longer
    found = garage.verdicts()
    assert {found[f"{hour:02}:00"] for hour in (22, 23, 0, 1, 2)} == {"unverifiable"}
    assert {found[f"{hour:02}:00"] for hour in (3, 4)} == {"missed"}
    assert [subject for subject, _ in garage.exceeded()] == ["cp-a@2026-11-23T02:10:00+00:00"]
    [exceeded] = [each for gap in garage.windows() for each in gap.exceedances]
    assert f"{exceeded.since:%H:%M}" >= "02:10"


def test_what_should_burn_is_not_known_then() -> None:
    garage = Doubted().doubt("22:10").dark().to("00:10")
    assert garage.lamp() == ("unknown", "gateway_down")
    assert not garage.rules() & {"lamp_failure", "circuit_fault"}
    garage.believed("00:10").to("01:10")
    assert "circuit_fault" in garage.rules()


def test_silence_goes_by_the_time_that_is_lived_through() -> None:
    garage = Doubted().doubt("22:10").to("22:30")
    garage.quiet.add("cam-2")
    garage.to("22:50")
    view = garage.judgement.engine.devices.device("cam-2")
    assert view is not None
    assert view.state == "offline"
    assert "zone_blind" in garage.rules() or "camera_offline" in garage.rules() or "device_offline" in garage.rules()
    view = garage.judgement.engine.devices.device("cam-1")
    assert view is not None
    assert view.state == "ok"


def test_a_snapshot_in_the_midst_of_it_changes_nothing() -> None:
    plain, reborn = (
        Doubted(reborn=reborn).doubt("22:10").dark().to("23:00").believed("23:30").to("01:00")
        for reborn in (False, True)
    )
    assert plain.verdicts() == reborn.verdicts()
    assert plain.lamp() == reborn.lamp()
    assert sorted(each.key for each in plain.notices) == sorted(each.key for each in reborn.notices)


def test_a_start_with_a_clock_that_is_right_ends_it() -> None:
    garage = Doubted().doubt("22:10").to("23:00")
    state = garage.judgement.snapshot()
    garage.judgement = Judgement(garage.site, clock("21:00"))
    garage.judgement.restore(state)
    garage.down_until("23:20")
    assert garage.judgement.engine.rounds.downs == [(clock("22:10"), clock("23:20"))]
    garage.to("23:40")
    assert garage.lamp() == ("ok", None)
