"""The hash tree of RFC 6962 §2.1: roots of a growing list, and proofs that need not the list. Pure; SHA-256 throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

WIDTH = 32
"""Bytes of a hash."""

EMPTY = sha256(b"").digest()
"""The root of no leaves."""

RangeHash = Callable[[int, int], bytes]
"""The root of the leaves [from, to) of a tree."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing tree of which only the right edge is kept: a leaf costs one hash more on average, a root O(log n).

    Args:
        size: leaves so far.
        peaks: the hashes of its complete subtrees, the largest first.

    Raises:
        ValueError: a tree of this size has another number of peaks.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count() or any(len(peak) != WIDTH for peak in self.peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks of {WIDTH} bytes")

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> Tree:
        """From what `pack` gave.

        Raises:
            ValueError: it is not of that size.
        """
        return cls(size, (packed[start : start + WIDTH] for start in range(0, len(packed), WIDTH)))

    def pack(self) -> bytes:
        """The peaks in one piece."""
        return b"".join(self.peaks)

    def append(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        peaks = self.peaks
        complete = self.size
        while complete & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            complete >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The hash of the whole."""
        if not self.peaks:
            return EMPTY
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


def inclusion_proof(index: int, size: int, root_of: RangeHash) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 §2.1.1: what proves that leaf `index` is in the tree of `size` leaves.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root_of(middle, high))
            high = middle
        else:
            path.append(root_of(low, middle))
            low = middle
    return path[::-1]


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` is leaf `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(first: int, second: int, root_of: RangeHash) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962 §2.1.2: what proves that the tree of `first` leaves is the beginning of that of `second`.

    Raises:
        ValueError: `first` is 0 or more than `second`.
    """
    if not 0 < first <= second:
        raise ValueError(f"no proof from {first} to {second} leaves")
    path: list[bytes] = []
    low, high, whole = 0, second, True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(root_of(middle, high))
            high = middle
        else:
            path.append(root_of(low, middle))
            low, whole = middle, False
    if not whole:
        path.append(root_of(low, high))
    return path[::-1]


def continues(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the second tree begins with the first (RFC 9162 §2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    steps = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not steps:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        place, last = place >> 1, last >> 1
    return last == 0 and older == first_root and newer == second_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
