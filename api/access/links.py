"""Links that let somebody in once: a guard's phone, or whoever chooses a password. Stored hashed; a restart keeps them.

A link is looked at (`look`) as often as something previews it, and used up only when its page's button is pressed (`use`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Literal

import msgspec

from api.access.accounts import Account, Accounts, Origin, Statement, account_of, hashed
from api.ports import GatewayPort
from gateway.instants import DAY, Instant

GOOD_FOR = DAY
Purpose = Literal["phone", "password"]
PATHS: dict[Purpose, str] = {"phone": "/login/link", "password": "/login/password"}
"""Where a link of each purpose leads."""


class EntryLink(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is good for, and whose it is. `login`: what is typed at the log-in; `made_by`: the account that made it."""

    token: bytes
    account: Account
    login: str
    made_by: str


class EntryLinks:
    """The links of one gateway."""

    def __init__(self, gateway: GatewayPort, accounts: Accounts) -> None:
        self._gateway = gateway
        self._accounts = accounts
        self._using = asyncio.Lock()

    async def look(self, purpose: Purpose, token: str) -> EntryLink | None:
        """What a link is good for, without using it; None: it was used, is too old, or never was."""
        rows = await self._gateway.query(
            "SELECT l.made_by, coalesce(a.login, a.name), a.name, a.role, a.person, a.places"
            " FROM entry_link l JOIN accounts a ON a.name = l.account"
            " WHERE l.token = ? AND l.purpose = ? AND l.expires > ? AND a.disabled = 0",
            (hashed(token), purpose, self._gateway.now()),
        )
        if not rows:
            return None
        made_by, login, name, role, person, places = rows[0]
        return EntryLink(
            token=hashed(token), account=account_of(name, role, person, places), login=login, made_by=made_by
        )

    async def use(
        self, purpose: Purpose, token: str, origin: Origin, how: str, *, also: Sequence[Statement] = ()
    ) -> str | None:
        """Use a link up and begin a session; gives the token for the cookie, or None if the link is no good any more."""
        async with self._using:
            found = await self.look(purpose, token)
            if found is None:
                return None
            used: Statement = ("DELETE FROM entry_link WHERE token = ?", (found.token,))
            entered = await self._accounts.enter(
                found.account, origin, f"{how} by {found.made_by}", phone=purpose == "phone", also=[*also, used]
            )
            self._accounts.forget(found.account.name)
            return entered


def new_link(account: str, purpose: Purpose, made_by: str, now: Instant) -> tuple[str, Sequence[Statement]]:
    """A link's path with its token, and the statements that make it; a link of the same purpose from before is void."""
    token = secrets.token_urlsafe(24)
    statements: list[Statement] = [
        ("DELETE FROM entry_link WHERE expires <= ? OR (account = ? AND purpose = ?)", (now, account, purpose)),
        (
            "INSERT INTO entry_link (token, purpose, account, made_by, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
            (hashed(token), purpose, account, made_by[:64], now, now + GOOD_FOR),
        ),
    ]
    return f"{PATHS[purpose]}?token={token}", statements
