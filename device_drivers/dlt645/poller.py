"""Asking one DL/T 645 meter: its identifiers in turn, a retry or two, silence before each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from device_drivers.conversation import Answer, Give, LineConversation, Send
from device_drivers.dlt645.frame import ANYONE, LONGEST, WAKE, Frame, error_words, frame_length, make_frame, read_frame
from device_drivers.dlt645.frame import why_not as frame_why_not
from device_drivers.dlt645.identifiers import RULES, Edition
from device_drivers.dlt645.meaning import Number, identifier, numbers, readings
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError

RETRIES = 2
SILENCE_S = 0.05
"""Before each request: a meter may need 20 ms and more to listen again after it spoke (§5.4)."""

_WAKING = WAKE * 4
_LATE_S = 0.5
"""A meter answers within 500 ms of a request (§5.4): after that nothing comes of one that had no answer."""


class Dlt645Poller:
    """Asks one meter.

    Args:
        device: the device's id.
        line: device file or URL of the line.
        address: the meter's address, 12 digits; None: whoever is alone on the line.
        edition: which edition of the standard it speaks.
        phases: 1 or 3.
        every_s: from the beginning of a round to the next.
        within_s: how long an answer may take.
    """

    def __init__(
        self,
        device: str,
        line: str,
        *,
        address: str | None = None,
        edition: Edition = "2007",
        phases: int = 1,
        every_s: float = 60,
        within_s: float = 1.0,
    ) -> None:
        self.line = line
        self.every_s = every_s
        self.hangs_up = False
        self._device = device
        self._address = address
        self._rules = RULES[edition]
        self._asked = self._rules.asked[phases]
        self._phases = phases
        self._within_s = within_s
        self._silent = False  # it gave no answer in its last round
        self._told: set[tuple[str, str]] = set()  # at most a few for each identifier

    def round(self) -> LineConversation:
        """Ask for everything once; what came is given at the end, also where the meter fell silent on the way. While it is
        silent it is asked only once a round, so that the others on its line do not wait for it.
        """
        found: list[Number] = []
        at: datetime | None = None
        late = False
        tries = 1 if self._silent else 1 + RETRIES
        for name in self._asked:
            answer = None
            for _ in range(tries):
                yield Send(b"", _LATE_S if late else SILENCE_S, _never)
                answer = yield Send(self._request(name), self._within_s, self._ending(name))
                assert answer is not None
                late = not answer.whole
                if answer.whole:
                    break
            assert answer is not None
            self._silent = not answer.whole
            values, rejects = self._understood(name, answer)
            if rejects:
                yield Give(rejects)
            if self._silent:
                break
            if values:
                found += values
                at = answer.received
            tries = 1 + RETRIES
        if at is not None:
            yield Give(readings(self._device, found, at, phases=self._phases))

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut: a meter keeps nothing of a connection."""
        return ()

    def _request(self, name: str) -> bytes:
        data = bytes.fromhex(name)[::-1]
        return _WAKING + make_frame(self._address or ANYONE, self._rules.read, data)

    def _ending(self, name: str) -> Callable[[bytes], int]:
        def ends(data: bytes) -> int:
            place = self._find(data, name)
            return 0 if place is None else place[1]

        return ends

    def _find(self, data: bytes, name: str) -> tuple[Frame, int] | None:
        """The answer and where it ends: behind FE, noise, the echo of a converter, and what other meters said."""
        start = 0
        while start < len(data):
            size = frame_length(data, start)
            if size > 1:
                frame = read_frame(data[start : start + size])
                if self._is_answer(frame, name):
                    return frame, start + size
            start += max(size, 1)
        return None

    def _is_answer(self, frame: Frame, name: str) -> bool:
        if not frame.is_reply or frame.function != self._rules.read:
            return False
        if self._address is not None and frame.address != self._address:
            return False
        # An error names no identifier; a late reply to something else does.
        return frame.is_error or identifier(frame) in (name, None)

    def _understood(self, name: str, answer: Answer) -> tuple[list[Number], list[Reading | Reject]]:
        """What an answer brought; the same trouble with the same identifier is told once, until it is read again."""
        found = self._find(answer.data, name)
        if found is None:
            heard = answer.data.lstrip(WAKE).removeprefix(self._request(name).lstrip(WAKE)).lstrip(WAKE)
            if not heard:
                return [], []  # silence is the link's to tell
            return [], self._tell(name, heard[:LONGEST], "garbled", f"{name}: {frame_why_not(heard)}")
        frame, _ = found
        if frame.is_error:
            words = error_words(frame.data[0]) if frame.data else "an error without a code"
            return [], self._tell(name, answer.data[:LONGEST], words, f"{name}: {words}")
        try:
            values = numbers(frame)
        except DecodeError as error:
            return [], self._tell(name, answer.data[:LONGEST], "unread", error.reason)
        self._told = {told for told in self._told if told[0] != name}
        return values, []

    def _tell(self, name: str, data: bytes, key: str, reason: str) -> list[Reading | Reject]:
        if (name, key) in self._told:
            return []
        self._told.add((name, key))
        return [Reject(data, reason)]


def _never(data: bytes) -> int:  # noqa: ARG001  whatever comes is no answer
    return 0
