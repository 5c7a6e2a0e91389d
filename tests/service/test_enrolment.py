"""What is enrolled while the gateway runs counts at once, also for what was read before, and after a restart."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from api.access.invitations import Invitations
from api.app import create_app
from device_drivers.driver import Reading
from device_drivers.observations import ReaderHeartbeat, SyncEnd, TagRead
from gateway.instants import MINUTE, instant
from gateway.runtime import Gateway
from gateway.site.enrolments import EnrolPerson, EnrolPhone, EnrolTag, NotEnrolled, enrol
from gateway.site.model import Checkpoint, Device, Person, Place, RoundRule, Route, Site, Visit

TEN = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
"""22:00 in Shanghai."""
CARD, OTHER = "0000AB12", "007B3972"
ROUND = "r@2026-11-25T22:00+08:00"


def site() -> Site:
    """A gate with a fixed reader, walked once at 22:00 within ten minutes."""
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"gate": Place(id="gate", name="南门")},
        people={"g-wang": Person(id="g-wang", name="王强", roles=("guard",), tags=(OTHER,))},
        devices={"rdr": Device(id="rdr", driver="native", kind="reader", expect_every=MINUTE, sends_seq=True)},
        checkpoints={"cp": Checkpoint(id="cp", place="gate", reader="rdr")},
        routes={"r": Route(id="r", visits=(Visit(checkpoint="cp", after=5 * MINUTE),))},
        rounds=(RoundRule(route="r", days=frozenset(range(7)), starts=(time(22),), lasts=10 * MINUTE),),
        digest="as filed",
    )


class Clock:
    def __init__(self) -> None:
        self.time = TEN - timedelta(minutes=30)

    def __call__(self) -> datetime:
        return self.time


async def the_night(gateway: Gateway, clock: Clock) -> None:
    """The reader tells each minute that it lives; at 22:05 it reads a card that nobody knows."""
    n = 0
    while clock.time < TEN + timedelta(hours=1):
        clock.time += timedelta(minutes=1)
        n += 1
        heard = [Reading(ReaderHeartbeat(device="rdr", at=clock.time, boot="b", seq=n), None)]
        if clock.time == TEN + timedelta(minutes=5):
            n += 1
            heard.append(Reading(TagRead(device="rdr", at=clock.time, boot="b", seq=n, tag=CARD), None))
        await gateway.hear("rdr", heard)


def verdict(gateway: Gateway) -> tuple[str, int]:
    found = gateway.judgement.engine.rounds.round(ROUND)
    assert found is not None
    return found.visits[0].verdict, found.visits[0].revision


async def test_past_reads_of_a_tag_count_from_its_enrolment_on_and_no_more_from_its_withdrawal(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        assert verdict(gateway)[0] == "missed"
        wanted = EnrolTag(tag=CARD, person="g-wang")
        events = gateway.events.latest
        proposed = await gateway.proposed(wanted)
        assert [(each["checkpoint"], each["verdict"]) for each in proposed.revisions] == [("cp", "on_time")]
        assert verdict(gateway)[0] == "missed", "a preview does nothing"
        await gateway.enrol(wanted, "u-chen")
        assert verdict(gateway) == ("on_time", 2)
        assert gateway.site.people["g-wang"].tags == (OTHER, CARD)
        alert = gateway.judgement.alerts.alert(f"round_missed/{ROUND}/1")
        assert alert is not None
        assert alert.state == "retracted"
        assert ("round",) in await gateway.query("SELECT kind FROM change WHERE seq > ?", (events,))
        transitions = await gateway.query("SELECT alert, state FROM alert_transition WHERE seq > ?", (events,))
        assert (alert.id, "retracted") in transitions
    again = site()
    async with Gateway(again, tmp_path, clock=clock) as gateway:
        assert verdict(gateway) == ("on_time", 2)
        assert again.people["g-wang"].tags == (OTHER, CARD)
        assert await gateway.query("SELECT revision, verdict FROM visit_revision ORDER BY seq") == [
            (1, "missed"),
            (2, "on_time"),
        ]
        await gateway.enrol(("tag", CARD), "u-chen")
        assert verdict(gateway) == ("missed", 3)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert verdict(gateway) == ("missed", 3)
        history = await gateway.query("SELECT by, kind, subject, body IS NULL FROM enrolment ORDER BY seq")
        assert history == [("u-chen", "tag", CARD, 0), ("u-chen", "tag", CARD, 1)]


async def test_a_crash_right_after_an_enrolment_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        await gateway.enrol(EnrolTag(tag=CARD, person="g-wang"), "u-chen")
        rows = await gateway.query("SELECT count(*) FROM visit_revision")
        # As a kill leaves it: no last snapshot is written.
        gateway._failed.set_exception(RuntimeError("killed"))
        gateway._failed.exception()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert verdict(gateway) == ("on_time", 2)
        await gateway.intake.wake()
        assert await gateway.query("SELECT count(*) FROM visit_revision") == rows


async def test_a_person_is_enrolled_with_a_name_that_stands_apart(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        await gateway.enrol(EnrolPerson(id="g-li", roles=("guard",)), "u-chen", name="李娜")
        await gateway.enrol(EnrolTag(tag=CARD, person="g-li"), "u-chen")
        assert verdict(gateway)[0] == "on_time"
        found = gateway.judgement.engine.rounds.round(ROUND)
        assert found is not None
        assert found.visits[0].person == "g-li"
        assert gateway.site.people["g-li"].name == "李娜"
        assert "李娜" not in str(await gateway.query("SELECT body FROM enrolment"))
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert gateway.site.people["g-li"].name == "李娜"
        for subject in (("tag", CARD), ("person", "g-li")):
            await gateway.enrol(subject, "u-chen")
        assert "g-li" not in gateway.site.people
        assert await gateway.query("SELECT body FROM personal WHERE key = 'person/g-li'") == [(None,)]
    assert "李娜".encode() not in (tmp_path / "journal.db").read_bytes()


async def test_a_phone_that_is_enrolled_reads_tags_on_the_wall(tmp_path: Path) -> None:
    clock = Clock()
    wall = msgspec.structs.replace(site().checkpoints["cp"], reader=None, tags=("04A1B2C3",))
    walked = msgspec.structs.replace(site(), checkpoints={"cp": wall})
    async with Gateway(walked, tmp_path, clock=clock) as gateway:
        clock.time = TEN
        await gateway.enrol(EnrolPhone(device="phone-1", person="g-wang"), "u-wang")
        clock.time = TEN + timedelta(minutes=5)
        tap = TagRead(device="phone-1", at=clock.time, boot="b", seq=1, tag="04A1B2C3", method="nfc", person="g-wang")
        await gateway.hear("phone-1", [Reading(tap, None)])
        assert verdict(gateway)[0] == "on_time"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (EnrolTag(tag=OTHER, person="g-wang"), "enrolled already: it belongs to the person g-wang"),
        (EnrolTag(tag="7B3972", checkpoint="cp"), "enrolled already"),
        (EnrolTag(tag="04A1B2C3", person="g-none"), "no person g-none"),
        (EnrolTag(tag="04A1B2C3", checkpoint="cp-none"), "no checkpoint cp-none"),
        (EnrolTag(tag="04A1B2C3"), "not both and not neither"),
        (EnrolTag(tag="xyz", person="g-wang"), "hexadecimal"),
        (EnrolPerson(id="g-wang"), "a person g-wang already"),
        (EnrolPerson(id="g wang"), "cannot be a person's id"),
        (EnrolPhone(device="rdr", person="g-wang"), "a device rdr already"),
        (EnrolPhone(device="phone-1", person="g-none"), "no person g-none"),
        (("tag", OTHER), "was not enrolled here"),
    ],
)
async def test_what_contradicts_the_site_is_refused_with_a_reason_and_changes_nothing(
    wanted: object, why: str, tmp_path: Path
) -> None:
    async with Gateway(site(), tmp_path, clock=Clock()) as gateway:
        with pytest.raises(NotEnrolled, match=why):
            await gateway.proposed(wanted)  # type: ignore[arg-type]
        with pytest.raises(NotEnrolled, match=why):
            await gateway.enrol(wanted, "u-chen")  # type: ignore[arg-type]
        assert gateway.site == site()
        assert await gateway.query("SELECT count(*) FROM enrolment") == [(0,)]


async def test_a_site_file_that_says_it_itself_since_stands_and_the_enrolment_is_told_as_left_out(
    tmp_path: Path,
) -> None:
    async with Gateway(site(), tmp_path, clock=Clock()) as gateway:
        await gateway.enrol(EnrolTag(tag=CARD, person="g-wang"), "u-chen")
    filed = msgspec.structs.replace(
        site(), people={**site().people, "g-li": Person(id="g-li", name="李娜", roles=("guard",), tags=(CARD,))}
    )
    async with Gateway(filed, tmp_path, clock=Clock()) as gateway:
        assert gateway.site.people["g-wang"].tags == (OTHER,)
        assert gateway.site.people["g-li"].tags == (CARD,)
        assert any(CARD in problem for problem in gateway.health().problems)


def test_the_order_of_enrolments_changes_nothing() -> None:
    many = [EnrolTag(tag=CARD, person="g-li"), EnrolPhone(device="phone-1", person="g-li"), EnrolPerson(id="g-li")]
    found = enrol(site(), many)
    assert found == enrol(site(), many[::-1])
    assert found.left_out == ()
    assert found.site.digest != site().digest
    assert enrol(site(), []).site.digest == site().digest


async def test_what_the_api_shows_is_by_who_is_enrolled_now(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        invitations = Invitations()
        app = create_app(gateway, invitations=invitations)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://t", headers={"Origin": "http://t"}
        ) as client:
            await client.get("/login/once", params={"token": invitations.login("chen", "admin", gateway.now())})

            async def shown() -> tuple[list[str], str, int]:
                taps = (await client.get("/api/v1/unmatched")).json()["items"]
                known = (await client.get(f"/api/v1/rounds/{ROUND}")).json()["verdict"]
                people = (await client.get("/api/v1/people")).json()["items"]
                return [tap["reason"] for tap in taps], known, len(people)

            assert await shown() == (["unknown_tag"], "missed", 1)
            body = {"id": "g-li", "name": "李娜", "tag": CARD}
            assert (await client.post("/api/v1/people", json=body)).status_code == 200
            assert await shown() == ([], "completed", 2)


async def test_what_an_enrolment_proposes_it_does_also_where_a_verdict_stood(tmp_path: Path) -> None:
    """A newcomer was enrolled with the wrong role: as a guard his phone, of which records are missing, is a witness."""
    clock = Clock()
    wall = replace(site().checkpoints["cp"], reader=None, tags=("04A1B2C3D4E5F6",))
    known = site()
    wand = Device(id="wand", driver="patrol_export", kind="wand", portable=True)
    route = replace(known.routes["r"], readers=("wand",))
    here = replace(known, checkpoints={"cp": wall}, devices=known.devices | {"wand": wand}, routes={"r": route})
    async with Gateway(here, tmp_path, clock=clock) as gateway:
        await gateway.enrol(EnrolPerson(id="neu", roles=("maintenance",)), "office", name="N")
        await gateway.enrol(EnrolPhone(device="phone-neu", person="neu"), "office")
        clock.time = TEN + timedelta(minutes=5)
        beat = ReaderHeartbeat(device="phone-neu", at=clock.time, boot="b", last_seq=5, device_now=clock.time)
        await gateway.hear("phone-neu", [Reading(beat, None)])
        clock.time = TEN + timedelta(hours=1)
        await gateway.hear("wand", [Reading(SyncEnd(device="wand", at=clock.time, complete_to=clock.time), None)])
        gateway.intake.tick(instant(clock.time + timedelta(minutes=1)))
        assert verdict(gateway)[0] == "missed"
        as_guard = EnrolPerson(id="neu", roles=("guard",))
        proposed = await gateway.proposed(as_guard)
        assert [each["verdict"] for each in proposed.revisions] == ["pending"]
        await gateway.enrol(as_guard, "office", name="N")
        assert verdict(gateway)[0] == "pending"
