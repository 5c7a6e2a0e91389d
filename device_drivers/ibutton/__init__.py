"""iButtons (1-Wire): polled through a DS2480B, or as lines of hexadecimal digits from a probe (wands.md)."""
