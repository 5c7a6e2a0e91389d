"""A gateway killed with SIGKILL at every step of telling somebody: every notice arrives, a repeat is known by its key, nobody waits for
another, and no history is rewritten.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import msgspec
import paho.mqtt.client as mqtt
import pytest

from tests.faults.receivers import BROKEN, HANGS, HOLDS, HOOK, LIMITED, REFUSES, SLOW, WELL, Receivers
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import free_port

pytestmark = pytest.mark.slow

KILLS = 5
BUTTONS = tuple(f"btn-{number}" for number in range(KILLS))
PASSWORD = {"BROKER_PASSWORD": "secret"}
Rows = list[tuple[Any, ...]]


def contact(name: str) -> dict[str, Any]:
    """How a contact is told: through Apprise, or by a signed webhook."""
    url = f"env:{name.upper()}_URL"
    return {"webhook": {"url": url, "secret": "env:BROKER_PASSWORD"}} if name.startswith(HOOK) else {"url": url}


class Night:
    """A gateway with panic buttons, whose alerts are told to some contacts at once."""

    def __init__(self, folder: Path, receivers: Receivers, contacts: tuple[str, ...]) -> None:
        self.receivers = receivers
        self.contacts = contacts
        self.pressed: dict[str, int] = {}
        self._port = free_port()
        self._seq = 0
        self._history: dict[str, Rows] = {}
        site = {
            "site": {"id": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
            "places": [{"id": "gate"}],
            "devices": [{"id": name, "driver": "native", "kind": "sensor", "place": "gate"} for name in BUTTONS],
            "alerts": {
                "policies": {"default": [{"after": "0s", "notify": list(contacts)}]},
                "contacts": {name: contact(name) for name in contacts},
            },
            "mqtt": {"broker": "embedded", "port": self._port, "username": "env:BROKER_PASSWORD", "password": "env:BROKER_PASSWORD"},
        }  # fmt: skip
        self.gateway = GatewayProcess(folder, site)

    def start(self) -> None:
        """Start it; whoever waits for a repeat need not wait longer (the waits are up to half an hour)."""
        if (self.gateway.data / "journal.db").exists():
            with self.journal() as journal:
                journal.execute("UPDATE notice SET next_try = min(next_try, ?)", (time.time_ns() // 1000,))
        self.gateway.start(**PASSWORD, **{f"{name.upper()}_URL": self.receivers.url(name) for name in self.contacts})

    def kill(self) -> None:
        """SIGKILL; the history must begin with what it was at the last one."""
        self.gateway.kill()
        self.grown()

    @contextmanager
    def journal(self) -> Iterator[apsw.Connection]:
        """The test's own connection."""
        with closing(apsw.Connection(str(self.gateway.data / "journal.db"))) as connection:
            connection.set_busy_timeout(5000)
            yield connection

    def press(self, button: str, *, active: bool = True) -> None:
        """A panic, or its end; returns when the gateway has acknowledged it, which means that it is on disk."""
        self._seq += 1
        body = {"kind": "panic", "at": datetime.now(UTC), "boot": "b", "seq": self._seq, "active": active}
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="buttons")
        client.username_pw_set("secret", "secret")
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        try:
            sent = client.publish(f"lamplighter/s/{button}/up", msgspec.json.encode(body), qos=1)
            sent.wait_for_publish(10)
            assert sent.is_published()
        finally:
            client.disconnect()
            client.loop_stop()
        if active:
            self.pressed[button] = self.pressed.get(button, 0) + 1

    def heard(self, contact: str, button: str) -> list[str]:
        """The keys of the messages about a button's alert that a contact took."""
        about = f"panic/{button}/"
        return [
            told.key for told in self.receivers.taken(contact) if any(key.startswith(about) for key in told.notices)
        ]

    def until_told(self, contact: str, button: str, times: int = 1) -> None:
        """Wait until a contact took so many messages about a button."""
        self.receivers.wait(lambda: len(self.heard(contact, button)) >= times, f"{contact} told of {button}")

    def attempts(self, contact: str) -> Rows:
        """(ok, detail) of what was recorded for a contact."""
        return self.gateway.query(
            "SELECT a.ok, a.detail FROM notice_attempt a JOIN notice n ON n.seq = a.notice "
            f"WHERE n.contact = '{contact}' ORDER BY a.id"
        )

    def grown(self) -> None:
        """Histories only grow, and time never goes back in them."""
        for table, order in (("alert_transition", "seq"), ("notice_attempt", "id")):
            rows = self.gateway.query(f"SELECT * FROM {table} ORDER BY {order}")
            before = self._history.get(table, [])
            assert rows[: len(before)] == before, f"{table} was rewritten"
            self._history[table] = rows
        by_alert: dict[str, list[tuple[int, str | None, str]]] = {}
        for at, alert, body in self.gateway.query("SELECT at, alert, body FROM alert_transition ORDER BY seq"):
            step = msgspec.json.decode(body)["transition"]
            by_alert.setdefault(alert, []).append((at, step["from"], step["to"]))
        for alert, steps in by_alert.items():
            assert steps[0][1] is None, f"{alert} begins once"
            for (earlier, _, state), (later, before, _) in pairwise(steps):
                assert later >= earlier, f"time goes back in the history of {alert}"
                assert before == state, f"{alert}: a step is missing, or is there twice"

    def all_well(self) -> None:
        """Everybody answers again; the gateway runs on until nobody is left to tell of a call, and all that was promised is looked at."""
        self.receivers.behave = {}
        self.receivers.let_go()
        left = "SELECT contact, key FROM notice WHERE next_try IS NOT NULL AND alert LIKE 'panic/%'"
        self.receivers.wait(lambda: not self.gateway.query(left), "all notices are told")
        for contact in self.contacts:
            taken = {key for told in self.receivers.taken(contact) for key in told.notices}
            for button in self.pressed:
                assert self.heard(contact, button), f"{contact} was never told of {button}"
            missing = {
                key for (key,) in self.gateway.query(f"SELECT key FROM notice WHERE contact = '{contact}'")
            } - taken
            assert not missing, f"{contact} never got {missing}"
        keys: dict[tuple[str, frozenset[str]], str] = {}
        for told in self.receivers.told:
            of = told.contact, frozenset(told.notices)
            assert keys.setdefault(of, told.key) == told.key, "the same notices had another key"
        assert len(set(keys.values())) == len(keys), "different messages had the same key"
        in_doubt: dict[tuple[str, str], str] = {}
        for told in self.receivers.told:
            for notice in told.notices:
                assert in_doubt.get((told.contact, notice), told.key) == told.key, (
                    f"{notice} came again under another key"
                )
                if not 400 <= told.status < 500:
                    in_doubt[told.contact, notice] = told.key
        assert self.gateway.query("SELECT key FROM notice GROUP BY key HAVING count(*) > 1") == []
        raised = dict(
            self.gateway.query("SELECT alert, count(*) FROM notice WHERE alert LIKE 'panic/%' GROUP BY alert")
        )
        assert len({alert.split("/")[1] for alert in raised}) == len(self.pressed)
        assert self.gateway.stop() == 0
        self.grown()
        assert self.gateway.query("PRAGMA integrity_check") == [("ok",)]


@contextmanager
def night(folder: Path, *contacts: str) -> Iterator[Night]:
    with Receivers() as receivers:
        one = Night(folder, receivers, contacts)
        with one.gateway:
            one.start()
            yield one


def test_killed_while_some_receivers_fail_each_in_its_own_way(tmp_path: Path) -> None:
    failing = {"broken": BROKEN, "refuses": REFUSES, "limited": LIMITED, "hook_broken": BROKEN, "hook_limited": LIMITED}
    hanging = {"hangs": HANGS, "hook_hangs": HANGS}
    with night(tmp_path, "well", "slow", "hook_well", *failing, *hanging) as one:
        receivers = one.receivers
        receivers.behave = {"slow": SLOW, **failing, **hanging}
        one.press("btn-0")
        for contact in ("well", "hook_well", "slow"):
            one.until_told(contact, "btn-0")
        receivers.wait(lambda: set(receivers.held) == set(hanging), "two hang, and nobody waited for them")
        receivers.wait(
            lambda: all(one.attempts(each) for each in (*failing, "well", "slow", "hook_well")), "all is recorded"
        )
        assert [one.attempts(contact)[0][0] for contact in failing] == [0] * len(failing)
        assert not any(one.attempts(contact) for contact in hanging)
        left_alone = dict(
            one.gateway.query(
                "SELECT n.contact, n.next_try - a.at FROM notice n JOIN notice_attempt a ON a.notice = n.seq WHERE NOT a.ok"
            )
        )
        assert left_alone["limited"] >= 60_000_000, "after a 429 the receiver is left alone for a while"
        assert left_alone["hook_limited"] >= 120_000_000, "for as long as it asked, where we hear what it asked"
        one.kill()
        assert not any(one.heard(contact, "btn-0") for contact in (*failing, *hanging))
        receivers.behave = {}
        receivers.let_go()
        one.start()
        for contact in (*failing, *hanging):
            one.until_told(contact, "btn-0")
        assert [len(one.heard(contact, "btn-0")) for contact in ("well", "slow", "hook_well")] == [1, 1, 1], (
            "recorded, so not again"
        )
        one.all_well()


def test_killed_before_anything_was_sent(tmp_path: Path) -> None:
    with night(tmp_path, "well") as one:
        one.press("btn-0")
        one.until_told("well", "btn-0")
        one.press("btn-1")  # gathers for some seconds: the message before has just gone
        one.kill()
        assert not one.heard("well", "btn-1")
        one.start()
        one.until_told("well", "btn-1")
        one.all_well()


def test_killed_while_the_receiver_holds_the_request(tmp_path: Path) -> None:
    with night(tmp_path, "holds", "well") as one:
        one.receivers.behave = {"holds": HOLDS}
        one.press("btn-0")
        one.receivers.wait(lambda: "holds" in one.receivers.held, "the request is held")
        one.until_told("well", "btn-0")
        one.kill()
        one.receivers.behave = {}
        one.receivers.let_go()
        one.start()
        one.until_told("holds", "btn-0")
        one.all_well()
        of_holds = {told.key for told in one.receivers.told if told.contact == "holds" and "/btn-0/" in told.notices[0]}
        assert len(of_holds) == 1, "the request that was held and its repeat carry one key"


def test_killed_after_the_answer_and_before_the_attempt_is_recorded(tmp_path: Path) -> None:
    with night(tmp_path, "holds") as one:
        one.receivers.behave = {"holds": HOLDS}
        one.press("btn-0")
        one.receivers.wait(lambda: "holds" in one.receivers.held, "the request is held")
        with one.journal() as journal:
            journal.execute("BEGIN IMMEDIATE")  # from now on the gateway cannot record anything
            one.receivers.behave = {"holds": WELL}
            one.receivers.let_go()
            one.until_told("holds", "btn-0")
            time.sleep(0.3)  # the answer has long been read
            one.gateway.kill()
            journal.execute("ROLLBACK")
        assert not one.attempts("holds")
        one.start()
        one.until_told("holds", "btn-0", times=2)
        first, second = one.heard("holds", "btn-0")[:2]
        assert first == second, "the repeat carries the same key"
        one.all_well()


@pytest.mark.nightly
def test_killed_at_random_moments_under_receivers_that_change_all_the_time(tmp_path: Path) -> None:
    chance = random.Random(20261126)
    contacts = ("a", "b", "hook_c")
    with night(tmp_path, *contacts) as one:
        for number, button in enumerate(BUTTONS[:KILLS]):
            one.receivers.behave = {name: chance.choice((WELL, SLOW, BROKEN, LIMITED, HANGS)) for name in contacts}
            one.receivers.let_go()
            one.press(button)
            if number % 2:
                one.press(BUTTONS[number - 1], active=False)
            time.sleep(chance.uniform(0, 0.6))
            one.kill()
            one.start()
        one.all_well()
