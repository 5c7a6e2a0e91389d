"""Milesight LoRaWAN devices: their payloads, alone or inside chirpstack and tts (mqtt-conventions.md, milesight)."""
