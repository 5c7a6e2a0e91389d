"""Sites side by side: ranked by their exported documents; who fails the year (spec: alerts.md, Scores)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.scores.document import ScoreDocument, digest_of

LAST = 3


class RankingError(ValueError):
    """Documents that cannot be ranked together."""


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One site's place. `rank`: 1 is best; equal scores share it. `fails`: among the last three *and* below the pass mark."""

    rank: int
    site: str
    name: str
    period: str
    score: float
    settled: bool
    revision: int
    among_last: bool
    below: bool
    fails: bool
    digest: str


def rank(documents: Sequence[ScoreDocument]) -> list[Ranked]:
    """All sites, best first.

    A site is among the last three if fewer than three have a lower score. Only a year can be failed.

    Raises:
        RankingError: different periods, a site twice, a document without a score, or one changed after it was made.
    """
    for document in documents:
        if digest_of(document) != document.digest:
            raise RankingError(f"{document.site}: the document was changed after it was made; export it again")
        if document.score is None:
            raise RankingError(
                f"{document.site}: {document.period} has no score yet: nothing is known of it, or its year-end assessment is not closed"
            )
    periods = sorted({document.period for document in documents})
    if len(periods) > 1:
        raise RankingError(f"different periods: {', '.join(periods)}; expected documents of one")
    names = [document.site for document in documents]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RankingError(f"{', '.join(twice)} stands there twice; expected one document a site")
    scores = [document.score or 0.0 for document in documents]
    found = []
    for document, score in zip(documents, scores, strict=True):
        among_last = sum(other < score for other in scores) < LAST
        below = score < document.pass_mark
        found.append(
            Ranked(
                rank=1 + sum(other > score for other in scores),
                site=document.site,
                name=document.name,
                period=document.period,
                score=score,
                settled=document.settled,
                revision=document.revision,
                among_last=among_last,
                below=below,
                fails=among_last and below and document.period.isdecimal(),
                digest=document.digest,
            )
        )
    return sorted(found, key=lambda each: (each.rank, each.site))
