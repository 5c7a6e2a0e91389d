"""The client's side of HTTP log-ins, which RTSP shares: reading `WWW-Authenticate`, choosing, and answering (RFC 7616, 7617)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import md5, sha256
from typing import Any, NamedTuple

_LONGEST = 8192
"""Characters of all challenges together; a real one has about 200."""

_HASHES: Mapping[str, Callable[[bytes], Any]] = {
    "SHA-256": sha256,
    "MD5": lambda data: md5(data, usedforsecurity=False),
}
_STRENGTH = {"SHA-256": 2, "SHA-256-SESS": 2, "MD5": 1, "MD5-SESS": 1}
"""Algorithms that are answered; the greater is preferred."""

_WORD = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))|([A-Za-z][\w-]*)')
_ESCAPE = re.compile(r"\\(.)")


class Challenge(NamedTuple):
    """One way to log in that a server offers. `scheme` and the names of the parameters are lower case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def algorithm(self) -> str:
        """The digest's algorithm in capitals."""
        return self.parameters.get("algorithm", "MD5").upper()

    @property
    def stale(self) -> bool:
        """The password was right, only the nonce too old (RFC 7616, 3.3)."""
        return self.parameters.get("stale", "").lower() == "true"


def challenges(values: Iterable[str]) -> list[Challenge]:
    """All challenges in the values of `WWW-Authenticate`; one value may hold several. What is no challenge is passed over."""
    found: list[tuple[str, dict[str, str]]] = []
    for match in _WORD.finditer(", ".join(values)[:_LONGEST]):
        name, quoted, plain, scheme = match.groups()
        if scheme is not None:
            found.append((scheme.lower(), {}))
        elif found:
            found[-1][1].setdefault(name.lower(), plain if quoted is None else _ESCAPE.sub(r"\1", quoted))
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def choose(offered: Iterable[Challenge], *, basic: bool) -> Challenge | None:
    """The safest challenge that can be answered: Digest, SHA-256 before MD5; Basic only where `basic` says so; else None."""
    best: Challenge | None = None
    rank = 0
    for each in offered:
        strength = 0
        if each.scheme == "digest" and each.parameters.get("nonce") and "realm" in each.parameters:
            qop = each.parameters.get("qop")
            if qop is None or "auth" in _words(qop):
                strength = 1 + _STRENGTH.get(each.algorithm, -1)
        elif each.scheme == "basic" and basic:
            strength = 1
        if strength > rank:
            best, rank = each, strength
    return best


def answer(challenge: Challenge, login: tuple[str, str], method: str, uri: str, cnonce: str) -> str:
    """The value of `Authorization` for a challenge given by `choose`.

    Args:
        login: user and password.
        uri: exactly as it stands in the request.
        cnonce: a random word of ours; never used twice.
    """
    user, password = login
    if challenge.scheme == "basic":
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    given = challenge.parameters
    realm, nonce = given["realm"], given["nonce"]
    hashed = _HASHES[challenge.algorithm.removesuffix("-SESS")]

    def digest(text: str) -> str:
        return str(hashed(text.encode()).hexdigest())

    first = digest(f"{user}:{realm}:{password}")
    if challenge.algorithm.endswith("-SESS"):
        first = digest(f"{first}:{nonce}:{cnonce}")
    second = digest(f"{method}:{uri}")
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    plain = {"algorithm": given["algorithm"]} if "algorithm" in given else {}
    if "qop" in given:
        fields["cnonce"] = cnonce
        plain |= {"qop": "auth", "nc": "00000001"}
        fields["response"] = digest(f"{first}:{nonce}:00000001:{cnonce}:auth:{second}")
    else:
        fields["response"] = digest(f"{first}:{nonce}:{second}")
    if "opaque" in given:
        fields["opaque"] = given["opaque"]
    pieces = [f'{name}="{_quoted(value)}"' for name, value in fields.items()]
    return "Digest " + ", ".join(pieces + [f"{name}={value}" for name, value in plain.items()])


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
