"""What every stream decoder of a camera must bear: cuts, noise, damage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import strategies as st

from device_drivers.driver import Reading, Reject, StreamDecoder

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)

Make = Callable[[], StreamDecoder]


def outcome(make: Make, pieces: Sequence[bytes]) -> list[Reading | Reject]:
    """What a fresh decoder makes of the pieces, all received at one moment."""
    decoder = make()
    found: list[Reading | Reject] = []
    for piece in pieces:
        found += decoder.feed(piece, NOW)
    return found + decoder.reset()


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    """The stream in pieces."""
    ends = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(ends)]


def damaged(parts: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Parts in any order, glued, with bytes changed, left out and put in."""

    def build(chosen: list[bytes], harm: list[tuple[int, int, bytes]]) -> bytes:
        stream = bytearray(b"".join(chosen))
        for place, length, noise in harm:
            at = place % (len(stream) + 1)
            stream[at : at + length] = noise
        return bytes(stream)

    return st.builds(
        build,
        st.lists(st.sampled_from(list(parts)), max_size=5),
        st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 60), st.binary(max_size=12)), max_size=4),
    )


def observations(found: Sequence[Reading | Reject]) -> list[object]:
    return [item.observation for item in found if isinstance(item, Reading)]
