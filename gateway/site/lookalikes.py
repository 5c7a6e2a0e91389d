"""Signs of Chinese input methods that look like ASCII ones and are others: which stand in a text, and what is typed instead."""

from __future__ import annotations

from collections.abc import Mapping

_MOST_NAMED = 5

LOOKALIKES: Mapping[str, str] = {
    **{chr(full): chr(full - 0xFEE0) for full in range(0xFF01, 0xFF5F)},
    **dict.fromkeys("“”„‟〝〞", '"'),
    **dict.fromkeys("‘’‚‛", "'"),
    **dict.fromkeys("【〔〖", "["),
    **dict.fromkeys("】〕〗", "]"),
    **dict.fromkeys("‐‑‒–—―−─", "-"),
    **dict.fromkeys("、", ","),
    **dict.fromkeys("。", "."),
    **dict.fromkeys("《〈", "<"),
    **dict.fromkeys("》〉", ">"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
}
"""What is typed instead of each sign; "": nothing, it is invisible. The first line is Unicode's block of full-width forms."""

_MEANT = frozenset("，、。；！？（）【】《》〈〉“”‘’—")
"""Signs that stand in names on purpose."""

_NAMES: Mapping[str, str] = {"": "nothing", " ": "a plain blank"}


def plain(text: str) -> str:
    """`text` with the ASCII signs that were meant."""
    return text.translate(_TABLE)


def slips(text: str) -> str:
    """The signs in a name, such as an id or a topic, that nobody puts there on purpose: full-width letters, digits, strokes, blanks."""
    if text.isascii():
        return ""
    return "".join(sign for sign in text if sign in LOOKALIKES and sign not in _MEANT)


def remark(text: str) -> str:
    """What to type instead of the signs in `text` that only look like ASCII ones; "" if there are none."""
    found = dict.fromkeys(sign for sign in text if sign in LOOKALIKES)
    told = ", ".join(f"{_name(LOOKALIKES[sign])} instead of {_sign(sign)}" for sign in list(found)[:_MOST_NAMED])
    return f"type {told}" if told else ""


def _name(ascii_sign: str) -> str:
    return _NAMES.get(ascii_sign, f"`{ascii_sign}`")


def _sign(sign: str) -> str:
    """A sign as a reader can tell it from the ASCII one."""
    number = f"U+{ord(sign):04X}"
    return number if LOOKALIKES[sign] in _NAMES else f"the full-width `{sign}` ({number})"


_TABLE = str.maketrans(dict(LOOKALIKES))
