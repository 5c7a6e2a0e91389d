"""What things and people are called in a sentence: the site's own words."""

from __future__ import annotations

from gateway.alerts.wording import cause_name
from gateway.explain.phrases import Said
from gateway.instants import HOUR, Duration, Instant, moment
from gateway.site.model import Site

_NEAR: Duration = 12 * HOUR

_KINDS = {"wand": Said("巡更棒", "wand"), "phone": Said("手机", "phone")}
_READER = Said("读卡器", "reader")


def alert_of(site: Site, by: str) -> Said:
    """An alert, named `rule:subject` by the rules, as people call it."""
    rule, _, subject = by.partition(":")
    alert = f"{rule}/{subject}/1"
    return Said(cause_name(site, alert, "zh_CN"), cause_name(site, alert, "en"))


class Names:
    """Names of one site.

    Args:
        named: people by name; else by id, for those who may not know names.
    """

    def __init__(self, site: Site, *, named: bool = True) -> None:
        self._site = site
        self._named = named

    def all(self) -> list[str]:
        """Every name of a place, route or person of the site, longest first."""
        site = self._site
        found = {place.name for place in site.places.values()} | {who.name for who in site.people.values()}
        found |= {route.name for route in site.routes.values() if route.name}
        return sorted(found, key=lambda name: (-len(name), name))

    def route(self, name: str) -> str:
        """A route as people call it."""
        known = self._site.routes.get(name)
        return name if known is None else known.name or name

    def place(self, checkpoint: str) -> str:
        """A checkpoint as people call it: its place with what that lies in, and its id if the place holds several."""
        known = self._site.checkpoints.get(checkpoint)
        if known is None:
            return checkpoint
        words: list[str] = []
        parts = known.place.split("/")
        for path in ("/".join(parts[: count + 1]) for count in range(len(parts))):
            name = self._site.places[path].name if path in self._site.places else path.rpartition("/")[2]
            if words and name.startswith(words[-1]):
                words.pop()
            words.append(name)
        shared = sum(other.place == known.place for other in self._site.checkpoints.values()) > 1
        return " ".join([*words, checkpoint] if shared else words)

    def person(self, person: str | None) -> Said:
        """A person; of an unknown one that it was somebody."""
        if person is None:
            return Said("有人（身份不明）", "somebody (not known who)")
        known = self._site.people.get(person)
        name = known.name if self._named and known is not None else person
        return Said(name, name)

    def device(self, device: str) -> Said:
        """A reader with what it is."""
        known = self._site.devices.get(device)
        word = _READER
        if known is not None:
            word = _KINDS["phone"] if known.driver == "phone" else _KINDS.get(known.kind, _READER)
            if known.portable and word is _READER:
                word = _KINDS["wand"]
        return Said(f"{word.zh} {device}", f"{word.en} {device}")

    def round(self, visit: str) -> Said:
        """The round of a visit (`route@start#position`) by its route and local start."""
        route, _, start = visit.rpartition("#")[0].partition("@")
        return Said(f"线路 {route} {start[11:16]} 那一轮", f"the {start[11:16]} round of route {route}")

    def time(self, at: Instant, near: Instant) -> str:
        """The time of day in the site's zone, with seconds where there are any, and the date if it is not that night."""
        then = moment(at, self._site.zone_info)
        text = then.strftime("%H:%M:%S" if then.second else "%H:%M")
        return text if abs(at - near) <= _NEAR else f"{then:%m-%d} {text}"

    def span(self, first: Instant, last: Instant, near: Instant) -> str:
        """From one time to another."""
        return f"{self.time(first, near)}–{self.time(last, near)}"
