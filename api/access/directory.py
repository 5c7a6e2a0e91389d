"""The register of accounts of a running gateway: read, and changed so that it holds at once, with its row in the audit history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from api.access import register
from api.access.accounts import AccountError, Accounts, AuditRow, Origin, insert_audit
from api.access.register import Change, Entry
from api.ports import GatewayPort
from gateway.errors import JournalError


class LastAdministratorError(AccountError):
    """Nobody could administer any more."""


class Directory:
    """All accounts."""

    def __init__(self, gateway: GatewayPort, accounts: Accounts) -> None:
        self._gateway = gateway
        self._accounts = accounts
        self._changing = asyncio.Lock()

    async def entries(self) -> list[Entry]:
        """Every account, by what is typed at the log-in."""
        return [register.entry_of(row) for row in await self._gateway.query(*register.read_all(self._gateway.now()))]

    async def entry(self, given: str) -> Entry | None:
        """The account that is entered as `given`, else the one that has that name in histories."""
        rows = await self._gateway.query(*register.read_one(given, self._gateway.now()))
        return register.entry_of(rows[0]) if rows else None

    async def apply(self, by: str, origin: Origin, changes: Sequence[Change]) -> None:
        """Make changes, all or none; they hold when this returns.

        Raises:
            AccountError: the last administrator would go, or the name was taken meanwhile; nothing was changed.
        """
        if not changes:
            return
        now = self._gateway.now()
        statements = [statement for change in changes for statement in change.statements]
        for change in changes:
            row = AuditRow(
                who=by, address=origin.address, action=change.action, subject=change.account, detail=change.detail
            )
            statements.append(insert_audit(now, row))
        async with self._changing:
            for change in changes:
                try:
                    await self._keep_an_administrator(change)
                except LastAdministratorError as error:
                    await self._accounts.record(
                        by, origin, change.action, change.account, outcome="refused", detail=str(error)
                    )
                    raise
            try:
                await self._gateway.write(statements)
            except JournalError as error:  # a row of the register forbids it: the command line was quicker
                raise AccountError(f"this was changed by somebody else meanwhile: {error}") from error
            for change in changes:
                self._accounts.forget(change.account)

    async def _keep_an_administrator(self, change: Change) -> None:
        if change.action not in _TURNS_AWAY:
            return
        entry = await self.entry(change.account)
        if entry is None or (change.action == "account.role" and change.detail.endswith(" admin")):
            return
        others = await self._gateway.query(*register.other_administrators(entry))
        if register.is_last(entry, others[0][0]):
            raise LastAdministratorError(f"the account {entry.login!r} is the last administrator; make another first")


_TURNS_AWAY = frozenset({"account.role", "account.disable", "person.erased"})
