"""The OpenAPI document: routes and parameters from FastAPI, shapes and examples from here."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.arrangements import AlertSilence, DutyShape, SilenceEnd, SilenceHistory, SilenceWish, SwapAction, SwapEnd
from api.assessments import AppealBody, DecisionBody, ExtraBody, FindingBody, MarkBody, Revision, WhyBody, WithdrawBody
from api.enrolments import (
    EnrolmentEffect,
    EnrolPersonBody,
    EnrolTagBody,
    TagOwner,
    TagShape,
    UnknownTag,
    WithdrawTagBody,
)
from api.notices import ContactTest, NoticeShape
from api.orders import LedgerShape, OrderAction, OrderFromAlert, OrderShape, ReportBody
from api.phone.plan import PhonePlan
from api.phone.shapes import PhonePhoto, PhoneShape, TakenShape
from api.problems import MEDIA_TYPE
from api.shapes import (
    AccountShape,
    AlertAction,
    ChainShape,
    CheckpointNote,
    DeviceAction,
    DeviceShape,
    PersonShape,
    PlaceShape,
    PlanShape,
    ProblemShape,
    QuarantineGroup,
    QuarantineShape,
    ReadyShape,
    RereadWish,
    SiteShape,
)
from api.users import (
    AuditShape,
    KeyMade,
    KeyNew,
    KeyShape,
    LinkShape,
    MeShape,
    OwnPassword,
    OwnPin,
    PinBody,
    SessionShape,
    UserChange,
    UserNew,
    UserShape,
)
from device_drivers.phone.handover import Handover
from gateway.alerts.alert import Alert
from gateway.alerts.duty import Swap
from gateway.alerts.silences import Silence
from gateway.duty_checks.check import DutyCheckItem, Photo, WeekPlan
from gateway.duty_checks.weeks import WeekCount
from gateway.explain.explanation import Explanation
from gateway.figures.coverage import CameraRate, ZoneMinutes
from gateway.figures.lamps import LampRate
from gateway.figures.predictability import Predictability
from gateway.figures.protection import PlaceProtection
from gateway.rereading import Rereading
from gateway.rules.findings import Camera, Circuit, Gap, Lamp, Round, Unmatched, Zone
from gateway.scores.book import Appeal, Mark, YearEnd
from gateway.scores.document import ScoreDocument

SHAPES = (
    AccountShape, ChainShape, CheckpointNote,
    Alert, AlertAction, AlertSilence, Camera, CameraRate, Circuit, DeviceAction, DeviceShape, DutyShape, Explanation, Gap, Lamp, LampRate,
    LedgerShape, OrderAction, OrderFromAlert, OrderShape, PersonShape, PlaceProtection, PlaceShape, PlanShape, Predictability, ProblemShape, QuarantineShape, ReadyShape, ReportBody,
    Round, Silence, SilenceEnd, SilenceHistory, SilenceWish, SiteShape, Swap, SwapAction,
    SwapEnd, Unmatched, Zone, ZoneMinutes,
    Appeal, AppealBody, DecisionBody, DutyCheckItem, ExtraBody, FindingBody, Mark, MarkBody, Photo, Revision, ScoreDocument, WeekCount,
    WeekPlan, WhyBody, WithdrawBody, YearEnd,
    ContactTest, NoticeShape, LinkShape, PinBody, UserChange, UserNew, UserShape,
    AuditShape, KeyMade, KeyNew, KeyShape, MeShape, OwnPassword, OwnPin, SessionShape,
    Handover, PhonePhoto, PhonePlan, PhoneShape, TakenShape,
    QuarantineGroup, RereadWish, Rereading,
    EnrolPersonBody, EnrolTagBody, EnrolmentEffect, TagOwner, TagShape, UnknownTag, WithdrawTagBody,
)  # fmt: skip

_VISIT = {
    "checkpoint": "cp-garage", "position": 1, "due": "2026-11-22T23:00:00+08:00", "opens": "2026-11-22T22:50:00+08:00",
    "closes": "2026-11-22T23:10:00+08:00", "verdict": "on_time", "revision": 1, "at": "2026-11-22T23:01:12+08:00",
    "device_at": "2026-11-22T23:01:12+08:00", "person": "g-wang", "deviation_s": 72, "marks": [], "cause": None,
    "watermark": "2026-11-22T23:10:00+08:00", "corroboration": {"result": "supported", "by": ["pir-garage"]},
}  # fmt: skip

EXAMPLES: dict[str, dict[str, Any]] = {
    "Round": {
        "id": "night@2026-11-22T23:00+08:00", "route": "night", "date": "2026-11-22",
        "start": "2026-11-22T23:00:00+08:00", "end": "2026-11-22T23:40:00+08:00", "verdict": "completed", "revision": 1,
        "marks": [], "visits": [_VISIT],
    },
    "Gap": {
        "checkpoint": "cp-garage", "window_start": "2026-11-22T22:00:00+08:00",
        "window_end": "2026-11-23T06:00:00+08:00", "largest_s": 4200, "exceeded": True,
        "exceedances": [{"from": "2026-11-23T02:00:00+08:00", "to": "2026-11-23T03:10:00+08:00", "length_s": 4200, "open": False}],
    },
    "Lamp": {
        "id": "lamp-t1-f03", "state": "faulty", "fault": "lamp_failure", "faults": ["lamp_failure"],
        "unverified": False, "cause": None, "since": "2026-11-22T23:10:00+08:00", "expected_on": True, "lit": False,
    },
    "Circuit": {"id": "c-t1-a", "state": "faulty", "fault": "circuit_fault", "since": "2026-11-22T23:20:00+08:00"},
    "Camera": {
        "id": "cam-garage-1", "state": "impaired", "impairments": ["loss"], "cause": None,
        "since": "2026-11-23T00:58:00+08:00", "flapping": False,
    },
    "Zone": {"id": "z-garage", "state": "blind", "since": "2026-11-23T00:58:00+08:00", "ok": 0, "need": 1},
    "Alert": {
        "id": "round_incomplete:night@2026-11-22T23:00+08:00#1", "rule": "round_incomplete",
        "subject": "night@2026-11-22T23:00+08:00", "severity": "minor", "state": "open",
        "raised": "2026-11-22T23:25:00+08:00", "detected": "2026-11-22T23:25:00+08:00",
        "updated": "2026-11-22T23:25:00+08:00", "caused_by": None, "message": "night 23:00 has missed points: cp-f03.",
        "history": [
            {"at": "2026-11-22T23:25:00+08:00", "from": None, "to": "open", "by": "rule:round_incomplete", "why": "raised"},
        ],
    },
    "OrderShape": {
        "id": "20261123-004", "state": "arrived", "urgency": "emergency", "area": "common", "source": "rule",
        "reported": "2026-11-23T02:00:00+08:00", "place": "tower-2", "rule": "circuit_fault", "subject": "c-t2-b",
        "alerts": ["circuit_fault/c-t2-b/1"], "what": "c-t2-b: lamps went dark together (6 of 6).", "owner": "chen",
        "assignee": "m-liu", "clock": "arrival", "due": "2026-11-23T02:30:00+08:00", "punctual": "in_time",
        "fault": "standing", "prove_at": ["cp-t2-f01", "cp-t2-f06"],
        "arrival": {
            "at": "2026-11-23T02:21:00+08:00", "person": "m-liu", "stated": "2026-11-23T02:25:00+08:00", "stated_by": "chen",
            "proved": "2026-11-23T02:21:00+08:00", "point": "cp-t2-f01", "device": "wand-1",
            "received": "2026-11-23T06:00:00+08:00",
        },
        "said": None, "answers": [],
        "history": [
            {"at": "2026-11-23T02:00:00+08:00", "from": None, "to": "reported", "by": "rule:circuit_fault", "action": "raise", "why": "circuit_fault/c-t2-b/1"},
        ],
    },
    "PlanShape": {
        "place": "garage", "image": "/plans/garage", "left": 0, "top": 0, "width": 1000, "height": 500,
        "shapes": [
            {"kind": "place", "id": "garage", "points": [[40, 40], [960, 40], [960, 460]]},
            {"kind": "lamp", "id": "lamp-garage-a1", "points": [[150, 95]]},
        ],
    },
    "NoticeShape": {
        "id": 4712, "key": "circuit_fault/c-t2-b/1/raised/1/dispatch", "contact": "dispatch", "how": "webhook",
        "alert": "circuit_fault/c-t2-b/1", "kind": "raised", "state": "retrying", "held": None,
        "created": "2026-11-22T23:20:00+08:00", "next_try": "2026-11-22T23:20:21+08:00", "title": "重要报警：回路故障 · 御溪花园",
        "body": "c-t2-b：6 盏灯同时熄灭。",
        "attempts": [{"at": "2026-11-22T23:20:10+08:00", "ok": False, "said": "the receiver answers 503"}],
    },
    "ContactTest": {"contact": "dispatch", "ok": True, "said": "accepted (204)"},
    "Silence": {
        "id": "silence/3", "kind": "silence", "state": "active", "on": "lamp", "subject": "lamp-t1-f03", "rule": None,
        "from": "2026-11-22T23:10:00+08:00", "until": "2026-11-23T00:10:00+08:00", "by": "chen", "why": "lamp is being replaced",
        "ended": None, "ended_by": None, "ended_why": None, "alerts": 1,
    },
    "Swap": {
        "id": "duty/1", "state": "agreed", "shift": "night", "date": "2026-11-22", "from": "2026-11-22T20:00:00+08:00",
        "until": "2026-11-23T08:00:00+08:00", "away": "c-li", "instead": "c-chen", "by": "h-zhou", "why": "ill",
    },
    "LampRate": {
        "id": "tower-1/f03", "lamps": 4, "on_h": 384.0, "intact_h": 369.6, "faulty_h": 2.4, "unknown_h": 12.0,
        "rate": 0.9935, "unknown_share": 0.0313, "level": 1,
    },
    "CameraRate": {
        "id": "garage", "cameras": 2, "enabled_h": 48.0, "seeing_h": 46.0, "lost_h": 1.5, "unknown_h": 0.5,
        "rate": 0.9684, "unknown_share": 0.0104, "target": 0.98, "reached": False,
    },
    "ZoneMinutes": {
        "id": "z-garage", "place": "garage", "key": True, "covered_min": 1380, "degraded_min": 0, "blind_min": 45,
        "unknown_min": 15, "absent_min": 0,
    },
    "PlaceProtection": {
        "place": "garage", "key": True,
        "blind": {"minutes": [0, 45], "unknown": [0, 15], "total_min": 45, "unknown_total_min": 15},
        "dark": {"minutes": [0, 0], "unknown": [60, 60], "total_min": 0, "unknown_total_min": 120},
        "unwalked": {"minutes": [0, 12], "unknown": [0, 0], "total_min": 12, "unknown_total_min": 0},
        "all_three": {"minutes": [0, 0], "unknown": [0, 12], "total_min": 0, "unknown_total_min": 12},
    },
    "Predictability": {
        "checkpoint": "cp-garage", "place": "garage", "visits": 112, "intervals": 98, "bits": 0.41, "random_bits": 2.3,
        "share": 0.18,
    },
    "Observation": {
        "row": 4711, "kind": "tag_read", "device": "rdr-garage", "at": "2026-11-22T23:01:12+08:00",
        "received": "2026-11-22T23:01:12+08:00", "tag": "007B3972",
    },
}  # fmt: skip

_OBSERVATION = {
    "type": "object",
    "title": "Observation",
    "description": "One decoded fact as in the evidence file, and `row`, its place in the journal. Further fields by kind.",
    "required": ["row", "kind", "device", "at", "received"],
    "properties": {
        "row": {"type": "integer"},
        "kind": {"type": "string"},
        "device": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "received": {"type": "string", "format": "date-time"},
        "boot": {"type": "string"},
        "seq": {"type": "integer"},
    },
    "additionalProperties": True,
}


def one(shape: str) -> dict[int | str, dict[str, Any]]:
    """What a route that gives one `shape` answers."""
    return {200: _content({"$ref": f"#/components/schemas/{shape}"}, EXAMPLES.get(shape))} | ERRORS


def created(shape: str) -> dict[int | str, dict[str, Any]]:
    """What a route that makes one `shape` answers."""
    return {201: _content({"$ref": f"#/components/schemas/{shape}"}, EXAMPLES.get(shape))} | ERRORS


def file(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What a route that gives a file answers."""
    content = {each: {"schema": {"type": "string", "format": "binary"}} for each in media_types}
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "The file", "content": content},
        304: {"description": "Not modified since the ETag given"},
    }
    return found | REFUSED


def many(shape: str) -> dict[int | str, dict[str, Any]]:
    """What a route that gives a page of `shape` answers."""
    schema = {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{shape}"}},
            "next": {"type": ["string", "null"], "description": "Give it back as `cursor`; null: the last page."},
        },
    }
    example = {"items": [EXAMPLES[shape]], "next": None} if shape in EXAMPLES else None
    return {200: _content(schema, example), 304: {"description": "Not modified since the ETag given"}} | ERRORS


def figures(shape: str) -> dict[int | str, dict[str, Any]]:
    """What a route answers that gives a page of `shape` over a period."""
    moment = {"type": "string", "format": "date-time"}
    schema = {
        "type": "object",
        "required": ["since", "until", "known_from", "items", "next"],
        "properties": {
            "since": moment,
            "until": moment | {"description": "As asked, but not later than what has been judged."},
            "known_from": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When recording began; null: after `until`.",
            },
            "hours": {"type": "integer", "description": "Of the protection map: hours from `since` on."},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{shape}"}},
            "next": {"type": ["string", "null"], "description": "Give it back as `cursor`; null: the last page."},
        },
    }
    return {200: _content(schema, None), 304: {"description": "Not modified since the ETag given"}} | ERRORS


def takes(shape: str, example: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route that takes `shape` as its body."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}, "example": example}}
    return {"requestBody": {"required": False, "content": content}}


def install(app: FastAPI, title: str) -> None:
    """Give `app` its document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=title, version="1", routes=app.routes, description=_DESCRIPTION)
            _, shapes = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(shapes)
            schemas["Observation"] = _OBSERVATION
            for name, example in EXAMPLES.items():
                schemas[name] = {**schemas[name], "example": example}
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            found["components"]["securitySchemes"] = {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-lamplighter"},
                "key": {"type": "http", "scheme": "bearer", "bearerFormat": "lk_ID_SECRET"},
            }
            found["security"] = [{"session": []}, {"key": []}]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _content(schema: dict[str, Any], example: dict[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": "As asked", "content": {"application/json": content}}


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
    }


ERRORS: dict[int | str, dict[str, Any]] = {
    401: _problem("Not logged in"),
    403: _problem("The role may not, or not for all of the site"),
    422: _problem("A parameter that cannot be used"),
    429: _problem("Too many requests; Retry-After says when to go on"),
}

REFUSED: dict[int | str, dict[str, Any]] = ERRORS | {
    404: _problem("There is none of that id"),
    409: _problem("Not from this state; nothing changed"),
}

_DESCRIPTION = """Rounds, lights and cameras of one site, as judged now, with the evidence.

Ids may contain `/`, `@`, `:` and `+`; in an address they may be written as they are, or percent-encoded. Times are
RFC 3339 with offset. Lists come in pages: give `next` back as `cursor`. What is polled has an ETag. Errors are RFC 9457
problem details. `/api/v1/events` tells live what changed."""
