"""Links as QR codes, to be read from the screen by a phone."""

from __future__ import annotations

from io import StringIO

import segno


def svg(text: str) -> str:
    """A QR code (ISO/IEC 18004, error correction M) as an SVG element without inline style; its size is its page's."""
    return segno.make(text, error="m", micro=False).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )


def terminal(text: str) -> str:
    """The same in half blocks, for a terminal with a dark ground."""
    out = StringIO()
    segno.make(text, error="m", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue()
