"""`/api/v1/phone`: a guard's phone begins, asks for its plan, and hands in what it kept.

Whose a record is says the phone's cookie, never the record. An answer means: on disk, as evidence or in quarantine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.concerned import person_of
from api.access.door import needs, session_of
from api.answers import answer
from api.console.names import checkpoint_name
from api.openapi import REFUSED, one, takes
from api.phone.phones import Phone, Phones, keep
from api.phone.photos import PATH as PHOTO_PATH
from api.phone.photos import Photos
from api.phone.plan import Plans
from api.phone.shapes import PhoneShape, TakenShape, TapShape
from api.ports import GatewayPort
from api.problems import Denied
from device_drivers.driver import Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import TagRead
from device_drivers.phone.decoder import PhoneDecoder
from device_drivers.phone.handover import read_handover
from device_drivers.phone.record import DRIVERS
from gateway.site.enrolments import PHONE_DRIVER, NotEnrolled
from gateway.site.model import Site
from gateway.site.phones import phone_settings

_DECODERS = 512
"""Decoders kept, one a phone; then they are made anew."""


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/api/v1/phone/…`."""
    phones = Phones(gateway)
    plans = Plans(gateway)
    photos = Photos(gateway)
    decoders: dict[str, PhoneDecoder] = {}

    @app.post(
        "/api/v1/phone/begin", tags=["phone"], responses=one("PhoneShape") | REFUSED, dependencies=[needs("patrol")]
    )
    async def begin(request: Request) -> Response:
        """Make this browser a phone of who is logged in, or find again which one it is."""
        account = session_of(request).account
        person = _person(gateway.site, request)
        here = await phones.here(request)
        mine = next((each for each in here if (each.account, each.person) == (account.name, person)), None)
        token: str | None = None
        try:
            if mine is None:
                mine, token = await phones.begin(request, account, person)
            elif mine.device not in gateway.site.devices:
                await phones.again(request, account, mine)
        except NotEnrolled as error:
            raise Denied(409, str(error), "refused") from error
        said = PhoneShape(
            device=mine.device,
            person=person,
            name=gateway.site.people[person].name,
            former=[each.device for each in here if each.device != mine.device],
            now=_ms(gateway),
        )
        response = answer(request, said)
        keep(request, response, mine, token, [each for each in here if each.device != mine.device])
        return response

    @app.get("/api/v1/phone/plan", tags=["phone"], responses=one("PhonePlan") | REFUSED, dependencies=[needs("patrol")])
    async def read_plan(request: Request) -> Response:
        """The rounds of who is logged in, the present ones and the next, and which of his taps served nothing."""
        person = _person(gateway.site, request)
        devices = {
            each.id
            for each in gateway.site.devices.values()
            if each.driver == PHONE_DRIVER and each.settings.get("person") == person
        }
        return answer(request, plans.of(person, devices))

    @app.post(
        "/api/v1/phone/records",
        tags=["phone"],
        responses=one("TakenShape") | REFUSED,
        dependencies=[needs("patrol")],
        openapi_extra=takes("Handover", _EXAMPLE),
    )
    async def take_records(request: Request) -> Response:
        """Take what a phone kept. Handing in again what was taken is harmless; what cannot be read is quarantined, and taken."""
        body = await request.body()
        here = await phones.here(request)
        try:
            handover = read_handover(body)
        except DecodeError as error:
            if not here:
                raise Denied(409, "This browser is no phone yet: POST /api/v1/phone/begin first.", "phone") from error
            await gateway.hear(here[0].device, [Reject(body, error.reason)])
            return answer(request, TakenShape(taken=1, unread=1, now=_ms(gateway), taps=()))
        phone = await of(request, handover.device, here)
        if phone is None:
            raise Denied(409, f"This browser is not {handover.device!r}: POST /api/v1/phone/begin first.", "phone")
        first = phone.fresh(gateway.now())
        readings = _decoder(phone).read(msgspec.structs.replace(handover, first=first))
        refused = await gateway.hear(phone.device, [*readings, *readings.rejects])
        if phone.begun is None:
            await phones.began(phone)
        kept = (each.observation for each in readings if each not in refused)
        taps = [_tap(observation) for observation in kept if isinstance(observation, TagRead)]
        unread = len(readings.rejects) + len(refused)
        said = TakenShape(taken=len(handover.records), unread=unread, now=_ms(gateway), taps=taps)
        return answer(request, said)

    @app.post(
        PHOTO_PATH,
        tags=["phone"],
        responses=one("PhonePhoto") | REFUSED,
        dependencies=[needs("patrol")],
        openapi_extra={"requestBody": {"content": {"image/jpeg": {}}}},
    )
    async def keep_photo(
        request: Request,
        device: Annotated[str, Query(max_length=64)],
        boot: Annotated[str, Query(max_length=32)],
        seq: Annotated[int, Query(ge=1, le=2**53)],
    ) -> Response:
        """Keep the picture (JPEG, at most 512 KiB) that belongs to a reported incident; handing it in again is harmless."""
        if await of(request, device, await phones.here(request)) is None:
            raise Denied(409, f"This browser is not {device!r}: POST /api/v1/phone/begin first.", "phone")
        return answer(request, await photos.keep(request, device, boot, seq))

    @app.get(
        PHOTO_PATH + "/{key:path}",
        tags=["phone"],
        response_class=Response,
        responses=photos.ANSWERS,
        dependencies=[needs("evidence")],
    )
    async def read_photo(key: str) -> Response:
        """The picture of an incident: DEVICE/BOOT/SEQ of its observation."""
        return await photos.read(key)

    async def of(request: Request, device: str, here: Sequence[Phone]) -> Phone | None:
        """Whose queue it is: the phone that it names, which must be one of this browser's, or of who is logged in."""
        account = session_of(request).account
        found = next((each for each in here if each.device == device), None)
        return found or await phones.own(account, person_of(gateway.site, account), device)

    def _decoder(phone: Phone) -> PhoneDecoder:
        found = decoders.get(phone.device)
        if found is None:
            if len(decoders) >= _DECODERS:
                decoders.clear()
            make = DRIVERS[0].message_decoder
            assert make is not None
            made = make(gateway.site.id, phone_settings(gateway.site, phone.device, phone.person))
            assert isinstance(made, PhoneDecoder)
            found = decoders[phone.device] = made
        return found

    def _tap(read: TagRead) -> TapShape:
        owner = plans.owner(read.tag)
        point = owner.checkpoint if owner is not None else None
        name = checkpoint_name(gateway.site, point) if point is not None else None
        return TapShape(seq=read.seq or 0, checkpoint=point, name=name, method=read.method)


def _person(site: Site, request: Request) -> str:
    person = person_of(site, session_of(request).account)
    if person is None:
        raise Denied(
            409,
            "This account belongs to no person of the site, so a tap would be nobody's. Ask the office to say whose account it is.",
            "nobody",
        )
    return person


def _ms(gateway: GatewayPort) -> int:
    return gateway.now() // 1000


_EXAMPLE = {
    "device": "phone-k3m9qx", "boot": "q7f3a2", "now": 1795374000000, "last": 12,
    "records": [{"seq": 12, "kind": "tap", "at": 1795373998500, "tag": "04A1B2C3D40001"}],
}  # fmt: skip
