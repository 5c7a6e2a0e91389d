"""What things are called on the screen."""

from __future__ import annotations

from api.console.languages import Language, say
from gateway.alerts import wording
from gateway.site.model import Site


def place_name(site: Site, place_id: str | None) -> str:
    """A place as alerts name it."""
    return wording.place_name(site, place_id) if place_id else ""


def building_of(place_id: str) -> str:
    """The top of the place tree above a place."""
    return place_id.partition("/")[0]


def checkpoint_name(site: Site, checkpoint_id: str) -> str:
    """A checkpoint as people call it: its place; its id, if the place holds several."""
    checkpoint = site.checkpoints.get(checkpoint_id)
    if checkpoint is None:
        return checkpoint_id
    name = place_name(site, checkpoint.place)
    shared = sum(other.place == checkpoint.place for other in site.checkpoints.values()) > 1
    return f"{name} {checkpoint_id}" if shared or not name else name


def route_name(site: Site, route_id: str) -> str:
    """A route as people call it; its id where it has no name, or is no longer in the site."""
    route = site.routes.get(route_id)
    return route_id if route is None else route.name or route_id


def shift_name(site: Site, shift_id: str) -> str:
    """A shift as people call it; its id where it has no name, or is no longer in the site."""
    shift = site.shifts.get(shift_id)
    return shift_id if shift is None else shift.name or shift_id


def thing_name(site: Site, thing: str) -> str:
    """A circuit, or what feeds others, by the name that the site file gives it; anything else by its id."""
    return wording.given_name(site, thing) or thing


def subject_name(site: Site, subject: str | None, language: Language) -> str:
    """A thing that lies nowhere by its name, else with what it is, since its id alone says little: `回路 c-towers`."""
    if subject is not None and (given := wording.given_name(site, subject)):
        return given
    kind = "lights.circuit" if subject in site.circuits else "lamp.device" if subject in site.devices else None
    return f"{say(language, kind)} {subject}" if kind is not None else subject or ""


def person_name(site: Site, person_id: str | None, *, named: bool) -> str | None:
    """A person's name for those who may know it, else the id."""
    if person_id is None:
        return None
    person = site.people.get(person_id)
    return person.name if named and person is not None else person_id
