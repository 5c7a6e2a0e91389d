"""Devices that follow the Homie convention, versions 4 and 5 (mqtt-conventions.md, homie)."""
