"""rounds.md, Who tapped where, and when: tags, readers, persons, repeats, and taps that served nothing."""

from __future__ import annotations

import pytest

from device_drivers import observations as seen
from gateway.instants import HOUR, MINUTE
from gateway.site.model import Route
from gateway.site.model import Visit as Stop
from tests.rules.walk import CARDS, GARAGE, GATE, ROOF, YARD, Walk, daily, estate, hhmm

WALLS = {"visits": (Stop(checkpoint=ROOF), Stop(checkpoint=YARD))}


def test_a_persons_tag_at_the_fixed_reader_is_a_tap() -> None:
    walk = Walk()
    walk.tap("wang", "22:06")
    visit = walk.visit()
    assert (visit.verdict, visit.person, hhmm(visit.at)) == ("on_time", "wang", "22:06:00")


def test_a_tag_read_with_a_version_byte_in_front_is_the_same_tag() -> None:
    walk = Walk()
    walk.tap("6F007B3972", "22:06")
    assert walk.visit().person == "wang"


def test_a_wall_tag_read_by_a_wand_is_a_tap_of_whoever_logged_in_to_it_last() -> None:
    walk = Walk(route=WALLS)
    walk.tap("li", "21:00", device="wand-1")
    walk.tap("wang", "21:30", device="wand-1")
    walk.read(ROOF, "22:05")
    assert (walk.visit().verdict, walk.visit().person) == ("on_time", "wang")


def test_the_log_in_itself_is_no_tap() -> None:
    walk = Walk(route=WALLS)
    walk.tap("wang", "22:04", device="wand-1")
    assert walk.unmatched() == []


@pytest.mark.parametrize(("login", "person"), [("-1 10:04:59", None), ("-1 10:05", "wang")])
def test_a_log_in_holds_for_twelve_hours(login: str, person: str | None) -> None:
    walk = Walk(route=WALLS, started="-1 09:00")
    walk.tap("wang", login, device="wand-1")
    walk.read(ROOF, "22:05")
    assert walk.visit().person == person


def test_a_log_in_handed_in_later_names_the_person_of_earlier_taps() -> None:
    walk = Walk(route=WALLS)
    walk.read(ROOF, "22:05")
    assert walk.visit().marks == ("person_unknown",)
    walk.tap("wang", "21:58", "22:30", device="wand-1")
    assert (walk.visit().person, walk.visit().marks, walk.visit().revision) == ("wang", (), 1)


def test_a_log_in_after_the_tap_does_not_count() -> None:
    walk = Walk(route=WALLS)
    walk.read(ROOF, "22:05")
    walk.tap("wang", "22:06", device="wand-1")
    assert walk.visit().person is None


def test_a_phones_reads_carry_the_person() -> None:
    walk = Walk(route=WALLS)
    walk.read(ROOF, "22:05", device="phone-1", person="wang", method="nfc")
    visit = walk.visit()
    assert (visit.verdict, visit.person, visit.marks) == ("on_time", "wang", ())


def test_an_unknown_person_serves_even_where_others_are_not_accepted() -> None:
    walk = Walk(route=WALLS | {"guards": ("wang",), "accept_others": False})
    walk.read(ROOF, "22:05")
    assert (walk.visit().verdict, walk.visit().marks) == ("on_time", ("person_unknown",))


def test_who_is_no_guard_does_not_serve() -> None:
    walk = Walk()
    walk.tap("liu", "22:06")
    assert walk.verdict() == "pending"
    assert walk.reasons() == ["not_a_guard"]


def test_who_is_no_guard_but_named_by_the_route_serves() -> None:
    walk = Walk(route={"guards": ("liu",)})
    walk.tap("liu", "22:06")
    assert (walk.verdict(), walk.visit().marks) == ("on_time", ())


def test_another_guard_serves_and_is_marked() -> None:
    walk = Walk(route={"guards": ("wang",)})
    walk.tap("li", "22:06")
    assert (walk.verdict(), walk.visit().marks) == ("on_time", ("unassigned_guard",))


def test_another_guard_does_not_serve_where_others_are_not_accepted() -> None:
    walk = Walk(route={"guards": ("wang",), "accept_others": False})
    walk.tap("li", "22:06")
    assert (walk.verdict(), walk.reasons()) == ("pending", ["wrong_guard"])


def test_a_wand_that_the_route_does_not_name_serves_and_is_marked() -> None:
    walk = Walk(route=WALLS)
    walk.tap("wang", "21:58", device="wand-2")
    walk.read(ROOF, "22:05", device="wand-2")
    assert (walk.verdict(), walk.visit().marks) == ("on_time", ("other_reader",))


# -- repeats ----------------------------------------------------------------------------------------------------------


def test_reads_ten_seconds_apart_are_one_tap() -> None:
    walk = Walk()
    for second in ("00", "10", "20", "30"):
        walk.tap("wang", f"22:06:{second}")
    assert walk.unmatched() == []


def test_a_read_eleven_seconds_later_is_another_tap() -> None:
    walk = Walk()
    walk.tap("wang", "22:06:00")
    walk.tap("wang", "22:06:11")
    assert walk.reasons() == ["already_served"]


def test_repeats_span_at_most_sixty_seconds() -> None:
    walk = Walk()
    for second in range(0, 70, 10):
        walk.tap("wang", f"22:06:{second}" if second < 60 else "22:07:00")
    assert walk.reasons() == []
    walk.tap("wang", "22:07:10")
    assert walk.reasons() == ["already_served"]


def test_two_persons_cards_are_two_taps() -> None:
    walk = Walk()
    walk.tap("wang", "22:06:00")
    walk.tap("li", "22:06:02")
    assert walk.reasons() == ["already_served"]


def test_a_repeat_counts_at_the_time_of_the_member_that_serves_best() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),)})
    walk.tap("wang", "22:04:55")
    walk.tap("wang", "22:05:03")
    visit = walk.visit()
    assert (visit.verdict, hhmm(visit.at), visit.deviation_s) == ("on_time", "22:05:03", -297)


def test_of_members_of_one_class_the_least_deviation_counts() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),)})
    walk.tap("wang", "22:09:55")
    walk.tap("wang", "22:10:03")
    assert (hhmm(walk.visit().at), walk.visit().deviation_s) == ("22:10:03", 3)


def test_a_key_heard_again_is_one_observation() -> None:
    walk = Walk()
    walk.tap("wang", "22:06", boot="b", seq=1)
    walk.tap("wang", "22:06", "22:20", boot="b", seq=1)
    assert walk.unmatched() == []
    assert walk.visit().revision == 1


# -- taps that served nothing -----------------------------------------------------------------------------------------


def test_a_read_by_a_device_that_the_site_does_not_know_is_shown() -> None:
    walk = Walk()
    walk.tap("wang", "22:06", device="rdr-attic")
    assert [(each.device, each.tag, each.reason) for each in walk.unmatched()] == [
        ("rdr-attic", CARDS["wang"], "unknown_device")
    ]


def test_an_unknown_tag_is_shown() -> None:
    walk = Walk()
    walk.tap("FFFFFFFF", "22:06")
    assert [(each.tag, each.reason) for each in walk.unmatched()] == [("FFFFFFFF", "unknown_tag")]


def test_a_tap_in_no_visits_interval_is_shown_with_its_person() -> None:
    walk = Walk()
    walk.tap("wang", "21:30")
    assert [(each.person, each.reason, hhmm(each.at)) for each in walk.unmatched()] == [
        ("wang", "no_round", "21:30:00")
    ]


def test_a_read_dated_more_than_seven_days_before_serves_nothing() -> None:
    walk = Walk(route=WALLS)
    walk.read(ROOF, "-8 22:05", "22:06")
    assert walk.reasons() == ["clock_lost"]


def test_a_tag_enrolled_later_makes_its_past_reads_count() -> None:
    walk = Walk()
    walk.tap("FFFFFFFF", "22:06")
    site = estate()
    chen = site.people["chen"]
    people = dict(site.people) | {"chen": type(chen)(id="chen", name="chen", roles=("guard",), tags=("FFFFFFFF",))}
    walk.reborn(type(site)(**{name: getattr(site, name) for name in site.__struct_fields__} | {"people": people}))
    assert (walk.verdict(), walk.visit().person, walk.unmatched()) == ("on_time", "chen", [])


# -- which tap serves which visit -------------------------------------------------------------------------------------


def overlapping() -> Walk:
    """Two rounds at the gate, 22:00 and 22:20, each at any time of 40 minutes."""
    return Walk(rounds=(daily("night", "22:00", "22:20"),))


def test_overlapping_rounds_share_taps_so_that_most_visits_are_served() -> None:
    walk = overlapping()
    walk.tap("wang", "22:30")
    walk.tap("wang", "23:00")
    assert (hhmm(walk.visit(start="22:00").at), hhmm(walk.visit(start="22:20").at)) == ("22:30:00", "23:00:00")


def test_one_tap_serves_one_visit_only() -> None:
    walk = overlapping()
    walk.tap("wang", "22:30")
    assert [walk.verdict(start=start) for start in ("22:00", "22:20")] == ["on_time", "pending"]


def test_a_later_tap_that_serves_better_takes_the_visit_over() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),)})
    walk.tap("wang", "22:02")
    assert walk.verdict() == "early"
    walk.tap("wang", "22:09")
    assert (walk.verdict(), walk.visit().revision, walk.reasons()) == ("on_time", 2, ["already_served"])


def test_a_guard_of_the_route_serves_rather_than_another() -> None:
    walk = Walk(route={"guards": ("wang",)})
    walk.tap("li", "22:06")
    walk.tap("wang", "22:30")
    assert walk.visit().person == "wang"


def test_of_equal_taps_the_earliest_serves() -> None:
    walk = Walk()
    walk.tap("wang", "22:30")
    walk.tap("wang", "22:06", "22:31")
    assert hhmm(walk.visit().at) == "22:06:00"


@pytest.mark.parametrize(
    ("at", "verdict", "deviation"),
    [
        ("21:59:59.999999", "pending", None), ("22:00", "early", -600), ("22:04:59", "early", -301),
        ("22:05", "on_time", -300), ("22:15", "on_time", 300), ("22:15:01", "late", 301),
        ("22:20", "late", 600), ("22:20:00.000001", "pending", None),
    ],
)  # fmt: skip
def test_boundaries_of_a_visit_with_a_due_time(at: str, verdict: str, deviation: int | None) -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),)})
    walk.tap("wang", at)
    assert (walk.verdict(), walk.visit().deviation_s) == (verdict, deviation)


@pytest.mark.parametrize(
    ("at", "verdict", "deviation"),
    [
        ("21:54:59", "pending", None), ("21:55", "early", -300), ("22:00", "on_time", 0), ("22:40", "on_time", 0),
        ("22:40:01", "late", 1), ("22:45", "late", 300), ("22:45:01", "pending", None),
    ],
)  # fmt: skip
def test_boundaries_of_a_visit_at_any_time_of_the_round(at: str, verdict: str, deviation: int | None) -> None:
    walk = Walk()
    walk.tap("wang", at)
    assert (walk.verdict(), walk.visit().deviation_s) == (verdict, deviation)


def test_without_a_band_there_is_no_early_or_late() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),), "band": 0})
    walk.tap("wang", "22:15:01")
    assert (walk.verdict(), walk.reasons()) == ("pending", ["no_round"])


# -- two persons ------------------------------------------------------------------------------------------------------


def pair() -> Walk:
    return Walk(checkpoints={GATE: {"two_person": True}})


def test_two_persons_serve_at_the_later_ones_time_and_person() -> None:
    walk = pair()
    walk.tap("wang", "22:06")
    assert (walk.verdict(), walk.visit().marks, walk.reasons()) == (
        "pending", ("second_person_missing",), ["second_person_missing"],
    )  # fmt: skip
    walk.tap("li", "22:08")
    visit = walk.visit()
    assert (visit.verdict, visit.person, hhmm(visit.at), visit.marks) == ("on_time", "li", "22:08:00", ())
    assert walk.unmatched() == []


@pytest.mark.parametrize(("who", "at"), [("wang", "22:07"), ("li", "22:08:01")])
def test_one_person_twice_or_two_too_far_apart_do_not_serve(who: str, at: str) -> None:
    walk = pair()
    walk.tap("wang", "22:06")
    walk.tap(who, at)
    assert (walk.verdict(), walk.visit().marks) == ("pending", ("second_person_missing",))


def test_an_unknown_person_is_no_second_person() -> None:
    walk = Walk(route=WALLS, checkpoints={ROOF: {"two_person": True}})
    walk.read(ROOF, "22:05", device="wand-2")
    walk.read(ROOF, "22:06", device="phone-1", person="li")
    assert walk.verdict() == "pending"
    assert set(walk.reasons()) == {"second_person_missing"}


def test_three_persons_serve_once_and_the_third_is_shown() -> None:
    walk = pair()
    walk.tap("wang", "22:06")
    walk.tap("li", "22:06:30")
    walk.tap("chen", "22:07")
    assert (walk.visit().person, walk.reasons()) == ("li", ["already_served"])


def test_panic_and_incident_of_a_reader_are_no_taps() -> None:
    walk = Walk()
    walk.say(seen.Panic, "rdr-gate", "22:06", active=True)
    walk.say(seen.Incident, "rdr-gate", "22:06", code="7")
    assert (walk.verdict(), walk.unmatched()) == ("pending", [])


def test_two_routes_at_one_checkpoint_are_judged_by_their_own_guards() -> None:
    other = Route(id="second", visits=(Stop(checkpoint=GATE),), guards=("li",), accept_others=False)
    site = estate(routes=(other,), rounds=(daily("night", "22:00"), daily("second", "22:00", lasts=HOUR)))
    walk = Walk(site)
    walk.tap("wang", "22:06")
    walk.tap("li", "22:07")
    assert [(walk.visit(route=route).person) for route in ("night", "second")] == ["wang", "li"]
    assert GARAGE not in {visit.checkpoint for visit in walk.round().visits}


def test_a_tap_is_not_spent_on_a_visit_that_nobody_has_to_walk() -> None:
    """Two routes overlap at the gate; in one of them it is optional, and the tap is nearer to what that asks for."""
    again = Route(id="again", visits=(Stop(checkpoint=GATE, optional=True),))
    walk = Walk(
        route={"visits": (Stop(checkpoint=GATE, after=8 * MINUTE),)},
        routes=(again,),
        rounds=(daily("night", "22:00"), daily("again", "22:04", lasts=25 * MINUTE)),
    )
    walk.alive("21:50", "22:05")
    walk.tap("wang", "22:05:07")
    walk.alive("22:06", "22:45")
    walk.until("22:46")
    assert walk.verdict() == "on_time"
    assert walk.verdict(start="22:04", route="again") == "skipped"
