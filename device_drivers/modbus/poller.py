"""Asking one device on a Modbus line: its profile's reads in turn, a retry or two, and silence before each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from device_drivers.conversation import Answer, Give, LineConversation, Send
from device_drivers.driver import Reading, Reject
from device_drivers.modbus.frames import RTU, Framing, exception_words, read_request, why_not
from device_drivers.modbus.meaning import ReadMeaning, meanings
from device_drivers.modbus.profile import Profile

RETRIES = 2
"""Further requests after one without an answer (lighting-and-meters.md, modbus_rtu, Polling)."""

LEAST_SILENCE_S = 0.02
"""Before each request. The standard asks for 3.5 characters (16 ms at 2400 baud, 4 ms at 9600); cheap slaves want more."""

_BITS_A_CHARACTER = 11


class ModbusPoller:
    """Asks one device.

    Args:
        device: the device's id.
        profile: what is asked and what it means.
        line: device file or URL of the line.
        framing: RTU or TCP.
        address: the device's address, 1 to 255.
        every_s: from the beginning of a round to the next.
        within_s: how long an answer may take.
        baud: of the line; says how long 3.5 characters are.
        lamps: the lamp's id of each channel of a relay board.
    """

    def __init__(
        self,
        device: str,
        profile: Profile,
        line: str,
        framing: Framing = RTU,
        *,
        address: int = 1,
        every_s: float = 30,
        within_s: float = 0.5,
        baud: int = 9600,
        lamps: Mapping[str, str] | None = None,
    ) -> None:
        self.line = line
        self.every_s = every_s
        self.hangs_up = False
        self._framing = framing
        self._address = address
        self._within_s = within_s
        self._silence_s = max(LEAST_SILENCE_S, 3.5 * _BITS_A_CHARACTER / baud)
        self._reads = [read for read in meanings(device, profile, lamps or {}) if read.poll]
        self._silent = False  # it gave no answer in its last round
        self._transaction = 0
        self._told: set[tuple[int, str]] = set()  # at most a few for each read of the profile

    def round(self) -> LineConversation:
        """Ask for everything once. A device that does not answer is left alone until the next round; and while it is
        silent it is asked only once a round, so that the others on its line do not wait for it.
        """
        late = False  # a request had no answer, so one may still come
        tries = 1 if self._silent else 1 + RETRIES
        for number, read in enumerate(self._reads):
            answer, asked = None, b""
            for attempt in range(tries):
                if self._framing is RTU:
                    # What still comes is for nobody: a late answer would be taken for the answer to the next request.
                    yield Send(b"", self._within_s if late else self._silence_s, _never)
                asked = self._request(read)
                answer = yield Send(asked, self._within_s, self._ending(asked, read))
                assert answer is not None
                late = attempt > 0 or not answer.whole
                if answer.whole:
                    break
            assert answer is not None
            self._silent = not answer.whole
            found = self._understood(number, read, asked, answer)
            if found:
                yield Give(found)
            if self._silent:
                return
            tries = 1 + RETRIES

    def lost(self) -> Sequence[Reading | Reject]:
        """The line was cut: nothing that a request left behind belongs to the next connection."""
        return ()

    def _request(self, read: ReadMeaning) -> bytes:
        if self._framing is RTU:
            return read_request(self._address, read.function, read.register, read.count)
        self._transaction = self._transaction % 0xFFFF + 1
        return read_request(self._address, read.function, read.register, read.count, self._transaction)

    def _ending(self, asked: bytes, read: ReadMeaning) -> Callable[[bytes], int]:
        def ends(data: bytes) -> int:
            place = self._find(data, asked, read)
            return 0 if place is None else place[1]

        return ends

    def _find(self, data: bytes, asked: bytes, read: ReadMeaning) -> tuple[int, int] | None:
        """Where in what has come the answer begins and ends: behind noise, the echo of a converter, and what others said."""
        # An echo is our request, byte for byte; a reply of the same length cannot be equal to it but by its meaning.
        start = len(asked) if data.startswith(asked) else 0
        while start < len(data):
            size = self._framing.length(data, start)
            if size > 0:
                frame = self._framing.read(data[start : start + size])
                mine = frame.address == self._address and frame.pdu[0] & 0x7F == read.function
                if mine and frame.octets != asked and (self._framing is RTU or frame.transaction == self._transaction):
                    return start, start + size
                start += size
            else:  # none begins here, or one that noise only pretends: the answer may begin at the next byte
                start += 1
        return None

    def _understood(self, number: int, read: ReadMeaning, asked: bytes, answer: Answer) -> list[Reading | Reject]:
        """What an answer brought; the same trouble with the same read is told once, until the read succeeds."""
        place = self._find(answer.data, asked, read)
        if place is None:
            heard = answer.data.removeprefix(asked)
            if not heard:
                return []  # silence is the link's to tell
            return self._tell(number, heard[: self._framing.longest], "garbled", why_not(heard, self._framing))
        frame = self._framing.read(answer.data[place[0] : place[1]])
        what = f"read of {read.count} from {read.register} by function {read.function:02}"
        if frame.pdu[0] & 0x80:
            words = f"{what}: exception {exception_words(frame.pdu[1])}"
            return self._tell(number, frame.octets, words, words)
        data = frame.pdu[2:]
        if len(data) != read.octets or frame.pdu[1] != read.octets:
            words = f"{what}: {len(data)} bytes in the reply, expected {read.octets}"
            return self._tell(number, frame.octets, words, words)
        readings, doubts = read.understand(data, answer.received)
        if not doubts:
            self._told = {told for told in self._told if told[0] != number}
        rejects: list[Reading | Reject] = []
        for doubt in doubts:
            rejects += self._tell(number, frame.octets, doubt.partition(" ")[0], f"{what}: {doubt}")
        return [*readings, *rejects]

    def _tell(self, number: int, data: bytes, key: str, reason: str) -> list[Reading | Reject]:
        if (number, key) in self._told:
            return []
        self._told.add((number, key))
        return [Reject(data, reason)]


def _never(data: bytes) -> int:  # noqa: ARG001  whatever comes is no answer
    return 0
