"""From a site to the simulated estate that could stand there: the one place that knows both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time

from device_drivers.simulation.estate import (
    Camera,
    Checkpoint,
    Estate,
    Guard,
    Lamp,
    LampController,
    LightSensor,
    MotionSensor,
    Plug,
    Reader,
    Recorder,
    Stop,
    VideoRecorder,
    Walk,
    Wand,
)
from gateway.instants import SECOND
from gateway.site.model import DatedRound, Device, Site

_EVERY_S = 60.0


def estate_of(site: Site, *, plain: Sequence[str] = (), near: datetime | None = None) -> Estate:
    """Everything of the site that the simulation can play; devices of other drivers stay silent.

    Args:
        near: a day on which clock times are as they are meant (summer time or not); today.
        plain: native readers and wands that number nothing; such a wand does not say what its clock shows either.
    """
    devices = site.devices.values()
    readers = [
        Reader(
            id=each.id,
            every_s=_report_every(each.expect_every),
            serial=each.driver in ("rdm6300", "id12la"),
            numbered=each.driver == "native" and each.id not in plain,
            switch=each.network,
        )
        for each in devices
        if each.driver in ("native", "rdm6300", "id12la") and each.kind == "reader" and not each.portable
    ]
    wands = [
        Wand(id=each.id, phone=each.kind == "phone", numbered=each.id not in plain, says_time=each.id not in plain)
        for each in devices
        if each.driver == "native" and each.portable
    ]
    lamps = {
        each.id: Lamp(
            id=each.id,
            circuit=each.circuit,
            panel=site.circuits[each.circuit].panel if each.circuit is not None else None,
            mode=each.expected.mode,
            offset_s=each.expected.offset / SECOND,
            on_s=_utc_second(site, each.expected.on, near),
            off_s=_utc_second(site, each.expected.off, near),
            hold_s=each.expected.hold / SECOND,
            outdoor=site.places[each.place].daylight != "indoor",
        )
        for each in site.lamps.values()
    }
    watching = [each.id for each in devices if each.driver == "native" and each.kind == "motion_sensor"]
    return Estate(
        site=site.id,
        latitude=site.latitude,
        longitude=site.longitude,
        readers=tuple(readers),
        wands=tuple(wands),
        checkpoints=tuple(
            Checkpoint(
                id=each.id, reader=each.reader, tag=next(iter(each.tags), None), pair=each.two_person and not each.tags
            )
            for each in site.checkpoints.values()
        ),
        guards=tuple(
            Guard(id=each.id, tag=each.tags[0]) for each in site.people.values() if "guard" in each.roles and each.tags
        ),
        lamps=tuple(lamps.values()),
        light_sensors=tuple(
            LightSensor(id=device.id, topic=topic, lamp=lamp, every_s=_report_every(device.expect_every))
            for lamp in lamps
            for name in site.lamps[lamp].seen_by[:1]
            for device, topic in _on_a_bus(site.devices[name])
        ),
        plugs=tuple(
            Plug(id=device.id, topic=topic, lamp=lamp, every_s=_report_every(device.expect_every))
            for lamp in lamps
            if (feed := site.lamps[lamp].fed_by) is not None
            for device, topic in _on_a_bus(site.devices[feed[0]])
        ),
        motion_sensors=tuple(
            MotionSensor(
                id=each,
                lamps=tuple(
                    lamp.id
                    for lamp in site.lamps.values()
                    if lamp.expected.mode == "motion" and lamp.place == site.devices[each].place
                ),
            )
            for each in watching
        ),
        lamp_controllers=tuple(
            LampController(id=lamp, every_s=_report_every(site.devices[lamp].expect_every))
            for lamp in lamps
            if lamp in site.devices and site.devices[lamp].driver == "native"
        ),
        recorders=tuple(
            Recorder(
                id=hub.id,
                prefix=hub.link["mqtt"],
                cameras=tuple(
                    str(each.channel) for each in devices if each.behind == hub.id and each.channel is not None
                ),
                every_s=_report_every(hub.expect_every),
            )
            for hub in devices
            if hub.driver == "frigate" and "mqtt" in hub.link
        ),
        cameras=tuple(
            Camera(
                id=each.id,
                every_s=_report_every(each.expect_every),
                recorder=each.behind,
                channel=each.channel,
                switch=each.network,
                probed=each.behind is None,
            )
            for each in devices
            if each.driver == "native" and each.kind == "camera"
        ),
        video_recorders=tuple(
            VideoRecorder(id=each.id, every_s=_report_every(each.expect_every), switch=each.network)
            for each in devices
            if each.driver == "native" and each.kind == "nvr"
        ),
    )


def _on_a_bus(device: Device) -> list[tuple[Device, str | None]]:
    """A sensor of lamps, with its topic on the Zigbee bus (None: it speaks for itself); none if it cannot be played."""
    if device.driver == "native":
        return [(device, None)]
    if device.driver == "zigbee2mqtt" and "mqtt" in device.link:
        return [(device, device.link["mqtt"])]
    return []


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
        walks.append(
            Walk(id=each.id, start=each.start / SECOND, stops=tuple(stops), wand=wand, guards=tuple(route.guards))
        )
    return walks


def _utc_second(site: Site, clock: time | None, near: datetime | None) -> int:
    """The second of the UTC day at which a local clock time falls near a day."""
    if clock is None:
        return 0
    day = datetime.now(site.zone_info) if near is None else near.astimezone(site.zone_info)
    local = day.replace(hour=clock.hour, minute=clock.minute, second=clock.second)
    utc = local.astimezone(UTC)
    return utc.hour * 3600 + utc.minute * 60 + utc.second


def _report_every(expect_every: int | None) -> float:
    return _EVERY_S if expect_every is None else expect_every / SECOND
