"""What is down and what it takes with it (spec: cameras.md, Parents).

A node is *down* if it fell itself (offline, its link down, a `parent_fault` on it) or if one of its own parents is down.
Its *root* is the topmost node that is down above it, or the node itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from gateway.instants import Instant
from gateway.rules.lineage import Lineage


class Fall(NamedTuple):
    """A node fell by itself.

    Args:
        at: a sign of life must be later than this to show that a child lives in spite of it.
        taken_in: of a parent fault: those it rests on or took in, each with its last sign of life (None: none).
    """

    at: Instant
    taken_in: Mapping[str, Instant | None] = {}


class Falls:
    """All falls, and the root of every node that is down."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._falls: dict[str, Fall] = {}
        self._roots: dict[str, str] = {}

    def root(self, node: str) -> str | None:
        """The topmost thing that is down and takes `node` with it, itself included; None if it is up."""
        return self._roots.get(node)

    def above(self, parents: tuple[str, ...], child: str, heard: Instant | None) -> str | None:
        """The topmost thing above that took a child of these parents with it; None if all are up or the child was heard since.

        What outlived a switch that is still down falls with its recorder all the same.

        Args:
            parents: direct parents, in the order in which one must be named.
            child: its id.
            heard: its last sign of life.
        """
        if not self._roots:
            return None
        seen: set[str] = set()
        for parent in parents:
            if (taker := self._taker(parent, child, heard, seen)) is not None:
                return taker
        return None

    def _taker(self, node: str, child: str, heard: Instant | None, seen: set[str]) -> str | None:
        """The topmost of `node` and what stands above it that fell since the child was heard."""
        if node in seen or node not in self._roots:
            return None
        seen.add(node)
        for parent in self._lineage.parents.get(node, ()):
            if (taker := self._taker(parent, child, heard, seen)) is not None:
                return taker
        return node if node in self._falls and not self.outlived(node, child, heard) else None

    def outlived(self, root: str, child: str, heard: Instant | None) -> bool:
        """Whether `child` gave a sign of life after `root` fell."""
        if heard is None:
            return False
        fall = self._falls[root]
        if heard <= fall.at:
            return False
        taken = fall.taken_in.get(child)
        return taken is None or heard > taken

    def put(self, node: str, fall: Fall | None) -> list[str]:
        """Note that `node` fell, fell otherwise, or (None) is up again; gives the nodes to be judged again, top down."""
        if fall is None:
            self._falls.pop(node, None)
        else:
            self._falls[node] = fall
        affected: dict[str, None] = {}
        waiting = deque([node])
        while waiting:
            each = waiting.popleft()
            before, after = self._roots.get(each), self._root(each)
            if before == after and each in affected:
                continue
            affected[each] = None
            if after is None:
                self._roots.pop(each, None)
            else:
                self._roots[each] = after
            waiting += self._lineage.children.get(each, ())
        return list(affected)

    def _root(self, node: str) -> str | None:
        for parent in self._lineage.parents.get(node, ()):
            if (root := self._roots.get(parent)) is not None:
                return root
        return node if node in self._falls else None
