"""Whom an account belongs to: what concerns a person is shown to the person."""

from __future__ import annotations

from api.access.accounts import Account
from gateway.site.model import Site


def person_of(site: Site, account: Account) -> str | None:
    """The person of the site whom an account stands for.

    It is the one that the account says; else the one whose id is typed at the log-in (or is the account's name); else the only one who is called as the account is.
    """
    if account.person is not None:
        return account.person if account.person in site.people else None
    for name in (account.name, account.called):
        if name in site.people:
            return name
    named = [person.id for person in site.people.values() if account.called and person.name == account.called]
    return named[0] if len(named) == 1 else None
