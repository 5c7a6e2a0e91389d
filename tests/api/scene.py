"""A property on one night, as the rules would judge it: for tests and pictures of the console without live devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.instants import MINUTE, Instant, instant
from gateway.links.link import LinkState
from gateway.rules.findings import (
    Camera,
    Circuit,
    DeviceState,
    Exceedance,
    Gap,
    Lamp,
    Round,
    Signal,
    Unmatched,
    Visit,
    Zone,
)
from gateway.site import model

ZONE = ZoneInfo("Asia/Shanghai")
NIGHT = datetime(2026, 11, 22, 22, tzinfo=ZONE)
NOW = NIGHT + timedelta(hours=4, minutes=47, seconds=20)
FLOORS = [f"f{floor:02}" for floor in range(1, 7)]
STOPS = [
    ("cp-gate", "gate"),
    ("cp-garage", "garage"),
    ("cp-garage-2", "garage/b2"),
    ("cp-t1-f01", "tower-1/f01"),
    ("cp-t1-f06", "tower-1/f06"),
    ("cp-t2-f01", "tower-2/f01"),
    ("cp-t2-f06", "tower-2/f06"),
    ("cp-pump", "pump"),
]


def site(language: str = "zh_CN") -> model.Site:
    """The site file's model."""
    zh = language == "zh_CN"
    places = {
        "gate": model.Place(id="gate", name="南门" if zh else "South gate", daylight="outdoor"),
        "garage": model.Place(id="garage", name="地下车库" if zh else "Garage", key=True),
        "garage/b2": model.Place(id="garage/b2", name="负二层" if zh else "B2", key=True),
        "pump": model.Place(id="pump", name="水泵房" if zh else "Pump room", key=True),
    }
    for tower in (1, 2, 3):
        places[f"tower-{tower}"] = model.Place(id=f"tower-{tower}", name=f"{tower}号楼" if zh else f"Tower {tower}")
        for number, floor in enumerate(FLOORS, 1):
            key = f"tower-{tower}/{floor}"
            places[key] = model.Place(id=key, name=f"{number}层" if zh else f"Floor {number}")
    cameras = {
        "z-gate": ("cam-gate-1", "cam-gate-2"),
        "z-garage": ("cam-garage-1", "cam-garage-2", "cam-garage-3"),
        "z-b2": ("cam-b2-1",),
        "z-lobby-1": ("cam-t1-lobby",),
        "z-lobby-2": ("cam-t2-lobby", "cam-t2-lift"),
        "z-pump": ("cam-pump",),
    }
    where = dict(zip(cameras, ("gate", "garage", "garage/b2", "tower-1/f01", "tower-2/f01", "pump"), strict=True))
    devices = {
        camera: model.Device(id=camera, driver="native", kind="camera", place=where[zone], behind="nvr-1")
        for zone, names in cameras.items()
        for camera in names
    }
    devices |= {
        "nvr-1": model.Device(id="nvr-1", driver="native", kind="nvr", place="gate"),
        "rdr-gate": model.Device(id="rdr-gate", driver="native", kind="reader", place="gate"),
        "rdr-garage": model.Device(id="rdr-garage", driver="rdm6300", kind="reader", place="garage"),
        "wand-1": model.Device(id="wand-1", driver="native", kind="wand", portable=True),
        "lux-t1/f03": model.Device(id="lux-t1/f03", driver="zigbee2mqtt", kind="lux_sensor", place="tower-1/f03"),
    }
    lamps = {
        f"lamp-t{tower}-{floor}-{side}": model.Lamp(
            id=f"lamp-t{tower}-{floor}-{side}",
            place=f"tower-{tower}/{floor}",
            circuit=f"c-t{tower}-{side}",
            expected=model.Expected(mode="dusk_to_dawn"),
        )
        for tower in (1, 2, 3)
        for floor in FLOORS
        for side in ("a", "b")
    }
    night = model.Route(
        id="night",
        visits=tuple(
            model.Visit(checkpoint=checkpoint, after=position * 5 * MINUTE)
            for position, (checkpoint, _) in enumerate(STOPS)
        ),
        guards=("g-wang", "g-li"),
        readers=("wand-1",),
    )
    return model.Site(
        id="riverside",
        name="御溪花园" if zh else "Riverside Garden",
        timezone="Asia/Shanghai",
        language=language,  # type: ignore[arg-type]
        latitude=31.2,
        longitude=121.5,
        places=places,
        people={
            "g-wang": model.Person(id="g-wang", name="王强", roles=("guard",), tags=("007B3972",)),
            "g-li": model.Person(id="g-li", name="李明", roles=("guard",), tags=("007B3973",)),
            "m-liu": model.Person(id="m-liu", name="刘师傅", roles=("maintenance",), tags=("0063E77E",)),
        },
        devices=devices,
        checkpoints={
            checkpoint: model.Checkpoint(
                id=checkpoint,
                place=place,
                tags=(f"04A1B2C3D4{number:04X}",),
                max_gap=model.MaxGap(since=time(22), until=time(6), at_most=60 * MINUTE),
            )
            for number, (checkpoint, place) in enumerate(STOPS)
        },
        routes={"night": night},
        circuits={
            f"c-t{tower}-{side}": model.Circuit(
                id=f"c-t{tower}-{side}", name="东侧楼道" if (tower, side) == (1, "a") else "", panel=f"panel-t{tower}"
            )
            for tower in (1, 2, 3)
            for side in ("a", "b")
        },
        lamps=lamps,
        zones={
            zone: model.Zone(
                id=zone,
                place=where[zone],
                cameras=names,
                need=2 if len(names) > 2 else 1,
            )
            for zone, names in cameras.items()
        },
        parents={
            "panel-t1": model.Parent(id="panel-t1", name="一号配电箱"),
            **{f"panel-t{tower}": model.Parent(id=f"panel-t{tower}") for tower in (2, 3)},
        },
        shifts={
            "night": model.Shift(
                id="night",
                since=time(20),
                until=time(8),
                rotation=(("g-wang",), ("g-li",)),
                first=date(2026, 11, 22),
                captains=("g-wang", "g-li"),
            )
        },
    )


VERDICTS: dict[tuple[int, int], tuple[str, int | None, str | None, tuple[str, ...]]] = {
    (0, 4): ("late", 7, None, ()),
    (1, 2): ("missed", None, None, ()),
    (2, 1): ("early", -6, None, ("unassigned_guard",)),
    (2, 6): ("unverifiable", None, "reader_gap", ()),
    (3, 5): ("late", 9, None, ("clock_corrected", "late_upload")),
}
"""(round of the night, stop) → verdict, deviation in minutes, cause, marks; all others were on time."""


def rounds(now: datetime = NOW) -> list[Round]:
    """Tonight's rounds."""
    return [_round(number, now) for number in range(8)]


def _round(number: int, now: datetime) -> Round:
    start = NIGHT + timedelta(hours=number)
    visits = tuple(_visit(number, stop, start, now) for stop in range(len(STOPS)))
    verdicts = {visit.verdict for visit in visits}
    if "pending" in verdicts:
        verdict = "in_progress" if now >= start else "scheduled"
    elif "missed" in verdicts:
        verdict = "incomplete"
    else:
        verdict = "unverifiable" if "unverifiable" in verdicts else "completed"
    return Round(
        id=f"night@{start:%Y-%m-%dT%H:%M}+08:00",
        route="night",
        date=NIGHT.date(),
        start=start,
        end=start + timedelta(minutes=40),
        verdict=verdict,  # type: ignore[arg-type]
        revision=1,
        marks=("over_long",) if number == 3 else (),
        visits=visits,
    )


def _visit(number: int, stop: int, start: datetime, now: datetime) -> Visit:
    due = start + timedelta(minutes=5 * stop)
    opens, closes = due - timedelta(minutes=10), due + timedelta(minutes=10)
    code, deviation, cause, marks = VERDICTS.get((number, stop), ("on_time", (stop * 7 + number * 3) % 9 - 4, None, ()))
    at = due + timedelta(minutes=deviation, seconds=stop * 5) if deviation is not None else None
    given: dict[str, Any] = {"verdict": code, "revision": 1, "marks": marks, "cause": cause}
    if at is not None:
        given |= {
            "at": at,
            "device_at": at,
            "person": "g-wang" if number % 2 else "g-li",
            "deviation_s": (at - due).total_seconds(),
        }
    if (at or closes) > now:
        awaiting = closes < now
        given = {"verdict": "pending", "revision": 0, "cause": "awaiting_reader" if awaiting else None}
    return Visit(
        checkpoint=STOPS[stop][0],
        position=stop + 1,
        due=due,
        opens=opens,
        closes=closes,
        watermark=min(closes, now) if opens <= now else None,
        **given,
    )


def lamps(which: model.Site) -> list[Lamp]:
    """All lamps; circuit c-t2-b is dark, one lamp is out, one unknown."""
    found = []
    for lamp in which.lamps.values():
        state: dict[str, Any] = {"state": "ok", "since": NIGHT - timedelta(hours=5), "expected_on": True, "lit": True}
        if lamp.circuit == "c-t2-b" or lamp.id == "lamp-t1-f03-a":
            state |= {"state": "faulty", "fault": "lamp_failure", "faults": ("lamp_failure",), "lit": False}
        elif lamp.id == "lamp-t3-f05-b":
            state |= {"state": "unknown", "cause": "stale", "lit": None}
        elif lamp.place.startswith("tower-3/f0") and lamp.id.endswith("1-a"):
            state |= {"state": "off_duty", "expected_on": False, "lit": False}
        found.append(Lamp(id=lamp.id, **state))
    return found


def cameras(which: model.Site) -> list[Camera]:
    """All cameras; one impaired, one offline, one unknown."""
    special: dict[str, dict[str, Any]] = {
        "cam-b2-1": {"state": "offline", "since": NOW - timedelta(minutes=31)},
        "cam-garage-2": {"state": "impaired", "impairments": ("blind",), "since": NOW - timedelta(minutes=14)},
        "cam-garage-3": {"state": "impaired", "impairments": ("loss",), "since": NOW - timedelta(minutes=9)},
        "cam-pump": {"state": "unknown", "cause": "never_heard"},
    }
    return [
        Camera(id=device.id, **special.get(device.id, {"state": "ok", "since": NIGHT - timedelta(days=3)}))
        for device in which.devices.values()
        if device.kind == "camera"
    ]


def zones() -> list[Zone]:
    """All zones."""
    ago = NIGHT - timedelta(days=3)
    return [
        Zone(id="z-b2", state="blind", since=NOW - timedelta(minutes=28), ok=0, need=1),
        Zone(id="z-garage", state="degraded", since=NOW - timedelta(minutes=9), ok=1, need=2),
        Zone(id="z-gate", state="covered", since=ago, ok=2, need=1),
        Zone(id="z-lobby-1", state="covered", since=ago, ok=1, need=1),
        Zone(id="z-lobby-2", state="covered", since=ago, ok=2, need=1),
        Zone(id="z-pump", state="unknown", since=ago, ok=0, need=1),
    ]


SIGNALS: tuple[tuple[str, str, timedelta, dict[str, Any]], ...] = (
    ("zone_blind", "z-b2", timedelta(minutes=28), {"cameras": ["cam-b2-1"]}),
    ("circuit_fault", "c-t2-b", timedelta(minutes=52), {"count": 6, "lamps": [f"lamp-t2-{f}-b" for f in FLOORS]}),
    ("zone_degraded", "z-garage", timedelta(minutes=9), {"ok": 1, "need": 2, "cameras": ["cam-garage-2"]}),
    ("lamp_failure", "lamp-t1-f03-a", timedelta(hours=3, minutes=37), {"lux": 0.4}),
    ("round_incomplete", "night@2026-11-22T23:00+08:00", timedelta(hours=3, minutes=27), {"missed": ["cp-garage-2"]}),
    ("reader_offline", "wand-1", timedelta(minutes=67), {"last_heard": "2026-11-23T01:40:00+08:00"}),
    ("device_never_heard", "cam-pump", timedelta(hours=5), {}),
)


def signals(now: Instant) -> list[Signal]:
    """What the rules told the alerts room tonight."""
    return [
        Signal(
            rule=rule,
            subject=subject,
            action="raise",
            at=now - round(ago.total_seconds()) * 1_000_000,
            raised=now - round(ago.total_seconds()) * 1_000_000,
            details=details,
            severity="critical" if rule == "zone_blind" else None,
            place={"z-b2": "garage/b2", "z-garage": "garage", "lamp-t1-f03-a": "tower-1/f03"}.get(subject),
        )
        for rule, subject, ago, details in sorted(SIGNALS, key=lambda row: -row[2])
    ]


def devices(which: model.Site) -> list[DeviceState]:
    """All devices."""
    states: dict[str, dict[str, Any]] = {
        "cam-b2-1": {"state": "offline", "since": NOW - timedelta(minutes=31)},
        "wand-1": {"state": "offline", "since": NOW - timedelta(minutes=67)},
        "cam-pump": {"state": "unknown", "cause": "never_heard"},
    }
    heard = {"state": "ok", "last_heard": NOW - timedelta(seconds=20), "since": NIGHT}
    return [DeviceState(id=device, **states.get(device, heard)) for device in which.devices]


def gaps() -> list[Gap]:
    """The gaps of two checkpoints."""
    end = NIGHT + timedelta(hours=8)
    long = Exceedance(
        since=NIGHT + timedelta(minutes=10), until=NIGHT + timedelta(minutes=130), length_s=7200, open=False
    )
    return [
        Gap(
            checkpoint="cp-garage-2",
            window_start=NIGHT,
            window_end=end,
            largest_s=7200,
            exceeded=True,
            exceedances=(long,),
        ),
        Gap(checkpoint="cp-gate", window_start=NIGHT, window_end=end, largest_s=3500, exceeded=False),
    ]


@dataclass
class Scene:
    """Everything that the views show; tests change it and tell the gateway."""

    site: model.Site = field(default_factory=site)
    rounds: list[Round] = field(default_factory=rounds)
    unmatched: list[Unmatched] = field(
        default_factory=lambda: [
            Unmatched(device="wand-1", tag="04FFFFFFFF0001", at=NOW, person=None, reason="unknown_tag")
        ]
    )
    gaps: list[Gap] = field(default_factory=gaps)
    zones: list[Zone] = field(default_factory=zones)
    lamps: list[Lamp] = field(init=False)
    cameras: list[Camera] = field(init=False)
    devices: list[DeviceState] = field(init=False)
    circuits: list[Circuit] = field(init=False)
    links: list[LinkState] = field(init=False)
    alerts: bool = True

    def __post_init__(self) -> None:
        self.lamps = lamps(self.site)
        self.cameras = cameras(self.site)
        self.devices = devices(self.site)
        dark = {"state": "faulty", "fault": "circuit_fault", "since": NOW - timedelta(minutes=52)}
        self.circuits = [
            Circuit(id=circuit, **(dark if circuit == "c-t2-b" else {"state": "ok", "since": NIGHT}))  # type: ignore[arg-type]
            for circuit in self.site.circuits
        ]
        self.links = [
            LinkState(name="mqtt://127.0.0.1:1883", up=True, since=NIGHT - timedelta(days=3)),
            LinkState(
                name="/dev/ttyUSB0",
                up=False,
                since=NOW - timedelta(minutes=3),
                reason="the port is gone",
                hint="plug the reader in again",
            ),
        ]

    def signals(self) -> list[Signal]:
        return signals(instant(NOW)) if self.alerts else []


def empty() -> Scene:
    """A site nothing is known of yet."""
    bare = msgspec.structs.replace(
        site(), checkpoints={}, routes={}, circuits={}, lamps={}, zones={}, devices={}, parents={}, people={}
    )
    return Scene(site=bare, rounds=[], unmatched=[], gaps=[], zones=[], alerts=False)
