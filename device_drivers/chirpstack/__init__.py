"""LoRaWAN devices behind ChirpStack 4 (mqtt-conventions.md, chirpstack)."""
