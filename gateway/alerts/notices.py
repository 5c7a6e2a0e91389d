"""Who is told what of an alert, and in which words; what each of them has heard, so that he hears of its end and of what is withdrawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.alerts import wording
from gateway.alerts.alert import Notice
from gateway.alerts.case import Case
from gateway.alerts.catalogue import accused
from gateway.alerts.grouping import Group
from gateway.instants import Instant
from gateway.site.model import Site


class Notices:
    """Makes the notices of all alerts of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._feeders = _feeders(site)
        self._groups: dict[str, Group] = {}
        """By policy."""
        self._made: list[Notice] = []

    def tell(
        self,
        case: Case,
        at: Instant,
        kind: wording.NoticeKind,
        contacts: tuple[str, ...],
        withdrawn: tuple[str, ...] = (),
    ) -> None:
        """Tell contacts of an alert. `withdrawn`: of a `corrected` notice, what it no longer names."""
        if not contacts:
            return
        case.tellings += 1
        case.last_told, case.told_at = list(contacts), at
        alert = case.alert
        named = accused(alert.rule, alert.details)
        cause = kind in {"raised", "escalated"} and alert.subject in self._feeders
        due = self._groups.setdefault(case.policy or "", Group()).due(at, alert.severity, cause=cause)
        texts: dict[wording.Language, tuple[str, str]] = {}
        for contact in dict.fromkeys(contacts):
            language = wording.language_of(self._site, contact)
            if language not in texts:
                title = wording.notice_title(self._site, alert, kind, language)
                texts[language] = (title, wording.notice_body(self._site, alert, kind, language, withdrawn))
            title, body = texts[language]
            key = f"{alert.id}/{kind}/{case.tellings}/{contact}"
            self._made.append(
                Notice(key=key, at=at, contact=contact, alert=alert.id, kind=kind, due=due, title=title, body=body)
            )
            if named:
                case.hears_of(contact, named)
            if contact not in case.told:
                case.told.append(contact)
            if contact not in case.standing:
                case.standing.append(contact)

    def tell_end(self, case: Case, at: Instant, kind: wording.NoticeKind) -> None:
        """Tell those who were told since it was last opened."""
        self.tell(case, at, kind, tuple(case.standing))
        case.standing.clear()

    def tell_withdrawn(self, case: Case, at: Instant, withdrawn: Mapping[str, tuple[str, ...]]) -> None:
        """Tell all who were told of more than what stands now, each what he was told."""
        standing = list(case.standing)
        for names in dict.fromkeys(withdrawn.values()):
            self.tell(case, at, "corrected", tuple(each for each, own in withdrawn.items() if own == names), names)
        case.standing = standing

    def drain(self) -> list[Notice]:
        """Notices since the last call."""
        found, self._made = self._made, []
        return found

    def snapshot(self) -> Any:
        return msgspec.to_builtins(self._groups)

    def restore(self, state: Any) -> None:
        """Take up a snapshot."""
        self._groups = msgspec.convert(state, dict[str, Group])


def withdrawn_from(case: Case, details: Mapping[str, wording.Detail]) -> dict[str, tuple[str, ...]]:
    """Of each contact, whom or what he was told to be at fault, and `details` no longer names."""
    stands = Counter(accused(case.alert.rule, details))
    found = {contact: tuple((Counter(case.heard_of(contact)) - stands).elements()) for contact in case.told}
    return {contact: names for contact, names in found.items() if names}


def _feeders(site: Site) -> frozenset[str]:
    """What others hang from: panels, switches, recorders, circuits. A fault of one of them is the cause of many."""
    named = {above for each in site.devices.values() for above in each.parents}
    named |= {above for each in site.parents.values() for above in each.parents}
    panels = {circuit.panel for circuit in site.circuits.values() if circuit.panel is not None}
    return frozenset({*named, *panels, *site.circuits, *site.parents})
