"""Devices that speak Lamplighter's own observations as JSON over MQTT (spec: evidence.md, Native MQTT)."""
