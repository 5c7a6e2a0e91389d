"""Zigbee devices behind Zigbee2MQTT (mqtt-conventions.md, zigbee2mqtt)."""
