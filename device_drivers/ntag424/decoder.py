"""URLs of signed taps to tag reads."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.ndef.decoder import is_signed
from device_drivers.ntag424.message import NAMES, Part, read_url
from device_drivers.ntag424.settings import Settings
from device_drivers.ntag424.verification import Verifier
from device_drivers.observations import TagRead

_log = logging.getLogger(__name__)


class Ntag424Decoder:
    """One reader or phone that passes the URLs of NTAG 424 tags.

    Args:
        device: its id.
        settings: keys and names of the parameters.
    """

    def __init__(self, device: str, settings: Settings) -> None:
        self._device = device
        keys = settings.keys()
        if keys is not None and keys.factory:
            _log.warning(
                "%s: a key of its NTAG 424 tags is all zero, the key of the factory: anybody can forge taps", device
            )
        self._verifier = None if keys is None else Verifier(keys, mode=settings.mode, mac_from=settings.mac_from)
        self._names: Mapping[Part, tuple[str, ...]] = NAMES
        if settings.parameters:
            self._names = {**NAMES, **{part: (name,) for part, name in settings.parameters.items()}}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:  # noqa: ARG002
        """Decode a URL (or the NDEF message that holds it), or several. The chip has no clock: the tap is of `received`.

        One that proves nothing is a reject; those beside it count.
        """
        if retained:
            raise DecodeError("a retained tap is old state, not an event")
        unread: list[str] = []
        readings = []
        for url in _urls(payload, unread):
            try:
                readings.append(self.tap(url, received))
            except DecodeError as error:
                unread.append(error.reason)
        return beside_unread(readings, payload, unread)

    def tap(self, url: str, received: datetime) -> Reading:
        """The tap that a URL proves.

        Raises:
            DecodeError: it proves none.
        """
        if self._verifier is None:
            raise DecodeError("a SUN message, but no keys: set `file_key` and `meta_key`, or `master_key`")
        said = self._verifier.verify(read_url(url, self._names))
        tag = said.uid.hex().upper()
        if said.counter is None:  # proves the tag, but not that it is new
            return Reading(TagRead(device=self._device, at=received, tag=tag, method="nfc"))
        return Reading(TagRead(device=self._device, at=received, tag=tag, method="sun", counter=said.counter))


def _urls(payload: bytes, unread: list[str]) -> Iterable[str]:
    """Each message's signed URLs, else its first one; each once, for a tap that is read twice is one."""
    pieces = payload.split()
    if len(pieces) == 1 and payload[:4].lower() == b"http" and payload.isascii():
        return (pieces[0].decode(),)  # nearly all
    from device_drivers.ndef.records import Uri, read_messages  # noqa: PLC0415  few readers pass the raw message

    found: dict[str, None] = {}
    for message in read_messages(payload, unread):
        urls = [record.uri for record in message if isinstance(record, Uri)]
        found |= dict.fromkeys([url for url in urls if is_signed(url)] or urls[:1] if len(urls) > 1 else urls)
    if not found and not unread:
        raise DecodeError("no URL in the message", payload[:64])
    return found
