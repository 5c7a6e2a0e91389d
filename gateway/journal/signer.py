"""Signing by another process of another user, which holds the key and keeps the tree's right edge itself.

It is never asked to sign a root: it is given the leaves that came since it last signed, and signs what it computes from them. So whoever
has the gateway can neither read the key nor have a history signed that does not continue what was signed before.

A conversation over a socket of this machine, each head a line of JSON:

    → {"origin": "lamplighter/riverside/9f3a…"}             ← {"key": "lamplighter/riverside+57bbc877+AQ…", "size": 4711}
    → {"first": 4711, "size": 4720, "root": "kO1Y…="}, then 9 × 32 bytes
                                                            ← {"note": "…"} or {"refused": "…"}
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from gateway.instants import Instant
from gateway.journal.merkle import WIDTH, Tree
from gateway.journal.notes import Key, PublicKey, SigningError, read_note, text_of
from gateway.whole_file import write_whole

_LONGEST_LINE = 16 * 1024
_PIECE = 2048 * WIDTH
_PATIENCE_S = 60.0
"""So long either side waits for the other's next word."""
_ORIGIN = re.compile(r"(lamplighter/[\w.\-]{1,64})/([\w\-]{1,64})")


class _Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str


class _State(msgspec.Struct, frozen=True):
    key: str
    size: int


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    first: int
    size: int
    root: str


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    note: str | None = None
    refused: str | None = None


class _Edge(msgspec.Struct, frozen=True):
    """What is kept for each journal: what has been signed."""

    origin: str
    size: int
    peaks: bytes


class _RefusedError(Exception):
    """What was asked for does not continue what was signed."""


class Desk:
    """The signing process.

    Args:
        folder: its own: the key, and what was signed of each journal.
        key: the private key's file, made if there is none.
        now: the wall clock; the time in a note is the signer's.
    """

    def __init__(self, folder: Path, key: Path, now: Callable[[], Instant] = lambda: time.time_ns() // 1000) -> None:
        self._folder = folder
        self._path = key
        self._now = now
        self._one_at_a_time = asyncio.Lock()

    async def serve(self, socket: Path) -> None:
        """Answer until cancelled. The socket is for the user and group of this process.

        Raises:
            SigningError: the socket or the folder cannot be used.
        """
        try:
            await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            server = await asyncio.start_unix_server(self._meet, socket, limit=_LONGEST_LINE)
            await asyncio.to_thread(socket.chmod, 0o660)
        except OSError as error:
            raise SigningError(f"cannot serve at {socket}: {error.strerror or error}") from error
        async with server:
            await server.serve_forever()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._one_at_a_time:
                await self._talk(reader, writer)
        except _RefusedError as refusal:
            writer.write(_line(_Answer(refused=str(refusal))))
        except (SigningError, msgspec.DecodeError, ValueError) as error:
            writer.write(_line(_Answer(refused=f"cannot sign: {error}")))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # it went away; nothing was signed, or it asks again
        finally:
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = msgspec.json.decode(await reader.readline(), type=_Hello)
        named = _ORIGIN.fullmatch(hello.origin)
        if named is None:
            raise _RefusedError("expected the origin `lamplighter/SITE/EPOCH`")
        key = await asyncio.to_thread(Key.open, self._path, named[1])
        path = self._folder / f"{named[1].rpartition('/')[2]}.{named[2]}.signed"
        edge = _load(path, hello.origin)
        tree = Tree.unpack(edge.size, edge.peaks)
        writer.write(_line(_State(key=str(key.public), size=tree.size)))
        line = await reader.readline()
        if not line:
            return
        wish = msgspec.json.decode(line, type=_Wish)
        if wish.size < tree.size:
            raise _RefusedError(
                f"{tree.size} rows were signed, and there are only {wish.size} now: the journal was cut off"
            )
        if wish.first != tree.size:
            raise _RefusedError(f"expected the leaves from {tree.size} on")
        while tree.size < wish.size:
            for leaf in _pieces(await reader.readexactly(min(_PIECE, (wish.size - tree.size) * WIDTH))):
                tree.append(leaf)
        if base64.b64encode(tree.root()).decode() != wish.root:
            raise _RefusedError(f"the first {edge.size} rows are not those that were signed: the journal was changed")
        note = key.sign(text_of(hello.origin, tree.size, tree.root(), self._now()))
        await asyncio.to_thread(_keep, path, _Edge(hello.origin, tree.size, tree.pack()))
        writer.write(_line(_Answer(note=note)))


class Counter:
    """The gateway's side of the desk.

    Args:
        socket: where it is.
        origin: of the journal.
    """

    def __init__(self, socket: Path, origin: str) -> None:
        self._socket = socket
        self._origin = origin

    async def public(self) -> PublicKey:
        """The key that signs.

        Raises:
            SigningError: nobody answers.
        """
        async with self._meeting() as (_, _, state):
            return PublicKey.parse(state.key)

    async def sign(self, size: int, root: bytes, leaves: Callable[[int, int], AsyncIterator[bytes]]) -> str:
        """The signed note of the tree of `size` leaves. `leaves(from, to)` gives hashes in pieces of any length.

        Raises:
            SigningError: nobody answers, or it refuses: then the journal does not continue what was signed.
        """
        async with self._meeting() as (reader, writer, state):
            first = min(state.size, size)
            writer.write(_line(_Wish(first=state.size, size=size, root=base64.b64encode(root).decode())))
            async for piece in leaves(first, size):
                writer.write(piece)
                await writer.drain()
            answer = msgspec.json.decode(await reader.readline(), type=_Answer)
            if answer.note is None:
                raise SigningError(f"the signer at {self._socket} refuses: {answer.refused or 'no reason given'}")
            note = read_note(answer.note)
            if (note.origin, note.size, note.root) != (self._origin, size, root):
                raise SigningError(f"the signer at {self._socket} signed something else")
            return answer.note

    @contextlib.asynccontextmanager
    async def _meeting(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, _State]]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=_LONGEST_LINE)
                try:
                    writer.write(_line(_Hello(self._origin)))
                    line = await reader.readline()
                    refused = msgspec.json.decode(line, type=_Answer).refused if b'"refused"' in line else None
                    if refused:
                        raise SigningError(f"the signer at {self._socket} refuses: {refused}")
                    yield reader, writer, msgspec.json.decode(line, type=_State)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise SigningError(f"the signer at {self._socket} does not answer: {error or 'too slow'}") from error
        except (msgspec.DecodeError, ValueError) as error:
            raise SigningError(f"the signer at {self._socket} says what is not understood: {error}") from error


def _line(head: msgspec.Struct) -> bytes:
    return msgspec.json.encode(head) + b"\n"


def _pieces(data: bytes) -> list[bytes]:
    return [data[start : start + WIDTH] for start in range(0, len(data), WIDTH)]


def _load(path: Path, origin: str) -> _Edge:
    if not path.exists():
        return _Edge(origin, 0, b"")
    edge = msgspec.json.decode(path.read_bytes(), type=_Edge)
    if edge.origin != origin:
        raise SigningError(f"{path} is of {edge.origin}")
    return edge


def _keep(path: Path, edge: _Edge) -> None:
    """On disk before the note leaves: it is never forgotten what was signed."""
    write_whole(path, msgspec.json.encode(edge), mode=0o600)
