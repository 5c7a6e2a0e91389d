"""One device that is asked over HTTP: rounds of requests and endless streams, with log-ins that never lock the account."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import NamedTuple, assert_never

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from device_drivers.conversation import Fetch, Fetched, Give, Rest, Stream, WebConversation, WebPoller
from device_drivers.login import Challenge, answer, challenges, choose
from gateway.links.backoff import Backoff
from gateway.links.link import LinkState, Receiver, Token
from gateway.links.standing import STEADY_S, Clock, Standing, utc_now
from gateway.links.web_client import Trouble, WebClient, certificate, origin, trouble

MOST_BODY = 1 << 20
"""Bytes of an answer that are read; a longer one is given up (conversation.py, Fetched)."""

_READ = 64 * 1024
_END_S = 10.0
"""How long a stream's refusal may take to be read."""

LOCKED_FIRST_S = 300.0
LOCKED_LONGEST_S = 3600.0
"""Waits before a refused password is tried again: cameras lock an account after a few (cameras.md, hikvision)."""

SPREAD_S = 10.0
"""The first rounds of a start are spread over this, so that a thousand cameras do not answer at one beat."""

_CONSENTS = 200
_UNAUTHORISED = 401

_STATUS: Mapping[int, tuple[str, str]] = {
    301: ("it sends us to another address", "write that address in `link.http`; often it is https"),
    302: ("it sends us to another address", "write that address in `link.http`; often it is https"),
    307: ("it sends us to another address", "write that address in `link.http`; often it is https"),
    308: ("it sends us to another address", "write that address in `link.http`; often it is https"),
    403: ("the user may not see this", "give the user the right to be notified of events at the camera"),
    404: ("it has no such page", "is this driver right for the model? some want their interface switched on"),
    503: ("it is overloaded", "other programs may hold all its connections"),
}
"""What a stream's refusal means, and what to do."""

_NO_LOGIN = ("it asks for a log-in and none is given", "set `user` and `password` in `link`")
_CLEAR_TEXT = (
    "it wants the password in clear text, which was not sent",
    "use https, switch its log-in to Digest, or set `basic: true` if everyone on that network may read the password",
)
_REFUSED = "the log-in was refused"


class _Ask(NamedTuple):
    """A request as it goes out."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    within_s: float
    stream: Stream | None


class _Round:
    """What became of a round: its last answer, and how long its last stream stood (None: it had none)."""

    def __init__(self) -> None:
        self.last: Fetched | None = None
        self.streamed_s: float | None = None


class WebLink:
    """A `Link` for one device that is asked over HTTP.

    A device that is down is told to nobody as a link that is down: its driver says `reachable: false`, and its silence is judged.
    Only what lies with this machine (no network) is told of as the link's own fault, since it proves nothing of the device.

    Args:
        device: its id.
        poller: what is asked.
        client: the session that all web links share.
        receiver: gets what the driver found, and changes of state.
        clock: the wall clock, for `received`.
        backoff: waits before a stream that ended, or a round that failed, is begun again.
        chance: gives a number in [0, 1), for the spread of first rounds.
    """

    def __init__(
        self,
        device: str,
        poller: WebPoller,
        client: WebClient,
        receiver: Receiver,
        *,
        clock: Clock = utc_now,
        backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.device = device
        self.name = f"{device} {origin(poller.base)}"
        self._poller = poller
        self._client = client
        self._receiver = receiver
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._chance = chance
        self._standing = Standing(self, receiver, (), clock, counts=False)
        self._running = asyncio.Event()
        self._running.set()
        self._locked_s = LOCKED_FIRST_S
        self._locked_until = 0.0
        self._ours = False
        self._round = _Round()

    @property
    def state(self) -> LinkState:
        """How the link is now."""
        return self._standing.state

    async def run(self) -> None:
        """Ask, round by round, until cancelled."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._chance() * min(SPREAD_S, self._poller.every_s))
        while True:
            began = loop.time()
            past = self._round = _Round()
            await self._converse(self._poller.round())
            due_s = began + self._poller.every_s - loop.time()
            if past.streamed_s is not None:
                if past.streamed_s >= STEADY_S:
                    self._backoff.reset()
                await asyncio.sleep(self._backoff.next_s())
            elif past.last is not None and past.last.status == 0:
                await asyncio.sleep(max(due_s, self._backoff.next_s()))
            else:
                self._backoff.reset()
                await asyncio.sleep(max(due_s, 0.0))

    def pause(self) -> None:
        """Ask nothing more and read no further."""
        self._running.clear()

    def resume(self) -> None:
        """Go on."""
        self._running.set()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a camera knows no acknowledgement."""

    # -- a round

    async def _converse(self, conversation: WebConversation) -> None:
        answered: Fetched | None = None
        try:
            while True:
                try:
                    step = conversation.send(answered)
                except StopIteration:
                    return
                await self._running.wait()
                answered = None
                match step:
                    case Fetch(method, path, headers, body, within_s):
                        ask = _Ask(method, self._url(path), headers, body, within_s, None)
                        answered = self._round.last = await self._log_in(ask)
                    case Stream(method, path, _, idle_s, headers):
                        ask = _Ask(method, self._url(path), headers, b"", idle_s, step)
                        self._round.streamed_s = 0.0
                        answered = self._round.last = await self._log_in(ask)
                    case Give(found, safe):
                        self._receiver.found(self, self.device, found, self._clock())
                        if safe:
                            await self._receiver.safe()
                    case Rest(seconds):
                        await asyncio.sleep(seconds)
                    case _:
                        assert_never(step)
        finally:
            conversation.close()

    def _url(self, path: str) -> URL:
        whole = (
            path if path.startswith(("http://", "https://")) else f"{self._poller.base.rstrip('/')}/{path.lstrip('/')}"
        )
        url = URL(whole, encoded=True)
        return url.with_user(None) if url.user is not None or url.password is not None else url

    # -- logging in

    async def _log_in(self, ask: _Ask) -> Fetched:
        """Ask; if a log-in is wanted, and allowed at this time, ask again with it. The challenge is a fresh one each time,
        so that an old nonce is never mistaken for a refused password.
        """
        first, offered = await self._ask(ask, None)
        if first.status != _UNAUTHORISED:
            return first
        login = self._poller.login
        if login is None:
            self._standing.down(*_NO_LOGIN)
            return first
        if (
            asyncio.get_running_loop().time() < self._locked_until
            or ask.url.origin() != URL(self._poller.base).origin()
        ):
            return first
        for _ in range(2):
            basic = self._poller.basic or ask.url.scheme == "https"
            challenge = choose(offered, basic=basic)
            if challenge is None:
                self._standing.down(*_CLEAR_TEXT)
                return first
            header = answer(challenge, login, ask.method, ask.url.raw_path_qs, secrets.token_hex(8))
            second, offered = await self._ask(ask, header)
            if second.status != _UNAUTHORISED:
                return second
            if not any(each.stale for each in offered):
                break
        self._refused()
        return second

    def _refused(self) -> None:
        self._locked_until = asyncio.get_running_loop().time() + self._locked_s
        wait = f"tried again in {self._locked_s / 60:.0f} min, so that the account is not locked"
        self._locked_s = min(2 * self._locked_s, LOCKED_LONGEST_S)
        self._standing.down(_REFUSED, f"check `user` and `password`; {wait}")

    def _accepted(self) -> None:
        self._locked_s, self._locked_until = LOCKED_FIRST_S, 0.0

    # -- one request

    async def _ask(self, ask: _Ask, authorization: str | None) -> tuple[Fetched, list[Challenge]]:
        way = SimpleNamespace(connected=False)
        status, body, error = 0, b"", ""
        headers: dict[str, str] = {}
        offered: list[Challenge] = []
        limit = asyncio.timeout(ask.within_s)
        try:
            async with limit:
                response = await self._client.session.request(
                    ask.method,
                    ask.url,
                    headers={**ask.headers, "Authorization": authorization} if authorization else ask.headers,
                    data=ask.body or None,
                    allow_redirects=False,
                    ssl=certificate(self._poller.certificate),
                    trace_request_ctx=way,
                )
                async with response:
                    status, headers = response.status, _headers(response.headers)
                    offered = challenges(response.headers.getall("WWW-Authenticate", ()))
                    self._answered(ask, status, authorization)
                    if ask.stream is not None and status == _CONSENTS:
                        error = await self._read_stream(response, ask.stream, limit)
                    else:
                        if ask.stream is not None:
                            limit.reschedule(asyncio.get_running_loop().time() + _END_S)
                        body, error = await _read_body(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as cause:
            what = trouble(cause, connected=way.connected or status > 0)
            way.connected = what.connected
            error = what.reason
            self._failed(what)
        return Fetched(status, headers, body, self._clock(), error, status > 0 or way.connected), offered

    def _answered(self, ask: _Ask, status: int, authorization: str | None) -> None:
        self._own_fault(None)
        if status == _UNAUTHORISED:
            return
        if authorization is not None:
            self._accepted()
        if ask.stream is None or status == _CONSENTS:
            self._standing.up()
        else:
            self._standing.down(*_STATUS.get(status, (f"it answers with status {status}", "")))

    def _failed(self, what: Trouble) -> None:
        self._own_fault(what if what.ours else None)
        self._standing.down(what.reason, what.hint)

    def _own_fault(self, what: Trouble | None) -> None:
        """Tell of the beginning and end of a fault that lies with this machine: the device is unknown, not offline."""
        if (what is not None) == self._ours:
            return
        self._ours = what is not None
        state = LinkState(
            name=self.name,
            up=what is None,
            since=self._clock(),
            reason="" if what is None else what.reason,
            hint="" if what is None else what.hint,
            counts=False,
        )
        self._receiver.link_changed(self, state, (self.device,))

    async def _read_stream(self, response: aiohttp.ClientResponse, stream: Stream, limit: asyncio.Timeout) -> str:
        """Feed the decoder until the stream ends; gives why it did. Its idle time does not run while the link is paused."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        limit.reschedule(None)
        error = "the stream ended"
        try:
            while True:
                await self._running.wait()
                async with asyncio.timeout(stream.idle_s):
                    data = await response.content.readany()
                if not data:
                    break
                received = self._clock()
                if found := stream.decoder.feed(data, received):
                    self._receiver.found(self, self.device, found, received)
        except TimeoutError:
            error = f"nothing came for {stream.idle_s:.0f} s"
        except (aiohttp.ClientError, OSError) as cause:
            error = trouble(cause, connected=True).reason
        self._round.streamed_s = loop.time() - began
        if found := stream.decoder.reset():
            self._receiver.found(self, self.device, found, self._clock())
        self._standing.down(error)
        return error


async def _read_body(response: aiohttp.ClientResponse) -> tuple[bytes, str]:
    body = bytearray()
    async for piece in response.content.iter_chunked(_READ):
        body += piece
        if len(body) > MOST_BODY:
            response.close()
            return b"", f"the answer is longer than {MOST_BODY} bytes"
    return bytes(body), ""


def _headers(given: CIMultiDictProxy[str]) -> dict[str, str]:
    """Names in lower case; of a header that stands more than once, all values."""
    found: dict[str, str] = {}
    for name, value in given.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found
