"""Devices with the ESPHome firmware, over MQTT (mqtt-conventions.md, esphome)."""
