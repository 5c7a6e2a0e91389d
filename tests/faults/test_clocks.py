"""Clocks that are wrong: the gateway's own is set forward and back, starts in 1970, shows 2038; nights on which the hour changes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from device_drivers.driver import Reading
from device_drivers.observations import ReaderHeartbeat, TagRead
from gateway.clock import FAR, FAR_OFF, NEAR, Doubt, SteadyClock
from gateway.errors import JournalError
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, instant
from gateway.runtime import Gateway
from gateway.site.load import load_site
from tests.faults.estate import SECRET, TAG, Devices, site
from tests.faults.ledger import Ledger, judged_otherwise, read_only
from tests.faults.receivers import BROKEN, WELL, Receivers
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.slow]

ACCUSED = ("missed", "offline", "out", "lost")
PASSWORD = "a-long-faults-password-7"
NOON = instant(datetime(2026, 11, 27, 12, tzinfo=UTC))


ONLY_LATER = re.compile(r"I3 \w+ \S+: last_heard is [^;]*")
"""When a device was last heard is written down only with what changes of it."""


# -- the rule by which the machine's clock is believed


class Machine:
    """A machine with both clocks, and what the gateway makes of them."""

    def __init__(self, shows: Instant = NOON) -> None:
        self.off: Instant = shows
        self.lived = 0.0
        self.clock = SteadyClock(lambda: self.off + round(self.lived * SECOND), lambda: 1000.0 + self.lived)
        self.said: list[Doubt] = []
        self.clock.tell = self.said.append
        self.times: list[Instant] = []

    def live(self, span: int) -> Instant:
        """Time passes; the clock is read each second, as a gateway does."""
        for _ in range(max(1, span // SECOND)):
            self.lived += 1
            self.times.append(instant(self.clock.judged()))
        assert all(earlier <= later for earlier, later in pairwise(self.times)), "time went back"
        return self.times[-1]


def test_the_wall_clock_is_the_time_and_its_small_steps_are_followed() -> None:
    machine = Machine()
    machine.clock.begin(NOON - HOUR)
    assert machine.live(MINUTE) == NOON + MINUTE
    machine.off += 9 * SECOND
    assert machine.live(SECOND) == NOON + MINUTE + 10 * SECOND
    machine.off -= 9 * SECOND
    machine.live(20 * SECOND)
    assert machine.times[-1] == NOON + MINUTE + 21 * SECOND
    assert not machine.said


def test_a_step_forward_is_followed_and_said_before_a_time_is_given() -> None:
    machine = Machine()
    machine.clock.begin(NOON)
    machine.live(MINUTE)
    machine.off += HOUR
    assert machine.live(SECOND) == NOON + HOUR + MINUTE + SECOND
    assert machine.said == ["set"]
    assert not machine.clock.problem


def test_a_step_back_is_caught_up_with_in_twice_its_length_and_doubted_until_then() -> None:
    machine = Machine()
    machine.clock.begin(NOON)
    machine.live(MINUTE)
    machine.off -= HOUR
    machine.live(SECOND)
    assert machine.said == ["doubted"]
    assert "before what was recorded already" in machine.clock.problem
    machine.live(HOUR)
    assert machine.clock.doubted
    assert NOON + HOUR // 2 < machine.times[-1] < NOON + HOUR
    machine.live(HOUR)
    assert machine.said == ["doubted", "set"]
    assert machine.times[-1] == machine.off + round(machine.lived * SECOND)


@pytest.mark.parametrize("off", [FAR + HOUR, 12 * 365 * DAY, -30 * DAY, -56 * 365 * DAY], ids=str)
def test_a_step_that_cannot_be_true_is_not_followed_and_ends_when_the_clock_is_right_again(off: int) -> None:
    machine = Machine()
    machine.clock.begin(NOON)
    machine.off += off
    assert machine.live(HOUR) == NOON + HOUR
    assert machine.clock.doubted
    assert not machine.clock.stands
    machine.off -= off
    assert machine.live(MINUTE) == NOON + HOUR + MINUTE
    assert machine.said == ["doubted", "set"]


@pytest.mark.parametrize("shows", [0, NOON - NEAR - DAY, NOON + FAR_OFF + DAY], ids=["1970", "the day before", "2028"])
def test_a_start_with_a_clock_that_cannot_be_true_stands_still_until_it_is_set(shows: Instant) -> None:
    machine = Machine(shows)
    machine.clock.begin(NOON)
    assert machine.live(HOUR) == NOON
    assert machine.clock.stands
    own = machine.clock.now()
    assert own == NOON + HOUR  # notices and sessions go on
    machine.off = NOON + 30 * DAY
    assert machine.live(SECOND) == machine.off + round(machine.lived * SECOND)
    assert not machine.clock.doubted


def test_a_person_may_say_that_a_clock_far_ahead_is_right() -> None:
    machine = Machine(NOON + 3 * 365 * DAY)
    machine.clock.begin(NOON, trusted=True)
    assert machine.live(SECOND) == NOON + 3 * 365 * DAY + SECOND
    assert not machine.clock.doubted


@pytest.mark.parametrize("ppm", [500, -500], ids="{:+d} ppm".format)
def test_a_clock_that_drifts_is_the_time_and_so_is_ntp_that_mends_it_little_by_little_or_by_small_steps(
    ppm: int,
) -> None:
    """Ten days at the worst rate that NTP allows for, read each minute; then it is drawn back at the same rate, then stepped back."""
    machine = Machine()
    machine.clock.begin(NOON)
    read = 60.0

    def drift(rate: int, span: int) -> None:
        for _ in range(span // MINUTE):
            machine.lived += read
            machine.off += round(read * rate)
            machine.times.append(instant(machine.clock.judged()))

    drift(ppm, 10 * DAY)
    assert abs(machine.off - NOON) == (864_000 * 500)  # 432 s
    assert machine.times[-1] == machine.off + round(machine.lived * SECOND)
    drift(-ppm, 5 * DAY)
    for _ in range(24):
        machine.off -= 9 * SECOND * (1 if ppm > 0 else -1)
        drift(0, HOUR)
    assert abs(machine.off - NOON) < SECOND
    assert machine.times[-1] == machine.off + round(machine.lived * SECOND)
    assert all(earlier <= later for earlier, later in pairwise(machine.times))
    assert machine.said == []


def test_nothing_begins_in_1970() -> None:
    with pytest.raises(JournalError, match="before the first start"):
        Machine(0).clock.begin(None)


# -- a gateway whose machine's clock is set


class Wrong:
    """A gateway process whose wall clock can be set; its steady one is real."""

    def __init__(self, folder: Path, gateway: GatewayProcess, library: Path) -> None:
        self.file = folder / "faketime"
        self.gateway = gateway
        self.environment = SECRET | {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set(0)

    def set(self, off: Instant, *, rate: float = 1.0) -> None:
        """Set it to so much after the true time; from then on it runs so many times as fast."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{off // SECOND:+d}{f' x{rate}' if rate != 1.0 else ''}\n")
        fresh.replace(self.file)  # never half written

    def start(self, **more: str) -> None:
        """Start it, and wait until it hears its broker: what is sent before the very first session is nobody's."""
        seen = len(self.gateway.log)
        self.gateway.start(**self.environment, **more)
        deadline = time.monotonic() + 20
        while not re.search(r"mqtt://\S+: up", self.gateway.log[seen:]):
            assert time.monotonic() < deadline, self.gateway.log[seen:]
            time.sleep(0.02)


@pytest.fixture(scope="session")
def faketime() -> Path:
    for place in ("/usr/lib", "/usr/local/lib"):
        for found in sorted(Path(place).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    pytest.skip("libfaketime is not here (tests/support/system-packages)")


class Scene:
    def __init__(self, wrong: Wrong, devices: Devices) -> None:
        self.wrong = wrong
        self.gateway = wrong.gateway
        self.devices = devices
        self.said = 0
        self.browser = httpx.Client()

    def live(self, seconds: float) -> None:
        """All devices speak, one after the other."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.devices.a_bit_of_everything(self.said)
            self.said += 1
            time.sleep(0.03)

    def until(self, what: str, holds: Callable[[], object], longest_s: float = 20.0) -> None:
        deadline = time.monotonic() + longest_s
        while not holds():
            assert time.monotonic() < deadline, f"{what}: {self.gateway.log[-1500:]}"
            self.live(0.1)

    def doubts(self, clock: str) -> int:
        return int(
            self.gateway.query(
                f"SELECT count(*) FROM log WHERE kind = 'restart' AND json_extract(CAST(body AS TEXT), '$.clock') = '{clock}'"
            )[0][0]
        )

    def panics(self) -> int:
        return int(self.gateway.query("SELECT count(*) FROM finding WHERE kind = 'alert' AND id LIKE '%panic%'")[0][0])

    def panic_is_told(self) -> None:
        before = self.panics()
        self.devices.panic()
        self.until("a call for help is told at once", lambda: self.panics() > before, 5.0)
        self.devices.panic(active=False)

    def nobody_accused(self) -> None:
        bodies = self.gateway.query(
            "SELECT kind, id, CAST(body AS TEXT) FROM finding WHERE kind IN ('round', 'device', 'lamp', 'camera')"
        )
        for kind, subject, body in bodies:
            view = msgspec.json.decode(body)
            found = [visit["verdict"] for visit in view.get("visits", ())] or [view.get("state")]
            assert not {*found} & {*ACCUSED}, f"{kind} {subject}: {found}"
        rules = self.gateway.query("SELECT DISTINCT CAST(body AS TEXT) FROM alert_transition")
        told = {msgspec.json.decode(row[0])["alert"]["rule"] for row in rules}
        assert not told & {
            "visit_missed",
            "reader_offline",
            "device_offline",
            "camera_offline",
            "lamp_out",
            "gateway_restarting",
        }, told

    def times_never_go_back(self) -> None:
        times = [row[0] for row in self.gateway.query("SELECT received FROM log ORDER BY seq")]
        assert all(earlier <= later for earlier, later in pairwise(times))
        judged = self.gateway.query("SELECT at FROM alert_transition ORDER BY seq")
        assert all(earlier <= later for (earlier,), (later,) in pairwise(judged))

    def log_in(self) -> None:
        """Somebody comes by the link of a first start, and has a session from then on."""
        self.browser = httpx.Client(base_url=self.gateway.url, headers={"Origin": self.gateway.url}, timeout=20)
        setup = self.gateway.log.split("/setup?token=")[1].split()[0]
        fields = {"token": setup, "name": "faults", "password": PASSWORD, "again": PASSWORD}
        assert self.browser.post("/setup", data=fields).status_code == 303

    def session_goes_on(self) -> None:
        """Whoever is logged in stays so, and others can log in and are known afterwards."""
        assert self.browser.get("/api/v1/site").status_code == 200
        with httpx.Client(base_url=self.gateway.url, headers={"Origin": self.gateway.url}, timeout=20) as other:
            assert other.get("/api/v1/site").status_code == 401
            assert other.post("/login", data={"name": "faults", "password": PASSWORD}).status_code == 303
            assert other.get("/api/v1/site").status_code == 200

    def telemetry_has_the_devices_times(self) -> None:
        """Each light level up to the cursor is a sample, at the time that its device said, whatever the machine's clock showed.

        A stop does not wait for telemetry: what lies behind the cursor is written after the next start.
        """
        said = self.gateway.query(
            "SELECT DISTINCT device, at FROM log WHERE kind = 'light_level' AND seq <= (SELECT min(seq) FROM cursor)"
        )
        with closing(read_only(self.gateway.data / "telemetry.db")) as kept:
            there = kept.execute(
                "SELECT DISTINCT device, at / 1000 FROM sample JOIN series ON id = series WHERE device LIKE 'lux-%'"
            ).fetchall()
        assert said
        assert {*said} <= {*there}
        assert {*there} <= {*self.gateway.query("SELECT DISTINCT device, at FROM log WHERE kind = 'light_level'")}

    def ends(self) -> None:
        """Stop; and a judge who begins from nothing says the same."""
        self.devices.settled()
        self.nobody_accused()
        self.times_never_go_back()
        assert self.gateway.stop() == 0
        self.telemetry_has_the_devices_times()
        journal = self.gateway.data / "journal.db"
        assert self.devices.ledger.broken(journal, caught_up=True) == []
        otherwise = judged_otherwise(journal, self.gateway.site_file)
        assert [found for found in otherwise if not ONLY_LATER.fullmatch(found)] == []


@pytest.fixture
def scene(tmp_path: Path, faketime: Path) -> Iterator[Scene]:
    with Mosquitto(tmp_path) as broker:
        settings = {"host": broker.host, "port": broker.port}
        with (
            GatewayProcess(tmp_path, site(settings)) as gateway,
            Devices(Ledger(), broker.host, broker.port) as devices,
        ):
            yield Scene(Wrong(tmp_path, gateway, faketime), devices)


@pytest.mark.mosquitto
def test_an_hour_forward_is_a_time_of_which_nothing_is_known(scene: Scene) -> None:
    scene.wrong.start()
    scene.log_in()
    scene.live(1)
    scene.wrong.set(HOUR)
    scene.until("the step is noted", lambda: scene.doubts("set"))
    scene.session_goes_on()
    scene.live(1)
    scene.panic_is_told()
    scene.ends()


@pytest.mark.mosquitto
@pytest.mark.nightly
def test_a_clock_that_runs_away_by_a_twentieth_is_nobodys_fault(scene: Scene) -> None:
    """Far worse than any clock that NTP has not reached for weeks: half a second in ten."""
    scene.wrong.start()
    scene.log_in()
    scene.wrong.set(0, rate=1.05)
    scene.live(10)
    scene.session_goes_on()
    scene.panic_is_told()
    assert not scene.doubts("set")
    assert not scene.doubts("doubted")
    scene.wrong.set(0)  # NTP steps it back
    scene.live(2)
    scene.ends()


@pytest.mark.mosquitto
def test_an_hour_back_is_doubted_until_the_clock_is_right(scene: Scene) -> None:
    scene.wrong.start()
    scene.log_in()
    scene.live(1)
    scene.wrong.set(-HOUR)
    scene.until("the step is noted", lambda: scene.doubts("doubted"))
    scene.session_goes_on()
    assert "before what was recorded already" in scene.gateway.log
    scene.live(1)
    scene.panic_is_told()
    scene.wrong.set(0)
    scene.until("it is right again", lambda: scene.doubts("set"))
    scene.live(1)
    scene.ends()


@pytest.mark.mosquitto
@pytest.mark.parametrize("years", [-56, pytest.param(12, marks=pytest.mark.nightly)], ids=["1970", "2038"])
def test_a_start_with_a_dead_clock_judges_nothing_and_is_healed(scene: Scene, years: int) -> None:
    scene.wrong.start()
    scene.live(1)
    assert scene.gateway.stop() == 0
    rows = scene.gateway.query("SELECT count(*) FROM log")[0][0]
    scene.wrong.set(years * 365 * DAY)
    scene.wrong.start()
    judged = scene.gateway.query("SELECT value FROM meta WHERE key = 'advanced'")
    scene.until("what is said is kept", lambda: scene.gateway.query("SELECT count(*) FROM log")[0][0] > rows + 10)
    scene.panic_is_told()
    assert scene.gateway.query("SELECT value FROM meta WHERE key = 'advanced'") == judged
    scene.wrong.set(0)
    scene.until("it is right again", lambda: scene.doubts("set"))
    scene.live(1)
    scene.ends()


@pytest.mark.mosquitto
def test_a_leap_to_2038_while_it_runs_forgets_nothing_and_is_not_followed(scene: Scene) -> None:
    scene.wrong.start()
    scene.log_in()
    scene.live(1)
    scene.wrong.set(12 * 365 * DAY)
    scene.until("it is noted", lambda: scene.doubts("doubted"))
    scene.session_goes_on()
    newest = scene.gateway.query("SELECT max(received) FROM log")[0][0]
    assert abs(newest - instant(datetime.now(UTC))) < MINUTE
    scene.wrong.set(0)
    scene.until("it is right again", lambda: scene.doubts("set"))
    scene.ends()


def test_a_first_start_in_1970_says_what_to_do(tmp_path: Path, faketime: Path) -> None:
    with GatewayProcess(tmp_path, site({"broker": "embedded", "port": 0})) as gateway:
        wrong = Wrong(tmp_path, gateway, faketime)
        wrong.set(-56 * 365 * DAY)
        with pytest.raises(RuntimeError, match=r"the machine's clock shows 19\d\d"):
            wrong.start()


@pytest.mark.nightly
def test_time_goes_on_over_the_end_of_32_bits(tmp_path: Path, faketime: Path) -> None:
    end = (1 << 31) * SECOND
    with GatewayProcess(tmp_path, site({"broker": "embedded", "port": 0})) as gateway:
        wrong = Wrong(tmp_path, gateway, faketime)
        wrong.set(end - instant(datetime.now(UTC)) - 4 * SECOND)
        wrong.start()
        deadline = time.monotonic() + 15
        while not gateway.query(f"SELECT 1 FROM meta WHERE key = 'advanced' AND CAST(value AS INTEGER) > {end}"):
            assert time.monotonic() < deadline, gateway.log[-1000:]
            time.sleep(0.1)
        assert gateway.stop() == 0
        wrong.set(end - instant(datetime.now(UTC)) + MINUTE)
        wrong.start()
        assert gateway.stop() == 0


@pytest.mark.mosquitto
@pytest.mark.nightly
def test_a_notice_that_failed_is_tried_again_in_time_though_the_clock_was_put_back(
    tmp_path: Path, faketime: Path
) -> None:
    with Mosquitto(tmp_path) as broker, Receivers() as receivers:
        where = {"host": broker.host, "port": broker.port}
        hook = {"webhook": {"url": "env:HOOK_URL", "secret": "env:FAULTS_SECRET"}}
        policies = {"default": [{"after": "0s", "notify": ["hook"]}]}
        told = site(where, alerts={"policies": policies, "contacts": {"hook": hook}})
        receivers.behave["hook"] = BROKEN
        with (
            GatewayProcess(tmp_path, told) as gateway,
            Devices(Ledger(), broker.host, broker.port) as devices,
        ):
            scene = Scene(Wrong(tmp_path, gateway, faketime), devices)
            scene.wrong.start(HOOK_URL=receivers.url("hook"))
            scene.panic_is_told()
            scene.until("it is tried", lambda: gateway.query("SELECT max(attempts) FROM notice")[0][0])
            scene.wrong.set(-HOUR)
            scene.until("the step is noted", lambda: scene.doubts("doubted"))
            receivers.behave["hook"] = WELL
            scene.until("it is tried again", lambda: gateway.query("SELECT 1 FROM notice_attempt WHERE ok"), 60.0)
            assert gateway.stop() == 0


# -- nights on which the hour changes

NIGHT = """
site: {{id: s, name: S, timezone: {zone}, latitude: 50, longitude: 8}}
places: [{{id: t, name: T}}]
people: [{{id: g, name: G, roles: [guard], tags: [{tag}]}}]
devices: [{{id: rdr, driver: native, kind: reader, place: t, expect_every: 1m}}]
checkpoints: [{{id: cp, place: t, reader: rdr}}]
routes: [{{id: r, band: 0s, visits: [{{checkpoint: cp}}]{gap}}}]
rounds: [{{route: r, days: mon-sun, lasts: 10m, starts: ["00:30", "01:30", "02:30", "04:30"]}}]
alerts: {{policies: {{default: [{{after: 0s, notify: [room]}}]}}, contacts: {{room: {{console: true}}}}}}
"""


class Passing:
    def __init__(self, at: datetime) -> None:
        self.time = at

    def __call__(self) -> datetime:
        return self.time


NIGHTS = [
    ("Europe/Berlin", "2027-03-28", "", 4),
    ("Europe/Berlin", "2027-03-28", ", dst_gap: skip", 3),
    ("Europe/Berlin", "2026-10-25", "", 4),
    ("Europe/Berlin", "2026-10-25", ", dst_overlap: both", 5),
    ("America/New_York", "2027-03-14", "", 4),
    ("America/New_York", "2026-11-01", "", 4),
    ("America/New_York", "2026-11-01", ", dst_overlap: both", 5),
]


@pytest.mark.parametrize("walked", [True, False], ids=["walked", "nobody came"])
@pytest.mark.parametrize(("zone", "day", "rule", "rounds"), NIGHTS, ids=lambda value: str(value).strip(", "))
async def test_a_night_on_which_the_hour_changes_has_each_of_its_rounds_once(
    tmp_path: Path, zone: str, day: str, rule: str, rounds: int, *, walked: bool
) -> None:
    text = tmp_path / "site.yaml"
    text.write_text(NIGHT.format(zone=zone, tag=TAG, gap=rule))
    estate, _ = load_site(text)
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    clock = Passing(midnight - timedelta(minutes=45))
    number = 0
    shown: dict[str, str] = {}
    while clock.time < midnight + timedelta(hours=7):
        # killed and started in each hour, also the doubled one
        async with Gateway(estate, tmp_path / "data", clock=clock) as gateway:
            for _ in range(60):
                clock.time += timedelta(minutes=1)
                heard: list[Reading] = []
                local = clock.time.astimezone(estate.zone_info)
                number += 1
                if walked and local.minute == 35:
                    heard.append(Reading(TagRead(device="rdr", at=clock.time, boot="b", seq=number, tag=TAG), None))
                    number += 1
                heard.append(Reading(ReaderHeartbeat(device="rdr", at=clock.time, boot="b", seq=number, last_seq=number - 1, device_now=clock.time), None))  # fmt: skip
                await gateway.hear("test", heard)
                gateway.intake.tick(gateway.now())
            await gateway.intake.wake()
            rows = await gateway.query("SELECT id, body FROM finding WHERE kind = 'round' ORDER BY start")
            for name, body in rows:
                view = msgspec.json.decode(body)
                if datetime.fromisoformat(view["start"]) < midnight + timedelta(hours=6):
                    shown[name] = view["visits"][0]["verdict"]
    assert len(shown) == rounds
    assert set(shown.values()) <= ({"on_time", "late", "early"} if walked else {"missed", "unverifiable"}), shown
    if not walked:
        assert list(shown.values()).count("missed") == rounds, shown
