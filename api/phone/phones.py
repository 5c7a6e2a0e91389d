"""Which browser is which phone: a phone is made by its log-in, and stays its guard's."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie

import msgspec
from fastapi import Request
from fastapi.responses import Response

from api.access.accounts import Account, AuditRow, insert_audit
from api.access.door import origin_of
from api.ports import GatewayPort
from gateway.instants import MINUTE, Instant
from gateway.site.enrolments import EnrolPhone

NAME = "lamplighter-phone-"
"""What a phone's cookie is called: this and the last six signs of its device (`lamplighter-phone-k3m9qx`)."""
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
_KEPT_S = 400 * 24 * 3600
"""As long as browsers keep a cookie at most; each log-in renews it."""
_MOST_COOKIES = 16
"""Phones looked for in one browser: so many guards share one."""
MOST_PHONES = 40
"""Phones of one account. Whoever begins one more gets the one back that was made first, under a new token."""
_FRESH = 10 * MINUTE
_PERSON_SIGNS = 48
"""Of a person's id in the id of his phone, so that whoever reads of a call for help reads whose it is."""


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """One browser as a device of the site."""

    device: str
    account: str
    person: str
    made: Instant
    begun: Instant | None = None

    def fresh(self, now: Instant) -> bool:
        """It was made just now and has handed in nothing: all that it recorded, it records from now on."""
        return self.begun is None and now - self.made <= _FRESH


class Phones:
    """The phones of one gateway."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway

    async def here(self, request: Request) -> Sequence[Phone]:
        """The phones that this browser is, by its cookies: one for each guard who logged in on it."""
        tokens = _tokens(request)
        if not tokens:
            return []
        marks = ", ".join("?" * len(tokens))
        rows = await self._gateway.query(
            f"SELECT device, account, person, made, begun FROM phone WHERE token IN ({marks}) ORDER BY made DESC",  # noqa: S608  marks only
            tuple(tokens),
        )
        return [
            Phone(device=device, account=account, person=person, made=made, begun=begun)
            for device, account, person, made, begun in rows
        ]

    async def begin(self, request: Request, account: Account, person: str) -> tuple[Phone, str]:
        """Make a new phone; gives it with the token for its cookie.

        Raises:
            gateway.site.enrolments.NotEnrolled: the site has no such person any more.
        """
        token, now = secrets.token_urlsafe(32), self._gateway.now()
        rows = await self._gateway.query(
            "SELECT device, made FROM phone WHERE account = ? AND person = ? ORDER BY made LIMIT ?",
            (account.name, person, MOST_PHONES),
        )
        if len(rows) >= MOST_PHONES:
            device, made = rows[0]
            again = Phone(device=device, account=account.name, person=person, made=made, begun=now)
            await self._gateway.write(
                [
                    (
                        "UPDATE phone SET token = ?, made = ?, begun = ? WHERE device = ?",
                        (_hash(token), now, now, device),
                    ),
                    _audit(request, account, now, device, "taken again: so many phones of one account"),
                ]
            )
            return again, token
        signs = "".join(secrets.choice(_SIGNS) for _ in range(6))
        device = f"phone-{person[:_PERSON_SIGNS]}-{signs}"
        await self._gateway.enrol(
            EnrolPhone(device=device, person=person),
            account.name,
            statements=[
                (
                    "INSERT INTO phone (device, account, person, token, made) VALUES (?, ?, ?, ?, ?)",
                    (device, account.name, person, _hash(token), now),
                ),
                _audit(request, account, now, device, f"of {person}"),
            ],
        )
        return Phone(device=device, account=account.name, person=person, made=now), token

    async def began(self, phone: Phone) -> None:
        """It handed something in."""
        await self._gateway.write(
            [("UPDATE phone SET begun = ? WHERE device = ? AND begun IS NULL", (self._gateway.now(), phone.device))]
        )


def keep(request: Request, response: Response, phone: Phone, token: str | None) -> None:
    """Set the phone's cookie, or renew it (`token` None: as the browser sent it)."""
    name = _cookie(request.url.scheme, phone.device)
    value = token or request.cookies.get(name, "")
    if not value:
        return
    response.set_cookie(
        name,
        value,
        max_age=_KEPT_S,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
        path="/",
    )


def _cookie(scheme: str, device: str) -> str:
    return _start(scheme) + device.rpartition("-")[2]


def _start(scheme: str) -> str:
    return ("__Host-" if scheme == "https" else "") + NAME


def _tokens(request: Request) -> list[bytes]:
    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return []
    start = _start(request.url.scheme)
    return [_hash(morsel.value[:200]) for name, morsel in jar.items() if name.startswith(start)][:_MOST_COOKIES]


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _audit(
    request: Request, account: Account, now: Instant, device: str, detail: str
) -> tuple[str, tuple[object, ...]]:
    origin = origin_of(request)
    return insert_audit(
        now, AuditRow(who=account.name, address=origin.address, action="phone.begin", subject=device, detail=detail)
    )
