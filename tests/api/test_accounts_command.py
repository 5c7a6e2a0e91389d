"""`lamplighter user` and `lamplighter key` on a real journal: what the console can do, the command line can."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.cli import main
from gateway.journal.store import Store, connect_snapshot
from gateway.journal.verification import verify
from gateway.runtime import Gateway
from tests.api import scene
from tests.api.conftest import BASE

PASSWORD = "four lamps on a wet street"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    Store(tmp_path).close()
    return tmp_path


class Shell:
    """Runs the command on one journal."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.data, self.monkeypatch, self.capsys = data, monkeypatch, capsys
        self.said = self.complained = ""

    def __call__(self, *words: str, typed: str = PASSWORD) -> int:
        self.monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
        self.capsys.readouterr()
        status = main([*words, "--data", str(self.data)])
        self.said, self.complained = self.capsys.readouterr()
        return status

    def listed(self, command: str = "user") -> dict[str, dict[str, Any]]:
        assert self(command, "list", "--json") == 0
        return {each["name"]: each for each in json.loads(self.said)}


@pytest.fixture
def shell(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(data, monkeypatch, capsys)


def test_whose_account_it_is_and_what_it_sees_is_said_and_changed(shell: Shell) -> None:
    words = ("--role", "viewer", "--person", "g-wang", "--places", "tower-1, garage", "--password-stdin")
    assert shell("user", "add", "tenant", *words) == 0
    assert (shell.listed()["tenant"]["person"], shell.listed()["tenant"]["places"]) == ("g-wang", ["garage", "tower-1"])
    assert shell("user", "list") == 0
    assert "places garage, tower-1" in shell.said
    assert shell("user", "add", "other", "--role", "guard", "--person", "g-wang", "--password-stdin") == 2
    assert "another account" in shell.complained
    assert shell("user", "role", "tenant", "--role", "admin") == 2
    assert shell("user", "places", "tenant") == 0
    assert shell("user", "person", "tenant") == 0
    assert (shell.listed()["tenant"]["person"], shell.listed()["tenant"]["places"]) == (None, None)


def test_a_pin_is_for_guards_and_not_trivial(shell: Shell) -> None:
    assert shell("user", "add", "wang", "--role", "guard", "--password-stdin") == 0
    assert shell("user", "add", "chen", "--role", "operator", "--password-stdin") == 0
    assert shell("user", "pin", "wang", "--pin-stdin", typed="1234") == 2
    assert "guessed first" in shell.complained
    assert shell("user", "pin", "chen", "--pin-stdin", typed="407193") == 2
    assert shell("user", "pin", "wang", "--pin-stdin", typed="407193") == 0
    assert shell.listed()["wang"]["pin"]
    assert shell("user", "role", "wang", "--role", "viewer") == 0
    assert not shell.listed()["wang"]["pin"], "who is a guard no more enters by PIN no more"
    assert shell("user", "role", "wang", "--role", "guard") == 0
    assert shell("user", "pin", "wang", "--pin-stdin", typed="407193") == 0
    assert shell("user", "pin", "wang", "--remove") == 0
    assert not shell.listed()["wang"]["pin"]


async def test_links_of_the_command_line_let_in_at_the_console(data: Path, shell: Shell) -> None:
    assert shell("user", "add", "wang", "--role", "guard", "--link", "--url", BASE) == 0
    phone = next(line for line in shell.said.splitlines() if line.startswith(BASE))
    assert shell("user", "add", "chen", "--role", "operator", "--link", "--url", BASE + "/") == 0
    choose = next(line for line in shell.said.splitlines() if line.startswith(BASE))
    assert shell("user", "link", "chen", "--url", BASE) == 2
    async with Gateway(scene.site(), data) as gateway:
        transport = httpx.ASGITransport(app=create_app(gateway))
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
            token = phone.partition("token=")[2]
            assert (await client.post("/login/link", data={"token": token})).headers["location"] == "/phone"
            client.cookies.clear()
            assert "chen" in (await client.get(choose)).text
            form = {"token": choose.partition("token=")[2], "password": PASSWORD, "again": PASSWORD}
            assert (await client.post("/login/password", data=form | {"again": "x"})).status_code == 422
            assert (
                await client.post("/login/password", data=form | {"password": "x", "again": "x"})
            ).status_code == 422
            assert (await client.post("/login/password", data=form)).headers["location"] == "/"
            assert (await client.get("/api/v1/site")).status_code == 200
            client.cookies.clear()
            assert (await client.post("/login/password", data=form)).status_code == 401, "used up"
            assert (await client.post("/login", data={"name": "chen", "password": PASSWORD})).status_code == 303
            assert shell("user", "sign-out", "chen") == 0
            assert "2 sessions" in shell.said


async def test_who_is_added_while_the_gateway_runs_sees_his_name_on_his_first_page(data: Path, shell: Shell) -> None:
    assert shell("user", "add", "chen", "--role", "operator", "--password-stdin") == 0
    async with Gateway(scene.site(), data) as gateway:
        transport = httpx.ASGITransport(app=create_app(gateway))
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
            for name in ("chen", "m-liu"):
                assert name == "chen" or shell("user", "add", name, "--role", "maintenance", "--password-stdin") == 0
                client.cookies.clear()
                await client.post("/login", data={"name": name, "password": PASSWORD})
                assert f">{name}</a>" in (await client.get("/rounds")).text


async def test_keys_are_made_listed_and_revoked(data: Path, shell: Shell) -> None:
    assert shell("key", "list") == 0
    assert "no keys" in shell.said
    assert shell("key", "add", "wall", "--role", "viewer", "--rights", "estate", "--days", "10") == 0
    text, number = shell.said.strip(), shell.complained.split()[0]
    assert text.startswith("lk_")
    assert shell.listed("key")["wall"]["rights"] == ["estate"]
    async with Gateway(scene.site(), data) as gateway:
        transport = httpx.ASGITransport(app=create_app(gateway))
        async with httpx.AsyncClient(
            transport=transport, base_url=BASE, headers={"Authorization": f"Bearer {text}"}
        ) as client:
            assert (await client.get("/api/v1/lamps")).status_code == 200
            assert (await client.get("/api/v1/site")).status_code == 403
    assert shell("key", "revoke", number) == 0
    assert shell("key", "revoke", number) == 2
    assert shell("key", "list") == 0
    assert "revoked" in shell.said
    assert text not in shell.said
    connection = connect_snapshot(data / "journal.db")
    assert verify(connection).intact
    connection.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--role", "viewer", "--rights", "handle"), "cannot have"),
        (("--role", "admin", "--rights", "accounts"), "cannot have"),
        (("--role", "admin", "--rights", "nothing"), "cannot have"),
        (("--role", "viewer", "--days", "0"), "ends"),
        (("--role", "viewer", "--days", "9999"), "two years"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(shell: Shell, words: tuple[str, ...], why: str) -> None:
    assert shell("key", "add", "wall", *words) == 2
    assert why in shell.complained


def test_the_last_administrator_stays_even_against_the_register_itself(data: Path, shell: Shell) -> None:
    assert shell("user", "add", "boss", "--role", "admin", "--password-stdin") == 0
    assert shell("user", "add", "second", "--role", "admin", "--link") == 0
    for words in (("disable", "boss"), ("role", "boss", "--role", "viewer"), ("erase", "boss")):
        assert shell("user", *words) == 2, "nobody has a password for the second yet"
        assert "last administrator" in shell.complained
    assert shell("user", "disable", "second") == 0
    store = Store(data)
    for statement in (
        "UPDATE accounts SET disabled = 1 WHERE login = 'boss'",
        "UPDATE accounts SET role = 'viewer' WHERE login = 'boss'",
        "DELETE FROM accounts WHERE login = 'boss'",
    ):
        with pytest.raises(Exception, match="the last administrator stays"):
            store.writer.execute(statement)
    store.close()
    assert shell("user", "enable", "second") == 0
    assert shell("user", "password", "second", "--password-stdin") == 0
    assert shell("user", "erase", "boss") == 0
