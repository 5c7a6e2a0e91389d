"""From a site to the simulated estate that could stand there: the one place that knows both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time

from device_drivers.simulation.estate import (
    Checkpoint,
    Estate,
    Guard,
    Lamp,
    LightSensor,
    Plug,
    Reader,
    Recorder,
    Stop,
    Walk,
    Wand,
)
from gateway.instants import SECOND
from gateway.site.model import DatedRound, Site

_EVERY_S = 60.0


def estate_of(site: Site) -> Estate:
    """Everything of the site that the simulation can play; devices of other drivers stay silent."""
    devices = site.devices.values()
    readers = [
        Reader(id=each.id, every_s=_report_every(each.expect_every), serial=each.driver in ("rdm6300", "id12la"))
        for each in devices
        if each.driver in ("native", "rdm6300", "id12la") and each.kind == "reader" and not each.portable
    ]
    lamps = {
        each.id: Lamp(
            id=each.id,
            circuit=each.circuit,
            mode=each.expected.mode,
            on_s=_utc_second(site, each.expected.on),
            off_s=_utc_second(site, each.expected.off),
        )
        for each in site.lamps.values()
        if each.expected.mode in ("always", "dusk_to_dawn", "times")
    }
    sensors = [
        LightSensor(id=sensor.id, topic=sensor.link["mqtt"], lamp=lamp, every_s=_report_every(sensor.expect_every))
        for lamp in lamps
        for name in site.lamps[lamp].seen_by[:1]
        if (sensor := site.devices[name]).driver == "zigbee2mqtt" and "mqtt" in sensor.link
    ]
    plugs = [
        Plug(id=meter.id, topic=meter.link["mqtt"], lamp=lamp, every_s=_report_every(meter.expect_every))
        for lamp in lamps
        if (feed := site.lamps[lamp].fed_by) is not None
        if (meter := site.devices[feed[0]]).driver == "zigbee2mqtt" and "mqtt" in meter.link
    ]
    recorders = [
        Recorder(
            id=hub.id,
            prefix=hub.link["mqtt"],
            cameras=tuple(str(each.channel) for each in devices if each.behind == hub.id and each.channel is not None),
            every_s=_report_every(hub.expect_every),
        )
        for hub in devices
        if hub.driver == "frigate" and "mqtt" in hub.link
    ]
    return Estate(
        site=site.id,
        latitude=site.latitude,
        longitude=site.longitude,
        readers=tuple(readers),
        wands=tuple(Wand(id=each.id) for each in devices if each.driver == "native" and each.portable),
        checkpoints=tuple(
            Checkpoint(id=each.id, reader=each.reader, tag=next(iter(each.tags), None))
            for each in site.checkpoints.values()
        ),
        guards=tuple(
            Guard(id=each.id, tag=each.tags[0]) for each in site.people.values() if "guard" in each.roles and each.tags
        ),
        lamps=tuple(lamps.values()),
        light_sensors=tuple(sensors),
        plugs=tuple(plugs),
        recorders=tuple(recorders),
    )


def walks_of(site: Site, rounds: Sequence[DatedRound]) -> list[Walk]:
    """How planned rounds are meant to be walked: at the due times, or evenly spread where a route names none."""
    walks = []
    for each in rounds:
        route = site.routes[each.route]
        length_s = (each.end - each.start) / SECOND
        stops = [
            Stop(
                checkpoint=visit.checkpoint,
                after_s=visit.after / SECOND
                if visit.after is not None
                else length_s * (position + 1) / (len(route.visits) + 1),
            )
            for position, visit in enumerate(route.visits)
        ]
        wand = next(iter(route.readers), None)
        walks.append(Walk(id=each.id, start=each.start / SECOND, stops=tuple(stops), wand=wand))
    return walks


def _utc_second(site: Site, clock: time | None) -> int:
    """The second of the UTC day at which a local clock time falls today."""
    if clock is None:
        return 0
    local = datetime.now(site.zone_info).replace(hour=clock.hour, minute=clock.minute, second=clock.second)
    utc = local.astimezone(UTC)
    return utc.hour * 3600 + utc.minute * 60 + utc.second


def _report_every(expect_every: int | None) -> float:
    return _EVERY_S if expect_every is None else expect_every / SECOND
