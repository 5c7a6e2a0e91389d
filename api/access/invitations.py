"""One-time links: the set-up of the first account, and a log-in without a password for the demo.

They live in memory only: a restart makes new ones, and nothing that opens a door is left on disk.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Literal

import msgspec

from api.access.roles import Role
from gateway.instants import DAY, Instant

GOOD_FOR = DAY


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is good for."""

    purpose: Literal["setup", "login"]
    name: str
    role: Role
    expires: Instant


class Invitations:
    """Tokens that were handed out and not used yet."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, Invitation] = {}

    def setup(self, now: Instant) -> str:
        """A token for `/setup`: makes the first administrator."""
        return self._issue(Invitation(purpose="setup", name="", role="admin", expires=now + GOOD_FOR))

    def login(self, name: str, role: Role, now: Instant) -> str:
        """A token for `/login/once`: logs in as `name` with `role`."""
        return self._issue(Invitation(purpose="login", name=name, role=role, expires=now + GOOD_FOR))

    def look(self, purpose: Literal["setup", "login"], token: str, now: Instant) -> Invitation | None:
        """What a token is good for, without using it."""
        found = self._waiting.get(_hashed(token))
        return found if found is not None and found.purpose == purpose and now < found.expires else None

    def use(self, purpose: Literal["setup", "login"], token: str, now: Instant) -> Invitation | None:
        """Use a token up."""
        found = self.look(purpose, token, now)
        if found is not None:
            del self._waiting[_hashed(token)]
        return found

    def withdraw(self, purpose: Literal["setup", "login"]) -> None:
        """All waiting tokens of one purpose are void from now on."""
        self._waiting = {key: value for key, value in self._waiting.items() if value.purpose != purpose}

    def _issue(self, invitation: Invitation) -> str:
        token = secrets.token_urlsafe(24)
        self._waiting[_hashed(token)] = invitation
        return token


def _hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()
