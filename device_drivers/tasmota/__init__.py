"""Devices with the Tasmota firmware: relays, meters, light sensors, card readers (mqtt-conventions.md, tasmota)."""
