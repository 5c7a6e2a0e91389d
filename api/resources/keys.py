"""Keys by which programs use the API."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access import register
from api.access.accounts import Accounts
from api.access.directory import Directory
from api.access.door import needs, origin_of, session_of
from api.access.keys import Key, key_added, key_of, key_revoked, read_key, read_keys
from api.answers import DEFAULT_LIMIT, Cursor, Limit, answer, page
from api.openapi import REFUSED, created, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.users import body_of, refusing, secret
from api.users import KeyMade, KeyNew, KeyShape
from gateway.instants import DAY, moment


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/keys`."""
    directory = Directory(gateway, accounts)

    @app.get("/api/v1/keys", tags=["accounts"], responses=many("KeyShape"), dependencies=[needs("accounts")])
    async def read_all(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """All keys, those that work no more too; never their texts."""
        return answer(request, page(await keys_shown(gateway), lambda key: (key.id,), cursor, limit))

    @app.post(
        "/api/v1/keys",
        tags=["accounts"],
        responses=created("KeyMade") | REFUSED,
        dependencies=[needs("accounts")],
        openapi_extra=takes(
            "KeyNew", {"name": "dashboard", "role": "viewer", "rights": ["estate"], "places": None, "days": 90}
        ),
    )
    async def make_key(request: Request) -> Response:
        """Make a key. Its text is in this answer and nowhere else."""
        wish, by, now = await body_of(request, KeyNew), session_of(request).account.name, gateway.now()
        with refusing():
            register.check_places(gateway.site, "" if wish.places is None else wish.role, wish.places)
            text, change = key_added(
                wish.name, wish.role, by, now, lasts=wish.days * DAY, rights=wish.rights, places=wish.places
            )
            await directory.apply(by, origin_of(request), [change])
        return secret(KeyMade(key=key_shape(gateway, await _known(change.account)), text=text), 201)

    @app.post(
        "/api/v1/keys/{key_id}/revoke",
        tags=["accounts"],
        responses=one("KeyShape") | REFUSED,
        dependencies=[needs("accounts")],
    )
    async def revoke_key(request: Request, key_id: str) -> Response:
        """Revoke a key: it lets nobody in from now on."""
        key = await _known(key_id)
        with refusing():
            change = key_revoked(key, gateway.now())
            await directory.apply(session_of(request).account.name, origin_of(request), [change])
        return answer(request, key_shape(gateway, await _known(key_id)))

    async def _known(key_id: str) -> Key:
        rows = await gateway.query(*read_key(key_id))
        if not rows:
            raise Denied(404, f"There is no key {key_id!r}.")
        return key_of(rows[0])


async def keys_shown(gateway: GatewayPort) -> list[KeyShape]:
    """All keys as they are shown."""
    return [key_shape(gateway, key_of(row)) for row in await gateway.query(*read_keys())]


def key_shape(gateway: GatewayPort, key: Key) -> KeyShape:
    """One key as it is shown."""
    zone = gateway.site.zone_info
    return KeyShape(
        id=key.id,
        name=key.name,
        role=key.role,
        rights=key.rights,
        places=key.places,
        made_by=key.made_by,
        created=moment(key.created, zone),
        expires=moment(key.expires, zone),
        revoked=moment(key.revoked, zone) if key.revoked is not None else None,
        seen=moment(key.seen, zone) if key.seen is not None else None,
        works=key.works(gateway.now()),
    )
