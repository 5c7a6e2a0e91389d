"""Times, lengths and shares as people say them, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from gateway.explain.explanation import Sentence
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant, moment, seconds, told_s


class Said(NamedTuple):
    """One phrase in both languages."""

    zh: str
    en: str


NOTHING = Said("", "")


def clock(at: Instant, now: Instant, zone: tzinfo) -> str:
    """The time of day, with the date if it is not that of `now`, and seconds where there are any."""
    then = moment(at, zone)
    text = then.strftime("%H:%M:%S" if then.second else "%H:%M")
    return text if then.date() == moment(now, zone).date() else f"{then:%m-%d} {text}"


def length(span: Duration) -> Said:
    """A duration to the second, never rounded to minutes: that would be against somebody."""
    for unit, zh, en in ((DAY, "天", "d"), (HOUR, "小时", "h"), (MINUTE, "分钟", "min")):
        if span >= unit and span % unit == 0:
            return Said(f"{span // unit} {zh}", f"{span // unit} {en}")
    if span < 2 * MINUTE:
        value = told_s(span / SECOND) if span >= SECOND else seconds(span)
        return Said(f"{value} 秒", f"{value} s")
    rest, zhs, ens = told_s(span / SECOND) * SECOND, [], []
    for unit, zh, en in ((HOUR, "小时", "h"), (MINUTE, "分", "min"), (SECOND, "秒", "s")):
        count, rest = divmod(rest, unit)
        if count:
            zhs.append(f"{count} {zh}")
            ens.append(f"{count} {en}")
    return Said(" ".join(zhs), " ".join(ens))


def number(value: float) -> str:
    """A measured value, without needless digits."""
    return f"{value:.4g}"


def lowered(name: str) -> str:
    """A name as it stands within an English sentence."""
    return name[:1].lower() + name[1:]


def series(names: Sequence[str], at_most: int = 5) -> Said:
    """Names in a row; of many the first ones and how many there are."""
    if len(names) <= at_most:
        return Said("、".join(names), ", ".join(names))
    shown = names[:at_most]
    return Said(f"{'、'.join(shown)} 等 {len(names)} 个", f"{', '.join(shown)} and {len(names) - at_most} more")


def sentence(*parts: Said) -> Sentence:
    """Phrases put together: clauses that end themselves, an English space between them."""
    return Sentence(zh="".join(part.zh for part in parts if part.zh), en=" ".join(part.en for part in parts if part.en))
