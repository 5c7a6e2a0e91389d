"""People, tags and phones that are enrolled while the gateway runs, on top of what the site file says.

The site file seeds; an enrolment adds (spec/site.md). What the file says itself stands: an enrolment that says otherwise than a newer
site file is left out, with a remark. Pure: a site and a list go in, another site comes out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec

from gateway.site.model import Device, Person, Site
from gateway.site.tags import TagIndex

Kind = Literal["person", "tag", "phone"]

_ID = re.compile(r"[\w.-]{1,64}")
_TAG = re.compile(r"(?:[0-9A-F]{2}){3,32}")
PHONE_DRIVER = "phone"


class EnrolPerson(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="person"):
    """A person. What he is called is held apart, in the journal's table `personal` under `person/ID`, so that it can be erased."""

    id: str
    roles: tuple[str, ...] = ("guard",)


class EnrolTag(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="tag"):
    """A tag, upper-case hexadecimal, of a person or on the wall of a checkpoint: exactly one of the two."""

    tag: str
    person: str | None = None
    checkpoint: str | None = None


class EnrolPhone(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="phone"):
    """A guard's phone: a portable reader, made by its log-in (spec/rounds.md)."""

    device: str
    person: str


Enrolment = EnrolPerson | EnrolTag | EnrolPhone


class NotEnrolled(Exception):  # noqa: N818
    """An enrolment that cannot be; the text says why and what to do."""


class Enrolled(msgspec.Struct, frozen=True):
    """A site with enrolments, and what of them was left out, in words."""

    site: Site
    left_out: tuple[str, ...]


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """What an enrolment or a withdrawal would change of what has been judged: revisions, and transitions of alerts, in their JSON shapes."""

    revisions: tuple[Mapping[str, Any], ...]
    transitions: tuple[Mapping[str, Any], ...]


def take(site: Site, other: Site) -> None:
    """Let a site that many hold have the people, checkpoints, devices and digest of `other`.

    The model is immutable but for this: whoever holds the site sees at once who is enrolled. The judge makes its own tables of it, so it is
    made anew at the same moment (`Judgement.resite`).
    """
    for name in ("people", "checkpoints", "devices", "digest"):
        msgspec.structs.force_setattr(site, name, getattr(other, name))


def subject_of(enrolment: Enrolment) -> tuple[Kind, str]:
    """What an enrolment is about; a later one of the same subject takes its place."""
    match enrolment:
        case EnrolPerson():
            return "person", enrolment.id
        case EnrolTag():
            return "tag", enrolment.tag
        case EnrolPhone():
            return "phone", enrolment.device


def enrol(site: Site, enrolments: Sequence[Enrolment], names: dict[str, str] | None = None) -> Enrolled:
    """The site with these enrolments, persons first.

    Args:
        site: as its file says.
        enrolments: those that count, one a subject.
        names: what enrolled persons are called, by id; without a name a person is called by the id.

    Returns:
        Another `Site`; its digest says what was enrolled, that of a site without enrolments is as before.
    """
    left_out: list[str] = []
    done: list[Enrolment] = []
    found = site
    order = ("person", "tag", "phone")
    for each in sorted(enrolments, key=lambda one: (order.index(subject_of(one)[0]), subject_of(one)[1])):
        try:
            found = added(found, each, (names or {}).get(each.id) if isinstance(each, EnrolPerson) else None)
        except NotEnrolled as error:
            left_out.append(str(error))
        else:
            done.append(each)
    if done:
        said = msgspec.json.encode([site.digest, *done])
        found = msgspec.structs.replace(found, digest=sha256(said).hexdigest())
    return Enrolled(found, tuple(left_out))


def added(site: Site, enrolment: Enrolment, name: str | None = None) -> Site:
    """The site with one more; its digest is left as it is.

    Raises:
        NotEnrolled: it contradicts the site.
    """
    match enrolment:
        case EnrolPerson():
            return _with_person(site, enrolment, name)
        case EnrolTag():
            return _with_tag(site, enrolment)
        case EnrolPhone():
            return _with_phone(site, enrolment)


def _with_person(site: Site, said: EnrolPerson, name: str | None) -> Site:
    if not _ID.fullmatch(said.id):
        raise NotEnrolled(f"{said.id!r} cannot be a person's id: 1 to 64 letters, digits or . _ -")
    if said.id in site.people:
        raise NotEnrolled(f"there is a person {said.id} already")
    person = Person(id=said.id, name=name or said.id, roles=said.roles)
    return msgspec.structs.replace(site, people={**site.people, said.id: person})


def _with_tag(site: Site, said: EnrolTag) -> Site:
    if not _TAG.fullmatch(said.tag):
        raise NotEnrolled(f"{said.tag!r} is no tag: 3 to 32 bytes in upper-case hexadecimal are expected")
    if (said.person is None) == (said.checkpoint is None):
        raise NotEnrolled(f"tag {said.tag}: a person or a checkpoint is expected, not both and not neither")
    owners = [(tag, f"the person {each.id}") for each in site.people.values() for tag in each.tags]
    owners += [(tag, f"the checkpoint {each.id}") for each in site.checkpoints.values() for tag in each.tags]
    if (owner := TagIndex(owners).find(said.tag)) is not None:
        raise NotEnrolled(f"tag {said.tag} is enrolled already: it belongs to {owner}")
    if said.person is not None:
        person = site.people.get(said.person)
        if person is None:
            raise NotEnrolled(f"tag {said.tag}: there is no person {said.person}")
        person = msgspec.structs.replace(person, tags=(*person.tags, said.tag))
        return msgspec.structs.replace(site, people={**site.people, person.id: person})
    checkpoint = site.checkpoints.get(said.checkpoint or "")
    if checkpoint is None:
        raise NotEnrolled(f"tag {said.tag}: there is no checkpoint {said.checkpoint}")
    checkpoint = msgspec.structs.replace(checkpoint, tags=(*checkpoint.tags, said.tag))
    return msgspec.structs.replace(site, checkpoints={**site.checkpoints, checkpoint.id: checkpoint})


def _with_phone(site: Site, said: EnrolPhone) -> Site:
    if not _ID.fullmatch(said.device):
        raise NotEnrolled(f"{said.device!r} cannot be a device's id: 1 to 64 letters, digits or . _ -")
    if said.person not in site.people:
        raise NotEnrolled(f"phone {said.device}: there is no person {said.person}")
    if said.device in site.devices:
        raise NotEnrolled(f"there is a device {said.device} already")
    phone = Device(
        id=said.device,
        driver=PHONE_DRIVER,
        kind="phone",
        portable=True,
        own_clock=True,
        sends_seq=True,
        settings={"person": said.person},
    )
    return msgspec.structs.replace(site, devices={**site.devices, phone.id: phone})
