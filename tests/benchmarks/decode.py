"""What each decoder does in a second on one core: `python tests/benchmarks/decode.py [--seconds 1]`.

The goal is 50,000 messages (or observations, where a message holds several) a second, and 300,000 for the families that speak most
(device_drivers/README.md): decoding must not be what limits a gateway's intake. Each driver decodes a rotation of different messages, so that no cache of a
single one flatters it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import NamedTuple

from device_drivers.catalogue import DRIVERS
from device_drivers.chirpstack import device as chirpstack
from device_drivers.dahua import device as dahua
from device_drivers.dali import device as dali
from device_drivers.dlt645 import frame as dlt645
from device_drivers.driver import DeviceSettings, MessageDecoder, StreamDecoder
from device_drivers.esphome import device as esphome
from device_drivers.fcard_wand import frame as fcard
from device_drivers.fcard_wand import records as fcard_records
from device_drivers.frigate import device as frigate
from device_drivers.gat1400 import device as gat1400
from device_drivers.gb28181 import device as gb28181
from device_drivers.gwiot import device as gwiot
from device_drivers.hid_wedge import device as hid_wedge
from device_drivers.hikvision import device as hikvision
from device_drivers.homeassistant import device as homeassistant
from device_drivers.homie import device as homie
from device_drivers.ibutton import device as ibutton
from device_drivers.json_map import device as json_map
from device_drivers.mediamtx import device as mediamtx
from device_drivers.milesight import device as milesight
from device_drivers.modbus import frames as modbus
from device_drivers.native.device import DeviceRecorder
from device_drivers.ndef import device as ndef
from device_drivers.neuron import device as neuron
from device_drivers.ntag424 import device as ntag424
from device_drivers.observations import LightLevel, TagRead
from device_drivers.onvif import device as onvif
from device_drivers.openbeken import device as openbeken
from device_drivers.osdp import device as osdp
from device_drivers.pn532 import device as pn532
from device_drivers.rdm6300.device import frame
from device_drivers.rtsp import device as rtsp
from device_drivers.shelly import device as shelly
from device_drivers.sparkplug.datatypes import Datatype
from device_drivers.sparkplug.device import EdgeNode, Sample
from device_drivers.tasmota.device import Device as Tasmota
from device_drivers.tts import device as tts
from device_drivers.wiegand_serial import device as wiegand
from device_drivers.wled import device as wled
from device_drivers.zigbee2mqtt import device as zigbee

GOAL = 50_000
BUSY_GOAL = 300_000
BUSY = ("native", "zigbee2mqtt", "rdm6300")
ROTATION = 1000
META, FILE, UID = bytes(range(16)), bytes(range(1, 17)), bytes.fromhex("04112233445566")
"""Keys and number of a tag that signs its taps."""
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Load(NamedTuple):
    """A row of the table: `work()` decodes `messages` messages of `octets` bytes in all, and counts the observations."""

    name: str
    messages: int
    octets: int
    work: Callable[[], int]


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    seconds = parser.parse_args().seconds
    print(f"{'decoder':<32}{'bytes':>6}{'messages/s':>12}{'observations/s':>16}{'µs/message':>12}")
    missed = 0
    for load in loads():
        messages_a_second, observations_a_second = measure(load, seconds)
        goal = BUSY_GOAL if load.name.startswith(BUSY) else GOAL
        below = max(messages_a_second, observations_a_second) < goal
        missed |= below
        verdict = f"below {goal:,}" if below else "ok"
        print(
            f"{load.name:<32}{load.octets / load.messages:>6.0f}{messages_a_second:>12,.0f}"
            f"{observations_a_second:>16,.0f}{1e6 / messages_a_second:>12.2f}  {verdict}"
        )
    return int(missed)


def measure(load: Load, seconds: float) -> tuple[float, float]:
    """Messages and observations a second: the best of five shares of `seconds`."""
    load.work()
    best = (0.0, 0.0)
    for _ in range(5):
        rounds, observations, start = 0, 0, perf_counter()
        while (spent := perf_counter() - start) < seconds / 5:
            observations += load.work()
            rounds += 1
        best = max(best, (rounds * load.messages / spent, observations / spent))
    return best


def loads() -> list[Load]:
    """The rows."""
    recorder = DeviceRecorder("s", "rdr", "b17")
    taps = [(recorder.topic, recorder.record(TagRead(at=NOW, tag=f"{number:010X}"))) for number in range(ROTATION)]
    lux = [(recorder.topic, recorder.record(LightLevel(at=NOW, lux=number / 7))) for number in range(ROTATION)]
    arrays = [
        (recorder.topic, b"[" + b",".join(payload for _, payload in taps[start : start + 100]) + b"]")
        for start in range(0, ROTATION, 100)
    ]
    base = "zigbee2mqtt/lux-t1-f03"
    lights = [zigbee.light(base, number)[:2] for number in range(ROTATION)]
    plugs = [zigbee.plug(base, True, float(number))[:2] for number in range(ROTATION)]
    status = [frigate.status("frigate", f"cam_{number}", "detect", "online")[:2] for number in range(ROTATION)]
    stats = [frigate.stats("frigate", {f"cam_{camera}": 5.0 for camera in range(16)})[:2]] * 20
    cameras = [gb28181.Device(f"3402000000132{number:07d}") for number in range(ROTATION)]
    sip = [("", camera.keepalive()) for camera in cameras]
    alarms = [("", camera.alarm(5, 2, event=1)) for camera in cameras]
    faces = [("", gat1400.Device(f"3402000000119{number:07d}").keepalive().body) for number in range(ROTATION)]
    keys = {"meta_key": META.hex(), "file_key": FILE.hex()}
    urls = [("", ndef.uri_message(f"https://tap.example/t?tag={number:014X}")) for number in range(ROTATION)]
    signed = [
        ("", ntag424.encrypted_url(UID, number, meta_key=META, file_key=FILE).encode()) for number in range(ROTATION)
    ]
    zigbee_entry = DeviceSettings(id="lux-t1-f03", link={"mqtt": base})
    return [
        messages("native: one tap", "native", DeviceSettings(id=""), taps),
        messages("native: one light level", "native", DeviceSettings(id=""), lux),
        messages("native: arrays of 100 taps", "native", DeviceSettings(id=""), arrays),
        messages("zigbee2mqtt: light sensor", "zigbee2mqtt", zigbee_entry, lights),
        messages("zigbee2mqtt: metering plug", "zigbee2mqtt", zigbee_entry, plugs),
        messages("gb28181: keepalive over SIP", "gb28181", DeviceSettings(id="c"), sip),
        messages("gb28181: alarm over SIP", "gb28181", DeviceSettings(id="c"), alarms),
        messages("gat1400: keepalive", "gat1400", DeviceSettings(id="c"), faces),
        messages("frigate: status", "frigate", DeviceSettings(id="n", link={"mqtt": "frigate"}), status),
        messages("ndef: a tag's URL", "ndef", DeviceSettings(id="p"), urls),
        messages("ntag424: encrypted, signed URL", "ntag424", DeviceSettings(id="p", settings=keys), signed),
        messages("frigate: stats of 16 cameras", "frigate", DeviceSettings(id="n", link={"mqtt": "frigate"}), stats),
        *web_cameras(),
        stream("rdm6300: repeated frame", "rdm6300", [frame("6F007B3972")] * ROTATION, timedelta(milliseconds=65)),
        stream(
            "rdm6300: other tag each time",
            "rdm6300",
            [frame(f"{n:010X}") for n in range(ROTATION)],
            timedelta(seconds=1),
        ),
        stream("modbus_lux: a light", "modbus_lux", [light(n) for n in range(ROTATION)], timedelta()),
        stream("modbus_pzem004t: a whole reading", "modbus_pzem004t", [pzem(n) for n in range(ROTATION)], timedelta()),
        *serial_readers(),
        stream("osdp: a card", "osdp", [card(n) for n in range(ROTATION)], timedelta()),
        stream("hid_wedge: a key, up and down", "hid_wedge", key_presses(), timedelta()),
        stream("dlt645: a voltage", "dlt645", [voltage(n) for n in range(ROTATION)], timedelta()),
        stream("dali: a status", "dali", [dali.status(n % 64, n % 8) for n in range(ROTATION)], timedelta()),
        *conventions(),
        glued("rdm6300: frames glued by the 64", "rdm6300", [frame(f"{n:010X}") for n in range(ROTATION)]),
    ]


def conventions() -> list[Load]:
    """The rows of the MQTT conventions; most messages hold one value and go through a mapping."""
    mapped = {"map": [{"path": "lux", "to": "light_level"}]}
    codec = {"codec": "milesight", "model": "EM500-LGT"}
    application, stack = "application/1/device/24e124136b502217", "v3/park@ttn/devices/lux"
    edge = EdgeNode("g", "n")
    data = [edge.birth(NOW)[:2]] + [edge.data(NOW, [Sample("lux", Datatype.FLOAT, n / 7)])[:2] for n in range(ROTATION)]
    numbers = range(ROTATION)
    own = DeviceSettings(id="d", link={"mqtt": "d"})
    return [
        messages("shelly: power, gen 1", "shelly", own, [shelly.value("d", "relay/0/power", n)[:2] for n in numbers]),
        messages(
            "shelly: power, gen 2",
            "shelly",
            own,
            [shelly.changed("d", {"switch:0": {"id": 0, "apower": n, "current": 0.2}}, NOW)[:2] for n in numbers],
        ),
        messages("esphome: one sensor", "esphome", own, [esphome.sensor("d", "lux", n / 7)[:2] for n in numbers]),
        messages("wled: brightness", "wled", own, [wled.brightness("d", n % 256)[:2] for n in numbers]),
        messages(
            "json_map: one value",
            "json_map",
            DeviceSettings(id="d", link={"mqtt": "a"}, settings=mapped),
            [json_map.document("a", {"lux": n})[:2] for n in numbers],
        ),
        messages(
            "neuron: one tag",
            "neuron",
            DeviceSettings(id="d", link={"mqtt": "n"}, settings={"map": [{"tag": "lux", "to": "light_level"}]}),
            [neuron.tags("n", "m", "g", {"lux": n}, NOW)[:2] for n in numbers],
        ),
        messages(
            "homie: one property",
            "homie",
            DeviceSettings(id="d", link={"mqtt": "homie/5/d"}),
            [homie.value("homie/5/d", "light/lux", f"{n}.5")[:2] for n in numbers],
        ),
        messages(
            "homeassistant: a tag",
            "homeassistant",
            DeviceSettings(id="d", kind="reader", link={"mqtt": "gate/tag"}),
            [homeassistant.state("gate/tag", f"{n:08X}")[:2] for n in numbers],
        ),
        messages(
            "tasmota: light sensor",
            "tasmota",
            DeviceSettings(id="d", link={"mqtt": "d"}),
            [Tasmota("d").light(NOW, n)[:2] for n in numbers],
        ),
        messages(
            "tasmota: a card",
            "tasmota",
            DeviceSettings(id="d", kind="reader", link={"mqtt": "d"}),
            [Tasmota("d").card(NOW, f"{n:08X}")[:2] for n in numbers],
        ),
        messages(
            "openbeken: one value",
            "openbeken",
            DeviceSettings(id="d", link={"mqtt": "d"}),
            [openbeken.value("d", "voltage", n)[:2] for n in numbers],
        ),
        messages(
            "chirpstack: Milesight light sensor",
            "chirpstack",
            DeviceSettings(id="d", link={"mqtt": application}, settings=codec),
            [chirpstack.uplink(application, NOW, milesight.light(n), count=n)[:2] for n in numbers],
        ),
        messages(
            "tts: Milesight light sensor",
            "tts",
            DeviceSettings(id="d", link={"mqtt": stack}, settings=codec),
            [tts.uplink(stack, NOW, milesight.light(n), count=n)[:2] for n in numbers],
        ),
        messages(
            "milesight: light sensor",
            "milesight",
            DeviceSettings(id="d", link={"mqtt": "m"}),
            [("m", milesight.light(n)) for n in numbers],
        ),
        messages(
            "sparkplug: one metric",
            "sparkplug",
            DeviceSettings(
                id="d", link={"mqtt": "spBv1.0/g/n"}, settings={"map": [{"metric": "lux", "to": "light_level"}]}
            ),
            data,
        ),
    ]


def light(number: int) -> bytes:
    """A reply of a light sensor."""
    return modbus.rtu_frame(10, b"\x04\x04" + number.to_bytes(4, "big"))


def pzem(number: int) -> bytes:
    """A reply of a PZEM-004T: ten registers, seven values."""
    words = (2300 + number % 100, number, 0, number, 0, number, 0, 500, 99, 0)
    return modbus.rtu_frame(0xF8, b"\x04\x14" + b"".join(word.to_bytes(2, "big") for word in words))


def voltage(number: int) -> bytes:
    """A reply of a DL/T 645 meter."""
    return b"\xfe" * 4 + dlt645.make_frame("201709320072", 0x91, bytes.fromhex("00010102") + dlt645.to_bcd(number, 2))


def web_cameras() -> list[Load]:
    """Cameras that are asked over HTTP and RTSP. Most of what they say is told once in 15 s, so the messages count."""
    losses = [hikvision.part(hikvision.alert("videoloss", True, channel=number % 64)) for number in range(ROTATION)]
    events = [dahua.part(dahua.event("VideoLoss", "Start", number % 64)) for number in range(ROTATION)]
    moving = onvif.Notification(
        "tns1:RuleEngine/CellMotionDetector/Motion", {"VideoSourceConfigurationToken": "v"}, {"IsMotion": "true"}
    )
    pages = [mediamtx.metrics({f"p{path}": (True, number) for path in range(16)}) for number in range(20)]
    quiet = [("PullMessages", onvif.messages([], NOW + timedelta(seconds=number))) for number in range(ROTATION)]
    camera = DeviceSettings(id="c")
    return [
        stream("hikvision: heartbeat", "hikvision", [hikvision.part(hikvision.heartbeat())] * ROTATION, timedelta()),
        stream("hikvision: loss of video", "hikvision", losses, timedelta()),
        stream("dahua: heartbeat", "dahua", [dahua.part(dahua.HEARTBEAT)] * ROTATION, timedelta()),
        stream("dahua: loss of video", "dahua", events, timedelta()),
        messages("onvif: no events", "onvif", camera, quiet),
        messages("onvif: motion", "onvif", camera, [("PullMessages", onvif.messages([moving]))] * ROTATION),
        stream("rtsp: options", "rtsp", [rtsp.options(number) for number in range(ROTATION)], timedelta()),
        messages("mediamtx: 16 paths", "mediamtx", camera, [("metrics", each) for each in pages]),
    ]


def messages(
    name: str,
    driver: str,
    entry: DeviceSettings,
    feed: Sequence[tuple[str, bytes]],
) -> Load:
    """A message decoder on a rotation of messages."""
    make = DRIVERS[driver].message_decoder
    assert make is not None
    decoder: MessageDecoder = make("s", entry)

    def work() -> int:
        decode = decoder.decode
        return sum([len(decode(topic, payload, NOW)) for topic, payload in feed])

    return Load(name, len(feed), sum(len(payload) for _, payload in feed), work)


def serial_readers() -> list[Load]:
    """Card readers and wands on a serial line: another tag each time."""
    tags = [number.to_bytes(4, "big") for number in range(ROTATION)]
    apart = timedelta(seconds=2)  # each a presentation of its own
    records = [
        fcard.make_frame(
            0, 0x1000, 0x34, 6, b"\0\0\0\1" + fcard_records.card_data(fcard_records.Card(n, 1, NOW, False, f"{n:06X}"))
        )
        for n in range(1, ROTATION + 1)
    ]
    return [
        stream("gwiot_7941: a card", "gwiot_7941", [gwiot.push_frame(tag) for tag in tags], apart),
        stream("gwiot_7941w: a reply", "gwiot_7941w", [gwiot.reply(tag) for tag in tags], apart),
        stream("wiegand_serial: a line of bits", "wiegand_serial", [wiegand.line(tag) for tag in tags], apart),
        stream("pn532: an answer", "pn532", [pn532.listing([tag]) for tag in tags], apart),
        stream("pn532: nobody there", "pn532", [pn532.listing([])] * ROTATION, timedelta(milliseconds=200)),
        stream("ibutton: a ROM", "ibutton", [ibutton.rom_of(number) for number in range(1, ROTATION + 1)], apart),
        stream(
            "ibutton_probe: a line",
            "ibutton_probe",
            [ibutton.probe_line(ibutton.rom_of(number)) for number in range(1, ROTATION + 1)],
            apart,
        ),
        stream("fcard_wand: a record", "fcard_wand", records, timedelta()),
    ]


def card(number: int) -> bytes:
    """A card of 26 bits in an answer of an OSDP reader."""
    return osdp.card(1, osdp.wiegand(number.to_bytes(3)), sequence=number % 3 + 1)


def key_presses() -> list[bytes]:
    """The keys of cards typed one after the other, each with its six events."""
    typed = b"".join(hid_wedge.typed(f"{n:010}", 1_763_906_400_000_000 + n * 1_000_000) for n in range(ROTATION // 11))
    return [typed[at : at + 144] for at in range(0, len(typed), 144)]


def stream(name: str, driver: str, frames: Sequence[bytes], apart: timedelta) -> Load:
    """A stream decoder on frames that arrive one by one, `apart` from each other."""
    decoder = _stream(driver)
    times = [NOW + apart * number for number in range(len(frames))]
    arrivals = list(zip(frames, times, strict=True))

    def work() -> int:
        feed = decoder.feed
        return sum([len(feed(data, received)) for data, received in arrivals])

    return Load(name, len(frames), sum(map(len, frames)), work)


def glued(name: str, driver: str, frames: Sequence[bytes]) -> Load:
    """A stream decoder on reads of a port that hold 64 frames each."""
    decoder = _stream(driver)
    reads = [b"".join(frames[start : start + 64]) for start in range(0, len(frames), 64)]

    def work() -> int:
        return sum([len(decoder.feed(data, NOW)) for data in reads])

    return Load(name, len(frames), sum(map(len, frames)), work)


def _stream(driver: str) -> StreamDecoder:
    make = DRIVERS[driver].stream_decoder
    assert make is not None
    return make(DeviceSettings(id="rdr", link={"serial": "-"}))


if __name__ == "__main__":
    sys.exit(main())
