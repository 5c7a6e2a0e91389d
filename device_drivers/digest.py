"""The server's side of HTTP Digest (RFC 2617, MD5), which SIP registrations (GB/T 28181) and GA/T 1400 share.

Nothing is kept for a caller: a nonce carries its own time and a seal over it and the caller's address, so that a flood of
strangers costs no memory.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import md5, sha256
from typing import Literal

Verdict = Literal["right", "stale", "foreign", "wrong"]

NONCE_LASTS_S = 300
"""How long a nonce is accepted: a device answers at once, and one that answers later is asked again (`stale`)."""

_LONGEST = 4096
"""Characters of an Authorization header; a real one has about 300."""

_SEAL = 32
"""Hexadecimal digits of a nonce's seal."""


class Challenger:
    """Asks for a password and judges the answer.

    Args:
        realm: the realm that is asked for; for GB/T 28181 the first ten digits of the server's id.
        secret: seals the nonces; a new one makes all earlier nonces stale.
        qop: `auth` is offered (RFC 2617); without it (RFC 2069) the oldest devices understand, too.
    """

    def __init__(self, realm: str, secret: bytes, *, qop: bool = False) -> None:
        self.realm = realm
        self._secret = secret
        self._qop = ', qop="auth"' if qop else ""

    def challenge(self, caller: str, now: datetime, *, stale: bool = False) -> str:
        """The value of `WWW-Authenticate` for a caller at this address; `stale`: only its nonce was too old."""
        again = ", stale=true" if stale else ""
        return f'Digest realm="{self.realm}", nonce="{self._nonce(caller, now)}"{self._qop}, algorithm=MD5{again}'

    def judge(self, authorization: str, method: str, password: str, caller: str, now: datetime) -> Verdict:
        """Whether an `Authorization` header proves the password.

        `stale`: it does, with a nonce that is too old or another caller's; `foreign`: it answers another challenge than ours
        (another scheme, realm or algorithm); `wrong`: it answers ours with another password.
        """
        given = parameters(authorization)
        if given.get("realm") != self.realm or given.get("algorithm", "MD5").upper() != "MD5":
            return "foreign"
        expected = response(given, method, password)
        if not hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode()):
            return "wrong"
        return "right" if self._fresh(given.get("nonce", ""), caller, now) else "stale"

    def _nonce(self, caller: str, now: datetime) -> str:
        made = f"{int(now.timestamp()):x}"
        return f"{self._seal(made, caller)}{made}"

    def _seal(self, made: str, caller: str) -> str:
        return hmac.new(self._secret, f"{made} {caller}".encode(), sha256).hexdigest()[:_SEAL]

    def _fresh(self, nonce: str, caller: str, now: datetime) -> bool:
        made = nonce[_SEAL:]
        if not hmac.compare_digest(self._seal(made, caller).encode(), nonce[:_SEAL].encode()):
            return False
        # A sealed time is one of ours; a clock set back must not make it fresh for hours.
        return abs(now.timestamp() - int(made, 16)) <= NONCE_LASTS_S


def response(given: Mapping[str, str], method: str, password: str) -> str:
    """The `response` that fits the parameters of an Authorization header (RFC 2617, 3.2.2.1), with or without `qop`."""
    first = _md5(f"{given.get('username', '')}:{given.get('realm', '')}:{password}")
    second = _md5(f"{method}:{given.get('uri', '')}")
    if qop := given.get("qop"):
        between = f"{given.get('nonce', '')}:{given.get('nc', '')}:{given.get('cnonce', '')}:{qop}"
    else:
        between = given.get("nonce", "")
    return _md5(f"{first}:{between}:{second}")


def parameters(header: str) -> dict[str, str]:
    """The parameters of a Digest challenge or answer by lower-case name; {} if it is none or too long."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest" or len(header) > _LONGEST:
        return {}
    found: dict[str, str] = {}
    while rest:
        name, equals, rest = rest.partition("=")
        if not equals:
            break
        rest = rest.lstrip()
        if rest.startswith('"'):
            value, _, rest = rest[1:].partition('"')
            rest = rest.partition(",")[2]
        else:
            value, _, rest = rest.partition(",")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
