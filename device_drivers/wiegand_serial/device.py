"""The converter's own side: the line that it makes of a card, for simulation and tests."""

from __future__ import annotations

from device_drivers.wiegand_serial.forms import Format, bits_of_card


def line(card: bytes, form: Format = "bits", *, end: bytes = b"\r\n") -> bytes:
    """What a converter sends for a card of 3 or 4 bytes (`facility`: 3)."""
    match form:
        case "bits":
            text = bits_of_card(card)
        case "hex":
            text = card.hex().upper()
        case "decimal":
            text = f"{int.from_bytes(card, 'big'):0{8 if len(card) == 3 else 10}d}"
        case "facility":
            text = f"{card[0]:03d},{int.from_bytes(card[1:], 'big'):05d}"
        case "binary":
            return card
    return text.encode() + end
