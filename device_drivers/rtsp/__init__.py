"""RTSP cameras: whether the service lives, by OPTIONS and DESCRIBE (cameras.md)."""
