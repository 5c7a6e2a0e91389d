"""What the API shows of work orders beside the orders themselves, and what people say with an action."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from gateway.work_orders.ledger import Ledger
from gateway.work_orders.order import Area, Order, Urgency


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of himself and his trouble, or in answer to a follow-up. Name and telephone are empty for roles that need
    no names; `erased`: it was erased.
    """

    name: str = ""
    phone: str = ""
    room: str = ""
    what: str = ""
    convenient: str = ""
    erased: bool = False


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up with its words: `said.name` who was asked, `said.what` what they said."""

    at: datetime
    by: str
    content: bool | None
    said: Said | None


class OrderShape(Order, frozen=True, kw_only=True):
    """A work order, with what its reporter said."""

    said: Said | None
    answers: Sequence[Followed]


class LedgerShape(msgspec.Struct, frozen=True, kw_only=True):
    """A month's repairs: figures, and the orders they are made of."""

    ledger: Ledger
    orders: Sequence[OrderShape]


Words = Annotated[str, msgspec.Meta(max_length=1000)]
ShortWords = Annotated[str, msgspec.Meta(max_length=100)]


class ReportBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's report. `at`: when they called, if it is written down later; `agreed`: when it is to be done; `again_of`: the order
    that it repeats.
    """

    what: Words
    name: ShortWords = ""
    phone: ShortWords = ""
    room: ShortWords = ""
    convenient: ShortWords = ""
    place: str | None = None
    urgency: Urgency = "ordinary"
    area: Area = "everyday"
    at: str | None = None
    agreed: str | None = None
    again_of: str | None = None
    why: Words = ""


class OrderFromAlert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alert an order is opened from."""

    alert: str
    urgency: Urgency = "ordinary"
    why: Words = ""


class OrderAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says with an action: `to` with assign; `at` with arrive and repair; `person` with arrive; `content`, `asked`
    and `words` with follow_up; `urgency` with prioritise.
    """

    why: Words = ""
    to: ShortWords | None = None
    at: str | None = None
    person: ShortWords | None = None
    content: bool | None = None
    asked: ShortWords = ""
    words: Words = ""
    urgency: Urgency | None = None
