"""Cameras that register over HTTP by GA/T 1400 (cameras.md, gat1400)."""
