"""What a record of the wand says: a tag read, at the wand's own time."""

from __future__ import annotations

from collections.abc import Mapping

from device_drivers.driver import Reading, Reject
from device_drivers.fcard_wand.records import Card, Unreadable
from device_drivers.observations import TagRead


def said(device: str, people: Mapping[int, str], record: Card | Unreadable | None) -> list[Reading | Reject]:
    """A guard's card is a tag like any other: that it is a person's, the site knows.

    Args:
        device: the wand's id.
        people: the person of each staff number.
        record: as read; an empty place says nothing.
    """
    if record is None:
        return []
    if isinstance(record, Unreadable):
        return [Reject(record.data, record.reason)]
    person = people.get(record.staff)
    return [Reading(TagRead(device=device, at=record.at, tag=record.tag, method="wand", person=person))]
