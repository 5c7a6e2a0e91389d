"""Dahua cameras and recorders: eventManager (cameras.md)."""
