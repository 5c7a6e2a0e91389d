"""Who hangs below whom: devices and the parents that feed them (spec: cameras.md, Any device; site.md, `parents`).

Built once from the site. A *node* is a device or an entry of `parents`; circuits hang below the panel they name.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.site.model import Device, Parent, Site

BROKER = "mqtt"
"""The device under which the gateway notes that its link to the broker is up or down."""


class Lineage:
    """The graph of parents. It has no cycles (the loader refuses them); walks are guarded all the same.

    The link to the broker takes along all that speak through it, so it stands as the last parent of each.

    Attributes:
        parents: direct parents of each node, in the order in which one must be named.
        children: the other way.
        circuits: of each panel.
        broker: whether the link to the broker is a node of its own.
    """

    def __init__(self, site: Site) -> None:
        self.parents: dict[str, tuple[str, ...]] = {}
        self.children: dict[str, list[str]] = {}
        self.circuits: dict[str, list[str]] = {}
        things: list[Parent | Device] = [*site.parents.values(), *site.devices.values()]
        named = {thing.id for thing in things}
        self.broker = BROKER not in named and any(speaks_mqtt(device) for device in site.devices.values())
        for thing in things:
            linked = self.broker and isinstance(thing, Device) and speaks_mqtt(thing)
            self.parents[thing.id] = (*thing.parents, BROKER) if linked else thing.parents
            for parent in self.parents[thing.id]:
                self.children.setdefault(parent, []).append(thing.id)
        for circuit in site.circuits.values():
            if circuit.panel is not None:
                self.circuits.setdefault(circuit.panel, []).append(circuit.id)
        self._above: dict[tuple[str, ...], tuple[str, ...]] = {}

    def above(self, parents: tuple[str, ...]) -> tuple[str, ...]:
        """All nodes above a thing that has these direct parents, nearest first; without the link to the broker.

        No fault is ever inferred of that link: the gateway sees it go up and down itself.
        """
        found = self._above.get(parents)
        if found is None:
            seen: dict[str, None] = {}
            waiting = list(parents)
            for node in waiting:
                if node not in seen and not (self.broker and node == BROKER):
                    seen[node] = None
                    waiting += self.parents.get(node, ())
            found = self._above[parents] = tuple(seen)
        return found

    def below(self, node: str) -> Iterator[str]:
        """All nodes below `node`, each once, itself left out."""
        seen = {node}
        waiting = [node]
        while waiting:
            for child in self.children.get(waiting.pop(), ()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child

    def circuits_below(self, node: str) -> list[str]:
        """The circuits fed by `node` or by anything below it."""
        return [circuit for each in (node, *self.below(node)) for circuit in self.circuits.get(each, ())]

    def height(self, node: str) -> int:
        """How many nodes stand above `node`: 0 is the top."""
        return len(self.above(self.parents.get(node, ())))


def speaks_mqtt(device: Device) -> bool:
    """Whether a device is heard through the broker."""
    return device.driver == "native" or "mqtt" in device.link or device.external_broker
