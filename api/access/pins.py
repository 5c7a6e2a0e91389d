"""PINs: the short code by which a guard enters with a phone, with gloves on. argon2id like passwords, and slower to be guessed."""

from __future__ import annotations

import re
from itertools import pairwise

from api.access.passwords import WeakPassword
from api.access.throttle import Limit, Throttle
from gateway.instants import MINUTE, SECOND

SHORTEST = 4
LONGEST = 8

LIMITS: dict[str, Limit] = {
    "account from address": Limit(free=5, longest=15 * MINUTE),
    "address": Limit(free=20, longest=15 * MINUTE),
    "account": Limit(free=20, longest=60 * SECOND),  # from anywhere: short, since anybody can cause it
}
"""Four digits are 10,000 codes: from one address a try costs 15 minutes soon, from many together a minute."""

_DIGITS = re.compile(rf"[0-9]{{{SHORTEST},{LONGEST}}}")
_YEAR = re.compile(r"(19|20)[0-9]{2}")
_COMMON = frozenset(
    {"2580", "0852", "1470", "1314", "5201314", "147258", "159357", "123321", "112233", "1122", "7758521"}
)
"""Patterns on the key pad, and what is read as words in Chinese."""


def pin_throttle() -> Throttle:
    """The limits of guessing a PIN."""
    return Throttle(LIMITS)


def check_pin(pin: str) -> None:
    """Raise WeakPassword unless `pin` may be used: 4 to 8 digits that are not among the first to be tried."""
    if not _DIGITS.fullmatch(pin):
        raise WeakPassword(f"a PIN has {SHORTEST} to {LONGEST} digits")
    if _steps(pin) or _repeats(pin) or _YEAR.fullmatch(pin) or pin in _COMMON:
        raise WeakPassword("this PIN is guessed first (a row, a repetition, a year, a pattern of keys); take another")


def _steps(pin: str) -> bool:
    """The same step from each digit to the next: 0000, 1234, 9876, 2468, 8901."""
    return len({(int(after) - int(before)) % 10 for before, after in pairwise(pin)}) == 1


def _repeats(pin: str) -> bool:
    """One piece over and over: 1212, 123123."""
    return any(pin == pin[:size] * (len(pin) // size) for size in range(1, len(pin) // 2 + 1))
