"""One HTTP server of many contacts on the loopback, each of which behaves as the test says at the moment."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

HOOK = "hook"
"""What the names of contacts with a webhook begin with."""
LONGEST_S = 20.0
"""A request is never held longer, whatever the test forgets."""


class Told(NamedTuple):
    """One message as it arrived: `key` in the header, `notices` in the body. `status`: what was answered; 0: nothing."""

    contact: str
    key: str
    notices: tuple[str, ...]
    status: int


class Behaviour(NamedTuple):
    """How a contact answers. `hold`: takes the request and waits for `Receivers.let_go` first; `never`: closes without an answer then."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    slow_s: float = 0.0
    hold: bool = False
    never: bool = False


WELL = Behaviour()
SLOW = Behaviour(slow_s=0.7)
BROKEN = Behaviour(500)
REFUSES = Behaviour(404)
LIMITED = Behaviour(429, (("Retry-After", "120"),))
HOLDS = Behaviour(hold=True)
HANGS = Behaviour(hold=True, never=True)


class Receivers:
    """`behave[contact]` may be changed at any time; whoever is not there answers 200."""

    def __init__(self) -> None:
        self.behave: dict[str, Behaviour] = {}
        self.told: list[Told] = []
        self.held: list[str] = []
        """Contacts that hold a request at this moment."""
        self._changed = threading.Condition()
        self._round = 0
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receivers._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receivers", daemon=True)

    def url(self, contact: str) -> str:
        """For the site file: of an Apprise contact, or of a webhook of our own if it is called so."""
        scheme = "http" if contact.startswith(HOOK) else "json"
        return f"{scheme}://127.0.0.1:{self._server.server_port}/{contact}"

    def let_go(self) -> None:
        """Whoever holds a request answers it now, or hangs up."""
        with self._changed:
            self._round += 1
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], what: str, longest_s: float = LONGEST_S) -> None:
        """Until it holds; asked at each message, and now and then."""
        deadline = time.monotonic() + longest_s
        with self._changed:
            while not condition():
                assert time.monotonic() < deadline, f"{what}: not within {longest_s:g} s; told {self.told}"
                self._changed.wait(0.05)

    def taken(self, contact: str) -> list[Told]:
        """What a contact accepted, in order."""
        return [each for each in self.told if each.contact == contact and 200 <= each.status < 300]

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        contact = request.path.strip("/")
        with self._changed:
            behaviour = self.behave.get(contact, WELL)
            if behaviour.hold:
                began = self._round
                self.held.append(contact)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._round > began, LONGEST_S)
                self.held.remove(contact)
        if behaviour.slow_s:
            time.sleep(behaviour.slow_s)
        status = 0 if behaviour.never or _gone(request.connection) else behaviour.status
        if status:
            try:
                request.send_response(status)
                for name, value in (*behaviour.headers, ("Content-Length", "0")):
                    request.send_header(name, value)
                request.end_headers()
                request.wfile.flush()
            except OSError:
                status = 0  # whoever asked is dead
        with self._changed:
            notices = tuple(each["key"] if contact.startswith(HOOK) else each for each in body["notices"])
            self.told.append(Told(contact, request.headers["Idempotency-Key"], notices, status))
            assert body["key"] == request.headers["Idempotency-Key"]
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()


def _gone(connection: socket.socket) -> bool:
    """Whether whoever asked is dead: an answer to it would seem to be taken."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
