"""NTAG 424 DNA tags that sign each tap: SUN messages in a URL (tag-readers.md, NXP AN12196)."""
