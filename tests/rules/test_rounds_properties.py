"""What must hold of every night: order, repetition and restarts change no final verdict; silence alone accuses nobody."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, moment
from gateway.rules.findings import Round
from gateway.site.model import Site
from gateway.site.model import Visit as Stop
from tests.rules.walk import CARDS, GARAGE, GATE, ROOF, WALL, YARD, Fed, Walk, clock, daily, estate, window

START = clock("21:30")
QUIET: dict[str, Any] = {"max_examples": 40, "deadline": None}


def property_site() -> Site:
    """Two overlapping rounds over fixed readers, a two-person post and wall tags."""
    return estate(
        route={
            "visits": (
                Stop(checkpoint=GATE, after=10 * MINUTE), Stop(checkpoint=GARAGE), Stop(checkpoint=ROOF), Stop(checkpoint=YARD, optional=True),
            ),
            "guards": ("wang", "li"),
            "order": "listed",
        },
        checkpoints={GARAGE: {"two_person": True}, GATE: {"max_gap": window("21:45", "23:30", 30 * MINUTE)}},
        devices={"rdr-garage": {"own_clock": False}},
        rounds=(daily("night", "22:00", "22:30"),),
    )  # fmt: skip


SITE = property_site()


def minutes(low: int = 0, high: int = 110) -> st.SearchStrategy[Instant]:
    return st.integers(low * 6, high * 6).map(lambda tens: START + tens * 10 * SECOND)


@st.composite
def nights(draw: st.DrawFn) -> list[Fed]:
    """Evidence of a night: taps by people with cards and wands, heartbeats, hand-overs; outages, reboots, odd clocks."""
    found: list[Fed] = []

    def add(observation: Any, at: Instant, received: Instant) -> None:
        found.append((observation, at, received))

    delays = st.sampled_from([0, 0, 0, SECOND, 90 * SECOND, 40 * MINUTE, 3 * HOUR])
    seq, boot, skew = 0, "a", draw(st.sampled_from([0, 0, 4 * SECOND, 20 * SECOND, 3 * MINUTE]))
    for at in sorted(draw(st.lists(minutes(), max_size=14))):
        choice = draw(st.sampled_from(["beat", "beat", "beat", "tap", "tap", "lost", "reboot"]))
        late = draw(delays) if choice == "tap" else draw(st.sampled_from([0, SECOND]))
        stamp = at - skew
        if choice == "reboot":
            boot, seq, skew = boot + "x", 0, draw(st.sampled_from([0, 10 * SECOND, 5 * MINUTE]))
        elif choice == "lost":
            seq += 1
        elif choice == "beat":
            beat = seen.ReaderHeartbeat(
                device="rdr-gate", at=moment(stamp, UTC), boot=boot, last_seq=seq, device_now=moment(stamp, UTC)
            )
            add(beat, stamp, at + late)
        else:
            seq += 1
            who = draw(st.sampled_from(["wang", "li", "chen", "liu"]))
            add(
                seen.TagRead(device="rdr-gate", at=moment(stamp, UTC), boot=boot, seq=seq, tag=CARDS[who]),
                stamp,
                at + late,
            )
    for at in draw(st.lists(minutes(), max_size=8)):
        who = draw(st.sampled_from(["wang", "li", None, None]))
        if who is None:
            add(seen.LinkStatus(device="rdr-garage", at=moment(at, UTC), up=draw(st.booleans())), at, at)
        else:
            add(seen.TagRead(device="rdr-garage", at=moment(at, UTC), tag=CARDS[who]), at, at)
    for at in draw(st.lists(minutes(), max_size=8)):
        tag = draw(st.sampled_from([WALL[ROOF], WALL[YARD], CARDS["wang"], CARDS["li"]]))
        wand = draw(st.sampled_from(["wand-1", "wand-1", "wand-2"]))
        add(seen.TagRead(device=wand, at=moment(at, UTC), tag=tag, method="wand"), at, at + draw(delays))
    for at in draw(st.lists(minutes(40, 110), max_size=3)):
        wand = draw(st.sampled_from(["wand-1", "wand-2"]))
        offset = draw(st.sampled_from([None, 0, 30 * SECOND, 2 * MINUTE]))
        now = None if offset is None else moment(at - offset, UTC)
        add(seen.SyncEnd(device=wand, at=moment(at, UTC), complete_to=moment(at, UTC), device_now=now), at, at + SECOND)
    return found


def judged(feds: list[Fed], *, restarts: frozenset[int] = frozenset(), end: Instant = START + 26 * HOUR) -> Walk:
    """The night judged in the order of receipt, restarted before the given observations (not within one instant)."""
    walk = Walk(SITE, started="21:00")
    for index, (observation, at, received) in enumerate(sorted(feds, key=lambda fed: fed[2])):
        if index in restarts and received > walk.rules.now:
            walk.reborn()
        walk.feed(observation, at, received)
    walk.advance(end)
    walk.rules.flush(end)
    return walk


def shown(walk: Walk) -> list[Any]:
    rounds = walk.rules.rounds(clock("21:00"), clock("23:59"))
    return [[without_history(each) for each in rounds], walk.rules.gaps()[0], walk.rules.unmatched()]


def without_history(view: Round) -> Any:
    """What is known in the end, without how often it was thought otherwise."""
    return (
        view.id, view.verdict, view.marks,
        [(v.verdict, v.at, v.device_at, v.person, v.deviation_s, v.marks, v.cause, v.watermark) for v in view.visits],
    )  # fmt: skip


@settings(**QUIET)
@given(nights(), st.randoms(use_true_random=False))
def test_order_changes_no_final_verdict(feds: list[Fed], random: Any) -> None:
    straight = judged(feds)
    shuffled = list(feds)
    random.shuffle(shuffled)
    walk = Walk(SITE, started="21:00")
    for observation, at, received in shuffled:
        walk.rules.apply(observation, at, received)
        walk.rules.flush(walk.rules.now)
    walk.advance(START + 26 * HOUR)
    walk.rules.flush(START + 26 * HOUR)
    assert shown(walk) == shown(straight)


def test_a_visit_that_is_no_longer_served_puts_off_no_deadline_that_is_due() -> None:
    walk = Walk(SITE, started="21:00")
    for device, at, tag in (
        ("rdr-garage", "23:15:10", CARDS["wang"]),
        ("wand-1", "21:56:10", WALL[ROOF]),
        ("wand-1", "22:00:40", WALL[YARD]),
        ("rdr-garage", "22:29:10", CARDS["wang"]),
    ):
        read = seen.TagRead(device=device, at=moment(clock(at), UTC), tag=tag)
        walk.rules.apply(read, clock(at), clock(at))
        walk.rules.flush(walk.rules.now)
    walk.advance(START + 26 * HOUR)
    walk.rules.flush(START + 26 * HOUR)
    verdicts = [visit.verdict for visit in walk.rules.rounds(clock("21:00"), clock("23:59"))[0].visits]
    assert verdicts == ["unverifiable", "unverifiable", "early", "on_time"]


@settings(**QUIET)
@given(nights(), st.data())
def test_repetition_changes_nothing(feds: list[Fed], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(feds), max_size=4)) if feds else []
    repeated = [
        (observation, at, received + 5 * MINUTE) for observation, at, received in again if observation.seq is not None
    ]
    repeated += [(observation, at, received) for observation, at, received in again if observation.seq is None]
    assert shown(judged([*feds, *repeated])) == shown(judged(feds))


@settings(**QUIET)
@given(nights(), st.frozensets(st.integers(0, 30), max_size=3) | st.just(frozenset(range(40))))
def test_a_restart_at_any_point_changes_nothing(feds: list[Fed], restarts: frozenset[int]) -> None:
    straight, broken = judged(feds), judged(feds, restarts=restarts)
    assert broken.rules.rounds() == straight.rules.rounds()
    assert shown(broken) == shown(straight)
    assert broken.found.revisions == straight.found.revisions
    assert broken.found.signals == straight.found.signals


@settings(**QUIET)
@given(nights())
def test_an_unsettled_visit_is_never_missed(feds: list[Fed]) -> None:
    """Without any report or hand-over after a visit closes, nobody is accused of it."""
    last = max((received for _, _, received in feds), default=START)
    walk = judged([fed for fed in feds if not isinstance(fed[0], seen.SyncEnd)])
    for view in walk.rules.rounds(clock("21:00"), clock("23:59")):
        for visit in view.visits:
            if visit.verdict == "missed":
                assert visit.watermark is not None
                assert visit.watermark >= visit.closes
                assert moment(last + DAY, UTC) >= visit.closes


@settings(**QUIET)
@given(nights(), st.data())
def test_more_evidence_never_turns_a_served_visit_into_a_missed_one(feds: list[Fed], data: st.DataObject) -> None:
    if not feds:
        return
    left_out = data.draw(st.integers(0, len(feds) - 1))
    fewer = [fed for index, fed in enumerate(feds) if index != left_out]
    if isinstance(feds[left_out][0], seen.ReaderHeartbeat | seen.SyncEnd):
        return  # a clock measure may show that the tap happened at another time
    before, after = judged(fewer), judged(feds)
    for old, new in zip(before.rules.rounds(), after.rules.rounds(), strict=True):
        served = [visit.verdict in {"on_time", "early", "late"} for visit in old.visits]
        if (
            isinstance(feds[left_out][0], seen.TagRead)
            and feds[left_out][0].tag in CARDS.values()
            and "wand" in feds[left_out][0].device
        ):
            continue  # a log-in may show that it was another person
        for visit, was in zip(new.visits, served, strict=True):
            assert not (was and visit.verdict == "missed")


@settings(**QUIET)
@given(nights())
def test_what_is_told_in_the_end_is_what_stands(feds: list[Fed]) -> None:
    walk = judged(feds)
    standing: dict[tuple[str, str], bool] = {}
    for signal in walk.found.signals:
        standing[signal.rule, signal.subject] = signal.action in {"raise", "update"}
    for view in walk.rules.rounds():
        for verdict in ("missed", "incomplete", "unverifiable"):
            assert standing.get((f"round_{verdict}", view.id), False) is (view.verdict == verdict)
