"""Bytes in, acknowledgements back: MQTT sessions, serial ports. See README.md."""
