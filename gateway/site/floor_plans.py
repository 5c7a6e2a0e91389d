"""Floor plans that the site file names: whether the image is there and what its coordinates are; it is not kept here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 2 * 1024 * 1024
"""A plan is fetched by every console on a wall; a drawing of a floor needs a tenth of this."""

MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
"""By the end of the file's name, as `Image` gives it."""

_PNG = b"\x89PNG\r\n\x1a\n"
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(?:px)?\s*")
_BETWEEN = re.compile(r"[\s,]+")


class Image(NamedTuple):
    """An image of a floor: its coordinates begin at (`left`, `top`); of a PNG they are its pixels, of an SVG its `viewBox`."""

    media_type: str
    left: float
    top: float
    width: float
    height: float


def measure(path: Path) -> Image:
    """The kind and the coordinates of a plan's image.

    Args:
        path: of the file.

    Raises:
        ValueError: it is not there, too large, or no SVG or PNG; the text says what was found.
    """
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise ValueError("ends with neither .svg nor .png")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // (1024 * 1024)} MiB")
    left, top, width, height = _png(data) if media_type == "image/png" else _svg(data)
    return Image(media_type, left, top, width, height)


def _png(data: bytes) -> tuple[float, float, float, float]:
    """The size in the header chunk (PNG, third edition, §11.2.1)."""
    if not data.startswith(_PNG) or data[12:16] != b"IHDR" or len(data) < 24:
        raise ValueError("is no PNG")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if not width or not height:
        raise ValueError("is a PNG without a size")
    return 0, 0, width, height


def _svg(data: bytes) -> tuple[float, float, float, float]:
    """The `viewBox`, else `width` and `height` (SVG 2 §8.2)."""
    from xml.etree.ElementTree import ParseError  # noqa: PLC0415  the error's name only; reading is defusedxml's

    from defusedxml import DefusedXmlException  # noqa: PLC0415  needed by sites with plans only
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise ValueError(f"is no SVG that can be read: {error}") from error
    if root.tag.rpartition("}")[2] != "svg":
        raise ValueError(f"is no SVG: its first element is `{root.tag.rpartition('}')[2]}`")
    box = _BETWEEN.split(root.get("viewBox", "").strip())
    try:
        left, top, width, height = (float(part) for part in box)
    except ValueError:
        left = top = 0.0
        width, height = (_length(root.get(name, "")) for name in ("width", "height"))
    if not (0 < width < 1e6 and 0 < height < 1e6 and abs(left) < 1e6 and abs(top) < 1e6):
        raise ValueError("has no size; expected a `viewBox`, or `width` and `height` in pixels")
    return left, top, width, height


def _length(text: str) -> float:
    found = _LENGTH.fullmatch(text)
    return float(found[1]) if found else 0.0
