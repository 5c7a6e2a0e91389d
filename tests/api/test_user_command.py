"""`lamplighter user` on a real journal, also beside a running gateway."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx
import pytest

from api.access.invitations import Invitations
from api.app import create_app
from api.cli import main
from gateway.alerts.alert import Operation
from gateway.instants import MINUTE
from gateway.journal.store import Store, connect_snapshot
from gateway.journal.verification import verify
from gateway.runtime import Gateway, utc_now
from tests.api import scene
from tests.api.conftest import BASE

PASSWORD = "four lamps on a wet street"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    Store(tmp_path).close()
    return tmp_path


def user(data: Path, monkeypatch: pytest.MonkeyPatch, *words: str, password: str = PASSWORD) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    return main(["user", *words, "--data", str(data)])


def accounts(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert user(data, monkeypatch, "list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    return {account["name"]: "disabled" if account["disabled"] else account["role"] for account in found}


def test_accounts_are_made_changed_and_listed(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert user(data, monkeypatch, "list") == 0
    assert "no accounts yet" in capsys.readouterr().out
    assert user(data, monkeypatch, "add", "boss", "--role", "admin", "--password-stdin") == 0
    assert user(data, monkeypatch, "add", "chen", "--role", "viewer", "--password-stdin") == 0
    assert user(data, monkeypatch, "role", "chen", "--role", "operator") == 0
    assert accounts(data, monkeypatch, capsys) == {"boss": "admin", "chen": "operator"}
    assert user(data, monkeypatch, "disable", "chen") == 0
    assert accounts(data, monkeypatch, capsys) == {"boss": "admin", "chen": "disabled"}
    assert user(data, monkeypatch, "enable", "chen") == 0
    assert user(data, monkeypatch, "list") == 0
    assert "operator" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "boss", "--role", "admin", "--password-stdin"), "already an account"),
        (("add", "a b", "--role", "admin", "--password-stdin"), "1 to 64 letters"),
        (("disable", "boss"), "last administrator"),
        (("role", "boss", "--role", "viewer"), "last administrator"),
        (("password", "nobody", "--password-stdin"), "no account"),
        (("add", "other", "--role", "viewer"), "--password-stdin"),
    ],
)
def test_what_cannot_be_done_says_why(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    why: str,
) -> None:
    assert user(data, monkeypatch, "add", "boss", "--role", "admin", "--password-stdin") == 0
    capsys.readouterr()
    assert user(data, monkeypatch, *words) == 2
    assert why in capsys.readouterr().err


def test_a_weak_password_and_a_missing_journal_are_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("add", "boss", "--role", "admin", "--password-stdin")
    assert user(data, monkeypatch, *words, password="short") == 2
    assert "10 to 128 characters" in capsys.readouterr().err
    assert user(tmp_path / "elsewhere", monkeypatch, *words) == 2
    assert "--data" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


async def test_beside_a_running_gateway_a_new_password_ends_the_sessions(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 0

    async with Gateway(scene.site(), data) as gateway:
        monkeypatch.setattr(gateway, "now", lambda: round(utc_now().timestamp()) * 1_000_000 + ahead)
        assert user(data, monkeypatch, "add", "boss", "--role", "admin", "--password-stdin") == 0
        transport = httpx.ASGITransport(app=create_app(gateway))
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
            form = {"name": "boss", "password": PASSWORD}
            assert (await client.post("/login", data=form)).status_code == 303
            assert (await client.get("/api/v1/site")).status_code == 200
            assert user(data, monkeypatch, "password", "boss", "--password-stdin", password="another long one") == 0
            ahead = MINUTE
            assert (await client.get("/api/v1/site")).status_code == 401
            assert (await client.post("/login", data=form)).status_code == 401
            assert (await client.post("/login", data=form | {"password": "another long one"})).status_code == 303


def handle(data: Path, login: str) -> str:
    connection = connect_snapshot(data / "journal.db")
    found = connection.execute("SELECT name FROM accounts WHERE login = ?", (login,)).get
    connection.close()
    assert isinstance(found, str)
    return found


async def test_a_person_is_erased_and_what_they_did_stays_under_a_number(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert user(data, monkeypatch, "add", "boss", "--role", "admin", "--password-stdin") == 0
    words = ("add", "wangqiang", "--role", "operator", "--called", "王强", "--password-stdin")
    assert user(data, monkeypatch, *words) == 0
    number = handle(data, "wangqiang")
    assert user(data, monkeypatch, "name", "wangqiang", "--called", "小王师傅") == 0
    assert user(data, monkeypatch, "name", "wangqiang", "--called", "王强") == 0
    async with Gateway(scene.site(), data) as gateway:
        app = create_app(gateway, invitations=Invitations())
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
            form = {"name": "wangqiang", "password": PASSWORD}
            assert (await client.post("/login", data=form)).status_code == 303
            assert "王强" in (await client.get("/")).text
            alert = await raised(gateway)
            operation = Operation(at=gateway.now(), by=number, action="ack", alert=alert, why="on the way")
            await gateway.operate(operation)
            page = (await client.get(f"/alerts/{alert}")).text
            assert "王强" in page
            assert number not in page
            await client.post("/logout")
            assert user(data, monkeypatch, "erase", "wangqiang") == 0
            later = gateway.now() + MINUTE
            monkeypatch.setattr(gateway, "now", lambda: later)
            await client.post("/login", data={"name": "boss", "password": PASSWORD})
            page = (await client.get(f"/alerts/{alert}?lang=en")).text
            assert f"erased person {number}" in page
        await gateway.checkpoints.make("asked")
    connection = connect_snapshot(data / "journal.db")
    assert verify(connection).intact
    connection.close()
    assert holding(data, "王强", "师傅", "wangqiang") == []
    assert user(data, monkeypatch, "erase", "boss") == 2
    assert "last administrator" in capsys.readouterr().err


def holding(data: Path, *words: str) -> list[str]:
    """The files that hold any of the words."""
    files = [path for path in data.iterdir() if path.is_file()]
    return [path.name for path in files if any(word.encode() in path.read_bytes() for word in words)]


async def raised(gateway: Gateway) -> str:
    """An alert that stands open."""
    gateway.judgement.alerts.signal(scene.Scene(gateway.site).signals()[0])
    await gateway.intake.wake()
    return gateway.judgement.alerts.alerts(active=True)[0].id
