"""What passes on the line with a PN532: answers that list tags give tag reads, all else nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.framed import FramedDecoder
from device_drivers.hunt import Hunter
from device_drivers.observations import TagRead
from device_drivers.pn532.frame import CHIP, HOST, LIST_PASSIVE, LONGEST, PADDING, frame_length, read_frame, why_not
from device_drivers.pn532.targets import KINDS, Kind, uids
from device_drivers.presence import Presence


def pn532_decoder(device: str, gone_after: timedelta) -> FramedDecoder:
    """The line of one reader, both directions.

    Args:
        device: the reader's id.
        gone_after: a tag that answers each poll is one presentation until it was away for this long.
    """
    presence = Presence(gone_after)
    kind: Kind = "106A"  # of the latest question

    def read(octets: bytes, at: datetime) -> Iterator[Reading | Reject]:
        nonlocal kind
        direction, code, data = read_frame(octets)
        if direction == HOST and code == LIST_PASSIVE and len(data) > 1:
            kind = KINDS.get(data[1], kind)
        if direction != CHIP or code != LIST_PASSIVE + 1:
            return
        for tag in uids(data, kind):
            if presence.arrives(tag, at):
                yield Reading(TagRead(device=device, at=at, tag=tag, method="nfc"))

    return FramedDecoder(Hunter(frame_length, why_not, LONGEST), read, padding=PADDING)
