"""NFC readers with a PN532 chip on a serial line (HSU), polled (tag-readers.md)."""
