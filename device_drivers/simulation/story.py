"""What goes wrong: in the seven nights before, and in the ten minutes of the live part. Scripts over the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from device_drivers.simulation.estate import Walk
from device_drivers.simulation.truth import Conduct, Truth
from device_drivers.simulation.world import World

DOCKING = timedelta(hours=8, minutes=30)
"""After the first start of a night, at 06:30, the captain docks the wands."""


NEW_CARD = "00C3A1F4"
"""A card that no site file names: 0012820980 is printed on it."""


_PAUSE_S = 6 * 3600


def nights(walks: Sequence[Walk]) -> list[list[Walk]]:
    """Walks by night: a pause of six hours begins another."""
    found: list[list[Walk]] = []
    for walk in sorted(walks, key=lambda each: each.start):
        if not found or walk.start - found[-1][-1].start > _PAUSE_S:
            found.append([])
        found[-1].append(walk)
    return found


def tell_history(world: World, walks: Sequence[Walk], until: datetime) -> None:
    """The nights that are over by `until`: of the last seven each has one thing wrong, in this order, as far as the estate has what it takes.

    A round slept through, a guard nine minutes late, a wand handed in a day late, a lamp dead for a night, a circuit
    tripped, a camera without picture; in the last night a guard carries a card that nobody has enrolled yet.
    """
    estate, truth = world.estate, world.truth
    world.walk(walks)
    by_night = nights(walks)
    over = [night for night in by_night if night[-1].start + _PAUSE_S <= until.timestamp()]
    for wand in estate.wands:
        world.dock(world.now + timedelta(hours=1), wand.id)
    for night in by_night:
        start = datetime.fromtimestamp(night[0].start, UTC)
        for wand in estate.wands:
            world.dock(start + DOCKING, wand.id)
    for number, night in enumerate(over[-7:]):
        start = datetime.fromtimestamp(night[0].start, UTC)
        hour = timedelta(hours=1)
        match number:
            case 0:
                truth.conduct[night[len(night) // 2].id] = Conduct(sleeps=True)
            case 1:
                truth.conduct[night[1 % len(night)].id] = Conduct(late_s=9 * 60)
            case 3 if estate.lamps:
                lamp = estate.lamps[0].id
                world.change(start - 2 * hour, lambda truth, now, lamp=lamp: truth.begin("lamp_dead", lamp, now))  # type: ignore[misc]
                world.change(start + 17 * hour, lambda truth, now, lamp=lamp: truth.end("lamp_dead", lamp, now))  # type: ignore[misc]
            case 4 if circuits := sorted({lamp.circuit for lamp in estate.lamps if lamp.circuit}):
                circuit = circuits[-1]
                world.change(start + hour / 2, lambda truth, now, name=circuit: truth.begin("circuit_dead", name, now))  # type: ignore[misc]
                world.change(start + 3 * hour, lambda truth, now, name=circuit: truth.end("circuit_dead", name, now))  # type: ignore[misc]
            case 5 if estate.recorders:
                camera = estate.recorders[0].cameras[-1]
                world.change(start + 3 * hour, lambda truth, now, name=camera: truth.begin("video_lost", name, now))  # type: ignore[misc]
                world.change(start + 4 * hour, lambda truth, now, name=camera: truth.end("video_lost", name, now))  # type: ignore[misc]
            case 2 if estate.wands:
                left_out = estate.wands[0].id
                world.change(start + DOCKING - hour, lambda truth, _, name=left_out: truth.docked.update({name: False}))  # type: ignore[misc]
                world.change(start + 24 * hour, lambda truth, _, name=left_out: truth.docked.update({name: True}))  # type: ignore[misc]
                world.dock(start + 34 * hour, left_out)
            case 6:
                truth.conduct[night[len(night) // 2].id] = Conduct(card=NEW_CARD)
            case _:
                pass


STORY_S = 600.0
"""The length of the live story; then it is told again."""

ROUND_EVERY_S = 300
"""The live rounds: one begins with the story, one in its middle, each for `ROUND_LASTS_S`."""
ROUND_LASTS_S = 180
FIRST_STOP_S = 15
STOP_EVERY_S = 40
"""Slow enough to watch the guard go from one checkpoint to the next."""

LAMP_FAILS_S = 30
PICTURE_LOST_S = 120
MENDED_S = 240
RECORDER_FALLS_S = 480
RECORDER_BACK_S = 570
"""Apart enough that a person who watches sees each alert come and go before the next one comes."""


def tell_live(world: World, walks: Sequence[Walk], start: datetime) -> list[tuple[float, str]]:
    """Ten minutes: a round walked, a lamp and a camera failing and mended, a checkpoint left out, a recorder's fall.

    Args:
        world: the running estate.
        walks: the live rounds of these ten minutes, in order of time.
        start: when the story begins; what should have happened already happens at once.

    Returns:
        What happens when, in seconds from the start, for the person who watches.
    """
    world.walk(walks)
    told = _tell_walks(world, walks, start)

    def tell(after_s: float, text: str, change: Callable[[Truth, datetime], None]) -> datetime:
        told.append((after_s, text))
        when = start + timedelta(seconds=after_s)
        world.change(when, change)
        return when

    if always := [lamp.id for lamp in world.estate.lamps if lamp.mode == "always"]:
        lamp = always[0]
        tell(
            LAMP_FAILS_S,
            f"lamp {lamp} fails; its alert follows a minute later",
            lambda truth, now: truth.begin("lamp_dead", lamp, now),
        )
        tell(MENDED_S, f"lamp {lamp} is repaired: its alert ends", lambda truth, now: truth.end("lamp_dead", lamp, now))
    if world.estate.recorders:
        recorder = world.estate.recorders[0]
        camera, below = recorder.cameras[0], len(recorder.cameras)
        lost = f"camera {camera} loses its picture; its alert follows half a minute later"
        tell(PICTURE_LOST_S, lost, lambda truth, now: truth.begin("video_lost", camera, now))
        tell(
            MENDED_S, f"camera {camera} has its picture again", lambda truth, now: truth.end("video_lost", camera, now)
        )
        falls = f"recorder {recorder.id} falls, and its {below} cameras with it: one alert half a minute later"
        fall = tell(RECORDER_FALLS_S, falls, lambda truth, now: truth.begin("recorder_dead", recorder.id, now))
        world.at(fall, lambda now: world.announce(recorder, False, now))
        back = tell(
            RECORDER_BACK_S,
            f"recorder {recorder.id} is back",
            lambda truth, now: truth.end("recorder_dead", recorder.id, now),
        )
        world.at(back, lambda now: world.announce(recorder, True, now))
    return sorted(told)


def _tell_walks(world: World, walks: Sequence[Walk], start: datetime) -> list[tuple[float, str]]:
    """The first round is walked; of the second a checkpoint is left out, in the middle."""
    told = []
    for turn, walk in enumerate(each for each in walks if each.start >= start.timestamp()):
        text = "a round is walked, checkpoint by checkpoint"
        if turn == 1 and len(walk.stops) > 1:
            skipped = walk.stops[len(walk.stops) // 2].checkpoint
            world.truth.conduct[walk.id] = Conduct(skips=(skipped,))
            text = f"a round is walked, but the guard leaves out {skipped}"
        told.append((walk.start - start.timestamp(), text))
    return told
