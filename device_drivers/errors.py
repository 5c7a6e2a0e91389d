"""The root of all errors, and those a driver may raise."""

from __future__ import annotations


class LamplighterError(Exception):
    """Root of every error that Lamplighter raises on purpose. Its text says what was wrong, where, and what to do."""


class DecodeError(LamplighterError):
    """Bytes that are not what the device's protocol says. The caller keeps them in quarantine with `reason`.

    Args:
        reason: what is wrong with the bytes, in one sentence.
        data: the offending bytes (a bounded piece of them), if they differ from what was handed in.
    """

    def __init__(self, reason: str, data: bytes | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.data = data


class SettingsError(LamplighterError):
    """A driver's settings that cannot be used.

    Args:
        key: dotted path of the setting inside the device's entry, for example `settings.checksum`.
        expected: what would be accepted.
    """

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"{key}: expected {expected}")
        self.key = key
        self.expected = expected
