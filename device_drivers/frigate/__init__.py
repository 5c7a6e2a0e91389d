"""Cameras behind the Frigate NVR, over MQTT (cameras.md, frigate)."""
