"""Chip numbers as exports write them: ten hexadecimal digits, with the letter O for a zero, or a number that lost its zeros."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from device_drivers.errors import DecodeError
from device_drivers.patrol_export.tables import MOST_ROWS, Cell
from device_drivers.tag import normal_tag

DIGITS = 10
"""Hexadecimal digits of a 125 kHz chip (5 bytes of EM4100); what a spreadsheet took for a number is filled up to it."""

_SHORTEST, _LONGEST = 6, 20
_LOST_ZEROS = (7, 9)
"""Decimal digits of a text that are no whole bytes: a spreadsheet took its zeros before it wrote the text."""
_EXACT = 15
"""Digits that a spreadsheet keeps of a number."""
_LETTERS = str.maketrans({"O": "0", "o": "0"})
"""No hexadecimal digit looks like these: someone typed a letter for a zero (`OF004E86D9`)."""


def read_chip(cell: Cell, *, decimal: bool) -> str:
    """The tag of a chip number.

    Args:
        cell: as it stands in the file.
        decimal: the file has the printed number of 10 decimal digits (the last 4 bytes), not hexadecimal.

    Raises:
        ValueError: what is wrong with it.
    """
    match cell:
        case int() | float() if 0 <= cell < 10**_EXACT and float(cell).is_integer():
            text = str(int(cell))
            if decimal or len(text) >= _SHORTEST:  # fewer are the number of a row or a place
                text = text.zfill(DIGITS)
        case str():
            text = unicodedata.normalize("NFKC", cell).strip()
            if text.isascii() and text.isdecimal() and len(text) in _LOST_ZEROS:
                text = text.zfill(DIGITS)
        case _:
            raise ValueError(f"chip number {str(cell)[:40]!r}: a spreadsheet program has destroyed it")
    if decimal:
        return _printed(text)
    try:
        tag = normal_tag(text.translate(_LETTERS).removeprefix("0x").removeprefix("0X"))
    except DecodeError:
        raise ValueError(f"chip number {text[:40]!r} is not hexadecimal") from None
    if not _SHORTEST <= len(tag) <= _LONGEST or len(tag) % 2:
        raise ValueError(f"chip number {text[:40]!r} has {len(tag)} digits, expected {DIGITS}")
    return tag


def is_running_number(cells: Sequence[Cell]) -> bool:
    """Whether the cells of a column count its rows: each number is one more than the one above it, or there is only a 1."""
    numbers = [_counted(cell) for cell in cells]
    first = numbers[0] if numbers else None
    if first is None or (len(numbers) == 1 and first != 1):
        return False
    return numbers == list(range(first, first + len(numbers)))


def _counted(cell: Cell) -> int | None:
    match cell:
        case int() | float() if 0 <= cell <= MOST_ROWS and float(cell).is_integer():
            return int(cell)
        case str() if cell.isascii() and cell.isdecimal() and len(cell) <= _SHORTEST:
            return int(cell)
        case _:
            return None


def _printed(text: str) -> str:
    digits = text.translate(_LETTERS).replace(" ", "")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > DIGITS or int(digits) >= 2**32:
        raise ValueError(f"chip number {text[:40]!r} is no number of 10 decimal digits, as `chips: decimal` says")
    return f"{int(digits):08X}"
