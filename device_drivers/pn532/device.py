"""The chip's own side: what a PN532 answers to a host's command, for simulation and tests."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.pn532.frame import (
    ACK,
    CHIP,
    HOST,
    LIST_PASSIVE,
    RF_CONFIGURATION,
    SAM_CONFIGURATION,
    frames,
    make_frame,
)


class Chip:
    """A PN532. `tags` are the UIDs in its field; `awake` is false until it was set up.

    Without RFConfiguration it waits for a tag, as the real one does, and answers nothing while there is none.
    """

    def __init__(self, tags: Sequence[bytes] = ()) -> None:
        self.tags = list(tags)
        self.awake = False
        self.patient = True

    def answers(self, asked: bytes) -> bytes:
        """What comes back for whole commands."""
        out = b""
        for frame, _ in frames(asked):
            if frame.direction != HOST or not (self.awake or frame.code == SAM_CONFIGURATION):
                continue
            out += ACK
            match frame.code:
                case 0x14:
                    self.awake = True
                    out += make_frame(CHIP, SAM_CONFIGURATION + 1, b"")
                case 0x32:
                    self.patient = False
                    out += make_frame(CHIP, RF_CONFIGURATION + 1, b"")
                case 0x4A if self.tags or not self.patient:
                    out += listing(self.tags[: frame.data[0]])
                case _:
                    pass
        return out


def listing(tags: Sequence[bytes]) -> bytes:
    """The answer to InListPassiveTarget for tags of type A."""
    data = bytes((len(tags),))
    for number, uid in enumerate(tags, 1):
        data += bytes((number, 0x00, 0x04 if len(uid) == 4 else 0x44, 0x08 if len(uid) == 4 else 0x00, len(uid))) + uid
    return make_frame(CHIP, LIST_PASSIVE + 1, data)
