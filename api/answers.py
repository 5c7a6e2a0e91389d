"""Answers: JSON by msgspec, an ETag on what is polled, pages by cursor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from heapq import nsmallest
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response

from api.problems import Denied
from gateway.instants import Instant, parse_instant

Item = TypeVar("Item")
Mark = tuple[str | int, ...]
"""Where a page ended: the sorting key of its last item."""

DEFAULT_LIMIT = 200
MOST = 1000
_FIRST, _LAST = parse_instant("1000-01-01T00:00:00Z"), parse_instant("9000-01-01T00:00:00Z")
"""No query reaches beyond: calendars and zones have no dates there."""

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
Moment = Annotated[
    str | None,
    Query(max_length=40, description="RFC 3339 time with offset.", examples=["2026-11-22T23:00:00+08:00"]),
]


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A part of a list. `next` given back as `cursor` gives the next part; null: this was the last."""

    items: Sequence[Item]
    next: str | None = None


def answer(request: Request, value: Any, status: int = 200) -> Response:
    """`value` as JSON with an ETag; 304 if the caller has it already."""
    return tagged(request, msgspec.json.encode(value), "application/json", status)


def tagged(request: Request, body: bytes, media_type: str, status: int = 200) -> Response:
    """Any body with an ETag; 304 if the caller has it already (RFC 9110 §13.1.2)."""
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Accept-Language"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if status == 200 and (tag in known or "*" in known):
        return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, media_type=media_type, headers=headers)


def page(items: Iterable[Item], key: Callable[[Item], Mark], cursor: str | None, limit: int) -> Page[Item]:
    """The part of `items`, in the order of `key`, that follows `cursor`."""
    after = read_cursor(cursor)
    try:
        rest = items if after is None else [item for item in items if key(item) > after]
    except TypeError as error:
        raise _no_cursor() from error
    wanted = nsmallest(limit + 1, rest, key=key)
    shown = wanted[:limit]
    return Page(items=shown, next=write_cursor(key(shown[-1])) if len(wanted) > limit else None)


def write_cursor(mark: Mark) -> str:
    """A mark as an opaque text that is safe in an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(mark)).decode().rstrip("=")


def read_cursor(cursor: str | None) -> Mark | None:
    """The mark in a cursor.

    Raises:
        Denied: 422, it is none of ours.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[str | int, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _no_cursor() from error


def row_cursor(cursor: str | None) -> int | None:
    """The journal row a cursor stands for.

    Raises:
        Denied: 422, it is none of ours.
    """
    mark = read_cursor(cursor)
    if mark is None:
        return None
    match mark:
        case (int() as row,):
            return row
    raise _no_cursor()


def at(text: str | None, name: str) -> Instant | None:
    """The instant of a query parameter.

    Raises:
        Denied: 422, not an RFC 3339 time with offset.
    """
    if text is None:
        return None
    try:
        found = parse_instant(text)
        if not _FIRST <= found <= _LAST:
            raise Denied(422, f"{name}: expected a time between the years 1000 and 9000.", "invalid")
        return found
    except (ValueError, OverflowError) as error:
        hint = " ('+' in an address is written %2B)" if " " in text else ""
        raise Denied(422, f"{name}: expected an RFC 3339 time with offset, got {text!r}{hint}.", "invalid") from error


def _no_cursor() -> Denied:
    return Denied(422, "cursor: expected the `next` of a page of this list.", "invalid")
