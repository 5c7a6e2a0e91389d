"""How a camera with an endless stream of events is asked, and when that is silent, whether its service lives at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from device_drivers.conversation import Fetch, Fetched, Give, Stream, WebConversation
from device_drivers.driver import Reading, StreamDecoder
from device_drivers.observations import Reachable
from device_drivers.web_address import WebAddress


class EventStreamPoller:
    """Listens to a device's endless stream of events; Hikvision and Dahua differ only in the addresses.

    Args:
        device: its id.
        address: where it is.
        paths: of the stream; the next one is tried when one is not found.
        probe: a page that is asked for when the stream was silent, to see whether the service lives.
        idle_s: a stream silent for so long is begun again.
        decoder: makes the decoder of the stream.
    """

    def __init__(
        self,
        device: str,
        address: WebAddress,
        *,
        paths: tuple[str, ...],
        probe: str,
        idle_s: float,
        decoder: Callable[[], StreamDecoder],
    ) -> None:
        self.base, self.login, self.basic, self.certificate = address
        self.every_s = 30.0
        self._device = device
        self._paths = list(paths)
        self._probe = probe
        self._idle_s = idle_s
        self._decoder = decoder()

    def round(self) -> WebConversation:
        """Listen until the stream ends, and say what is then known of the device."""
        answered = yield Stream("GET", self._paths[0], self._decoder, self._idle_s)
        assert answered is not None
        if answered.status == 200:
            # It spoke, or was silent for long; only a fresh answer shows whether it is there now.
            answered = yield Fetch("GET", self._probe)
            assert answered is not None
        elif answered.status in (400, 404, 405, 501):
            self._paths.append(self._paths.pop(0))
        yield Give(reached(self._device, answered))


def reached(device: str, answered: Fetched) -> list[Reading]:
    """What the end of a request proves: any HTTP answer, 401 too, that the service lives; a mere connection the network."""
    return [Reading(_reachable(device, answered, answered.received))]


def _reachable(device: str, answered: Fetched, at: datetime) -> Reachable:
    if answered.status:
        return Reachable(device=device, at=at, ok=True, level="service")
    return Reachable(device=device, at=at, ok=answered.connected)
