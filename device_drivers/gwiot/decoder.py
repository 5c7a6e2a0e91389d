"""What Gwiot readers say: cards to tag reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.framed import FramedDecoder
from device_drivers.gwiot.frame import (
    IDENTITIES,
    MAY_SEND,
    NO_CARD_TYPES,
    OK,
    POLLED_LONGEST,
    PUSH_LONGEST,
    READ_ID,
    TYPE_A,
    polled_length,
    polled_trouble,
    push_length,
    push_trouble,
    read_polled,
)
from device_drivers.hunt import Hunter
from device_drivers.observations import TagRead
from device_drivers.presence import Presence
from device_drivers.tag import is_drawn_anew


def push_decoder(device: str, gone_after: timedelta) -> FramedDecoder:
    """The stream of a reader that sends by itself.

    Args:
        device: the reader's id.
        gone_after: frames of one card that follow within this are one presentation.
    """
    presence = Presence(gone_after)

    def read(octets: bytes, at: datetime) -> Iterator[Reading | Reject]:
        sort, number = octets[2], octets[3:-2]
        if sort in NO_CARD_TYPES or (sort in TYPE_A and is_drawn_anew(number)):
            return
        tag = number.hex().upper()
        if presence.arrives(tag, at):
            yield Reading(TagRead(device=device, at=at, tag=tag))

    return FramedDecoder(Hunter(push_length, push_trouble, PUSH_LONGEST), read)


def polled_decoder(device: str, address: int | None, gone_after: timedelta) -> FramedDecoder:
    """What passes between a host and polled readers: requests give nothing, replies with a card's number a tag read.

    Args:
        device: the reader's id.
        address: only frames of this address; None: of all.
        gone_after: a card that answers each poll is one presentation until it was away for this long.
    """
    presence = Presence(gone_after)
    asked: int | None = None

    def read(octets: bytes, at: datetime) -> Iterator[Reading | Reject]:
        nonlocal asked
        frame = read_polled(octets)
        if address is not None and frame.address != address:
            return
        if not frame.reply:
            asked = frame.code
            return
        question, asked = asked, None
        if question is not None and question not in MAY_SEND:
            return
        if frame.code != OK or len(frame.data) not in IDENTITIES:
            return
        if question != READ_ID and is_drawn_anew(frame.data):
            return
        tag = frame.data.hex().upper()
        if presence.arrives(tag, at):
            yield Reading(TagRead(device=device, at=at, tag=tag))

    return FramedDecoder(Hunter(polled_length, polled_trouble, POLLED_LONGEST), read)
