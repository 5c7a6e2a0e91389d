"""The same real gateway as that of the scores."""

from __future__ import annotations

from tests.scores.conftest import estate

__all__ = ["estate"]
