"""A line without a port: talks a poller's round with a function that is the devices on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from device_drivers.conversation import Answer, Give, LinePoller, Rest, Send
from device_drivers.driver import Reading, Reject
from device_drivers.observations import Observation

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Talk:
    """What came of a round: readings, rejects, and how it was asked."""

    def __init__(self) -> None:
        self.found: list[Reading | Reject] = []
        self.sent: list[bytes] = []
        self.listened: list[float] = []
        self.whole: list[bool] = []

    @property
    def seen(self) -> list[Observation]:
        return [item.observation for item in self.found if isinstance(item, Reading)]

    @property
    def reasons(self) -> list[str]:
        return [item.reason for item in self.found if isinstance(item, Reject)]


def talk(poller: LinePoller, devices: Callable[[bytes], bytes], *, late: bytes = b"") -> Talk:
    """One round. `devices` gives all that comes in answer to a request; `late` is what lies on the line before the first."""
    result = Talk()
    conversation = poller.round()
    pending = late
    answer: Answer | None = None
    while True:
        try:
            step = conversation.send(answer)
        except StopIteration:
            return result
        match step:
            case Give(found=found):
                result.found += found
                answer = None
            case Rest():
                answer = None
            case Send(data=data, within_s=within_s, ends=ends):
                if data:
                    result.sent.append(data)
                    pending += devices(data)
                else:
                    result.listened.append(within_s)
                size = next((n for cut in range(len(pending) + 1) if (n := ends(pending[:cut]))), 0)
                taken = size or len(pending)
                answer = Answer(pending[:taken], NOW, bool(size))
                pending = pending[taken:]
                if data:
                    result.whole.append(bool(size))
