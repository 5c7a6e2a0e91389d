"""NDEF messages of NFC tags, as phones and readers pass them on (tag-readers.md)."""
