"""Whom an escalation step reaches on duty: by the calendar, by who stands in tonight, and when nobody is there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.alerts import duty
from gateway.alerts.lifecycle import Refused
from gateway.books import BookOperation
from gateway.instants import HOUR, MINUTE
from gateway.site.model import Shift
from tests.alerts.estate import ESTATE, NIGHT, Post
from tests.alerts.watch import T0

CAMERA = "camera_offline/cam-2/1"
ZONE = "zone_blind/z-garage/1"


def offline(post: Post) -> Post:
    return post.signal("raise", rule="camera_offline", subject="cam-2")


def blind(post: Post) -> Post:
    return post.signal("raise", rule="zone_blind", subject="z-garage")


def without_captain() -> Post:
    shift = replace(NIGHT, rotation=(("g-wang",),))
    return Post(replace(ESTATE, shifts={"night": shift}))


def test_the_captain_on_duty_is_told_at_his_contact():
    post = offline(Post()).at(10)
    assert post.told(CAMERA) == ["control-room", "li"]
    assert post.steps() == [(0, "step 1: control-room"), (10, "step 2: li (duty:captain c-li)")]


def test_who_is_on_duty_is_asked_when_the_step_is_taken_not_before():
    post = Post().at(9 * 60 - 5)  # 07:55: at 08:00 the night ends, and there is no day shift
    offline(post).at(9 * 60 + 40)
    assert post.told(CAMERA) == ["control-room", "manager", "manager"]
    assert post.steps()[1] == (9 * 60 + 5, "step 2 (duty:captain nobody on duty)")


def test_the_next_night_it_is_the_next_group_s_captain():
    post = Post().at(24 * 60)
    assert offline(post).at(24 * 60 + 10).told(CAMERA) == ["control-room", "chen"]


def test_with_nobody_on_duty_the_next_level_is_told_at_once_and_the_history_says_so():
    post = offline(without_captain()).at(10)
    assert post.told(CAMERA) == ["control-room", "manager"]
    assert post.steps()[1:] == [
        (10, "step 2 (duty:captain nobody on duty)"),
        (10, "step 3: manager (duty:captain nobody on duty)"),
    ]
    assert post.alert(CAMERA).level == 3


def test_with_nobody_on_duty_the_step_s_other_contacts_are_told():
    post = offline(without_captain()).at(30)
    assert post.steps()[-1] == (30, "step 3, repeat 1: manager (duty:captain nobody on duty)")


def test_a_captain_without_a_contact_is_named_and_the_next_level_told():
    shift = replace(NIGHT, rotation=(("g-wang", "c-mute"),))
    post = offline(Post(replace(ESTATE, shifts={"night": shift}))).at(10)
    assert post.steps()[1][1] == "step 2 (duty:captain no contact: c-mute)"
    assert post.told(CAMERA) == ["control-room", "manager"]


def test_a_policy_that_reaches_nobody_at_all_says_so_and_ends_exhausted():
    post = blind(without_captain()).at(24 * 60)
    assert post.told(ZONE) == []
    assert post.steps() == [
        (0, "step 1 (duty:captain nobody on duty)"),
        (0, "step 2 (duty:manager nobody on duty)"),
        (10, "step 2, repeat 1 (duty:manager nobody on duty)"),
        (20, "step 2, repeat 2 (duty:manager nobody on duty)"),
        (30, "step 2, repeat 3 (duty:manager nobody on duty)"),
        (40, "exhausted"),
    ]


def test_a_last_step_with_nobody_on_duty_falls_back_to_whom_the_policy_names():
    policies = {"only": (*ESTATE.alerting.policies["duty"][:1], *ESTATE.alerting.policies["only"][1:])}
    post = blind(Post(replace(ESTATE, alerting=replace(ESTATE.alerting, policies=policies))))
    assert post.at(10).steps()[1] == (10, "step 2: control-room (duty:manager nobody on duty)")


def test_a_guard_on_duty_is_not_told():
    post = offline(Post()).at(300)
    assert "sun" not in post.told(CAMERA)


def test_the_end_is_told_to_the_captain_who_was_told_though_he_went_home():
    post = Post().at(9 * 60 - 15)
    offline(post).at(9 * 60 + 1).signal("resolve", rule="camera_offline", subject="cam-2")
    assert post.contacts("resolved") == ["control-room", "li"]


# Who stands in


def test_who_stands_in_for_the_captain_is_told_whatever_his_roles():
    post = Post()
    post.swap("c-li", "g-sun")
    assert offline(post).at(10).told(CAMERA) == ["control-room", "sun"]
    assert [(entry.book, entry.action, entry.by, entry.why) for entry in post.entries] == [
        ("duty", "create", "op", "ill")
    ]


def test_a_swap_is_of_one_night():
    post = Post()
    post.swap("c-li", "g-sun")
    post.at(48 * 60)
    assert offline(post).at(48 * 60 + 10).told(CAMERA) == ["control-room", "li"]


def test_a_swap_ends_with_its_shift_and_the_history_says_so():
    post = Post()
    name = post.swap("c-li", "g-sun")
    post.book.duty.advance(T0 + 9 * HOUR - 1)
    assert [swap.id for swap in post.book.duty.swaps()] == [name]
    post.book.duty.advance(T0 + 9 * HOUR)
    assert post.book.duty.swaps() == []
    assert (post.book.duty.entries[-1].action, post.book.duty.entries[-1].at) == ("over", T0 + 9 * HOUR)


def test_a_cancelled_swap_leaves_it_to_the_calendar():
    post = Post()
    name = post.swap("c-li", "g-sun")
    cancel = BookOperation(at=post.now, by="op", book="duty", action="cancel", subject=name, why="well again")
    assert post.book.duty.operate(cancel).state == "cancelled"
    assert offline(post).at(10).told(CAMERA) == ["control-room", "li"]
    with pytest.raises(Refused, match="cancelled already"):
        post.book.duty.operate(cancel)


def test_a_swap_of_a_swap_leads_to_the_last_one():
    post = Post()
    post.swap("c-li", "g-sun")
    post.swap("g-sun", "c-chen")
    assert offline(post).at(10).told(CAMERA) == ["control-room", "chen"]


def test_where_the_first_of_two_swaps_is_cancelled_nobody_stands_in_for_whom_it_had_called():
    post = Post()
    first = post.swap("c-li", "c-chen")
    post.swap("c-chen", "g-sun")
    post.book.duty.operate(
        BookOperation(at=post.now, by="op", book="duty", action="cancel", subject=first, why="well again")
    )
    [shift] = post.book.duty.on(post.now)
    assert (shift.people, shift.captains) == (("g-wang", "c-li"), ("c-li",))
    [shift] = post.reborn().book.duty.on(post.now)
    assert shift.captains == ("c-li",)


def test_who_comes_beside_all_leads_only_if_nobody_else_does():
    post = Post()
    post.swap(None, "c-chen")
    assert offline(post).at(10).told(CAMERA) == ["control-room", "li"]
    post = Post()
    post.swap(None, "c-chen")
    post.swap("c-li", None)
    assert offline(post).at(10).told(CAMERA) == ["control-room", "chen"]


def test_who_stands_in_for_a_manager_is_told_as_one():
    people = dict(ESTATE.people) | {
        "h-zhou": replace(ESTATE.people["c-chen"], id="h-zhou", roles=("manager",), contact=None)
    }
    shift = replace(NIGHT, rotation=(("h-zhou",),))
    post = Post(replace(ESTATE, people=people, shifts={"night": shift}))
    post.swap("h-zhou", "g-sun")
    assert blind(post).told(ZONE) == ["sun"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"away": "c-chen", "instead": "g-sun"}, "c-chen is not on that shift"),
        ({"away": "c-li", "instead": "g-wang"}, "g-wang is on that shift already"),
        ({"away": "c-li", "instead": "g-who"}, "no person 'g-who'"),
        ({"away": None, "instead": None}, "expected who is away"),
        ({"away": "c-li", "instead": "g-sun", "shift": "day"}, "no shift 'day' begins"),
        ({"away": "c-li", "instead": "g-sun", "day": "2026-11-21"}, "no shift 'night' begins"),
        ({"away": "c-li", "instead": "g-sun", "day": "2027-11-22"}, "within 62 days"),
        ({"away": "c-li", "instead": "g-sun", "day": "9999-12-31"}, "within 62 days"),
        ({"away": "c-li", "instead": "g-sun", "day": "tomorrow"}, "this is no swap"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(wish, told):
    post = Post()
    before = post.book.snapshot()
    with pytest.raises(Refused, match=told):
        post.swap(**wish)
    assert (post.book.snapshot(), post.entries) == (before, [])


def test_a_shift_that_is_over_cannot_be_swapped():
    post = Post().at(9 * 60)
    with pytest.raises(Refused, match="is over"):
        post.swap("c-li", "g-sun")


def test_their_number_is_bounded(monkeypatch):
    monkeypatch.setattr(duty, "STANDING_LIMIT", 1)
    post = Post()
    post.swap("c-li", "g-sun")
    with pytest.raises(Refused, match="1 swaps stand already"):
        post.swap("g-wang", "g-zhao")


def test_a_new_process_knows_who_stands_in():
    post = Post()
    post.swap("c-li", "g-sun")
    offline(post.reborn()).at(10)
    assert post.told(CAMERA) == ["control-room", "sun"]


def test_two_shifts_at_once_are_both_told():
    late = Shift(id="late", since=NIGHT.since, until=NIGHT.until, rotation=(("c-chen",),), first=NIGHT.first)
    post = offline(Post(replace(ESTATE, shifts={"night": NIGHT, "late": late}))).at(10)
    assert post.told(CAMERA) == ["control-room", "li", "chen"]
    assert post.now == T0 + 10 * MINUTE
