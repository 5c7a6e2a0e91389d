"""Whoever and whatever is enrolled in the middle of a night is judged as if it had been so from its beginning."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.instants import HOUR
from gateway.site.model import Site
from gateway.site.model import Visit as Stop
from tests.rules.test_rounds_properties import SITE, START, nights, shown
from tests.rules.walk import CARDS, ROOF, YARD, Fed, Walk


def without(people: frozenset[str], tags: frozenset[str]) -> Site:
    """The estate before these people, and the tags of these people and checkpoints, were enrolled."""
    replace: Any = msgspec.structs.replace
    staff = {
        name: replace(person, tags=() if name in tags else person.tags)
        for name, person in SITE.people.items()
        if name not in people
    }
    points = {name: replace(point, tags=() if name in tags else point.tags) for name, point in SITE.checkpoints.items()}
    return replace(SITE, people=staff, checkpoints=points, digest=f"before {sorted(people)} {sorted(tags)}")


def judged(feds: list[Fed], sites: dict[int, Site], first: Site) -> Walk:
    """The night in the order of receipt, by another site from before the given observations on."""
    walk = Walk(first, started="21:00")
    for index, (observation, at, received) in enumerate(sorted(feds, key=lambda fed: fed[2])):
        if index in sites:
            walk.advance(received)
            walk.reborn(sites[index])
        walk.feed(observation, at, received)
    end = START + 26 * HOUR
    walk.advance(end)
    if len(feds) in sites:
        walk.reborn(sites[len(feds)])
    walk.rules.flush(end)
    return walk


@settings(max_examples=30, deadline=None)
@given(
    feds=nights(),
    people=st.frozensets(st.sampled_from([*CARDS]), max_size=2),
    tags=st.frozensets(st.sampled_from([*CARDS, ROOF, YARD]), max_size=3),
    moments=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_enrolled_at_any_moment_is_enrolled_from_the_beginning(
    feds: list[Fed], people: frozenset[str], tags: frozenset[str], moments: tuple[int, int]
) -> None:
    first, second = sorted(min(each, len(feds)) for each in moments)
    sites = {first: without(frozenset(), tags)} | {second: SITE}
    whole = judged(feds, {}, SITE)
    assert shown(judged(feds, sites, without(people, tags))) == shown(whole)
    withdrawn = {first: SITE} | {second: without(people, tags)}
    assert shown(judged(feds, withdrawn, SITE)) == shown(judged(feds, {}, without(people, tags)))


def test_a_checkpoint_whose_first_tag_is_enrolled_later_waits_for_the_wand_from_the_beginning() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)}, checkpoints={ROOF: {"tags": ()}})
    walk.until("23:50")
    assert walk.verdict() == "pending"
