"""A refusal is said in the reader's language: every sentence that the gateway refuses with has a text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import gateway
from api.console.languages import table
from api.console.refusals import problem_words, refused
from gateway.alerts import lifecycle as alerts
from gateway.alerts.lifecycle import Refused
from gateway.work_orders import lifecycle as orders
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway

GATEWAY = Path(gateway.__file__).parent
ALERT = "/api/v1/alerts/circuit_fault/c-t2-b/1"
RAISED = frozenset({"Refused", "NotEnrolled", "AccountError"})
API = (
    "access/door.py",
    "access/register.py",
    "access/keys.py",
    "access/accounts.py",
    "resources/alerts.py",
    "resources/enrolment.py",
    "resources/notices.py",
    "resources/scores.py",
    "resources/work_orders.py",
)
"""What buttons and forms of the console speak to; the rest of the API answers addresses that nobody types."""
TOLD_BY_KIND = (
    "Log in first",
    "there is already an account",
    "'x': x",
    "roles: x",
    "body: ",
    "cursor: ",
    "period: ",
    "details: ",
    "impairment: ",
    "x: not with",
    "x: x",
    "Expected close",
    "x.",
)
"""What only a program can say wrong: the reader is told what kind of refusal it is."""


def sentences() -> Iterator[tuple[str, str]]:
    """Each sentence with where it stands; `x` is filled in."""
    files = [*GATEWAY.rglob("*.py"), *(GATEWAY.parent / "api" / name for name in API)]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            said = node.args[1] if node.func.id == "Denied" else node.args[0]
            if node.func.id in {*RAISED, "Denied"} and (text := _text(said)) is not None:
                yield text, f"{file.name}:{node.lineno}"


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_part(part) for part in parts)
        case _:
            return None


def _part(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=ast.IfExp(body=ast.Constant(value=str(text)))):
            return text
        case ast.FormattedValue(value=ast.Subscript(value=ast.Name(id="wanted"))):
            return "tag"
        case ast.FormattedValue(value=ast.Name(id="scope")):
            return "place"
        case ast.FormattedValue(value=ast.Name(id="over")):
            return "over"
        case ast.FormattedValue(conversion=conversion):
            return "'x'" if conversion == ord("r") else "x"
        case _:
            raise AssertionError(node)


TABLES = [
    *((f"the alert is open: {rule}", "alert") for rule in alerts._REFUSALS.values()),
    *((f"the work order is closed: {rule}", "order") for rule in orders._REFUSALS.values()),
]


def test_every_sentence_that_refuses_has_a_text() -> None:
    known = [
        (text, where)
        for text, where in [*sentences(), *TABLES]
        if not text.startswith((*TOLD_BY_KIND, "the alert is x", "the work order is x"))
    ]
    assert len(known) > 100
    without = [f"{where}: {text}" for text, where in known if refused("zh_CN", text) is None]
    assert without == []


@pytest.mark.parametrize(
    ("sentence", "zh"),
    [
        ("the alert is closed: only an open alert can be acknowledged", "该报警现为“已关闭”，只有未确认的报警可以确认"),
        ("the work order is assigned: record the arrival first", "维修单现为“已派单”，请先登记到场"),
        ("The role viewer may not do this; it takes one of admin, manager.", "访客无权执行此操作，须由以下角色执行：系统管理员、经理"),
        ("the site has no person 'gao'", "项目中没有此人：高"),
        ("the site has no lamp 'l-9'", "项目中没有此灯具：l-9"),
        ("it is over already", "已经过去，无需再操作"),
    ],
)  # fmt: skip
def test_a_sentence_is_said_with_what_is_filled_in(sentence: str, zh: str) -> None:
    assert refused("zh_CN", sentence, {"gao": "高"}.get) == zh


def test_what_nobody_put_into_words_is_told_by_its_kind() -> None:
    assert refused("zh_CN", "somebody wrote this") is None
    assert problem_words("zh_CN", 422, "invalid", "body: expected `int`.") == table("zh_CN")["problem.invalid"]
    assert problem_words("en", 422, "invalid", "body: expected `int`.") == "body: expected `int`."
    assert problem_words("zh_CN", 401, "", "Log in first (…).") == table("zh_CN")["problem.401"]
    assert "418" in problem_words("zh_CN", 418, "", "I'm a teapot")


async def test_a_problem_says_it_to_the_reader_and_keeps_the_detail(
    operator: httpx.AsyncClient, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = "the alert is resolved: only an open alert can be acknowledged"

    async def refuse(operation: Any) -> None:
        raise Refused(sentence)

    monkeypatch.setattr(gateway, "operate", refuse)
    for language, said in (("zh-CN", "只有未确认的报警可以确认"), ("en", "only an open alert")):
        problem = (await operator.post(f"{ALERT}/ack", json={}, headers={"accept-language": language})).json()
        assert problem["detail"] == sentence
        assert said in problem["says"]


async def test_the_door_refuses_in_the_readers_language(stranger: httpx.AsyncClient, log_in: LogIn) -> None:
    chinese = {"accept-language": "zh-CN"}
    answer = await stranger.post(f"{ALERT}/ack", json={}, headers=chinese)
    assert answer.status_code == 401
    assert answer.json()["says"] == table("zh_CN")["problem.401"]
    viewer = await log_in("viewer")
    assert "无权" in (await viewer.post(f"{ALERT}/ack", json={}, headers=chinese)).json()["says"]
