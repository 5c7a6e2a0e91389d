"""The part of a site that a bounded account or key sees: the gateway as it would be if nothing else were there.

`Parts.of(account)` gives a `Part`: whole for who sees all, else with a `gateway` whose site, findings, alerts and past hold only what
lies in the account's places or below. A route that is `needs(…, scoped=True)` asks that gateway instead of the whole one, so what it
does not filter itself it cannot show either. What the part does not offer (writing, evidence, books) raises, never leaks.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

import msgspec
from fastapi import Request

from api.access.accounts import Account
from api.access.door import session_of
from api.ports import GatewayPort
from gateway.alerts import wording
from gateway.alerts.alert import Alert, AlertTransition, Transition
from gateway.alerts.book import AlertBook
from gateway.explain.explanation import Explanation, Item, Sentence
from gateway.explain.past import Kind as ExplainedKind
from gateway.instants import Instant, parse_instant
from gateway.journal.rows import Condition
from gateway.rules.cameras import Cameras
from gateway.rules.devices import Devices
from gateway.rules.findings import Camera, Circuit, DeviceState, Gap, Lamp, Round, RoundVerdict, Visit, Zone
from gateway.rules.lighting import Lighting
from gateway.rules.rounds import Rounds
from gateway.site.model import Site

EVENTS = frozenset({"round", "gap", "lamp", "circuit", "camera", "zone", "device", "alert"})
"""Kinds of live events that a part has."""
MOST_LOOKED_AT = 5000
"""Past alerts that one question of a bounded account goes through; what is older is not found by it."""

_AT_ONCE = 500
_PARTS = 64
_WORD = re.compile(r"[\w.\-/]+")
_SERVED = frozenset({"on_time", "early", "late"})
_HIDDEN = Sentence(zh="涉及您看不到的位置，未显示。", en="This concerns places that you do not see; it is not shown.")

Found = TypeVar("Found")
_Stamp = tuple[object, object, object]


def lies_in(place: str | None, places: Iterable[str]) -> bool:
    """Whether `place` is one of `places` or lies below one."""
    return place is not None and any(place == top or place.startswith(f"{top}/") for top in places)


def part_of(site: Site, places: Sequence[str]) -> Site:
    """The site with only what lies in `places`. Places above them stay, so that things are called by where they are."""
    above = {"/".join(place.split("/")[:count]) for place in places for count in range(1, place.count("/") + 1)}
    seen = {place for place in site.places if lies_in(place, places)}
    zones = {key: zone for key, zone in site.zones.items() if lies_in(zone.place, places)}
    watching = {camera for zone in zones.values() for camera in zone.cameras}
    devices = {
        key: device
        for key, device in site.devices.items()
        if lies_in(device.place, places) or (device.place is None and key in watching)
    }
    checkpoints = {key: point for key, point in site.checkpoints.items() if lies_in(point.place, places)}
    lamps = {key: lamp for key, lamp in site.lamps.items() if lies_in(lamp.place, places)}
    fed = {lamp.circuit for lamp in lamps.values()}
    routes = {}
    for key, route in site.routes.items():
        visits = tuple(visit for visit in route.visits if visit.checkpoint in checkpoints)
        if visits:
            routes[key] = msgspec.structs.replace(route, visits=visits, readers=())
    return msgspec.structs.replace(
        site,
        places={key: place for key, place in site.places.items() if key in seen or key in above},
        devices={key: _apart(device, devices) for key, device in devices.items()},
        checkpoints={key: msgspec.structs.replace(point, min_leg={}) for key, point in checkpoints.items()},
        routes=routes,
        rounds=tuple(rule for rule in site.rounds if rule.route in routes),
        circuits={key: msgspec.structs.replace(one, panel=None) for key, one in site.circuits.items() if key in fed},
        lamps=lamps,
        zones={
            key: msgspec.structs.replace(zone, cameras=tuple(each for each in zone.cameras if each in devices))
            for key, zone in zones.items()
        },
        parents={},
        duty_checks={},
        plans={},
    )


class Part:
    """What one account sees.

    Args:
        whole: the running gateway.
        places: which it is bounded to; None: it sees all.
    """

    def __init__(self, whole: GatewayPort, places: tuple[str, ...] | None) -> None:
        self.whole = whole
        self.places = places
        self.gateway = (
            whole if places is None else cast("GatewayPort", _Gateway(whole, part_of(whole.site, places), self))
        )

    @property
    def site(self) -> Site:
        """The site as it sees it."""
        return self.gateway.site

    def round(self, item: Round) -> Round | None:
        """A round's visits of checkpoints that it sees, judged as a round of those; None: it sees none of them."""
        if self.places is None:
            return item
        visits = tuple(self._visit(visit) for visit in item.visits if visit.checkpoint in self.site.checkpoints)
        if not visits:
            return None
        return msgspec.structs.replace(
            item,
            visits=visits,
            marks=(),
            revision=max(visit.revision for visit in visits),
            verdict=self._verdict(item, visits),
        )

    def past_round(self, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The same of a round of the journal."""
        if self.places is None:
            return item
        found = self.round(msgspec.convert(item, Round))
        return None if found is None else cast("Mapping[str, Any]", msgspec.to_builtins(found))

    def alert(self, item: Alert) -> Alert | None:
        """An alert of a place that it sees, without what names others; None: it is of another, or of the whole site."""
        if self.places is None:
            return item
        if not self._has(item.place, item.subject):
            return None
        details = {
            key: value
            for key, value in ((key, self._bare(value)) for key, value in item.details.items())
            if value != ""
        }
        site = self.site
        return msgspec.structs.replace(
            item,
            details=details,
            message=wording.message(site, item.rule, item.subject, details, site.language),
            caused_by=item.caused_by if self._known_alert(item.caused_by) else None,
            suppressed="merged" if item.suppressed and not self._known_alert(item.suppressed) else item.suppressed,
            history=tuple(self._step(step) for step in item.history),
        )

    def past_alert(self, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The same of an alert of the journal."""
        if self.places is None:
            return item
        found = self.alert(msgspec.convert(item, Alert))
        return None if found is None else cast("Mapping[str, Any]", msgspec.to_builtins(found))

    def event(self, kind: str, data: bytes) -> bytes | None:
        """What it hears of a live event; None: nothing."""
        if self.places is None:
            return data
        site = self.site
        match kind:
            case "round":
                seen = self.round(msgspec.json.decode(data, type=Round))
                return None if seen is None else msgspec.json.encode(seen)
            case "alert":
                told = msgspec.json.decode(data, type=AlertTransition)
                alert = self.alert(told.alert)
                step = self._step(told.transition)
                return None if alert is None else msgspec.json.encode(AlertTransition(alert=alert, transition=step))
            case "gap":
                return data if msgspec.json.decode(data)["checkpoint"] in site.checkpoints else None
            case "lamp" | "circuit" | "zone" | "camera" | "device":
                things: Mapping[str, object] = {
                    "lamp": site.lamps,
                    "circuit": site.circuits,
                    "zone": site.zones,
                }.get(kind, site.devices)
                return data if msgspec.json.decode(data)["id"] in things else None
            case _:
                return None

    def explained(self, found: Explanation | None) -> Explanation | None:
        """An explanation without what is of other places; None: it is of another place."""
        if self.places is None or found is None:
            return found
        if not self._sees(found):
            return None
        if found.kind == "round":
            return self._explained_round(found)
        return self._scrubbed(found)

    def _explained_round(self, found: Explanation) -> Explanation:
        parts = tuple(self._scrubbed(part) for part in found.parts if self._sees(part))
        return msgspec.structs.replace(
            found,
            result=self._result(parts),
            cause=None,
            sentence=Sentence(
                zh=f"您可见的位置上有 {len(parts)} 次巡查，逐次说明如下。",
                en=f"{len(parts)} visits are at places that you see; each is explained below.",
            ),
            expected={},
            evidence=(),
            witnesses=(),
            clocks=(),
            marks=(),
            parts=parts,
        )

    def _result(self, parts: Sequence[Explanation]) -> str:
        verdicts = {part.result for part in parts}
        if verdicts <= _SERVED:
            return "completed"
        if "pending" in verdicts:
            return "in_progress"
        if verdicts == {"missed"}:
            return "missed"
        return "incomplete" if "missed" in verdicts else "unverifiable"

    def _sees(self, found: Explanation) -> bool:
        site = self.site
        match found.kind:
            case "round":
                return any(self._sees(part) for part in found.parts)
            case "visit":
                return found.expected.get("checkpoint") in site.checkpoints
            case "gap":
                return found.id.partition("@")[0] in site.checkpoints
            case "lamp":
                return found.id in site.lamps
            case "circuit":
                return found.id in site.circuits
            case "camera":
                return found.id in site.devices
            case "zone":
                return found.id in site.zones

    def _scrubbed(self, found: Explanation) -> Explanation:
        named = self.names_others(found.sentence.zh) or self.names_others(found.sentence.en)
        corroboration = found.corroboration
        if corroboration is not None:
            corroboration = msgspec.structs.replace(corroboration, by=self._items(corroboration.by))
        return msgspec.structs.replace(
            found,
            sentence=_HIDDEN if named else found.sentence,
            expected=self._bare(found.expected),
            evidence=self._items(found.evidence),
            witnesses=tuple(each for each in found.witnesses if each.device not in self._others),
            clocks=tuple(each for each in found.clocks if each.device not in self._others),
            corroboration=corroboration,
            parts=tuple(self._scrubbed(part) for part in found.parts if self._sees(part)),
            revisions=tuple(self._bare(each) for each in found.revisions),
        )

    def _items(self, items: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(item for item in items if not self.names_others(msgspec.json.encode(item).decode()))

    def _visit(self, visit: Visit) -> Visit:
        seen = visit.corroboration
        if seen is not None:
            by = tuple(each for each in seen.by if each not in self._others)
            visit = msgspec.structs.replace(visit, corroboration=msgspec.structs.replace(seen, by=by))
        return visit

    def _verdict(self, item: Round, visits: Sequence[Visit]) -> RoundVerdict:
        """As a round is judged (rounds.md, Round), over the required visits among `visits`."""
        route = self.whole.site.routes.get(item.route)
        planned = enumerate(route.visits, start=1) if route is not None else ()
        optional = {position for position, visit in planned if visit.optional}
        verdicts = {visit.verdict for visit in visits if visit.position not in optional}
        if verdicts <= _SERVED:
            return "completed"
        if "pending" in verdicts:
            return item.verdict if item.verdict in {"scheduled", "in_progress"} else "in_progress"
        if verdicts == {"missed"}:
            return "missed"
        return "incomplete" if "missed" in verdicts else "unverifiable"

    def _step(self, step: Transition) -> Transition:
        why = "" if self.names_others(step.why) else step.why
        return msgspec.structs.replace(step, why=why, evidence=())

    def _has(self, place: str | None, subject: str) -> bool:
        """Whether a thing of `place` is its own; without a place, whether the whole of the subject is."""
        assert self.places is not None
        if place is not None:
            return lies_in(place, self.places)
        site, whole = self.site, self.whole.site
        if subject in site.circuits:
            return all(key in site.lamps for key, lamp in whole.lamps.items() if lamp.circuit == subject)
        thing = subject.partition("@")[0]
        return any(thing in things for things in (site.lamps, site.zones, site.devices, site.checkpoints))

    def _known_alert(self, name: str | None) -> bool:
        """Whether `name` says nothing of elsewhere: none, a word, or the alert of a thing it sees (`rule/subject/occurrence`)."""
        if name is None or "/" not in name or name.startswith("silence/"):
            return True
        alert = self.whole.judgement.alerts.alert(name)
        return alert is not None and self._has(alert.place, alert.subject)

    def names_others(self, text: str) -> bool:
        """Whether a text holds the id, or the full name, of something elsewhere."""
        for word in _WORD.findall(text):
            pieces = word.strip(".").split("/")
            spans = ((low, high) for low in range(len(pieces)) for high in range(low + 1, len(pieces) + 1))
            if any("/".join(pieces[low:high]) in self._others for low, high in spans):
                return True
        return any(name in text for name in self._other_names)

    def _bare(self, value: Any) -> Any:
        """A value without the texts in it that name something elsewhere."""
        if isinstance(value, str):
            return "" if self.names_others(value) else value
        if isinstance(value, Mapping):
            return {key: self._bare(each) for key, each in value.items() if not self.names_others(str(key))}
        if isinstance(value, (list, tuple)):
            kept = [self._bare(each) for each in value if not (isinstance(each, str) and self.names_others(each))]
            return type(value)(kept)
        return value

    @cached_property
    def _others(self) -> frozenset[str]:
        """Ids of what lies elsewhere. Things without a place (a guard's wand) are nobody's."""
        whole, site = self.whole.site, self.site
        found: set[str] = {place for place in whole.places if place not in site.places}
        found |= {key for key, device in whole.devices.items() if key not in site.devices and device.place is not None}
        for all_of, own in (
            (whole.checkpoints, site.checkpoints),
            (whole.lamps, site.lamps),
            (whole.circuits, site.circuits),
            (whole.zones, site.zones),
            (whole.parents, site.parents),
            (whole.routes, site.routes),
        ):
            found |= set(cast("Mapping[str, object]", all_of)) - set(cast("Mapping[str, object]", own))
        return frozenset(found)

    @cached_property
    def _other_names(self) -> frozenset[str]:
        """Names of buildings and the like elsewhere that nothing here shares."""
        whole, site = self.whole.site, self.site
        own = {place.name for place in site.places.values()}
        return frozenset(
            place.name
            for key, place in whole.places.items()
            if key not in site.places and "/" not in key and place.name and not any(place.name in name for name in own)
        )


class Parts:
    """The parts of one gateway, by places. Bounded: the longest unused are forgotten first.

    Args:
        gateway: the running gateway.
    """

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway
        self._whole = Part(gateway, None)
        self._known: OrderedDict[tuple[str, ...], tuple[_Stamp, Part]] = OrderedDict()

    def of(self, account: Account) -> Part:
        """What `account` sees."""
        if account.places is None:
            return self._whole
        site = self._gateway.site
        stamp = (site.people, site.checkpoints, site.devices)  # taken anew when somebody or something is enrolled
        found = self._known.pop(account.places, None)
        if found is None or any(before is not after for before, after in zip(found[0], stamp, strict=True)):
            found = (stamp, Part(self._gateway, account.places))
        self._known[account.places] = found
        while len(self._known) > _PARTS:
            self._known.popitem(last=False)
        return found[1]


def part_seen(request: Request) -> Part:
    """What the asker of a request sees."""
    parts: Parts = request.app.state.parts
    return parts.of(session_of(request).account)


class _Rounds:
    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def _all(self) -> Rounds:
        return self._part.whole.judgement.engine.rounds  # asked anew: an enrolment makes another

    def rounds(self, since: Instant | None = None, until: Instant | None = None) -> list[Round]:
        return _kept(self._part.round, self._all.rounds(since, until))

    def round(self, name: str) -> Round | None:
        found = self._all.round(name)
        return None if found is None else self._part.round(found)

    def gaps(self) -> list[Gap]:
        return [gap for gap in self._all.gaps() if gap.checkpoint in self._part.site.checkpoints]


class _Lighting:
    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def _all(self) -> Lighting:
        return self._part.whole.judgement.engine.lighting  # asked anew: an enrolment makes another

    def lamps(self) -> list[Lamp]:
        return [lamp for lamp in self._all.lamps() if lamp.id in self._part.site.lamps]

    def lamp(self, name: str) -> Lamp | None:
        return self._all.lamp(name) if name in self._part.site.lamps else None

    def circuits(self) -> list[Circuit]:
        return [circuit for circuit in self._all.circuits() if circuit.id in self._part.site.circuits]

    def circuit(self, name: str) -> Circuit | None:
        return self._all.circuit(name) if name in self._part.site.circuits else None


class _Cameras:
    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def _all(self) -> Cameras:
        return self._part.whole.judgement.engine.cameras  # asked anew: an enrolment makes another

    def cameras(self) -> list[Camera]:
        return [camera for camera in self._all.cameras() if camera.id in self._part.site.devices]

    def camera(self, name: str) -> Camera | None:
        return self._all.camera(name) if name in self._part.site.devices else None

    def zones(self) -> list[Zone]:
        return [zone for zone in self._all.zones() if zone.id in self._part.site.zones]

    def zone(self, name: str) -> Zone | None:
        return self._all.zone(name) if name in self._part.site.zones else None


class _Devices:
    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def _all(self) -> Devices:
        return self._part.whole.judgement.engine.devices  # asked anew: an enrolment makes another

    def devices(self) -> list[DeviceState]:
        return [device for device in self._all.devices() if device.id in self._part.site.devices]

    def device(self, name: str) -> DeviceState | None:
        return self._all.device(name) if name in self._part.site.devices else None


class _Engine:
    def __init__(self, part: Part) -> None:
        self.rounds = _Rounds(part)
        self.lighting = _Lighting(part)
        self.cameras = _Cameras(part)
        self.devices = _Devices(part)


class _Silences:
    def standing(self) -> list[Any]:
        """What is arranged concerns people's work; who sees a part is told of none."""
        return []


class _Alerts:
    silences = _Silences()

    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def _all(self) -> AlertBook:
        return self._part.whole.judgement.alerts  # asked anew: an enrolment makes another

    def alerts(self, *, active: bool = False) -> list[Alert]:
        return _kept(self._part.alert, self._all.alerts(active=active))

    def alert(self, name: str) -> Alert | None:
        found = self._all.alert(name)
        return None if found is None else self._part.alert(found)


class _Judgement:
    def __init__(self, part: Part) -> None:
        self._part = part
        self.engine = _Engine(part)
        self.alerts = _Alerts(part)
        self.books: Mapping[str, Any] = {}

    @property
    def now(self) -> Instant:
        return self._part.whole.judgement.now


class _Events:
    """How far the live events are; those of a part are heard by `Part.event`."""

    def __init__(self, part: Part) -> None:
        self._all = part.whole.events

    @property
    def latest(self) -> int:
        return self._all.latest


class _Archive:
    """Of what the journal keeps, the past of a part."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._all = part.whole.archive

    async def rounds(self, since: Instant, until: Instant) -> Sequence[Mapping[str, Any]]:
        return _kept(self._part.past_round, await self._all.rounds(since, until))

    async def revisions(self, round_id: str) -> Sequence[Mapping[str, Any]]:
        seen = self._part.site.checkpoints
        return [row for row in await self._all.revisions(round_id) if row["checkpoint"] in seen]

    async def alerts(self, before: Instant | None, limit: int) -> Sequence[Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for _ in range(MOST_LOOKED_AT // _AT_ONCE):
            rows = await self._all.alerts(before, _AT_ONCE)
            found |= {item["id"]: item for item in _kept(self._part.past_alert, rows)}
            if len(found) >= limit or len(rows) < _AT_ONCE:
                break
            oldest = parse_instant(rows[-1]["raised"])
            before = (
                oldest + 1 if before is None or oldest + 1 < before else oldest
            )  # those of one instant are asked for again
        return list(found.values())[:limit]

    async def alert(self, alert_id: str) -> Mapping[str, Any] | None:
        found = await self._all.alert(alert_id)
        return None if found is None else self._part.past_alert(found)

    async def conditions(self, kinds: Sequence[str], since: Instant, until: Instant) -> Sequence[Condition] | None:
        rows = await self._all.conditions(kinds, since, until)
        site = self._part.site
        things: Mapping[str, Mapping[str, object]] = {
            "lamp": site.lamps,
            "seat": site.lamps,
            "duty": site.lamps,
            "camera": site.devices,
            "zone": site.zones,
        }
        if rows is None:
            return None
        return [row for row in rows if row.kind == "gateway" or row.id in things.get(row.kind, {})]


class _Gateway:
    """A gateway of which only a part is there: what `needs(…, scoped=True)` routes ask for, and nothing else."""

    def __init__(self, whole: GatewayPort, site: Site, part: Part) -> None:
        self._whole = whole
        self._part = part
        self.site = site
        self.events = _Events(part)
        self.archive = _Archive(part)
        self._judgement: _Judgement | None = None

    @property
    def judgement(self) -> _Judgement:
        if self._judgement is None:
            self._judgement = _Judgement(self._part)
        return self._judgement

    def now(self) -> Instant:
        return self._whole.now()

    def links(self) -> Sequence[Any]:
        """Links are the whole site's."""
        return ()

    async def explain_past(
        self, kind: ExplainedKind, subject: str, known_at: Instant, *, named: bool
    ) -> Explanation | None:
        return self._part.explained(await self._whole.explain_past(kind, subject, known_at, named=named))


def _kept(seen: Callable[[Found], Found | None], items: Iterable[Found]) -> list[Found]:
    return [found for found in map(seen, items) if found is not None]


def _apart(device: Any, devices: Mapping[str, object]) -> Any:
    """A device without what it hangs on, where that is not seen."""
    gone = {name: None for name in ("behind", "network", "power") if getattr(device, name) not in devices}
    return msgspec.structs.replace(device, **gone)
