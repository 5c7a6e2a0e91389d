"""A duty check as the API shows it, the plan of a week, and what a checker may find."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gateway.duty_checks.plan import Opened

State = Literal["due", "tapped", "passed", "guard_absent", "checker_missed", "not_done", "unverifiable"]
DECIDED: frozenset[State] = frozenset({"passed", "guard_absent", "checker_missed", "not_done", "unverifiable"})

FINDINGS: dict[str, tuple[str, str]] = {
    "asleep": ("睡岗", "asleep on post"),
    "absent": ("脱岗", "absent from post"),
    "late_on_post": ("到岗迟", "late on post"),
    "incomplete_uniform": ("着装不整", "incomplete uniform"),
    "phone_use": ("玩手机", "using a phone"),
    "alcohol": ("酒后上岗", "alcohol"),
    "smoking": ("在岗吸烟", "smoking on post"),
    "no_record": ("值班记录缺失", "records not kept"),
    "equipment": ("装备不齐", "equipment incomplete"),
    "visitors": ("闲杂人员入岗", "strangers on the post"),
    "other": ("其他", "other"),
}
"""What a checker may find on a post: Chinese, English. A site adds to it with `findings`."""


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that is kept apart; `id` is the SHA-256 of its bytes, `media_type` what they are."""

    id: str
    media_type: str
    bytes: int


class DutyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What the checker found. `person`: whom it concerns, an id; None: the post. `withdrawn`: why it no longer counts."""

    number: int
    code: str
    at: datetime
    by: str
    person: str | None = None
    words: str = ""
    photo: Photo | None = None
    withdrawn: str | None = None


class DutyCheckItem(msgspec.Struct, frozen=True, kw_only=True):
    """One check of a post.

    Attributes:
        kind: `planned` from the seed, `extra` begun by hand.
        at: when it was due; `opens` and `closes`: in which time the checker's tap counts, both ends included.
        state: see `outcome.py`; `revision` counts decisions.
        cause: why it cannot be judged.
        told: whether the checker could be told in time.
        elsewhere: guards who tapped other checkpoints while the checker waited for an answer.
        off_shift: the guard who answered is not on duty by the duty calendar.
        evidence: keys of the reads that it rests on; `complete_from`, `complete_to`: over which time the record is complete, where
            absence was concluded.
    """

    id: str
    check: str
    kind: Literal["planned", "extra"]
    week: str
    post: str
    at: datetime
    opens: datetime
    closes: datetime
    state: State
    revision: int
    told: bool
    cause: str | None = None
    checker: str | None = None
    checker_at: datetime | None = None
    guard: str | None = None
    guard_at: datetime | None = None
    elsewhere: tuple[str, ...] = ()
    off_shift: bool = False
    on_duty: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    complete_from: datetime | None = None
    complete_to: datetime | None = None
    findings: tuple[DutyFinding, ...] = ()


class WeekPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The commitment to a week's moments, published before them; `opened` once the week is over.

    `owed`: how many of them lie after the publication; earlier ones are not owed.
    """

    id: str
    check: str
    week: str
    kind: Literal["plan"] = "plan"
    state: Literal["committed", "revealed"]
    per_week: int
    owed: int
    published: datetime
    commitment: str
    seed: str
    opened: Opened | None = None
