"""The server of GA/T 1400: registration with Digest, keepalives, and going away. No I/O.

A keepalive carries no proof of its own, so it counts only from the address at which its device registered.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from device_drivers.complaints import Complaints
from device_drivers.conversation import WebRequest, WebServed
from device_drivers.digest import Challenger, Verdict, parameters
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.gat1400.messages import Said, read_id, read_message
from device_drivers.observations import CameraHeartbeat, DeviceStatus, Observation

REALM = "viid"

LAPSES_AFTER = timedelta(days=1)
"""A registration without any keepalive for so long is forgotten: then the password must be proved again."""

_KEPT = 2048
"""Bytes kept of what is rejected."""

_PATH = "/VIID/System/"
_TYPE = {"Content-Type": "application/VIID+JSON"}

STATUSES: Mapping[int, tuple[int, str]] = {
    200: (0, "OK"),
    400: (7, "Invalid JSON Format"),
    401: (4, "Invalid Operation"),
    403: (4, "Invalid Operation"),
    404: (4, "Invalid Operation"),
    405: (4, "Invalid Operation"),
}
"""HTTP status to StatusCode and StatusString (GA/T 1400.3-2017, ConfirmStatusType)."""


class _Line:
    """What is known of one device now: since when and from where it is registered."""

    __slots__ = ("heard", "host", "id", "password")

    def __init__(self, device: DeviceSettings) -> None:
        self.id = device.id
        self.password: str | None = device.settings.get("password")
        self.host = ""
        self.heard: datetime | None = None


class ViidServer:
    """Serves all devices of a site that speak GA/T 1400.

    Args:
        devices: all devices of this driver.
        service: `services.gat1400` of the site: `username`, `password`; both may be absent.
    """

    def __init__(self, devices: Sequence[DeviceSettings], service: Mapping[str, Any]) -> None:
        self._username: str | None = service.get("username")
        self._password: str | None = service.get("password")
        self._challenger = Challenger(REALM, secrets.token_bytes(32), qop=True)
        self._lines = {device.device_id: _Line(device) for device in devices if device.device_id is not None}
        self._complaints = Complaints()

    def request(self, request: WebRequest) -> WebServed:
        """Take one request."""
        path = request.path.rstrip("/")
        if not path.lower().startswith(_PATH.lower()):
            return _answer(request, 404)  # faces, vehicles, pictures: nothing that a night watch may keep
        if request.method != "POST":
            return _answer(request, 405)
        try:
            said = _said(request, path[len(_PATH) :].lower())
        except DecodeError as error:
            return self._refuse(request, error.reason, 400)
        line = self._lines.get(said.device_id)
        if line is None:
            return self._refuse(request, f"device {said.device_id} is no `device_id` of the site", 403)
        if said.kind == "keepalive":
            return self._keepalive(request, line, said)
        verdict = self._verdict(request, line)
        if verdict == "wrong":
            return self._refuse(request, f"device {line.id}: wrong user name or password", 403, said.device_id)
        if verdict != "right":
            return self._challenge(request, said.device_id, stale=verdict == "stale")
        online = said.kind == "register"
        line.host, line.heard = (request.peer[0], request.received) if online else ("", None)
        reason = "registered" if online else "unregistered"
        status = DeviceStatus(device=line.id, at=request.received, online=online, reason=reason)
        return _answer(request, 200, said.device_id, found=status)

    def _keepalive(self, request: WebRequest, line: _Line, said: Said) -> WebServed:
        if line.password or self._password:
            known = line.heard is not None and request.received - line.heard <= LAPSES_AFTER
            if not known or line.host != request.peer[0]:
                return self._challenge(request, said.device_id)  # so that it registers; nothing is proved
        line.host, line.heard = request.peer[0], request.received
        return _answer(request, 200, said.device_id, found=CameraHeartbeat(device=line.id, at=request.received))

    def _verdict(self, request: WebRequest, line: _Line) -> Verdict:
        password = line.password or self._password
        if not password:
            return "right"
        given = request.headers.get("authorization")
        if given is None:
            return "foreign"
        if self._username is not None and parameters(given).get("username") != self._username:
            return "wrong"
        return self._challenger.judge(given, request.method, password, request.peer[0], request.received)

    def _challenge(self, request: WebRequest, device_id: str, *, stale: bool = False) -> WebServed:
        ask = self._challenger.challenge(request.peer[0], request.received, stale=stale)
        return _answer(request, 401, device_id, more={"WWW-Authenticate": ask})

    def _refuse(self, request: WebRequest, reason: str, status: int, device_id: str = "") -> WebServed:
        kept = self._complaints.keep(request.peer[0], reason, request.received)
        served = _answer(request, status, device_id)
        return served if kept is None else served._replace(found=[Reject(request.body[:_KEPT], kept)])


def _said(request: WebRequest, what: str) -> Said:
    """What a request says. Some devices send a keepalive without a body: the header names them.

    Raises:
        DecodeError: it says something else than its path, or nothing that can be read.
    """
    if what == "keepalive" and not request.body.strip():
        return Said("keepalive", read_id(request.headers.get("user-identify")))
    said = read_message(request.body)
    if said.kind != what:
        raise DecodeError(f"{request.path[:60]!r} with the object of {said.kind!r}")
    return said


def _answer(
    request: WebRequest,
    status: int,
    device_id: str = "",
    *,
    found: Observation | None = None,
    more: Mapping[str, str] | None = None,
) -> WebServed:
    """The ResponseStatusObject. LocalTime is left out: the device's clock is not ours to set."""
    code, text = STATUSES[status]
    document = {
        "ResponseStatusObject": {
            "Id": device_id,
            "RequestURL": request.path[:200],
            "StatusCode": code,
            "StatusString": text,
        }
    }
    return WebServed(
        status=status,
        found=[] if found is None else [Reading(found)],
        headers={**_TYPE, **(more or {})},
        body=msgspec.json.encode(document),
    )
