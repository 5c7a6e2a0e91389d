"""What the checks of every section of the site file work on."""

from __future__ import annotations

from gateway.site.mentions import Mentions
from gateway.site.mistakes import Mistakes
from gateway.site.sections import Draft


class Checks:
    """The checks of some sections.

    Args:
        draft: what was read.
        mentions: what its entries say of each other.
        mistakes: takes every mistake that is found.
    """

    def __init__(self, draft: Draft, mentions: Mentions, mistakes: Mistakes) -> None:
        self._draft = draft
        self._mentions = mentions
        self._mistakes = mistakes
