"""ONVIF cameras: the clock as a probe, events by PullPoint, WS-Discovery (cameras.md)."""
