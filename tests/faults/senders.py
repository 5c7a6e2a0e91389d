"""Who else speaks to a gateway of the estate, each with the ledger: a card reader and a wand on serial lines, a guard's phone and a
face camera over HTTP, and the office (enrolment, the quarantine, checkpoints).

Each goes on whatever happens to the gateway: what was not answered is sent again, as the real one does.
"""

from __future__ import annotations

import http.client
import os
import pty
import select
import threading
import time
import tty
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from api.access import beside, register
from api.access.accounts import hashed
from device_drivers.fcard_wand.device import Wand
from device_drivers.gat1400.device import Device as FaceCamera
from device_drivers.gat1400.device import Post
from device_drivers.phone.device import PhoneQueue
from device_drivers.rdm6300.device import frame
from gateway.instants import instant
from tests.faults.estate import TAG, site
from tests.faults.ledger import Key, Ledger, read_only

FACE = "34020000001190000001"
WALL = "04A1B2C3D40001"
"""The tag on the wall that phones read."""
TOKEN = "a-session-of-the-test"
ACCOUNT = "boss"
ROUNDS = 95
"""Rounds, one a minute, from two minutes before the site was made on."""


class Port:
    """A serial port with a device at its other end. It stays plugged in whatever the gateway does."""

    def __init__(self) -> None:
        self.near, self._far = pty.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)

    def close(self) -> None:
        os.close(self.near)
        os.close(self._far)


class Lines:
    """A card reader that only transmits, and a wand in its dock that is emptied."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.reader, self.dock = Port(), Port()
        self._wand = Wand(_second())
        self._kept: dict[int, Key] = {}
        """The wand's records by their place in its store."""
        self._tapped = self._frame_at = 0.0
        self._rest = b""

    def devices(self) -> list[dict[str, Any]]:
        """Their entries in the site file."""
        wand = {"driver": "fcard_wand", "portable": True, "settings": {"timezone": "UTC", "every_s": 5}}
        return [
            {"id": "rdm", "driver": "rdm6300", "place": "gate", "link": {"serial": self.reader.path}},
            {"id": "wand", **wand, "link": {"serial": self.dock.path, "baud": "115200"}},
        ]

    def act(self) -> None:
        """Answer what is asked; a card now and then; the wand is touched to something each second."""
        now = time.monotonic()
        if now - self._tapped >= 1.0:
            self._tapped = now
            self._wand.tap(TAG[2:], at := _second())
            key = Key("wand", "", instant(at))
            self._kept[self._wand.counters.written] = key
            self._ledger.send(key)
        self.card()
        ready, _, _ = select.select([self.dock.near], [], [], 0)
        if ready:
            self._wand.now = _second()
            answer = self._wand.answers(os.read(self.dock.near, 4096))
            for place in [place for place in self._kept if place <= self._wand.counters.read]:
                self._ledger.acknowledge(self._kept.pop(place))
            os.write(self.dock.near, answer)

    def card(self) -> None:
        """A card each half a second, in pieces."""
        now = time.monotonic()
        if self._rest:
            self._say(self._rest)
            self._rest = b""
        elif now - self._frame_at >= 0.5:
            self._frame_at = now
            whole = frame(TAG)
            self._say(whole[:5])
            self._rest = whole[5:]

    def _say(self, data: bytes) -> None:
        _, ready, _ = select.select([], [self.reader.near], [], 0)
        if ready:  # nobody reads while the gateway is dead: what the port does not hold is lost, as on a real line
            os.write(self.reader.near, data)

    def close(self) -> None:
        self.reader.close()
        self.dock.close()


class Web:
    """What calls the gateway over HTTP. An answer of the 200s means that it is on disk.

    Args:
        url: gives the console's address, or "" while nobody knows it.
        port: of the service for face cameras.
    """

    def __init__(self, ledger: Ledger, url: Callable[[], str], port: int) -> None:
        self._ledger = ledger
        self._url = url
        self._port = port
        self._queue = PhoneQueue("q1")
        self._phone = ""
        self._cookies = f"lamplighter={TOKEN}"
        self._face = FaceCamera(FACE, "estate", "secret")
        self.alive = 0
        """Answered heartbeats of the face camera."""
        self.enrolled: list[str] = []
        """Tags of which the office was told that they are enrolled."""
        self.reread: dict[int, str] = {}
        """Rows of the quarantine that the office was told were read again, and what came of it."""
        self.checkpoints: list[str] = []
        """Notes that were answered."""
        self._number = 0

    def phone(self) -> None:
        """A tap, handed in with all that is still kept. The first time the browser becomes a phone."""
        if not self._phone:
            said, cookies = self._ask("/api/v1/phone/begin", {})
            if said is None:
                return
            self._phone = said["device"]
            self._cookies += "".join(f"; {cookie}" for cookie in cookies)
        seq = self._queue.tap(datetime.now(UTC), WALL)
        self._ledger.send(Key(self._phone, "q1", seq))
        body = msgspec.json.decode(self._queue.hand_over(datetime.now(UTC))) | {"device": self._phone}
        said, _ = self._ask("/api/v1/phone/records", body)
        if said is not None:
            taken = [record["seq"] for record in body["records"]][: said["taken"]]
            self._queue.acknowledge(taken)
            for each in taken:
                self._ledger.acknowledge(Key(self._phone, "q1", each))

    def face(self) -> None:
        """The face camera says that it lives; when it is not known, it registers."""
        status, _ = self._post(self._face.keepalive())
        if status == 200:
            self.alive += 1
        elif status == 401:
            _, challenge = self._post(self._face.register())
            if challenge:
                self._post(self._face.register(challenge))

    def enrol(self) -> None:
        """The office enrols one more card of the guard."""
        self._number += 1
        tag = f"E{self._number:07X}"
        if self._ask("/api/v1/tags", {"tag": tag, "person": "g"})[0] is not None:
            self.enrolled.append(tag)

    def read_again(self, rows: list[int]) -> None:
        """The office has rows of the quarantine read again."""
        said, _ = self._ask("/api/v1/quarantine/reread", {"rows": rows, "also_worse": True})
        for each in (said or {}).get("rows", ()):
            self.reread[each["row"]] = each["outcome"]

    def sign(self) -> None:
        """The office wants a checkpoint."""
        said, _ = self._ask("/api/v1/chain/checkpoints", {})
        if said is not None:
            self.checkpoints.append(said["note"])

    def broken(self, journal: Path) -> list[str]:
        """I1 of what has no key: heartbeats of the face camera, enrolments, rereadings, checkpoints."""
        connection = read_only(journal)
        try:
            lives = connection.execute(
                "SELECT count(*) FROM log WHERE device = 'face' AND kind = 'camera_heartbeat'"
            ).get
            there = {row[0] for row in connection.execute("SELECT subject FROM enrolment WHERE kind = 'tag'")}
            done = connection.execute("SELECT count(*) FROM audit WHERE action = 'tag.enrol' AND outcome = 'done'").get
            made = connection.execute("SELECT count(*) FROM enrolment WHERE kind = 'tag'").get
            again = dict(connection.execute("SELECT quarantine, outcome FROM read_again ORDER BY seq"))
            notes = {row[0] for row in connection.execute("SELECT note FROM checkpoint")}
        finally:
            connection.close()
        return [
            *([f"I1 {self.alive} heartbeats answered, {lives} stored"] if lives < self.alive else []),
            *(f"I1 {tag} was enrolled, and is not" for tag in self.enrolled if tag not in there),
            *([f"I6 {made} enrolments, {done} in the audit history"] if made != done else []),
            *(f"I1 row {row} was read again, and was not" for row in self.reread if row not in again),
            *("I1 a checkpoint was answered, and is not there" for note in self.checkpoints if note not in notes),
        ]

    def _ask(self, path: str, body: Any) -> tuple[Any, list[str]]:
        """The answer, with the cookies that come with it; None: none of the 200s."""
        url = self._url()
        if not url:
            return None, []
        headers = {"Content-Type": "application/json", "Origin": url, "Cookie": self._cookies}
        asked = urllib.request.Request(url + path, msgspec.json.encode(body), headers)
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                cookies = [each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie") or ()]
                return msgspec.json.decode(answer.read()), cookies
        except urllib.error.HTTPError as refused:
            if refused.code not in {409, 503}:
                raise AssertionError(f"{path}: {refused.code} {refused.read()!r}") from refused
            return None, []
        except (OSError, http.client.HTTPException):
            return None, []

    def _post(self, post: Post) -> tuple[int, str]:
        asked = urllib.request.Request(f"http://127.0.0.1:{self._port}{post.path}", post.body, dict(post.headers))
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return int(answer.status), ""
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers.get("WWW-Authenticate", "")
        except (OSError, http.client.HTTPException):
            return 0, ""


def wide_site(mqtt: dict[str, Any], lines: Lines, web_port: int, *, contacts: tuple[str, ...] = ()) -> dict[str, Any]:
    """The estate with all of these. A round a minute: somebody taps at each reader all the time, so whatever is missed was made up."""
    made = site(mqtt, contacts=contacts)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    starts = sorted({f"{now + timedelta(minutes=number):%H:%M}" for number in range(-2, ROUNDS - 2)})
    made["devices"] += [
        *lines.devices(),
        {
            "id": "face",
            "kind": "camera",
            "driver": "gat1400",
            "device_id": FACE,
            "place": "gate",
            "expect_every": "90s",
        },
    ]
    made["checkpoints"] += [
        {"id": "cp-rdm", "place": "gate", "reader": "rdm"},
        {"id": "cp-wall", "place": "gate", "tags": [WALL]},
    ]
    made["routes"][0]["readers"] = []  # phones
    made["routes"][0]["visits"] += [{"checkpoint": "cp-rdm"}, {"checkpoint": "cp-wall"}]
    made["rounds"] = [{"route": "r", "days": "mon-sun", "starts": starts, "lasts": "1m"}]
    made["services"] = {
        "gat1400": {"host": "127.0.0.1", "port": web_port, "username": "estate", "password": "env:FAULTS_SECRET"}
    }
    return made


def admit(data: Path) -> None:
    """Make an account in the journal of a gateway that is not running: the guard's, who is an administrator, too, with a session."""
    with beside.journal_in(data) as journal:
        now = beside.now()
        change = register.added("a-0000001", ACCOUNT, "admin", now, called="G", person="g")
        row = (hashed(TOKEN), "a-0000001", now, now, now + 10**13, "127.0.0.1", "test", 1)
        with journal:
            for sql, values in change.statements:
                journal.execute(sql, values)  # type: ignore[arg-type]
            journal.execute(
                "INSERT INTO sessions (token, account, created, seen, expires, address, agent, phone) VALUES (?,?,?,?,?,?,?,?)",
                row,
            )


class Acting:
    """Threads that do each of `works` again and again, so many seconds apart, until the end. What one raises is raised at the end."""

    def __init__(self, *works: tuple[Callable[[], object], float]) -> None:
        self._ended = threading.Event()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._act, args=work, daemon=True) for work in works]

    def _act(self, work: Callable[[], object], every_s: float) -> None:
        try:
            while not self._ended.wait(every_s):
                work()
        except BaseException as error:  # noqa: BLE001 told by whoever waits for the end
            self._failed.append(error)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        if error is None and self._failed:
            raise self._failed[0]


def _second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
