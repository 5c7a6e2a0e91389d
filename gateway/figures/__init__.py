"""Figures over a period: intact rates, minutes of coverage, protection, predictability (see README.md)."""
