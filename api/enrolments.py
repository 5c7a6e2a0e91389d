"""What the API takes and shows of people and tags that are enrolled while the gateway runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

_Short = Annotated[str, msgspec.Meta(max_length=64)]


class TagShape(msgspec.Struct, frozen=True, kw_only=True):
    """An enrolled tag. `tag`: its number for those with the right `tags`, else `…` and its last four digits. `source`: where it is enrolled."""

    tag: str
    person: str | None
    checkpoint: str | None
    source: Literal["file", "console"]


class TagOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a tag is. `called`: the person's name, or what the checkpoint is called."""

    person: str | None
    checkpoint: str | None
    called: str | None


class UnknownTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that was read and that nobody has enrolled: the reads in the evidence that rules still hold, and where the last one was."""

    tag: str
    reads: int
    first: datetime
    last: datetime
    device: str
    place: str | None
    checkpoint: str | None


class EnrolTagBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose a tag is: a person's, or a checkpoint's on the wall. `tag` as on the card, in hexadecimal or `dec:`. `preview`: nothing is done."""

    tag: _Short
    person: str | None = None
    checkpoint: str | None = None
    preview: bool = False


class EnrolPersonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person. `tag`: enrolled as his with him."""

    id: _Short
    name: _Short
    roles: tuple[_Short, ...] = ("guard",)
    tag: _Short | None = None


class WithdrawTagBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An enrolment that ends: its reads are of an unknown tag again, also past ones. `tag` as it is listed, or whole."""

    tag: _Short
    preview: bool = False


class ChangedVisit(msgspec.Struct, frozen=True, kw_only=True):
    """A visit whose verdict is another by an enrolment."""

    round: str
    position: int
    checkpoint: str
    before: str
    after: str
    at: datetime | None


class EnrolmentEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What an enrolment changes, or would change, of what has been judged: visits, and alerts by their new state. `done`: it was enrolled."""

    done: bool
    visits: tuple[ChangedVisit, ...]
    alerts: dict[str, str]
