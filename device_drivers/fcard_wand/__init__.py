"""FCARD / DoNetDrive patrol wands on USB: the only wand protocol that is public (wands.md)."""
