"""What the rules know of a lamp decides whether its sensor can show a repair; in the judgement, from observation to order."""

from __future__ import annotations

from datetime import UTC

from msgspec.structs import replace

from device_drivers.observations import LampFault, LightLevel
from gateway.books import BookOperation
from gateway.instants import MINUTE, moment
from gateway.judgement import Judgement
from gateway.site.model import Device
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


def test_an_order_hears_that_a_new_site_file_has_ended_its_alert():
    site = site_of(lamp("lamp"))
    gear = Device(id="gear", driver="native", kind="control_gear")
    judgement = Judgement(replace(site, devices={**site.devices, "gear": gear}), clock("12:00"))
    judgement.apply(
        LampFault(device="gear", lamp="lamp", at=moment(clock("12:10"), UTC), fault="relay_failure"), clock("12:10")
    )
    after = Judgement(site, clock("12:00"))
    after.restore(judgement.snapshot())
    after.restarted(clock("12:10"), clock("12:11"))
    book = after.books["work_order"]
    assert isinstance(book, WorkOrders)
    assert [(each.rule, each.fault) for each in book.orders()] == [("relay_failure", "ended_by_itself")]
    after.advance(clock("12:30"))
    assert [(each.state, each.reason) for each in book.recent()] == [("cancelled", "ended_by_itself")]
