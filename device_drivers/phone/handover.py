"""What a phone hands in at once: its clock, how far it has counted, and records, each as it stood in its queue."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from device_drivers.errors import DecodeError

Shape = TypeVar("Shape")

MOST_RECORDS = 200
"""Records in one hand-over; a phone that kept more hands in several."""

Boot = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""What a browser can count."""
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=253_370_764_800_000)]
"""Of a phone's clock since 1970 UTC, up to the year 9998."""
Words = Annotated[str, msgspec.Meta(max_length=500)]
Code = Annotated[str, msgspec.Meta(max_length=64)]


class Handover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One hand-over.

    Args:
        device: whose queue it is, where a browser has several.
        boot: names the queue; another wherever a new one was begun.
        now: the phone's clock at the moment of sending.
        last: the highest number ever given to a record of this queue, sent or not.
        records: in order; each is read by itself.
        battery: charge in percent.
        first: the phone was made just now, and recorded nothing before. Only the gateway says so.
    """

    device: str = ""
    boot: Boot
    now: Milliseconds
    last: Number
    records: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_RECORDS)] = []
    battery: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    first: bool = False


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    at: Milliseconds


class Tap(_Record, frozen=True, kw_only=True, tag="tap"):
    """The phone read a tag's own number (Web NFC)."""

    tag: Annotated[str, msgspec.Meta(max_length=128)]


class Link(_Record, frozen=True, kw_only=True, tag="link"):
    """An address was opened from a tag, or read from a QR code."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    via: Literal["nfc", "qr"]


class Report(_Record, frozen=True, kw_only=True, tag="incident"):
    """Something seen. `photo`: a picture of it is handed in beside."""

    code: Code | None = None
    text: Words | None = None
    checkpoint: Code | None = None
    photo: bool = False


class Call(_Record, frozen=True, kw_only=True, tag="panic"):
    """A call for help, or its end."""

    active: bool = True


Record = Tap | Link | Report | Call

_handover: msgspec.json.Decoder[Handover] = msgspec.json.Decoder(Handover)
_record: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def read_handover(payload: bytes) -> Handover:
    """One hand-over; its records are not looked into.

    Raises:
        DecodeError: it is none.
    """
    return _read(_handover, payload)


def read_record(payload: bytes) -> Record:
    """One record.

    Raises:
        DecodeError: it is none.
    """
    return _read(_record, payload)


def _read(decoder: msgspec.json.Decoder[Shape], payload: bytes) -> Shape:
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise DecodeError(f"text that is not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise DecodeError("JSON nested too deeply") from error
    except msgspec.DecodeError as error:
        raise DecodeError(str(error)) from error
