"""How an ONVIF device is asked: its clock, then its events by a PullPoint that is kept open."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from device_drivers.conversation import Fetch, Fetched, Give, WebConversation
from device_drivers.driver import Reading, Readings, Reject
from device_drivers.errors import DecodeError
from device_drivers.event_stream import reached
from device_drivers.onvif.clock import QUESTION, read_clock
from device_drivers.onvif.decoder import OnvifDecoder
from device_drivers.onvif.soap import (
    HEADERS,
    Envelope,
    Token,
    below,
    fault,
    local,
    read_envelope,
    reference_parameters,
    request,
    text,
)
from device_drivers.web_address import WebAddress

_EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_NOTIFY = "http://docs.oasis-open.org/wsn/b-2"
_NOTIFY_ACTION = "http://docs.oasis-open.org/wsn/bw-2"

PULL_S = 30
"""How long one PullMessages waits for events (at most PT60S: cameras.md, onvif)."""
_MESSAGES = 100
_LASTS_S = 180
"""How long a subscription is asked for; renewed at half of it."""
_ROUND_S = 3600
"""After so long everything is begun anew, so that the clock is looked at again."""
_LOCKED_FIRST_S = 300
_LOCKED_LONGEST_S = 3600
"""Waits after a refused password, as the link keeps them for Digest: accounts lock."""

_Asking = Generator[Fetch | Give, Fetched | None, Fetched]


class OnvifPoller:
    """One device.

    Args:
        device: its id.
        address: where it is.
        decoder: reads its answers.
        path: of its device service.
        events: its events are wanted, not only whether it lives.
        auth: `wsse` puts the log-in into the message, `digest` leaves it to the link.
        pull_s: as PULL_S.
        nonce: gives 16 random bytes.
    """

    def __init__(
        self,
        device: str,
        address: WebAddress,
        decoder: OnvifDecoder,
        *,
        path: str,
        events: bool,
        auth: Literal["wsse", "digest"],
        nonce: Callable[[], bytes],
        pull_s: int = PULL_S,
        every_s: float = 60.0,
    ) -> None:
        self.base, login, self.basic, self.certificate = address
        # With `wsse` the link has no log-in: one wrong password must not be tried in two ways.
        self.login = login if auth == "digest" else None
        self.every_s = every_s
        self._token = login if auth == "wsse" else None
        self._device = device
        self._decoder = decoder
        self._path = path
        self._wants_events = events
        self._nonce = nonce
        self._pull_s = pull_s
        self._skew = timedelta(0)
        self._locked_s = _LOCKED_FIRST_S
        self._locked_until: datetime | None = None
        self._reference = ""

    def round(self) -> WebConversation:
        """Probe, then listen until the subscription breaks or an hour has passed."""
        answered = yield Fetch("POST", self._path, HEADERS, request(QUESTION))
        assert answered is not None
        yield from self._clock(answered)
        if answered.status == 0 or not self._wants_events or self._is_locked(answered.received):
            return
        began = answered.received
        address = yield from self._find_events(began)
        if address is None:
            return
        created = yield from self._ask(
            address, _subscribe(), began, action=f"{_EVENTS}/EventPortType/CreatePullPointSubscriptionRequest"
        )
        envelope = self._understood(created, "CreatePullPointSubscriptionResponse")
        if envelope is None:
            yield Give(self._complaint(created))
            return
        where = text(below(envelope.content, "SubscriptionReference", "Address"))
        self._reference = reference_parameters(envelope.content)
        yield from self._listen(self._same_host(where) or address, created.received)

    def _clock(self, answered: Fetched) -> Generator[Give, None, None]:
        """What the probe proves; the clock is no condition for that."""
        found: list[Reading | Reject] = list(reached(self._device, answered))
        if answered.body:
            try:
                envelope = read_envelope(answered.body)
                if envelope.name == "GetSystemDateAndTimeResponse":
                    if (clock := read_clock(envelope.content)) is not None:
                        self._skew = clock - answered.received
                    found = [*self._decoder.read(envelope, answered.body, answered.received)]
            except DecodeError as error:
                found.append(Reject(answered.body, error.reason))
        yield Give(found)

    def _find_events(self, now: datetime) -> Generator[Fetch | Give, Fetched | None, str | None]:
        """The path of the event service, by GetCapabilities; a device that does not say has it with the rest."""
        question = '<d:GetCapabilities xmlns:d="http://www.onvif.org/ver10/device/wsdl"><d:Category>Events</d:Category></d:GetCapabilities>'
        answered = yield from self._ask(self._path, question, now)
        envelope = self._understood(answered, "GetCapabilitiesResponse")
        if envelope is None:
            yield Give(self._complaint(answered))
            return None
        found = text(below(envelope.content, "Capabilities", "Events", "XAddr"))
        return self._same_host(found) or self._path

    def _listen(self, address: str, now: datetime) -> Generator[Fetch | Give, Fetched | None, None]:
        began = renewed = now
        pull = (
            f'<e:PullMessages xmlns:e="{_EVENTS}"><e:Timeout>PT{self._pull_s}S</e:Timeout>'
            f"<e:MessageLimit>{_MESSAGES}</e:MessageLimit></e:PullMessages>"
        )
        while now - began < timedelta(seconds=_ROUND_S):
            pulled = yield from self._ask(
                address,
                pull,
                now,
                action=f"{_EVENTS}/PullPointSubscription/PullMessagesRequest",
                within_s=self._pull_s + 15.0,
            )
            quiet = pulled.status == 200 and self._decoder.is_quiet(pulled.body)
            envelope = None if quiet else self._understood(pulled, "PullMessagesResponse")
            if envelope is None and not quiet:
                yield Give(self._complaint(pulled))
                return
            now = pulled.received
            try:
                found = self._decoder.quiet(now) if envelope is None else self._decoder.read(envelope, pulled.body, now)
                yield Give([*found, *(found.rejects if isinstance(found, Readings) else ())])
            except DecodeError as error:
                yield Give([Reject(pulled.body, error.reason)])
            if now - renewed >= timedelta(seconds=_LASTS_S / 2):
                answered = yield from self._ask(
                    address, _renew(), now, action=f"{_NOTIFY_ACTION}/SubscriptionManager/RenewRequest"
                )
                if self._understood(answered, "RenewResponse") is None:
                    return
                now = renewed = answered.received
        yield from self._ask(
            address,
            f'<b:Unsubscribe xmlns:b="{_NOTIFY}"/>',
            now,
            action=f"{_NOTIFY_ACTION}/SubscriptionManager/UnsubscribeRequest",
        )

    def _ask(self, path: str, body: str, now: datetime, *, action: str = "", within_s: float = 10.0) -> _Asking:
        token = None
        if self._token is not None:
            token = Token(*self._token, self._nonce(), now + self._skew)
        envelope = request(
            body, token=token, action=action, to=f"{self.base}{path}" if action else "", reference=self._reference
        )
        answered = yield Fetch("POST", path, HEADERS, envelope, within_s)
        assert answered is not None
        return answered

    def _understood(self, answered: Fetched, name: str) -> Envelope | None:
        """The answer if it is the one that was asked for. A refused log-in starts the wait."""
        envelope = None
        try:
            envelope = read_envelope(answered.body) if answered.body else None
        except DecodeError:
            return None
        refused = (
            envelope is not None and local(envelope.content) == "Fault" and fault(envelope.content) == "NotAuthorized"
        )
        if self._token is not None and (refused or answered.status == 401):
            self._locked_until = answered.received + timedelta(seconds=self._locked_s)
            self._locked_s = min(2 * self._locked_s, _LOCKED_LONGEST_S)
            return None
        if envelope is None or envelope.name != name:
            return None
        self._locked_s, self._locked_until = _LOCKED_FIRST_S, None
        return envelope

    def _is_locked(self, now: datetime) -> bool:
        return self._locked_until is not None and now < self._locked_until

    def _complaint(self, answered: Fetched) -> list[Reading | Reject]:
        """Why no events are heard, for the quarantine, and what the answer proves all the same."""
        found: list[Reading | Reject] = list(reached(self._device, answered))
        if self._is_locked(answered.received):
            reason = (
                "events refused: check `user` and `password`, or set `auth: digest`; "
                "the log-in is not tried again for some minutes, so that the account is not locked"
            )
            found.append(Reject(answered.body[:1024], reason))
        elif answered.status:
            found.append(
                Reject(answered.body[:1024], f"events are not heard: status {answered.status} to an ONVIF request")
            )
        self._reference = ""
        return found

    def _same_host(self, address: str) -> str:
        """The path of an address that the device gave. Its host is not believed: behind NAT it is wrong, and a log-in must go
        nowhere else.
        """
        try:
            parts = urlsplit(address)
        except ValueError:
            return ""
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _subscribe() -> str:
    return (
        f'<e:CreatePullPointSubscription xmlns:e="{_EVENTS}">'
        f"<e:InitialTerminationTime>PT{_LASTS_S}S</e:InitialTerminationTime></e:CreatePullPointSubscription>"
    )


def _renew() -> str:
    return f'<b:Renew xmlns:b="{_NOTIFY}"><b:TerminationTime>PT{_LASTS_S}S</b:TerminationTime></b:Renew>'
