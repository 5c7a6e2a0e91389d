"""LoRaWAN devices behind The Things Stack 3 (mqtt-conventions.md, tts)."""
