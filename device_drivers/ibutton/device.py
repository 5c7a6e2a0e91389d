"""The other side: a DS2480B with a button on its probe, and the lines of a probe that sends them."""

from __future__ import annotations

from device_drivers.ibutton.rom import LENGTH, rom_of

__all__ = ["Adapter", "probe_line", "rom_of"]

_COMMAND_MODE, _DATA_MODE, _RESET, _READ_ROM = 0xE3, 0xE1, 0xC1, 0x33
_NOBODY, _PRESENT, _SHORTED = b"\xcf", b"\xcd", b"\xcc"


class Adapter:
    """A DS2480B.

    Args:
        rom: of the button on the probe; None: nobody.
        shorted: the probe is.
    """

    def __init__(self, rom: bytes | None = None, *, shorted: bool = False) -> None:
        self.rom = rom
        self.shorted = shorted
        self.measured = False  # it has measured the line's speed
        self.data_mode = False
        self._slots = LENGTH  # of the ROM that were given

    def answers(self, asked: bytes) -> bytes:
        """What comes back."""
        return b"".join(self._octet(octet) for octet in asked)

    def _octet(self, octet: int) -> bytes:
        if not self.measured:
            self.measured = True
            return b""
        if octet == _COMMAND_MODE:
            self.data_mode = False
            return b""
        if self.data_mode:
            return self._write(octet)
        if octet == _DATA_MODE:
            self.data_mode = True
            return b""
        if octet & 0xE3 != _RESET:
            return b""
        self._slots = LENGTH
        if self.shorted:
            return _SHORTED
        return _NOBODY if self.rom is None else _PRESENT

    def _write(self, octet: int) -> bytes:
        if octet == _READ_ROM and self._slots == LENGTH:
            self._slots = 0
            return bytes((octet,))
        if self.rom is not None and self._slots < LENGTH:
            self._slots += 1
            return bytes((octet & self.rom[self._slots - 1],))
        return bytes((octet,))


def probe_line(rom: bytes, *, printed: bool = False) -> bytes:
    """The line of a probe."""
    return (rom[::-1] if printed else rom).hex().upper().encode() + b"\r\n"
