"""`lamplighter notify --test`: the message, what is printed, the exit status."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.cli import main

SITE = """\
site: {id: s, name: 御溪花园, timezone: Asia/Shanghai}
alerts:
  contacts:
    desk: {console: true}
    captain: {url: env:CAPTAIN_URL, quiet: "00:00-23:59", at_most: 1/h}
    dispatch: {webhook: {url: env:DISPATCH_URL, secret: env:DISPATCH_SECRET}, language: en}
"""


class Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(401 if self.path == "/refuses" else 202)
        self.end_headers()
        self.wfile.write(b"unknown key" if self.path == "/refuses" else b"")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), Post)
    server.posts = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(tmp_path: Path, receiver: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"127.0.0.1:{receiver.server_port}"
    monkeypatch.setenv("CAPTAIN_URL", f"json://{address}/captain")
    monkeypatch.setenv("DISPATCH_URL", f"http://{address}/dispatch")
    monkeypatch.setenv("DISPATCH_SECRET", "tide")
    file = tmp_path / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    return str(file)


def test_a_webhook_gets_a_message_that_says_it_is_a_test(site, receiver, capsys):
    assert main(["notify", "--test", "dispatch", "--site", site]) == 0
    assert capsys.readouterr().out == "dispatch: delivered: accepted (202)\n"
    [(path, said)] = receiver.posts
    assert (path, said["test"], said["title"], said["notices"]) == ("/dispatch", True, "[TEST] 御溪花园", [])


def test_a_message_through_apprise_says_it_is_a_test_and_waits_for_no_quiet_hours(site, receiver):
    assert [main(["notify", "--test", "captain", "--site", site]) for _ in range(2)] == [0, 0]
    assert [said["title"] for _, said in receiver.posts] == ["【测试】御溪花园"] * 2


def test_what_the_receiver_said_is_printed_when_it_refuses(site, receiver, monkeypatch, capsys):
    monkeypatch.setenv("DISPATCH_URL", f"http://127.0.0.1:{receiver.server_port}/refuses")
    assert main(["notify", "--test", "dispatch", "--site", site]) == 1
    assert capsys.readouterr().err == "dispatch: not delivered: the receiver answers 401: unknown key\n"


def test_what_the_receiver_said_through_apprise_is_printed_and_once(site, receiver, monkeypatch, capsys):
    monkeypatch.setenv("CAPTAIN_URL", f"json://127.0.0.1:{receiver.server_port}/refuses")
    assert main(["notify", "--test", "captain", "--site", site]) == 1
    said = capsys.readouterr().err
    assert said.startswith("captain: not delivered: Failed to send JSON POST notification")
    assert said.count("401") == 1
    assert said.count("\n") == 1


def test_as_json(site, capsys):
    assert main(["notify", "--test", "desk", "--site", site, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["contact"], said["ok"], said["said"]) == ("desk", True, "shown on the console")


def test_an_unknown_contact_is_refused_and_the_known_ones_are_named(site, receiver, capsys):
    assert main(["notify", "--test", "dispach", "--site", site]) == 2
    assert "no contact 'dispach' (did you mean 'dispatch'?); the site has: desk, captain" in capsys.readouterr().err
    assert receiver.posts == []


def test_a_missing_secret_is_told_before_anything_is_sent(site, receiver, monkeypatch, capsys):
    monkeypatch.delenv("DISPATCH_SECRET")
    assert main(["notify", "--test", "dispatch", "--site", site]) == 2
    assert "DISPATCH_SECRET is not set" in capsys.readouterr().err
    assert receiver.posts == []
