"""The device's own side: what a camera posts, and how it proves its password. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from device_drivers.digest import parameters, response


class Post(NamedTuple):
    """One POST."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Device:
    """One camera.

    Args:
        device_id: its 20 digits.
        username, password: what it proves itself with.
    """

    def __init__(self, device_id: str, username: str = "", password: str = "") -> None:
        self.device_id = device_id
        self.username = username or device_id
        self.password = password

    def register(self, challenge: str | None = None) -> Post:
        """It comes; with the server's `challenge` (its WWW-Authenticate) the password is proved."""
        return self._post("Register", "RegisterObject", challenge)

    def unregister(self, challenge: str | None = None) -> Post:
        """It goes."""
        return self._post("UnRegister", "UnRegisterObject", challenge)

    def keepalive(self) -> Post:
        """It lives."""
        return self._post("Keepalive", "KeepaliveObject", None)

    def _post(self, what: str, name: str, challenge: str | None) -> Post:
        path = f"/VIID/System/{what}"
        headers = {"Content-Type": "application/VIID+JSON", "User-Identify": self.device_id}
        if challenge is not None:
            headers["Authorization"] = self._prove(challenge, path)
        return Post(path, headers, msgspec.json.encode({name: {"DeviceID": self.device_id}}))

    def _prove(self, challenge: str, path: str) -> str:
        asked = parameters(challenge)
        given = {"username": self.username, "realm": asked["realm"], "nonce": asked["nonce"], "uri": path}
        if "qop" in asked:
            given |= {"qop": "auth", "nc": "00000001", "cnonce": "0a4f113b"}
        given["response"] = response(given, "POST", self.password)
        return "Digest " + ", ".join(f'{name}="{value}"' for name, value in given.items())
