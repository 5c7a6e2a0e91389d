"""LED strips with the WLED firmware, over MQTT (mqtt-conventions.md, wled)."""
