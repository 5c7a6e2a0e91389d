"""Hikvision cameras and recorders: ISAPI alertStream (cameras.md)."""
