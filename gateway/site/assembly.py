"""From checked entries to the model: defaults, inheritance and what drivers know of their devices are filled in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import time
from pathlib import Path as FilePath
from typing import Any, Literal

from device_drivers.announced import ANNOUNCED, Announced
from device_drivers.catalogue import DRIVERS
from device_drivers.driver import Driver
from gateway.instants import DAY, SECOND, Duration
from gateway.site import model, schema
from gateway.site.floor_plans import Image
from gateway.site.positions import Path
from gateway.site.sections import Draft

CARRIED = frozenset({"wand", "phone"})
"""Kinds that are portable unless the file says otherwise."""

DEFAULT_EXPECT_EVERY = 60 * SECOND
"""Of cameras and fixed readers whose driver's record says nothing (cameras.md, Any device)."""

ShapeKind = Literal["place", "checkpoint", "lamp", "camera"]

Secrets = Callable[[str, Path], str]
"""Gives the secret behind a reference standing at a path; notes a mistake if it is not there."""


def facts(driver: str) -> Driver | Announced | None:
    """What is known of a driver by name, whether it is built or only announced."""
    return DRIVERS.get(driver) or ANNOUNCED.get(driver)


def device_kind(entry: schema.DeviceEntry) -> str:
    """The kind that a device is: as the file says, else its driver's usual one."""
    known = facts(entry.driver)
    return entry.kind or (known.default_kind if known else "sensor")


def is_portable(entry: schema.DeviceEntry) -> bool:
    """Whether a device is carried."""
    return device_kind(entry) in CARRIED if entry.portable is None else entry.portable


def is_embedded(entry: schema.MqttEntry) -> bool:
    """Whether the gateway starts its own broker: unless a `host` without `broker: embedded` names another one."""
    return entry.host is None or entry.broker == "embedded"


def assemble(
    draft: Draft,
    *,
    folder: FilePath,
    digest: str,
    secret: Secrets,
    seed: str | None,
    line: Callable[[Path], int | None],
    images: Mapping[str, Image],
) -> model.Site:
    """The model of a draft.

    What `references.py` found wrong is left as it is; the caller does not use the result then.

    Args:
        draft: with its section `site`.
        folder: the site file's folder, from which files are named.
        digest: SHA-256 of the file.
        secret: resolves references to secrets.
        seed: what `jitter_seed` names, if it is there.
        line: where a path stands in the file.
        images: of the plans, by place.
    """
    assert draft.site is not None
    site = draft.site.entry
    return model.Site(
        id=site.id,
        name=site.name or site.id,
        timezone=site.timezone,
        language=site.language,
        latitude=site.latitude or 0.0,
        longitude=site.longitude or 0.0,
        holidays=site.holidays,
        places=_places(draft),
        people=_by_id(
            model.Person(
                id=one.id, name=one.name or one.id, roles=tuple(one.roles), tags=tuple(one.tags), contact=one.contact
            )
            for one, *_ in draft.people
        ),
        devices=_by_id(_device(placed.entry, placed.path, draft.mqtt.entry, secret) for placed in draft.devices),
        checkpoints=_checkpoints(draft),
        routes=_by_id(_route(one) for one, *_ in draft.routes),
        rounds=tuple(_round(placed.entry, line(placed.path) or 0) for placed in draft.rounds),
        circuits=_by_id(model.Circuit(id=one.id, name=one.name or "", panel=one.panel) for one, *_ in draft.circuits),
        lamps=_by_id(_lamp(one) for one, *_ in draft.lamps),
        zones=_by_id(
            model.Zone(id=one.id, place=one.place, cameras=tuple(one.cameras), need=one.need) for one, *_ in draft.zones
        ),
        parents={
            name: model.Parent(id=name, name=one.name or "", behind=one.behind, network=one.network, power=one.power)
            for name, (one, *_) in draft.parents.items()
        },
        shifts=_by_id(_shift(one) for one, *_ in draft.shifts),
        duty_checks=_by_id(_duty_check(one) for one, *_ in draft.duty_checks),
        plans={one.place: _plan(one, images[one.place], folder) for one, *_ in draft.plans if one.place in images},
        hold=draft.hold,
        compensation=draft.compensation.entry.max_gap,
        jitter_seed=seed,
        console_url=None if site.console_url is None else site.console_url.rstrip("/"),
        alerting=_alerting(draft.alerts.entry, secret),
        work_orders=_work_orders(draft.work_orders.entry),
        scores=_scores(draft.scores.entry),
        reports={kind: tuple(names) for kind, names in draft.reports.entry if names},
        storage=_storage(draft.storage.entry, secret),
        chain=_chain(draft),
        watchdog=_watchdog(draft.watchdog.entry, secret),
        mqtt=_mqtt(draft.mqtt.entry, site.id, folder, secret),
        services=_services(draft.services.entry, secret),
        digest=digest,
    )


def _plan(entry: schema.PlanEntry, image: Image, folder: FilePath) -> model.Plan:
    return model.Plan(
        place=entry.place,
        image=str(folder / entry.image),
        media_type=image.media_type,
        left=image.left,
        top=image.top,
        width=image.width,
        height=image.height,
        shapes=tuple(
            model.Shape(kind=kind, id=name, points=shape.polygon or ((shape.at,) if shape.at else ()))
            for shape in entry.shapes
            for kind, name in shown_by(shape)
        ),
    )


def shown_by(shape: schema.ShapeEntry) -> list[tuple[ShapeKind, str]]:
    """What a shape shows: of what kind, and which; of a right one there is one."""
    named: tuple[tuple[ShapeKind, str | None], ...] = (
        ("place", shape.place),
        ("checkpoint", shape.checkpoint),
        ("lamp", shape.lamp),
        ("camera", shape.camera),
    )
    return [(kind, name) for kind, name in named if name is not None]


def _by_id(items: Iterable[Any]) -> dict[str, Any]:
    return {item.id: item for item in items}


def ancestors(place: str) -> Iterable[str]:
    """A place's own id and those above it, nearest first."""
    while place:
        yield place
        place = place.rpartition("/")[0]


def _places(draft: Draft) -> dict[str, model.Place]:
    entries = {placed.entry.id: placed.entry for placed in draft.places}

    def inherited(place: str, read: Callable[[schema.PlaceEntry], Any], default: Any) -> Any:
        values = (read(entries[above]) for above in ancestors(place) if above in entries)
        return next((value for value in values if value is not None), default)

    return {
        place: model.Place(
            id=place,
            name=entry.name or place,
            key=inherited(place, lambda one: one.class_, "normal") == "key",
            daylight=inherited(place, lambda one: one.daylight, "indoor"),
        )
        for place, entry in entries.items()
    }


def _device(entry: schema.DeviceEntry, path: Path, mqtt: schema.MqttEntry, secret: Secrets) -> model.Device:
    known = facts(entry.driver)
    return model.Device(
        id=entry.id,
        driver=entry.driver,
        kind=device_kind(entry),
        place=entry.place,
        portable=is_portable(entry),
        enabled=entry.enabled,
        link=_resolved(entry.link, (*path, "link"), secret),
        settings=_resolved(entry.settings, (*path, "settings"), secret),
        channel=entry.channel,
        device_id=entry.device_id,
        behind=entry.behind,
        network=entry.network,
        power=entry.power,
        expect_every=_expect_every(entry, known),
        assume_alive=entry.assume_alive,
        own_clock=known is None or known.own_clock,
        transmits_only=known is not None and known.transmits_only,
        sends_seq=known is not None and known.sends_seq,
        external_broker=known is not None and known.transport == "mqtt" and not is_embedded(mqtt),
    )


def _resolved(value: Any, path: Path, secret: Secrets) -> Any:
    """A driver's values with their secrets read."""
    match value:
        case Mapping():
            return {key: _resolved(inner, (*path, key), secret) for key, inner in value.items()}
        case list():
            return [_resolved(inner, (*path, index), secret) for index, inner in enumerate(value)]
        case str():
            return secret(value, path)
        case _:
            return value


def _expect_every(entry: schema.DeviceEntry, known: Driver | Announced | None) -> Duration | None:
    if entry.expect_every is not None:
        return entry.expect_every
    if known is not None and known.expect_every_s is not None:
        return round(known.expect_every_s * SECOND)
    kind = device_kind(entry)
    watched = kind == "camera" or (kind == "reader" and not is_portable(entry))
    return DEFAULT_EXPECT_EVERY if watched else None


def _checkpoints(draft: Draft) -> dict[str, model.Checkpoint]:
    legs: dict[str, dict[str, Duration]] = {}
    for entry, *_ in draft.checkpoints:
        for other, leg in entry.min_leg.items():
            legs.setdefault(entry.id, {})[other] = leg
            legs.setdefault(other, {})[entry.id] = leg
    return {
        entry.id: model.Checkpoint(
            id=entry.id,
            place=entry.place,
            reader=entry.reader,
            tags=tuple(entry.tags),
            max_gap=None
            if entry.max_gap is None
            else model.MaxGap(
                since=entry.max_gap.within[0], until=entry.max_gap.within[1], at_most=entry.max_gap.at_most
            ),
            two_person=entry.two_person,
            two_person_within=entry.two_person_within,
            min_leg=legs.get(entry.id, {}),
        )
        for entry, *_ in draft.checkpoints
    }


def _route(entry: schema.RouteEntry) -> model.Route:
    return model.Route(
        id=entry.id,
        name=entry.name or "",
        visits=tuple(
            model.Visit(checkpoint=visit.checkpoint, after=visit.after, optional=visit.optional)
            for visit in entry.visits
        ),
        order=entry.order,
        tolerance=entry.tolerance,
        band=entry.band,
        guards=tuple(entry.guards),
        accept_others=entry.accept_others,
        readers=tuple(entry.readers or ()),
        evidence_deadline=entry.evidence_deadline,
        dst_gap=entry.dst_gap,
        dst_overlap=entry.dst_overlap,
    )


def _round(entry: schema.RoundEntry, line: int) -> model.RoundRule:
    return model.RoundRule(
        route=entry.route,
        days=entry.days,
        lasts=entry.lasts,
        since=entry.from_,
        until=entry.to,
        every=entry.every,
        starts=tuple(entry.starts or ()),
        holidays=entry.holidays,
        valid_since=entry.valid.since,
        valid_until=entry.valid.until,
        jitter=entry.jitter,
        line=line,
    )


def _shift(entry: schema.ShiftEntry) -> model.Shift:
    return model.Shift(
        id=entry.id,
        name=entry.name or "",
        since=entry.from_,
        until=entry.to,
        rotation=tuple(tuple(group) for group in entry.rotation),
        first=entry.since,
        turn_days=entry.turn // DAY,
        days=entry.days,
        captains=tuple(entry.captain),
        exceptions={day: tuple(people) for day, people in sorted(entry.exceptions.items())},
    )


def _duty_check(entry: schema.DutyCheckEntry) -> model.DutyCheck:
    return model.DutyCheck(
        id=entry.id,
        checkers=tuple(entry.checkers),
        posts=tuple(entry.posts),
        per_week=entry.per_week,
        since=entry.window[0],
        until=entry.window[1],
        told=entry.told,
        checker_within=entry.checker_within,
        guard_within=entry.guard_within,
        apart=entry.apart,
        findings=entry.findings,
    )


def _scores(entry: schema.ScoresEntry) -> model.Scores:
    return model.Scores(
        daily=entry.daily,
        year_end=entry.year_end,
        pass_mark=entry.pass_mark,
        items=tuple(_score_item(one) for one in entry.items),
        year_end_items=tuple(_score_item(one) for one in entry.year_end_items),
    )


def _score_item(entry: schema.ScoreItemEntry) -> model.ScoreItem:
    return model.ScoreItem(
        id=entry.id,
        name=entry.name or entry.id,
        weight=round(entry.weight * 1000),
        points={kind: round(points * 1000) for kind, points in entry.deduct.items()},
        target=None if entry.target is None else round(entry.target * 1000),
    )


def _lamp(entry: schema.LampEntry) -> model.Lamp:
    expected = entry.expected
    given = {key: value for key in ("offset", "on", "off", "hold") if (value := getattr(expected, key)) is not None}
    return model.Lamp(
        id=entry.id,
        place=entry.place,
        circuit=entry.circuit,
        seen_by=tuple(entry.seen_by),
        fed_by=None if entry.fed_by is None else feed(entry.fed_by),
        expected=model.Expected(mode=expected.mode, **given),
        lit_lux=entry.lit.lux,
        lit_watts=entry.lit.watts,
        confirm=entry.confirm,
        edge=entry.edge,
    )


def feed(text: str) -> tuple[str, int | str | None]:
    """The device and channel that `meter-1/2` names; a channel of digits is a number."""
    device, slash, channel = text.partition("/")
    if not slash:
        return device, None
    return device, int(channel) if channel.isdecimal() and channel.isascii() and len(channel) < 10 else channel


def _alerting(entry: schema.AlertsEntry, secret: Secrets) -> model.Alerting:
    return model.Alerting(
        policies={
            name: tuple(model.Step(after=step.after, notify=tuple(step.notify)) for step in steps)
            for name, steps in entry.policies.items()
        },
        contacts={
            name: model.Contact(
                id=name,
                console=contact.console,
                url=None if contact.url is None else secret(contact.url, ("alerts", "contacts", name, "url")),
                webhook=None if contact.webhook is None else _webhook(contact.webhook, name, secret),
                language=contact.language,
                quiet=contact.quiet,
                at_most=contact.at_most,
            )
            for name, contact in entry.contacts.items()
        },
        rules={
            name: model.AlertRule(severity=rule.severity, policy=rule.policy, work_order=rule.work_order)
            for name, rule in entry.rules.items()
        },
    )


def _webhook(entry: schema.WebhookEntry, contact: str, secret: Secrets) -> model.Webhook:
    at = ("alerts", "contacts", contact, "webhook")
    return model.Webhook(
        url=secret(entry.url, (*at, "url")),
        secret=secret(entry.secret, (*at, "secret")),
        second_secret=None if entry.second_secret is None else secret(entry.second_secret, (*at, "second_secret")),
    )


def _work_orders(entry: schema.WorkOrdersEntry) -> model.WorkOrders:
    return model.WorkOrders(
        emergency_arrive_within=entry.emergency.arrive_within,
        ordinary_repair_within=entry.ordinary.repair_within,
        rework_within=entry.rework_within,
        follow_up_after=entry.follow_up_after,
        contradicted_after=entry.contradicted_after,
        tap_tolerance=entry.tap_tolerance,
    )


def _storage(entry: schema.StorageEntry, secret: Secrets) -> model.Storage:
    influx = entry.telemetry.influxdb
    return model.Storage(
        influx=None
        if influx is None
        else model.Influx(
            url=influx.url,
            org=influx.org,
            bucket=influx.bucket,
            token=secret(influx.token, ("storage", "telemetry", "influxdb", "token")),
        ),
        retain_telemetry=entry.retain.telemetry,
        retain_evidence=entry.retain.evidence,
    )


def _chain(draft: Draft) -> model.Chain:
    """Signed at the ends of shifts, those of the calendar before those of the rounds; without any at six in the morning."""
    entry = draft.chain.entry
    shifts = {one.to for one, *_ in draft.shifts}
    rounds = {one.to for one, *_ in draft.rounds if one.to is not None}
    ends = sorted(shifts or rounds or {time(6)})
    return model.Chain(
        at=tuple(ends if entry.at is None else entry.at), to=entry.to, key=entry.key, signer=entry.signer
    )


def _watchdog(entry: schema.WatchdogEntry, secret: Secrets) -> model.Watchdog:
    url = None if entry.url is None else secret(entry.url, ("watchdog", "url"))
    return model.Watchdog(url=url, topic=entry.topic, every=entry.every)


def _mqtt(entry: schema.MqttEntry, site: str, folder: FilePath, secret: Secrets) -> model.Mqtt:
    embedded = is_embedded(entry)
    tls = entry.tls or schema.TlsEntry()
    return model.Mqtt(
        embedded=embedded,
        host=entry.host or "127.0.0.1",
        port=entry.port if entry.port is not None else 1883 if entry.tls is None else 8883,
        session=entry.session or ("paho" if embedded else "mqtt5"),
        client_id=entry.client_id or f"lamplighter-{site}",
        username=None if entry.username is None else secret(entry.username, ("mqtt", "username")),
        password=None if entry.password is None else secret(entry.password, ("mqtt", "password")),
        tls=entry.tls is not None,
        tls_ca=_file(tls.ca, folder),
        tls_cert=_file(tls.cert, folder),
        tls_key=_file(tls.key, folder),
    )


def _services(entry: schema.ServicesEntry, secret: Secrets) -> dict[str, model.Service]:
    """Every service that a driver may need, with its defaults where the file does not name it."""
    services: dict[str, model.Service] = {}
    for driver in type(entry).model_fields:
        values = getattr(entry, driver).model_dump()
        host, port = values.pop("host"), values.pop("port")
        given = {key: value for key, value in values.items() if value is not None}
        settings = {key: secret(value, ("services", driver, key)) for key, value in given.items()}
        services[driver] = model.Service(host=host, port=port, settings=settings)
    return services


def _file(name: str | None, folder: FilePath) -> str | None:
    return None if name is None else str(folder / name.removeprefix("file:"))
