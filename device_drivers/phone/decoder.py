"""Hand-overs of phones to observations. Whose phone it is says the gateway; nothing that a phone sends can say otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from device_drivers.driver import Reading, Readings, Reject
from device_drivers.errors import DecodeError
from device_drivers.ndef.decoder import digest, is_signed, number, number_in_url
from device_drivers.observations import Incident, Panic, ReaderHeartbeat, SyncEnd, TagRead
from device_drivers.phone.handover import Call, Handover, Link, Record, Report, Tap, read_handover, read_record
from device_drivers.tag import normal_tag

if TYPE_CHECKING:
    from device_drivers.ntag424.decoder import Ntag424Decoder

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class PhoneDecoder:
    """One phone.

    Args:
        device: its id.
        person: whose phone it is.
        sun: each makes a verifier of signed addresses, one a set of keys that tags of the site have.
    """

    def __init__(self, device: str, person: str | None, sun: Sequence[Callable[[], Ntag424Decoder]] = ()) -> None:
        self._device = device
        self._person = person
        self._sun = sun
        self._verifiers: list[Ntag424Decoder] | None = None

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:  # noqa: ARG002
        """Decode one hand-over as it came; records that cannot be read are among `rejects`, the others count.

        Raises:
            DecodeError: it is no hand-over.
        """
        if retained:
            raise DecodeError("a retained hand-over is old state, not an event")
        return self.read(read_handover(payload))

    def read(self, handover: Handover) -> Readings:
        """The observations of a hand-over: its records, and a heartbeat that says how far the phone has counted by when.

        A record that cannot be read is rejected as a hand-over of it alone, so that it can be read again.
        """
        readings: list[Reading] = []
        rejects: list[Reject] = []
        last = handover.last
        now = moment(handover.now)
        for raw in handover.records:
            try:
                record = read_record(bytes(raw))
                readings.append(self._reading(record, handover.boot))
            except DecodeError as error:
                alone = msgspec.structs.replace(handover, records=[raw], first=False)
                rejects.append(Reject(msgspec.json.encode(alone), error.reason))
            else:
                last = max(last, record.seq)
        if handover.first:
            readings.append(
                Reading(SyncEnd(device=self._device, at=now, boot=handover.boot, complete_to=now, device_now=now))
            )
        heartbeat = ReaderHeartbeat(
            device=self._device, at=now, boot=handover.boot, last_seq=last, device_now=now, battery=handover.battery
        )
        readings.append(Reading(heartbeat))
        return Readings(readings, rejects=rejects)

    def _reading(self, record: Record, boot: str) -> Reading:
        at, device, seq = moment(record.at), self._device, record.seq
        match record:
            case Tap():
                tag = normal_tag(record.tag)
                return Reading(
                    TagRead(device=device, at=at, boot=boot, seq=seq, tag=tag, method="nfc", person=self._person)
                )
            case Link():
                read = self._link(record, at)
                return Reading(msgspec.structs.replace(read, boot=boot, seq=seq, person=self._person))
            case Report():
                said = Incident(
                    device=device,
                    at=at,
                    boot=boot,
                    seq=seq,
                    code=record.code,
                    text=record.text,
                    checkpoint=record.checkpoint,
                )
                if not record.photo:
                    return Reading(said)
                more = {"photo": photo_key(device, boot, seq), "person": self._person}
                return Reading(said, msgspec.json.encode({**msgspec.to_builtins(said), **more}))
            case Call():
                return Reading(Panic(device=device, at=at, boot=boot, seq=seq, active=record.active))

    def _link(self, record: Link, at: datetime) -> TagRead:
        url = record.url
        if is_signed(url):
            return self._signed(url, at)
        return TagRead(device=self._device, at=at, tag=tag_of(url), method=record.via)

    def _signed(self, url: str, at: datetime) -> TagRead:
        if self._verifiers is None:
            self._verifiers = [make() for make in self._sun]
        reason = "a signed address (SUN), but the site has no keys: give `sun`, or a device with driver ntag424"
        for verifier in self._verifiers:
            try:
                read = verifier.tap(url, at).observation
            except DecodeError as error:
                reason = error.reason
            else:
                assert isinstance(read, TagRead)
                return msgspec.structs.replace(read, device=self._device)
        raise DecodeError(reason)


def tag_of(url: str) -> str:
    """The tag that an address without a signature names: by its path or a parameter, else a number that stands for the whole text."""
    return number_in_url(url) or number(url) or digest(url)


def photo_key(device: str, boot: str, seq: int) -> str:
    """What a picture that belongs to a record is called."""
    return f"{device}/{boot}/{seq}"


def moment(milliseconds: int) -> datetime:
    """A time of a phone's clock."""
    return _BEGINNING + timedelta(milliseconds=milliseconds)
