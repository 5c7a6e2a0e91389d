"""How an RTSP device is asked: OPTIONS, then DESCRIBE with a log-in where one is wanted. One connection, closed each time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from device_drivers.conversation import Answer, Give, LineConversation, Send
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.login import answer, challenges, choose
from device_drivers.observations import Reachable
from device_drivers.rtsp.response import Response, read_response, response_end

_WITHIN_S = 10.0
_LOCKED_FIRST_S = 300
_LOCKED_LONGEST_S = 3600
"""Waits after a refused password, as the web link keeps them: accounts lock."""

_COMPLAINTS = {
    404: "there is no such stream: is the path in `link.rtsp` right?",
    403: "the user may not see this stream",
    454: "the device has lost its session",
    453: "the device has no bandwidth left: other programs may hold all its sessions",
    503: "the device is overloaded: other programs may hold all its sessions",
}
_NO_LOGIN = "it asks for a log-in and none is given: set `user` and `password` in `link`"
_REFUSED = "the log-in was refused: check `user` and `password`; not tried again for some minutes, so that the account is not locked"
_CLEAR_TEXT = "it wants the password in clear text, which was not sent: set `basic: true` if that network may read it"


class RtspAddress(NamedTuple):
    """Where a stream is. `url` has no user and password in it; it may hold secrets in its path, so it is never shown."""

    host: str
    port: int
    url: str
    login: tuple[str, str] | None
    basic: bool


class RtspPoller:
    """One device.

    Args:
        device: its id.
        address: of a stream.
        describes: DESCRIBE is asked, too, not only OPTIONS.
        every_s: between two probes; at least 60, since cheap cameras have few sessions (cameras.md, rtsp).
        cnonce: gives a random word, never twice the same.
    """

    hangs_up = True

    def __init__(
        self, device: str, address: RtspAddress, *, describes: bool, every_s: float, cnonce: Callable[[], str]
    ) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.line = f"socket://{host}:{address.port}"
        self.every_s = every_s
        self._device = device
        self._address = address
        self._describes = describes
        self._cnonce = cnonce
        self._sequence = 0
        self._locked_s = _LOCKED_FIRST_S
        self._locked_until: datetime | None = None
        self._complained = ""

    def round(self) -> LineConversation:
        """Probe once, and say what that proves: an answer the service, a mere connection the network. Never video.

        It is said before the stream is asked for: some devices hang up after each answer.
        """
        answered, response = yield from self._ask("OPTIONS")
        lives = response is not None
        yield Give([Reading(self._reachable(answered.received, lives=lives))])
        if lives and self._describes:
            answered, response = yield from self._describe()
        if found := self._complaint(answered, response):
            yield Give(found)

    def unreached(self, received: datetime, connected: bool) -> Sequence[Reading | Reject]:
        """There was no connection: the network did not answer, or (refused) only the network did."""
        return [Reading(Reachable(device=self._device, at=received, ok=connected))]

    def _reachable(self, at: datetime, *, lives: bool) -> Reachable:
        return Reachable(device=self._device, at=at, ok=True, level="service" if lives else "network")

    def lost(self) -> Sequence[Reading | Reject]:
        """Nothing: a connection is for one round."""
        return ()

    def _describe(self) -> Generator[Send, Answer | None, tuple[Answer, Response | None]]:
        answered, response = yield from self._ask("DESCRIBE")
        if response is None or response.status != 401 or self._address.login is None:
            return answered, response
        if self._locked_until is not None and answered.received < self._locked_until:
            return answered, response
        for _ in range(2):
            offered = challenges(response.challenges)
            challenge = choose(offered, basic=self._address.basic)
            if challenge is None:
                return answered, response
            login = answer(challenge, self._address.login, "DESCRIBE", self._address.url, self._cnonce())
            # Some hang up on a wrong password instead of saying so: until it is answered, it counts as refused.
            self._locked_until = answered.received + timedelta(seconds=self._locked_s)
            answered, response = yield from self._ask("DESCRIBE", login)
            if response is None:
                return answered, response
            if response.status != 401:
                self._locked_s, self._locked_until = _LOCKED_FIRST_S, None
                return answered, response
            if not any(each.stale for each in challenges(response.challenges)):
                break
        self._locked_until = answered.received + timedelta(seconds=self._locked_s)
        self._locked_s = min(2 * self._locked_s, _LOCKED_LONGEST_S)
        return answered, response

    def _ask(self, method: str, login: str = "") -> Generator[Send, Answer | None, tuple[Answer, Response | None]]:
        self._sequence += 1
        lines = [f"{method} {self._address.url} RTSP/1.0", f"CSeq: {self._sequence}", "User-Agent: Lamplighter"]
        if method == "DESCRIBE":
            lines.append("Accept: application/sdp")
        if login:
            lines.append(f"Authorization: {login}")
        request = "\r\n".join([*lines, "", ""]).encode()
        answered = yield Send(request, _WITHIN_S, response_end)
        assert answered is not None
        try:
            return answered, read_response(answered.data)
        except DecodeError:
            return answered, None

    def _complaint(self, answered: Answer, response: Response | None) -> list[Reading | Reject]:
        """What a person must mend, told once until it changes."""
        text = ""
        if response is None:
            if answered.data:
                try:
                    read_response(answered.data)
                except DecodeError as error:
                    text = error.reason
        elif response.status == 401:
            if self._address.login is None:
                text = _NO_LOGIN
            elif choose(challenges(response.challenges), basic=self._address.basic) is None:
                text = _CLEAR_TEXT
            else:
                text = _REFUSED
        else:
            text = _COMPLAINTS.get(response.status, "")
        if text == self._complained:
            return []
        self._complained = text
        return [Reject(answered.data[:1024], text)] if text else []
