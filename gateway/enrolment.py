"""What was enrolled while the gateway ran: the journal's rows of it, and the site as it is with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.journal.reader import PERSONS, Reader
from gateway.site.enrolments import Enrolment, Kind, NotEnrolled, added, enrol, subject_of, take
from gateway.site.model import Site

_decode = msgspec.json.Decoder(Enrolment).decode


class PersonName(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is called: the body of a row of `personal`."""

    name: str


class Enrolments:
    """The enrolments of one site. The site that is given is changed: from now on it has them.

    Args:
        site: as its file says; all who hold it see what is enrolled.
        bodies: of the journal's rows that count.
        names: what enrolled persons are called, by id, as the journal has it.
    """

    def __init__(self, site: Site, bodies: Sequence[bytes], names: Mapping[str, bytes]) -> None:
        self._site = site
        self._filed = msgspec.structs.replace(site)
        self.counting: dict[tuple[str, str], Enrolment] = {}
        for body in bodies:
            each = _decode(body)
            self.counting[subject_of(each)] = each
        self.names = {person: msgspec.json.decode(body, type=PersonName).name for person, body in names.items()}
        self.left_out: tuple[str, ...] = ()
        self._renew()

    def site_with(self, wanted: Enrolment | tuple[Kind, str]) -> Site:
        """The site as it would be.

        Raises:
            NotEnrolled: it contradicts the site, or there is nothing to withdraw.
        """
        return enrol(self._filed, list(self._with(wanted).values()), self.names).site

    def take(self, wanted: Enrolment | tuple[Kind, str], name: str | None = None) -> None:
        """Change the site; of a person who is withdrawn the name is forgotten.

        Raises:
            NotEnrolled: as `site_with`.
        """
        self.counting = self._with(wanted)
        if isinstance(wanted, tuple) and wanted[0] == "person":
            self.names.pop(wanted[1], None)
        elif name is not None:
            self.names[wanted[1] if isinstance(wanted, tuple) else subject_of(wanted)[1]] = name
        self._renew()

    def _with(self, wanted: Enrolment | tuple[Kind, str]) -> dict[tuple[str, str], Enrolment]:
        if isinstance(wanted, tuple):
            if wanted not in self.counting:
                raise NotEnrolled(
                    f"the {wanted[0]} {wanted[1]} was not enrolled here; what the site file says is changed there"
                )
            return {subject: each for subject, each in self.counting.items() if subject != wanted}
        subject = subject_of(wanted)
        others = {known: each for known, each in self.counting.items() if known != subject}
        added(enrol(self._filed, list(others.values()), self.names).site, wanted)
        return {**others, subject: wanted}

    def _renew(self) -> None:
        enrolled = enrol(self._filed, list(self.counting.values()), self.names)
        self.left_out = enrolled.left_out
        take(self._site, enrolled.site)


def enrolled_site(site: Site, reader: Reader) -> Site:
    """Another site: as its file says, with what counts of a journal's enrolments. The one that is given stays as it is."""
    found = msgspec.structs.replace(site)
    Enrolments(found, *reader.enrolments())
    return found


def name_row(person: str, name: str, now: Instant) -> tuple[str, tuple[Any, ...]]:
    """The statement that keeps what an enrolled person is called."""
    body = msgspec.json.encode(PersonName(name=name))
    return "INSERT OR REPLACE INTO personal VALUES (?, ?, ?)", (PERSONS + person, now, body)


def name_gone(person: str) -> tuple[str, tuple[Any, ...]]:
    """The statement that erases what a person was called."""
    return "UPDATE personal SET body = NULL WHERE key = ?", (PERSONS + person,)


def enrolment_row(wanted: Enrolment | tuple[Kind, str], by: str, now: Instant) -> tuple[str, tuple[Any, ...]]:
    """The statement that keeps an enrolment or a withdrawal."""
    kind, subject = wanted if isinstance(wanted, tuple) else subject_of(wanted)
    body = None if isinstance(wanted, tuple) else msgspec.json.encode(wanted)
    return "INSERT INTO enrolment (at, by, kind, subject, body) VALUES (?, ?, ?, ?, ?)", (now, by, kind, subject, body)
