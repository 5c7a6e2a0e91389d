"""How a device is asked that has one page to be read, again and again."""

from __future__ import annotations

from device_drivers.conversation import Fetch, Give, WebConversation
from device_drivers.driver import MessageDecoder, Reading, Readings, Reject
from device_drivers.errors import DecodeError
from device_drivers.event_stream import reached
from device_drivers.web_address import WebAddress


class PagePoller:
    """Fetches one page and has it decoded.

    Args:
        device: its id.
        address: where it is.
        decoder: reads the page.
        path: of the page.
        every_s: between two rounds.
    """

    def __init__(self, device: str, address: WebAddress, decoder: MessageDecoder, *, path: str, every_s: float) -> None:
        self.base, self.login, self.basic, self.certificate = address
        self.every_s = every_s
        self._device = device
        self._decoder = decoder
        self._path = path
        self._complained = ""

    def round(self) -> WebConversation:
        """One page. What cannot be read is told once, until it changes."""
        answered = yield Fetch("GET", self._path)
        assert answered is not None
        found: list[Reading | Reject] = list(reached(self._device, answered))
        complaint = ""
        if answered.status == 200:
            try:
                readings = self._decoder.decode("", answered.body, answered.received)
            except DecodeError as error:
                complaint = error.reason
            else:
                found += readings
                rejects = readings.rejects if isinstance(readings, Readings) else ()
                complaint = "; ".join(reject.reason for reject in rejects)
        elif answered.status:
            complaint = f"status {answered.status} instead of the page"
        if complaint and complaint != self._complained:
            found.append(Reject(answered.body[:1024], complaint))
        self._complained = complaint
        yield Give(found)
