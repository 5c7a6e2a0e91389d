"""Duty checks (查岗): what became of them, weekly counts, extra checks, findings and pictures.

A check that is still to come is known to nobody here: it has no row until it is due. Until it is decided only the manager and its checkers
see it; afterwards also those whom it concerns.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.concerned import person_of
from api.access.door import needs, origin_of, session_of
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, answer, at, page
from api.assessments import ExtraBody, FindingBody, WithdrawBody
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from gateway.alerts.lifecycle import Refused
from gateway.books import BookName, BookOperation
from gateway.duty_checks.check import DECIDED, Photo
from gateway.duty_checks.plan import week_of
from gateway.duty_checks.weeks import WeekCount, count
from gateway.instants import DAY, Instant, moment, parse_instant

LONGEST_SPAN = 100 * DAY
_WEEK = 8 * DAY
"""With its last night, and a change of the clock."""
_AT_ONCE = 7 * DAY
"""The journal gives at most 1000 items at once."""

PHOTO_PATH = "/api/v1/duty-checks/photos"
MOST_PHOTOS = 5000
_PHOTO = "photo/"
"""What the keys of `personal` begin with that hold pictures: of persons, therefore erasable."""

_MAGIC: tuple[tuple[str, bytes, int, bytes], ...] = (
    ("image/jpeg", b"\xff\xd8\xff", 0, b""),
    ("image/png", b"\x89PNG\r\n\x1a\n", 0, b""),
    ("image/webp", b"RIFF", 8, b"WEBP"),
)
"""(media type, first bytes, where further bytes stand, those)."""

Item = Mapping[str, Any]
Said = TypeVar("Said", bound=msgspec.Struct)


class StoredPhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's row in `personal`."""

    media_type: str
    data: bytes


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/duty-checks`."""
    site = gateway.site

    @app.get(
        "/api/v1/duty-checks", tags=["duty-checks"], responses=many("DutyCheckItem"), dependencies=[needs("rounds")]
    )
    async def read_duty_checks(
        request: Request,
        *,
        since: Moment = None,
        until: Moment = None,
        check: Annotated[str | None, Query(max_length=64, description="Only those of this id.")] = None,
        state: str | None = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Checks whose moment has come and lies in [`since`, `until`), by time; without them the last 28 days."""
        first, last = _span(gateway, since, until)
        found = [
            item
            for item in await seen(gateway, request, first, last)
            if check in {None, item["check"]} and state in {None, item["state"]}
        ]
        return answer(request, page(found, lambda item: (parse_instant(item["at"]), item["id"]), cursor, limit))

    @app.get(
        "/api/v1/duty-checks/weeks", tags=["duty-checks"], responses=many("WeekCount"), dependencies=[needs("checks")]
    )
    async def read_duty_check_weeks(
        request: Request, *, since: Moment = None, until: Moment = None, limit: Limit = DEFAULT_LIMIT
    ) -> Response:
        """How many of each week's checks were made, against `per_week`; the newest week first."""
        found = await weeks_between(gateway, *_span(gateway, since, until))
        return answer(request, {"items": found[:limit], "next": None})

    @app.get(
        "/api/v1/duty-checks/plans", tags=["duty-checks"], responses=many("WeekPlan"), dependencies=[needs("rounds")]
    )
    async def read_duty_check_plans(
        request: Request, *, since: Moment = None, until: Moment = None, limit: Limit = DEFAULT_LIMIT
    ) -> Response:
        """What each week's moments were committed to, published beforehand, and opened once the week was over."""
        first, last = _span(gateway, since, until)
        items = await all_items(gateway, "duty_check", first, last + 8 * DAY)
        found = [item for item in items if item["kind"] == "plan"]
        return answer(request, {"items": found[-limit:], "next": None})

    @app.post(
        "/api/v1/duty-checks",
        tags=["duty-checks"],
        responses=one("DutyCheckItem") | REFUSED,
        dependencies=[needs("rounds")],
        openapi_extra=takes("ExtraBody", {"check": "captain", "post": "cp-gate"}),
    )
    async def begin_duty_check(request: Request) -> Response:
        """Begin an extra, unannounced check now. For the manager and whoever makes such checks."""
        said = await body_of(request, ExtraBody)
        _checker(request, said.check)
        return answer(request, await _operate(request, "extra", None, msgspec.to_builtins(said), ""))

    @app.post(
        PHOTO_PATH,
        tags=["duty-checks"],
        responses=one("Photo") | REFUSED,
        dependencies=[needs("rounds")],
        openapi_extra={"requestBody": {"content": {media: {} for media, *_ in _MAGIC}}},
    )
    async def keep_photo(request: Request) -> Response:
        """Keep a picture (JPEG, PNG or WebP, at most 512 KiB) for a finding; the answer's `id` is its SHA-256."""
        data = await request.body()
        kind = media_type_of(data)
        if kind is None:
            raise Denied(422, "body: expected a JPEG, PNG or WebP picture.", "invalid")
        if not _checks_anything(request):
            raise Denied(404, "Only whoever makes duty checks adds pictures.")
        name = sha256(data).hexdigest()
        rows = await gateway.query(
            "SELECT count(*), max(key = ?) FROM personal WHERE key >= ? AND key < ?", (_PHOTO + name, _PHOTO, "photo0")
        )
        if rows[0][0] >= MOST_PHOTOS and not rows[0][1]:
            raise Denied(409, f"{MOST_PHOTOS} pictures are kept already.", "refused")
        stored = msgspec.json.encode(StoredPhoto(media_type=kind, data=data))
        await gateway.write(
            [
                (
                    "INSERT OR IGNORE INTO personal (key, at, body) VALUES (?, ?, ?)",
                    (_PHOTO + name, gateway.now(), stored),
                )
            ]
        )
        account = session_of(request).account.name
        await accounts.record(
            account, origin_of(request), "duty_check.photo", name, detail=f"{kind}, {len(data)} bytes"
        )
        return answer(request, Photo(id=name, media_type=kind, bytes=len(data)))

    @app.get(
        PHOTO_PATH + "/{key:path}",
        tags=["duty-checks"],
        response_class=Response,
        responses=REFUSED | {200: {"description": "The picture", "content": {media: {} for media, *_ in _MAGIC}}},
        dependencies=[needs("checks")],
    )
    async def read_photo(key: str) -> Response:
        """A picture as it was kept."""
        stored = await _photo(key)
        if stored is None:
            raise Denied(404, "There is no such picture.")
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": f'attachment; filename="{key[:12]}.{stored.media_type.partition("/")[2]}"',
            "Cache-Control": "private, no-store",
        }
        return Response(stored.data, media_type=stored.media_type, headers=headers)

    @app.post(
        PHOTO_PATH + "/{key:path}/erase",
        tags=["duty-checks"],
        status_code=204,
        responses=REFUSED,
        dependencies=[needs("erase")],
    )
    async def erase_photo(request: Request, key: str) -> Response:
        """Erase a picture for good. Its hash stays in the history."""
        if await _photo(key) is None:
            raise Denied(404, "There is no such picture.")
        await gateway.write([("UPDATE personal SET body = NULL WHERE key = ?", (_PHOTO + key,))])
        await accounts.record(session_of(request).account.name, origin_of(request), "duty_check.photo.erase", key)
        return Response(status_code=204)

    @app.post(
        "/api/v1/duty-checks/{key:path}/findings",
        tags=["duty-checks"],
        responses=one("DutyCheckItem") | REFUSED,
        dependencies=[needs("rounds")],
        openapi_extra=takes("FindingBody", {"code": "asleep", "person": "g-wang", "words": "at the desk"}),
    )
    async def find(request: Request, key: str) -> Response:
        """Enter what the checker found, with words and a picture."""
        said = await body_of(request, FindingBody)
        await _own(request, key)
        details: dict[str, Any] = {"code": said.code, "person": said.person, "words": said.words}
        if said.photo is not None:
            stored = await _photo(said.photo)
            if stored is None:
                raise Denied(422, "photo: there is no such picture; upload it first.", "invalid")
            details["photo"] = {"id": said.photo, "media_type": stored.media_type, "bytes": len(stored.data)}
        return answer(request, await _operate(request, "finding", key, details, ""))

    @app.post(
        "/api/v1/duty-checks/{key:path}/withdraw",
        tags=["duty-checks"],
        responses=one("DutyCheckItem") | REFUSED,
        dependencies=[needs("rounds")],
        openapi_extra=takes("WithdrawBody", {"number": 1, "why": "it was his break"}),
    )
    async def withdraw(request: Request, key: str) -> Response:
        """Have a finding count no longer; it stays in the history."""
        said = await body_of(request, WithdrawBody)
        await _own(request, key)
        return answer(request, await _operate(request, "withdraw", key, {"number": said.number}, said.why))

    @app.get(
        "/api/v1/duty-checks/{key:path}",
        tags=["duty-checks"],
        responses=one("DutyCheckItem") | REFUSED,
        dependencies=[needs("rounds")],
    )
    async def read_duty_check(request: Request, key: str) -> Response:
        """One check, as far as it concerns who asks."""
        item = await gateway.archive.item("duty_check", key)
        found = None if item is None else shown(gateway, request, item)
        if found is None:
            raise Denied(404, f"There is no duty check {key!r}.")
        return answer(request, found)

    def _checker(request: Request, check: str) -> None:
        if not may_check(gateway, request, check):
            raise Denied(404, f"There is no duty check {check!r} of yours.")

    def _checks_anything(request: Request) -> bool:
        account = session_of(request).account
        return account.may("checks") or any(may_check(gateway, request, check) for check in site.duty_checks)

    async def _own(request: Request, key: str) -> None:
        item = await gateway.archive.item("duty_check", key)
        if item is None or item["kind"] == "plan":
            raise Denied(404, f"There is no duty check {key!r}.")
        _checker(request, item["check"])

    async def _photo(name: str) -> StoredPhoto | None:
        rows = await gateway.query("SELECT body FROM personal WHERE key = ?", (_PHOTO + name,))
        return msgspec.json.decode(rows[0][0], type=StoredPhoto) if rows and rows[0][0] is not None else None

    async def _operate(
        request: Request, action: str, subject: str | None, details: dict[str, Any], why: str
    ) -> msgspec.Struct | None:
        return await act(gateway, accounts, request, "duty_check", action, subject, details, why)


def may_check(gateway: GatewayPort, request: Request, check: str) -> bool:
    """Whether who asks makes checks of this id, or answers for them."""
    account = session_of(request).account
    known = gateway.site.duty_checks.get(check)
    return account.may("checks") or (known is not None and person_of(gateway.site, account) in known.checkers)


def shown(gateway: GatewayPort, request: Request, item: Item) -> Item | None:
    """A check as far as it concerns who asks; None: not at all."""
    if item["kind"] == "plan":
        return None
    if may_check(gateway, request, item["check"]):
        return item
    account = session_of(request).account
    if item["state"] not in DECIDED:
        return None
    me = person_of(gateway.site, account)
    findings = [each for each in item["findings"] if me is not None and each["person"] == me]
    auditor = account.role == "viewer"
    if not auditor and (me is None or not (findings or me in {item["guard"], *item["on_duty"]})):
        return None
    return {**item, "findings": item["findings"] if auditor else findings}


async def seen(gateway: GatewayPort, request: Request, since: Instant, until: Instant) -> list[Item]:
    """Checks in [since, until) that who asks may see, by time."""
    items = await all_items(gateway, "duty_check", since, until)
    return [found for item in items if (found := shown(gateway, request, item)) is not None]


async def weeks_between(gateway: GatewayPort, since: Instant, until: Instant) -> list[WeekCount]:
    """The weeks that [since, until) touches, each counted whole, the newest first."""
    zone = gateway.site.zone_info
    first, last = (week_of(moment(at, zone).date()) for at in (since, until - 1))
    items = await all_items(gateway, "duty_check", since - _WEEK, until + _WEEK)
    return [each for each in count(gateway.site, items, gateway.now()) if first <= each.week <= last]


async def all_items(gateway: GatewayPort, book: BookName, since: Instant, until: Instant) -> list[Item]:
    """Every item of a book in [since, until), however many."""
    found: list[Item] = []
    for begin in range(since, until, _AT_ONCE):
        found += await gateway.archive.items(book, begin, min(begin + _AT_ONCE, until), 10_000)
    return found


async def act(  # noqa: PLR0917
    gateway: GatewayPort,
    accounts: Accounts,
    request: Request,
    book: BookName,
    action: str,
    subject: str | None,
    details: dict[str, Any],
    why: str,
) -> msgspec.Struct | None:
    """A person acts on an item of a book; it is in the audit, done or refused."""
    who, origin = session_of(request).account.name, origin_of(request)
    operation = BookOperation(
        at=gateway.now(), by=who, book=book, action=action, subject=subject, details=details, why=why.strip()
    )
    try:
        after = await gateway.operate(operation)
    except Refused as refusal:
        await accounts.record(who, origin, f"{book}.{action}", subject or "", outcome="refused", detail=refusal.reason)
        raise
    await accounts.record(who, origin, f"{book}.{action}", getattr(after, "id", subject or ""), detail=why.strip())
    return after


async def body_of(request: Request, shape: type[Said]) -> Said:
    """The body in its shape.

    Raises:
        Denied: 422, it is not.
    """
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error


def media_type_of(data: bytes) -> str | None:
    """What a picture's first bytes say it is; None: none that is taken."""
    for media, first, where, further in _MAGIC:
        if data.startswith(first) and data[where : where + len(further)] == further and len(data) > 32:
            return media
    return None


def _span(gateway: GatewayPort, since: str | None, until: str | None) -> tuple[Instant, Instant]:
    first, last = at(since, "since"), at(until, "until")
    last = last if last is not None else (gateway.now() + 1 if first is None else first + 28 * DAY)
    first = first if first is not None else last - 28 * DAY
    if not first <= last <= first + LONGEST_SPAN:
        raise Denied(422, "until: expected a time after `since`, at most 100 days later.", "invalid")
    return first, last
