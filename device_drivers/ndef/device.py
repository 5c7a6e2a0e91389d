"""The tag's own side: the messages that it holds, for simulated tags and tests."""

from __future__ import annotations


def uri_message(uri: str) -> bytes:
    """An NDEF message of one URI."""
    import ndef  # noqa: PLC0415

    return b"".join(ndef.message_encoder([ndef.UriRecord(uri)]))


def text_message(text: str, language: str = "en") -> bytes:
    """An NDEF message of one text."""
    import ndef  # noqa: PLC0415

    return b"".join(ndef.message_encoder([ndef.TextRecord(text, language)]))


def block(message: bytes) -> bytes:
    """A message as a type 2 tag keeps it in its memory."""
    length = bytes([len(message)]) if len(message) < 0xFF else b"\xff" + len(message).to_bytes(2, "big")
    return b"\x03" + length + message + b"\xfe"
