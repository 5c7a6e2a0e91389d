"""The console's own TLS: a certificate and its key from files, taken anew when the files change (renewals), without a restart."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from device_drivers.errors import LamplighterError

LOOK_EVERY_S = 10.0

logger = logging.getLogger(__name__)


class TlsError(LamplighterError):
    """A certificate or key that cannot be used; the text says which file and why."""


class Certificate:
    """What the server shows: `context` is used by each new connection.

    Args:
        chain: PEM file of the certificate and those that vouch for it, the server's own first.
        key: PEM file of its private key, without a passphrase.

    Raises:
        TlsError: a file is missing, unreadable or no PEM, or the two do not belong together.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self._seen = self._stamp()
        self.context = _context(chain, key)

    async def follow(self, every_s: float = LOOK_EVERY_S) -> None:
        """Take the files anew whenever they change, until cancelled. What cannot be used is said, and the one from before stays."""
        while True:
            await asyncio.sleep(every_s)
            self.look()

    def look(self) -> bool:
        """Take the files anew if they have changed; whether that was so."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return False
            # Tried apart first: a chain without its key, half-way through a renewal, must not reach the context in use.
            _context(self._chain, self._key)
            self.context.load_cert_chain(self._chain, self._key)
        except (TlsError, OSError, ssl.SSLError) as error:
            logger.warning("the certificate was changed but cannot be used yet, the one from before stays: %s", error)
            return False
        self._seen = stamp
        logger.info("TLS: the certificate in %s was taken anew", self._chain)
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_stamp(path) for path in (self._chain, self._key))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise TlsError(f"cannot read {path}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    for path in (chain, key):
        try:
            text = path.read_bytes()
        except OSError as error:
            raise TlsError(f"cannot read {path}: {error.strerror}") from error
        if b"-----BEGIN " not in text:
            raise TlsError(f"{path} is no PEM file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(chain, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(f"the key in {key} does not belong to the certificate in {chain}") from error
        raise TlsError(
            f"{chain} and {key} hold no certificate and key that can be used: {error.reason or error}"
        ) from error
    except ValueError as error:
        raise TlsError(f"the key in {key} has a passphrase; give one without (and keep it to this user)") from error
    return context


def _no_passphrase() -> str:
    raise ValueError
