"""What one entry of the site file says of another: whether there is such a thing, and whether it may be said a second time."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.site.mistakes import Mistakes, shown
from gateway.site.positions import Path
from gateway.site.sections import Draft


class Mentions:
    """The names in a draft, and what has used them so far; every mistake goes to `mistakes`."""

    def __init__(self, draft: Draft, mistakes: Mistakes) -> None:
        self.devices = {placed.entry.id: placed for placed in draft.devices}
        self.checkpoints = {placed.entry.id: placed for placed in draft.checkpoints}
        self._draft = draft
        self._mistakes = mistakes
        self._feeders = draft.names["devices"] | draft.names["parents"]
        self._used: dict[tuple[str, object], Path] = {}

    def refer(self, path: Path, name: str | None, section: str, what: str) -> bool:
        """Whether `name` is an id of `section` (`feeders`: of what may feed others); if not, it is a mistake. None: it names nothing."""
        names = self._feeders if section == "feeders" else self._draft.names[section]
        if name is None or name in names:
            return name is not None
        self._mistakes.error(path, f"found {name!r}; expected the id of {what}{self._mistakes.nearest(name, names)}")
        return False

    def once(self, path: Path, what: str, value: object) -> None:
        """Note a use; a second use of the same is a mistake."""
        first = self._used.setdefault((what, value), path)
        if first != path:
            self._mistakes.error(
                path, f"found {shown(value)} a second time; {what} is used by {self._mistakes.place(first)} already"
            )

    def each_once(self, path: Path, names: Sequence[str], what: str) -> None:
        """A second time the same in one list is a mistake."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self._mistakes.error((*path, index), f"found {name!r} a second time; expected each {what} once")
            seen.add(name)

    def contact(self, path: Path, name: str) -> None:
        """What is not the id of a contact is a mistake."""
        entry, _, damaged = self._draft.alerts
        if name not in entry.contacts and "contacts" not in damaged:
            self._mistakes.error(
                path, f"found {name!r}; expected the id of a contact{self._mistakes.nearest(name, entry.contacts)}"
            )
