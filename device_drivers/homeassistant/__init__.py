"""Devices and tags that announce themselves by Home Assistant's MQTT discovery (mqtt-conventions.md, homeassistant)."""
