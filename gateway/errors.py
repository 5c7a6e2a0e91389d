"""Errors of the gateway's rooms; each keeps its data as attributes and says what to do."""

from __future__ import annotations

from device_drivers.errors import DecodeError, LamplighterError, SettingsError

__all__ = [
    "ConfigError",
    "DecodeError",
    "DeliveryError",
    "JournalError",
    "LamplighterError",
    "LinkError",
    "Problem",
    "SettingsError",
    "StalledError",
]


class Problem:
    """One mistake in a file.

    Args:
        file: as the user named it.
        line: 1-based; None if it is not known.
        path: dotted path inside the file, for example `routes.night.visits[2].checkpoint`.
        message: what was found and what was expected.
        level: `error` refuses the file, `warning` does not.
    """

    __slots__ = ("file", "level", "line", "message", "path")

    def __init__(self, file: str, line: int | None, path: str, message: str, level: str = "error") -> None:
        self.file = file
        self.line = line
        self.path = path
        self.message = message
        self.level = level

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.level}: {self.path}: {self.message}"


class ConfigError(LamplighterError):
    """A site file or setting that cannot be used; `problems` names each mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class LinkError(LamplighterError):
    """A link failed for a reason outside; it is tried again.

    Args:
        link: which link, as the user knows it (`mqtt://host:port`, `/dev/ttyUSB0`).
        reason: what happened.
        hint: what the user may do about it.
    """

    def __init__(self, link: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{link}: {reason}" + (f" ({hint})" if hint else ""))
        self.link = link
        self.reason = reason
        self.hint = hint


class JournalError(LamplighterError):
    """The durable store cannot do its work; nothing is acknowledged until it can."""


class StalledError(LamplighterError):
    """The journal takes nothing at the moment: its disk is full, or somebody holds it locked. What was acknowledged is kept."""


class DeliveryError(LamplighterError):
    """A notice or a telemetry batch was not delivered.

    Args:
        reason: what the receiver said.
        retry_after_s: what it asked for, if it did.
        refused: whoever was to get it surely has nothing of it.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.refused = refused
