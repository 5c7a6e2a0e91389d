"""A link for tests of the intake: remembers what was acknowledged and whether it was paused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.links.link import Envelope, LinkState, Token

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


class RecordingLink:
    """Satisfies gateway.links.link.Link."""

    name = "test"
    state = LinkState(name="test", up=True, since=NOW)

    def __init__(self) -> None:
        self.acknowledged: list[Token] = []
        self.pauses = 0
        self.paused = False

    async def run(self) -> None: ...

    def pause(self) -> None:
        self.pauses += 1
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        self.acknowledged += tokens


def envelope(topic: str, payload: bytes, packet: int = 1, *, at: datetime = NOW, retained: bool = False) -> Envelope:
    return Envelope(topic, payload, at, retained, Token(1, packet))
