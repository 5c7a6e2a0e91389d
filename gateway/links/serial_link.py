"""One device on a serial line: bytes in as they come. Survives unplugging; says why when it cannot read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.errors import LinkError
from gateway.links.backoff import Backoff
from gateway.links.link import Receiver, Token
from gateway.links.port_reader import PortReader, open_soon, port_identity, read_port
from gateway.links.serial_port import is_file
from gateway.links.standing import Clock, KeptLink, utc_now
from gateway.site.model import Device

LOOK_EVERY_S = 1.0
"""How often the device file is looked for: some drivers say nothing when their adapter is pulled."""

QUIET_S = 1.5
"""A line silent for so long is told to its decoder (more than the second that decoders wait, for clocks differ): what waits there
for more bytes, behind a stray one or without its line end, may be a tap, and must not wait for the next guard."""

LONGEST_WAIT_S = 2.0
"""Looking for a file costs nothing, and a guard waits for the reader that was plugged in again."""


class SerialLink(KeptLink):
    """A `Link` for the stream of one device.

    Args:
        device: `device.link` has `serial` (device file or URL of pyserial) and `baud`, `bits`, `parity`, `stop`.
        receiver: gets chunks and changes of state.
        clock: the wall clock, for `received`.
        backoff: waits between attempts to open.
    """

    def __init__(
        self, device: Device, receiver: Receiver, *, clock: Clock = utc_now, backoff: Backoff | None = None
    ) -> None:
        self.device = device.id
        self.url = device.link["serial"]
        self._settings = device.link
        backoff = backoff or (Backoff(longest_s=LONGEST_WAIT_S) if is_file(self.url) else Backoff())
        super().__init__(self.url, receiver, [device.id], clock=clock, backoff=backoff)
        self.paused = False
        self._port: PortReader | None = None
        self._heard_at: float | None = None  # by the loop's clock, until the silence since was told

    def pause(self) -> None:
        """Stop reading from the port."""
        self.paused = True
        if self._port:
            self._port.watch()

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        if self._port:
            self._port.watch()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a serial line knows no acknowledgement."""

    async def write(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            LinkError: the port is not open, or does not take it.
        """
        if not self._port:
            raise LinkError(self.name, self.state.reason, self.state.hint)
        await self._port.write(data)

    def received(self, data: bytes) -> None:
        """Bytes came from the port."""
        self._heard_at = asyncio.get_running_loop().time()
        self.receiver.chunk(self, self.device, data, self.clock())

    def _tell_silence(self, now: float) -> None:
        """Tell once, with no bytes, that nothing more came. Of a paused port it is not known."""
        if self._heard_at is not None and now - self._heard_at >= QUIET_S and not self.paused:
            self._heard_at = None
            self.receiver.chunk(self, self.device, b"", self.clock())

    async def connect(self) -> None:
        port = await open_soon(self.url, self._settings)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[LinkError] = loop.create_future()
        self._port = read_port(self, port, ended)
        try:
            self.standing.up()
            self._port.watch()
            identity = port_identity(self.url)
            while not ended.done():
                await asyncio.wait((ended,), timeout=LOOK_EVERY_S)
                if not ended.done() and port_identity(self.url) != identity:
                    raise LinkError(self.name, "the port is gone", "plug the adapter in again")
                if not ended.done():
                    self._tell_silence(loop.time())
            raise ended.result()
        finally:
            reading, self._port = self._port, None
            self._heard_at = None
            reading.stop()
