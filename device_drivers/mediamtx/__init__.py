"""MediaMTX: its paths by metrics or API (cameras.md)."""
