"""Pictures that guards add to what they report. They stand in the journal's table `personal`, since they may show people, and can be erased."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from fastapi import Request
from fastapi.responses import Response

from api.openapi import REFUSED
from api.phone.shapes import PhonePhoto
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.duty_checks import StoredPhoto, media_type_of
from device_drivers.phone.decoder import photo_key
from gateway.alerts.alert import Alert

PATH = "/api/v1/phone/photos"
MOST_PHOTOS = 5000
_KEY, _END = "incident/", "incident0"
_JPEG = "image/jpeg"


async def picture_of(gateway: GatewayPort, alert: Alert) -> str | None:
    """Where the picture is that belongs to the incident an alert tells of; None: there is none."""
    if alert.rule != "incident":
        return None
    for step in alert.history:
        for key in step.evidence:
            rows = await gateway.query("SELECT 1 FROM personal WHERE key = ? AND body IS NOT NULL", (_KEY + key,))
            if rows:
                return f"{PATH}/{key}"
    return None


class Photos:
    """The pictures of one gateway's incidents."""

    ANSWERS: ClassVar[dict[int | str, dict[str, Any]]] = REFUSED | {
        200: {"description": "The picture", "content": {_JPEG: {}}}
    }

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway

    async def keep(self, request: Request, device: str, boot: str, seq: int) -> PhonePhoto:
        """Keep the body as the picture of an incident; the first one stays.

        Raises:
            Denied: it is no JPEG, or so many are kept already.
        """
        data = await request.body()
        if media_type_of(data) != _JPEG:
            raise Denied(422, "body: expected a JPEG picture.", "invalid")
        name = photo_key(device, boot, seq)
        rows = await self._gateway.query(
            "SELECT count(*), max(key = ?) FROM personal WHERE key >= ? AND key < ?", (_KEY + name, _KEY, _END)
        )
        if rows[0][0] >= MOST_PHOTOS and not rows[0][1]:
            raise Denied(409, f"{MOST_PHOTOS} pictures are kept already.", "refused")
        stored = msgspec.json.encode(StoredPhoto(media_type=_JPEG, data=data))
        row = (
            "INSERT OR IGNORE INTO personal (key, at, body) VALUES (?, ?, ?)",
            (_KEY + name, self._gateway.now(), stored),
        )
        await self._gateway.write([row])
        return PhonePhoto(id=name, bytes=len(data))

    async def read(self, name: str) -> Response:
        """A picture as it was kept, to be saved, never shown inside a page.

        Raises:
            Denied: there is none.
        """
        rows = await self._gateway.query("SELECT body FROM personal WHERE key = ?", (_KEY + name,))
        if not rows or rows[0][0] is None:
            raise Denied(404, "There is no such picture.")
        stored = msgspec.json.decode(rows[0][0], type=StoredPhoto)
        headers = {
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": 'attachment; filename="incident.jpg"',
            "Cache-Control": "private, max-age=3600",
        }
        return Response(stored.data, media_type=stored.media_type, headers=headers)
