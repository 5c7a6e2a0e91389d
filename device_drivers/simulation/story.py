"""What goes wrong: in the seven nights before, and in the ten minutes of the live part. Scripts over the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from device_drivers.simulation.estate import Walk
from device_drivers.simulation.truth import Conduct, Truth
from device_drivers.simulation.world import World

DOCKING = timedelta(hours=8, minutes=30)
"""After the first start of a night, at 06:30, the captain docks the wands."""


def nights(walks: Sequence[Walk]) -> list[list[Walk]]:
    """Walks by night: a pause of six hours begins another."""
    found: list[list[Walk]] = []
    for walk in sorted(walks, key=lambda each: each.start):
        if not found or walk.start - found[-1][-1].start > 6 * 3600:
            found.append([])
        found[-1].append(walk)
    return found


def tell_history(world: World, walks: Sequence[Walk]) -> None:
    """The nights before: each has one thing wrong, in this order, as far as the estate has what it takes.

    A round slept through, a guard nine minutes late, a wand handed in a day late, a lamp dead for a night, a circuit
    tripped, a camera without picture; the last night is in order.
    """
    estate, truth = world.estate, world.truth
    world.walk(walks)
    by_night = nights(walks)
    for wand in estate.wands:
        world.dock(world.now + timedelta(hours=1), wand.id)
    for night in by_night:
        start = datetime.fromtimestamp(night[0].start, UTC)
        for wand in estate.wands:
            world.dock(start + DOCKING, wand.id)
    for number, night in enumerate(by_night[-7:]):
        start = datetime.fromtimestamp(night[0].start, UTC)
        hour = timedelta(hours=1)
        match number:
            case 0:
                truth.conduct[night[len(night) // 2].id] = Conduct(sleeps=True)
            case 1:
                truth.conduct[night[1 % len(night)].id] = Conduct(late_s=9 * 60)
            case 3 if estate.lamps:
                lamp = estate.lamps[0].id
                world.change(start - 2 * hour, lambda now, lamp=lamp: now.dead_lamps.add(lamp))  # type: ignore[misc]
                world.change(start + 17 * hour, lambda now, lamp=lamp: now.dead_lamps.discard(lamp))  # type: ignore[misc]
            case 4 if circuits := sorted({lamp.circuit for lamp in estate.lamps if lamp.circuit}):
                circuit = circuits[-1]
                world.change(start + hour / 2, lambda now, name=circuit: now.dead_circuits.add(name))  # type: ignore[misc]
                world.change(start + 3 * hour, lambda now, name=circuit: now.dead_circuits.discard(name))  # type: ignore[misc]
            case 5 if estate.recorders:
                camera = estate.recorders[0].cameras[-1]
                world.change(start + 3 * hour, lambda now, name=camera: now.dead_cameras.add(name))  # type: ignore[misc]
                world.change(start + 4 * hour, lambda now, name=camera: now.dead_cameras.discard(name))  # type: ignore[misc]
            case 2 if estate.wands:
                left_out = estate.wands[0].id
                world.change(start + DOCKING - hour, lambda now, name=left_out: now.docked.update({name: False}))  # type: ignore[misc]
                world.change(start + 24 * hour, lambda now, name=left_out: now.docked.update({name: True}))  # type: ignore[misc]
                world.dock(start + 34 * hour, left_out)
            case _:
                pass


STORY_S = 600.0
"""The length of the live story; then it is told again."""


def tell_live(world: World, walks: Sequence[Walk], start: datetime) -> list[tuple[float, str]]:
    """Ten minutes: a round walked, a checkpoint skipped, a lamp failing and repaired, a camera and then its recorder.

    Args:
        world: the running estate.
        walks: the short rounds of these ten minutes, in order of time.
        start: when the story begins.

    Returns:
        What happens when, in seconds from the start, for the person who watches.
    """
    estate = world.estate
    world.walk(walks)
    told: list[tuple[float, str]] = []

    def tell(after_s: float, text: str) -> datetime:
        told.append((after_s, text))
        return start + timedelta(seconds=after_s)

    coming = [walk for walk in walks if walk.start >= start.timestamp()]
    for turn, walk in enumerate(coming):
        after_s = walk.start - start.timestamp()
        if turn == 1 and len(walk.stops) > 1:
            skipped = walk.stops[len(walk.stops) // 2].checkpoint
            world.truth.conduct[walk.id] = Conduct(skips=(skipped,))
            tell(after_s, f"round {walk.id}: the guard leaves out {skipped}")
        else:
            tell(after_s, f"round {walk.id} is walked")
    always = [lamp for lamp in estate.lamps if lamp.mode == "always"]
    if always:
        lamp = always[0].id
        world.change(tell(45, f"lamp {lamp} fails"), lambda truth: truth.dead_lamps.add(lamp))
        world.change(tell(240, f"lamp {lamp} is repaired"), lambda truth: truth.dead_lamps.discard(lamp))
    if estate.recorders:
        recorder = estate.recorders[0]
        camera = recorder.cameras[0]
        world.change(tell(90, f"camera {camera} loses its picture"), lambda truth: truth.dead_cameras.add(camera))
        fall = tell(300, f"recorder {recorder.id} falls, and all its cameras with it")
        world.change(fall, lambda truth: truth.dead_recorders.add(recorder.id))
        world.at(fall, lambda now: world.announce(recorder, False, now))
        back = tell(420, f"recorder {recorder.id} and camera {camera} are back: all is in order")

        def mend(truth: Truth) -> None:
            truth.dead_recorders.discard(recorder.id)
            truth.dead_cameras.discard(camera)

        world.change(back, mend)
        world.at(back, lambda now: world.announce(recorder, True, now))
    return sorted(told)
