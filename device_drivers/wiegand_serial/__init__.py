"""Wiegand heads behind a converter to a serial line, whatever form its lines have (tag-readers.md)."""
