"""Accounts: who may enter and what they may do, and the links that let somebody in once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response
from msgspec import UNSET

from api.access import qr, register
from api.access.accounts import AccountError, Accounts, new_name
from api.access.directory import Directory, LastAdministratorError
from api.access.door import needs, origin_of, session_of
from api.access.links import GOOD_FOR, Purpose
from api.access.passwords import Passwords, WeakPassword
from api.access.pins import check_pin
from api.access.register import Change, Entry
from api.answers import DEFAULT_LIMIT, Cursor, Limit, answer, page
from api.openapi import REFUSED, created, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from api.users import LinkShape, PinBody, UserChange, UserNew, UserShape
from gateway.instants import moment
from gateway.site.model import Site

Body = TypeVar("Body", bound=msgspec.Struct)


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/users`."""
    directory = Directory(gateway, accounts)
    _add_register(app, gateway, directory)
    _add_ways_in(app, gateway, directory)


def _add_register(app: FastAPI, gateway: GatewayPort, directory: Directory) -> None:
    @app.get("/api/v1/users", tags=["accounts"], responses=many("UserShape"), dependencies=[needs("admit")])
    async def read_users(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """All accounts; for those who may only let guards in, the guards'."""
        shown = visible(request, await directory.entries())
        shapes = [user_shape(gateway.site, entry) for entry in shown]
        return answer(request, page(shapes, lambda user: (user.login,), cursor, limit))

    @app.get(
        "/api/v1/users/{name}", tags=["accounts"], responses=one("UserShape") | REFUSED, dependencies=[needs("admit")]
    )
    async def read_user(request: Request, name: str) -> Response:
        """One account, by what is typed at the log-in or the name that stands in histories."""
        return answer(request, user_shape(gateway.site, await known(request, directory, name)))

    @app.post(
        "/api/v1/users",
        tags=["accounts"],
        responses=created("UserShape") | REFUSED,
        dependencies=[needs("accounts")],
        openapi_extra=takes(
            "UserNew", {"login": "wangqiang", "role": "guard", "called": "王强", "person": "g-wang", "places": None}
        ),
    )
    async def make_user(request: Request) -> Response:
        """Make an account. Nobody can enter with it until a link is made for it."""
        wish = await body_of(request, UserNew)
        name = new_name()
        with refusing():
            if await directory.entry(wish.login) is not None:
                raise Denied(409, f"There is already an account {wish.login!r}.", "taken")
            await _check(gateway.site, directory, name, wish.role, person=wish.person, places=wish.places)
            change = register.added(
                name,
                wish.login,
                wish.role,
                gateway.now(),
                called=wish.called or None,
                person=wish.person,
                places=wish.places,
            )
            await directory.apply(session_of(request).account.name, origin_of(request), [change])
        return answer(request, user_shape(gateway.site, await known(request, directory, name)), 201)

    @app.patch(
        "/api/v1/users/{name}",
        tags=["accounts"],
        responses=one("UserShape") | REFUSED,
        dependencies=[needs("accounts")],
        openapi_extra=takes("UserChange", {"role": "operator", "disabled": False}),
    )
    async def change_user(request: Request, name: str) -> Response:
        """Change an account; it holds at once, also for who is logged in."""
        wish = await body_of(request, UserChange)
        entry = await known(request, directory, name)
        with refusing():
            changes = await _changes(gateway, directory, entry, wish)
            await directory.apply(session_of(request).account.name, origin_of(request), changes)
        return answer(request, user_shape(gateway.site, await known(request, directory, entry.id)))

    @app.post("/api/v1/users/{name}/erase", tags=["accounts"], responses=REFUSED | _GONE, dependencies=[needs("erase")])
    async def erase_user(request: Request, name: str) -> Response:
        """Remove an account and all that is known of its person; what it did stays in the histories, under its number."""
        entry = await known(request, directory, name)
        with refusing():
            change = register.erased(entry, gateway.now())
            await directory.apply(session_of(request).account.name, origin_of(request), [change])
        return Response(status_code=204)


def _add_ways_in(app: FastAPI, gateway: GatewayPort, directory: Directory) -> None:
    passwords = Passwords()

    @app.post(
        "/api/v1/users/{name}/link",
        tags=["accounts"],
        responses=one("LinkShape") | REFUSED,
        dependencies=[needs("admit")],
    )
    async def make_phone_link(request: Request, name: str) -> Response:
        """A personal link for a guard's phone: works once, within 24 hours; one from before is void. Shown this once."""
        return await _link(request, name, "phone")

    @app.post(
        "/api/v1/users/{name}/password",
        tags=["accounts"],
        responses=one("LinkShape") | REFUSED,
        dependencies=[needs("accounts")],
    )
    async def make_password_link(request: Request, name: str) -> Response:
        """A link by which the person chooses a password: works once, within 24 hours. The password from before works until then."""
        return await _link(request, name, "password")

    async def _link(request: Request, name: str, purpose: Purpose) -> Response:
        entry = await known(request, directory, name)
        by, now = session_of(request).account.name, gateway.now()
        with refusing():
            path, change = register.linked(entry, purpose, by, now)
            await directory.apply(by, origin_of(request), [change])
        url = f"{request.url.scheme}://{request.headers.get('host', '')}{path}"
        shape = LinkShape(url=url, expires=moment(now + GOOD_FOR, gateway.site.zone_info), qr=qr.svg(url))
        return secret(shape)

    @app.post(
        "/api/v1/users/{name}/pin",
        tags=["accounts"],
        responses=one("UserShape") | REFUSED,
        dependencies=[needs("accounts")],
        openapi_extra=takes("PinBody", {"pin": "4071"}),
    )
    async def set_pin(request: Request, name: str) -> Response:
        """Give a guard a PIN, or take it away (null)."""
        said = await body_of(request, PinBody)
        entry = await known(request, directory, name)
        with refusing():
            if said.pin is not None:
                check_pin(said.pin)
            stored = None if said.pin is None else await passwords.stored(said.pin)
            change = register.pin_set(entry, stored, gateway.now())
            await directory.apply(session_of(request).account.name, origin_of(request), [change])
        return answer(request, user_shape(gateway.site, await known(request, directory, entry.id)))

    @app.post(
        "/api/v1/users/{name}/sign-out",
        tags=["accounts"],
        responses=one("UserShape") | REFUSED,
        dependencies=[needs("accounts")],
    )
    async def sign_out(request: Request, name: str) -> Response:
        """End all sessions and links of an account."""
        entry = await known(request, directory, name)
        with refusing():
            await directory.apply(session_of(request).account.name, origin_of(request), [register.signed_out(entry)])
        return answer(request, user_shape(gateway.site, await known(request, directory, entry.id)))


def user_shape(site: Site, entry: Entry) -> UserShape:
    """An account as the API shows it."""
    zone = site.zone_info
    return UserShape(
        id=entry.id,
        login=entry.login,
        called=entry.called,
        role=entry.role,
        person=entry.person,
        places=entry.places,
        disabled=entry.disabled,
        password=entry.password,
        pin=entry.pin,
        created=moment(entry.created, zone),
        seen=moment(entry.seen, zone) if entry.seen is not None else None,
        sessions=entry.sessions,
    )


def visible(request: Request, entries: Sequence[Entry]) -> Sequence[Entry]:
    """The accounts that the asker may know of: an administrator all, others those of guards."""
    if session_of(request).account.may("accounts"):
        return entries
    return [entry for entry in entries if entry.role == "guard"]


async def known(request: Request, directory: Directory, name: str) -> Entry:
    """The account `name`, if the asker may know of it.

    Raises:
        Denied: 404, there is none.
    """
    entry = await directory.entry(name)
    if entry is None or not visible(request, [entry]):
        raise Denied(404, f"There is no account {name!r}.")
    return entry


def secret(shape: msgspec.Struct, status: int = 200) -> Response:
    """What is shown once: kept by no cache."""
    return Response(
        msgspec.json.encode(shape),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


class refusing:  # noqa: N801 - reads as a statement: with refusing()
    """What the register does not take becomes a problem: 409; a password or PIN that is guessed easily: 422."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, WeakPassword):
            raise Denied(422, f"{str(error)[0].upper()}{str(error)[1:]}.", "weak") from error
        if isinstance(error, LastAdministratorError):
            raise Denied(409, f"{str(error)[0].upper()}{str(error)[1:]}.", "last-administrator") from error
        if isinstance(error, AccountError):
            raise Denied(409, f"{str(error)[0].upper()}{str(error)[1:]}.", "refused") from error


async def body_of(request: Request, shape: type[Body]) -> Body:
    """The body as `shape`.

    Raises:
        Denied: 422, it is not of that shape.
    """
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error


async def _changes(gateway: GatewayPort, directory: Directory, entry: Entry, wish: UserChange) -> list[Change]:
    now = gateway.now()
    role = entry.role if wish.role is UNSET else wish.role
    person = entry.person if wish.person is UNSET else wish.person
    places = entry.places if wish.places is UNSET else wish.places
    await _check(
        gateway.site,
        directory,
        entry.id,
        role,
        person=person if person != entry.person else None,
        places=places if (role, places) != (entry.role, entry.places) else None,
    )
    changes = []
    if role != entry.role:
        changes.append(register.role_set(entry, role, now))
    if person != entry.person:
        changes.append(register.person_set(entry, person, now))
    if places != entry.places:
        changes.append(register.places_set(entry, places, now))
    if wish.called is not UNSET and wish.called != entry.called:
        changes.append(register.called_set(entry, wish.called, now))
    if wish.disabled is not UNSET and wish.disabled != entry.disabled:
        changes.append(register.disabled_set(entry, wish.disabled, now))
    return changes


async def _check(
    site: Site, directory: Directory, name: str, role: str, *, person: str | None, places: Sequence[str] | None
) -> None:
    used = {entry.person for entry in await directory.entries() if entry.person is not None and entry.id != name}
    register.check_person(site, person, used)
    register.check_places(site, role, places)


_GONE: dict[int | str, dict[str, Any]] = {204: {"description": "It is gone"}}
