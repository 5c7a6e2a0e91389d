"""One contact's way through Apprise (WeCom, mail, web hooks …).

Apprise's calls block and it sends through one small pool of threads, which a few hanging receivers would fill. So each contact
has at most one thread of its own, and waits for nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from typing import Any

import apprise
from apprise.plugins.custom_form import NotifyForm
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.custom_xml import NotifyXML

from gateway.errors import DeliveryError
from gateway.outbox.message import Message
from gateway.site.model import Contact

TIMEOUT_S = 30.0
"""For one message, whatever the receiver does."""
SLOW_DOWN_S = 60.0
"""After a 429. Apprise does not hand on the receiver's Retry-After."""

_STATUS = re.compile(r"error=(\d{3})")
_WEB_HOOKS = (NotifyForm, NotifyJSON, NotifyXML)

# What a receiver answered stands in its warnings alone, however quiet the rest of the log is.
logging.getLogger("apprise").setLevel(logging.WARNING)


class AppriseNotifier:
    """One Apprise URL.

    Args:
        contact: whose `url` it is; never logged, never part of an error.
        timeout_s: for one message.
    """

    def __init__(self, contact: Contact, timeout_s: float = TIMEOUT_S) -> None:
        self._contact = contact.id
        self._url = contact.url or ""
        self._timeout_s = timeout_s
        self._thread: threading.Thread | None = None

    async def send(self, message: Message) -> str:
        """Send in this contact's thread.

        Raises:
            DeliveryError: refused, no answer in time, or the last attempt still hangs.
        """
        if self._thread is not None and self._thread.is_alive():
            raise DeliveryError("the attempt before still hangs at the receiver", refused=True)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[tuple[bool, list[str]]] = loop.create_future()

        def work() -> None:
            result = self._notify(message)
            # The gateway may have stopped meanwhile; its next start sends this message again.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_set, done, result)

        self._thread = threading.Thread(target=work, name=f"notify-{self._contact}", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(self._timeout_s):
                ok, said = await done
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {self._timeout_s:g} s") from error
        # It has answered; the thread itself may need a moment more to end.
        self._thread = None
        if not ok:
            reason = said[-1] if said else "the receiver did not accept it"
            status = _status(said)
            raise DeliveryError(
                reason, retry_after_s=SLOW_DOWN_S if status == 429 else None, refused=status in range(400, 500)
            )
        return "accepted"

    def _notify(self, message: Message) -> tuple[bool, list[str]]:
        """In the contact's thread: whether it was accepted, and what Apprise had to say."""
        plugin = apprise.Apprise.instantiate(self._url, suppress_exceptions=True)
        if plugin is None:
            return False, ["the contact's URL is none that Apprise understands; see `alerts.contacts` in the site file"]
        if isinstance(plugin, _WEB_HOOKS):
            plugin.headers = {**plugin.headers, "Idempotency-Key": message.key}
        if isinstance(plugin, NotifyJSON):
            plugin.payload_extras = {**plugin.payload_extras, "key": message.key, "notices": list(message.keys)}
        with _Listener() as said:
            ok = bool(plugin.notify(title=message.title, body=message.body, body_format=apprise.NotifyFormat.TEXT))
        return ok, said


class _Listener(logging.Handler):
    """Collects Apprise's warnings of the calling thread: the only place where it says what went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._ident = threading.get_ident()
        self._said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._ident:
            self._said.append(record.getMessage())

    def __enter__(self) -> list[str]:
        logging.getLogger("apprise").addHandler(self)
        return self._said

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


def _status(said: list[str]) -> int | None:
    found = _STATUS.search(said[-1]) if said else None
    return int(found[1]) if found else None


def _set(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)
