"""Roles and rights as one table. A route names the right it needs; a role that is not in that right's row is refused."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "guard", "maintenance", "operator", "manager", "admin"]
Right = Literal[
    "rounds",
    "estate",
    "alerts",
    "handle",
    "arrange",
    "evidence",
    "health",
    "names",
    "tags",
    "enrol",
    "accounts",
    "admit",
    "self",
    "audit",
    "erase",
    "attest",
    "notify",
    "checks",
    "score",
    "assess",
    "patrol",
]

ROLES: tuple[Role, ...] = get_args(Role)

_ALL: frozenset[Role] = frozenset(ROLES)
_STAFF: frozenset[Role] = frozenset({"maintenance", "operator", "manager", "admin"})

RIGHTS: dict[Right, frozenset[Role]] = {
    "rounds": _ALL,  # the site, its places, rounds and gaps; a guard may see how he is judged
    "estate": _STAFF | {"viewer"},  # devices, lamps, circuits, cameras, zones
    "alerts": _STAFF | {"viewer"},
    "handle": _STAFF,  # acknowledge, start, resolve, close, comment; take devices out of service
    "arrange": frozenset({"operator", "manager", "admin"}),  # silences, planned work, who stands in tonight
    "evidence": _STAFF,  # observations and quarantine
    "health": _STAFF,  # readiness, metrics
    "names": frozenset({"operator", "manager", "admin"}),  # people's names: who needs them to send somebody
    "tags": frozenset({"admin"}),  # a tag's number is enough to copy it
    "enrol": frozenset({"manager", "admin"}),  # people and tags; sees the numbers of unknown tags, to tell them apart
    "attest": frozenset({"manager", "admin"}),  # have the journal's chain signed now
    "notify": frozenset({"manager", "admin"}),  # send a contact a test message
    "checks": frozenset(
        {"manager", "admin"}
    ),  # all duty checks, also undecided ones; a checker and those concerned see their own
    "score": frozenset({"viewer", "manager", "admin"}),  # every deduction; those concerned see their own
    "assess": frozenset({"manager", "admin"}),  # take points, decide appeals, publish
    "accounts": frozenset({"admin"}),  # who may enter and what they may do; keys of programs
    "admit": frozenset({"operator", "manager", "admin"}),  # a link that lets a guard's phone in
    "self": _ALL,  # one's own account: password, sessions
    "audit": frozenset({"admin"}),  # what everybody did
    "patrol": _STAFF | {"guard"},  # the phone page: whoever walks, if the account is a person's
    "erase": frozenset({"admin"}),  # what a reporter said of himself
}


SCOPED: frozenset[Right] = frozenset({"rounds", "estate", "alerts", "names", "self"})
"""Rights of which something is left to who sees a part of the site; of all others nothing."""


def allowed(role: Role, right: Right) -> bool:
    """Whether `role` has `right`."""
    return role in RIGHTS[right]
