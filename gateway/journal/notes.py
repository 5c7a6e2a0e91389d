"""Checkpoints as signed notes (C2SP signed-note and tlog-checkpoint): a text that fits on paper and can be checked anywhere.

    lamplighter/riverside/9f3a61c27be01d54
    4711
    kO1Y…=
    time 2026-11-26T06:00:00+00:00

    — lamplighter/riverside Az3grl…=

Lines: origin (site and the journal's epoch), leaves, root in Base64, time; after an empty line the signatures, each with the key's name and,
in Base64, four bytes that tell the key and the Ed25519 signature of the text above the empty line.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.errors import JournalError, LamplighterError
from gateway.instants import Instant, moment, parse_instant
from gateway.whole_file import make_folder, sync_folder, write_whole

_ED25519 = b"\x01"
_LEAD = "— "
_TIME = "time "
_LONGEST = 4096
_ORIGIN = re.compile(r"lamplighter/[^\s/+]+/[^\s/+]+")


class NoteError(JournalError):
    """Not a checkpoint; the text says what is wrong with it."""


class SigningError(LamplighterError):
    """Nothing can be signed at the moment; evidence is taken all the same."""


class PublicKey(NamedTuple):
    """A key that checks. As text (`NAME+ID+BASE64`) it is what Go's `note` and the C2SP tools call a verifier key."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell the key."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a verifier key.

        Raises:
            NoteError: it is none.
        """
        parts = text.strip().split("+", 2)
        raw = _base64(parts[2]) if len(parts) == 3 else b""
        if len(raw) != 33 or raw[:1] != _ED25519:
            raise NoteError(f"{text.strip()[:80]!r} is no Ed25519 verifier key (NAME+ID+BASE64)")
        key = cls(parts[0], raw[1:])
        if key.id.hex() != parts[1].lower():
            raise NoteError(f"the verifier key of {parts[0]!r} has another id than it says")
        return key


class Note(NamedTuple):
    """One checkpoint. `signatures`: key's name, key's id, signature; `text`: what is signed."""

    origin: str
    size: int
    root: bytes
    at: Instant | None
    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @property
    def epoch(self) -> str:
        """Of the journal."""
        return self.origin.rpartition("/")[2]

    def signer(self, keys: Iterable[PublicKey]) -> PublicKey | None:
        """The first of `keys` that has signed it; None: none has."""
        for key in keys:
            for name, known, signature in self.signatures:
                if name == key.name and known == key.id and _signed(key, signature, self.text):
                    return key
        return None


def origin_of(site: str, epoch: str) -> str:
    """What a journal is called in its checkpoints; without the epoch it is the name of the site's key."""
    return f"lamplighter/{site}/{epoch}"


def text_of(origin: str, size: int, root: bytes, at: Instant) -> str:
    """What is signed."""
    when = moment(at, UTC).isoformat(timespec="microseconds")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n{_TIME}{when}\n"


def read_note(text: str) -> Note:
    """Read one checkpoint.

    Raises:
        NoteError: it is none.
    """
    body, gap, rest = text.partition("\n\n")
    lines = body.split("\n")
    if not gap or len(lines) < 3 or len(text) > _LONGEST:
        raise NoteError(
            "not a checkpoint: expected an origin, a number of leaves, a root, and signatures after an empty line"
        )
    origin, size, root = lines[0], lines[1], _base64(lines[2])
    if not _ORIGIN.fullmatch(origin) or not size.isascii() or not size.isdigit() or len(root) != 32:
        raise NoteError(
            "not a checkpoint of a Lamplighter journal: expected `lamplighter/SITE/EPOCH`, leaves and a root"
        )
    at = None
    for line in lines[3:]:
        if line.startswith(_TIME):
            try:
                at = parse_instant(line.removeprefix(_TIME))
            except ValueError as error:
                raise NoteError(f"the checkpoint's time cannot be read: {line[:80]!r}") from error
    signatures = tuple(_signatures(rest))
    if not signatures:
        raise NoteError("the checkpoint has no signature")
    return Note(origin, int(size), root, at, body + "\n", signatures)


def read_notes(text: str) -> list[Note]:
    """All checkpoints of a text: one, or a file to which they were appended; what stands between them is passed over.

    So is the beginning of one that stands whole further on, and at the end of the text the beginning of one that is not the only one: a
    full disk or a power cut leaves such, and the whole is appended later.

    Raises:
        NoteError: there is none, or one that cannot be read.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    starts = [place for place, line in enumerate(lines) if _ORIGIN.fullmatch(line)]
    if not starts:
        raise NoteError("no checkpoint in it: expected a line such as `lamplighter/SITE/EPOCH`, and what follows it")
    parts = []
    for start in starts:
        gap = next((place for place in range(start, len(lines)) if not lines[place]), len(lines))
        end = next((place for place in range(gap + 1, len(lines)) if not lines[place].startswith(_LEAD)), len(lines))
        parts.append("\n".join(lines[start:end]) + "\n")
    found = []
    for place, part in enumerate(parts):
        try:
            found.append(read_note(part))
        except NoteError:
            begun = part.rstrip("\n")
            cut_off = place > 0 and place == len(parts) - 1 and not text.endswith("\n")
            if not cut_off and not any(later.startswith(begun) for later in parts[place + 1 :]):
                raise
    return found


class Key:
    """The key that signs."""

    def __init__(self, private: Ed25519PrivateKey, name: str) -> None:
        self._private = private
        self.public = PublicKey(name, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str) -> str:
        """`text` as a signed note."""
        signature = base64.b64encode(self.public.id + self._private.sign(text.encode())).decode()
        return f"{text}\n{_LEAD}{self.public.name} {signature}\n"

    @classmethod
    def open(cls, path: Path, name: str) -> Key:
        """The key in the file `path` (PEM, PKCS #8); made there if there is none, readable by its owner alone.

        Raises:
            SigningError: it cannot be read or made.
        """
        try:
            if not path.exists():
                _make(path)
            private = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise SigningError(f"the key for checkpoints {path}: {error.strerror or error}") from error
        except ValueError as error:
            raise SigningError(f"the key for checkpoints {path} is no private key in PEM: {error}") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise SigningError(f"the key for checkpoints {path} is not an Ed25519 key")
        return cls(private, name)


def _make(path: Path) -> None:
    make_folder(path.parent, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_whole(half, pem, mode=0o600)
        with contextlib.suppress(FileExistsError):
            os.link(half, path)  # never over one that is there
    finally:
        half.unlink(missing_ok=True)
    sync_folder(path.parent)


def _signatures(text: str) -> Iterator[tuple[str, bytes, bytes]]:
    for line in text.split("\n"):
        if not line:
            continue
        name, _, encoded = line.removeprefix(_LEAD).partition(" ")
        data = _base64(encoded)
        if not line.startswith(_LEAD) or not name or len(data) < 5:
            raise NoteError(f"not a signature: {line[:80]!r}")
        yield name, data[:4], data[4:]


def _signed(key: PublicKey, signature: bytes, text: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, text.encode())
    except InvalidSignature:
        return False
    return True


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
