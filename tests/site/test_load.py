"""The loader: a right file gives the model, a wrong one every mistake with line, path and what was expected (site.md)."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from gateway.errors import ConfigError, Problem
from gateway.instants import DAY, HOUR, MINUTE, SECOND
from gateway.routing import Router
from gateway.site.load import load_site
from gateway.site.model import Service, Site, Watchdog, Webhook

CONFIG = Path(__file__).parents[2] / "config"

BASE = """\
site: {id: s, timezone: Asia/Shanghai, latitude: 31.2, longitude: 121.5}
places:
  - {id: gate, daylight: outdoor}
  - {id: hall}
people:
  - {id: wang, roles: [guard], tags: ["0008075634"]}
devices:
  - {id: rdr, driver: native, kind: reader, place: gate}
  - {id: wand, driver: native, kind: wand}
  - {id: cam, driver: native, kind: camera, place: gate}
  - {id: lux, driver: native, kind: lux_sensor, place: hall}
checkpoints:
  - {id: cp, place: gate, reader: rdr}
  - {id: wall, place: hall, tags: ["04A1B2C3D4E5F6"]}
routes:
  - id: night
    visits:
      - {checkpoint: cp}
rounds:
  - {route: night, from: "22:00", to: "06:00", every: 1h, lasts: 40m}
lamps:
  - {id: lamp, place: hall, seen_by: lux, expected: {mode: dusk_to_dawn}}
zones:
  - {id: z, place: gate, cameras: [cam]}
"""


@pytest.fixture
def read(tmp_path):
    """Loads a text as a site file; gives the model and the warnings."""

    def load(text: str | bytes, **more) -> tuple[Site, list[Problem]]:
        file = tmp_path / "site.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_site(file, **{"environ": {}} | more)

    return load


@pytest.fixture
def site(read):
    return lambda text=BASE, **more: read(text, **more)[0]


@pytest.fixture
def problems(read):
    """The errors of a text, as (line, path, message), in the order of the file."""

    def refused(text: str | bytes, **more) -> list[tuple[int | None, str, str]]:
        with pytest.raises(ConfigError) as caught:
            read(text, **more)
        return [(one.line, one.path, one.message) for one in caught.value.problems if one.level == "error"]

    return refused


@pytest.fixture
def warnings(read):
    return lambda text: [(problem.line, problem.path, problem.message) for problem in read(text)[1]]


# -- right files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["riverside", "demo", "small"])
def test_the_example_sites_are_valid(name):
    site, warned = load_site(CONFIG / f"{name}.yaml", secrets=False)
    assert site.id == name
    assert all("is not built into this version" in problem.message for problem in warned)


def test_every_file_in_config_is_an_example_that_loads():
    for file in CONFIG.glob("*.yaml"):
        load_site(file, secrets=False)


def test_the_example_of_the_specification_means_what_it_says():
    site, _ = load_site(CONFIG / "riverside.yaml", secrets=False)
    assert site.people["g-wang"].tags == ("007B3972",)
    assert (site.places["garage"].key, site.places["gate"].daylight) == (True, "outdoor")
    garage = site.devices["rdr-garage"]
    assert (garage.kind, garage.expect_every, garage.transmits_only, garage.own_clock) == (
        "reader",
        MINUTE,
        True,
        False,
    )
    assert (site.devices["wand-1"].kind, site.devices["wand-1"].portable) == ("wand", True)
    assert site.devices["cam-garage-1"].parents == ("nvr-1",)
    route = site.routes["night"]
    assert (route.tolerance, route.band, route.evidence_deadline) == (5 * MINUTE, 5 * MINUTE, None)
    assert [visit.after for visit in route.visits] == [0, 10 * MINUTE]
    assert [rule.line for rule in site.rounds] == [47, 48]
    assert site.rounds[0].days == frozenset(range(7))
    assert site.checkpoints["cp-garage"].min_leg == {"cp-gate": MINUTE}
    assert site.alerting.policies["default"][1].after == 10 * MINUTE
    assert site.storage.retain_evidence == 365 * DAY


def test_what_is_not_said_has_the_specifications_defaults(site):
    loaded = site()
    assert (loaded.name, loaded.language, loaded.hold) == ("s", "zh_CN", 3 * MINUTE)
    assert loaded.devices["rdr"].expect_every == MINUTE
    assert loaded.devices["cam"].expect_every == MINUTE
    assert loaded.devices["lux"].expect_every is None
    assert loaded.devices["wand"].expect_every is None
    assert loaded.devices["rdr"].sends_seq
    assert loaded.rounds[0].days == frozenset(range(7))
    assert (loaded.lamps["lamp"].confirm, loaded.lamps["lamp"].edge) == (10 * MINUTE, 20 * MINUTE)
    assert (loaded.lamps["lamp"].lit_lux, loaded.lamps["lamp"].lit_watts) == (20.0, 5.0)
    assert (loaded.zones["z"].need, loaded.routes["night"].order) == (1, "any")
    assert loaded.checkpoints["cp"].two_person_within == 2 * MINUTE
    orders = loaded.work_orders
    assert (orders.emergency_arrive_within, orders.ordinary_repair_within) == (30 * MINUTE, 24 * HOUR)
    assert (orders.rework_within, orders.follow_up_after) == (7 * DAY, DAY)
    assert (orders.contradicted_after, orders.tap_tolerance) == (30 * MINUTE, 10 * MINUTE)
    assert (loaded.mqtt.embedded, loaded.mqtt.session, loaded.mqtt.port) == (True, "paho", 1883)


def test_services_that_devices_call_have_defaults_and_their_secrets(site):
    assert site().services["gb28181"] == Service(host="0.0.0.0", port=5060, settings={"id": "34020000002000000001"})
    assert site().services["gat1400"] == Service(host="0.0.0.0", port=8181)
    text = BASE + "services: {gb28181: {host: 10.0.0.1, realm: estate, password: env:SIP}, gat1400: {username: a}}\n"
    told = site(text, environ={"SIP": "hunter2"}).services
    assert told["gb28181"] == Service(
        host="10.0.0.1",
        port=5060,
        settings={"id": "34020000002000000001", "realm": "estate", "password": "hunter2"},
    )
    assert told["gat1400"].settings == {"username": "a"}


def test_devices_that_call_without_a_password_are_warned_of(warnings):
    camera = '  - {id: cam-sip, driver: gb28181, kind: camera, device_id: "34020000001320000007"}\n'
    text = BASE.replace("checkpoints:\n", camera + "checkpoints:\n")
    assert [(path, message[:19]) for _, path, message in warnings(text)] == [
        ("services.gb28181", "has no `password`: ")
    ]


def test_the_smallest_file_is_a_site_and_a_zone(site):
    assert site("site: {id: s, timezone: UTC}").places == {}


def test_daylight_and_class_go_down_the_tree(site):
    text = BASE.replace(
        "  - {id: hall}",
        "  - {id: hall, class: key, daylight: window}\n  - {id: hall/a}\n  - {id: hall/a/b, daylight: indoor, class: normal}",
    )
    places = site(text).places
    assert (places["hall/a"].key, places["hall/a"].daylight) == (True, "window")
    assert (places["hall/a/b"].key, places["hall/a/b"].daylight) == (False, "indoor")


def test_min_leg_holds_both_ways(site):
    loaded = site(BASE.replace("reader: rdr}", "reader: rdr, min_leg: {wall: 90s}}"))
    assert loaded.checkpoints["wall"].min_leg == {"cp": 90 * SECOND}
    assert loaded.checkpoints["cp"].min_leg == {"wall": 90 * SECOND}


def test_fed_by_names_a_device_or_one_of_its_channels(site):
    text = BASE.replace("seen_by: lux", "fed_by: lux")
    assert site(text).lamps["lamp"].fed_by == ("lux", None)
    assert site(text.replace("fed_by: lux", "fed_by: lux/2")).lamps["lamp"].fed_by == ("lux", 2)
    assert site(text.replace("fed_by: lux", "fed_by: lux/l1")).lamps["lamp"].fed_by == ("lux", "l1")


def test_on_and_off_are_words_and_clock_times_need_no_quotes(site):
    loaded = site(BASE.replace("{mode: dusk_to_dawn}", "{mode: times, on: 18:00, off: 06:00}"))
    assert (loaded.lamps["lamp"].expected.on, loaded.lamps["lamp"].expected.off) == (time(18), time(6))


def test_24_00_is_the_end_of_a_day(site):
    text = BASE.replace('to: "06:00"', 'to: "24:00"').replace(
        "reader: rdr}", 'reader: rdr, max_gap: {within: "00:00-24:00", at_most: 1h}}'
    )
    loaded = site(text)
    assert loaded.rounds[0].until == time(0)
    assert (loaded.checkpoints["cp"].max_gap.since, loaded.checkpoints["cp"].max_gap.until) == (time(0), time(0))


def test_secrets_inside_a_drivers_settings_are_read(site):
    text = BASE.replace(
        "kind: camera", "kind: camera, driver: dahua, settings: {login: {password: env:P}, urls: [env:U]}"
    ).replace("driver: native, kind: camera, driver: dahua", "driver: dahua, kind: camera")
    loaded = site(text, environ={"P": "p", "U": "rtsp://a:b@c"})
    assert loaded.devices["cam"].settings == {"login": {"password": "p"}, "urls": ["rtsp://a:b@c"]}


def test_very_many_mistakes_are_told_within_seconds(problems):
    lamps = "".join(
        f"  - {{id: lamp-{n}, place: hell-{n}, seen_by: lux-{n}, expected: {{mode: always}}}}\n" for n in range(3_000)
    )
    assert len(problems(BASE.replace("zones:\n", lamps + "zones:\n"))) == 6_000


def test_anchors_and_merged_mappings_are_followed(site):
    text = BASE.replace(
        "{id: rdr, driver: native, kind: reader, place: gate}",
        "&r {id: rdr, driver: native, kind: reader, place: gate}",
    )
    text = text.replace("  - {id: wand,", "  - {<<: *r, id: rdr-2, place: hall}\n  - {id: wand,")
    assert (site(text).devices["rdr-2"].kind, site(text).devices["rdr-2"].place) == ("reader", "hall")


def test_the_digest_names_the_file(site):
    assert site().digest == site().digest != site(BASE + "# changed\n").digest


def test_an_external_broker_is_one_with_a_host(site):
    loaded = site(BASE + "mqtt: {host: broker.example, tls: {ca: ca.pem}, username: lamp}\n")
    assert (loaded.mqtt.embedded, loaded.mqtt.session, loaded.mqtt.port, loaded.mqtt.tls) == (
        False,
        "mqtt5",
        8883,
        True,
    )
    assert loaded.mqtt.tls_ca is not None
    assert Path(loaded.mqtt.tls_ca).name == "ca.pem"
    assert loaded.devices["rdr"].external_broker
    assert not site().devices["rdr"].external_broker


def test_influxdb_is_named_with_its_token_elsewhere(site):
    text = BASE + "storage: {telemetry: {influxdb: {url: 'http://i:8086', org: o, bucket: b, token: env:TOKEN}}}\n"
    influx = site(text, environ={"TOKEN": "geheim"}).storage.influx
    assert (influx.url, influx.org, influx.bucket, influx.token) == ("http://i:8086", "o", "b", "geheim")


def test_a_family_whose_driver_is_not_built_is_known_and_warned_of_once(read):
    text = BASE.replace(
        "  - {id: cam, driver: native",
        "  - {id: nvr, driver: shinobi}\n  - {id: cam-2, driver: shinobi, kind: camera}\n  - {id: cam, driver: native",
    )
    loaded, warned = read(text)
    assert (loaded.devices["nvr"].kind, loaded.devices["cam-2"].expect_every) == ("nvr", MINUTE)
    assert [(problem.line, problem.path) for problem in warned] == [(10, "devices.nvr.driver")]


LINE = BASE.replace(
    "  - {id: cam, driver: native", "  - {id: a, driver: ONE}\n  - {id: b, driver: TWO}\n  - {id: cam, driver: native"
)


@pytest.mark.parametrize(
    ("one", "two", "wrong"),
    [
        ("gwiot_7941w, link: {serial: /dev/x, baud: 9600}", "dlt645, link: {serial: /dev/x}", ""),
        ("gwiot_7941w, link: {serial: /dev/x, baud: 115200}", "dlt645, link: {serial: /dev/x}", "found baud 9600"),
        ("dlt645, link: {serial: /dev/x, parity: E}", "dlt645, link: {serial: /dev/x}", "found parity N"),
        ("rdm6300, link: {serial: /dev/x}", "rdm6300, link: {serial: /dev/x}", "a second time"),
        ("rdm6300, link: {serial: /dev/x}", "rdm6300, link: {serial: /dev/y}", ""),
        ("dlt645, link: {serial: /dev/x}", "rdm6300, link: {serial: /dev/x}", "a second time"),
        ("dlt645, link: {serial: /dev/x}", "osdp, link: {serial: /dev/x}, settings: {secure: false}", "a second time"),
    ],
)
def test_only_devices_that_are_asked_share_a_line_and_at_one_speed(read, one, two, wrong):
    text = LINE.replace("ONE", one).replace("TWO", two)
    if not wrong:
        read(text)
        return
    with pytest.raises(ConfigError, match=wrong) as refused:
        read(text)
    assert [problem.path for problem in refused.value.problems] == ["devices.b.link.serial"]


def test_a_polled_reader_without_a_line_is_heard_only_through_native_and_asked_by_nobody(read):
    text = LINE.replace("ONE", "gwiot_7941w").replace("TWO", "fcard_wand, portable: true")
    loaded, warned = read(text)
    assert [problem.path for problem in warned] == ["devices.a.link.serial", "devices.b.link.serial"]
    assert Router(loaded, DRIVERS).lines == []


# -- secrets ---------------------------------------------------------------------------------------------------------

CONTACT = BASE + "alerts: {contacts: {captain: {url: REF}}}\n"


def test_a_secret_is_read_from_the_environment_or_a_file(site, tmp_path):
    (tmp_path / "captain.url").write_text("wecom://from-file\n")
    assert (
        site(CONTACT.replace("REF", "env:URL"), environ={"URL": "wecom://x"}).alerting.contacts["captain"].url
        == "wecom://x"
    )
    assert site(CONTACT.replace("REF", "file:captain.url")).alerting.contacts["captain"].url == "wecom://from-file"


def test_a_webhook_has_its_address_and_secrets_from_the_environment_and_its_limits_from_the_file(site):
    text = BASE.replace("latitude: 31.2", "latitude: 31.2, console_url: 'https://watch.example/'") + (
        "alerts: {contacts: {desk: {webhook: {url: env:W, secret: env:S, second_secret: env:T},"
        ' language: en, quiet: "22:00-07:00", at_most: 10/h}}}\n'
    )
    loaded = site(text, environ={"W": "https://desk.example/in", "S": "one", "T": "two"})
    desk = loaded.alerting.contacts["desk"]
    assert desk.webhook == Webhook(url="https://desk.example/in", secret="one", second_secret="two")
    assert (desk.language, desk.quiet, desk.at_most) == ("en", (time(22), time(7)), 10)
    assert loaded.console_url == "https://watch.example"


def test_a_watchdog_does_not_ping_on_a_topic_on_which_a_device_speaks(problems):
    text = BASE.replace(
        "driver: native, kind: lux_sensor", "driver: zigbee2mqtt, link: {mqtt: zigbee2mqtt/lux}, kind: lux_sensor"
    )
    for topic in ("zigbee2mqtt/lux", "zigbee2mqtt/lux/availability"):
        ((_, path, message),) = problems(text + f"watchdog: {{topic: {topic}}}\n")
        assert (path, message) == ("watchdog.topic", f"found {topic!r}, on which 'lux' speaks; expected another")


def test_a_watchdog_has_its_url_from_the_environment(site):
    loaded = site(
        BASE + "watchdog: {url: env:W, topic: zigbee2mqtt/luxury, every: 5m}\n", environ={"W": "https://w.example/1"}
    )
    assert loaded.watchdog == Watchdog(url="https://w.example/1", topic="zigbee2mqtt/luxury", every=5 * MINUTE)
    assert site().watchdog == Watchdog(url=None, topic=None, every=MINUTE)


def test_a_contact_is_reached_by_a_url_or_by_a_webhook(problems):
    found = problems(BASE + "alerts: {contacts: {a: {url: env:A, webhook: {url: env:W, secret: env:S}}}}\n")
    assert ("alerts.contacts.a", "found with `url` and `webhook`; expected one of them, and a second contact") in [
        (path, message) for _, path, message in found
    ]


def test_a_missing_secret_is_an_error_with_its_name(problems):
    assert problems(CONTACT.replace("REF", "env:CAPTAIN_URL")) == [
        (
            25,
            "alerts.contacts.captain.url",
            "found `env:CAPTAIN_URL`, but the environment variable CAPTAIN_URL is not set; set it to the secret",
        )
    ]
    [(_, _, message)] = problems(CONTACT.replace("REF", "file:absent"))
    assert "the file absent cannot be read: No such file" in message


def test_secrets_need_not_be_there_where_none_is_used(site):
    assert (
        site(CONTACT.replace("REF", "env:CAPTAIN_URL"), secrets=False).alerting.contacts["captain"].url
        == "env:CAPTAIN_URL"
    )


@pytest.mark.parametrize(
    ("found", "text", "path"),
    [
        ("hunter2", CONTACT.replace("REF", "'wecom://hunter2'"), "alerts.contacts.captain.url"),
        ("hunter2", BASE + "alerts: {contacts: {a: {webhook: {url: env:U, secret: hunter2}}}}\n", "alerts.contacts.a.webhook.secret"),
        ("hunter2", BASE + "mqtt: {host: h, username: u, password: hunter2}\n", "mqtt.password"),
        ("hunter2", BASE.replace("kind: lux_sensor", "kind: lux_sensor, settings: {mqtt_password: hunter2}"), "devices.lux.settings"),
        ("hunter2", BASE.replace("kind: camera", "kind: camera, link: {rtsp: 'rtsp://admin:hunter2@10.0.0.5/1'}"), "devices.cam.link"),
        ("hunter2", BASE.replace("kind: camera", "kind: camera, settings: {sip: {secret: hunter2}}"), "devices.cam.settings"),
        ("hunter2", BASE.replace("kind: camera", "kind: camera, settings: {keys: [{name: 1, aes: hunter2}]}"), "devices.cam.settings"),
        ("hunter2", BASE + "storage: {telemetry: {influxdb: {url: u, org: o, bucket: b, token: hunter2}}}\n", "storage.telemetry.influxdb.token"),
    ],
)  # fmt: skip
def test_a_literal_secret_is_refused_and_not_repeated(problems, found, text, path):
    [(_, at, message)] = problems(text)
    assert at == path
    assert "env:NAME" in message
    assert found not in message


# -- one mistake each ------------------------------------------------------------------------------------------------

R, D, L = "rounds[0]", "devices", "lamps.lamp"

MISTAKES = [
    # what to replace, by what, line, path, message
    ("  - {id: hall}", "  - {id: hall, colour: red}", 4, "places.hall.colour", "unknown key; expected one of class, daylight, id, name"),
    ("roles: [guard]", "role: [guard]", 6, "people.wang.role", "unknown key (did you mean `roles`?)"),
    ("zones:\n", "zoness:\n", 23, "zoness", "unknown section (did you mean `zones`?)"),
    ("timezone: Asia/Shanghai", "timezone: Asia/Peking", 1, "site.timezone", "found 'Asia/Peking'; expected a time zone of the IANA list"),
    ("timezone: Asia/Shanghai, ", "", 1, "site", "`timezone` is missing; expected a time zone"),
    ("latitude: 31.2", "latitude: 131.2", 1, "site.latitude", "found 131.2; expected at most 90"),
    ("latitude: 31.2, ", "", 1, "site", "`latitude` is missing"),
    ("{id: s,", "{id: s, holidays: XX,", 1, "site.holidays", "found 'XX'; expected a country such as `CN`"),
    ("{id: s,", "{id: s/1,", 1, "site.id", "found 's/1'; expected an id"),
    ('"0008075634"', "0008075634", 6, "people.wang.tags[0]", "found 0008075634; expected a tag in quotes"),
    ('"0008075634"', '"00012345"', None, None, None),
    ('"0008075634"', '"XY"', 6, "people.wang.tags[0]", "'XY' is not a tag"),
    ("{id: hall}", "{id: hall}\n  - {id: gate}", 5, "places.gate.id", "found 'gate' a second time; an id of `places` is used by line 3 already"),
    ("driver: native, kind: reader", "driver: nativ, kind: reader", 8, "devices.rdr.driver", "found 'nativ' (did you mean `native`?); expected one of"),
    ("kind: reader", "kind: raeder", 13, "checkpoints.cp.reader", "found 'rdr', a raeder; expected a fixed reader"),
    ("kind: reader, place: gate", "kind: reader, place: gte", 8, "devices.rdr.place", "found 'gte'; expected the id of a place (did you mean `gate`?)"),
    ("kind: camera, place: gate", "kind: camera, power: panel", 10, "devices.cam.power", "found 'panel'; expected the id of a device or of an entry of `parents`"),
    ("kind: camera", "kind: camera, portable: true", 10, "devices.cam.portable", "expected only readers to be portable"),
    ("kind: camera", "kind: camera, expect_every: 60", 10, "devices.cam.expect_every", "found 60; expected a duration such as `90s`"),
    ("kind: camera", "kind: camera, expect_every: 1 min", 10, "devices.cam.expect_every", "found '1 min'; expected a duration"),
    ("kind: camera", "kind: camera, link: {topic: x}", 10, "devices.cam.link.topic", "`link.topic`: expected no link"),
    ("kind: camera", "kind: camera, enabled: no", 10, "devices.cam.enabled", "found 'no'; expected true or false"),
    ("driver: native, kind: reader", "driver: rdm6300, link: {serial: /dev/x}, settings: {checksum: crc}", 8, "devices.rdr.settings.checksum", "expected one of"),
    ("reader: rdr}", "reader: rd}", 13, "checkpoints.cp.reader", "found 'rd'; expected the id of a fixed reader"),
    ("reader: rdr}", "reader: wand}", 13, "checkpoints.cp.reader", "found 'wand', a portable wand; expected a fixed reader"),
    ("reader: rdr}", "reader: cam}", 13, "checkpoints.cp.reader", "found 'cam', a camera; expected a fixed reader"),
    ("reader: rdr}", 'reader: rdr, tags: ["01020304"]}', 16, "routes.night", "since 'cp' has wall tags"),
    (", reader: rdr}", "}", 13, "checkpoints.cp", "has neither `reader` nor `tags`"),
    ('tags: ["04A1B2C3D4E5F6"]', "reader: rdr", 14, "checkpoints.wall.reader", "found 'rdr' a second time"),
    ('["04A1B2C3D4E5F6"]', '["007B3972"]', 14, "checkpoints.wall.tags[0]", "found tag 007B3972 a second time; it is enrolled at line 6 already"),
    ("reader: rdr}", "reader: rdr, min_leg: {cp: 5s}}", 13, "checkpoints.cp.min_leg.cp", "found the checkpoint itself"),
    ("reader: rdr}", "reader: rdr, min_leg: {cq: 5s}}", 13, "checkpoints.cp.min_leg.cq", "found 'cq'; expected the id of a checkpoint"),
    ("reader: rdr}", 'reader: rdr, max_gap: {within: "22:00", at_most: 1h}}', 13, "checkpoints.cp.max_gap.within", 'expected two clock times such as "22:00-06:00"'),
    ("reader: rdr}", 'reader: rdr, max_gap: {within: "22:00-06:00"}}', 13, "checkpoints.cp.max_gap", "`at_most` is missing; expected a duration"),
    ("{checkpoint: cp}", "{checkpoint: cpp}", 18, "routes.night.visits[0].checkpoint", "found 'cpp'; expected the id of a checkpoint (did you mean `cp`?)"),
    ("{checkpoint: cp}", "{checkpoint: cp, optional: true}", 17, "routes.night.visits", "expected a visit that is not optional"),
    ("{checkpoint: cp}", "{checkpoint: cp, after: -5m}", 18, "routes.night.visits[0].after", "found '-5m'; expected a duration of at least 0s"),
    ("{checkpoint: cp}", "{checkpoint: cp, after: 0m}\n      - {checkpoint: cp}", 19, "routes.night.visits[1]", "`after` is missing; expected it at each visit of 'cp'"),
    ("{checkpoint: cp}", "{checkpoint: wall}", 16, "routes.night", "`readers` is missing; expected the portable readers"),
    ("  - id: night\n", "  - id: night\n    accept_others: false\n", 17, "routes.night.accept_others", "found false without `guards`"),
    ("  - id: night\n", "  - id: night\n    guards: [wang, li]\n", 17, "routes.night.guards[1]", "found 'li'; expected the id of a person"),
    ("  - id: night\n", "  - id: night\n    guards: [wang, wang]\n", 17, "routes.night.guards[1]", "found 'wang' a second time"),
    ("  - id: night\n", "  - id: night\n    readers: [rdr]\n", 17, "routes.night.readers[0]", "found 'rdr', which is not portable"),
    ("  - id: night\n", "  - id: night\n    order: random\n", 17, "routes.night.order", "found 'random'; expected 'any' or 'listed'"),
    ("{route: night,", "{route: nigth,", 20, R + ".route", "found 'nigth'; expected the id of a route (did you mean `night`?)"),
    ("lasts: 40m", "lasts: 25h", 20, R + ".lasts", "found '25h'; expected a duration of more than 0s and at most 24h"),
    ("lasts: 40m", "lasts: 0s", 20, R + ".lasts", "expected a duration of more than 0s"),
    (", lasts: 40m", "", 20, R, "`lasts` is missing; expected a duration"),
    (", every: 1h", "", 20, R, "`every` missing; expected `from`, `to` and `every`, or `starts`"),
    ("every: 1h", "every: 1s", 20, R + ".every", "expected a duration of at least 1m"),
    ('to: "06:00"', 'to: "24:01"', 20, R + ".to", "found '24:01'; expected a clock time"),
    ("every: 1h", 'every: 1h, starts: ["10:00"]', 20, R + ".starts", "found beside `from`"),
    ("every: 1h", "every: 1h, days: mon-son", 20, R + ".days", "found 'mon-son'; expected weekdays such as `mon-fri`"),
    ("every: 1h", "every: 1h, holidays: never", 20, R + ".holidays", "expected `site.holidays` to name the calendar"),
    ("every: 1h", "every: 1h, valid: {since: 2026-13-01}", 20, R + ".valid.since", "expected a date such as 2026-01-31"),
    ("every: 1h", "every: 1h, valid: {since: 2026-02-01, until: 2026-01-01}", 20, R + ".valid.until", "expected 2026-02-01 or later"),
    ("place: hall, seen_by: lux", "place: hell, seen_by: lux", 22, L + ".place", "found 'hell'; expected the id of a place (did you mean `hall`?)"),
    ("seen_by: lux", "seen_by: luxx", 22, L + ".seen_by[0]", "found 'luxx'; expected the id of a light sensor"),
    ("seen_by: lux", "seen_by: [lux, cam]", 22, L + ".seen_by[1]", "found 'cam', a camera; expected a light sensor"),
    ("seen_by: lux", "seen_by: lux, circuit: c", 22, L + ".circuit", "found 'c'; expected the id of a circuit"),
    ("{mode: dusk_to_dawn}", '{mode: times, on: "18:00"}', 22, L + ".expected", "`off` is missing"),
    ("{mode: dusk_to_dawn}", "{mode: always, hold: 60s}", 22, L + ".expected.hold", "found with `mode: always`, which does not take it"),
    ("{mode: dusk_to_dawn}", "{mode: dusk}", 22, L + ".expected.mode", "found 'dusk'; expected 'dusk_to_dawn'"),
    ("expected: {mode: dusk_to_dawn}", "lit: {lux: 0}, expected: {mode: always}", 22, L + ".lit.lux", "expected more than 0"),
    ("cameras: [cam]", "cameras: [cam], need: 2", 24, "zones.z.need", "found 2; expected at most 1, the number of its cameras"),
    ("cameras: [cam]", "cameras: []", 24, "zones.z.need", "expected at most 0"),
    ("cameras: [cam]", "cameras: [rdr]", 24, "zones.z.cameras[0]", "found 'rdr', a reader; expected a camera"),
    ("cameras: [cam]", "cameras: [cam, cam]", 24, "zones.z.cameras[1]", "found 'cam' a second time"),
]  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{case[3]}: {case[1]}")
def test_each_mistake_is_told_with_line_path_and_expectation(read, problems, case):
    old, new, line, path, message = case
    assert BASE.count(old) == 1, "the case must change one place"
    text = BASE.replace(old, new)
    if message is None:
        read(text)
        return
    found = problems(text)
    assert [(at, where) for at, where, _ in found] == [(line, path)], found
    assert message in found[0][2]


TAILS = [
    ("parents: {a: {power: b}, b: {power: a}}", "parents.a", "feeds itself: a → b → a; expected no circle"),
    ("parents: {a: {power: a}}", "parents.a", "feeds itself: a → a"),
    ("parents: {cam: {}}", "parents.cam", "found 'cam', which is a device too"),
    ("parents: {a: {pwer: b}}", "parents.a.pwer", "unknown key (did you mean `power`?)"),
    ("circuits: [{id: c, panel: p}]", "circuits.c.panel", "found 'p'; expected the id of a device or of an entry of `parents`"),
    ("hold: 3", "hold", "found 3; expected a duration"),
    ("services: {gb28181: {password: hunter2}}", "services.gb28181.password", "expected `env:NAME` or `file:PATH`"),
    ("services: {gb28181: {id: 34020000002000000001}}", "services.gb28181.id", "expected 20 digits in quotes"),
    ("services: {gb28181: {port: 70000}}", "services.gb28181.port", "expected at most 65535"),
    ("services: {gb2818: {port: 5060}}", "services.gb2818", "unknown key (did you mean `gb28181`?)"),
    ("chain: {at: 6}", "chain.at", "found 6; expected a list"),
    ('chain: {at: ["6"]}', "chain.at[0]", "expected a clock time such as"),
    ('chain: {key: ""}', "chain.key", "expected"),
    ("watchdog: {every: 60s}", "watchdog", "tells nobody; expected `url: env:NAME`, `topic: NAME` or both"),
    ("watchdog: {topic: a, every: 1s}", "watchdog.every", "expected a duration from 10s to 1h"),
    ("watchdog: {topic: a, every: 2h}", "watchdog.every", "expected a duration from 10s to 1h"),
    ("watchdog: {topic: a/+}", "watchdog.topic", "expected a topic without `+` and `#`"),
    ("watchdog: {topic: lamplighter/s/alive/up}", "watchdog.topic", "on which devices speak; expected another"),
    ('watchdog: {url: "https://example.org/secret"}', "watchdog.url", "expected `env:NAME` or `file:PATH`"),
    ("services: {gat1400: {user: x}}", "services.gat1400.user", "unknown key"),
    ("services: {gat1400: 8181}", "services.gat1400", "expected a mapping such as `{port: 8181"),
    ("storage: {retain: {evidence: 89d}}", "storage.retain.evidence", "expected at least 90d: patrol and alarm records are kept that long (DB11/T 2552)"),
    ("storage: {telemetry: influx}", "storage.telemetry", "expected `local` or"),
    ("alerts: {contacts: {a: {}}}", "alerts.contacts.a", "reaches nobody"),
    ('alerts: {contacts: {a: {console: true, quiet: "22:00-22:00"}}}', "alerts.contacts.a.quiet", "begins when it ends"),
    ('alerts: {contacts: {a: {console: true, quiet: "22:00"}}}', "alerts.contacts.a.quiet", "expected two clock times"),
    ("alerts: {contacts: {a: {console: true, at_most: 0/h}}}", "alerts.contacts.a.at_most", "such as `10/h`"),
    ("alerts: {contacts: {a: {console: true, language: fr}}}", "alerts.contacts.a.language", "expected 'zh_CN' or 'en'"),
    ("alerts: {policies: {default: [{after: 0s, notify: [a]}]}}", "alerts.policies.default[0].notify[0]", "found 'a'; expected the id of a contact"),
    ("alerts: {policies: {default: []}}", "alerts.policies.default", "expected at least 1 of them"),
    ("alerts: {contacts: {a: {console: true}}, policies: {default: [{after: 5m, notify: [a]}, {after: 1m, notify: [a]}]}}", "alerts.policies.default[1].after", "expected steps in order of time"),
    ("alerts: {rules: {gap_exceeded: {policy: x}}}", "alerts.rules.gap_exceeded.policy", "found 'x'; expected a policy"),
    ("alerts: {rules: {gap_exceeded: {severity: huge}}}", "alerts.rules.gap_exceeded.severity", "expected 'critical', 'major', 'minor' or 'warning'"),
    ("mqtt: {session: mqtt5}", "mqtt.session", "which speaks MQTT 3.1.1"),
    ("mqtt: {host: h, port: 70000}", "mqtt.port", "expected at most 65535"),
    ("mqtt: {tls: true}", "mqtt.tls", "expected a `host`"),
    ("mqtt: {host: h, password: env:P}", "mqtt.password", "found without `username`"),
    ("work_orders: {tap_tolerance: -1m}", "work_orders.tap_tolerance", "expected a duration of at least 0s"),
    ("work_orders: {emergency: {arrive: 30m}}", "work_orders.emergency.arrive", "unknown key (did you mean `arrive_within`?)"),
    ("parents: [a]", "parents", "found a list; expected a mapping"),
    ("circuits: {a: {}}", "circuits", "found a mapping; expected a list of entries"),
    ("circuits: [a]", "circuits[0]", "found 'a'; expected a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("tail", "path", "message"), TAILS)
def test_a_mistake_in_another_section_likewise(problems, tail, path, message):
    found = problems(f"{BASE}{tail}\n", environ={"P": "p"})
    assert [(at, where) for at, where, _ in found] == [(25, path)], found
    assert message in found[0][2]


def test_one_power_feed_proves_one_lamp(problems):
    text = BASE.replace("seen_by: lux", "fed_by: lux/1").replace(
        "zones:\n", "  - {id: lamp-2, place: hall, fed_by: lux/1, expected: {mode: always}}\nzones:\n"
    )
    [(line, path, message)] = problems(text)
    assert (line, path) == (23, "lamps.lamp-2.fed_by")
    assert "found 'lux/1' a second time; power that feeds one lamp is used by line 22 already" in message


def test_one_channel_of_a_recorder_is_one_camera(problems):
    text = BASE.replace(
        "  - {id: cam, driver: native, kind: camera, place: gate}",
        "  - {id: nvr, driver: native, kind: nvr}\n"
        "  - {id: cam, driver: native, kind: camera, channel: 1, behind: nvr}\n"
        "  - {id: cam-2, driver: native, kind: camera, channel: 1, behind: nvr}",
    )
    assert [(line, path) for line, path, _ in problems(text)] == [(12, "devices.cam-2.channel")]


def test_min_leg_may_not_differ_by_direction(problems):
    text = BASE.replace("reader: rdr}", "reader: rdr, min_leg: {wall: 60s}}").replace(
        '"04A1B2C3D4E5F6"]', '"04A1B2C3D4E5F6"], min_leg: {cp: 90s}'
    )
    assert {path for _, path, _ in problems(text)} == {"checkpoints.cp.min_leg.wall", "checkpoints.wall.min_leg.cp"}


# -- all mistakes at once --------------------------------------------------------------------------------------------


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(problems):
    text = (
        BASE.replace("timezone: Asia/Shanghai", "timezone: Nowhere")
        .replace("kind: reader, place: gate", "knd: reader, place: gtae, expect_every: soon")
        .replace("{checkpoint: cp}", "{checkpoint: nope, afetr: 5m}")
        .replace("every: 1h, lasts: 40m", "every: soon, lasts: 99h, route_id: 1")
        .replace("{route: night,", "{route: other,")
        .replace("cameras: [cam]", "cameras: [cam], need: 3")
    )
    found = problems(text)
    assert {path for _, path, _ in found} == {
        "site.timezone", "devices.rdr.expect_every", "devices.rdr.knd", "devices.rdr.place", "checkpoints.cp.reader",
        "routes.night.visits[0].afetr", "routes.night.visits[0].checkpoint", "rounds[0].every", "rounds[0].lasts",
        "rounds[0].route", "rounds[0].route_id", "zones.z.need",
    }  # fmt: skip
    assert len(found) == 12
    lines = [line for line, _, _ in found]
    assert lines == sorted(lines)


# -- files that are no site file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"", None, "is empty"),
        (b"# nothing\n", None, "is empty"),
        (b"site: {id: s\nplaces: []\n", 1, "is not YAML"),
        (b"site: {id: s}\n\tplaces: []\n", 2, "is not YAML"),
        (b"site:\n  name: \xd3\xf9\xcf\xaa\n", 2, "is not UTF-8: byte D3"),
        (b"a: 1\nb: \x07\n", 2, "the character U+0007 is not allowed"),
        (b"[" * 5000, 1, "is nested more than 32 levels deep"),
        (b"a: *b\n", 1, "found undefined alias"),
        (b"--- {}\n--- {}\n", 2, "found another document"),
        (b"x" * (16 * 1024 * 1024 + 1), None, "a site file has at most"),
    ],
)
def test_what_cannot_be_read_at_all_is_one_problem(problems, data, line, message):
    [(at, path, found)] = problems(data)
    assert (at, path) == (line, "(file)")
    assert message in found


def test_few_lines_cannot_become_many_values(problems):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(n)}: &{chr(n)} [{', '.join([f'*{chr(n - 1)}'] * 10)}]" for n in range(98, 108)]
    [(_, _, message)] = problems("\n".join(lines))
    assert "more than 1000000 values, aliases followed" in message


def test_a_list_or_a_word_is_no_site_file(problems):
    assert "expected a mapping" in problems("- a\n")[0][2]
    assert "expected a mapping" in problems("hello\n")[0][2]


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        (BASE + "hold: 3m\nhold: 5m\n", 26, "hold", "found a second time; it stands in line 25 already"),
        (BASE.replace("{id: hall}", "{id: hall, id: hull}"), 4, "places.hall.id", "found a second time"),
        (BASE + "hold: !!python/name:os.system 3m\n", 25, "hold", "found the tag !!python/name:os.system"),
        (BASE + "parents: &p {a: *p}\n", 25, "parents.a", "found an alias inside of what it names"),
        (BASE + "? [a]\n: 1\n", 25, "(file)", "found a key that is a list or a mapping"),
    ],
)
def test_notation_that_yaml_allows_and_nobody_means(problems, text, line, path, message):
    found = [(at, where) for at, where, told in problems(text) if message in told]
    assert found == [(line, path)]


def test_a_file_that_is_not_there_or_not_readable(tmp_path):
    for path, reason in ((tmp_path / "absent.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=f"cannot be read: {reason}"):
            load_site(path)


def test_a_byte_order_mark_is_no_harm(site):
    assert site(b"\xef\xbb\xbf" + BASE.encode()).id == "s"


def is_read_or_refused(file: Path) -> bool:
    """Any other exception than ConfigError is a failure."""
    try:
        return isinstance(load_site(file, environ={})[0], Site)
    except ConfigError as error:
        return bool(error.problems) and all(problem.message and problem.path for problem in error.problems)


PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\n",
        "  ",
        "- ",
        "&a ",
        "*a",
        '"',
        "5m",
        "null",
        "true",
        "-1",
        "1e9",
        "env:X",
        "é",
        "<<",
        "!x ",
        "|",
        "?",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(BASE)), st.integers(0, 12), st.lists(PIECES, max_size=4).map("".join))
def test_a_garbled_file_is_refused_or_read_and_nothing_else(tmp_path, at, cut, piece):
    file = tmp_path / "site.yaml"
    file.write_text(BASE[:at] + piece + BASE[at + cut :])
    assert is_read_or_refused(file)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["s", "UTC", "5m", "gate", "native"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "place", "tags", "link", "kind", "driver", "after", "from", "visits", "url", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
SECTION_NAMES = ["site", "places", "people", "devices", "checkpoints", "routes", "rounds", "circuits", "lamps", "zones", "parents", "hold", "alerts", "work_orders", "storage", "mqtt"]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(SECTION_NAMES), VALUES))
def test_any_values_in_any_section_are_refused_or_read(tmp_path, value):
    import yaml

    file = tmp_path / "site.yaml"
    file.write_text(yaml.safe_dump(value, allow_unicode=True))
    assert is_read_or_refused(file)


# -- warnings --------------------------------------------------------------------------------------------------------


def test_a_plain_site_has_no_warnings(warnings):
    assert warnings(BASE) == []


def lamp_at(place: str, expected: str, **more: str) -> str:
    proof = "".join(f", {key}: {value}" for key, value in more.items())
    return BASE.replace(
        "{id: lamp, place: hall, seen_by: lux, expected: {mode: dusk_to_dawn}}",
        f"{{id: lamp, place: {place}{proof}, expected: {expected}}}",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lamp_at("gate", "{mode: dusk_to_dawn}", seen_by="lux"), "nothing could prove `day_burner`: it is seen by lux alone"),
        (lamp_at("gate", '{mode: times, on: "16:30", off: "08:30"}', seen_by="lux"), "nothing could prove `day_burner`"),
        (lamp_at("gate", '{mode: times, on: "10:00", off: "14:00"}', seen_by="lux"), "nothing could prove `lamp_failure`"),
        (lamp_at("gate", '{mode: times, on: "20:00", off: "00:00"}', seen_by="lux"), None),
        (lamp_at("gate", "{mode: always}", seen_by="lux"), None),
        (lamp_at("gate", "{mode: dusk_to_dawn}", seen_by="lux", fed_by="lux/1"), None),
        (lamp_at("hall", "{mode: dusk_to_dawn}"), "nothing could prove any fault of it"),
        (lamp_at("hall", "{mode: motion}", seen_by="lux"), "no `motion_sensor` stands at 'hall'"),
    ],
)  # fmt: skip
def test_check_warns_of_a_lamp_whose_faults_nothing_could_prove(warnings, text, message):
    found = warnings(text)
    assert [line for line, _, _ in found] == [22] * (message is not None)
    assert message is None or message in found[0][2]


@pytest.mark.parametrize("lacks", ['on0: "18:00", off: "06:00"', 'on: "18:00"'])
def test_a_lamp_without_its_times_outdoors_is_a_mistake_with_a_line_and_no_fault_of_ours(problems, lacks):
    assert 22 in [line for line, _, _ in problems(lamp_at("gate", f"{{mode: times, {lacks}}}", seen_by="lux"))]


def test_a_lamp_that_speaks_for_itself_is_proved(warnings):
    text = lamp_at("gate", "{mode: dusk_to_dawn}")
    assert warnings(text.replace("  - {id: lux,", "  - {id: lamp, driver: native, kind: lamp}\n  - {id: lux,")) == []


def test_a_lamp_of_which_its_gear_speaks_is_proved(warnings):
    gear = "{id: gear, driver: dali, link: {serial: /dev/ttyUSB9, baud: 19200}, settings: {address: 3, lamp: lamp}}"
    assert (
        warnings(lamp_at("gate", "{mode: dusk_to_dawn}").replace("  - {id: lux,", f"  - {gear}\n  - {{id: lux,")) == []
    )


def rounds(*entries: str, after: str = "", **site: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in site.items())
    text = BASE.replace(
        '  - {route: night, from: "22:00", to: "06:00", every: 1h, lasts: 40m}\n',
        "".join(f"  - {{route: night, {entry}}}\n" for entry in entries),
    )
    return text.replace("{checkpoint: cp}", f"{{checkpoint: cp{after}}}").replace(
        "longitude: 121.5}", f"longitude: 121.5{more}}}"
    )


def test_check_warns_where_one_tap_could_serve_two_rounds(warnings):
    text = rounds('from: "22:00", to: "06:00", every: 1h, lasts: 55m')
    [(line, path, message)] = warnings(text)
    assert (line, path) == (20, "rounds[0]")
    assert "a tap at 'cp' may serve night@" in message
    assert "overlap (both of this entry)" in message


def test_intervals_that_only_touch_overlap_since_both_ends_belong_to_them(warnings):
    assert len(warnings(rounds('from: "22:00", to: "06:00", every: 1h, lasts: 50m'))) == 1
    assert warnings(rounds('from: "22:00", to: "06:00", every: 1h, lasts: 49m')) == []


def test_overlap_is_seen_between_entries_and_across_routes(warnings):
    text = rounds('starts: ["10:00"], lasts: 40m').replace(
        "rounds:\n", "  - {id: other, visits: [{checkpoint: cp}]}\nrounds:\n"
    ).replace("lasts: 40m}\n", 'lasts: 40m}\n  - {route: other, starts: ["10:30"], lasts: 40m}\n')  # fmt: skip
    [(line, path, message)] = warnings(text)
    assert (line, path) == (22, "rounds[1]")
    assert "the other is of line 21" in message


def test_rounds_on_holidays_only_and_never_on_holidays_do_not_meet(warnings):
    text = rounds(
        'starts: ["10:00"], lasts: 40m, holidays: only', 'starts: ["10:00"], lasts: 50m, holidays: never', holidays="CN"
    )
    assert warnings(text) == []


def test_a_visit_due_after_the_end_of_its_round_is_doubtful(warnings):
    [(line, path, message)] = warnings(rounds('starts: ["10:00"], lasts: 40m', after=", after: 50m"))
    assert (line, path) == (20, "rounds[0].lasts")
    assert "visit 1 of 'night' is due 50m after the start" in message


def test_entries_that_give_one_round_with_different_ends_are_refused(problems):
    text = rounds('from: "22:00", to: "06:00", every: 1h, lasts: 40m', 'starts: ["23:00"], lasts: 50m')
    assert (21, "rounds[1]") in [
        (line, path) for line, path, message in problems(text) if "but with another end" in message
    ]


def test_entries_that_give_one_round_alike_are_allowed(warnings):
    assert warnings(rounds('from: "22:00", to: "06:00", every: 1h, lasts: 40m', 'starts: ["23:00"], lasts: 40m')) == []


def test_entries_that_give_one_round_only_when_the_clock_changes_are_refused(problems):
    text = rounds('starts: ["02:30"], lasts: 20m', 'starts: ["03:30"], lasts: 30m').replace(
        "Asia/Shanghai", "Europe/Berlin"
    )
    assert [
        line for line, _, message in problems(text) if "gives the round night@2026-03-29T03:30+02:00" in message
    ] == [21]


def test_an_entry_that_gives_one_round_on_two_dates_is_refused(problems):
    text = rounds('starts: ["10:00", "10:00"], lasts: 20m')
    assert any("as it does itself, but with another business date" in message for _, _, message in problems(text))


def test_a_link_that_is_missing_is_doubtful_and_one_that_is_wrong_is_refused(warnings, problems):
    text = BASE.replace("driver: native, kind: lux_sensor", "driver: zigbee2mqtt, kind: lux_sensor")
    [(line, path, message)] = warnings(text)
    assert (line, path) == (11, "devices.lux.link.mqtt")
    assert "without it nothing is heard from the device itself" in message
    assert (
        problems(text.replace("kind: lux_sensor", "kind: lux_sensor, link: {mqtt: a/+}"))[0][1]
        == "devices.lux.link.mqtt"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{id: hall}", "{id: hall}\n  - {id: tower/f1}", "the place above it, 'tower', is not listed"),
        ("kind: lux_sensor", "kind: lux_senser", "found 'lux_senser', a kind that nothing knows (did you mean `lux_sensor`?)"),
        ("roles: [guard]", "roles: [gaurd]", "found 'gaurd', a role that nothing asks for (did you mean `guard`?)"),
        ('["04A1B2C3D4E5F6"]', '["01007B3972"]', "tag 01007B3972 ends with 007B3972, which is enrolled at line 6"),
        ("zones:\n", "alerts: {rules: {round_mised: {severity: major}}}\nzones:\n", "(did you mean `round_missed`?)"),
        ("zones:\n", "alerts: {contacts: {c: {console: true}}, policies: {p: [{after: 0s, notify: [c]}]}}\nzones:\n", "there is no policy `default`"),
    ],
)  # fmt: skip
def test_what_is_allowed_and_probably_not_meant_is_a_warning(warnings, old, new, message):
    assert [message in told for _, _, told in warnings(BASE.replace(old, new))] == [True]


def test_ten_thousand_devices_load_within_seconds(read):
    devices = "".join(
        f"  - {{id: lux-{n}, driver: native, kind: lux_sensor, place: hall, expect_every: 10m}}\n"
        for n in range(10_000)
    )
    lamps = "".join(
        f"  - {{id: lamp-{n}, place: gate, seen_by: lux-{n}, expected: {{mode: always}}}}\n" for n in range(2_000)
    )
    site, warned = read(
        BASE.replace("checkpoints:\n", devices + "checkpoints:\n").replace("zones:\n", lamps + "zones:\n")
    )
    assert (len(site.devices), len(site.lamps), warned) == (10_004, 2_001, [])


def test_durations_are_microseconds(site):
    text = BASE.replace("kind: camera", "kind: camera, expect_every: 1d").replace(
        "kind: lux_sensor", "kind: lux_sensor, expect_every: 2h"
    )
    assert (site(text).devices["cam"].expect_every, site(text).devices["lux"].expect_every) == (DAY, 2 * HOUR)


def test_circuits_and_what_feeds_others_may_have_names(read):
    named = BASE + (
        "circuits:\n  - {id: c-1, name: 东侧楼道, panel: p-1}\n  - {id: c-2}\nparents: {p-1: {name: 一层配电箱}, s-1: {}}\n"
    )
    site, _ = read(named)
    assert [each.called for each in site.circuits.values()] == ["东侧楼道", "c-2"]
    assert [each.called for each in site.parents.values()] == ["一层配电箱", "s-1"]
