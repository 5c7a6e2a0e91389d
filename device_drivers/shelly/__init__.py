"""Shelly relays, meters and sensors of all generations, over MQTT (mqtt-conventions.md, shelly)."""
