"""Secrets stand outside the site file: `env:NAME` in the environment, `file:PATH` in a file of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*")

MAX_BYTES = 64 * 1024
"""A secret is a password, a token or a URL."""


def is_reference(text: str) -> bool:
    """Whether `text` names a secret instead of being one."""
    return _REFERENCE.fullmatch(text) is not None


def resolve(reference: str, environ: Mapping[str, str], folder: Path) -> str:
    """The secret that `reference` names.

    Args:
        reference: `env:NAME`, or `file:PATH` with a path from the site file's folder; a last line break does not count.
        environ: the environment.
        folder: the site file's folder.

    Raises:
        ValueError: it is not there, empty or unreadable; the text names where it was looked for, never its value.
    """
    where, _, name = reference.partition(":")
    if where == "env":
        if not (value := environ.get(name, "")):
            raise ValueError(f"the environment variable {name} is not set; set it to the secret")
        return value
    try:
        with (folder / name).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        value = data.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the file {name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"the file {name} is not UTF-8 text") from error
    if not value or len(data) > MAX_BYTES:
        raise ValueError(
            f"the file {name} is empty" if not value else f"the file {name} is longer than {MAX_BYTES} bytes"
        )
    return value
