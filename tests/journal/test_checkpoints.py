"""Checkpoints: when they are made, what they say, where they are written down, and what the key is like."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.instants import Instant, instant
from gateway.journal.checkpoints import settings
from gateway.journal.notes import (
    Key,
    Note,
    NoteError,
    PublicKey,
    SigningError,
    origin_of,
    read_note,
    read_notes,
    text_of,
)
from gateway.runtime import Gateway
from gateway.site.model import Chain, Site
from tests.api import scene

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def site(**chain: object) -> Site:
    return msgspec.structs.replace(scene.site(), chain=Chain(at=(time(6), time(18)), **chain))  # type: ignore[arg-type]


async def at_work(gateway: Gateway) -> None:
    """Somebody does something."""
    sql = "INSERT INTO audit (at, who, address, action, subject, outcome, detail) VALUES (?, 'u', 'local', 'a', 's', 'done', '')"
    await gateway.write([(sql, (gateway.now(),))])


async def test_nothing_new_is_not_signed_again(tmp_path: Path) -> None:
    async with Gateway(site(), tmp_path) as gateway:
        first = await gateway.checkpoints.make("time")
        assert await gateway.checkpoints.make("asked") == first
        await at_work(gateway)
        second = await gateway.checkpoints.make("asked")
        assert second.size == first.size + 2, "the row, and the first checkpoint's own"
        assert [each for _, each in await gateway.checkpoints.page(None, 9)] == [second, first]


async def test_what_could_not_be_written_down_elsewhere_is_told_and_follows(tmp_path: Path) -> None:
    elsewhere = tmp_path / "share" / "checkpoints.txt"
    async with Gateway(site(to=str(elsewhere)), tmp_path / "data") as gateway:
        made = [await gateway.checkpoints.make("time")]
        assert any("checkpoints cannot be written" in problem for problem in gateway.health().problems)
        elsewhere.parent.mkdir()
        for _ in range(2):
            await at_work(gateway)
            made.append(await gateway.checkpoints.make("time"))
        assert not any("checkpoints" in problem for problem in gateway.health().problems)
        assert [note.size for note in read_notes(elsewhere.read_text())] == [each.size for each in made]


async def test_the_key_is_its_owners_alone_and_its_public_half_is_told(tmp_path: Path) -> None:
    async with Gateway(site(), tmp_path) as gateway:
        made = await gateway.checkpoints.make("time")
        public = PublicKey.parse(await gateway.checkpoints.public_key())
        assert read_note(made.note).signer([public]) == public
        rows = await gateway.query("SELECT subject FROM audit WHERE action = 'checkpoint.key'", ())
        assert rows == [(str(public),)]
    key = tmp_path / "keys" / "checkpoint.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "checkpoint.pub").read_text() == f"{public}\n"
    key.unlink()
    async with Gateway(site(), tmp_path) as gateway:
        await gateway.checkpoints.make("time")
        another = PublicKey.parse(await gateway.checkpoints.public_key())
    assert another != public
    assert (tmp_path / "keys" / "checkpoint.pub").read_text() == f"{public}\n{another}\n"


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n"])
async def test_a_key_that_cannot_be_read_stops_no_evidence(tmp_path: Path, content: str) -> None:
    (tmp_path / "my.key").write_text(content)
    async with Gateway(site(key=str(tmp_path / "my.key")), tmp_path / "data") as gateway:
        with pytest.raises(SigningError, match=r"my\.key"):
            await gateway.checkpoints.make("time")
        await at_work(gateway)
        assert gateway.health().ready


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        (SHANGHAI, "2026-11-26T05:59:59+08:00", "2026-11-26T06:00:00+08:00"),
        (SHANGHAI, "2026-11-26T06:00:00+08:00", "2026-11-26T18:00:00+08:00"),
        (SHANGHAI, "2026-11-26T18:00:00+08:00", "2026-11-27T06:00:00+08:00"),
        (BERLIN, "2026-10-24T20:00:00+02:00", "2026-10-25T06:00:00+01:00"),
        (BERLIN, "2026-03-28T20:00:00+01:00", "2026-03-29T06:00:00+02:00"),
    ],
)
async def test_they_are_due_at_the_clock_times_of_the_site(tmp_path: Path, zone: ZoneInfo, now: str, due: str) -> None:
    model = msgspec.structs.replace(site(), timezone=zone.key)
    async with Gateway(model, tmp_path) as gateway:
        found = gateway.checkpoints.due(instant(datetime.fromisoformat(now)))
    assert found == instant(datetime.fromisoformat(due))


def test_paths_are_taken_from_the_data_folder_on(tmp_path: Path) -> None:
    found = settings((), UTC, tmp_path, to="x.txt", key="/etc/lamplighter/k")
    assert (found.to, found.key) == (tmp_path / "x.txt", Path("/etc/lamplighter/k"))
    assert settings((), UTC, tmp_path, to=None, key=None).key == tmp_path / "keys" / "checkpoint.key"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return Key.open(tmp_path_factory.mktemp("key") / "k", "lamplighter/s")


AT: Instant = instant(datetime(2026, 11, 26, 6, tzinfo=UTC))
TEXT = text_of(origin_of("s", "e1"), 42, b"\x07" * 32, AT)


def test_the_note_is_as_documented(key: Key) -> None:
    lines = key.sign(TEXT).split("\n")
    assert lines[:4] == [
        "lamplighter/s/e1",
        "42",
        base64.b64encode(b"\x07" * 32).decode(),
        "time 2026-11-26T06:00:00.000000+00:00",
    ]
    assert lines[4] == ""
    assert lines[5].startswith("— lamplighter/s ")
    assert lines[6:] == [""]
    assert len(base64.b64decode(lines[5].rpartition(" ")[2])) == 4 + 64


def test_a_note_is_read_back_also_among_other_text(key: Key) -> None:
    note = read_note(key.sign(TEXT))
    assert (note.origin, note.epoch, note.size, note.root, note.at) == ("lamplighter/s/e1", "e1", 42, b"\x07" * 32, AT)
    letter = f"Good morning,\r\n\r\n{key.sign(TEXT)}\nand the one before:\n{key.sign(TEXT)}".replace("\n", "\r\n")
    assert read_notes(letter.replace("\r\r", "\r")) == [note, note]


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("0aZ/+=\n —"))
def test_no_changed_note_has_a_good_signature(key: Key, place: int, sign: str) -> None:
    changed = TEXT[:place] + sign + TEXT[place + 1 :]
    whole = key.sign(TEXT).replace(TEXT, changed)
    try:
        note: Note = read_note(whole)
    except NoteError:
        return
    assert (note.signer([key.public]) is None) == (changed != TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lamplighter/s/e\n1\n\n",
        TEXT,
        TEXT + "\n",
        TEXT.replace("42", "-1") + "\n— lamplighter/s AAAAAAAA\n",
        TEXT.replace("time 2026", "time yesterday 2026") + "\n— lamplighter/s AAAAAAAA\n",
        TEXT + "\nno dash lamplighter/s AAAAAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        read_note(text)


def test_a_verifier_key_says_its_own_id(key: Key) -> None:
    text = str(key.public)
    assert PublicKey.parse(text) == key.public
    name, number, raw = text.split("+", 2)
    for wrong in (f"{name}+00000000+{raw}", f"{name}+{number}+AAAA", name):
        with pytest.raises(NoteError):
            PublicKey.parse(wrong)


def test_a_key_known_from_elsewhere_verifies() -> None:
    """The example key and note of Go's package golang.org/x/mod/sumdb/note."""
    public = PublicKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    note = Note("o", 1, b"", None, text, (("PeterNeumann", signature[:4], signature[4:]),))
    assert note.signer([public]) == public
