"""Messages of one Tasmota device: telemetry, results, its last will, and the cards that its reader reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import EARLIEST, instant, iso_time, number, read_object, read_text, shown
from device_drivers.mapping import measurements
from device_drivers.observations import DeviceStatus, Measurement, Motion, Observation, Panic, TagRead
from device_drivers.tag import is_drawn_anew, normal_tag
from device_drivers.tasmota.bridge import SerialBridge
from device_drivers.tasmota.fields import KEY_BITS, PRESSES, READERS, TYPE_A, WIEGAND_DIGITS, InputMeaning
from device_drivers.tasmota.telemetry import Outputs, radio, sensors
from device_drivers.tasmota.topics import Topics

_SERIAL = ("SSerialReceived", "SerialReceived")
_INPUTS = ("Switch", "Button", "PIR")
_DIGITS = "0123456789"
_STATUS = (("StatusSNS", "SENSOR"), ("StatusSTS", "STATE"))
"""Objects in the answer to a `Status` command, and the telemetry that they repeat."""
_WIEGAND_BITS = 64
_EARLIEST, _EARLIEST_S = "2015", int(EARLIEST.timestamp())
"""A device that says it is earlier has not set its clock: as text, and in seconds since 1970."""
_ALONE = frozenset({"Time", "Epoch", "TempUnit", "PressureUnit", *READERS})
"""What may stand beside a card in the message of its read."""

_LEARNT = (("onln", "online"), ("ofln", "offline"))
"""Keys of the discovery message: the words of the last will."""


class TasmotaDecoder:
    """One device.

    Args:
        device: its id.
        topics: where it publishes.
        outputs: its lamps.
        bridge: its serial port.
        inputs: what its switches and buttons mean, by their names (`Switch1`); others are measurements.
        words: of its last will: {online: Online, offline: Offline}.
    """

    def __init__(
        self,
        device: str,
        topics: Topics,
        *,
        outputs: Outputs,
        bridge: SerialBridge,
        inputs: Mapping[str, InputMeaning],
        words: Mapping[str, str],
    ) -> None:
        self._device = device
        self._topics = topics
        self._outputs = outputs
        self._bridge = bridge
        self._inputs = inputs
        self._words = dict(words)
        self._last: tuple[str, str] | None = None

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. `at` is `Time` where it has an offset and is possible, else `received`.

        Retained values of unknown age say nothing, nor does a retained Online; a retained Offline stands. A card in periodic
        telemetry (beside other values) is the last one, not a read. Of values that cannot be read, and of a retained card, motion
        or call for help, the message is kept as a reject; the others count.

        Raises:
            DecodeError: not a topic of this device, not of the expected shape, or nothing of it can be read.
        """
        kind = self._topics.kind(topic)
        if not payload or kind == "":
            return []
        if kind == "LWT":
            return self._will(read_text(payload).strip(), received, retained=retained)
        if kind.startswith("POWER") and payload[:1] != b"{":
            return self._power(kind, read_text(payload).strip(), received, retained=retained)
        if b"\x02" in payload or b"\x03" in payload:  # the bridge does not escape them in all versions
            payload = _escaped(payload) if b"SerialReceived" in payload else payload
        document = read_object(payload)
        if kind == "discovery":
            self._learn(document)
            return []
        unread: list[str] = []
        readings = self._document(kind, document, received, unread, retained=retained)
        for key, sort in _STATUS:
            if type(inside := document.get(key)) is dict:
                readings += self._document(sort, inside, received, unread, retained=retained, answer=True)
        return beside_unread(readings, payload, unread)

    def _document(
        self,
        kind: str,
        document: dict[str, Any],
        received: datetime,
        unread: list[str],
        *,
        retained: bool,
        answer: bool = False,
    ) -> list[Reading]:
        time = _time(document, received)
        aged = retained and time is None
        at = received if time is None else time
        found: list[Observation] = []
        if kind == "SENSOR":
            try:
                found += self._card(document, at, retained=retained, sample=answer or not document.keys() <= _ALONE)
            except DecodeError as error:
                unread.append(error.reason)
            found += sensors(document, self._device, at, unread)
        else:
            found += self._outputs.read(document, at, unread)
            if kind == "STATE":
                found += radio(document, self._device, at, unread)
        found += self._switches(document, at, unread, retained=retained)
        readings: list[Reading] = [] if aged else [Reading(observation) for observation in found]
        for key in _SERIAL:
            if (text := document.get(key)) is not None:
                return self._serial(text, received, unread, retained=retained)
        return readings

    # -- the device itself

    def _will(self, word: str, at: datetime, *, retained: bool) -> list[Reading]:
        words = self._words
        if word not in (words["online"], words["offline"]):
            raise DecodeError(f"LWT {shown(word)}, expected {words['online']} or {words['offline']}")
        online = word == words["online"]
        if online and retained:
            return []
        return [Reading(DeviceStatus(device=self._device, at=at, online=online, reason="lwt"))]

    def _power(self, kind: str, word: str, at: datetime, *, retained: bool) -> list[Reading]:
        unread: list[str] = []
        found = self._outputs.read({kind: word}, at, unread)
        return beside_unread([] if retained else [Reading(each) for each in found], word.encode(), unread)

    def _learn(self, document: Mapping[str, Any]) -> None:
        """The words that the device announces; the site file's go first where they differ from Tasmota's own."""
        for key, word in _LEARNT:
            said = document.get(key)
            if type(said) is str and 0 < len(said) <= 32 and self._words[word] == word.capitalize():
                self._words[word] = said
        states = document.get("state")
        if type(states) is list and len(states) > 1 and (self._outputs.off, self._outputs.on) == ("OFF", "ON"):
            off, on = states[:2]
            if type(off) is str and type(on) is str and off and on and off != on:
                self._outputs.off, self._outputs.on = off, on

    # -- cards

    def _card(self, document: Mapping[str, Any], at: datetime, *, retained: bool, sample: bool) -> list[Observation]:
        """The card of a message of its own; beside other values it is a sample of the last one."""
        for name, inside in document.items():
            form = READERS.get(name)
            if form is None or inside is None:
                continue
            if type(inside) is not dict:
                raise DecodeError(f"{name}: {shown(inside)}, expected an object")
            tag = _tag(name, inside, form)
            if tag is None or sample:
                continue
            if retained:
                raise DecodeError(f"retained {name}: old state, not a read")
            if self._repeated(document.get("Time"), tag):
                continue
            return [TagRead(device=self._device, at=at, tag=tag, method="nfc" if name == "PN532" else "rfid")]
        return []

    def _repeated(self, time: Any, tag: str) -> bool:
        """The same message came again (QoS 1); a device without a clock says the same time after each start."""
        has_clock = time > _EARLIEST if type(time) is str else type(time) is int and time > _EARLIEST_S
        last, self._last = self._last, (str(time), tag) if has_clock else None
        return last is not None and last == self._last

    def _serial(self, received_by_device: Any, at: datetime, unread: list[str], *, retained: bool) -> list[Reading]:
        if type(received_by_device) is dict:
            return [] if retained else measurements(received_by_device, self._device, at, unread=unread)
        if type(received_by_device) is not str:
            raise DecodeError(f"SSerialReceived: {shown(received_by_device)}, expected text")
        if retained:
            if self._bridge.may_read:
                raise DecodeError("retained card: old state, not a read")
            return []
        return self._bridge.read(received_by_device, at)

    # -- switches and buttons

    def _switches(
        self, document: Mapping[str, Any], at: datetime, unread: list[str], *, retained: bool
    ) -> list[Observation]:
        found: list[Observation] = []
        for key, value in document.items():
            if not key.startswith(_INPUTS):
                continue
            name = key.rstrip(_DIGITS)
            place = key[len(name) :]
            if name not in _INPUTS or not 0 < len(place) <= 2:
                continue
            word = value.get("Action") if type(value) is dict else value
            meaning = self._inputs.get(key)
            try:
                pressed = self._pressed(key, word)
            except DecodeError as error:
                unread.append(error.reason)
                continue
            if pressed is None:
                continue
            if meaning in ("motion", "panic") and retained:
                unread.append(f"retained {key}: old state, not an event")
                continue
            if meaning == "motion":
                found.append(Motion(device=self._device, at=at, active=pressed))
            elif meaning == "panic":
                found.append(Panic(device=self._device, at=at, active=pressed))
            else:
                quantity = meaning or name.lower()
                found.append(
                    Measurement(device=self._device, at=at, quantity=quantity, value=float(pressed), channel=int(place))
                )
        return found

    def _pressed(self, key: str, word: Any) -> bool | None:
        """Whether a switch is on or a button was pressed; None where the word says neither."""
        if type(word) is not str:
            if word is None:
                return None
            raise DecodeError(f"{key}: {shown(word)}, expected a word")
        if word in (self._outputs.off, "OFF"):
            return False
        return True if word == self._outputs.on or word in PRESSES else None


def _time(document: Mapping[str, Any], received: datetime) -> datetime | None:
    """The device's own time: text with its offset, or seconds since 1970 as `Time` or beside it (command Time 2 and 3)."""
    said = document.get("Time")
    if type(said) is str and (time := iso_time(said, received)) is not None:
        return time
    seconds = said if type(said) is int else document.get("Epoch")
    return instant(seconds, received) if type(seconds) is int else None


def _escaped(payload: bytes) -> bytes:
    """The marks of frames as JSON writes them: they part the frames, so that two in one message stay two."""
    return payload.translate(None, b"\r\n").replace(b"\x02", rb"\u0002").replace(b"\x03", rb"\u0003")


def _tag(name: str, inside: Mapping[str, Any], form: str) -> str | None:
    """The card's number in its one form; None: no card, one drawn anew each time, or keys of a keypad."""
    uid = inside.get("UID")
    if uid is None or uid == "":
        return None
    if form == "wiegand":
        return _wiegand(uid, inside.get("Size"))
    if type(uid) is not str:
        raise DecodeError(f"{name}.UID: {shown(uid)}, expected hexadecimal digits")
    tag = normal_tag(uid)
    return None if name in TYPE_A and len(tag) % 2 == 0 and is_drawn_anew(bytes.fromhex(tag)) else tag


def _wiegand(uid: Any, size: Any) -> str | None:
    """A card behind a Wiegand reader: decimal, or hexadecimal with `h` behind or `0x` before it."""
    least = 8
    most = _WIEGAND_BITS
    if size is not None:
        bits = number(size, "Wiegand.Size")
        if bits is None or bits <= KEY_BITS:
            return None
        least = WIEGAND_DIGITS.get(int(min(bits, most)), (int(min(bits, most)) + 3) // 4)
        most = least * 4
    try:
        if type(uid) is int:
            value = uid
        elif type(uid) is str and len(uid) <= 20 and uid.isascii():
            text = uid.strip().lower()
            is_hex = text.endswith("h") or text.startswith("0x")
            value = int(text.removesuffix("h"), 16) if is_hex else int(text)
        else:
            raise ValueError
    except ValueError:
        raise DecodeError(f"Wiegand.UID: {shown(uid)}, expected a card's number") from None
    if not 0 <= value < 1 << most:
        raise DecodeError(f"Wiegand.UID: {shown(uid)} does not fit {most} bits")
    return f"{value:0{least}X}"
