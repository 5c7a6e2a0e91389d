"""GB/T 28181 over real sockets: a scripted SIP client, UDP and TCP, and an estate of 1,000 cameras through link and intake."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.gb28181.device import Channel, Device
from device_drivers.gb28181.registrar import Registrar
from device_drivers.gb28181.sip import Message, parameter, read_message, user
from device_drivers.observations import DeviceStatus
from gateway.connections import called_links
from gateway.instants import SECOND
from gateway.links.backoff import Backoff
from gateway.links.call_link import CallLink, Limits
from gateway.routing import Router
from gateway.runtime import Gateway
from gateway.site.model import Device as SiteDevice
from gateway.site.model import Service, Site
from tests.links.recorder import Recorder, running
from tests.links.sip_phone import Phone

CAMERA = "34020000001320000007"
NVR = "34020000001180000001"
FIRST, SECOND_CHANNEL = "34020000001320000001", "34020000001320000012"
PASSWORD = "estate-2026"

DEVICES = (
    DeviceSettings(id="cam-gate", kind="camera", device_id=CAMERA),
    DeviceSettings(id="nvr-1", kind="nvr", device_id=NVR),
    DeviceSettings(id="cam-1", kind="camera", channel=1, behind="nvr-1"),
    DeviceSettings(id="cam-2", kind="camera", channel=SECOND_CHANNEL, behind="nvr-1"),
)

both_ways = pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])


class Slow(Recorder):
    """A receiver whose disk is slow: `safe` is done when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[asyncio.Future[None]] = []

    def safe(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.commits.append(future)
        self._told.set()
        return future


def a_link(told: Recorder, *, password: str | None = PASSWORD, port: int = 0, **more: Any) -> CallLink:
    service = {} if password is None else {"password": password}
    server = more.pop("server", None) or Registrar(DEVICES, service)
    ids = [device.id for device in DEVICES if device.device_id]
    return CallLink(
        "gb28181", ("127.0.0.1", port), server, ids, told, backoff=Backoff(first_s=0.02, longest_s=0.05), **more
    )


@asynccontextmanager
async def a_phone(
    link: CallLink, device_id: str = CAMERA, *, tcp: bool = False, password: str = PASSWORD, **more: Any
) -> AsyncIterator[Phone]:
    device = Device(
        device_id,
        ("127.0.0.1", link.port),
        ("192.168.1.107", 5060),  # where it believes to be: behind a NAT
        password=password,
        transport="TCP" if tcp else "UDP",
    )
    phone = await Phone(device, **more).connect(link.port, tcp=tcp)
    try:
        yield phone
    finally:
        phone.close()


def observed(told: Recorder) -> list[Any]:
    return [reading.observation for _, reading in told.readings if isinstance(reading, Reading)]


def rejected(told: Recorder) -> list[str]:
    return [reading.reason for _, reading in told.readings if isinstance(reading, Reject)]


def names(told: Recorder) -> list[tuple[str, Any, Any]]:
    return [(one.device, one.channel, getattr(one, "online", getattr(one, "status", None))) for one in observed(told)]


@both_ways
async def test_a_camera_registers_lives_and_goes(tcp: bool) -> None:
    told = Recorder()
    link = a_link(told)
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=tcp) as phone:
            challenge = await phone.response(_send(phone, phone.device.register()))
            assert challenge.uri == "401"
            asked = challenge.headers["www-authenticate"]
            assert 'realm="3402000000"' in asked
            assert "algorithm=MD5" in asked
            assert observed(told) == []  # a request to register proves nothing
            answer = await phone.register()
            assert (answer.uri, answer.headers["expires"]) == ("200", "3600")
            assert (await phone.ask(phone.device.keepalive())).uri == "200"
            assert (await phone.register(expires=0)).uri == "200"
            assert (await phone.ask(phone.device.keepalive())).uri == "403"  # so that it registers again
    assert names(told) == [("cam-gate", None, True), ("cam-gate", None, "ok"), ("cam-gate", None, False)]
    assert [one.reason for one in observed(told) if isinstance(one, DeviceStatus)] == ["registered", "unregistered"]
    assert rejected(told) == []
    assert told.devices[0] == ("cam-gate", "nvr-1")


async def test_the_answer_goes_to_where_the_packet_came_from() -> None:
    told = Recorder()
    link = a_link(told)
    async with running(link):
        await told.until_up()
        async with a_phone(link) as phone:  # its Via names an address that is not its own
            via = (await phone.register()).vias[0]
            assert via.startswith("SIP/2.0/UDP 192.168.1.107:5060")
            assert parameter(via, "received") == "127.0.0.1"
            assert int(parameter(via, "rport")) == phone._transport.get_extra_info("sockname")[1]


@both_ways
async def test_no_answer_before_the_commit_and_all_in_order(tcp: bool) -> None:
    told = Slow()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=tcp) as phone:
            ids = [_send(phone, phone.device.keepalive()) for _ in range(3)]
            await told.until(lambda: len(observed(told)) == 3 and bool(told.commits))
            await asyncio.sleep(0.05)
            assert phone.heard == []
            for _ in range(3):
                for commit in told.commits:
                    if not commit.done():
                        commit.set_result(None)
                await asyncio.sleep(0.02)
            await phone.until(lambda: len(phone.heard) == 3)
            assert [each.headers["call-id"] for each in phone.heard] == ids


@both_ways
async def test_a_request_sent_again_is_answered_again_and_counted_once(tcp: bool) -> None:
    told = Recorder()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=tcp) as phone:
            keepalive = phone.device.keepalive()
            call_id = _send(phone, keepalive)
            first = await phone.response(call_id)
            phone.send(keepalive)
            assert await phone.response(call_id, 2) == first
            await phone.ask(phone.device.keepalive())
    assert len(observed(told)) == 2


async def test_a_request_sent_again_while_the_disk_is_busy_waits_with_the_first() -> None:
    told = Slow()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link) as phone:
            keepalive = phone.device.keepalive()
            call_id = _send(phone, keepalive)
            await told.until(lambda: bool(told.commits))
            phone.send(keepalive)
            await asyncio.sleep(0.05)
            assert phone.heard == []
            told.commits[0].set_result(None)
            await phone.response(call_id)
            await told.until(lambda: len(told.commits) == 2)
            told.commits[1].set_result(None)
            await phone.response(call_id, 2)
    assert len(observed(told)) == 1


async def test_a_free_port_whose_other_half_is_taken_is_given_up_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Recorder()
    loop = asyncio.get_running_loop()
    create, taken = loop.create_server, []

    async def first_taken(protocol: Any, host: str, port: int, **more: Any) -> asyncio.Server:
        if not taken:
            taken.append(socket.create_server((host, port)))
        return await create(protocol, host, port, **more)

    monkeypatch.setattr(loop, "create_server", first_taken)
    async with running(a_link(told)):
        await told.until(lambda: bool(told.states), 5)
        assert [state.up for state in told.states] == [True], "nothing is told as down for a number that nobody chose"
    taken[0].close()


@both_ways
async def test_a_recorder_is_asked_for_its_channels(tcp: bool) -> None:
    told = Recorder()
    link = a_link(told)
    channels = [Channel(FIRST, "车库一"), Channel(SECOND_CHANNEL, "车库二", "OFF"), Channel("34020000001320000099")]
    async with running(link):
        await told.until_up()
        async with a_phone(link, NVR, tcp=tcp, channels=channels) as phone:
            await phone.register()
            await told.until(lambda: len(observed(told)) == 3)
            query = next(each for each in phone.heard if each.method)
            assert b"<CmdType>Catalog</CmdType>" in query.body
            assert NVR in query.uri
            assert query.vias[0].startswith(f"SIP/2.0/{'TCP' if tcp else 'UDP'} 127.0.0.1;")
    assert names(told) == [
        ("nvr-1", None, True),
        ("nvr-1", 1, True),
        ("nvr-1", SECOND_CHANNEL, False),  # the third is not of the site
    ]


async def test_faulty_channels_are_told_and_well_again_once_the_catalogue_says_so() -> None:
    told = Recorder()
    now = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    clock = [now]
    link = a_link(told, clock=lambda: clock[0])
    async with running(link):
        await told.until_up()
        async with a_phone(link, NVR, channels=[Channel(FIRST), Channel(SECOND_CHANNEL)]) as phone:
            await phone.register()
            await told.until(lambda: len(observed(told)) == 3)
            del told.readings[:]
            await phone.ask(phone.device.keepalive(faulty=[FIRST, "34020000001320000099"]))
            assert names(told) == [("nvr-1", None, "ok"), ("nvr-1", 1, "fault")]
            del told.readings[:]
            for _ in range(2):
                clock[0] += timedelta(seconds=60)
                await phone.ask(phone.device.keepalive())
                await told.until(lambda: any(isinstance(one, DeviceStatus) for one in observed(told)))
            await told.until(lambda: names(told).count(("nvr-1", SECOND_CHANNEL, True)) == 2)
    assert [one for one in names(told) if one[1] == 1] == [("nvr-1", 1, True), ("nvr-1", 1, "ok"), ("nvr-1", 1, True)]


async def test_an_alarm_is_answered_twice_by_sip_and_by_the_application() -> None:
    told = Recorder()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, NVR) as phone:
            answer = await phone.ask(phone.device.alarm(2, 1, channel=FIRST))
            assert answer.uri == "200"
            await phone.until(lambda: any(each.method for each in phone.heard))
            response = next(each for each in phone.heard if each.method)
            assert b"<Response>" in response.body
            assert b"<Result>OK</Result>" in response.body
    [loss] = observed(told)
    assert (loss.device, loss.channel, loss.state, loss.expires_s) == ("nvr-1", 1, "loss", 600.0)


async def test_motion_seen_by_a_channel_is_the_cameras_own() -> None:
    told = Recorder()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, NVR) as phone:
            await phone.ask(phone.device.alarm(5, 2, channel=SECOND_CHANNEL))
    assert [(one.device, one.active) for one in observed(told)] == [("cam-2", True)]


@both_ways
async def test_a_stranger_and_a_wrong_password_are_answered_and_quarantined_once(tcp: bool) -> None:
    told = Recorder()
    link = a_link(told)
    async with running(link):
        await told.until_up()
        async with a_phone(link, "34020000001320000666", tcp=tcp) as stranger:
            for _ in range(20):
                assert (await stranger.ask(stranger.device.register())).uri == "403"
                assert (await stranger.ask(stranger.device.keepalive())).uri == "403"
        async with a_phone(link, tcp=tcp, password="guess") as guesser:
            for _ in range(3):
                assert (await guesser.register()).uri == "403"
    assert observed(told) == []
    assert rejected(told) == [
        "device 34020000001320000666 is no `device_id` of the site",
        "device cam-gate: wrong password",
    ]
    assert all(b"response=" not in reading.data for _, reading in told.readings if isinstance(reading, Reject))


async def test_what_registered_elsewhere_does_not_count_here() -> None:
    told = Recorder()
    server = Registrar(DEVICES, {"password": PASSWORD})
    now = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    device = Device(CAMERA, password=PASSWORD)
    served = server.datagram(device.register(), ("10.0.0.7", 5060), now)
    challenge = read(served.answers[0]).headers["www-authenticate"]
    assert server.datagram(device.register(challenge=challenge), ("10.0.0.7", 5060), now).found
    assert read(server.datagram(device.keepalive(), ("10.0.0.66", 5060), now).answers[0]).uri == "403"
    assert server.datagram(device.keepalive(), ("10.0.0.7", 40_001), now).found  # a router gave it another port
    late = now + timedelta(seconds=3661)
    assert read(server.datagram(device.keepalive(), ("10.0.0.7", 5060), late).answers[0]).uri == "403"
    assert told.readings == []


def test_an_answer_that_comes_late_or_from_elsewhere_is_asked_for_again():
    server = Registrar(DEVICES, {"password": PASSWORD})
    now = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    device = Device(CAMERA, password=PASSWORD)
    here, there = ("10.0.0.7", 5060), ("10.0.0.8", 5060)
    challenge = read(server.datagram(device.register(), here, now).answers[0]).headers["www-authenticate"]
    for peer, at in ((there, now), (here, now + timedelta(seconds=301))):
        served = server.datagram(device.register(challenge=challenge), peer, at)
        again = read(served.answers[0])
        assert (again.uri, list(served.found)) == ("401", [])
        assert "stale=true" in again.headers["www-authenticate"]


@both_ways
async def test_noise_harms_nobody(tcp: bool) -> None:
    told = Recorder()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=tcp) as phone:
            for noise in (b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff\xfe\x00\r\n", b"INVITE x\r\n\r\n"):
                phone.send(noise)
            assert (await phone.ask(phone.device.keepalive())).uri == "200"
            assert (await phone.ask(phone.device.message(b"<a>", kind="application/sdp"))).uri == "415"
            bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><Notify><CmdType>Keepalive</CmdType></Notify>'
            assert (await phone.ask(phone.device.message(bomb))).uri == "400"
            assert (await phone.ask(phone.device.keepalive())).uri == "200"
    assert len(observed(told)) == 2
    assert any("document type" in reason for reason in rejected(told))


async def test_a_message_may_come_in_pieces_and_two_in_one() -> None:
    told = Recorder()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=True) as phone:
            first, second = phone.device.keepalive(), phone.device.keepalive()
            for start in range(0, len(first), 50):
                phone.send(first[start : start + 50])
                await asyncio.sleep(0)
            phone.send(second + phone.device.keepalive())
            await phone.until(lambda: len(phone.heard) == 3)
    assert len(observed(told)) == 3


async def test_a_connection_that_never_ends_its_message_is_closed() -> None:
    told = Recorder()
    link = a_link(told, password=None, limits=Limits(unfinished_s=0.2))
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=True) as slow, a_phone(link, tcp=True) as silent, a_phone(link, tcp=True) as good:
            await good.ask(good.device.keepalive())
            slow.send(slow.device.keepalive()[:-20])
            await slow.until(lambda: not slow.is_open)
            await silent.until(lambda: not silent.is_open)
            assert good.is_open
            assert (await good.ask(good.device.keepalive())).uri == "200"
    assert "cut off" in " ".join(rejected(told))


async def test_connections_and_what_they_hold_are_bounded() -> None:
    told = Recorder()
    link = a_link(told, password=None, limits=Limits(each_host=3, held=4096))
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=True) as one, a_phone(link, tcp=True) as two, a_phone(link, tcp=True):
            await one.ask(one.device.keepalive())
            await two.ask(two.device.keepalive())
            async with a_phone(link, tcp=True) as fourth:
                await fourth.until(lambda: not fourth.is_open)
            two.send(two.device.message(b"x" * 8192)[:-1])
            await two.until(lambda: not two.is_open)
            assert (await one.ask(one.device.keepalive())).uri == "200"
        await _until(lambda: not link.connections)
        assert link.held == 0


@both_ways
async def test_nothing_is_read_while_the_journal_has_enough(tcp: bool) -> None:
    told = Recorder()
    link = a_link(told, password=None)
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=tcp) as phone:
            await phone.ask(phone.device.keepalive())
            link.pause()
            call_id = _send(phone, phone.device.keepalive())
            await asyncio.sleep(0.1)
            assert len(observed(told)) == 1
            link.resume()
            await phone.response(call_id)
    assert len(observed(told)) == 2


async def test_a_taken_port_is_told_with_a_hint_and_opened_when_it_is_free() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        told = Recorder()
        link = a_link(told, port=other.getsockname()[1])
        async with running(link):
            await told.until_down()
            assert (link.state.reason, link.state.up) == ("the port is taken", False)
            assert "services" in link.state.hint
            other.close()
            await told.until_up()


async def test_answers_that_nobody_takes_close_the_connection_not_the_gateway() -> None:
    told = Recorder()
    link = a_link(told, password=None, limits=Limits(unwritten=4096))
    async with running(link):
        await told.until_up()
        async with a_phone(link, tcp=True) as deaf, a_phone(link) as other:
            await deaf.ask(deaf.device.keepalive())
            deaf._transport.pause_reading()
            for _ in range(3000):
                if not link.connections:
                    break
                deaf.send(deaf.device.keepalive() * 50)
                await asyncio.sleep(0.001)
            assert not link.connections
            assert (await other.ask(other.device.keepalive())).uri == "200"


# -- an estate of 1,000 cameras --------------------------------------------------------------------------------------

ESTATE = 1000
INTERVAL_S = 4.0
"""Instead of 60 s: a camera is offline after three without a sign."""


class Estate(asyncio.DatagramProtocol):
    """1,000 cameras behind one router: one socket, since only their messages tell them apart.

    Like real ones they send again what was not answered.
    """

    def __init__(self, ids: Sequence[str], port: int) -> None:
        self.cameras = {each: Device(each, ("127.0.0.1", port), password=PASSWORD) for each in ids}
        self.open: dict[str, bytes] = {}
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = read(data)
        if self.open.pop(message.headers["call-id"], None) is not None and message.uri == "401":
            camera = self.cameras[user(message.headers["from"])]
            self.say(camera.register(challenge=message.headers["www-authenticate"]))

    def say(self, data: bytes) -> None:
        self.open[read(data).headers["call-id"]] = data
        self.transport.sendto(data)

    async def answered(self) -> None:
        """All that was said is answered."""
        async with asyncio.timeout(30):
            while self.open:
                for _ in range(50):
                    if not self.open:
                        return
                    await asyncio.sleep(0.01)
                for data in list(self.open.values())[:100]:
                    self.transport.sendto(data)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
async def test_a_thousand_cameras_live_for_three_intervals_and_nobody_is_called_offline(tmp_path: Any) -> None:
    ids = [f"3402000000132{number:07d}" for number in range(ESTATE)]
    devices = {
        each: SiteDevice(
            id=each, driver="gb28181", kind="camera", device_id=each, expect_every=round(INTERVAL_S * SECOND)
        )
        for each in ids
    }
    service = Service(host="127.0.0.1", port=0, settings={"password": PASSWORD})
    site = Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        devices=devices,
        services={"gb28181": service},
        hold=0,
    )
    async with Gateway(site, tmp_path) as gateway:
        [link] = called_links(site, gateway.intake.router, gateway.intake)
        assert isinstance(link, CallLink)
        task = asyncio.create_task(gateway.run([link]))
        try:
            await _until(lambda: link.state.up)
            transport, estate = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Estate(ids, link.port), remote_addr=("127.0.0.1", link.port)
            )
            for start in range(0, ESTATE, 100):
                for each in ids[start : start + 100]:
                    estate.say(estate.cameras[each].register())
                await estate.answered()
            grown = []
            for _ in range(3):
                began = asyncio.get_running_loop().time()
                for start in range(0, ESTATE, 50):
                    for each in ids[start : start + 50]:
                        estate.say(estate.cameras[each].keepalive())
                    await asyncio.sleep(INTERVAL_S / 40)
                await estate.answered()
                grown.append(resident())
                await asyncio.sleep(max(0.0, began + INTERVAL_S - asyncio.get_running_loop().time()))
            states = {state.state for state in gateway.judgement.engine.devices.devices()}
            rows = await gateway.query("SELECT kind, count(*) FROM log WHERE device != '' GROUP BY kind")
            alerts = await gateway.archive.alerts()
            transport.close()
        finally:
            task.cancel()
            await asyncio.wait((task,))
    assert states == {"ok"}
    assert dict(rows) == {"device_status": ESTATE, "camera_heartbeat": 3 * ESTATE, "link": ESTATE}
    assert alerts == []
    assert grown[-1] - grown[0] < 32 * 1024 * 1024  # of 2,000 more keepalives nothing much remains


async def test_a_recorders_channels_are_judged_by_what_it_says_of_them(tmp_path: Any) -> None:
    fast = {"settings": {"catalog_every_s": 0.2}, "driver": "gb28181"}
    devices = [
        SiteDevice(id="nvr-1", kind="nvr", device_id=NVR, expect_every=60 * SECOND, **fast),
        *(
            SiteDevice(
                id=f"cam-{number}", kind="camera", channel=number, behind="nvr-1", expect_every=60 * SECOND, **fast
            )
            for number in (1, 2, 3, 4)
        ),
    ]
    channels = [f"3402000000132000000{number}" for number in (1, 2, 3, 4)]
    service = Service(host="127.0.0.1", port=0)
    site = Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        devices={device.id: device for device in devices},
        services={"gb28181": service},
    )
    async with Gateway(site, tmp_path) as gateway:
        [link] = called_links(site, gateway.intake.router, gateway.intake)
        assert isinstance(link, CallLink)
        task = asyncio.create_task(gateway.run([link]))

        def told() -> dict[str, tuple[str, tuple[str, ...]]]:
            return {each.id: (each.state, each.impairments) for each in gateway.judgement.engine.cameras.cameras()}

        try:
            await _until(lambda: link.state.up)
            async with a_phone(link, NVR) as phone:
                # It registers; nothing is known of its channels until it has named them.
                phone.mute = True
                await phone.register()
                await phone.ask(phone.device.keepalive())
                assert {state for state, _ in told().values()} == {"unknown"}
                phone.mute = False
                phone.channels = [Channel(channels[0]), Channel(channels[1], status="OFF"), Channel(channels[2])]
                await asyncio.sleep(0.25)
                await phone.ask(phone.device.keepalive(faulty=[channels[2]]))
                expected = {
                    "cam-1": ("ok", ()),
                    "cam-2": ("offline", ()),
                    "cam-3": ("impaired", ("reported_fault",)),
                    "cam-4": ("unknown", ()),
                }
                await _until(lambda: told() == expected)
                phone.channels = [Channel(each) for each in channels]
                await asyncio.sleep(0.25)
                await phone.ask(phone.device.keepalive())
                await _until(lambda: set(told().values()) == {("ok", ())})
                # It goes: what hangs below it is unknown, and nobody is accused.
                await phone.register(expires=0)
                await _until(lambda: {state for state, _ in told().values()} == {"unknown"})
        finally:
            task.cancel()
            await asyncio.wait((task,))


def test_a_site_without_a_device_that_could_call_opens_no_port():
    channel = SiteDevice(id="cam-1", driver="gb28181", kind="camera", channel=1, behind="nvr-1")
    nvr = SiteDevice(id="nvr-1", driver="gb28181", kind="nvr")
    site = Site(
        id="s",
        name="s",
        timezone="UTC",
        latitude=0.0,
        longitude=0.0,
        devices={"nvr-1": nvr, "cam-1": channel},
        services={"gb28181": Service(host="127.0.0.1", port=0)},
    )
    assert called_links(site, Router(site, DRIVERS), Recorder()) == []


def test_a_face_camera_opens_the_port_of_its_own_service():
    camera = SiteDevice(id="cam", driver="gat1400", kind="camera", device_id="34020000001190000001")
    services = {"gat1400": Service(host="127.0.0.1", port=0)}
    site = Site(
        id="s", name="s", timezone="UTC", latitude=0.0, longitude=0.0, devices={"cam": camera}, services=services
    )

    [link] = called_links(site, Router(site, DRIVERS), Recorder())
    assert type(link).__name__ == "WebServerLink"
    assert link.name == "gat1400 127.0.0.1:0"


def _send(phone: Phone, data: bytes) -> str:
    phone.send(data)
    return read(data).headers["call-id"]


def read(data: bytes) -> Message:
    return read_message(data)[0]


async def _until(condition: Any, timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  a bounded poll of what has no event
            await asyncio.sleep(0.01)
