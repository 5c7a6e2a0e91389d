"""Passwords: argon2id, checked away from the event loop, few at a time."""

from __future__ import annotations

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from device_drivers.errors import LamplighterError

SHORTEST = 10
LONGEST = 128

# OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, 2 passes, 1 lane; a gateway has 1 GB for everything.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


class WeakPassword(LamplighterError):  # noqa: N818 - what is wrong with it
    """A password that is not taken; the text says what is."""


class Passwords:
    """Hashes and checks; at most `at_once` at a time, so that log-ins cannot starve the gateway."""

    def __init__(self, at_once: int = 2) -> None:
        self._slots = asyncio.Semaphore(at_once)

    async def make(self, name: str, password: str) -> str:
        """The hash of a new password.

        Raises:
            WeakPassword: too short, too long, or the name itself.
        """
        check_strength(name, password)
        return await self.stored(password)

    async def stored(self, secret: str) -> str:
        """The hash of a password or PIN that was found to be good."""
        async with self._slots:
            return await asyncio.to_thread(_HASHER.hash, secret)

    async def check(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the stored one. Takes as long when there is none, so that names cannot be guessed by time."""
        async with self._slots:
            return await asyncio.to_thread(_check, stored, password[: LONGEST + 1])


def check_strength(name: str, password: str) -> None:
    """Raise WeakPassword unless `password` may be used for the account `name`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters; a few words are easy to keep")
    if name.casefold() in password.casefold() and len(password) < len(name) + SHORTEST:
        raise WeakPassword("a password is not made of the account's name")


def hash_now(name: str, password: str) -> str:
    """The hash of a new password, for the command line.

    Raises:
        WeakPassword: as `Passwords.make`.
    """
    check_strength(name, password)
    return stored_now(password)


def stored_now(secret: str) -> str:
    """The hash of a password or PIN that was found to be good, for the command line."""
    return _HASHER.hash(secret)


@cache
def _nobody() -> str:
    return _HASHER.hash("nobody has this password")


def _check(stored: str | None, password: str) -> bool:
    nobody = _nobody()  # asked for whether there is one or not: the first question too takes the same time
    return _verify(stored or nobody, password) and stored is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
