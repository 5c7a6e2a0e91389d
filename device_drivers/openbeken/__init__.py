"""Devices with the OpenBeken firmware: relays, plugs and lamps with BK7231 chips and others (mqtt-conventions.md, openbeken)."""
