"""Which browser is which phone: a phone is made by its log-in, and stays its guard's."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from fastapi import Request
from fastapi.responses import Response

from api.access.accounts import Account, AuditRow, insert_audit
from api.access.door import origin_of
from api.ports import GatewayPort
from gateway.instants import MINUTE, Instant, instant
from gateway.site.enrolments import EnrolPhone

NAME = "lamplighter-phone-"
"""What a phone's cookie is called: this and the last six signs of its device (`lamplighter-phone-k3m9qx`)."""
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
_KEPT_S = 400 * 24 * 3600
"""As long as browsers keep a cookie at most; each log-in renews it."""
MOST_COOKIES = 48
"""Phones that one browser is: so many guards share one. Of more the oldest lose their cookies; their guards' own log-ins are enough for them."""
MOST_PHONES = 40
"""Phones of one account. Whoever begins one more gets the one back that was silent for longest, under a new token."""
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

    @property
    def taken_again(self) -> bool:
        """It was another browser's before. What that one still has must not pass for a part of this one's record."""
        return self.begun == self.made

    def fresh(self, now: Instant) -> bool:
        """It was made just now and has handed in nothing: all that it recorded, it records from now on."""
        return self.begun is None and now - self.made <= _FRESH


class Phones:
    """The phones of one gateway."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway

    async def here(self, request: Request) -> Sequence[Phone]:
        """The phones that this browser is, by its cookies: one for each guard who logged in on it."""
        tokens = [_hash(token) for token in _cookies(request).values()][-2 * MOST_COOKIES :]
        if not tokens:
            return []
        marks = ", ".join("?" * len(tokens))
        return await self._found(f"token IN ({marks}) ORDER BY made DESC", tuple(tokens))

    async def own(self, account: Account, person: str | None, device: str) -> Phone | None:
        """A phone of who is logged in, though the browser has lost its cookie: what it kept is his all the same."""
        found = await self._found("device = ? AND account = ? AND person = ?", (device, account.name, person))
        return found[0] if found and not found[0].taken_again else None

    async def _found(self, which: str, params: tuple[object, ...]) -> list[Phone]:
        rows = await self._gateway.query(
            f"SELECT device, account, person, made, begun FROM phone WHERE {which}",  # noqa: S608  ours
            params,
        )
        return [
            Phone(device=device, account=account, person=person, made=made, begun=begun)
            for device, account, person, made, begun in rows
        ]

    async def again(self, request: Request, account: Account, phone: Phone) -> None:
        """Enrol a phone once more that was withdrawn with its person, who is back.

        Raises:
            gateway.site.enrolments.NotEnrolled: the site has no such person any more.
        """
        await self._gateway.enrol(
            EnrolPhone(device=phone.device, person=phone.person),
            account.name,
            statements=[_audit(request, account, self._gateway.now(), phone.device, f"of {phone.person}, again")],
        )

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
            device, _ = min(rows, key=lambda row: (self._heard(row[0], row[1]), row[1]))
            again = Phone(device=device, account=account.name, person=person, made=now, begun=now)
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

    def _heard(self, device: str, made: Instant) -> Instant:
        found = self._gateway.judgement.engine.devices.device(device)
        return made if found is None or found.last_heard is None else max(made, instant(found.last_heard))

    async def began(self, phone: Phone) -> None:
        """It handed something in."""
        begun = max(self._gateway.now(), phone.made + 1)
        await self._gateway.write(
            [("UPDATE phone SET begun = ? WHERE device = ? AND begun IS NULL", (begun, phone.device))]
        )


def keep(request: Request, response: Response, phone: Phone, token: str | None, others: Sequence[Phone]) -> None:
    """Set the phone's cookie, or renew it (`token` None: as the browser sent it); `others`: whom the browser was before, the newest first."""
    name = _cookie(request.url.scheme, phone.device)
    kept = {_cookie(request.url.scheme, each.device) for each in [phone, *others][:MOST_COOKIES]}
    sent = list(_cookies(request))
    for old in sent if len(sent) >= MOST_COOKIES else ():
        if old not in kept:
            response.delete_cookie(old, path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax")
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


def _cookies(request: Request) -> dict[str, str]:
    start = _start(request.url.scheme)
    return {name: value[:200] for name, value in request.cookies.items() if name.startswith(start)}


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _audit(
    request: Request, account: Account, now: Instant, device: str, detail: str
) -> tuple[str, tuple[object, ...]]:
    origin = origin_of(request)
    return insert_audit(
        now, AuditRow(who=account.name, address=origin.address, action="phone.begin", subject=device, detail=detail)
    )
