"""People and tags that are enrolled while the gateway runs, and tags that were read and nobody knows."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts, AuditRow, insert_audit
from api.access.door import needs, origin_of, session_of
from api.answers import DEFAULT_LIMIT, Cursor, Limit, answer, page
from api.console.names import checkpoint_name
from api.enrolments import (
    ChangedVisit,
    EnrolmentEffect,
    EnrolPersonBody,
    EnrolTagBody,
    TagOwner,
    TagShape,
    UnknownTag,
    WithdrawTagBody,
)
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort
from api.problems import Denied
from gateway.instants import instant
from gateway.rules.findings import Unmatched
from gateway.rules.taps import enrolled
from gateway.site.enrolments import Enrolment, EnrolPerson, EnrolTag, Kind, NotEnrolled, Proposed
from gateway.site.model import Site
from gateway.site.references import ROLES
from gateway.site.tags import TagIndex, masked, parse_tag

Said = TypeVar("Said", bound=msgspec.Struct)
Wanted = Enrolment | tuple[Kind, str]

_UNKNOWN = frozenset({"unknown_tag"})


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/tags`, `/tags/unknown` and the enrolment of people."""
    site = gateway.site

    @app.get("/api/v1/tags", tags=["tags"], responses=many("TagShape"), dependencies=[needs("enrol")])
    async def read_tags(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Enrolled tags, people's first; their numbers only for administrators."""
        whole = session_of(request).account.may("tags")
        found = enrolled_tags(gateway, whole=whole)
        return answer(
            request, page(found, lambda tag: (tag.person or "", tag.checkpoint or "", tag.tag), cursor, limit)
        )

    @app.get("/api/v1/tags/unknown", tags=["tags"], responses=many("UnknownTag"), dependencies=[needs("enrol")])
    async def read_unknown(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Tags that were read and that nobody has enrolled, of the reads that the rules still hold, the latest first."""
        return answer(request, page(unknown_tags(gateway), lambda tag: (-instant(tag.last), tag.tag), cursor, limit))

    @app.get("/api/v1/tags/owner", tags=["tags"], responses=one("TagOwner") | REFUSED, dependencies=[needs("enrol")])
    async def read_owner(request: Request, tag: Annotated[str, Query(max_length=80)]) -> Response:
        """Whose a tag is, as readers and people may write it; both null: nobody's."""
        return answer(request, owner_of(site, _number(tag)))

    @app.post(
        "/api/v1/tags",
        tags=["tags"],
        responses=one("EnrolmentEffect") | REFUSED,
        dependencies=[needs("enrol")],
        openapi_extra=takes("EnrolTagBody", {"tag": "0008075634", "person": "g-wang", "preview": True}),
    )
    async def enrol_tag(request: Request) -> Response:
        """Say whose a tag is. Its past reads then count: with `preview` the answer only tells what would change."""
        body = await _body(request, EnrolTagBody)
        wanted = EnrolTag(tag=_number(body.tag), person=body.person, checkpoint=body.checkpoint)
        about = f"{masked(wanted.tag)} {wanted.person or wanted.checkpoint}"
        return answer(request, await _carry_out(request, wanted, "tag.enrol", about, preview=body.preview))

    @app.post(
        "/api/v1/tags/withdraw",
        tags=["tags"],
        responses=one("EnrolmentEffect") | REFUSED,
        dependencies=[needs("enrol")],
        openapi_extra=takes("WithdrawTagBody", {"tag": "…5634", "preview": True}),
    )
    async def withdraw_tag(request: Request) -> Response:
        """End the enrolment of a tag that was enrolled here; what the site file says is changed there."""
        body = await _body(request, WithdrawTagBody)
        tag = _listed(gateway, body.tag)
        return answer(
            request, await _carry_out(request, ("tag", tag), "tag.withdraw", masked(tag), preview=body.preview)
        )

    @app.post(
        "/api/v1/people",
        tags=["site"],
        responses=one("EnrolmentEffect") | REFUSED,
        dependencies=[needs("enrol")],
        openapi_extra=takes("EnrolPersonBody", {"id": "g-li", "name": "李娜", "roles": ["guard"], "tag": "0008075634"}),
    )
    async def enrol_person(request: Request) -> Response:
        """Enrol a person, and with `tag` his card."""
        body = await _body(request, EnrolPersonBody)
        name = body.name.strip()
        if not name:
            raise Denied(422, "name: expected what the person is called.", "invalid")
        if unknown := set(body.roles).difference(ROLES):
            raise Denied(422, f"roles: {', '.join(sorted(unknown))}: expected some of {', '.join(ROLES)}.", "invalid")
        card = None if body.tag is None else EnrolTag(tag=_number(body.tag), person=body.id)
        if card is not None and (taken := owner_of(site, card.tag)).called is not None:
            raise Denied(409, f"tag {masked(card.tag)} is enrolled already: it belongs to {taken.called}.", "refused")
        person = EnrolPerson(id=body.id, roles=body.roles)
        effect = await _carry_out(request, person, "person.enrol", body.id, name=name)
        if card is not None:
            effect = await _carry_out(request, card, "tag.enrol", f"{masked(card.tag)} {body.id}")
        return answer(request, effect)

    @app.post(
        "/api/v1/people/{person_id}/withdraw",
        tags=["site"],
        responses=one("EnrolmentEffect") | REFUSED,
        dependencies=[needs("enrol")],
    )
    async def withdraw_person(request: Request, person_id: str) -> Response:
        """End the enrolment of a person who was enrolled here, with his tags and phones. The name is erased; what he did stays under his id."""
        if ("person", person_id) not in gateway.enrolled:
            raise Denied(409, f"the person {person_id} was not enrolled here; the site file says otherwise.", "refused")
        his: list[Wanted] = [
            subject  # type: ignore[misc]
            for subject, each in gateway.enrolled.items()
            if subject[0] != "person" and getattr(each, "person", None) == person_id
        ]
        for each in his:
            assert isinstance(each, tuple)
            await _carry_out(request, each, f"{each[0]}.withdraw", masked(each[1]) if each[0] == "tag" else each[1])
        return answer(request, await _carry_out(request, ("person", person_id), "person.withdraw", person_id))

    async def _carry_out(
        request: Request, wanted: Wanted, action: str, about: str, *, preview: bool = False, name: str | None = None
    ) -> EnrolmentEffect:
        who, origin = session_of(request).account.name, origin_of(request)
        try:
            effect = _effect(await gateway.proposed(wanted), done=not preview)
            if not preview:
                row = AuditRow(who=who, address=origin.address, action=action, subject=about)
                await gateway.enrol(wanted, who, name=name, statements=[insert_audit(gateway.now(), row)])
        except NotEnrolled as error:
            if not preview:
                await accounts.record(who, origin, action, about, outcome="refused", detail=str(error))
            raise Denied(409, f"{error}.", "refused") from error
        return effect


def enrolled_tags(gateway: GatewayPort, *, whole: bool) -> list[TagShape]:
    """All enrolled tags, people's first, each with where it is enrolled."""
    site = gateway.site
    owners = [(tag, each.id, None) for each in site.people.values() for tag in each.tags]
    walls = [(tag, None, each.id) for each in site.checkpoints.values() for tag in each.tags]
    return [
        TagShape(
            tag=tag if whole else masked(tag),
            person=person,
            checkpoint=checkpoint,
            source="console" if ("tag", tag) in gateway.enrolled else "file",
        )
        for tag, person, checkpoint in [*owners, *walls]
    ]


def unknown_tags(gateway: GatewayPort) -> list[UnknownTag]:
    """Tags that were read and that nobody has enrolled, the latest read first.

    Readers give more or fewer bytes of one card: what is the end of only one longer number is that one.
    """
    site = gateway.site
    points = {each.reader: each for each in site.checkpoints.values() if each.reader is not None}
    loose = [read for read in gateway.judgement.engine.rounds.unmatched() if read.reason in _UNKNOWN]
    whole: dict[str, str] = {}
    for tag in sorted({read.tag for read in loose}, key=len, reverse=True):
        whole[tag] = TagIndex((longer, longer) for longer in set(whole.values())).find(tag) or tag
    reads: dict[str, list[Unmatched]] = {}
    for read in loose:
        reads.setdefault(whole[read.tag], []).append(read)
    found = []
    for tag, of_tag in reads.items():
        last = of_tag[-1]
        point, device = points.get(last.device), site.devices.get(last.device)
        found.append(
            UnknownTag(
                tag=tag,
                reads=len(of_tag),
                first=of_tag[0].at,
                last=last.at,
                device=last.device,
                place=point.place if point is not None else device.place if device is not None else None,
                checkpoint=point.id if point is not None else None,
            )
        )
    return sorted(found, key=lambda each: (each.last, each.tag), reverse=True)


def _effect(proposed: Proposed, *, done: bool) -> EnrolmentEffect:
    visits = tuple(
        ChangedVisit(
            round=each["round"],
            position=each["position"],
            checkpoint=each["checkpoint"],
            before=each["before"],
            after=each["verdict"],
            at=each["visit"]["at"],
        )
        for each in proposed.revisions
        if each["before"] != each["verdict"]
    )
    alerts = {each["alert"]["id"]: each["alert"]["state"] for each in proposed.transitions}
    return EnrolmentEffect(done=done, visits=visits, alerts=alerts)


def _number(text: str) -> str:
    try:
        return parse_tag(text)
    except ValueError as error:
        raise Denied(422, f"tag: {error}.", "invalid") from error


def _listed(gateway: GatewayPort, text: str) -> str:
    """A tag that was enrolled here, as it is listed or whole."""
    here = [subject for kind, subject in gateway.enrolled if kind == "tag"]
    if text.startswith("…"):
        fitting = [tag for tag in here if masked(tag) == text]
        if len(fitting) > 1:
            raise Denied(409, f"{len(fitting)} tags end with {text[1:]}; an administrator sees them whole.", "refused")
        return fitting[0] if fitting else text
    return _number(text)


def owner_of(site: Site, tag: str) -> TagOwner:
    """Whose a tag is, though readers give more or fewer of its bytes than the list."""
    owner = enrolled(site).find(tag)
    if owner is None:
        return TagOwner(person=None, checkpoint=None, called=None)
    called = site.people[owner.person].name if owner.person else checkpoint_name(site, owner.checkpoint or "")
    return TagOwner(person=owner.person, checkpoint=owner.checkpoint, called=called)


async def _body(request: Request, shape: type[Said]) -> Said:
    raw = await request.body()
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Denied(422, f"body: {error}.", "invalid") from error
