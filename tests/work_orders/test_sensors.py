"""What the rules know of a lamp decides whether its sensor can show a repair; in the judgement, from observation to order."""

from __future__ import annotations

from datetime import UTC

from device_drivers.observations import LightLevel
from gateway.books import BookOperation
from gateway.instants import MINUTE, moment
from gateway.judgement import Judgement
from gateway.work_orders.book import WorkOrders
from tests.rules.lit_night import clock, lamp, site_of


def test_a_lamp_mended_by_day_is_contradicted_by_nobody_and_proved_in_the_evening():
    site = site_of(lamp("lamp"))
    judgement = Judgement(site, clock("12:00"))
    book = judgement.books["work_order"]
    assert isinstance(book, WorkOrders)

    def seen(since: str, until: str, lux: float) -> None:
        for at in range(clock(since), clock(until), 10 * MINUTE):
            judgement.apply(LightLevel(device="lux-lamp", at=moment(at, UTC), lux=lux), at)

    def act(at: str, action: str) -> None:
        judgement.operate(BookOperation(at=clock(at), by="m-liu", book="work_order", action=action, subject=order))

    seen("12:00", "16:30", 0.5)
    seen("17:50", "21:00", 80.0)
    seen("21:00", "05:50", 0.5)
    (found,) = [each for each in book.orders() if each.rule == "lamp_failure"]
    order = found.id
    assert (found.state, found.fault, found.place) == ("reported", "standing", "corridor")
    seen("06:40", "09:00", 0.5)
    act("09:00", "arrive")
    act("09:10", "repair")
    seen("09:10", "11:50", 0.5)
    judgement.advance(clock("11:55"))
    repair = book.order(order).repair
    assert not repair.contradicted
    seen("+1 12:00", "+1 16:50", 0.5)
    assert not book.order(order).repair.contradicted
    seen("+1 17:00", "+1 20:00", 80.0)
    judgement.advance(clock("+1 21:00"))
    done = book.order(order)
    assert done.repair.proved is not None
    assert not done.repair.contradicted
    assert (done.state, done.repair.at) == ("closed", done.repair.stated)
