"""Killed while it writes: the chain holds, and continues every checkpoint that was given out."""

from __future__ import annotations

import contextlib
import json
import random
import re
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from gateway.journal.notes import read_note
from gateway.journal.store import connect_snapshot
from gateway.journal.verification import Checked, verify
from tests.support.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow

KILLS = 5
SITE = {
    "site": {"id": "s", "name": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
    "places": [{"id": "gate", "name": "gate"}],
    "devices": [{"id": "rdr", "driver": "native", "kind": "reader", "place": "gate", "expect_every": "60s"}],
    "checkpoints": [{"id": "cp", "place": "gate", "reader": "rdr"}],
    "chain": {"to": "elsewhere.txt"},
    "mqtt": {"broker": "embedded", "port": 0},
}
PASSWORD = "four lamps on a wet street"


def post(client: OpenerDirector, url: str, path: str, data: bytes, kind: str) -> bytes:
    headers = {"Origin": url, "Content-Type": kind}
    with client.open(Request(url + path, data=data, headers=headers, method="POST"), timeout=5) as answer:
        body: bytes = answer.read()
        return body


def logged_in(gateway: GatewayProcess) -> OpenerDirector:
    client = build_opener(HTTPCookieProcessor(CookieJar()))
    token = re.findall(r"/setup\?token=(\S+)", gateway.log)[-1]
    form = {"token": token, "name": "boss", "password": PASSWORD, "again": PASSWORD}
    post(client, gateway.url, "/setup", urlencode(form).encode(), "application/x-www-form-urlencoded")
    return client


def checked(gateway: GatewayProcess, given: list[str]) -> Checked:
    connection = connect_snapshot(gateway.data / "journal.db")
    try:
        return verify(connection, outside=[read_note(note) for note in given])
    finally:
        connection.close()


def until_given(given: list[str], count: int) -> None:
    """Until so many checkpoints were given out in all; a busy machine takes its time."""
    deadline = time.monotonic() + 20
    while len(given) < count:
        assert time.monotonic() < deadline, f"{len(given)} checkpoints of {count}"
        time.sleep(0.02)


@contextlib.contextmanager
def busy(client: OpenerDirector, url: str, given: list[str]) -> Iterator[None]:
    """Two people who do things as fast as they can: audit rows, operations, checkpoints."""
    over = threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, URLError, HTTPException):  # killed in the middle of an answer
                if number:
                    given.append(json.loads(post(client, url, "/api/v1/chain/checkpoints", b"", "text/plain"))["note"])
                else:
                    body = json.dumps({"why": "cleaned"}).encode()
                    post(client, url, "/api/v1/devices/rdr/disable", body, "application/json")

    people = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for each in people:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in people:
            each.join()


def test_after_a_kill_anywhere_the_chain_holds_and_continues_what_was_given_out(tmp_path: Path) -> None:
    chance = random.Random(11)
    given: list[str] = []
    with GatewayProcess(tmp_path, SITE) as gateway:
        gateway.start()
        client = logged_in(gateway)
        for _ in range(KILLS):
            with busy(client, gateway.url, given):
                until_given(given, len(given) + 1)
                time.sleep(chance.uniform(0.3, 0.9))
                assert checked(gateway, []).faults == [], "also while it writes"
                gateway.kill()
            found = checked(gateway, given)
            assert found.faults == []
            assert found.outside == len(given)
            gateway.start()
        assert gateway.stop() == 0
    found = checked(gateway, given)
    assert found.faults == []
    assert found.notes == []
    assert len(given) > KILLS
    elsewhere = (gateway.data / "elsewhere.txt").read_text()
    assert all(note in elsewhere for note in given), "what was given out had been written down elsewhere, too"
