"""A signer of its own: it signs only what continues what it signed before, and the gateway never has its key."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import time as clock_time
from pathlib import Path

import msgspec
import pytest

from gateway.journal.notes import PublicKey, SigningError, read_note
from gateway.journal.signer import Counter, Desk
from gateway.journal.store import connect
from gateway.runtime import Gateway
from gateway.site.model import Chain, Site
from tests.api import scene
from tests.journal.test_checkpoints import at_work


def site(socket: Path) -> Site:
    return msgspec.structs.replace(scene.site(), chain=Chain(at=(clock_time(6),), signer=str(socket)))


@contextlib.asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[Path]:
    socket = folder.parent / "s"
    socket.unlink(missing_ok=True)  # of the desk before: nobody listens there
    desk = asyncio.create_task(Desk(folder, folder / "checkpoint.key").serve(socket))
    while not socket.exists():
        assert not desk.done()
        await asyncio.sleep(0.01)
    try:
        yield socket
    finally:
        desk.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await desk


def change(path: Path, *statements: str) -> None:
    """What somebody does who can write the file."""
    connection = connect(path)
    for name in ("leaf_is_never_changed", "leaf_is_never_shortened"):
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def test_it_signs_and_the_gateway_has_no_key(tmp_path: Path) -> None:
    async with open_desk(tmp_path / "desk") as socket, Gateway(site(socket), tmp_path / "data") as gateway:
        made = [await gateway.checkpoints.make("time")]
        await at_work(gateway)
        made.append(await gateway.checkpoints.make("time"))
        public = PublicKey.parse(await gateway.checkpoints.public_key())
        assert [read_note(each.note).signer([public]) for each in made] == [public, public]
        assert made[1].size == made[0].size + 2
    assert [path.name for path in (tmp_path / "data" / "keys").iterdir()] == ["checkpoint.pub"]
    assert (tmp_path / "desk" / "checkpoint.key").stat().st_mode & 0o777 == 0o600


async def test_what_was_signed_is_remembered_by_a_desk_that_was_started_again(tmp_path: Path) -> None:
    for _ in range(3):
        async with open_desk(tmp_path / "desk") as socket, Gateway(site(socket), tmp_path / "data") as gateway:
            await at_work(gateway)
            made = await gateway.checkpoints.make("time")
    assert len(list((tmp_path / "desk").glob("*.signed"))) == 1
    assert made.size > 6


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (
            ("DELETE FROM leaf WHERE number > 0", "UPDATE chain SET size = 1, peaks = (SELECT hash FROM leaf)"),
            "there are only 1 now: the journal was cut off",
        ),
        (
            ("UPDATE chain SET peaks = zeroblob(length(peaks))",),
            "are not those that were signed: the journal was changed",
        ),
    ],
)
async def test_what_does_not_continue_is_refused_and_told(
    tmp_path: Path, statements: tuple[str, ...], reason: str
) -> None:
    async with open_desk(tmp_path / "desk") as socket:
        async with Gateway(site(socket), tmp_path / "data") as gateway:
            for _ in range(4):
                await at_work(gateway)
            await gateway.checkpoints.make("time")
        path = tmp_path / "data" / "journal.db"
        change(path, *statements)
        counter = Counter(socket, f"lamplighter/riverside/{epoch(path)}")
        connection = connect(path)
        size = connection.execute("SELECT size FROM chain").get
        connection.close()
        assert isinstance(size, int)
        with pytest.raises(SigningError, match=reason):
            await counter.sign(size, b"\0" * 32, no_leaves)


def epoch(path: Path) -> str:
    connection = connect(path)
    found = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").get
    connection.close()
    return str(found)


async def no_leaves(first: int, end: int) -> AsyncIterator[bytes]:
    yield b"\0" * 32 * (end - first)


async def test_where_nobody_answers_evidence_is_taken_and_a_person_is_told(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    async with Gateway(site(socket), tmp_path / "data") as gateway:
        with pytest.raises(SigningError, match="does not answer"):
            await gateway.checkpoints.make("time")
        await at_work(gateway)
        assert gateway.health().ready
        assert any("no checkpoint can be signed" in problem for problem in gateway.health().problems)
        async with open_desk(tmp_path / "desk"):
            await gateway.checkpoints.make("time")
        assert not any("checkpoint" in problem for problem in gateway.health().problems)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"hello\n",
        b'{"origin":"lamplighter/../../etc/e"}\n',
        b'{"origin":"lamplighter/s/e"}\n{"first":0,"size":99999999999999,"root":""}\n',
        b'{"origin":"lamplighter/s/e"}\n{"first":7,"size":9,"root":""}\n',
        b'{"origin":"lamplighter/s/e"}\n{"first":0,"size":1,"root":"x"}\n' + b"\0" * 32,
        b"x" * 100_000,
    ],
)
async def test_nonsense_is_refused_and_the_desk_goes_on(tmp_path: Path, said: bytes) -> None:
    async with open_desk(tmp_path / "desk") as socket:
        reader, writer = await asyncio.open_unix_connection(socket)
        with contextlib.suppress(ConnectionError):
            writer.write(said)
            writer.write_eof()
            assert b'"note"' not in await reader.read()
        writer.close()
        await Counter(socket, "lamplighter/s/e").public()
    assert not list((tmp_path / "desk").glob("*.signed")), "nothing was signed"


@pytest.mark.slow
async def test_the_command_serves_is_killed_and_serves_again(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    words = [sys.executable, "-m", "api", "sign", "--socket", str(socket), "--folder", str(tmp_path / "desk")]
    async with Gateway(site(socket), tmp_path / "data") as gateway:
        sizes = []
        for how in (signal.SIGKILL, signal.SIGTERM):
            process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 20
            await at_work(gateway)
            while True:
                assert time.monotonic() < deadline
                with contextlib.suppress(SigningError):
                    sizes.append((await gateway.checkpoints.make("time")).size)
                    break
                await asyncio.sleep(0.05)
            process.send_signal(how)
            assert await process.wait() == (-signal.SIGKILL if how == signal.SIGKILL else 0)
        assert sizes[1] == sizes[0] + 2
