"""How the process holds its memory: a gateway lives for years on a small machine, beside a broker and a database."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of glibc's mallopt(3)."""
_LARGE = 128 * 1024
"""Bytes of a block that is given back to the system as soon as it is free."""


def spare() -> None:
    """Keep what is free together and give it back: glibc otherwise holds some tens of MiB for its threads' sake.

    To be called before the first thread is started. With another C library nothing happens.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _LARGE)
